package pool

import (
	"cmp"
	"reflect"
	"slices"
)

// merge makes one state of two that began as base: mine of this node, theirs of another one. Who has
// changed something counts, member by member; where both have, it is mine, but of rests the later
// end, of being switched off or on the later time, of tokens the later one, and of counters the sum
// of what both have added. It does not depend on how far the clocks of the nodes are apart, but for
// a credential that two of them switch at the same time.
func merge(base, mine, theirs State) State {
	if !kin(mine, theirs) {
		return mergeStrangers(base, mine, theirs)
	}
	out := theirs
	changed(&base, &mine, &out)
	out.Wish = theirs.Wish
	changed(&base.Wish, &mine.Wish, &out.Wish)
	mergeSwitch(&base, &mine, &theirs, &out)
	mergeTokens(&base, &mine, &theirs, &out)
	if !slices.Equal(base.Codes, mine.Codes) {
		out.Messages = mine.Messages // they are about the codes
	}
	out.Rest = mergeRest(base.Rest, mine.Rest, theirs.Rest)
	out.Rests = mergeRests(base.Rests, mine.Rests, theirs.Rests)
	out.Calls = max(theirs.Calls+mine.Calls-base.Calls, 0)
	out.Day = mergeDay(base.Day, mine.Day, theirs.Day)
	out.Hours = mergeHours(base.Hours, mine.Hours, theirs.Hours)
	if theirs.LastSuccess.After(out.LastSuccess) {
		out.LastSuccess = theirs.LastSuccess
	}
	out.Writes, out.more = theirs.Writes, theirs.more
	return out
}

// kin tells that two states are about one sign-in, of which one may have heard of a newer refresh token.
func kin(a, b State) bool {
	heir := func(old, new State) bool {
		return slices.Contains(new.Was, old.Of) || old.RefreshToken != "" && secretHash(old.RefreshToken) == new.Of
	}
	return a.Of == b.Of || heir(a, b) || heir(b, a)
}

// mergeStrangers is for states of two secrets under one name: the new one begins anew, and only what
// the operator wants is about the name.
func mergeStrangers(base, mine, theirs State) State {
	out := theirs
	if mine.Of != base.Of {
		out = mine
	}
	out.Wish = theirs.Wish
	changed(&base.Wish, &mine.Wish, &out.Wish)
	out.Writes, out.more = theirs.Writes, theirs.more
	return out
}

// changed sets the members of out that mine has and base had not. It goes through all there are, so
// that a new one is not forgotten here.
func changed[T any](base, mine, out *T) {
	b, m, o := reflect.ValueOf(base).Elem(), reflect.ValueOf(mine).Elem(), reflect.ValueOf(out).Elem()
	for i := range b.NumField() {
		if f := o.Field(i); f.CanSet() && !reflect.DeepEqual(b.Field(i).Interface(), m.Field(i).Interface()) {
			f.Set(m.Field(i))
		}
	}
}

func mergeSwitch(base, mine, theirs, out *State) {
	from := theirs
	if !sameSwitch(base, mine) && (sameSwitch(base, theirs) || !theirs.SwitchedAt.After(mine.SwitchedAt)) {
		from = mine
	}
	out.Disabled, out.Reason, out.Link, out.SwitchedAt = from.Disabled, from.Reason, from.Link, from.SwitchedAt
}

func sameSwitch(a, b *State) bool {
	return a.Disabled == b.Disabled && a.Reason == b.Reason && a.Link == b.Link && a.SwitchedAt.Equal(b.SwitchedAt)
}

func mergeTokens(base, mine, theirs, out *State) {
	from := theirs
	if !sameTokens(base, mine) && (sameTokens(base, theirs) || !theirs.TokenUntil.After(mine.TokenUntil)) {
		from = mine
	}
	out.AccessToken, out.TokenUntil, out.RefreshToken = from.AccessToken, from.TokenUntil, from.RefreshToken
}

func sameTokens(a, b *State) bool {
	return a.AccessToken == b.AccessToken && a.RefreshToken == b.RefreshToken && a.TokenUntil.Equal(b.TokenUntil)
}

func mergeRest(base, mine, theirs Rest) Rest {
	if mine == base || theirs != base && theirs.Until.After(mine.Until) {
		return theirs
	}
	return mine
}

func mergeRests(base, mine, theirs map[string]Rest) map[string]Rest {
	out := map[string]Rest{}
	for _, all := range []map[string]Rest{mine, theirs} {
		for model := range all {
			if r := mergeRest(base[model], mine[model], theirs[model]); r != (Rest{}) {
				out[model] = r
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// mergeDay adds what both have counted since base. Of two days the one counts that is news.
func mergeDay(base, mine, theirs Day) Day {
	switch {
	case mine == base:
		return theirs
	case theirs.Since == mine.Since:
		if base.Since != mine.Since {
			base = Day{}
		}
		return Day{Since: mine.Since, Pro: max(theirs.Pro+mine.Pro-base.Pro, 0), Total: max(theirs.Total+mine.Total-base.Total, 0)}
	case theirs.Since != base.Since && theirs.Since > mine.Since:
		return theirs
	}
	return mine
}

func mergeHours(base, mine, theirs []Hour) []Hour {
	if slices.Equal(base, mine) {
		return theirs
	}
	sums := map[int32]int32{}
	for _, part := range []struct {
		hours []Hour
		sign  int32
	}{{theirs, 1}, {mine, 1}, {base, -1}} {
		for _, h := range part.hours {
			sums[h.At] += part.sign * h.N
		}
	}
	var latest int32
	for at, n := range sums {
		if n > 0 {
			latest = max(latest, at)
		}
	}
	var out []Hour
	for at, n := range sums {
		if n > 0 && at > latest-dayHours {
			out = append(out, Hour{at, n})
		}
	}
	slices.SortFunc(out, func(a, b Hour) int { return cmp.Compare(a.At, b.At) })
	return out
}

// same tells that two states say the same, whoever wrote them.
func same(a, b State) bool {
	a.Writes, b.Writes = nil, nil
	return reflect.DeepEqual(a, b)
}
