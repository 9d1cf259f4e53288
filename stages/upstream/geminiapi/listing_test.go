package geminiapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
	"gcli2api/stages/upstream/geminiapi"
	"gcli2api/store/pool"
)

func key(i int) string { return fmt.Sprintf("AIzaListing%028d", i) }

// lister is a Listing over real connections, with a clock and a log of its own.
type lister struct {
	*geminiapi.Listing
	t    *testing.T
	base atomic.Pointer[string]
	now  atomic.Int64
	mu   sync.Mutex
	log  bytes.Buffer
}

// Gemini implements geminiapi.Settings.
func (l *lister) Gemini() string { return *l.base.Load() }

func (l *lister) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

// said gives the lines of the log so far, and forgets them.
func (l *lister) said() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(l.log.String())
	l.log.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (l *lister) at(base string) { l.base.Store(&base) }

func (l *lister) pass(d time.Duration) { l.now.Add(int64(d)) }

func listing(t *testing.T, base string, keys ...string) *lister {
	t.Helper()
	l := &lister{t: t}
	l.at(base)
	l.now.Store(time.Now().UnixNano())
	p, err := pool.New(pool.Options{Settings: pool.Settings{APIKeys: keys, AutoBan: true}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := outbound.New(outbound.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	l.Listing = geminiapi.NewListing(geminiapi.ListingOptions{Settings: l, Pool: p, Caller: client,
		Log: slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Now: func() time.Time { return time.Unix(0, l.now.Load()) }})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if p.Leases() != 0 {
			t.Errorf("%d leases are out", p.Leases())
		}
		_ = client.Close()
		_ = p.Close()
	})
	return l
}

func googleWith(t *testing.T, keys ...string) *simulator.Server {
	t.Helper()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, k := range keys {
		s.AddKey(k)
	}
	return s
}

// names is what a catalogue with one known name lists.
func (l *lister) names() []string {
	l.t.Helper()
	c, err := models.New(models.Settings{Known: []string{"gemini-2.5-pro"}, Live: true, Listing: models.ListBase})
	if err != nil {
		l.t.Fatal(err)
	}
	var names []string
	for _, e := range c.With(l.Live()).List(models.Enabled{}) {
		names = append(names, e.Name)
	}
	return names
}

func (l *lister) has(name string) bool {
	return strings.Contains(" "+strings.Join(l.names(), " ")+" ", " "+name+" ")
}

func TestListing(t *testing.T) {
	s := googleWith(t, key(0))
	l := listing(t, s.URL(), key(0))
	ctx := context.Background()
	if got := l.names(); len(got) != 1 || len(s.Calls()) != 0 {
		t.Fatalf("before anybody asks: %v, %d calls", got, len(s.Calls()))
	}
	l.Refresh(ctx)
	got := l.names()
	if len(got) < 15 || got[0] != "gemini-2.5-pro" || !l.has("gemini-2.0-flash") || !l.has("text-embedding-004") || !l.has("gemini-3-pro-image") {
		t.Fatalf("got %v", got)
	}
	for _, no := range []string{"imagen-4.0-generate-001", "veo-3.1-generate-preview", "gemini-2.5-flash-native-audio-latest"} {
		if l.has(no) {
			t.Errorf("%s neither generates nor embeds", no)
		}
	}
	call := s.Calls()[0]
	if call.Method != "GET" || call.Path != "/v1beta/models" || call.Query != "pageSize=1000" || call.Status != 200 || call.Credential == "" || len(call.Body) != 0 {
		t.Errorf("%+v", call)
	}
	c, _ := models.New(models.Settings{Live: true})
	c.With(l.Live())
	if e, ok := c.Lookup("text-embedding-004"); !ok || !e.Embeds || e.Input != 2048 || e.Output != 1 || e.Display != "text embedding 004" {
		t.Errorf("%+v", e)
	}
	for range 3 {
		l.Refresh(ctx)
		l.Want(ctx)
	}
	l.pass(59 * time.Minute)
	l.Refresh(ctx)
	if n := len(s.Calls()); n != 1 {
		t.Errorf("%d calls within an hour", n)
	}
	l.pass(2 * time.Minute)
	l.Refresh(ctx)
	if n := len(s.Calls()); n != 2 {
		t.Errorf("%d calls after an hour", n)
	}
	// another address is another Google
	other := googleWith(t, key(0))
	l.at(other.URL())
	l.Refresh(ctx)
	if n := len(other.Calls()); n != 1 {
		t.Errorf("%d calls at a new address", n)
	}
	if lines := l.said(); lines != nil {
		t.Errorf("said %q", lines)
	}
}

// TestListingInPages reads the simulator's list through a door that lets through seven at a time.
func TestListingInPages(t *testing.T) {
	s := googleWith(t, key(0))
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Set("pageSize", "7")
		req, _ := http.NewRequest(r.Method, s.URL()+r.URL.Path+"?"+q.Encode(), nil)
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	defer door.Close()
	whole, paged := listing(t, s.URL(), key(0)), listing(t, door.URL, key(0))
	whole.Refresh(context.Background())
	one := len(s.Calls())
	paged.Refresh(context.Background())
	if got, want := fmt.Sprint(paged.names()), fmt.Sprint(whole.names()); got != want || one != 1 || len(s.Calls())-one < 3 {
		t.Errorf("%d calls\ngot  %s\nwant %s", len(s.Calls())-one, got, want)
	}
}

// TestListingFails: what was known stays, and the log has one line, which names no key.
func TestListingFails(t *testing.T) {
	s := googleWith(t, key(0))
	l := listing(t, s.URL(), key(0))
	l.Refresh(context.Background())
	before := len(l.names())
	for _, do := range []string{"500", "503", "cut", "502-html", "garbage"} {
		l.pass(2 * time.Hour)
		s.ClearScripts()
		s.Script(simulator.Fault{Do: do, Verb: "models", Count: 2})
		s.ForgetCalls()
		l.Refresh(context.Background())
		lines := l.said()
		if len(l.names()) != before || len(lines) != 1 || !strings.Contains(lines[0], "could not be read") {
			t.Errorf("%s: %d models, said %q", do, len(l.names()), lines)
		}
		if strings.Contains(strings.Join(lines, " "), key(0)) {
			t.Errorf("%s: the log has the key: %q", do, lines)
		}
		calls := len(s.Calls())
		l.Refresh(context.Background()) // not again at once
		if len(s.Calls()) != calls {
			t.Errorf("%s: asked again at once", do)
		}
	}
	l.pass(2 * time.Minute)
	s.ClearScripts()
	l.Refresh(context.Background())
	if lines := l.said(); lines != nil {
		t.Errorf("a minute later: %q", lines)
	}
}

// A place that gives no list may serve models all the same: the key is not blamed.
func TestListingForbidden(t *testing.T) {
	s := googleWith(t, key(0))
	l := listing(t, s.URL(), key(0))
	s.Script(simulator.Fault{Do: "403", Verb: "models"}, simulator.Fault{Do: "404", Verb: "models"})
	for range 2 {
		l.Refresh(context.Background())
		if lines := l.said(); len(lines) != 1 || l.has("gemini-2.0-flash") {
			t.Errorf("said %q, knows %v", lines, l.names())
		}
		l.pass(2 * time.Minute)
	}
	if l.Refresh(context.Background()); !l.has("gemini-2.0-flash") {
		t.Errorf("the key was switched off: %q", l.said())
	}
}

func TestListingAsksAnotherKey(t *testing.T) {
	s := googleWith(t, key(1)) // Google does not know the first one
	l := listing(t, s.URL(), key(0), key(1))
	l.Refresh(context.Background())
	if !l.has("gemini-2.0-flash") {
		t.Errorf("got %v, said %q", l.names(), l.said())
	}
	if n := len(s.Calls()); n != 2 {
		t.Errorf("%d calls", n)
	}
}

func TestListingWithoutKeys(t *testing.T) {
	s := googleWith(t)
	l := listing(t, s.URL())
	l.Want(context.Background())
	if lines := l.said(); len(lines) != 1 || len(s.Calls()) != 0 || len(l.names()) != 1 {
		t.Errorf("said %q, %d calls", lines, len(s.Calls()))
	}
}

// TestListingOnce: however many want the list, it is read once at a time, and nobody waits who has left.
func TestListingOnce(t *testing.T) {
	var calls atomic.Int64
	free := make(chan struct{})
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		<-free
		_, _ = io.WriteString(w, `{"models":[{"name":"models/new","supportedGenerationMethods":["generateContent"]}]}`)
	}))
	defer google.Close()
	l := listing(t, google.URL, key(0))
	gone, leave := context.WithCancel(context.Background())
	leave()
	l.Refresh(gone)
	l.Want(gone)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if i%2 == 0 {
				l.Refresh(context.Background())
			} else {
				l.Want(context.Background())
			}
			if !l.has("new") {
				t.Error("did not wait")
			}
		})
	}
	close(free)
	all.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// TestListingIsSlow: a request waits five seconds, and one that can do with an old list not at all.
