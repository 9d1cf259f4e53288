package anthropic

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

// appendGeneration appends the generationConfig.
func (f *form) appendGeneration(dst []byte, o gemini.Target) ([]byte, *apierror.Error) {
	dst = append(wire.Key(dst, "generationConfig"), '{')
	dst = f.AppendCapped(wire.Key(dst, "maxOutputTokens"), "max_tokens", f.most, o.Output())
	if f.temperature != nil {
		dst = append(wire.Key(dst, "temperature"), f.temperature...)
	}
	if f.topP != nil {
		dst = append(wire.Key(dst, "topP"), f.topP...)
	}
	if f.topK > 0 {
		dst = f.AppendCapped(wire.Key(dst, "topK"), "top_k", f.topK, gemini.MostTopK)
	}
	if f.stop != nil {
		dst = gemini.AppendStops(dst, f.stop)
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

// appendFormat appends the schema of the answer.
func (f *form) appendFormat(dst []byte, o gemini.Target) ([]byte, *apierror.Error) {
	if f.format == nil {
		return dst, nil
	}
	if o.FormatInWords(f.functions > 0) { // it stands in the instruction
		return dst, nil
	}
	dst = append(wire.Key(dst, "responseMimeType"), `"application/json"`...)
	dst, notes, bad := schema.Append(wire.Key(dst, "responseJsonSchema"), f.format)
	if bad != nil {
		return dst, gemini.Refuse(f.formatName+bad.Path, bad.Why)
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
