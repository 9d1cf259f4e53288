package responses

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// kit is a tool that OpenAI defines and the client runs. Google is told of it as a function, and its
// calls and their outputs are items of their own.
type kit struct {
	kind       string // the type of the tool, and the name of the function
	call       string // the type of its calls
	output     string // and of their outputs
	prefix     string // of the ids of its calls
	about      string // the description, as the inside of a string; "" where the client brings it
	parameters string // likewise
}

// kits is never written to.
var kits = [...]kit{
	{
		kind: localShell, call: "local_shell_call", output: "local_shell_call_output", prefix: "lsh_",
		about: "Runs a command on the user's machine and gives its output.",
		parameters: `{"type":"object","properties":{` +
			`"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments, for instance [\"bash\",\"-lc\",\"ls\"]"},` +
			`"timeout_ms":{"type":"integer","description":"Milliseconds after which the command is stopped"},` +
			`"working_directory":{"type":"string","description":"The folder to run it in"},` +
			`"env":{"type":"object","description":"Environment variables to set: names and texts"}},"required":["command"]}`,
	},
	{
		kind: "shell", call: "shell_call", output: "shell_call_output", prefix: "sh_",
		about: "Runs shell commands on the user's machine and gives the output and the exit code of each.",
		parameters: `{"type":"object","properties":{` +
			`"commands":{"type":"array","items":{"type":"string"},"description":"Command lines that may run at the same time"},` +
			`"timeout_ms":{"type":"integer","description":"Milliseconds after which the commands are stopped"},` +
			`"max_output_length":{"type":"integer","description":"How many characters of output to keep at most"}},"required":["commands"]}`,
	},
	{
		kind: "apply_patch", call: "apply_patch_call", output: "apply_patch_call_output", prefix: "apc_",
		about: "Creates, changes or deletes one file.",
		parameters: `{"type":"object","properties":{"operation":{"type":"object","properties":{` +
			`"type":{"type":"string","enum":["create_file","update_file","delete_file"]},` +
			`"path":{"type":"string","description":"The file"},` +
			`"diff":{"type":"string","description":"Not for delete_file. For create_file: every line of the file behind a plus sign. ` +
			`For update_file: parts that each begin with a line @@ (behind it may stand the line that opens the function or class), ` +
			`then lines that begin with a blank (kept), a minus sign (taken out) or a plus sign (put in); no line numbers"}},` +
			`"required":["type","path"]}},"required":["operation"]}`,
	},
	{kind: finds, call: "tool_search_call", output: "tool_search_output", prefix: "tsc_"},
}

// Two kinds that need more than the table: outputs of localShell may name the item of the call, and
// finds looks for further tools.
const (
	localShell = "local_shell"
	finds      = "tool_search"
)

// kitOf finds the kit whose kind, call or output this is.
func kitOf(word string) (kit, bool) {
	for _, k := range kits {
		if word == k.kind || word == k.call || word == k.output {
			return k, true
		}
	}
	return kit{}, false
}

// function is what the kit is among the names.
func (k kit) function() gemini.Function { return gemini.Function{Client: k.kind, Kind: k.kind} }

// byServer tells calls of tool_search that OpenAI itself has run: they have no output of the client's.
func (it *item) byServer() bool {
	return word(it.execution) == "server" || !wire.Given(it.callID)
}

// given appends what a call in the history was given: the arguments of the function.
func (k kit) given(it *item) ([]byte, *fault) {
	v, below := it.action, ".action"
	switch k.kind {
	case "apply_patch":
		v, below = it.operation, ".operation"
	case finds:
		v, below = it.arguments, ".arguments"
	}
	if wire.KindOf(v) != wire.KindObject {
		return nil, &fault{below: below, why: "must be an object"}
	}
	if wire.CheckUnder(v, mostAround) != nil {
		return nil, &fault{below: below, why: "is nested too deeply"}
	}
	args := make([]byte, 0, len(v)+16)
	if k.kind == "apply_patch" {
		return append(append(append(args, `{"operation":`...), v...), '}'), nil
	}
	args = append(args, '{')
	for o := wire.ObjectOf(v); o.Next(); {
		if k.kind == localShell && o.Is("type") || wire.KindOf(o.Value) == wire.KindNull {
			continue
		}
		args = append(append(append(wire.Comma(args), '"'), o.Key...), '"', ':')
		args = append(args, o.Value...)
	}
	return append(args, '}'), nil
}

// reported appends the response of the function: what the client's output says.
func (k kit) reported(dst []byte, it *item) ([]byte, *fault) {
	if k.kind == "shell" && wire.KindOf(it.output) == wire.KindArray {
		return appendChunks(dst, it.output)
	}
	text, ok := wire.Inside(it.output)
	if k.kind == "apply_patch" {
		status := word(it.status)
		if wire.Given(it.output) && !ok {
			return dst, &fault{below: ".output", why: "must be a string"}
		}
		if len(text) == 0 {
			if text = []byte(status); status != "failed" {
				text = []byte("completed")
			}
		}
		return gemini.AppendResponse(dst, text, status == "failed"), nil
	}
	if !ok {
		why := "must be a string"
		if k.kind == "shell" {
			why = "must be a list of what the commands gave"
		}
		return dst, &fault{below: ".output", why: why}
	}
	return gemini.AppendResponse(dst, text, false), nil
}

// appendChunks appends what shell commands gave, one entry each.
func appendChunks(dst, output []byte) ([]byte, *fault) {
	dst = append(dst, `{"output":[`...)
	i := 0
	for a := wire.ArrayOf(output); a.Next(); i++ {
		if wire.KindOf(a.Value) != wire.KindObject {
			return dst, (&fault{why: "must be an object"}).in(".output", i)
		}
		dst = append(wire.Comma(dst), '{')
		for _, name := range [...]string{"stdout", "stderr"} {
			v := wire.Get(a.Value, name)
			switch wire.KindOf(v) {
			case wire.KindString:
				dst = append(wire.Key(dst, name), v...)
			case wire.KindNone, wire.KindNull:
			default:
				return dst, (&fault{below: "." + name, why: "must be a string"}).in(".output", i)
			}
		}
		outcome := wire.Get(a.Value, "outcome")
		if code := wire.Get(outcome, "exit_code"); wire.Given(code) {
			n, ok := wire.Int(code)
			if !ok {
				return dst, (&fault{below: ".outcome.exit_code", why: "must be a whole number"}).in(".output", i)
			}
			dst = strconv.AppendInt(wire.Key(dst, "exit_code"), n, 10)
		} else if word(wire.Get(outcome, "type")) == "timeout" {
			dst = append(wire.Key(dst, "timed_out"), "true"...)
		}
		dst = append(dst, '}')
	}
	return append(dst, "]}"...), nil
}
