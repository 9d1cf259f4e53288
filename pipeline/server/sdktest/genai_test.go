package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"

	"google.golang.org/genai"
)

func (h *house) generate(t *testing.T, contents []*genai.Content, cfg *genai.GenerateContentConfig) *genai.GenerateContentResponse {
	t.Helper()
	r, err := h.gen.Models.GenerateContent(t.Context(), flash, contents, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Candidates) != 1 || r.Candidates[0].Content == nil || r.UsageMetadata == nil || r.ModelVersion != flash {
		t.Fatalf("not an answer: %+v", r)
	}
	return r
}

// heard is what a stream said in all.
type heard struct {
	text, thoughts string
	finish         genai.FinishReason
	events         int
	usage          genai.GenerateContentResponseUsageMetadata
	err            error
}

func listen(s iter.Seq2[*genai.GenerateContentResponse, error]) (all heard) {
	for r, err := range s {
		if err != nil {
			all.err = err
			return all
		}
		all.events++
		if r.UsageMetadata != nil {
			all.usage = *r.UsageMetadata
		}
		for _, c := range r.Candidates {
			if c.FinishReason != "" {
				all.finish = c.FinishReason
			}
			if c.Content == nil {
				continue
			}
			for _, p := range c.Content.Parts {
				if p.Thought {
					all.thoughts += p.Text
				} else {
					all.text += p.Text
				}
			}
		}
	}
	return all
}

func (h *house) listen(ctx context.Context, prompt string, cfg *genai.GenerateContentConfig) heard {
	return listen(h.gen.Models.GenerateContentStream(ctx, flash, genai.Text(prompt), cfg))
}

func TestGenaiChat(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		r := h.generate(t, genai.Text("Hello"), nil)
		in, out := int32(simulator.Tokens("Hello")), int32(simulator.Tokens("echo: Hello"))
		u, parts := r.UsageMetadata, r.Candidates[0].Content.Parts
		if len(parts) != 2 || !parts[0].Thought { // shown unasked
			t.Fatalf("%+v", parts)
		}
		thoughts := int32(simulator.Tokens(parts[0].Text))
		if r.Text() != "echo: Hello" || r.Candidates[0].FinishReason != genai.FinishReasonStop {
			t.Errorf("%+v", r)
		}
		if u.PromptTokenCount != in || u.CandidatesTokenCount != out || u.ThoughtsTokenCount != thoughts || u.TotalTokenCount != in+out+thoughts {
			t.Errorf("usage %+v, want %d, %d and %d", u, in, out, thoughts)
		}
	})
}

func TestGenaiStream(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		got := h.listen(t.Context(), story, nil)
		in, out := int32(simulator.Tokens(story)), int32(simulator.Tokens("echo: "+story))
		if got.err != nil || got.text != "echo: "+story || got.finish != genai.FinishReasonStop || got.events < 5 ||
			got.usage.PromptTokenCount != in || got.usage.CandidatesTokenCount != out {
			t.Errorf("%+v", got)
		}
	})
}

