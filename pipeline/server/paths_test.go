package server

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
)

func TestPaths(t *testing.T) {
	type want struct {
		f     wire.Format
		v     pipeline.Verb
		model string
		code  int
	}
	o, g := wire.OpenAI, wire.Gemini
	tests := []struct {
		raw    string
		gemini bool
		want   want
	}{
		{"/v1/chat/completions", false, want{o, pipeline.Generate, "", 0}},
		{"/chat/completions", false, want{o, pipeline.Generate, "", 0}},
		{"/v1beta/openai/chat/completions", false, want{o, pipeline.Generate, "", 0}},
		{"//v1//chat/completions/", false, want{o, pipeline.Generate, "", 0}},
		{"/V1/Chat/Completions", false, want{o, pipeline.Generate, "", 0}},
		{"/v1/models", false, want{o, pipeline.List, "", 0}},
		{"/v1/models", true, want{g, pipeline.List, "", 0}},
		{"/models", false, want{o, pipeline.List, "", 0}},
		{"/v1beta/openai/models", true, want{o, pipeline.List, "", 0}},
		{"/v1beta/models", false, want{g, pipeline.List, "", 0}},
		{"/v1/v1beta/models", false, want{g, pipeline.List, "", 0}},
		{"/v1/v1/models", false, want{g, pipeline.List, "", 0}},
		{"/v1beta/models/gemini-2.5-pro", false, want{g, pipeline.Get, "gemini-2.5-pro", 0}},
		{"/v1/models/gemini-2.5-pro", false, want{o, pipeline.Get, "gemini-2.5-pro", 0}},
		{"/v1/models/gemini-2.5-pro", true, want{g, pipeline.Get, "gemini-2.5-pro", 0}},
		{"/v1beta/models/gemini-2.5-pro:generateContent", false, want{g, pipeline.Generate, "gemini-2.5-pro", 0}},
		{"/v1/models/gemini-2.5-pro:streamGenerateContent", false, want{g, pipeline.Streaming, "gemini-2.5-pro", 0}},
		{"/v1/v1beta/models/m:countTokens", false, want{g, pipeline.Count, "m", 0}},
		{"/v1beta/models/m%3AgenerateContent", false, want{g, pipeline.Generate, "m", 0}},
		{"/v1beta/models/流式抗截断/gemini-2.5-pro:generateContent", false, want{g, pipeline.Generate, "流式抗截断/gemini-2.5-pro", 0}},
		{"/v1beta/models/%E6%B5%81%E5%BC%8F%E6%8A%97%E6%88%AA%E6%96%AD%2Fgemini-2.5-pro:generateContent", false, want{g, pipeline.Generate, "流式抗截断/gemini-2.5-pro", 0}},
		{"/v1beta/models/models/gemini-2.5-pro:generateContent", false, want{g, pipeline.Generate, "models/gemini-2.5-pro", 0}},
		{"/v1beta/MODELS/Gemini-X:generateContent", false, want{g, pipeline.Generate, "Gemini-X", 0}},
		{"/v1beta/models/m:embedContent", false, want{g, pipeline.Embed, "m", 0}},
		{"/v1beta/models/m:batchEmbedContents", false, want{g, pipeline.Embed, "m", 0}},
		{"/v1beta/models/m:predict", false, want{g, 0, "", 501}},
		{"/v1beta/models/:generateContent", false, want{g, 0, "", 400}},
		{"/v1beta/models/%zz:generateContent", false, want{g, 0, "", 400}},
		{"/v1beta/models/a%00b:generateContent", false, want{g, 0, "", 400}},
		{"/v1/nothing", false, want{g, 0, "", 404}},
		{"/v1/../v1/chat/completions", false, want{g, 0, "", 404}},
		{"/v1betamodels", false, want{g, 0, "", 404}},

		// Encodings. What stands in a name counts as it is, decoded once.
		{"/v1beta/models/%e6%b5%81%e5%bc%8f%e6%8a%97%e6%88%aa%e6%96%ad%2fgemini-2.5-pro%3acountTokens", false, want{g, pipeline.Count, "流式抗截断/gemini-2.5-pro", 0}},
		{"/%76%31/%63hat/%63ompletions", false, want{o, pipeline.Generate, "", 0}},
		{"/v1beta/models/m:generate%43ontent", false, want{g, pipeline.Generate, "m", 0}},
		{"/v1beta/models/m:GENERATECONTENT", false, want{g, pipeline.Generate, "m", 0}},
		{"/v1beta/models/m:streamgeneratecontent", false, want{g, pipeline.Streaming, "m", 0}},
		{"/v1beta/models/m:CountTokens/", false, want{g, pipeline.Count, "m", 0}},
		{"/v1beta/models/a%3Ab:generateContent", false, want{g, pipeline.Generate, "a:b", 0}},
		{"/v1beta/models/a%252Fb:generateContent", false, want{g, pipeline.Generate, "a%2Fb", 0}},
		{"/v1beta/models/a%2525:generateContent", false, want{g, pipeline.Generate, "a%25", 0}},
		{"/v1beta/models/a+b:generateContent", false, want{g, pipeline.Generate, "a+b", 0}},
		{"/v1beta/models/a%20b:generateContent", false, want{g, pipeline.Generate, "a b", 0}},
		{"/v1beta/models/a;x=1:generateContent", false, want{g, pipeline.Generate, "a;x=1", 0}},
		{"/v1beta/models/a%3Fkey=1:generateContent", false, want{g, pipeline.Generate, "a?key=1", 0}},
		{"/v1beta/models/a%23b:generateContent", false, want{g, pipeline.Generate, "a#b", 0}},
		{"/v1beta/models/a//b%2F%2fc:generateContent", false, want{g, pipeline.Generate, "a/b/c", 0}},
		{"/v1beta%2F%2Fmodels///m:generateContent", false, want{g, pipeline.Generate, "m", 0}},
		{"/v1beta/models/", false, want{g, pipeline.List, "", 0}},
		{"/v1beta/models/m%2F", false, want{g, pipeline.Get, "m", 0}},
		{"/v1beta/models/.hidden:generateContent", false, want{g, pipeline.Generate, ".hidden", 0}},
		{"/v1beta/models/a..b:generateContent", false, want{g, pipeline.Generate, "a..b", 0}},
		{"/v1/models;v=1", false, want{o, 0, "", 404}},
		{"/v1/models%20", false, want{o, 0, "", 404}},
		{"/v1/models+", false, want{o, 0, "", 404}},
		{"/v1/models%3Fkey=1", false, want{o, 0, "", 404}},
		{"/v1\\models", false, want{o, 0, "", 404}},
		{"/v1/model\u017f", false, want{o, 0, "", 404}}, // folds to an s
		{"", false, want{o, 0, "", 404}},
		{"/", false, want{o, 0, "", 404}},
		{"*", false, want{o, 0, "", 404}},
		{"/v1/%2e%2E/v1/models", false, want{o, 0, "", 404}},
		{"/v1/./models", false, want{o, 0, "", 404}},
		{"/v1beta/models/../m:generateContent", false, want{g, 0, "", 404}},
		{"/v1beta/models/..%2Fm:generateContent", false, want{g, 0, "", 404}},
		{"/v1beta/models/m/..", false, want{g, 0, "", 404}},
		{"/v1beta/models/.", false, want{g, 0, "", 404}},
		{"/v1/models/%", false, want{o, 0, "", 400}},
		{"/v1/models/%4", false, want{o, 0, "", 400}},
		{"/v1/models/%4g", false, want{o, 0, "", 400}},
		{"/v1/models/%u4f60", false, want{o, 0, "", 400}},
		{"/v1/models/%0a", false, want{o, 0, "", 400}},
		{"/v1/models/%7F", false, want{o, 0, "", 400}},
		{"/v1/models/%C2%85", false, want{o, 0, "", 400}}, // a control character beyond ASCII
		{"/v1/models/\x00", false, want{o, 0, "", 400}},
		{"/v1/models/%FF", false, want{o, 0, "", 400}},
		{"/v1/models/\xe6\xb5", false, want{o, 0, "", 400}},
		{"/v1/models/%C0%AF", false, want{o, 0, "", 400}},    // a slash, overlong
		{"/v1/models/%ED%A0%80", false, want{o, 0, "", 400}}, // half a surrogate pair
	}
	for _, tt := range tests {
		path, fail := cleanPath([]byte(tt.raw))
		var got target
		if fail == nil {
			got, fail = resolve(path, caller{gemini: tt.gemini})
		}
		if fail != nil {
			if fail.Status != tt.want.code {
				t.Errorf("%s: %v, want %+v", tt.raw, fail, tt.want)
			}
			continue
		}
		if tt.want.code != 0 || got.route.Format != tt.want.f || got.route.Verb != tt.want.v || got.model != tt.want.model {
			t.Errorf("%s (gemini caller %v): %+v, want %+v", tt.raw, tt.gemini, got, tt.want)
		}
	}
}

