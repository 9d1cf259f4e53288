package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// oldest is the first version of the server whose functions and upserts are as the migrations need them.
const oldest = 120000

// inspect refuses servers that cannot keep the promises of the waist.
func (to *target) inspect(ctx context.Context, conn *pgx.Conn) error {
	var number int
	var encoding, isolation, commit, fsync string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		current_setting('transaction_isolation'), current_setting('synchronous_commit'), current_setting('fsync')`).
		Scan(&number, &encoding, &isolation, &commit, &fsync)
	switch {
	case err != nil:
		return err
	case number < oldest:
		return plainly("the server is Postgres %d, at least %d is needed", number/10000, oldest/10000)
	case encoding != "UTF8":
		return plainly("the database %q is encoded as %s: create one with ENCODING 'UTF8'", to.conn.ConnConfig.Database, encoding)
	case isolation != "read committed":
		// In the others a call would work with what it saw at its begin, and end with an error where
		// somebody else was faster.
		return plainly("transactions of the user %q are %s: let an administrator do ALTER ROLE %s SET default_transaction_isolation = 'read committed'",
			to.conn.ConnConfig.User, isolation, to.user())
	}
	// What the operator has decided stays: raising it for our session would not last behind a pooler, and
	// what it risks is a crash of the server, not one of ours.
	if to.Log != nil && (commit == "off" || fsync == "off") {
		to.Log.Warn("a crash of the Postgres server may lose the last writes, charges among them", "synchronous_commit", commit, "fsync", fsync)
	}
	return nil
}

// refused looks once more at a server that takes no writes, to say why.
func (to *target) refused(ctx context.Context, err error) error {
	if !errors.Is(err, pgconn.ErrReadOnlyConnection) {
		return err
	}
	cfg := to.conn.ConnConfig.Copy()
	cfg.ValidateConnect, cfg.DefaultQueryExecMode = nil, pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var replica bool
	if err := conn.QueryRow(ctx, `SELECT pg_is_in_recovery()`).Scan(&replica); err != nil {
		return err
	}
	if replica {
		return plainly("the server is a read-only replica: name the primary, or all hosts of the cluster")
	}
	return plainly("default_transaction_read_only is on for this user or database: let an administrator do ALTER ROLE %s SET default_transaction_read_only = off", to.user())
}

// version is how many migrations were done. It refuses what is not ours or not whole.
func (to *target) version(ctx context.Context, conn *pgx.Conn, all []migration) (int, error) {
	var relations, ours int
	var first string
	err := conn.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE relname = 'schema_version'), coalesce(min(relname), '')
		FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
			AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)`, to.Prefix).Scan(&relations, &ours, &first)
	switch {
	case err != nil:
		return 0, err
	case relations == 0:
		return 0, nil
	case ours == 0:
		return 0, plainly("the schema %s holds what is not this gateway's (%s): nothing was changed; choose another store.prefix", to.schema, first)
	}
	rows, err := conn.Query(ctx, to.sql(`SELECT version::bigint, name::text FROM {schema}.schema_version ORDER BY version`))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var version int64
		var name string
		if err := rows.Scan(&version, &name); err != nil {
			return 0, err
		}
		n++
		switch {
		case version > int64(len(all)):
			return 0, plainly("the schema %s was written by a newer gateway (version %d, this one knows up to %d): nothing was changed; run the newer one", to.schema, version, len(all))
		case version != int64(n) || name != all[n-1].name:
			return 0, plainly("the schema %s is half migrated (version %d is %q where %q was expected): nothing was changed; put back a backup, or choose another store.prefix", to.schema, version, name, all[n-1].name)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, plainly("the schema %s is half migrated (its schema_version is empty): nothing was changed; put back a backup, or choose another store.prefix", to.schema)
	}
	return n, nil
}

// parts is what the schema has to have: columns, with what the server calls their types, and functions.
const parts = `docs.tbl text, docs.id text, docs.rev bigint, docs.expires bigint, docs.body json, revision.part integer,
revision.n bigint, counters.name text, counters.value bigint, batches.id text, batches.until bigint, leases.name text,
leases.owner text, leases.until bigint, ms() function, count_write() function, get() function, put() function, del() function,
take() function, shift() function, add() function, add_once() function, claim() function, sweep() function`

// examine refuses tables that somebody has changed.
func (to *target) examine(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT c.relname || '.' || a.attname AS part, format_type(a.atttypid, NULL)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text) AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL SELECT DISTINCT proname || '()', 'function' FROM pg_proc WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text)`, to.Prefix)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var part, kind string
		if err := rows.Scan(&part, &kind); err != nil {
			return err
		}
		found[part] = kind
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for one := range strings.SplitSeq(parts, ",") {
		part, kind, _ := strings.Cut(strings.TrimSpace(one), " ")
		switch is := found[part]; is {
		case kind:
		case "":
			return plainly("the schema %s lacks %s (half migrated, or changed by somebody): nothing was changed; put back a backup, or choose another store.prefix", to.schema, part)
		default:
			return plainly("in the schema %s %s is %s and not %s (changed by somebody): nothing was changed; put back a backup, or choose another store.prefix", to.schema, part, is, kind)
		}
	}
	return nil
}
