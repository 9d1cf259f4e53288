package gemini

import (
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
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
