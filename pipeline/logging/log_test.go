package logging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustNew(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func rest(line string) string { return line[min(len(line), len("[2025-12-01 08:00:00] ")):] }

func TestLine(t *testing.T) {
	var out bytes.Buffer
	l := mustNew(t, Options{Stdout: &out, Level: slog.LevelDebug})
	for _, row := range []struct {
		log  func(*slog.Logger)
		want string
	}{
		{func(g *slog.Logger) { g.Info("hello") }, "[INFO] hello"},
		{func(g *slog.Logger) { g.Debug("你好", "name", "假流式/gemini") }, "[DEBUG] 你好 name=假流式/gemini"},
		{func(g *slog.Logger) {
			g.Warn("w", "n", 1, "u", uint64(2), "ok", true, "took", 1500*time.Millisecond, "share", 0.5)
		}, "[WARNING] w n=1 u=2 ok=true took=1.5s share=0.5"},
		{func(g *slog.Logger) { g.Info("q", "a", "two words", "b", "", "c", `"`, "d", "x=y") }, `[INFO] q a="two words" b="" c="\"" d="x=y"`},
		{func(g *slog.Logger) { g.Info("one\ntwo\x1b[31m", "v", "a\nb\x1b") }, `[INFO] one\ntwo\x1b[31m v="a\nb\x1b"`},
		{func(g *slog.Logger) { g.Info("e", "error", errors.New("bad thing"), "nil", nil) }, `[INFO] e error="bad thing" nil=<nil>`},
		{func(g *slog.Logger) { g.With("exchange", "x1").Info("m", "k", "v") }, "[INFO] m exchange=x1 k=v"},
		{func(g *slog.Logger) {
			g.With("a", 1).WithGroup("g").With("b", 2).Info("m", slog.Group("h", "c", 3), slog.Group("", "d", 4))
		}, "[INFO] m a=1 g.b=2 g.h.c=3 g.d=4"},
		{func(g *slog.Logger) { g.WithGroup("").Info("m", slog.Attr{}) }, "[INFO] m"},
		{func(g *slog.Logger) { g.Info("m", "v", panics{}) }, `[INFO] m v="(value cannot be printed)"`},
		{func(g *slog.Logger) { g.Info("m", "bad", "\xff") }, `[INFO] m bad="\xff"`},
		{func(g *slog.Logger) {
			g.Info("m", "at", time.Date(2025, 12, 1, 8, 0, 0, 0, time.UTC))
		}, "[INFO] m at=2025-12-01T08:00:00Z"},
	} {
		out.Reset()
		row.log(l.Logger())
		if got := rest(out.String()); got != row.want+"\n" {
			t.Errorf("\n got %q\nwant %q", got, row.want+"\n")
		}
	}
	if !regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[INFO\] m `).MatchString(out.String()) {
		t.Errorf("no time in front: %q", out.String())
	}
}

type panics struct{}

func (panics) String() string { panic("no") }

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	l := mustNew(t, Options{JSON: true, Stdout: &out})
	l.Logger().With("exchange", "x1").WithGroup("g").Warn(`say "hi"`, "n", 1, "s", "a\nb", "share", 0.5, "password", 12345)
	want := `","level":"WARNING","message":"say \"hi\"","exchange":"x1","g.n":1,"g.s":"a\nb","g.share":0.5,"g.password":"***"}` + "\n"
	if got := out.String(); !strings.HasSuffix(got, want) || !regexp.MustCompile(`^{"time":"\d{4}-\d\d-\d\dT`).MatchString(got) {
		t.Errorf("got %s", got)
	}
	if r := l.Recent(1); len(r) != 1 || !strings.Contains(r[0], `] [WARNING] say "hi" exchange=x1 g.n=1 g.s="a\nb"`) {
		t.Errorf("recent lines stay text: %q", r)
	}
}

func TestLevels(t *testing.T) {
	var out, errs bytes.Buffer
	l := mustNew(t, Options{Stdout: &out, Stderr: &errs})
	kept := l.Logger().With("made", "before") // loggers made earlier follow the level too
	write := func() string {
		out.Reset()
		errs.Reset()
		kept.Debug("d")
		kept.Info("i")
		kept.Warn("w")
		kept.Error("e")
		kept.Log(t.Context(), Critical, "c")
		var names []string
		for _, m := range regexp.MustCompile(`\] \[(\w+)\]`).FindAllStringSubmatch(out.String()+"|"+errs.String(), -1) {
			names = append(names, m[1])
		}
		return strings.Join(names, " ")
	}
	if got := write(); got != "INFO WARNING ERROR CRITICAL" {
		t.Errorf("at info: %s", got)
	}
	if strings.Count(errs.String(), "\n") != 2 || !strings.Contains(errs.String(), "[CRITICAL] c") {
		t.Errorf("stderr has %q", errs.String())
	}
	for name, want := range map[string]string{
		"debug": "DEBUG INFO WARNING ERROR CRITICAL", " Warning ": "WARNING ERROR CRITICAL", "ERROR": "ERROR CRITICAL", "Critical": "CRITICAL",
	} {
		level, err := ParseLevel(name)
		l.SetLevel(level)
		if got := write(); err != nil || got != want || l.Level() != level {
			t.Errorf("at %s: %s (%v)", name, got, err)
		}
	}
	if _, err := ParseLevel("loud"); err == nil || !strings.Contains(err.Error(), `"loud" is none of debug, info`) {
		t.Errorf("error is %v", err)
	}
}

