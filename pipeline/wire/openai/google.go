package openai

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
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
		case o.Is("cached_content"), o.Is("cachedContent"):
			return refuse(name+".cached_content", "is not supported")
		default:
			f.unknown(append([]byte(name+"."), o.Key...))
		}
	}
	return nil
}
