package gemini

import "gcli2api/pipeline/wire"

// Inlined is a file in an answer: the insides of strings.
type Inlined struct{ MIME, Data []byte }

// InlinedOf reads a raw inlineData.
func InlinedOf(v []byte) (f Inlined) {
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "mimeType":
			f.MIME, _ = wire.Inside(o.Value)
		case "data":
			f.Data, _ = wire.Inside(o.Value)
		}
	}
	return f
}

// Picture tells whether the file is one; without a type, or with a very short one, it is taken for one.
func (f Inlined) Picture() bool { return len(f.MIME) < 6 || string(f.MIME[:6]) == "image/" }

// AppendURL appends a data URL, inside of a string.
func (f Inlined) AppendURL(dst []byte) []byte {
	dst = append(append(append(dst, "data:"...), f.MIME...), ";base64,"...)
	return append(dst, f.Data...)
}

// AppendMarkdown appends the file as Markdown, inside of a string: a picture, or a link.
func (f Inlined) AppendMarkdown(dst []byte) []byte {
	if f.Picture() {
		dst = append(dst, "![image]("...)
	} else {
		dst = append(dst, "[file]("...)
	}
	return append(f.AppendURL(dst), ')')
}

// fence is a line of three backquotes; line ends are escaped, being inside a string.
const fence = "```"

// AppendCode appends a raw executableCode as a fenced block, inside of a string.
func AppendCode(dst, v []byte) []byte {
	var language, body []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "language":
			language, _ = wire.Inside(o.Value)
		case "code":
			body, _ = wire.Inside(o.Value)
		}
	}
	dst = append(dst, `\n`+fence...)
	if string(language) != "LANGUAGE_UNSPECIFIED" {
		dst = appendLower(dst, language)
	}
	return append(append(append(dst, `\n`...), body...), `\n`+fence+`\n`...)
}

// AppendCodeResult appends a raw codeExecutionResult as a fenced block, inside of a string.
func AppendCodeResult(dst, v []byte) []byte {
	var outcome, output []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "outcome":
			outcome, _ = wire.Inside(o.Value)
		case "output":
			output, _ = wire.Inside(o.Value)
		}
	}
	label := "output"
	if len(outcome) > 0 && string(outcome) != "OUTCOME_OK" {
		label = "error"
	}
	dst = append(append(dst, `\n`+fence...), label...)
	return append(append(append(dst, `\n`...), output...), `\n`+fence+`\n`...)
}

// appendLower appends the word in lower case, and nothing when it is not one.
func appendLower(dst, word []byte) []byte {
	begin := len(dst)
	for _, c := range word {
		if c |= 0x20; c < 'a' || c > 'z' {
			return dst[:begin]
		}
		dst = append(dst, c)
	}
	return dst
}

// Called is a call in an answer: the insides of strings, and the arguments, raw.
type Called struct{ ID, Name, Args []byte }

// CalledOf reads a raw functionCall.
func CalledOf(v []byte) (c Called) {
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "id":
			c.ID, _ = wire.Inside(o.Value)
		case "name":
			c.Name, _ = wire.Inside(o.Value)
		case "args":
			c.Args = o.Value
		}
	}
	return c
}

// Object is the arguments, {} when they are no object.
func (c *Called) Object() []byte {
	if wire.KindOf(c.Args) != wire.KindObject {
		return []byte("{}")
	}
	return c.Args
}
