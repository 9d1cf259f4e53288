package apikey

import (
	"math"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/models"
)

func TestRate(t *testing.T) {
	for _, c := range []struct {
		rate   Rate
		tokens Tokens
		want   int64
	}{
		{Rate{1000, 4000}, Tokens{2000, 500}, 4},
		{Rate{1000, 4000}, Tokens{1, 0}, 1},
		{Rate{1000, 4000}, Tokens{0, 0}, 0},
		{Rate{0, 0}, Tokens{1 << 40, 1 << 40}, 0},
		{Rate{1, 0}, Tokens{1_000_000, 0}, 1},
		{Rate{1, 0}, Tokens{1_000_001, 0}, 2},
		{Rate{1e12, 1e12}, Tokens{1 << 40, 1}, 1099511627777 * 1e6},
		{Rate{math.MaxInt64, 1}, Tokens{math.MaxInt64, 1}, math.MaxInt64},
		{Rate{1e6, 0}, Tokens{math.MaxInt64, 0}, math.MaxInt64},
		{Rate{math.MaxInt64, math.MaxInt64}, Tokens{math.MaxInt64, math.MaxInt64}, math.MaxInt64},
		{Rate{-5, 10}, Tokens{100, -7}, 0},
	} {
		if got := c.rate.of(c.tokens); got != c.want {
			t.Errorf("%+v of %+v: %d, want %d", c.rate, c.tokens, got, c.want)
		}
	}
}

// What is reserved of a key, and what is charged in the end, where a token that goes up costs 1 and one that
// comes back 2.
func TestChargedByTokens(t *testing.T) {
	rate := Rate{1_000_000, 2_000_000}
	for _, c := range []struct {
		name     string
		quota    int64
		asks     Tokens
		reserved int64 // -1 is refused
		began    bool
		spent    Tokens
		charged  int64
	}{
		{"all of it", 1000, Tokens{100, 200}, 500, true, Tokens{90, 50}, 190},
		{"more than was estimated", 1000, Tokens{100, 200}, 500, true, Tokens{300, 200}, 700},
		{"as far as there is", 500, Tokens{100, 200}, 500, true, Tokens{300, 200}, 500},
		{"capped by what is left", 150, Tokens{100, 200}, 150, true, Tokens{100, 10}, 120},
		{"capped, and used up", 150, Tokens{100, 200}, 150, true, Tokens{100, 200}, 150},
		{"what goes up does not fit", 99, Tokens{100, 200}, -1, false, Tokens{}, 0},
		{"it just fits", 100, Tokens{100, 200}, 100, true, Tokens{50, 10}, 70},
		{"nothing goes up, and nothing is left", 0, Tokens{0, 200}, -1, false, Tokens{}, 0},
		{"no answer began", 1000, Tokens{100, 200}, 500, false, Tokens{100, 3}, 0},
		{"left in the middle", 1000, Tokens{100, 200}, 500, true, Tokens{0, 7}, 114},
		{"nothing was told", 1000, Tokens{100, 200}, 500, true, Tokens{}, 100},
		{"too much for any number", 1e15, Tokens{1, math.MaxInt64}, 1e15, true, Tokens{1, 1}, 3},
	} {
		for way, of := range ways {
			t.Run(c.name+"/"+way, func(t *testing.T) {
				b := openOn(t, of(onDisk(t)), nil)
				one := newKey(t, b, Terms{Quota: 1})
				one = lower(t, b, one, c.quota)
				bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash, Times: 9, Tokens: c.asks, Rate: &rate})
				if (fail != nil) != (c.reserved < 0) {
					t.Fatal(fail)
				}
				if fail != nil {
					if !strings.Contains(fail.Message, "at least") || fail.Status != 429 {
						t.Error(fail)
					}
					return
				}
				if got := bill.Charge().Units; got != c.reserved || balance(t, b, one).Used != c.reserved {
					t.Errorf("%d reserved, want %d", got, c.reserved)
				}
				if fail := bill.Commit(t.Context()); fail != nil {
					t.Error(fail)
				}
				bill.Close(c.began, c.spent)
				drained(t, b)
				if got := balance(t, b, one).Used; got != c.charged || bill.Charge().Units != c.charged {
					t.Errorf("%d charged, %d on the bill, want %d", got, bill.Charge().Units, c.charged)
				}
			})
		}
	}
}

