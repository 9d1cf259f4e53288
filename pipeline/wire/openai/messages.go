package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// The turns that Google needs and the client did not write.
const (
	obey     = "Please do as the instructions say." // after nothing but system messages
	resume   = "Continue."                          // after a last assistant message
	beginner = "(The conversation starts here.)"    // before a first assistant message
)

type role uint8

const (
	nobody role = iota
	system
	user
	model
)

// turns writes systemInstruction and contents.
type turns struct {
	dst  []byte
	open role // whose parts are being written; system stands for the instruction
}

// message is a message as it was written.
type message struct {
	at       int // its place in the list
	who      role
	content  []byte
	refusal  []byte
	named    bool
	refusing string // the member that cannot be honoured
}

// messages appends systemInstruction and contents. It reads the list in the body that it is a part
// of, because a cursor finds the ends of the messages while it reads them.
func (f *form) messages(dst, body []byte) ([]byte, *apierror.Error) {
	switch {
	case f.turns == nil:
		return dst, refuse("messages", "is missing")
	case wire.KindOf(f.turns) != wire.KindArray:
		return dst, refuse("messages", "must be a list")
	}
	t := turns{dst: dst}
	count := 0
	for c := wire.CursorOf(body); c.Member(); {
		if string(plainKey(c.Key)) != "messages" {
			c.Skip()
			continue
		}
		for in := c.Array(); in && c.Element(); count++ {
			m, err := readMessage(&c, count)
			if err != nil {
				return t.dst, err
			}
			if m.named && !f.named {
				f.named = true
				f.ignored("messages.name")
			}
			if err := t.add(&m); err != nil {
				return t.dst, err
			}
		}
		break
	}
	if t.open == nobody {
		why := "has no message with content"
		if count == 0 {
			why = "must not be empty"
		}
		return t.dst, refuse("messages", why)
	}
	return t.finish(), nil
}

func (t *turns) finish() []byte {
	switch t.open {
	case system:
		t.turn(user)
		t.dst = appendText(t.dst, obey)
	case model:
		t.turn(user)
		t.dst = appendText(t.dst, resume)
	}
	return append(t.dst, "]}]"...)
}

// add writes a message, or nothing when there is no content in it.
func (t *turns) add(m *message) *apierror.Error {
	mark, open := len(t.dst), t.open
	who := m.who
	if who == system && t.open > system { // the run at the head is over
		who = user
	}
	t.turn(who)
	solid, err := t.parts(m)
	if err == nil && !solid {
		t.dst, t.open = t.dst[:mark], open
	}
	return err
}

// turn makes sure that parts of this role may follow.
func (t *turns) turn(who role) {
	if t.open == who {
		return
	}
	switch {
	case who == system:
		t.dst = append(t.dst, `"systemInstruction":{"parts":[`...)
		t.open = system
		return
	case t.open == nobody:
		t.dst = append(t.dst, `"contents":[`...)
	case t.open == system:
		t.dst = append(t.dst, `]},"contents":[`...)
	default:
		t.dst = append(t.dst, `]},`...)
	}
	if who == model && t.open < user {
		t.dst = append(t.dst, `{"role":"user","parts":[`...)
		t.dst = append(appendText(t.dst, beginner), `]},`...)
	}
	if t.open = who; who == model {
		t.dst = append(t.dst, `{"role":"model","parts":[`...)
	} else {
		t.dst = append(t.dst, `{"role":"user","parts":[`...)
	}
}

// appendText appends a part with a text of ours.
func appendText(dst []byte, text string) []byte {
	dst = append(comma(dst), `{"text":`...)
	return append(wire.AppendQuoted(dst, text), '}')
}

func readMessage(c *wire.Cursor, at int) (message, *apierror.Error) {
	m := message{at: at}
	if c.Kind() != wire.KindObject {
		return m, refuse(m.path(), "must be an object")
	}
	var who []byte
	for in := c.Object(); in && c.Member(); {
		key, v := plainKey(c.Key), c.Value()
		switch string(key) {
		case "role":
			who = v
		case "content":
			m.content = v
		case "refusal":
			m.refusal = v
		case "name":
			m.named = wire.KindOf(v) != wire.KindNull
		case "tool_calls":
			m.refuse("tool_calls", v)
		case "function_call":
			m.refuse("function_call", v)
		case "audio":
			m.refuse("audio", v)
		}
	}
	if err := m.setRole(who); err != nil {
		return m, err
	}
	if m.refusing != "" {
		return m, refuse(m.path()+"."+m.refusing, "is not supported yet")
	}
	return m, nil
}

func (m *message) refuse(name string, v []byte) {
	if filled(v) {
		m.refusing = name
	}
}

// path names the message in an error.
func (m *message) path() string { return "messages[" + strconv.Itoa(m.at) + "]" }

func (m *message) setRole(v []byte) *apierror.Error {
	var scratch [16]byte // no role is longer, and an escaped one is still read
	switch string(wire.AppendText(scratch[:0], v)) {
	case "user":
		m.who = user
	case "assistant":
		m.who = model
	case "system", "developer":
		m.who = system
	case "tool", "function":
		return refuse(m.path()+".role", "is tool or function: tools are not supported yet")
	default:
		if kind := wire.KindOf(v); kind == wire.KindNone || kind == wire.KindNull {
			return refuse(m.path()+".role", "is missing")
		}
		return refuse(m.path()+".role", "must be system, developer, user or assistant")
	}
	return nil
}
