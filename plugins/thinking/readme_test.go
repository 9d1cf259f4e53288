package thinking

import (
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

var update = flag.Bool("update", false, "write the table of README.md anew from the code")

const head = "| asked | "

// columns and rows of the table.
var columns = []string{"gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-3-pro-preview",
	"gemini-3.1-pro-preview", "gemini-3-flash-preview", "gemini-3.1-flash-lite", "gemini-3.5-flash"}

var asking = []string{"", "-maxthinking", "-max", "-high", "-medium", "-low", "-minimal", "-nothinking", "-think", "-thinking-8192",
	"none", "minimal", "low", "medium", "high"}

// The table in the page is what the code does.
func TestReadmeTable(t *testing.T) {
	const file = "README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), head)
	if !ok {
		t.Fatal("the table is gone")
	}
	end := strings.Index(rest, "\n\n")
	if want := strings.TrimPrefix(table(t), head); rest[:end+1] != want {
		if !*update {
			t.Fatalf("the table in %s differs from the code; run: go test ./plugins/thinking -run ReadmeTable -update\n%s", file, want)
		}
		if err := os.WriteFile(file, []byte(before+head+want+rest[end+1:]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func table(t *testing.T) string {
	var b strings.Builder
	b.WriteString(head + strings.Join(columns, " | ") + " |\n|---" + strings.Repeat("|---", len(columns)) + "|\n")
	for _, ask := range asking {
		switch {
		case ask == "":
			b.WriteString("| nothing")
		case ask[0] == '-':
			b.WriteString("| `" + ask + "`")
		default:
			b.WriteString("| `reasoning_effort` " + ask)
		}
		for _, base := range columns {
			b.WriteString(" | " + cell(t, base, ask))
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// cell is what becomes of a chat completion.
func cell(t *testing.T, base, ask string) string {
	t.Helper()
	s := made(t, nil)
	name, body := base, `{"messages":[{"role":"user","content":"hi"}]}`
	switch {
	case strings.HasPrefix(ask, "-"):
		name += ask
	case ask != "":
		body = `{"reasoning_effort":"` + ask + `",` + body[1:]
	}
	x := exchange(s, wire.OpenAI, name)
	members, err := wire.Scan([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	hub, _, fail := openai.ToHub(nil, []byte(body), members,
		gemini.Target{Limits: gemini.Limits(s.catalogue.Thinking(x.Model.Base).ThinkingLimits), ShownElsewhere: true})
	if fail != nil {
		t.Fatal(fail)
	}
	x.Call.TakeMade(hub)
	if v := s.Process(x); v != pipeline.Next {
		t.Fatal(name, x.Reply.Err)
	}
	return short(t, thinkingConfig(x))
}

// short writes a thinkingConfig as the page does.
func short(t *testing.T, raw string) string {
	t.Helper()
	if raw == "" {
		return "none"
	}
	var c struct {
		ThinkingBudget  *int
		ThinkingLevel   *string
		IncludeThoughts *bool
	}
	d := json.NewDecoder(strings.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || c.ThinkingBudget != nil && c.ThinkingLevel != nil {
		t.Fatal(raw, err)
	}
	var words []string
	if c.ThinkingBudget != nil {
		words = append(words, strconv.Itoa(*c.ThinkingBudget))
	}
	if c.ThinkingLevel != nil {
		words = append(words, *c.ThinkingLevel)
	}
	if c.IncludeThoughts != nil && *c.IncludeThoughts {
		words = append(words, "+")
	} else if c.IncludeThoughts != nil {
		words = append(words, "-")
	}
	return strings.Join(words, " ")
}
