package codeassist

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// serverTools is the member of toolConfig that lets functions stand beside Google's own tools. This backend
// knows no such member, and takes no such call (protocol 7).
const serverTools = "includeServerSideToolInvocations"

// mixes tells that the call has functions beside Google's own tools and says so, as the Gemini API takes it.
func mixes(x *pipeline.Exchange) bool {
	on, _ := x.Call.GetIn("toolConfig", serverTools)
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
	if _, there := gemini.Find(v, serverTools); !there {
		return append(dst, v...)
	}
	if !mixed {
		x.Dropped("toolConfig." + serverTools)
	}
	return gemini.AppendWith(dst, v, serverTools, nil)
}
