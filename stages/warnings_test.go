package stages_test

import (
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
	"gcli2api/stages"
)

// Every line of a configuration counts, or somebody says that it does not.
func TestWhatHasNoEffectIsSaid(t *testing.T) {
	const (
		fallback = "[models.fallback]\n\"gemini-2.5-pro\" = \"gemini-2.5-flash\"\n"
		alias    = "[models.alias]\n\"gpt-4.1\" = \"gemini-2.5-pro\"\n"
		thinking = "[models.thinking]\n\"gemini-2.5-pro\" = { default = 512 }\n"
		switches = "[models]\nlive = true\nimage_suffixes = true\nlisting = \"all\"\n"
	)
	off := func(stage string) string { return "[stage." + stage + "]\nenabled = false\n" }
	without := func(stage string) string {
		var names []string
		for _, k := range catalogue(stages.Services{}) {
			if k.Name != stage {
				names = append(names, `"`+k.Name+`"`)
			}
		}
		return "[pipeline]\norder = [" + strings.Join(names, ", ") + "]\n"
	}
	for _, tt := range []struct {
		name, toml string
		want       []string
	}{
		{"all of it counts", switches + fallback + alias + thinking, nil},
		{"off, but nothing is said", off("retry") + off("model") + off("thinking"), nil},
		{"off, and what is said is the default", "[models]\nlive = false\nknown = [\"a\"]\n[models.fallback]\n[models.alias]\n" + off("retry") + off("model"), nil},
		{"retry off", fallback + off("retry"), []string{`c.toml:1: models.fallback: has no effect: the stage "retry" is switched off`}},
		{"retry missing", fallback + without("retry"), []string{`c.toml:1: models.fallback: has no effect: pipeline.order does not name the stage "retry"`}},
		{"model off", switches + fallback + alias + off("model"), []string{
			`c.toml:2: models.live: has no effect: the stage "model" is switched off`,
			`c.toml:3: models.image_suffixes: has no effect: the stage "model" is switched off`,
			`c.toml:4: models.listing: has no effect: the stage "model" is switched off`,
			`c.toml:5: models.fallback: has no effect: the stage "model" is switched off`,
			`c.toml:7: models.alias: has no effect: the stage "model" is switched off`}},
		{"thinking off", thinking + off("thinking"), []string{`c.toml:1: models.thinking: sets no default and leaves a thinkingConfig as it is; ` +
			`only what is translated, as a reasoning_effort, keeps to it: the stage "thinking" is switched off`}},
		{"features of aliases", "[models.alias]\n\"claude-*\" = \"假流式/gemini-2.5-pro-search\"\n\"b.c\" = \"gemini-2.5-pro-low\"\n\"d\" = \"gemini-2.5-pro\"\n" + off("fakestream") + without("thinking"), []string{
			`c.toml:2: models.alias."claude-*": leads to "假流式/gemini-2.5-pro-search", which asks for 假流式/: that is switched off, and each request for it is refused`,
			`c.toml:3: models.alias."b.c": leads to "gemini-2.5-pro-low", which asks for -low: that is switched off, and each request for it is refused`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := pipeline.Load(config.Options{File: "c.toml", Data: []byte(tt.toml)}, catalogue(stages.Services{}))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(c.Warnings(), "\n"), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// All that is wrong with [models] comes at once, in the order of the file, each with its own line.
func TestModelsErrorsNameTheLine(t *testing.T) {
	const toml = `[models]
known = [
  "a b",
  "gemini-2.5-pro",
]
[models.alias]
fine = "gemini-2.5-pro"
"x.2" = " "
[models.thinking]
"gemini-2.5-pro" = { default = 8192.5 }
[models.thinking.own]
min = -5
[models.fallback]
b = "b"
`
	const want = `c.toml:3: models.known.0: "a b" has a space or a control character in it
c.toml:8: models.alias."x.2": leads to no name
c.toml:10: models.thinking."gemini-2.5-pro".default: must be a whole number of tokens, got 8192.5
c.toml:12: models.thinking.own.min: must be at least 1; that 0 is accepted is what off = true says
c.toml:14: models.fallback.b: leads to itself`
	if _, err := pipeline.Load(config.Options{File: "c.toml", Data: []byte(toml)}, catalogue(stages.Services{})); err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// The catalogue reads like the list: help, tables and config.toml.
func TestCatalogueIsInTheOrderOfTheList(t *testing.T) {
	text, err := pipeline.Describe(catalogue(stages.Services{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, name := range config.DefaultOrder() {
		i := strings.Index(text[at:], "\n| "+name+" |")
		if i < 0 {
			t.Fatalf("%s is not there, or too early:\n%s", name, text)
		}
		at += i
	}
	own := pipeline.InOrder([]pipeline.Kind{{Name: "mine"}, {Name: "usage"}, {Name: "also"}, {Name: "auth"}})
	if own[0].Name != "auth" || own[1].Name != "usage" || own[2].Name != "mine" || own[3].Name != "also" {
		t.Errorf("%v", own)
	}
}

func TestFakestreamStandsBeforeAntitrunc(t *testing.T) {
	order := `[pipeline]
order = ["auth", "quota", "format", "model", "translate", "antitrunc", "fakestream", "credential", "upstream", "retry", "shape", "usage"]
`
	const want = `c.toml:2: pipeline.order: stage "fakestream" (position 7) must stand before "antitrunc", which stands at position 6: move "fakestream" before "antitrunc"`
	_, err := pipeline.Load(config.Options{File: "c.toml", Data: []byte(order)}, catalogue(stages.Services{}))
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	for _, stage := range []string{"antitrunc", "fakestream"} {
		if _, err := pipeline.Load(config.Options{File: "c.toml", Data: []byte(order + "[stage." + stage + "]\nenabled = false\n")}, catalogue(stages.Services{})); err != nil {
			t.Errorf("%s off: %v", stage, err)
		}
	}
}
