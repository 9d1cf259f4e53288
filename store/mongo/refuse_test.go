package mongo_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"gcli2api/store"
	"gcli2api/store/mongo"
	"gcli2api/store/storetest/servers"
)

const secret = "s3cret-of-the-database"

// raw is a way past the engine, into a database.
func raw(t *testing.T, s *servers.MongoServer, name string) *driver.Database {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(s.Address()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(t.Context()) })
	return c.Database(name)
}

// says checks an error: its words, whether another try may help, and that no secret is in it.
func says(t *testing.T, err error, words string, again bool) {
	t.Helper()
	away := (*store.Away)(nil)
	if err == nil || !strings.Contains(err.Error(), words) || errors.As(err, &away) != again || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want %q, worth another try %v", err, words, again)
	}
}

func fine(t *testing.T, _ any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) has(words string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.all.String(), words)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), words)
}

func TestOpenRefused(t *testing.T) {
	s := servers.Mongo(t)
	port := servers.Port(t)
	quick := func(address string) mongo.Options {
		return mongo.Options{Address: address, Database: "x", Prefix: "gcli2api", Timeout: 300 * time.Millisecond}
	}
	open := func(o mongo.Options) error { _, err := mongo.Open(t.Context(), o); return err }
	says(t, open(quick(fmt.Sprintf("mongodb://u:%s@127.0.0.1:%d/", secret, port))), "MongoDB cannot be reached", true)
	says(t, open(quick("mongodb://u:"+secret+"@/")), "the address of MongoDB", false)
	says(t, open(quick("mongo://u:"+secret+"@h")), "the address of MongoDB", false)
	says(t, open(quick("mongodb://u:"+secret+"@h:x/?readPreference=odd")), "the address of MongoDB", false)
	for _, bad := range []string{"p@ss/" + secret + "%", secret + "%", "p@" + secret, "a:" + secret, "a/" + secret} {
		says(t, open(quick("mongodb://u:"+bad+"@127.0.0.1:1/x")), "the address of MongoDB cannot be read", false)
	}
	says(t, open(quick("mongodb+srv://u:"+secret+"@nowhere.invalid/")), "MongoDB cannot be reached: the name in its address cannot be looked up", true)
	withPassword := strings.Replace(s.Address(), "://", "://nobody:"+secret+"@", 1)
	says(t, open(quick(withPassword)), "refuses the user or the password", false)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	fine(t, nil, err)
	defer silent.Close()
	says(t, open(quick("mongodb://"+silent.Addr().String())), "MongoDB cannot be reached", true)
}

// TestNewer: data of a newer gateway are not touched.
func TestNewer(t *testing.T) {
	s := servers.Mongo(t)
	o := at(s, s.Name())
	opened(t, o).Close()
	meta := raw(t, s, o.Database).Collection("gcli2api_meta")
	for version, words := range map[any]string{int64(2): "newer gateway", "one": "is broken"} {
		did, err := meta.UpdateOne(t.Context(), bson.M{"_id": "layout"}, bson.M{"$set": bson.M{"version": version}})
		fine(t, did, err)
		_, err = mongo.Open(t.Context(), o)
		says(t, err, words, false)
	}
	o.Prefix = "other"
	opened(t, o)
}

// TestURI: what the address says of reading, writing and databases cannot make the engine weaker.
func TestURI(t *testing.T) {
	s := servers.Mongo(t)
	name := s.Name()
	address, _, _ := strings.Cut(strings.TrimPrefix(s.Address(), "mongodb://"), "/")
	o := at(s, "not_this_one")
	o.Address = "mongodb://" + address + "/" + name + "?directConnection=true&readPreference=secondaryPreferred&w=0&readConcernLevel=local"
	db := opened(t, o)
	fine(t, nil, db.AddOnce(t.Context(), "x", batchOf(1)))
	if got := sums(t, opened(t, at(s, name))); got["a"] != 1 {
		t.Errorf("another database has it: %v", got)
	}
}

