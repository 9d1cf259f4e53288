package stages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
)

func off(stage string) string { return "[stage." + stage + "]\nenabled = false\n" }

// What a stage that is off means (design section 2), a row each, with the stages as they are.

func TestAuthOff(t *testing.T) {
	h := newHouse(t)
	if x, reply := h.run("", onOpenAI(chat, "wrong")); reply.Err == nil || reply.Err.Status != 401 || x.Caller.Kind != "" {
		t.Fatalf("auth on: caller %+v, %v", x.Caller, reply.Err)
	}
	if x, reply := h.run(off("auth"), onOpenAI(chat, "wrong")); reply.Err != nil || x.Caller.Kind != "anonymous" || x.Caller.ID != "" {
		t.Errorf("auth off: caller %+v, %v", x.Caller, reply.Err)
	}
	beyond := engine(t, h.kinds, false)
	err := beyond.Check(load(t, h.kinds, off("auth")))
	if err == nil || !strings.Contains(err.Error(), `stage "auth": can be switched off only on a loopback listener or with pipeline.open = true`) {
		t.Errorf("beyond loopback: %v", err)
	}
	if err := beyond.Check(load(t, h.kinds, "[pipeline]\nopen = true\n"+off("auth"))); err != nil {
		t.Errorf("beyond loopback, open: %v", err)
	}
	if err := beyond.Check(load(t, h.kinds, "")); err != nil {
		t.Errorf("auth on: %v", err)
	}
}

func TestQuotaOff(t *testing.T) {
	h := newHouse(t)
	if _, reply := h.run("", onOpenAI(chat, h.secret)); reply.Err != nil || h.used() != 10 {
		t.Fatalf("quota on: %d units, %v", h.used(), reply.Err)
	}
	if _, reply := h.run("", onOpenAI(`{"model":"m"}`, h.secret)); reply.Err == nil || h.used() != 10 {
		t.Fatalf("quota on, refused later: %d units, %v", h.used(), reply.Err)
	}
	if _, reply := h.run(off("quota"), onOpenAI(chat, h.secret)); reply.Err != nil || h.used() != 10 {
		t.Errorf("quota off: %d units, %v", h.used(), reply.Err)
	}
}

func TestFormatOff(t *testing.T) {
	h := newHouse(t)
	if _, reply := h.run("", onGemini("gemini-2.5-pro", chat)); reply.Err != nil {
		t.Fatalf("format on: %v", reply.Err)
	}
	if _, reply := h.run(off("format"), onGemini("gemini-2.5-pro", chat)); reply.Err == nil || reply.Err.Status != 400 || reply.Err.Param != "contents" {
		t.Errorf("format off, another format than the route's: %v", reply.Err)
	}
	if _, reply := h.run(off("format"), onGemini("gemini-2.5-pro", native)); reply.Err != nil {
		t.Errorf("format off, the route's own: %v", reply.Err)
	}
}

func TestModelOff(t *testing.T) {
	h := newHouse(t)
	const name = "gemini-2.5-pro-search"
	if _, reply := h.run(off("search"), onGemini(name, native)); reply.Err == nil || reply.Err.Code != apierror.FeatureDisabled {
		t.Fatalf("model on: %v", reply.Err)
	}
	if n := len(h.sim.Calls()); n != 0 {
		t.Fatalf("model on: %d calls", n)
	}
	x, _ := h.run(off("model"), onGemini(name, native))
	calls := h.sim.CallsOf("generateContent")
	if len(calls) == 0 || calls[0].Path != "/v1beta/models/"+name+":generateContent" || x.Model.Base != name || x.Model.Features != 0 {
		t.Errorf("model off: %+v, calls %+v", x.Model, calls)
	}
	if _, reply := h.run(off("model"), pipeline.Request{Route: pipeline.Route{Verb: pipeline.List}, Client: client("", "secret")}); !reply.Empty() {
		t.Errorf("model off, listing: %+v", reply)
	}
}

func TestTranslateOff(t *testing.T) {
	h := newHouse(t)
	if _, reply := h.run("", onOpenAI(chat, "secret")); reply.Err != nil {
		t.Fatalf("translate on: %v", reply.Err)
	}
	if _, reply := h.run(off("translate"), onOpenAI(chat, "secret")); reply.Err == nil || reply.Err.Status != 400 || reply.Err.Param != "contents" {
		t.Errorf("translate off, OpenAI body: %v", reply.Err)
	}
	for name, in := range map[string]pipeline.Request{"the Gemini route": onGemini("gemini-2.5-pro", native),
		"the OpenAI route": onOpenAI(`{"model":"gemini-2.5-pro","contents":`+turn+`}`, "secret")} {
		if _, reply := h.run(off("translate"), in); reply.Err != nil {
			t.Errorf("translate off, Gemini body on %s: %v", name, reply.Err)
		}
	}
}

