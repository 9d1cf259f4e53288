package sdktest

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/toolrunner"
)

// anthropic is a client whose own retries are off.
func (h *house) anthropic(credential option.RequestOption) *anthropic.Client {
	c := anthropic.NewClient(option.WithoutEnvironmentDefaults(), option.WithBaseURL(h.url), option.WithMaxRetries(h.retries), credential)
	return &c
}

type messageAsk func(context.Context, anthropic.MessageNewParams) (*anthropic.Message, error)

// message is a request to the model of most cases.
func message(blocks ...anthropic.ContentBlockParamUnion) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: flash, MaxTokens: 4096, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(blocks...)}}
}

func saying(text string) anthropic.MessageNewParams { return message(anthropic.NewTextBlock(text)) }

// with changes a request.
func with(p anthropic.MessageNewParams, change func(*anthropic.MessageNewParams)) anthropic.MessageNewParams {
	change(&p)
	return p
}

func messageTools() (tools []anthropic.ToolUnionParam) {
	all := functions()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		tools = append(tools, anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{Name: name, Description: anthropic.String(f.description),
			InputSchema: anthropic.ToolInputSchemaParam{Properties: f.parameters["properties"], Required: f.parameters["required"].([]string)}}})
	}
	return tools
}

// told notes a message.
func (s *told) read(m *anthropic.Message) {
	s.ID, s.Model, s.Finish, s.Stop = m.ID, string(m.Model), string(m.StopReason), m.StopSequence
	s.Text, s.Thoughts, s.Items, s.Signed = "", "", nil, 0
	for _, block := range m.Content {
		s.Items = append(s.Items, block.Type)
		s.Text += block.Text
		s.Thoughts += block.Thinking
		if block.Signature != "" {
			s.Signed++
		}
	}
	s.Usage.Prompt, s.Usage.Answer = int(m.Usage.InputTokens), int(m.Usage.OutputTokens)
}

func create(c *anthropic.Client, p anthropic.MessageNewParams, o ...option.RequestOption) goCase {
	return func(ctx context.Context, s *told) error {
		m, err := c.Messages.New(ctx, p, o...)
		if err == nil {
			s.read(m)
		}
		return err
	}
}

// hear streams a message and puts it together with the client's own accumulator.
func hear(ctx context.Context, c *anthropic.Client, p anthropic.MessageNewParams, s *told) (*anthropic.Message, error) {
	stream := c.Messages.NewStreaming(ctx, p)
	defer stream.Close()
	var m anthropic.Message
	for stream.Next() {
		event := stream.Current()
		s.note(event.Type)
		if event.Delta.Type == "text_delta" {
			s.arrived(ctx)
			s.Text += event.Delta.Text
		}
		if err := m.Accumulate(event); err != nil {
			return nil, err
		}
	}
	return &m, stream.Err()
}

func stream(c *anthropic.Client, p anthropic.MessageNewParams) goCase {
	return func(ctx context.Context, s *told) error {
		m, err := hear(ctx, c, p, s)
		if err != nil {
			return err
		}
		heard := s.Text
		s.read(m)
		s.Same = s.Text == heard
		return nil
	}
}

// answers goes on until the model calls nothing more; its answers go back as they came.
func answers(p anthropic.MessageNewParams, ask messageAsk) goCase {
	return func(ctx context.Context, s *told) error {
		p := p
		p.Tools, p.Messages = messageTools(), []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(errand(s.Mark)))}
		for {
			m, err := ask(ctx, p)
			if err != nil {
				return err
			}
			s.Steps++
			s.read(m)
			s.note(s.Finish + ": " + strings.Join(s.Items, " "))
			p.Messages = append(p.Messages, m.ToParam())
			var results []anthropic.ContentBlockParamUnion
			for _, block := range m.Content {
				if block.Type == "tool_use" {
					_, result := s.work(block.Name, string(block.Input))
					results = append(results, anthropic.NewToolResultBlock(block.ID, result, false))
				}
			}
			if len(results) == 0 {
				return nil
			}
			p.Messages = append(p.Messages, anthropic.NewUserMessage(results...))
		}
	}
}

// runnable are the functions as the client's own loop takes them, which runs those of one step side by side.
func runnable(s *told) (tools []anthropic.BetaTool, err error) {
	all := functions()
	var mu sync.Mutex
	for _, name := range slices.Sorted(maps.Keys(all)) {
		schema, err := json.Marshal(all[name].parameters)
		if err != nil {
			return nil, err
		}
		tool, err := toolrunner.NewBetaToolFromBytes(name, all[name].description, schema,
			func(_ context.Context, args json.RawMessage) (anthropic.BetaToolResultBlockParamContentUnion, error) {
				mu.Lock()
				defer mu.Unlock()
				_, result := s.work(name, string(args))
				return anthropic.BetaToolResultBlockParamContentUnion{OfText: &anthropic.BetaTextBlockParam{Text: result}}, nil
			})
		if err != nil {
			return nil, err
		}
		tools = append(tools, tool)
	}
	return tools, nil
}

