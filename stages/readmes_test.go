package stages_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"gcli2api/stages"
)

// mainReadmes gives the READMEs of the product, in both languages.
func mainReadmes(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// The READMEs lead to the pages of all stages, in the order of the list.
func TestReadmesListTheStages(t *testing.T) {
	want := load(t, catalogue(stages.Services{}), "").Order()
	list := regexp.MustCompile(`(?:\[\w+\]\((?:stages|plugins)/\w+/README\.md\)[,、]?\s*){5,}`)
	link := regexp.MustCompile(`\((?:stages|plugins)/(\w+)/`)
	for name, text := range mainReadmes(t) {
		var got []string
		for _, m := range link.FindAllStringSubmatch(list.FindString(text), -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s leads to %q\nthe list is   %q", name, got, want)
		}
	}
}

// The READMEs have the features of a name as the page of the stage model has them.
func TestReadmesHaveTheFeatures(t *testing.T) {
	code := regexp.MustCompile("`([^`]+)`")
	// words are the prefixes and suffixes of each row: all code of the two cells behind the name.
	words := func(text, header string) (rows [][]string) {
		at := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(header) + `.*\n\|[-|]+\n((?:\|.*\n)+)`).FindStringSubmatch(text)
		if at == nil {
			return nil
		}
		for _, row := range regexp.MustCompile(`(?m)^\|[^|]*\|([^|]*)\|([^|]*)\|`).FindAllStringSubmatch(at[1], -1) {
			for _, cell := range row[1:] {
				rows = append(rows, code.FindAllString(cell, -1))
			}
		}
		return rows
	}
	page, err := os.ReadFile("model/README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := words(string(page), "| feature | in front | behind |")
	if len(want) != 12 {
		t.Fatalf("the page of model has %d cells: %q", len(want), want)
	}
	for name, header := range map[string]string{
		"README.md":       "| feature | in front | behind |",
		"README.zh-CN.md": "| 功能 | 前缀 | 后缀 |",
	} {
		got := words(mainReadmes(t)[name], header)
		if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("%s has %q\nthe page     %q", name, got, want)
		}
	}
}
