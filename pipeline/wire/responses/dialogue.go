package responses

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// dialogue appends the instructions, the thread and the input.
func (f *form) dialogue(dst, thread []byte, t *gemini.Target) ([]byte, *apierror.Error) {
	r := reader{f: f, d: gemini.Draft{B: dst, Tools: f.names, Recall: t.Recall, Signs: t.Signs()}}
	if text, _ := wire.Inside(f.instructions); len(text) > 0 {
		r.d.Turn(gemini.System)
		r.d.Text(text)
	}
	if f.inWords(t) {
		f.Ignore("text.format")
		r.d.TellFormat(f.schema)
	}
	if fail := r.items(thread, true); fail != nil {
		return r.d.B, fail
	}
	r.thread = thread
	switch wire.KindOf(f.input) {
	case wire.KindString:
		if text, _ := wire.Inside(f.input); len(text) > 0 {
			r.list, r.past = nil, false
			r.open(gemini.User)
			r.d.Text(text)
		}
	case wire.KindArray:
		if fail := r.items(f.input, false); fail != nil {
			return r.d.B, fail
		}
	case wire.KindNone:
		return r.d.B, gemini.Refuse("input", "is missing")
	default:
		return r.d.B, gemini.Refuse("input", "must be a string or a list of items")
	}
	if fail := r.unanswered(r.d.Finish()); fail != nil {
		return r.d.B, fail
	}
	if r.d.Role() == gemini.Nobody {
		return r.d.B, gemini.Refuse("input", "says nothing")
	}
	return r.d.B, nil
}

// reader writes items into a draft.
type reader struct {
	f      *form
	d      gemini.Draft
	thread []byte // for references
	known  map[string]bool
	list   []byte // the items that are being read
	past   bool   // they are those of the thread
	at     int    // place of the item
	sign   string // what the reasoning item in front of the call carries

	waiting []waiting          // the calls of this turn that have no output yet, in order
	later   map[string][]place // all outputs in the list, by call; made when one is missing
	taken   map[int]bool       // places of outputs that were read before their turn
}

// items reads a list. past tells the thread from the input of the request.
func (r *reader) items(list []byte, past bool) *apierror.Error {
	r.list, r.past, r.at = list, past, 0
	r.later, r.taken = nil, nil
	for a := wire.ArrayOf(list); a.Next(); r.at++ {
		it, bad := readItem(a.Value)
		if bad == nil {
			bad = r.item(&it)
		}
		if bad != nil {
			return r.refuse(bad)
		}
	}
	return nil
}

// refuse names the place of the item.
func (r *reader) refuse(bad *fault) *apierror.Error {
	switch {
	case bad.path != "":
		return gemini.Refuse(bad.path, bad.why)
	case r.past:
		return gemini.Refuse("previous_response_id", "names a dialogue that cannot be gone on from: an item"+bad.below+" "+bad.why)
	}
	return gemini.Refuse("input["+strconv.Itoa(r.at)+"]"+bad.below, bad.why)
}

// unanswered is the error for a call without its output, nil for none.
func (r *reader) unanswered(u *gemini.Unanswered) *apierror.Error {
	switch {
	case u == nil:
		return nil
	case u.At < 0:
		return gemini.Refuse("input", `has no output for the call "`+wire.HeaderSafe(u.ID)+`" of the response before`)
	}
	return gemini.Refuse("input["+strconv.Itoa(u.At)+"]", `is the call "`+wire.HeaderSafe(u.ID)+`", whose output is missing`)
}

// item writes one item.
func (r *reader) item(it *item) *fault {
	switch it.kind {
	case "message":
		return r.message(it)
	case "function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call":
		return r.call(it)
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output", "shell_call_output", "apply_patch_call_output":
		return r.result(it)
	case "reasoning":
		r.sign = it.signature()
		return nil
	case "item_reference":
		return r.reference(it)
	case "web_search_call", "file_search_call":
		return nil // what was found is in the answer
	case "code_interpreter_call":
		return r.ran(it)
	case "image_generation_call":
		return r.drew(it)
	}
	return r.seldom(it)
}

// reference lets an item of the thread stand where it is.
func (r *reader) reference(it *item) *fault {
	if r.known == nil {
		r.known = idsOf(r.thread)
	}
	return refers(it, r.known)
}

// refers is the fault of a reference to an unknown item. Reasoning is not sent, known or not.
func refers(it *item, known map[string]bool) *fault {
	id := word(it.id)
	switch {
	case id == "":
		return &fault{below: ".id", why: "must be a string that is not empty"}
	case known[id], len(id) > 3 && id[:3] == "rs_":
		return nil
	}
	return &fault{below: ".id", why: `names no item of the dialogue before ("` + wire.HeaderSafe(id) + `"): send the item itself, or previous_response_id`}
}

// idsOf lists the ids of items.
func idsOf(items []byte) map[string]bool {
	ids := map[string]bool{}
	for a := wire.ArrayOf(items); a.Next(); {
		if id := word(wire.Get(a.Value, "id")); id != "" {
			ids[id] = true
		}
	}
	return ids
}
