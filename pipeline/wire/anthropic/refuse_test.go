package anthropic

import (
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
)

// refusedMembers holds, for every place that can be refused, values of its member that must be.
var refusedMembers = map[string][]string{
	"max_tokens":        {`0`, `-1`, `2.5`, `"9"`, `{}`, `[]`, `true`, `1e30`, `99999999999999999999`, `1e999`, `null`},
	"temperature":       {`2.1`, `-0.1`, `"1"`, `true`, `[]`, `{}`, `1e999`},
	"top_p":             {`1.01`, `-1`, `"x"`},
	"top_k":             {`-5`, `1.5`, `"40"`, `99999999999999999999`},
	"stop_sequences":    {`"a"`, `5`, `{}`, `["1","2","3","4","5","6"]`},
	"stop_sequences[1]": {`["a",5]`, `["a",null]`, `["a",["b"]]`},
	"stream":            {`1`, `"true"`, `{}`},
	"metadata":          {`"x"`, `[]`},
	"container.skills":  {`{"id":"c","skills":[{"type":"anthropic","skill_id":"pdf"}]}`},
	"mcp_servers":       {`[{"type":"url","url":"https://x","name":"x"}]`, `"x"`},
	"compaction":        {`{"instructions":"x"}`},
	"thread":            {`{"type":"create"}`},
	"thinking":          {`true`, `"enabled"`, `[]`},
	"thinking.type":     {`{"type":"maybe"}`, `{}`, `{"type":5}`},
	"thinking.display":  {`{"type":"adaptive","display":"loud"}`, `{"type":"adaptive","display":1}`},
	"thinking.budget_tokens": {`{"type":"enabled"}`, `{"type":"enabled","budget_tokens":"many"}`, `{"type":"enabled","budget_tokens":-1}`,
		`{"type":"enabled","budget_tokens":99999999999999999999}`},
	"output_config":               {`5`, `[]`},
	"output_config.effort":        {`{"effort":"much"}`, `{"effort":3}`},
	"output_config.format":        {`{"format":"json"}`},
	"output_config.format.type":   {`{"format":{"type":"yaml"}}`, `{"format":{}}`},
	"output_config.format.schema": {`{"format":{"type":"json_schema"}}`, `{"format":{"type":"json_schema","schema":[]}}`},
	"output_format":               {`"json"`},
	"output_format.type":          {`{"type":"json_object"}`},
	"tool_choice":                 {`"auto"`, `{"type":"any"}`},
	"tool_choice.type":            {`{}`, `{"type":"required"}`, `{"type":5}`},
	"tool_choice.name":            {`{"type":"tool"}`, `{"type":"tool","name":5}`, `{"type":"tool","name":"f"}`},
	"tool_choice.disable_parallel_tool_use": {
		`{"type":"auto","disable_parallel_tool_use":"yes"}`},
	"tools":                 {`"x"`, `{}`, `5`},
	"tools[0]":              {`["x"]`, `[null]`},
	"tools[0].type":         {`[{"type":5}]`, `[{"type":"function","function":{}}]`, `[{"type":"computer_20250124","name":"computer"}]`, `[{"type":"memory_20250818"}]`, `[{"type":"computer_toolset_20260801"}]`, `[{"type":"mcp_toolset"}]`, `[{"type":"_20250124"}]`},
	"tools[0].name":         {`[{"input_schema":{}}]`, `[{"name":"","input_schema":{}}]`, `[{"name":5,"input_schema":{}}]`},
	"tools[0].description":  {`[{"name":"f","description":[],"input_schema":{}}]`},
	"tools[0].input_schema": {`[{"name":"f"}]`, `[{"name":"f","input_schema":"x"}]`, `[{"name":"f","input_schema":[5]}]`},
	"tools[1].name":         {`[` + tool1 + `,` + tool1 + `]`, `[{"type":"bash_20250124"},{"name":"bash","input_schema":{}}]`},
	"system":                {`5`, `{}`, `true`},
	"system[0]":             {`["x"]`},
	"system[1].type":        {`[{"type":"text","text":"a"},{"text":"b"}]`, `[{"type":"text","text":"a"},{"type":"image"}]`, `[{"type":"text","text":"a"},{"type":"robot"}]`},
	"system[0].text":        {`[{"type":"text"}]`, `[{"type":"text","text":5}]`},
	"messages":              {`5`, `{}`, `"hi"`, `[]`, `null`, `[{"role":"assistant","content":""}]`},
}

