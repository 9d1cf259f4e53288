package sdktest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// issue has the panel make a key.
func (h *house) issue(t *testing.T, terms string) string {
	t.Helper()
	return keyIn(t, h.panel(t, http.MethodPost, "/auth/keys", terms))
}

func keyIn(t *testing.T, answer string) string {
	t.Helper()
	var made struct {
		Key string `json:"api_key"`
	}
	if err := json.Unmarshal([]byte(answer), &made); err != nil || !strings.HasPrefix(made.Key, "sk-") {
		t.Fatalf("no key was made: %v", err)
	}
	return made.Key
}

// brief makes a key that ends in a few seconds, in as many as this machine needs to make one that is not over yet.
func (h *house) brief(t *testing.T) (secret string, ends time.Time) {
	t.Helper()
	for in := 2 * time.Second; in < time.Minute; in *= 2 {
		ends = time.Now().Add(in).Truncate(time.Second) // as it is kept
		status, text := h.reach(t, http.MethodPost, "/auth/keys", `{"total_quota":100,"expires":"`+ends.UTC().Format(time.RFC3339)+`"}`)
		if status == http.StatusOK {
			return keyIn(t, text), ends
		}
		if time.Now().Before(ends) {
			t.Fatalf("%d %s", status, text)
		}
	}
	t.Fatal("each expiry was over before there was a key")
	return "", ends
}

// occupied has a key's request under way for as long as the test takes.
func (h *house) occupied(t *testing.T, secret string) {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	client, ended := h.keyed(t, secret), make(chan struct{})
	t.Cleanup(func() { leave(); <-ended })
	go func() {
		defer close(ended)
		_, _ = client.ai.Chat.Completions.New(ctx, ask("!fault slow-first 5m"))
	}()
	for late := time.Now().Add(time.Minute); len(h.sim.CallsOf("generateContent")) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("the request does not reach Google")
		}
	}
}

// barred is a key with which nothing is to be had, and what clients make of it.
type barred struct {
	secret string
	class  string // of OpenAI's and Anthropic's clients
	status int
	code   string // OpenAI's code
	after  bool   // says when to come again
}

// holders shows keys in the place of the password: a good one, and those that are refused. No client asks again
// where that is of no use.
func holders() scene {
	var door *doorman
	var good string
	bars := map[string]barred{} // by secret
	in := func(h *house, t *testing.T, terms string, b barred) string {
		b.secret = h.issue(t, terms)
		bars[b.secret] = b
		return b.secret
	}
	return scene{name: "holders", stock: signedIn(2),
		before: func(t *testing.T, h *house) {
			door = h.watched(t)
			good = h.issue(t, `{"total_quota":100000}`)
			over, ends := h.brief(t)
			bars[over] = barred{secret: over, class: "AuthenticationError", status: 401, code: "unauthorized"}
			in(h, t, `{"total_quota":1}`, barred{class: "RateLimitError", status: 429, code: "insufficient_quota"})
			in(h, t, `{"total_quota":100,"models":["gemini-2.5-pro*"]}`, barred{class: "PermissionDeniedError", status: 403, code: "forbidden"})
			off := in(h, t, `{"total_quota":100}`, barred{class: "AuthenticationError", status: 401, code: "unauthorized"})
			h.panel(t, http.MethodPatch, "/auth/keys/"+off, `{"enabled":false}`)
			// A place stays taken for as long as the clients need to start; a minute may be over by then.
			h.occupied(t, in(h, t, `{"total_quota":100,"concurrency":1}`, barred{class: "RateLimitError", status: 429, after: true}))
			time.Sleep(time.Until(ends))
		},
		asks: func(f family) (all []asking) {
			all = append(all, asking{Do: "whole", Prompt: "hello", Secret: good}, asking{Do: "stream", Prompt: "hello", Secret: good})
			for secret, b := range bars {
				retries := 2
				if f.name == "genai" || b.after { // Google's clients ask again after any 429, where they are told to
					retries = 0
				}
				all = append(all, asking{Do: "whole", Prompt: "hello", Secret: secret, Retries: retries}, asking{Do: "stream", Prompt: "hello", Secret: secret, Retries: retries})
			}
			return all
		},
		check: func(t *testing.T, f family, a asking, s told) {
			if a.Secret == good {
				served(t, f, a, s)
				return
			}
			bars[a.Secret].check(t, f, s)
		},
		after: func(t *testing.T, h *house, asks map[string]asking) {
			for name, a := range asks {
				want := 200
				if b, ok := bars[a.Secret]; ok {
					want = b.status
				}
				if got := door.of(a); len(got) != 1 || got[0] != want {
					t.Errorf("%s: its tries came to %v, want one %d", name, got, want)
				}
			}
			door.check(t)
			if n := len(h.sim.CallsOf("generateContent", "streamGenerateContent")); n != 2*len(families())+1 {
				t.Errorf("%d calls at Google, want the good ones and the one that takes the place", n)
			}
		}}
}

