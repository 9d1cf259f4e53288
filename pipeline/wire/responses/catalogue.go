package responses

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// catalogue gathers the tools of a request: those of its list, and those that items of the dialogue
// bring along.
type catalogue struct {
	f     *form
	tools []tool
	at    map[gemini.Function]int // place among tools, by name
	later bool                    // what comes is of items: it takes the place of what was there
}

// spot is where a tool stands in the body.
type spot struct {
	list  string
	nth   int
	inner *int // in the list of a namespace, nil outside of one
}

func (s *spot) path() string {
	path := s.list + "[" + strconv.Itoa(s.nth) + "]"
	if s.inner != nil {
		path += ".tools[" + strconv.Itoa(*s.inner) + "]"
	}
	return path
}

// readTools reads all tools and names the functions among them.
func (f *form) readTools(thread []byte, target *gemini.Target) ([]tool, *apierror.Error) {
	c := catalogue{f: f, at: map[gemini.Function]int{}}
	if f.list != nil {
		if fail := c.list(f.list, "tools"); fail != nil {
			return nil, fail
		}
	}
	if !f.gather {
		return c.close(target)
	}
	c.later = true
	if fail := c.items(thread, "previous_response_id"); fail != nil {
		return nil, fail
	}
	if fail := c.items(f.input, "input"); fail != nil {
		return nil, fail
	}
	return c.close(target)
}

// list reads a list of tools.
func (c *catalogue) list(v []byte, path string) *apierror.Error {
	if wire.KindOf(v) != wire.KindArray {
		return gemini.Refuse(path, "must be a list")
	}
	i := 0
	for a := wire.ArrayOf(v); a.Next(); i++ {
		t := tool{spot: spot{list: path, nth: i}}
		kind := wire.Get(a.Value, "type")
		if plain, _ := wire.Inside(kind); string(plain) == "namespace" || bytes.IndexByte(plain, '\\') >= 0 && word(kind) == "namespace" {
			if fail := c.namespace(a.Value, &t); fail != nil {
				return fail
			}
			continue
		}
		if fail := c.add(a.Value, t); fail != nil {
			return fail
		}
	}
	return nil
}

// namespace reads the functions of a namespace, t being the namespace.
func (c *catalogue) namespace(v []byte, t *tool) *apierror.Error {
	name, list := word(wire.Get(v, "name")), wire.Get(v, "tools")
	t.about = wire.Get(v, "description")
	switch {
	case name == "":
		return gemini.Refuse(t.path()+".name", "must be a string that is not empty")
	case wire.Given(t.about) && wire.KindOf(t.about) != wire.KindString:
		return gemini.Refuse(t.path()+".description", "must be a string")
	case wire.KindOf(list) != wire.KindArray:
		return gemini.Refuse(t.path()+".tools", "must be a list")
	}
	t.space = plainSpace(name)
	i := 0
	for a := wire.ArrayOf(list); a.Next(); i++ {
		inner, at := *t, i
		inner.inner = &at
		if fail := c.add(a.Value, inner); fail != nil {
			return fail
		}
	}
	return nil
}

// plainSpace is "" for the namespace in which functions stand that are in none.
func plainSpace(name string) string {
	if name == "functions" {
		return ""
	}
	return name
}

// add reads a tool whose place is known.
func (c *catalogue) add(v []byte, t tool) *apierror.Error {
	if fail := c.f.readTool(v, &t); fail != nil {
		return fail
	}
	if t.sort == idle {
		c.f.Ignore(t.path())
		return nil
	}
	if !t.sort.hosted() {
		name := t.function()
		name.Custom = false
		if i, there := c.at[name]; there && c.later {
			c.tools[i] = t
			return nil
		} else if there && t.sort == kitted {
			return gemini.Refuse(t.path()+".type", "is there already")
		} else if there {
			return gemini.Refuse(t.path()+".name", "is the name of another tool already")
		}
		c.at[name] = len(c.tools)
	}
	if len(c.tools) == mostTools {
		return gemini.Refuse("tools", "may be at most 512")
	}
	c.tools = append(c.tools, t)
	return nil
}

// items reads the tools that items of a list bring along.
func (c *catalogue) items(list []byte, path string) *apierror.Error {
	if wire.KindOf(list) != wire.KindArray {
		return nil
	}
	i := 0
	for a := wire.ArrayOf(list); a.Next(); i++ {
		it, bad := readItem(a.Value)
		if bad != nil || it.kind != "additional_tools" && (it.kind != "tool_search_output" || !wire.Given(it.tools)) {
			continue
		}
		if fail := c.list(it.tools, path+"["+strconv.Itoa(i)+"].tools"); fail != nil {
			return fail
		}
	}
	return nil
}

// close numbers the tools and names the functions. Pictures are left out beside functions when the
// model makes none, as Google's own tools are, and refused when they are all that is asked for.
func (c *catalogue) close(target *gemini.Target) ([]tool, *apierror.Error) {
	tools := c.tools[:0]
	for i := range c.tools {
		t := &c.tools[i]
		switch {
		case t.sort == picture && !target.Image && len(c.at) == 0:
			return nil, gemini.Refuse(t.path()+".type", "is image_generation, for which a model is needed that makes pictures")
		case t.sort == picture && !target.Image:
			c.f.Ignore(t.path())
			continue
		case t.sort == picture:
			c.f.picture = true
		case !t.sort.hosted():
			t.google, _ = c.f.names.DeclareAs(t.function())
		}
		t.at = len(tools)
		tools = append(tools, *t)
	}
	return tools, nil
}
