package antitrunc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// The faults of the product that this one replaces (behaviour 4.5), one by one.

// A mark split over two events was shown.
func TestFaultSplitMark(t *testing.T) {
	for i := 1; i < len(mark); i++ {
		h := newHouse(t, nil, reels(t, says("STOP", "One.\n"+mark[:i], mark[i:])))
		if got := h.ask(inquiry{}); got.text != "One." || strings.Contains(strings.Join(got.events, ""), "END") {
			t.Errorf("at %d: %q", i, got.events)
		}
	}
}

// A mark in the middle was eaten, with the white space around it, and in any case of letters; one in other
// letters was not taken for an end.
func TestFaultEatenText(t *testing.T) {
	said := "Write  " + mark + "  below.\n" + strings.ToLower(mark) + "\n\n" + mark + "\nAnd so on.\n" + strings.ToLower(mark)
	h := newHouse(t, nil, reels(t, says("STOP", strings.SplitAfter(said, " ")...), says("STOP", mark)))
	if got := h.ask(inquiry{}); got.text != said || len(h.bodies) != 2 {
		t.Errorf("%q, %d calls", got.text, len(h.bodies))
	}
}

// Attempts piled up in one request: text1, prompt, text1+text2, prompt.
func TestFaultGrowingRequest(t *testing.T) {
	var all []reel
	for i := range 9 {
		all = append(all, says("", fmt.Sprintf("part %d. ", i)))
	}
	h := newHouse(t, func(s *Settings) { s.MaxAttempts = 10 }, reels(t, append(all, says("STOP", "done\n"+mark))...))
	h.ask(inquiry{})
	for i, body := range h.bodies {
		turns := dialogue(t, body)
		if i == 0 {
			continue
		}
		if want := "model: "; len(turns) != 3 || !strings.HasPrefix(turns[1], want) || strings.Count(turns[1], "part ") != i || strings.Count(body, "broke off") != 1 {
			t.Errorf("call %d: %q", i+1, turns)
		}
	}
}

// Thoughts were fed back as if they were the answer, and a mark in them ended it.
func TestFaultThoughts(t *testing.T) {
	thought := func(s string) string {
		return strings.Replace(word(s), `"}]}`, `","thought":true}]}`, 1)
	}
	first := reel{events: []string{thought("I end with\n" + mark), word("One"), thought("hm"), word(" t")}, end: broken()}
	second := reel{events: []string{thought("again"), word("wo.\n" + mark), last("STOP")}}
	h := newHouse(t, nil, reels(t, first, second))
	got := h.ask(inquiry{})
	if got.text != "One two." || got.thoughts != "I end with\n"+mark+"hm" || len(h.bodies) != 2 || dialogue(t, h.bodies[1])[1] != "model: One t" {
		t.Errorf("%q, thoughts %q, %d calls", got.text, got.thoughts, len(h.bodies))
	}
}

// Tail sentences were there twice.
func TestFaultRepeatedTail(t *testing.T) {
	tail := strings.Repeat("Every line is another one, says the poet. ", 1) + "So it goes on and on, word by word, and"
	for _, n := range []int{12, 13, 30, len(tail)} {
		h := newHouse(t, nil, reels(t, says("", tail), says("STOP", tail[len(tail)-n:]+" never ends.\n"+mark)))
		if got := h.ask(inquiry{}); got.text != tail+" never ends." {
			t.Errorf("%d characters again: %q", n, got.text)
		}
	}
}

