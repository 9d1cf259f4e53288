package auth

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
)

func book(t testing.TB) *apikey.Book {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := apikey.Open(t.Context(), apikey.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = b.Close(), db.Close() })
	return b
}

func made(t testing.TB, b *apikey.Book, terms apikey.Terms) (*apikey.Key, string) {
	t.Helper()
	terms.Quota = 1000
	one, secret, err := b.Keys.Create(t.Context(), terms)
	if err != nil {
		t.Fatal(err)
	}
	return one, secret
}

// from asks the stage as somebody at an address.
func from(b *apikey.Book, peer string, verb pipeline.Verb, f pipeline.Fixed) (*pipeline.Exchange, pipeline.Verdict) {
	x := pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI, Verb: verb}, Client: f, Peer: net.ParseIP(peer)})
	return x, (&stage{access: access{password: "secret"}, book: b}).Process(x)
}

func TestAKeyInEveryPlace(t *testing.T) {
	b := book(t)
	one, secret := made(t, b, apikey.Terms{Group: "paid", Models: []string{"gemini-*"}})
	places := spots(secret)
	places["api_key"] = query("api_key", secret)
	for name, f := range places {
		x, v := from(b, "", pipeline.Generate, f)
		if v != pipeline.Next || x.Caller.Kind != "key" || x.Caller.ID != one.ID || x.Caller.Group != "paid" || len(x.Caller.Models) != 1 {
			t.Errorf("%s: verdict %v, caller %+v, %v", name, v, x.Caller, x.Reply.Err)
		}
	}
	if at := b.Keys.LastUsed(one.ID); time.Since(at) > time.Minute {
		t.Errorf("last used %s", at)
	}
	for name, f := range map[string]pipeline.Fixed{
		"a wrong key":              header("x-api-key", apikey.NewSecret()),
		"a wrong one as ?api_key=": query("api_key", apikey.NewSecret()),
		"the mask":                 header("x-api-key", one.Mask),
		"the id":                   header("x-api-key", one.ID),
		"space in it":              header("x-api-key", secret[:20]+" "+secret[20:]),
		"control characters":       header("x-api-key", secret+"\x00\x1f"),
		"10 MB":                    query("key", strings.Repeat("k", 10<<20)),
		"10 MB that begin well":    query("key", secret+strings.Repeat("k", 10<<20)),
	} {
		x, v := from(b, "", pipeline.Generate, f)
		if refused(t, x, v, "the password or API key is wrong"); t.Failed() {
			t.Fatal(name)
		}
	}
}

