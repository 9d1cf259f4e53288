package outbound

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
)

// Live is the client in force. Set changes it while calls run: these end on the client that they
// began with.
type Live struct {
	mu  sync.Mutex // of Set and Close
	now atomic.Pointer[Client]
	set Settings
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
	if old != nil {
		return old.Close()
	}
	return nil
}

// Do implements Caller with the client in force, also when it changes in this very moment.
func (l *Live) Do(ctx context.Context, req *Request) (*Response, error) {
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

// Close closes the client in force.
func (l *Live) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.now.Load(); c != nil {
		return c.Close()
	}
	return nil
}
