package apikey

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// A bill that was closed stays as it is: nothing goes back of what was served, and nothing twice.
func TestABillIsClosedOnce(t *testing.T) {
	for name, way := range ways {
		b := openOn(t, way(onDisk(t)), nil)
		one := newKey(t, b, Terms{Quota: 100})
		served, refused := reserve(t, b, one, pro), reserve(t, b, one, pro)
		other := reserve(t, b, one, flash)
		served.Close(true, Tokens{})
		served.Close(false, Tokens{})
		refused.Close(false, Tokens{})
		refused.Close(false, Tokens{})
		other.Close(true, Tokens{})
		drained(t, b)
		if got := balance(t, b, one); got.Used != 12 || served.Charge().Units != 10 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What an answer has cost more than was estimated is charged under all limits of the key.
func TestSettlingUnderADailyAllowance(t *testing.T) {
	for _, c := range []struct{ quota, daily, charged int64 }{{1000, 1000, 300}, {1000, 250, 250}, {250, 1000, 250}, {1000, 0, 300}} {
		for name, way := range ways {
			b := openOn(t, way(onDisk(t)), nil)
			one := newKey(t, b, Terms{Quota: c.quota, Daily: c.daily})
			bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash, Tokens: Tokens{50, 50}, Rate: &Rate{1_000_000, 1_000_000}})
			if fail != nil {
				t.Fatal(fail)
			}
			bill.Close(true, Tokens{100, 200})
			drained(t, b)
			if got := balance(t, b, one); got.Used != c.charged || bill.Charge().Units != c.charged || c.daily > 0 && got.DailyUsed != c.charged {
				t.Errorf("%s: quota %d, %d a day: %+v, want %d charged", name, c.quota, c.daily, got, c.charged)
			}
		}
	}
}

// A limit that is gone when the answer ends is none, and one that was lowered leaves nothing.
func TestADailyAllowanceThatChangesMeanwhile(t *testing.T) {
	for name, way := range ways {
		for daily, want := range map[int64]Balance{0: {Used: 300}, 80: {Used: 100, Daily: 80, DailyUsed: 100}} {
			b := openOn(t, way(onDisk(t)), nil)
			one := newKey(t, b, Terms{Quota: 1000, Daily: 100})
			bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash, Tokens: Tokens{50, 50}, Rate: &Rate{1_000_000, 1_000_000}})
			if fail != nil {
				t.Fatal(fail)
			}
			one, err := b.Keys.Edit(t.Context(), one.ID, func(v *Terms) error { v.Daily = daily; return nil })
			if err != nil {
				t.Fatal(err)
			}
			bill.Close(true, Tokens{100, 200})
			drained(t, b)
			if got := balance(t, b, one); got.Used != want.Used || got.Daily != want.Daily || got.DailyUsed != want.DailyUsed || got.DailyLeft != 0 {
				t.Errorf("%s, %d a day: %+v", name, daily, got)
			}
		}
	}
}

// A time to come back at is given where coming back helps: soon, and while the key is good.
func TestWhenToComeBackForAQuota(t *testing.T) {
	soon, late := time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 1, 0, time.UTC)
	for _, c := range []struct {
		now   string
		terms Terms
		want  time.Duration
	}{
		{"2026-11-30 01:00", Terms{Renews: Monthly}, 23 * time.Hour},
		{"2026-11-30 00:00", Terms{Renews: Monthly}, 24 * time.Hour},
		{"2026-11-29 23:59", Terms{Renews: Monthly}, 0},
		{"2026-11-30 01:00", Terms{Renews: Monthly, Expires: late}, 23 * time.Hour},
		{"2026-11-30 01:00", Terms{Renews: Monthly, Expires: late.Add(-time.Second)}, 0},
		{"2026-11-29 20:00", Terms{Renews: Daily, Expires: soon}, 0},
		{"2026-11-29 20:00", Terms{Renews: Daily}, 4 * time.Hour},
		{"2026-11-29 20:00", Terms{}, 0},
	} {
		k := &Ledger{now: at(c.now).now}
		one := &Key{ID: "key-a", Terms: c.terms}
		a := account{period: c.terms.Renews.at(k.now()), today: Daily.at(k.now())}
		fail := k.broke(one, &a, want{units: 5, least: 5, quota: 9, daily: math.MaxInt64}, got{left: 2})
		if fail.RetryAfter != c.want || !strings.HasPrefix(fail.Message, "this call costs 5 units and the API key has 2 of 9 left") {
			t.Errorf("%s %+v: %v, want %v; %s", c.now, c.terms, fail.RetryAfter, c.want, fail.Message)
		}
	}
}

