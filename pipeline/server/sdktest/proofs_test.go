package sdktest

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// proof is one case of a script and what its client must have shown.
type proof struct {
	name  string
	check func(*testing.T, told)
}

// openaiProofs are the cases of the clients of OpenAI, which agree on the names of their errors.
func openaiProofs(h *house) []proof {
	const stop = "stop"
	stranger := func(t *testing.T, s told) {
		s.refused(t, "AuthenticationError", 401, "unauthorized", "authentication_error")
	}
	unknown := func(t *testing.T, s told) {
		s.refused(t, "NotFoundError", 404, "model_not_found", "invalid_request_error")
	}
	all := []proof{
		{"stream", func(t *testing.T, s told) { // usage was not asked for
			s.streamed(t, "echo: "+story, stop, 5)
			if s.Usage.Total != 0 {
				t.Errorf("usage %+v, and nobody asked for it", s.Usage)
			}
		}},
		{"stream_usage", func(t *testing.T, s told) { s.streamed(t, "echo: "+story, stop, 6); s.counted(t, story, true) }},
		{"system", func(t *testing.T, s told) { s.conversed(t, h, "Be brief.\nAnd polite.") }},
		{"image_out", func(t *testing.T, s told) { s.drew(t, h) }},
		{"wrong_password", stranger},
		{"wrong_password_stream", stranger},
		{"unknown_model", unknown},
		{"unknown_model_stream", unknown},
		{"silence_error", func(t *testing.T, s told) {
			s.refused(t, "APIError", 0, "bad_request", "invalid_request_error")
			s.patient(t)
		}},
		{"models", func(t *testing.T, s told) { s.named(t, "gemini-2.5-pro", "gemini-2.5-flash-image") }},
		{"model", func(t *testing.T, s told) { s.named(t, "gemini-2.5-pro") }},
	}
	for name, fault := range breaks() {
		all = append(all, proof{name, func(t *testing.T, s told) {
			if s.broke(t, fault); s.Error != nil && (s.Error.Class != "APIError" || s.Error.Kind != "server_error" || s.Error.Code == "") {
				t.Errorf("the error is %+v", s.Error)
			}
		}})
	}
	return append(all, proofs(stop, true)...)
}

// genaiProofs are the cases of the clients of Google.
func (l language) genaiProofs(h *house) []proof {
	const stop = "STOP"
	stranger := func(t *testing.T, s told) { s.refusedBy(t, l.client, 401, "UNAUTHENTICATED", "unauthorized") }
	unknown := func(t *testing.T, s told) { s.refusedBy(t, l.client, 404, "NOT_FOUND", "model_not_found") }
	all := []proof{
		{"stream", func(t *testing.T, s told) { s.streamed(t, "echo: "+story, stop, 5); s.counted(t, story, false) }},
		{"system", func(t *testing.T, s told) { s.conversed(t, h, "Be brief.") }},
		{"wrong_password", stranger},
		{"wrong_password_stream", stranger},
		{"unknown_model", unknown},
		{"unknown_model_stream", unknown},
		{"silence_error", func(t *testing.T, s told) {
			s.refusedBy(t, l.client, 400, "INVALID_ARGUMENT", "bad_request")
			s.patient(t)
		}},
		{"models", func(t *testing.T, s told) { s.named(t, "models/gemini-2.5-pro", "models/gemini-2.5-flash-image") }},
		{"model", func(t *testing.T, s told) { s.named(t, "models/gemini-2.5-pro") }},
		{"count", func(t *testing.T, s told) {
			if s.Error != nil || s.Tokens != simulator.Tokens(story) {
				t.Errorf("%d tokens, want %d", s.Tokens, simulator.Tokens(story))
			}
		}},
	}
	for name, fault := range breaks() {
		all = append(all, proof{name, func(t *testing.T, s told) {
			if s.broke(t, fault); s.Error != nil && (s.Error.Class != l.server || s.Error.Status < 500) {
				t.Errorf("the error is %+v", s.Error)
			}
		}})
	}
	return append(all, proofs(stop, false)...)
}

// proofs are the cases in which all clients show the same.
func proofs(stop string, thoughtsAreAnswer bool) []proof {
	const thinking = "think about it"
	all := []proof{
		{"chat", func(t *testing.T, s told) {
			s.answered(t, "echo: Hello", stop)
			s.counted(t, "Hello", thoughtsAreAnswer)
		}},
		{"image_in", func(t *testing.T, s told) {
			_, _, want := picture(t)
			d := description(t, s.Text)
			if !slices.Equal(d.Images, []simulator.Image{want}) || len(d.Parts) != 1 || !slices.Equal(d.Parts[0], []string{"text", "inlineData"}) || s.Usage.Prompt < 258 {
				t.Errorf("%+v, want %+v", d, want)
			}
		}},
		{"thinking", func(t *testing.T, s told) {
			s.thought(t, "echo: "+thinking, stop)
			s.counted(t, thinking, thoughtsAreAnswer)
		}},
		{"thinking_stream", func(t *testing.T, s told) {
			s.thought(t, "echo: "+thinking, stop)
			s.streamed(t, "echo: "+thinking, stop, 3)
			s.counted(t, thinking, thoughtsAreAnswer)
		}},
		{"silence_plain", func(t *testing.T, s told) {
			s.answered(t, "echo: !fault slow-first 30s", stop)
			s.patient(t)
		}},
	}
	for name, fault := range map[string]string{"silence_headers": "slow-first 30s", "silence_event": "slow-event 30s", "silence_middle": "silence 30s"} {
		all = append(all, proof{name, func(t *testing.T, s told) {
			s.streamed(t, "echo: !fault "+fault, stop, 3)
			s.patient(t)
			if name == "silence_middle" && s.Took-s.First < 5 { // of thirty: a busy client is late itself
				t.Error("what was said before the silence came after it")
			}
		}})
	}
	return all
}

