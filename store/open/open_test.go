package open

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/circuit"
	"gcli2api/store/storetest/servers"
)

func settings(t *testing.T, change map[string]any) *config.Snapshot {
	t.Helper()
	all := map[string]any{"pool.credentials_dir": t.TempDir(), "store.wait": "0s", "store.timeout": "200ms"}
	for key, value := range change {
		all[key] = value
	}
	c, err := config.Load(config.Options{Overrides: all})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNeverFallsBack: a database that is not there ends the start with one line, without its password and
// without a file in its place.
func TestNeverFallsBack(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"Redis":    {"store.redis_uri": "redis://u:s3cr3tword@127.0.0.1:1"},
		"Postgres": {"store.postgres_dsn": "postgres://u:s3cr3tword@127.0.0.1:1/db"},
		"MongoDB":  {"store.mongodb_uri": "mongodb://u:s3cr3tword@127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := settings(t, change)
			var log bytes.Buffer
			s, err := Store(t.Context(), c, slog.New(slog.NewTextHandler(&log, nil)))
			if err == nil {
				s.Close()
				t.Fatal("there is no database")
			}
			for key := range change {
				if !strings.Contains(err.Error(), key) {
					t.Errorf("%v does not name %s", err, key)
				}
			}
			if text := err.Error() + log.String(); strings.Contains(text, "s3cr3tword") || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
				t.Error(text)
			}
			if _, err := os.Stat(filepath.Join(c.String("pool.credentials_dir"), file)); !os.IsNotExist(err) {
				t.Error("a file was opened in its place", err)
			}
		})
	}
}

// TestChosen: the log says which database has everything, and which ones are not used.
func TestChosen(t *testing.T) {
	r := servers.Redis(t)
	c := settings(t, map[string]any{"store.redis_uri": r.Address(), "store.timeout": "5s", "store.mongodb_uri": "mongodb://u:s3cr3tword@127.0.0.1:1"})
	var log bytes.Buffer
	s, err := Store(t.Context(), c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	said := log.String()
	for _, want := range []string{"everything is kept in a database", "Redis at 127.0.0.1", "is not used", "setting=store.mongodb_uri"} {
		if !strings.Contains(said, want) {
			t.Errorf("%s does not say %q", said, want)
		}
	}
	if strings.Contains(said, "s3cr3tword") || strings.Contains(said, "postgres_dsn") {
		t.Error(said)
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]string{
		"redis://h/1": Redis, "rediss://h": Redis, "REDIS://h": Redis, "postgres://h/d": Postgres, "postgresql://h/d": Postgres,
		"host=h dbname=d": Postgres, "user=u password=w": Postgres, "service = s": Postgres, "password='a b' port=1": Postgres,
		"mongodb://h": MongoDB, "mongodb+srv://h": MongoDB, "file:creds": File, "file://creds": File, "./creds": File, "./a=b": File, "./ghost=1": File,
		"mysql://h": "", "file:": "", "u:s3cr3t@h:1/0": "", "postgres//u:s3cr3t@h": "", "file:a@b": File,
	} {
		p, err := ParsePlace(text, Place{Engine: File, Folder: "x"})
		if want == "" != (err != nil) || err == nil && p.Engine != want {
			t.Errorf("%s: %q, %v", text, p.Engine, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error has its password: %v", text, err)
		}
	}
}

// TestFileHasNoCircuit: it is this process's own.
func TestFileHasNoCircuit(t *testing.T) {
	s, err := Store(t.Context(), settings(t, nil), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, is := s.(*circuit.Circuit); is || !store.Alone(s) {
		t.Fatalf("%T", s)
	}
}

// TestMask takes a password out of what a driver says, in each form of the address.
func TestMask(t *testing.T) {
	for _, address := range []string{
		"redis://u:s3cr3t%2Fword@h:1", "mongodb://u:s3cr3t%2Fword@a:1,b:2/x", "host=h user=u password=s3cr3t/word dbname=d",
		`host=h password = 's3cr3t/word'`, "postgres://h/db?password=s3cr3t/word&x=1",
	} {
		p := Place{Engine: "Test", Address: address}
		for _, word := range []string{address, "s3cr3t/word"} {
			if got := p.mask("dial " + word + ": no"); strings.Contains(got, "s3cr3t") || !strings.HasSuffix(got, ": no") {
				t.Errorf("%s: %s", address, got)
			}
		}
	}
}

// fake is a place whose tries end as they are told.
type fake struct {
	errs  []error
	tries int
}

func (f *fake) open(context.Context) (store.Store, error) {
	f.tries++
	if f.tries <= len(f.errs) {
		return nil, f.errs[f.tries-1]
	}
	return nil, errors.New("wrong password")
}

// TestAwait: what is away is tried again until it is not, any other error ends it at once, and so does the
// end of patience and of the context.
func TestAwait(t *testing.T) {
	away := &store.Away{Engine: "Test", Err: errors.New("connection refused")}
	var log bytes.Buffer
	p := Place{Engine: "Test", Log: slog.New(slog.NewTextHandler(&log, nil))}
	f := &fake{errs: []error{away, away}}
	if _, err := p.try(t.Context(), time.Minute, f.open); err == nil || f.tries != 3 || !strings.Contains(err.Error(), "wrong password") {
		t.Error(f.tries, err)
	}
	if n := strings.Count(log.String(), "trying again"); n != 2 {
		t.Error(log.String())
	}
	f = &fake{errs: []error{away}}
	if _, err := p.try(t.Context(), 0, f.open); err == nil || f.tries != 1 || !strings.Contains(err.Error(), "store.wait") {
		t.Error(f.tries, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	f = &fake{errs: []error{away}}
	if _, err := p.try(ctx, time.Minute, func(ctx context.Context) (store.Store, error) { stop(); return f.open(ctx) }); err == nil || f.tries != 1 || !strings.Contains(err.Error(), "stopped") {
		t.Error(f.tries, err)
	}
}

// TestSilentPlace: one that takes the connection and says nothing is away, and the start goes on.
func TestSilentPlace(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	for name, key := range map[string]string{"redis": "store.redis_uri", "postgres": "store.postgres_dsn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Store(t.Context(), settings(t, map[string]any{key: name + "://" + ln.Addr().String()}), slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), "store.wait") {
				t.Error(err)
			}
		})
	}
}
