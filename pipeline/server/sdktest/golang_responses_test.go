package sdktest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

type responseAsk func(context.Context, responses.ResponseNewParams) (*responses.Response, error)

func responseTools() (tools []responses.ToolUnionParam) {
	all := functions()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		tools = append(tools, responses.ToolUnionParam{OfFunction: &responses.FunctionToolParam{
			Name: name, Description: openai.String(all[name].description), Parameters: all[name].parameters, Strict: openai.Bool(true)}})
	}
	return tools
}

// input is a prompt, or items.
func input(items any) (in responses.ResponseNewParamsInputUnion) {
	switch v := items.(type) {
	case string:
		in.OfString = openai.String(v)
	case responses.ResponseInputParam:
		in.OfInputItemList = v
	}
	return in
}

// took notes an answer of the Responses API.
func (s *told) took(r *responses.Response) {
	s.ID, s.Model, s.Text, s.Finish = r.ID, r.Model, r.OutputText(), string(r.Status)
	s.Items, s.Thoughts = nil, ""
	for _, item := range r.Output {
		s.Items = append(s.Items, item.Type)
		for _, part := range item.Summary {
			s.Thoughts += part.Text
		}
	}
	s.Usage.Prompt, s.Usage.Answer, s.Usage.Total = int(r.Usage.InputTokens), int(r.Usage.OutputTokens), int(r.Usage.TotalTokens)
	s.Usage.Thoughts = int(r.Usage.OutputTokensDetails.ReasoningTokens)
}

func (h *house) respond(p responses.ResponseNewParams, o ...option.RequestOption) goCase {
	return func(ctx context.Context, s *told) error {
		if p.Model == "" {
			p.Model = flash
		}
		r, err := h.ai.Responses.New(ctx, p, o...)
		if err == nil {
			s.took(r)
		}
		return err
	}
}

// events streams an answer and gives the one that the last event holds.
func (h *house) events(s *told) responseAsk {
	return func(ctx context.Context, p responses.ResponseNewParams) (last *responses.Response, err error) {
		stream := h.ai.Responses.NewStreaming(ctx, p)
		defer stream.Close()
		last = &responses.Response{}
		for stream.Next() {
			event := stream.Current()
			s.note(event.Type)
			switch event.Type {
			case "response.output_text.delta":
				s.arrived(ctx)
				last.Output = append(last.Output, responses.ResponseOutputItemUnion{Type: "message", // until the whole one comes
					Content: []responses.ResponseOutputMessageContentUnion{{Type: "output_text", Text: event.Delta}}})
			case "response.completed":
				last = &event.Response
			case "response.failed":
				last.Status = event.Response.Status
			}
		}
		return last, stream.Err()
	}
}

func (h *house) streamed(p responses.ResponseNewParams) goCase {
	return func(ctx context.Context, s *told) error {
		p.Model = flash
		r, err := h.events(s)(ctx, p)
		s.took(r)
		return err
	}
}

// results does what an answer asks for.
func (s *told) results(r *responses.Response) (items responses.ResponseInputParam) {
	for _, item := range r.Output {
		if item.Type != "function_call" {
			continue
		}
		_, result := s.work(item.Name, item.Arguments.OfString)
		done := responses.ResponseInputItemParamOfFunctionCallOutput(result)
		done.OfFunctionCallOutput.CallID = openai.String(item.CallID)
		items = append(items, done)
	}
	return items
}

// chain goes on with the id of the last answer, which the gateway has kept.
func (h *house) chain(model string, ask func(*told) responseAsk) goCase {
	return func(ctx context.Context, s *told) error {
		p := responses.ResponseNewParams{Model: model, Input: input(errand(s.Mark)), Tools: responseTools(), Reasoning: shared.ReasoningParam{Effort: "low"}}
		for {
			r, err := ask(s)(ctx, p)
			if err != nil {
				return err
			}
			s.Steps++
			done := s.results(r)
			if len(done) == 0 {
				s.took(r)
				return nil
			}
			p.PreviousResponseID, p.Input = openai.String(r.ID), input(done)
		}
	}
}

