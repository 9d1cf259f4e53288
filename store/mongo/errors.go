package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"gcli2api/store"
)

// hidden is an error whose text has no secrets.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }

// hide takes the secrets out of an error of the driver.
func (db *DB) hide(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ") // one line
	for _, s := range db.secrets {
		text = strings.ReplaceAll(text, s, "xxxxx")
	}
	return &hidden{text: text, err: err}
}

// codes of servers that cannot be written to at this moment: they shut down, or another one is or becomes
// the primary.
func passing() []int { return []int{91, 189, 10058, 10107, 11600, 11602, 13435, 13436} }

// failed says what an error of the driver means to whoever called. ctx is what begin gave.
func (db *DB) failed(ctx context.Context, err error) error {
	switch parent, _ := ctx.Value(caller{}).(context.Context); {
	case err == nil, own(err):
		return err
	case db.life.Err() != nil:
		return store.ErrClosed
	case parent != nil && parent.Err() != nil:
		return parent.Err()
	}
	if refused := (*auth.Error)(nil); errors.As(err, &refused) && !mongo.IsNetworkError(refused) {
		return fmt.Errorf("MongoDB refuses the user or the password: %w", db.hide(err))
	}
	if away(err) {
		return &store.Away{Engine: "MongoDB", Err: db.hide(err)}
	}
	if se := mongo.ServerError(nil); errors.As(err, &se) && (se.HasErrorCode(13) || se.HasErrorCode(8000)) {
		return fmt.Errorf("MongoDB: the user may not do this; it needs readWrite on the database: %w", db.hide(err))
	}
	return fmt.Errorf("MongoDB: %w", db.hide(err))
}

// own tells an error of ours, which is to reach the caller as it is.
func own(err error) bool {
	for _, e := range []error{store.ErrNotFound, store.ErrConflict, store.ErrExhausted, store.ErrInvalid, store.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	broken := (*brokenError)(nil)
	clean := (*hidden)(nil) // was here before
	return errors.As(err, &broken) || errors.As(err, &clean)
}

func away(err error) bool {
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, context.Canceled) {
		return true
	}
	if errors.As(err, &topology.ServerSelectionError{}) || errors.As(err, &topology.ConnectionError{}) || errors.As(err, &topology.WaitQueueTimeoutError{}) {
		return true
	}
	if le := mongo.LabeledError(nil); errors.As(err, &le) && le.HasErrorLabel("RetryableWriteError") {
		return true
	}
	se := mongo.ServerError(nil)
	if !errors.As(err, &se) {
		return false
	}
	for _, code := range passing() {
		if se.HasErrorCode(code) {
			return true
		}
	}
	return false
}

// brokenError names what in the database is not as we write it. It is left as it is.
type brokenError struct{ what, why string }

func (b *brokenError) Error() string {
	return fmt.Sprintf("%s in MongoDB is broken (%s): it was left as it is", b.what, b.why)
}

func broken(what, why string) error { return &brokenError{what, why} }
