package format

import (
	"context"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

func exchange(route pipeline.Route, body string) *pipeline.Exchange {
	return pipeline.NewExchange(context.Background(), pipeline.Request{Route: route, Client: pipeline.Fixed{Data: []byte(body)}})
}

var (
	openaiRoute = pipeline.Route{Format: wire.OpenAI}
	geminiRoute = pipeline.Route{Format: wire.Gemini}
	streamRoute = pipeline.Route{Format: wire.Gemini, Verb: pipeline.Streaming}
	countRoute  = pipeline.Route{Format: wire.Gemini, Verb: pipeline.Count}
)

// The body decides, by content, on both routes (behaviour 5.10).
func TestDetection(t *testing.T) {
	for _, c := range []struct {
		name, body     string
		openai, gemini wire.Format // on the OpenAI and on the Gemini route
	}{
		{"messages", `{"messages":[{"role":"user","content":"hi"}]}`, wire.OpenAI, wire.OpenAI},
		{"messages of a system", `{"messages":[{"role":"system","content":"hi"}]}`, wire.OpenAI, wire.OpenAI},
		{"messages of an assistant", `{"messages":[{"role":"assistant","content":"hi"}]}`, wire.OpenAI, wire.OpenAI},
		{"contents", `{"contents":[{"parts":[{"text":"hi"}]}]}`, wire.Gemini, wire.Gemini},
		{"contents before messages that say nothing", `{"messages":[],"contents":[{"parts":[]}]}`, wire.Gemini, wire.Gemini},
		{"messages win", `{"contents":[{"parts":[]}],"messages":[{"role":"user","content":"hi"}]}`, wire.OpenAI, wire.OpenAI},
		{"system instruction", `{"systemInstruction":{}}`, wire.Gemini, wire.Gemini},
		{"snake case", `{"generation_config":{},"system_instruction":{}}`, wire.Gemini, wire.Gemini},
		{"generation config", `{"generationConfig":{}}`, wire.Gemini, wire.Gemini},
		{"neither", `{}`, wire.OpenAI, wire.Gemini},
		{"empty contents", `{"contents":[]}`, wire.OpenAI, wire.Gemini},
		{"empty messages", `{"messages":[]}`, wire.OpenAI, wire.OpenAI},
		{"a whole request to count", `{"generateContentRequest":{"contents":[]}}`, wire.OpenAI, wire.Gemini},
	} {
		for _, r := range []struct {
			route pipeline.Route
			want  wire.Format
		}{{openaiRoute, c.openai}, {geminiRoute, c.gemini}, {streamRoute, c.gemini}, {countRoute, c.gemini}} {
			x := exchange(r.route, c.body)
			if v := (stage{}).Process(x); v != pipeline.Next || x.Asked != r.want {
				t.Errorf("%s on %v %v: verdict %v, asked %v, want %v", c.name, r.route.Format, r.route.Verb, v, x.Asked, r.want)
			}
			if x.Answer != r.route.Format {
				t.Errorf("%s on %v: answer %v", c.name, r.route.Format, x.Answer)
			}
		}
	}
}

// On a Gemini route the path says streaming, whatever the body is written in; on an OpenAI route
// the body does, also a Gemini one.
func TestStreaming(t *testing.T) {
	const openai, gemini = `"messages":[{"role":"user","content":"hi"}]`, `"contents":[{"parts":[]}]`
	for _, c := range []struct {
		name  string
		route pipeline.Route
		body  string
		want  bool
	}{
		{"OpenAI route, nothing said", openaiRoute, `{` + openai + `}`, false},
		{"OpenAI route, true", openaiRoute, `{"stream":true,` + openai + `}`, true},
		{"OpenAI route, false", openaiRoute, `{"stream": false ,` + openai + `}`, false},
		{"OpenAI route, null", openaiRoute, `{"stream":null,` + openai + `}`, false},
		{"OpenAI route, Gemini body", openaiRoute, `{"stream":true,` + gemini + `}`, true},
		{"Gemini route, plain", geminiRoute, `{"stream":true,` + openai + `}`, false},
		{"Gemini route, stream", streamRoute, `{"stream":false,` + openai + `}`, true},
		{"Gemini route, stream, Gemini body", streamRoute, `{` + gemini + `}`, true},
		{"Gemini route, nonsense in a member that means nothing there", geminiRoute, `{"stream":7,` + openai + `}`, false},
		{"count", countRoute, `{` + gemini + `}`, false},
	} {
		for name, process := range map[string]func(*pipeline.Exchange) pipeline.Verdict{"on": stage{}.Process, "off": byRoute} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				x := exchange(c.route, c.body)
				if v := process(x); v != pipeline.Next || x.WantsStream != c.want {
					t.Errorf("verdict %v, wants stream %v", v, x.WantsStream)
				}
			})
		}
	}
}

func TestOffIsTheRoutesOwnFormat(t *testing.T) {
	for _, r := range []pipeline.Route{openaiRoute, geminiRoute} {
		for _, body := range []string{`{"messages":[{"role":"user"}]}`, `{"contents":[{"parts":[]}]}`} {
			if x := exchange(r, body); byRoute(x) != pipeline.Next || x.Asked != r.Format {
				t.Errorf("%v with %s: asked %v", r.Format, body, x.Asked)
			}
		}
	}
}

func TestBadBodies(t *testing.T) {
	for _, c := range []struct{ name, body, param string }{
		{"empty", ``, ""},
		{"cut", `{"messages":[`, ""},
		{"a list", `[]`, ""},
		{"two documents", `{}{}`, ""},
		{"HTML", `<html>`, ""},
		{"stream that is a word", `{"stream":"yes","messages":[{"role":"user"}]}`, "stream"},
	} {
		for name, process := range map[string]func(*pipeline.Exchange) pipeline.Verdict{"on": stage{}.Process, "off": byRoute} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				x := exchange(openaiRoute, c.body)
				v := process(x)
				if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Code != apierror.BadRequest || f.Status != 400 || f.Param != c.param {
					t.Errorf("verdict %v, reply %+v", v, f)
				}
			})
		}
	}
}
