package sdktest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/respjson"
	"github.com/openai/openai-go/v3/shared"
)

func ask(prompt string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: flash, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
}

func (h *house) chat(t *testing.T, p openai.ChatCompletionNewParams, o ...option.RequestOption) *openai.ChatCompletion {
	t.Helper()
	c, err := h.ai.Chat.Completions.New(context.Background(), p, o...)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Choices) != 1 || c.ID == "" || c.Object != "chat.completion" || c.Created == 0 || c.Choices[0].Message.Role != "assistant" {
		t.Fatalf("not a completion: %s", c.RawJSON())
	}
	return c
}

// streamed is a stream as its reader has it in the end.
type streamed struct {
	text, thoughts, finish string
	chunks                 int
	usage                  openai.CompletionUsage
	err                    error
}

func (h *house) stream(ctx context.Context, p openai.ChatCompletionNewParams, o ...option.RequestOption) (s streamed) {
	stream := h.ai.Chat.Completions.NewStreaming(ctx, p, o...)
	defer stream.Close()
	for stream.Next() {
		c := stream.Current()
		s.chunks++
		if c.Usage.TotalTokens > 0 {
			s.usage = c.Usage
		}
		for _, choice := range c.Choices {
			s.text += choice.Delta.Content
			s.thoughts += extra(choice.Delta.JSON.ExtraFields)
			if choice.FinishReason != "" {
				s.finish = choice.FinishReason
			}
		}
	}
	s.err = stream.Err()
	return s
}

// extra is reasoning_content, which OpenAI's own format does not have.
func extra(fields map[string]respjson.Field) (text string) {
	if f, ok := fields["reasoning_content"]; ok && f.Raw() != "null" {
		_ = json.Unmarshal([]byte(f.Raw()), &text)
	}
	return text
}

func TestOpenAIChat(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		c := h.chat(t, ask("Hello"))
		got, u := c.Choices[0], c.Usage
		if got.Message.Content != "echo: Hello" || got.FinishReason != "stop" || c.Model != flash {
			t.Errorf("%s", c.RawJSON())
		}
		thoughts := extra(got.Message.JSON.ExtraFields)
		if thoughts == "" {
			t.Errorf("no thoughts are shown: %s", c.RawJSON())
		}
		in, out := int64(simulator.Tokens("Hello")), int64(simulator.Tokens("echo: Hello")+simulator.Tokens(thoughts))
		if u.PromptTokens != in || u.CompletionTokens != out || u.TotalTokens != in+out {
			t.Errorf("usage %s, want %d and %d", u.RawJSON(), in, out)
		}
	})
}

func TestOpenAIStream(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		const prompt = story
		p := ask(prompt)
		if s := h.stream(t.Context(), p); s.err != nil || s.text != "echo: "+prompt || s.finish != "stop" || s.chunks < 5 || s.usage.TotalTokens != 0 {
			t.Errorf("%+v", s)
		}
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
		s := h.stream(t.Context(), p)
		in, out := int64(simulator.Tokens(prompt)), int64(simulator.Tokens("echo: "+prompt)+simulator.Tokens(s.thoughts))
		if s.err != nil || s.thoughts == "" || s.usage.PromptTokens != in || s.usage.CompletionTokens != out || s.usage.TotalTokens != in+out {
			t.Errorf("%v, usage %s, want %d and %d", s.err, s.usage.RawJSON(), in, out)
		}
	})
}

