package openai

import "gcli2api/pipeline/wire"

// Language tells what the body of a request is written in that came by a route of this format: on the routes of
// OpenAI and Gemini either of the two. What is neither is taken for the route's own: an empty body on a
// Gemini route lacks contents, not messages, and the body of countTokens may have neither.
func Language(route wire.Format, members []wire.Member) wire.Format {
	if route == wire.OpenAI || route == wire.Gemini && wire.Find(members, "messages") >= 0 {
		return Detect(members)
	}
	return route
}

// Detect tells the language of a request by its members (behaviour 5.10): messages that begin with
// a known role are OpenAI's, contents that begin with parts are Gemini's, and so are the members
// that only Gemini has; anything else is taken for OpenAI.
func Detect(members []wire.Member) wire.Format {
	gemini := false
	for i := range members {
		m := &members[i]
		switch string(m.Key) {
		case "messages":
			if knownRole(first(m.Value, "role")) {
				return wire.OpenAI
			}
		case "contents":
			gemini = gemini || first(m.Value, "parts") != nil
		case "systemInstruction", "system_instruction", "generationConfig", "generation_config":
			gemini = gemini || wire.KindOf(m.Value) != wire.KindNull
		}
	}
	if gemini {
		return wire.Gemini
	}
	return wire.OpenAI
}

// first is a member of the first element of a list.
func first(list []byte, name string) []byte {
	if a := wire.ArrayOf(list); a.Next() {
		return wire.Get(a.Value, name)
	}
	return nil
}

func knownRole(v []byte) bool {
	var m message
	return m.setRole(v) == nil
}
