package search

import (
	"slices"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// request is the call with what matters of it here.
type request struct {
	x     *pipeline.Exchange
	of    models.Family
	list  []byte // tools
	tools gemini.Toolset
	old   bool // the client wrote the search of the generation before
	added bool // the search is that of the suffix
}

// third tells the generation that may mix functions and Google's own tools, and may answer in JSON beside
// either. A name without a number is that of the newest model.
func (r *request) third() bool { return r.of.Major >= 3 || r.of.Major == 0 && r.of.Thinks() }

// search is the search that the model takes.
func (r *request) search() string {
	if r.of.Major == 1 {
		return gemini.OldSearch
	}
	return gemini.Search
}

// modernise puts the search that the model takes in the place of the other one. What that one was told is
// lost; the models decide by themselves when to search.
func (r *request) modernise() {
	takes, other := r.search(), gemini.OldSearch
	if takes == other {
		other = gemini.Search
	}
	if !r.tools.Has(other) || r.of.Major == 0 && !r.third() {
		return
	}
	for a := wire.ArrayOf(r.list); a.Next(); {
		v, _ := gemini.Find(a.Value, other)
		for o := wire.ObjectOf(v); o.Next(); {
			if wire.KindOf(o.Value) != wire.KindNull {
				r.x.Dropped(other + "." + string(wire.PlainKey(o.Key)))
			}
		}
	}
	r.old = takes == gemini.Search
	r.set(gemini.AppendTools(nil, r.list, func(name string) bool { return name != other }))
	if !r.tools.Has(takes) {
		r.add(takes)
	}
}

// add appends a tool of Google's own.
func (r *request) add(tool string) {
	list := append(make([]byte, 0, len(r.list)+len(tool)+8), '[')
	for a := wire.ArrayOf(r.list); a.Next(); {
		list = append(wire.Comma(list), a.Value...)
	}
	r.set(append(wire.Key(append(wire.Comma(list), '{'), tool), "{}}]"...))
}

// set makes the list that of the call, or takes the member out when nothing is left.
func (r *request) set(list []byte) {
	if r.list, r.tools = list, gemini.ToolsetOf(list); wire.Filled(list) {
		r.x.Call.Set("tools", list)
		return
	}
	r.x.Call.Delete("tools")
}

// hosted lists the tools of Google's own to which the rules apply. Others are left to Google to judge.
func (r *request) hosted() (list []string) {
	for _, name := range r.tools.Hosted {
		switch name {
		case gemini.Search, gemini.OldSearch, "urlContext", "codeExecution":
			list = append(list, name)
		}
	}
	return list
}

// mayMix tells that the client has not forbidden what a mix comes with: parts with the steps of Google's tools.
func (r *request) mayMix() bool {
	v, _ := r.x.Call.GetIn("toolConfig", gemini.ServerTools)
	on, said := wire.Bool(v)
	return on || !said
}

// cached tells that most of the request is kept at Google, tools included.
func (r *request) cached() bool {
	v, _ := r.x.Call.Get("cachedContent")
	return wire.Given(v)
}

// json tells that the answer must be JSON.
func (r *request) json() bool {
	v, _ := r.x.Call.GetIn("generationConfig", "responseMimeType")
	if mime, _ := wire.Text(v); mime == "application/json" {
		return true
	}
	for _, name := range [...]string{"responseSchema", "responseJsonSchema"} {
		if v, _ := r.x.Call.GetIn("generationConfig", name); wire.Given(v) {
			return true
		}
	}
	return false
}

// without takes Google's own tools out and tells the client.
func (r *request) without(hosted []string) {
	for _, tool := range hosted {
		r.x.LeftOut(r.written(tool))
	}
	r.set(gemini.AppendTools(nil, r.list, func(name string) bool { return !slices.Contains(hosted, name) }))
	r.x.Call.DeleteIn("toolConfig", gemini.ServerTools)
}

// written is what a client that writes Google's own names wrote.
func (r *request) written(tool string) string {
	if r.old && tool == gemini.Search {
		return gemini.OldSearch
	}
	return tool
}

// clash refuses two things that do not go together, in the client's words.
func (r *request) clash(beside, tool string) *apierror.Error {
	name := r.x.AskedBy(r.written(tool))[0]
	field := "tools"
	switch {
	case beside == "functions" && r.x.Tools != nil && r.x.Tools.Legacy:
		field = "functions"
	case beside == "functions" && r.x.Asked == wire.Gemini:
		field = "tools.functionDeclarations"
	case beside != "functions":
		field = formats(r.x.Asked)
	}
	return apierror.Newf(apierror.BadRequest, "%s (%s) and %s do not go together with the model %.100s: leave one of them out",
		field, beside, name, r.x.Model.Base).Naming(name)
}

// formats is where a language says that the answer is to be JSON.
func formats(f wire.Format) string {
	switch f {
	case wire.Gemini:
		return "generationConfig.responseMimeType"
	case wire.Responses:
		return "text.format"
	case wire.Anthropic:
		return "output_config.format"
	}
	return "response_format"
}