// The paths of the other families, and what they have that the gateway has not.
func TestFamilies(t *testing.T) {
	type want struct {
		f     wire.Format
		v     pipeline.Verb
		kept  string
		items bool
		code  int
	}
	for _, c := range []struct {
		path string
		who  caller
		want want
	}{
		{"/v1/completions", caller{}, want{f: wire.Completions}},
		{"/completions", caller{}, want{f: wire.Completions}},
		{"/v1beta/openai/embeddings", caller{gemini: true}, want{f: wire.OpenAI, v: pipeline.Embed}},
		{"/v1/embeddings", caller{}, want{f: wire.OpenAI, v: pipeline.Embed}},
		{"/v1/images/generations", caller{}, want{f: wire.Images}},
		{"/v1/Responses", caller{}, want{f: wire.Responses}},
		{"/v1/responses/resp_1", caller{}, want{f: wire.Responses, v: pipeline.Recall, kept: "resp_1"}},
		{"/v1/responses/resp_1", caller{deletes: true}, want{f: wire.Responses, v: pipeline.Forget, kept: "resp_1"}},
		{"/v1/responses/resp_1/input_items", caller{}, want{f: wire.Responses, v: pipeline.Recall, kept: "resp_1", items: true}},
		{"/v1/responses/input_tokens", caller{}, want{f: wire.Responses, code: 501}},
		{"/v1/responses/resp_1/cancel", caller{}, want{f: wire.Responses, code: 501}},
		{"/v1/responses/resp_1/x", caller{}, want{f: wire.Responses, code: 404}},
		{"/v1/messages", caller{anthropic: true}, want{f: wire.Anthropic}},
		{"/anthropic/v1/messages", caller{}, want{f: wire.Anthropic}},
		{"/v1/messages/count_tokens", caller{}, want{f: wire.Anthropic, v: pipeline.Count}},
		{"/v1/messages/batches", caller{}, want{f: wire.Anthropic, code: 501}},
		{"/v1/messages/x", caller{}, want{code: 404}},
		{"/v1/models", caller{anthropic: true}, want{f: wire.Anthropic, v: pipeline.List}},
		{"/v1/models/m", caller{anthropic: true}, want{f: wire.Anthropic, v: pipeline.Get}},
		{"/v1beta/files", caller{}, want{f: wire.Gemini, code: 501}},
		{"/upload/v1beta/files", caller{}, want{f: wire.Gemini, code: 501}},
		{"/v1beta/cachedContents/x", caller{}, want{f: wire.Gemini, code: 501}},
		{"/v1beta/batches", caller{}, want{f: wire.Gemini, code: 501}},
		{"/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", caller{}, want{f: wire.Gemini, code: 501}},
		{"/v1beta/models/m:batchGenerateContent", caller{}, want{f: wire.Gemini, code: 501}},
		{"/v1/files", caller{}, want{f: wire.OpenAI, code: 501}},
		{"/v1/files", caller{gemini: true}, want{f: wire.Gemini, code: 501}},
		{"/v1/batches", caller{}, want{f: wire.OpenAI, code: 501}},
		{"/v1/audio/speech", caller{}, want{f: wire.OpenAI, code: 501}},
		{"/v1/images/edits", caller{}, want{f: wire.OpenAI, code: 501}},
		{"/v1/moderations", caller{}, want{f: wire.OpenAI, code: 501}},
	} {
		got, fail := resolve(c.path, c.who)
		if fail != nil {
			if fail.Status != c.want.code || fail.Status == 501 && got.route.Format != c.want.f {
				t.Errorf("%s: %v %v, want %+v", c.path, fail, got.route, c.want)
			}
			continue
		}
		if now := (want{got.route.Format, got.route.Verb, got.kept, got.items, 0}); now != c.want {
			t.Errorf("%s: %+v, want %+v", c.path, now, c.want)
		}
	}
}