// A chat with a system instruction, sampling, safety settings and a picture: all of it arrives.
func TestGenaiConversation(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		chat, err := h.gen.Chats.Create(t.Context(), flash, &genai.GenerateContentConfig{
			SystemInstruction: genai.NewContentFromText("Be brief.", genai.RoleUser), Temperature: genai.Ptr[float32](0.25), TopK: genai.Ptr[float32](40),
			TopP: genai.Ptr[float32](0.5), Seed: genai.Ptr[int32](7), MaxOutputTokens: 2345, StopSequences: []string{`a"b`},
			SafetySettings: []*genai.SafetySetting{{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdBlockNone}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var first strings.Builder
		for r, err := range chat.SendMessageStream(t.Context(), genai.Part{Text: story}) {
			if err != nil {
				t.Fatal(err)
			}
			first.WriteString(r.Text())
		}
		data, _, want := picture(t)
		r, err := chat.SendMessage(t.Context(), genai.Part{Text: "!describe"}, genai.Part{InlineData: &genai.Blob{MIMEType: "image/png", Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		d := description(t, r.Text())
		if d.System != "Be brief." || len(d.Images) != 1 || d.Images[0] != want || len(d.Safety) != 1 {
			t.Errorf("%+v", d)
		}
		// The client keeps the streamed answer as many turns; Google gets one, with a part for each.
		if !slices.Equal(d.Roles, []string{"user", "model", "user"}) || d.Texts[0] != story || strings.ReplaceAll(d.Texts[1], "\n", "") != first.String() || len(d.Parts[1]) < 5 {
			t.Errorf("roles %q, texts %q", d.Roles, d.Texts)
		}
		config := map[string]any{"temperature": 0.25, "topK": 40.0, "topP": 0.5, "seed": 7.0, "maxOutputTokens": 2345.0, "stopSequences": []any{`a"b`},
			"thinkingConfig": map[string]any{"includeThoughts": true}} // thoughts are shown unless the client says otherwise
		if !reflect.DeepEqual(d.GenerationConfig, config) {
			t.Errorf("generationConfig %v, want %v", d.GenerationConfig, config)
		}
		if s, _ := json.Marshal(d.Safety); string(s) != `[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]` {
			t.Errorf("safetySettings %s", s)
		}
	})
}

func TestGenaiThinking(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		cfg := &genai.GenerateContentConfig{ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: genai.Ptr[int32](2048)}}
		r := h.generate(t, genai.Text("think about it"), cfg)
		parts := r.Candidates[0].Content.Parts
		if len(parts) != 2 || !parts[0].Thought || parts[1].Thought || parts[1].Text != "echo: think about it" || r.UsageMetadata.ThoughtsTokenCount != int32(simulator.Tokens(parts[0].Text)) {
			t.Fatalf("%+v", r.Candidates[0].Content)
		}
		if got := h.listen(t.Context(), "think about it", cfg); got.err != nil || got.thoughts != parts[0].Text || got.text != parts[1].Text || got.usage.ThoughtsTokenCount != r.UsageMetadata.ThoughtsTokenCount {
			t.Errorf("%+v", got)
		}
		d := description(t, partsText(h.generate(t, genai.Text("!describe"), cfg)))
		if d.ThinkingConfig["includeThoughts"] != true || d.ThinkingConfig["thinkingBudget"] != 2048.0 {
			t.Errorf("thinkingConfig %v", d.ThinkingConfig)
		}
	})
}

// partsText is the visible text of an answer with thoughts.
func partsText(r *genai.GenerateContentResponse) (text string) {
	for _, p := range r.Candidates[0].Content.Parts {
		if !p.Thought {
			text += p.Text
		}
	}
	return text
}

func TestGenaiFinishReasons(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		cfg := &genai.GenerateContentConfig{MaxOutputTokens: 3, ThinkingConfig: &genai.ThinkingConfig{ThinkingBudget: genai.Ptr[int32](0)}} // thoughts count
		const prompt = "a prompt that is longer than its answer may be"
		if r := h.generate(t, genai.Text(prompt), cfg); r.Text() != "echo: a prom" || r.Candidates[0].FinishReason != genai.FinishReasonMaxTokens {
			t.Errorf("%+v", r.Candidates[0])
		}
		if got := h.listen(t.Context(), prompt, cfg); got.err != nil || got.text != "echo: a prom" || got.finish != genai.FinishReasonMaxTokens {
			t.Errorf("%+v", got)
		}
		if got := h.listen(t.Context(), "!fault safety", nil); got.err != nil || got.finish != genai.FinishReasonSafety {
			t.Errorf("%+v", got)
		}
		r, err := h.gen.Models.GenerateContent(t.Context(), flash, genai.Text("!fault blocked"), nil)
		if err != nil || r.PromptFeedback == nil || r.PromptFeedback.BlockReason != genai.BlockedReasonProhibitedContent {
			t.Errorf("%+v %v", r, err)
		}
	})
}

func TestGenaiJSON(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		r := h.generate(t, genai.Text("as JSON"), &genai.GenerateContentConfig{ResponseMIMEType: "application/json"})
		var got map[string]string
		if json.Unmarshal([]byte(r.Text()), &got) != nil || got["echo"] != "as JSON" {
			t.Errorf("%q", r.Text())
		}
		r = h.generate(t, genai.Text("by schema"), &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseSchema: &genai.Schema{
			Type: genai.TypeObject, Properties: map[string]*genai.Schema{"colour": {Type: genai.TypeString, Enum: []string{"red", "blue"}}}, Required: []string{"colour"}}})
		if json.Unmarshal([]byte(r.Text()), &got) != nil || got["colour"] != "red" {
			t.Errorf("%q", r.Text())
		}
	})
}

