package gemini

import "gcli2api/pipeline/wire"

// Glance is what the stages want to know of an event, read in one pass without allocation. Slices
// are parts of the event.
type Glance struct {
	Finish        []byte // finishReason of the first candidate that has one, without quotes
	FinishMessage []byte // raw JSON string
	Text          bool   // a text part that is neither empty nor a thought
	Thought       bool   // a thought part, whatever it holds
	Call          bool   // functionCall
	Data          bool   // inlineData, fileData, executableCode, codeExecutionResult, toolCall, toolResponse
	Parts         int
	Candidates    int
	Blocked       []byte // promptFeedback.blockReason without quotes
	Usage         Usage
	HasUsage      bool
	Error         []byte // the raw value of a top-level "error": give the whole event to ParseError
	ResponseID    []byte // without quotes
	ModelVersion  []byte // without quotes
}

// Useful reports whether the event says something to the client: not only thoughts, empty texts,
// usage or an end.
func (g *Glance) Useful() bool { return g.Text || g.Call || g.Data || g.Blocked != nil }

// Look reads an event or whole reply of the hub format. Whatever is missing or of another type is
// passed over; a broken event gives what stands before the break. Of an array, which is how errors
// come in the middle of a stream, the first element counts.
func Look(data []byte) Glance {
	var g Glance
	if wire.KindOf(data) == wire.KindArray {
		a := wire.ArrayOf(data)
		a.Next()
		data = a.Value
	}
	for c := wire.CursorOf(data); c.Member(); {
		switch string(c.Key) {
		case "candidates":
			for in := c.Array(); in && c.Element(); {
				g.Candidates++
				g.candidate(&c)
			}
		case "usageMetadata":
			if c.Object() {
				g.Usage = usage(&c)
				g.HasUsage = !c.Broken()
			}
		case "promptFeedback":
			g.Blocked = inner(wire.Get(c.Value(), "blockReason"))
		case "error":
			if c.Kind() == wire.KindNull {
				c.Skip()
			} else {
				g.Error = c.Value()
			}
		case "responseId":
			g.ResponseID = inner(c.Value())
		case "modelVersion":
			g.ModelVersion = inner(c.Value())
		default:
			c.Skip()
		}
	}
	return g
}

func (g *Glance) candidate(c *wire.Cursor) {
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "content":
			for in := c.Object(); in && IntoParts(c); {
				for c.Element() {
					g.Parts++
					g.part(c)
				}
			}
		case "finishReason":
			if v := inner(c.Value()); g.Finish == nil {
				g.Finish = v
			}
		case "finishMessage":
			if v := c.Value(); g.FinishMessage == nil && wire.KindOf(v) == wire.KindString {
				g.FinishMessage = v
			}
		default:
			c.Skip()
		}
	}
}

func (g *Glance) part(c *wire.Cursor) {
	p := part(c)
	switch {
	case p.Thought: // drafts and summaries are no answer
		g.Thought = true
	default:
		g.Text = g.Text || p.hasText()
		g.Data = g.Data || p.hasData()
	}
	g.Call = g.Call || p.Call != nil
}

// Usage is usageMetadata. Its values are cumulative over a stream: Merge, never add.
type Usage struct {
	Prompt     int64 // promptTokenCount: all input, cached included
	Cached     int64 // cachedContentTokenCount
	Candidates int64 // candidatesTokenCount: visible output, without thoughts
	Thoughts   int64 // thoughtsTokenCount
	ToolUse    int64 // toolUsePromptTokenCount: input that built-in tools brought in
	Total      int64 // totalTokenCount
}

// Merge takes over every field that v has; the last event wins field by field.
func (u *Usage) Merge(v Usage) {
	for _, f := range [...]struct {
		to   *int64
		from int64
	}{
		{&u.Prompt, v.Prompt}, {&u.Cached, v.Cached}, {&u.Candidates, v.Candidates},
		{&u.Thoughts, v.Thoughts}, {&u.ToolUse, v.ToolUse}, {&u.Total, v.Total},
	} {
		if f.from != 0 {
			*f.to = f.from
		}
	}
}

// UsageOf reads the raw value of usageMetadata.
func UsageOf(v []byte) Usage {
	c := wire.CursorOf(v)
	return usage(&c)
}

// usage reads the members of the object that is open.
func usage(c *wire.Cursor) Usage {
	var u Usage
	for c.Member() {
		switch string(c.Key) {
		case "promptTokenCount":
			u.Prompt = count(c.Value())
		case "cachedContentTokenCount":
			u.Cached = count(c.Value())
		case "candidatesTokenCount":
			u.Candidates = count(c.Value())
		case "thoughtsTokenCount":
			u.Thoughts = count(c.Value())
		case "toolUsePromptTokenCount":
			u.ToolUse = count(c.Value())
		case "totalTokenCount":
			u.Total = count(c.Value())
		default:
			c.Skip()
		}
	}
	return u
}

// count reads a token count; proto-JSON may write it as a string. Nonsense counts as nothing.
func count(v []byte) int64 {
	if s, ok := wire.Inner(v); ok {
		v = s
	}
	n, ok := wire.Int(v)
	if !ok || n < 0 {
		return 0
	}
	return n
}
