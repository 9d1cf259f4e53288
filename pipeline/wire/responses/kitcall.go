package responses

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// kitCall writes a call of a kit: the item, and for shell the events about its commands.
func (e *encoder) kitCall(dst []byte, c *invocation) []byte {
	dst = e.added(dst, e.kitItem(nil, c, "in_progress"))
	if c.kit.kind == "shell" && e.o.Stream {
		i := 0
		for a := wire.ArrayOf(appendStrings(nil, wire.Get(c.args, "commands"))); a.Next(); i++ {
			command, _ := wire.Inside(a.Value)
			where := `,"command_index":` + strconv.Itoa(i)
			dst = e.piece(dst, piece{"response.shell_call_command.added", where, "command"}, nil)
			dst = e.piece(dst, piece{"response.shell_call_command.delta", where, "delta"}, command)
			dst = e.piece(dst, piece{"response.shell_call_command.done", where, "command"}, command)
		}
	}
	return e.done(dst, e.kitItem(make([]byte, 0, len(c.args)+200), c, "completed"))
}

// kitItem appends the open item, a call of a kit. Google's arguments are no more than a wish of the
// model: what does not fit is left out or made fit, so that every client can read the item.
func (e *encoder) kitItem(dst []byte, c *invocation, status string) []byte {
	dst = append(append(dst, `{"id":"`...), e.id...)
	dst = append(append(dst, `","type":"`...), c.kit.call...)
	dst = append(append(append(dst, `","status":"`...), status...), `","call_id":"`...)
	dst = append(append(dst, c.id...), '"')
	switch c.kit.kind {
	case localShell:
		dst = appendExec(append(dst, `,"action":`...), c.args)
	case "shell":
		dst = append(dst, `,"action":{"commands":`...)
		if status == "in_progress" { // the events bring them
			dst = append(dst, "[]"...)
		} else {
			dst = appendStrings(dst, wire.Get(c.args, "commands"))
		}
		dst = appendNumber(append(dst, `,"timeout_ms":`...), wire.Get(c.args, "timeout_ms"))
		dst = appendNumber(append(dst, `,"max_output_length":`...), wire.Get(c.args, "max_output_length"))
		dst = append(dst, `},"environment":{"type":"local"}`...)
	case "apply_patch":
		dst = appendOperation(append(dst, `,"operation":`...), c.args)
	case finds:
		dst = append(dst, `,"execution":"client","arguments":`...)
		if wire.KindOf(c.args) == wire.KindObject {
			dst = wire.AppendLine(dst, c.args)
		} else {
			dst = append(dst, "{}"...)
		}
	}
	return append(dst, '}')
}

// appendExec appends the action of a local_shell_call.
func appendExec(dst, args []byte) []byte {
	dst = append(dst, `{"type":"exec","command":`...)
	if command := wire.Get(args, "command"); wire.KindOf(command) == wire.KindString {
		dst = append(dst, `["bash","-lc",`...) // a whole line, which only a shell understands
		dst = append(wire.AppendLine(dst, command), ']')
	} else {
		dst = appendStrings(dst, command)
	}
	dst = append(dst, `,"env":{`...)
	for o := wire.ObjectOf(wire.Get(args, "env")); o.Next(); {
		dst = append(append(append(wire.Comma(dst), '"'), o.Key...), '"', ':')
		dst = appendString(dst, o.Value)
	}
	dst = appendNumber(append(dst, `},"timeout_ms":`...), wire.Get(args, "timeout_ms"))
	dst = append(dst, `,"user":null,"working_directory":`...)
	if folder := wire.Get(args, "working_directory"); wire.KindOf(folder) == wire.KindString {
		dst = wire.AppendLine(dst, folder)
	} else {
		dst = append(dst, "null"...)
	}
	return append(dst, '}')
}

// appendOperation appends the operation of an apply_patch_call. Some models leave the object around it
// out.
func appendOperation(dst, args []byte) []byte {
	op := wire.Get(args, "operation")
	if wire.KindOf(op) != wire.KindObject {
		op = args
	}
	kind := word(wire.Get(op, "type"))
	if kind != "create_file" && kind != "delete_file" {
		kind = "update_file"
	}
	dst = append(append(append(dst, `{"type":"`...), kind...), `","path":`...)
	dst = appendString(dst, wire.Get(op, "path"))
	if kind != "delete_file" {
		dst = appendString(append(dst, `,"diff":`...), wire.Get(op, "diff"))
	}
	return append(dst, '}')
}

// appendStrings appends a list of strings: v, or what is nearest to it.
func appendStrings(dst, v []byte) []byte {
	dst = append(dst, '[')
	if wire.KindOf(v) == wire.KindString {
		dst = wire.AppendLine(dst, v)
	}
	for a := wire.ArrayOf(v); a.Next(); {
		dst = appendString(wire.Comma(dst), a.Value)
	}
	return append(dst, ']')
}

// appendString appends v as a string; other values as they are written, none as an empty one.
func appendString(dst, v []byte) []byte {
	if wire.KindOf(v) == wire.KindString {
		return wire.AppendLine(dst, v)
	}
	return wire.AppendQuotedBytes(dst, v)
}

// appendNumber appends a whole number, or null.
func appendNumber(dst, v []byte) []byte {
	n, ok := wire.Int(v)
	if !ok {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, n, 10)
}
