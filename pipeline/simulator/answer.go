package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// answer is what the model "says" to a request.
type answer struct {
	thought  string // summary of its thoughts
	show     bool   // the summary is part of the answer
	text     string
	calls    []call
	searched string // id of a search that was run before the calls, whose parts are in the answer; "" for none
	picture  []byte
	finish   string // "" leaves it out
	message  string // finishMessage
	ratings  []object
	feedback object // promptFeedback: there are no candidates
	search   object // groundingMetadata
	pieces   []int  // characters of the events, in turn
	story    bool   // a part of one: what happens midway happens behind the text

	promptText, promptBlobs    int
	thoughtTokens, replyTokens int
}

// call is one function call of an answer.
type call struct {
	id, name string
	args     object
}

// answer makes up the reply from the request alone, so that the same request always gets the same reply.
func (s *Server) answer(r *request, p play) *answer {
	a := &answer{finish: "STOP"}
	a.promptText, a.promptBlobs = r.promptTokens()
	a.think(r)
	o := r.order()
	if p.shape != "" && s.misshape(a, r, p) {
		a.follow(o, p)
		a.count()
		return a
	}
	s.say(a, o.asked)
	own := a.follow(o, p)
	a.obey(r)
	if len(a.calls) > 0 && r.mixes() {
		a.searched = fmt.Sprintf("search_%d", o.asked.step()+1)
	}
	if own = min(own, len(a.text)); slices.Contains(r.tools.builtIn, "googleSearch") && own > 0 {
		a.search = grounding(o.asked.lastText(), a.text[:own])
	}
	a.count()
	if p.shape == "max-tokens" {
		a.finish = "MAX_TOKENS"
	}
	return a
}

// follow obeys the rule for the end of an answer where the answer is a text, and gives how much of it is not the mark.
// JSON has no room for a mark: there the model may say nothing else.
func (a *answer) follow(o order, p play) (own int) {
	mime := str(o.asked.config, "responseMimeType")
	if a.text == "" || a.picture != nil || mime != "" && mime != "text/plain" {
		return len(a.text)
	}
	a.text, own = o.write(a.text, p.shape == "max-tokens")
	return own
}

// think gives the model thoughts when it is asked to have them; they cost tokens whether they are shown or not.
func (a *answer) think(r *request) {
	if r.thinking == nil {
		return
	}
	a.show = r.thinking["includeThoughts"] == true
	budget, hasBudget := number(r.thinking["thinkingBudget"])
	level := str(r.thinking, "thinkingLevel")
	if !a.show && (!hasBudget && level == "" || hasBudget && budget == 0) {
		return
	}
	a.thought = fmt.Sprintf("**Reading the request**\nThe last message has %d characters.", len([]rune(r.lastText())))
	a.thoughtTokens = Tokens(a.thought)
}

// say fills in the content of a normal answer.
func (s *Server) say(a *answer, r *request) {
	last := r.contents[len(r.contents)-1]
	calls := s.callsFor(r)
	switch {
	case len(calls) > 0:
		a.calls = calls
	case last.has("functionResponse"):
		a.text = quoteResults(last)
	case r.wantsPicture():
		a.picture = drawFor(r)
		if r.wantsText() {
			a.text = "echo: " + r.lastText()
		}
	case r.asksForStories():
		a.text = s.allStories()
	case strings.HasPrefix(r.command(), "!describe"):
		a.text = string(encode(describe(r)))
	case str(r.config, "responseMimeType") == "application/json":
		a.text = string(encode(r.instance()))
	case str(r.config, "responseMimeType") == "text/x.enum":
		a.text = r.firstWord()
	default:
		a.text = "echo: " + r.lastText()
	}
}

func quoteResults(c content) string {
	var out []string
	for _, p := range c.parts {
		if p.kind == "functionResponse" {
			out = append(out, "result of "+p.name+": "+string(encode(p.value)))
		}
	}
	return strings.Join(out, "\n")
}

// obey applies stopSequences and maxOutputTokens, against which thoughts count.
func (a *answer) obey(r *request) {
	for _, stop := range texts(r.config, "stopSequences") {
		if i := strings.Index(a.text, stop); i >= 0 {
			a.text = a.text[:i]
		}
	}
	limit, ok := number(r.config["maxOutputTokens"])
	if !ok {
		return
	}
	left := int(limit) - a.thoughtTokens
	if left <= 0 {
		a.thoughtTokens = int(limit)
		a.text, a.calls, a.picture, a.finish = "", nil, nil, "MAX_TOKENS"
		return
	}
	if Tokens(a.text) > left {
		a.text = string([]rune(a.text)[:left*4])
		a.finish = "MAX_TOKENS"
	}
}

// count adds up the visible part of the answer.
func (a *answer) count() {
	a.replyTokens = Tokens(a.text)
	for _, c := range a.calls {
		a.replyTokens += Tokens(c.name) + Tokens(string(encode(c.args)))
	}
	if a.picture != nil {
		a.replyTokens += blobTokens
	}
}

// misshape makes the answers that do not follow from the request; false means that the normal content follows.
func (s *Server) misshape(a *answer, r *request, p play) bool {
	switch p.shape {
	case "max-tokens":
		return false
	case "max-tokens-empty":
		a.finish = "MAX_TOKENS"
	case "empty":
	case "thoughts-only":
		a.thought, a.show = "**Thinking**\nAnd nothing else.", true
		a.thoughtTokens = Tokens(a.thought)
	case "malformed-call":
		a.finish, a.message = "MALFORMED_FUNCTION_CALL", "Malformed function call: print(default_api.get_weather(city=)"
	case "blocked":
		a.feedback = object{"blockReason": "PROHIBITED_CONTENT"}
	case "safety":
		a.finish = "SAFETY"
		a.ratings = []object{{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": true}}
	case "recitation":
		a.finish = "RECITATION"
	case "finish":
		a.finish = p.reason
	case "help":
		a.text = allFaults()
	case "big":
		a.text = strings.Repeat("0123456789abcdef", p.n<<16)
	case "many":
		a.text = strings.TrimSuffix(strings.Repeat("word ", p.n), " ")
	}
	return true
}

// sentence is the length of the first sentence of a text, in bytes, what ends it included.
func sentence(text string) int {
	end := len(text)
	for _, stop := range []string{". ", "。"} {
		if i := strings.Index(text, stop); i >= 0 {
			end = min(end, i+len(stop))
		}
	}
	return end
}

// grounding is a made-up search result that supports each sentence of the text; offsets are bytes, as Google counts them.
func grounding(query, text string) object {
	var supports []object
	for from := 0; from < len(text); {
		to := from + sentence(text[from:])
		segment := object{"endIndex": to, "text": text[from:to]}
		if from > 0 {
			segment["startIndex"] = from
		}
		supports = append(supports, object{"segment": segment, "groundingChunkIndices": []int{0}, "confidenceScores": []float64{0.9}})
		from = to
	}
	return object{
		"webSearchQueries": []string{query},
		"searchEntryPoint": object{"renderedContent": "<div>search</div>"},
		"groundingChunks": []object{{"web": object{"uri": "https://vertexaisearch.cloud.google.com/grounding-api-redirect/simulated",
			"title": "example.com", "domain": "example.com"}}},
		"groundingSupports": supports,
		"retrievalMetadata": object{},
	}
}
