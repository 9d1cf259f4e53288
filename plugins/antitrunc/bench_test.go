package antitrunc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
)

// belt is a stream of the same events for ever.
type belt struct {
	events [][]byte
	i      int
}

func (b *belt) Next() (wire.Event, error) {
	b.i++
	return wire.Event{Data: b.events[b.i%len(b.events)]}, nil
}

func (b *belt) Close() error { return nil }

// benchEvent is as long as Google's are.
func benchEvent(text string) []byte {
	return []byte(strings.Replace(`{"candidates":[{"content":{"role":"model","parts":[{"text":"TEXT"}]},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"totalTokenCount":13},"modelVersion":"gemini-2.5-pro","responseId":"abcdefgh"}`, "TEXT", text, 1))
}

func belts() map[string][]string {
	words := []string{"a few words of an answer, as they come", " and some more of them, which are", " not the last ones: there are others "}
	return map[string][]string{"words": words, "lines": {words[0], words[1] + `\n`, words[2], `\n\n`}, "capitals": {words[0] + " AND", words[1] + " END", words[2]}}
}

// BenchmarkEvent is what one event costs: without the stage (bare), and through it, in the first attempt
// and in a continuation.
func BenchmarkEvent(b *testing.B) {
	for name, texts := range belts() {
		var events [][]byte
		for _, text := range texts {
			events = append(events, benchEvent(text))
		}
		run := func(name string, s wire.Stream, each func()) {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Next(); err != nil {
						b.Fatal(err)
					}
					each()
				}
			})
		}
		if name == "words" {
			run("bare", &belt{events: events}, func() {})
		}
		for tries, attempt := range []string{"first", "next"} {
			s := bare(newMarker(mark))
			s.tries, s.inner, s.x = tries+1, &belt{events: events}, pipeline.NewExchange(context.Background(), pipeline.Request{})
			run(name+"/"+attempt, s, func() {
				if len(s.answer.B) > 1<<20 { // no answer is longer: memory is not what is measured
					s.answer.B = s.answer.B[:1]
				}
			})
		}
	}
}

// BenchmarkHeldBack is how much text waits at the end of an event, and at the beginning of a continuation,
// in characters.
func BenchmarkHeldBack(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	text := story(r, 5000, mark)
	events := pieces(text, func(int) int { return 1 + r.IntN(60) })
	var sum, most, waits, seams, longest int
	for b.Loop() {
		c := newCarry(newMarker(mark))
		var room []byte
		for _, e := range events {
			_, room = c.add(room[:0], []byte(strings.ReplaceAll(e, "\n", `\n`)))
			n := len(strings.ReplaceAll(string(c.held), `\n`, "\n"))
			if sum, most = sum+n, max(most, n); n > 0 {
				waits++
			}
		}
		for i := 1000; i < len(text)-100; i += 997 {
			var m seam
			m.open([]byte(text[:i]))
			for _, e := range pieces(text[i:], func(int) int { return 1 }) {
				if m.add([]byte(strings.ReplaceAll(e, "\n", `\n`))); !m.on {
					break
				}
			}
			seams, longest = seams+1, max(longest, m.n)
		}
	}
	n := float64(b.N * len(events))
	b.ReportMetric(float64(sum)/n, "chars/event")
	b.ReportMetric(float64(most), "chars-most")
	b.ReportMetric(float64(waits)*100/n, "%events-held")
	b.ReportMetric(float64(longest), "chars-seam")
	if testing.Verbose() {
		fmt.Println(seams, "seams")
	}
}
