package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"gcli2api/store"
	"gcli2api/store/redis"
	"gcli2api/store/storetest/servers"
)

func refused(t *testing.T, o redis.Options, what string, away bool) {
	t.Helper()
	db, err := redis.Open(t.Context(), o)
	if err == nil {
		_ = db.Close()
	}
	says(t, err, what, away)
}

func TestNobodyThere(t *testing.T) {
	address := fmt.Sprintf("redis://me:%s@127.0.0.1:%d/0", secret, servers.Port(t))
	refused(t, redis.Options{Address: address}, "Redis cannot be reached", true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := redis.Open(ctx, redis.Options{Address: address}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestUsers(t *testing.T) {
	s := servers.Redis(t)
	c := admin(t, s)
	for user, rules := range map[string][]any{
		"app":      {"~{mine}:*", "&{mine}:*", "+@all", "-@dangerous"},
		"reader":   {"~*", "&*", "+@read", "+eval", "+evalsha", "+@connection"},
		"mute":     {"~*", "resetchannels", "+@all"},
		"stranger": {"~other:*", "&*", "+@all"},
	} {
		ok(t, c.Do(t.Context(), append([]any{"ACL", "SETUSER", user, "on", ">" + secret}, rules...)...).Err())
	}
	as := func(user, password string) redis.Options {
		return redis.Options{Address: fmt.Sprintf("redis://%s:%s@127.0.0.1:%d", user, password, s.Port), Prefix: "mine"}
	}
	put(t, use(t, as("app", secret)), "a") // no more rights than it needs
	refused(t, as("app", "wrong"), "the user or the password", false)
	refused(t, as("nobody", secret), "the user or the password", false)
	for _, user := range []string{"reader", "mute", "stranger"} {
		refused(t, as(user, secret), "may not do on Redis", false)
	}
	if left := c.Keys(t.Context(), "*probe*").Val(); len(left) > 0 {
		t.Errorf("keys that were tried with: %q", left)
	}
	ok(t, c.ConfigSet(t.Context(), "requirepass", secret).Err())
	refused(t, redis.Options{Address: s.Address()}, "the user or the password", false)
	put(t, use(t, as("", secret)), "b")
}

func TestReplica(t *testing.T) {
	main, s := servers.Redis(t), servers.Redis(t)
	put(t, use(t, redis.Options{Address: main.Address()}), "a")
	ok(t, admin(t, s).SlaveOf(t.Context(), "127.0.0.1", fmt.Sprint(main.Port)).Err())
	c := admin(t, s)
	eventually(t, "replicated", func() bool { return c.Exists(t.Context(), "{gcli2api}:version").Val() == 1 })
	refused(t, redis.Options{Address: s.Address()}, "read-only replica", false)
}

func TestDatabases(t *testing.T) {
	s := servers.Redis(t)
	refused(t, redis.Options{Address: s.Address() + "/77"}, "no database of that number", false)
	refused(t, redis.Options{Address: s.Address() + "/x"}, "names no number of a database", false)
	put(t, use(t, redis.Options{Address: s.Address(), Database: "3"}), "a")
	put(t, use(t, redis.Options{Address: s.Address() + "/4", Database: "3"}), "b")
	for db, id := range map[string]string{"3": "a", "4": "b"} {
		docs, err := use(t, redis.Options{Address: s.Address(), Database: db}).List(t.Context(), table, "", 5)
		if err != nil || len(docs) != 1 || docs[0].ID != id {
			t.Errorf("database %s: %v %v", db, docs, err)
		}
	}
}

// TestVersions: of data that we cannot read nothing is touched.
func TestVersions(t *testing.T) {
	s := servers.Redis(t)
	c := admin(t, s)
	for i, x := range []struct{ version, says string }{
		{"2", "written by a newer gateway"}, {"one", "cannot be read"}, {"0", "cannot be read"}, {"", "lost their version"},
	} {
		prefix := fmt.Sprint("v", i)
		ok(t, c.Set(t.Context(), "{"+prefix+"}:revision", 5, 0).Err())
		if x.version != "" {
			ok(t, c.Set(t.Context(), "{"+prefix+"}:version", x.version, 0).Err())
		}
		before := c.DBSize(t.Context()).Val()
		refused(t, redis.Options{Address: s.Address(), Prefix: prefix}, x.says, false)
		if after := c.DBSize(t.Context()).Val(); after != before {
			t.Errorf("%q: %d keys became %d", x.version, before, after)
		}
	}
	ok(t, c.LPush(t.Context(), "{list}:version", 1).Err())
	refused(t, redis.Options{Address: s.Address(), Prefix: "list"}, "{list}:version in Redis is a list", false)
}

// TestForeignKeys: a key that is somebody else's is named, and nothing is half written.
func TestForeignKeys(t *testing.T) {
	s := servers.Redis(t)
	c := admin(t, s)
	for i, key := range []string{"head:test", "body:test", "ids:test", "due", "revision", "count", "names", "lease:l", "once:id"} {
		prefix := fmt.Sprint("f", i)
		db := use(t, redis.Options{Address: s.Address(), Prefix: prefix})
		name := "{" + prefix + "}:" + key
		ok(t, c.LPush(t.Context(), name, "theirs").Err())
		_, err1 := db.Put(t.Context(), table, store.Doc{ID: "a", Body: []byte("1"), Expires: time.Now().Add(time.Hour)}, store.Any)
		err2 := db.AddOnce(t.Context(), "id", []store.Delta{{Counter: "n", N: 1}})
		_, err3 := db.Claim(t.Context(), "l", "me", time.Minute)
		met := 0
		for _, err := range []error{err1, err2, err3} {
			if err != nil {
				met++
				says(t, err, name+" in Redis is a list", false)
			}
		}
		if key == "once:id" { // a batch that was added, whoever noted it
			met++
		}
		if met != 1 {
			t.Errorf("%s: met by %d calls: %v %v %v", name, met, err1, err2, err3)
		}
		if err1 != nil && key != "revision" {
			for _, k := range c.Keys(t.Context(), "{"+prefix+"}:*").Val() {
				if k != name && strings.Contains(k, ":test") {
					t.Errorf("%s: half of a document was written: %s", name, k)
				}
			}
		}
	}
}

// TestBroken: a document or a counter that somebody spoilt is named and left alone, and the rest is served.
func TestBroken(t *testing.T) {
	s := servers.Redis(t)
	log := &lines{}
	db, c := use(t, redis.Options{Address: s.Address(), Log: log.logger()}), admin(t, s)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		put(t, db, id)
	}
	const heads, bodies = "{gcli2api}:head:test", "{gcli2api}:body:test"
	ok(t, c.HSet(t.Context(), heads, "b", "what").Err())
	ok(t, c.HDel(t.Context(), bodies, "c").Err())
	ok(t, c.HDel(t.Context(), heads, "d").Err())
	for _, id := range []string{"b", "c", "d"} {
		_, err := db.Get(t.Context(), table, id)
		says(t, err, fmt.Sprintf(`test %q in Redis is broken`, id), false)
		_, err = db.Put(t.Context(), table, store.Doc{ID: id, Body: []byte("2")}, store.Any)
		says(t, err, fmt.Sprintf(`test %q in Redis is broken`, id), false)
		says(t, db.Delete(t.Context(), table, id, store.Any), "is broken", false)
	}
	served, broken := "", ""
	for id, r := range (store.Docs[int]{Store: db, Table: table}).All(t.Context()) {
		if r.Err != nil {
			broken += id
		} else {
			served += id
		}
	}
	if served != "ae" || broken != "bcd" {
		t.Errorf("served %q, broken %q", served, broken)
	}
	for range (store.Docs[int]{Store: db, Table: table}).All(t.Context()) { // each follower lists again and again
	}
	if n := log.count("a document in the database is broken"); n != 3 {
		t.Errorf("%d lines about 3 documents", n)
	}
	for _, n := range []string{"x", "-1", "9223372036854775808", "99999999999999999999", "1.5"} {
		ok(t, c.HSet(t.Context(), "{gcli2api}:count", "spoilt", n).Err())
		_, err := db.Take(t.Context(), "spoilt", 1, 10)
		says(t, err, `counter "spoilt" in Redis is no number`, false)
		says(t, db.Add(t.Context(), []store.Delta{{Counter: "good", N: 1}, {Counter: "spoilt", N: 1}}), `"spoilt"`, false)
	}
	if all, err := db.Counters(t.Context(), "good"); err != nil || len(all) > 0 {
		t.Errorf("half of a batch: %v %v", all, err)
	}
	ok(t, db.Add(t.Context(), []store.Delta{{Counter: "good", N: 1}}))
	ok(t, c.ZAdd(t.Context(), "{gcli2api}:names", driver.Z{Member: "spoilt"}).Err())
	if all, err := db.Counters(t.Context(), ""); err != nil || len(all) != 1 || all["good"] != 1 || !log.has("a counter in the database is broken") {
		t.Errorf("beside a broken counter: %v %v", all, err)
	}
	if _, err := db.WalkCounters(t.Context(), "", 10); err == nil {
		t.Error("a copy without the broken counter looks whole")
	}
}

// TestFull: a full Redis says so, serves what it has, and does not keep a gateway from starting.
func TestFull(t *testing.T) {
	s := servers.Redis(t)
	log := &lines{}
	o := redis.Options{Address: s.Address(), Log: log.logger()}
	db, c := use(t, o), admin(t, s)
	put(t, db, "a")
	ok(t, c.ConfigSet(t.Context(), "maxmemory", "1mb").Err())
	_, err := db.Put(t.Context(), table, store.Doc{ID: "b", Body: []byte("1")}, store.Any)
	says(t, err, "out of memory", false)
	_, err = db.Take(t.Context(), "n", 1, 10)
	says(t, err, "out of memory", false)
	if d, err := use(t, o).Get(t.Context(), table, "a"); err != nil || string(d.Body) != "1" {
		t.Errorf("%+v %v", d, err)
	}
	if !log.has("takes no more data") {
		t.Error("nothing in the log")
	}
	ok(t, c.ConfigSet(t.Context(), "maxmemory", "0").Err())
	put(t, db, "b")
}

func TestAdvice(t *testing.T) {
	for _, x := range []struct {
		options []string
		says    map[string]bool
	}{
		{[]string{"appendonly", "yes"}, map[string]bool{"throw away": false, "in memory alone": false}},
		{[]string{"maxmemory-policy", "allkeys-lru"}, map[string]bool{"throw away": true, "in memory alone": true}},
	} {
		log := &lines{}
		use(t, redis.Options{Address: servers.Redis(t, x.options...).Address(), Log: log.logger()})
		for what, want := range x.says {
			if log.has(what) != want {
				t.Errorf("%v: %q in the log: %v", x.options, what, !want)
			}
		}
	}
}
