package openai

import "gcli2api/pipeline/wire"

// candidate is what one says, by kind; its slices are parts of the event.
type candidate struct {
	index  int
	finish []byte
	parts  []part
	beside *beside // behind a pointer, or what reads it would drive the parts from the stack
}

// beside is what stands beside the parts, raw; nil when absent.
type beside struct {
	sign      []byte // thoughtSignature of a text
	grounding []byte // groundingMetadata
	citations []byte // citationMetadata
	logprobs  []byte // logprobsResult
}

type part struct {
	kind  kind
	place int32  // in Google's list
	from  int32  // bytes of text before it
	value []byte // inside of a text, or the raw object
	sign  []byte // thoughtSignature
}

type kind uint8

const (
	text kind = iota
	thought
	blob
	code
	result
	call
	picture // a blob that stands beside the content
)

// read takes the candidate apart that the cursor stands on. out has its place and room for its parts.
func read(c *wire.Cursor, out candidate) candidate {
	b := out.beside
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "index":
			if n, ok := wire.Int(c.Value()); ok && n >= 0 && n < mostChoices {
				out.index = int(n)
			}
		case "finishReason":
			out.finish, _ = wire.Inside(c.Value())
		case "content":
			for in := c.Object(); in && c.Member(); {
				if string(c.Key) != "parts" {
					c.Skip()
					continue
				}
				out.parts, b.sign = readParts(c, out.parts)
			}
		case "groundingMetadata":
			b.grounding = c.Value()
		case "citationMetadata":
			b.citations = c.Value()
		case "logprobsResult":
			b.logprobs = c.Value()
		default:
			c.Skip()
		}
	}
	out.index = min(out.index, mostChoices-1)
	return out
}

// readParts reads a list of parts, and the signature of the last text that has one. It takes and gives
// slices, because what is stored behind a pointer would not stay on the stack.
func readParts(c *wire.Cursor, list []part) (parts []part, sign []byte) {
	place := int32(0)
	for in := c.Array(); in && c.Element(); place++ {
		p, ok := readPart(c)
		if p.place = place; p.kind <= thought && wire.KindOf(p.sign) == wire.KindString {
			sign = p.sign
		}
		if ok {
			list = append(list, p)
		}
	}
	return list, sign
}

// readPart tells with false that there is nothing in the part for a client.
func readPart(c *wire.Cursor) (p part, ok bool) {
	hidden, ofServer := false, false
	for in := c.Object(); in && c.Member(); {
		kind := text
		switch string(c.Key) {
		case "text":
			if ok && p.kind != text { // an empty text beside a call does not hide it
				c.Skip()
				continue
			}
		case "inlineData":
			kind = blob
		case "executableCode":
			kind = code
		case "codeExecutionResult":
			kind = result
		case "functionCall":
			kind = call
		case "thought":
			hidden, _ = wire.Bool(c.Value())
			continue
		case "thoughtSignature":
			p.sign = c.Value()
			continue
		case "toolCall", "toolResponse": // its signature belongs to no text, and the client cannot carry either
			c.Skip()
			ofServer = true
			continue
		default:
			c.Skip()
			continue
		}
		p.kind, p.value, ok = kind, c.Value(), true
	}
	if ofServer {
		return part{}, false
	}
	if p.kind == text {
		p.value, ok = wire.Inside(p.value)
		if hidden {
			p.kind = thought
		}
		return p, ok && len(p.value) > 0
	}
	// Drafts of pictures are no part of the answer, and too large for a thought.
	return p, ok && (!hidden || p.kind == call)
}

// has tells whether a part of these kinds is there.
func (c *candidate) has(from, to kind) bool {
	for i := range c.parts {
		if k := c.parts[i].kind; k >= from && k <= to {
			return true
		}
	}
	return false
}

// speaks tells whether there is content to show.
func (c *candidate) speaks() bool { return c.has(text, text) || c.has(blob, result) }
