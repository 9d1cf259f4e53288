package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest/servers"
)

// TestServer is what does not need a server of its own.
func TestServer(t *testing.T) {
	s := servers.Postgres(t)
	for name, test := range map[string]func(*testing.T, *servers.PostgresServer){
		"addresses": addresses, "rights": rights, "settings": settings, "read-only": readOnly, "foreign": foreign, "two at once": twoAtOnce,
		"changed while open": changedWhileOpen, "too many": tooMany, "cut": cut, "lost notices": lostNotices, "lost among many": lostAmongMany, "late notice": lateNotice, "poolers": poolers,
		"inspectable": inspectable, "sweep": sweep, "old product": oldProduct, "deep": deep, "silent notices": noticesAfterClose, "slow": slow, "odd ranges": oddRanges, "revision": revision,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func addresses(t *testing.T, s *servers.PostgresServer) {
	sql(t, s.Address(), "CREATE DATABASE other")
	word := servers.PostgresPassword
	for name, o := range map[string]postgres.Options{
		"URL":              {Address: s.Address()},
		"old name":         {Address: "postgresql" + strings.TrimPrefix(s.Address(), "postgres")},
		"socket":           {Address: s.Socket()},
		"keywords":         {Address: fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password='%s' dbname=postgres sslmode=prefer", s.Port, word)},
		"socket in a URL":  {Address: fmt.Sprintf("postgres:///postgres?host=%s&port=%d&user=postgres", s.Dir, s.Port)},
		"no database":      {Address: fmt.Sprintf("host=%s port=%d user=postgres", s.Dir, s.Port), Database: "other"},
		"several hosts":    {Address: strings.Replace(s.Address(), "127.0.0.1", fmt.Sprintf("127.0.0.1:%d,127.0.0.1", servers.Port(t)), 1)},
		"asks for replica": {Address: s.Address() + "&target_session_attrs=any"},
		"prepared":         {Address: s.Address() + "&default_query_exec_mode=cache_statement"},
		"simple":           {Address: s.Address() + "&default_query_exec_mode=simple_protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			o.Prefix = "addresses"
			db := open(t, o)
			put(t, db, "a")
			if d, err := db.Get(t.Context(), store.Costs, "a"); err != nil || string(d.Body) != "1" {
				t.Fatal(d, err)
			}
			if err := db.Add(t.Context(), []store.Delta{{Counter: "b", N: 2}, {Counter: "a", N: -1}}); err != nil {
				t.Fatal(err)
			}
			if got, err := db.Counters(t.Context(), "b"); err != nil || got["b"] == 0 {
				t.Fatal(got, err)
			}
		})
	}
	if n := ask[int](t, strings.Replace(s.Address(), "/postgres?", "/other?", 1), "SELECT count(*) FROM addresses.docs"); n != 1 {
		t.Errorf("%d documents in the other database", n)
	}
	refuses(t, postgres.Options{Address: strings.Replace(s.Address(), "for%20tests", "wr0ng", 1)}, false, "wrong password")
	refuses(t, postgres.Options{Address: strings.Replace(s.Address(), "/postgres?", "/nowhere?", 1)}, false, "there is no such database", "nowhere")
	refuses(t, postgres.Options{Address: fmt.Sprintf("postgres://postgres:wr0ng@127.0.0.1:%d/postgres", servers.Port(t))}, true, "Postgres cannot be reached")
	refuses(t, postgres.Options{Address: strings.Replace(s.Address(), "sslmode=disable", "sslmode=require", 1)}, true, "TLS")
	refuses(t, postgres.Options{Address: strings.Replace(s.Address(), "sslmode=disable", "sslmode=maybe", 1)}, false, "sslmode is invalid")
	for _, bad := range []string{"postgres://u:wr0ng/word@h:1/d", "postgres://u:wr0ng@h:port/d", "host='h password=wr0ng", "postgres://u:a@wr0ng@127.0.0.1:1/d", "postgres://u:%zzwr0ng@h/d", "nonsense"} {
		refuses(t, postgres.Options{Address: bad}, false, "the address of Postgres cannot be read")
	}
}

func rights(t *testing.T, s *servers.PostgresServer) {
	sql(t, s.Address(), "CREATE ROLE poor LOGIN PASSWORD 'word'", "CREATE SCHEMA given", "CREATE ROLE guest LOGIN PASSWORD 'word'")
	o := postgres.Options{Address: as(s, "poor"), Prefix: "rights"}
	refuses(t, o, false, `the user "poor" may not create the schema`, `CREATE SCHEMA "rights" AUTHORIZATION "poor"`)
	o.Prefix = "given"
	refuses(t, o, false, `GRANT USAGE, CREATE ON SCHEMA "given" TO "poor"`)
	sql(t, s.Address(), `GRANT USAGE, CREATE ON SCHEMA "given" TO "poor"`)
	put(t, open(t, o), "a")
	o.Address = as(s, "guest")
	refuses(t, o, false, `the user "guest" lacks a right`, "GRANT ALL")
	// One who may use what others have made needs no right to make anything.
	sql(t, s.Address(), `GRANT USAGE ON SCHEMA given TO guest`, `GRANT ALL ON ALL TABLES IN SCHEMA given TO guest`)
	put(t, open(t, o), "b")
}

func settings(t *testing.T, s *servers.PostgresServer) {
	sql(t, s.Address(), "CREATE ROLE strict LOGIN PASSWORD 'word' SUPERUSER", "ALTER ROLE strict SET default_transaction_isolation = 'serializable'",
		"CREATE ROLE hasty LOGIN PASSWORD 'word' SUPERUSER", "ALTER ROLE hasty SET synchronous_commit = off",
		"CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
	refuses(t, postgres.Options{Address: as(s, "strict")}, false, "serializable", "default_transaction_isolation")
	refuses(t, postgres.Options{Address: strings.Replace(s.Address(), "/postgres?", "/latin?", 1)}, false, "LATIN1", "UTF8")
	log, text := logged()
	open(t, postgres.Options{Address: as(s, "hasty"), Prefix: "hasty", Log: log})
	if !strings.Contains(text(), "synchronous_commit=off") {
		t.Error(text())
	}
	refuses(t, postgres.Options{Address: s.Address(), Prefix: strings.Repeat("x", 64)}, false, "no name of a schema")
}

func readOnly(t *testing.T, s *servers.PostgresServer) {
	sql(t, s.Address(), "CREATE ROLE reader LOGIN PASSWORD 'word' SUPERUSER")
	db := open(t, postgres.Options{Address: as(s, "reader"), Prefix: "reader"})
	put(t, db, "a")
	sql(t, s.Address(), "ALTER ROLE reader SET default_transaction_read_only = on")
	refuses(t, postgres.Options{Address: as(s, "reader"), Prefix: "reader"}, false, "default_transaction_read_only is on", "ALTER ROLE")
	// A server that becomes read-only while it is used: one who waits may see it change back.
	sql(t, s.Address(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")
	var err error
	for range 3 { // the connections that were cut say so first
		_, err = db.Put(t.Context(), store.Costs, store.Doc{ID: "a", Body: []byte("2")}, store.Any)
	}
	wants(t, err, true, "takes no writes just now")
	sql(t, s.Address(), "ALTER ROLE reader RESET default_transaction_read_only")
	put(t, db, "a")
}

// foreign is what we must not touch.
func foreign(t *testing.T, s *servers.PostgresServer) {
	for _, tt := range []struct {
		name, makes, says string
		first             bool // a schema of ours is there before
	}{
		{"theirs", "CREATE SCHEMA x; CREATE TABLE x.docs (a int); INSERT INTO x.docs VALUES (7)", `holds what is not this gateway's (docs)`, false},
		{"theirs too", "CREATE SCHEMA x; CREATE TABLE x.schema_version (number int)", "is not as this gateway made it", false},
		{"newer", "INSERT INTO x.schema_version VALUES (2, '0002_later'), (3, '0003_later')", "newer gateway (version 2, this one knows up to 1)", true},
		{"half", "DROP TABLE x.counters", "lacks counters.name", true},
		{"no function", "DROP FUNCTION x.take", "lacks take()", true},
		{"no column", "ALTER TABLE x.docs DROP COLUMN expires", "lacks docs.expires", true},
		{"other type", "ALTER TABLE x.counters DROP CONSTRAINT counters_value_check; ALTER TABLE x.counters ALTER COLUMN value TYPE text", "counters.value is text and not bigint", true},
		{"no version", "DELETE FROM x.schema_version", "half migrated (its schema_version is empty)", true},
		{"other name", "UPDATE x.schema_version SET name = '0001_other'", "half migrated", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := postgres.Options{Address: s.Address(), Prefix: "x"}
			sql(t, s.Address(), "DROP SCHEMA IF EXISTS x CASCADE")
			if tt.first {
				db := open(t, o)
				put(t, db, "a")
				db.Close()
			}
			sql(t, s.Address(), strings.Split(tt.makes, "; ")...)
			before := ask[string](t, s.Address(), all)
			refuses(t, o, false, tt.says, "nothing was changed")
			if after := ask[string](t, s.Address(), all); after != before {
				t.Errorf("it was changed:\n%s\n%s", before, after)
			}
		})
	}
}

// all is everything in the schema x as a text.
const all = `SELECT coalesce(string_agg(schema_to_xml::text, ''), '') || (SELECT count(*)::text FROM pg_proc WHERE pronamespace = 'x'::regnamespace)
	FROM schema_to_xml('x', true, false, '')`

func twoAtOnce(t *testing.T, s *servers.PostgresServer) {
	for round := range 5 {
		ends := make(chan error)
		const nodes = 8
		for range nodes {
			go func() {
				db, err := postgres.Open(t.Context(), postgres.Options{Address: s.Address(), Prefix: fmt.Sprint("race", round)})
				if err == nil {
					err = errors.Join(db.Add(t.Context(), []store.Delta{{Counter: "a", N: 1}}), db.Close())
				}
				ends <- err
			}()
		}
		for range nodes {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
		if n := ask[int](t, s.Address(), fmt.Sprintf("SELECT value FROM race%d.counters", round)); n != nodes {
			t.Errorf("%d calls were counted", n)
		}
	}
}

func changedWhileOpen(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "changed"})
	put(t, db, "a")
	put(t, db, "b")
	// What an operator writes by hand may be of another kind: it is named, and the others are read.
	sql(t, s.Address(), `UPDATE changed.docs SET body = '"no object"' WHERE id = 'a'`)
	seen := ""
	for id, r := range (store.Docs[int]{Store: db, Table: store.Costs}).All(t.Context()) {
		seen += fmt.Sprint(id, r.Err != nil, " ")
		if r.Err != nil && !strings.Contains(r.Err.Error(), `cost "a"`) {
			t.Error(r.Err)
		}
	}
	if seen != "atrue bfalse " {
		t.Error(seen)
	}
	sql(t, s.Address(), "DELETE FROM changed.revision")
	_, err := db.Put(t.Context(), store.Costs, store.Doc{ID: "b", Body: []byte("2")}, store.Any)
	wants(t, err, false, `write cost "b"`, "lost a row")
	if d, err := db.Get(t.Context(), store.Costs, "b"); err != nil || d.Rev != 1 {
		t.Errorf("it was written all the same: %+v %v", d, err)
	}
	sql(t, s.Address(), "DROP TABLE changed.docs")
	_, err = db.Get(t.Context(), store.Costs, "b")
	wants(t, err, false, `read cost "b"`, "is not as this gateway made it")
	if left, err := db.Take(t.Context(), "n", 1, 5); err != nil || left != 4 {
		t.Error("the rest is not served:", left, err)
	}
}

func tooMany(t *testing.T, s *servers.PostgresServer) {
	sql(t, s.Address(), "CREATE ROLE crowded LOGIN PASSWORD 'word' SUPERUSER")
	db := open(t, postgres.Options{Address: as(s, "crowded"), Prefix: "crowded", Connections: 2})
	put(t, db, "a")
	if p := db.Stats(); p.Max != 1 || p.Idle+p.InUse != 1 {
		t.Errorf("%+v", p)
	}
	sql(t, s.Address(), "CREATE DATABASE small CONNECTION LIMIT 0", "ALTER ROLE crowded NOSUPERUSER")
	refuses(t, postgres.Options{Address: strings.Replace(as(s, "crowded"), "/postgres?", "/small?", 1)}, true, "no connection left")
}

// cut: the server ends all connections. What was acknowledged is there, and calls go on.
func cut(t *testing.T, s *servers.PostgresServer) {
	sql(t, s.Address(), "CREATE ROLE victim LOGIN PASSWORD 'word' SUPERUSER")
	db := open(t, postgres.Options{Address: as(s, "victim"), Prefix: "cut", Connections: 5})
	hints, err := db.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening(t, db, hints)
	ctx, stop := context.WithCancel(t.Context())
	sums := make(chan [2]int64)
	for range 8 {
		go func() {
			var sum [2]int64
			for ctx.Err() == nil {
				if _, err := db.Take(t.Context(), "n", 1, 1<<40); err == nil {
					sum[0]++
				} else if sum[1]++; !errors.As(err, new(*store.Away)) {
					t.Error(err)
				}
			}
			sums <- sum
		}()
	}
	for range 10 {
		time.Sleep(50 * time.Millisecond) // some calls come between
		sql(t, s.Address(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'victim'")
	}
	stop()
	var good, bad int64
	for range 8 {
		sum := <-sums
		good, bad = good+sum[0], bad+sum[1]
	}
	if n := ask[int64](t, s.Address(), "SELECT value FROM cut.counters"); n < good || n > good+bad {
		t.Errorf("%d were acknowledged, %d failed, %d are counted", good, bad, n)
	}
	put(t, db, "last")
	hinted(t, hints, "last")
}

// lostNotices: a node that died between a write and its notice. The others learn it all the same.
func lostNotices(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "lost"})
	hints, err := db.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening(t, db, hints)
	for i := range 3 {
		put(t, db, "told")
		exactly(t, hints, "told")
		for len(hints) > 0 {
			<-hints
		}
		sql(t, s.Address(), fmt.Sprintf(`SELECT lost.put('cost', 'silent %d', NULL, '1', 0)`, i))
		hinted(t, hints, "silent")
	}
}

// lostAmongMany: while somebody writes all the time, a notice that was lost is found as soon.
func lostAmongMany(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "among"})
	hints, err := db.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening(t, db, hints)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan bool)
	defer func() { stop(); <-ended }()
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_, _ = db.Put(ctx, store.Costs, store.Doc{ID: "busy", Body: []byte("1")}, store.Any)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	exactly(t, hints, "busy")
	for plain := 0; plain < 40; plain++ { // a listener is young for a while, and looks again at everything then
		if c := <-hints; c == (store.Change{}) {
			plain = 0
		}
	}
	for i := range 3 {
		spare := 0
		for range 20 { // notices that come in their time are no loss; on a machine with no time left some do not
			if c := <-hints; c == (store.Change{}) {
				spare++
			}
		}
		if spare > 5 {
			t.Errorf("%d of 20 hints were about everything, and nothing was lost", spare)
		}
		sql(t, s.Address(), fmt.Sprintf(`SELECT among.put('cost', 'silent %d', NULL, '1', 0)`, i))
		hinted(t, hints, "silent")
	}
}

