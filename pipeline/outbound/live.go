package outbound

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
)

// Live is the client in force, and those of the credentials that have a proxy of their own. Set
// changes them while calls run: these end on the client that they began with.
type Live struct {
	mu   sync.Mutex // of Set and Close
	now  atomic.Pointer[Client]
	set  Settings
	ways ways
}

// Set puts settings into force; equal ones change nothing. On an error the old ones stay.
func (l *Live) Set(set Settings) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.now.Load()
	if old != nil && reflect.DeepEqual(l.set, set) {
		return nil
	}
	c, err := New(set)
	if err != nil {
		return err
	}
	l.set = set
	l.now.Store(c)
	l.ways.change(set)
	if old != nil {
		return old.Close()
	}
	return nil
}

// Do implements Caller with the client in force, also when it changes in this very moment.
func (l *Live) Do(ctx context.Context, req *Request) (*Response, error) {
	if req.proxy != "" {
		return l.ways.do(ctx, req)
	}
	for {
		c := l.now.Load()
		r, err := c.Do(ctx, req)
		if !errors.Is(err, ErrClosed) || l.now.Load() == c {
			return r, err
		}
	}
}

// HTTP is the standard client in force.
func (l *Live) HTTP() *http.Client { return l.now.Load().HTTP() }

// HTTPVia is the standard client for a proxy of its own, as Request.Via is for other calls. One that
// cannot be makes every call fail: none goes out by another way.
func (l *Live) HTTPVia(proxy string) *http.Client {
	if proxy == "" {
		return l.HTTP()
	}
	c, err := l.ways.client(proxy)
	if err != nil {
		return &http.Client{Transport: noWay{err}}
	}
	return c.HTTP()
}

// Close closes the clients in force.
func (l *Live) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ways.close()
	if c := l.now.Load(); c != nil {
		return c.Close()
	}
	return nil
}
