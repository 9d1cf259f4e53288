package geminiapi_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/stages/upstream/geminiapi"
)

const embedder = "gemini-embedding-001"

func TestEmbedRequest(t *testing.T) {
	const content = `"content":{"parts":[{"text":"hi"}]}`
	const named = `{` + content + `,"model":"models/` + embedder + `"}`
	for _, c := range []struct{ name, body, want string }{
		{"one", `{` + content + `,"taskType":"CLUSTERING","output_dimensionality":8}`, `{` + content + `,"taskType":"CLUSTERING","outputDimensionality":8}`},
		{"one with its model", `{"model":"models/x",` + content + `,"new":{"a":1}}`, `{` + content + `,"new":{"a":1}}`},
		{"a batch", `{"requests":[{"model":"models/` + embedder + `",` + content + `},{` + content + `}]}`,
			`{"requests":[{"model":"models/` + embedder + `",` + content + `},` + named + `]}`},
		{"null for a model", `{"requests":[{"model":null,` + content + `}]}`, `{"requests":[` + named + `]}`},
		{"the name that was asked for", `{"requests":[{"model":"models/alias",` + content + `},{"model":"alias",` + content + `}]}`, `{"requests":[` + named + `,` + named + `]}`},
		{"the name without its folder", `{"requests":[{"model":"` + embedder + `",` + content + `}]}`, `{"requests":[` + named + `]}`},
		{"another model is Google's to refuse", `{"requests":[{"model":"models/other",` + content + `},{"model":5}]}`, `{"requests":[{"model":"models/other",` + content + `},{"model":5}]}`},
		{"a list with something else", `{"requests":[5,[],{}]}`, `{"requests":[5,[],{"model":"models/` + embedder + `"}]}`},
		{"an empty list", `{"requests":[]}`, `{"requests":[]}`},
		{"no list", `{"requests":{"a":1}}`, `{"requests":{"a":1}}`},
		{"white space", "{\"requests\" : [ {\n" + content + "} ]}", `{"requests":[` + named + `]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(t, pipeline.Embed, embedder, c.body)
			x.Model = models.Model{Asked: "alias", Base: embedder}
			if got := body(t, x); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if after := string(x.Call.AppendTo(nil)); x.Call.Len() == 1 && !strings.Contains(after, strings.TrimSpace(c.body[1:len(c.body)-1])) {
				t.Errorf("the call became %s", after)
			}
		})
	}
	x := exchange(t, pipeline.Generate, embedder, `{"requests":[{}]}`)
	if got := body(t, x); got != `{"requests":[{}]}` {
		t.Errorf("no embeddings: %s", got)
	}
}

// What the dialect writes goes to the simulator over a real connection, whatever the client wrote of
// the model.
func TestEmbedAtGoogle(t *testing.T) {
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.AddKey(lease{}.Token())
	client, err := outbound.New(outbound.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, c := range []struct{ base, body, says string }{
		{embedder, `{"content":{"parts":[{"text":"hi"}]},"outputDimensionality":2}`, `{"embedding":{"values":[`},
		{"models/" + embedder, `{"model":"models/alias","content":{"parts":[{"text":"hi"}]},"output_dimensionality":2}`, `{"embedding":{"values":[`},
		{embedder, `{"requests":[{"content":{"parts":[{"text":"hi"}]}},{"model":"models/alias","content":{"parts":[{"text":"you"}]},"outputDimensionality":2}]}`, `{"embeddings":[{"values":[`},
		{embedder, `{"requests":[{"model":"models/other","content":{"parts":[{"text":"hi"}]}}]}`, "model must match"},
		{embedder, `{"requests":[]}`, "requests is not specified"},
	} {
		x := exchange(t, pipeline.Embed, c.base, c.body)
		x.Model.Asked, x.WantsStream = "alias", true // embeddings are no stream, whatever a client asks
		req := &outbound.Request{}
		buf := wire.Buffers.Get(1)
		if fail := geminiapi.New(settings(s.URL())).Prepare(req, buf, x); fail != nil {
			t.Fatal(fail)
		}
		resp, err := client.Do(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		wire.Buffers.Put(buf)
		if err != nil || !strings.Contains(string(answer), c.says) {
			t.Errorf("%s: %d %v %.200s", c.body, resp.Status, err, answer)
		}
	}
}
