package responses

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

// mostOutput is what a model writes that says nothing of it (protocol 3.3).
const mostOutput = 65536

// generation appends `,"generationConfig":{...}` when there is anything to say.
func (f *form) generation(dst []byte, t *gemini.Target) ([]byte, *apierror.Error) {
	begin := len(dst)
	dst = append(key(dst, "generationConfig"), '{')
	empty := len(dst)
	if f.temperature != nil {
		dst = append(key(dst, "temperature"), f.temperature...)
	}
	if f.topP != nil {
		dst = append(key(dst, "topP"), f.topP...)
	}
	if f.most > 0 {
		limit := int64(t.MaxOutput)
		if limit <= 0 {
			limit = mostOutput
		}
		if f.most > limit {
			f.Ignore("max_output_tokens=" + strconv.FormatInt(limit, 10))
		}
		dst = strconv.AppendInt(key(dst, "maxOutputTokens"), min(f.most, limit), 10)
	}
	if f.json && !f.inWords(t) {
		var fail *apierror.Error
		if dst, fail = f.format(append(key(dst, "responseMimeType"), `"application/json"`...)); fail != nil {
			return dst, fail
		}
	}
	if f.picture {
		dst = append(key(dst, "responseModalities"), `["TEXT","IMAGE"]`...)
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
	dst, notes, bad := schema.Append(key(dst, "responseJsonSchema"), f.schema)
	if bad != nil {
		return dst, refuse("text.format.schema"+bad.Path, bad.Why)
	}
	for _, n := range notes {
		f.Ignore(n)
	}
	return dst, nil
}

// inWords tells whether the format is told in words.
func (f *form) inWords(t *gemini.Target) bool { return f.json && t.FormatInWords(f.called) }
