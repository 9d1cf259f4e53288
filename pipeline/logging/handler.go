package logging

import (
	"context"
	"log/slog"
	"slices"
)

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
		c.text = h.style(false).attr(c.text, h.group, a)
		if h.log.json {
			c.json = h.style(true).attr(c.json, h.group, a)
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
	s.text = h.line(s.text[:0], &r)
	out := s.text
	if h.log.json {
		s.json = h.object(s.json[:0], &r)
		out = s.json
	}
	h.log.write(r.Level, out, s.text)
	if cap(s.text)+cap(s.json) <= 64<<10 { // one huge line must not stay in memory for ever
		h.log.scratch.Put(s)
	}
	return nil
}

// line is `[2025-12-01 08:00:00] [INFO] message key=value` with its line end.
func (h *handler) line(dst []byte, r *slog.Record) []byte {
	dst = now(r.Time).AppendFormat(dst, "[2006-01-02 15:04:05] [")
	dst = append(dst, LevelName(r.Level)...)
	dst = append(dst, "] "...)
	dst = appendMessage(dst, h.log.mask.apply(r.Message))
	dst = append(dst, h.text...)
	return append(h.attrs(dst, r, h.style(false)), '\n')
}

// object is the same line as a JSON object; groups stay dotted keys, so it is always flat.
func (h *handler) object(dst []byte, r *slog.Record) []byte {
	dst = append(dst, `{"time":"`...)
	dst = now(r.Time).AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	dst = append(dst, `","level":"`...)
	dst = append(dst, LevelName(r.Level)...)
	dst = append(dst, `","message":`...)
	dst = appendJSON(dst, h.log.mask.apply(r.Message))
	dst = append(dst, h.json...)
	return append(h.attrs(dst, r, h.style(true)), "}\n"...)
}

func (h *handler) attrs(dst []byte, r *slog.Record, s style) []byte {
	r.Attrs(func(a slog.Attr) bool {
		dst = s.attr(dst, h.group, a)
		return true
	})
	return dst
}
