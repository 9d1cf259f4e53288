// Package outbound calls the outside: Google's endpoints, directly or through a proxy.
//
// The data path is fasthttp's header parser over connections and requests of our own. Neither
// fasthttp.HostClient nor its streamed bodies are used: they cannot be cancelled while they dial or
// wait, their pool runs a goroutine that nobody can wait for, and what they return on a failure has
// to be told apart by its text. So this package owns each connection from dial to close, and knows
// at every moment whether a byte of the answer has come. Rare calls (sign-in, refresh, discovery)
// take the http.Client of Client.HTTP, which goes the same way out under the same limits.
package outbound

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Settings says how calls go out. A duration of 0 means no limit, except for MaxIdle. FirstByte and
// Idle may strike up to a sixteenth late, never early.
type Settings struct {
	Proxy           string         // http, https or socks5 URL for every call; "" is direct
	Connect         time.Duration  // resolve, connect, proxy and TLS together; also the wait for a free connection
	FirstByte       time.Duration  // from the request sent to the header of the answer complete
	Idle            time.Duration  // silence inside a body, or a peer that does not take the request
	Total           time.Duration  // the whole call; off by default, because it cuts long streams
	MaxConnsPerHost int            // 0 is no limit
	MaxIdle         time.Duration  // how long an unused connection is kept; 0 is 90 s
	RootCAs         *x509.CertPool // who is trusted in TLS; nil is the system's list
	ImageFetch      bool           // FetchImage is on
	ImageFetchAllow []string       // addresses and ranges that it may reach although they are not public
}

// Defaults are the limits of a gateway in front of Google. A plain answer of a thinking model sends
// its header only after minutes, hence the long FirstByte.
func Defaults() Settings {
	return Settings{
		Connect: 10 * time.Second, FirstByte: 5 * time.Minute, Idle: 2 * time.Minute,
		MaxConnsPerHost: 4096, MaxIdle: 90 * time.Second, ImageFetch: true,
	}
}

// Caller makes calls. Client is the one in use; Standard does the same on net/http.
type Caller interface {
	// Do sends req and returns when the header of the answer is in; the body is read from the
	// Response, which must be closed. Cancelling ctx ends the call wherever it is, also inside the
	// body. req is not kept. Errors are *Error; Explain turns them into what a client may see.
	Do(ctx context.Context, req *Request) (*Response, error)
}

// Response is an answer whose body has yet to be read. It belongs to one goroutine; others end the
// call by cancelling its context.
type Response struct {
	Status int   // HTTP status
	Length int64 // bytes of the body as sent, -1 when unknown
	Body   Body
	header interface{ headerValue(name string) string }
}

// Header returns one header of the answer, "" if absent or when the body was closed.
func (r *Response) Header(name string) string { return r.header.headerValue(name) }

// Body is the body of an answer, as sent: nothing is decompressed. A body that ends before its
// length or its last chunk gives ErrCut, never io.EOF. Close must be called; the second call does
// nothing. Closing a half-read body ends the connection, so the peer stops working.
type Body interface {
	io.ReadCloser
	// Buffered is a number of bytes that Read returns without waiting for the network. 0 means that
	// none is known to be there.
	Buffered() int
	// Hurry makes silence of d, instead of Settings.Idle, the end of the body with ErrIdle: for a
	// reader who has what it wants and takes only what else comes at once.
	Hurry(d time.Duration)
}

// Client makes calls over kept connections. Use one for all upstreams of one proxy.
type Client struct {
	set      Settings
	dialer   *dialer
	rare     *http.Client
	pictures *fetcher
	readers  sync.Pool // *bufio.Reader of readSize

	mu     sync.RWMutex
	hosts  [2]map[string]*host // by authority; [1] is TLS
	closed bool
	stop   chan struct{}
	done   chan struct{}
}

// New makes a client. An error names what is wrong with the proxy, and never quotes it, or with the
// ranges of ImageFetchAllow.
func New(set Settings) (*Client, error) {
	if set.MaxIdle <= 0 {
		set.MaxIdle = 90 * time.Second
	}
	d, err := newDialer(set)
	if err != nil {
		return nil, err
	}
	pictures, err := newFetcher(set, d)
	if err != nil {
		return nil, err
	}
	c := &Client{
		set: set, dialer: d, pictures: pictures,
		hosts: [2]map[string]*host{{}, {}},
		stop:  make(chan struct{}), done: make(chan struct{}),
	}
	c.rare = &http.Client{
		Transport: newTransport(set, d, false),
		Timeout:   wholeLimit(set),
		// Google's API endpoints do not redirect, and a refresh token must not follow one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	go c.sweep()
	return c, nil
}

// wholeLimit is the time limit of a rare call: these are short, so a total does no harm.
func wholeLimit(set Settings) time.Duration {
	if set.Total > 0 || set.Connect == 0 || set.FirstByte == 0 || set.Idle == 0 {
		return set.Total
	}
	return set.Connect + set.FirstByte + set.Idle
}

// HTTP is a standard client for sign-in and other rare calls: same proxy, same limits, no redirects
// followed. It is closed with c.
func (c *Client) HTTP() *http.Client { return c.rare }

// Close closes the unused connections and makes Do fail from now on. Calls that run are not cut;
// their connections close with them.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		<-c.done
		return nil
	}
	c.closed = true
	close(c.stop)
	for _, m := range c.hosts {
		for _, h := range m {
			h.close()
		}
	}
	c.mu.Unlock()
	c.rare.CloseIdleConnections()
	<-c.done
	return nil
}

// Do implements Caller. A kept connection that turns out to be closed before any byte of the answer
// is replaced by a new one, once, whatever the method: the peer closed it while it was idle.
func (c *Client) Do(ctx context.Context, req *Request) (*Response, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx)
	}
	h, err := c.host(req)
	if err != nil {
		return nil, err
	}
	var until time.Time
	if c.set.Total > 0 {
		until = time.Now().Add(c.set.Total)
	}
	for fresh := false; ; fresh = true {
		cn, err := h.take(ctx, want{fresh: fresh, until: until})
		if err != nil {
			return nil, err
		}
		r, failed := c.exchange(ctx, cn, req)
		if failed == nil {
			return r, nil
		}
		if !cn.reused || failed.Kind != ErrClosedEarly {
			return nil, failed
		}
	}
}

// String keeps a Settings from showing the password of its proxy.
func (s Settings) String() string {
	return fmt.Sprintf("outbound.Settings{proxy: %t, connect: %s, first byte: %s, idle: %s, total: %s}",
		s.Proxy != "", s.Connect, s.FirstByte, s.Idle, s.Total)
}

// GoString is String: %#v must not show the password either.
func (s Settings) GoString() string { return s.String() }
