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
		dst = wire.Comma(dst)
		if role, _ := wire.Inner(wire.Get(a.Value, "role")); string(role) != "model" {
			dst = append(dst, a.Value...)
			continue
		}
		parts := append(make([]byte, 0, len(a.Value)+len(Sentinel)+32), '[')
		first := true
		for p := wire.ArrayOf(wire.Get(a.Value, "parts")); p.Next(); {
			part := PartOf(p.Value)
			if part.OfServer() { // nothing without their signatures, and the calls that have the sentinel do without them
				continue
			}
			sign := first && part.Call != nil
			first = first && part.Call == nil
			if part.Signature == nil && !sign {
				parts = append(wire.Comma(parts), p.Value...)
				continue
			}
			value := []byte(nil)
			if sign {
				value = []byte(`"` + Sentinel + `"`)
			}
			parts = AppendWith(wire.Comma(parts), AppendWith(nil, p.Value, "thought_signature", nil), "thoughtSignature", value)
		}
		dst = AppendWith(dst, a.Value, "parts", append(parts, ']'))
	}
	return append(dst, ']')
}

// AppendForKind appends contents in which the signatures of other kinds of credentials are the
// sentinel; false when there is none, and then nothing is appended. However many signatures there are,
// the contents are read once.
func (t *Tools) AppendForKind(dst, contents []byte, kind string) ([]byte, bool) {
	foreign := t.foreign(kind)
	if len(foreign) == 0 {
		return dst, false
	}
	const mark = `"thoughtSignature":"`
	for {
		at := bytes.Index(contents, []byte(mark))
		if at < 0 {
			return append(dst, contents...), true
		}
		at += len(mark)
		dst, contents = append(dst, contents[:at]...), contents[at:]
		// A signature is too long and too random to stand anywhere else.
		if end := bytes.IndexByte(contents, '"'); end >= 0 && foreign[string(contents[:end])] {
			dst, contents = append(dst, Sentinel...), contents[end:]
		}
	}
}

// foreign are the signatures of the request that other kinds of credentials were given.
func (t *Tools) foreign(kind string) map[string]bool {
	if t == nil {
		return nil
	}
	var found map[string]bool
	for _, s := range t.Signed {
		if s.Kind == kind {
			continue
		}
		if found == nil {
			found = map[string]bool{}
		}
		found[s.Signature] = true
	}
	return found
}

// Unsigned tells a refusal for the signatures of a request from any other (protocol 6.4).
func Unsigned(f *apierror.Error) bool {
	if f == nil || f.Status != 400 || f.Said == nil {
		return false
	}
	text := strings.ToLower(f.Said.Text)
	return strings.Contains(text, "thought signature") || strings.Contains(text, "thought_signature")
}
