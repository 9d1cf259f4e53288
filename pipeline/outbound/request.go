package outbound

import (
	"strconv"
	"strings"
)

// Request is one call to be made. It may be used again after Reset and belongs to one goroutine;
// nothing of it is kept by whoever makes the call.
type Request struct {
	Method string // "" is POST
	Body   []byte // not copied: it must stay as it is until Do has returned

	tls       bool
	authority string
	path      string // of the base address
	target    []byte // behind path
	proxy     string // of its own; "" is the one of all calls
	lines     []byte // header lines, each with its end
	bad       string // why the call cannot be made
	wire      []byte // room for render
}

// Reset forgets everything but the memory.
func (r *Request) Reset() {
	*r = Request{target: r.target[:0], lines: r.lines[:0], wire: r.wire[:0]}
}

// To sets the address: base is what Endpoints.Validate made of a setting, rest goes behind it as it
// is, so that whoever puts a name of a client's into it has escaped it.
func (r *Request) To(base string, rest ...string) {
	scheme, where, _ := strings.Cut(base, "://")
	switch scheme {
	case "https", "http":
		r.tls = scheme == "https"
	default:
		r.bad = "scheme must be http or https"
	}
	r.authority, r.path = where, ""
	if slash := strings.IndexByte(where, '/'); slash >= 0 {
		r.authority, r.path = where[:slash], where[slash:]
	}
	r.target = r.target[:0]
	for _, part := range rest {
		r.target = append(r.target, part...)
	}
}

// Via makes the call go out through a proxy of its own, written as Settings.Proxy is; "" is the way
// of all calls.
func (r *Request) Via(proxy string) { r.proxy = proxy }

// URL is the address of the call.
func (r *Request) URL() string {
	scheme := "http"
	if r.tls {
		scheme = "https"
	}
	return scheme + "://" + r.authority + r.path + string(r.target)
}

// Set adds a header line. The parts of the value are joined; what would break the line becomes a
// space.
func (r *Request) Set(name string, value ...string) {
	r.lines = append(append(r.lines, name...), ": "...)
	for _, part := range value {
		for i := range len(part) {
			c := part[i]
			if c < ' ' || c == 0x7f {
				c = ' '
			}
			r.lines = append(r.lines, c)
		}
	}
	r.lines = append(r.lines, "\r\n"...)
}

// Header is the value of a header line that was set, "" when there is none.
func (r *Request) Header(name string) string {
	value := ""
	r.eachHeader(func(key, v string) {
		if strings.EqualFold(key, name) {
			value = v
		}
	})
	return value
}

func (r *Request) eachHeader(f func(name, value string)) {
	for _, line := range strings.Split(strings.TrimSuffix(string(r.lines), "\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			f(name, value)
		}
	}
}

func (r *Request) method() string {
	if r.Method == "" {
		return "POST"
	}
	return r.Method
}

// smallBody goes out in one write with the head.
const smallBody = 16 << 10

// render gives the request as it goes over the wire: the head, with the body where that is small.
func (r *Request) render() (head, rest []byte) {
	b := append(append(r.wire[:0], r.method()...), ' ')
	b = append(append(b, r.path...), r.target...)
	if len(r.path)+len(r.target) == 0 {
		b = append(b, '/')
	}
	b = append(append(b, " HTTP/1.1\r\nHost: "...), r.authority...)
	b = append(append(b, "\r\n"...), r.lines...)
	b = append(b, "Content-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(r.Body)), 10), "\r\n\r\n"...)
	if len(r.Body) <= smallBody {
		b, rest = append(b, r.Body...), nil
	} else {
		rest = r.Body
	}
	r.wire = b
	return b, rest
}

// check says whether the call can be made at all.
func (r *Request) check() *Error {
	switch {
	case r.bad != "":
	case r.authority == "":
		r.bad = "no host"
	case breaks(r.method()) || breaks(r.authority) || breaks(r.path) || breaks(r.target):
		r.bad = "the address cannot be sent"
	default:
		return nil
	}
	return &Error{Kind: ErrRequest, Where: r.bad}
}

// astray keeps a call with a proxy of its own from going out by another way.
func (r *Request) astray(by string) *Error {
	if r.proxy == "" || r.proxy == by {
		return nil
	}
	return &Error{Kind: ErrRequest, Where: "it wants a proxy of its own, which this client is not for"}
}

// breaks tells what would end the request line early.
func breaks[T string | []byte](part T) bool {
	for i := range len(part) {
		if part[i] <= ' ' || part[i] == 0x7f {
			return true
		}
	}
	return false
}
