package sdktest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"google.golang.org/genai"
)

func genaiTools() []*genai.Tool {
	all, declared := functions(), []*genai.FunctionDeclaration{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		declared = append(declared, &genai.FunctionDeclaration{Name: name, Description: all[name].description, ParametersJsonSchema: all[name].parameters})
	}
	return []*genai.Tool{{FunctionDeclarations: declared}}
}

// errands answers what a chat calls until it calls nothing more.
func (h *house) errands(model string) goCase {
	return func(ctx context.Context, s *told) error {
		chat, err := h.gen.Chats.Create(ctx, model, &genai.GenerateContentConfig{Tools: genaiTools()}, nil)
		if err != nil {
			return err
		}
		parts := []genai.Part{{Text: errand(s.Mark)}}
		for {
			said, err := chat.SendMessage(ctx, parts...)
			if err != nil {
				return err
			}
			s.Steps++
			s.Text, s.Finish, parts = said.Text(), string(said.Candidates[0].FinishReason), nil
			for _, call := range said.FunctionCalls() {
				args, _ := json.Marshal(call.Args)
				result, _ := s.work(call.Name, string(args))
				parts = append(parts, genai.Part{FunctionResponse: &genai.FunctionResponse{ID: call.ID, Name: call.Name, Response: result}})
			}
			if len(parts) == 0 {
				return nil
			}
		}
	}
}

// streamedErrands is errands with streams: the client's chat makes a turn of every event.
func (h *house) streamedErrands(model string) goCase {
	return func(ctx context.Context, s *told) error {
		chat, err := h.gen.Chats.Create(ctx, model, &genai.GenerateContentConfig{Tools: genaiTools()}, nil)
		if err != nil {
			return err
		}
		parts := []genai.Part{{Text: errand(s.Mark)}}
		for {
			s.Text = ""
			var results []genai.Part
			for said, err := range chat.SendMessageStream(ctx, parts...) {
				if err != nil {
					return err
				}
				s.Text += said.Text()
				if reason := string(said.Candidates[0].FinishReason); reason != "" {
					s.Finish = reason
				}
				for _, call := range said.FunctionCalls() {
					args, _ := json.Marshal(call.Args)
					result, _ := s.work(call.Name, string(args))
					results = append(results, genai.Part{FunctionResponse: &genai.FunctionResponse{ID: call.ID, Name: call.Name, Response: result}})
				}
			}
			if s.Steps++; len(results) == 0 {
				return nil
			}
			parts = results
		}
	}
}

func (h *house) session(ctx context.Context, s *told) error {
	chat, err := h.gen.Chats.Create(ctx, flash, &genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText("Be brief.", genai.RoleUser)}, nil)
	if err != nil {
		return err
	}
	if _, err := chat.SendMessage(ctx, genai.Part{Text: "first"}); err != nil {
		return err
	}
	var heard strings.Builder
	for piece, err := range chat.SendMessageStream(ctx, genai.Part{Text: story}) {
		if err != nil {
			return err
		}
		s.arrived(ctx)
		heard.WriteString(piece.Text())
	}
	s.Names = []string{heard.String()}
	said, err := chat.SendMessage(ctx, genai.Part{Text: "!describe"})
	if err == nil {
		s.Text = said.Text()
	}
	return err
}

func (h *house) inline(mime string, data []byte) goCase {
	return func(ctx context.Context, s *told) error {
		said, err := h.gen.Models.GenerateContent(ctx, flash, []*genai.Content{{Role: genai.RoleUser, Parts: []*genai.Part{{Text: "!describe"}, {InlineData: &genai.Blob{MIMEType: mime, Data: data}}}}}, nil)
		if err == nil {
			s.Text = said.Text()
		}
		return err
	}
}

func (h *house) vectors(contents []*genai.Content, cfg *genai.EmbedContentConfig) goCase {
	return func(ctx context.Context, s *told) error {
		got, err := h.gen.Models.EmbedContent(ctx, "gemini-embedding-001", contents, cfg)
		if err != nil {
			return err
		}
		for _, one := range got.Embeddings {
			var numbers []float64
			for _, v := range one.Values {
				numbers = append(numbers, float64(v))
			}
			s.Vectors = append(s.Vectors, numbers)
		}
		return nil
	}
}

func (h *house) genaiCases() map[string]goCase {
	schema := shape(map[string]any{"name": kind("string"), "kind": map[string]any{"type": "string", "enum": []string{"soup", "cake"}}, "minutes": kind("integer")})
	pair := []*genai.Content{genai.NewContentFromText("a fox", genai.RoleUser), genai.NewContentFromText("a crow", genai.RoleUser)}
	return map[string]goCase{
		"chat_session": h.session,
		"tools_3":      h.errands(gemini3),
		"tools_25":     h.errands(flash),
		"tools_fake":   h.streamedErrands(fake),
		"tools_stream": h.streamedErrands(gemini3),
		"audio":        h.inline("audio/wav", sound()),
		"file":         h.inline("application/pdf", document()),
		"parse": func(ctx context.Context, s *told) error {
			said, err := h.gen.Models.GenerateContent(ctx, flash, genai.Text("A recipe"), &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: schema})
			if err != nil {
				return err
			}
			s.Finish = string(said.Candidates[0].FinishReason)
			return json.Unmarshal([]byte(said.Text()), &s.Parsed)
		},
		"embed":       h.vectors(pair, nil),
		"embed_small": h.vectors(pair[:1], &genai.EmbedContentConfig{OutputDimensionality: genai.Ptr[int32](16), TaskType: "RETRIEVAL_QUERY"}),
		"files": func(ctx context.Context, _ *told) error {
			_, err := h.gen.Files.Get(ctx, "files/fox", nil) // an error of Upload is no genai.APIError
			return err
		},
		"files_list": func(ctx context.Context, _ *told) error {
			_, err := h.gen.Files.List(ctx, nil)
			return err
		},
		"caches": func(ctx context.Context, _ *told) error {
			_, err := h.gen.Caches.Create(ctx, flash, &genai.CreateCachedContentConfig{Contents: genai.Text("a fox")})
			return err
		},
		"batches": func(ctx context.Context, _ *told) error {
			_, err := h.gen.Batches.Create(ctx, flash, &genai.BatchJobSource{InlinedRequests: []*genai.InlinedRequest{{Contents: genai.Text("a fox")}}}, nil)
			return err
		},
	}
}
