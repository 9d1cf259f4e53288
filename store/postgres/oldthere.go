package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// HasOld tells that there is something for ReadOld.
func HasOld(ctx context.Context, o Options) (there bool, err error) {
	to, err := aim(o)
	if err != nil {
		return false, err
	}
	cfg := to.conn.ConnConfig.Copy()
	cfg.ValidateConnect = nil // a replica will do
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		defer conn.Close(context.WithoutCancel(ctx))
		err = conn.QueryRow(ctx, `SELECT to_regclass('public.unified_storage') IS NOT NULL`).Scan(&there)
	}
	if err != nil {
		return false, to.explain(ctx, "look for the table unified_storage", err)
	}
	return there, nil
}
