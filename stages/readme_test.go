package stages_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire/anthropic"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
	"gcli2api/pipeline/wire/responses"
	"gcli2api/stages"
)

// readme reads the page of a stage.
func readme(t *testing.T, stage string) []string {
	t.Helper()
	folder := stage
	if !slices.Contains(owners, stage) {
		folder = filepath.Join("..", "plugins", stage)
	}
	text, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

func TestReadmeSections(t *testing.T) {
	want := []string{"## What it does", "## Settings", "## Reads and writes", "## Errors", "## Examples"}
	for _, k := range catalogue(stages.Services{}) {
		stage := k.Name
		lines := readme(t, stage)
		if lines[0] != "# "+stage || len(lines) < 3 || lines[1] != "" || lines[2] == "" || lines[3] != "" {
			t.Errorf("%s: begins with %q", stage, lines[:4])
		}
		var got []string
		for i, l := range lines {
			if strings.HasPrefix(l, "## ") {
				got = append(got, l)
				if i+2 >= len(lines) || strings.HasPrefix(lines[i+2], "#") || lines[i+2] == "" {
					t.Errorf("%s: %q is empty", stage, l)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: sections %q", stage, got)
		}
	}
}

// section gives the lines below a heading.
func section(lines []string, heading string) []string {
	from := slices.Index(lines, heading) + 1
	to := from
	for to < len(lines) && !strings.HasPrefix(lines[to], "## ") {
		to++
	}
	return lines[from:to]
}

// table gives the cells below the header row that begins with these words.
func table(lines []string, header string) (rows [][]string) {
	i := slices.Index(lines, header)
	if i < 0 {
		return nil
	}
	for _, l := range lines[i+2:] {
		if !strings.HasPrefix(l, "|") {
			break
		}
		var cells []string
		for c := range strings.SplitSeq(strings.Trim(l, "|"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(c), "`", ""))
		}
		rows = append(rows, cells)
	}
	return rows
}

// The settings in a page are those of the registry.
func TestReadmeSettings(t *testing.T) {
	for _, k := range catalogue(stages.Services{}) {
		var want [][]string
		for _, p := range k.Params {
			want = append(want, []string{p.Key, strings.Join(p.Env, ", "), fmt.Sprint(p.Default), p.Help})
		}
		lines := section(readme(t, k.Name), "## Settings")
		got := table(lines, "| key | environment | default | meaning |")
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the page says %q\nthe registry %q", k.Name, got, want)
		}
		if none := strings.Contains(strings.Join(lines, "\n"), "None of its own."); none != (len(want) == 0) {
			t.Errorf("%s: %d settings, says none: %v", k.Name, len(want), none)
		}
	}
}

// The page of translate says what becomes of every field that the translations know.
func TestReadmeFields(t *testing.T) {
	lines := section(readme(t, "translate"), "## What it does")
	for of, want := range map[string][][]string{
		"":                             rows(openai.Fields()),
		" of `/v1/completions`":        rows(openai.CompletionFields()),
		" of `/v1/embeddings`":         rows(openai.EmbedFields()),
		" of `/v1/images/generations`": rows(openai.ImageFields()),
		" of `/v1/responses`":          rows(responses.Fields()),
		" of `/v1/messages`":           rows(anthropic.Fields()),
	} {
		got := table(lines, "| field"+of+" | what becomes of it |")
		if len(got) != len(want) {
			t.Errorf("the page has %d fields%s, the translation %d", len(got), of, len(want))
		}
		for i := range min(len(got), len(want)) {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("the page says %q, the translation%s %q", got[i], of, want[i])
			}
		}
	}
}

// rows of a table of fields.
func rows(fields []gemini.Field) (out [][]string) {
	for _, v := range fields {
		out = append(out, []string{v.Name, strings.ReplaceAll(v.Does, "`", "")})
	}
	return out
}

// Every example is a configuration that loads, and a list that can be built.
func TestReadmeExamples(t *testing.T) {
	for _, k := range catalogue(stages.Services{}) {
		stage := k.Name
		examples := fences(section(readme(t, stage), "## Examples"))
		if len(examples) == 0 {
			t.Errorf("%s: no example", stage)
		}
		for i, toml := range examples {
			t.Run(fmt.Sprint(stage, i+1), func(t *testing.T) {
				kinds := catalogue(stages.Services{})
				c := load(t, kinds, toml)
				if err := engine(t, kinds, false).Check(c); err != nil {
					t.Errorf("%v\n%s", err, toml)
				}
				if len(c.Warnings()) > 0 {
					t.Errorf("warnings: %q", c.Warnings())
				}
				if same(c, load(t, kinds, "")) {
					t.Errorf("it says nothing:\n%s", toml)
				}
			})
		}
	}
}

func same(a, b pipeline.Settings) bool { return a.Revision() == b.Revision() }

func fences(lines []string) (found []string) {
	inside, text := false, ""
	for _, l := range lines {
		switch {
		case l == "```toml":
			inside, text = true, ""
		case l == "```" && inside:
			inside, found = false, append(found, text)
		case inside:
			text += l + "\n"
		}
	}
	return found
}
