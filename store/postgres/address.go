package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	defaultSchema  = "gcli2api"
	defaultTimeout = 5 * time.Second
	maxSchema      = 63 // bytes that Postgres keeps of a name: it cuts longer ones
)

// aim reads the options.
func aim(o Options) (target, error) {
	if o.Prefix == "" {
		o.Prefix = defaultSchema
	}
	if len(o.Prefix) > maxSchema || strings.ContainsRune(o.Prefix, 0) {
		return target{}, fmt.Errorf("the prefix %q is no name of a schema", o.Prefix)
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	cfg, err := pgxpool.ParseConfig(o.Address)
	if err != nil {
		return target{}, unreadable(err)
	}
	if strayAt(&cfg.ConnConfig.Config) {
		return target{}, errors.New("the address of Postgres cannot be read: there is an @ in its password or its host: " + expected)
	}
	if cfg.ConnConfig.Database == "" {
		cfg.ConnConfig.Database = o.Database
	}
	if o.Connections > 0 {
		cfg.MaxConns = int32(max(o.Connections-1, 1)) // one is for notices
		cfg.MinConns = min(cfg.MinConns, cfg.MaxConns)
	}
	if cfg.ConnConfig.ConnectTimeout <= 0 || cfg.ConnConfig.ConnectTimeout > o.Timeout {
		cfg.ConnConfig.ConnectTimeout = o.Timeout
	}
	if !strings.Contains(o.Address, "default_query_exec_mode") {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	// Whatever the address says: what was read from a replica would be old, and nothing can be written there.
	cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	// A charge is one round trip. The driver would ask after each second of rest whether the server is
	// there; one that went away is noticed by the connection for notices, and run empties the pool.
	cfg.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool { return p.IdleDuration > time.Minute }
	return target{Options: o, conn: cfg, schema: pgx.Identifier{o.Prefix}.Sanitize()}, nil
}

// strayAt tells that an @ stands in the name of a host: behind it is the end of a password that was not encoded,
// which the driver would look up by DNS and name in its errors.
func strayAt(cfg *pgconn.Config) bool {
	at := func(host string) bool { return strings.Contains(host, "@") && !strings.HasPrefix(host, "/") }
	return at(cfg.Host) || slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool { return at(f.Host) })
}

// unreadable says what is wrong with an address without repeating any of it: where it cannot be read
// nobody knows what of it is the password.
func unreadable(err error) error {
	for _, known := range []string{"sslmode is invalid", "invalid port", "unable to read CA file", "unable to load private key",
		"unknown target_session_attrs value", "invalid keyword/value", "failed to parse as keyword/value", "failed to parse as URL"} {
		if strings.Contains(err.Error(), known) {
			return fmt.Errorf("the address of Postgres cannot be read: %s: %s", known, expected)
		}
	}
	return errors.New("the address of Postgres cannot be read: " + expected)
}

const expected = "it has to be postgres://user:password@host:port/database with special characters percent-encoded, " +
	"or pairs like host=... dbname=... user=... password='...'"

// mask takes the passwords out of a text, and makes it one line.
func (to *target) mask(text string) string {
	for _, word := range []string{to.conn.ConnConfig.Password, to.Address} {
		if word != "" {
			text = strings.ReplaceAll(text, word, "***")
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