// carry keeps nothing at the gateway and sends everything back.
func (h *house) carry(ctx context.Context, s *told) error {
	items := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(errand(s.Mark), "user")}
	for {
		r, err := h.ai.Responses.New(ctx, responses.ResponseNewParams{Model: gemini3, Input: input(items), Tools: responseTools(), Store: openai.Bool(false),
			Include: []responses.ResponseIncludable{"reasoning.encrypted_content"}, Reasoning: shared.ReasoningParam{Effort: "low"}})
		if err != nil {
			return err
		}
		s.Steps++
		for _, item := range r.Output {
			var back responses.ResponseInputItemUnionParam
			if err := json.Unmarshal([]byte(item.RawJSON()), &back); err != nil {
				return err
			}
			items = append(items, back)
		}
		done := s.results(r)
		if len(done) == 0 {
			s.took(r)
			return nil
		}
		items = append(items, done...)
	}
}

func (h *house) previous(ctx context.Context, s *told) error {
	first, err := h.ai.Responses.New(ctx, responses.ResponseNewParams{Model: flash, Instructions: openai.String("Be brief."), Input: input("Hello")})
	if err != nil {
		return err
	}
	second, err := h.ai.Responses.New(ctx, responses.ResponseNewParams{Model: flash, PreviousResponseID: openai.String(first.ID), Input: input("And then?")})
	if err != nil {
		return err
	}
	return h.respond(responses.ResponseNewParams{PreviousResponseID: openai.String(second.ID), Input: input("!describe")})(ctx, s)
}

func (h *house) custom(ctx context.Context, s *told) error {
	shell := []responses.ToolUnionParam{{OfCustom: &responses.CustomToolParam{Name: "shell", Description: openai.String("Runs a command")}}}
	first, err := h.ai.Responses.New(ctx, responses.ResponseNewParams{Model: gemini3, Tools: shell, Input: input("(" + s.Mark + `) call shell {"input":"ls -l"}`)})
	if err != nil {
		return err
	}
	var done responses.ResponseInputParam
	for _, item := range first.Output {
		if item.Type == "custom_tool_call" {
			call := item.AsCustomToolCall()
			s.Calls = append(s.Calls, call.Name+" "+call.Input)
			done = append(done, responses.ResponseInputItemParamOfCustomToolCallOutput(call.CallID, "total 0"))
		}
	}
	return h.respond(responses.ResponseNewParams{Model: gemini3, Tools: shell, PreviousResponseID: openai.String(first.ID), Input: input(done)})(ctx, s)
}

func (h *house) kept(ctx context.Context, s *told) error {
	made, err := h.ai.Responses.New(ctx, responses.ResponseNewParams{Model: flash, Input: input("Hello"), Metadata: shared.Metadata{"colour": "red"}})
	if err != nil {
		return err
	}
	r, err := h.ai.Responses.Get(ctx, made.ID, responses.ResponseGetParams{})
	if err != nil {
		return err
	}
	s.took(r)
	s.Same = r.ID == made.ID
	pages := h.ai.Responses.InputItems.ListAutoPaging(ctx, made.ID, responses.InputItemListParams{})
	for pages.Next() {
		item := pages.Current()
		s.Names = append(s.Names, item.Type+" "+item.Role+" "+item.Content.OfInputItemContentList[0].Text)
	}
	return pages.Err()
}

// forgotten asks for an answer after it was deleted, or one that was not to be kept.
func (h *house) forgotten(store bool) goCase {
	return func(ctx context.Context, s *told) error {
		made, err := h.ai.Responses.New(ctx, responses.ResponseNewParams{Model: flash, Input: input("Hello"), Store: openai.Bool(store)})
		if err == nil && store {
			err = h.ai.Responses.Delete(ctx, made.ID)
		}
		if err != nil {
			return err
		}
		r, err := h.ai.Responses.Get(ctx, made.ID, responses.ResponseGetParams{})
		if err == nil {
			s.took(r)
		}
		return err
	}
}

func foxShape() map[string]any {
	return shape(map[string]any{"name": kind("string"), "colour": map[string]any{"type": "string", "enum": []string{"red", "grey"}}, "legs": kind("integer"),
		"friends": map[string]any{"type": "array", "items": kind("string")}})
}

