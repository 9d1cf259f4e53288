package console

import (
	"fmt"
	"strings"
	"testing"
)

func TestCostTable(t *testing.T) {
	d := newDesk(t)
	cost := func(name string) string {
		t.Helper()
		a := d.ask("GET", "/auth/models/"+name+"/cost", "", "Authorization: ")
		if a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		return fmt.Sprint(a.json["cost"], " ", a.json["is_default"])
	}
	for name, want := range map[string]string{"gemini-2.5-pro": "10 false", "gemini-2.5-flash": "2 false", "gemini-3-pro-preview": "15 false",
		"流式抗截断/gemini-2.5-pro": "20 false", "流式抗截断%2Fgemini-2.5-pro": "20 false", "%E6%B5%81%E5%BC%8F%E6%8A%97%E6%88%AA%E6%96%AD%2Fgemini-2.5-flash": "4 false",
		"gemini-2.5-pro-maxthinking-search": "10 false", "gemini-9-pro": "10 true", "anything/else": "1 true", "模型": "1 true"} {
		if got := cost(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	a := d.ask("POST", "/auth/models/costs", `{"model_name": "gemini-2.5-pro", "cost": 8}`)
	if a.status != 200 || a.json["model_name"] != "gemini-2.5-pro" || a.json["cost"] != 8.0 || a.json["message"] == nil || a.json["known_model"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.ask("POST", "/auth/models/costs", `{"model_name": "流式抗截断/gemini-2.5-pro", "cost": 0, "input": 40, "output": 90}`); a.status != 200 || a.json["input"] != 40.0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.ask("POST", "/auth/models/costs", `{"model_name": "gemini-2.5-pro-流式抗截断", "cost": 3, "output": null}`); a.json["model_name"] != "流式抗截断/gemini-2.5-pro" || a.json["input"] != 40.0 || a.json["output"] != 0.0 {
		t.Errorf("a change of a part: %d %s", a.status, a.body)
	}
	if a := d.ask("POST", "/auth/models/costs", `{"model_name": "my-org/model-中文", "cost": 4}`); a.json["known_model"] != false || !strings.Contains(a.body, "no model that") {
		t.Errorf("an unknown model: %d %s", a.status, a.body)
	}
	a = d.ask("GET", "/auth/models/costs", "")
	table, _ := a.json["model_costs"].(map[string]any)
	if a.json["default_cost"] != 1.0 || len(table) != 6 || table["gemini-2.5-pro"] != 8.0 || table["gemini-2.5-flash"] != 2.0 || table["流式抗截断/gemini-2.5-pro"] != 3.0 ||
		table["my-org/model-中文"] != 4.0 || fmt.Sprint(a.json["overridden"]) != "[gemini-2.5-pro my-org/model-中文 流式抗截断/gemini-2.5-pro]" {
		t.Errorf("%s", a.body)
	}
	for _, name := range []string{"流式抗截断%2Fgemini-2.5-pro", "my-org/model-%E4%B8%AD文", "gemini-2.5-pro"} {
		if a := d.ask("DELETE", "/auth/models/costs/"+name, ""); a.status != 200 || a.json["message"] == nil {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a := d.ask("DELETE", "/auth/models/costs/"+name, ""); a.status != 404 {
			t.Errorf("%s once more: %d %s", name, a.status, a.body)
		}
	}
	if got := cost("流式抗截断/gemini-2.5-pro"); got != "20 false" {
		t.Errorf("as built in again: %s", got)
	}
}

func TestBadCosts(t *testing.T) {
	d := newDesk(t)
	for body, names := range map[string]string{
		``: "model_name", `[]`: "object", `{"cost":1}`: "model_name", `{"model_name":"m"}`: "cost", `{"model_name":"m","cost":-1}`: "cost",
		`{"model_name":"m","cost":1.5}`: "cost", `{"model_name":"m","cost":"8"}`: "cost", `{"model_name":"m","cost":null}`: "cost",
		`{"model_name":"m","cost":1e2}`: "cost", `{"model_name":"m","cost":99999999999999999999}`: "cost", `{"model_name":"m","cost":1000000001}`: "cost",
		`{"model_name":"m","cost":1,"input":-1}`: "input", `{"model_name":"m","cost":1,"output":0.5}`: "output", `{"model_name":"m","cost":1,"cost":2}`: "cost",
		`{"model_name":"m","cost":1,"price":2}`: "price", `{"model_name":"","cost":1}`: "model_name", `{"model_name":7,"cost":1}`: "model_name",
		`{"model_name":"gemini-*","cost":1}`: "model_name", `{"model_name":"a b","cost":1}`: "model_name", `{"model_name":"a\u0000b","cost":1}`: "model_name",
		`{"model_name":"流式抗截断/","cost":1}`: "model_name", `{"model_name":"` + strings.Repeat("m", 401) + `","cost":1}`: "model_name",
		`{"model_name":"m","cost":1,"input":0,"output":0}`: "null",
		`{"model_name":"m-low-high","cost":1}`:             "model_name", "{\"model_name\":\"\xff\",\"cost\":1}": "UTF-8",
	} {
		a := d.ask("POST", "/auth/models/costs", body)
		if detail := fmt.Sprint(a.json["detail"]); a.status != 400 || !strings.Contains(detail, names) {
			t.Errorf("%.60q: %d %.200s", body, a.status, a.body)
		}
	}
	for path, status := range map[string]int{"/auth/models/%zz/cost": 400, "/auth/models/" + strings.Repeat("m", 500) + "/cost": 400, "/auth/models/%20/cost": 400} {
		if a := d.ask("GET", path, ""); a.status != status {
			t.Errorf("GET %.40s: %d %s", path, a.status, a.body)
		}
	}
	for _, name := range []string{"*", "%00", "a%20b", "gemini-2.5-pro", strings.Repeat("m", 300)} {
		if a := d.ask("DELETE", "/auth/models/costs/"+name, ""); a.status != 404 {
			t.Errorf("DELETE %.40s: %d %s", name, a.status, a.body)
		}
	}
	if rows := d.book.Costs.List(); len(rows) != 4 {
		t.Errorf("%+v", rows)
	}
}
