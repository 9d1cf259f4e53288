package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

// What is only in memory when the log is switched off is not written later.
func TestRowsThatWaitWhenTheLogIsSwitchedOff(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	l.Note(Request{ID: "waits", Status: 200})
	d.kept.Requests = 0
	l.tidy(context.Background())
	d.kept.Requests = time.Hour
	l.tidy(context.Background())
	d.flush(l)
	l.Note(Request{ID: "later", Status: 200})
	if got := ids(all(t, l, Query{})); got != "later" {
		t.Errorf("%q", got)
	}
}

// Changes are kept for their own time, and requests for theirs, counted from the last row of a document.
func TestHowLongThingsAreKept(t *testing.T) {
	d := newDesk(t)
	d.kept = Settings{Requests: time.Hour, Changes: 3 * time.Hour}
	l := d.node()
	d.change(l, Change{Target: "a"})
	l.Note(Request{ID: "first", Status: 200})
	d.clock.add(20 * time.Second)
	l.Note(Request{ID: "last", Status: 200})
	d.flush(l)
	l = d.node() // with nothing in memory
	for _, c := range []struct {
		after         time.Duration
		rows, targets string
	}{
		{time.Hour - 20*time.Second, "last first", "a"},
		{time.Second, "last", "a"}, // its document is older
		{18 * time.Second, "last", "a"},
		{2 * time.Second, "", "a"},
		{2*time.Hour - 90*time.Second, "", "a"},
		{time.Minute, "", ""},
	} {
		d.clock.add(c.after)
		for _, one := range l.trims {
			one.kept, one.clean = -1, false // as after a start
		}
		l.tidy(context.Background())
		if rows, changes := ids(all(t, l, Query{})), targets(changesOf(t, l, Search{})); rows != c.rows || changes != c.targets {
			t.Errorf("%s: %q and %q, want %q and %q", d.clock.now(), rows, changes, c.rows, c.targets)
		}
	}
}

