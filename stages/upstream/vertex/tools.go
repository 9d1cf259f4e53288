package vertex

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// fileSearch is the one of Google's own tools that this backend does not have.
const fileSearch = "fileSearch"

// appendTools leaves out of a mix with functions Google's own tools, which do not go together here, and else
// the one that is not there. The client hears which.
func appendTools(dst []byte, x *pipeline.Exchange, v []byte, mixed bool) []byte {
	if wire.KindOf(v) != wire.KindArray {
		return append(dst, v...)
	}
	if mixed {
		return x.AppendUnmixed(dst, v)
	}
	t := gemini.ToolsetOf(v)
	if t.Has(fileSearch) {
		x.LeftOut(fileSearch)
		v = gemini.AppendTools(nil, v, func(name string) bool { return name != fileSearch })
	}
	if t.Has(gemini.Search) {
		return appendSearch(dst, x, v)
	}
	return append(dst, v...)
}

// appendSearch leaves out the kinds of search, which only the Gemini API tells apart.
func appendSearch(dst []byte, x *pipeline.Exchange, v []byte) []byte {
	begin, some := len(dst), false
	dst = append(dst, '[')
	for a := wire.ArrayOf(v); a.Next(); {
		dst = wire.Comma(dst)
		search, _ := gemini.Find(a.Value, gemini.Search)
		if _, has := gemini.Find(search, "searchTypes"); has {
			some = true
			dst = gemini.AppendWith(dst, a.Value, gemini.Search, gemini.AppendWith(nil, search, "searchTypes", nil))
		} else {
			dst = append(dst, a.Value...)
		}
	}
	if !some {
		return append(dst[:begin], v...)
	}
	x.Dropped("tools.googleSearch.searchTypes")
	return append(dst, ']')
}
