package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/respjson"
	"github.com/openai/openai-go/v3/responses"
	"google.golang.org/genai"
)

// goCase does what a request asks for.
func (at *house) goCase(a asking) goCase {
	cases := map[string]map[string]func(context.Context, *told, asking) error{
		"openai":    {"whole": at.chatWhole, "stream": at.chatStream, "talk": at.chatTalk, "complete": at.completeText, "list": at.listOpenAI, "get": at.getOpenAI},
		"responses": {"whole": at.responseWhole, "stream": at.responseStream, "talk": at.responseTalk, "kept": at.responseKept},
		"anthropic": {"whole": at.messageWhole, "stream": at.messageStream, "talk": at.messageTalk, "list": at.listAnthropic, "get": at.getAnthropic},
		"genai":     {"whole": at.genaiWhole, "stream": at.genaiStream, "talk": at.genaiTalk, "list": at.listGenai, "get": at.getGenai},
	}
	return func(ctx context.Context, s *told) error { return cases[a.Family][a.Do](ctx, s, a) }
}

// fill puts a request into the client's own types.
func (a asking) fill(params any, own map[string]any) error {
	own["model"] = a.Model
	maps.Copy(own, a.More)
	data, err := json.Marshal(own)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, params)
}

func user(content string) map[string]any { return map[string]any{"role": "user", "content": content} }

// hear adds a piece of text to what was heard.
func (s *told) hear(ctx context.Context, text string) {
	if text != "" {
		s.arrived(ctx)
		s.Text += text
	}
}

func (s *told) heads(r *http.Response) {
	if r != nil {
		s.Dropped, s.Fallback = r.Header.Get("X-Dropped-Params"), r.Header.Get("X-Model-Fallback")
	}
}

// whole notes the answer that the client has put together, and whether its pieces were the same.
func (s *told) whole(gather func(*told)) {
	text, thoughts, finishes := s.Text, s.Thoughts, s.Finishes
	gather(s)
	if s.Same = s.Text == text; thoughts != "" {
		s.Thoughts = thoughts
	}
	s.Finishes = finishes
}

// cite notes a place in the text, counted in characters, and what it rests on.
func (s *told) cite(kind, text string, from, to int64, address string) {
	letters := []rune(text)
	s.Cited = append(s.Cited, kind+" "+string(letters[from:to])+"@"+address)
}

func (s *told) countChat(u openai.CompletionUsage) {
	s.Usage.Prompt, s.Usage.Answer, s.Usage.Total = int(u.PromptTokens), int(u.CompletionTokens), int(u.TotalTokens)
	s.Usage.Thoughts = int(u.CompletionTokensDetails.ReasoningTokens)
}

func (s *told) gatherChat(c *openai.ChatCompletion) {
	m := c.Choices[0].Message
	s.Model, s.Text, s.Thoughts, s.Finish, s.Finishes = c.Model, m.Content, extra(m.JSON.ExtraFields), c.Choices[0].FinishReason, 1
	s.citeChat(m.Annotations)
	s.countChat(c.Usage)
}

func (s *told) citeChat(found []openai.ChatCompletionMessageAnnotation) {
	for _, a := range found {
		s.cite(string(a.Type), s.Text, a.URLCitation.StartIndex, a.URLCitation.EndIndex, a.URLCitation.URL)
	}
}

// chat are the parameters and options of a request.
func (a asking) chat(s *told, messages ...map[string]any) (p openai.ChatCompletionNewParams, o []option.RequestOption, head **http.Response, err error) {
	err = a.fill(&p, map[string]any{"messages": messages})
	head = new(*http.Response)
	o = append(o, option.WithResponseInto(head))
	for name, value := range a.Extra {
		o = append(o, option.WithJSONSet(name, value))
	}
	return p, o, head, err
}

func (h *house) chatWhole(ctx context.Context, s *told, a asking) error {
	p, o, head, err := a.chat(s, user(a.Prompt))
	if err != nil {
		return err
	}
	c, err := h.ai.Chat.Completions.New(ctx, p, o...)
	if s.heads(*head); err == nil {
		s.gatherChat(c)
	}
	return err
}