// TestBroken: a document or a counter that somebody spoilt is named and left alone, and the rest is served.
func TestBroken(t *testing.T) {
	s := servers.Mongo(t)
	log := &lines{}
	o := at(s, s.Name())
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	db, docs := opened(t, o), raw(t, s, o.Database).Collection("gcli2api_docs")
	const table = store.Keys
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		_, err := db.Put(t.Context(), table, store.Doc{ID: id, Body: []byte("1")}, store.New)
		fine(t, nil, err)
	}
	for id, change := range map[string]bson.M{
		"b": {"$set": bson.M{"rev": "one"}}, "c": {"$set": bson.M{"body": 7}}, "d": {"$unset": bson.M{"rev": ""}}, "e": {"$set": bson.M{"body": "{"}},
	} {
		did, err := docs.UpdateOne(t.Context(), bson.M{"_id": "key\t" + id}, change)
		fine(t, did, err)
		words := fmt.Sprintf(`the document %q of table "key" in MongoDB is broken`, id)
		_, err = db.Get(t.Context(), table, id)
		says(t, err, words, false)
		if id != "e" { // text is text: whoever writes over it knows what for
			_, err = db.Put(t.Context(), table, store.Doc{ID: id, Body: []byte("2")}, store.Any)
			says(t, err, words, false)
			says(t, db.Delete(t.Context(), table, id, store.Any), words, false)
		}
	}
	served, broken := "", ""
	for id, r := range (store.Docs[int]{Store: db, Table: table}).All(t.Context()) {
		if r.Err != nil {
			broken += id
		} else {
			served += id
		}
	}
	for range (store.Docs[int]{Store: db, Table: table}).All(t.Context()) { // each follower lists again and again
	}
	if n := log.count("a document in the database is broken"); served != "af" || broken != "bcde" || n != 4 {
		t.Errorf("served %q, broken %q, %d lines", served, broken, n)
	}
	counters := raw(t, s, o.Database).Collection("gcli2api_counters")
	for i, n := range []any{"x", int64(-1), 1.5, nil} {
		name := fmt.Sprint("spoilt", i)
		did, err := counters.InsertOne(t.Context(), bson.M{"_id": name, "n": n})
		fine(t, did, err)
		_, err = db.Take(t.Context(), name, 1, 10)
		says(t, err, fmt.Sprintf("the counter %q in MongoDB is broken", name), false)
		says(t, db.Add(t.Context(), []store.Delta{{Counter: name, N: 1}}), "is broken", false)
		says(t, db.AddOnce(t.Context(), name, []store.Delta{{Counter: "good", N: 1}, {Counter: name, N: 1}}), "is broken", false)
		fine(t, nil, db.AddOnce(t.Context(), name, []store.Delta{{Counter: "good", N: 1}, {Counter: name, N: 1}}))
	}
	if all, err := db.Counters(t.Context(), ""); err != nil || all["good"] != 4 || len(all) != 1 || !log.has("a counter in the database is broken") {
		t.Errorf("what a broken counter was added to with: %v %v", all, err)
	}
}

// TestClock: what time it is the server says, not the machine.
func TestClock(t *testing.T) {
	s := servers.Mongo(t)
	w := wired(t, s)
	w.ahead = 5 * time.Minute
	name := s.Name()
	db, there := opened(t, mongo.Options{Address: w.address(), Database: name, Prefix: "gcli2api"}), opened(t, at(s, name))
	end := time.Now().Add(time.Minute)
	for id, expires := range map[string]time.Time{"soon": end, "later": end.Add(time.Hour)} {
		_, err := there.Put(t.Context(), store.Short, store.Doc{ID: id, Body: []byte("1"), Expires: expires}, store.New)
		fine(t, nil, err)
	}
	if _, err := db.Get(t.Context(), store.Short, "soon"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it expired four minutes ago by the server's clock: %v", err)
	}
	_, err := db.Get(t.Context(), store.Short, "later")
	fine(t, nil, err)
	mine, err := db.Claim(t.Context(), "lease", "me", time.Minute)
	fine(t, nil, err)
	var lease struct{ Until time.Time }
	fine(t, nil, raw(t, s, name).Collection("gcli2api_leases").FindOne(t.Context(), bson.M{"_id": "lease"}).Decode(&lease))
	if ahead := time.Until(lease.Until) - 6*time.Minute; !mine || ahead.Abs() > 30*time.Second {
		t.Errorf("the lease ends at %v", lease.Until)
	}
}
