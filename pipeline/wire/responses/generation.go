package responses

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

// generation appends `,"generationConfig":{...}` when there is anything to say.
func (f *form) generation(dst []byte, t *gemini.Target) ([]byte, *apierror.Error) {
	begin := len(dst)
	dst = append(wire.Key(dst, "generationConfig"), '{')
	empty := len(dst)
	if f.temperature != nil {
		dst = append(wire.Key(dst, "temperature"), f.temperature...)
	}
	if f.topP != nil {
		dst = append(wire.Key(dst, "topP"), f.topP...)
	}
	if f.most > 0 {
		dst = f.AppendCapped(wire.Key(dst, "maxOutputTokens"), "max_output_tokens", f.most, t.Output())
	}
	if f.json && !f.inWords(t) {
		var fail *apierror.Error
		if dst, fail = f.format(append(wire.Key(dst, "responseMimeType"), `"application/json"`...)); fail != nil {
			return dst, fail
		}
	}
	if f.picture {
		dst = append(wire.Key(dst, "responseModalities"), `["TEXT","IMAGE"]`...)
		var fail *apierror.Error
		if dst, fail = f.shape.Append(dst, t, &f.Beside); fail != nil {
			return dst, fail
		}
	}
	dst, ignored, fail := f.thinking.Append(dst, *t)
	if fail != nil {
		return dst, fail
	}
	if ignored != "" {
		f.Ignore("reasoning")
	}
	if len(dst) == empty {
		return dst[:begin], nil
	}
	return append(dst, '}'), nil
}

// format appends the schema of the answer.
func (f *form) format(dst []byte) ([]byte, *apierror.Error) {
	if f.schema == nil {
		return dst, nil
	}
	dst, notes, bad := schema.Append(wire.Key(dst, "responseJsonSchema"), f.schema)
	if bad != nil {
		return dst, gemini.Refuse("text.format.schema"+bad.Path, bad.Why)
	}
	for _, n := range notes {
		f.Ignore(n)
	}
	return dst, nil
}

// inWords tells whether the format is told in words.
func (f *form) inWords(t *gemini.Target) bool { return f.json && t.FormatInWords(f.called) }
