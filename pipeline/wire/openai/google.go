package openai

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

func takeGoogle(f *form, v []byte) *apierror.Error { return f.takeGoogle(v, "google") }

func takeExtraBody(f *form, v []byte) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return refuse("extra_body", "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		switch {
		case wire.KindOf(o.Value) == wire.KindNull:
		case !o.Is("google"):
			f.unknown(append([]byte("extra_body."), o.Key...))
		default:
			if err := f.takeGoogle(o.Value, "extra_body.google"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *form) takeGoogle(v []byte, name string) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return refuse(name, "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		switch {
		case wire.KindOf(o.Value) == wire.KindNull:
		case o.Is("thinking_config"), o.Is("thinkingConfig"):
			if err := f.thinking.Take(o.Value, name+".thinking_config"); err != nil {
				return err
			}
		case o.Is("image_config"), o.Is("imageConfig"):
			f.pictures = append(f.pictures, wish{name + ".image_config", o.Value, (*gemini.Picture).TakeConfig})
		case o.Is("aspect_ratio"), o.Is("aspectRatio"):
			f.pictures = append(f.pictures, wish{name + ".aspect_ratio", o.Value, (*gemini.Picture).TakeRatio})
		case o.Is("cached_content"), o.Is("cachedContent"):
			if inner, ok := wire.Inside(o.Value); !ok || len(inner) == 0 {
				return refuse(name+".cached_content", "must be a string that is not empty")
			}
			f.cached = o.Value
		case o.Is("safety_settings"), o.Is("safetySettings"):
			if err := f.takeSafety(o.Value, name+".safety_settings"); err != nil {
				return err
			}
		default:
			f.unknown(append([]byte(name+"."), o.Key...))
		}
	}
	return nil
}

// takeSafety keeps categories and thresholds, in Google's own words, which are not known here: new ones
// come. Nothing else goes up, and each once.
func (f *form) takeSafety(v []byte, name string) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return refuse(name, "must be a list")
	}
	list := []byte{'['}
	i := 0
	for a := wire.ArrayOf(v); a.Next(); i++ {
		at := name + "[" + strconv.Itoa(i) + "]"
		if wire.KindOf(a.Value) != wire.KindObject {
			return refuse(at, "must be an object")
		}
		category, threshold := pick2(a.Value, "category", "threshold")
		if !googleWord(category) {
			return refuse(at+".category", "must be one of Google's words, like HARM_CATEGORY_HARASSMENT")
		}
		if !googleWord(threshold) {
			return refuse(at+".threshold", "must be one of Google's words, like BLOCK_NONE")
		}
		list = append(append(wire.Comma(list), `{"category":`...), category...)
		list = append(append(append(list, `,"threshold":`...), threshold...), '}')
	}
	f.safety = append(list, ']')
	return nil
}

// googleWord tells a string of capitals, as the words of Google's lists are.
func googleWord(v []byte) bool {
	inner, ok := wire.Inside(v)
	for _, c := range inner {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return ok && len(inner) > 0
}

// google appends what is Google's own and passes as it is.
func (f *form) google(dst []byte) []byte {
	if f.safety != nil {
		dst = append(append(dst, `,"safetySettings":`...), f.safety...)
	}
	if f.cached != nil {
		dst = append(append(dst, `,"cachedContent":`...), f.cached...)
	}
	return dst
}