// A call of a tool never comes with the mark, and was made again and again.
func TestFaultToolCalls(t *testing.T) {
	call := `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{"parts":[{"text":"x"}]}},"thoughtSignature":"s"}]},"index":0}]}`
	for name, c := range map[string]struct {
		reel
		text, finish string
	}{
		"alone":                  {reel{events: []string{call, last("STOP")}}, "", "STOP"},
		"behind a text":          {reel{events: []string{word("I look.\n"), call, last("STOP")}}, "I look.\n", "STOP"},
		"behind part of a mark":  {reel{events: []string{word("I look.\n" + mark[:4]), call, last("STOP")}}, "I look.\n" + mark[:4], "STOP"},
		"behind the mark":        {reel{events: []string{word("I look.\n" + mark), call, last("STOP")}}, "I look.", "STOP"},
		"at the end of tokens":   {reel{events: []string{word("I look."), call, last("MAX_TOKENS")}}, "I look.", "MAX_TOKENS"},
		"and then a broken wire": {reel{events: []string{word("I look."), call}, end: broken()}, "I look.", "STOP"},
	} {
		h := newHouse(t, nil, reels(t, c.reel))
		got := h.ask(inquiry{})
		if got.text != c.text || got.calls != 1 || strings.Join(got.finish, " ") != c.finish || got.err != nil {
			t.Errorf("%s: %+v", name, got)
		}
		if all := strings.Join(got.events, ""); !strings.Contains(all, `"thoughtSignature":"s"`) || c.text != "" && strings.Index(all, "look") > strings.Index(all, "functionCall") {
			t.Errorf("%s: %s", name, all)
		}
	}
}

// Every attempt had its finish reason, or none had.
func TestFaultFinishReasons(t *testing.T) {
	h := newHouse(t, nil, reels(t, says("STOP", "One"), says("MAX_TOKENS", " two"), says("STOP", " three\n"+mark)))
	if got := h.ask(inquiry{}); len(got.finish) != 1 || strings.Count(strings.Join(got.events, ""), "finishReason") != 1 {
		t.Errorf("%q", got.events)
	}
	h = newHouse(t, nil, reels(t, says("", "One\n"+mark)))
	if got := h.ask(inquiry{}); len(got.finish) != 1 || got.usage.Total != 8 || got.raw["modelVersion"] != "m" {
		t.Errorf("%q", got.events)
	}
}

// What explains a reason goes with it.
func TestFinishMessage(t *testing.T) {
	why := strings.Replace(last("MAX_TOKENS"), `"index"`, `"finishMessage":"too long","index"`, 1)
	h := newHouse(t, nil, reels(t, reel{events: []string{word("One\n" + mark), why}}))
	if got := h.ask(inquiry{}); strings.Join(got.finish, "") != "STOP" || strings.Contains(strings.Join(got.events, ""), "too long") {
		t.Errorf("%q", got.events)
	}
	h = newHouse(t, func(s *Settings) { s.MaxAttempts = 1 }, reels(t, reel{events: []string{word("One\n"), why}}))
	if got := h.ask(inquiry{}); strings.Join(got.finish, "") != "MAX_TOKENS" || !strings.Contains(got.events[1], "too long") {
		t.Errorf("%q", got.events)
	}
}

// Where there is no answer the request is as it was: it may be made again for another model.
func TestFailureLeavesNothing(t *testing.T) {
	h := newHouse(t, nil, reels(t, reel{fail: broken()}))
	left := ""
	h.ask(inquiry{after: func(x *pipeline.Exchange) { left = string(x.Call.AppendTo(nil)) }})
	if left != hello || !strings.Contains(h.bodies[0], mark) {
		t.Errorf("%s behind %s", left, h.bodies[0])
	}
}

// The text was kept until the end.
func TestFaultNotInTime(t *testing.T) {
	x := inquiry{}.exchange(t)
	h := newHouse(t, nil, reels(t, says("STOP", "One", " two", " three", "\n", mark)))
	stream := h.engine.Run(x).Stream
	defer h.engine.End(x, pipeline.Outcome{})
	for _, want := range []string{"One", " two", " three"} {
		ev, err := stream.Next()
		if err != nil || string(ev.Data) != word(want) {
			t.Errorf("%v %s, want %s", err, ev.Data, word(want))
		}
	}
}

// Ends that nothing can be added to were followed by another attempt.
func TestFaultPointless(t *testing.T) {
	for _, reason := range []string{"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "LANGUAGE", "OTHER", "MALFORMED_FUNCTION_CALL", "SOMETHING_NEW"} {
		h := newHouse(t, nil, reels(t, says(reason, "One\n")))
		if got := h.ask(inquiry{}); got.text != "One\n" || strings.Join(got.finish, " ") != reason {
			t.Errorf("%s: %+v", reason, got)
		}
	}
	blocked := `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}`
	h := newHouse(t, nil, reels(t, reel{events: []string{blocked}}))
	if got := h.ask(inquiry{}); len(got.events) != 1 || got.events[0] != blocked {
		t.Errorf("a prompt that is blocked: %q", got.events)
	}
	h = newHouse(t, nil, reels(t, says("", "One"), reel{events: []string{blocked}}))
	if got := h.ask(inquiry{}); got.text != "One" || strings.Join(got.finish, " ") != "PROHIBITED_CONTENT" || got.usage.Total != 11 || len(h.bodies) != 2 {
		t.Errorf("a continuation that is blocked: %q", got.events)
	}
}

