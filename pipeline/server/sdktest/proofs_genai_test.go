package sdktest

import (
	"slices"
	"strings"
	"testing"
)

// genaiMoreProofs are the cases of sessions, functions, files and vectors with the clients of Google.
func (l language) genaiMoreProofs(t *testing.T, h *house) []proof {
	errand := func(t *testing.T, s told) { s.ran(t, h, "STOP", false) }
	never := func(t *testing.T, s told) { s.refusedBy(t, l.server, 501, "UNIMPLEMENTED", "") }
	vectors := func(size int, texts ...string) func(*testing.T, told) {
		if h.kind != "geminiapi" {
			return func(t *testing.T, s told) { s.refusedBy(t, l.server, 501, "UNIMPLEMENTED", "API key") }
		}
		return func(t *testing.T, s told) { s.embedded(t, size, texts...) }
	}
	signed := func(t *testing.T, s told) { s.ran(t, h, "STOP", true) }
	return []proof{
		{"chat_session", func(t *testing.T, s told) {
			d := description(t, s.Text)
			said := strings.ReplaceAll(strings.Join(d.Texts[min(3, len(d.Texts)):max(len(d.Texts)-1, 0)], ""), "\n", "") // many parts of one turn
			if d.System != "Be brief." || !slices.Equal(d.Texts[:min(3, len(d.Texts))], []string{"first", "echo: first", story}) ||
				!slices.Equal(s.Names, []string{"echo: " + story}) || said != s.Names[0] || s.Chunks < 5 {
				t.Errorf("%+v", d)
			}
		}},
		{"tools_3", signed},
		{"tools_25", errand},
		{"tools_fake", func(t *testing.T, s told) { signed(t, s); s.faked(t, h) }},
		{"tools_stream", signed},
		{"tools_automatic_3", signed},
		{"tools_automatic_25", errand},
		{"audio", func(t *testing.T, s told) { s.shows(t, blob("audio/wav", sound())) }},
		{"file", func(t *testing.T, s told) { s.shows(t, blob("application/pdf", document())) }},
		{"parse", func(t *testing.T, s told) { s.parsed(t, "STOP", `{"kind":"soup","minutes":1,"name":"text"}`) }},
		{"embed", vectors(3072, "a fox", "a crow")},
		{"embed_small", vectors(16, "a fox")},
		{"files", never},
		{"files_list", never},
		{"caches", never},
		{"batches", never},
	}
}
