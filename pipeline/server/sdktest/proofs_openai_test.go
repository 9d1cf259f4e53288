package sdktest

import (
	"bytes"
	"image/png"
	"slices"
	"strings"
	"testing"
)

const (
	recipe = `{"kind":"soup","minutes":1,"name":"text","note":"text","steps":[{"order":1,"text":"text"}],"vegan":true}`
	fox    = `{"colour":"red","friends":["text"],"legs":1,"name":"text"}`
)

// toolProofs are the cases of function calling with the clients of OpenAI, which carry no signatures:
// the gateway does. The runner of a client asks for no thoughts; those of Gemini 3 sign all the same.
func toolProofs(h *house) []proof {
	errand := func(t *testing.T, s told) { s.ran(t, h, "stop", true) }
	streamed := func(t *testing.T, s told) {
		s.ran(t, h, "stop", true)
		for _, kind := range []string{"tool_calls.function.arguments.done", "content.delta", "content.done"} {
			if !slices.Contains(s.Events, kind) {
				t.Errorf("no %s in %q", kind, s.Events)
			}
		}
	}
	chose := func(names ...string) func(*testing.T, told) {
		return func(t *testing.T, s told) {
			if s.Error != nil || !slices.Equal(s.Calls, names) || s.Finish != "tool_calls" || s.Text != "" {
				t.Errorf("called %q, want %q", s.Calls, names)
			}
		}
	}
	return []proof{
		{"tools_3", errand},
		{"tools_25", errand},
		{"tools_stream_3", streamed},
		{"tools_stream_25", streamed},
		{"tools_fake", func(t *testing.T, s told) { streamed(t, s); s.faked(t, h) }},
		{"tools_runner", errand},
		{"tools_runner_stream", errand},
		{"choice_named", chose("add")},
		{"choice_required", func(t *testing.T, s told) {
			if s.Error != nil || len(s.Calls) != 1 || s.Finish != "tool_calls" {
				t.Errorf("called %q", s.Calls)
			}
		}},
		{"choice_allowed", chose("get_time")},
		{"choice_none", func(t *testing.T, s told) {
			if s.Error != nil || len(s.Calls) != 0 || s.Text != "echo: Hello" || s.Finish != "stop" {
				t.Errorf("called %q", s.Calls)
			}
		}},
	}
}

// refusedAt is an error of OpenAI's client that names the place in the request.
func refusedAt(param string) func(*testing.T, told) {
	return func(t *testing.T, s told) {
		t.Helper()
		if s.refused(t, "BadRequestError", 400, "bad_request", "invalid_request_error"); s.Error != nil && s.Error.Param != param {
			t.Errorf("param %q, want %q", s.Error.Param, param)
		}
	}
}

// blocked: a prompt that Google does not answer is an error.
func blocked(t *testing.T, s told) {
	t.Helper()
	s.refused(t, "BadRequestError", 400, "content_filter", "invalid_request_error")
}

// notByAccount is the answer of Code Assist alone to what takes an API key.
func (s told) notByAccount(t *testing.T) {
	t.Helper()
	if s.refused(t, "InternalServerError", 501, "unsupported", "invalid_request_error"); s.Error != nil && !strings.Contains(s.Error.Message, "API key") {
		t.Errorf("the error is %+v", s.Error)
	}
}

