package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/gemini/schema"
)

func takeResponseFormat(f *form, v []byte) *apierror.Error {
	const at = "response_format"
	if wire.KindOf(v) != wire.KindObject {
		return refuse(at, "must be an object")
	}
	kind, in := pick2(v, "type", "json_schema")
	switch word, _ := wire.Text(kind); word {
	case "text":
		return nil
	case "json_object":
		f.json = true
		return nil
	case "json_schema":
		return f.takeSchema(in, at+".json_schema")
	}
	return refuse(at+".type", "must be text, json_object or json_schema")
}

func (f *form) takeSchema(v []byte, at string) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return refuse(at, "must be an object")
	}
	name, about, raw, strict := pick4(v, [...]string{"name", "description", "schema", "strict"})
	_, sure := wire.Bool(strict)
	switch {
	case name != nil && wire.KindOf(name) != wire.KindString:
		return refuse(at+".name", "must be a string")
	case about != nil && wire.KindOf(about) != wire.KindString:
		return refuse(at+".description", "must be a string")
	case strict != nil && !sure:
		return refuse(at+".strict", "must be true or false")
	}
	f.json, f.schema = true, raw
	return nil
}

// format appends what kind of text the answer is to be.
func (f *form) format(dst []byte) ([]byte, *apierror.Error) {
	if !f.json || f.told {
		return dst, nil
	}
	dst = append(wire.Key(dst, "responseMimeType"), `"application/json"`...)
	if f.schema == nil {
		return dst, nil
	}
	const at = "response_format.json_schema.schema"
	dst, notes, bad := schema.Append(append(dst, `,"responseJsonSchema":`...), f.schema)
	if bad != nil {
		return dst, refuse(at+bad.Path, bad.Why)
	}
	f.noted(at, notes)
	return dst, nil
}

func takeLogprobs(f *form, v []byte) *apierror.Error {
	var ok bool
	if f.logprobs, ok = wire.Bool(v); !ok {
		return refuse("logprobs", "must be true or false")
	}
	return nil
}

// mostLogprobs is how many alternatives a token may have, at OpenAI and at Google.
const mostLogprobs = 20

func takeTopLogprobs(f *form, v []byte) *apierror.Error {
	n, ok := wire.Int(v)
	if !ok || n < 0 || n > mostLogprobs {
		return refuse("top_logprobs", "must be a whole number from 0 to 20")
	}
	f.topLogprobs = n
	return nil
}

// probabilities appends what asks for the probabilities of tokens. The models of the second
// generation give them, later ones and those that are no Gemini refuse.
func (f *form) probabilities(dst []byte, o *gemini.Target) ([]byte, *apierror.Error) {
	switch {
	case !f.logprobs && f.topLogprobs > 0:
		return dst, refuse("top_logprobs", "needs logprobs to be true")
	case !f.logprobs:
		return dst, nil
	case o.Major != 2:
		return dst, refuse("logprobs", "is not supported by this model")
	}
	dst = append(wire.Key(dst, "responseLogprobs"), "true"...)
	if f.topLogprobs > 0 {
		dst = strconv.AppendInt(wire.Key(dst, "logprobs"), f.topLogprobs, 10)
	}
	return dst, nil
}
