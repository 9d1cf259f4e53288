package compat

import (
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

func exchange(t *testing.T, header, body string) *pipeline.Exchange {
	t.Helper()
	x := pipeline.NewExchange(t.Context(), pipeline.Request{Client: pipeline.Fixed{Headers: map[string]string{"X-Compat": header}}})
	call, fail := gemini.NewCall([]byte(body))
	if fail != nil {
		t.Fatal(fail)
	}
	x.Call = call
	return x
}

func TestWhichModeIsOn(t *testing.T) {
	const body = `{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"u"}]}]}`
	for _, c := range []struct {
		setting bool
		header  string
		on      bool
		refused bool
	}{
		{false, "", false, false},
		{true, "", true, false},
		{false, "system-to-user", true, false},
		{true, "system-to-user", true, false},
		{true, "off", false, false},
		{false, " System-To-User ", true, false},
		{true, " ", true, false},
		{false, "on", false, true},
		{true, "true", false, true},
		{true, "system-to-user, off", false, true},
	} {
		x := exchange(t, c.header, body)
		x.SystemAsUser = !c.on // of an earlier walk
		v := (&stage{Settings{c.setting}}).Process(x)
		if f := x.Reply.Err; c.refused {
			if v != pipeline.Respond || f == nil || f.Code != apierror.BadRequest || f.Param != "X-Compat" || !strings.Contains(f.Message, `"system-to-user" or "off"`) {
				t.Errorf("%+v: verdict %v, %v", c, v, f)
			}
			continue
		}
		_, there := x.Call.Get("systemInstruction")
		if v != pipeline.Next || x.SystemAsUser != c.on || there != !c.on {
			t.Errorf("%+v: verdict %v, as user %v, still there %v", c, v, x.SystemAsUser, there)
		}
	}
}

// What stands between s and u is what becomes of the call.
func TestMove(t *testing.T) {
	const user = `{"role":"user","parts":[{"text":"u"}]}`
	call := func(system, contents string) string {
		return `{"systemInstruction":` + system + `,"contents":` + contents + `,"tools":[]}`
	}
	for _, c := range []struct{ name, body, want string }{
		{"a content", call(`{"parts":[{"text":"s"}]}`, `[`+user+`]`), `[{"role":"user","parts":[{"text":"s"},{"text":"u"}]}]`},
		{"with a role, and more turns", call(`{"role":"system","parts":[{"text":"s"},{"text":"t"}]}`, `[`+user+`,{"role":"model","parts":[{"text":"m"}]},`+user+`]`),
			`[{"role":"user","parts":[{"text":"s"},{"text":"t"},{"text":"u"}]},{"role":"model","parts":[{"text":"m"}]},` + user + `]`},
		{"a string", call(`"s\n\"t\""`, `[`+user+`]`), `[{"role":"user","parts":[{"text":"s\n\"t\""},{"text":"u"}]}]`},
		{"one part", call(`{"parts":{"text":"s"}}`, `[`+user+`]`), `[{"role":"user","parts":[{"text":"s"},{"text":"u"}]}]`},
		{"the other spelling", `{"system_instruction":{"parts":[{"text":"s"}]},"contents":[` + user + `]}`, `[{"role":"user","parts":[{"text":"s"},{"text":"u"}]}]`},
		{"a turn without a role", call(`"s"`, `[{"parts":[{"text":"u"}]}]`), `[{"parts":[{"text":"s"},{"text":"u"}]}]`},
		{"a role of nobody", call(`"s"`, `[{"role":"","parts":[{"text":"u"}]}]`), `[{"role":"","parts":[{"text":"s"},{"text":"u"}]}]`},
		{"the model begins", call(`"s"`, `[{"role":"model","parts":[{"text":"m"}]}]`), `[{"role":"user","parts":[{"text":"s"}]},{"role":"model","parts":[{"text":"m"}]}]`},
		{"results begin", call(`"s"`, `[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]`),
			`[{"role":"user","parts":[{"text":"s"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]`},
		{"results in the other spelling, of a function", call(`"s"`, `[{"role":"function","parts":[{"function_response":{}}]}]`),
			`[{"role":"user","parts":[{"text":"s"}]},{"role":"function","parts":[{"function_response":{}}]}]`},
		{"results behind words", call(`"s"`, `[{"parts":[{"text":"u"},{"function_response":{}}]}]`),
			`[{"role":"user","parts":[{"text":"s"}]},{"parts":[{"text":"u"},{"function_response":{}}]}]`},
		{"parts twice", call(`"s"`, `[{"parts":[{"text":"a"}],"parts":[{"text":"b"}]}]`), `[{"role":"user","parts":[{"text":"s"}]},{"parts":[{"text":"a"}],"parts":[{"text":"b"}]}]`},
		{"a turn without parts", call(`"s"`, `[{"role":"user"}]`), `[{"role":"user","parts":[{"text":"s"}]},{"role":"user"}]`},
		{"a turn that is none", call(`"s"`, `["u"]`), `[{"role":"user","parts":[{"text":"s"}]},"u"]`},
		{"space all over", "{ \"systemInstruction\" : { \"parts\" : [ { \"text\" : \"s\" } ] } , \"contents\" : [ { \"role\" : \"user\" , \"parts\" : [ { \"text\" : \"u\" } ] } ] }",
			`[{"role":"user","parts":[{ "text" : "s" }, { "text" : "u" } ]}]`},
		{"empty texts between", call(`{"parts":[{"text":""},{"text":"s"},{"text":""}]}`, `[`+user+`]`), `[{"role":"user","parts":[{"text":"s"},{"text":"u"}]}]`},
		{"nothing but empty texts", call(`{"parts":[{"text":""}]}`, `[`+user+`]`), `[` + user + `]`},
		{"an empty string", call(`""`, `[`+user+`]`), `[` + user + `]`},
		{"null", call(`null`, `[`+user+`]`), `[` + user + `]`},
	} {
		x := exchange(t, "", c.body)
		move(&x.Call)
		contents, _ := x.Call.Get("contents")
		if _, there := x.Call.Get("systemInstruction"); there || string(contents) != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, contents, c.want)
		}
		if b := x.Call.AppendTo(nil); wire.Check(b) != nil {
			t.Errorf("%s: broken: %s", c.name, b)
		}
	}
	for name, body := range map[string]string{
		"no instruction":       `{"contents":[` + user + `]}`,
		"no parts":             call(`{"role":"system"}`, `[`+user+`]`),
		"an empty list":        call(`{"parts":[]}`, `[`+user+`]`),
		"a part that is none":  call(`{"parts":[{"text":"s"},7]}`, `[`+user+`]`),
		"a number":             call(`7`, `[`+user+`]`),
		"a list":               call(`["s"]`, `[`+user+`]`),
		"contents that are no": call(`"s"`, user),
	} {
		x := exchange(t, "", body)
		if move(&x.Call); string(x.Call.AppendTo(nil)) != body {
			t.Errorf("%s: became %s", name, x.Call.AppendTo(nil))
		}
	}
}