// A clock that was set back counts where it stands.
func TestAClockThatWasSetBack(t *testing.T) {
	for name, way := range ways {
		c := at("2026-11-28 00:05")
		b := openOn(t, way(onDisk(t)), c)
		one := newKey(t, b, Terms{Quota: 20, Renews: Weekly, Daily: 10})
		reserve(t, b, one, pro)
		c.set("2026-11-27 23:59")
		reserve(t, b, one, pro)
		if got := balance(t, b, one); got.Used != 20 || got.DailyUsed != 10 {
			t.Errorf("%s: %+v", name, got)
		}
		c.set("2026-11-22 23:59")
		reserve(t, b, one, flash)
		if got := balance(t, b, one); got.Used != 2 || got.DailyUsed != 2 {
			t.Errorf("%s, a week before: %+v", name, got)
		}
	}
}

// A request that cannot be paid for holds no place and is none of those of its minute; its answer tells of
// them all the same.
func TestWhoCannotPayTakesNoPlace(t *testing.T) {
	for name, way := range ways {
		b := openOn(t, way(onDisk(t)), nil)
		one := newKey(t, b, Terms{Quota: 5, Requests: 2, Tokens: 1000, Concurrency: 1})
		told := map[string]string{}
		ask := Ask{Key: one.ID, Model: pro, Tokens: Tokens{Input: 900}, Answer: wire.OpenAI, Tell: func(name, value string) { told[name] = value }}
		for range 4 {
			clear(told)
			if _, fail := b.Ledger.Reserve(t.Context(), ask); fail == nil || fail.Code != apierror.InsufficientQuota {
				t.Fatalf("%s: %v", name, fail)
			}
			if told["x-ratelimit-limit-requests"] != "2" || told["x-ratelimit-limit-tokens"] != "1000" {
				t.Errorf("%s: headers %v", name, told)
			}
		}
		ask.Model = flash
		bill, fail := b.Ledger.Reserve(t.Context(), ask)
		if fail != nil {
			t.Fatalf("%s: %v", name, fail)
		}
		clear(told)
		if _, fail := b.Ledger.Reserve(t.Context(), ask); fail == nil || fail.Code != apierror.RateLimited || told["x-ratelimit-remaining-tokens"] != "100" {
			t.Errorf("%s: %v, headers %v", name, fail, told)
		}
		bill.Close(false, Tokens{}) // the request was one, but no tokens came of it
		drained(t, b)
		clear(told)
		ask.Tokens.Input = 950
		if _, fail := b.Ledger.Reserve(t.Context(), ask); fail != nil || told["x-ratelimit-remaining-tokens"] != "50" || told["x-ratelimit-remaining-requests"] != "0" {
			t.Errorf("%s: %v, headers %v", name, fail, told)
		}
	}
}

// A key that was disabled after its request was let in pays for nothing more.
func TestAKeyThatWasDisabledMeanwhile(t *testing.T) {
	b := openOn(t, onDisk(t), nil)
	one := newKey(t, b, Terms{Quota: 100})
	bill := reserve(t, b, one, flash)
	if _, err := b.Keys.Edit(t.Context(), one.ID, func(v *Terms) error { v.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash}); fail == nil || fail.Status != 401 || !strings.Contains(fail.Message, "disabled") {
		t.Error(fail)
	}
	if fail := bill.Reprice(t.Context(), pro); fail == nil || fail.Status != 401 {
		t.Error(fail)
	}
}