// A model that forgets the mark costs no more than one call where the operator is content with that.
func TestFaultForgetfulModel(t *testing.T) {
	for text, enough := range map[string]bool{
		"One.": true, "Eins!": true, "Wer?\n": true, "完。": true, "完了！」": true, "He said \"so.\"": true, "**So.**": true, "Code:\n```go\nx()\n```": true, "```\na\n```\n\n~~~\nb\n~~~": true,
		"One": false, "One,": false, "```\nx.": false, "": false, "a:": false, "| a | b |": false, "```": false, "...and": false,
	} {
		if endsWell([]byte(text)) != enough {
			t.Errorf("%q ends well: %v", text, !enough)
		}
	}
}

// What is written in the log of an answer that was never called whole.
func TestLog(t *testing.T) {
	h := newHouse(t, func(s *Settings) { s.MaxAttempts = 2 }, reels(t, says("STOP", "One"), says("STOP", " two")))
	h.ask(inquiry{})
	for _, says := range []string{"the end mark never came", "id=the-id", "attempts=2", "stage=antitrunc"} {
		if !strings.Contains(h.logged.String(), says) {
			t.Errorf("no %q in %s", says, h.logged.String())
		}
	}
	h = newHouse(t, nil, reels(t, says("", "One"), says("STOP", " two\n"+mark)))
	if h.ask(inquiry{}); h.logged.Len() != 0 {
		t.Errorf("%s", h.logged.String())
	}
}

// Nobody is asked again for a client that has left.
func TestClientLeaves(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	h := newHouse(t, nil, reels(t, says("", "One")))
	x := inquiry{ctx: ctx}.exchange(t)
	stream := h.engine.Run(x).Stream
	defer h.engine.End(x, pipeline.Outcome{})
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := stream.Next(); err == nil || err == io.EOF || len(h.bodies) != 1 {
		t.Errorf("%v after %d calls", err, len(h.bodies))
	}
	_ = stream.Close()
	if h.open != 0 {
		t.Error("the stream is open")
	}
}

// Closed in the middle, it is over.
func TestClose(t *testing.T) {
	h := newHouse(t, nil, reels(t, says("", "One", "two")))
	x := inquiry{}.exchange(t)
	stream := h.engine.Run(x).Stream
	_, _ = stream.Next()
	_, _ = stream.Close(), stream.Close()
	if _, err := stream.Next(); err != io.EOF || h.open != 0 {
		t.Errorf("%v, %d open", err, h.open)
	}
	h.engine.End(x, pipeline.Outcome{})
}

// eager announces the next event wherever there is one.
type eager struct{ wire.Stream }

func (e eager) Next() (wire.Event, error) {
	ev, err := e.Stream.Next()
	ev.More = strings.Contains(string(ev.Data), "more")
	return ev, err
}

// An event that announces another one is packed with it by the server; it must not wait for one that is held.
func TestNobodyWaitsForWhatIsHeld(t *testing.T) {
	for name, events := range map[string][]string{
		"held":     {word("more"), word("\n")},
		"the end":  {word("more"), last("STOP")},
		"an error": {word("more")},
	} {
		s := bare(newMarker(mark))
		s.x = inquiry{}.exchange(t)
		s.inner = eager{&projector{s: &script{t: t}, r: reel{events: events, end: broken()}}}
		first, _ := s.Next()
		second, err := s.Next()
		if !first.More || second.More || err != nil || string(second.Data) != nudge {
			t.Errorf("%s: %v, then %s, %v", name, first.More, second.Data, err)
		}
	}
}

