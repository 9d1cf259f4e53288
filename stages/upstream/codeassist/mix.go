package codeassist

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// mixes tells that the call has functions beside Google's own tools and says so, as the Gemini API takes it.
func mixes(x *pipeline.Exchange) bool {
	on, _ := x.Call.GetIn("toolConfig", gemini.ServerTools)
	if yes, _ := wire.Bool(on); !yes {
		return false
	}
	tools, _ := x.Call.Get("tools")
	t := gemini.ToolsetOf(tools)
	return t.Functions && len(t.Hosted) > 0
}

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