func TestOpenAISystemAndTurns(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		p := openai.ChatCompletionNewParams{Model: flash, Messages: []openai.ChatCompletionMessageParamUnion{
			openai.SystemMessage("Be brief."), openai.DeveloperMessage("And polite."), openai.UserMessage("first"), openai.AssistantMessage("second"),
			openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("third"), openai.TextContentPart("!describe 中文 \"quoted\" \U0001F98A")}),
		}}
		d := description(t, h.chat(t, p).Choices[0].Message.Content)
		if d.System != "Be brief.\nAnd polite." || !slices.Equal(d.Roles, []string{"user", "model", "user"}) || d.Backend != map[string]string{"codeassist": "codeassist", "geminiapi": "aistudio", "vertex": "vertex"}[h.kind] {
			t.Errorf("%+v", d)
		}
		if want := []string{"first", "second", "third\n!describe 中文 \"quoted\" \U0001F98A"}; !slices.Equal(d.Texts, want) {
			t.Errorf("texts %q, want %q", d.Texts, want)
		}
	})
}

// picture is a real PNG, its data URL, and what the simulator must say of it.
func picture(t *testing.T) (data []byte, url string, want simulator.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	want = simulator.Image{MIME: "image/png", Bytes: b.Len(), SHA256: hex.EncodeToString(sum[:])}
	return b.Bytes(), "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), want
}

func TestOpenAIImageIn(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		_, url, want := picture(t)
		p := openai.ChatCompletionNewParams{Model: flash, Messages: []openai.ChatCompletionMessageParamUnion{
			openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("!describe"),
				openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: url})}),
		}}
		c := h.chat(t, p)
		d := description(t, c.Choices[0].Message.Content)
		if len(d.Images) != 1 || d.Images[0] != want || len(d.Parts) != 1 || !slices.Equal(d.Parts[0], []string{"text", "inlineData"}) {
			t.Errorf("%+v, want %+v", d, want)
		}
		if c.Usage.PromptTokens < 258 {
			t.Errorf("usage %s", c.Usage.RawJSON())
		}
	})
}

func TestOpenAIParameters(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		p := ask("!describe")
		p.Temperature, p.TopP, p.Seed = openai.Float(0.3), openai.Float(0.8), openai.Int(7)
		p.MaxCompletionTokens = openai.Int(1234)
		p.Stop = openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{`a"b`, `c"d`}}
		d := description(t, h.chat(t, p, option.WithJSONSet("top_k", 20)).Choices[0].Message.Content)
		for name, want := range map[string]any{"temperature": 0.3, "topP": 0.8, "seed": 7.0, "maxOutputTokens": 1234.0, "topK": 20.0} {
			if d.GenerationConfig[name] != want {
				t.Errorf("%s is %v, want %v", name, d.GenerationConfig[name], want)
			}
		}
		if stops, _ := json.Marshal(d.GenerationConfig["stopSequences"]); string(stops) != `["a\"b","c\"d"]` { // quoted, or the description would stop there
			t.Errorf("stopSequences %s", stops)
		}
		if len(d.Safety) != 0 {
			t.Errorf("nobody asked for %v", d.Safety)
		}
		if len(d.ThinkingConfig) != 1 || d.ThinkingConfig["includeThoughts"] != true { // shown unasked, and nothing is said of how much
			t.Errorf("thinkingConfig %v", d.ThinkingConfig)
		}
		p = ask("say this and STOP here")
		p.Stop = openai.ChatCompletionNewParamsStopUnion{OfString: openai.String("STOP")}
		if c := h.chat(t, p).Choices[0]; c.Message.Content != "echo: say this and " || c.FinishReason != "stop" {
			t.Errorf("%+v", c)
		}
		p = ask("!describe")
		p.PresencePenalty = openai.Float(0.5)
		var head *http.Response // the model has no penalties: they are left out, and the client can see that
		got, err := h.ai.Chat.Completions.New(t.Context(), p, option.WithResponseInto(&head))
		if err != nil || head.Header.Get("X-Dropped-Params") != "presence_penalty" || strings.Contains(got.Choices[0].Message.Content, "enalty") {
			t.Errorf("%v %+v", err, got)
		}
	})
}

