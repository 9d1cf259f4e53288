package openai

import (
	"slices"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// ImageRequest is what the body of a request for a picture said beside the hub request.
type ImageRequest struct {
	gemini.Beside
	URL bool // the picture as a data URL and not as b64_json
}

// ImageToHub appends the hub request that body, an OpenAI images generation request, means: the
// prompt as the only turn, and an answer with a picture. Words are allowed beside the picture, because
// a model that draws nothing says why in words.
func ImageToHub(dst, body []byte, members []wire.Member, t gemini.Target) ([]byte, ImageRequest, *apierror.Error) {
	var f drawing
	if err := readTable(imageTable, &f, &f.Beside, members); err != nil {
		return dst, ImageRequest{}, err
	}
	switch {
	case f.prompt == nil:
		return dst, ImageRequest{}, refuse("prompt", "is missing")
	case f.URL && f.Stream:
		return dst, ImageRequest{}, refuse("response_format", "must be b64_json in a stream")
	}
	dst = appendPrompt(slices.Grow(dst, len(body)+room), f.prompt)
	dst = append(dst, `,"generationConfig":{"responseModalities":["TEXT","IMAGE"]`...)
	dst, err := f.shape.Append(dst, &t, &f.Beside)
	if err != nil {
		return dst, ImageRequest{}, err
	}
	return append(dst, "}}"...), f.ImageRequest, nil
}

// drawing is a request read halfway.
type drawing struct {
	ImageRequest
	prompt []byte // between its quotes
	shape  gemini.Picture
}

// ImageFields lists every member of an images generation request that this package knows, as Fields
// does.
func ImageFields() []Field { return imageTable.Fields() }

var imageTable = gemini.Table[drawing]{
	"prompt":          {"the only turn", takeDescription},
	"model":           {"read by the stage model", nil},
	"n":               {"1; anything else is refused: Google makes one picture a request", takePictures},
	"size":            {sizeDoes, func(f *drawing, v []byte) *apierror.Error { return f.shape.TakeSize(&f.Beside, v, "size") }},
	"response_format": {"b64_json; url: a data URL, because no picture is kept here; refused in a stream", takePictureForm},
	"stream":          {"events: image_generation.completed", takeDrawStream},
	"partial_images":  {"0 to 3; no partial picture comes, which OpenAI allows as well", takePartial},

	"background": {"auto or opaque; transparent is refused", func(_ *drawing, v []byte) *apierror.Error {
		if word, _ := wire.Text(v); word == "transparent" {
			return refuse("background", "cannot be transparent: Google's models fill the whole picture")
		}
		return oneOf[drawing]("background", "auto", "opaque")(nil, v)
	}},
	"output_format":      {"png, jpeg or webp; ignored and reported: the model chooses, and the answer says what it is", told("output_format", "png", "jpeg", "webp")},
	"output_compression": {"0 to 100; ignored and reported, as output_format", takeCompression},
	"quality": {qualityDoes, func(f *drawing, v []byte) *apierror.Error {
		return f.shape.TakeQuality(&f.Beside, v, "quality")
	}},
	"style":             {"ignored and reported: say it in the prompt", told("style", "vivid", "natural")},
	"moderation":        {"auto; low is ignored and reported", takeModeration},
	"safety_identifier": {"ignored: Google takes none", nil},
	"user":              {"ignored: Google takes none", nil},
}

func takeDescription(f *drawing, v []byte) *apierror.Error {
	inner, ok := wire.Inside(v)
	switch {
	case !ok:
		return refuse("prompt", "must be a string")
	case len(inner) == 0:
		return refuse("prompt", "must not be empty")
	}
	f.prompt = inner
	return nil
}

// Pictures reads the member n of a request for pictures.
func Pictures(v []byte) (int64, *apierror.Error) {
	n, ok := wire.Int(v)
	if !ok || n != 1 {
		return 0, refuse("n", "must be 1: Google makes one picture a request")
	}
	return n, nil
}

func takePictures(_ *drawing, v []byte) *apierror.Error {
	_, fail := Pictures(v)
	return fail
}

func takePictureForm(f *drawing, v []byte) *apierror.Error {
	switch word, _ := wire.Text(v); word {
	case "b64_json":
	case "url":
		f.URL = true
	default:
		return refuse("response_format", "must be b64_json or url")
	}
	return nil
}

func takeDrawStream(f *drawing, v []byte) *apierror.Error {
	var ok bool
	if f.Stream, ok = wire.Bool(v); !ok {
		return refuse("stream", "must be true or false")
	}
	return nil
}

func takePartial(_ *drawing, v []byte) *apierror.Error {
	if n, ok := wire.Int(v); !ok || n < 0 || n > 3 {
		return refuse("partial_images", "must be a whole number from 0 to 3")
	}
	return nil
}

func takeCompression(f *drawing, v []byte) *apierror.Error {
	if n, ok := wire.Int(v); !ok || n < 0 || n > 100 {
		return refuse("output_compression", "must be a whole number from 0 to 100")
	}
	f.Ignore("output_compression")
	return nil
}

func takeModeration(f *drawing, v []byte) *apierror.Error {
	switch word, _ := wire.Text(v); word {
	case "auto":
	case "low":
		f.Ignore("moderation")
	default:
		return refuse("moderation", "must be auto or low")
	}
	return nil
}

// told takes one of these words, and reports that it has no effect.
func told(name string, words ...string) func(*drawing, []byte) *apierror.Error {
	known := oneOf[drawing](name, words...)
	return func(f *drawing, v []byte) *apierror.Error {
		if err := known(f, v); err != nil {
			return err
		}
		f.Ignore(name)
		return nil
	}
}
