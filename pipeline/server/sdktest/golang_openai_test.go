package sdktest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
)

type chatAsk func(context.Context, openai.ChatCompletionNewParams) (*openai.ChatCompletion, error)

func chatTools() (tools []openai.ChatCompletionToolUnionParam) {
	all := functions()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		tools = append(tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: name, Description: openai.String(all[name].description), Parameters: all[name].parameters, Strict: openai.Bool(true)}))
	}
	return tools
}

func (h *house) whole(ctx context.Context, p openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
	return h.ai.Chat.Completions.New(ctx, p)
}

// gathered streams and puts the answer together with the client's own accumulator.
func (h *house) gathered(s *told) chatAsk {
	return func(ctx context.Context, p openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
		stream := h.ai.Chat.Completions.NewStreaming(ctx, p)
		defer stream.Close()
		var all openai.ChatCompletionAccumulator
		for stream.Next() {
			if !all.AddChunk(stream.Current()) {
				return nil, fmt.Errorf("the piece does not fit: %s", stream.Current().RawJSON())
			}
			if _, ok := all.JustFinishedToolCall(); ok {
				s.note("tool_calls.function.arguments.done")
			}
			if _, ok := all.JustFinishedContent(); ok {
				s.note("content.delta")
				s.note("content.done")
			}
		}
		return &all.ChatCompletion, stream.Err()
	}
}

// agent goes on until the model calls nothing more.
func (s *told) agent(ctx context.Context, model string, ask chatAsk) error {
	p := openai.ChatCompletionNewParams{Model: model, Tools: chatTools(), ReasoningEffort: shared.ReasoningEffortLow,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(errand(s.Mark))}}
	for {
		c, err := ask(ctx, p)
		if err != nil {
			return err
		}
		s.Steps++
		message := c.Choices[0].Message
		p.Messages = append(p.Messages, message.ToParam())
		if len(message.ToolCalls) == 0 {
			s.Text, s.Finish = message.Content, c.Choices[0].FinishReason
			return nil
		}
		for _, call := range message.ToolCalls {
			_, result := s.work(call.Function.Name, call.Function.Arguments)
			p.Messages = append(p.Messages, openai.ToolMessage(result, call.ID))
		}
	}
}

func (h *house) choose(choice openai.ChatCompletionToolChoiceOptionUnionParam) goCase {
	return func(ctx context.Context, s *told) error {
		p := ask("Hello")
		p.Model, p.Tools, p.ToolChoice = gemini3, chatTools(), choice
		c, err := h.ai.Chat.Completions.New(ctx, p)
		if err != nil {
			return err
		}
		s.Text, s.Finish = c.Choices[0].Message.Content, c.Choices[0].FinishReason
		for _, call := range c.Choices[0].Message.ToolCalls {
			s.Calls = append(s.Calls, call.Function.Name)
		}
		return nil
	}
}

func (h *house) toolCases() map[string]goCase {
	agent := func(model string) goCase {
		return func(ctx context.Context, s *told) error { return s.agent(ctx, model, h.whole) }
	}
	streamed := func(model string) goCase {
		return func(ctx context.Context, s *told) error { return s.agent(ctx, model, h.gathered(s)) }
	}
	auto := func(word string) openai.ChatCompletionToolChoiceOptionUnionParam {
		return openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String(word)}
	}
	return map[string]goCase{
		"tools_3": agent(gemini3), "tools_25": agent(flash),
		"tools_stream_3": streamed(gemini3), "tools_stream_25": streamed(flash), "tools_fake": streamed(fake),
		"choice_named":    h.choose(openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "add"})),
		"choice_required": h.choose(auto("required")),
		"choice_none":     h.choose(auto("none")),
		"choice_allowed": h.choose(openai.ToolChoiceOptionAllowedTools(openai.ChatCompletionAllowedToolsParam{Mode: openai.ChatCompletionAllowedToolsModeRequired,
			Tools: []map[string]any{{"type": "function", "function": map[string]any{"name": "get_time"}}}})),
	}
}

// shape is a schema as OpenAI's strict mode wants it.
func shape(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": properties, "required": slices.Sorted(maps.Keys(properties)), "additionalProperties": false}
}

func kind(name string) map[string]any { return map[string]any{"type": name} }

func recipeFormat() openai.ChatCompletionNewParamsResponseFormatUnion {
	schema := shape(map[string]any{
		"name": kind("string"), "kind": map[string]any{"type": "string", "enum": []string{"soup", "cake"}}, "minutes": kind("integer"), "vegan": kind("boolean"),
		"note":  map[string]any{"anyOf": []any{kind("string"), kind("null")}},
		"steps": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/$defs/step"}},
	})
	schema["$defs"] = map[string]any{"step": shape(map[string]any{"order": kind("integer"), "text": kind("string")})}
	return openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "recipe", Strict: openai.Bool(true), Schema: schema}}}
}

