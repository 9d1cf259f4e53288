package quota

import (
	"bytes"
	"math"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/store/apikey"
)

// tokens estimates what goes up, and says what may come back at most.
func (s *stage) tokens(x *pipeline.Exchange, m models.Model, o order) (apikey.Tokens, *apierror.Error) {
	body, fail := x.In.Body()
	if fail != nil {
		return apikey.Tokens{}, fail
	}
	t := apikey.Tokens{Input: estimate(body)}
	if x.In.Route.Verb != pipeline.Embed {
		t.Output = s.output(m.Base)
		if o.most > 0 {
			t.Output = min(t.Output, o.most)
		}
	}
	t.Input, t.Output = many(t.Input, o.answers), many(t.Output, o.answers)
	return t, nil
}

func many(a, b int64) int64 {
	if a > 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}

// output is how many tokens the model writes at most.
func (s *stage) output(base string) int64 {
	if e, ok := s.catalogue.Lookup(base); ok && e.Output > 0 {
		return int64(e.Output)
	}
	return models.DefaultOutput
}

const (
	perToken   = 4    // bytes of text
	fileTokens = 1100 // of a picture, or of another file that is in the body
	step       = 2048 // between two looks for files; a shorter one is counted as text
	glance     = 64   // bytes of a look: in a text there is a space among them
)

// estimate guesses how many tokens a body is, without reading more of it than it must: text by its length,
// and long strings of base64 as a picture each. What it really was is known when the answer is there.
func estimate(body []byte) int64 {
	text, files := int64(len(body)), int64(0)
	for at := step; at+glance <= len(body); at += step {
		if !encoded(body[at : at+glance]) {
			continue
		}
		from := bytes.LastIndexByte(body[at-step:at], '"') + at - step + 1
		until := bytes.IndexByte(body[at:], '"')
		if until < 0 {
			break
		}
		if until += at; isFile(body[from:until]) {
			text -= int64(until - from)
			files += min(fileTokens, int64(until-from)/perToken)
		}
		at = until // whatever it is, once is enough
	}
	return (max(text, 0)+perToken-1)/perToken + files
}

// isFile looks into a string at a few places.
func isFile(s []byte) bool {
	const places = 8
	if len(s) < step {
		return false
	}
	for i := range places {
		at := glance*2 + (len(s)-glance*3)*i/places // behind the head of a data URL
		if !encoded(s[at : at+glance]) {
			return false
		}
	}
	return true
}

// encoded tells what may be base64, of either alphabet, also with its slashes escaped.
func encoded(s []byte) bool {
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '+', c == '/', c == '-', c == '_', c == '=', c == '\\':
		default:
			return false
		}
	}
	return true
}
