package gemini

import (
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
)

func drafted(write func(d *Draft)) (string, *Unanswered) {
	d := Draft{B: []byte("{"), Tools: &Tools{}, Signs: true}
	write(&d)
	lost := d.Finish()
	return string(append(d.B, '}')), lost
}

func TestDraft(t *testing.T) {
	call := func(id, name string) Invocation {
		return Invocation{ID: []byte(id), Name: []byte(name), Args: []byte(`{"a":1}`), At: 3}
	}
	for name, c := range map[string]struct {
		write func(d *Draft)
		want  string
	}{
		"texts": {func(d *Draft) {
			d.Turn(System)
			d.Text([]byte("be"))
			d.Turn(User)
			d.Text([]byte(`a\n`))
			d.Text(nil)
			d.Turn(System) // a later one is the user's
			d.Text([]byte("b"))
			d.Turn(TheModel)
			d.Text([]byte("c"))
		}, `{"systemInstruction":{"parts":[{"text":"be"}]},"contents":[{"role":"user","parts":[{"text":"a\n"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"}]},{"role":"user","parts":[{"text":"` + resume + `"}]}]}`},
		"the second generation goes on by itself": {func(d *Draft) {
			d.Signs = false
			d.Turn(User)
			d.Text([]byte("a"))
			d.Turn(TheModel)
			d.Text([]byte("c"))
		}, `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"c"}]}]}`},
		"instructions alone": {func(d *Draft) { d.Turn(System); d.Text([]byte("be")) },
			`{"systemInstruction":{"parts":[{"text":"be"}]},"contents":[{"role":"user","parts":[{"text":"` + obey + `"}]}]}`},
		"the model begins": {func(d *Draft) { d.Turn(TheModel); d.Text([]byte("hi")); d.Turn(User); d.Text([]byte("x")) },
			`{"contents":[{"role":"user","parts":[{"text":"` + beginner + `"}]},{"role":"model","parts":[{"text":"hi"}]},{"role":"user","parts":[{"text":"x"}]}]}`},
		"results in the order of the calls, before the text": {func(d *Draft) {
			d.Turn(User)
			d.Text([]byte("go"))
			d.Turn(TheModel)
			d.Call(call("1", "f"))
			d.Call(call("2", "f"))
			d.Turn(User)
			d.Result([]byte("2"), []byte(`{"r":2}`))
			d.Attach([]byte(`{"text":"pic"}`))
			d.Result([]byte("1"), []byte(`{"r":1}`))
			d.Text([]byte("now"))
		}, `{"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[` +
			`{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"` + Sentinel + `"},{"functionCall":{"name":"f","args":{"a":1}}}]},` +
			`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1}}},{"functionResponse":{"name":"f","response":{"r":2}}},{"text":"pic"},{"text":"now"}]}]}`},
		"two steps of one dialogue": {func(d *Draft) {
			d.Turn(User)
			d.Text([]byte("go"))
			for _, id := range []string{"1", "2"} {
				d.Turn(TheModel)
				d.Call(call(id, "f"))
				d.Turn(User)
				d.Result([]byte(id), []byte(`{}`))
			}
		}, `{"contents":[{"role":"user","parts":[{"text":"go"}]},` +
			strings.TrimSuffix(strings.Repeat(`{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"`+Sentinel+`"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]},`, 2), ",") + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, lost := drafted(c.write)
			if got != c.want || lost != nil {
				t.Errorf("lost %v\ngot  %s\nwant %s", lost, got, c.want)
			}
		})
	}
}