// The cost table has prices of its own; what costs nothing there is free.
func TestTokenPrices(t *testing.T) {
	b := openOn(t, onDisk(t), nil)
	for name, cost := range map[string]Cost{"dear": {Units: 1, In: 5_000_000, Out: 7_000_000}, "free": {}, "by-calls": {Units: 3}} {
		if err := b.Costs.Set(t.Context(), name, cost); err != nil {
			t.Fatal(err)
		}
	}
	one := newKey(t, b, Terms{Quota: 1000})
	rate := Rate{1_000_000, 0}
	bill := func(model string) *Bill {
		bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: models.Model{Base: model}, Tokens: Tokens{10, 10}, Rate: &rate})
		if fail != nil {
			t.Fatal(fail)
		}
		return bill
	}
	for model, want := range map[string]int64{"dear": 120, "free": 0, "by-calls": 10, "other": 10} {
		if got := bill(model).Charge().Units; got != want {
			t.Errorf("%s: %d, want %d", model, got, want)
		}
	}
	other := bill("other")
	if fail := other.Reprice(t.Context(), models.Model{Base: "dear"}); fail != nil || other.Charge().Units != 120 {
		t.Errorf("%v, %+v", fail, other.Charge())
	}
	if other.Close(true, Tokens{Input: 2, Output: 1}); other.Charge().Units != 17 {
		t.Errorf("settled to %d", other.Charge().Units)
	}
}

// What is free writes nothing and waits for nothing, also where nothing is left.
func TestFree(t *testing.T) {
	for name, way := range ways {
		s := onDisk(t)
		b := openOn(t, way(s), nil)
		if err := b.Costs.Set(t.Context(), "free", Cost{}); err != nil {
			t.Fatal(err)
		}
		one := lower(t, b, newKey(t, b, Terms{Quota: 1, Daily: 1}), 0)
		bill := reserve(t, b, one, models.Model{Base: "free"})
		if fail := bill.Commit(t.Context()); fail != nil || bill.Charge().Units != 0 {
			t.Errorf("%s: %v, %+v", name, fail, bill.Charge())
		}
		bill.Close(true, Tokens{})
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if got := inStore(t, s); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTimes(t *testing.T) {
	b := openOn(t, onDisk(t), nil)
	one := newKey(t, b, Terms{Quota: 100})
	for times, want := range map[int64]int64{0: 2, 1: 2, 7: 14} {
		bill, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash, Times: times})
		if fail != nil || bill.Charge().Units != want {
			t.Errorf("%d times: %v, %v", times, bill, fail)
		}
	}
	if _, fail := b.Ledger.Reserve(t.Context(), Ask{Key: one.ID, Model: flash, Times: math.MaxInt64}); fail == nil || !strings.Contains(fail.Message, "9223372036854775807 units") {
		t.Error(fail)
	}
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		period      Period
		now         string
		name        string
		from, until string
	}{
		{Never, "2026-11-27 12:00", "", "0001-01-01", "0001-01-01"},
		{Daily, "2026-11-27 00:00", "2026-11-27", "2026-11-27", "2026-11-28"},
		{Daily, "2026-12-31 23:59", "2026-12-31", "2026-12-31", "2027-01-01"},
		{Weekly, "2026-11-29 23:59", "2026-W48", "2026-11-23", "2026-11-30"},
		{Weekly, "2026-11-30 00:00", "2026-W49", "2026-11-30", "2026-12-07"},
		{Weekly, "2027-01-01 12:00", "2026-W53", "2026-12-28", "2027-01-04"},
		{Weekly, "2027-02-10 12:00", "2027-W06", "2027-02-08", "2027-02-15"},
		{Weekly, "2024-12-30 00:00", "2025-W01", "2024-12-30", "2025-01-06"},
		{Monthly, "2028-02-29 12:00", "2028-02", "2028-02-01", "2028-03-01"},
		{Monthly, "2026-12-01 00:00", "2026-12", "2026-12-01", "2027-01-01"},
	} {
		s := c.period.at(at(c.now).now().In(time.FixedZone("far", 13*3600)))
		if s.name != c.name || s.from.Format(time.DateOnly) != c.from || s.until.Format(time.DateOnly) != c.until {
			t.Errorf("%q at %s: %+v", c.period, c.now, s)
		}
		if until, ok := ended(s.name); ok != (c.name != "") || ok && !until.Equal(s.until) {
			t.Errorf("%q ends %v, %v; not %v", s.name, until, ok, s.until)
		}
	}
	for name, want := range map[string]bool{"key/a/used": false, "key/a/ever": false, "key/a/used/2026-11-26": true, "key/a/used/2026-11-27": false,
		"key/a/used/2026-W47": true, "key/a/used/2026-W48": false, "key/a/used/2026-10": true, "key/a/used/2026-11": false, "key/a/day/2026-11-25": true} {
		if got := isOld(name, at("2026-11-28 00:01").now()); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
