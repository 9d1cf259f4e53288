package open

import (
	"strings"
	"testing"
)

// TestCheck: an address of something else is noticed without opening anything, and its password is not told.
func TestCheck(t *testing.T) {
	for address, well := range map[[2]string]bool{
		{"store.redis_uri", "redis://h"}:                             true,
		{"store.redis_uri", "REDISS://:s3cr3tword@h:6380/1"}:         true,
		{"store.redis_uri", "http://u:s3cr3tword@h"}:                 false,
		{"store.redis_uri", "h:6379"}:                                false,
		{"store.redis_uri", "postgres://u:s3cr3tword@h/d"}:           false,
		{"store.postgres_dsn", "postgresql://u:s3cr3tword@h/d"}:      true,
		{"store.postgres_dsn", "user=u password='s3cr3tword'"}:       true,
		{"store.postgres_dsn", "mysql://u:s3cr3tword@h/d"}:           false,
		{"store.mongodb_uri", "mongodb://a:s3cr3tword@h:1,i:2/?w=1"}: true,
		{"store.mongodb_uri", "mongodb+srv://a:s3cr3tword@h"}:        true,
		{"store.mongodb_uri", "h:27017"}:                             false,
		{"store.mongodb_uri", "redis://s3cr3tword@h"}:                false,
		{"store.prefix", "gw_2"}:                                     true,
		{"store.prefix", "Gateway"}:                                  false,
		{"store.prefix", "2nd"}:                                      false,
	} {
		err := Check(settings(t, map[string]any{address[0]: address[1]}))
		if (err == nil) != well {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cr3tword") || !strings.Contains(err.Error(), address[0])) {
			t.Error(err)
		}
	}
}

// TestUnused: of several addresses one counts, and the others are named.
func TestUnused(t *testing.T) {
	c := settings(t, map[string]any{"store.postgres_dsn": "host=a", "store.mongodb_uri": "mongodb://u:s3cr3tword@b"})
	all := Unused(c)
	if len(all) != 1 || !strings.Contains(all[0].String(), "mongodb_uri") || !strings.Contains(all[0].String(), "Postgres") {
		t.Error(all)
	}
	if len(Unused(settings(t, nil))) != 0 {
		t.Error("nothing is set")
	}
	for text, c := range map[string]map[string]any{"in the file in ": nil, "in Redis at b:1.\n": {"store.redis_uri": "redis://u:s3cr3tword@b:1", "store.mongodb_uri": "mongodb://c"}} {
		if got := Overview(settings(t, c)); !strings.Contains(got, text) || strings.Contains(got, "s3cr3tword") {
			t.Error(got)
		}
	}
}
