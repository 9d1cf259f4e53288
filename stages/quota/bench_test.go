package quota

import (
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/store/apikey"
)

// BenchmarkAsk is what the stage does for a request before the ledger has it.
func BenchmarkAsk(b *testing.B) {
	r := newTill(b, apikey.Terms{Quota: 1 << 40})
	for name, in := range map[string]pipeline.Request{
		"gemini": {Route: pipeline.Route{Format: wire.Gemini}, Model: "gemini-2.5-flash", Client: pipeline.Fixed{Data: []byte(
			`{"contents":[{"role":"user","parts":[{"text":"tell me"}]}],"generationConfig":{"temperature":0.5,"maxOutputTokens":4096}}`)}},
		"openai": {Route: pipeline.Route{Format: wire.OpenAI}, Client: pipeline.Fixed{Data: []byte(
			`{"model":"gemini-2.5-flash","stream":false,"temperature":0.5,"max_tokens":4096,"messages":[{"role":"user","content":"tell me"}]}`)}},
	} {
		b.Run(name, func(b *testing.B) {
			x := pipeline.NewExchange(b.Context(), in)
			x.Caller = r.caller()
			b.ReportAllocs()
			for b.Loop() {
				if _, fail := r.stage.ask(x); fail != nil {
					b.Fatal(fail)
				}
			}
		})
	}
}
