package mongo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"gcli2api/store"
)

func sparse() *options.IndexOptionsBuilder { return options.Index().SetSparse(true) }

// connect makes the client; nothing goes over the wire yet. Reads and writes are the primary's whatever the
// address says, and a write is done when the majority has it. Writes are retried as the driver does it: on
// replica sets, where the server knows a write that it has done already; elsewhere not at all.
func (db *DB) connect(o Options) error {
	db.secrets = secrets(o.Address)
	at, err := connstring.ParseAndValidate(o.Address)
	if err != nil {
		return unreadable(err)
	}
	if at.Password != "" {
		db.secrets = append(db.secrets, at.Password)
	}
	journal := true
	how := options.Client().ApplyURI(o.Address).
		SetAppName("gcli2api").
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Local()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}).
		SetConnectTimeout(db.timeout).
		SetServerSelectionTimeout(db.timeout).
		SetPoolMonitor(&event.PoolMonitor{Event: db.pool.saw})
	if o.Connections > 0 {
		how.SetMaxPoolSize(uint64(o.Connections))
	}
	db.pool.max.Store(100) // the driver's own
	if how.MaxPoolSize != nil {
		db.pool.max.Store(int64(*how.MaxPoolSize))
	}
	if db.client, err = mongo.Connect(how); err != nil {
		return fmt.Errorf("the address of MongoDB: %w", db.hide(err))
	}
	name := at.Database
	if name == "" {
		name = o.Database
	}
	db.collections(name, o.Prefix, nil)
	return nil
}

// unreadable says what is wrong with an address without repeating any of it: where it cannot be read nobody
// knows what of it is the password. Names of mongodb+srv that cannot be looked up now may be found later.
func unreadable(err error) error {
	if lookup := (*net.DNSError)(nil); errors.As(err, &lookup) {
		return &store.Away{Engine: "MongoDB", Err: errors.New("the name in its address cannot be looked up: " + lookup.Err)}
	}
	why := ""
	for _, known := range []string{"unescaped slash in password", "unescaped colon in password", "unescaped @ sign in user info", "scheme must be",
		"must have at least 1 host", "port must be an integer", "port must be in the range", "invalid database", "invalid password", "invalid host",
		"must have a / ", "invalid value for", "required for", "srv must not include a port number"} {
		if strings.Contains(err.Error(), known) {
			why = strings.TrimSpace(known) + ": "
			break
		}
	}
	return errors.New("the address of MongoDB cannot be read: " + why + "it has to be mongodb://user:password@host:port/database, " +
		"or mongodb+srv://user:password@name/database; special signs in the password are written as %XX")
}

// collections are ours in a database.
func (db *DB) collections(name, prefix string, how *options.CollectionOptionsBuilder) {
	of := func(kind string) *mongo.Collection {
		if how == nil {
			return db.client.Database(name).Collection(prefix + "_" + kind)
		}
		return db.client.Database(name).Collection(prefix+"_"+kind, how)
	}
	db.docs, db.counts, db.leases, db.once, db.meta = of("docs"), of("counters"), of("leases"), of("once"), of("meta")
}

// secrets are the parts of an address that no error may show, also where it cannot be parsed.
func secrets(address string) []string {
	all := []string{address}
	_, rest, _ := strings.Cut(address, "://")
	if end := strings.LastIndex(rest, "@"); end > 0 {
		if _, password, has := strings.Cut(rest[:end], ":"); has && password != "" {
			all = append(all, password)
			if plain, err := url.QueryUnescape(password); err == nil {
				all = append(all, plain)
			}
		}
	}
	return all
}

// greet learns what server this is: whether it can be written to, whether it has majorities to read from and
// change streams, and what time it is there.
func (db *DB) greet(ctx context.Context) error {
	said, err := db.hello(ctx)
	if err != nil {
		return err
	}
	if primary, known := said.Lookup("isWritablePrimary").BooleanOK(); known && !primary {
		return fmt.Errorf("MongoDB: this server is not the primary and takes no writes: name all members of the replica set in the address, or the primary")
	}
	_, set := said.Lookup("setName").StringValueOK()
	kind, _ := said.Lookup("msg").StringValueOK()
	if db.streams = set || kind == "isdbgrid"; db.streams {
		name, prefix := db.docs.Database().Name(), strings.TrimSuffix(db.docs.Name(), "_docs")
		db.collections(name, prefix, options.Collection().SetReadConcern(readconcern.Majority()))
	}
	return nil
}

// checkLayout refuses what a newer gateway has written.
func (db *DB) checkLayout(ctx context.Context) error {
	after := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	is, err := again(func() (bson.Raw, error) {
		return db.meta.FindOneAndUpdate(ctx, bson.M{"_id": "layout"}, bson.M{"$setOnInsert": bson.M{"version": int64(layout)}}, after).Raw()
	})
	if err != nil {
		return err
	}
	switch v, ok := is.Lookup("version").AsInt64OK(); {
	case !ok:
		return broken("the version of the layout", "it is no number")
	case v > layout:
		return fmt.Errorf("MongoDB: the data in %s were written by a newer gateway (layout %d, this one knows %d): start that one, or use another prefix; nothing was changed", db.docs.Name(), v, layout)
	}
	return nil
}

// again makes an upsert once more when another one came first: MongoDB then calls its id a duplicate.
func again[T any](upsert func() (T, error)) (v T, err error) {
	for range 10 {
		if v, err = upsert(); !mongo.IsDuplicateKeyError(err) {
			return v, err
		}
	}
	return v, err
}

// pool counts connections by what the driver tells of them.
type pool struct{ open, used, max, trips atomic.Int64 }

func (p *pool) saw(e *event.PoolEvent) {
	switch e.Type {
	case event.ConnectionReady:
		p.open.Add(1)
	case event.ConnectionClosed:
		p.open.Add(-1)
	case event.ConnectionCheckedOut:
		p.used.Add(1)
		p.trips.Add(1)
	case event.ConnectionCheckedIn:
		p.used.Add(-1)
	}
}

// Stats is how the connections are used.
func (db *DB) Stats() store.Pool {
	used := max(db.pool.used.Load(), 0)
	return store.Pool{InUse: int(used), Idle: int(max(db.pool.open.Load()-used, 0)), Max: int(db.pool.max.Load())}
}
