package vertex

import (
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// foreign says whether a member belongs to another backend and would be a 400 here.
func foreign(name string) bool {
	switch name {
	case "model", "store", "serviceTier", "service_tier", "sessionId", "session_id":
		return true
	}
	return false
}

func foreignConfig(name []byte) bool {
	switch string(name) {
	case "responseFormat", "enableEnhancedCivicAnswers", "response_format", "enable_enhanced_civic_answers":
		return true
	}
	return false
}

// appendCall splices the client's members; unknown ones go up, Google answers for them.
func appendCall(dst []byte, x *pipeline.Exchange) []byte {
	dst = append(dst, '{')
	mixed := x.Call.Mixes()
	for i := range x.Call.Len() {
		name, value := x.Call.At(i)
		if foreign(name) {
			if name != "model" { // it stands elsewhere
				x.Dropped(gemini.Canonical(name))
			}
			continue
		}
		dst = append(wire.AppendQuoted(wire.Comma(dst), name), ':')
		switch name {
		case "contents":
			dst = appendContents(dst, value, x)
		case "tools":
			dst = appendTools(dst, x, value, mixed)
		case "toolConfig":
			dst = x.AppendToolConfig(dst, value, mixed)
		case "generationConfig":
			dst = appendConfig(dst, x, value)
		case "safetySettings":
			dst = appendSafety(dst, value, x.Model.Base)
		default:
			dst = append(dst, value...)
		}
	}
	return append(dst, '}')
}

// counted says whether countTokens has the member, which stands at the top there.
func counted(name string) bool {
	switch name {
	case "contents", "systemInstruction", "tools", "generationConfig":
		return true
	}
	return false
}

// appendCount writes what counts of a call, or of the whole request that stands in it.
func appendCount(dst []byte, x *pipeline.Exchange) []byte {
	dst = append(dst, '{')
	mixed := x.Call.Mixes()
	each := func(name string, value []byte) {
		if !counted(name) || wire.KindOf(value) == wire.KindNull {
			return
		}
		dst = wire.Key(dst, name)
		switch name {
		case "contents":
			dst = appendContents(dst, value, x)
		case "tools":
			dst = appendTools(dst, x, value, mixed)
		case "generationConfig":
			dst = appendConfig(dst, x, value)
		default:
			dst = append(dst, value...)
		}
	}
	if whole, there := x.Call.Get("generateContentRequest"); there {
		for _, name := range [...]string{"contents", "systemInstruction", "tools", "generationConfig"} {
			if value, has := gemini.Find(whole, name); has {
				each(name, value)
			}
		}
		return append(dst, '}')
	}
	for i := range x.Call.Len() {
		each(x.Call.At(i))
	}
	return append(dst, '}')
}

func appendConfig(dst []byte, x *pipeline.Exchange, v []byte) []byte {
	if wire.KindOf(v) != wire.KindObject {
		return append(dst, v...)
	}
	dst = append(dst, '{')
	for o := wire.ObjectOf(v); o.Next(); {
		if foreignConfig(o.Key) {
			x.Dropped("generationConfig." + string(o.Key))
			continue
		}
		dst = append(wire.Key(dst, o.Key), o.Value...)
	}
	return append(dst, '}')
}

// appendSafety leaves out the harm categories that one model does not know.
func appendSafety(dst, v []byte, model string) []byte {
	if wire.KindOf(v) != wire.KindArray || !strings.Contains(model, "gemini-2.5-flash-lite") {
		return append(dst, v...)
	}
	dst = append(dst, '[')
	for a := wire.ArrayOf(v); a.Next(); {
		if !gemini.Extra(wire.Get(a.Value, "category")) {
			dst = append(wire.Comma(dst), a.Value...)
		}
	}
	return append(dst, ']')
}
