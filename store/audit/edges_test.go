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
