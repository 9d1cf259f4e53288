package translate

import (
	"slices"

	"gcli2api/pipeline"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// sized draws in the size and the ratio that the model name asks for. What the request itself says of
// either wins, and the client reads in a header that it did.
func sized(x *pipeline.Exchange, t gemini.Target) {
	if v := x.In.Route.Verb; v != pipeline.Generate && v != pipeline.Streaming {
		return
	}
	p := x.Model.Picture
	for _, s := range [...]suffix{
		{"aspectRatio", p.Ratio, models.Picture{Ratio: p.Ratio}, t.Image && slices.Contains(t.Ratios(), p.Ratio)},
		{"imageSize", p.Size, models.Picture{Size: p.Size}, t.Image && slices.Contains(t.Sizes(), p.Size)},
	} {
		if s.word != "" && !s.set(x) {
			x.Dropped(s.written.String())
		}
	}
}

// suffix is one of a model name, for a member of imageConfig.
type suffix struct {
	member, word string
	written      models.Picture
	known        bool // to the model that is asked, which need not be the one that was named
}

// set tells whether the member has the word now.
func (s *suffix) set(x *pipeline.Exchange) bool {
	config, _ := x.Call.GetIn("generationConfig", "imageConfig")
	if given, there := gemini.Find(config, s.member); there && wire.Given(given) {
		said, _ := wire.Text(given)
		return said == s.word
	}
	if !s.known || wire.Given(config) && wire.KindOf(config) != wire.KindObject {
		return false
	}
	x.Call.SetIn("generationConfig", "imageConfig", gemini.AppendWith(nil, config, s.member, wire.AppendQuoted(nil, s.word)))
	return true
}
