package auth

import (
	"context"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

type access struct {
	password string
	public   bool
}

func (a access) Password() string   { return a.password }
func (a access) PublicModels() bool { return a.public }

// unread is a client whose body nobody may read.
type unread struct {
	pipeline.Fixed
	t *testing.T
}

func (u unread) Body() ([]byte, *apierror.Error) {
	u.t.Error("the body was read")
	return nil, nil
}

func ask(t *testing.T, a access, verb pipeline.Verb, f pipeline.Fixed) (*pipeline.Exchange, pipeline.Verdict) {
	x := pipeline.NewExchange(context.Background(), pipeline.Request{
		Route: pipeline.Route{Format: wire.OpenAI, Verb: verb}, Client: unread{f, t}})
	return x, (&stage{access: a}).Process(x)
}

func header(name, value string) pipeline.Fixed {
	return pipeline.Fixed{Headers: map[string]string{name: value}}
}

func query(name, value string) pipeline.Fixed {
	return pipeline.Fixed{Queries: map[string]string{name: value}}
}

// spots is where a client may put the password, as the last column of behaviour 2.1 has it.
func spots(secret string) map[string]pipeline.Fixed {
	return map[string]pipeline.Fixed{
		"bearer":                 header("Authorization", "Bearer "+secret),
		"x-api-key":              header("x-api-key", secret),
		"x-goog-api-key":         header("x-goog-api-key", secret),
		"key":                    query("key", secret),
		"access_token":           header("access_token", secret),
		"anthropic-auth-token":   header("anthropic-auth-token", secret),
		"x-anthropic-auth-token": header("x-anthropic-auth-token", secret),
	}
}

func TestEveryPlace(t *testing.T) {
	for name, f := range spots("secret") {
		t.Run(name, func(t *testing.T) {
			x, v := ask(t, access{password: "secret"}, pipeline.Generate, f)
			if v != pipeline.Next || x.Caller.Kind != "password" || x.Reply.Err != nil {
				t.Errorf("verdict %v, caller %+v, reply %v", v, x.Caller, x.Reply.Err)
			}
			x, v = ask(t, access{password: "other"}, pipeline.Generate, f)
			refused(t, x, v, "the password or API key is wrong")
		})
	}
}

func refused(t *testing.T, x *pipeline.Exchange, v pipeline.Verdict, message string) {
	t.Helper()
	if v != pipeline.Respond || x.Caller.Kind != "" {
		t.Fatalf("verdict %v, caller %+v", v, x.Caller)
	}
	if f := x.Reply.Err; f == nil || f.Status != 401 || f.Code != apierror.Unauthorized || f.Upstream || f.Message != message {
		t.Errorf("reply %+v", f)
	}
}

// The first valid candidate wins, wherever the wrong ones stand.
func TestEveryPairOfPlaces(t *testing.T) {
	for wrongAt, wrong := range spots("nonsense") {
		for rightAt, right := range spots("secret") {
			if wrongAt == rightAt {
				continue
			}
			both := pipeline.Fixed{Headers: map[string]string{}, Queries: map[string]string{}}
			for _, f := range []pipeline.Fixed{wrong, right} {
				for k, v := range f.Headers {
					both.Headers[k] = v
				}
				for k, v := range f.Queries {
					both.Queries[k] = v
				}
			}
			if x, v := ask(t, access{password: "secret"}, pipeline.Streaming, both); v != pipeline.Next || x.Caller.Kind != "password" {
				t.Errorf("wrong %s, right %s: verdict %v", wrongAt, rightAt, v)
			}
		}
	}
}

func TestWhatCountsAsGiven(t *testing.T) {
	const missing = "a password or API key is missing: send it as Authorization: Bearer, x-api-key, x-goog-api-key or ?key="
	const wrong = "the password or API key is wrong"
	for _, c := range []struct {
		name string
		f    pipeline.Fixed
		says string // "" lets in
	}{
		{"nothing", pipeline.Fixed{}, missing},
		{"scheme in small letters", header("Authorization", "bearer secret"), ""},
		{"surplus space", header("Authorization", "BEARER   secret "), ""},
		{"no scheme", header("Authorization", "secret"), missing},
		{"another scheme", header("Authorization", "Basic secret"), missing},
		{"a scheme alone", header("Authorization", "Bearer "), missing},
		{"the beginning of it", header("x-api-key", "secre"), wrong},
		{"more than it", header("x-api-key", "secrets"), wrong},
		{"another case", header("x-api-key", "Secret"), wrong},
		{"a place for keys, not passwords", query("api_key", "secret"), missing},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, v := ask(t, access{password: "secret"}, pipeline.Generate, c.f)
			if c.says != "" {
				refused(t, x, v, c.says)
			} else if v != pipeline.Next || x.Caller.Kind != "password" {
				t.Errorf("verdict %v, reply %v", v, x.Reply.Err)
			}
		})
	}
}

func TestPublicModels(t *testing.T) {
	for _, c := range []struct {
		name   string
		public bool
		verb   pipeline.Verb
		f      pipeline.Fixed
		kind   string
	}{
		{"list, closed", false, pipeline.List, pipeline.Fixed{}, ""},
		{"list, open", true, pipeline.List, pipeline.Fixed{}, "anonymous"},
		{"get, open", true, pipeline.Get, pipeline.Fixed{}, "anonymous"},
		{"list, open, with a wrong password", true, pipeline.List, header("x-api-key", "no"), "anonymous"},
		{"list, open, with the password", true, pipeline.List, header("x-api-key", "secret"), "password"},
		{"generate", true, pipeline.Generate, pipeline.Fixed{}, ""},
		{"stream", true, pipeline.Streaming, pipeline.Fixed{}, ""},
		{"count", true, pipeline.Count, pipeline.Fixed{}, ""},
		{"embed", true, pipeline.Embed, pipeline.Fixed{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, v := ask(t, access{"secret", c.public}, c.verb, c.f)
			if x.Caller.Kind != c.kind || (v == pipeline.Next) != (c.kind != "") {
				t.Errorf("verdict %v, caller %+v", v, x.Caller)
			}
		})
	}
}

func TestEveryRouteIsGuarded(t *testing.T) {
	k := Kind(access{}, nil)
	for _, v := range []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed, pipeline.List, pipeline.Get} {
		found := false
		for _, has := range k.Verbs {
			found = found || has == v
		}
		if !found {
			t.Errorf("%v passes without being asked", v)
		}
	}
}

// changing is a password that the operator changes.
type changing struct{ to *string }

func (c changing) Password() string { return *c.to }
func (changing) PublicModels() bool { return false }

// A changed password counts at once, and the old one no more.
func TestAChangedPassword(t *testing.T) {
	now := "first"
	s := &stage{access: changing{&now}}
	for _, password := range []string{"first", "second", "first"} {
		now = password
		for _, given := range []string{"first", "second"} {
			x := pipeline.NewExchange(context.Background(), pipeline.Request{Client: header("x-api-key", given)})
			if v := s.Process(x); (v == pipeline.Next) != (given == password) {
				t.Errorf("%q where %q is in force: verdict %v", given, password, v)
			}
		}
	}
}