// moreProofs are the other cases of the clients of OpenAI.
func moreProofs(t *testing.T, h *house) []proof {
	data, _, want := picture(t)
	where := func(able bool, check func(*testing.T, told)) func(*testing.T, told) {
		if able {
			return check
		}
		return func(t *testing.T, s told) { s.notByAccount(t) }
	}
	public := func(check func(*testing.T, told)) func(*testing.T, told) { return where(h.kind != "codeassist", check) }
	vectors := func(size int, texts ...string) func(*testing.T, told) {
		return where(h.kind == "geminiapi", func(t *testing.T, s told) { s.embedded(t, size, texts...) })
	}
	return []proof{
		{"parse", func(t *testing.T, s told) { s.parsed(t, "stop", recipe) }},
		{"parse_stream", func(t *testing.T, s told) {
			s.parsed(t, "stop", recipe)
			if !slices.Contains(s.Events, "content.delta") {
				t.Errorf("events %q", s.Events)
			}
		}},
		{"image_data", func(t *testing.T, s told) { s.shows(t, want) }},
		{"image_url", func(t *testing.T, s told) { s.shows(t, blob("image/png", data)) }},
		{"image_missing", refusedAt("messages[0].content[1].image_url.url")},
		{"audio", func(t *testing.T, s told) { s.shows(t, blob("audio/wav", sound())) }},
		{"file", func(t *testing.T, s told) { s.shows(t, blob("application/pdf", document())) }},
		{"embed", vectors(3072, "a fox", "a crow")},
		{"embed_float", vectors(3072, "a fox", "a crow")},
		{"embed_small", vectors(16, "a fox", "a crow")},
		{"embed_one", vectors(3072, "a fox")},
		{"draw", public(func(t *testing.T, s told) {
			if s.Error != nil || len(s.Pictures) != 1 {
				t.Fatalf("%d pictures: %+v", len(s.Pictures), s.Error)
			}
			if _, err := png.Decode(bytes.NewReader(s.Pictures[0])); err != nil {
				t.Error(err)
			}
		})},
		{"complete", func(t *testing.T, s told) { s.answered(t, "echo: Hello", "stop"); s.counted(t, "Hello", true) }},
		{"complete_stream", func(t *testing.T, s told) { s.streamed(t, "echo: "+story, "stop", 5) }},
		{"blocked", blocked},
		{"bad_role", refusedAt("messages[0].role")},
		{"bad_temperature", refusedAt("temperature")},
	}
}