func TestSearchOff(t *testing.T) {
	const f = `{"type":"function","function":{"name":"f"}}`
	h := newHouse(t)
	for body, param := range map[string]string{
		`"web_search_options":{}`:                              "web_search_options",
		`"tools":[` + f + `,{"type":"web_search"}]`:            "tools[1]",
		`"tools":[` + f + `,{"type":"web_search"}],"stop":"x"`: "tools[1]",
		`"tools":[` + f + `]`:                                  "",
		`"tools":[{"type":"web_search"}],"tool_choice":"none"`: "",
	} {
		body = `{"model":"gemini-2.5-pro","messages":[{"role":"user","content":"hi"}],` + body + `}`
		if _, reply := h.run("", onOpenAI(body, "secret")); reply.Err != nil {
			t.Errorf("search on: %v\n%s", reply.Err, body)
		}
		_, reply := h.run(off("search"), onOpenAI(body, "secret"))
		if got := reply.Err; (got != nil) != (param != "") || got != nil && (got.Code != apierror.FeatureDisabled || got.Param != param || got.Status != 400) {
			t.Errorf("search off: %v, want it to name %q\n%s", got, param, body)
		}
	}
	const own = `{"contents":` + turn + `,"tools":[{"googleSearch":{}}`
	if _, reply := h.run(off("search"), onGemini("gemini-2.5-pro", own+`]}`)); reply.Err != nil {
		t.Errorf("search off, a Gemini body: %v", reply.Err)
	}
	if _, reply := h.run(off("search"), onGemini("gemini-2.5-pro", own+`,{"functionDeclarations":[{"name":"f"}]}]}`)); reply.Err == nil || reply.Err.Said == nil {
		t.Errorf("search off, a Gemini body with functions: Google is to judge it, not %v", reply.Err)
	}
}

func TestRetryOff(t *testing.T) {
	h := newHouse(t)
	h.sim.Script(simulator.Fault{Do: "429-bare"})
	if x, reply := h.run("", onOpenAI(chat, "secret")); reply.Err != nil || len(x.Attempts) != 2 || x.Attempts[0].Credential == x.Attempts[1].Credential {
		t.Fatalf("retry on: %+v, %v", x.Attempts, reply.Err)
	}
	h = newHouse(t)
	h.sim.Script(simulator.Fault{Do: "429-bare"})
	if x, reply := h.run(off("retry"), onOpenAI(chat, "secret")); reply.Err == nil || reply.Err.Status != 429 || len(x.Attempts) != 1 {
		t.Errorf("retry off: %+v, %v", x.Attempts, reply.Err)
	}
}

func TestUsageOff(t *testing.T) {
	h := newHouse(t)
	h.run(off("usage"), onOpenAI(chat, "secret"))
	if r := h.stats.Report(); len(r.Credentials)+len(r.Keys) != 0 {
		t.Errorf("usage off: %+v", r)
	}
	h.run("", onOpenAI(chat, "secret"))
	r := h.stats.Report()
	if len(r.Credentials) != 1 || r.Credentials[0].Calls != 1 || r.Credentials[0].Total == 0 || len(r.Keys) != 1 || r.Keys[0].Who != "password" {
		t.Errorf("usage on: %+v", r)
	}
}

// Without these there is no answer; the order check says who needs what, and what to switch on.
func TestWhatCannotBeOff(t *testing.T) {
	h := newHouse(t)
	at := func(stage string) int { return slices.Index(load(t, h.kinds, "").Order(), stage) + 1 }
	for stage, says := range map[string]string{
		"credential": fmt.Sprintf(`stage "upstream" (position %d) needs "lease", which no enabled stage settles: switch "credential" on`, at("upstream")),
		"upstream":   fmt.Sprintf(`stage "retry" (position %d) needs "reply", which no enabled stage settles: switch "upstream" on`, at("retry")),
		"shape":      `the list settles no "encoder": switch "shape" on`,
	} {
		err := engine(t, h.kinds, true).Check(load(t, h.kinds, off(stage)))
		if err == nil || err.Error() != says {
			t.Errorf("%s off: %v\nwant %s", stage, err, says)
		}
	}
}

// Another enabled stage that gives the same fact makes it allowed.
func TestAnotherStageMayGiveTheFact(t *testing.T) {
	h := newHouse(t)
	own := pipeline.Kind{Name: "own", Gives: []pipeline.Fact{pipeline.HasLease}, Needs: []pipeline.Fact{pipeline.HasModel},
		New: pipeline.New(struct{}{}, func(struct{}, *pipeline.Build) (pipeline.Stage, error) { return leaser{}, nil })}
	kinds := append(h.kinds, own)
	order := strings.Replace(`order = ["`+strings.Join(owners, `", "`)+`"]`, `"upstream"`, `"own", "upstream"`, 1)
	toml := "[pipeline]\n" + order + "\n" + off("credential") + "[stage.retry]\nfrom = \"own\"\n"
	if err := engine(t, kinds, true).Check(load(t, kinds, toml)); err != nil {
		t.Error(err)
	}
}

// leaser stands in for the stage that it is.
type leaser struct{}

func (leaser) Process(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }
