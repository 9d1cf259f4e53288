package translate

import (
	"bytes"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
)

// safetySettings are those of the client, and the default for every category that it says nothing of.
// The categories are those that every backend takes (protocol 3.8).
func (s *stage) safetySettings(x *pipeline.Exchange) []byte {
	own, _ := x.Call.Get("safetySettings")
	if k := wire.KindOf(own); k != wire.KindArray && k != wire.KindNone && k != wire.KindNull {
		return own // Google refuses it with better words
	}
	out := []byte{'['}
	for a := wire.ArrayOf(own); a.Next(); {
		out = append(wire.Comma(out), a.Value...)
	}
	for _, name := range [...]string{"HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY"} {
		category := `"HARM_CATEGORY_` + name + `"`
		if bytes.Contains(own, []byte(category)) {
			continue
		}
		out = append(append(wire.Comma(out), `{"category":`+category+`,"threshold":"`...), s.threshold(name)...)
		out = append(out, `"}`...)
	}
	return append(out, ']')
}

// threshold: the civic category has no OFF everywhere (protocol 3.8).
func (s *stage) threshold(category string) string {
	if category == "CIVIC_INTEGRITY" && s.safety == "OFF" {
		return "BLOCK_NONE"
	}
	return s.safety
}