// Terms that change count from the next request on, for where its money comes from too.
func TestTermsThatChangeBetweenRequests(t *testing.T) {
	for name, way := range ways {
		b := openOn(t, way(onDisk(t)), at("2026-11-27 12:00"))
		one := newKey(t, b, Terms{Quota: 100})
		for i, change := range []func(*Terms){
			func(v *Terms) {},
			func(v *Terms) { v.Renews = Monthly },
			func(v *Terms) { v.Renews = Daily },
			func(v *Terms) { v.Daily = 50 },
			func(v *Terms) { v.Daily, v.Renews = 0, Never },
		} {
			before := reserve(t, b, one, pro)
			now, err := b.Keys.Edit(t.Context(), one.ID, func(v *Terms) error { change(v); return nil })
			if err != nil {
				t.Fatal(err)
			}
			was := balance(t, b, now)
			reserve(t, b, now, flash).Close(true, Tokens{})
			before.Close(false, Tokens{}) // goes back where it came from
			drained(t, b)
			got := balance(t, b, now)
			own := int64(0)
			if i == 0 || i == 3 { // the period is the same
				own = 10
			}
			if got.Used != was.Used+2-own || now.Daily > 0 && got.DailyUsed != was.DailyUsed+2 {
				t.Errorf("%s, change %d: %+v after %+v", name, i, got, was)
			}
			one = now
		}
		if got := balance(t, b, one); got.Used != 4 || got.Ever != 10 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// After a reset everything goes on as before it: what is reserved goes back.
func TestRefundsAfterAReset(t *testing.T) {
	for name, way := range ways {
		b := openOn(t, way(onDisk(t)), at("2026-11-27 12:00"))
		one := newKey(t, b, Terms{Quota: 100, Daily: 50})
		reserve(t, b, one, pro).Close(true, Tokens{})
		if err := b.Ledger.Set(t.Context(), one.ID, 20); err != nil {
			t.Fatal(err)
		}
		// Nobody has used more on this day for that.
		if got := balance(t, b, one); got.Used != 20 || got.DailyUsed != 10 {
			t.Errorf("%s: %+v", name, got)
		}
		reserve(t, b, one, pro).Close(false, Tokens{})
		drained(t, b)
		if got := balance(t, b, one); got.Used != 20 || got.DailyUsed != 10 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestPlus(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range [][3]int64{{3, 4, 7}, {3, -3, 0}, {3, -5, 0}, {0, -most, 0}, {most, 1, most}, {most - 1, 1, most}, {most - 1, 2, most}, {most, -1, most - 1}, {1, most, most}} {
		if got := plus(c[0], c[1]); got != c[2] {
			t.Errorf("%d and %d are %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// All who ask for the purse of a key at the same time get the same one.
func TestThereIsOnePurseForAKey(t *testing.T) {
	const callers = 8
	var all purses
	for i := range 100 {
		id := fmt.Sprint("key-", i)
		shard, got := all.shard(id), make(chan *purse, callers)
		shard.mu.Lock() // all wait here, and find at the same time that there is none
		for range callers {
			go func() { got <- all.of(id) }()
		}
		for range 50 {
			runtime.Gosched()
		}
		shard.mu.Unlock()
		first := <-got
		for range callers - 1 {
			if <-got != first {
				t.Fatal("there are two purses of one key")
			}
		}
	}
}

// Free is free where tokens are charged, too: counting them is.
func TestFreeOfTokens(t *testing.T) {
	b := openOn(t, onDisk(t), nil)
	one := newKey(t, b, Terms{Quota: 1})
	bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Free: true, Model: models.Model{Base: "gemini-2.5-pro"}, Tokens: Tokens{1000, 1000}, Rate: &Rate{1e9, 1e9}})
	if fail != nil || bill.Charge().Units != 0 {
		t.Fatal(fail, bill)
	}
	bill.Close(true, Tokens{1000, 0})
	if got := balance(t, b, one); got.Used != 0 {
		t.Errorf("%+v", got)
	}
}

// Among several nodes a key that this one does not know may be a new one: what was counted for it stays until
// it is not known a second time, and stays for good when it is.
func TestWhatASweepDoesNotKnow(t *testing.T) {
	db := onDisk(t)
	b := openOn(t, among{db}, at("2026-11-27 12:00"))
	till := b.Ledger.till.(*shared)
	for _, c := range []struct {
		known []bool // at one sweep after the other
		left  int64
	}{{[]bool{false}, 10}, {[]bool{false, true}, 10}, {[]bool{true, false}, 10}, {[]bool{false, true, false}, 10}, {[]bool{false, false}, 0}} {
		till.alien = nil
		one := newKey(t, b, Terms{Quota: 100})
		reserve(t, b, one, pro).Close(true, Tokens{})
		for _, known := range c.known {
			exists := func(id string) bool { return id != one.ID || known }
			if err := till.sweep(t.Context(), b.Ledger.now(), exists); err != nil {
				t.Fatal(err)
			}
		}
		if got := inStore(t, db)[ofKey(one.ID)+"used"]; got != c.left {
			t.Errorf("known %v: %d are left", c.known, got)
		}
	}
}

// An answer that has cost more than was there is said.
func TestAnAnswerThatCostMoreIsSaid(t *testing.T) {
	said := &log{}
	b := opened(t, sole{newStore(t)}, said.into)
	one := newKey(t, b, Terms{Quota: 100})
	bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash, Tokens: Tokens{10, 10}, Rate: &Rate{1_000_000, 1_000_000}})
	if fail != nil {
		t.Fatal(fail)
	}
	bill.Close(true, Tokens{100, 100})
	if !strings.Contains(said.String(), "units=200 charged=100") {
		t.Error(said.String())
	}
}
