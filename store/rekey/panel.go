package rekey

import (
	"slices"

	"gcli2api/pipeline/wire"
	"gcli2api/store/seal"
)

// sessions seals what the panel's sessions are signed with: what is sealed says what it is, and what lies
// there plain stands under this name.
func sessions(ring *seal.Ring) change {
	return func(_ string, body []byte) ([]byte, int, int, error) {
		body = slices.Clip(body)
		for o := wire.ObjectOf(body); o.Next(); {
			text, is := wire.Text(o.Value)
			if !o.Is("secret") || !is || text == "" || seal.Is(text) || !ring.Seals() {
				continue
			}
			with, err := ring.SealText(seal.PanelSecret, text)
			if err != nil {
				return nil, 0, 0, err
			}
			from := len(body) - cap(o.Value) // a value ends its capacity where the document does
			out := wire.AppendQuoted(slices.Clone(body[:from]), with)
			return append(out, body[from+len(o.Value):]...), 1, 0, nil
		}
		return ring.Reseal(body)
	}
}