// refusedMessages does the same for lists of messages.
var refusedMessages = map[string][]string{
	"messages[1]":                        {hi + `,"x"`, hi + `,null`, hi + `,[]`},
	"messages[0].role":                   {`{"content":"x"}`, `{"role":"robot","content":"x"}`, `{"role":"tool","content":"x"}`, `{"role":null,"content":"x"}`, `{"role":7,"content":"x"}`},
	"messages[0].content":                {`{"role":"user"}`, `{"role":"user","content":null}`, `{"role":"user","content":5}`, `{"role":"user","content":{"type":"text"}}`, `{"role":"user","content":""}`, userBlocks(``), userBlocks(`{"type":"text","text":""}`)},
	"messages[0].content[0]":             {userBlocks(`"hi"`), userBlocks(`null`), userBlocks(`[]`)},
	"messages[0].content[1].type":        {userBlocks(png + `,{"text":"b"}`), userBlocks(png + `,{"type":5}`), userBlocks(png + `,{"type":"input_audio"}`), userBlocks(png + `,{"type":"container_upload","file_id":"x"}`), userBlocks(png + `,{"type":"tool_reference","tool_name":"x"}`), userBlocks(png + "," + use1)},
	"messages[0].content[0].text":        {userBlocks(`{"type":"text"}`), userBlocks(`{"type":"text","text":["a"]}`)},
	"messages[0].content[0].content":     {userBlocks(`{"type":"compaction","content":5}`), userBlocks(`{"type":"search_result","source":"x","content":"a"}`)},
	"messages[0].content[0].source":      {userBlocks(`{"type":"image"}`), userBlocks(`{"type":"image","source":"x"}`), userBlocks(`{"type":"document","source":[]}`), userBlocks(`{"type":"search_result","title":"T","content":[]}`)},
	"messages[0].content[0].source.type": {userBlocks(`{"type":"image","source":{}}`), userBlocks(`{"type":"image","source":{"type":"file","file_id":"f"}}`), userBlocks(`{"type":"document","source":{"type":"file","file_id":"f"}}`), userBlocks(`{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}}`), userBlocks(`{"type":"document","source":{"type":5}}`)},
	"messages[0].content[0].source.data": {userBlocks(`{"type":"image","source":{"type":"base64","media_type":"image/png"}}`), userBlocks(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":""}}`), userBlocks(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"a\"b"}}`), userBlocks(`{"type":"document","source":{"type":"text","data":5}}`), userBlocks(`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":5}}`)},
	"messages[0].content[0].source.url":  {userBlocks(`{"type":"image","source":{"type":"url"}}`), userBlocks(`{"type":"image","source":{"type":"url","url":"ftp://x"}}`), userBlocks(`{"type":"image","source":{"type":"url","url":"file:///etc/passwd"}}`), userBlocks(`{"type":"image","source":{"type":"url","url":"http://"}}`), userBlocks(`{"type":"image","source":{"type":"url","url":"gs://b/o"}}`), userBlocks(`{"type":"image","source":{"type":"url","url":"data:text/html;base64,AAAA"}}`)},
	"messages[0].content[0].title":       {userBlocks(`{"type":"document","title":5,"source":{"type":"text","data":"x"}}`)},
	"messages[0].content[0].context":     {userBlocks(`{"type":"document","context":[],"source":{"type":"text","data":"x"}}`)},
	"messages[0].content[0].tool_use_id": {userBlocks(`{"type":"tool_result","tool_use_id":"x","content":"y"}`), userBlocks(`{"type":"tool_result","content":"y"}`)},
	"messages[0].content[0].source.media_type": {userBlocks(`{"type":"image","source":{"type":"base64","data":"AAAA"}}`), userBlocks(`{"type":"image","source":{"type":"base64","media_type":"text/plain","data":"AAAA"}}`),
		userBlocks(`{"type":"image","source":{"type":"base64","media_type":"image/p\"ng","data":"AAAA"}}`), userBlocks(`{"type":"image","source":{"type":"base64","media_type":"image/","data":"AAAA"}}`), userBlocks(`{"type":"document","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`)},
	"messages[0].content[0].source.content":         {userBlocks(`{"type":"document","source":{"type":"content"}}`), userBlocks(`{"type":"document","source":{"type":"content","content":5}}`)},
	"messages[0].content[0].source.content[0].type": {userBlocks(`{"type":"document","source":{"type":"content","content":[{"type":"document","source":{"type":"text","data":"x"}}]}}`)},
	"messages[0].content[0].content[0].type":        {userBlocks(`{"type":"search_result","title":"T","source":"x","content":[` + png + `]}`)},
	"messages[1].content[0].type":                   {hi + `,{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"x"}]}`, hi + `,{"role":"system","content":[` + png + `]}`},
	"messages[1].content[0].id":                     {hi + `,{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]}`, hi + `,{"role":"assistant","content":[{"type":"tool_use","id":"","name":"f","input":{}}]}`},
	"messages[1].content[0].name":                   {hi + `,{"role":"assistant","content":[{"type":"tool_use","id":"x","input":{}}]}`, hi + `,{"role":"assistant","content":[{"type":"tool_use","id":"x","name":5}]}`},
	"messages[1].content[0].input":                  {hi + `,{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":"{}"}]}`, hi + `,{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":[]}]}`},
	"messages[1].content[1]": {hi + `,{"role":"assistant","content":[{"type":"text","text":"a"},` + use1 + `]}`, hi + `,{"role":"assistant","content":[{"type":"text","text":"a"},` + use1 + `]},` + hi,
		hi + `,{"role":"assistant","content":[` + use1 + `,{"type":"tool_use","id":"2","name":"g","input":{}}]},` + userBlocks(`{"type":"tool_result","tool_use_id":"toolu_1"}`)},
	"messages[2].content[1].tool_use_id":            {steps(`{"type":"tool_result","tool_use_id":"toolu_1"},{"type":"tool_result","tool_use_id":"toolu_1"}`), steps(`{"type":"text","text":"x"},{"type":"tool_result","tool_use_id":"other"}`)},
	"messages[2].content[0].is_error":               {steps(`{"type":"tool_result","tool_use_id":"toolu_1","is_error":"no"}`)},
	"messages[2].content[0].content":                {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":{"type":"text"}}`), steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":5}`)},
	"messages[2].content[0].content[1]":             {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[` + png + `,"x"]}`)},
	"messages[2].content[0].content[0].type":        {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"tool_use"}]}`), steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"tool_result","tool_use_id":"x"}]}`), steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"thinking"}]}`), steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{}]}`)},
	"messages[2].content[0].content[0].source.type": {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"image","source":{"type":"file"}}]}`)},
	"messages[2].content[0].content[0].tool_name":   {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"tool_reference"}]}`)},
}

