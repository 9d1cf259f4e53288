package apikey

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// Rate is what a million tokens cost where calls are paid for by tokens, in units.
type Rate struct {
	In  int64
	Out int64
}

// million is of how many tokens a Rate is.
const million = 1_000_000

// of is what tokens cost, rounded up; the largest number when it is more than that.
func (r Rate) of(t Tokens) int64 {
	inHigh, inLow := bits.Mul64(uint64(max(r.In, 0)), uint64(max(t.Input, 0)))
	outHigh, outLow := bits.Mul64(uint64(max(r.Out, 0)), uint64(max(t.Output, 0)))
	low, carry := bits.Add64(inLow, outLow, 0)
	high, over := bits.Add64(inHigh, outHigh, carry)
	low, carry = bits.Add64(low, million-1, 0)
	if high += carry; over > 0 || high >= million {
		return math.MaxInt64
	}
	units, _ := bits.Div64(high, low, million)
	return int64(min(units, math.MaxInt64))
}

// times multiplies and stops at the largest number.
func times(a, b int64) int64 {
	if a > 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}

// rate is the price of a model by tokens: of the cost table, else the one that came with the request.
func (l *Ledger) rate(a *Ask, m models.Model) Rate {
	if in, out, ok := l.costs.TokenPrice(m); ok {
		return Rate{in, out}
	}
	return *a.Rate
}

// limits is what a key may use.
func limits(one *Key) want {
	w := want{quota: one.Quota, daily: one.Daily}
	if one.Daily <= 0 {
		w.daily = math.MaxInt64
	}
	return w
}

// wants is what a request wants to have taken for a model.
func (l *Ledger) wants(a *Ask, m models.Model, one *Key) want {
	w := limits(one)
	if a.Free {
		return w
	}
	if a.Rate == nil {
		w.units = times(l.costs.Price(m), max(a.Times, 1))
		w.least = w.units
		return w
	}
	rate := l.rate(a, m)
	if w.units = rate.of(a.Tokens); w.units > 0 {
		w.least = max(rate.of(Tokens{Input: a.Tokens.Input}), 1)
	}
	return w
}

// longestWait is how long a client may be told to wait for a quota that renews.
const longestWait = 24 * time.Hour

// broke says that a key cannot pay, with both numbers, and when it can where waiting helps.
func (l *Ledger) broke(one *Key, a *account, w want, g got) *apierror.Error {
	limit, of, until := w.quota, "", a.period.until
	if g.day {
		limit, of, until = w.daily, " for today", a.today.until
	}
	costs := fmt.Sprintf("this call costs %d units", w.units)
	if w.least < w.units {
		costs = fmt.Sprintf("this call costs at least %d units", w.least)
	}
	fail := apierror.Newf(apierror.InsufficientQuota, "%s and the API key has %d of %d left%s", costs, g.left, limit, of)
	if until.IsZero() {
		return fail
	}
	fail.Message += ", until " + until.Format("2006-01-02 15:04 MST")
	if wait := until.Sub(l.now()); w.least <= limit && wait <= longestWait && (one.Expires.IsZero() || one.Expires.After(until)) {
		return fail.After(max(wait, time.Second))
	}
	return fail
}
