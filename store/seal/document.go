package seal

import (
	"bytes"

	"gcli2api/pipeline/wire"
)

// Reseal seals anew, in a JSON document, each member whose text was sealed with SealText, whatever it is
// for: the text says. Everything else stays byte for byte. With a ring that seals nothing it opens them.
// n is how many have changed, stuck how many do not open.
func (r *Ring) Reseal(body []byte) (out []byte, n, stuck int, err error) {
	at := 0
	for {
		i := bytes.Index(body[at:], []byte(`"`+version))
		if i < 0 {
			return append(out, body[at:]...), n, stuck, nil
		}
		from := at + i + 1
		length := bytes.IndexByte(body[from:], '"')
		if length < 0 {
			length = len(body) - from
		}
		to := from + length
		with, did, err := r.again(string(body[from:to]))
		if err != nil {
			return nil, 0, 0, err
		}
		switch did {
		case resealed:
			n++
			out = append(out, body[at:from]...)
			quoted := wire.AppendQuoted(nil, with)
			out, at = append(out, quoted[1:len(quoted)-1]...), to
			continue
		case stays:
			stuck++
		}
		out, at = append(out, body[at:to]...), to
	}
}

type outcome int

const (
	fine outcome = iota
	resealed
	stays
)

func (r *Ring) again(text string) (string, outcome, error) {
	if r.Current(text) {
		return text, fine, nil
	}
	s, ok := parts(text)
	if !ok {
		return text, stays, nil
	}
	plain, err := r.open(s)
	if err != nil {
		return text, stays, nil
	}
	with, err := r.SealText(s.purpose, plain)
	return with, resealed, err
}
