package codeassist_test

import (
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
)

// body2k is a Gemini request of two kilobytes as an SDK writes it.
var body2k = `{"contents":[{"parts":[{"text":"` + strings.Repeat("Some words of a user. ", 80) + `"}],"role":"user"}],` +
	`"systemInstruction":{"parts":[{"text":"Be brief."}]},"generationConfig":{"temperature":0.7,"topP":0.9,"maxOutputTokens":1024,"thinkingConfig":{"includeThoughts":true}}}`

type fixed struct{ settings }

func (fixed) UserAgent(string) string { return "GeminiCLI/1.2.3/gemini-2.5-pro (linux; x64; terminal)" }

// once is what the stage does around Prepare.
func once(req *outbound.Request, d dialect, x *pipeline.Exchange) {
	buf := wire.Buffers.Get(x.Call.Size() + 512)
	_ = d.Prepare(req, buf, x)
	req.Reset()
	wire.Buffers.Put(buf)
}

func BenchmarkPrepare(b *testing.B) {
	x := exchange(b, pipeline.Streaming, "gemini-2.5-pro", body2k)
	for name, d := range map[string]dialect{"codeassist": codeassist.New(fixed{}), "geminiapi": geminiapi.New(fixed{})} {
		b.Run(name, func(b *testing.B) {
			var req outbound.Request
			b.ReportAllocs()
			b.SetBytes(int64(len(body2k)))
			for b.Loop() {
				once(&req, d, x)
			}
		})
	}
}