// lateNotice: the notice of a write that is older than the listener comes in late, and one of a newer
// write never. As many were heard as were written, and the newer write is found all the same.
func lateNotice(t *testing.T, s *servers.PostgresServer) {
	o := postgres.Options{Address: s.Address(), Prefix: "late"}
	put(t, open(t, o), "first")
	sql(t, s.Address(), `SELECT late.put('cost', 'late', NULL, '1', 0)`)
	db := open(t, o)
	hints, err := db.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening(t, db, hints)
	sql(t, s.Address(), `SELECT pg_notify('late', E'1\ncost\nlate')`)
	exactly(t, hints, "late")
	for len(hints) > 0 {
		<-hints
	}
	sql(t, s.Address(), `SELECT late.put('cost', 'silent', NULL, '1', 0)`)
	hinted(t, hints, "silent")
}

func poolers(t *testing.T, s *servers.PostgresServer) {
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			log, text := logged()
			prefix := "pooled_" + mode
			a := open(t, postgres.Options{Address: s.Pooler(t, mode), Prefix: prefix, Log: log})
			b := open(t, postgres.Options{Address: s.Address(), Prefix: prefix})
			hints, err := a.Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			direct, err := b.Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			listening(t, b, direct)
			put(t, a, "from behind")
			exactly(t, direct, "from behind")
			if mode == "session" {
				listening(t, b, hints)
				put(t, b, "exact")
				exactly(t, hints, "exact")
			} else {
				for late := time.Now().Add(time.Minute); !strings.Contains(text(), "lets no notices through"); {
					if time.Now().After(late) {
						t.Fatal("the pooler was not noticed: " + text())
					}
					hinted(t, hints, "any")
				}
				for len(hints) > 0 {
					<-hints
				}
				put(t, b, "polled")
				hinted(t, hints, "polled")
			}
			for range 20 {
				if _, err := a.Take(t.Context(), "n", 1, 100); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func inspectable(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "looked"})
	if _, err := db.Put(t.Context(), store.Costs, store.Doc{ID: "a", Body: []byte(`{"in": 3 , "in2":"x"}`)}, store.New); err != nil {
		t.Fatal(err)
	}
	if got := ask[string](t, s.Address(), `SELECT body->>'in' FROM looked.docs WHERE id = 'a'`); got != "3" {
		t.Error(got)
	}
}

