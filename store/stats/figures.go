package stats

import (
	"math/bits"
	"strconv"
	"strings"
	"time"

	"gcli2api/pipeline/apierror"
)

// Count is what was counted under one name.
type Count struct {
	Calls   int64 `json:"calls"`
	Errors  int64 `json:"errors"`
	Prompt  int64 `json:"prompt_tokens"` // all that went up: cached ones and those of tools included
	Output  int64 `json:"output_tokens"` // thoughts included
	Total   int64 `json:"total_tokens"`
	Cached  int64 `json:"cached_tokens"`
	Thought int64 `json:"thought_tokens"`
	Units   int64 `json:"units"` // charged to the key; credentials have none
}

// Add takes d in.
func (c *Count) Add(d Count) {
	c.Calls += d.Calls
	c.Errors += d.Errors
	c.Prompt += d.Prompt
	c.Output += d.Output
	c.Total += d.Total
	c.Cached += d.Cached
	c.Thought += d.Thought
	c.Units += d.Units
}

// field is the figure of a counter's last part.
func (c *Count) field(what string) *int64 {
	switch what {
	case "calls":
		return &c.Calls
	case "errors":
		return &c.Errors
	case "prompt":
		return &c.Prompt
	case "output":
		return &c.Output
	case "total":
		return &c.Total
	case "cached":
		return &c.Cached
	case "thought":
		return &c.Thought
	case "units":
		return &c.Units
	}
	return nil
}

// each calls f for every figure that is not zero, with the last part of its counter's name.
func (c *Count) each(f func(what string, n int64)) {
	for _, what := range [...]string{"calls", "errors", "prompt", "output", "total", "cached", "thought", "units"} {
		if n := *c.field(what); n != 0 {
			f(what, n)
		}
	}
}

// Steps is the number of steps of a Histogram.
const Steps = 15

// shortest is the end of the first step; each of the others ends at twice the end of the one before.
const shortest = 50 * time.Millisecond

// Histogram counts durations: up to 50 ms, 100 ms, 200 ms and so on up to 409.6 s, and longer ones.
type Histogram [Steps]int64

func step(d time.Duration) int {
	return min(bits.Len64(uint64(max(d-1, 0)/shortest)), Steps-1)
}

func (h *Histogram) add(o *Histogram) {
	for i, n := range o {
		h[i] += n
	}
}

// Measured is how many durations were counted.
func (h *Histogram) Measured() (n int64) {
	for _, m := range h {
		n += m
	}
	return n
}

// Quantile estimates below which duration a share of them lies: evenly spread within a step, and no more
// than the beginning of the last one, which has no end. It is zero where nothing was measured.
func (h *Histogram) Quantile(share float64) time.Duration {
	want := share * float64(h.Measured())
	from := time.Duration(0)
	for i, n := range h {
		to := shortest << i
		if n > 0 && float64(n) >= want {
			if i == Steps-1 {
				return from
			}
			return from + time.Duration(float64(to-from)*max(want, 0)/float64(n))
		}
		want -= float64(n)
		from = to
	}
	return 0
}

// CodeCount is how many calls ended with an error of one code.
type CodeCount struct {
	Code apierror.Code
	N    int64
}

// maxCodes bounds the codes of one set of figures. There are fewer; what is read from a store is not ours alone.
const maxCodes = 64

// Figures is everything that is counted of calls.
type Figures struct {
	Count
	Codes []CodeCount // of the errors
	First Histogram   // until the first byte, of answers that began
	Took  Histogram   // until the end, where Google was asked
}

func (f *Figures) fail(code apierror.Code, n int64) {
	for i := range f.Codes {
		if f.Codes[i].Code == code {
			f.Codes[i].N += n
			return
		}
	}
	if len(f.Codes) < maxCodes {
		f.Codes = append(f.Codes, CodeCount{code, n})
	}
}

// Add takes g in.
func (f *Figures) Add(g *Figures) {
	f.Count.Add(g.Count)
	for _, c := range g.Codes {
		f.fail(c.Code, c.N)
	}
	f.First.add(&g.First)
	f.Took.add(&g.Took)
}

// each calls fn for every figure that is not zero, with the last part of its counter's name.
func (f *Figures) each(fn func(what string, n int64)) {
	f.Count.each(fn)
	for _, c := range f.Codes {
		fn("e:"+part(string(c.Code)), c.N)
	}
	for i, n := range f.First {
		if n != 0 {
			fn("f"+strconv.Itoa(i), n)
		}
	}
	for i, n := range f.Took {
		if n != 0 {
			fn("t"+strconv.Itoa(i), n)
		}
	}
}

// take adds a counter by the last part of its name; what no version of ours writes is passed over.
func (f *Figures) take(what string, n int64) {
	if at := f.field(what); at != nil {
		*at += n
		return
	}
	if code, ok := strings.CutPrefix(what, "e:"); ok {
		f.fail(apierror.Code(code), n)
		return
	}
	h := &f.First
	switch {
	case strings.HasPrefix(what, "t"):
		h = &f.Took
	case !strings.HasPrefix(what, "f"):
		return
	}
	if i, err := strconv.Atoi(what[1:]); err == nil && i >= 0 && i < Steps {
		h[i] += n
	}
}
