package translate

import (
	"bytes"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
)

// joined makes one turn of turns of the model that follow each other. Google's own clients write them: the
// chats of its SDKs keep each event of a stream as a turn, and Google refuses a call that does not come
// directly behind the user (protocol 3.4). Everything else stays byte for byte.
func joined(x *pipeline.Exchange) {
	contents, _ := x.Call.Get("contents")
	if bytes.Count(contents, []byte(`"model"`)) < 2 {
		return
	}
	some := false
	for a, before := wire.ArrayOf(contents), false; a.Next() && !some; {
		now := modelParts(a.Value) != nil
		some, before = before && now, now
	}
	if !some {
		return
	}
	out, open := append(make([]byte, 0, len(contents)), '['), false
	for a := wire.ArrayOf(contents); a.Next(); {
		parts := modelParts(a.Value)
		switch {
		case parts != nil && open:
			out = append(append(out, ','), parts[1:len(parts)-1]...)
			continue
		case open:
			out = append(out, "]}"...)
		}
		if out = wire.Comma(out); parts == nil {
			out = append(out, a.Value...)
		} else {
			out = append(append(out, `{"role":"model","parts":[`...), parts[1:len(parts)-1]...)
		}
		open = parts != nil
	}
	if open {
		out = append(out, "]}"...)
	}
	x.Call.Set("contents", append(out, ']'))
}

// modelParts is the list of parts of a turn of the model that consists of nothing else; nil for any other.
func modelParts(turn []byte) (parts []byte) {
	model := false
	for o := wire.ObjectOf(turn); o.Next(); {
		switch {
		case o.Is("role"):
			role, _ := wire.Inner(o.Value)
			model = string(role) == "model"
		case o.Is("parts") && parts == nil && wire.KindOf(o.Value) == wire.KindArray && wire.KindOf(o.Value[1:]) != wire.KindNone:
			parts = o.Value
		default:
			return nil
		}
	}
	if !model {
		return nil
	}
	return parts
}
