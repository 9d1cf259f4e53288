package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Time is the server's.
func (db *DB) Time(ctx context.Context) (now time.Time, err error) {
	err = db.run(ctx, call{"ask for the time", true, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	}})
	return now, err
}
