package openai

import (
	"strings"
	"testing"

	"gcli2api/pipeline/wire/gemini"
)

// model is a turn of the model with these parts, results a turn of the user.
func modelTurn(parts string) string { return `{"role":"model","parts":[` + parts + `]}` }

func userTurn(parts string) string { return `{"role":"user","parts":[` + parts + `]}` }

func callOf(name, args string) string {
	return `{"functionCall":{"name":"` + name + `","args":` + args + `}}`
}

func resultOf(name, response string) string {
	return `{"functionResponse":{"name":"` + name + `","response":` + response + `}}`
}

func TestHistory(t *testing.T) {
	call := func(id, name, args string) string {
		return `{"id":"` + id + `","type":"function","function":{"name":"` + name + `","arguments":"` + args + `"}}`
	}
	result := func(id, content string) string {
		return `{"role":"tool","tool_call_id":"` + id + `","content":` + content + `}`
	}
	for name, c := range map[string]struct{ messages, turns string }{
		"a call": {asked(`[`+call("1", "f", `{\"a\":[1,\"\\u00e9\"]}`)+`]`, result("1", `"done"`)),
			modelTurn(callOf("f", `{"a":[1,"\u00e9"]}`)) + "," + userTurn(resultOf("f", `{"result":"done"}`))},
		"calls in parallel, results in any order": {asked(`[`+call("1", "f", `{}`)+`,`+call("2", "g", ``)+`,`+call("3", "f", ` null\n`)+`]`, result("3", `"c"`), result("1", `"a"`), result("2", `"b"`), hi),
			modelTurn(callOf("f", "{}")+","+callOf("g", "{}")+","+callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"result":"a"}`)+","+resultOf("g", `{"result":"b"}`)+","+resultOf("f", `{"result":"c"}`)+`,{"text":"hi"}`)},
		"text and a call": {`[` + hi + `,{"role":"assistant","content":"let me see","tool_calls":[` + aCall + `]},` + aResult + `]`,
			modelTurn(`{"text":"let me see"},`+callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"result":"x"}`))},
		"white space and a call": {`[` + hi + `,{"role":"assistant","content":"\n\n","tool_calls":[` + aCall + `]},` + aResult + `]`,
			modelTurn(callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"result":"x"}`))},
		"two steps": {asked(`[`+call("1", "f", `{}`)+`]`, result("1", `"a"`), `{"role":"assistant","tool_calls":[`+call("2", "g", `{}`)+`]}`, result("2", `"b"`), `{"role":"assistant","content":"so"}`),
			modelTurn(callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"result":"a"}`)) + "," + modelTurn(callOf("g", "{}")) + "," + userTurn(resultOf("g", `{"result":"b"}`)) + "," + modelTurn(`{"text":"so"}`)},
		"a step in two messages": {asked(`[`+call("1", "f", `{}`)+`]`, `{"role":"assistant","tool_calls":[`+call("2", "g", `{}`)+`]}`, result("1", `"a"`), result("2", `"b"`)),
			modelTurn(callOf("f", "{}")+","+callOf("g", "{}")) + "," + userTurn(resultOf("f", `{"result":"a"}`)+","+resultOf("g", `{"result":"b"}`))},
		"an empty message behind results": {asked(`[`+aCall+`]`, aResult, `{"role":"assistant","content":""}`, `{"role":"user","content":" "}`),
			modelTurn(callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"result":"x"}`))},
		"a system message behind a call": {asked(`[`+aCall+`]`, aResult, `{"role":"system","content":"be brief"}`),
			modelTurn(callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"result":"x"}`)+`,{"text":"be brief"}`)},
		"results of all kinds": {asked(`[`+call("1", "f", "")+`,`+call("2", "f", "")+`,`+call("3", "f", "")+`,`+call("4", "f", "")+`]`,
			result("1", `"{\"a\": 1}"`), result("2", `" [1,2]"`), result("3", `null`), result("4", `[{"type":"text","text":"a"},{"type":"text","text":"\n{b"}]`)),
			modelTurn(strings.Repeat(callOf("f", "{}")+",", 3)+callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"a": 1}`)+","+resultOf("f", `{"result": [1,2]}`)+","+resultOf("f", `{"result":""}`)+","+resultOf("f", `{"result":"a\n{b"}`))},
		"a picture in a result": {asked(`[`+call("1", "f", "")+`,`+call("2", "f", "")+`]`,
			result("1", `[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},{"type":"image_url","image_url":"https://e.org/a.png"}]`), result("2", `"b"`)),
			modelTurn(callOf("f", "{}")+","+callOf("f", "{}")) + "," + userTurn(resultOf("f", `{"result":"a"}`)+","+resultOf("f", `{"result":"b"}`)+`,{"inlineData":{"mimeType":"image/png","data":"AA"}},{"fileData":{"fileUri":"https://e.org/a.png"}}`)},
		"the older form": {`[` + hi + `,{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},{"role":"function","name":"f","content":"x"}]`,
			modelTurn(callOf("f", `{"a":1}`)) + "," + userTurn(resultOf("f", `{"result":"x"}`))},
		"a custom tool": {asked(`[{"id":"1","type":"custom","custom":{"name":"sh","input":"ls \"a\"\n"}}]`, aResult),
			modelTurn(callOf("sh", `{"input":"ls \"a\"\n"}`)) + "," + userTurn(resultOf("sh", `{"result":"x"}`))},
		"a custom tool without a text": {asked(`[{"id":"1","type":"custom","custom":{"name":"sh"}}]`, aResult),
			modelTurn(callOf("sh", `{"input":""}`)) + "," + userTurn(resultOf("sh", `{"result":"x"}`))},
		"pictures of an answer": {`[` + hi + `,{"role":"assistant","content":"see","images":[{"type":"image_url","index":0,"image_url":{"url":"data:image/png;base64,AA"}}]},` + hi + `]`,
			modelTurn(`{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"AA"}}`) + "," + hiTurn},
		"a signed text": {`[` + hi + `,{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"extra_content":{"google":{"thought_signature":"c2ln"}}},` + hi + `]`,
			modelTurn(`{"text":"a"},{"text":"b","thoughtSignature":"c2ln"}`) + "," + hiTurn},
		"the signature of nothing": {`[` + hi + `,{"role":"assistant","content":"","extra_content":{"google":{"thought_signature":"c2ln"}}},{"role":"assistant","content":"a"}]`,
			modelTurn(`{"text":"a"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			hub, r, err := translate(t, `{"messages":`+c.messages+`}`, pro25)
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"contents":[` + hiTurn + "," + c.turns + `]}`; hub != want {
				t.Errorf("got  %s\nwant %s", hub, want)
			}
			if remote := strings.Count(hub, `"fileUri"`); r.Remote != remote {
				t.Errorf("%d remote pictures, %d counted", remote, r.Remote)
			}
		})
	}
}

// The third generation wants a signature at the first call of a step: what is remembered, else what
// the client brings, else the word that stands for a lost one.
func TestSignatures(t *testing.T) {
	o := gemini.Target{Major: 3, Limits: limits("gemini-3-flash"), Recall: func(id []byte) (gemini.Remembered, bool) {
		if string(id) != "kept" {
			return gemini.Remembered{}, false
		}
		return gemini.Remembered{ID: "g", Signature: "a2Vwdd", Kind: "gemini"}, true
	}}
	signed := func(id, extra string) string {
		return asked(`[{"id":"`+id+`","type":"function","function":{"name":"f","arguments":"{}"}`+extra+`},{"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]`,
			`{"role":"tool","tool_call_id":"`+id+`","content":"x"}`, `{"role":"tool","tool_call_id":"2","content":"y"}`)
	}
	const brought = `,"extra_content":{"google":{"thought_signature":"YnJvdWdodA=="}}`
	for body, want := range map[string]string{
		signed("1", ""):         `{"functionCall":{"name":"f","args":{}},"thoughtSignature":"` + gemini.Sentinel + `"},{"functionCall":{"name":"f","args":{}}}]`,
		signed("1", brought):    `{"functionCall":{"name":"f","args":{}},"thoughtSignature":"YnJvdWdodA=="},{"functionCall":{"name":"f","args":{}}}]`,
		signed("kept", brought): `{"functionCall":{"id":"g","name":"f","args":{}},"thoughtSignature":"a2Vwdd"},{"functionCall":{"name":"f","args":{}}}]`,
	} {
		hub, r, err := translate(t, `{"messages":`+body+`}`, o)
		if err != nil || !strings.Contains(hub, want) {
			t.Errorf("%v\ngot  %s\nwant %s", err, hub, want)
		}
		if kept := strings.Contains(body, "kept"); err == nil && len(r.Tools.Signed) > 0 != kept {
			t.Errorf("%+v", r.Tools.Signed)
		}
	}
}

