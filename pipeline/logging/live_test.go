package logging

import (
	"fmt"
	"strings"
	"testing"
)

func TestRecent(t *testing.T) {
	l := mustNew(t, Options{Recent: 3})
	if got := l.Recent(5); len(got) != 0 {
		t.Errorf("before the first line: %q", got)
	}
	for i := range 5 {
		l.Logger().Info(fmt.Sprint("line", i))
	}
	for n, want := range map[int]string{-1: "", 0: "", 1: "line4", 2: "line3 line4", 3: "line2 line3 line4", 9: "line2 line3 line4"} {
		var got []string
		for _, line := range l.Recent(n) {
			got = append(got, strings.TrimPrefix(rest(line), "[INFO] "))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Recent(%d) is %q, want %q", n, got, want)
		}
	}
}

func TestHugeLinesAreShortenedInMemory(t *testing.T) {
	var out strings.Builder
	l := mustNew(t, Options{Stdout: &out})
	l.Logger().Info("x", "v", strings.Repeat("好", 100_000))
	if got := l.Recent(1)[0]; len(got) > maxKept+40 || !strings.HasSuffix(got, " bytes more)") || strings.ContainsRune(got, '�') {
		t.Errorf("%d bytes kept, end %q", len(got), got[len(got)-40:])
	}
	if out.Len() < 300_000 {
		t.Errorf("the console got %d bytes only", out.Len())
	}
}

func TestSubscribe(t *testing.T) {
	l := mustNew(t, Options{})
	for i := range 3 {
		l.Logger().Info(fmt.Sprint("old", i))
	}
	lines, stop := l.Subscribe(2)
	other, stopOther := l.Subscribe(0)
	l.Logger().Error("new")
	stop()
	stop() // twice does nothing
	l.Logger().Info("after")
	stopOther()
	if got := drain(lines); got != "[INFO] old1|[INFO] old2|[ERROR] new" {
		t.Errorf("got %s", got)
	}
	if got := drain(other); got != "[ERROR] new|[INFO] after" {
		t.Errorf("got %s", got)
	}
}

func drain(lines <-chan string) string {
	var got []string
	for line := range lines { // ends because the channel was closed
		if strings.HasPrefix(line, "[") {
			line = rest(line)
		}
		got = append(got, line)
	}
	return strings.Join(got, "|")
}

func TestSlowReaderLosesLinesAndIsTold(t *testing.T) {
	l := mustNew(t, Options{})
	lines, stop := l.Subscribe(0)
	const lost = 40
	for i := range readerRoom + lost {
		l.Logger().Info(fmt.Sprint("line", i))
	}
	for range 10 {
		<-lines
	}
	l.Logger().Info("late")
	stop()
	got := strings.Split(drain(lines), "|")
	want := []string{fmt.Sprintf("[INFO] line%d", readerRoom-1), fmt.Sprintf("(%d lines left out: this reader is too slow)", lost), "[INFO] late"}
	if tail := got[len(got)-3:]; strings.Join(tail, "|") != strings.Join(want, "|") {
		t.Errorf("the end is %q, want %q", tail, want)
	}
}

func TestCloseEndsSubscriptions(t *testing.T) {
	var out strings.Builder
	l := mustNew(t, Options{Stdout: &out})
	lines, stop := l.Subscribe(0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := drain(lines); got != "" {
		t.Errorf("got %s", got)
	}
	stop()
	l.Logger().Info("after close")
	if late, _ := l.Subscribe(1); drain(late) != "[INFO] after close" {
		t.Error("a late reader gets the backlog and the end")
	}
	if !strings.HasSuffix(out.String(), "after close\n") {
		t.Error("the console goes on after Close")
	}
}
