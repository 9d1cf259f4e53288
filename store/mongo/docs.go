package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
)

// The fields of a document. Its _id is table, tab, id: no name has a tab, so tables lie one behind the other
// and ids keep the order of their bytes. The body is the JSON text as it came. What was deleted is kept for
// a while as a document that expired long ago: its revision goes on, and it can owe a hint.
const (
	rev     = "rev"
	body    = "body"
	expires = "expires"
	owed    = "owed" // since when a hint is owed to the others; see tell.go
)

const between, behind = "\t", "\n"

// notImplemented is how FerretDB says that its findAndModify cannot leave out fields of its answer.
const notImplemented = 238

func docID(t store.Table, id string) string { return string(t) + between + id }

// alive is the condition for a document that has not expired. Other types than a date are for Get to
// complain about.
func alive(now time.Time) bson.M {
	return bson.M{expires: bson.M{"$not": bson.M{"$lte": now}}}
}

// intact is added to the condition of every write: what somebody has spoilt is not written over.
func intact(m bson.M) bson.M {
	if _, has := m[rev]; !has {
		m[rev] = bson.M{"$type": "number"}
	}
	return with(m, body, bson.M{"$type": "string"})
}

// Get reads a document.
func (db *DB) Get(ctx context.Context, t store.Table, id string) (d store.Doc, err error) {
	if err := checkID(t, id); err != nil {
		return d, err
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return d, err
	}
	defer done()
	raw, err := db.docs.FindOne(ctx, with(alive(db.now()), "_id", docID(t, id))).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return d, store.ErrNotFound
	}
	if err == nil {
		d, err = readDoc(raw)
	}
	return d, db.failed(ctx, err)
}

// List reads a part of a table. A broken document comes without a body and at revision 0: whoever reads it
// meets an error that names it, and the rest is served.
func (db *DB) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	if err := store.CheckName(string(t)); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d documents", store.ErrInvalid, limit)
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	which := with(alive(db.now()), "_id", bson.M{"$gt": docID(t, after), "$lt": string(t) + behind})
	found, err := db.docs.Find(ctx, which, options.Find().SetSort(bson.M{"_id": 1}).SetLimit(int64(limit)))
	if err != nil {
		return nil, db.failed(ctx, err)
	}
	defer found.Close(ctx)
	var docs []store.Doc
	for found.Next(ctx) {
		d, err := readDoc(found.Current)
		if err != nil {
			if db.said.First(err.Error()) {
				db.log.Error("a document in the database is broken", "error", err)
			}
			d = store.Doc{ID: d.ID}
		}
		docs = append(docs, d)
	}
	if err := found.Err(); err != nil {
		return nil, db.failed(ctx, err)
	}
	return docs, nil
}

// Put writes a document.
func (db *DB) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if err := checkID(t, d.ID); err != nil {
		return 0, err
	}
	if err := store.CheckBody(d.Body); err != nil {
		return 0, err
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	now := db.now()
	set, key := bson.M{body: string(d.Body), owed: now}, docID(t, d.ID)
	change := bson.M{"$set": set, "$inc": bson.M{rev: int64(1)}}
	if d.Expires.IsZero() {
		change["$unset"] = bson.M{expires: ""}
	} else {
		set[expires] = d.Expires.Truncate(time.Millisecond)
	}
	which, upsert := expected(key, when, now), when == store.New || when == store.Any
	wrote, err := db.write(ctx, which, change, upsert)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments), when == store.New && mongo.IsDuplicateKeyError(err):
		return 0, store.ErrConflict
	case mongo.IsDuplicateKeyError(err): // there, and not as an overwriting found it
		return 0, db.failed(ctx, db.unlike(ctx, key))
	case err != nil:
		return 0, db.failed(ctx, err)
	}
	db.tell(ctx, key, wrote)
	return wrote, nil
}

