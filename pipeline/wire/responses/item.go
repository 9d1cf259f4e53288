package responses

import (
	"strings"

	"gcli2api/pipeline/wire"
)

// item is one of the dialogue: raw values, nil when absent.
type item struct {
	kind      string // "message", unless it says something else
	id        []byte
	role      []byte
	status    []byte
	content   []byte
	callID    []byte
	name      []byte
	namespace []byte
	arguments []byte // of a function call
	input     []byte // of a custom tool call
	output    []byte
	encrypted []byte // of a reasoning item
	code      []byte // of a code interpreter call
	outputs   []byte
	result    []byte // of an image generation call: base64
	format    []byte
	action    []byte // of a shell call
	operation []byte // of an apply_patch call
	execution []byte // of a tool search: who looks
	tools     []byte // that it found
	label     []byte // of an MCP server
	failure   []byte // of an MCP call
	author    []byte // of a message between agents
	recipient []byte
}

// fault is what is wrong with an item: the path below it, and why.
type fault struct {
	below, why string
	path       string // of another item, which it is really about
}

// readItem reads one element of a list of items.
func readItem(v []byte) (it item, bad *fault) {
	if wire.KindOf(v) != wire.KindObject {
		return it, &fault{why: "must be an object"}
	}
	var kind []byte
	for c := wire.CursorOf(v); c.Member(); {
		if to := it.member(wire.PlainKey(c.Key)); to != nil {
			*to = c.Value()
		} else if string(wire.PlainKey(c.Key)) == "type" {
			kind = c.Value()
		} else {
			c.Skip()
		}
	}
	switch {
	case wire.Given(kind):
		it.kind = word(kind)
		if wire.KindOf(kind) != wire.KindString {
			return it, &fault{below: ".type", why: "must be a string"}
		}
	case wire.Given(it.role):
		it.kind = "message"
	case wire.Given(it.id):
		it.kind = "item_reference"
	default:
		return it, &fault{below: ".type", why: "is missing"}
	}
	return it, nil
}

// member is where the value of a member belongs, nil when it is of no interest.
func (it *item) member(name []byte) *[]byte {
	switch string(name) {
	case "id":
		return &it.id
	case "role":
		return &it.role
	case "status":
		return &it.status
	case "content":
		return &it.content
	case "call_id":
		return &it.callID
	case "name":
		return &it.name
	case "arguments":
		return &it.arguments
	case "input":
		return &it.input
	case "output":
		return &it.output
	case "encrypted_content":
		return &it.encrypted
	case "code":
		return &it.code
	case "outputs":
		return &it.outputs
	case "result":
		return &it.result
	case "output_format":
		return &it.format
	case "namespace":
		return &it.namespace
	case "action":
		return &it.action
	case "operation":
		return &it.operation
	case "execution":
		return &it.execution
	case "tools":
		return &it.tools
	case "server_label":
		return &it.label
	case "error":
		return &it.failure
	case "author":
		return &it.author
	case "recipient":
		return &it.recipient
	}
	return nil
}

// call is the id that ties a call and its output together.
func (it *item) call() ([]byte, *fault) {
	id := wire.AppendText(nil, it.callID)
	if k, _ := kitOf(it.kind); len(id) == 0 && k.kind == localShell { // calls of local_shell are known by either id
		id = wire.AppendText(nil, it.id)
	}
	if len(id) == 0 {
		return nil, &fault{below: ".call_id", why: "must be a string that is not empty"}
	}
	return id, nil
}

// signMark stands in encrypted_content before a signature of Google's; OpenAI's own has another form.
const signMark = "gemini."

// signature is the one that a reasoning item of ours carries for the call that follows it, "" for none.
func (it *item) signature() string {
	s, ok := strings.CutPrefix(word(it.encrypted), signMark)
	if !ok {
		return ""
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '+' && c != '/' && c != '=' && c != '-' && c != '_' {
			return ""
		}
	}
	return s
}
