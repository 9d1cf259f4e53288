package codeassist

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire/gemini"
)

// appendTools leaves Google's own tools out of a mix, and tells the client.
func appendTools(dst []byte, x *pipeline.Exchange, v []byte, mixed bool) []byte {
	if !mixed {
		return append(dst, v...)
	}
	t := gemini.ToolsetOf(v)
	for _, tool := range t.Hosted {
		x.LeftOut(tool)
	}
	return gemini.AppendTools(dst, v, func(string) bool { return false })
}

// appendToolConfig leaves out what only the Gemini API knows.
func appendToolConfig(dst []byte, x *pipeline.Exchange, v []byte, mixed bool) []byte {
	if _, there := gemini.Find(v, gemini.ServerTools); !there {
		return append(dst, v...)
	}
	if !mixed {
		x.Dropped("toolConfig." + gemini.ServerTools)
	}
	return gemini.AppendWith(dst, v, gemini.ServerTools, nil)
}
