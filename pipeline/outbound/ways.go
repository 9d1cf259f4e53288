package outbound

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What is kept for the proxies of single credentials.
const (
	maxWays = 512              // clients; one more pushes out the one that was used longest ago
	keepWay = 10 * time.Minute // how long an unused one is kept
)

// ways are the clients for proxies of single credentials, each made at its first use. Two proxies
// share nothing, not even sessions of TLS: what is told apart by its proxy must not be recognised.
type ways struct {
	mu     sync.RWMutex
	set    Settings
	by     map[string]*way
	tidy   *time.Timer // runs while there are any
	closed bool
}

type way struct {
	client *Client
	used   atomic.Int64 // Unix nanoseconds
}

// do is Live.Do for a call with a proxy of its own.
func (w *ways) do(ctx context.Context, req *Request) (*Response, error) {
	for {
		c, err := w.client(req.proxy)
		if err != nil {
			return nil, err
		}
		r, err := c.Do(ctx, req)
		if !errors.Is(err, ErrClosed) { // else the settings changed in this very moment
			return r, err
		}
	}
}

// client finds or makes the client of a proxy. An error never quotes it.
func (w *ways) client(proxy string) (*Client, error) {
	now := time.Now().UnixNano()
	w.mu.RLock()
	found := w.by[proxy]
	w.mu.RUnlock()
	if found != nil {
		found.used.Store(now)
		return found.client, nil
	}
	return w.make(proxy, now)
}

func (w *ways) make(proxy string, now int64) (*Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, &Error{Kind: ErrClosed}
	}
	if found := w.by[proxy]; found != nil {
		return found.client, nil
	}
	set := w.set
	set.Proxy = proxy
	set.ImageFetch, set.ImageFetchAllow = false, nil // pictures go the way of all calls
	c, err := New(set)
	if err != nil {
		return nil, &Error{Kind: ErrProxy, cause: err}
	}
	if len(w.by) >= maxWays {
		w.drop(w.oldest())
	}
	made := &way{client: c}
	made.used.Store(now)
	if w.by == nil {
		w.by = map[string]*way{}
	}
	w.by[proxy] = made
	if w.tidy == nil {
		w.tidy = time.AfterFunc(keepWay, w.sweep)
	}
	return c, nil
}

// drop closes a client; calls that run on it end by themselves.
func (w *ways) drop(proxy string) {
	_ = w.by[proxy].client.Close() // it never fails
	delete(w.by, proxy)
}

func (w *ways) oldest() (proxy string) {
	least := int64(0)
	for p, one := range w.by {
		if used := one.used.Load(); proxy == "" || used < least {
			proxy, least = p, used
		}
	}
	return proxy
}

// sweep closes what was unused for a while, and comes again as long as something is left.
func (w *ways) sweep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trim(time.Now().Add(-keepWay))
	if len(w.by) == 0 {
		w.tidy = nil
		return
	}
	w.tidy.Reset(keepWay / 2)
}

func (w *ways) trim(before time.Time) {
	for proxy, one := range w.by {
		if one.used.Load() < before.UnixNano() {
			w.drop(proxy)
		}
	}
}

// change begins anew with other settings.
func (w *ways) change(set Settings) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = set
	w.empty()
}

func (w *ways) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.empty()
}

func (w *ways) empty() {
	for proxy := range w.by {
		w.drop(proxy)
	}
	if w.tidy != nil {
		w.tidy.Stop()
		w.tidy = nil
	}
}

// noWay is the transport of a client that cannot be.
type noWay struct{ err error }

// RoundTrip implements http.RoundTripper.
func (n noWay) RoundTrip(*http.Request) (*http.Response, error) { return nil, n.err }
