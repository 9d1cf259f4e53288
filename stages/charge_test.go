package stages_test

import (
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store/apikey"
)

// turner is a stage that has another model asked than the one that was paid for.
type turner struct{ to string }

func (s turner) Process(x *pipeline.Exchange) pipeline.Verdict {
	x.Model.Base = s.to
	return pipeline.Next
}

// A model that is settled other than it was priced is not asked, and what was paid goes back.
func TestOnlyWhatWasPaidForIsAsked(t *testing.T) {
	for _, to := range []string{"gemini-2.5-pro", "gemini-2.5-flash"} {
		h := newHouse(t)
		h.kinds = append(h.kinds, pipeline.Kind{Name: "turner", Does: "x", Needs: []pipeline.Fact{pipeline.HasModel},
			New: pipeline.New(struct{}{}, func(struct{}, *pipeline.Build) (pipeline.Stage, error) { return turner{to}, nil })})
		order := `order = ["auth", "quota", "format", "model", "turner", "translate", "credential", "upstream", "retry", "shape", "usage"]` + "\n"
		x, reply := h.run("[pipeline]\n"+order, onOpenAI(strings.Replace(chat, "-pro", "-flash", 1), h.secret))
		if same := to == "gemini-2.5-flash"; same {
			if reply.Err != nil || h.used() != 2 {
				t.Errorf("%s: %v, %d used", to, reply.Err, h.used())
			}
			continue
		}
		if reply.Err == nil || reply.Err.Status != 400 || reply.Err.Param != "model" || len(x.Attempts) != 0 || h.used() != 0 {
			t.Errorf("%s: %v, %d calls, %d used", to, reply.Err, len(x.Attempts), h.used())
		}
		if _, reply := h.run("[pipeline]\n"+order, onOpenAI(chat, "secret")); reply.Err != nil { // who does not pay may have any
			t.Error(reply.Err)
		}
	}
}

const byTokens = "[stage.quota]\ncharge = \"tokens\"\nprice_in = 1000000\nprice_out = 1000000\n"

// Charged by tokens, a request costs what Google counted, and nothing when there was no answer.
func TestChargedByTokens(t *testing.T) {
	h := newHouse(t)
	h.terms(func(t *apikey.Terms) { t.Quota = 1_000_000 })
	x, reply := h.run(byTokens, onOpenAI(chat, h.secret))
	want := x.Used.Prompt + x.Used.ToolUse + x.Used.Candidates + x.Used.Thoughts
	if reply.Err != nil || want == 0 || h.used() != want || x.Charge.Units != want {
		t.Errorf("%v, used %+v, charge %+v, %d used", reply.Err, x.Used, x.Charge, h.used())
	}
	if err := h.book.Ledger.Reset(t.Context(), h.key.ID); err != nil {
		t.Fatal(err)
	}
	h.sim.Script(ever("500", "gemini-2.5-pro"))
	if _, reply = h.run(byTokens, onOpenAI(chat, h.secret)); reply.Err == nil || h.used() != 0 {
		t.Errorf("%v, %d used", reply.Err, h.used())
	}
	h.terms(func(t *apikey.Terms) { t.Quota = 3 })
	if _, reply = h.run(byTokens, onOpenAI(chat, h.secret)); reply.Err == nil || reply.Err.Code != apierror.InsufficientQuota {
		t.Error(reply.Err)
	}
}

// Tokens cannot be charged where nobody counts them.
func TestTokensNeedUsage(t *testing.T) {
	h := newHouse(t)
	e := engine(t, h.kinds, true)
	if err := e.Apply(load(t, h.kinds, byTokens)); err != nil {
		t.Fatal(err)
	}
	off := "[stage.usage]\nenabled = false\n"
	err := e.Apply(load(t, h.kinds, byTokens+off))
	if err == nil || !strings.Contains(err.Error(), `stage "quota": charge = "tokens" needs the stage "usage"`) {
		t.Errorf("%v", err)
	}
	if err := e.Apply(load(t, h.kinds, off)); err != nil {
		t.Error(err)
	}
}