func TestMedia(t *testing.T) {
	blob := func(mime, data string) string {
		return `{"inlineData":{"mimeType":"` + mime + `","data":"` + data + `"}}`
	}
	for part, want := range map[string]string{
		`{"type":"input_audio","input_audio":{"data":"AA\/A","format":"wav"}}`:                              blob("audio/wav", "AA/A"),
		`{"type":"input_audio","input_audio":{"data":"AA","format":"mp3"}}`:                                 blob("audio/mp3", "AA"),
		`{"type":"input_audio","input_audio":{"data":"data:audio/x-wav;base64,AA"}}`:                        blob("audio/x-wav", "AA"),
		`{"type":"file","file":{"file_data":"data:application/pdf;base64,AA","filename":"a.png"}}`:          blob("application/pdf", "AA"),
		`{"type":"file","file":{"file_data":"data:application/octet-stream;base64,AA","filename":"a.PDF"}}`: blob("application/pdf", "AA"),
		`{"type":"file","file":{"file_data":"AA","filename":"notes.v2.md","file_id":"file-1"}}`:             blob("text/markdown", "AA"),
		`{"type":"file","file":{"file_data":"AA","filename":"a.go"}}`:                                       blob("text/plain", "AA"),
		`{"type":"image_url","image_url":{"url":"https:\/\/e.org\/a.png?b=\"c\""}}`:                         `{"fileData":{"fileUri":"https:\/\/e.org\/a.png?b=\"c\""}}`,
		`{"type":"image_url","image_url":"HTTP://e.org/a.png"}`:                                             `{"fileData":{"fileUri":"HTTP://e.org/a.png"}}`,
		`{"type":"image_url","image_url":"\u0068ttp://` + strings.Repeat("a", 100) + `"}`:                   `{"fileData":{"fileUri":"\u0068ttp://` + strings.Repeat("a", 100) + `"}}`,
	} {
		hub, r, err := translate(t, dialogue(`{"role":"user","content":[`+part+`]}`), pro25)
		if err != nil || hub != `{"contents":[`+userTurn(want)+`]}` || r.Remote != strings.Count(want, "fileUri") {
			t.Errorf("%s: %v\ngot  %s\nwant %s", part, err, hub, want)
		}
	}
}
