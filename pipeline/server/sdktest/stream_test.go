package sdktest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"
)

// A stream that breaks surfaces as an error in both clients; what was said before stands.
func TestBrokenStreams(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		for _, fault := range []string{"cut", "eof", "garbage", "error-event", "error-line"} {
			prompt := "!fault " + fault + " # and some more words behind it, so that there are events"
			s := h.stream(t.Context(), ask(prompt))
			if s.err == nil || s.finish != "" || !strings.HasPrefix("echo: "+prompt, s.text) || s.text == "" {
				t.Errorf("openai, %s: %+v", fault, s)
			}
			got := h.listen(t.Context(), prompt, nil)
			if got.err == nil || got.finish != "" || !strings.HasPrefix("echo: "+prompt, got.text) || got.text == "" {
				t.Errorf("genai, %s: %+v", fault, got)
			}
			var e genai.APIError
			if !errors.As(got.err, &e) || e.Code < 400 || e.Status == "" {
				t.Errorf("genai, %s: the error is %#v", fault, got.err)
			}
			if s := h.stream(t.Context(), ask("Hello")); s.err != nil { // five in a row would stop the calls for a while
				t.Error(s.err)
			}
		}
		h.idle(t, 10*time.Second)
	})
}

// Thirty seconds of silence, before the headers, before the first event and inside an answer: the
// gateway sends a heartbeat every three seconds, and no client minds.
func TestThirtySecondsOfSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	kinds(t, func(t *testing.T, h *house) {
		for _, fault := range []string{"slow-first 30s", "slow-event 30s", "silence 30s"} {
			prompt := "!fault " + fault
			patient := func(t *testing.T, begun time.Time) {
				t.Helper()
				if took := time.Since(begun); took < 30*time.Second {
					t.Errorf("the answer came after %v: there was no silence", took)
				}
			}
			t.Run(fault+"/openai", func(t *testing.T) {
				t.Parallel()
				begun := time.Now()
				if s := h.stream(context.Background(), ask(prompt)); s.err != nil || s.text != "echo: "+prompt || s.finish != "stop" {
					t.Errorf("%+v", s)
				}
				patient(t, begun)
			})
			t.Run(fault+"/genai", func(t *testing.T) {
				t.Parallel()
				begun := time.Now()
				if got := h.listen(context.Background(), prompt, nil); got.err != nil || got.text != "echo: "+prompt || got.finish != genai.FinishReasonStop {
					t.Errorf("%+v", got)
				}
				patient(t, begun)
			})
			t.Run(fault+"/openai plain", func(t *testing.T) {
				t.Parallel()
				begun := time.Now()
				if c := h.chat(t, ask(prompt)); c.Choices[0].Message.Content != "echo: "+prompt {
					t.Errorf("%s", c.RawJSON())
				}
				patient(t, begun)
			})
		}
	})
}

// An error after the silence is an error in both clients, though the status line is long out.
func TestErrorAfterSilence(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		const prompt = "!fault slow-first 8s 400"
		if s := h.stream(t.Context(), ask(prompt)); s.err == nil || s.text != "" || s.finish != "" {
			t.Errorf("%+v", s)
		}
		got := h.listen(t.Context(), prompt, nil)
		var e genai.APIError
		if !errors.As(got.err, &e) || e.Code != 400 || got.events != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A client that leaves in the middle ends the call to Google within a second. It runs before the tests
// that share the machine, so that the second is the gateway's.
func TestClientLeaves(t *testing.T) {
	for _, kind := range credentials() {
		t.Run(kind, func(t *testing.T) { clientLeaves(t, open(t, kind)) })
	}
}

func clientLeaves(t *testing.T, h *house) {
	leave := map[string]func(ctx context.Context, cancel func()){
		"openai": func(ctx context.Context, cancel func()) {
			s := h.ai.Chat.Completions.NewStreaming(ctx, ask("!fault silence 60s"))
			defer s.Close()
			if !s.Next() {
				t.Errorf("no event: %v", s.Err())
			}
			cancel()
		},
		"genai": func(ctx context.Context, cancel func()) {
			for _, err := range h.gen.Models.GenerateContentStream(ctx, flash, genai.Text("!fault silence 60s"), nil) {
				if err != nil {
					t.Error(err)
				}
				cancel()
				break
			}
		},
	}
	for name, f := range leave {
		h.sim.ForgetCalls()
		ctx, cancel := context.WithCancel(t.Context())
		f(ctx, cancel)
		h.idle(t, time.Second)
		if c := h.sim.CallsOf("streamGenerateContent"); len(c) != 1 || !c[0].Done || !c[0].Gone {
			t.Errorf("%s: Google saw %+v", name, c)
		}
		cancel()
	}
}

// Either language is understood on either route; the answer is in the route's own.
func TestForeignBodies(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		post := func(path, body string) string {
			req, err := http.NewRequest("POST", h.url+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+password)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 {
				t.Errorf("%d %v %s", resp.StatusCode, err, b)
			}
			return string(b)
		}
		gemini, openAI := `{"model":"gemini-2.5-flash","contents":[{"role":"user","parts":[{"text":"Hello"}]}]}`, `{"messages":[{"role":"user","content":"Hello"}]}`
		if got := post("/v1/chat/completions", gemini); !strings.Contains(got, `"object":"chat.completion"`) || !strings.Contains(got, "echo: Hello") {
			t.Errorf("Gemini body, OpenAI route: %s", got)
		}
		if got := post("/v1beta/models/gemini-2.5-flash:generateContent", openAI); !strings.Contains(got, `"candidates"`) || !strings.Contains(got, "echo: Hello") {
			t.Errorf("OpenAI body, Gemini route: %s", got)
		}
	})
}
