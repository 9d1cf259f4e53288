package codeassist

import (
	"bytes"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// appendCount writes the body of countTokens: the model inside, no project, contents only
// (protocol 3.6). The system instruction counts too, and goes in front as a turn.
func appendCount(dst []byte, x *pipeline.Exchange) []byte {
	contents, _ := x.Call.Get("contents")
	system, _ := x.Call.Get("systemInstruction")
	if whole, there := x.Call.Get("generateContentRequest"); there {
		contents, _ = gemini.Find(whole, "contents")
		system, _ = gemini.Find(whole, "systemInstruction")
	}
	dst = wire.AppendQuoted(append(dst, `{"request":{"model":`...), "models/"+wireName(x.Model.Base))
	dst = append(dst, `,"contents":[`...)
	if parts := wire.Get(system, "parts"); wire.KindOf(parts) == wire.KindArray {
		dst = append(append(append(dst, `{"role":"user","parts":`...), parts...), '}')
	}
	if left, some := gemini.WithoutServerParts(nil, contents); some {
		contents = left
	}
	for a := wire.ArrayOf(contents); a.Next(); {
		dst = appendThoughtless(dst, a.Value)
	}
	return append(dst, "]}}"...)
}

// appendThoughtless leaves out thoughts and their signatures, which are a 400 here, and a turn that has
// nothing else.
func appendThoughtless(dst, turn []byte) []byte {
	if !bytes.Contains(turn, []byte("thought")) {
		return gemini.AppendTurn(wire.Comma(dst), turn)
	}
	parts := append(make([]byte, 0, len(turn)), '[')
	for a := wire.ArrayOf(wire.Get(turn, "parts")); a.Next(); {
		p := gemini.PartOf(a.Value)
		switch {
		case p.Thought:
		case p.Signature != nil && bytes.Contains(a.Value, []byte(`"thought_signature"`)):
			parts = gemini.AppendWith(wire.Comma(parts), a.Value, "thought_signature", nil)
		default:
			parts = gemini.AppendWith(wire.Comma(parts), a.Value, "thoughtSignature", nil)
		}
	}
	if len(parts) == 1 {
		return dst
	}
	return gemini.AppendTurn(wire.Comma(dst), gemini.AppendWith(nil, turn, "parts", append(parts, ']')))
}
