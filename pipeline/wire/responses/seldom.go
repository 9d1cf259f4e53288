package responses

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// seldom writes an item that few dialogues have.
func (r *reader) seldom(it *item) *fault {
	switch it.kind {
	case "additional_tools":
		return r.declared()
	case "tool_search_call":
		if !it.byServer() {
			return r.call(it)
		}
		r.skip(it)
		return nil
	case "tool_search_output":
		if bad := r.declared(); bad != nil || it.byServer() {
			return bad
		}
		return r.result(it)
	case "mcp_call":
		return r.mcp(it)
	case "agent_message":
		return r.overheard(it)
	case "compaction", "compaction_summary", "context_compaction", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response":
		r.skip(it)
		return nil
	case "compaction_trigger":
		return &fault{below: ".type", why: "is compaction_trigger, which is not supported: nothing is compacted here"}
	}
	return &fault{below: ".type", why: "must be message, function_call, custom_tool_call, local_shell_call, shell_call, apply_patch_call, tool_search_call, one of their outputs, " +
		"reasoning, item_reference, additional_tools, web_search_call, code_interpreter_call or image_generation_call: other items are not supported"}
}

// declared fails when the tools of items are not among the others.
func (r *reader) declared() *fault {
	if r.f.gather {
		return nil
	}
	r.f.missed = true
	return &fault{below: ".tools", why: "are not declared"}
}

// skip reports an item that Google is not told of.
func (r *reader) skip(it *item) {
	list := "input["
	if r.past {
		list = "previous_response_id["
	}
	r.f.Ignore(list + strconv.Itoa(r.at) + "]=" + it.kind)
}

// mcp writes what a server was asked for, and what came of it, as a text of the model.
func (r *reader) mcp(it *item) *fault {
	if word(it.name) == "" {
		return &fault{below: ".name", why: "must be a string that is not empty"}
	}
	text := []byte("Called ")
	for _, v := range [...][]byte{it.label, it.name, it.arguments} {
		if inner, _ := wire.Inside(v); len(inner) > 0 {
			text = append(append(text, inner...), ' ')
		}
	}
	output, _ := wire.Inside(it.output)
	if why, _ := wire.Inside(it.failure); len(output) == 0 {
		output = why
	}
	if why, _ := wire.Inside(wire.Get(it.failure, "message")); len(output) == 0 {
		output = why
	}
	text = append(append(append(text, "\\n```output\\n"...), output...), "\\n```"...)
	if bad := r.open(gemini.TheModel); bad != nil {
		return bad
	}
	r.d.Text(text)
	return nil
}

// overheard writes a message between agents as the user's. What is encrypted only OpenAI can read.
func (r *reader) overheard(it *item) *fault {
	if wire.KindOf(it.content) != wire.KindArray {
		return &fault{below: ".content", why: "must be a list of parts"}
	}
	author, _ := wire.Inside(it.author)
	recipient, _ := wire.Inside(it.recipient)
	head := append([]byte("Message from "), author...)
	head = append(append(append(head, " to "...), recipient...), ':')
	r.sign = ""
	i := 0
	for a := wire.ArrayOf(it.content); a.Next(); i++ {
		if word(wire.Get(a.Value, "type")) == "encrypted_content" {
			r.skip(it)
			continue
		}
		p, bad := readPart(a.Value)
		if bad == nil && head != nil {
			if bad = r.open(gemini.User); bad == nil {
				r.d.Text(head)
			}
			head = nil
		}
		if bad == nil {
			bad = r.part(&p, gemini.User)
		}
		if bad != nil {
			return bad.in(".content", i)
		}
	}
	return nil
}