func (h *house) parseFox(ask func(*told) responseAsk) goCase {
	return func(ctx context.Context, s *told) error {
		r, err := ask(s)(ctx, responses.ResponseNewParams{Model: flash, Input: input("A fox"),
			Text: responses.ResponseTextConfigParam{Format: responses.ResponseFormatTextConfigParamOfJSONSchema("fox", foxShape())}})
		if err != nil {
			return err
		}
		s.Finish = string(r.Status)
		return json.Unmarshal([]byte(r.OutputText()), &s.Parsed)
	}
}

func (h *house) responsesCases(in map[string]string) map[string]goCase {
	message := func(role responses.EasyInputMessageRole, text string) responses.ResponseInputItemUnionParam {
		return responses.ResponseInputItemParamOfMessage(text, role)
	}
	high := shared.ReasoningParam{Effort: "high", Summary: "auto"}
	picture := responses.ResponseInputContentUnionParam{OfInputImage: &responses.ResponseInputImageParam{Detail: "auto", ImageURL: openai.String("data:image/png;base64," + in["PICTURE"])}}
	look := responses.ResponseInputItemParamOfMessage(responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText("!describe"), picture}, "user")
	whole := func(*told) responseAsk {
		return func(ctx context.Context, p responses.ResponseNewParams) (*responses.Response, error) {
			return h.ai.Responses.New(ctx, p)
		}
	}
	all := map[string]goCase{
		"create": h.respond(responses.ResponseNewParams{Input: input("Hello")}),
		"instructions": h.respond(responses.ResponseNewParams{Instructions: openai.String("Be brief."), Temperature: openai.Float(0.25), MaxOutputTokens: openai.Int(2345),
			Input: input(responses.ResponseInputParam{message("user", "first"), message("assistant", "second"), message("user", "!describe")})}),
		"image_in":         h.respond(responses.ResponseNewParams{Input: input(responses.ResponseInputParam{look})}),
		"thinking":         h.respond(responses.ResponseNewParams{Input: input("think about it"), Reasoning: high}),
		"incomplete":       h.respond(responses.ResponseNewParams{Input: input("a prompt that is longer than its answer may be"), MaxOutputTokens: openai.Int(16), Temperature: openai.Float(0)}),
		"unknown_model":    h.respond(responses.ResponseNewParams{Input: input("Hello"), Model: "gemini-nobody"}),
		"blocked":          h.respond(responses.ResponseNewParams{Input: input("!fault blocked")}),
		"bad_input":        h.respond(responses.ResponseNewParams{Input: input("Hello")}, option.WithJSONSet("input", 7)),
		"stream":           h.streamed(responses.ResponseNewParams{Input: input(story)}),
		"stream_helper":    h.streamed(responses.ResponseNewParams{Input: input(story)}),
		"stream_thinking":  h.streamed(responses.ResponseNewParams{Input: input("think about it"), Reasoning: high}),
		"previous":         h.previous,
		"previous_unknown": h.respond(responses.ResponseNewParams{Input: input("Hello"), PreviousResponseID: openai.String("resp_nobody")}),
		"tools_3":          h.chain(gemini3, whole),
		"tools_25":         h.chain(flash, whole),
		"tools_stream_3":   h.chain(gemini3, h.events),
		"tools_fake":       h.chain(fake, h.events),
		"tools_carried":    h.carry,
		"custom":           h.custom,
		"kept":             h.kept,
		"deleted":          h.forgotten(true),
		"not_kept":         h.forgotten(false),
		"parse":            h.parseFox(whole),
		"parse_stream":     h.parseFox(h.events),
		"silence_plain":    h.respond(responses.ResponseNewParams{Input: input("!fault slow-first 30s")}),
	}
	for name, fault := range breaks() {
		all[name] = h.streamed(responses.ResponseNewParams{Input: input("!fault " + fault + " # and some more words behind it, so that there are events")})
	}
	for name, fault := range map[string]string{"silence_headers": "slow-first 30s", "silence_event": "slow-event 30s", "silence_middle": "silence 30s", "silence_error": "slow-first 30s 400"} {
		all[name] = h.streamed(responses.ResponseNewParams{Input: input("!fault " + fault)})
	}
	return all
}
