package translate

import (
	"bytes"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// withoutHollow leaves out turns of which nothing is left but empty texts: Google refuses them
// (protocol 3.4), and its own clients send them back after a stream that ended with one. Everything
// else stays byte for byte.
func withoutHollow(x *pipeline.Exchange) {
	contents, _ := x.Call.Get("contents")
	if !bytes.Contains(contents, []byte(`""`)) && !bytes.Contains(contents, []byte("[]")) {
		return
	}
	some, solid := false, false
	for a := wire.ArrayOf(contents); a.Next(); {
		h := hollow(a.Value)
		some, solid = some || h, solid || !h
	}
	if !some || !solid { // a request of nothing else is Google's to refuse
		return
	}
	out := append(make([]byte, 0, len(contents)), '[')
	for a := wire.ArrayOf(contents); a.Next(); {
		if !hollow(a.Value) {
			out = append(comma(out), a.Value...)
		}
	}
	x.Call.Set("contents", append(out, ']'))
}

// hollow tells a turn without anything: no part, or parts with an empty text and no signature each.
func hollow(turn []byte) bool {
	var parts []byte
	for o := wire.ObjectOf(turn); o.Next(); {
		if !o.Is("parts") {
			continue
		}
		if parts != nil { // given twice: which of them counts is for Google to say
			return false
		}
		parts = o.Value
	}
	if wire.KindOf(parts) != wire.KindArray {
		return false
	}
	for a := wire.ArrayOf(parts); a.Next(); {
		p := gemini.PartOf(a.Value)
		if string(p.Text) != `""` || p.Signature != nil || p.Call != nil || p.Response != nil || p.InlineData != nil || p.FileData != nil ||
			p.Code != nil || p.CodeResult != nil || p.ToolCall != nil || p.ToolResponse != nil || p.Others > 0 {
			return false
		}
	}
	return true
}
