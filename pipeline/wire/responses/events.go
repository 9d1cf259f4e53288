package responses

import (
	"strconv"

	"gcli2api/pipeline/wire/gemini"
)

// begin appends the events that open every stream.
func (e *encoder) begin(dst []byte) []byte {
	if e.begun {
		return dst
	}
	e.begun = true
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		dst = append(e.event(dst, name), `,"response":`...)
		dst = append(e.object(dst, "in_progress"), "}\n\n"...)
	}
	return dst
}

// event opens an event; the caller appends its other members, a closing bracket and an empty line.
func (e *encoder) event(dst []byte, name string) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(append(dst, "\ndata: {\"type\":\""...), name...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, e.seq, 10)
	e.seq++
	return dst
}

// about opens an event about the open item.
func (e *encoder) about(dst []byte, name string) []byte {
	dst = append(append(e.event(dst, name), `,"item_id":"`...), e.id...)
	return strconv.AppendInt(append(dst, `","output_index":`...), int64(e.items), 10)
}

// tell appends an event about the open item that says nothing more.
func (e *encoder) tell(dst []byte, name string) []byte {
	if !e.o.Stream {
		return dst
	}
	return append(e.about(dst, name), "}\n\n"...)
}

// added appends the event that opens an item.
func (e *encoder) added(dst, item []byte) []byte {
	return e.whole(dst, "response.output_item.added", item)
}

func (e *encoder) whole(dst []byte, name string, item []byte) []byte {
	if !e.o.Stream {
		return dst
	}
	dst = strconv.AppendInt(append(e.event(dst, name), `,"output_index":`...), int64(e.items), 10)
	return append(append(append(dst, `,"item":`...), item...), "}\n\n"...)
}

// done puts the open item, from here on complete, to the others.
func (e *encoder) done(dst, item []byte) []byte {
	dst = e.whole(dst, "response.output_item.done", item)
	if e.items > 0 {
		e.output = append(e.output, ',')
	}
	e.output = append(e.output, item...)
	e.items++
	e.open = nothing
	return dst
}

// piece appends an event about the open item with one string: a member called name, given as the
// inside of it. where is what stands before it, with a comma in front.
type piece struct{ event, where, name string }

func (e *encoder) piece(dst []byte, p piece, inner []byte) []byte {
	if !e.o.Stream {
		return dst
	}
	dst = append(e.about(dst, p.event), p.where...)
	dst = append(append(append(dst, `,"`...), p.name...), `":"`...)
	return append(append(dst, inner...), "\"}\n\n"...)
}

// part appends an event about the open item with a part of it.
func (e *encoder) part(dst []byte, name, where string, part []byte) []byte {
	if !e.o.Stream {
		return dst
	}
	dst = append(append(e.about(dst, name), where...), `,"part":`...)
	return append(append(dst, part...), "}\n\n"...)
}

// start gives the item that opens its id.
func (e *encoder) start(kind openKind, prefix string) {
	e.open, e.text, e.sign = kind, e.text[:0], e.sign[:0]
	e.id = e.appendID(append(e.id[:0], prefix...))
}

// appendID appends the digits of an id that no other answer has.
func (e *encoder) appendID(dst []byte) []byte {
	e.nth++
	return gemini.AppendID(dst, e.seed, e.nth, 32)
}
