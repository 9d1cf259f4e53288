package postgres

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var files embed.FS

// migration is one file; its number is its place from 1.
type migration struct{ name, text string }

func migrations() ([]migration, error) {
	entries, err := fs.ReadDir(files, "migrations") // in the order of names
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, e := range entries {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(e.Name(), want) {
			return nil, fmt.Errorf("the migration %s does not begin with %s", e.Name(), want)
		}
		text, err := fs.ReadFile(files, "migrations/"+e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, migration{strings.TrimSuffix(e.Name(), ".sql"), string(text)})
	}
	return all, nil
}

// lock is the number of an advisory lock. They are shared by everybody in a database.
func (to *target) lock(what string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("gcli2api " + to.Prefix + " " + what))
	return int64(h.Sum64())
}

// migrate brings the schema up to date. Each step is a transaction that begins with a lock, so of several
// nodes that start at once one does the work and the others find it done.
func (to *target) migrate(ctx context.Context, conn *pgx.Conn) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	for {
		// Without the lock first: a user that may do no more than use the tables can do that.
		have, err := to.version(ctx, conn, all)
		if err != nil {
			return err
		}
		if have == len(all) {
			return to.examine(ctx, conn)
		}
		if err := to.step(ctx, conn, all); err != nil {
			return err
		}
	}
}

// step does the next migration, if there is one by the time it has the lock.
func (to *target) step(ctx context.Context, conn *pgx.Conn, all []migration) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1::bigint)`, to.lock("migrate")); err != nil {
			return err
		}
		have, err := to.version(ctx, conn, all)
		if err != nil || have == len(all) {
			return err
		}
		if have == 0 {
			if err := to.furnish(ctx, conn); err != nil {
				return err
			}
		}
		if _, err := conn.PgConn().Exec(ctx, to.sql(all[have].text)).ReadAll(); err != nil {
			return to.noRight(err, all[have].name, fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s", to.schema, to.user()))
		}
		_, err = tx.Exec(ctx, to.sql(`INSERT INTO {schema}.schema_version (version, name) VALUES ($1::integer, $2::text)`), have+1, all[have].name)
		return err
	})
}

// furnish makes the schema, where there is none, and the table of versions.
func (to *target) furnish(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1::text)`, to.Prefix).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := conn.Exec(ctx, to.sql(`CREATE SCHEMA {schema}`)); err != nil {
			return to.noRight(err, "create the schema "+to.schema, fmt.Sprintf("CREATE SCHEMA %s AUTHORIZATION %s", to.schema, to.user()))
		}
	}
	if _, err := conn.Exec(ctx, to.sql(`CREATE TABLE {schema}.schema_version (
		version integer PRIMARY KEY, name text NOT NULL, done timestamptz NOT NULL DEFAULT now())`)); err != nil {
		return to.noRight(err, "create tables in the schema "+to.schema, fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s", to.schema, to.user()))
	}
	return nil
}

func (to *target) user() string { return pgx.Identifier{to.conn.ConnConfig.User}.Sanitize() }

// noRight says what to grant, where that is what an error is about.
func (to *target) noRight(err error, what, grant string) error {
	if code(err) != codeNoRight {
		return fmt.Errorf("%s: %w", what, err)
	}
	return plainly("the user %q may not %s in the database %q: let an administrator do %s", to.conn.ConnConfig.User, what, to.conn.ConnConfig.Database, grant)
}
