package credential

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
)

func speaks(t testing.TB, caller pipeline.Caller, body string) *pipeline.Exchange {
	x := exchange(context.Background())
	x.Caller = caller
	call, fail := gemini.NewCall([]byte(body))
	if fail != nil {
		t.Fatal(fail)
	}
	x.Call = call
	return x
}

// The name of a conversation stays while it goes on, and is another one where anything of its beginning is.
func TestTalk(t *testing.T) {
	a := pipeline.Caller{Kind: "key", ID: "a"}
	const rules, first = `"systemInstruction":{"parts":[{"text":"be brief"}]}`, `{"role":"user","parts":[{"text":"hello"}]}`
	long := strings.Repeat("x", firstTurns)
	body := func(rules, turns string) string { return "{" + rules + `,"contents":[` + turns + "]}" }
	name := talk(speaks(t, a, body(rules, first)))
	for what, row := range map[string]struct {
		caller pipeline.Caller
		body   string
		same   bool
	}{
		"the same":             {a, body(rules, first), true},
		"it goes on":           {a, body(rules, first+`,{"role":"model","parts":[{"text":"hi"}]},{"role":"user","parts":[]}`), true},
		"settings change":      {a, body(`"generationConfig":{"temperature":1},`+rules, first), true},
		"spelled otherwise":    {a, body(strings.Replace(rules, "systemInstruction", "system_instruction", 1), first), true},
		"somebody else":        {pipeline.Caller{Kind: "key", ID: "b"}, body(rules, first), false},
		"a password":           {pipeline.Caller{Kind: "keya"}, body(rules, first), false},
		"other rules":          {a, body(strings.Replace(rules, "brief", "chief", 1), first), false},
		"another beginning":    {a, body(rules, strings.Replace(first, "hello", "help", 1)), false},
		"nothing but settings": {a, `{"generationConfig":{}}`, false},
	} {
		got := talk(speaks(t, row.caller, row.body))
		if (got == name) != row.same || got == 0 {
			t.Errorf("%s: %x, the first is %x", what, got, name)
		}
	}
	// Of a long beginning the first part counts.
	one, other := fmt.Sprintf(`{"parts":[{"text":"%s1"}]}`, long), fmt.Sprintf(`{"parts":[{"text":"%s2"}]},{"parts":[]}`, long)
	if talk(speaks(t, a, body(rules, one))) != talk(speaks(t, a, body(rules, other))) {
		t.Error("what is behind the first part counts")
	}
	x := speaks(t, a, body(rules, other))
	if n := testing.AllocsPerRun(100, func() { talk(x) }); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// A conversation stays with one credential, and who leads it is told to the pool, with the group.
func TestStickyConversation(t *testing.T) {
	keys := make([]string, 20)
	for i := range keys {
		keys[i] = fmt.Sprintf("AIza-%d", i)
	}
	p, s := lender(t, keys...)
	for _, rotation := range []string{pool.Sticky, pool.Counted} {
		p.Apply(pool.Settings{APIKeys: keys, Rotation: rotation, CallsPerRotation: 1})
		seen := map[string]bool{}
		for i := range 10 {
			turns := `{"parts":[{"text":"hello"}]}` + strings.Repeat(`,{"parts":[]}`, i)
			x := speaks(t, pipeline.Caller{Kind: "password"}, `{"contents":[`+turns+`]}`)
			s.Process(x)
			seen[x.Lease.ID()] = true
			s.End(x)
		}
		if (len(seen) == 1) != (rotation == pool.Sticky) {
			t.Errorf("%s: %d credentials", rotation, len(seen))
		}
	}
}

func TestGroupOfTheCaller(t *testing.T) {
	p, s := lender(t, "AIza-0", "AIza-1", "AIza-2")
	p.Configure(oauth.APIKey("AIza-1").ID, func(w *pool.Wish) { w.Groups = []string{"team"} })
	for range 5 {
		x := speaks(t, pipeline.Caller{Kind: "key", ID: "k", Group: "team"}, `{"contents":[]}`)
		if s.Process(x); x.Lease == nil || x.Lease.Token() != "AIza-1" {
			t.Errorf("%v, %v", x.Lease, x.Reply.Err)
		}
		s.End(x)
	}
	x := speaks(t, pipeline.Caller{Kind: "key", ID: "k", Group: "others"}, `{"cachedContent":"cachedContents/x"}`)
	if v := s.Process(x); v != pipeline.Respond || x.Reply.Err.Status != 503 || !strings.Contains(x.Reply.Err.Message, `group "others"`) || x.Advice().Model {
		t.Errorf("%v, %+v", v, x.Reply.Err)
	}
	s.End(x)
}

func BenchmarkTalk(b *testing.B) {
	x := speaks(b, pipeline.Caller{Kind: "key", ID: "a"}, `{"systemInstruction":{"parts":[{"text":"`+strings.Repeat("x", 1<<20)+`"}]},"contents":[{"parts":[{"text":"`+strings.Repeat("y", 1<<20)+`"}]}]}`)
	b.ReportAllocs()
	for b.Loop() {
		talk(x)
	}
}