// In Gemini's own format tools pass through.
func TestGenaiTools(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		cfg := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "get_weather", Description: "weather",
			Parameters: &genai.Schema{Type: genai.TypeObject, Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString}}}}}}},
			ToolConfig: &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{Mode: genai.FunctionCallingConfigModeAny}}}
		r := h.generate(t, genai.Text("weather in Oslo"), cfg)
		calls := r.FunctionCalls()
		if len(calls) == 0 || calls[0].Name != "get_weather" {
			t.Fatalf("%+v", r.Candidates[0].Content)
		}
		turns := append(genai.Text("weather in Oslo"), r.Candidates[0].Content,
			genai.NewContentFromFunctionResponse("get_weather", map[string]any{"degrees": 3}, genai.RoleUser))
		cfg.ToolConfig = nil
		if r := h.generate(t, turns, cfg); !strings.Contains(r.Text(), "result of get_weather") {
			t.Errorf("%q", r.Text())
		}
	})
}

func TestGenaiErrors(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		wrong := h.genai(t, "wrong")
		for _, tt := range []struct {
			name   string
			client *genai.Client
			model  string
			prompt string
			code   int
			status string
			word   string
		}{
			{"wrong password", wrong, flash, "Hello", 401, "UNAUTHENTICATED", "unauthorized"},
			{"unknown model", h.gen, "gemini-nobody", "Hello", 404, "NOT_FOUND", "model_not_found"},
			{"bad request", h.gen, flash, "!fault 400", 400, "INVALID_ARGUMENT", "bad_request"},
			{"rate limit", h.gen, flash, "!fault 429-reset 40s", 429, "RESOURCE_EXHAUSTED", "rate_limited"},
		} {
			check := func(err error) {
				t.Helper()
				var e genai.APIError
				if !errors.As(err, &e) || e.Code != tt.code || e.Status != tt.status || e.Message == "" {
					t.Errorf("%s: %#v", tt.name, err)
					return
				}
				said, _ := json.Marshal(e.Details)
				if !strings.Contains(string(said), `"reason":"`+tt.word+`"`) || tt.code == 429 != strings.Contains(string(said), "retryDelay") {
					t.Errorf("%s: details %s", tt.name, said)
				}
			}
			_, err := tt.client.Models.GenerateContent(t.Context(), tt.model, genai.Text(tt.prompt), nil)
			check(err)
			got := listen(tt.client.Models.GenerateContentStream(t.Context(), tt.model, genai.Text(tt.prompt), nil))
			if check(got.err); got.events != 0 {
				t.Errorf("%s: %d events before the error", tt.name, got.events)
			}
		}
	})
}

func TestGenaiModelsAndCount(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		var names []string
		for m, err := range h.gen.Models.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, m.Name)
		}
		if !slices.Contains(names, "models/gemini-2.5-pro") || !slices.Contains(names, "models/gemini-2.5-flash-image") {
			t.Errorf("models %q", names)
		}
		for _, name := range []string{"gemini-2.5-pro", "models/gemini-2.5-pro"} {
			if m, err := h.gen.Models.Get(t.Context(), name, nil); err != nil || m.Name != "models/gemini-2.5-pro" || m.InputTokenLimit != 1048576 || m.OutputTokenLimit != 65536 {
				t.Errorf("%+v, %v", m, err)
			}
		}
		var e genai.APIError
		if _, err := h.gen.Models.Get(t.Context(), "nobody", nil); !errors.As(err, &e) || e.Code != 404 || e.Status != "NOT_FOUND" {
			t.Errorf("%#v", err)
		}
		if n, err := h.gen.Models.CountTokens(t.Context(), flash, genai.Text(story), nil); err != nil || n.TotalTokens != int32(simulator.Tokens(story)) {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

func TestGenaiImageOut(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		cfg := &genai.GenerateContentConfig{ImageConfig: &genai.ImageConfig{AspectRatio: "16:9"}}
		r, err := h.gen.Models.GenerateContent(t.Context(), "gemini-2.5-flash-image", genai.Text("a fox"), cfg)
		if h.kind == "codeassist" { // it has text models only: said so, not tried
			var e genai.APIError
			if !errors.As(err, &e) || e.Code != 503 || !strings.Contains(e.Message, "API key") || len(h.sim.CallsOf("generateContent")) != 0 {
				t.Errorf("%+v, %v", r, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Candidates[0].Content.Parts {
			if p.InlineData == nil {
				continue
			}
			img, err := png.Decode(bytes.NewReader(p.InlineData.Data))
			if err != nil {
				t.Fatal(err)
			}
			if b := img.Bounds(); b.Dx()*9 != b.Dy()*16 {
				t.Errorf("a picture of %dx%d, want 16:9", b.Dx(), b.Dy())
			}
			return
		}
		t.Errorf("no picture in %+v", r.Candidates[0].Content)
	})
}
