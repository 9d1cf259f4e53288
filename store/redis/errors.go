package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"gcli2api/store"
)

// errFull is what a server says that has maxmemory and may throw nothing away.
var errFull = errors.New("Redis is out of memory (maxmemory): give it more, or remove what else it keeps")

// told gives an error of the driver the words of the waist: what the server said about a call is one line
// for the operator, and everything that another try may mend is a *store.Away.
func (db *DB) told(err error) error {
	var said redis.Error
	switch {
	case err == nil || errors.Is(err, store.ErrClosed):
		return err
	case errors.Is(err, redis.Nil):
		return errors.New("the sentinel of the address knows no server by its master_name")
	case errors.As(err, &said):
		return db.refusal(said)
	case db.closed():
		return store.ErrClosed // Close has ended it
	case certificate(err):
		return fmt.Errorf("Redis is not trusted: %w: its certificate must be of an authority that this machine knows, or of the one in ?cacert=FILE of the address", db.masked(err))
	}
	return &store.Away{Engine: "Redis", Err: db.masked(db.late(err))}
}

// late says how long was waited, and hides that a time of ours was over: to callers it would look like theirs.
func (db *DB) late(err error) error {
	var slow interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("no answer within %v", db.timeout)
	}
	return err
}

func certificate(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.CertificateInvalidError))
}

// refusal is what the server said.
func (db *DB) refusal(said error) error {
	text := said.Error()
	code, _, _ := strings.Cut(text, " ")
	is := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	said = db.masked(said)
	switch {
	case is("max number of clients"):
		return &store.Away{Engine: "Redis", Err: said}
	case code == "LOADING" || code == "MASTERDOWN" || code == "CLUSTERDOWN" || code == "TRYAGAIN" || code == "BUSY" || code == "MOVED" || code == "ASK":
		return &store.Away{Engine: "Redis", Err: said}
	case code == "READONLY" || is("READONLY", "read only replica"):
		return errors.New("this Redis is a read-only replica: name the address of the one that it follows")
	case code == "OOM" || is("command not allowed when used memory"):
		return errFull
	case is("MISCONF"):
		return fmt.Errorf("Redis cannot write its data to its disk: %w", said)
	case code == "WRONGPASS" || code == "NOAUTH" || is("invalid password", "without any password", "no password is set"):
		return fmt.Errorf("Redis refuses the user or the password of the address: %w", said)
	case code == "NOPERM" || is("has no permissions", "can't run this command or subcommand", "No permissions", "can't publish", "ACL failure"):
		return fmt.Errorf("the user of the address may not do on Redis what the gateway needs: %w", said)
	case is("DB index is out of range", "SELECT is not allowed"):
		return fmt.Errorf("Redis has no database of that number: %w", said)
	}
	return fmt.Errorf("Redis says: %w", said)
}

// masked keeps the password out of an error.
func (db *DB) masked(err error) error {
	text := err.Error()
	for _, secret := range db.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// retriable is an error of a connection that had broken before anything was heard on it. Waiting for it once
// more would double a time-out.
func retriable(err error) bool {
	var said redis.Error
	var slow interface{ Timeout() bool }
	if err == nil || errors.As(err, &said) || errors.As(err, &slow) && slow.Timeout() {
		return false
	}
	return !errors.Is(err, redis.ErrClosed) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
