package gemini

import (
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
)

func TestToolset(t *testing.T) {
	for in, want := range map[string]Toolset{
		``:            {},
		`null`:        {},
		`[]`:          {},
		`{}`:          {},
		`[7,null,{}]`: {},
		`[{"functionDeclarations":[]},{"googleSearch":null}]`:                                                      {},
		`[{"function_declarations":[{"name":"f"}],"google_search":{}},{"googleSearch":{}},{"url\u0043ontext":{}}]`: {Functions: true, Hosted: []string{"googleSearch", "urlContext"}},
		`[{"new_tool":{}}]`: {Hosted: []string{"new_tool"}},
	} {
		if got := ToolsetOf([]byte(in)); got.Functions != want.Functions || !slices.Equal(got.Hosted, want.Hosted) {
			t.Errorf("%s: %+v", in, got)
		}
	}
}

func TestAppendTools(t *testing.T) {
	for in, want := range map[string]string{
		`[]`: `[]`,
		`[{"google_search":{}},{"functionDeclarations":[{"name":"f"}]}]`:                 `[{"functionDeclarations":[{"name":"f"}]}]`,
		`[{"function_declarations":[{"name":"f"}], "googleSearch":{},"x":{"a":1}} , {}]`: `[{"function_declarations":[{"name":"f"}],"x":{"a":1}}]`,
		`[{"googleSearch":{}},{"x":1},{"googleSearch":{}}]`:                              `[{"x":1}]`,
	} {
		if got := string(AppendTools(nil, []byte(in), func(name string) bool { return name == "x" })); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

const (
	searchedCall   = `{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","id":"s"},"thoughtSignature":"s1"}`
	searchedAnswer = `{"toolResponse":{"id":"s"},"thoughtSignature":"s2"}`
)

func TestWithoutServerParts(t *testing.T) {
	for in, want := range map[string]string{
		`[{"parts":[{"text":"toolCall"}]}]`:                      "",
		`[{"parts":[{"text":"\"toolCall\""}]}]`:                  "",
		`[{"parts":[{"functionCall":{"args":{"toolCall":1}}}]}]`: "",
		`[{"role":"model","parts":[` + searchedCall + `,` + searchedAnswer + `,{"text":"a"}],"x":1},{"parts":[{"text":"b"}]}]`: `[{"role":"model","x":1,"parts":[{"text":"a"}]},{"parts":[{"text":"b"}]}]`,
		`[{"parts":[{"text":"b"}]},{"parts":[{"tool_call":{}},{"tool_response":{}}]}]`:                                         `[{"parts":[{"text":"b"}]}]`,
	} {
		got, some := WithoutServerParts(nil, []byte(in))
		if some != (want != "") || string(got) != want {
			t.Errorf("%s: got %s, %v", in, got, some)
		}
	}
}

// event is an answer with these parts.
func mixedEvent(parts string) []byte {
	return []byte(`{"candidates":[{"content":{"parts":[` + parts + `]}}]}`)
}

const calledF = `{"functionCall":{"name":"f","args":{}},"thoughtSignature":"c"}`

// What Google's tools did is kept with the call that follows, also when that comes in a later event.
func TestRestorerKeepsSteps(t *testing.T) {
	both := searchedCall + "," + searchedAnswer
	for name, c := range map[string]struct {
		events []string
		want   []string
	}{
		"one event":       {[]string{both + "," + calledF + "," + calledF}, []string{both, ""}},
		"several":         {[]string{searchedCall, searchedAnswer, `{"text":"x"}`, calledF}, []string{both}},
		"between calls":   {[]string{calledF + "," + searchedCall, searchedAnswer + "," + calledF}, []string{"", both}},
		"without a call":  {[]string{both}, nil},
		"behind the call": {[]string{calledF + "," + both}, []string{""}},
	} {
		r := Restorer{Seed: "a", Prefix: "call_", Mixed: true}
		var got []string
		for _, parts := range c.events {
			out := r.Event(mixedEvent(parts))
			if err := wire.Check(out); err != nil {
				t.Errorf("%s: %v %s", name, err, out)
			}
			for _, m := range r.Made() {
				got = append(got, m.Before)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	r := Restorer{Seed: "a"}
	if r.Event(mixedEvent(both + "," + calledF)); r.Made()[0].Before != "" {
		t.Error("an answer that is no mix keeps nothing")
	}
}

func TestRestorerBounds(t *testing.T) {
	large := `{"toolResponse":{"response":"` + strings.Repeat("x", mostBefore/2) + `"}}`
	r := Restorer{Seed: "a", Mixed: true}
	r.Event(mixedEvent(large))
	r.Event(mixedEvent(large + "," + searchedCall + "," + calledF + "," + calledF))
	if m := r.Made(); !m[0].Over || m[0].Before != "" || m[1].Over || m[1].Before != "" {
		t.Errorf("%+v", m)
	}
	r.Event(mixedEvent(searchedCall + "," + calledF))
	if m := r.Made(); m[0].Over || m[0].Before != searchedCall {
		t.Errorf("%+v", m)
	}
}

// The steps stand in front of their call again, and survive being kept.
func TestDraftPutsStepsBack(t *testing.T) {
	known := Remembered{ID: "g", Signature: "c", Kind: "gemini", Model: "m", Before: searchedCall + "," + searchedAnswer}
	if got := Recollect(known.Append(nil)); got != known {
		t.Errorf("%+v", got)
	}
	d := Draft{B: []byte("{"), Tools: &Tools{}, Signs: true, Recall: func([]byte) (Remembered, bool) { return known, true }}
	d.Turn(User)
	d.Text([]byte("go"))
	d.Turn(TheModel)
	d.Text([]byte("x"))
	d.Call(Invocation{ID: []byte("1"), Name: []byte("f")})
	d.Turn(User)
	d.Result([]byte("1"), []byte(`{}`))
	d.Finish()
	want := `{"text":"x"},` + known.Before + `,{"functionCall":{"id":"g","name":"f","args":{}},"thoughtSignature":"c"}`
	if !strings.Contains(string(d.B), want) {
		t.Errorf("%s", d.B)
	}
	contents := string(d.B[strings.Index(string(d.B), "["):])
	if got := string(AppendSentinels(nil, []byte(contents))); strings.Contains(got, "toolCall") || strings.Contains(got, `"s1"`) || !strings.Contains(got, Sentinel) || wire.Check([]byte(got)) != nil {
		t.Errorf("with sentinels: %s", got)
	}
}

func FuzzServerParts(f *testing.F) {
	f.Add(`[{"parts":[{"toolCall":{}},{"text":"a"}]},{"parts":[{"tool_response":{}}]}]`)
	f.Add(`[{"parts":"tool"},7,null,{"parts":[7,{"toolCall":1}]}]`)
	f.Fuzz(func(t *testing.T, in string) {
		if wire.Check([]byte(in)) != nil {
			return
		}
		got, some := WithoutServerParts(nil, []byte(in))
		if some && wire.Check(got) != nil {
			t.Errorf("%s became %s", in, got)
		}
		if again, more := WithoutServerParts(nil, got); more {
			t.Errorf("twice: %s, %s", got, again)
		}
		if out := AppendTools(nil, []byte(in), func(name string) bool { return name == "x" }); wire.Check(out) != nil {
			t.Errorf("tools: %s became %s", in, out)
		}
		r := Restorer{Seed: "s", Mixed: true}
		event := append(append([]byte(`{"candidates":[{"content":{"parts":`), in...), `}}]}`...)
		if out := r.Event(event); wire.Check(out) != nil {
			t.Errorf("event: %s became %s", event, out)
		}
	})
}