// What is wrong with a key is told to who has it, and to nobody else.
func TestKeysThatAreRefused(t *testing.T) {
	b := book(t)
	expires := time.Now().Add(time.Hour)
	disabled, off := made(t, b, apikey.Terms{})
	if _, err := b.Keys.Edit(t.Context(), disabled.ID, func(t *apikey.Terms) error { t.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	_, there := made(t, b, apikey.Terms{Addresses: []string{"192.0.2.0/24"}})
	_, good := made(t, b, apikey.Terms{Expires: expires})
	for _, c := range []struct {
		name, secret, peer string
		beside             string // another secret
		code               apierror.Code
		says               string // "" lets in
	}{
		{"disabled", off, "192.0.2.1", "", apierror.Unauthorized, "the API key is disabled: ask the operator of this gateway"},
		{"disabled, beside nonsense", off, "192.0.2.1", "nonsense", apierror.Unauthorized, "the API key is disabled: ask the operator of this gateway"},
		{"disabled, beside a good one", off, "192.0.2.1", good, "", ""},
		{"disabled, beside the password", off, "192.0.2.1", "secret", "", ""},
		{"disabled, beside one from elsewhere", off, "198.51.100.1", there, apierror.Unauthorized, "the API key is disabled: ask the operator of this gateway"},
		{"from elsewhere, beside a disabled one", there, "198.51.100.1", off, apierror.Forbidden, "the API key may not be used from this address"},
		{"from its place", there, "192.0.2.1", "", "", ""},
		{"from elsewhere", there, "198.51.100.1", "", apierror.Forbidden, "the API key may not be used from this address"},
		{"from nowhere", there, "", "", apierror.Forbidden, "the API key may not be used from this address"},
		{"before it expires", good, "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := header("Authorization", "Bearer "+c.secret)
			f.Headers["x-api-key"] = c.beside
			x, v := from(b, c.peer, pipeline.Generate, f)
			switch fail := x.Reply.Err; {
			case c.says == "" && (v != pipeline.Next || x.Caller.Kind == ""):
				t.Errorf("verdict %v, %v", v, fail)
			case c.says != "" && (v != pipeline.Respond || x.Caller.Kind != "" || fail.Code != c.code || fail.Message != c.says):
				t.Errorf("verdict %v, caller %+v, %v", v, x.Caller, fail)
			}
		})
	}
	if !b.Keys.LastUsed(disabled.ID).IsZero() {
		t.Error("a refused key counts as used")
	}
	x, _ := from(b, "", pipeline.Generate, header("x-api-key", off[:45]))
	if fail := x.Reply.Err; fail == nil || fail.Message != "the password or API key is wrong" {
		t.Errorf("nearly a key: %v", fail)
	}
}

// What the operator changes counts for the next request.
func TestKeysAtOnce(t *testing.T) {
	b := book(t)
	one, secret := made(t, b, apikey.Terms{})
	status := func(secret string) int {
		x, v := from(b, "", pipeline.Generate, header("x-api-key", secret))
		if v == pipeline.Next {
			return 200
		}
		return x.Reply.Err.Status
	}
	set := func(change func(*apikey.Terms)) {
		t.Helper()
		if _, err := b.Keys.Edit(t.Context(), one.ID, func(t *apikey.Terms) error { change(t); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(func(t *apikey.Terms) { t.Disabled = true })
	if got := status(secret); got != 401 {
		t.Errorf("disabled: %d", got)
	}
	set(func(t *apikey.Terms) { t.Disabled = false })
	if got := status(secret); got != 200 {
		t.Errorf("enabled again: %d", got)
	}
	_, second, err := b.Keys.Rotate(t.Context(), one.ID)
	if err != nil || status(secret) != 401 || status(second) != 200 {
		t.Errorf("rotated: the old one %d, the new one %d, %v", status(secret), status(second), err)
	}
	if err := b.Keys.Delete(t.Context(), one.ID); err != nil || status(second) != 401 {
		t.Errorf("deleted: %d, %v", status(second), err)
	}
}

// A public list is open to who brings a key that is refused elsewhere, too.
func TestPublicModelsWithAKey(t *testing.T) {
	b := book(t)
	one, secret := made(t, b, apikey.Terms{})
	for _, off := range []bool{false, true} {
		if _, err := b.Keys.Edit(t.Context(), one.ID, func(t *apikey.Terms) error { t.Disabled = off; return nil }); err != nil {
			t.Fatal(err)
		}
		x := pipeline.NewExchange(context.Background(), pipeline.Request{Route: pipeline.Route{Verb: pipeline.List}, Client: header("x-api-key", secret)})
		v := (&stage{access: access{"secret", true}, book: b}).Process(x)
		if want := map[bool]string{false: "key", true: "anonymous"}[off]; v != pipeline.Next || x.Caller.Kind != want {
			t.Errorf("disabled %v: %+v", off, x.Caller)
		}
	}
}

// Finding out who would be let in is no use of a key.
func TestATrialIsNoUse(t *testing.T) {
	b := book(t)
	one, secret := made(t, b, apikey.Terms{})
	x := pipeline.NewExchange(context.Background(), pipeline.Request{Trial: true, Client: header("x-api-key", secret)})
	if v := (&stage{access: access{password: "secret"}, book: b}).Process(x); v != pipeline.Next || !b.Keys.LastUsed(one.ID).IsZero() {
		t.Errorf("verdict %v, used %s", v, b.Keys.LastUsed(one.ID))
	}
}

// The password costs no more than before there were keys, and a key no memory.
func TestNothingIsAllocated(t *testing.T) {
	b := book(t)
	_, secret := made(t, b, apikey.Terms{Addresses: []string{"192.0.2.0/24"}, Models: []string{"*"}})
	for name, c := range map[string]struct {
		book  *apikey.Book
		given string
	}{"password": {b, "secret"}, "password without keys": {nil, "secret"}, "key": {b, secret}} {
		x, s := request(c.given), &stage{access: access{password: "secret"}, book: c.book}
		if n := testing.AllocsPerRun(100, func() {
			if s.Process(x) != pipeline.Next {
				t.Fatal("refused")
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func request(given string) *pipeline.Exchange {
	return pipeline.NewExchange(context.Background(), pipeline.Request{Client: header("Authorization", "Bearer "+given), Peer: net.IPv4(192, 0, 2, 1)})
}

func BenchmarkProcess(b *testing.B) {
	keys := book(b)
	if _, err := keys.Keys.CreateMany(b.Context(), apikey.Terms{Quota: 1}, 1000); err != nil {
		b.Fatal(err)
	}
	_, secret := made(b, keys, apikey.Terms{Addresses: []string{"192.0.2.0/24"}, Models: []string{"*"}})
	for _, c := range []struct {
		name  string
		book  *apikey.Book
		given string
	}{{"password", keys, "secret"}, {"password, no keys", nil, "secret"}, {"known key", keys, secret}, {"unknown key", keys, apikey.NewSecret()}} {
		b.Run(c.name, func(b *testing.B) {
			s := &stage{access: access{password: "secret"}, book: c.book}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				x := request(c.given)
				for pb.Next() {
					s.Process(x)
				}
			})
		})
	}
}
