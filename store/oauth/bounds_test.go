package oauth

import (
	"fmt"
	"strings"
	"testing"
)

const boundKey = `{"type":"gemini_api_key","api_key":"AIza-of-the-bounds"}`

// What a text holds is bounded, whatever form it has: memory and time follow its length.
func TestParseIsBounded(t *testing.T) {
	long := strings.Repeat("n", 100_000)
	for name, tt := range map[string]struct{ text, says string }{
		"empty objects":     {strings.Repeat("{}\n", maxPiecesOf+1), "more than 20000 entries"},
		"numbers":           {boundKey + strings.Repeat("\n1", maxPiecesOf), "more than 20000 entries"},
		"a list":            {"[{}" + strings.Repeat(",{}", maxPiecesOf) + "]", "more than 20000 entries"},
		"named":             {`{"k":` + boundKey + strings.Repeat(`,"a":{}`, maxPiecesOf) + "}", "more than 20000 entries"},
		"projects":          {"", ""}, // below
		"a label of 300 KB": {`{"type":"gemini_api_key","api_key":"AIza-x","label":"` + strings.Repeat(long, 3) + `"}`, "larger than 256 kilobytes"},
	} {
		var projects []string
		if name == "projects" {
			for i := range maxListed + 1 {
				projects = append(projects, fmt.Sprint("p", i))
			}
			tt.text, tt.says = `{"refresh_token":"1//x","client_id":"c","client_secret":"s","project_id":"`+strings.Join(projects, ",")+`"}`, "more than 1000 projects"
		}
		s, err := Parse("x.json", []byte(tt.text), Rules{})
		if err == nil || !strings.Contains(err.Error(), tt.says) || len(s.Items) > 0 {
			t.Errorf("%s: %d items, %v", name, len(s.Items), err)
		}
	}
}

// Behind what is broken is read on, but not over and over.
func TestBrokenTextIsNotReadAgainAndAgain(t *testing.T) {
	const lines, size = 90, 1 << 20
	text := strings.Repeat(`{"x":[`+"\n", lines) + strings.Repeat("1,", size/2)
	_, broken, err := sequence([]byte(text))
	if err != nil || len(broken) > 5 {
		t.Errorf("%d tries, each to the end of the text: %v", len(broken), err)
	}
	text = strings.Repeat(`{"x":`+"\n"+boundKey+"\n", lines) // damaged lines among good ones
	s, err := Parse("x.json", []byte(text), Rules{})
	if err != nil || len(s.Items) != lines {
		t.Errorf("%d of %d credentials between broken lines: %v", len(s.Items), lines, err)
	}
}

// A name that a text gives becomes part of an id only if the store, a log line and a file name bear it.
func TestNamesInATextAreTame(t *testing.T) {
	long := strings.Repeat("n", 1000)
	for _, file := range []string{"x.json", oldTables} {
		for name, keeps := range map[string]bool{"work": true, "ä b": true, "": false, long: false, "a\nb": false, "a\x1bb": false, "a\x00b": false} {
			text := fmt.Sprintf("{%q:%s}", name, boundKey)
			if name == "a\x1bb" || name == "a\x00b" {
				text = strings.NewReplacer(`\x1b`, `\u001b`, `\x00`, `\u0000`).Replace(text)
			}
			if file == oldTables {
				text = "[" + strings.NewReplacer(`\x1b`, `\u001b`, `\x00`, `\u0000`).Replace(fmt.Sprintf("%q", name)) + "]\ntype = \"gemini_api_key\"\napi_key = \"AIza-x\"\n"
			}
			s, err := Parse(file, []byte(text), Rules{})
			if err != nil || len(s.Items) != 1 {
				t.Errorf("%s %.20q: %v", file, name, err)
				continue
			}
			id := s.Items[0].ID
			if len(id) > 300 || strings.ContainsAny(id, "\n\x1b\x00") || keeps != strings.HasSuffix(id, name) && name != "" {
				t.Errorf("%s: %.20q is called %.60q", file, name, id)
			}
		}
	}
}

const oldTables = "creds.toml"

// Warnings are lines of a log and of an answer.
func TestWarningsAreFew(t *testing.T) {
	s, err := Parse("x.json", []byte(boundKey+strings.Repeat("\n1", 5000)), Rules{})
	if err != nil || len(s.Warnings) != maxWarnings+1 || !strings.Contains(s.Warnings[maxWarnings], "4900 more") || s.Lost != 5000 {
		t.Errorf("%d warnings, %d lost: %v", len(s.Warnings), s.Lost, err)
	}
}

func TestProjectsOfAFile(t *testing.T) {
	for id, want := range map[string]string{"..": "", "a/../b": "", "a b": "", "-": "", "ok-1": "ok-1", "example.com:own": "example.com:own", "a\u001bb": ""} {
		s, err := Parse("x.json", fmt.Appendf(nil, `{"refresh_token":"1//x","client_id":"c","client_secret":"s","project_id":%q}`, strings.ReplaceAll(id, "\u001b", "?")), Rules{})
		if err != nil || len(s.Items) != 1 || s.Items[0].Creds[0].ProjectID != want || (len(s.Warnings) == 0) != (want != "") {
			t.Errorf("%q: %+v %v", id, s.Warnings, err)
		}
	}
}
