package translate

import (
	"strconv"
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// native takes a Gemini body as it is.
func native(x *pipeline.Exchange) *apierror.Error {
	body, fail := x.In.Body()
	if fail != nil {
		return fail
	}
	members, fail := x.Members()
	if fail != nil {
		return fail
	}
	if fail := x.Call.Take(body, members); fail != nil {
		return fail
	}
	if x.In.Route.Format == wire.OpenAI {
		// Members of the OpenAI route, no part of Google's request.
		x.Call.Delete("model")
		x.Call.Delete("stream")
		x.Call.Delete("stream_options")
	}
	return contents(x)
}

// contents refuses a body that asks nothing, before a credential is spent on it.
func contents(x *pipeline.Exchange) *apierror.Error {
	if x.In.Route.Verb == pipeline.Embed {
		return embeds(x)
	}
	name := "contents"
	v, ok := x.Call.Get(name)
	both := false
	if x.In.Route.Verb == pipeline.Count {
		if whole, there := x.Call.Get("generateContentRequest"); there {
			both, name = ok, "generateContentRequest.contents"
			v, ok = gemini.Find(whole, "contents")
		}
	}
	why := ""
	switch {
	case both: // Google's own rule, which one of the backends does not know
		name, why = "generateContentRequest", `and "contents" exclude each other: send one of them`
	case !ok:
		why = "is missing: send a list of turns"
	case wire.KindOf(v) != wire.KindArray:
		why = "must be a list of turns"
	case wire.KindOf(v[1:]) == wire.KindNone: // nothing behind the bracket
		why = "is empty: send at least one turn"
	default:
		return nil
	}
	return apierror.Newf(apierror.BadRequest, "%q %s", name, why).Naming(name)
}

// embeds refuses a body that has nothing to embed, or both forms of it.
func embeds(x *pipeline.Exchange) *apierror.Error {
	one, single := x.Call.Get("content")
	list, batch := x.Call.Get("requests")
	name, why := "content", ""
	switch {
	case single && batch:
		why = `and "requests" exclude each other: send one of them`
	case single && wire.KindOf(one) != wire.KindObject:
		why = "must be an object with parts"
	case batch && wire.KindOf(list) != wire.KindArray:
		name, why = "requests", "must be a list"
	case batch && wire.KindOf(list[1:]) == wire.KindNone:
		name, why = "requests", "is empty: send at least one"
	case !single && !batch:
		why = `is missing: send the content, or a list of "requests"`
	default:
		return nil
	}
	return apierror.Newf(apierror.BadRequest, "%q %s", name, why).Naming(name)
}

// clamp cuts down the two numbers of generationConfig that clients set beyond what Google takes
// and mean "as much as there is" (behaviour 2.3). The client reads in a header what was cut.
func clamp(x *pipeline.Exchange, output int) {
	config, ok := x.Call.Get("generationConfig")
	if !ok || x.In.Route.Verb == pipeline.Count {
		return
	}
	var cut []string
	for _, limit := range [...]limit{{"topK", gemini.MostTopK}, {"maxOutputTokens", output}} {
		v, _ := gemini.Find(config, limit.name)
		if n, ok := wire.Int(v); !ok || n <= int64(limit.most) {
			continue
		}
		most := strconv.Itoa(limit.most)
		x.Call.SetIn("generationConfig", limit.name, []byte(most))
		cut = append(cut, limit.name+"="+most)
	}
	if len(cut) > 0 {
		x.Header.Set("X-Dropped-Params", strings.Join(cut, ", "))
	}
}

type limit struct {
	name string
	most int
}
