package sdktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	"google.golang.org/genai"
)

// The official Go clients are held to the same proofs as those of the other languages.
func TestGo(t *testing.T) {
	l := language{client: "APIError", server: "APIError"}
	l.hold(t)
	l.features(t)
	l.pools(t)
	l.auth(t)
}

// goCase notes what a Go client showed; what it gives is the client's error.
type goCase func(ctx context.Context, s *told) error

// cases are those of one script.
func (h *house) cases(t *testing.T, script string) map[string]goCase {
	switch script {
	case "openai_tools":
		return h.toolCases()
	case "openai_more":
		return h.moreCases(h.inputs(t))
	case "responses":
		return h.responsesCases(h.inputs(t))
	case "anthropic":
		return h.anthropicCases(h.inputs(t))
	case "genai_more":
		return h.genaiCases()
	}
	t.Fatalf("Go has no cases %q", script)
	return nil
}

// play runs cases in Go.
func (h *house) play(t *testing.T, script string, names []string) map[string]told {
	return play(t, script, names, h.cases(t, script))
}

// play runs them all at once.
func play(t *testing.T, script string, names []string, cases map[string]goCase) map[string]told {
	all := map[string]told{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, name := range names {
		run := cases[name]
		if run == nil {
			continue // which the proof says
		}
		group.Go(func() {
			s := told{Case: name, Mark: script + "." + name}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			began := time.Now()
			if err := try(context.WithValue(ctx, beginning{}, began), run, &s); err != nil {
				s.Error = goTrouble(err)
			}
			s.Took = time.Since(began).Seconds()
			mu.Lock()
			defer mu.Unlock()
			all[name] = s
		})
	}
	group.Wait()
	return all
}

// try runs a case. One that finds less in an answer than has to be there is an error of its own.
func try(ctx context.Context, run goCase, s *told) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the answer is not whole: %v", r)
		}
	}()
	return run(ctx, s)
}

type beginning struct{}

// arrived notes the time of the first piece of a stream and counts them.
func (s *told) arrived(ctx context.Context) {
	if s.Chunks++; s.Chunks == 1 {
		s.First = time.Since(ctx.Value(beginning{}).(time.Time)).Seconds()
	}
}

// goTrouble reads the errors of the three clients. Those of OpenAI and Anthropic have one class each,
// which is called here as the other languages call what has the status.
func goTrouble(err error) *trouble {
	classes := map[int]string{400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError", 429: "RateLimitError", 501: "InternalServerError"}
	var a *openai.Error
	if errors.As(err, &a) {
		return &trouble{Class: classes[a.StatusCode], Official: true, Status: a.StatusCode, Code: a.Code, Kind: a.Type, Param: a.Param, Message: a.Message, After: a.Response.Header.Get("Retry-After")}
	}
	var b *anthropic.Error
	if errors.As(err, &b) {
		return &trouble{Class: classes[b.StatusCode], Official: true, Status: b.StatusCode, Kind: string(b.Type()), Message: b.RawJSON(), After: b.Response.Header.Get("Retry-After")}
	}
	var c genai.APIError
	if errors.As(err, &c) {
		return &trouble{Class: "APIError", Official: true, Status: c.Code, Message: c.Error()}
	}
	const streaming = "received error while streaming: " // has no type in OpenAI's client
	return &trouble{Official: strings.HasPrefix(err.Error(), streaming), Message: err.Error()}
}