func runnerParams(s *told) anthropic.BetaToolRunnerParams {
	return anthropic.BetaToolRunnerParams{BetaMessageNewParams: anthropic.BetaMessageNewParams{Model: gemini3, MaxTokens: 4096,
		Messages: []anthropic.BetaMessageParam{anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock(errand(s.Mark)))}}}
}

// last notes the newest answer of the client's own loop.
func (s *told) last(m *anthropic.BetaMessage) {
	s.Finish, s.Text = string(m.StopReason), ""
	for _, block := range m.Content {
		s.Text += block.Text
	}
}

func runner(c *anthropic.Client) goCase {
	return func(ctx context.Context, s *told) error {
		tools, err := runnable(s)
		if err != nil {
			return err
		}
		for m, err := range c.Beta.Messages.NewToolRunner(tools, runnerParams(s)).All(ctx) {
			if err != nil {
				return err
			}
			s.Steps++
			s.last(m)
		}
		return nil
	}
}

func runnerStream(c *anthropic.Client) goCase {
	return func(ctx context.Context, s *told) error {
		tools, err := runnable(s)
		if err != nil {
			return err
		}
		for events, err := range c.Beta.Messages.NewToolRunnerStreaming(tools, runnerParams(s)).AllStreaming(ctx) {
			if err != nil {
				return err
			}
			m, err := gather(events)
			if err != nil {
				return err
			}
			if m.ID == "" {
				continue // where it finds that nothing is left to ask
			}
			s.Steps++
			s.last(m)
		}
		return nil
	}
}

func gather(events iter.Seq2[anthropic.BetaRawMessageStreamEventUnion, error]) (*anthropic.BetaMessage, error) {
	var m anthropic.BetaMessage
	for event, err := range events {
		if err == nil {
			err = m.Accumulate(event)
		}
		if err != nil {
			return nil, err
		}
	}
	return &m, nil
}

func (h *house) anthropicCases(in map[string]string) map[string]goCase {
	c, stranger := h.anthropic(option.WithAPIKey(h.password)), h.anthropic(option.WithAPIKey("wrong"))
	unknown := with(saying("Hello"), func(p *anthropic.MessageNewParams) { p.Model = "gemini-nobody" })
	thinking := with(saying("think about it"), func(p *anthropic.MessageNewParams) { p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2048) })
	wizard := option.WithJSONSet("messages.0.role", "wizard")
	all := map[string]goCase{
		"message":    create(c, saying("Hello")),
		"token":      create(h.anthropic(option.WithAuthToken(h.password)), saying("Hello")),
		"stream":     stream(c, saying(story)),
		"stream_raw": stream(c, saying(story)),
		"system": create(c, with(saying("first"), func(p *anthropic.MessageNewParams) {
			p.System = []anthropic.TextBlockParam{{Text: "Be brief."}}
			p.Messages = append(p.Messages, anthropic.NewAssistantMessage(anthropic.NewTextBlock("second")), anthropic.NewUserMessage(anthropic.NewTextBlock("!describe")))
		})),
		"system_blocks": create(c, with(saying("!describe"), func(p *anthropic.MessageNewParams) {
			p.System = []anthropic.TextBlockParam{{Text: "Be brief."}, {Text: "And polite.", CacheControl: anthropic.NewCacheControlEphemeralParam()}}
			p.Metadata = anthropic.MetadataParam{UserID: anthropic.String("fox")}
			p.Temperature, p.TopP, p.TopK = anthropic.Float(0.25), anthropic.Float(0.5), anthropic.Int(40)
		})),
		"image_in":        create(c, message(anthropic.NewTextBlock("!describe"), anthropic.NewImageBlockBase64("image/png", in["PICTURE"]))),
		"image_url":       create(c, message(anthropic.NewTextBlock("!describe"), anthropic.NewImageBlock(anthropic.URLImageSourceParam{URL: in["PICTURE_URL"]}))),
		"thinking":        create(c, thinking),
		"thinking_stream": stream(c, thinking),
		"stop":            create(c, with(saying("say this and STOP here"), func(p *anthropic.MessageNewParams) { p.StopSequences = []string{"STOP"} })),
		"max_tokens":      create(c, with(saying("a prompt that is longer than its answer may be"), func(p *anthropic.MessageNewParams) { p.MaxTokens = 3 })),
		"count": func(ctx context.Context, s *told) error {
			n, err := c.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: flash, Messages: saying(story).Messages})
			if err == nil {
				s.Tokens = int(n.InputTokens)
			}
			return err
		},
		"wrong_password":        create(stranger, saying("Hello")),
		"wrong_password_stream": stream(stranger, saying("Hello")),
		"unknown_model":         create(c, unknown),
		"unknown_model_stream":  stream(c, unknown),
		"bad_role":              create(c, saying("Hello"), wizard),
		"bad_result":            create(c, message(anthropic.NewToolResultBlock("toolu_nobody", "x", false))),
		"rate_limit":            create(c, with(saying("!fault 429-reset 40s"), func(p *anthropic.MessageNewParams) { p.Model = resting })),
		"silence_error":         stream(c, saying("!fault slow-first 30s 400")),
		"silence_plain":         create(c, saying("!fault slow-first 30s")),
		"silence_headers":       stream(c, saying("!fault slow-first 30s")),
		"silence_event":         stream(c, saying("!fault slow-event 30s")),
		"silence_middle":        stream(c, saying("!fault silence 30s")),
	}
	for name, fault := range breaks() {
		all[name] = stream(c, saying("!fault "+fault+" # and some more words behind it, so that there are events"))
	}
	maps.Copy(all, anthropicOtherCases(c, in))
	maps.Copy(all, anthropicErrandCases(c, thinking.Thinking))
	return all
}

