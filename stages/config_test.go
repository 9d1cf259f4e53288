package stages_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/stages"
)

var update = flag.Bool("update", false, "write config.toml anew from the registry")

// sections are the stages' tables for the reference, in the order of the catalogue.
func sections() []config.Section {
	on := true
	out := []config.Section{{Name: "models", Help: "Known models: what is listed, and limits. Names that are not listed can be called all the same.", Example: modelsExample()}}
	for _, k := range catalogue(stages.Services{}) {
		out = append(out, config.Section{Name: "stage." + k.Name, Help: "Stage: " + k.Does + ".", Params: k.Params, Enabled: &on})
	}
	return out
}

// modelsExample writes the built-in table, so that the reference shows the defaults in force.
func modelsExample() string {
	d := models.Defaults()
	var b strings.Builder
	fmt.Fprintln(&b, "known = [")
	for _, name := range d.Known {
		fmt.Fprintf(&b, "  %q,\n", name)
	}
	fmt.Fprintln(&b, "]")
	fmt.Fprintf(&b, "listing = %q   # or %q, %q\n", d.Listing, models.ListBase, models.ListAll)
	fmt.Fprintf(&b, "live = %t   # true: what Google lists for the API keys is known and listed as well\n", d.Live)
	fmt.Fprintf(&b, "image_suffixes = %t   # true: names of image models may end in a size and a ratio, as in -4k-16x9\n", d.ImageSuffixes)
	fmt.Fprintf(&b, "\n[models.limits]   # for known names that differ from %d tokens in and %d out\n", models.DefaultInput, models.DefaultOutput)
	for name, l := range d.Limits {
		fmt.Fprintf(&b, "%q = { display = %q, input = %d, output = %d }\n", name, l.Display, l.Input, l.Output)
	}
	if len(d.Limits) == 0 {
		fmt.Fprintln(&b, `"gemini-2.5-flash-image" = { input = 32768, output = 32768 }`)
	}
	fmt.Fprintln(&b, "\n[models.alias]   # name asked for, or a pattern = name called, which may carry features")
	fmt.Fprintln(&b, `"gpt-4o" = "gemini-2.5-pro"`)
	fmt.Fprintln(&b, `"gemini-2.5-flash-image-preview" = "gemini-2.5-flash-image"   # a name that Google has retired`)
	fmt.Fprintln(&b, `"claude-*" = "gemini-3.1-pro-preview"   # "*" alone takes every name that is not known: none reaches Google any more`)
	fmt.Fprintln(&b, "\n[models.fallback]   # model = the one that is asked when it has no capacity, or is not there (stage retry)")
	fmt.Fprintln(&b, `"gemini-3.1-pro-preview" = "gemini-2.5-pro"`)
	fmt.Fprintln(&b, "\n[models.thinking]   # how a model thinks: tokens of a budget, or levels; off: a budget of 0 is accepted; default: sent when nothing is asked")
	fmt.Fprintln(&b, `"gemini-2.5-pro" = { default = 8192 }`)
	fmt.Fprintln(&b, `"my-model" = { min = 512, max = 16384, off = true }`)
	fmt.Fprintln(&b, `"other-model" = { levels = ["low", "high"], default = "low" }`)
	fmt.Fprint(&b, `"plain-model" = { thinks = false }`)
	return b.String()
}

// The reference in the repository is what the registry says, setting by setting.
func TestConfigTomlIsTheRegistry(t *testing.T) {
	const file = "../config.toml"
	want := config.Reference(sections())
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("config.toml differs from the registry; run: go test ./stages -run ConfigToml -update")
	}
}

// Uncommented, the reference is a valid configuration that says what the defaults say.
func TestConfigTomlUncommentedIsTheDefaults(t *testing.T) {
	kinds := catalogue(stages.Services{})
	var o config.Options
	for _, k := range kinds {
		o.Params, o.Stages = append(o.Params, k.Params...), append(o.Stages, k.Name)
	}
	plain, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	// Settings stand behind a bare "#", prose behind "# ".
	o.File, o.Data = "config.toml", regexp.MustCompile(`(?m)^#(  |[^ \n])`).ReplaceAll(config.Reference(sections()), []byte("$1"))
	whole, err := config.Load(o)
	if err != nil {
		t.Fatalf("the reference is no valid configuration: %v", err)
	}
	said := map[string]string{}
	for _, e := range whole.Entries() {
		said[e.Key] = e.Value
	}
	for _, e := range plain.Entries() {
		if e.Key != "models" && said[e.Key] != e.Value {
			t.Errorf("%s: the reference says %s, the default is %s", e.Key, said[e.Key], e.Value)
		}
		if e.Key != "models" && e.Type != config.Table && e.Type != config.Tables && whole.Origin(e.Key).Source != config.FromFile && !e.Secret {
			t.Errorf("%s is not in the reference", e.Key)
		}
	}
}
