package responses

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// AppendItems appends the input of a request, behind the items of the thread, as a JSON array of
// items as OpenAI lists them: each has a type and an id, and messages are lists of parts.
func AppendItems(dst []byte, members []wire.Member, thread []byte) ([]byte, *apierror.Error) {
	dst = appendOpen(dst, thread)
	var input []byte
	if i := wire.Find(members, "input"); i >= 0 {
		input = members[i].Value
	}
	l := lister{thread: thread, seed: gemini.Mix(uint64(len(thread)))}
	switch wire.KindOf(input) {
	case wire.KindString:
		dst = append(l.open(wire.Comma(dst), &item{kind: "message"}, input), `,"role":"user","status":"completed","content":[{"type":"input_text","text":`...)
		dst = append(append(dst, input...), "}]}"...)
	case wire.KindArray:
		for a := wire.ArrayOf(input); a.Next(); l.at++ {
			it, bad := readItem(a.Value)
			if bad == nil {
				dst, bad = l.item(dst, &it, a.Value)
			}
			if bad != nil {
				return dst, gemini.Refuse("input["+strconv.Itoa(l.at)+"]"+bad.below, bad.why)
			}
		}
	default:
		return dst, gemini.Refuse("input", "must be a string or a list of items")
	}
	return append(dst, ']'), nil
}

// appendOpen appends a list without its closing bracket.
func appendOpen(dst, list []byte) []byte {
	list = bytes.TrimSpace(list)
	if len(list) < 2 || list[0] != '[' {
		return append(dst, '[')
	}
	return append(dst, bytes.TrimRight(list[:len(list)-1], " \t\r\n")...)
}

// lister writes items of a request as they are listed.
type lister struct {
	thread []byte
	known  map[string]bool
	seed   uint64
	at     int
}

func (l *lister) item(dst []byte, it *item, raw []byte) ([]byte, *fault) {
	if it.kind == "item_reference" { // what it names is in the thread
		if l.known == nil {
			l.known = idsOf(l.thread)
		}
		return dst, refers(it, l.known)
	}
	dst = l.open(wire.Comma(dst), it, raw)
	for c := wire.CursorOf(raw); c.Member(); {
		name := wire.PlainKey(c.Key)
		switch v := c.Value(); string(name) {
		case "type", "id":
		case "status":
			if wire.Given(v) {
				dst = append(wire.Key(dst, "status"), v...)
			}
		case "content":
			if it.kind == "message" {
				dst = it.appendContent(wire.Key(dst, "content"))
				continue
			}
			fallthrough
		default:
			dst = append(append(append(dst, ',', '"'), c.Key...), '"', ':')
			dst = append(dst, v...)
		}
	}
	switch it.kind {
	case "reasoning", "additional_tools", "compaction": // have none
		return append(dst, '}'), nil
	}
	if !wire.Given(it.status) {
		dst = append(wire.Key(dst, "status"), `"completed"`...)
	}
	return append(dst, '}'), nil
}

// open appends the id and the type. An id that the client has not given follows from what the item says.
func (l *lister) open(dst []byte, it *item, raw []byte) []byte {
	dst = append(dst, `{"id":`...)
	if id, _ := wire.Inside(it.id); len(id) > 0 {
		dst = append(dst, it.id...)
	} else {
		l.seed = gemini.Mix(l.seed ^ gemini.Hash(raw[:min(len(raw), mostHashed)]) ^ uint64(len(raw)))
		dst = append(dst, '"')
		dst = append(gemini.AppendID(append(dst, prefix(it.kind)...), l.seed, uint64(l.at), 32), '"')
	}
	return wire.AppendQuoted(append(dst, `,"type":`...), it.kind)
}

// mostHashed is enough of an item to tell it from others.
const mostHashed = 4096

// prefix is how ids of this kind of item begin.
func prefix(kind string) string {
	if k, ok := kitOf(kind); ok && k.call == kind {
		return k.prefix
	}
	switch kind {
	case "message":
		return "msg_"
	case "function_call":
		return "fc_"
	case "function_call_output":
		return "fco_"
	case "custom_tool_call":
		return "ctc_"
	case "custom_tool_call_output":
		return "ctco_"
	case "reasoning":
		return "rs_"
	case "web_search_call":
		return "ws_"
	case "code_interpreter_call":
		return "ci_"
	case "image_generation_call":
		return "ig_"
	}
	return "item_"
}

// appendContent appends the content of a message as a list.
func (it *item) appendContent(dst []byte) []byte {
	switch {
	case wire.KindOf(it.content) != wire.KindString:
		return append(dst, it.content...)
	case word(it.role) == "assistant":
		dst = append(dst, `[{"type":"output_text","annotations":[],"text":`...)
	default:
		dst = append(dst, `[{"type":"input_text","text":`...)
	}
	return append(append(dst, it.content...), "}]"...)
}

// AppendThread appends what the next request goes on from: the items of this one, and its output.
func AppendThread(dst, items, output []byte) []byte {
	dst = appendOpen(dst, items)
	rest := appendOpen(make([]byte, 0, len(output)), output)
	if len(rest) > 1 {
		dst = append(wire.Comma(dst), rest[1:]...)
	}
	return append(dst, ']')
}

// AppendKept appends the document that holds all that is kept of a response: the response itself, its
// thread (AppendThread), and the items of its request (AppendItems). A thread begins with the items,
// which are written once.
func AppendKept(dst, response, thread, items []byte) []byte {
	dst = append(append(dst, `{"response":`...), response...)
	dst = append(dst, `,"thread":`...)
	if len(thread) == 0 {
		thread = []byte("[]")
	}
	dst = append(append(dst, thread...), `,"items":`...)
	if head := bytes.TrimSuffix(items, []byte("]")); len(head) > 0 && len(head) < len(items) && bytes.HasPrefix(thread, head) {
		return append(strconv.AppendInt(dst, int64(len(head)), 10), '}')
	}
	if len(items) == 0 {
		items = []byte("[]")
	}
	return append(append(dst, items...), '}')
}

// ReadKept reads what AppendKept wrote. Response and thread are parts of doc. All are nil when doc is
// something else.
func ReadKept(doc []byte) (response, thread, items []byte) {
	for o := wire.ObjectOf(doc); o.Next(); {
		switch string(o.Key) {
		case "response":
			response = o.Value
		case "thread":
			thread = o.Value
		case "items":
			items = o.Value
		}
	}
	if wire.KindOf(response) != wire.KindObject || wire.KindOf(thread) != wire.KindArray {
		return nil, nil, nil
	}
	if n, ok := wire.Int(items); ok {
		if n < 1 || n >= int64(len(thread)) {
			return nil, nil, nil
		}
		items = append(append(make([]byte, 0, n+1), thread[:n]...), ']')
	}
	return response, thread, items
}
