package server_test

import (
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// TestUncutSeams is the list of what comes out where nobody can know: a continuation that begins with
// the very characters that were said last may repeat them or go on with a refrain, and a mark in its
// own line at a cut may be the model's end or a quotation.
func TestUncutSeams(t *testing.T) {
	t.Parallel()
	tellers := storyTellers(t, "")
	const verse = "la la la\n"                            // 9 characters
	const line = "\tfor i := range n {\n\t\tsum++\n\t}\n" // 31 characters
	song, code := "Sing:\n"+strings.Repeat(verse, 60)+"Done.", "```go\n"+strings.Repeat(line, 20)+"```"
	quote := "Write this:\n" + endMark + "\nand nothing below it."
	at := func(text, before string) int { return strings.Index(text, before) + len(before) }
	story := func(text string, e ...simulator.Ending) simulator.Story {
		return simulator.Story{Text: text, Mark: endMark, Endings: e}
	}
	cut := func(how string, at int) simulator.Ending { return simulator.Ending{How: how, At: at} }
	for _, c := range []struct {
		name  string
		story simulator.Story
		text  string
		calls int
	}{
		// A refrain that goes on loses as much as looks like a repetition: whole verses within 200 characters.
		{"a refrain", story(song, cut("cut", len("Sing:\n")+30*len(verse))),
			"Sing:\n" + strings.Repeat(verse, 60-22) + "Done.", 2},
		{"a refrain, cut in a verse", story(song, cut("cut", len("Sing:\n")+30*len(verse)+3)),
			"Sing:\n" + strings.Repeat(verse, 60-22) + "Done.", 2},
		{"a refrain at its end", story(song, cut("cut", len("Sing:\n")+58*len(verse))),
			"Sing:\n" + strings.Repeat(verse, 58) + "Done.", 2},
		{"a refrain of one line more", story(song, cut("cut", len("Sing:\n")+59*len(verse))), song, 2},
		{"a loop of code", story(code, cut("eof", len("```go\n")+10*len(line))),
			"```go\n" + strings.Repeat(line, 20-6) + "```", 2},
		// Short repetitions are taken for the text, long ones for what they are.
		{"11 characters again", story(tellText, cut("cut", 310), simulator.Ending{Repeat: 11}), tellText[:310] + tellText[299:], 2},
		{"12 characters again", story(tellText, cut("cut", 310), simulator.Ending{Repeat: 12}), tellText, 2},
		{"200 characters again", story(tellText, cut("cut", 310), simulator.Ending{Repeat: 200}), tellText, 2},
		{"201 characters again", story(tellText, cut("cut", 310), simulator.Ending{Repeat: 201}), tellText[:310] + tellText[109:], 2},
		{"a preface", story(tellText, cut("cut", 310), simulator.Ending{Preface: "Here is the rest:\n"}), tellText[:310] + "Here is the rest:\n" + tellText[310:], 2},
		{"a preface before a repetition", story(tellText, cut("cut", 310), simulator.Ending{Preface: "Here it is: ", Repeat: 40}), tellText[:310] + "Here it is: " + tellText[270:], 2},
		// A mark in its own line where the answer breaks off is the end.
		{"a quoted mark at a cut", story(quote, cut("cut", at(quote, endMark))), "Write this:", 1},
		{"a quoted mark at an end", story(quote, cut("eof", at(quote, endMark+"\n"))), "Write this:", 1},
		{"a quoted mark at a stop", story(quote, cut("stop", at(quote, endMark))), "Write this:", 1},
		{"a quoted mark at a limit", story(quote, cut("max-tokens", at(quote, endMark))), "Write this:", 1},
		{"a letter behind a quoted mark", story(quote, cut("cut", at(quote, endMark+"\na"))), quote, 2},
		{"half a quoted mark", story(quote, cut("cut", at(quote, endMark[:8]))), quote, 2},
		{"a quoted mark and the true one", story("Write this:\n" + endMark), "Write this:\n" + endMark, 1},
		{"a quoted mark in a sentence", story("It is "+endMark, cut("cut", at("It is "+endMark, endMark))), "It is " + endMark, 2},
		// A mark behind the text in the same line is asked about. Where the model adds only the mark, it was one.
		{"a mark in the last line", simulator.Story{Text: tellText, Mark: endMark, Inline: true}, tellText + " ", 2},
		{"a mark and space behind it", simulator.Story{Text: tellText, Mark: endMark, Behind: "  \n\n"}, tellText, 1},
	} {
		for kind, b := range tellers {
			h := hearers()[0]
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				got, told, _ := b.tell(t, h, c.story)
				sameText(t, got.text, c.text)
				got.must(t, h, "STOP")
				if len(told) != c.calls {
					t.Errorf("%q", endings(told))
				}
			})
		}
	}
}
