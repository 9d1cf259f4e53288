package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
)

// ReadOld reads what the product before this one kept in the table unified_storage: three rows with a JSON
// object each. Nothing is written. Where there is no such table the result is empty.
func ReadOld(ctx context.Context, o Options) (store.Old, error) {
	to, err := aim(o)
	if err != nil {
		return store.Old{}, err
	}
	cfg := to.conn.ConnConfig.Copy()
	cfg.ValidateConnect = nil // a replica will do
	old, err := to.readOld(ctx, cfg)
	if err != nil {
		return store.Old{}, to.explain(ctx, "read the table unified_storage", err)
	}
	return old, nil
}

func (to *target) readOld(ctx context.Context, cfg *pgx.ConnConfig) (old store.Old, err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return old, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass('public.unified_storage') IS NOT NULL`).Scan(&there); err != nil || !there {
			return err
		}
		for row, into := range map[string]*map[string][]byte{"all_credentials": &old.Credentials, "config_data": &old.Config, "api_keys_data": &old.Keys} {
			if *into, err = to.oldRow(ctx, tx, row); err != nil {
				return err
			}
		}
		return nil
	})
	return old, err
}

// oldRow takes one row apart: the server knows the JSON of a jsonb, so it does it.
func (to *target) oldRow(ctx context.Context, tx pgx.Tx, row string) (map[string][]byte, error) {
	var kind string
	err := tx.QueryRow(ctx, `SELECT jsonb_typeof(data::jsonb) FROM public.unified_storage WHERE key = $1::text AND data IS NOT NULL`, row).Scan(&kind)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case kind != "object":
		return nil, plainly("the row %s of the table unified_storage is %s and not an object", row, kind)
	}
	rows, err := tx.Query(ctx, `SELECT e.key, e.value::text FROM public.unified_storage AS u, jsonb_each(u.data::jsonb) AS e WHERE u.key = $1::text`, row)
	if err != nil {
		return nil, fmt.Errorf("row %s: %w", row, err)
	}
	defer rows.Close()
	found := map[string][]byte{}
	for rows.Next() {
		var name string
		var value []byte
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("row %s: %w", row, err)
		}
		found[name] = value
	}
	return found, rows.Err()
}
