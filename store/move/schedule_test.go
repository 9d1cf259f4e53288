package move

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is the time of a schedule.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// scheduled is a schedule without its goroutine.
func scheduled(t *testing.T, s *Side, set Settings, c *clock, owner string) *Backups {
	t.Helper()
	return &Backups{o: Options{Settings: func() Settings { return set }, Log: slog.New(slog.DiscardHandler), Now: c.Now, Store: s.Store},
		side: Side{Name: s.Name, Store: s.Store, Folder: s.Folder}, owner: owner}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	ok(t, err)
	for _, d := range list {
		all = append(all, d.Name())
	}
	return all
}

// One is written when the newest is old enough, and only files with a name of ours are removed.
func TestSchedule(t *testing.T) {
	source, dir := folder(t), filepath.Join(t.TempDir(), "backups")
	fill(t, source, 20)
	want := content(t, source)
	c := &clock{now: time.Date(2026, 11, 27, 7, 0, 0, 0, time.UTC)}
	with(t, source, func(s *Side) {
		set := Settings{Dir: dir, Every: time.Hour, Keep: 2}
		b := scheduled(t, s, set, c, "a")
		foreign := []string{"gcli2api-notes.tar.gz", "gcli2api-20200101T000000Z.tar.gz.old", "gcli2api-20209901T000000Z.tar.gz", "mine"}
		for i := range 4 {
			name, err := b.due(t.Context())
			ok(t, err)
			if name == "" {
				t.Fatalf("no backup at %v", c.now)
			}
			if i == 0 {
				for _, f := range foreign {
					ok(t, os.WriteFile(filepath.Join(dir, f), nil, 0o600))
				}
				old := filepath.Join(dir, ".gcli2api-20260101T000000Z.tar.gz.123.tmp")
				ok(t, os.WriteFile(old, nil, 0o600))
				ok(t, os.Chtimes(old, c.now.Add(-48*time.Hour), c.now.Add(-48*time.Hour)))
			}
			if name, err := b.due(t.Context()); name != "" || err != nil {
				t.Errorf("another one at once: %q, %v", name, err)
			}
			c.now = c.now.Add(time.Hour - time.Second)
			if name, _ := scheduled(t, s, set, c, "after a restart").due(t.Context()); name != "" {
				t.Errorf("%q is too early", name)
			}
			c.now = c.now.Add(time.Second)
		}
		want := append([]string{"gcli2api-20200101T000000Z.tar.gz.old", "gcli2api-20209901T000000Z.tar.gz"}, "gcli2api-20261127T090000Z.tar.gz", "gcli2api-20261127T100000Z.tar.gz", "gcli2api-notes.tar.gz", "mine")
		if got := names(t, dir); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("there are %q, want %q", got, want)
		}
		_, files, err := b.Scheduled()
		ok(t, err)
		if len(files) != 2 || files[0].Name != "gcli2api-20261127T100000Z.tar.gz" || files[0].Size == 0 {
			t.Errorf("it lists %+v", files)
		}
	})
	target := folder(t)
	_, err := does(t, restore(filepath.Join(dir, "gcli2api-20261127T090000Z.tar.gz"), target))
	ok(t, err)
	if content(t, target) != want {
		t.Error("the backup holds something else")
	}
}

// Backups of a time when the clock was wrong neither hold the next one up nor cost it its place.
func TestScheduleAfterWrongClock(t *testing.T) {
	source, dir := folder(t), t.TempDir()
	fill(t, source, 1)
	odd := "gcli2api-29991127T090000Z.tar.gz"
	ok(t, os.WriteFile(filepath.Join(dir, odd), nil, 0o600))
	c := &clock{now: time.Date(2026, 11, 27, 7, 0, 0, 0, time.UTC)}
	with(t, source, func(s *Side) {
		b := scheduled(t, s, Settings{Dir: dir, Every: time.Hour, Keep: 1}, c, "a")
		name, err := b.due(t.Context())
		ok(t, err)
		if got := names(t, dir); name == "" || !slices.Equal(got, []string{name, odd}) {
			t.Errorf("%q was written, there are %q", name, got)
		}
	})
}

// Of nodes that share a folder one writes.
func TestScheduleOneNode(t *testing.T) {
	source, dir := folder(t), t.TempDir()
	fill(t, source, 20)
	c := &clock{now: time.Now()}
	with(t, source, func(s *Side) {
		set := Settings{Dir: dir, Every: time.Hour, Keep: 9}
		held, err := s.Store.Claim(t.Context(), "backup", "another node", time.Minute)
		if err != nil || !held {
			t.Fatal(held, err)
		}
		if name, err := scheduled(t, s, set, c, "a").due(t.Context()); name != "" || err != nil {
			t.Errorf("although another node is at it: %q, %v", name, err)
		}
		_, err = s.Store.Claim(t.Context(), "backup", "another node", 0)
		ok(t, err)
		var wg sync.WaitGroup
		for _, owner := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				if _, err := scheduled(t, s, set, c, owner).due(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("there are %q", got)
		}
	})
}

// A failure is in the log, and the schedule goes on; Close waits for its goroutine.
func TestScheduleFails(t *testing.T) {
	source, file := folder(t), filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	said := &lines{hit: make(chan struct{})}
	with(t, source, func(s *Side) {
		b := Begin(Options{Store: s.Store, Place: parsed(t, source), Log: slog.New(slog.NewTextHandler(said, nil)),
			Settings: func() Settings { return Settings{Dir: filepath.Join(file, "sub"), Every: time.Hour, Keep: 1} }})
		select {
		case <-said.hit:
		case <-time.After(2 * time.Minute):
			t.Error("nothing was logged")
		}
		ok(t, b.Close())
		if !strings.Contains(said.String(), "the backup failed") || !strings.Contains(said.String(), file) {
			t.Errorf("it says %q", said.String())
		}
	})
}

type lines struct {
	mu  sync.Mutex
	b   bytes.Buffer
	hit chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() == 0 {
		close(l.hit)
	}
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
