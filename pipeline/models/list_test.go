package models

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func listed(t *testing.T, listing string, on Enabled, known ...string) []string {
	t.Helper()
	var names []string
	for _, e := range catalogue(t, Settings{Listing: listing, Known: known}).List(on) {
		names = append(names, e.Name)
	}
	return names
}

func TestList(t *testing.T) {
	everything := Enabled{FakeStream | AntiTruncation | Search, true}
	for _, row := range []struct {
		listing, name string
		on            Enabled
		want          string
	}{
		{ListBase, "gemini-2.5-pro", everything, "gemini-2.5-pro"},
		{ListFeatures, "gemini-2.5-pro", Enabled{}, "gemini-2.5-pro"},
		{ListAll, "gemini-2.5-pro", Enabled{}, "gemini-2.5-pro"},
		{ListFeatures, "gemini-2.5-pro", everything,
			"gemini-2.5-pro 假流式/gemini-2.5-pro 流式抗截断/gemini-2.5-pro gemini-2.5-pro-search gemini-2.5-pro-maxthinking gemini-2.5-pro-nothinking"},
		{"", "gemini-2.5-pro", Enabled{Features: Search}, "gemini-2.5-pro gemini-2.5-pro-search"},
		{ListFeatures, "gemini-2.5-pro", Enabled{Thinking: true}, "gemini-2.5-pro gemini-2.5-pro-maxthinking gemini-2.5-pro-nothinking"},
		{ListAll, "gemini-3-pro-preview", Enabled{FakeStream, true},
			"gemini-3-pro-preview gemini-3-pro-preview-nothinking gemini-3-pro-preview-low gemini-3-pro-preview-high gemini-3-pro-preview-maxthinking " +
				"假流式/gemini-3-pro-preview 假流式/gemini-3-pro-preview-nothinking 假流式/gemini-3-pro-preview-low 假流式/gemini-3-pro-preview-high 假流式/gemini-3-pro-preview-maxthinking"},
		{ListAll, "gemini-2.5-flash-image", everything, "gemini-2.5-flash-image"},
		{ListFeatures, "house-model", everything, "house-model"},
	} {
		if got := strings.Join(listed(t, row.listing, row.on, row.name), " "); got != row.want {
			t.Errorf("%s %s %+v:\n got %s\nwant %s", row.listing, row.name, row.on, got, row.want)
		}
	}
	// 2.5: eight ways to think, with and without search, three forms
	all := listed(t, ListAll, everything, "gemini-2.5-pro")
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 8*2*3 {
		t.Errorf("%d different names, want 48", n)
	}
}

// TestListedNamesMeanWhatTheySay asks for every listed name.
func TestListedNamesMeanWhatTheySay(t *testing.T) {
	s := Defaults()
	s.Listing = ListAll
	c := catalogue(t, s)
	list := c.List(Enabled{FakeStream | AntiTruncation | Search, true})
	if len(list) < 200 {
		t.Fatalf("only %d names", len(list))
	}
	for _, e := range list {
		if m := c.Parse(e.Name); m.Base != e.Base || m.Canonical() != e.Name || m.Check() != nil {
			t.Errorf("%s is read as %+v", e.Name, m)
		}
	}
}

func TestAppendList(t *testing.T) {
	c := catalogue(t, Settings{
		Known:  []string{"gemini-2.5-pro", `odd"name`},
		Limits: map[string]Limits{"gemini-2.5-pro": {Display: "Pro"}, `odd"name`: {Input: 7, Output: 8}},
	})
	got := string(AppendList([]byte("x"), c.List(Enabled{Features: FakeStream})))
	const tail = `,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"],"temperature":1,"maxTemperature":2,"topP":0.95,"topK":64}`
	want := `x{"models":[` +
		`{"name":"models/gemini-2.5-pro","baseModelId":"gemini-2.5-pro","version":"001","displayName":"Pro","description":"Gemini gemini-2.5-pro model","inputTokenLimit":1048576,"outputTokenLimit":65536` + tail + `,` +
		`{"name":"models/假流式/gemini-2.5-pro","baseModelId":"gemini-2.5-pro","version":"001","displayName":"假流式/gemini-2.5-pro","description":"Gemini gemini-2.5-pro model","inputTokenLimit":1048576,"outputTokenLimit":65536` + tail + `,` +
		`{"name":"models/odd\"name","baseModelId":"odd\"name","version":"001","displayName":"odd\"name","description":"Gemini odd\"name model","inputTokenLimit":7,"outputTokenLimit":8` + tail + `]}`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if !json.Valid([]byte(got[1:])) {
		t.Error("not JSON")
	}
	if empty := string(AppendList(nil, nil)); empty != `{"models":[]}` {
		t.Errorf("empty list is %s", empty)
	}
}

func TestAppendModelShowsTheNameAsAsked(t *testing.T) {
	c := catalogue(t, Defaults())
	m := c.Parse("models/假流式/gemini-2.5-pro")
	e, ok := c.Lookup(m.Base)
	e.Name = m.Asked
	if got := string(AppendModel(nil, e)); !ok || !strings.HasPrefix(got, `{"name":"models/假流式/gemini-2.5-pro","baseModelId":"gemini-2.5-pro",`) {
		t.Error(got)
	}
}

func TestEmbeddingModels(t *testing.T) {
	c, err := New(Defaults())
	if err != nil {
		t.Fatal(err)
	}
	e, ok := c.Lookup("gemini-embedding-001")
	if got := string(AppendModel(nil, e)); !ok || !strings.Contains(got, `"supportedGenerationMethods":["embedContent","batchEmbedContents"]`) || !strings.Contains(got, `"inputTokenLimit":2048,"outputTokenLimit":1`) {
		t.Errorf("%v %s", ok, got)
	}
	for _, e := range c.List(Enabled{Features: Search, Thinking: true}) {
		if Embeds(e.Base) && e.Name != e.Base {
			t.Errorf("%s makes no sense", e.Name)
		}
	}
}
