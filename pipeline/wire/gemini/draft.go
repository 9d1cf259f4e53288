package gemini

import "gcli2api/pipeline/wire"

// The turns that Google needs and the client did not write.
const (
	obey     = "Please do as the instructions say." // after nothing but system messages
	resume   = "Please go on from exactly where you stopped, without repeating anything."
	beginner = "(The conversation starts here.)" // before a first turn of the model
)

// Role is whose turn it is.
type Role uint8

// The roles. System is the instruction in front of the turns.
const (
	Nobody Role = iota
	System
	User
	TheModel
)

// Draft writes systemInstruction and contents of a request, turn by turn, by Google's rules for them
// (protocol 3.4), which are the same whatever language the client speaks: turns of one role are
// joined; a dialogue begins with the user; a turn with calls is followed by one with as many results,
// in the order of the calls, before anything else.
//
// Texts are given as the insides of JSON strings, escapes as written. From a last turn of the model
// Google goes on; the third generation refuses one, and is asked to go on in a turn of its own.
type Draft struct {
	B      []byte                             // the request so far; it must begin with a bracket
	Tools  *Tools                             // never nil where calls are written
	Recall func(id []byte) (Remembered, bool) // what is remembered of a call; may be nil
	Signs  bool                               // Target.Signs

	open    Role
	signed  bool // the first call of the step was written
	calls   []pending
	next    int    // every call before this one has its result
	results []byte // of the calls, as they came
	pics    []byte // what belongs to the results and is no part of them
	lost    *Unanswered
}

// pending is a call that waits for its result.
type pending struct {
	id       string // the client's
	google   string // Google's own
	name     string
	at       int
	from, to int // the response among the results; to is 0 while there is none
}

// Unanswered is a call without a result.
type Unanswered struct {
	At int    // as in Invocation
	ID string // the client's
}

// Invocation is a call that the model made.
type Invocation struct {
	ID        []byte // the client's, decoded
	Name      []byte // the client's, decoded
	Google    string // Tools.GoogleOf, where the name alone does not tell the function
	Args      []byte // raw JSON object
	Signature []byte // inside of a string: carried by the client itself
	At        int    // the place of its message, for the error when it has no result
}

// Point is a place in a draft to come back to.
type Point struct {
	size int
	open Role
}

// Point is the present place. Only texts and pictures can be taken back, not calls and results.
func (d *Draft) Point() Point { return Point{len(d.B), d.open} }

// Back takes back what was written since.
func (d *Draft) Back(p Point) { d.B, d.open = d.B[:p.size], p.open }

// Role is whose parts are being written.
func (d *Draft) Role() Role { return d.open }

// Turn makes sure that parts of this role may follow. A system part behind the first turn counts as
// the user's. The result is a call that has none.
func (d *Draft) Turn(who Role) *Unanswered {
	if who == System && d.open > System {
		who = User
	}
	if d.open == who {
		return d.lost
	}
	if who == TheModel {
		d.settle()
	}
	d.head(who)
	return d.lost
}

// head closes the open turn and opens one.
func (d *Draft) head(who Role) {
	switch {
	case who == System:
		d.B = append(wire.Comma(d.B), `"systemInstruction":{"parts":[`...)
		d.open = System
		return
	case d.open == Nobody:
		d.B = append(wire.Comma(d.B), `"contents":[`...)
	case d.open == System:
		d.B = append(d.B, `]},"contents":[`...)
	default:
		d.B = append(d.B, `]},`...)
	}
	if who == TheModel && d.open < User {
		d.B = append(d.B, `{"role":"user","parts":[`...)
		d.B = append(appendPlain(d.B, beginner), `]},`...)
	}
	if d.open = who; who == TheModel {
		d.signed = false
		d.B = append(d.B, `{"role":"model","parts":[`...)
	} else {
		d.B = append(d.B, `{"role":"user","parts":[`...)
	}
}