func TestDraftKnowsWhatIsMissing(t *testing.T) {
	for name, after := range map[string]func(d *Draft){
		"at the end":     func(*Draft) {},
		"before a text":  func(d *Draft) { d.Turn(User); d.Text([]byte("x")) },
		"only one came":  func(d *Draft) { d.Result([]byte("1"), []byte(`{}`)) },
		"before a model": func(d *Draft) { d.Turn(User); d.Turn(TheModel); d.Text([]byte("x")) },
	} {
		_, lost := drafted(func(d *Draft) {
			d.Turn(User)
			d.Text([]byte("go"))
			d.Turn(TheModel)
			d.Call(Invocation{ID: []byte("1"), Name: []byte("f"), At: 7})
			d.Call(Invocation{ID: []byte("2"), Name: []byte("f"), At: 7})
			after(d)
		})
		want := Unanswered{At: 7, ID: "1"}
		if name == "only one came" {
			want.ID = "2"
		}
		if lost == nil || *lost != want {
			t.Errorf("%s: %+v", name, lost)
		}
	}
	drafted(func(d *Draft) {
		if d.Result([]byte("1"), []byte(`{}`)) || d.ResultOf([]byte("f"), []byte(`{}`)) {
			t.Error("a result without a call was taken")
		}
	})
}

func TestDraftRecalls(t *testing.T) {
	known := Remembered{ID: "g1", Signature: "c2ln", Kind: "gemini", Model: "m"}
	d := Draft{B: []byte("{"), Tools: &Tools{}, Signs: true, Recall: func(id []byte) (Remembered, bool) { return known, string(id) == "1" }}
	d.Turn(User)
	d.Text([]byte("go"))
	d.Turn(TheModel)
	d.Call(Invocation{ID: []byte("1"), Name: []byte("天气"), Signature: []byte("other")})
	d.Turn(User)
	d.Result([]byte("1"), []byte(`{}`))
	d.Finish()
	google := d.Tools.Google("天气")
	for _, want := range []string{`"id":"g1","name":"` + google + `","args":{}},"thoughtSignature":"c2ln"`, `"functionResponse":{"id":"g1","name":"` + google + `"`} {
		if !strings.Contains(string(d.B), want) {
			t.Errorf("no %s in %s", want, d.B)
		}
	}
	if len(d.Tools.Signed) != 1 || d.Tools.Signed[0] != (Signed{"c2ln", "gemini"}) {
		t.Errorf("signed %v", d.Tools.Signed)
	}
	if got := Recollect(known.Append(nil)); got != known {
		t.Errorf("%+v", got)
	}
}

func TestToolNames(t *testing.T) {
	var tools Tools
	seen := map[string]string{}
	for _, name := range []string{"get_weather", "mcp__files:read.v-2", "天气", "天 气", "", "1st", "a b", "a_b", "a/b", strings.Repeat("x", 65), strings.Repeat("x", 66), strings.Repeat("é", 40), "a\x00b", "-"} {
		google, fresh := tools.Declare(name, false)
		if !fresh {
			t.Errorf("%q is not fresh", name)
		}
		if other, taken := seen[google]; taken {
			t.Errorf("%q and %q are both %q", name, other, google)
		}
		seen[google] = name
		if fit(google) != google {
			t.Errorf("%q became %q, which Google does not take", name, google)
		}
		if f, ok := tools.Client([]byte(google)); !ok || f.Client != name {
			t.Errorf("%q comes back as %+v", google, f)
		}
		var other Tools
		if other.Google(name) != google {
			t.Errorf("%q is not the same in another turn", name)
		}
	}
	if _, fresh := tools.Declare("a b", false); fresh {
		t.Error("a name twice is fresh")
	}
	stolen := (&Tools{}).Google("a b")
	var tricky Tools
	tricky.Declare(stolen, false)
	if got, _ := tricky.Declare("a b", false); got == stolen {
		t.Error("two functions have one name")
	}
}

func TestAppendResponse(t *testing.T) {
	for in, want := range map[string]string{
		`plain`:              `{"result":"plain"}`,
		``:                   `{"result":""}`,
		` {\"a\":[1,\"x\"]}`: ` {"a":[1,"x"]}`,
		`[1,2]`:              `{"result":[1,2]}`,
		`{\"a\":`:            `{"result":"{\"a\":"}`,
		`12`:                 `{"result":"12"}`,
	} {
		if got := string(AppendResponse(nil, []byte(in), false)); got != want || wire.Check([]byte(got)) != nil {
			t.Errorf("%s: got %s", in, got)
		}
	}
	if got := string(AppendResponse(nil, []byte(`no\n`), true)); got != `{"error":"no\n"}` {
		t.Error(got)
	}
}