// responsesProofs are the cases of the Responses API.
func responsesProofs(t *testing.T, h *house) []proof {
	_, _, want := picture(t)
	const thinking = "think about it"
	gone := func(t *testing.T, s told) {
		s.refused(t, "NotFoundError", 404, "not_found", "invalid_request_error")
	}
	thought := func(t *testing.T, s told) {
		s.thought(t, "echo: "+thinking, "completed")
		s.counted(t, thinking, true)
		if !slices.Equal(s.Items, []string{"reasoning", "message"}) {
			t.Errorf("items %q", s.Items)
		}
	}
	errand := func(t *testing.T, s told) { s.ran(t, h, "completed", true) }
	return append(responsesFaults(), []proof{
		{"create", func(t *testing.T, s told) {
			s.answered(t, "echo: Hello", "completed")
			s.counted(t, "Hello", true)
			if !strings.HasPrefix(s.ID, "resp_") || !slices.Equal(s.Items, []string{"message"}) {
				t.Errorf("%s of %q", s.ID, s.Items)
			}
		}},
		{"instructions", func(t *testing.T, s told) {
			s.conversed(t, h, "Be brief.")
			d := description(t, s.Text)
			if d.GenerationConfig["temperature"] != 0.25 || d.GenerationConfig["maxOutputTokens"] != 2345.0 {
				t.Errorf("generationConfig %v", d.GenerationConfig)
			}
		}},
		{"image_in", func(t *testing.T, s told) { s.shows(t, want) }},
		{"thinking", thought},
		{"incomplete", func(t *testing.T, s told) {
			s.answered(t, "echo: a prompt that is longer than its answer may be", "completed")
		}},
		{"unknown_model", func(t *testing.T, s told) {
			s.refused(t, "NotFoundError", 404, "model_not_found", "invalid_request_error")
		}},
		{"blocked", blocked},
		{"bad_input", refusedAt("input")},
		{"stream", func(t *testing.T, s told) {
			s.streamed(t, "echo: "+story, "completed", 3)
			s.counted(t, story, true)
			text := []string{"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
				"response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"}
			if !slices.Equal(s.Events, text) {
				t.Errorf("events %q", s.Events)
			}
		}},
		{"stream_helper", func(t *testing.T, s told) { s.streamed(t, "echo: "+story, "completed", 3); s.counted(t, story, true) }},
		{"stream_thinking", func(t *testing.T, s told) {
			thought(t, s)
			for _, kind := range []string{"response.reasoning_summary_part.added", "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done"} {
				if !slices.Contains(s.Events, kind) {
					t.Errorf("no %s in %q", kind, s.Events)
				}
			}
		}},
		{"previous", func(t *testing.T, s told) {
			d := description(t, s.Text)
			if want := []string{"Hello", "echo: Hello", "And then?", "echo: And then?", "!describe"}; !slices.Equal(d.Texts, want) || d.System != "" {
				t.Errorf("texts %q, want %q; system %q, which is of the first request only", d.Texts, want, d.System)
			}
		}},
		{"previous_unknown", gone},
		{"tools_3", errand},
		{"tools_25", errand},
		{"tools_stream_3", func(t *testing.T, s told) {
			s.ran(t, h, "completed", true)
			for _, kind := range []string{"response.function_call_arguments.delta", "response.function_call_arguments.done"} {
				if !slices.Contains(s.Events, kind) {
					t.Errorf("no %s in %q", kind, s.Events)
				}
			}
		}},
		{"tools_fake", func(t *testing.T, s told) { errand(t, s); s.faked(t, h) }},
		{"tools_carried", errand},
		{"custom", func(t *testing.T, s told) {
			if s.Error != nil || !slices.Equal(s.Calls, []string{"shell ls -l"}) || !strings.Contains(s.Text, "result of shell: ") || !strings.Contains(s.Text, "total 0") {
				t.Errorf("called %q", s.Calls)
			}
		}},
		{"kept", func(t *testing.T, s told) {
			s.answered(t, "echo: Hello", "completed")
			if !s.Same || !slices.Equal(s.Names, []string{"message user Hello"}) {
				t.Errorf("%v, input items %q", s.Same, s.Names)
			}
		}},
		{"deleted", gone},
		{"not_kept", gone},
		{"parse", func(t *testing.T, s told) { s.parsed(t, "completed", fox) }},
		{"parse_stream", func(t *testing.T, s told) { s.parsed(t, "completed", fox) }},
	}...)
}

// failed: the stream ended with an error, or with the event that says so, after what was said before it.
func (s told) failed(t *testing.T, whole string) {
	t.Helper()
	thrown := s.Error != nil && s.Error.Official && s.Error.Message != ""
	told := s.Error == nil && s.Finish == "failed" && slices.Contains(s.Events, "response.failed")
	if !thrown && !told || s.Finish == "completed" || !strings.HasPrefix(whole, s.Text) {
		t.Errorf("the stream did not end as a broken one: %q", s.Events)
	}
}

// responsesFaults are the cases of streams that break or are silent for half a minute.
func responsesFaults() []proof {
	all := []proof{
		{"silence_plain", func(t *testing.T, s told) { s.answered(t, "echo: !fault slow-first 30s", "completed"); s.patient(t) }},
		{"silence_error", func(t *testing.T, s told) { s.failed(t, ""); s.patient(t) }},
	}
	for name, fault := range breaks() {
		all = append(all, proof{name, func(t *testing.T, s told) {
			if s.failed(t, "echo: !fault "+fault+" # and some more words behind it, so that there are events"); s.Text == "" {
				t.Error("nothing was said before")
			}
		}})
	}
	for name, fault := range map[string]string{"silence_headers": "slow-first 30s", "silence_event": "slow-event 30s", "silence_middle": "silence 30s"} {
		all = append(all, proof{name, func(t *testing.T, s told) {
			s.streamed(t, "echo: !fault "+fault, "completed", 2)
			if s.patient(t); name == "silence_middle" && s.Took-s.First < 5 { // of thirty: a busy client is late itself
				t.Error("what was said before the silence came after it")
			}
		}})
	}
	return all
}