// Text writes a text part, or nothing when it is empty: Google refuses those.
func (d *Draft) Text(inner []byte) {
	if len(inner) > 0 {
		d.part()
		d.B = append(append(append(wire.Comma(d.B), `{"text":"`...), inner...), `"}`...)
	}
}

// Say writes a text of ours.
func (d *Draft) Say(text string) {
	d.part()
	d.B = appendPlain(d.B, text)
}

// Blob opens an inlineData part: the caller appends the base64 to B, and then calls EndBlob.
func (d *Draft) Blob(mime []byte) {
	d.part()
	d.B = append(append(wire.Comma(d.B), `{"inlineData":{"mimeType":"`...), mime...)
	d.B = append(d.B, `","data":"`...)
}

// Sign puts a signature, the inside of a string, on the text that was written last.
func (d *Draft) Sign(inner []byte) {
	if n := len(d.B) - 1; len(inner) > 0 && d.B[n] == '}' {
		d.B = append(append(append(d.B[:n], `,"thoughtSignature":"`...), inner...), `"}`...)
	}
}

// EndBlob closes what Blob opened.
func (d *Draft) EndBlob() { d.B = append(d.B, `"}}`...) }

// Remote writes a part for a picture that is fetched before the call: the stage translate puts the
// data in its place (Remotes). inner is the address, as it stands between quotes.
func (d *Draft) Remote(inner []byte) {
	d.part()
	d.B = append(append(append(wire.Comma(d.B), `{"fileData":{"fileUri":"`...), inner...), `"}}`...)
}

// part is called before each part that is no result: results come first in their turn.
func (d *Draft) part() {
	if d.open == User {
		d.settle()
	}
}

// Call writes a call of the model, in whose turn the draft must be.
func (d *Draft) Call(c Invocation) {
	p := pending{id: string(c.ID), name: c.Google, at: c.At}
	if p.name == "" {
		p.name = d.Tools.Google(string(c.Name))
	}
	var known Remembered
	if d.Recall != nil {
		known, _ = d.Recall(c.ID)
	}
	p.google = known.ID
	if len(known.Before) > 0 {
		d.B = append(wire.Comma(d.B), known.Before...)
	}
	d.B = append(wire.Comma(d.B), `{"functionCall":{`...)
	if p.google != "" {
		d.B = append(wire.AppendQuoted(append(d.B, `"id":`...), p.google), ',')
	}
	d.B = wire.AppendQuoted(append(d.B, `"name":`...), p.name)
	if d.B = append(d.B, `,"args":`...); wire.KindOf(c.Args) == wire.KindObject {
		d.B = append(d.B, c.Args...)
	} else {
		d.B = append(d.B, "{}"...)
	}
	d.B = append(d.B, '}')
	d.sign(&c, &known)
	d.B = append(d.B, '}')
	d.calls = append(d.calls, p)
}

// sign writes the signature behind the call: what is remembered, what the client brought, or the
// sentinel where there must be one.
func (d *Draft) sign(c *Invocation, known *Remembered) {
	first := !d.signed
	d.signed = true
	sign := string(c.Signature)
	if known.Signature != "" {
		sign = known.Signature
		d.Tools.Signed = append(d.Tools.Signed, Signed{Signature: sign, Kind: known.Kind})
	}
	if sign == "" && first && d.Signs {
		sign = Sentinel
	}
	if sign != "" {
		d.B = append(append(append(d.B, `,"thoughtSignature":"`...), sign...), '"')
	}
}

// Result takes the result of a call: response is a raw JSON object. False when no call before the
// last turn of the user has this id and waits.
func (d *Draft) Result(id, response []byte) bool {
	return d.answer(response, func(p *pending) bool { return p.id == string(id) })
}

// ResultOf is Result for clients that name the function instead of the call.
func (d *Draft) ResultOf(name, response []byte) bool {
	google := d.Tools.Google(string(name))
	return d.answer(response, func(p *pending) bool { return p.name == google })
}

// mostAhead is how far out of order a result may come: a hostile history must not cost its square.
const mostAhead = 1024

