package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// penalty leaves out a zero, because some models refuse penalties whatever their value, and stays
// below 2, which Google excludes and OpenAI allows.
func penalty(to *[]byte, v []byte, name string) *apierror.Error {
	r := gemini.Range{Name: name, From: -2, To: 2}
	if err := r.Take(to, v); err != nil {
		return err
	}
	if n, _ := wire.Float(v); n == 0 {
		*to = nil
	} else if n == 2 {
		*to = []byte("1.99")
	}
	return nil
}

func takeStream(f *form, v []byte) *apierror.Error {
	var ok bool
	if f.Stream, ok = wire.Bool(v); !ok {
		return refuse("stream", "must be true or false")
	}
	return nil
}

func takeStreamOptions(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return refuse("stream_options", "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		if !o.Is("include_usage") || wire.KindOf(o.Value) == wire.KindNull {
			continue
		}
		var ok bool
		if f.IncludeUsage, ok = wire.Bool(o.Value); !ok {
			return refuse("stream_options.include_usage", "must be true or false")
		}
	}
	return nil
}

// takeSeed folds a number of 64 bits into the 32 that Google takes: the same seed stays the same.
func takeSeed(f *form, v []byte) *apierror.Error {
	n, ok := wire.Int(v)
	if !ok {
		return refuse("seed", "must be a whole number")
	}
	if f.seeded, f.seed = true, int32(n); int64(f.seed) != n {
		f.seed = int32(n ^ n>>32)
	}
	return nil
}

func takeStop(f *form, v []byte) *apierror.Error {
	switch wire.KindOf(v) {
	case wire.KindString:
	case wire.KindArray:
		count, fail := gemini.CountStops(v, "stop")
		if fail != nil {
			return fail
		}
		if count > gemini.MostStops {
			return refuse("stop", "may have at most 5 sequences")
		}
	default:
		return refuse("stop", "must be a string or a list of strings")
	}
	f.stop = v
	return nil
}

func takeModalities(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return refuse("modalities", "must be a list")
	}
	for a, i := wire.ArrayOf(v), 0; a.Next(); i++ {
		switch kind, _ := wire.Text(a.Value); kind {
		case "text":
		case "image":
			f.image = true
		default:
			return refuse("modalities["+strconv.Itoa(i)+"]", "must be text or image: other answers are not supported")
		}
	}
	return nil
}

// Answers reads the member n of a chat or a completion: how many answers are asked for.
func Answers(v []byte) (int64, *apierror.Error) {
	n, ok := wire.Int(v)
	if !ok || n < 1 || n > 128 {
		return 0, refuse("n", "must be a whole number from 1 to 128")
	}
	return n, nil
}

func takeN(_ *form, v []byte) *apierror.Error {
	n, fail := Answers(v)
	if fail == nil && n > 1 {
		return refuse("n", "must be 1: Google gives one answer a request")
	}
	return fail
}

// report is for what has no effect and the client should know of.
func report(name string) func(*form, []byte) *apierror.Error {
	return func(f *form, _ []byte) *apierror.Error {
		f.ignored(name)
		return nil
	}
}

// takeSearch: Google searches, or does not; where the client is and how much is read says nobody.
func takeSearch(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return refuse("web_search_options", "must be an object")
	}
	f.searched("web_search_options")
	for o := wire.ObjectOf(v); o.Next(); {
		if wire.KindOf(o.Value) != wire.KindNull {
			f.unknown(append([]byte("web_search_options."), o.Key...))
		}
	}
	return nil
}

// searched takes note of a place that asks for Google's search.
func (f *form) searched(at string) {
	f.searches++
	f.tools().Host(gemini.Search, at)
}

// refuseFilled lets an empty list and an empty object through, which clients send for nothing.
func refuseFilled(name, why string) func(*form, []byte) *apierror.Error {
	return func(_ *form, v []byte) *apierror.Error {
		if wire.Filled(v) {
			return refuse(name, why)
		}
		return nil
	}
}
