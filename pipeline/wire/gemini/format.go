package gemini

import "gcli2api/pipeline/wire"

// FormatInWords tells whether the model has to be told in words that it answers with JSON: before the
// third generation Google refuses a format beside tools (protocol 7).
func (t *Target) FormatInWords(tools bool) bool { return tools && !t.Signs() }

// TellFormat says in words, as a part of the system instruction, what the format would. schema is raw
// JSON, nil for any object. The draft must not be beyond the instruction.
func (d *Draft) TellFormat(schema []byte) {
	d.Turn(System)
	if schema == nil {
		d.Say("Unless you call a function, answer with one JSON object and nothing else.")
		return
	}
	quoted := wire.AppendQuotedBytes(make([]byte, 0, len(schema)+len(schema)/4+2), schema)
	d.Text(append([]byte(`Unless you call a function, answer with JSON and nothing else. It must fit this JSON Schema: `), quoted[1:len(quoted)-1]...))
}