func (d *Draft) answer(response []byte, is func(*pending) bool) bool {
	for d.next < len(d.calls) && d.calls[d.next].to > 0 {
		d.next++
	}
	for i := d.next; i < min(len(d.calls), d.next+mostAhead); i++ {
		if p := &d.calls[i]; p.to == 0 && is(p) {
			p.from = len(d.results)
			d.results = append(d.results, response...)
			p.to = len(d.results)
			return true
		}
	}
	return false
}

// Attach takes a part (raw JSON) that belongs to a result and cannot stand in it: it follows behind
// all results.
func (d *Draft) Attach(part []byte) {
	if len(d.pics) > 0 {
		d.pics = append(d.pics, ',')
	}
	d.pics = append(d.pics, part...)
}

// settle writes the results of the calls of the turn before, in their order.
func (d *Draft) settle() {
	if len(d.calls) == 0 {
		return
	}
	for i := range d.calls {
		if p := &d.calls[i]; p.to == 0 {
			if d.lost == nil {
				d.lost = &Unanswered{At: p.at, ID: p.id}
			}
			d.calls, d.next = d.calls[:0], 0
			return
		}
	}
	if d.open == TheModel {
		d.head(User)
	}
	for i := range d.calls {
		p := &d.calls[i]
		d.B = append(wire.Comma(d.B), `{"functionResponse":{`...)
		if p.google != "" {
			d.B = append(wire.AppendQuoted(append(d.B, `"id":`...), p.google), ',')
		}
		d.B = wire.AppendQuoted(append(d.B, `"name":`...), p.name)
		d.B = append(append(d.B, `,"response":`...), d.results[p.from:p.to]...)
		d.B = append(d.B, "}}"...)
	}
	if len(d.pics) > 0 {
		d.B = append(wire.Comma(d.B), d.pics...)
	}
	d.calls, d.next, d.results, d.pics = d.calls[:0], 0, d.results[:0], d.pics[:0]
}

// Finish closes the contents. The result is a call that has none.
func (d *Draft) Finish() *Unanswered {
	if d.settle(); d.open == System {
		d.head(User)
		d.B = appendPlain(d.B, obey)
	}
	if d.open == TheModel && d.Signs {
		d.head(User)
		d.B = appendPlain(d.B, resume)
	}
	if d.open != Nobody {
		d.B = append(d.B, "]}]"...)
	}
	return d.lost
}

// appendPlain appends a part with a text of ours.
func appendPlain(dst []byte, text string) []byte {
	dst = append(wire.Comma(dst), `{"text":`...)
	return append(wire.AppendQuoted(dst, text), '}')
}

// mostAround is more brackets than stand around what a draft copies.
const mostAround = 16

// AppendResponse appends the object that a function's result becomes: a text that is a JSON object
// is that object, anything else is wrapped. inner is the inside of a string.
func AppendResponse(dst, inner []byte, failed bool) []byte {
	if failed {
		return append(append(append(dst, `{"error":"`...), inner...), `"}`...)
	}
	if at := space(inner); at < len(inner) && (inner[at] == '{' || inner[at] == '[') {
		text := wire.AppendText(make([]byte, 0, len(inner)), append(append([]byte{'"'}, inner...), '"'))
		if wire.CheckUnder(text, mostAround) == nil && wire.NotText(text) < 0 {
			if wire.KindOf(text) == wire.KindObject {
				return append(dst, text...)
			}
			return append(append(append(dst, `{"result":`...), text...), '}')
		}
	}
	return append(append(append(dst, `{"result":"`...), inner...), `"}`...)
}

// space is how many bytes of white space the inside of a string begins with, written in whichever way.
func space(inner []byte) int {
	i := 0
	for i < len(inner) {
		switch {
		case inner[i] == ' ':
			i++
		case inner[i] == '\\' && i+1 < len(inner) && (inner[i+1] == 'n' || inner[i+1] == 'r' || inner[i+1] == 't'):
			i += 2
		default:
			return i
		}
	}
	return i
}