func TestRefused(t *testing.T) {
	refused := func(body, param string) {
		t.Helper()
		hub, r, err := translate(t, body, pro25)
		if err == nil {
			t.Errorf("%s: let through as %s", body, hub)
		} else if err.Status != 400 || err.Param != param || !strings.HasPrefix(err.Message, param+" ") || r != nil {
			t.Errorf("%s: status %d, param %q, message %q; want %q", body, err.Status, err.Param, err.Message, param)
		}
	}
	for param, values := range refusedMembers {
		member, _, _ := strings.Cut(strings.ReplaceAll(param, "[", "."), ".")
		for _, v := range values {
			body := `{"model":"m"`
			if member != "max_tokens" {
				body += `,"max_tokens":100`
			}
			if member != "messages" {
				body += `,"messages":[` + hi + `]`
			}
			refused(body+`,"`+member+`":`+v+`}`, param)
		}
	}
	for param, lists := range refusedMessages {
		for _, list := range lists {
			refused(dialogueOf(list, ""), param)
		}
	}
	refused(`{"model":"m","max_tokens":5}`, "messages")
	refused(`{"model":"m","messages":[`+hi+`]}`, "max_tokens")
	refused(dialogueOf(hi, `,"max_tokens":5`), "max_tokens")
	refused(dialogueOf(hi, `,"\u006dax_tokens":5`), "max_tokens")
	refused(dialogueOf(hi, `,"tools":[`+tool1+`],"tool_choice":{"type":"tool","name":"g"}`), "tool_choice.name")
	refused(dialogueOf(hi, `,"output_format":{"type":"json_schema","schema":{}},"output_config":{"format":{"type":"json_schema","schema":{}}}`), "output_format")
}

