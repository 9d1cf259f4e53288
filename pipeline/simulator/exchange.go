package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// exchange is one request and its answer while it is being served.
type exchange struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	context context.Context // ends with the client or with the server
	call    *Call
	body    []byte
	gone    bool
	counted bool // in Open
}

// serve is the handler of the whole server.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.handlers.Add(1)
	s.mu.Unlock()
	defer s.handlers.Done()
	x := s.begin(w, r)
	defer x.end()
	if f := x.readBody(); f != nil {
		x.fail(f)
		return
	}
	s.route(x)
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request) *exchange {
	c := &Call{Time: time.Now(), Method: r.Method, Path: r.URL.Path, Query: maskQuery(r.URL), Header: maskHeader(r.Header)}
	s.mu.Lock()
	s.calls.add(c)
	s.mu.Unlock()
	return &exchange{s: s, w: w, r: r, context: r.Context(), call: c}
}

func (x *exchange) end() {
	x.note(func(c *Call) {
		c.Took, c.Done, c.Gone = time.Since(c.Time), true, x.gone
	})
	if x.counted { // after the record is complete, so that WaitIdle is enough to read it
		x.s.turn(-1)
	}
}

// open counts a generating call until it ends.
func (x *exchange) open() {
	x.counted = true
	x.s.turn(1)
}

// note changes the record of the call, which Calls may be copying at the same time.
func (x *exchange) note(change func(*Call)) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	change(x.call)
}

func (x *exchange) readBody() *failure {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, x.s.opts.MaxBody))
	x.body = body
	x.s.mu.Lock()
	x.s.calls.setBody(x.call, body)
	x.s.mu.Unlock()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return badRequest("Request payload size exceeds the limit: " + strconv.FormatInt(x.s.opts.MaxBody, 10) + " bytes.")
	case err != nil:
		x.gone = true
		return badRequest("The request body could not be read.")
	}
	return nil
}

// pause waits, and reports whether the answer is still wanted afterwards.
func (x *exchange) pause(d time.Duration) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-x.context.Done():
		}
	}
	if x.context.Err() != nil {
		x.gone = x.gone || !x.s.closing.Load()
		return false
	}
	return true
}

// head sends the status line; write and flush follow.
func (x *exchange) head(status int, contentType string) {
	x.w.Header().Set("Content-Type", contentType)
	x.w.Header().Set("Server-Timing", "gfet4t7; dur=1")
	x.note(func(c *Call) { c.Status = status })
	x.w.WriteHeader(status)
}

// write sends bytes at once and reports whether somebody still takes them.
func (x *exchange) write(b []byte) bool {
	if _, err := x.w.Write(b); err != nil {
		x.gone = x.gone || !x.s.closing.Load()
		return false
	}
	if err := http.NewResponseController(x.w).Flush(); err != nil {
		x.gone = x.gone || !x.s.closing.Load()
		return false
	}
	return true
}

// whole answers with a complete body.
func (x *exchange) whole(status int, contentType string, body []byte) {
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.head(status, contentType)
	if _, err := x.w.Write(body); err != nil {
		x.gone = x.gone || !x.s.closing.Load()
	}
}

func (x *exchange) json(v any) {
	x.whole(http.StatusOK, "application/json; charset=UTF-8", encode(v))
}

func (x *exchange) fail(f *failure) {
	x.failAs(f, false)
}

// failAs answers with an error, in the array form of the stream endpoint if array is set.
func (x *exchange) failAs(f *failure, array bool) {
	for name, values := range f.header {
		x.w.Header()[name] = values
	}
	if f.status == http.StatusUnauthorized {
		x.w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
	}
	x.whole(f.status, f.contentType(), f.body(array))
}

// reset breaks the connection so that the client reads "connection reset by peer".
func (x *exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // pending data is dropped and the peer gets a reset
	}
	_ = conn.Close()
}

// decode reads the body as one of the messages of the dialect.
func (x *exchange) decode(d dialect, message string) (tree, raw object, f *failure) {
	if f := x.checkEnvelope(); f != nil {
		return nil, nil, f
	}
	return x.s.specs[d].read(x.body, message)
}

// checkEnvelope refuses what the front end refuses before it looks at the body: query parameters that nobody knows and
// bodies that do not say that they are JSON.
func (x *exchange) checkEnvelope() *failure {
	if kind := x.r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return badRequest("Invalid JSON payload received. Unexpected content type " + strconv.Quote(kind) + ".")
	}
	return x.checkQuery()
}

func (x *exchange) checkQuery() *failure {
	for name := range x.r.URL.Query() {
		switch strings.TrimPrefix(name, "$") {
		case "alt", "key", "prettyPrint", "fields", "quotaUser", "access_token", "httpMethod", "pageSize", "pageToken", "filter":
		default:
			text := "Invalid JSON payload received. Unknown name " + strconv.Quote(name) +
				": Cannot bind query parameter. Field '" + name + "' could not be found in request message."
			return badFields([]violation{{Description: text}})
		}
	}
	return nil
}

func maskQuery(u *url.URL) string {
	query := u.Query()
	if !query.Has("key") && !query.Has("access_token") {
		return u.RawQuery
	}
	for _, name := range []string{"key", "access_token"} {
		if query.Has(name) {
			query.Set(name, mask(query.Get(name)))
		}
	}
	return query.Encode()
}

func maskHeader(h http.Header) http.Header {
	out := h.Clone()
	for _, name := range []string{"Authorization", "X-Goog-Api-Key"} {
		if v := out.Get(name); v != "" {
			scheme, secret, ok := strings.Cut(v, " ")
			if !ok {
				scheme, secret = "", v
			}
			out.Set(name, strings.TrimSpace(scheme+" "+mask(secret)))
		}
	}
	return out
}

// number reads a JSON number that may have come as one or as text.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}
