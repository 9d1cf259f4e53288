package anthropic

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

// Google's bounds (protocol 3.3).
const (
	mostTopK   = 64
	mostOutput = 65536
)

// appendGeneration appends the generationConfig.
func (f *form) appendGeneration(dst []byte, o gemini.Target) ([]byte, *apierror.Error) {
	dst = append(wire.Key(dst, "generationConfig"), '{')
	limit := int64(o.MaxOutput)
	if limit <= 0 {
		limit = mostOutput
	}
	dst = f.capped(wire.Key(dst, "maxOutputTokens"), "max_tokens=", [2]int64{f.most, limit})
	if f.temperature != nil {
		dst = append(wire.Key(dst, "temperature"), f.temperature...)
	}
	if f.topP != nil {
		dst = append(wire.Key(dst, "topP"), f.topP...)
	}
	if f.topK > 0 {
		dst = f.capped(wire.Key(dst, "topK"), "top_k=", [2]int64{f.topK, mostTopK})
	}
	if f.stop != nil {
		dst = append(wire.Key(dst, "stopSequences"), '[')
		for a := wire.ArrayOf(f.stop); a.Next(); {
			if inner, _ := wire.Inside(a.Value); len(inner) > 0 {
				dst = append(wire.Comma(dst), a.Value...)
			}
		}
		dst = append(dst, ']')
	}
	dst, err := f.appendFormat(dst, o)
	if err != nil {
		return dst, err
	}
	if dst, err = f.appendThinking(dst, o); err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// capped appends the smaller of asked and limit, and reports it when that is the limit.
func (f *form) capped(dst []byte, name string, askedLimit [2]int64) []byte {
	asked, limit := askedLimit[0], askedLimit[1]
	if asked > limit {
		f.Ignore(name + strconv.FormatInt(limit, 10))
		asked = limit
	}
	return strconv.AppendInt(dst, asked, 10)
}

// appendFormat appends the schema of the answer.
func (f *form) appendFormat(dst []byte, o gemini.Target) ([]byte, *apierror.Error) {
	if f.format == nil {
		return dst, nil
	}
	if o.FormatInWords(wire.Filled(f.tools)) { // it stands in the instruction
		return dst, nil
	}
	dst = append(wire.Key(dst, "responseMimeType"), `"application/json"`...)
	dst, notes, bad := schema.Append(wire.Key(dst, "responseJsonSchema"), f.format)
	if bad != nil {
		return dst, refuse(f.formatName+bad.Path, bad.Why)
	}
	f.note(f.formatName, notes)
	return dst, nil
}

// note reports what was lost of the schema at this place.
func (f *form) note(at string, notes []string) {
	for _, n := range notes {
		f.Ignore(at + ":" + n)
	}
}
