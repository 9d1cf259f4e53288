package pool

import (
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
)

// walk plays the exchange of a client whose every call fails with f, as the stages would, and
// writes down what was called and how long was waited.
func walk(t *testing.T, p *Pool, c *clock, f func(token string) *apierror.Error) (story string) {
	t.Helper()
	w := Want{Model: "m"}
	for returns := 0; ; {
		l, fail := p.Acquire(t.Context(), w)
		if fail != nil {
			return story + " " + string(fail.Code)
		}
		story += " " + l.Token()
		w.Tried, w.Prefer = append(w.Tried, l.ID()), ""
		failure := f(l.Token())
		a := l.Report(failure)
		l.Release()
		if failure == nil {
			return story + " ok"
		}
		switch a.Again {
		case pipeline.No:
			return story + " no"
		case pipeline.Same:
			w.Prefer = l.ID()
			fallthrough
		case pipeline.Later:
			if returns++; returns > 3 || len(w.Tried) >= 12 {
				return story + " enough"
			}
			wait := a.Wait
			if failure.Status == 429 {
				wait = max(wait, time.Second) // as the stage retry does unless set otherwise
			}
			story += " " + wait.String()
			c.forward(wait)
		}
	}
}

func TestExchanges(t *testing.T) {
	always := func(status int, body string) func(string) *apierror.Error {
		return func(string) *apierror.Error { return gemini.ParseError(status, "", []byte(body), newClock().at) }
	}
	only := func(token string, f func(string) *apierror.Error) func(string) *apierror.Error {
		return func(now string) *apierror.Error {
			if now == token {
				return f(now)
			}
			return nil
		}
	}
	for _, row := range []struct {
		name string
		n    int
		f    func(string) *apierror.Error
		want string
	}{
		{"the client's mistake", 3, always(400, plain("Request contains an invalid argument.")), " key-0 no"},
		{"one limited key", 3, only("key-0", always(429, infoA)), " key-0 key-1 ok"},
		{"all limited for 2 s", 2, always(429, infoA), " key-0 key-1 2s key-1 1s key-0 1s key-1 enough"},
		{"all used up for hours", 3, always(429, infoB), " key-0 key-1 key-2 no"},
		{"bare limit, nobody else", 1, always(429, bare), " key-0 1s key-0 1s key-0 1s key-0 enough"},
		{"broken", 2, always(500, plain("Internal error encountered.")), " key-0 1s key-0 key-1 1s key-1 no"},
		{"broken one", 2, only("key-0", always(500, plain("Internal error encountered."))), " key-0 1s key-0 key-1 ok"},
		{"no capacity", 5, always(503, infoC), " key-0 1s key-0 3s key-0 key-1 1s key-1 enough"},
		{"unknown model", 5, always(404, plain("Requested entity was not found.")), " key-0 key-1 no"},
		{"dead keys", 3, always(400, plain("API key not valid.")), " key-0 key-1 key-2 no"},
		{"empty answers", 5, func(string) *apierror.Error { return apierror.New(apierror.EmptyAnswer, "empty") }, " key-0 key-1 key-2 key-3 0s key-3 no"},
		{"an empty answer", 1, func(string) *apierror.Error { return apierror.New(apierror.EmptyAnswer, "empty") }, " key-0 0s key-0 no"},
		{"refused", 2, always(403, plain("Forbidden")), " key-0 key-1 no"},
		{"keys of another kind", 2, always(401, plain("no")), " key-0 key-1 no"},
	} {
		p, c := keys(t, row.n)
		if got := walk(t, p, c, row.f); got != row.want {
			t.Errorf("%s:\n got%s\nwant%s", row.name, got, row.want)
		}
		if p.Leases() != 0 {
			t.Errorf("%s: %d leases out", row.name, p.Leases())
		}
	}
}

func TestUntilMidnightInCalifornia(t *testing.T) {
	la, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Skip("no zone files here: ", err)
	}
	for at := time.Date(2025, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() < 2028; at = at.Add(37 * time.Minute) {
		local := at.In(la)
		want := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, la).Sub(at)
		if got := untilMidnight(at); got != want {
			t.Fatalf("%s: %s, want %s", at, got, want)
		}
	}
}

// Which failures are those of the model: with another one the same credential may serve.
func TestFailuresOfTheModel(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		body   string
		want   bool
	}{
		{"no such model", 404, plain("Requested entity was not found."), true},
		{"no capacity", 503, infoC, true},
		{"no capacity, as a 429", 429, infoC, true},
		{"overloaded", 503, plain("The model is overloaded. Please try again later."), true},
		{"busy", 503, plain("The service is currently unavailable."), true},
		{"rate", 429, infoA, true},
		{"quota", 429, infoB, true},
		{"bare", 429, bare, true},
		{"credits", 429, `{"error":{"message":"Insufficient AI credits.","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INSUFFICIENT_G1_CREDITS_BALANCE"}]}}`, false},
		{"a page", 429, "<html>unusual traffic</html>", false},
		{"another page", 404, "<html>not found</html>", false},
		{"a mistake", 400, plain("Request contains an invalid argument."), false},
		{"refused", 403, plain("Forbidden"), false},
		{"broken", 500, plain("Internal error encountered."), false},
		{"late", 504, plain("Deadline expired before operation could complete."), false},
	} {
		p, c := keys(t, 2)
		l, fail := p.Acquire(t.Context(), Want{Model: "m"})
		if fail != nil {
			t.Fatal(fail)
		}
		if a := l.Report(gemini.ParseError(row.status, "", []byte(row.body), c.at)); a.Model != row.want {
			t.Errorf("%s: %+v", row.name, a)
		}
		l.Release()
	}
}

// Who has no access to previews is asked for one only where nobody else can be.
func TestPreviewsGoToThoseWhoSeeThem(t *testing.T) {
	p, c := keys(t, 3)
	const seen, other = "gemini-3.1-pro-preview", "gemini-3-flash-preview"
	l := take(t, p, Want{Model: seen}) // 0
	l.Report(gemini.ParseError(404, "", []byte(plain("Requested entity was not found.")), c.at))
	l.Release()
	if s := status(t, p, l.ID()); !s.NoPreview {
		t.Fatalf("%+v", s)
	}
	for range 6 {
		l := take(t, p, Want{Model: other})
		if l.Token() == "key-0" {
			t.Error("lent for a preview to who has none")
		}
		l.Release()
	}
	if got := order(t, p, "gemini-2.5-pro", 3); len(got) != len("0 1 2") || !strings.Contains(got, "0") {
		t.Errorf("a model for everybody: %q", got)
	}
	for _, s := range p.Status() {
		if s.ID != l.ID() {
			p.Disable(s.ID)
		}
	}
	last := take(t, p, Want{Model: other})
	last.Report(nil)
	last.Release()
	if s := status(t, p, l.ID()); s.NoPreview {
		t.Error("it has one now, and nobody knows")
	}
}
