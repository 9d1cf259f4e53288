package openai

import (
	"slices"
	"strconv"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// EmbedRequest is what the body of an embeddings request said beside the hub request.
type EmbedRequest struct {
	gemini.Beside
	Base64 bool  // vectors as base64 of little-endian float32
	Tokens int64 // of the texts, estimated: Google counts them for few models only
}

// mostInputs is how many texts Google takes in one batch; OpenAI takes 2048.
const mostInputs = 100

// EmbedToHub appends the body of Google's batchEmbedContents that body, an OpenAI embeddings request,
// means: a request a text, in their order, also for a single one. model is the name without features;
// every request of a batch must repeat it.
func EmbedToHub(dst, body []byte, members []wire.Member, model string) ([]byte, EmbedRequest, *apierror.Error) {
	var f embedding
	if err := readTable(embedTable, &f, &f.Beside, members); err != nil {
		return dst, EmbedRequest{}, err
	}
	if f.input == nil {
		return dst, EmbedRequest{}, refuse("input", "is missing")
	}
	// Beside the model every request has some thirty bytes of its own.
	dst = slices.Grow(dst, len(body)+f.count*(len(model)+96))
	return f.requests(dst, model), f.EmbedRequest, nil
}

// embedding is a request read halfway.
type embedding struct {
	EmbedRequest
	input      []byte // a string, or a list of count strings
	count      int
	dimensions int64
}

func (f *embedding) requests(dst []byte, model string) []byte {
	head := wire.AppendQuoted([]byte(`{"model":`), "models/"+strings.TrimPrefix(model, "models/"))
	head = append(head, `,"content":{"parts":[{"text":`...)
	tail := []byte(`}]}`)
	if f.dimensions > 0 {
		tail = strconv.AppendInt(append(tail, `,"outputDimensionality":`...), f.dimensions, 10)
	}
	tail = append(tail, '}')
	dst = append(dst, `{"requests":[`...)
	add := func(text []byte) {
		dst = append(append(append(wire.Comma(dst), head...), text...), tail...)
		f.Tokens += gemini.EstimateText(text)
	}
	if wire.KindOf(f.input) == wire.KindString {
		add(f.input)
	}
	for a := wire.ArrayOf(f.input); a.Next(); {
		add(a.Value)
	}
	return append(dst, "]}"...)
}

// EmbedFields lists every member of an embeddings request that this package knows, as Fields does.
func EmbedFields() []Field { return embedTable.Fields() }

var embedTable = gemini.Table[embedding]{
	"input":           {"a request a text: a string or a list of strings, none empty, 100 at most as Google takes no more in one batch; token ids are refused", takeInput},
	"model":           {"read by the stage model", nil},
	"dimensions":      {"outputDimensionality, at least 1; Google says what a model has at most", takeDimensions},
	"encoding_format": {"float; base64: little-endian numbers of 32 bits", takeEncoding},
	"user":            {"ignored: Google takes none", nil},
}

func takeInput(f *embedding, v []byte) *apierror.Error {
	f.input = v
	switch wire.KindOf(v) {
	case wire.KindString:
		f.count = 1
		if why := unfit(v); why != "" {
			return refuse("input", why)
		}
		return nil
	case wire.KindArray:
	default:
		return refuse("input", "must be a string or a list of strings")
	}
	for a := wire.ArrayOf(v); a.Next(); f.count++ {
		if f.count == mostInputs {
			return refuse("input", "may have at most "+strconv.Itoa(mostInputs)+" texts, which is what Google takes in one batch: send the rest in further requests")
		}
		if why := unfit(a.Value); why != "" {
			return refuse("input["+strconv.Itoa(f.count)+"]", why)
		}
	}
	if f.count == 0 {
		return refuse("input", "must not be empty")
	}
	return nil
}

// unfit says why v is no text to embed, "" when it is one. Google refuses empty ones.
func unfit(v []byte) (why string) {
	inner, ok := wire.Inside(v)
	switch kind := wire.KindOf(v); {
	case kind == wire.KindNumber || kind == wire.KindArray:
		return "must be a string: token ids are not supported"
	case !ok:
		return "must be a string"
	case len(inner) == 0:
		return "must not be empty"
	}
	return ""
}

func takeDimensions(f *embedding, v []byte) *apierror.Error {
	return gemini.Least{Name: "dimensions", From: 1}.Take(&f.dimensions, v)
}

func takeEncoding(f *embedding, v []byte) *apierror.Error {
	switch word, _ := wire.Text(v); word {
	case "float":
	case "base64":
		f.Base64 = true
	default:
		return refuse("encoding_format", "must be float or base64")
	}
	return nil
}
