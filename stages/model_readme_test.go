package stages_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/stages"
)

// page gives the tables and the examples of the stage model.
func page(t *testing.T) (lines, examples []string) {
	t.Helper()
	text := readme(t, "model")
	return section(text, "## What it does"), fences(section(text, "## Examples"))
}

// named is the table of models of an example.
func named(t *testing.T, toml string) *models.Catalogue {
	t.Helper()
	m := models.Defaults()
	if err := load(t, catalogue(stages.Services{}), toml).Section("models", &m); err != nil {
		t.Fatal(err)
	}
	c, err := models.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestReadmeNames: what the page says of names is what they are read as.
func TestReadmeNames(t *testing.T) {
	lines, examples := page(t)
	c := named(t, examples[0])
	got := table(lines, "| name | goes to Google | with |")
	if len(got) < 10 {
		t.Fatalf("the table has %d rows", len(got))
	}
	for _, row := range got {
		m := c.Parse(row[0])
		thinking := strings.TrimPrefix(models.Model{Base: "x", Thinking: m.Thinking, Budget: m.Budget, HasBudget: m.HasBudget}.Canonical(), "x")
		with := strings.TrimSpace(m.Features.String() + " " + thinking)
		if m.Base != row[1] || with != row[2] || m.Check() != nil {
			t.Errorf("the page says %q, it is %q with %q", row, m.Base, with)
		}
	}
}

// TestReadmeFeatures: every form in the table of features is read as the feature of its row.
func TestReadmeFeatures(t *testing.T) {
	lines, examples := page(t)
	c := named(t, examples[1])
	stage := map[models.Features]string{models.FakeStream: "fakestream", models.AntiTruncation: "antitrunc", models.Search: "search"}
	forms := 0
	for _, row := range table(lines, "| feature | in front | behind | acted on by |") {
		for _, form := range strings.FieldsFunc(row[1]+" "+row[2], func(r rune) bool { return strings.ContainsRune(" ,().", r) }) {
			if !strings.HasPrefix(form, "-") && !strings.HasSuffix(form, "/") {
				continue // "tokens"
			}
			forms++
			name := form + "gemini-3-pro-image"
			if strings.HasPrefix(form, "-") {
				name = "gemini-3-pro-image" + form
			}
			m := c.Parse(name)
			acts := stage[m.Features]
			switch {
			case m.Thinking != models.None:
				acts = "thinking"
			case m.Picture != models.Picture{}:
				acts = "translate, with image_suffixes"
			}
			if m.Base != "gemini-3-pro-image" || acts != row[3] {
				t.Errorf("%s is read as %+v, the page says %q", name, m, row)
			}
		}
	}
	if forms < 25 {
		t.Errorf("only %d forms", forms)
	}
}

// TestReadmePictures: what names make of a request is what the page says, and Google takes it.
func TestReadmePictures(t *testing.T) {
	lines, examples := page(t)
	shapes := table(lines, "| models | sizes | ratios |")
	if len(shapes) != 3 {
		t.Fatalf("%d models", len(shapes))
	}
	for _, row := range shapes {
		f := models.FamilyOf(row[0])
		target := gemini.Target{Major: f.Major, Minor: f.Minor, Image: true}
		sizes := strings.Join(target.Sizes(), ", ")
		if sizes == "" {
			sizes = "one"
		}
		if sizes != row[1] || strings.Join(target.Ratios(), ", ") != row[2] {
			t.Errorf("the page says %q, it is %s and %v", row, sizes, target.Ratios())
		}
	}
	h := newHouse(t)
	toml := strings.Replace(examples[1], "live = true\n", "", 1)
	got := table(lines, "| name | generationConfig |")
	if len(got) < 10 {
		t.Fatalf("the table has %d rows", len(got))
	}
	for _, row := range got {
		// A picture is drawn for a prompt that says nothing else, so the answer tells that Google took the shape.
		x, reply := h.run(toml, onGemini(row[0], native))
		if row[1] == "400" {
			if reply.Err == nil || reply.Err.Status != 400 || reply.Err.Param != "model" {
				t.Errorf("%s: %v", row[0], reply.Err)
			}
			continue
		}
		config, _ := x.Call.Get("generationConfig")
		if string(config) != row[1] || reply.Err != nil {
			t.Errorf("the page says %q, it is %s, %v", row, config, reply.Err)
		}
		if config != nil && !json.Valid(config) {
			t.Errorf("%s: %s", row[0], config)
		}
	}
}
