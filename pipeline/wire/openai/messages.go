package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// author is who a message is of.
type author uint8

const (
	system author = iota + 1
	user
	assistant
	tool     // the result of a call, by the call's id
	function // the same, by the name of the function
)

// role is whose turn at Google the message belongs to.
func (a author) role() gemini.Role {
	switch a {
	case system:
		return gemini.System
	case assistant:
		return gemini.TheModel
	}
	return gemini.User
}

// turns writes systemInstruction and contents.
type turns struct {
	gemini.Draft
	form    *form
	blank   [][]byte // texts of white space, which are written when something follows them
	scratch []byte
	room    [wire.MaxDataHead]byte // for the heads of data URLs
	named   bool                   // a name was reported as ignored
}

// message is a message as it was written; members that are absent or null are nil.
type message struct {
	at        int // its place in the list
	who       author
	content   []byte
	refusal   []byte
	name      []byte
	calls     []byte // tool_calls
	legacy    []byte // function_call
	callID    []byte
	images    []byte
	audio     []byte
	signature []byte // extra_content.google.thought_signature
	begun     bool   // a part of it was written
}

// messages appends systemInstruction and contents. It reads the list in the body that it is a part
// of, because a cursor finds the ends of the messages while it reads them.
func (f *form) messages(dst, body []byte, o *gemini.Target) ([]byte, *apierror.Error) {
	switch {
	case f.turns == nil:
		return dst, refuse("messages", "is missing")
	case wire.KindOf(f.turns) != wire.KindArray:
		return dst, refuse("messages", "must be a list")
	}
	t := turns{Draft: gemini.Draft{B: dst, Recall: o.Recall, Signs: o.Signs(), Tools: f.Tools}, form: f}
	if f.json && o.FormatInWords(f.functions > 0) {
		f.told = true
		f.ignored("response_format")
		t.TellFormat(f.schema)
	}
	start, count := len(t.B), 0
	for c := wire.CursorOf(body); c.Member(); {
		if string(wire.PlainKey(c.Key)) != "messages" {
			c.Skip()
			continue
		}
		for in := c.Array(); in && c.Element(); count++ {
			m, err := readMessage(&c, count)
			if err == nil {
				err = t.add(&m)
			}
			if err != nil {
				return t.B, err
			}
		}
		break
	}
	if len(t.B) == start && len(t.blank) == 0 || t.Role() == gemini.Nobody {
		why := "has no message with content"
		if count == 0 {
			why = "must not be empty"
		}
		return t.B, refuse("messages", why)
	}
	err := unanswered(t.Finish())
	return t.B, err
}

// unanswered is the error for a call that has no result, nil when there is none.
func unanswered(lost *gemini.Unanswered) *apierror.Error {
	if lost == nil {
		return nil
	}
	call := "a call"
	if id := printable(lost.ID); id != "" {
		call = `the call "` + id + `"`
	}
	name := ".tool_calls"
	if lost.ID == "" {
		name = ".function_call"
	}
	return refuse(path(lost.At)+name, "has "+call+" without a result: a tool message for each call must follow")
}

// add writes a message, or nothing when there is no content in it.
func (t *turns) add(m *message) *apierror.Error {
	if m.name != nil && m.who != tool && m.who != function && !t.named {
		t.named = true
		t.form.ignored("messages.name")
	}
	if m.who == tool || m.who == function {
		return t.result(m)
	}
	if err := t.content(m); err != nil {
		return err
	}
	if m.images != nil && m.who == assistant {
		if err := t.images(m); err != nil {
			return err
		}
	}
	return t.calls(m)
}

func readMessage(c *wire.Cursor, at int) (message, *apierror.Error) {
	m := message{at: at}
	if c.Kind() != wire.KindObject {
		return m, refuse(m.path(), "must be an object")
	}
	var who, extra []byte
	for in := c.Object(); in && c.Member(); {
		key, v := wire.PlainKey(c.Key), c.Value()
		if wire.KindOf(v) == wire.KindNull {
			v = nil
		}
		switch string(key) {
		case "role":
			who = v
		case "content":
			m.content = v
		case "refusal":
			m.refusal = v
		case "name":
			m.name = v
		case "tool_calls":
			m.calls = v
		case "function_call":
			m.legacy = v
		case "tool_call_id":
			m.callID = v
		case "images":
			m.images = v
		case "audio":
			m.audio = v
		case "extra_content":
			extra = v
		}
	}
	if err := m.setRole(who); err != nil {
		return m, err
	}
	return m, m.check(extra)
}

// check refuses what the message cannot have.
func (m *message) check(extra []byte) (err *apierror.Error) {
	if m.audio != nil {
		return refuse(m.path()+".audio", "is not supported: the sound was kept at OpenAI")
	}
	if m.who != assistant {
		switch {
		case wire.Filled(m.calls):
			return refuse(m.path()+".tool_calls", "must be in an assistant message")
		case m.legacy != nil:
			return refuse(m.path()+".function_call", "must be in an assistant message")
		}
		return nil
	}
	m.signature, err = signature(extra, place{list: "messages", at: m.at})
	return err
}

// signature is the inside of extra_content.google.thought_signature, where Google's own OpenAI layer
// and this one put it.
func signature(extra []byte, at place) ([]byte, *apierror.Error) {
	if extra == nil {
		return nil, nil
	}
	sign := pick1(pick1(extra, "google"), "thought_signature")
	if sign == nil {
		return nil, nil
	}
	inner, ok := wire.Inside(sign)
	if !ok {
		return nil, at.refuse(".extra_content.google.thought_signature", "must be a string")
	}
	return inner, nil
}

// path names the message in an error.
func (m *message) path() string { return path(m.at) }

func path(at int) string { return "messages[" + strconv.Itoa(at) + "]" }

func (m *message) setRole(v []byte) *apierror.Error {
	var scratch [16]byte // no role is longer, and an escaped one is still read
	switch string(wire.AppendText(scratch[:0], v)) {
	case "user":
		m.who = user
	case "assistant":
		m.who = assistant
	case "system", "developer":
		m.who = system
	case "tool":
		m.who = tool
	case "function":
		m.who = function
	default:
		if v == nil {
			return refuse(m.path()+".role", "is missing")
		}
		return refuse(m.path()+".role", "must be developer, system, user, assistant, tool or function")
	}
	return nil
}
