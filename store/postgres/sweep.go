package postgres

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	sweepEvery = time.Minute
	sweepSteps = 500 // rows a transaction
)

// sweep removes what has run out, in small steps, on one node at a time.
func (db *DB) sweep() {
	for {
		select {
		case <-time.After(sweepEvery/2 + rand.N(sweepEvery)):
		case <-db.ctx.Done():
			return
		}
		db.sweepAll(db.ctx)
	}
}

// sweepAll goes on until a step finds nothing more. What fails is left for the next time.
func (db *DB) sweepAll(ctx context.Context) {
	for n := 1; n > 0; {
		err := db.run(ctx, call{what: "sweep", do: func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, db.sql(`SELECT {schema}.sweep($1::bigint, $2::integer)`), db.lock("sweep"), int32(sweepSteps)).Scan(&n)
		}})
		if err != nil {
			return
		}
	}
}