// anthropicOtherCases are documents, structured output and models.
func anthropicOtherCases(c *anthropic.Client, in map[string]string) map[string]goCase {
	fox := with(saying("A fox"), func(p *anthropic.MessageNewParams) {
		p.OutputConfig = anthropic.OutputConfigParam{Format: anthropic.JSONOutputFormatParam{Schema: foxShape()}}
	})
	parse := func(ask func(context.Context, *told) (*anthropic.Message, error)) goCase {
		return func(ctx context.Context, s *told) error {
			m, err := ask(ctx, s)
			if err != nil {
				return err
			}
			s.read(m)
			return json.Unmarshal([]byte(s.Text), &s.Parsed)
		}
	}
	return map[string]goCase{
		"document": create(c, message(anthropic.NewTextBlock("!describe"), anthropic.NewDocumentBlock(anthropic.Base64PDFSourceParam{Data: in["DOCUMENT"]}))),
		"parse":    parse(func(ctx context.Context, _ *told) (*anthropic.Message, error) { return c.Messages.New(ctx, fox) }),
		"parse_stream": parse(func(ctx context.Context, s *told) (*anthropic.Message, error) {
			return hear(ctx, c, fox, s)
		}),
		"models": func(ctx context.Context, s *told) error {
			pages := c.Models.ListAutoPaging(ctx, anthropic.ModelListParams{})
			for pages.Next() {
				s.Names = append(s.Names, pages.Current().ID)
			}
			return pages.Err()
		},
		"model": func(ctx context.Context, s *told) error {
			m, err := c.Models.Get(ctx, "gemini-2.5-pro", anthropic.ModelGetParams{})
			if err == nil {
				s.Names = []string{m.ID}
			}
			return err
		},
		"batches": func(ctx context.Context, _ *told) error {
			_, err := c.Messages.Batches.List(ctx, anthropic.MessageBatchListParams{})
			return err
		},
	}
}

// anthropicErrandCases are those with functions.
func anthropicErrandCases(c *anthropic.Client, thinking anthropic.ThinkingConfigParamUnion) map[string]goCase {
	whole := func(ctx context.Context, p anthropic.MessageNewParams) (*anthropic.Message, error) {
		return c.Messages.New(ctx, p)
	}
	streamed := func(ctx context.Context, p anthropic.MessageNewParams) (*anthropic.Message, error) {
		return hear(ctx, c, p, &told{})
	}
	of := func(model string) anthropic.MessageNewParams {
		return anthropic.MessageNewParams{Model: anthropic.Model(model), MaxTokens: 4096}
	}
	thoughtful := func(model string) anthropic.MessageNewParams {
		return with(of(model), func(p *anthropic.MessageNewParams) { p.Thinking = thinking })
	}
	choose := func(choice anthropic.ToolChoiceUnionParam) goCase {
		return create(c, with(saying("Hello"), func(p *anthropic.MessageNewParams) { p.Model, p.Tools, p.ToolChoice = gemini3, messageTools(), choice }))
	}
	return map[string]goCase{
		"tools_3": answers(of(gemini3), whole), "tools_25": answers(of(flash), whole),
		"tools_stream_3": answers(of(gemini3), streamed), "tools_stream_25": answers(of(flash), streamed), "tools_fake": answers(of(fake), streamed),
		"tools_thinking_3": answers(thoughtful(gemini3), whole), "tools_thinking_25": answers(thoughtful(flash), streamed),
		"tools_runner": runner(c), "tools_runner_stream": runnerStream(c),
		"choice_named": choose(anthropic.ToolChoiceParamOfTool("add")),
		"choice_any":   choose(anthropic.ToolChoiceUnionParam{OfAny: &anthropic.ToolChoiceAnyParam{}}),
		"choice_none":  choose(anthropic.ToolChoiceUnionParam{OfNone: &anthropic.ToolChoiceNoneParam{}}),
	}
}