// TestNamespaces: a name may be a function's of its own and of any namespace, and is told apart both ways.
func TestNamespaces(t *testing.T) {
	var tools Tools
	all := []Function{{Client: "f"}, {Client: "f", Namespace: "mcp__a__"}, {Client: "f", Namespace: "mcp__a"}, {Client: "mcp__a__f"},
		{Client: "shell", Kind: "shell"}, {Client: "shell"}, {Client: "_g", Namespace: "b", Custom: true}, {Client: "查", Namespace: strings.Repeat("n", 90)}}
	want := []string{"f", "mcp__a__f", "", "", "shell", "", "b__g", ""}
	for i, f := range all {
		google, fresh := tools.DeclareAs(f)
		if !fresh || want[i] != "" && google != want[i] || len(google) > 64 {
			t.Errorf("%+v is %q", f, google)
		}
		if again, fresh := tools.DeclareAs(f); fresh || again != google || tools.GoogleOf(f) != google {
			t.Errorf("%+v is %q at first and then %q", f, google, again)
		}
		f.Google = google
		if got, ok := tools.Client([]byte(google)); !ok || got != f {
			t.Errorf("%q is %+v", google, got)
		}
	}
	if f, ok := tools.Within("b", "_g"); !ok || !f.Custom {
		t.Errorf("%+v", f)
	}
	if _, ok := tools.Known("_g"); ok {
		t.Error("a name in a namespace is known without it")
	}
	r := Restorer{Tools: &tools, Seed: "s", Prefix: "call_"}
	got := string(r.Event([]byte(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"mcp__a__f"}}]}}]}`)))
	if want := `"name":"f","declared":"mcp__a__f","args":{}`; !strings.Contains(got, want) {
		t.Error(got)
	}
}

func TestRestorer(t *testing.T) {
	var tools Tools
	google := tools.Google("查 询")
	event := func(parts string) []byte {
		return []byte(`{"candidates":[{"content":{"role":"model","parts":[` + parts + `]},"index":0}],"x":{"functionCall":1}}`)
	}
	r := Restorer{Tools: &tools, Seed: "s", Prefix: "call_"}
	if in := []byte(`{"candidates":[]}`); &r.Event(in)[0] != &in[0] {
		t.Error("an event without a call was copied")
	}
	got := string(r.Event(event(`{"text":"a"},{"functionCall":{"id":"g","name":"` + google + `","args":{"k":"v"}},"thoughtSignature":"s1"} , {"functionCall":{"name":"other"}}`)))
	made := r.Made()
	if len(made) != 2 || made[0].Google != "g" || made[0].Signature != "s1" || made[1].Google != "" || made[0].ID == made[1].ID || len(made[0].ID) != 29 {
		t.Fatalf("%+v", made)
	}
	want := string(event(`{"text":"a"},{"functionCall":{"id":"` + made[0].ID + `","name":"查 询","args":{"k":"v"}},"thoughtSignature":"s1"} , {"functionCall":{"id":"` + made[1].ID + `","name":"other","args":{}}}`))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	last := made[1].ID
	r.Event(event(`{"functionCall":{"name":"x"}}`))
	if r.Made()[0].ID == last {
		t.Error("an id came twice")
	}

	for parts, want := range map[string]string{
		`{"functionCall":{"name":"a"}},{"functionCall":{"name":"b"}},{"text":"t"}`:     `{"functionCall":{"id":"ID","name":"a","args":{}}},{"text":"t"}`,
		`{"functionCall":{"name":"a"}} , {"thought":true,"functionCall":{"name":"b"}}`: `{"functionCall":{"id":"ID","name":"a","args":{}}}`,
	} {
		one := Restorer{Tools: &Tools{Single: true}, Seed: "s"}
		got := one.Event(event(parts))
		want = string(event(strings.ReplaceAll(want, "ID", one.Made()[0].ID)))
		if string(got) != want || wire.Check(got) != nil {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := one.Event(event(`{"functionCall":{"name":"c"}}, {"text":"t"}`)); string(got) != string(event(` {"text":"t"}`)) {
			t.Errorf("a later call: %s", got)
		}
	}
}
