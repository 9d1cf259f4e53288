package anthropic

import (
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// block is a content block as it was written: raw values, nil when absent.
type block struct {
	kind    blockKind
	text    []byte
	source  []byte
	content []byte
	id      []byte
	name    []byte
	input   []byte
	use     []byte // tool_use_id
	failed  []byte // is_error
	title   []byte
	context []byte
	cites   []byte // citations
}

type blockKind uint8

const (
	unknownBlock blockKind = iota
	textBlock
	imageBlock
	documentBlock
	searchResult
	thinkingBlock
	toolUse
	toolResult
	toolReference
	compaction
	foreign // made by a server of Anthropic's: only Anthropic can read it
)

// kinds is never written to.
var kinds = map[string]blockKind{
	"text": textBlock, "image": imageBlock, "document": documentBlock, "search_result": searchResult,
	"thinking": thinkingBlock, "redacted_thinking": thinkingBlock, "tool_use": toolUse, "tool_result": toolResult,
	"tool_reference": toolReference, "compaction": compaction,
	"server_tool_use": foreign, "web_search_tool_result": foreign, "web_fetch_tool_result": foreign,
	"code_execution_tool_result": foreign, "bash_code_execution_tool_result": foreign,
	"text_editor_code_execution_tool_result": foreign, "tool_search_tool_result": foreign,
	"mcp_tool_use": foreign, "mcp_tool_result": foreign, "advisor_tool_result": foreign, "fallback": foreign,
}

// readBlock takes a block apart. The fault is a block without a type that we know.
func readBlock(v []byte) (b block, bad *fault) {
	if wire.KindOf(v) != wire.KindObject {
		return b, &fault{"", "must be an object"}
	}
	var kind []byte
	for c := wire.CursorOf(v); c.Member(); {
		var to *[]byte
		switch string(wire.PlainKey(c.Key)) {
		case "type":
			to = &kind
		case "text":
			to = &b.text
		case "source":
			to = &b.source
		case "content":
			to = &b.content
		case "id":
			to = &b.id
		case "name", "tool_name":
			to = &b.name
		case "input":
			to = &b.input
		case "tool_use_id":
			to = &b.use
		case "is_error":
			to = &b.failed
		case "title":
			to = &b.title
		case "context":
			to = &b.context
		case "citations":
			to = &b.cites
		default:
			c.Skip()
			continue
		}
		*to = c.Value()
	}
	var scratch [64]byte
	word := wire.AppendText(scratch[:0], kind)
	if b.kind = kinds[string(word)]; b.kind != unknownBlock {
		return b, nil
	}
	if wire.KindOf(kind) != wire.KindString {
		return b, &fault{".type", "is missing or no string"}
	}
	return b, &fault{".type", "is " + wire.HeaderSafe(string(word)) + ", which is not supported"}
}

// onlyResult writes the block when it is a tool_result, and leaves all others for later.
func (d *dialogue) onlyResult(v []byte) *fault {
	b, bad := readBlock(v)
	if bad == nil && b.kind == toolResult {
		return d.takeResult(&b)
	}
	return nil
}

// block writes a content block of a message.
func (d *dialogue) block(v []byte, at place) *fault {
	b, bad := readBlock(v)
	if bad != nil {
		return bad
	}
	switch b.kind {
	case thinkingBlock: // thoughts are not sent back; what was signed is remembered with the calls
		return nil
	case foreign:
		d.f.once("messages." + kindName(v))
		d.said = true
		return nil
	case toolUse:
		if d.who != gemini.TheModel {
			return &fault{".type", "is tool_use, which belongs into a message of the assistant"}
		}
		return d.call(&b, at)
	case toolResult:
		switch {
		case d.who != gemini.User:
			return &fault{".type", "is tool_result, which belongs into a message of the user"}
		case d.waiting: // was written before all else
			return nil
		}
		return d.takeResult(&b)
	case toolReference:
		return &fault{".type", "is tool_reference, which belongs into a tool_result"}
	}
	if d.who == gemini.System && b.kind != textBlock {
		return &fault{".type", "must be text in what the system says"}
	}
	return d.piece(&b)
}

// kindName is the type of a block that is in the table.
func kindName(v []byte) string {
	word, _ := wire.Text(wire.Get(v, "type"))
	return wire.HeaderSafe(word)
}

// piece writes a block that may stand in messages and in results.
func (d *dialogue) piece(b *block) *fault {
	switch b.kind {
	case textBlock:
		inner, ok := wire.Inside(b.text)
		if !ok {
			return &fault{".text", "must be a string"}
		}
		d.put(inner)
		return nil
	case imageBlock:
		return d.picture(b.source).under(".source")
	case documentBlock:
		return d.document(b)
	case searchResult:
		return d.found(b)
	case toolReference:
		inner, ok := wire.Inside(b.name)
		if !ok {
			return &fault{".tool_name", "must be a string"}
		}
		d.put(inner)
		return nil
	case compaction:
		if !wire.Given(b.content) {
			return nil
		}
		inner, ok := wire.Inside(b.content)
		if !ok {
			return &fault{".content", "must be a string"}
		}
		d.put(inner)
		return nil
	}
	return &fault{".type", "is not supported in a tool_result"}
}

// mostAround is more brackets than stand around the arguments of a call in a hub request.
const mostAround = 16

// call writes a tool_use.
func (d *dialogue) call(b *block, at place) *fault {
	if inner, ok := wire.Inside(b.id); !ok || len(inner) == 0 {
		return &fault{".id", "must be a string that is not empty"}
	}
	if inner, ok := wire.Inside(b.name); !ok || len(inner) == 0 {
		return &fault{".name", "must be a string that is not empty"}
	}
	switch {
	case !wire.Given(b.input):
	case wire.KindOf(b.input) != wire.KindObject:
		return &fault{".input", "must be an object"}
	case wire.CheckUnder(b.input, mostAround) != nil:
		return &fault{".input", "is nested too deep"}
	}
	d.Turn(gemini.TheModel)
	d.scratch[0] = wire.AppendText(d.scratch[0][:0], b.id)
	d.scratch[1] = wire.AppendText(d.scratch[1][:0], b.name)
	d.Call(gemini.Invocation{ID: d.scratch[0], Name: d.scratch[1], Args: b.input, At: len(d.calls)})
	d.calls = append(d.calls, at)
	d.waiting, d.said = true, true
	return nil
}
