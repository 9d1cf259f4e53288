package gemini

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// Google's bounds (protocol 3.3).
const (
	MostTopK   = 64
	MostStops  = 5     // stop sequences
	mostOutput = 65536 // tokens, of a model that says nothing of it
)

// Output is how many tokens the model writes at most.
func (t *Target) Output() int64 {
	if t.MaxOutput <= 0 {
		return mostOutput
	}
	return int64(t.MaxOutput)
}

// Range is what a number may be; Name is what the client calls it.
type Range struct {
	Name     string
	From, To float64
}

// Take keeps the number v as it was written when it is in the range.
func (r Range) Take(to *[]byte, v []byte) *apierror.Error {
	n, ok := wire.Float(v)
	if !ok || n < r.From || n > r.To {
		return Refuse(r.Name, "must be a number from "+decimal(r.From)+" to "+decimal(r.To))
	}
	*to = v
	return nil
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

// Least is what a whole number must be at least; Name is what the client calls it.
type Least struct {
	Name string
	From int64
}

// Take reads the number v.
func (l Least) Take(to *int64, v []byte) *apierror.Error {
	n, ok := wire.Int(v)
	if !ok || n < l.From {
		return Refuse(l.Name, "must be a whole number of at least "+strconv.FormatInt(l.From, 10))
	}
	*to = n
	return nil
}

// AppendCapped appends the smaller of asked and limit, and reports it behind "name=" when that is the
// limit.
func (b *Beside) AppendCapped(dst []byte, name string, asked, limit int64) []byte {
	if asked > limit {
		b.Ignore(name + "=" + strconv.FormatInt(limit, 10))
		asked = limit
	}
	return strconv.AppendInt(dst, asked, 10)
}

// CountStops tells how many of a list of stop sequences are not empty; name is what the client calls the
// list. Google takes MostStops.
func CountStops(list []byte, name string) (count int, fail *apierror.Error) {
	for a, i := wire.ArrayOf(list), 0; a.Next(); i++ {
		inner, ok := wire.Inside(a.Value)
		if !ok {
			return 0, Refuse(name+"["+strconv.Itoa(i)+"]", "must be a string")
		}
		if len(inner) > 0 {
			count++
		}
	}
	return count, nil
}

// AppendStops appends the stopSequences that a string or a list of strings is. It leaves out empty ones,
// which Google refuses, and appends nothing when that is all.
func AppendStops(dst, v []byte) []byte {
	begin := len(dst)
	dst = append(wire.Key(dst, "stopSequences"), '[')
	empty := len(dst)
	if inner, _ := wire.Inside(v); len(inner) > 0 {
		dst = append(dst, v...)
	}
	for a := wire.ArrayOf(v); a.Next(); {
		if inner, _ := wire.Inside(a.Value); len(inner) > 0 {
			dst = append(wire.Comma(dst), a.Value...)
		}
	}
	if len(dst) == empty {
		return dst[:begin]
	}
	return append(dst, ']')
}
