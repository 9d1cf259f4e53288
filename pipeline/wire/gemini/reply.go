package gemini

import "gcli2api/pipeline/wire"

// Unwrap returns the "response" of a Code Assist envelope, a part of it; false when it has none
// (protocol 3.5: keep reading).
func Unwrap(envelope []byte) (response []byte, ok bool) {
	response = wire.Get(envelope, "response")
	return response, wire.KindOf(response) == wire.KindObject
}

// TraceID is the trace id of a Code Assist envelope without its quotes, nil when there is none.
func TraceID(envelope []byte) []byte { return inner(wire.Get(envelope, "traceId")) }

// Candidates iterates over the candidates of a reply or event.
func Candidates(data []byte) wire.Array { return wire.ArrayOf(wire.Get(data, "candidates")) }

// Parts iterates over the parts of the candidate at this place in the list (candidates of events
// may carry their number in "index", see Index).
func Parts(data []byte, candidate int) wire.Array {
	for a := Candidates(data); a.Next(); candidate-- {
		if candidate == 0 {
			return PartsOf(a.Value)
		}
	}
	return wire.ArrayOf(nil)
}

// PartsOf iterates over the parts of one raw candidate.
func PartsOf(candidate []byte) wire.Array {
	return wire.ArrayOf(wire.Get(candidate, "content", "parts"))
}

// IntoParts goes down into the list of parts of the content that the cursor has open; false when there is
// none and the content is at its end. A second one, which no honest reply has, is found by calling again.
func IntoParts(c *wire.Cursor) bool {
	for c.Member() {
		if string(c.Key) != "parts" {
			c.Skip()
		} else if c.Array() {
			return true
		}
	}
	return false
}

// Index is the number that a candidate carries, else its place in the list.
func Index(candidate []byte, place int) int {
	if n, ok := wire.Int(wire.Get(candidate, "index")); ok && n >= 0 && n < 1<<16 {
		return int(n)
	}
	return place
}

// Part is what a part of a content consists of; all slices are raw values, nil when absent.
type Part struct {
	Text         []byte // JSON string, quotes and all
	Thought      bool
	Signature    []byte // thoughtSignature, JSON string
	Call         []byte // functionCall
	Response     []byte // functionResponse
	InlineData   []byte
	FileData     []byte
	Code         []byte // executableCode
	CodeResult   []byte // codeExecutionResult
	ToolCall     []byte // toolCall, of server-side tools
	ToolResponse []byte
	Others       int // members that are none of these
}

// PartOf reads one raw part in one pass without allocation; snake_case spellings, which clients
// write in requests, are understood.
func PartOf(v []byte) Part {
	c := wire.CursorOf(v)
	return members(&c)
}

// part reads the part that the cursor stands on.
func part(c *wire.Cursor) Part {
	if !c.Object() {
		return Part{}
	}
	return members(c)
}

func members(c *wire.Cursor) Part {
	var p Part
	for c.Member() {
		switch string(c.Key) {
		case "text":
			p.Text = c.Value()
		case "thought":
			p.Thought, _ = wire.Bool(c.Value())
		case "thoughtSignature", "thought_signature":
			p.Signature = c.Value()
		case "functionCall", "function_call":
			p.Call = c.Value()
		case "functionResponse", "function_response":
			p.Response = c.Value()
		case "inlineData", "inline_data":
			p.InlineData = c.Value()
		case "fileData", "file_data":
			p.FileData = c.Value()
		case "executableCode", "executable_code":
			p.Code = c.Value()
		case "codeExecutionResult", "code_execution_result":
			p.CodeResult = c.Value()
		case "toolCall", "tool_call":
			p.ToolCall = c.Value()
		case "toolResponse", "tool_response":
			p.ToolResponse = c.Value()
		default:
			c.Skip()
			p.Others++
		}
	}
	return p
}

// hasText reports whether the part has a text that is not empty.
func (p *Part) hasText() bool { return len(p.Text) > 2 && p.Text[0] == '"' }

func (p *Part) hasData() bool {
	return p.InlineData != nil || p.FileData != nil || p.Code != nil || p.CodeResult != nil ||
		p.ToolCall != nil || p.ToolResponse != nil
}

// inner is what stands between the quotes of an enum or id; nil for anything else.
func inner(v []byte) []byte {
	if s, ok := wire.Inner(v); ok && len(s) > 0 {
		return s
	}
	return nil
}
