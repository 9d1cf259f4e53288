package gemini

import "gcli2api/pipeline/wire"

// What more than one of Google's backends wants of a request, each by itself a detail (protocol 3.3, 3.8, 8.3).

// AppendTurn appends a turn of a conversation with a role: without one it counts as the user's, but Code
// Assist and Vertex AI want to read it.
func AppendTurn(dst, turn []byte) []byte {
	if Nobodys(turn) {
		return AppendWith(dst, turn, "role", []byte(`"user"`))
	}
	return append(dst, turn...)
}

// Nobodys tells that a turn does not say whose it is.
func Nobodys(turn []byte) bool {
	if wire.KindOf(turn) != wire.KindObject {
		return false
	}
	role := wire.Get(turn, "role")
	return role == nil || string(role) == "null" || string(role) == `""`
}

// Extra tells the raw value of a harm category that is only known beside the Gemini API, and there not to
// every model.
func Extra(category []byte) bool {
	switch string(category) {
	case `"HARM_CATEGORY_IMAGE_HATE"`, `"HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT"`, `"HARM_CATEGORY_IMAGE_HARASSMENT"`,
		`"HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT"`, `"HARM_CATEGORY_JAILBREAK"`:
		return true
	}
	return false
}

// Mixes tells that the call has functions beside Google's own tools and says so, as the Gemini API takes it.
func (c *Call) Mixes() bool {
	on, _ := c.GetIn("toolConfig", ServerTools)
	if yes, _ := wire.Bool(on); !yes {
		return false
	}
	tools, _ := c.Get("tools")
	t := ToolsetOf(tools)
	return t.Functions && len(t.Hosted) > 0
}
