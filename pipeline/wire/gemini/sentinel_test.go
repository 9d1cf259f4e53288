package gemini

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

func TestAppendSentinels(t *testing.T) {
	for in, want := range map[string]string{
		`[]`: `[]`,
		`[{"role":"user","parts":[{"text":"a","thoughtSignature":"keep"}]}]`:                                                                                             `[{"role":"user","parts":[{"text":"a","thoughtSignature":"keep"}]}]`,
		`[{"role":"model","parts":[{"text":"a","thoughtSignature":"x"},{"functionCall":{"name":"f"}},{"function_call":{"name":"g"},"thought_signature":"y"}],"more":1}]`: `[{"role":"model","more":1,"parts":[{"text":"a"},{"functionCall":{"name":"f"},"thoughtSignature":"SENTINEL"},{"function_call":{"name":"g"}}]}]`,
		`[{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"x"}]},{"parts":[{"functionCall":{}}]}]`:                                              `[{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"SENTINEL"}]},{"parts":[{"functionCall":{}}]}]`,
	} {
		want = strings.ReplaceAll(want, "SENTINEL", Sentinel)
		if got := string(AppendSentinels(nil, []byte(in))); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAppendForKind(t *testing.T) {
	contents := `[{"thoughtSignature":"a"},{"thoughtSignature":"b"}]`
	tools := &Tools{Signed: []Signed{{"a", "gemini"}, {"b", "codeassist"}}}
	got, some := tools.AppendForKind(nil, []byte(contents), "gemini")
	if want := `[{"thoughtSignature":"a"},{"thoughtSignature":"` + Sentinel + `"}]`; !some || string(got) != want {
		t.Errorf("%v %s", some, got)
	}
	tools.Signed = tools.Signed[:1]
	if got, some := tools.AppendForKind(nil, []byte(contents), "gemini"); some || got != nil {
		t.Errorf("%s", got)
	}
	if _, some := (*Tools)(nil).AppendForKind(nil, []byte(contents), "gemini"); some {
		t.Error("nobody has signatures")
	}
}

// A long dialogue after a change of the credential's kind: nearly every call has a signature of its own.
// The time that one pass takes for each of them would be minutes.
func TestAppendForKindIsLinear(t *testing.T) {
	const calls = 40_000
	tools, in, want := &Tools{}, []byte{'['}, []byte{'['}
	for i := range calls {
		sign := "CiQB" + strconv.Itoa(i) + strings.Repeat("A", 200)
		tools.Signed = append(tools.Signed, Signed{sign, "codeassist"})
		in = append(wire.Comma(in), `{"thoughtSignature":"`+sign+`"}`...)
		want = append(wire.Comma(want), `{"thoughtSignature":"`+Sentinel+`"}`...)
	}
	if got, some := tools.AppendForKind(nil, in, "gemini"); !some || !bytes.Equal(got, want) {
		t.Errorf("%v, %d bytes", some, len(got))
	}
	end := []byte(`[{"thoughtSignature":"`) // cut: nothing that a draft writes
	if got, _ := tools.AppendForKind(nil, end, "gemini"); string(got) != string(end) {
		t.Errorf("%s", got)
	}
}

func TestUnsigned(t *testing.T) {
	said := func(status int, text string) *apierror.Error {
		f := apierror.New(apierror.BadRequest, "x")
		f.Status, f.Said = status, &apierror.Said{Text: text}
		return f
	}
	for f, want := range map[*apierror.Error]bool{
		nil: false,
		said(400, "Function call is missing a thought_signature in functionCall parts."): true,
		said(400, "Corrupted thought signature."):                                        true,
		said(400, "contents is not specified"):                                           false,
		said(500, "thought signature"):                                                   false,
		apierror.New(apierror.BadRequest, "thought signature"):                           false,
	} {
		if Unsigned(f) != want {
			t.Errorf("%v", f)
		}
	}
}
