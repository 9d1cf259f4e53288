package mongo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

// A counter is a document with its number, and with the last batch that changed it.
const (
	value = "n"
	batch = "batch" // see ledger.go
)

// Take adds to a counter that has a limit: one round trip when it fits, and one more to see what is left when
// it does not.
func (db *DB) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	if err := store.CheckName(counter); err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: taking %d", store.ErrInvalid, n)
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	for {
		if n <= limit { // else it cannot fit, and the difference may be no number
			left, fits, err := db.take(ctx, counter, n, limit)
			if fits || err != nil {
				return left, db.failed(ctx, err)
			}
		}
		used, err := db.used(ctx, counter)
		if err != nil {
			return 0, db.failed(ctx, err)
		}
		if left := max(limit-used, 0); used > limit || n > left {
			return left, store.ErrExhausted
		}
		// It fits by now: somebody gave back, or was the first to use the counter.
	}
}

// take tries it. Where the counter is there and has too much, what the upsert would make is a duplicate.
func (db *DB) take(ctx context.Context, counter string, n, limit int64) (left int64, fits bool, err error) {
	raw, err := db.counts.FindOneAndUpdate(ctx, bson.M{"_id": counter, "$and": holds(0, limit-n)}, bson.M{"$inc": bson.M{value: n}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if mongo.IsDuplicateKeyError(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	used, err := count(raw)
	return limit - used, err == nil, err
}

// holds is the condition for a number that is one of ours, within a range. They are three conditions: in an
// upsert FerretDB takes two in one for the value of the field.
func holds(from, to int64) bson.A {
	return bson.A{bson.M{value: bson.M{"$gte": from}}, bson.M{value: bson.M{"$lte": to}}, bson.M{value: bson.M{"$type": bson.A{"long", "int"}}}}
}

func (db *DB) used(ctx context.Context, counter string) (int64, error) {
	raw, err := db.counts.FindOne(ctx, bson.M{"_id": counter}, options.FindOne().SetProjection(bson.M{value: 1})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return count(raw)
}

// count is the number in a counter.
func count(raw bson.Raw) (int64, error) {
	v := raw.Lookup(value)
	if n, ok := v.Int64OK(); ok && n >= 0 {
		return n, nil
	}
	if n, ok := v.Int32OK(); ok && n >= 0 { // written by hand
		return int64(n), nil
	}
	key, _ := raw.Lookup("_id").StringValueOK()
	return 0, broken(fmt.Sprintf("the counter %q", key), "it is no whole number from zero on")
}

// Counters reads the counters with a prefix. One that is no number is left out and logged: the rest is served.
func (db *DB) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	all := map[string]int64{}
	if !utf8.ValidString(prefix) {
		return all, nil // no name begins so
	}
	which := bson.M{value: bson.M{"$ne": int64(0)}}
	if prefix != "" {
		which["_id"] = within(prefix)
	}
	found, err := db.counts.Find(ctx, which, options.Find().SetProjection(bson.M{value: 1}))
	if err != nil {
		return nil, db.failed(ctx, err)
	}
	defer found.Close(ctx)
	for found.Next(ctx) {
		n, err := count(found.Current)
		if err != nil {
			if db.said.First(err.Error()) {
				db.log.Error("a counter in the database is broken", "error", err)
			}
			continue
		}
		key, _ := found.Current.Lookup("_id").StringValueOK()
		all[key] = n
	}
	if err := found.Err(); err != nil {
		return nil, db.failed(ctx, err)
	}
	return all, nil
}

// within is the range of names that begin with a prefix. A regular expression would be one too, and one more
// thing to escape.
func within(prefix string) bson.M {
	is := bson.M{"$gte": prefix}
	for prefix != "" {
		r, n := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-n]
		if r < utf8.MaxRune {
			if r++; r == 0xd800 { // halves of pairs are no characters
				r = 0xe000
			}
			is["$lt"] = prefix + string(r)
			return is
		}
	}
	return is
}

// span is what a row of differences does to a counter, which stops at zero and at the largest number on the
// way: x becomes x+sum, but at least low and at most high.
type span struct{ sum, low, high int64 }

func still() span { return span{0, 0, math.MaxInt64} }

// then is the span with one more difference behind it.
func (s span) then(n int64) span {
	return span{sum: plus(s.sum, n), low: max(plus(s.low, n), 0), high: max(plus(s.high, n), 0)}
}

// of applies it to a number.
func (s span) of(x int64) int64 { return min(max(plus(x, s.sum), s.low), s.high) }

// plain is the range of numbers to which it does nothing but add.
func (s span) plain() (from, to int64) { return max(plus(s.low, -s.sum), 0), plus(s.high, -s.sum) }

// plus stops at both ends of what a number can be. A sum that stopped does no harm: low and high are the same
// by then.
func plus(a, b int64) int64 {
	switch c := a + b; {
	case a > 0 && b > 0 && c < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && c >= 0:
		return -math.MaxInt64 // its negative is a number
	default:
		return max(c, -math.MaxInt64)
	}
}

// spans are the differences by counter. A counter that is not moved is left out.
func spans(deltas []store.Delta) (map[string]span, error) {
	all := map[string]span{}
	for _, d := range deltas {
		if err := store.CheckName(d.Counter); err != nil {
			return nil, err
		}
		s, has := all[d.Counter]
		if !has {
			s = still()
		}
		if d.N != 0 {
			all[strings.Clone(d.Counter)] = s.then(d.N)
		}
	}
	return all, nil
}

// and is one span behind the other.
func (s span) and(next span) span {
	return span{sum: plus(s.sum, next.sum), low: next.of(s.low), high: next.of(s.high)}
}