func sweep(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "swept"})
	for i := range 1200 {
		if _, err := db.Put(t.Context(), store.Costs, store.Doc{ID: fmt.Sprint(i), Body: []byte("1"), Expires: time.UnixMilli(int64(i))}, store.New); err != nil {
			t.Fatal(err)
		}
	}
	put(t, db, "stays")
	before, _ := db.Revision(t.Context())
	sql(t, s.Address(), "INSERT INTO swept.batches VALUES ('old', 5)", "INSERT INTO swept.leases VALUES ('old', 'me', 5)")
	if err := db.AddOnce(t.Context(), "new", []store.Delta{{Counter: "a", N: 1}}); err != nil {
		t.Fatal(err)
	}
	db.SweepNow(t.Context())
	if left := ask[string](t, s.Address(), `SELECT (SELECT count(*) FROM swept.docs) || ' ' || (SELECT string_agg(id, ' ') FROM swept.batches) || ' ' || (SELECT count(*) FROM swept.leases)`); left != "1 new 0" {
		t.Errorf("left are %s", left)
	}
	if now, _ := db.Revision(t.Context()); now != before {
		t.Errorf("the revision went from %d to %d", before, now)
	}
}

func oldProduct(t *testing.T, s *servers.PostgresServer) {
	o := postgres.Options{Address: s.Address()}
	if old, err := postgres.ReadOld(t.Context(), o); err != nil || old.Credentials != nil {
		t.Fatal(old, err)
	}
	sql(t, s.Address(), `CREATE TABLE public.unified_storage (key text PRIMARY KEY, data jsonb NOT NULL, updated_at timestamptz DEFAULT now())`,
		`INSERT INTO public.unified_storage VALUES ('all_credentials', '{"a.json": {"credential": {"x": "中"}, "state": {}}, "b.json": {}}'),
			('config_data', '{"port": 7861, "model_costs": {"m": 1}}')`)
	old, err := postgres.ReadOld(t.Context(), o)
	if err != nil || len(old.Credentials) != 2 || string(old.Credentials["a.json"]) != `{"state": {}, "credential": {"x": "中"}}` ||
		string(old.Config["port"]) != "7861" || string(old.Config["model_costs"]) != `{"m": 1}` || old.Keys != nil {
		t.Errorf("%s %v", old, err)
	}
	sql(t, s.Address(), `INSERT INTO public.unified_storage VALUES ('api_keys_data', '[1]')`)
	_, err = postgres.ReadOld(t.Context(), o)
	wants(t, err, false, "api_keys_data", "array and not an object")
}

