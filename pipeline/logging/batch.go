package logging

import "time"

// maxBatch is how much may wait at the most.
const maxBatch = 64 << 10

// batch is lines that wait to be written together: a busy gateway would otherwise make two system
// calls for the line about each request. There is no goroutine; the timer only runs while something
// waits. Guarded by Log.mu.
type batch struct {
	delay time.Duration // 0 writes every line at once
	lines []byte
	timer *time.Timer // nil until the first line
	armed bool
}

// add takes a line and says whether the batch is full. flush is called when it has waited long enough.
func (b *batch) add(line []byte, flush func()) (full bool) {
	b.lines = append(b.lines, line...)
	switch {
	case b.armed:
	case b.timer == nil:
		b.timer, b.armed = time.AfterFunc(b.delay, flush), true
	default:
		b.timer.Reset(b.delay)
		b.armed = true
	}
	return len(b.lines) >= maxBatch
}

// flush is called by the timer.
func (l *Log) flush() {
	l.mu.Lock()
	l.batch.armed = false
	err := l.drain()
	l.mu.Unlock()
	l.complain(err)
}

// drain writes what waits; the lock is held.
func (l *Log) drain() (fileErr error) {
	if len(l.batch.lines) == 0 {
		return nil
	}
	fileErr = l.put(l.stdout, l.batch.lines)
	l.batch.lines = l.batch.lines[:0]
	return fileErr
}
