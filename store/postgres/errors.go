package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gcli2api/store"
)

const engine = "Postgres"

// Classes and codes of SQLSTATE that decide something here.
const (
	codeReadOnly       = "25006"
	codeSerialization  = "40001"
	codeDeadlock       = "40P01"
	codeNoRight        = "42501"
	codeDiskFull       = "53100"
	codeTooMany        = "53300"
	codeCancelled      = "57014" // also a statement_timeout of the role
	codeWrongPassword  = "28P01"
	codeNoEntry        = "28000" // pg_hba.conf
	codeNoDatabase     = "3D000"
	codeNoSchema       = "3F000"
	codeNoTable        = "42P01"
	codeNoColumn       = "42703"
	codeNoFunction     = "42883"
	codeWrongType      = "42804"
	codeCorrupted      = "XX001"
	codeIndexCorrupted = "XX002"
	classConnection    = "08"
	classShutdown      = "57P"
)

func code(err error) string {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// again tells that a call may be made once more: it is certain that nothing was done, or nothing can be
// done by it.
func again(err error, read bool, try int) bool {
	switch c := code(err); {
	case ours(err):
		return false
	case c == codeDeadlock || c == codeSerialization:
		return try < triesLocked
	case pgconn.SafeToRetry(err), read && broken(err):
		return try < triesBroken
	}
	return false
}

// broken tells that the connection is of no more use: it was cut, or its server is shutting down or has
// become a replica.
func broken(err error) bool {
	c := code(err)
	switch {
	case err == nil || ours(err) || errors.As(err, new(pgx.ScanArgError)):
		return false
	case c != "":
		return strings.HasPrefix(c, classConnection) || strings.HasPrefix(c, classShutdown) || c == codeReadOnly
	}
	return !late(err)
}

func late(err error) bool {
	return pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// masked is an error whose text has no password in it.
type masked struct {
	text string
	err  error
}

func (m masked) Error() string { return m.text }
func (m masked) Unwrap() error { return m.err }

// explain says in one line what an error of the driver means, and what to do.
func (to *target) explain(ctx context.Context, what string, err error) error {
	if away := (*store.Away)(nil); ours(err) || errors.As(err, &away) || errors.As(err, new(plain)) {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	said := masked{to.mask(err.Error()), err}
	away := func(why string) error {
		return &store.Away{Engine: engine, Err: masked{what + ": " + why + said.text, err}}
	}
	c := code(err)
	switch {
	case c == codeReadOnly || errors.Is(err, pgconn.ErrReadOnlyConnection):
		return away("the server takes no writes just now, it is a replica or default_transaction_read_only is on: ")
	case c == codeTooMany:
		return away("the server has no connection left, raise its max_connections or lower store.connections: ")
	case c == codeCancelled:
		return away("the server ended the call, look at statement_timeout of the user: ")
	case strings.HasPrefix(c, classConnection) || strings.HasPrefix(c, classShutdown):
		return away("")
	case c == "" && errors.As(err, new(pgx.ScanArgError)):
		return fmt.Errorf("%s: the schema %s is not as this gateway made it: %w", what, to.Prefix, said)
	case c == "" && late(err):
		return &store.Away{Engine: engine, Err: masked{fmt.Sprintf("%s: no answer within %v", what, to.Timeout), err}}
	case c == "":
		return away("")
	}
	return fmt.Errorf("%s: %s%w", what, to.advice(c), said)
}

// advice is what an operator can do about an answer of the server that no other try makes better.
func (to *target) advice(c string) string {
	switch c {
	case codeDiskFull:
		return "the disk of the Postgres server is full, free some space there: "
	case codeWrongPassword:
		return "wrong password, or no such user: "
	case codeNoEntry:
		return "the server lets this user in from no address like ours, see its pg_hba.conf: "
	case codeNoDatabase:
		return "there is no such database, create it or name another one: "
	case codeNoRight:
		return fmt.Sprintf("the user %q lacks a right, its owner or an administrator has to GRANT ALL on the schema %s and on all its tables and functions to it: ",
			to.conn.ConnConfig.User, to.schema)
	case codeNoSchema, codeNoTable, codeNoColumn, codeNoFunction, codeWrongType:
		return fmt.Sprintf("the schema %s is not as this gateway made it, nothing was changed: ", to.schema)
	case codeCorrupted, codeIndexCorrupted:
		return "the server says that this is damaged on its disk: "
	}
	return ""
}

// plain is an error that says all that there is to say.
type plain string

func (p plain) Error() string { return string(p) }

func plainly(format string, args ...any) error { return plain(fmt.Sprintf(format, args...)) }