func (h *house) parse(ask func(*told) chatAsk) goCase {
	return func(ctx context.Context, s *told) error {
		p := openai.ChatCompletionNewParams{Model: flash, ResponseFormat: recipeFormat(), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("A recipe")}}
		c, err := ask(s)(ctx, p)
		if err != nil {
			return err
		}
		s.Finish = c.Choices[0].FinishReason
		return json.Unmarshal([]byte(c.Choices[0].Message.Content), &s.Parsed)
	}
}

// say is a plain chat.
func (h *house) say(parts []openai.ChatCompletionContentPartUnionParam, o ...option.RequestOption) goCase {
	return func(ctx context.Context, s *told) error {
		p := openai.ChatCompletionNewParams{Model: flash, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(parts)}}
		c, err := h.ai.Chat.Completions.New(ctx, p, o...)
		if err != nil {
			return err
		}
		s.Text, s.Finish = c.Choices[0].Message.Content, c.Choices[0].FinishReason
		return nil
	}
}

func (h *house) look(part openai.ChatCompletionContentPartUnionParam) goCase {
	return h.say([]openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("!describe"), part})
}

func (h *house) text(text string, o ...option.RequestOption) goCase {
	return h.say([]openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(text)}, o...)
}

// embed leaves out encoding_format, or asks for text as the other languages' clients do by themselves.
func (h *house) embed(p openai.EmbeddingNewParams) goCase {
	return func(ctx context.Context, s *told) error {
		p.Model = "gemini-embedding-001"
		got, err := h.ai.Embeddings.New(ctx, p)
		if err != nil {
			return err
		}
		for _, one := range got.Data {
			s.Vectors = append(s.Vectors, one.Embedding)
		}
		return nil
	}
}

func (h *house) draw(ctx context.Context, s *told) error {
	got, err := h.ai.Images.Generate(ctx, openai.ImageGenerateParams{Model: "gemini-2.5-flash-image", Prompt: "a fox",
		ResponseFormat: openai.ImageGenerateParamsResponseFormatB64JSON, Size: openai.ImageGenerateParamsSize1024x1024})
	if err != nil {
		return err
	}
	for _, one := range got.Data {
		data, err := base64.StdEncoding.DecodeString(one.B64JSON)
		if err != nil {
			return err
		}
		s.Pictures = append(s.Pictures, data)
	}
	return nil
}

func completion(prompt string) openai.CompletionNewParams {
	return openai.CompletionNewParams{Model: flash, Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(prompt)}}
}

func (h *house) complete(ctx context.Context, s *told) error {
	c, err := h.ai.Completions.New(ctx, completion("Hello"))
	if err != nil {
		return err
	}
	s.Model, s.Text, s.Finish = c.Model, c.Choices[0].Text, string(c.Choices[0].FinishReason)
	s.Usage.Prompt, s.Usage.Answer, s.Usage.Total = int(c.Usage.PromptTokens), int(c.Usage.CompletionTokens), int(c.Usage.TotalTokens)
	return nil
}

func (h *house) completeStream(ctx context.Context, s *told) error {
	var stream *ssestream.Stream[openai.Completion] = h.ai.Completions.NewStreaming(ctx, completion(story))
	defer stream.Close()
	for stream.Next() {
		s.arrived(ctx)
		c := stream.Current()
		s.Model = c.Model
		for _, choice := range c.Choices {
			s.Text += choice.Text
			if choice.FinishReason != "" {
				s.Finish = string(choice.FinishReason)
			}
		}
	}
	return stream.Err()
}

func (h *house) moreCases(in map[string]string) map[string]goCase {
	image := func(url string) goCase {
		return h.look(openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: url, Detail: "low"}))
	}
	both := openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a fox", "a crow"}}
	return map[string]goCase{
		"parse":         h.parse(func(*told) chatAsk { return h.whole }),
		"parse_stream":  h.parse(h.gathered),
		"image_data":    image("data:image/png;base64," + in["PICTURE"]),
		"image_url":     image(in["PICTURE_URL"]),
		"image_missing": image(in["PICTURE_URL"] + "-nothing"),
		"audio":         h.look(openai.InputAudioContentPart(openai.ChatCompletionContentPartInputAudioInputAudioParam{Data: in["SOUND"], Format: "wav"})),
		"file": h.look(openai.FileContentPart(openai.ChatCompletionContentPartFileFileParam{Filename: openai.String("a.pdf"),
			FileData: openai.String("data:application/pdf;base64," + in["DOCUMENT"])})),
		"embed":           h.embed(openai.EmbeddingNewParams{Input: both}),
		"embed_float":     h.embed(openai.EmbeddingNewParams{Input: both, EncodingFormat: openai.EmbeddingNewParamsEncodingFormatFloat}),
		"embed_small":     h.embed(openai.EmbeddingNewParams{Input: both, Dimensions: openai.Int(16)}),
		"embed_one":       h.embed(openai.EmbeddingNewParams{Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("a fox")}}),
		"draw":            h.draw,
		"complete":        h.complete,
		"complete_stream": h.completeStream,
		"blocked":         h.text("!fault blocked"),
		"bad_role":        h.text("Hello", option.WithJSONSet("messages.0.role", "wizard")),
		"bad_temperature": h.text("Hello", option.WithJSONSet("temperature", "hot")),
	}
}
