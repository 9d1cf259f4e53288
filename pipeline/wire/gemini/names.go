package gemini

import (
	"bytes"
	"strings"

	"gcli2api/pipeline/wire"
)

// canonical maps every spelling of a member name that Google's proto-JSON accepts to the camelCase
// one: top level of a request, generationConfig, thinkingConfig, toolConfig, tools, safetySettings.
// It is never written to.
var canonical = func() map[string]string {
	m := make(map[string]string, 200)
	for _, name := range [...]string{
		"contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig",
		"cachedContent", "labels", "model", "stream", "sessionId", "serviceTier", "store",
		"generateContentRequest", "requests", "content", "taskType", "title", "outputDimensionality",

		"temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences",
		"responseLogprobs", "logprobs", "presencePenalty", "frequencyPenalty", "seed",
		"responseMimeType", "responseSchema", "responseJsonSchema", "routingConfig",
		"modelSelectionConfig", "responseModalities", "mediaResolution", "speechConfig",
		"audioTimestamp", "thinkingConfig", "imageConfig", "enableEnhancedCivicAnswers",
		"responseFormat", "translationConfig", "enableAffectiveDialog",

		"includeThoughts", "thinkingBudget", "thinkingLevel",

		"functionDeclarations", "googleSearch", "googleSearchRetrieval", "codeExecution",
		"urlContext", "googleMaps", "fileSearch", "computerUse", "enterpriseWebSearch", "retrieval",
		"parallelAiSearch", "mcpServers", "searchTypes",

		"functionCallingConfig", "retrievalConfig", "allowedFunctionNames", "mode",
		"includeServerSideToolInvocations", "streamFunctionCallArguments",

		"category", "threshold", "method",
		"aspectRatio", "imageSize", "personGeneration", "outputMimeType", "outputCompressionQuality",
	} {
		m[name] = name
		m[snake(name)] = name
	}
	return m
}()

// Canonical gives the camelCase spelling of a known member name ("google_search", "top_p"), and
// an unknown name as it is.
func Canonical(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name // only a snake_case spelling is not its own
	}
	if known, ok := canonical[name]; ok {
		return known
	}
	return name
}

// canonicalKey is Canonical for a decoded key; it allocates for unknown names only.
func canonicalKey(key []byte) string {
	if known, ok := canonical[string(key)]; ok {
		return known
	}
	return string(key)
}

// sameName reports whether key, as written, means the member of this canonical name.
func sameName(key []byte, name string) bool {
	if string(key) == name {
		return true
	}
	switch {
	case bytes.IndexByte(key, '\\') >= 0:
		key = unquoted(key)
	case bytes.IndexByte(key, '_') < 0:
		return false // only the snake_case spelling is another one
	}
	known, ok := canonical[string(key)]
	return ok && known == name || string(key) == name
}

// unquoted decodes a key that is written with escapes.
func unquoted(key []byte) []byte {
	quoted := append(append(make([]byte, 0, len(key)+2), '"'), key...)
	return wire.AppendText(nil, append(quoted, '"'))
}

func snake(camel string) string {
	b := make([]byte, 0, len(camel)+8)
	for i := range len(camel) {
		c := camel[i]
		if c >= 'A' && c <= 'Z' {
			b = append(b, '_')
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return string(b)
}