func TestListingIsSlow(t *testing.T) {
	t.Parallel()
	var slow atomic.Bool
	end := make(chan struct{})
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			select {
			case <-end:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, `{"models":[]}`)
	}))
	defer google.Close()
	defer close(end)
	l := listing(t, google.URL, key(0))
	l.Want(context.Background())
	slow.Store(true)
	l.pass(2 * time.Hour)
	begun := time.Now()
	l.Want(context.Background())
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("waited %v for a list that is only old", took)
	}
	begun = time.Now()
	l.Refresh(context.Background())
	if took := time.Since(begun); took < 4*time.Second || took > 30*time.Second {
		t.Errorf("waited %v", took)
	}
	begun = time.Now()
	if err := l.Close(); err != nil || time.Since(begun) > 30*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	l.Refresh(context.Background())
	if lines := l.said(); lines != nil {
		t.Errorf("said %q", lines)
	}
}

func TestListingOddAnswers(t *testing.T) {
	for body, want := range map[string]string{
		`{"models":[{"name":"models/a","supportedGenerationMethods":["generateContent","embedContent"]},{"name":"models/b","supportedGenerationMethods":[]},{"name":"c"},5,{"name":5,"supportedGenerationMethods":["generateContent"]},{"name":"models/","supportedGenerationMethods":["generateContent"]},{"name":"models/a b","supportedGenerationMethods":["generateContent"]}]}`: "gemini-2.5-pro a",
		`{}`:             "gemini-2.5-pro",
		`{"models":"x"}`: "gemini-2.5-pro",
		`[]`:             "is no JSON object",
		`<html>`:         "is no JSON object",
		`{"models":[],"nextPageToken":"again&x"}`: "does not end",
	} {
		google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, body) }))
		l := listing(t, google.URL, key(0))
		l.Refresh(context.Background())
		if got := strings.Join(l.names(), " "); got != want && !strings.Contains(strings.Join(l.said(), " "), want) {
			t.Errorf("%.60s: %s", body, got)
		}
		google.Close()
	}
}
