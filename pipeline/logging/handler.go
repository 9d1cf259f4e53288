package logging

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// Line is a line to be. Its attributes stay the caller's.
type Line struct {
	Time    time.Time
	Level   slog.Level
	Message string
	Attrs   []slog.Attr
}

// Emitter is what the handlers of this package do besides slog: a line whose attributes are at hand,
// without a slog.Record that copies them. Whoever calls it has asked Enabled first.
type Emitter interface{ Emit(l Line) }

// handler is the slog side. Attributes given by With are rendered once, not at every line.
type handler struct {
	log   *Log
	text  []byte // " key=value" of With
	json  []byte // `,"key":"value"` of With; only kept when the log writes JSON
	group string // "outer.inner." in front of keys
}

// Enabled is asked first, so that a dropped line costs next to nothing.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.log.level.Level()
}

// WithAttrs gives a handler that adds attrs to each line.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.text, c.json = slices.Clone(h.text), slices.Clone(h.json)
	for _, a := range attrs {
		c.text = h.style(false).attr(c.text, h.group, &a)
		if h.log.json {
			c.json = h.style(true).attr(c.json, h.group, &a)
		}
	}
	return &c
}

func (h *handler) style(json bool) style { return style{json, &h.log.mask} }

// WithGroup gives a handler that puts name and a dot in front of the keys that follow.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.group += name + "."
	return &c
}

// Handle renders, masks and writes one line. It reports no error: there is nobody to handle it.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	s := h.log.scratch.Get().(*scratch)
	s.attrs = s.attrs[:0]
	r.Attrs(func(a slog.Attr) bool {
		s.attrs = append(s.attrs, a)
		return true
	})
	h.emit(s, Line{now(r.Time), r.Level, r.Message, s.attrs})
	clear(s.attrs) // what they point to is not ours to keep
	h.log.giveBack(s)
	return nil
}

// Emit implements Emitter.
func (h *handler) Emit(l Line) {
	s := h.log.scratch.Get().(*scratch)
	h.emit(s, l)
	h.log.giveBack(s)
}

func (h *handler) emit(s *scratch, l Line) {
	s.text = h.line(s.text[:0], &l, &s.stamp)
	out := s.text
	if h.log.json {
		s.json = h.object(s.json[:0], &l)
		out = s.json
	}
	h.log.write(l.Level, out, s.text)
}

// line is `[2025-12-01 08:00:00] [INFO] message key=value` with its line end.
func (h *handler) line(dst []byte, l *Line, at *stamp) []byte {
	dst = at.append(dst, l.Time)
	dst = append(dst, LevelName(l.Level)...)
	dst = append(dst, "] "...)
	dst = appendMessage(dst, h.log.mask.apply(l.Message))
	dst = append(dst, h.text...)
	return append(h.attrs(dst, l, h.style(false)), '\n')
}

// object is the same line as a JSON object; groups stay dotted keys, so it is always flat.
func (h *handler) object(dst []byte, l *Line) []byte {
	dst = append(dst, `{"time":"`...)
	dst = l.Time.AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	dst = append(dst, `","level":"`...)
	dst = append(dst, LevelName(l.Level)...)
	dst = append(dst, `","message":`...)
	dst = appendJSON(dst, h.log.mask.apply(l.Message))
	dst = append(dst, h.json...)
	return append(h.attrs(dst, l, h.style(true)), "}\n"...)
}

func (h *handler) attrs(dst []byte, l *Line, s style) []byte {
	for i := range l.Attrs {
		dst = s.attr(dst, h.group, &l.Attrs[i])
	}
	return dst
}

// stamp is the beginning of a text line, made once a second.
type stamp struct {
	second int64
	text   []byte
}

func (s *stamp) append(dst []byte, t time.Time) []byte {
	second, local := t.Unix(), t.Location() == time.Local
	if second != s.second || !local || len(s.text) == 0 {
		s.text = t.AppendFormat(s.text[:0], "[2006-01-02 15:04:05] [")
		s.second = second
	}
	dst = append(dst, s.text...)
	if !local { // the next line of this second may be
		s.text = s.text[:0]
	}
	return dst
}
