package geminiapi

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// foreign says whether a member belongs to another backend and would be a 400 here.
func foreign(name string) bool {
	switch name {
	case "labels", "model", "modelArmorConfig", "model_armor_config", "session_id", "sessionId":
		return true
	}
	return false
}

func foreignConfig(name []byte) bool {
	switch string(name) {
	case "routingConfig", "modelSelectionConfig", "audioTimestamp",
		"routing_config", "model_selection_config", "audio_timestamp":
		return true
	}
	return false
}

func key[T string | []byte](dst []byte, name T) []byte {
	return append(append(append(wire.Comma(dst), '"'), name...), '"', ':')
}

// appendCall splices the client's members; unknown ones go up, Google answers for them.
func appendCall(dst []byte, x *pipeline.Exchange) []byte {
	return append(appendMembers(append(dst, '{'), x, &x.Call), '}')
}

func appendMembers(dst []byte, x *pipeline.Exchange, c *gemini.Call) []byte {
	for i := range c.Len() {
		name, value := c.At(i)
		if foreign(name) {
			if name != "model" { // it stands elsewhere
				x.Dropped(name)
			}
			continue
		}
		dst = append(wire.AppendQuoted(wire.Comma(dst), name), ':')
		switch {
		case name == "generationConfig":
			dst = appendConfig(dst, x, value)
		case name == "safetySettings":
			dst = appendSafety(dst, value)
		case name == "requests" && x.In.Route.Verb == pipeline.Embed:
			dst = appendRequests(dst, value, x)
		default:
			dst = append(dst, value...)
		}
	}
	return dst
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

// appendSafety leaves out what this backend does not know.
func appendSafety(dst, v []byte) []byte {
	if wire.KindOf(v) != wire.KindArray {
		return append(dst, v...)
	}
	dst = append(dst, '[')
	for a := wire.ArrayOf(v); a.Next(); {
		if !gemini.Extra(wire.Get(a.Value, "category")) {
			dst = gemini.AppendWith(wire.Comma(dst), a.Value, "method", nil)
		}
	}
	return append(dst, ']')
}