// FuzzMove: whatever stands there, the call stays JSON, and no text of it is lost.
func FuzzMove(f *testing.F) {
	for _, s := range []string{`"s"`, `{"parts":[{"text":"s"}]}`, `{"parts":{"text":"s"}}`, `null`, `[]`, `{"parts":[{"text":""}]}`} {
		for _, c := range []string{`[]`, `[{"role":"user","parts":[{"text":"u"}]}]`, `[{"role":"model","parts":[]}]`, `[{"parts":[{"functionResponse":{}}]},1]`, `{}`} {
			f.Add(s, c)
		}
	}
	f.Fuzz(func(t *testing.T, system, contents string) {
		body := `{"systemInstruction":` + system + `,"contents":` + contents + `}`
		call, fail := gemini.NewCall([]byte(body))
		if fail != nil || call.Len() != 2 {
			return
		}
		move(&call)
		out := string(call.AppendTo(nil))
		if err := wire.Check([]byte(out)); err != nil {
			t.Fatalf("%s became %s: %v", body, out, err)
		}
		turns := func(c *gemini.Call) (n int) {
			for a := c.Contents(); a.Next(); {
				n++
			}
			return n
		}
		before, _ := gemini.NewCall([]byte(body))
		if more := turns(&call) - turns(&before); more < 0 || more > 1 {
			t.Fatalf("%s became %s: %d more turns", body, out, more)
		}
		if strings.Count(out, `"s"`) < strings.Count(body, `"s"`) {
			t.Fatalf("%s became %s", body, out)
		}
	})
}
