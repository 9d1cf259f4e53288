package gemini

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// Estimate guesses how many tokens Google would count for the prompt of a countTokens request, where
// Google cannot be asked (protocol 3.6). It counts contents, system instruction and tools; thoughts
// and signatures do not count. A text is worth a quarter of a token for a Latin character, half a
// one in other alphabets, one for a Chinese, Japanese or Korean character or a symbol, and at least
// one; calls, their answers and tools are worth what their JSON is as a text; a picture is worth 258
// for each of its tiles (see tiles), and any other file 258. The error is a bad_request for contents
// that Google would not read either.
func Estimate(c *Call) (tokens int64, fail *apierror.Error) {
	get := c.Get
	if whole, ok := c.Get("generateContentRequest"); ok {
		get = func(member string) ([]byte, bool) { return Find(whole, member) }
	}
	contents, _ := get("contents")
	system, _ := get("systemInstruction")
	tools, _ := get("tools")
	e := estimate{}
	if wire.Given(contents) && wire.KindOf(contents) != wire.KindArray {
		return 0, malformed("contents", "must be a list of turns")
	}
	for a, i := wire.ArrayOf(contents), 0; a.Next() && e.fail == nil; i++ {
		e.turn(a.Value, place{"contents", i, -1})
	}
	switch wire.KindOf(system) {
	case wire.KindString:
		e.text(system)
	case wire.KindNone, wire.KindNull:
	default:
		e.turn(system, place{"systemInstruction", -1, -1})
	}
	if wire.Given(tools) {
		e.text(tools)
	}
	return e.tokens, e.fail
}

// EstimateText guesses how many tokens one text is, a raw JSON string, by the rules of Estimate.
func EstimateText(raw []byte) int64 {
	var e estimate
	e.text(raw)
	return e.tokens
}

// estimate adds up.
type estimate struct {
	tokens int64
	fail   *apierror.Error
}

// place is where something stands, for the words of an error.
type place struct {
	member     string
	turn, part int // -1 for none
}

func (p place) String() string {
	s := p.member
	if p.turn >= 0 {
		s += "[" + strconv.Itoa(p.turn) + "]"
	}
	if p.part >= 0 {
		s += ".parts[" + strconv.Itoa(p.part) + "]"
	}
	return s
}

func malformed(name, why string) *apierror.Error {
	return apierror.Newf(apierror.BadRequest, "%q %s", name, why).Naming(name)
}

func (e *estimate) turn(v []byte, at place) {
	parts := wire.Get(v, "parts")
	switch {
	case wire.KindOf(v) != wire.KindObject:
		e.fail = malformed(at.String(), "must be an object with parts")
		return
	case wire.Given(parts) && wire.KindOf(parts) != wire.KindArray:
		e.fail = malformed(at.String()+".parts", "must be a list")
		return
	}
	for a := wire.ArrayOf(parts); a.Next() && e.fail == nil; {
		at.part++
		if wire.KindOf(a.Value) != wire.KindObject {
			e.fail = malformed(at.String(), "must be an object")
			return
		}
		e.part(a.Value, at)
	}
}

func (e *estimate) part(v []byte, at place) {
	p := PartOf(v)
	if wire.Given(p.Text) && wire.KindOf(p.Text) != wire.KindString {
		e.fail = malformed(at.String()+".text", "must be a string")
		return
	}
	if p.Thought {
		return
	}
	for _, raw := range [...][]byte{p.Text, p.Call, p.Code, p.CodeResult, p.ToolCall, p.ToolResponse} {
		if wire.Given(raw) {
			e.text(raw)
		}
	}
	for _, raw := range [...][]byte{p.InlineData, p.FileData} {
		if wire.Given(raw) {
			e.media(raw)
		}
	}
	if wire.Given(p.Response) {
		e.response(p.Response)
	}
}

// response is the answer of a function, which may have files beside its JSON.
func (e *estimate) response(v []byte) {
	quarters := int64(0)
	for o := wire.ObjectOf(v); o.Next(); {
		if string(o.Key) != "parts" {
			quarters += weigh(o.Key) + weigh(o.Value)
			continue
		}
		for a := wire.ArrayOf(o.Value); a.Next(); {
			p := PartOf(a.Value)
			for _, raw := range [...][]byte{p.InlineData, p.FileData} {
				if wire.Given(raw) {
					e.media(raw)
				}
			}
		}
	}
	e.add(quarters)
}

func (e *estimate) text(raw []byte) {
	if inner, ok := wire.Inner(raw); ok {
		raw = inner
	}
	e.add(weigh(raw))
}

func (e *estimate) add(quarters int64) { e.tokens += max((quarters+3)/4, 1) }

// media is inlineData or fileData.
func (e *estimate) media(v []byte) {
	var mime, data []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "mimeType", "mime_type":
			mime, _ = wire.Inner(o.Value)
		case "data":
			data, _ = wire.Inner(o.Value)
		}
	}
	if len(data) > 0 && bytes.HasPrefix(mime, []byte("text/")) {
		e.add(int64(len(data)) / 4 * 3) // base64 of bytes that are characters for the most part
		return
	}
	e.tokens += tileTokens * tiles(data)
}

// weigh is the worth of a text in quarters of a token: of a string without its quotes, or of JSON.
func weigh(s []byte) (quarters int64) {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c < utf8.RuneSelf && c != '\\':
			quarters++
			i++
		case c != '\\':
			r, n := utf8.DecodeRune(s[i:])
			quarters += worth(r)
			i += n
		case i+6 <= len(s) && s[i+1] == 'u':
			quarters += worth(hex4(s[i+2 : i+6]))
			i += 6
		default: // a short escape is one character
			quarters++
			i += 2
		}
	}
	return quarters
}

// worth is what a character counts, in quarters of a token.
func worth(r rune) int64 {
	switch {
	case r < 0x0370: // Latin
		return 1
	case r >= 0xDC00 && r <= 0xDFFF: // the second half of a character that was counted
		return 0
	case r < 0x2E80: // other alphabets, punctuation, arrows
		return 2
	}
	return 4
}

func hex4(digits []byte) (r rune) {
	for _, c := range digits {
		if c >= 'A' { // letters of either case
			c += 9
		}
		r = r<<4 | rune(c&15)
	}
	return r
}