// The shape of an error where the path says nothing else.
func TestFamilyOf(t *testing.T) {
	for path, want := range map[string]wire.Format{
		"": wire.OpenAI, "/": wire.OpenAI, "/v1/nothing": wire.OpenAI, "/v1beta/openai/files": wire.OpenAI, "/V1BETA/OpenAI/%zz": wire.OpenAI,
		"/v1beta/nothing": wire.Gemini, "/V1Beta/files": wire.Gemini, "/v1/v1beta/cachedContents": wire.Gemini, "/upload/v1beta/files": wire.Gemini,
		"/v1/models/%zz:generateContent": wire.Gemini, "/models/m%3AgenerateContent": wire.Gemini, "/v1/models/%zz": wire.OpenAI,
	} {
		if got := familyOf(path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

// FuzzCleanPath: a clean path is text that stays as it is when it is cleaned again, but for escapes
// that were escaped.
func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"/v1/models", "//v1%2F%2fmodels/", "/v1beta/models/流式%3AgenerateContent", "/%252e/", "/a/../b", "/.%2e", "/%ff", "/a/.%"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path, fail := cleanPath(raw)
		if fail != nil {
			if fail.Status != 400 && fail.Status != 404 {
				t.Errorf("%q: %v", raw, fail)
			}
			return
		}
		if !utf8.ValidString(path) || strings.Contains(path, "//") || dotted(path) || strings.ContainsFunc(path, unicode.IsControl) {
			t.Errorf("%q became %q", raw, path)
		}
		if again, fail := cleanPath([]byte(path)); !strings.Contains(path, "%") && (fail != nil || again != path) {
			t.Errorf("%q became %q and then %q, %v", raw, path, again, fail)
		}
		_, _ = resolve(path, caller{})
		_ = shapeOf(path)
	})
}

func BenchmarkCleanPath(b *testing.B) {
	for name, raw := range map[string]string{"plain": "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
		"chinese": "/v1beta/models/流式抗截断/gemini-2.5-pro:generateContent", "encoded": "/v1beta/models/%E6%B5%81%E5%BC%8F%2Fgemini-2.5-pro%3AgenerateContent"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, fail := cleanPath([]byte(raw)); fail != nil {
					b.Fatal(fail)
				}
			}
		})
	}
}

func TestShapeOf(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "": "", "/v1/v1/chat/completions/chat/completions": "/v1/v1/chat/completions/chat/completions",
		"/my-key-in-the-path/v1/models": "/*/v1/models", "/v1beta/models/gemini-2.5-pro:predict": "/v1beta/models/*:predict",
		"/v1beta/models/x:secretVerb": "/v1beta/models/*:*", "/v1//models/": "/v1//models/", "/%76%31": "/*",
		strings.Repeat("/v1", 40): strings.Repeat("/v1", 12) + "/...",
	} {
		if got := shapeOf(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
