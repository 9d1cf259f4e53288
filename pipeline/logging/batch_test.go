package logging

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared is a console that may be read while the log writes.
type shared struct {
	mu  sync.Mutex
	b   bytes.Buffer
	put int // writes
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put++
	return s.b.Write(p)
}

func (s *shared) text() (string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String(), s.put
}

// words are the messages in the order of the lines.
func words(text string) string {
	var all []string
	for line := range strings.Lines(text) {
		_, line, _ = strings.Cut(line, "] [")
		_, line, _ = strings.Cut(line, "] ")
		all = append(all, strings.TrimSpace(line))
	}
	return strings.Join(all, ", ")
}

func TestLinesWaitForEachOther(t *testing.T) {
	var out, errs shared
	l := mustNew(t, Options{Stdout: &out, Stderr: &errs, Delay: time.Hour, File: filepath.Join(t.TempDir(), "x.log")})
	g := l.Logger().With("k", 1)
	g.Info("one", "n", 1, "took", 2*time.Second, "yes", true)
	l.Logger().Info("two")
	if text, _ := out.text(); text != "" {
		t.Errorf("written at once: %q", text)
	}
	l.Logger().Warn("three") // worse lines do not wait, and do not overtake
	if text, n := out.text(); words(text) != "one k=1 n=1 took=2s yes=true, two, three" || n != 2 {
		t.Errorf("%d writes of %q", n, text)
	}
	l.Logger().Info("four")
	l.Logger().Info("five", "error", fmt.Errorf("broken"))
	l.Logger().Info("six")
	if got := l.Recent(2); len(got) != 2 || !strings.HasSuffix(got[1], "six") {
		t.Errorf("recent lines %q", got)
	}
	l.Logger().Info("seven")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("eight")
	text, _ := out.text()
	if got := words(text); !strings.HasSuffix(got, "three, four, five error=broken, six, seven, eight") {
		t.Errorf("lines in order: %s", got)
	}
}

func TestLinesDoNotWaitForEver(t *testing.T) {
	var out shared
	l := mustNew(t, Options{Stdout: &out, Delay: time.Millisecond})
	for i := range 3 { // the timer starts again
		l.Logger().Info("line")
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			if text, _ := out.text(); strings.Count(text, "line") == i+1 {
				break
			}
			if time.Now().After(end) {
				t.Fatal("a line that waits is never written")
			}
		}
	}
}

func TestLinesThatAreTooManyToWait(t *testing.T) {
	var out shared
	l := mustNew(t, Options{Stdout: &out, Delay: time.Hour})
	var want []string
	pad := strings.Repeat("y", 100)
	for i := range 1500 { // more than may wait: whoever logs writes then
		text := fmt.Sprintf("value-%d-%s", i, strings.Repeat("x", i%50))
		l.Logger().Info("m", "v", text, "pad", pad)
		want = append(want, "m v="+text+" pad="+pad)
	}
	if _, n := out.text(); n == 0 || n > 10 {
		t.Errorf("%d writes before the end", n)
	}
	_ = l.Close()
	if text, _ := out.text(); words(text) != strings.Join(want, ", ") {
		t.Error("lines are missing, broken or in another order")
	}
}

func TestLinesWaitFromManyGoroutines(t *testing.T) {
	var out shared
	path := filepath.Join(t.TempDir(), "x.log")
	l := mustNew(t, Options{Stdout: &out, File: path, Delay: time.Millisecond, JSON: true})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 300 {
				l.Logger().Info("work", "worker", w, "i", i)
				if i%100 == 0 {
					l.Logger().Error("bad", "worker", w)
					l.Recent(5)
				}
			}
		})
	}
	wg.Wait()
	_ = l.Close()
	text, _ := out.text()
	if n := strings.Count(text, `"message":"work"`); n != 2400 {
		t.Errorf("%d lines of 2400", n)
	}
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), `"message":"work"`) != 2400 || strings.Count(string(b), `"message":"bad"`) != 24 {
		t.Errorf("the file has %d bytes (%v)", len(b), err)
	}
}

func BenchmarkBatch(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	l := mustNew(b, Options{Stdout: null, Delay: 20 * time.Millisecond})
	h := l.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
		r.AddAttrs(slog.String("id", "0123456789"), slog.String("model", "gemini-2.5-pro"), slog.Int("status", 200), slog.Duration("took", 1234567))
		_ = h.Handle(b.Context(), r)
	}
}
