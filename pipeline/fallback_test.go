package pipeline_test

import (
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire/gemini"
)

func TestFallBackForgetsTheFirstModelsCall(t *testing.T) {
	x := pipeline.NewExchange(t.Context(), pipeline.Request{})
	call, fail := gemini.NewCall([]byte(`{"contents":[]}`))
	if fail != nil {
		t.Fatal(fail)
	}
	x.Model = models.Model{Asked: "a", Base: "a"}
	x.Call, x.Tools, x.Thread, x.Asking = call, &gemini.Tools{}, []byte("[]"), 1
	x.SystemAsUser, x.Fetch = true, pipeline.InOne
	x.Advise(pipeline.Advice{Again: pipeline.Other, Model: true})
	x.Return()
	x.Dropped("topK")
	x.Header.Set("X-Other", "stays")
	x.Attempts = append(x.Attempts, pipeline.Attempt{Model: "a"})
	x.FallBack("b")
	if x.Fallback != "b" || !x.Call.IsZero() || x.Tools != nil || x.Thread != nil || x.Asking != nil || x.SystemAsUser || x.Fetch != pipeline.AsAsked ||
		x.Returns() != 0 || x.Advice() != (pipeline.Advice{}) {
		t.Errorf("%+v", x)
	}
	var headers []string
	x.Header.Each(func(name, value string) { headers = append(headers, name+": "+value) })
	if got := strings.Join(headers, ", "); got != "X-Other: stays" || len(x.Attempts) != 1 {
		t.Errorf("headers %s, %d attempts", got, len(x.Attempts))
	}
}
