package move

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// stampForm is a time in the name of a file.
const stampForm = "20060102T150405Z"

// mostSaid bounds the lines about what is wrong.
const mostSaid = 50

func (p *problems) merge(other *problems) {
	for _, line := range other.all {
		if !slices.Contains(p.all[:min(len(p.all), mostSaid)], line) {
			p.all = append(p.all, line)
		}
	}
}

func (p *problems) print(w io.Writer) {
	for i, line := range p.all {
		if i == mostSaid {
			fmt.Fprintf(w, "and %d more\n", len(p.all)-i)
			break
		}
		fmt.Fprintln(w, "not moved:", line)
	}
}

func printPlan(w io.Writer, counts []*Count) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tsource\ttarget\tto write\tto remove")
	for _, c := range counts {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\n", c.Name, c.From, c.To, c.Written, c.Removed)
	}
	_ = t.Flush()
}

// printCounts names what differs.
func printCounts(w io.Writer, counts []*Count) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tsource\ttarget")
	for _, c := range counts {
		differs := ""
		if c.differs > 0 {
			differs = fmt.Sprintf("%d differ", c.differs)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", c.Name, c.From, c.To, differs)
		if c.Sum != nil {
			fmt.Fprintf(t, "sum of the counters\t%s\t%s\t\n", c.Sum, c.SumTo)
		}
	}
	_ = t.Flush()
}

// progress writes a line every few seconds; on a terminal the same one again.
type progress struct {
	out      *os.File
	terminal bool
	last     time.Time
	shown    bool
}

const progressEvery = 2 * time.Second

func newProgress(out *os.File) *progress {
	p := &progress{out: out, last: time.Now()}
	if info, err := out.Stat(); err == nil {
		p.terminal = info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// tell shows how far a table is.
func (p *progress) tell(c *Count) {
	p.line(func() string { return fmt.Sprintf("%s: %d read, %d written", c.Name, c.From, c.Written) })
}

// count shows how much of something is done.
func (p *progress) count(what string, done, of int) {
	p.line(func() string { return fmt.Sprintf("%s: %d of %d", what, done, of) })
}

func (p *progress) line(text func() string) {
	if time.Since(p.last) < progressEvery {
		return
	}
	p.last = time.Now()
	line := text()
	if !p.terminal {
		fmt.Fprintln(p.out, line)
		return
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	p.shown = true
}

// end leaves the line.
func (p *progress) end() {
	if p.shown {
		fmt.Fprintln(p.out)
	}
}

// printable is text of a stranger's file for a terminal.
func printable(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), 200)], "")
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, []byte(text)))
}