// deep: what is JSON to the waist is JSON to the server, however deep.
func deep(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "deep"})
	for n := 10; n <= 100_000; n *= 10 {
		body := []byte(strings.Repeat("[", n) + strings.Repeat("]", n))
		_, err := db.Put(t.Context(), store.Costs, store.Doc{ID: fmt.Sprint(n), Body: body}, store.New)
		if err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%d levels: %v", n, err)
		}
		t.Log(n, err)
	}
}

// noticesAfterClose: what was written before Close is told.
func noticesAfterClose(t *testing.T, s *servers.PostgresServer) {
	o := postgres.Options{Address: s.Address(), Prefix: "closing"}
	b := open(t, o)
	hints, err := b.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening(t, b, hints)
	for i := range 5 {
		a := open(t, o)
		put(t, a, fmt.Sprint(i))
		a.Close()
		exactly(t, hints, fmt.Sprint(i))
	}
}

// slow: a server that does not answer in time, here because somebody holds a lock.
func slow(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "slow", Timeout: time.Second})
	put(t, db, "a")
	holder, err := pgx.Connect(t.Context(), s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(context.Background())
	if _, err := holder.PgConn().Exec(t.Context(), "BEGIN; LOCK TABLE slow.docs").ReadAll(); err != nil {
		t.Fatal(err)
	}
	_, err = db.Get(t.Context(), store.Costs, "a")
	wants(t, err, true, `read cost "a"`, "no answer within 1s")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := db.Get(ctx, store.Costs, "a"); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*store.Away)) {
		t.Error("a caller who gives up: ", err)
	}
	if _, err := holder.PgConn().Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
		t.Fatal(err)
	}
	put(t, db, "a")
}

