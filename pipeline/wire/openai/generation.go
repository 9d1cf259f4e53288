package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Google's bounds (protocol 3.3).
const (
	mostTopK   = 64
	mostOutput = 65536
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
		dst = appendStop(dst, f.stop)
	}
	dst, err := f.format(dst)
	if err != nil {
		return dst, err
	}
	if dst, err = f.probabilities(dst, &o); err != nil {
		return dst, err
	}
	if f.image {
		dst = append(wire.Key(dst, "responseModalities"), `["TEXT","IMAGE"]`...)
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
		dst = f.capped(wire.Key(dst, "topK"), "top_k=", [2]int64{f.topK, mostTopK})
	}
	most, name := f.most, "max_tokens="
	if f.mostNew > 0 {
		most, name = f.mostNew, "max_completion_tokens="
	}
	if most > 0 {
		limit := int64(o.MaxOutput)
		if limit <= 0 {
			limit = mostOutput
		}
		dst = f.capped(wire.Key(dst, "maxOutputTokens"), name, [2]int64{most, limit})
	}
	if f.seeded {
		dst = strconv.AppendInt(wire.Key(dst, "seed"), int64(f.seed), 10)
	}
	return dst
}

// capped appends the smaller of asked and limit, and reports it when that is the limit.
func (f *form) capped(dst []byte, name string, askedLimit [2]int64) []byte {
	asked, limit := askedLimit[0], askedLimit[1]
	if asked > limit {
		f.ignored(name + strconv.FormatInt(limit, 10))
		asked = limit
	}
	return strconv.AppendInt(dst, asked, 10)
}

// appendStop leaves out empty sequences, which Google refuses, and nothing when that is all.
func appendStop(dst, stop []byte) []byte {
	if wire.KindOf(stop) == wire.KindString {
		if inner, _ := wire.Inside(stop); len(inner) == 0 {
			return dst
		}
		return append(append(append(wire.Key(dst, "stopSequences"), '['), stop...), ']')
	}
	begin := len(dst)
	dst = append(wire.Key(dst, "stopSequences"), '[')
	some := false
	for a := wire.ArrayOf(stop); a.Next(); {
		if inner, _ := wire.Inside(a.Value); len(inner) == 0 {
			continue
		}
		dst = append(wire.Comma(dst), a.Value...)
		some = true
	}
	if !some {
		return dst[:begin]
	}
	return append(dst, ']')
}
