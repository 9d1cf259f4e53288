package responses

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// ListQuery says which items of a list are asked for.
type ListQuery struct {
	After string // the id of the last item that is known, "" for none
	Order string // "asc", or "desc", which is also meant by ""
	Limit int    // 1 to 100; 0 is 20
}

// usualLimit is how many items OpenAI lists unasked, mostLimit how many at most.
const (
	usualLimit = 20
	mostLimit  = 100
)

// AppendItemList appends a page of the items of a request (AppendItems) as the API lists them.
func AppendItemList(dst, items []byte, q ListQuery) ([]byte, *apierror.Error) {
	limit := q.Limit
	switch {
	case limit == 0:
		limit = usualLimit
	case limit < 0 || limit > mostLimit:
		return dst, gemini.Refuse("limit", "must be a whole number from 1 to 100")
	}
	if q.Order != "" && q.Order != "asc" && q.Order != "desc" {
		return dst, gemini.Refuse("order", "must be asc or desc")
	}
	var all [][]byte
	for a := wire.ArrayOf(items); a.Next(); {
		all = append(all, a.Value)
	}
	at := func(i int) []byte {
		if q.Order != "asc" {
			i = len(all) - 1 - i
		}
		return all[i]
	}
	from := 0
	if q.After != "" {
		for from < len(all) && word(wire.Get(at(from), "id")) != q.After {
			from++
		}
		if from == len(all) {
			return dst, gemini.Refuse("after", "is the id of no item of this response")
		}
		from++
	}
	to := min(len(all), from+limit)
	dst = append(dst, `{"object":"list","data":[`...)
	for i := from; i < to; i++ {
		dst = append(wire.Comma(dst), at(i)...)
	}
	dst = append(dst, ']')
	for _, end := range [...]struct {
		name string
		i    int
	}{{"first_id", from}, {"last_id", to - 1}} {
		if dst = wire.Key(dst, end.name); from == to {
			dst = append(dst, "null"...)
		} else {
			dst = append(dst, wire.Get(at(end.i), "id")...)
		}
	}
	return append(strconv.AppendBool(wire.Key(dst, "has_more"), to < len(all)), '}'), nil
}

// AppendDeleted appends the answer to the deletion of a response.
func AppendDeleted(dst []byte, id string) []byte {
	dst = wire.AppendQuoted(append(dst, `{"id":`...), id)
	return append(dst, `,"object":"response","deleted":true}`...)
}
