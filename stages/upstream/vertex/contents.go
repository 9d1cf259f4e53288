package vertex

import (
	"bytes"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// appendContents gives every turn a role, which is mandatory here, and takes out of the parts what only the
// Gemini API has: the steps of tools that it ran, ids of calls and partMetadata.
func appendContents(dst, v []byte, x *pipeline.Exchange) []byte {
	if left, some := gemini.WithoutServerParts(nil, v); some {
		// A client that brings them itself hears that they are not told.
		if v = left; x.Asked == wire.Gemini {
			x.Dropped("contents.parts.toolCall")
		}
	}
	begin, amended := len(dst), false
	dst = append(dst, '[')
	for a := wire.ArrayOf(v); a.Next(); {
		turn, strange := a.Value, odd(a.Value)
		if strange {
			turn = cleaned(turn, x)
		}
		amended = amended || strange || gemini.Nobodys(turn)
		dst = gemini.AppendTurn(wire.Comma(dst), turn)
	}
	if !amended {
		return append(dst[:begin], v...) // byte for byte as it came
	}
	return append(dst, ']')
}

// odd is a quick look for what has to be taken out of a turn: false is sure.
func odd(turn []byte) bool {
	return bytes.Contains(turn, []byte(`"id"`)) || bytes.Contains(turn, []byte(`"partMetadata"`)) || bytes.Contains(turn, []byte(`"part_metadata"`))
}

// cleaned is a turn without all that.
func cleaned(turn []byte, x *pipeline.Exchange) []byte {
	parts := wire.Get(turn, "parts")
	if wire.KindOf(parts) != wire.KindArray {
		return turn
	}
	list := append(make([]byte, 0, len(parts)), '[')
	for a := wire.ArrayOf(parts); a.Next(); {
		list = appendPart(wire.Comma(list), a.Value, x)
	}
	return gemini.AppendWith(nil, turn, "parts", append(list, ']'))
}

// appendPart leaves out partMetadata and the ids of calls and results. Nothing is lost with those: this
// backend gives none, and tells calls apart by their order.
func appendPart(dst, part []byte, x *pipeline.Exchange) []byte {
	if wire.KindOf(part) != wire.KindObject || !odd(part) {
		return append(dst, part...)
	}
	dst = append(dst, '{')
	for o := wire.ObjectOf(part); o.Next(); {
		switch string(o.Key) {
		case "partMetadata", "part_metadata":
			x.Dropped("contents.parts.partMetadata")
			continue
		case "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
			"function_call", "function_response", "executable_code", "code_execution_result":
			if wire.Get(o.Value, "id") != nil {
				dst = gemini.AppendWith(wire.Key(dst, o.Key), o.Value, "id", nil)
				continue
			}
		}
		dst = append(wire.Key(dst, o.Key), o.Value...)
	}
	return append(dst, '}')
}
