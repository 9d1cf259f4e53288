package openai

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// wish is a member that says how a picture is to be. It is read when it is known that the model draws:
// clients send such members to models that only write, too.
type wish struct {
	name string
	v    []byte
	take func(p *gemini.Picture, b *gemini.Beside, v []byte, name string) *apierror.Error
}

// pictured keeps a member of the request for later.
func pictured(name string, take func(*gemini.Picture, *gemini.Beside, []byte, string) *apierror.Error) func(*form, []byte) *apierror.Error {
	return func(f *form, v []byte) *apierror.Error {
		f.pictures = append(f.pictures, wish{name, v, take})
		return nil
	}
}

// canvas appends what is asked of a picture. Models that only write would refuse it.
func (f *form) canvas(dst []byte, t *gemini.Target) ([]byte, *apierror.Error) {
	if !t.Draws(f.image) {
		if f.image {
			f.ignored("modalities")
		}
		for _, w := range f.pictures {
			f.ignored(w.name)
		}
		return dst, nil
	}
	if f.image {
		dst = append(wire.Key(dst, "responseModalities"), `["TEXT","IMAGE"]`...)
	}
	var p gemini.Picture
	for _, w := range f.pictures {
		if fail := w.take(&p, &f.Beside, w.v, w.name); fail != nil {
			return dst, fail
		}
	}
	return p.Append(dst, t, &f.Beside)
}
