package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/server"
	charging "gcli2api/stages/quota"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// till is a real server that charges keys in a store which fails on command.
type till struct {
	t     *testing.T
	url   string
	flaky *storetest.Flaky
	book  *apikey.Book
	key   *apikey.Key
	other *apikey.Key
	said  loud
	calls chan string // what the call stage was asked
}

// alone says of a store that it is this node's only.
type alone struct{ *storetest.Flaky }

func (alone) Alone() bool { return true }

func openTill(t *testing.T, shared bool) *till {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &till{t: t, flaky: &storetest.Flaky{Store: db}, calls: make(chan string, 1000)}
	var s store.Store = d.flaky
	if !shared {
		s = alone{d.flaky}
	}
	log := slog.New(&d.said)
	if d.book, err = apikey.Open(t.Context(), apikey.Options{Store: s, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.book.Close() })
	for _, key := range []**apikey.Key{&d.key, &d.other} {
		if *key, _, err = d.book.Keys.Create(t.Context(), apikey.Terms{Quota: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	d.serve(log)
	return d
}

// serve opens the server: who comes in has the key, except with x-api-key: other.
func (d *till) serve(log *slog.Logger) {
	who := func(x *pipeline.Exchange) pipeline.Verdict {
		x.Caller = pipeline.Caller{Kind: "key", ID: d.key.ID}
		if x.In.Header("x-api-key") == "other" {
			x.Caller.ID = d.other.ID
		}
		return pipeline.Next
	}
	call := func(x *pipeline.Exchange) pipeline.Verdict {
		d.calls <- x.In.Path
		if x.In.Header("x-fail") != "" {
			return x.Fail(apierror.New(apierror.UpstreamUnavailable, "Google is away"))
		}
		return whole(x)
	}
	charge := charging.Kind(d.book)
	engine, err := pipeline.NewEngine(pipeline.Options{Log: log, Kinds: []pipeline.Kind{
		kind("who", who, pipeline.HasCaller), charge, kind("read", read, pipeline.HasFormat),
		kind("call", call, pipeline.HasReply), kind("form", form, pipeline.HasEncoder)}})
	if err == nil {
		err = engine.Apply(list{"who", "quota", "read", "call", "form"})
	}
	if err != nil {
		d.t.Fatal(err)
	}
	gate := server.New(server.Options{Engine: engine, Log: log, Quiet: true})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	d.url = "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- gate.Serve(ln) }()
	d.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		_ = gate.Shutdown(ctx)
		if err := engine.Close(ctx); err != nil {
			d.t.Errorf("exchanges left over: %v", err)
		}
		<-served
	})
}

func (d *till) ask(stream bool, change ...func(*http.Request)) reply {
	d.t.Helper()
	path, body := ask{stream: stream}.http(flash, "hello")
	g := &gateway{t: d.t, url: d.url, pass: "any"}
	return g.whole(g.request("POST", path, body, change...))
}

// settles waits until the key has used so much.
func (d *till) settles(key *apikey.Key, want int64) {
	d.t.Helper()
	wait(d.t, "what is used is as it should be", func() bool {
		b, err := d.book.Ledger.Balance(d.t.Context(), key)
		return err == nil && b.Used == want
	})
}

// No answer leaves while its charge cannot be written, and what was not served is not owed.
func TestChargeWithoutStore(t *testing.T) {
	for name, shared := range map[string]bool{"alone": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openTill(t, shared)
			for _, stream := range []bool{false, true} {
				if r := d.ask(stream); r.status != 200 {
					t.Fatalf("%d %s", r.status, r.body)
				}
			}
			d.settles(d.key, 4)
			d.flaky.Break(storetest.Fault{Err: errors.New("the disk is on fire")})
			for _, stream := range []bool{false, true} {
				r := d.ask(stream)
				if r.status < 500 || strings.Contains(string(r.body), `"hello"`) || strings.Contains(string(r.body), "on fire") || !strings.Contains(string(r.body), "could not be") {
					t.Errorf("stream %v: %d %s", stream, r.status, r.body)
				}
			}
			d.flaky.Heal()
			d.settles(d.key, 4)
			if r := d.ask(false); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
			d.settles(d.key, 6)
		})
	}
}

// One write that fails takes down the calls that it was for, and nobody else's.
func TestChargeOnShakyStore(t *testing.T) {
	for name, shared := range map[string]bool{"alone": false, "shared": true} {
		for _, late := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", lost", true: ", in doubt"}[late], func(t *testing.T) {
				t.Parallel()
				d := openTill(t, shared)
				served := d.shaken(late)
				if !late {
					d.settles(d.key, served*2) // what is given back comes behind the last byte
				}
				b, err := d.book.Ledger.Balance(t.Context(), d.key)
				if most := int64(16 * 20 * 2); err != nil || b.Used < served*2 || b.Used > most {
					t.Errorf("%v: %d answers of 2 units, %d units used", err, served, b.Used)
				}
				if served == 0 || d.flaky.Failed() == 0 {
					t.Errorf("%d answers, %d faults: this shows nothing", served, d.flaky.Failed())
				}
			})
		}
	}
}

// shaken lets many ask while a write fails after every ten answers, and says how many were answered.
func (d *till) shaken(late bool) (served int64) {
	tremble := func() {
		d.flaky.Break(storetest.Fault{Err: errors.New("it trembles"), Calls: []string{"Take", "Add", "AddOnce", "Put"}, Times: 1, Late: late})
	}
	tremble()
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 16 {
		all.Go(func() {
			for n := range 20 {
				r := d.ask(n%2 == 0)
				if r.status != 200 && r.status < 500 {
					d.t.Errorf("%d %s", r.status, r.body)
				}
				if r.status != 200 {
					time.Sleep(20 * time.Millisecond) // as a client does: or all is over before the next write
					continue
				}
				mu.Lock()
				if served++; served%10 == 0 {
					tremble()
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	d.flaky.Heal()
	return served
}

// A refund that cannot be written is said in the log, or written later; in between, others are served.
func TestRefundWithoutStore(t *testing.T) {
	for name, shared := range map[string]bool{"alone": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openTill(t, shared)
			fails := header("x-fail", "yes")
			if r := d.ask(false, fails); r.status != 502 {
				t.Errorf("%d %s", r.status, r.body)
			}
			d.settles(d.key, 0)
			d.flaky.Break(storetest.Fault{Err: errors.New("not now"), Calls: []string{"Add", "AddOnce"}, Times: 1})
			if r := d.ask(false, fails); r.status != 502 && r.status != 503 {
				t.Errorf("%d %s", r.status, r.body)
			}
			if r := d.ask(false, header("x-api-key", "other")); r.status != 200 && r.status < 500 {
				t.Errorf("%d %s", r.status, r.body)
			}
			d.flaky.Heal()
			wait(t, "the refund is written, or its loss is said", func() bool {
				b, err := d.book.Ledger.Balance(t.Context(), d.key)
				d.said.mu.Lock()
				defer d.said.mu.Unlock()
				return err == nil && (b.Used == 0 || b.Used == 2 && strings.Contains(d.said.text.String(), "refund"))
			})
		})
	}
}
