package codeassist

import (
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// takes says whether a member may stand inside request.
func takes(name string) bool {
	switch name {
	case "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig":
		return true
	}
	return false
}

// takesConfig says whether generationConfig may have the member.
func takesConfig(name []byte) bool {
	switch string(name) {
	case "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "responseLogprobs",
		"logprobs", "presencePenalty", "frequencyPenalty", "seed", "responseMimeType", "responseSchema",
		"responseJsonSchema", "responseModalities", "mediaResolution", "speechConfig", "audioTimestamp",
		"routingConfig", "modelSelectionConfig", "thinkingConfig", "imageConfig":
		return true
	}
	return false
}

// takesCategory: one model of this backend does not know all harm categories (protocol 3.8).
func takesCategory(model string, category []byte) bool {
	return !strings.HasPrefix(model, "gemini-2.5-flash-lite") || !gemini.Extra(category)
}

func key[T string | []byte](dst []byte, name T) []byte {
	return append(append(append(wire.Comma(dst), '"'), name...), '"', ':')
}

// appendRequest writes the members that the backend knows, spliced from the client's bytes, and
// tells the client of the others. null is no value there (protocol 3.2).
func appendRequest(dst []byte, x *pipeline.Exchange, model string) []byte {
	dst = append(dst, '{')
	mixed := x.Call.Mixes()
	for i := range x.Call.Len() {
		name, value := x.Call.At(i)
		if wire.KindOf(value) == wire.KindNull {
			continue
		}
		if !takes(name) {
			if name != "model" { // it stands elsewhere
				x.Dropped(name)
			}
			continue
		}
		dst = wire.Key(dst, name)
		switch name {
		case "contents":
			dst = appendContents(dst, value, x)
		case "tools":
			if mixed {
				dst = x.AppendUnmixed(dst, value)
			} else {
				dst = append(dst, value...)
			}
		case "toolConfig":
			dst = x.AppendToolConfig(dst, value, mixed)
		case "systemInstruction":
			dst = appendSystem(dst, value)
		case "generationConfig":
			dst = appendConfig(dst, x, value)
		case "safetySettings":
			dst = appendSafety(dst, value, model)
		default:
			dst = append(dst, value...)
		}
	}
	return append(dst, '}')
}

// appendContents gives every turn a role: without one it counts as the user's (behaviour 5.10),
// but this backend wants to read it.
func appendContents(dst, v []byte, x *pipeline.Exchange) []byte {
	if left, some := gemini.WithoutServerParts(nil, v); some {
		// Steps of tools that the Gemini API ran: a client that brings them itself hears that they are not told.
		if v = left; x.Asked == wire.Gemini {
			x.Dropped("contents.parts.toolCall")
		}
	}
	begin := len(dst)
	dst = append(dst, '[')
	amended := false
	for a := wire.ArrayOf(v); a.Next(); {
		amended = amended || gemini.Nobodys(a.Value)
		dst = gemini.AppendTurn(wire.Comma(dst), a.Value)
	}
	if !amended {
		return append(dst[:begin], v...) // byte for byte as it came
	}
	return append(dst, ']')
}

// appendSystem: the system instruction may have the role of the user or none (protocol 3.3).
func appendSystem(dst, v []byte) []byte {
	if role := wire.Get(v, "role"); role == nil || string(role) == `"user"` {
		return append(dst, v...)
	}
	return gemini.AppendWith(dst, v, "role", []byte(`"user"`))
}

// appendConfig keeps what is known; anything but an object goes up for Google to refuse.
func appendConfig(dst []byte, x *pipeline.Exchange, v []byte) []byte {
	if wire.KindOf(v) != wire.KindObject {
		return append(dst, v...)
	}
	dst = append(dst, '{')
	for o := wire.ObjectOf(v); o.Next(); {
		name := o.Key
		if wire.KindOf(o.Value) == wire.KindNull {
			continue
		}
		if !takesConfig(name) {
			// The rare spelling costs a string; the usual one does not.
			if name = []byte(gemini.Canonical(string(name))); !takesConfig(name) {
				x.Dropped("generationConfig." + string(name))
				continue
			}
		}
		dst = append(wire.Key(dst, name), o.Value...)
	}
	return append(dst, '}')
}

// appendSafety keeps category and threshold of each setting.
func appendSafety(dst, v []byte, model string) []byte {
	if wire.KindOf(v) != wire.KindArray {
		return append(dst, v...)
	}
	dst = append(dst, '[')
	for a := wire.ArrayOf(v); a.Next(); {
		category, threshold := wire.Get(a.Value, "category"), wire.Get(a.Value, "threshold")
		if category == nil || threshold == nil || !takesCategory(model, category) {
			continue
		}
		dst = append(append(wire.Comma(dst), `{"category":`...), category...)
		dst = append(append(append(dst, `,"threshold":`...), threshold...), '}')
	}
	return append(dst, ']')
}
