package gemini

import (
	"bytes"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// Sentinel stands for a thought signature that is lost (protocol 6.4).
const Sentinel = "skip_thought_signature_validator"

// AppendSentinels appends contents without the signatures that they carry: the first call of each turn
// of the model gets the sentinel instead. It is for histories that another model, backend or program
// has written, whose signatures Google refuses.
func AppendSentinels(dst, contents []byte) []byte {
	dst = append(dst, '[')
	for a := wire.ArrayOf(contents); a.Next(); {
		dst = comma(dst)
		if role, _ := wire.Inner(wire.Get(a.Value, "role")); string(role) != "model" {
			dst = append(dst, a.Value...)
			continue
		}
		parts := append(make([]byte, 0, len(a.Value)+len(Sentinel)+32), '[')
		first := true
		for p := wire.ArrayOf(wire.Get(a.Value, "parts")); p.Next(); {
			part := PartOf(p.Value)
			sign := first && part.Call != nil
			first = first && part.Call == nil
			if part.Signature == nil && !sign {
				parts = append(comma(parts), p.Value...)
				continue
			}
			value := []byte(nil)
			if sign {
				value = []byte(`"` + Sentinel + `"`)
			}
			parts = AppendWith(comma(parts), AppendWith(nil, p.Value, "thought_signature", nil), "thoughtSignature", value)
		}
		dst = AppendWith(dst, a.Value, "parts", append(parts, ']'))
	}
	return append(dst, ']')
}

// AppendForKind appends contents in which the signatures of other kinds of credentials are the
// sentinel; false when there is none, and then nothing is appended.
func (t *Tools) AppendForKind(dst, contents []byte, kind string) ([]byte, bool) {
	if t == nil {
		return dst, false
	}
	some := false
	for _, s := range t.Signed {
		if s.Kind == kind {
			continue
		}
		if !some {
			some = true
			contents = append([]byte(nil), contents...)
		}
		// A signature is too long and too random to stand anywhere else.
		contents = bytes.ReplaceAll(contents, []byte(`"thoughtSignature":"`+s.Signature+`"`), []byte(`"thoughtSignature":"`+Sentinel+`"`))
	}
	if !some {
		return dst, false
	}
	return append(dst, contents...), true
}

// Unsigned tells a refusal for the signatures of a request from any other (protocol 6.4).
func Unsigned(f *apierror.Error) bool {
	if f == nil || f.Status != 400 || f.Said == nil {
		return false
	}
	text := strings.ToLower(f.Said.Text)
	return strings.Contains(text, "thought signature") || strings.Contains(text, "thought_signature")
}
