package redis_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"gcli2api/store"
	"gcli2api/store/redis"
	"gcli2api/store/storetest/servers"
)

const table = store.Table("test")

// admin speaks to a server past the engine.
func admin(t *testing.T, s *servers.RedisServer) *driver.Client {
	o, err := driver.ParseURL(s.Address())
	if err != nil {
		t.Fatal(err)
	}
	c := driver.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func use(t *testing.T, o redis.Options) *redis.DB {
	t.Helper()
	db := open(t, o)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func put(t *testing.T, s store.Store, id string) {
	t.Helper()
	if _, err := s.Put(t.Context(), table, store.Doc{ID: id, Body: []byte("1")}, store.Any); err != nil {
		t.Fatal(err)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says checks that an error says something, shows no secret, and whether another try may help.
func says(t *testing.T, err error, what string, away bool) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), what) {
		t.Errorf("%v does not say %q", err, what)
		return
	}
	if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
		t.Errorf("shows a secret, or has several lines: %v", err)
	}
	if is := errors.As(err, new(*store.Away)); is != away {
		t.Errorf("worth another try: %v, want %v (%v)", is, away, err)
	}
}

const secret = "s3cr3tpass"

// eventually waits for what somebody else does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("never: " + what)
		}
	}
}

// lines is a log to look at.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) has(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.all.String(), what)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), what)
}