func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.log")
	if err := os.WriteFile(path, []byte("from before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := mustNew(t, Options{File: path, MaxBytes: 200, Keep: 2})
	for i := range 40 {
		l.Logger().Info("line", "i", i)
	}
	l.Logger().Error("last")
	var all string
	for _, name := range []string{path + ".2", path + ".1", path} {
		b, err := os.ReadFile(name)
		if err != nil || len(b) == 0 || len(b) > 200 {
			t.Fatalf("%s: %d bytes, %v", filepath.Base(name), len(b), err)
		}
		all += string(b)
	}
	if _, err := os.Stat(path + ".3"); !os.IsNotExist(err) {
		t.Error("more files than asked for are kept")
	}
	var want strings.Builder
	for i := 29; i < 40; i++ {
		fmt.Fprintf(&want, "[INFO] line i=%d\n", i)
	}
	got := regexp.MustCompile(`(?m)^\[[^]]*\] `).ReplaceAllString(all, "")
	if !strings.HasSuffix(got, want.String()+"[ERROR] last\n") {
		t.Errorf("the end of the log is %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
}

func TestFileAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.log")
	for range 2 {
		l := mustNew(t, Options{File: path})
		l.Logger().Info("start")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := os.ReadFile(path); strings.Count(string(b), "[INFO] start\n") != 2 {
		t.Errorf("file has %q", b)
	}
}

// TestFileThatCannotBeRenamed: .1 is a folder that is not empty, which no rename replaces.
func TestFileThatCannotBeRenamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.log")
	if err := os.MkdirAll(path+".1/full", 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	l := mustNew(t, Options{File: path, MaxBytes: 100, Keep: 1, Stdout: &out})
	for i := range 10 {
		l.Logger().Info("line", "i", i)
	}
	if b, _ := os.ReadFile(path); len(b) > 100 || !strings.HasSuffix(string(b), "line i=9\n") {
		t.Errorf("file has %q", b)
	}
	if strings.Contains(out.String(), "WARNING") {
		t.Errorf("console has %q", out.String())
	}
}

func TestUnwritableFileIsOneWarning(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	l := mustNew(t, Options{File: filepath.Join(dir, "no", "such", "gateway.log"), Stdout: &out})
	l.Logger().Info("one")
	l.Logger().Info("two")
	if got := out.String(); strings.Count(got, "[WARNING]") != 1 || !strings.Contains(got, "log file cannot be written") || !strings.HasSuffix(got, "two\n") {
		t.Errorf("at start: %q", got)
	}

	out.Reset()
	l = mustNew(t, Options{File: filepath.Join(dir, "gateway.log"), Stdout: &out})
	l.Logger().Info("one")
	if err := l.file.f.Close(); err != nil { // every later write fails, as on a full disk
		t.Fatal(err)
	}
	l.Logger().Info("two")
	l.Logger().Info("three")
	if got := out.String(); strings.Count(got, "[WARNING]") != 1 || !strings.HasSuffix(got, "three\n") || !strings.Contains(got, "two\n") {
		t.Errorf("while running: %q", got)
	}
}

func TestNewRefusesNegativeSizes(t *testing.T) {
	for _, o := range []Options{{MaxBytes: -1}, {Keep: -1}, {Recent: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v accepted", o)
		}
	}
}

// TestLinesStayWhole writes from many goroutines; run with -race it also shows the locking.
func TestLinesStayWhole(t *testing.T) {
	var out bytes.Buffer // only written under the lock of the log
	path := filepath.Join(t.TempDir(), "gateway.log")
	l := mustNew(t, Options{Stdout: &out, File: path, MaxBytes: 1 << 30})
	lines, stop := l.Subscribe(0)
	seen := make(chan int)
	go func() {
		n := 0
		for range lines {
			n++
		}
		seen <- n
	}()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			g := l.Logger().With("worker", w)
			for i := range 200 {
				g.Info("work", "i", i, "pad", strings.Repeat("x", i))
				if i%50 == 0 {
					l.Hide(fmt.Sprintf("hidden-secret-%d-%d", w, i))
					l.Recent(10)
				}
			}
		})
	}
	wg.Wait()
	stop()
	if n := <-seen; n == 0 {
		t.Error("the reader saw nothing")
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != out.String() {
		t.Errorf("file and console differ (%v)", err)
	}
	whole := regexp.MustCompile(`^\[[^]]+\] \[INFO\] work worker=\d i=\d+ pad=("")?x*\n$`)
	n := 0
	for line := range strings.Lines(string(b)) {
		if n++; !whole.MatchString(line) {
			t.Fatalf("broken line %q", line)
		}
	}
	if n != 1600 {
		t.Errorf("%d lines", n)
	}
}

func BenchmarkLine(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	for name, o := range map[string]Options{"console": {}, "console+file": {File: b.TempDir() + "/x.log"}, "json": {JSON: true}} {
		b.Run(name, func(b *testing.B) {
			o.Stdout, o.Stderr = null, null
			l := mustNew(b, o)
			for _, s := range []string{"a-long-password", "another-password", "pwd"} {
				l.Hide(s)
			}
			g := l.Logger().With("exchange", "0123456789abcdef")
			b.ReportAllocs()
			for b.Loop() {
				g.LogAttrs(b.Context(), slog.LevelInfo, "request", slog.String("route", "/v1/chat/completions"), slog.String("model", "gemini-2.5-pro"),
					slog.Int("status", 200), slog.Duration("took", 1234567), slog.String("caller", "key:abcdef"))
			}
		})
	}
}