// However much has to go goes, some of it at each look.
func TestMuchThatHasToGo(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range trimStep / 8 * 2 {
				if err := l.Changed(context.Background(), Change{Target: "old"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	d.clock.add(time.Hour)
	d.change(l, Change{Target: "new"})
	d.kept.Changes = 2 * time.Minute
	for range 3 {
		l.tidy(context.Background())
	}
	if docs, err := d.store.List(context.Background(), store.Changes, "", 10); err != nil || len(docs) != 1 {
		t.Errorf("%d documents are left, or more; %v", len(docs), err)
	}
}

func TestWhichRefusalsAreWrittenAtOnce(t *testing.T) {
	begin := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var r crowd
	first := func(from string, status int, at time.Time) bool {
		return r.first(Change{From: from, Status: status, Time: at})
	}
	if !first("a", 401, begin) || first("a", 401, begin) || !first("a", 403, begin) {
		t.Error("of one address the first of each answer is a row")
	}
	for i := range crowdRows {
		if got := first(fmt.Sprint("of-", i), 401, begin); got != (i < crowdRows-2) {
			t.Errorf("row %d: %v", i+2, got)
		}
	}
	if !first("b", 401, begin.Add(crowdTime)) {
		t.Error("there is no room in the next minute")
	}
	for i := range crowdRows {
		first(fmt.Sprint("on-", i), 401, begin.Add(crowdTime))
	}
	if !first("c", 401, begin.Add(-time.Hour)) {
		t.Error("there is no room after the clock was set back")
	}
}

// So many addresses are told apart, and what the others tried is counted all the same.
func TestHowManyAddressesAreToldApart(t *testing.T) {
	begin := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var r crowd
	for i := range crowdMost + 5 {
		r.first(Change{From: strconv.Itoa(i), Status: 401, Time: begin})
	}
	if len(r.tallies) != crowdMost+1 {
		t.Errorf("%d are kept", len(r.tallies))
	}
	list := r.due(begin.Add(crowdTime), false)
	times, elsewhere := 0, 0
	for _, c := range list {
		if times += c.Times; c.From == "elsewhere" {
			elsewhere = c.Times
		}
	}
	if times != crowdMost+5-crowdRows || elsewhere != 5 || len(r.tallies) != 0 {
		t.Errorf("%d, %d of them elsewhere; %d are left", times, elsewhere, len(r.tallies))
	}
}

// How many refusals could not be written down is said.
func TestRefusalsThatAreLost(t *testing.T) {
	d := newDesk(t)
	flaky := &storetest.Flaky{Store: d.store}
	l := d.nodeOn(flaky)
	for range 8 {
		_ = l.Refused(context.Background(), Change{From: "192.0.2.1", Status: 401})
		_ = l.Refused(context.Background(), Change{From: "192.0.2.2", Status: 401})
	}
	flaky.Break(storetest.Fault{Err: errors.New("the disk is full"), Calls: []string{"Put"}})
	d.clock.add(crowdTime)
	if err := l.disperse(context.Background(), false); err == nil || !strings.Contains(d.said.String(), "lost=14") {
		t.Errorf("%v, %s", err, d.said)
	}
}

func TestStatusesOfAClass(t *testing.T) {
	for _, c := range []struct {
		want   string
		status int
		fits   bool
	}{{"4xx", 399, false}, {"4xx", 400, true}, {"4XX", 499, true}, {"4xx", 500, false}, {"5xx", 503, true}, {"2xx", 200, true}, {"200", 200, true}, {"200", 201, false}} {
		if got := fitsStatus(c.want, c.status); got != c.fits {
			t.Errorf("%d as %s: %v", c.status, c.want, got)
		}
	}
}

// Requests are written also where whoever has it done is gone, and lost ones are told of once.
func TestWrittenByWhoIsGone(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	l.Note(Request{ID: "a", Status: 200})
	if !l.flush(gone) {
		t.Error("not written")
	}
	l.rows.lost = 7
	l.report()
	l.report()
	if said := d.said.String(); strings.Count(said, "lost=7") != 1 {
		t.Error(said)
	}
}

func TestWhatIsAMask(t *testing.T) {
	for text, want := range map[string]bool{"sk-abcdef...xyz": true, "***": true, "sk-abcdefg...xyz": false, "sk-abcdef...wxyz": false, "sk-abcdef...yz": false,
		"sk-abcde...xyz": false, "ab-abcdef...xyz": false, "sk-abcdefxyz": false, "": false, "sk-abcdef...xyz...": false} {
		if got := isMask(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Where a look is broken off because it has read enough, the next one goes on with the very next row.
func TestNoRowIsLostWhereALookIsBrokenOff(t *testing.T) {
	d := newDesk(t)
	nodes := []*Log{d.node(), d.node()}
	const many = 2*budgetRows + 777
	for i := range many {
		nodes[i/3%2].Note(Request{ID: strconv.Itoa(i), Status: 200})
		if i%5 == 0 {
			d.clock.add(7 * time.Millisecond)
		}
	}
	for _, l := range nodes {
		d.flush(l)
	}
	seen, looks := map[string]int{}, 0
	for q := (Query{Limit: many + 1}); ; looks++ {
		p, err := nodes[0].Requests(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rows {
			seen[r.ID]++
		}
		if p.Next == q.Before || looks > 10 {
			t.Fatal("the cursor stands still")
		}
		if q.Before = p.Next; q.Before == "" {
			break
		}
	}
	if looks < 2 {
		t.Errorf("it was broken off %d times", looks)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("row %s is there %d times", id, n)
		}
	}
	if len(seen) != many {
		t.Errorf("%d rows of %d", len(seen), many)
	}
}

// Of a document that began before the time that is asked for the rows behind it are found.
func TestRowsOfADocumentThatBeganBefore(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	begin := d.clock.now()
	for i := range 4 {
		l.Note(Request{ID: strconv.Itoa(i), Status: 200})
		d.clock.add(7 * time.Second)
	}
	d.flush(l)
	for from, want := range map[time.Duration]string{0: "3 2 1 0", time.Second: "3 2 1", 7 * time.Second: "3 2 1", 8 * time.Second: "3 2", 21 * time.Second: "3", 22 * time.Second: ""} {
		if got := ids(all(t, d.node(), Query{From: begin.Add(from)})); got != want {
			t.Errorf("from %v: %q, want %q", from, got, want)
		}
	}
}

// Documents of another version are passed over.
func TestDocumentsOfAnotherVersion(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	l.Note(Request{ID: "ours", Status: 200})
	d.flush(l)
	docs, err := d.store.List(context.Background(), store.Requests, "", 10)
	if err != nil || len(docs) != 1 {
		t.Fatal(docs, err)
	}
	at, _ := placeOf(docs[0].ID)
	at.no++
	for _, v := range []string{`{"v":0,`, `{"v":2,`} {
		at.no++
		other := store.Doc{ID: at.id(), Expires: docs[0].Expires, Body: []byte(strings.Replace(string(docs[0].Body), `{"v":1,`, v, 1))}
		if _, err := d.store.Put(context.Background(), store.Requests, other, store.New); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(all(t, d.node(), Query{})); got != "ours" {
		t.Errorf("%q", got)
	}
}

func TestCursorsThatNobodyGave(t *testing.T) {
	good := newest().id()
	if CursorOK("") != nil || CursorOK(place{at: 5, node: "ab", no: 7}.id()) != nil {
		t.Error("a good one is refused")
	}
	for _, text := range []string{good, "ffffffffffffffff-ab-000000000001", "8000000000000000-ab-000000000001", "7fffffffffffffff-ab-ffffffffffffffff", "7fffffffffffffff-AB-000000000001",
		"7fffffffffffffff-ab", "7fffffffffffffff--000000000001", "x"} {
		if CursorOK(text) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestSecretNames(t *testing.T) {
	for name, want := range map[string]bool{"key": true, "code": true, "pass": true, "API-Key": true, "client secret": true, "refresh_token": true, "Private Key": true,
		"password": true, "keys": false, "encode": false, "compass": false, "name": false, "passed": false, "total_quota": false} {
		if got := secretName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// What is nested too deep is cut off there, objects as well as lists.
func TestDeepObjects(t *testing.T) {
	l := newDesk(t).node()
	var v any = "bottom"
	for range mostDepth + 3 {
		v = map[string]any{"in": v}
	}
	got := fmt.Sprint(l.side(map[string]any{"top": v}))
	if strings.Contains(got, "bottom") || !strings.Contains(got, "...") || strings.Count(got, "in:") > mostDepth {
		t.Error(got)
	}
}

// Of a long list, and of an object with many members, the beginning is kept, and how many are left out.
func TestManyMembers(t *testing.T) {
	l := newDesk(t).node()
	list, object := make([]any, mostItems+7), map[string]any{}
	for i := range list {
		list[i] = i
		object[fmt.Sprintf("m%03d", i)] = i
	}
	got := l.side(map[string]any{"list": list, "object": object})
	kept, _ := got["list"].([]any)
	inner, _ := got["object"].(map[string]any)
	if len(kept) != mostItems+1 || kept[mostItems] != "... and 7 more" || len(inner) != mostItems+1 || inner["cut"] != "7 members are left out" {
		t.Errorf("%d, %v; %d, %v", len(kept), kept[len(kept)-1], len(inner), inner["cut"])
	}
}
