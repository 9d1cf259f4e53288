package postgres

import (
	"context"
	"net"
	"sync/atomic"
)

// SweepNow does what the store does by itself every minute or so.
func (db *DB) SweepNow(ctx context.Context) { db.sweepAll(ctx) }

// OpenCounting is Open, and counts how often the store begins to speak after the server did: each of them is
// one round trip.
func OpenCounting(ctx context.Context, o Options, trips *atomic.Int64) (*DB, error) {
	to, err := aim(o)
	if err != nil {
		return nil, err
	}
	dial := to.conn.ConnConfig.DialFunc
	to.conn.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &counted{Conn: c, trips: trips}, nil
	}
	return to.open(ctx)
}

type counted struct {
	net.Conn
	trips *atomic.Int64
	spoke atomic.Bool // since the server did
}

func (c *counted) Write(p []byte) (int, error) {
	if !c.spoke.Swap(true) {
		c.trips.Add(1)
	}
	return c.Conn.Write(p)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.spoke.Store(false)
	}
	return n, err
}
