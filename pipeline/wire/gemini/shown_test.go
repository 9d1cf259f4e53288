package gemini

import "testing"

func TestShown(t *testing.T) {
	const in, out = "\\n```", "\\n```\\n"
	file := func(dst, v []byte) []byte { return InlinedOf(v).AppendMarkdown(dst) }
	for _, tt := range []struct {
		name    string
		show    func(dst, v []byte) []byte
		v, want string
	}{
		{"a picture", file, `{"mimeType":"image/png","data":"QUJD"}`, `![image](data:image/png;base64,QUJD)`},
		{"a file", file, `{"data":"QUJD","mimeType":"text/csv"}`, `[file](data:text/csv;base64,QUJD)`},
		{"without a type", file, `{"data":"QUJD"}`, `![image](data:;base64,QUJD)`},
		{"no object", file, `1`, `![image](data:;base64,)`},
		{"code", AppendCode, `{"language":"PYTHON","code":"a\nb"}`, in + `python\na\nb` + out},
		{"of no language", AppendCode, `{"language":"LANGUAGE_UNSPECIFIED","code":"a"}`, in + `\na` + out},
		{"of one that is no word", AppendCode, `{"language":"C++","code":"a"}`, in + `\na` + out},
		{"no code", AppendCode, `{}`, in + `\n` + out},
		{"a result", AppendCodeResult, `{"outcome":"OUTCOME_OK","output":"1"}`, in + `output\n1` + out},
		{"without an outcome", AppendCodeResult, `{"output":"1"}`, in + `output\n1` + out},
		{"that failed", AppendCodeResult, `{"outcome":"OUTCOME_FAILED","output":"1"}`, in + `error\n1` + out},
	} {
		if got := string(tt.show([]byte("x"), []byte(tt.v))); got != "x"+tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

func TestCalled(t *testing.T) {
	c := CalledOf([]byte(`{"id":"a\"","name":"f","args":{"b":1},"more":[]}`))
	if string(c.ID) != `a\"` || string(c.Name) != "f" || string(c.Object()) != `{"b":1}` {
		t.Errorf("%q", c)
	}
	if c = CalledOf([]byte(`{"id":1,"args":[]}`)); c.ID != nil || c.Name != nil || string(c.Args) != "[]" || string(c.Object()) != "{}" {
		t.Errorf("%q", c)
	}
}