// breaks are the faults that break a stream, by case.
func breaks() map[string]string {
	return map[string]string{"broken_cut": "cut", "broken_eof": "eof", "broken_garbage": "garbage", "broken_event": "error-event", "broken_line": "error-line"}
}

func (s told) answered(t *testing.T, text, finish string) {
	t.Helper()
	if s.Error != nil || s.Text != text || s.Finish != finish || s.Model != flash {
		t.Errorf("not the answer %q that ends with %s", text, finish)
	}
}

// streamed is an answer in at least so many pieces.
func (s told) streamed(t *testing.T, text, finish string, pieces int) {
	t.Helper()
	s.answered(t, text, finish)
	if s.Chunks < pieces {
		t.Errorf("%d pieces, want %d or more", s.Chunks, pieces)
	}
}

// counted holds the usage of an echo to what was said; OpenAI counts thoughts as part of the answer.
func (s told) counted(t *testing.T, prompt string, thoughtsAreAnswer bool) {
	t.Helper()
	want := s.Usage
	want.Prompt, want.Answer, want.Thoughts = simulator.Tokens(prompt), simulator.Tokens("echo: "+prompt), simulator.Tokens(s.Thoughts)
	want.Total = want.Prompt + want.Answer + want.Thoughts
	if thoughtsAreAnswer {
		want.Answer += want.Thoughts
	}
	if s.Usage != want {
		t.Errorf("usage %+v, want %+v", s.Usage, want)
	}
}

// thought is an answer whose thoughts the client shows apart from the text.
func (s told) thought(t *testing.T, text, finish string) {
	t.Helper()
	s.answered(t, text, finish)
	if !strings.HasPrefix(s.Thoughts, "**Reading the request**") {
		t.Errorf("the thoughts are %q", s.Thoughts)
	}
}

// conversed: the system instruction and the turns arrived at Google.
func (s told) conversed(t *testing.T, h *house, system string) {
	t.Helper()
	d := description(t, s.Text)
	backend := map[string]string{"codeassist": "codeassist", "geminiapi": "aistudio", "vertex": "vertex"}[h.kind]
	if d.System != system || !slices.Equal(d.Roles, []string{"user", "model", "user"}) || !slices.Equal(d.Texts, []string{"first", "second", "!describe"}) || d.Backend != backend {
		t.Errorf("%s got %+v", backend, d)
	}
}

// drew: OpenAI's format shows a picture as Markdown. Code Assist has text models only: said so, not tried.
func (s told) drew(t *testing.T, h *house) {
	t.Helper()
	if h.kind == "codeassist" {
		if s.refused(t, "InternalServerError", 503, "no_credential", "server_error"); s.Error != nil && !strings.Contains(s.Error.Message, "API key") {
			t.Errorf("the error is %+v", s.Error)
		}
		return
	}
	_, rest, ok := strings.Cut(s.Text, "![image](data:image/png;base64,")
	data, _, _ := strings.Cut(rest, ")")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !ok || s.Error != nil {
		t.Fatalf("no picture: %v in %.200q", err, s.Text)
	}
	if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
		t.Error(err)
	}
}

func (s told) named(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if s.Error != nil || !slices.Contains(s.Names, name) {
			t.Errorf("no %s in %q", name, s.Names)
		}
	}
}

// refused is an error of OpenAI's client instead of an answer. One that comes after the status line
// has no status there.
func (s told) refused(t *testing.T, class string, status int, code, kind string) {
	t.Helper()
	e := s.Error
	if e == nil || s.Text != "" || s.Chunks != 0 || !e.Official || e.Class != class || e.Status != status || e.Code != code || e.Kind != kind || e.Message == "" {
		t.Errorf("want %s %d %s %s, the error is %+v", class, status, code, kind, e)
	}
}

// refusedBy is an error of Google's client, whose message quotes ours.
func (s told) refusedBy(t *testing.T, class string, status int, word, reason string) {
	t.Helper()
	e := s.Error
	if e == nil || s.Text != "" || s.Chunks != 0 || !e.Official || e.Class != class || e.Status != status ||
		!strings.Contains(e.Message, word) || !strings.Contains(e.Message, reason) {
		t.Errorf("want %s %d %s %s, the error is %+v", class, status, word, reason, e)
	}
}

// broke: the client has an error, and what was said before it; it never took the rest for an answer.
func (s told) broke(t *testing.T, fault string) {
	t.Helper()
	whole := "echo: !fault " + fault + " # and some more words behind it, so that there are events"
	if s.Error == nil || !s.Error.Official || s.Error.Message == "" || s.Finish != "" || s.Text == "" || !strings.HasPrefix(whole, s.Text) {
		t.Errorf("a stream with the fault %s did not end as a broken one", fault)
	}
}

// patient: the silence was really there.
func (s told) patient(t *testing.T) {
	t.Helper()
	if s.Took < 30 {
		t.Errorf("the answer came after %.1f s: there was no silence", s.Took)
	}
}
