package anthropic

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Field is a member of an Anthropic request and what becomes of it.
type Field = gemini.Field

// Fields lists every member of a request that this package knows, by name. Members that are not in
// the list are left out and reported in Request.Ignored; null is the same as absent.
func Fields() []Field { return fields.Fields() }

// fields is never written to.
var fields = gemini.Table[form]{
	"model":  {"read by the stage model", nil},
	"stream": {"events or one answer", takeStream},
	"messages": {"contents: text, image (base64 or url), document, search_result, tool_use, tool_result; thinking is left out; a message of the system is the user's in its place; files are refused",
		func(f *form, v []byte) *apierror.Error {
			f.messages = v
			return nil
		}},
	"system": {"systemInstruction: a text or a list of text blocks", func(f *form, v []byte) *apierror.Error {
		f.system = v
		return nil
	}},
	"max_tokens": {"maxOutputTokens, at least 1 and refused when it is missing, cut down to what the model writes; Google counts thoughts against it", func(f *form, v []byte) *apierror.Error {
		return gemini.Least{Name: "max_tokens", From: 1}.Take(&f.most, v)
	}},
	"temperature": {"temperature, 0 to 2", func(f *form, v []byte) *apierror.Error {
		return gemini.Range{Name: "temperature", From: 0, To: 2}.Take(&f.temperature, v)
	}},
	"top_p": {"topP, 0 to 1", func(f *form, v []byte) *apierror.Error {
		return gemini.Range{Name: "top_p", From: 0, To: 1}.Take(&f.topP, v)
	}},
	"top_k": {"topK, cut down to 64; 0 is not sent", func(f *form, v []byte) *apierror.Error {
		return gemini.Least{Name: "top_k", From: 0}.Take(&f.topK, v)
	}},
	"stop_sequences": {"stopSequences, more than 5 are refused; empty ones are not sent; Google does not tell which one ended the answer, so that stop_reason is end_turn", takeStop},

	"tools": {"functionDeclarations; bash and text_editor are declared as functions; web_search is googleSearch, web_fetch urlContext, code_execution codeExecution, which the stage search decides on beside functions or JSON; other tools of Anthropic's are refused",
		func(f *form, v []byte) *apierror.Error {
			f.tools = v
			return nil
		}},
	"tool_choice":   {"functionCallingConfig: auto, any, tool, none; with disable_parallel_tool_use the answer has one call at most; refused when it forces a tool that is not there", takeChoice},
	"thinking":      {"thinkingConfig: enabled with budget_tokens, adaptive or disabled; display omitted hides the thoughts", takeThinking},
	"output_config": {"effort: thinkingConfig, unless thinking has a budget or is disabled; format json_schema: responseJsonSchema; beside functions, models before Gemini 3 are told of it in words, which is reported", takeOutputConfig},
	"output_format": {"as output_config.format", func(f *form, v []byte) *apierror.Error {
		return f.takeFormat(v, "output_format")
	}},

	"container":   {"ignored and reported; skills are refused", takeContainer},
	"mcp_servers": {"refused: the gateway calls no MCP servers", refuseFilled("mcp_servers", "is not supported: the gateway calls no MCP servers")},
	"compaction":  {"refused", refuseFilled("compaction", "is not supported: send the messages themselves")},
	"thread":      {"refused", refuseFilled("thread", "is not supported: the gateway keeps no dialogue, send all messages")},

	"cache_control":         {"no effect: Google caches by itself", nil},
	"metadata":              {"no effect", takeMetadata},
	"service_tier":          {"no effect", nil},
	"diagnostics":           {"no effect", nil},
	"fallback_credit_token": {"no effect", nil},
	"betas":                 {"no effect", nil},
	"anthropic_version":     {"no effect", nil},
	"anthropic_beta":        {"no effect", nil},
	"speed":                 {"ignored and reported unless it is standard", takeSpeed},
	"context_management":    {"ignored and reported", reported("context_management")},
	"fallbacks":             {"ignored and reported", reported("fallbacks")},
	"inference_geo":         {"ignored and reported", reported("inference_geo")},
	"billing_policy":        {"ignored and reported", reported("billing_policy")},
	"user_profile_id":       {"ignored and reported", reported("user_profile_id")},
	"workspace_id":          {"ignored and reported", reported("workspace_id")},
}

// reported leaves a member out; empty ones are not worth a word.
func reported(name string) func(*form, []byte) *apierror.Error {
	return func(f *form, v []byte) *apierror.Error {
		if wire.Filled(v) {
			f.Ignore(name)
		}
		return nil
	}
}

func refuseFilled(name, why string) func(*form, []byte) *apierror.Error {
	return func(_ *form, v []byte) *apierror.Error {
		if wire.Filled(v) {
			return gemini.Refuse(name, why)
		}
		return nil
	}
}

func takeMetadata(_ *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return gemini.Refuse("metadata", "must be an object")
	}
	return nil
}

func takeSpeed(f *form, v []byte) *apierror.Error {
	if word, _ := wire.Text(v); word != "standard" {
		f.Ignore("speed")
	}
	return nil
}

func takeContainer(f *form, v []byte) *apierror.Error {
	if wire.Filled(wire.Get(v, "skills")) {
		return gemini.Refuse("container.skills", "are not supported")
	}
	if wire.Filled(v) {
		f.Ignore("container")
	}
	return nil
}