// Signatures stay with their parts, in every attempt.
func TestSignatures(t *testing.T) {
	signed := func(text, sign string) string {
		return strings.Replace(word(text), `"}]}`, `","thoughtSignature":"`+sign+`"}]}`, 1)
	}
	h := newHouse(t, nil, reels(t, reel{events: []string{word("One"), signed("", "s1")}, end: broken()},
		reel{events: []string{word(" two"), signed("\n"+mark, "s2"), strings.Replace(signed("", "s3"), `"index"`, `"finishReason":"STOP","index"`, 1)}}))
	got := h.ask(inquiry{})
	all := strings.Join(got.events, "")
	for _, s := range []string{"s1", "s2", "s3"} {
		if strings.Count(all, `"thoughtSignature":"`+s+`"`) != 1 {
			t.Errorf("%s: %s", s, all)
		}
	}
	if got.text != "One two" || len(got.finish) != 1 {
		t.Errorf("%q %q", got.text, got.finish)
	}
}

// What Google says beside the texts is in the last event, for the whole answer: places count from its
// beginning, in bytes.
func TestMetadata(t *testing.T) {
	with := func(event, members string) string { return strings.Replace(event, `"index"`, members+`,"index"`, 1) }
	first := `"groundingMetadata":{"webSearchQueries":["a"],"searchEntryPoint":{"renderedContent":"1"},"groundingChunks":[{"web":{"uri":"u0"}},{"web":{"uri":"u1"}}],"groundingSupports":[{"segment":{"endIndex":4,"text":"Öne"},"groundingChunkIndices":[0,1]}]}`
	second := `"groundingMetadata":{"webSearchQueries":["b"],"searchEntryPoint":{"renderedContent":"2"},"groundingChunks":[{"web":{"uri":"u2"}}],"groundingSupports":[{"segment":{"startIndex":13,"endIndex":17},"groundingChunkIndices":[0],"confidenceScores":[0.5]},{"segment":{"endIndex":4}}]},` +
		`"citationMetadata":{"citationSources":[{"startIndex":13,"endIndex":15,"uri":"c"}]},"urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"r"}]}`
	h := newHouse(t, nil, reels(t, reel{events: []string{word("Öne, and a second "), with(last("MAX_TOKENS"), first)}},
		reel{events: []string{word("and a second two.\n" + mark), last("STOP"), with(word(""), second)}}))
	got := h.ask(inquiry{})
	if got.text != "Öne, and a second two." {
		t.Fatalf("%q", got.text)
	}
	want := `{"groundingMetadata":{"webSearchQueries":["a","b"],"searchEntryPoint":{"renderedContent":"2"},"groundingChunks":[{"web":{"uri":"u0"}},{"web":{"uri":"u1"}},{"web":{"uri":"u2"}}],` +
		`"groundingSupports":[{"segment":{"endIndex":4,"text":"Öne"},"groundingChunkIndices":[0,1]},{"segment":{"startIndex":19,"endIndex":23},"groundingChunkIndices":[2],"confidenceScores":[0.5]},{"segment":{"startIndex":6,"endIndex":10}}]},` +
		`"citationMetadata":{"citationSources":[{"startIndex":19,"endIndex":21,"uri":"c"}]},"urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"r"}]}}`
	var expect map[string]any
	if err := json.Unmarshal([]byte(want), &expect); err != nil {
		t.Fatal(err)
	}
	candidate := got.raw["candidates"].([]any)[0].(map[string]any)
	for name, v := range expect {
		if !reflect.DeepEqual(candidate[name], v) {
			b, _ := json.Marshal(candidate[name])
			t.Errorf("%s is %s", name, b)
		}
	}
	// With one attempt everything stays as it is.
	h = newHouse(t, nil, reels(t, reel{events: []string{with(word("One"), first), word("\n" + mark), last("STOP")}}))
	if got := h.ask(inquiry{}); got.events[0] != with(word("One"), first) {
		t.Errorf("%q", got.events)
	}
}

// A failure that is none of Google's ends the answer like any other.
func TestErrorInBand(t *testing.T) {
	own := apierror.New(apierror.RateLimited, "later")
	h := newHouse(t, func(s *Settings) { s.MaxAttempts = 2 }, reels(t, says("", "One\n"), reel{fail: own}))
	if got := h.ask(inquiry{}); got.err != own || got.text != "One\n" || len(got.finish) != 0 {
		t.Errorf("%+v", got)
	}
}