// oddRanges: what is compared with names may be any bytes.
func oddRanges(t *testing.T, s *servers.PostgresServer) {
	db := open(t, postgres.Options{Address: s.Address(), Prefix: "odd"})
	for _, id := range []string{"a", "b", "中", "中文", "\U0010ffff"} {
		put(t, db, id)
		if err := db.Add(t.Context(), []store.Delta{{Counter: id, N: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[string]string{"a\x00": "b", "a\xff": "b", "\xe4": "中", "\xe4\xb8": "中", "中\x00": "中文", "中\xff": "\U0010ffff", "\xff": ""} {
		docs, err := db.List(t.Context(), store.Costs, after, 1)
		if err != nil || len(docs) > 1 || len(docs) == 0 && want != "" || len(docs) == 1 && docs[0].ID != want {
			t.Errorf("behind %q: %v %v", after, docs, err)
		}
	}
	for prefix, want := range map[string]int{"\xe4": 2, "中\xe6": 1, "\xff": 0, "a\x00": 0, "\U0010ffff": 1, "": 5} {
		if got, err := db.Counters(t.Context(), prefix); err != nil || len(got) != want {
			t.Errorf("%q: %v %v", prefix, got, err)
		}
	}
}

// revision: whoever sees it sees every write that it counts.
func revision(t *testing.T, s *servers.PostgresServer) {
	o := postgres.Options{Address: s.Address(), Prefix: "rev", Connections: 12}
	a, b := open(t, o), open(t, o)
	const writers, times = 16, 60
	ends := make(chan bool)
	for i := range writers {
		go func() {
			defer func() { ends <- true }()
			for n := range times {
				if _, err := a.Put(t.Context(), store.Costs, store.Doc{ID: fmt.Sprintf("%d/%d", i, n), Body: []byte("1")}, store.New); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for done := 0; done < writers; {
		select {
		case <-ends:
			done++
		default:
		}
		n, err := b.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		docs, err := b.List(t.Context(), store.Costs, "", writers*times)
		if err != nil || int64(len(docs)) < n {
			t.Fatalf("at revision %d there are %d documents, %v", n, len(docs), err)
		}
	}
	if n, err := b.Revision(t.Context()); err != nil || n != writers*times {
		t.Errorf("%d %v", n, err)
	}
}
