// Package logging is where every log line of the process goes: to stdout or stderr, to a file
// that rotates by size, into a ring of recent lines, and to whoever watches live.
//
// All four get the same masked text: secrets are taken out of the message and of every value as
// it is printed, so it does not matter whether they came in a text, an error or a struct. Lines
// never break: line ends and control characters inside values are escaped.
package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// Critical is the level above error; slog has no name for it.
const Critical = slog.LevelError + 4

// Options say where lines go. The zero value logs text from INFO up to the console.
type Options struct {
	Level    slog.Level // lines below it are dropped
	JSON     bool       // console and file get JSON lines; recent and live ones stay text
	File     string     // appended to; empty means none
	MaxBytes int64      // size at which the file is rotated; 0 means 10 MiB
	Keep     int        // rotated files kept as File.1, File.2, ...; 0 means 3
	Recent   int        // lines kept in memory; 0 means 1000
	// Delay lets lines below warning wait for each other on their way to console and file; what
	// waits is lost when the process is killed. 0 writes each line at once.
	Delay  time.Duration
	Stdout io.Writer // nil means os.Stdout; lines below error
	Stderr io.Writer // nil means os.Stderr; error and above
}

// Log owns the outlets. It is safe for concurrent use.
type Log struct {
	level   slog.LevelVar
	json    bool
	mask    masker
	scratch sync.Pool // *scratch

	mu             sync.Mutex // guards everything below; held while a line is written
	stdout, stderr io.Writer
	file           *file // nil when there is none or it is off
	batch          batch
	flushing       func() // flush, bound once
	recent         ring
	live           live
}

// scratch is what one line is made of.
type scratch struct {
	text, json []byte
	attrs      []slog.Attr
	stamp      stamp
}

// giveBack keeps s for another line. One huge line must not stay in memory for ever.
func (l *Log) giveBack(s *scratch) {
	if cap(s.text)+cap(s.json) <= 64<<10 {
		l.scratch.Put(s)
	}
}

// New opens the outlets. A file that cannot be written is not an error: one warning says so and
// the rest works, because a read-only container has to run.
func New(o Options) (*Log, error) {
	if o.MaxBytes < 0 || o.Keep < 0 || o.Recent < 0 {
		return nil, errors.New("log file size, files kept and recent lines are not negative")
	}
	l := &Log{json: o.JSON, batch: batch{delay: o.Delay}, stdout: orElse(o.Stdout, os.Stdout), stderr: orElse(o.Stderr, os.Stderr)}
	l.level.Set(o.Level)
	l.flushing = l.flush
	l.scratch.New = func() any { return new(scratch) }
	l.recent.lines = make([][]byte, orNumber(o.Recent, 1000))
	if o.File != "" {
		f, err := openFile(o.File, orNumber(o.MaxBytes, 10<<20), orNumber(o.Keep, 3))
		if err != nil {
			l.Logger().Warn(fileOff, "error", err)
		}
		l.file = f
	}
	return l, nil
}

const fileOff = "the log file cannot be written: logging to the console only"

func orElse(w io.Writer, std *os.File) io.Writer {
	if w == nil {
		return std
	}
	return w
}

func orNumber[N int | int64](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// Handler is what a slog.Logger writes to.
func (l *Log) Handler() slog.Handler { return &handler{log: l} }

// Logger is a new logger without attributes.
func (l *Log) Logger() *slog.Logger { return slog.New(l.Handler()) }

// SetLevel changes the level for all loggers at once.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// SetLevelName is SetLevel by the name that settings have for it.
func (l *Log) SetLevelName(name string) error {
	level, err := ParseLevel(name)
	if err == nil {
		l.SetLevel(level)
	}
	return err
}

// Level is the level in force.
func (l *Log) Level() slog.Level { return l.level.Level() }

// Hide keeps a secret out of all lines to come. Secrets below eight characters are looked for as
// whole words, or they would eat into ordinary text; below three they cannot be hidden at all.
func (l *Log) Hide(secret string) { l.mask.hide(secret) }

// Mask puts stars over the secrets in a text, as lines of the log have them: those that Hide was told, and what
// looks like one.
func (l *Log) Mask(text string) string { return l.mask.apply(text) }

// Recent gives the last n lines, oldest first, without line ends.
func (l *Log) Recent(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recent.last(n)
}

// Subscribe follows the log: first the last backlog lines (at most 200), then each line as it is
// written. A reader that falls behind loses lines, which a notice among the lines counts; it never
// slows the gateway down. The channel is closed by the returned function or by Close.
func (l *Log) Subscribe(backlog int) (<-chan string, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.live.join(l.recent.last(min(backlog, maxBacklog)))
	return s.lines, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.live.leave(s)
	}
}

// Close ends all subscriptions and closes the file. Lines after it still reach the console.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.close()
	err := l.drain()
	l.batch.delay = 0 // nobody waits for what comes now
	if l.file == nil {
		return err
	}
	if closing := l.file.close(); err == nil {
		err = closing
	}
	l.file = nil
	return err
}

// write hands a finished line to all outlets. out is what console and file get.
func (l *Log) write(level slog.Level, out, text []byte) {
	l.mu.Lock()
	err := l.emit(level, out, text)
	l.mu.Unlock()
	l.complain(err)
}

func (l *Log) emit(level slog.Level, out, text []byte) (fileErr error) {
	kept := shorten(text[:len(text)-1])
	l.recent.add(kept)
	l.live.send(kept)
	if l.batch.delay > 0 && level < slog.LevelWarn {
		if l.batch.add(out, l.flushing) {
			fileErr = l.drain()
		}
		return fileErr
	}
	fileErr = l.drain() // lines stay in order
	console := l.stdout
	if level >= slog.LevelError {
		console = l.stderr
	}
	if err := l.put(console, out); err != nil {
		fileErr = err
	}
	return fileErr
}

// complain says that the file is gone.
func (l *Log) complain(err error) {
	if err != nil {
		l.Logger().Warn(fileOff, "error", err)
	}
}

// put writes whole lines to console and file.
func (l *Log) put(console io.Writer, lines []byte) (fileErr error) {
	_, _ = console.Write(lines) // a log has nowhere to complain about itself
	if l.file == nil {
		return nil
	}
	if fileErr = l.file.write(lines); fileErr != nil {
		_ = l.file.close() // the first error is the one that tells
		l.file = nil
	}
	return fileErr
}

// ParseLevel reads debug, info, warning, error or critical, in any case.
func ParseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warning", "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	case "critical":
		return Critical, nil
	}
	return 0, fmt.Errorf("log level %q is none of debug, info, warning, error, critical", name)
}

// LevelName is the name of a level in a line; levels in between count as the one below.
func LevelName(level slog.Level) string {
	switch {
	case level < slog.LevelInfo:
		return "DEBUG"
	case level < slog.LevelWarn:
		return "INFO"
	case level < slog.LevelError:
		return "WARNING"
	case level < Critical:
		return "ERROR"
	}
	return "CRITICAL"
}

// now is the time of a record that carries none.
func now(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now()
	}
	return t
}
