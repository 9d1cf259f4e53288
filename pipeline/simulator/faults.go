package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is a scripted misbehaviour. The empty match fields match everything; the first script that matches a call and has
// plays left is played, in the order in which they were given.
type Fault struct {
	Do         string // what happens, in the words of a "!fault" prompt: "429-reset 30s", "cut", "slow-first 2s 503"
	Credential string // e-mail, or an API key (plain or masked)
	Model      string
	Verb       string // generateContent, streamGenerateContent, token, loadCodeAssist, ...; "" means the generating calls
	Skip       int    // so many matching calls pass first
	Count      int    // plays; 0 means one, a negative number means for ever
}

type script struct {
	Fault
	seen, played int
}

// play is a fault made ready: what to do with one call.
type play struct {
	name     string        // as it was written; "" means no fault
	before   time.Duration // silence before the headers
	failure  *failure      // answered instead of everything else
	midway   string        // what happens to the transfer: slow-event, silence, cut, eof, garbage, error-event, error-line, split-data, no-response-member
	wait     time.Duration // of slow-event and silence
	midError *failure      // of error-event and error-line
	shape    string        // what the answer looks like: max-tokens, empty, blocked, finish, big, many, ...
	n        int           // of big and many
	reason   string        // of finish
}

// Script queues faults. It panics on words that no fault has, since that is a mistake in a test.
func (s *Server) Script(faults ...Fault) {
	for _, f := range faults {
		if _, ok := s.parse(f.Do, assist, "model"); !ok {
			panic("simulator: no such fault: " + f.Do)
		}
		if strings.HasPrefix(f.Credential, "AIza") || f.Credential != "" && !strings.Contains(f.Credential, "@") && !strings.HasPrefix(f.Credential, "key:") {
			f.Credential = mask(f.Credential)
		}
		s.mu.Lock()
		s.scripts = append(s.scripts, &script{Fault: f})
		s.mu.Unlock()
	}
}

// ClearScripts drops every scripted fault and forgets which prompts were counted by "once" and "times".
func (s *Server) ClearScripts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts = nil
	clear(s.prompts)
}

// take finds the script that is due for a call and counts it.
func (s *Server) take(credential, model, verb string) (string, bool) {
	generating := verb == "generateContent" || verb == "streamGenerateContent"
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.scripts {
		verbFits := f.Verb == verb || f.Verb == "" && generating
		if !verbFits || f.Credential != "" && f.Credential != credential || f.Model != "" && f.Model != model {
			continue
		}
		if f.Count >= 0 && f.played >= max(f.Count, 1) {
			continue
		}
		if f.seen++; f.seen <= f.Skip {
			continue
		}
		f.played++
		return f.Do, true
	}
	return "", false
}

// due decides which fault a generating call meets: a scripted one, the standing one of the caller, or one by prompt.
func (s *Server) due(x *exchange, r *request, standing string) (play, *failure) {
	words, ok := s.take(x.call.Credential, r.model.Name, x.call.Verb)
	if !ok {
		words = standing
	}
	if words == "" {
		words = s.byPrompt(r.order())
	}
	if words == "" {
		return play{}, nil
	}
	p, ok := s.parse(words, r.dialect, r.model.Name)
	if !ok {
		return p, badRequest("simulator: no such fault: " + words + `; "!fault help" lists them. ` + allFaults())
	}
	x.note(func(c *Call) { c.Fault = words })
	return p, nil
}

// byPrompt reads "!fault ...", and counts the calls with this very prompt for once and times. Where the model is asked to
// go on, only those count on: any other fault has struck the answer already. What is an answer is gone on with.
func (s *Server) byPrompt(o order) string {
	command := o.asked.command()
	words, ok := strings.CutPrefix(command, "!fault ")
	if !ok {
		return ""
	}
	words, _, _ = strings.Cut(words, "#") // what follows only makes the prompt unique
	words = strings.TrimSpace(words)
	first, rest, _ := strings.Cut(words, " ")
	limit := 0
	switch first {
	case "once":
		limit = 1
	case "times":
		count, more, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			return words
		}
		limit, rest = n, more
	case "help", "big", "many":
		return words
	default:
		if o.again {
			return ""
		}
		return words
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.prompts) > 10_000 {
		clear(s.prompts)
	}
	if s.prompts[command]++; s.prompts[command] > limit {
		return ""
	}
	return rest
}

// scripted plays faults at the endpoints that do not generate: errors, silence and broken connections.
func (s *Server) scripted(x *exchange, model string) *failure {
	words, ok := s.take(x.call.Credential, model, x.call.Verb)
	if !ok {
		return nil
	}
	p, _ := s.parse(words, assist, model)
	x.note(func(c *Call) { c.Fault = words })
	return x.suffer(p)
}

// suffer plays a fault where nothing streams.
func (x *exchange) suffer(p play) *failure {
	x.pause(p.before + p.wait)
	if p.midway == "cut" {
		x.reset()
		panic(http.ErrAbortHandler)
	}
	if p.midway == "garbage" {
		return &failure{status: 200, raw: `{"this is": not JSON`}
	}
	return p.failure
}

// parse reads the words of a fault. Errors take the shape of the dialect.
func (s *Server) parse(words string, d dialect, model string) (play, bool) {
	p := play{name: words}
	name, rest, _ := strings.Cut(strings.TrimSpace(words), " ")
	arg, more, _ := strings.Cut(strings.TrimSpace(rest), " ")
	duration, durationErr := time.ParseDuration(arg)
	switch name {
	case "slow-first":
		p.before = duration
		if more != "" {
			next, ok := s.parse(more, d, model)
			next.before += duration
			return next, ok && durationErr == nil
		}
		return p, durationErr == nil
	case "slow-event", "silence":
		p.midway, p.wait = name, duration
		return p, durationErr == nil
	case "cut", "eof", "garbage", "split-data", "no-response-member":
		p.midway = name
		return p, true
	case "error-event", "error-line":
		if arg == "" {
			arg = "503"
		}
		p.midway = name
		inner, ok := s.parse(strings.TrimSpace(arg+" "+more), d, model)
		p.midError = inner.failure
		return p, ok && p.midError != nil
	case "max-tokens", "max-tokens-empty", "empty", "thoughts-only", "malformed-call", "blocked", "safety", "recitation", "help":
		p.shape = name
		return p, true
	case "finish":
		p.shape, p.reason = name, strings.ToUpper(arg)
		return p, arg != ""
	case "big", "many":
		n, err := strconv.Atoi(strings.TrimSuffix(arg, "MB"))
		p.shape, p.n = name, n
		return p, err == nil && n > 0 && n <= 1_000_000
	}
	p.failure = s.catalogue(name, d, model, duration)
	return p, p.failure != nil && (arg == "" || durationErr == nil)
}

// FaultNames lists the words that begin a fault, for help texts. "help" itself is none.
func FaultNames() []string {
	names := []string{"slow-first <dur> [fault]", "slow-event <dur>", "silence <dur>", "cut", "eof", "garbage", "error-event [error]",
		"error-line [error]", "split-data", "no-response-member", "max-tokens", "max-tokens-empty", "empty", "thoughts-only", "malformed-call",
		"blocked", "safety", "recitation", "finish <REASON>", "big <n MB>", "many <n>", "once <fault>", "times <n> <fault>"}
	return append(names, errorNames()...)
}

// allFaults is the answer to "!fault help".
func allFaults() string {
	return "The faults are: " + strings.Join(FaultNames(), ", ") + `. "!story help" lists answers that break off by themselves.`
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%.9gs", d.Seconds())
}
