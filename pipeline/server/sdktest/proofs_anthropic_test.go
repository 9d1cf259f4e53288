package sdktest

import (
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// anthropicProofs are the cases of the clients of Anthropic, which agree on the names of their errors.
func anthropicProofs(t *testing.T, h *house) []proof {
	all := append(anthropicAnswers(t, h), anthropicErrands(h)...)
	all = append(all, anthropicRefusals()...)
	for name, fault := range breaks() {
		all = append(all, proof{name, func(t *testing.T, s told) {
			if s.broke(t, fault); s.Error != nil && s.Error.Kind != "api_error" && s.Error.Kind != "overloaded_error" {
				t.Errorf("the error is %+v", s.Error)
			}
		}})
	}
	for name, fault := range map[string]string{"silence_headers": "slow-first 30s", "silence_event": "slow-event 30s", "silence_middle": "silence 30s"} {
		all = append(all, proof{name, func(t *testing.T, s told) {
			s.streamed(t, "echo: !fault "+fault, "end_turn", 2)
			s.patient(t)
			if name == "silence_middle" && s.Took-s.First < 5 { // of thirty: a busy client is late itself
				t.Error("what was said before the silence came after it")
			}
		}})
	}
	return append(all, proof{"silence_plain", func(t *testing.T, s told) {
		s.answered(t, "echo: !fault slow-first 30s", "end_turn")
		s.patient(t)
	}})
}

// anthropicAnswers are the cases without functions.
func anthropicAnswers(t *testing.T, h *house) []proof {
	_, _, want := picture(t)
	const end, thinking = "end_turn", "think about it"
	hello := func(t *testing.T, s told) {
		s.answered(t, "echo: Hello", end)
		s.simulated(t, "Hello")
		if !strings.HasPrefix(s.ID, "msg_") || !slices.Equal(s.Items, []string{"text"}) {
			t.Errorf("%s of %q", s.ID, s.Items)
		}
	}
	streamed := func(t *testing.T, s told) {
		s.streamed(t, "echo: "+story, end, 5)
		if !slices.Equal(s.Events, anthropicEvents()) {
			t.Errorf("events %q", s.Events)
		}
	}
	thought := func(t *testing.T, s told) {
		s.thought(t, "echo: "+thinking, end)
		s.simulated(t, thinking)
		if !slices.Equal(s.Items, []string{"thinking", "text"}) || s.Signed != 1 {
			t.Errorf("%q, %d signed", s.Items, s.Signed)
		}
	}
	return []proof{
		{"message", hello},
		{"token", hello},
		{"stream", func(t *testing.T, s told) {
			streamed(t, s)
			if s.simulated(t, story); !s.Same {
				t.Error("the final message is not what was heard")
			}
		}},
		{"stream_raw", streamed},
		{"system", func(t *testing.T, s told) { s.conversed(t, h, "Be brief.") }},
		{"system_blocks", func(t *testing.T, s told) {
			d := description(t, s.Text)
			if d.System != "Be brief.\nAnd polite." || d.GenerationConfig["temperature"] != 0.25 || d.GenerationConfig["topP"] != 0.5 || d.GenerationConfig["topK"] != 40.0 {
				t.Errorf("%+v", d)
			}
		}},
		{"image_in", func(t *testing.T, s told) { s.shows(t, want) }},
		{"image_url", func(t *testing.T, s told) { s.shows(t, want) }},
		{"document", func(t *testing.T, s told) { s.shows(t, blob("application/pdf", document())) }},
		{"parse", func(t *testing.T, s told) { s.parsed(t, end, fox) }},
		{"parse_stream", func(t *testing.T, s told) { s.parsed(t, end, fox) }},
		{"models", func(t *testing.T, s told) { s.named(t, "gemini-2.5-pro", "gemini-2.5-flash-image") }},
		{"model", func(t *testing.T, s told) { s.named(t, "gemini-2.5-pro") }},
		{"thinking", thought},
		{"thinking_stream", thought},
		{"stop", func(t *testing.T, s told) { s.answered(t, "echo: say this and ", end) }},
		{"max_tokens", func(t *testing.T, s told) { s.answered(t, "echo: a prom", "max_tokens") }},
		{"count", func(t *testing.T, s told) {
			if s.Error != nil || s.Tokens != simulator.Tokens(story) {
				t.Errorf("%d tokens, want %d", s.Tokens, simulator.Tokens(story))
			}
		}},
	}
}

// anthropicErrands are the cases of function calling. Where thoughts were asked for, they are signed and
// go back; where not, the gateway keeps the signatures.
func anthropicErrands(h *house) []proof {
	const end = "end_turn"
	plain := func(t *testing.T, s told) { s.ran(t, h, end, false) }
	signed := func(t *testing.T, s told) { s.ran(t, h, end, true) }
	thoughtful := func(t *testing.T, s told) {
		signed(t, s)
		if want := []string{"tool_use: thinking tool_use tool_use", "tool_use: thinking tool_use", "end_turn: thinking text"}; !slices.Equal(s.Events, want) {
			t.Errorf("answers %q, want %q", s.Events, want)
		}
	}
	chose := func(t *testing.T, s told) {
		if s.Error != nil || !slices.Equal(s.Items, []string{"tool_use"}) || s.Finish != "tool_use" {
			t.Errorf("the answer has %q", s.Items)
		}
	}
	return []proof{
		{"tools_3", signed},
		{"tools_25", plain},
		{"tools_stream_3", signed},
		{"tools_stream_25", plain},
		{"tools_fake", func(t *testing.T, s told) { signed(t, s); s.faked(t, h) }},
		{"tools_thinking_3", thoughtful},
		{"tools_thinking_25", thoughtful},
		{"tools_runner", signed},
		{"tools_runner_stream", signed},
		{"choice_named", chose},
		{"choice_any", chose},
		{"choice_none", func(t *testing.T, s told) {
			if s.Error != nil || s.Text != "echo: Hello" || s.Finish != end {
				t.Errorf("the answer has %q", s.Items)
			}
		}},
	}
}

// anthropicRefusals are the cases that end with a typed error.
func anthropicRefusals() []proof {
	refused := func(class string, status int, kind string) func(*testing.T, told) {
		return func(t *testing.T, s told) { s.refused(t, class, status, "", kind) }
	}
	stranger := refused("AuthenticationError", 401, "authentication_error")
	unknown := refused("NotFoundError", 404, "not_found_error")
	bad := refused("BadRequestError", 400, "invalid_request_error")
	return []proof{
		{"wrong_password", stranger},
		{"wrong_password_stream", stranger},
		{"unknown_model", unknown},
		{"unknown_model_stream", unknown},
		{"bad_role", bad},
		{"bad_result", bad},
		{"rate_limit", refused("RateLimitError", 429, "rate_limit_error")},
		{"batches", func(t *testing.T, s told) { // each language has a class of its own
			if e := s.Error; e == nil || !e.Official || e.Status != 501 || e.Kind != "invalid_request_error" {
				t.Errorf("the error is %+v", e)
			}
		}},
		{"silence_error", func(t *testing.T, s told) {
			if e := s.Error; e == nil || !e.Official || e.Kind != "invalid_request_error" || s.Text != "" {
				t.Errorf("the error is %+v", e)
			}
			s.patient(t)
		}},
	}
}

// anthropicEvents are those of a plain streamed answer.
func anthropicEvents() []string {
	return []string{"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"}
}

// simulated is what the simulator counts for an echo with thoughts; Anthropic counts thoughts as part of the answer.
func (s told) simulated(t *testing.T, prompt string) {
	t.Helper()
	if in, out := simulator.Tokens(prompt), simulator.Tokens("echo: "+prompt)+simulator.Tokens(s.Thoughts); s.Usage.Prompt != in || s.Usage.Answer != out {
		t.Errorf("usage %+v, want %d and %d", s.Usage, in, out)
	}
}
