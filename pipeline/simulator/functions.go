package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// callWords is how a prompt asks for a function: the word call, a name, and perhaps arguments as a JSON object.
var callWords = regexp.MustCompile(`\bcall ([A-Za-z_][A-Za-z0-9_.:-]*)`)

// callsFor decides which functions the model calls now. The last user text says so: "call a {...} call b {...}" is one step
// with two calls, "call a {...} then call b {...}" are two steps. Mode ANY calls even when nothing is callWords for.
func (s *Server) callsFor(r *request) []call {
	if len(r.tools.declared) == 0 || r.calling.mode == "NONE" {
		return nil
	}
	step := r.step()
	var calls []call
	if steps := strings.Split(r.lastText(), " then "); step < len(steps) {
		calls = r.callsIn(steps[step])
	}
	if len(calls) == 0 && step == 0 && r.calling.mode == "ANY" {
		d := r.callable()[0]
		args, _ := instance(d.schema, d.schema, 0).(object)
		calls = []call{{name: d.name, args: args}}
	}
	if r.model.gemini3() && r.dialect != vertex { // ids came with the third generation, and not to Vertex
		for i := range calls {
			calls[i].id = fmt.Sprintf("call_%d_%d", step+1, i+1)
		}
	}
	return calls
}

// step is how many steps of calls the current turn has already.
func (r *request) step() (n int) {
	for _, c := range r.contents[r.lastUser()+1:] {
		if c.has("functionCall") {
			n++
		}
	}
	return n
}

// mixes tells that the model may search between the calls of functions, and shows what it did.
func (r *request) mixes() bool {
	return r.calling.mixed && len(r.tools.declared) > 0 && slices.Contains(r.tools.builtIn, "googleSearch")
}

// callable lists the declared functions that the request allows to be called.
func (r *request) callable() []declaration {
	if len(r.calling.allowed) == 0 {
		return r.tools.declared
	}
	var out []declaration
	for _, d := range r.tools.declared {
		if slices.Contains(r.calling.allowed, d.name) {
			out = append(out, d)
		}
	}
	return out
}

func (r *request) callsIn(text string) []call {
	var calls []call
	for _, m := range callWords.FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		for _, d := range r.callable() {
			if d.name == name {
				calls = append(calls, call{name: name, args: argsAt(text[m[1]:])})
			}
		}
	}
	return calls
}

// argsAt reads the JSON object that a text begins with, if it does.
func argsAt(text string) object {
	text = strings.TrimLeft(text, " ")
	args := object{}
	if strings.HasPrefix(text, "{") {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&args) != nil {
			return object{}
		}
	}
	return args
}