func TestOpenAIThinking(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		const prompt = "think about it"
		out := int64(simulator.Tokens("echo: " + prompt))
		for name, o := range map[string][]option.RequestOption{
			"reasoning_effort": nil,
			"extra_body":       {option.WithJSONSet("extra_body.google.thinking_config.include_thoughts", true), option.WithJSONSet("extra_body.google.thinking_config.thinking_budget", 2048)},
		} {
			p := ask(prompt)
			if o == nil {
				p.ReasoningEffort = shared.ReasoningEffortHigh
			}
			c := h.chat(t, p, o...)
			got, u := c.Choices[0].Message, c.Usage
			thoughts := extra(got.JSON.ExtraFields)
			if !strings.HasPrefix(thoughts, "**Reading the request**") || got.Content != "echo: "+prompt {
				t.Errorf("%s: %s", name, c.RawJSON())
			}
			if r := u.CompletionTokensDetails.ReasoningTokens; r != int64(simulator.Tokens(thoughts)) || u.CompletionTokens != out+r || u.TotalTokens != u.PromptTokens+u.CompletionTokens {
				t.Errorf("%s: usage %s", name, u.RawJSON())
			}
			p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
			s := h.stream(t.Context(), p, o...)
			if s.err != nil || s.thoughts != thoughts || s.text != "echo: "+prompt || s.usage.CompletionTokensDetails.ReasoningTokens != u.CompletionTokensDetails.ReasoningTokens {
				t.Errorf("%s: %+v", name, s)
			}
		}
		p := ask("!describe")
		p.ReasoningEffort = shared.ReasoningEffortMedium
		if d := description(t, h.chat(t, p).Choices[0].Message.Content); d.ThinkingConfig["thinkingBudget"] != 8192.0 || d.ThinkingConfig["includeThoughts"] != true {
			t.Errorf("medium arrives as %v", d.ThinkingConfig)
		}
		p.ReasoningEffort = shared.ReasoningEffortNone
		c := h.chat(t, p)
		if d := description(t, c.Choices[0].Message.Content); d.ThinkingConfig["thinkingBudget"] != 0.0 || c.Usage.CompletionTokensDetails.ReasoningTokens != 0 || extra(c.Choices[0].Message.JSON.ExtraFields) != "" {
			t.Errorf("none arrives as %v: %s", d.ThinkingConfig, c.RawJSON())
		}
	})
}

func TestOpenAIFinishReasons(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		p := ask("a prompt that is longer than its answer may be")
		p.MaxTokens, p.ReasoningEffort = openai.Int(3), shared.ReasoningEffortNone // thoughts count
		c := h.chat(t, p)
		if c.Choices[0].FinishReason != "length" || c.Choices[0].Message.Content != "echo: a prom" || c.Usage.CompletionTokens != 3 {
			t.Errorf("%s", c.RawJSON())
		}
		if s := h.stream(t.Context(), p); s.finish != "length" || s.text != "echo: a prom" || s.err != nil {
			t.Errorf("%+v", s)
		}
		for prompt, want := range map[string]string{"!fault safety": "content_filter", "!fault max-tokens-empty": "length"} {
			if c := h.chat(t, ask(prompt)); c.Choices[0].FinishReason != want {
				t.Errorf("%s: %s", prompt, c.RawJSON())
			}
			if s := h.stream(t.Context(), ask(prompt)); s.finish != want || s.err != nil {
				t.Errorf("%s: %+v", prompt, s)
			}
		}
	})
}

func TestOpenAIJSONMode(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		p := ask("as JSON")
		p.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONObject: &shared.ResponseFormatJSONObjectParam{}}
		var got map[string]string
		if c := h.chat(t, p); json.Unmarshal([]byte(c.Choices[0].Message.Content), &got) != nil || got["echo"] != "as JSON" {
			t.Errorf("%s", c.RawJSON())
		}
	})
}

