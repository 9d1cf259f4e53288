package wire

import (
	"fmt"
	"strings"
	"testing"
)

// walk writes the document down as a cursor sees it, one line for every member, element and scalar.
func walk(c *Cursor, out *strings.Builder) {
	switch c.Kind() {
	case KindObject:
		for in := c.Object(); in && c.Member(); {
			fmt.Fprintf(out, "%s:", c.Key)
			walk(c, out)
		}
	case KindArray:
		for in := c.Array(); in && c.Element(); {
			out.WriteByte('-')
			walk(c, out)
		}
	default:
		fmt.Fprintf(out, "%s\n", c.Value())
	}
}

// list is the same with the iterators.
func list(v []byte, out *strings.Builder) {
	switch KindOf(v) {
	case KindObject:
		for o := ObjectOf(v); o.Next(); {
			fmt.Fprintf(out, "%s:", o.Key)
			list(o.Value, out)
		}
	case KindArray:
		for a := ArrayOf(v); a.Next(); {
			out.WriteByte('-')
			list(a.Value, out)
		}
	default:
		fmt.Fprintf(out, "%s\n", v)
	}
}

func TestCursor(t *testing.T) {
	doc := `{"a":[1,{"b":"x}"},[]],"c":{"d":null},"e":true}`
	c := CursorOf([]byte("\ufeff " + doc))
	if !c.Member() || string(c.Key) != "a" || !c.Array() || !c.Element() || c.Object() || !c.Element() {
		t.Fatal("down to the object")
	}
	if got := c.Value(); string(got) != `{"b":"x}"}` || !c.Element() || c.Object() || c.Element() {
		t.Fatalf("past the array: %s", got)
	}
	if !c.Member() || string(c.Key) != "c" || c.Array() || !c.Member() || c.Kind() != KindBool || c.Member() {
		t.Fatal("an object that is no array is passed, and so is the rest")
	}
	for _, bad := range []string{``, `[]`, `null`, `{`, `{"a"`, `{"a":`, `{"a":[1`, `{"a":[}`, `{"a":"x`, `{"a":{"b":1]`, `{"a" 1}`, `{1}`} {
		c := CursorOf([]byte(bad))
		var out strings.Builder
		for c.Member() {
			walk(&c, &out)
		}
		if !c.Broken() || c.Value() != nil || c.Member() || c.Element() || c.Array() || c.Kind() != KindNone {
			t.Errorf("%q is not broken", bad)
		}
	}
}

// FuzzCursor: on what is JSON a cursor sees what the iterators see; on what is none it comes to an end.
func FuzzCursor(f *testing.F) {
	for _, s := range documents {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var got, want strings.Builder
		c := CursorOf(doc)
		for c.Member() {
			fmt.Fprintf(&got, "%s:", c.Key)
			walk(&c, &got)
		}
		if Check(doc) != nil || KindOf(doc) != KindObject {
			return
		}
		if list(doc, &want); got.String() != want.String() || c.Broken() {
			t.Fatalf("%q\n%q\nwant %q", doc, got.String(), want.String())
		}
	})
}