func (h *house) chatStream(ctx context.Context, s *told, a asking) error {
	p, o, head, err := a.chat(s, user(a.Prompt))
	if err != nil {
		return err
	}
	p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := h.ai.Chat.Completions.NewStreaming(ctx, p, o...)
	defer stream.Close()
	s.heads(*head)
	var all openai.ChatCompletionAccumulator
	var cited []openai.ChatCompletionMessageAnnotation
	for stream.Next() {
		chunk := stream.Current()
		if !all.AddChunk(chunk) {
			return fmt.Errorf("the piece does not fit: %s", chunk.RawJSON())
		}
		for _, choice := range chunk.Choices {
			s.hear(ctx, choice.Delta.Content)
			s.Thoughts += extra(choice.Delta.JSON.ExtraFields)
			if choice.FinishReason != "" {
				s.Finishes++
			}
			if cited, err = annotations(cited, choice.Delta.JSON.ExtraFields); err != nil {
				return err
			}
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	s.whole(func(s *told) { s.gatherChat(&all.ChatCompletion) })
	s.citeChat(cited)
	return nil
}

// annotations come in a delta, where the client has no type for them.
func annotations(all []openai.ChatCompletionMessageAnnotation, fields map[string]respjson.Field) ([]openai.ChatCompletionMessageAnnotation, error) {
	var more []openai.ChatCompletionMessageAnnotation
	if f, ok := fields["annotations"]; ok {
		if err := json.Unmarshal([]byte(f.Raw()), &more); err != nil {
			return nil, err
		}
	}
	return append(all, more...), nil
}

func (h *house) chatTalk(ctx context.Context, s *told, a asking) error {
	p, o, _, err := a.chat(s, user(a.Prompt))
	if err != nil {
		return err
	}
	c, err := h.ai.Chat.Completions.New(ctx, p, o...)
	if err != nil {
		return err
	}
	p.Messages = append(p.Messages, c.Choices[0].Message.ToParam(), openai.UserMessage("!describe"))
	if c, err = h.ai.Chat.Completions.New(ctx, p, o...); err == nil {
		s.gatherChat(c)
	}
	return err
}

// completeText is a stream in the old format.
func (h *house) completeText(ctx context.Context, s *told, a asking) error {
	stream := h.ai.Completions.NewStreaming(ctx, openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(a.Model),
		Prompt:        openai.CompletionNewParamsPromptUnion{OfString: openai.String(a.Prompt)},
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}})
	defer stream.Close()
	for stream.Next() {
		piece := stream.Current()
		s.Model = piece.Model
		for _, choice := range piece.Choices {
			s.hear(ctx, choice.Text)
			if choice.FinishReason != "" {
				s.Finish, s.Finishes = string(choice.FinishReason), s.Finishes+1
			}
		}
		if piece.Usage.TotalTokens > 0 {
			s.countChat(piece.Usage)
		}
	}
	return stream.Err()
}

func (h *house) listOpenAI(ctx context.Context, s *told, _ asking) error {
	pages := h.ai.Models.ListAutoPaging(ctx)
	for pages.Next() {
		s.Names = append(s.Names, pages.Current().ID)
	}
	return pages.Err()
}

func (h *house) getOpenAI(ctx context.Context, s *told, a asking) error {
	m, err := h.ai.Models.Get(ctx, a.Model)
	if err == nil {
		s.Names = []string{m.ID}
	}
	return err
}

// response is like chat for the Responses API.
func (a asking) response(items any) (p responses.ResponseNewParams, head **http.Response, err error) {
	err = a.fill(&p, map[string]any{"input": items})
	return p, new(*http.Response), err
}

func (s *told) gatherResponse(r *responses.Response) {
	s.took(r)
	s.Finishes = 1
	for _, item := range r.Output {
		for _, part := range item.Content {
			for _, a := range part.Annotations {
				found := a.AsURLCitation()
				s.cite(string(found.Type), part.Text, found.StartIndex, found.EndIndex, found.URL)
			}
		}
	}
}

func (h *house) responseWhole(ctx context.Context, s *told, a asking) error {
	p, head, err := a.response(a.Prompt)
	if err != nil {
		return err
	}
	r, err := h.ai.Responses.New(ctx, p, option.WithResponseInto(head))
	if s.heads(*head); err == nil {
		s.gatherResponse(r)
	}
	return err
}

