package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

// full is a request with a value of its own in every field.
func full(id string) Request {
	return Request{ID: id, Key: "k-1", Route: "openai/stream", Answer: "openai", Model: "流式抗截断/gemini-2.5-pro", Credential: "a.json", Code: "rate_limited",
		Stream: true, Status: 429, Tries: 3, Input: 10, Output: 20, Cached: 4, Thoughts: 5, Cost: 12, First: 1500 * time.Microsecond, Took: 2 * time.Second}
}

func TestRequestsSurviveARestart(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	want := full("one")
	l.Note(want)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.open()
	want.Time = d.clock.now()
	got := all(t, d.node(), Query{})
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// What is not yet written is there, once, also while it is being written and afterwards.
func TestRowsInMemoryAreThere(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	for i := range 3 * chunkRows {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
		d.clock.add(time.Millisecond)
		if i == chunkRows+7 {
			d.flush(l)
		}
	}
	for range 2 {
		got := all(t, l, Query{Limit: 77})
		if len(got) != 3*chunkRows || got[0].ID != strconv.Itoa(3*chunkRows-1) || got[len(got)-1].ID != "0" {
			t.Errorf("%d rows, from %q to %q", len(got), got[0].ID, got[len(got)-1].ID)
		}
		d.flush(l)
	}
}

func TestTwoNodesInOrderOfTime(t *testing.T) {
	d := newDesk(t)
	a, b := d.node(), d.node()
	var want []string
	for i := range 100 {
		l, name := a, "a"
		if i%3 == 0 {
			l, name = b, "b"
		}
		name += strconv.Itoa(i)
		l.Note(Request{ID: name, Status: 200})
		want = append(want, name)
		d.clock.add(700 * time.Millisecond)
	}
	d.flush(a)
	d.flush(b)
	slices.Reverse(want)
	for _, l := range []*Log{a, b, d.node()} {
		for _, limit := range []int{1, 7, 1000} {
			if got := ids(all(t, l, Query{Limit: limit})); got != strings.Join(want, " ") {
				t.Errorf("limit %d: %s", limit, got)
			}
		}
	}
}

// Pages leave nothing out and repeat nothing, whatever is written in between: a walk has every row that was
// there when it began, in order, and nothing newer.
func TestCursorOverGrowingLog(t *testing.T) {
	for seed := range uint64(30) {
		d := newDesk(t)
		r := rand.New(rand.NewPCG(seed, 1))
		nodes := []*Log{d.node(), d.node()}
		n := 0
		grow := func(rows int) {
			for range rows {
				nodes[r.IntN(2)].Note(Request{ID: strconv.Itoa(n), Status: 200})
				n++
				d.clock.add(time.Duration(r.IntN(3)) * time.Duration([]int64{1e3, 1e6, 2e9, 4e10}[r.IntN(4)])) // often none at all
			}
		}
		grow(r.IntN(1500))
		d.clock.add(time.Microsecond)
		for _, l := range nodes {
			d.flush(l) // what another node has in its memory nobody else sees
		}
		before, last := n, d.clock.now()
		q, seen := Query{Limit: 1 + r.IntN(200)}, []string{}
		for {
			p, err := nodes[0].Requests(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range p.Rows {
				if seen = append(seen, row.ID); row.Time.After(last) {
					t.Fatalf("seed %d: a row of %s behind one of %s", seed, row.Time, last)
				}
				last = row.Time
			}
			if q.Before = p.Next; q.Before == "" {
				break
			}
			grow(r.IntN(20))
			d.flush(nodes[r.IntN(2)])
		}
		if len(seen) != before {
			t.Fatalf("seed %d: %d rows of %d", seed, len(seen), before)
		}
		found := map[string]bool{}
		for _, id := range seen {
			found[id] = true
		}
		if len(found) != before {
			t.Fatalf("seed %d: %d different rows of %d", seed, len(found), before)
		}
	}
}

func TestClockThatGoesBack(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	for i, step := range []time.Duration{time.Second, -time.Hour, time.Second, 2 * time.Hour, -time.Millisecond, time.Second} {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
		d.clock.add(step)
	}
	for range 2 {
		if got := ids(all(t, l, Query{Limit: 2})); got != "5 4 1 0 3 2" {
			t.Errorf("%s", got)
		}
		d.flush(l)
	}
}

func TestFilters(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	begin := d.clock.now()
	note := func(r Request) {
		l.Note(r)
		d.clock.add(time.Minute)
	}
	note(Request{ID: "boot-1", Key: "k1", Route: "openai/generate", Model: "gemini-2.5-pro", Credential: "a.json", Status: 200})
	note(Request{ID: "boot-2", Key: "k2", Route: "openai/stream", Model: "gemini-2.5-flash", Credential: "b.json", Status: 429, Code: "rate_limited"})
	note(Request{ID: "boot-3", Key: "refused", Route: "gemini/generate", Model: "gemini-2.5-pro-search", Status: 401, Code: "unauthorized"})
	note(Request{ID: `q"uo\te`, Key: "k1", Route: "gemini/count", Model: "假流式/gemini-2.5-pro", Credential: `<b>&.json`, Status: 499, Code: "client_gone"})
	for range 2 {
		for name, c := range map[string]struct {
			q    Query
			want string
		}{
			"all":             {Query{}, `q"uo\te boot-3 boot-2 boot-1`},
			"key":             {Query{Key: "k1"}, `q"uo\te boot-1`},
			"credential":      {Query{Credential: "b.json"}, "boot-2"},
			"odd credential":  {Query{Credential: "<b>&.json"}, `q"uo\te`},
			"model":           {Query{Model: "gemini-2.5-pro"}, "boot-1"},
			"model glob":      {Query{Model: "*gemini-2.5-pro*"}, `q"uo\te boot-3 boot-1`},
			"status":          {Query{Status: "429"}, "boot-2"},
			"class":           {Query{Status: "4xx"}, `q"uo\te boot-3 boot-2`},
			"code":            {Query{Code: "unauthorized"}, "boot-3"},
			"route":           {Query{Route: "gemini/*"}, `q"uo\te boot-3`},
			"part of an id":   {Query{Text: "oot-"}, "boot-3 boot-2 boot-1"},
			"odd part":        {Query{Text: `"uo\t`}, `q"uo\te`},
			"part of a name":  {Query{Text: ".json"}, `q"uo\te boot-2 boot-1`},
			"part of a key":   {Query{Text: "k2"}, "boot-2"},
			"from":            {Query{From: begin.Add(2 * time.Minute)}, `q"uo\te boot-3`},
			"to":              {Query{To: begin.Add(time.Minute)}, "boot-2 boot-1"},
			"from and to":     {Query{From: begin.Add(time.Minute), To: begin.Add(2 * time.Minute)}, "boot-3 boot-2"},
			"nothing":         {Query{Key: "k1", Status: "429"}, ""},
			"one":             {Query{id: "boot-2"}, "boot-2"},
			"part is not one": {Query{id: "boot"}, ""},
		} {
			if got := ids(all(t, l, c.q)); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
		d.flush(l)
	}
	if r, found, _, err := l.Request(context.Background(), "boot-2", ""); err != nil || !found || r.Key != "k2" {
		t.Errorf("%+v %v %v", r, found, err)
	}
}

// A question that fits nothing does not read everything: it says where to go on, and gets there.
func TestLookIsBounded(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	l.Note(Request{ID: "needle", Model: "rare", Status: 200})
	for range budgetRows + 2*chunkRows {
		l.Note(Request{ID: "x", Model: "often", Status: 200})
		d.clock.add(20 * time.Millisecond)
	}
	d.flush(l)
	p, err := l.Requests(context.Background(), Query{Model: "rare"})
	if err != nil || len(p.Rows) != 0 || p.Next == "" || p.Full {
		t.Fatalf("%+v %v", p, err)
	}
	if got := ids(all(t, l, Query{Model: "rare"})); got != "needle" {
		t.Errorf("found %q", got)
	}
}

func TestRetention(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	note := func(id string) {
		l.Note(Request{ID: id, Status: 200})
		d.clock.add(24 * time.Hour)
		d.flush(l)
	}
	for _, id := range []string{"mon", "tue", "wed", "thu"} {
		note(id)
	}
	check := func(want string) {
		t.Helper()
		if got := ids(all(t, l, Query{})); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check("thu wed tue mon")
	d.kept.Requests = 60 * time.Hour
	check("thu wed") // at once
	l.tidy(context.Background())
	d.kept.Requests = 7 * 24 * time.Hour
	check("thu wed") // what was removed does not come back
	d.clock.add(5*24*time.Hour + time.Hour)
	check("thu")
	docs, err := d.store.List(context.Background(), store.Requests, "", 100)
	if err != nil || len(docs) != 1 {
		t.Errorf("%d documents, %v", len(docs), err)
	}
	d.kept.Requests = 0
	check("")
	l.tidy(context.Background())
	l.Note(Request{ID: "off", Status: 200})
	d.flush(l)
	d.kept.Requests = time.Hour
	check("")
	if docs, _ := d.store.List(context.Background(), store.Requests, "", 100); len(docs) != 0 {
		t.Errorf("%d documents are left", len(docs))
	}
	l.tidy(context.Background())
	l.Note(Request{ID: "on", Status: 200})
	check("on")
}

// A store that is away costs nothing for a while, then the oldest, and that is said.
func TestStoreThatIsAway(t *testing.T) {
	d := newDesk(t)
	flaky := &storetest.Flaky{Store: d.store}
	l := d.nodeOn(flaky)
	l.Note(Request{ID: "first", Status: 200})
	d.flush(l)
	flaky.Break(storetest.Fault{Err: errors.New("the cable is out"), Calls: []string{"Put"}})
	for i := range maxWaiting + 3*chunkRows {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
		d.clock.add(time.Millisecond)
		if i%1000 == 0 && l.flush(context.Background()) {
			t.Fatal("written without a store")
		}
	}
	lost := l.Lost()
	if lost == 0 || lost > 4*chunkRows {
		t.Errorf("%d lost", lost)
	}
	flaky.Heal()
	d.flush(l)
	got := all(t, l, Query{Limit: 1000})
	if want := maxWaiting + 3*chunkRows + 1 - int(lost); len(got) != want || got[len(got)-1].ID != "first" {
		t.Errorf("%d rows, want %d; the oldest is %q", len(got), want, got[len(got)-1].ID)
	}
	if p, _ := l.Requests(context.Background(), Query{}); p.Lost != lost {
		t.Errorf("the page says %d lost", p.Lost)
	}
	if said := d.said.String(); strings.Count(said, "cannot be written") != 1 || !strings.Contains(said, fmt.Sprintf("lost_since_start=%d", lost)) || !strings.Contains(said, "written again") {
		t.Errorf("the log says %s", said)
	}
}

func TestTextsOfClientsAreBoundedAndPlain(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	l.Note(Request{ID: "a", Model: "x\x1b[31m\r\nforged line\u202eevil\x00\xff" + strings.Repeat("€", 500), Status: 400})
	for range 3 * chunkRows { // the longest that there are
		l.Note(Request{ID: strings.Repeat("\"", 500), Model: strings.Repeat("<", 500), Key: strings.Repeat("\x01", 500), Credential: strings.Repeat("\\", 500), Status: 400})
	}
	d.flush(l)
	r := all(t, l, Query{id: "a"})[0]
	if strings.ContainsAny(r.Model, "\x1b\r\n\x00\u202e") || !utf8.ValidString(r.Model) || len(r.Model) > 3*maxText || !strings.HasPrefix(r.Model, "x�[31m��forged line�evil�") {
		t.Errorf("%q", r.Model)
	}
	docs, err := d.store.List(context.Background(), store.Requests, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		if len(doc.Body) > 512<<10 {
			t.Errorf("a document of %d bytes", len(doc.Body))
		}
	}
}

func TestDamagedDocumentsAreSaidAndPassedOver(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	l.Note(Request{ID: "good", Status: 200})
	d.flush(l)
	at := place{d.clock.now().UnixMicro(), "abcd", 1}
	for i, body := range []string{`{}`, `[]`, `{"v":1,"last":1,"n":5,"rows":[{"t":"x"}]}`, `{"v":2,"last":1,"n":1,"rows":[]}`, `{"v":1,"last":9,"n":3,"rows":[]}`} {
		at.no = uint64(i)
		if _, err := d.store.Put(context.Background(), store.Requests, store.Doc{ID: at.id(), Body: []byte(body)}, store.Any); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.store.Put(context.Background(), store.Requests, store.Doc{ID: "0000stray", Body: []byte(`1`)}, store.Any); err != nil {
		t.Fatal(err)
	}
	if got := ids(all(t, l, Query{})); got != "good" {
		t.Errorf("%q", got)
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	d := newDesk(t)
	l, err := Open(context.Background(), Options{Store: d.store, Settings: func() Settings { return d.kept }})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 1000 {
				l.Note(Request{ID: fmt.Sprintf("%d-%d", g, i), Status: 200})
				if i%100 == 0 {
					if _, err := l.Requests(context.Background(), Query{Limit: 1000}); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, r := range all(t, l, Query{Limit: 1000}) {
		found[r.ID] = true
	}
	if len(found) != 8000 {
		t.Errorf("%d rows", len(found))
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(place{1, "abcd", 7}.id())
	f.Add(newest().id())
	f.Add("0000000000000000--ffffffffffff")
	f.Add("ffffffffffffffff-a-0")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := cursorOf(text)
		if err != nil || text == "" {
			return
		}
		if again, err := cursorOf(p.id()); err != nil || again != p {
			t.Errorf("%q is %+v, and back %+v, %v", text, p, again, err)
		}
	})
}

func BenchmarkNote(b *testing.B) {
	l := begin(Options{})
	r := full("boot-123456")
	b.ReportAllocs()
	for b.Loop() {
		l.Note(r)
	}
}

// Strangers make as many requests as they like: a minute has room for some of them, and the log says how many
// more there were. Whoever was let in has a row for each.
func TestFloodOfStrangers(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	const flood, known = 5000, 300
	for i := range flood {
		l.Note(Request{ID: "stranger", Key: "refused", Status: 401, Stranger: true})
		if i < known {
			l.Note(Request{ID: "known", Key: "key-1", Status: 429})
		}
	}
	l.tidy(context.Background())
	for range flood {
		l.Note(Request{ID: "stranger", Key: "refused", Status: 401, Stranger: true})
	}
	l.tidy(context.Background())
	told := d.said.String()
	if n := strings.Count(told, "there are too many"); n != 1 || !strings.Contains(told, "left_out="+strconv.Itoa(flood-strangersRows)) {
		t.Errorf("told %d times: %s", n, told)
	}
	d.clock.add(time.Minute)
	l.Note(Request{ID: "later", Key: "refused", Status: 401, Stranger: true})
	l.tidy(context.Background())
	if got := len(all(t, l, Query{Key: "refused"})); got != strangersRows+1 {
		t.Errorf("%d rows of strangers", got)
	}
	if got := len(all(t, l, Query{Key: "key-1"})); got != known {
		t.Errorf("%d rows of a key", got)
	}
	if told = d.said.String(); !strings.Contains(told, "left_out="+strconv.Itoa(flood)+" ") {
		t.Error("the second minute is not told of: " + told)
	}
	for range strangersRows + 7 {
		l.Note(Request{Key: "refused", Stranger: true})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if told = d.said.String(); !strings.Contains(told, "left_out=8 ") {
		t.Error("the end is not told of: " + told)
	}
}

// A key in the place of the model is not kept.
func TestKeyForAModelIsMasked(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	key := "sk-" + strings.Repeat("aB3_-", 8) + "xyz"
	l.Note(Request{Key: "refused", Model: "models/" + key})
	l.Note(Request{Key: "refused", Model: "gemini-2.5-pro-preview-06-05-maxthinking-search"})
	d.flush(l)
	got := all(t, l, Query{})
	if len(got) != 2 || strings.Contains(got[1].Model, "aB3") || got[0].Model != "gemini-2.5-pro-preview-06-05-maxthinking-search" {
		t.Errorf("%+v", got)
	}
}
