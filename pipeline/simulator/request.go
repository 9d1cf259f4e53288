package simulator

import (
	"slices"
	"strings"
)

// request is a generating request after the strict reader: typed where the checks and the answers need it.
type request struct {
	dialect  dialect
	model    Model
	stream   bool
	contents []content
	system   []part
	systemIn object // systemInstruction as read
	tools    tools
	calling  calling
	safety   []any
	config   object // generationConfig with camelCase names
	thinking object // its thinkingConfig, nil when absent
	received object // the request as it arrived, names as the client wrote them
}

type content struct {
	role  string
	parts []part
}

// part is one part of a content. Kind is the name of its data field, "" when it has none.
type part struct {
	kind      string
	text      string
	thought   bool
	signature string
	mime      string
	data      []byte
	uri       string
	id, name  string
	value     object // args or response
}

type tools struct {
	declared []declaration
	builtIn  []string // googleSearch, urlContext, codeExecution, ...
}

type declaration struct {
	name   string
	schema object // parameters or parametersJsonSchema
	fields object
}

type calling struct {
	mode    string
	allowed []string
	set     bool
	mixed   bool // includeServerSideToolInvocations
}

// newRequest types a tree that the reader has accepted; raw is the same object as it arrived.
func newRequest(d dialect, m Model, tree, raw object) *request {
	r := &request{dialect: d, model: m, received: raw, config: child(tree, "generationConfig")}
	r.thinking = child(r.config, "thinkingConfig")
	for _, c := range items(tree, "contents") {
		r.contents = append(r.contents, newContent(c.(object)))
	}
	if in := child(tree, "systemInstruction"); in != nil {
		r.systemIn = in
		r.system = newContent(in).parts
	}
	for _, t := range items(tree, "tools") {
		r.tools.add(t.(object))
	}
	slices.Sort(r.tools.builtIn)
	r.safety = items(tree, "safetySettings")
	settings := child(tree, "toolConfig")
	r.calling.mixed, _ = settings["includeServerSideToolInvocations"].(bool)
	if c := child(settings, "functionCallingConfig"); c != nil {
		r.calling.set = true
		r.calling.mode = str(c, "mode")
		r.calling.allowed = texts(c, "allowedFunctionNames")
	}
	return r
}

func (t *tools) add(tool object) {
	for name, v := range tool {
		if name != "functionDeclarations" {
			t.builtIn = append(t.builtIn, name)
			continue
		}
		for _, item := range v.([]any) {
			d := item.(object)
			schema := child(d, "parameters")
			if schema == nil {
				schema = child(d, "parametersJsonSchema")
			}
			t.declared = append(t.declared, declaration{name: str(d, "name"), schema: schema, fields: d})
		}
	}
}

func newContent(in object) content {
	c := content{role: str(in, "role")}
	for _, p := range items(in, "parts") {
		c.parts = append(c.parts, newPart(p.(object)))
	}
	return c
}

func newPart(in object) part {
	p := part{signature: str(in, "thoughtSignature")}
	p.thought, _ = in["thought"].(bool)
	for _, kind := range []string{"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"} {
		if _, ok := in[kind]; ok {
			p.kind = kind
		}
	}
	switch value := child(in, p.kind); p.kind {
	case "text":
		p.text = str(in, "text")
	case "inlineData":
		p.mime = str(value, "mimeType")
		p.data, _ = decodeBase64(str(value, "data"))
	case "fileData":
		p.mime, p.uri = str(value, "mimeType"), str(value, "fileUri")
	case "functionCall":
		p.id, p.name, p.value = str(value, "id"), str(value, "name"), child(value, "args")
	case "toolCall", "toolResponse":
		p.id = str(value, "id")
	case "functionResponse":
		p.id, p.name, p.value = str(value, "id"), str(value, "name"), child(value, "response")
	}
	return p
}

func child(o object, name string) object {
	c, _ := o[name].(object)
	return c
}

func items(o object, name string) []any {
	l, _ := o[name].([]any)
	return l
}

func str(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

func texts(o object, name string) []string {
	var out []string
	for _, v := range items(o, name) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// has reports whether the content has a part of the kind.
func (c content) has(kind string) bool { return c.count(kind) > 0 }

func (c content) count(kind string) int {
	n := 0
	for _, p := range c.parts {
		if p.kind == kind {
			n++
		}
	}
	return n
}

// lastUser is the index of the last user content that is real text, not a function's result; -1 when there is none.
func (r *request) lastUser() int {
	for i := len(r.contents) - 1; i >= 0; i-- {
		if c := r.contents[i]; c.role != "model" && c.has("text") && !c.has("functionResponse") {
			return i
		}
	}
	return -1
}

// lastText is the text of that content, its text parts joined by line ends, without the rule for the end of an answer.
func (r *request) lastText() string {
	i := r.lastUser()
	if i < 0 {
		return ""
	}
	return r.contents[i].spoken()
}

func (c content) text() string {
	var out []string
	for _, p := range c.parts {
		if p.kind == "text" && !p.thought {
			out = append(out, p.text)
		}
	}
	return strings.Join(out, "\n")
}

// command is the first line of the last user content that begins with an exclamation mark, such as "!fault 429": the
// line may stand behind other parts, because gateways put text of their own before or after what the user wrote.
func (r *request) command() string {
	i := r.lastUser()
	if i < 0 {
		return ""
	}
	for line := range strings.Lines(r.contents[i].text()) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "!fault ") || strings.HasPrefix(line, "!describe") {
			return line
		}
	}
	return ""
}

// promptTokens counts contents and the system instruction by the rule of Tokens; tools are free.
func (r *request) promptTokens() (text, blobs int) {
	add := func(parts []part) {
		for _, p := range parts {
			switch p.kind {
			case "text":
				text += Tokens(p.text)
			case "inlineData", "fileData":
				blobs += blobTokens
			case "functionCall", "functionResponse":
				text += Tokens(p.name) + Tokens(string(encode(p.value)))
			}
		}
	}
	add(r.system)
	for _, c := range r.contents {
		add(c.parts)
	}
	return text, blobs
}
