package gemini

import (
	"slices"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// Picture is what a request of another language says of the shape of the picture that it wants, in
// whichever of its places. What is in Google's words has to fit; what is in OpenAI's becomes the
// nearest that the model draws.
type Picture struct {
	shape   ratio    // of a size; zero when it says none
	pixels  bool     // the shape is in pixels, and so says how large as well
	step    string   // imageSize by a size in Google's words
	quality string   // imageSize by a quality
	ratio   explicit // in Google's own member
	size    explicit // in Google's own member

	sized, valued string // the names of the members size and quality, where they say something
}

// explicit is a word of Google's and the name of the member that has it.
type explicit struct{ word, at string }

// TakeSize reads OpenAI's size: auto, pixels as 1024x1024, a ratio as 16:9, or one of Google's sizes as
// 2K. name is what the client calls the member.
func (p *Picture) TakeSize(_ *Beside, v []byte, name string) *apierror.Error {
	word, _ := wire.Text(v)
	if word == "auto" {
		return nil
	}
	p.sized, p.shape, p.step = name, ratio{}, ""
	if p.step = sizeOf(word); p.step != "" {
		return nil
	}
	wide, high, ok := strings.Cut(word, "x")
	if p.pixels = ok; !ok {
		wide, high, _ = strings.Cut(word, ":")
	}
	if p.shape = (ratio{wide: number(wide), high: number(high)}); p.shape.wide == 0 || p.shape.high == 0 {
		return Refuse(name, "must be auto, width x height in pixels, as 1024x1024, a ratio, as 16:9, or 1K, 2K or 4K")
	}
	return nil
}

// TakeQuality reads OpenAI's quality, in which one of Google's sizes means something; b hears of other
// words. Any is taken: OpenAI's differ from model to model.
func (p *Picture) TakeQuality(b *Beside, v []byte, name string) *apierror.Error {
	word, ok := wire.Text(v)
	switch p.quality = sizeOf(word); {
	case !ok:
		return Refuse(name, "must be a string")
	case p.quality != "":
		p.valued = name
	case word != "auto" && word != "standard":
		b.Ignore(name)
	}
	return nil
}

// TakeRatio reads Google's aspect_ratio.
func (p *Picture) TakeRatio(_ *Beside, v []byte, name string) *apierror.Error {
	return p.ratio.take(v, name)
}

// TakeConfig reads Google's image_config in either spelling; b hears of members that go nowhere.
func (p *Picture) TakeConfig(b *Beside, v []byte, name string) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return Refuse(name, "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		var fail *apierror.Error
		switch {
		case wire.KindOf(o.Value) == wire.KindNull:
		case o.Is("aspect_ratio"), o.Is("aspectRatio"):
			fail = p.ratio.take(o.Value, name+".aspect_ratio")
		case o.Is("image_size"), o.Is("imageSize"):
			fail = p.size.take(o.Value, name+".image_size")
		default:
			b.Ignore(name + "." + wire.HeaderSafe(string(o.Key[:min(len(o.Key), 128)])))
		}
		if fail != nil {
			return fail
		}
	}
	return nil
}

// take keeps a word; which ones the model knows is seen when it goes up.
func (e *explicit) take(v []byte, name string) *apierror.Error {
	word, ok := wire.Text(v)
	if !ok || word == "" || len(word) > 16 {
		return Refuse(name, "must be one of Google's words, like 16:9 or 2K")
	}
	*e = explicit{word, name}
	return nil
}

// Append appends `"imageConfig":{...}` behind a comma where one is needed, or nothing. b hears of what
// could not be as it was asked for; a word of Google's that the model does not know is refused.
func (p *Picture) Append(dst []byte, t *Target, b *Beside) ([]byte, *apierror.Error) {
	if *p == (Picture{}) {
		return dst, nil
	}
	if fail := p.ratio.fits("ratio", t, t.Ratios()); fail != nil {
		return dst, fail
	}
	if fail := p.size.fits("size", t, t.Sizes()); fail != nil {
		return dst, fail
	}
	c := p.canvas(t, b)
	if c == (canvas{}) {
		return dst, nil
	}
	dst = append(wire.Key(dst, "imageConfig"), '{')
	if c.ratio != "" {
		dst = wire.AppendQuoted(wire.Key(dst, "aspectRatio"), c.ratio)
	}
	if c.size != "" {
		dst = wire.AppendQuoted(wire.Key(dst, "imageSize"), c.size)
	}
	return append(dst, '}'), nil
}

// fits refuses what the model is known not to have.
func (e *explicit) fits(what string, t *Target, has []string) *apierror.Error {
	switch {
	case e.word == "" || !t.Image || slices.Contains(has, e.word):
		return nil
	case len(has) == 0:
		return Refuse(e.at, "must be left out: this model draws in one "+what+" only")
	}
	return Refuse(e.at, "must be "+strings.Join(has, ", ")+" for this model")
}

// canvas is the shape of a picture as Google names it, "" for what the model is to choose.
type canvas struct{ ratio, size string }

// canvas finds the nearest of what the model draws. Google's own words come first, then a quality, then
// the size.
func (p *Picture) canvas(t *Target, b *Beside) canvas {
	c, fits := p.nearest(t)
	if p.ratio.word != "" {
		fits.ratio = c.ratio == "" || c.ratio == p.ratio.word
		c.ratio = p.ratio.word
	}
	sizes := t.Sizes()
	switch {
	case p.size.word != "":
		c.size, fits.size = p.size.word, true
	case p.quality != "" && slices.Contains(sizes, p.quality):
		c.size, fits.size = p.quality, true
	case p.quality != "":
		b.Ignore(p.valued)
	}
	switch {
	case fits.ratio && fits.size:
	case p.shape.wide > 0 && p.ratio.word == "":
		b.Ignore(p.sized + "=" + c.ratio)
	default:
		b.Ignore(p.sized)
	}
	return c
}

// fitting tells which parts of a size could be as they were asked for, as near as Google's steps are.
type fitting struct{ ratio, size bool }

// nearest is what comes nearest to the size.
func (p *Picture) nearest(t *Target) (c canvas, fits fitting) {
	fits = fitting{true, true}
	step := p.step
	if p.shape.wide > 0 {
		best := nearest(t.ratios(), p.shape)
		c.ratio, fits.ratio = best.name, misfit(best, p.shape) == 1
		if p.pixels {
			step = sizeFor(p.shape.wide * p.shape.high)
		}
	}
	switch sizes := t.Sizes(); {
	case step == "" || slices.Contains(sizes, step):
		c.size = step
	case len(sizes) == 0: // pictures of about a thousand pixels a side, whatever is asked
		fits.size = step == "1K"
	default:
		c.size, fits.size = sizes[0], false
	}
	return c, fits
}