// Delete removes a document.
func (db *DB) Delete(ctx context.Context, t store.Table, id string, when store.Rev) error {
	if err := checkID(t, id); err != nil {
		return err
	}
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	now, key := db.now(), docID(t, id)
	which := with(alive(now), "_id", key)
	if when != store.Any {
		which[rev] = int64(when)
	}
	wrote, err := db.write(ctx, intact(which), bson.M{
		"$set": bson.M{expires: time.UnixMilli(1), owed: now, body: ""}, "$inc": bson.M{rev: int64(1)},
	}, false)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return db.failed(ctx, db.unlike(ctx, key))
	}
	if err != nil {
		return db.failed(ctx, err)
	}
	db.tell(ctx, key, wrote)
	return nil
}

// unlike tells why a document is not as a write expected it.
func (db *DB) unlike(ctx context.Context, key string) error {
	raw, err := db.docs.FindOne(ctx, with(alive(db.now()), "_id", key)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.ErrNotFound
	}
	if err == nil {
		_, err = readDoc(raw)
	}
	if err == nil {
		err = store.ErrConflict
	}
	return err
}

// expected is the condition under which a Put may write. New finds one that has expired; where one is alive
// the upsert that follows is a duplicate.
func expected(key string, when store.Rev, now time.Time) bson.M {
	switch when {
	case store.Any:
		return intact(bson.M{"_id": key})
	case store.New:
		return intact(bson.M{"_id": key, expires: bson.M{"$lte": now}})
	}
	return intact(with(alive(now), "_id", key, rev, int64(when)))
}

// write changes one document, and gives its new revision.
func (db *DB) write(ctx context.Context, which, change bson.M, upsert bool) (store.Rev, error) {
	one := func() (bson.Raw, error) {
		how := options.FindOneAndUpdate().SetUpsert(upsert).SetReturnDocument(options.After)
		if !db.whole.Load() {
			how.SetProjection(bson.M{rev: 1})
		}
		return db.docs.FindOneAndUpdate(ctx, which, change, how).Raw()
	}
	raw, err := one()
	if se := mongo.ServerError(nil); errors.As(err, &se) && se.HasErrorCode(notImplemented) {
		db.whole.Store(true)
		raw, err = one()
	}
	if _, conditional := which[expires]; upsert && !conditional && mongo.IsDuplicateKeyError(err) {
		raw, err = again(one)
	}
	if err != nil {
		return 0, err
	}
	n, ok := raw.Lookup(rev).AsInt64OK()
	if !ok {
		return 0, broken(name(raw), "its revision is no number")
	}
	return store.Rev(n), nil
}

// readDoc takes a document out of what the database has.
func readDoc(raw bson.Raw) (d store.Doc, err error) {
	key, _ := raw.Lookup("_id").StringValueOK()
	_, d.ID, _ = strings.Cut(key, between)
	n, ok := raw.Lookup(rev).AsInt64OK()
	if !ok || n < 1 {
		return d, broken(name(raw), "its revision is no number above zero")
	}
	d.Rev = store.Rev(n)
	text, ok := raw.Lookup(body).StringValueOK()
	if !ok {
		return d, broken(name(raw), "its body is no text")
	}
	if d.Body = []byte(text); store.CheckBody(d.Body) != nil {
		return d, broken(name(raw), "its body is no JSON")
	}
	if v := raw.Lookup(expires); !v.IsZero() {
		if d.Expires, ok = v.TimeOK(); !ok {
			return d, broken(name(raw), "its expiry is no date")
		}
	}
	return d, nil
}

// name is how an error calls a document.
func name(raw bson.Raw) string {
	key, _ := raw.Lookup("_id").StringValueOK()
	t, id, _ := strings.Cut(key, between)
	return fmt.Sprintf("the document %q of table %q", id, t)
}

// with adds fields to a condition.
func with(m bson.M, fields ...any) bson.M {
	for i := 0; i+1 < len(fields); i += 2 {
		m[fields[i].(string)] = fields[i+1]
	}
	return m
}

func checkID(t store.Table, id string) error {
	if err := store.CheckName(string(t)); err != nil {
		return err
	}
	return store.CheckName(id)
}
