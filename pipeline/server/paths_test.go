package server

import (
	"strings"
	"testing"

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
		{"/v1beta/models/m:embedContent", false, want{g, 0, "", 501}},
		{"/v1beta/models/m:predict", false, want{g, 0, "", 501}},
		{"/v1beta/models/:generateContent", false, want{g, 0, "", 400}},
		{"/v1beta/models/%zz:generateContent", false, want{g, 0, "", 400}},
		{"/v1beta/models/a%00b:generateContent", false, want{g, 0, "", 400}},
		{"/v1/nothing", false, want{g, 0, "", 404}},
		{"/v1/../v1/chat/completions", false, want{g, 0, "", 404}},
		{"/v1betamodels", false, want{g, 0, "", 404}},
	}
	for _, tt := range tests {
		path, fail := cleanPath([]byte(tt.raw))
		var got target
		if fail == nil {
			got, fail = resolve(path, tt.gemini)
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