func (h *house) responseStream(ctx context.Context, s *told, a asking) error {
	p, head, err := a.response(a.Prompt)
	if err != nil {
		return err
	}
	stream := h.ai.Responses.NewStreaming(ctx, p, option.WithResponseInto(head))
	defer stream.Close()
	s.heads(*head)
	var last responses.Response
	cited := 0
	for stream.Next() {
		event := stream.Current()
		switch s.note(event.Type); event.Type {
		case "response.output_text.delta":
			s.hear(ctx, event.Delta)
		case "response.output_text.annotation.added":
			cited++
		case "response.completed":
			last = event.Response
			s.Finishes++
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	s.whole(func(s *told) { s.gatherResponse(&last) })
	if s.Same = s.Same && cited == len(s.Cited); !s.Same {
		return fmt.Errorf("%d events of citations for %d", cited, len(s.Cited))
	}
	return nil
}

// responseKept looks at a streamed answer once more.
func (h *house) responseKept(ctx context.Context, s *told, a asking) error {
	if err := h.responseStream(ctx, s, a); err != nil {
		return err
	}
	r, err := h.ai.Responses.Get(ctx, s.ID, responses.ResponseGetParams{})
	if err == nil {
		s.whole(func(s *told) { s.gatherResponse(r) })
	}
	return err
}

func (h *house) responseTalk(ctx context.Context, s *told, a asking) error {
	p, _, err := a.response(a.Prompt)
	if err != nil {
		return err
	}
	p.Store, p.Input = openai.Bool(false), input(responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(a.Prompt, "user")})
	r, err := h.ai.Responses.New(ctx, p)
	if err != nil {
		return err
	}
	for _, item := range r.Output {
		var back responses.ResponseInputItemUnionParam
		if err := json.Unmarshal([]byte(item.RawJSON()), &back); err != nil {
			return err
		}
		p.Input.OfInputItemList = append(p.Input.OfInputItemList, back)
	}
	p.Input.OfInputItemList = append(p.Input.OfInputItemList, responses.ResponseInputItemParamOfMessage("!describe", "user"))
	if r, err = h.ai.Responses.New(ctx, p); err == nil {
		s.gatherResponse(r)
	}
	return err
}

// claude is the client, and a request in its types.
func (h *house) claude(a asking) (c *anthropic.Client, p anthropic.MessageNewParams, head **http.Response, err error) {
	content := []any{map[string]any{"type": "text", "text": a.Prompt}}
	err = a.fill(&p, map[string]any{"max_tokens": 9000, "messages": []any{map[string]any{"role": "user", "content": content}}})
	return h.anthropic(anthropicoption.WithAPIKey(h.password)), p, new(*http.Response), err
}

func (s *told) gatherMessage(m *anthropic.Message) {
	s.read(m)
	s.Finishes = 1
	for _, block := range m.Content {
		for _, c := range block.Citations {
			found := c.AsWebSearchResultLocation()
			s.Cited = append(s.Cited, string(found.Type)+" "+found.CitedText+"@"+found.URL)
		}
	}
}

func (h *house) messageWhole(ctx context.Context, s *told, a asking) error {
	c, p, head, err := h.claude(a)
	if err != nil {
		return err
	}
	m, err := c.Messages.New(ctx, p, anthropicoption.WithResponseInto(head))
	if s.heads(*head); err == nil {
		s.gatherMessage(m)
	}
	return err
}

func (h *house) messageStream(ctx context.Context, s *told, a asking) error {
	c, p, head, err := h.claude(a)
	if err != nil {
		return err
	}
	stream := c.Messages.NewStreaming(ctx, p, anthropicoption.WithResponseInto(head))
	defer stream.Close()
	s.heads(*head)
	var m anthropic.Message
	for stream.Next() {
		event := stream.Current()
		if s.note(event.Type); event.Delta.Type == "text_delta" {
			s.hear(ctx, event.Delta.Text)
		}
		if event.Delta.StopReason != "" {
			s.Finishes++
		}
		if err := m.Accumulate(event); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	s.whole(func(s *told) { s.gatherMessage(&m) })
	return nil
}

func (h *house) messageTalk(ctx context.Context, s *told, a asking) error {
	c, p, _, err := h.claude(a)
	if err != nil {
		return err
	}
	m, err := c.Messages.New(ctx, p)
	if err != nil {
		return err
	}
	p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(anthropic.NewTextBlock("!describe")))
	if m, err = c.Messages.New(ctx, p); err == nil {
		s.gatherMessage(m)
	}
	return err
}

func (h *house) listAnthropic(ctx context.Context, s *told, _ asking) error {
	c := h.anthropic(anthropicoption.WithAPIKey(h.password))
	pages := c.Models.ListAutoPaging(ctx, anthropic.ModelListParams{})
	for pages.Next() {
		s.Names = append(s.Names, pages.Current().ID)
	}
	return pages.Err()
}

func (h *house) getAnthropic(ctx context.Context, s *told, a asking) error {
	c := h.anthropic(anthropicoption.WithAPIKey(h.password))
	m, err := c.Models.Get(ctx, a.Model, anthropic.ModelGetParams{})
	if err == nil {
		s.Names = []string{m.ID}
	}
	return err
}

func (a asking) config() (cfg *genai.GenerateContentConfig, err error) {
	data, err := json.Marshal(a.More)
	if err != nil {
		return nil, err
	}
	cfg = &genai.GenerateContentConfig{}
	return cfg, json.Unmarshal(data, cfg)
}

// gatherGenai adds one answer, or one piece of a streamed one, and gives what it rests on.
func (s *told) gatherGenai(ctx context.Context, r *genai.GenerateContentResponse) (ground *genai.GroundingMetadata) {
	s.heads(&http.Response{Header: r.SDKHTTPResponse.Headers})
	s.Model = r.ModelVersion
	if u := r.UsageMetadata; u != nil {
		s.Usage.Prompt, s.Usage.Answer, s.Usage.Total = int(u.PromptTokenCount), int(u.CandidatesTokenCount), int(u.TotalTokenCount)
		s.Usage.Thoughts = int(u.ThoughtsTokenCount)
	}
	c := r.Candidates[0]
	if c.Content != nil {
		for _, p := range c.Content.Parts {
			if p.Thought {
				s.Thoughts += p.Text
				continue
			}
			s.hear(ctx, p.Text)
		}
	}
	if c.FinishReason != "" {
		s.Finish, s.Finishes = string(c.FinishReason), s.Finishes+1
	}
	if g := c.GroundingMetadata; g != nil && len(g.GroundingSupports) > 0 {
		return g
	}
	return nil
}

// rests notes the places of the whole text, which count bytes.
func (s *told) rests(g *genai.GroundingMetadata) {
	if s.Same = true; g == nil {
		return
	}
	for _, support := range g.GroundingSupports {
		place, kind := support.Segment, "elsewhere"
		if s.Text[place.StartIndex:place.EndIndex] == place.Text {
			kind = "web"
		}
		for _, n := range support.GroundingChunkIndices {
			s.Cited = append(s.Cited, kind+" "+place.Text+"@"+g.GroundingChunks[n].Web.URI)
		}
	}
}

func (h *house) genaiWhole(ctx context.Context, s *told, a asking) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	r, err := h.gen.Models.GenerateContent(ctx, a.Model, genai.Text(a.Prompt), cfg)
	if err == nil {
		s.rests(s.gatherGenai(ctx, r))
	}
	return err
}

