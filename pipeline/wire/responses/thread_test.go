package responses

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func listed(t *testing.T, body, thread string) (string, error) {
	t.Helper()
	var before []byte
	if thread != "" {
		before = []byte(thread)
	}
	got, fail := AppendItems([]byte("x"), scanned(t, body), before)
	if fail != nil {
		return "", fail
	}
	if got[0] != 'x' || !json.Valid(got[1:]) {
		t.Fatalf("no JSON behind what was there: %s", got)
	}
	return string(got[1:]), nil
}

// ids takes the ids that were made out of a list, and gives them.
func ids(t *testing.T, list string) (plain string, made []string) {
	t.Helper()
	var items []map[string]any
	if err := json.Unmarshal([]byte(list), &items); err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		id, _ := it["id"].(string)
		kind, digits, _ := strings.Cut(id, "_")
		if len(digits) == 32 {
			made = append(made, id)
			list = strings.Replace(list, id, kind+"_?", 1)
		}
	}
	return list, made
}

func TestAppendItems(t *testing.T) {
	const before = `[{"id":"msg_0","type":"message"}]`
	for name, c := range map[string]struct{ body, thread, want string }{
		"a string": {`{"input":"h\ni"}`, "", `[{"id":"msg_?","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"h\ni"}]}]`},
		"behind a thread": {`{"input":"hi"}`, before,
			`[{"id":"msg_0","type":"message"},{"id":"msg_?","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"hi"}]}]`},
		"messages": {asking(hi + `,{"role":"assistant","content":"yes","phase":null},{"id":"msg_1","content":[{"type":"input_text","text":"x"}],"type":"message","status":"incomplete","role":"user"}`), "[ ]",
			`[{"id":"msg_?","type":"message","role":"user","content":[{"type":"input_text","text":"hi"}],"status":"completed"},` +
				`{"id":"msg_?","type":"message","role":"assistant","content":[{"type":"output_text","annotations":[],"text":"yes"}],"phase":null,"status":"completed"},` +
				`{"id":"msg_1","type":"message","content":[{"type":"input_text","text":"x"}],"status":"incomplete","role":"user"}]`},
		"calls": {asking(`{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},` + outA + `,{"type":"custom_tool_call","call_id":"b","name":"f","input":"x"},{"type":"custom_tool_call_output","call_id":"b","output":"x"}`), "",
			`[{"id":"fc_?","type":"function_call","call_id":"a","name":"f","arguments":"{}","status":"completed"},{"id":"fco_?","type":"function_call_output","call_id":"a","output":"ok","status":"completed"},` +
				`{"id":"ctc_?","type":"custom_tool_call","call_id":"b","name":"f","input":"x","status":"completed"},{"id":"ctco_?","type":"custom_tool_call_output","call_id":"b","output":"x","status":"completed"}]`},
		"reasoning":    {asking(`{"type":"reasoning","summary":[],"content":[]}`), "", `[{"id":"rs_?","type":"reasoning","summary":[],"content":[]}]`},
		"references":   {asking(`{"id":"msg_0"},{"type":"item_reference","id":"rs_9"}`), before, before},
		"empty":        {asking(""), before, before},
		"null for ids": {asking(`{"id":null,"type":null,"role":"user","content":"x","status":null}`), "", `[{"id":"msg_?","type":"message","role":"user","content":[{"type":"input_text","text":"x"}],"status":"completed"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listed(t, c.body, c.thread)
			if err != nil {
				t.Fatal(err)
			}
			plain, made := ids(t, got)
			if plain != c.want {
				t.Errorf("got  %s\nwant %s", plain, c.want)
			}
			if again, _ := listed(t, c.body, c.thread); again != got {
				t.Error("not the same another time")
			}
			seen := map[string]bool{}
			for _, id := range made {
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
			}
		})
	}
	for body, param := range map[string]string{`{}`: "input", `{"input":5}`: "input", asking(`5`): "input[0]", asking(hi + `,{"id":"msg_9"}`): "input[1].id"} {
		if _, fail := AppendItems(nil, scanned(t, body), nil); fail == nil || fail.Param != param || fail.Status != 400 {
			t.Errorf("%s: %+v", body, fail)
		}
	}
}

func TestIdsDiffer(t *testing.T) {
	list, _ := listed(t, asking(many(50, hi)), "")
	_, made := ids(t, list)
	next, _ := listed(t, asking(hi), list)
	_, more := ids(t, next)
	seen := map[string]bool{}
	for _, id := range more {
		seen[id] = true
	}
	if len(made) != 50 || len(seen) != 51 {
		t.Errorf("%d and %d ids", len(made), len(seen))
	}
}

func TestAppendThread(t *testing.T) {
	for _, c := range [][3]string{
		{`[{"a":1}]`, `[{"b":2},{"c":3}]`, `[{"a":1},{"b":2},{"c":3}]`},
		{`[]`, `[{"b":2}]`, `[{"b":2}]`},
		{`[{"a":1}]`, `[]`, `[{"a":1}]`},
		{``, ``, `[]`},
		{` [ {"a":1} ] `, "\n[{}]", `[ {"a":1},{}]`},
	} {
		if got := string(AppendThread([]byte("x"), []byte(c[0]), []byte(c[1]))); got != "x"+c[2] {
			t.Errorf("%q and %q: %s", c[0], c[1], got)
		}
	}
}

func TestKept(t *testing.T) {
	for _, c := range []struct{ thread, items string }{
		{`[{"a":1},{"b":2}]`, `[{"a":1}]`},
		{`[{"b":2}]`, `[]`},
		{`[{"b":2}]`, `[{"x":2}]`},
		{`[]`, `[]`},
	} {
		doc := AppendKept([]byte{}, []byte(`{"id":"resp_1"}`), []byte(c.thread), []byte(c.items))
		response, thread, items := ReadKept(doc)
		if string(response) != `{"id":"resp_1"}` || string(thread) != c.thread || string(items) != c.items || !json.Valid(doc) {
			t.Errorf("%s and %s became %s, %s, %s", c.thread, c.items, response, thread, items)
		}
	}
	long := `[{"a":"` + strings.Repeat("x", 5000) + `"}`
	if doc := AppendKept(nil, []byte("{}"), []byte(long+`,{"b":1}]`), []byte(long+"]")); strings.Count(string(doc), "xxxxx")*5 > 5000 {
		t.Errorf("the items are kept twice: %d bytes", len(doc))
	}
	if _, thread, items := ReadKept(AppendKept(nil, []byte("{}"), nil, nil)); string(thread) != "[]" || string(items) != "[]" {
		t.Errorf("%s %s", thread, items)
	}
	for _, doc := range []string{"", "5", "{}", `{"response":{}}`, `{"response":{},"thread":[],"items":9}`, `{"response":{},"thread":[],"items":-1}`} {
		if response, thread, items := ReadKept([]byte(doc)); response != nil || thread != nil || items != nil {
			t.Errorf("%s: %s %s %s", doc, response, thread, items)
		}
	}
}

func TestAppendItemList(t *testing.T) {
	items := "["
	for i := range 25 {
		items += fmt.Sprintf(`{"id":"i%d"},`, i)
	}
	items = strings.TrimSuffix(items, ",") + "]"
	for _, c := range []struct {
		q           ListQuery
		first, last string
		n           int
		more        bool
	}{
		{ListQuery{}, "i24", "i5", 20, true},
		{ListQuery{Order: "asc"}, "i0", "i19", 20, true},
		{ListQuery{Order: "asc", Limit: 25}, "i0", "i24", 25, false},
		{ListQuery{Order: "asc", After: "i19"}, "i20", "i24", 5, false},
		{ListQuery{Order: "desc", After: "i3", Limit: 2}, "i2", "i1", 2, true},
		{ListQuery{After: "i0"}, "", "", 0, false},
	} {
		got, fail := AppendItemList(nil, []byte(items), c.q)
		if fail != nil {
			t.Fatal(fail)
		}
		var page struct {
			Object            string
			Data              []struct{ ID string }
			First_id, Last_id *string
			Has_more          bool
		}
		if err := json.Unmarshal(got, &page); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		first, last := "", ""
		if page.First_id != nil && page.Last_id != nil {
			first, last = *page.First_id, *page.Last_id
		}
		if page.Object != "list" || first != c.first || last != c.last || len(page.Data) != c.n || page.Has_more != c.more {
			t.Errorf("%+v: %s", c.q, got)
		}
		if c.n > 0 && (page.Data[0].ID != first || page.Data[c.n-1].ID != last) {
			t.Errorf("%+v: %s", c.q, got)
		}
	}
	for param, q := range map[string]ListQuery{"limit": {Limit: 101}, "order": {Order: "up"}, "after": {After: "i99"}} {
		if _, fail := AppendItemList(nil, []byte(items), q); fail == nil || fail.Param != param || fail.Status != 400 {
			t.Errorf("%+v: %v", q, fail)
		}
	}
	if _, fail := AppendItemList(nil, []byte(items), ListQuery{Limit: -1}); fail == nil {
		t.Error("a limit below zero was taken")
	}
	if got, _ := AppendItemList(nil, []byte("[]"), ListQuery{}); string(got) != `{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}` {
		t.Errorf("%s", got)
	}
}

func TestAppendDeleted(t *testing.T) {
	if got := string(AppendDeleted(nil, `resp_"1`)); got != `{"id":"resp_\"1","object":"response","deleted":true}` {
		t.Error(got)
	}
}
