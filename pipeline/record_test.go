package pipeline_test

import (
	"fmt"
	"slices"
	"testing"

	"gcli2api/pipeline"
)

// witness notes when its End and its Record are called.
type witness struct {
	name   string
	said   *[]string
	panics bool
}

func (w witness) Process(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }
func (w witness) End(*pipeline.Exchange)                      { *w.said = append(*w.said, w.name+" ends") }

func (w witness) Record(x *pipeline.Exchange) {
	*w.said = append(*w.said, fmt.Sprintf("%s records %d", w.name, x.Outcome.Status))
	if w.panics {
		panic("a bug")
	}
}

// What is written down is what the stages left: those in front of the recorder end after it.
func TestRecordersComeBehindEveryEnd(t *testing.T) {
	var said []string
	kind := func(name string, verbs []pipeline.Verb, panics bool) pipeline.Kind {
		return pipeline.Kind{Name: name, Verbs: verbs, New: pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) {
			return witness{name, &said, panics}, nil
		})}
	}
	kinds := append(frame(answer), kind("first", nil, true), kind("elsewhere", []pipeline.Verb{pipeline.Count}, false), kind("last", nil, false))
	e := engine(t, kinds, order("who", "first", "elsewhere", "call", "form", "last"))
	x := exchange()
	e.Run(x)
	e.End(x, pipeline.Outcome{Status: 200})
	want := []string{"last ends", "first ends", "first records 200", "last records 200"}
	if !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
}
