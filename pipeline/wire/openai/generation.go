package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// generation appends `,"generationConfig":{...}` when there is anything to say.
func (f *form) generation(dst []byte, o gemini.Target) ([]byte, *apierror.Error) {
	const head = `,"generationConfig":{`
	begin := len(dst)
	dst = append(dst, head...)
	for _, n := range [...]struct {
		name  string
		value []byte
	}{
		{"temperature", f.temperature}, {"topP", f.topP},
		{"frequencyPenalty", f.frequency}, {"presencePenalty", f.presence},
	} {
		if n.value != nil {
			dst = append(wire.Key(dst, n.name), n.value...)
		}
	}
	dst = f.counts(dst, o)
	if f.stop != nil {
		dst = gemini.AppendStops(dst, f.stop)
	}
	dst, err := f.format(dst)
	if err != nil {
		return dst, err
	}
	if dst, err = f.probabilities(dst, &o); err != nil {
		return dst, err
	}
	if dst, err = f.canvas(dst, &o); err != nil {
		return dst, err
	}
	dst, ignored, err := f.thinking.Append(dst, o)
	if err != nil {
		return dst, err
	}
	if ignored != "" {
		f.ignored(ignored)
	}
	if len(dst) == begin+len(head) {
		return dst[:begin], nil
	}
	return append(dst, '}'), nil
}

// counts appends the whole numbers.
func (f *form) counts(dst []byte, o gemini.Target) []byte {
	if f.topK > 0 {
		dst = f.AppendCapped(wire.Key(dst, "topK"), "top_k", f.topK, gemini.MostTopK)
	}
	most, name := f.most, "max_tokens"
	if f.mostNew > 0 {
		most, name = f.mostNew, "max_completion_tokens"
	}
	if most > 0 {
		dst = f.AppendCapped(wire.Key(dst, "maxOutputTokens"), name, most, o.Output())
	}
	if f.seeded {
		dst = strconv.AppendInt(wire.Key(dst, "seed"), int64(f.seed), 10)
	}
	return dst
}