func (b barred) check(t *testing.T, f family, s told) {
	t.Helper()
	e := s.Error
	if e == nil || e.Status != b.status || !e.Official || s.Text != "" {
		t.Fatalf("no refusal with %d: %+v", b.status, e)
	}
	if strings.Contains(e.Message, b.secret) {
		t.Error("the error shows the key")
	}
	if f.name == "genai" {
		return
	}
	if e.Class != b.class {
		t.Errorf("%s, want %s", e.Class, b.class)
	}
	if f.name != "anthropic" && b.code != "" && e.Code != b.code {
		t.Errorf("code %q, want %q", e.Code, b.code)
	}
	if seconds, err := strconv.Atoi(e.After); b.after && (err != nil || seconds < 1 || seconds > 60) || !b.after && e.After != "" {
		t.Errorf("Retry-After %q", e.After)
	}
}

// check holds every family to the places where its clients put a key. Anthropic's newer ones put one that is not
// of Anthropic's own kind where OpenAI's do, and Google's have another version in the path.
func (d *doorman) check(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, got := range d.places {
		want := []string{"Authorization"}
		switch {
		case strings.HasSuffix(path, "/messages"):
			want = []string{"X-Api-Key", "Authorization"}
		case strings.Contains(path, "/models/"):
			want = []string{"X-Goog-Api-Key"}
		}
		if len(got) != 1 || !slices.ContainsFunc(want, func(place string) bool { return got[place] }) {
			t.Errorf("%s: the key stood in %v, want one of %v", path, got, want)
		}
	}
	if len(d.places) < 5 {
		t.Errorf("only these were asked: %v", d.places)
	}
}

// oneByOne lets one request at a time through: clients come again by themselves, and are served when there is room.
func oneByOne() scene {
	var door *doorman
	var keys map[string]string
	return scene{name: "one_by_one", stock: signedIn(4), check: served,
		before: func(t *testing.T, h *house) {
			door, keys = h.watched(t), map[string]string{}
			for _, f := range families() {
				keys[f.name] = h.issue(t, `{"total_quota":1000,"concurrency":1}`)
			}
		},
		asks: func(f family) []asking {
			slow := asking{Do: "whole", Prompt: "!fault slow-first 3s", Secret: keys[f.name], Retries: 6}
			return []asking{slow, slow}
		},
		after: func(t *testing.T, h *house, asks map[string]asking) {
			refused := map[string]int{}
			for name, a := range asks {
				got := door.of(a)
				if len(got) == 0 || got[len(got)-1] != 200 || slices.ContainsFunc(got[:len(got)-1], func(status int) bool { return status != 429 }) {
					t.Errorf("%s: its tries came to %v", name, got)
				}
				refused[a.Family] += len(got) - 1
			}
			for _, f := range families() {
				if refused[f.name] == 0 {
					t.Errorf("%s: nobody was refused", f.name)
				}
			}
			if n := len(h.sim.CallsOf("generateContent", "streamGenerateContent")); n != len(asks) {
				t.Errorf("%d calls at Google for %d requests", n, len(asks))
			}
		}}
}
