package gemini

import "testing"

func TestFit(t *testing.T) {
	pro := Limits{Least: 128, Most: 32768}
	lite := Limits{Least: 512, Most: 24576, Off: true, Idle: true}
	old := Limits{Levels: []string{"LOW", "HIGH"}}
	every := Limits{Levels: []string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}}
	ends := Limits{Levels: []string{"MINIMAL", "HIGH"}}
	one := Limits{Levels: []string{"MEDIUM"}}
	level := func(l level) Amount { return Amount{level: l} }
	for _, c := range []struct {
		limits Limits
		asked  Amount
		want   string
	}{
		{pro, Amount{}, ""}, {every, Amount{}, ""}, {Limits{}, Tokens(5), ""}, {Limits{}, level(high), ""},
		{pro, Tokens(0), "thinkingBudget=128"}, {pro, Tokens(127), "thinkingBudget=128"}, {pro, Tokens(128), "thinkingBudget=128"},
		{pro, Tokens(-1), "thinkingBudget=-1"}, {pro, Tokens(-2), "thinkingBudget=128"},
		{pro, Tokens(32768), "thinkingBudget=32768"}, {pro, Tokens(32769), "thinkingBudget=32768"},
		{lite, Tokens(0), "thinkingBudget=0"}, {lite, Tokens(1), "thinkingBudget=512"}, {lite, Tokens(-1), "thinkingBudget=-1"},
		{pro, level(none), "thinkingBudget=128"}, {lite, level(none), "thinkingBudget=0"}, {pro, level(minimal), "thinkingBudget=1024"},
		{pro, level(low), "thinkingBudget=1024"}, {pro, level(medium), "thinkingBudget=8192"}, {lite, level(high), "thinkingBudget=24576"},
		{every, Tokens(-1), ""}, {every, Tokens(0), "thinkingLevel=MINIMAL"}, {old, Tokens(0), "thinkingLevel=LOW"},
		{every, Tokens(1024), "thinkingLevel=LOW"}, {every, Tokens(1025), "thinkingLevel=MEDIUM"}, {every, Tokens(8193), "thinkingLevel=HIGH"},
		{old, level(minimal), "thinkingLevel=LOW"}, {old, level(medium), "thinkingLevel=HIGH"}, {old, level(high), "thinkingLevel=HIGH"},
		{ends, level(low), "thinkingLevel=MINIMAL"}, {ends, level(medium), "thinkingLevel=HIGH"}, {one, level(none), "thinkingLevel=MEDIUM"}, {one, level(high), "thinkingLevel=MEDIUM"},
		{pro, pro.Lowest(), "thinkingBudget=128"}, {lite, lite.Lowest(), "thinkingBudget=0"}, {every, every.Lowest(), "thinkingLevel=MINIMAL"},
		{pro, pro.Highest(), "thinkingBudget=32768"}, {every, every.Highest(), "thinkingLevel=HIGH"}, {one, one.Highest(), "thinkingLevel=MEDIUM"},
	} {
		got := c.limits.Fit(c.asked)
		if got.String() != c.want || got.Said() != (c.want != "") {
			t.Errorf("%+v of %+v: %s, want %s", c.asked, c.limits, got, c.want)
		}
		if again := c.limits.Fit(got); again != got {
			t.Errorf("%s does not fit into %+v: %s", got, c.limits, again)
		}
	}
}

func TestAmounts(t *testing.T) {
	for word, want := range map[string]string{"LOW": "LOW", "high": "HIGH", "Minimal": "MINIMAL", "THINKING_LEVEL_UNSPECIFIED": "", "none": "?", "xhigh": "?", "max": "?", "": "?"} {
		a, ok := Level(word)
		if got := a.level.word(); ok != (want != "?") || ok && got != want || a.Said() != (ok && want != "") {
			t.Errorf("%s is %+v %v", word, a, ok)
		}
	}
	for a, want := range map[Amount]string{Tokens(5): `{"thinkingBudget":5`, {level: low}: `{"thinkingLevel":"LOW"`, {}: `{`} {
		if got := string(a.Append([]byte("{"))); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if !Tokens(0).None() || !(Amount{level: none}).None() || Tokens(-1).None() || (Amount{}).None() {
		t.Error("not to think is a budget of 0")
	}
}