func (h *house) genaiStream(ctx context.Context, s *told, a asking) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	var ground *genai.GroundingMetadata
	for r, err := range h.gen.Models.GenerateContentStream(ctx, a.Model, genai.Text(a.Prompt), cfg) {
		if err != nil {
			return err
		}
		if g := s.gatherGenai(ctx, r); g != nil {
			ground = g
		}
	}
	s.rests(ground)
	return nil
}

func (h *house) genaiTalk(ctx context.Context, s *told, a asking) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	chat, err := h.gen.Chats.Create(ctx, a.Model, cfg, nil)
	if err != nil {
		return err
	}
	for _, err := range chat.SendMessageStream(ctx, genai.Part{Text: a.Prompt}) {
		if err != nil {
			return err
		}
	}
	r, err := chat.SendMessage(ctx, genai.Part{Text: "!describe"})
	if err == nil {
		s.rests(s.gatherGenai(ctx, r))
	}
	return err
}

func (h *house) listGenai(ctx context.Context, s *told, _ asking) error {
	for m, err := range h.gen.Models.All(ctx) {
		if err != nil {
			return err
		}
		s.Names = append(s.Names, m.Name)
	}
	return nil
}

func (h *house) getGenai(ctx context.Context, s *told, a asking) error {
	m, err := h.gen.Models.Get(ctx, a.Model, nil)
	if err == nil {
		s.Names = []string{m.Name}
	}
	return err
}
