package responses

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
)

// Field is a member of a request and what becomes of it.
type Field = gemini.Field

// Fields lists every member of a request that this package knows, by name. Members that are not in
// the list are left out and reported in Request.Ignored; null is the same as absent.
func Fields() []Field { return fields.Fields() }

// fields is never written to.
var fields = gemini.Table[form]{
	"model":  {"read by the stage model", nil},
	"stream": {"events or one answer", takeFlag("stream", func(f *form, on bool) { f.Stream = on })},
	"input": {"contents: a string, or items: messages, calls of functions, custom tools, local_shell, shell, apply_patch and tool_search with their outputs, additional_tools, pictures and code of earlier answers, calls of MCP servers as text, messages between agents, item_reference; reasoning is not sent; compaction and what other tools of OpenAI have done is ignored and reported", func(f *form, v []byte) *apierror.Error {
		f.input = v
		return nil
	}},
	"instructions": {"systemInstruction, before the messages", takeInstructions},
	"previous_response_id": {"goes on from that response; unknown ones are a 404", func(f *form, v []byte) *apierror.Error {
		if f.Previous = word(v); f.Previous == "" {
			return gemini.Refuse("previous_response_id", "must be the id of a response")
		}
		return nil
	}},
	"store": {"false: the response cannot be asked for again or gone on from; true by default", takeFlag("store", func(f *form, on bool) { f.Store = on })},

	"tools": {"function, custom (a function with a text), namespace (its functions, by namespace and name), local_shell, shell, apply_patch and tool_search of the client (functions, whose calls are items of their own), web_search (googleSearch), code_interpreter (codeExecution), image_generation (models that draw; its size and quality: imageConfig, as in `/v1/images/generations`); the stage search decides on Google's own tools beside functions or JSON; tool_search of the server and programmatic_tool_calling are left out and reported, for all functions are declared at once; mcp, file_search and computer use are refused", func(f *form, v []byte) *apierror.Error {
		f.list = v
		return nil
	}},
	"tool_choice": {"none, auto, required, a function, a custom tool, shell, apply_patch, allowed_tools, also by namespace; one of Google's own tools cannot be forced, only the functions left out", func(f *form, v []byte) *apierror.Error {
		f.choice = v
		return nil
	}},
	"parallel_tool_calls": {"false: one call an answer", takeFlag("parallel_tool_calls", func(f *form, on bool) { f.single = !on })},
	"max_tool_calls":      {"ignored and reported: Google's tools take no limit", takeMaxToolCalls},

	"temperature": {"temperature, 0 to 2", func(f *form, v []byte) *apierror.Error {
		return gemini.Range{Name: "temperature", From: 0, To: 2}.Take(&f.temperature, v)
	}},
	"top_p": {"topP, 0 to 1", func(f *form, v []byte) *apierror.Error {
		return gemini.Range{Name: "top_p", From: 0, To: 1}.Take(&f.topP, v)
	}},
	"max_output_tokens": {"maxOutputTokens, at least 1, cut down to what the model writes", takeMostTokens},
	"text":              {"format: json_object and json_schema; together with functions models before Gemini 3 are told of it in words, which is reported; verbosity is ignored and reported", takeText},
	"reasoning":         {"effort: thinkingConfig; summary: thoughts are shown as reasoning items", takeReasoning},
	"include":           {"reasoning.encrypted_content: reasoning items carry the signatures of calls; code_interpreter_call.outputs, web_search_call.action.sources; the rest is ignored and reported", takeInclude},
	"top_logprobs":      {"ignored and reported: few of Google's models tell", takeTopLogprobs},
	"truncation":        {"auto is ignored and reported: nothing is cut", takeTruncation},
	"metadata":          {"given back with the response: 16 pairs, 64 and 512 characters", takeMetadata},
	"stream_options":    {"ignored: nothing is obfuscated", takeStreamOptions},

	"background":         {"refused when true", takeBackground},
	"conversation":       {"refused: previous_response_id does it", refuseAlways("conversation", "is not supported: use previous_response_id, or send the whole dialogue as input")},
	"prompt":             {"refused: there are no templates here", refuseAlways("prompt", "is not supported: templates are kept by OpenAI; send instructions and input")},
	"context_management": {"ignored and reported: nothing is compacted", ignore("context_management")},
	"moderation":         {"ignored and reported", ignore("moderation")},

	"client_metadata":        {"ignored: concerns the client's own records", nil},
	"prompt_cache_key":       {"ignored: Google caches by itself", nil},
	"prompt_cache_options":   {"ignored, as prompt_cache_key", nil},
	"prompt_cache_retention": {"ignored, as prompt_cache_key", nil},
	"safety_identifier":      {"ignored: Google takes none", nil},
	"service_tier":           {"ignored: there is one tier", nil},
	"user":                   {"ignored: Google takes none", nil},
}
