package openai

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
)

// Field is a member of an OpenAI request and what becomes of it.
type Field = gemini.Field

// Fields lists every member of a request that this package knows, by name. Members that are not in
// the list are left out and reported in Request.Ignored; null is the same as absent.
func Fields() []Field { return fields.Fields() }

// What becomes of the shape of a picture.
const (
	sizeDoes = "auto: nothing; width x height or a ratio, as 16:9: the nearest imageConfig.aspectRatio, and of pixels for Gemini 3 the nearest imageSize; " +
		"1K, 2K or 4K: imageSize; reported when the picture cannot be so"
	qualityDoes = "auto or standard: nothing; 1K, 2K or 4K: imageConfig.imageSize, where the model has it; other words are ignored and reported"
	noPictures  = "ignored and reported by models that draw nothing; "
)

// fields is never written to.
var fields = gemini.Table[form]{
	"messages": {"contents and systemInstruction; name and reasoning_content are ignored", func(f *form, v []byte) *apierror.Error {
		f.turns = v
		return nil
	}},
	"model":  {"read by the stage model", nil},
	"stream": {"events or one answer", takeStream},
	"stream_options": {"include_usage: a last chunk without choices that has the usage; the rest is ignored",
		takeStreamOptions},

	"temperature": {"temperature, 0 to 2", func(f *form, v []byte) *apierror.Error {
		return gemini.Range{Name: "temperature", From: 0, To: 2}.Take(&f.temperature, v)
	}},
	"top_p": {"topP, 0 to 1", func(f *form, v []byte) *apierror.Error {
		return gemini.Range{Name: "top_p", From: 0, To: 1}.Take(&f.topP, v)
	}},
	"top_k": {"topK, at least 1, cut down to 64", func(f *form, v []byte) *apierror.Error {
		return gemini.Least{Name: "top_k", From: 1}.Take(&f.topK, v)
	}},
	"max_tokens": {"maxOutputTokens, at least 1, cut down to what the model writes", func(f *form, v []byte) *apierror.Error {
		return gemini.Least{Name: "max_tokens", From: 1}.Take(&f.most, v)
	}},
	"max_completion_tokens": {"as max_tokens, and wins over it", func(f *form, v []byte) *apierror.Error {
		return gemini.Least{Name: "max_completion_tokens", From: 1}.Take(&f.mostNew, v)
	}},
	"frequency_penalty": {"frequencyPenalty, -2 to 2; zero is not sent, 2 is sent as 1.99", func(f *form, v []byte) *apierror.Error {
		return penalty(&f.frequency, v, "frequency_penalty")
	}},
	"presence_penalty": {"presencePenalty, as frequency_penalty", func(f *form, v []byte) *apierror.Error {
		return penalty(&f.presence, v, "presence_penalty")
	}},
	"seed":            {"seed; a number beyond 32 bits is folded, the same one always to the same", takeSeed},
	"stop":            {"stopSequences: a string or a list, 5 at most; empty ones are not sent", takeStop},
	"response_format": {"json_object: responseMimeType application/json; json_schema: responseJsonSchema besides, rewritten as the parameters of a tool; beside functions, models before Gemini 3 are told of it in words, which is reported; text: nothing", takeResponseFormat},
	"modalities":      {"text; with image: responseModalities, ignored and reported by models known to write only; audio is refused", takeModalities},
	"size":            {noPictures + sizeDoes, pictured("size", (*gemini.Picture).TakeSize)},
	"quality":         {noPictures + qualityDoes, pictured("quality", (*gemini.Picture).TakeQuality)},
	"image_config":    {noPictures + "imageConfig, as aspect_ratio and image_size in Google's words, which the model has to know", pictured("image_config", (*gemini.Picture).TakeConfig)},
	"aspect_ratio":    {noPictures + "as image_config.aspect_ratio", pictured("aspect_ratio", (*gemini.Picture).TakeRatio)},
	"n":               {"1; anything else is refused", takeN},

	"reasoning_effort": {"thinkingConfig: a budget for 2.5, a level after it; with thoughts, unless the stage thinking decides on them; not sent to models that do not think", func(f *form, v []byte) *apierror.Error {
		return f.thinking.TakeEffort(v, "reasoning_effort")
	}},
	"thinking": {"thinkingConfig, as include_thoughts, thinking_budget, thinking_level or as type and budget_tokens", func(f *form, v []byte) *apierror.Error {
		return f.thinking.Take(v, "thinking")
	}},
	"google":     {"thinking_config as thinking; image_config and aspect_ratio as these; cached_content: cachedContent; safety_settings: safetySettings; the rest is ignored and reported", takeGoogle},
	"extra_body": {"google as the field google; the rest is ignored and reported", takeExtraBody},

	"tools":              {"functionDeclarations: function, and custom as a function that takes a text; web_search and web_search_preview: as web_search_options, unless tool_choice does not allow them; other types are refused; strict is not passed on", takeTools},
	"tool_choice":        {"functionCallingConfig: none, required and a name; allowed_tools: ANY of them, or only they are declared; a tool that is not in the request is refused", takeChoice},
	"functions":          {"as tools, one call an answer, which is a function_call", takeFunctions},
	"function_call":      {"as tool_choice, for functions", takeFunctionCall},
	"logit_bias":         {"refused unless empty: Google has nothing like it", refuseFilled("logit_bias", "is not supported: Google's models take no bias")},
	"logprobs":           {"responseLogprobs; refused where the model has none: all but the second generation", takeLogprobs},
	"top_logprobs":       {"logprobs, 0 to 20; refused without the field logprobs", takeTopLogprobs},
	"audio":              {"refused", refuseFilled("audio", "is not supported: answers are text")},
	"prediction":         {"ignored and reported: it would only make the answer quicker", report("prediction")},
	"web_search_options": {"googleSearch, which the stage search decides on, beside functions or JSON; what it says is ignored and reported", takeSearch},

	"verbosity":              {"ignored and reported: Google's models know no such setting", report("verbosity")},
	"enable_anti_truncation": {"ignored: the model name asks for it", nil},
	"metadata":               {"ignored: concerns OpenAI's records only", nil},
	"parallel_tool_calls":    {"false: of the calls of an answer the first one is passed on", takeParallel},
	"prompt_cache_key":       {"ignored: Google caches by itself", nil},
	"prompt_cache_retention": {"ignored, as prompt_cache_key", nil},
	"safety_identifier":      {"ignored: Google takes none", nil},
	"service_tier":           {"ignored: there is one tier", nil},
	"store":                  {"ignored: nothing is stored", nil},
	"user":                   {"ignored: Google takes none", nil},
}
