package rekey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/seal"
	"gcli2api/store/storetest"
)

const (
	oldSecret = "the secret key of before"
	newSecret = "5f0c7a1e9b3d48624c1f0e8a7d6b5c3920f1e2d3c4b5a69788796a5b4c3d2e1f"
)

const account = `{"client_id": "c", "client_secret": "s3cr-c", "refresh_token": "1//s3cr-r", "mine": [1]}`

// house is a store and a folder as a gateway leaves them; each secret has "s3cr" in it but the API key.
type house struct {
	t      *testing.T
	store  *storetest.Flaky
	folder string
	key    string // an API key with a copy
	id     string
}

func newHouse(t *testing.T, ring *seal.Ring) *house {
	t.Helper()
	h := &house{t: t, folder: t.TempDir()}
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(h.folder, ".gcli2api.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	h.store = &storetest.Flaky{Store: db}
	sealed := oauth.Sealed{Ring: ring}
	text := func(name, plain string) []byte {
		b, err := sealed.Seal(name, []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	grave := `{"id":"g","file":"b.json","credential":` + account + `}`
	for name, plain := range map[string]string{"a.json": account, "list.json": "[" + account + ",\n " + account + "]", ".quarantine/g.json": grave,
		"lines.jsonl": account + "\n" + `{"type":"gemini_api_key","api_key":"s3cr"}`} {
		path := filepath.Join(h.folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text(name, plain), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	lines, _ := json.Marshal(string(text("l.jsonl", account+"\n"+account)))
	h.put(store.Credentials, "a.json", text("a.json", account))
	h.put(store.Credentials, "l.jsonl", lines)
	h.put(store.Credentials, ".quarantine/g.json", text("g.json", grave))
	h.put(store.Credentials, ".changes", []byte(`{"n":1,"last":["a.json"]}`))
	m, err := pool.Remember(t.Context(), h.store, slog.New(slog.DiscardHandler), ring)
	if err != nil {
		t.Fatal(err)
	}
	m.Save("a.json", pool.State{Of: "x", AccessToken: "s3cr-a", TokenUntil: time.Now().UTC(), RefreshToken: "s3cr-r"})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	secret, err := ring.SealText(seal.PanelSecret, "s3cr-jwt")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ring.SealText(seal.Setting, "AIza-s3cr")
	if err != nil {
		t.Fatal(err)
	}
	h.put(store.Settings, "overrides", fmt.Appendf(nil, `{"pool.calls_per_rotation":12345678901234567890,"pool.gemini_api_keys":[%q]}`, key))
	h.put(store.Panel, "door", fmt.Appendf(nil, `{"epoch": 1, "secret": %q}`, secret))
	if ring.Seals() {
		book := h.book(ring)
		one, key, err := book.Keys.Create(t.Context(), apikey.Terms{Quota: 9})
		if err != nil {
			t.Fatal(err)
		}
		h.key, h.id = key, one.ID
		if err := book.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *house) book(ring *seal.Ring) *apikey.Book {
	h.t.Helper()
	b, err := apikey.Open(h.t.Context(), apikey.Options{Store: h.store, Log: slog.New(slog.DiscardHandler), Ring: ring,
		Settings: func() apikey.Settings { return apikey.Settings{Reveal: true, DefaultCost: 1} }})
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) put(t store.Table, id string, body []byte) {
	h.t.Helper()
	if _, err := h.store.Put(h.t.Context(), t, store.Doc{ID: id, Body: body}, store.Any); err != nil {
		h.t.Fatal(err)
	}
}

// everything is all texts that lie there, by name.
func (h *house) everything() map[string]string {
	h.t.Helper()
	all := map[string]string{}
	for _, t := range store.Tables() {
		docs, err := h.store.List(h.t.Context(), t, "", 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, d := range docs {
			all[string(t)+" "+d.ID] = string(d.Body)
		}
	}
	err := filepath.WalkDir(h.folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		data, err := os.ReadFile(path)
		all["file "+d.Name()] = string(data)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// plain is how many secrets lie there plain.
func (h *house) plain() (n int) {
	for _, text := range h.everything() {
		n += strings.Count(text, "s3cr")
	}
	return n
}

func (h *house) run(o Options) (Count, error) {
	o.Store, o.Folder, o.Config = h.store, h.folder, settingsOf(h.t)
	return Run(h.t.Context(), o)
}

// settingsOf are those of a gateway that nobody has set up.
func settingsOf(t *testing.T) *config.Snapshot {
	t.Helper()
	c, err := config.Load(config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (h *house) mustRun(o Options) Count {
	h.t.Helper()
	c, err := h.run(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// secretsThere is how many secrets a house has besides the copy of an API key.
const secretsThere = 2 + 4 + 3 + 2 + 2 + 4 + 2 + 2 + 1 + 1

func TestRotate(t *testing.T) {
	h := newHouse(t, seal.New(oldSecret))
	before := h.everything()
	both := seal.New(newSecret, oldSecret)
	if c := h.mustRun(Options{Ring: both, Dry: true}); c.Secrets != secretsThere+1 || c.Stuck != 0 || fmt.Sprint(h.everything()) != fmt.Sprint(before) {
		t.Errorf("dry: %v", c)
	}
	var told []string
	c := h.mustRun(Options{Ring: both, Tell: func(kind string, _ Count) { told = append(told, kind) }})
	if c.Secrets != secretsThere+1 || c.Changed != 4+3+1+1+1+1 || c.Stuck != 0 || len(slices.Compact(told)) != 6 {
		t.Errorf("%v, told of %v", c, told)
	}
	for name, text := range h.everything() {
		if strings.Contains(text, "s3cr") || h.key != "" && strings.Contains(text, h.key) {
			t.Errorf("%s: a secret lies there plain", name)
		}
	}
	if c := h.mustRun(Options{Ring: both}); c.Secrets != 0 || c.Changed != 0 {
		t.Errorf("a second time: %v", c)
	}
	only := seal.New(newSecret)
	if c := h.mustRun(Options{Ring: only, Dry: true}); c.Secrets != 0 || c.Stuck != 0 {
		t.Errorf("without the old key: %v", c)
	}
	book := h.book(only)
	if got, err := book.Keys.Reveal(h.id); err != nil || got != h.key {
		t.Error("the copy of an API key:", err)
	}
	_ = book.Close()
	m, err := pool.Remember(t.Context(), h.store, slog.New(slog.DiscardHandler), only)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := m.Load("a.json"); s.AccessToken != "s3cr-a" || s.RefreshToken != "s3cr-r" {
		t.Errorf("the state: %+v", s)
	}
	_ = m.Close()
	if c := h.mustRun(Options{Ring: seal.New("", newSecret)}); c.Secrets != secretsThere || h.plain() != secretsThere {
		t.Errorf("back to plain: %v, %d lie there", c, h.plain()) // the copy of an API key stays sealed
	}
	list, _ := os.ReadFile(filepath.Join(h.folder, "list.json"))
	if string(list) != "["+account+",\n "+account+"]" {
		t.Errorf("%s", list)
	}
}

// With the first key what is plain is sealed.
func TestFirstKey(t *testing.T) {
	h := newHouse(t, nil)
	if n := h.plain(); n != secretsThere {
		t.Fatalf("%d secrets", n)
	}
	if c := h.mustRun(Options{Ring: seal.New(newSecret)}); c.Secrets != secretsThere || h.plain() != 0 {
		t.Errorf("%v, %d lie there plain", c, h.plain())
	}
}

// What no key opens is counted and left alone.
func TestStuck(t *testing.T) {
	h := newHouse(t, seal.New(oldSecret))
	before := h.everything()
	if c := h.mustRun(Options{Ring: seal.New(newSecret)}); c.Stuck != secretsThere+1 || c.Secrets != 0 || fmt.Sprint(h.everything()) != fmt.Sprint(before) || !strings.Contains(c.String(), "stay sealed") {
		t.Errorf("%v", c)
	}
}

// dying fails each Put but the first ones.
type dying struct {
	store.Store
	left int
}

func (d *dying) Put(ctx context.Context, t store.Table, doc store.Doc, when store.Rev) (store.Rev, error) {
	if d.left--; d.left < 0 {
		return 0, errors.New("away")
	}
	return d.Store.Put(ctx, t, doc, when)
}

// It breaks off behind each write in turn, and goes on where it was.
func TestGoesOn(t *testing.T) {
	h := newHouse(t, seal.New(oldSecret))
	both := seal.New(newSecret, oldSecret)
	sum, turns := 0, 0
	for {
		c, err := Run(t.Context(), Options{Store: &dying{h.store, 1}, Folder: h.folder, Config: settingsOf(t), Ring: both})
		sum += c.Secrets
		if turns++; err == nil {
			break
		}
		if !strings.Contains(err.Error(), "away") || turns > 20 {
			t.Fatal(turns, err)
		}
	}
	if sum != secretsThere+1 || turns != 7 {
		t.Errorf("%d secrets in %d turns", sum, turns)
	}
	if c := h.mustRun(Options{Ring: seal.New(newSecret), Dry: true}); c.Secrets != 0 || c.Stuck != 0 {
		t.Errorf("at the end: %v", c)
	}
}

// meddler writes a document before each Put of it, for a while.
type meddler struct {
	store.Store
	left int
}

func (m *meddler) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if m.left--; m.left >= 0 {
		there, err := m.Store.Get(ctx, t, d.ID)
		if err != nil {
			return 0, err
		}
		there.Body = []byte(strings.Replace(string(there.Body), `"mine"`, `"moved"`, 1))
		if _, err := m.Store.Put(ctx, t, there, store.Any); err != nil {
			return 0, err
		}
	}
	return m.Store.Put(ctx, t, d, when)
}

// What a gateway writes meanwhile is not lost.
func TestMeanwhile(t *testing.T) {
	h := newHouse(t, seal.New(oldSecret))
	o := Options{Store: &meddler{h.store, 3}, Config: settingsOf(t), Ring: seal.New(newSecret, oldSecret)}
	if c, err := Run(t.Context(), o); err != nil || c.Stuck != 0 {
		t.Fatal(c, err)
	}
	if c := h.mustRun(Options{Ring: seal.New(newSecret, oldSecret), Dry: true, Hold: func(func() error) error { return nil }}); c.Secrets != 0 {
		t.Errorf("%v are left", c)
	}
	moved := 0
	for _, text := range h.everything() {
		moved += strings.Count(text, `"moved"`)
	}
	if moved == 0 {
		t.Error("what was written meanwhile is gone")
	}
}

func TestWish(t *testing.T) {
	for _, c := range []struct {
		wish Wish
		ring *seal.Ring
		says string
	}{
		{Wish{}, seal.New(newSecret), ""},
		{Wish{Plain: true}, seal.New("", oldSecret), ""},
		{Wish{}, seal.New(""), "set SECRET_KEY"},
		{Wish{}, nil, "set SECRET_KEY"},
		{Wish{}, seal.New("", oldSecret), "-plain"},
		{Wish{Plain: true}, seal.New(newSecret), "OLD_SECRET_KEYS"},
		{Wish{Plain: true}, nil, "OLD_SECRET_KEYS"},
	} {
		if err := c.wish.Fits(c.ring); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.wish, err)
		}
	}
}

func BenchmarkFiles(b *testing.B) {
	const n = 1000
	dir := b.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.json", i)), []byte(account), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	secrets := []string{newSecret, strings.ToUpper(newSecret)}
	for i := 0; b.Loop(); i++ {
		o := Options{Folder: dir, Ring: seal.New(secrets[i%2], secrets[(i+1)%2]), Hold: func(f func() error) error { return f() }}
		if _, err := o.files(b.Context(), oauth.Sealed{Ring: o.Ring}.Reseal, func(Count) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "files/s")
}

// TestManyDocuments: all of a table are sealed anew, however many there are, of the last one as well.
func TestManyDocuments(t *testing.T) {
	before, now := seal.New(oldSecret), seal.New(newSecret, oldSecret)
	h := newHouse(t, before)
	text, err := oauth.Sealed{Ring: before}.Seal("a.json", []byte(account))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2*page + 1 {
		h.put(store.Credentials, fmt.Sprintf("many-%04d.json", i), text)
	}
	if _, err := Run(t.Context(), Options{Store: h.store, Config: settingsOf(t), Ring: now}); err != nil {
		t.Fatal(err)
	}
	docs, err := h.store.List(t.Context(), store.Credentials, "", 10*page)
	if err != nil || len(docs) < 2*page {
		t.Fatal(len(docs), err)
	}
	for _, doc := range docs {
		if _, n, stuck, err := (oauth.Sealed{Ring: now}).Reseal(doc.ID, doc.Body); strings.HasPrefix(doc.ID, "many-") && (n != 0 || stuck != 0 || err != nil) {
			t.Fatalf("%s is sealed with the key of before: %d %d %v", doc.ID, n, stuck, err)
		}
	}
}