func TestOpenAIImageOut(t *testing.T) {
	t.Parallel()
	h := open(t, "geminiapi")
	p := ask("draw a fox")
	p.Model = "gemini-2.5-flash-image"
	content := h.chat(t, p).Choices[0].Message.Content
	_, rest, ok := strings.Cut(content, "![image](data:image/png;base64,")
	data, _, _ := strings.Cut(rest, ")")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !ok {
		t.Fatalf("no picture: %v in %.200q", err, content)
	}
	if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
		t.Error(err)
	}
}

func TestOpenAIErrors(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		unknown, tools := ask("hi"), ask("hi")
		unknown.Model = "gemini-nobody"
		tools.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "f", Parameters: map[string]any{"type": 7}})}
		wrong := h.openai("wrong")
		for name, tt := range map[string]struct {
			client            *openai.Client
			p                 openai.ChatCompletionNewParams
			status            int
			code, kind, param string
		}{
			"wrong password": {&wrong, ask("hi"), 401, "unauthorized", "authentication_error", ""},
			"unknown model":  {&h.ai, unknown, 404, "model_not_found", "invalid_request_error", ""},
			"tools":          {&h.ai, tools, 400, "bad_request", "invalid_request_error", "tools[0].function.parameters.type"},
			"blocked":        {&h.ai, ask("!fault blocked"), 400, "content_filter", "invalid_request_error", ""},
			"bad request":    {&h.ai, ask("!fault 400"), 400, "bad_request", "invalid_request_error", ""},
		} {
			check := func(err error) {
				t.Helper()
				var e *openai.Error
				if !errors.As(err, &e) {
					t.Errorf("%s: %v is no openai.Error", name, err)
					return
				}
				if e.StatusCode != tt.status || e.Code != tt.code || e.Type != tt.kind || e.Param != tt.param && e.Param != "model" || e.Message == "" {
					t.Errorf("%s: status %d, %s", name, e.StatusCode, e.RawJSON())
				}
			}
			_, err := tt.client.Chat.Completions.New(t.Context(), tt.p)
			check(err)
			stream := tt.client.Chat.Completions.NewStreaming(t.Context(), tt.p)
			for stream.Next() {
				t.Errorf("%s: the stream says %s", name, stream.Current().RawJSON())
			}
			check(stream.Err())
		}
	})
}

// The clients' own retries go by Retry-After.
func TestOpenAIRateLimit(t *testing.T) {
	for fault, want := range map[string][2]string{"429-reset 40s": {"rate_limited", "rate_limit_error"}, "429-quota 13h": {"quota_exhausted", "insufficient_quota"}} {
		t.Run(fault, func(t *testing.T) {
			kinds(t, func(t *testing.T, h *house) {
				for range 2 { // Google's own answer, then the pool's
					var e *openai.Error
					_, err := h.ai.Chat.Completions.New(t.Context(), ask("!fault "+fault))
					if !errors.As(err, &e) || e.StatusCode != 429 || e.Code != want[0] || e.Type != want[1] {
						t.Fatalf("%v", err)
					}
					if after, err := strconv.Atoi(e.Response.Header.Get("Retry-After")); err != nil || after < 30 {
						t.Errorf("Retry-After %q", e.Response.Header.Get("Retry-After"))
					}
				}
			})
		})
	}
}

func TestOpenAIModels(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		page, err := h.ai.Models.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, m := range page.Data {
			ids = append(ids, m.ID)
		}
		if !slices.Contains(ids, "gemini-2.5-pro") || !slices.Contains(ids, "gemini-2.5-flash-image") {
			t.Errorf("models %q", ids)
		}
		if m, err := h.ai.Models.Get(t.Context(), "gemini-2.5-pro"); err != nil || m.ID != "gemini-2.5-pro" || m.Created == 0 || m.OwnedBy == "" {
			t.Errorf("%+v %v", m, err)
		}
		var e *openai.Error
		if _, err := h.ai.Models.Get(t.Context(), "nobody"); !errors.As(err, &e) || e.StatusCode != 404 || e.Code != "model_not_found" {
			t.Errorf("%v", err)
		}
	})
}