// Nesting is refused by the scan; what is just below its limit is read, wherever it stands.
func TestDeepNesting(t *testing.T) {
	deep := strings.Repeat(`[`, 10_000) + strings.Repeat(`]`, 10_000)
	if _, err := wire.Scan([]byte(dialogueOf(`{"role":"user","content":`+deep+`}`, "")), nil); err == nil {
		t.Error("10,000 lists were read")
	}
	deep = strings.Repeat(`[`, 400) + strings.Repeat(`]`, 400)
	objects := strings.Repeat(`{"a":`, 400) + `1` + strings.Repeat(`}`, 400)
	for _, v := range []string{deep, objects} {
		for _, body := range []string{
			dialogueOf(`{"role":"user","content":`+v+`}`, ""), dialogueOf(userBlocks(v), ""), dialogueOf(userBlocks(`{"type":"image","source":`+v+`}`), ""),
			dialogueOf(v, ""), dialogueOf(hi, `,"system":`+v), dialogueOf(hi, `,"tools":[`+v+`]`), dialogueOf(hi, `,"thinking":`+v), dialogueOf(hi, `,"tool_choice":`+v),
		} {
			if _, _, err := translate(t, body, pro25); err == nil || err.Status != 400 || err.Param == "" {
				t.Errorf("%.80s: %v", body, err)
			}
		}
		input := dialogueOf(hi+`,{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":`+objects+`}]},`+userBlocks(`{"type":"tool_result","tool_use_id":"1"}`), "")
		if _, _, err := translate(t, input, pro25); err != nil {
			t.Error(err)
		}
	}
	// What the scan lets through may stand deeper in a hub request than in the body.
	for depth := 480; depth <= 506; depth++ {
		objects := strings.Repeat(`{"a":`, depth) + `1` + strings.Repeat(`}`, depth)
		for _, to := range []toHub{ToHub, CountToHub} {
			_, _, err := with(t, to, dialogueOf(hi+`,{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":`+objects+`}]},`+userBlocks(`{"type":"tool_result","tool_use_id":"1","content":"`+strings.ReplaceAll(objects, `"`, `\"`)+`"}`), ""), pro25)
			if err != nil && err.Param != "messages[1].content[0].input" {
				t.Error(err)
			}
		}
	}
}

func TestLargePicture(t *testing.T) {
	data := strings.Repeat("ABCD", 20<<20/4)
	block := strings.Replace(png, "AAAA", data, 1)
	for _, body := range []string{dialogueOf(userBlocks(block), ""), dialogueOf(steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[`+block+`]}`), "")} {
		hub, _, err := translate(t, body, pro25)
		if err != nil || !strings.Contains(hub, data) {
			t.Error(err)
		}
	}
	for at, body := range map[string]string{
		"messages[0].content[0].source.data":            dialogueOf(userBlocks(strings.Replace(block, data, data+data, 1)), ""),
		"messages[2].content[0].content[0].source.data": dialogueOf(steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[`+strings.Replace(block, data, data+data, 1)+`]}`), ""),
	} {
		if _, _, err := translate(t, body, pro25); err == nil || err.Status != 413 || err.Param != at {
			t.Errorf("%s: %v", at, err)
		}
	}
	if _, _, err := translate(t, dialogueOf(userBlocks(strings.Replace(png, "AAAA", data+`\t`, 1)), ""), pro25); err == nil || err.Param != "messages[0].content[0].source.data" {
		t.Error(err)
	}
}

// Every member that the table says is refused must have a value above that is.
func TestFieldsTellTheTruth(t *testing.T) {
	list := Fields()
	for i, f := range list {
		if f.Does == "" || strings.ContainsAny(f.Does+f.Name, "|\n") {
			t.Errorf("%q does not fit a table: %q", f.Name, f.Does)
		}
		if i > 0 && list[i-1].Name >= f.Name {
			t.Errorf("%q is not in order", f.Name)
		}
		some := f.Name == "messages"
		for param := range refusedMembers {
			some = some || param == f.Name || strings.HasPrefix(param, f.Name+".") || strings.HasPrefix(param, f.Name+"[")
		}
		if strings.Contains(f.Does, "refused") && !some {
			t.Errorf("%q is said to be refused and no test shows it", f.Name)
		}
		if fields[f.Name].Take == nil && some {
			t.Errorf("%q has no effect in the table and is refused in a test", f.Name)
		}
	}
	for param := range refusedMembers {
		name, _, _ := strings.Cut(strings.ReplaceAll(param, "[", "."), ".")
		if _, ok := fields[name]; !ok {
			t.Errorf("%q is refused and not in the table", name)
		}
	}
}
