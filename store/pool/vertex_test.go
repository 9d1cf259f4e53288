package pool

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

const robot = "robot@proj-r.iam.gserviceaccount.com"

func TestServes(t *testing.T) {
	for _, c := range []struct {
		model string
		verb  pipeline.Verb
		kinds string
	}{
		{"gemini-2.5-pro", pipeline.Generate, "codeassist gemini vertex"},
		{"gemini-3-flash-preview", pipeline.Streaming, "codeassist gemini vertex"},
		{"gemini-2.5-pro", pipeline.Count, "codeassist gemini vertex"},
		{"gemini-2.5-flash-image", pipeline.Generate, "gemini vertex"},
		{"gemini-3-pro-image-preview", pipeline.Generate, "gemini vertex"},
		{"gemini-2.5-flash-preview-tts", pipeline.Generate, "gemini vertex"},
		{"gemini-embedding-001", pipeline.Embed, "gemini"},
		{"gemini-embedding-001", pipeline.Generate, "gemini"},
		{"anything", pipeline.Embed, "gemini"},
	} {
		var kinds []string
		for _, kind := range oauth.Kinds() {
			if Serves(kind, c.model, c.verb) {
				kinds = append(kinds, kind)
			}
		}
		if got := strings.Join(kinds, " "); got != c.kinds {
			t.Errorf("%s, %v: %s, want %s", c.model, c.verb, got, c.kinds)
		}
	}
}

// A service account needs its token and nothing else; what is in its file stays as it is.
func TestServiceAccountInThePool(t *testing.T) {
	s := google(t)
	file := string(s.AddServiceAccount(robot, "proj-r"))
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "robot.json", file)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l := take(t, p, Want{Model: "gemini-2.5-pro"})
			if l.Kind() != oauth.Vertex || l.Project() != "proj-r" || !strings.HasPrefix(l.Token(), "ya29.") || l.ID() != "robot.json" {
				t.Errorf("%s %s %s", l.Kind(), l.Project(), l.ID())
			}
			l.Report(nil)
			l.Release()
		})
	}
	wg.Wait()
	if st := status(t, p, "robot.json"); st.Email != robot || st.Project != "proj-r" || st.TokenUntil.IsZero() || st.Kind != oauth.Vertex {
		t.Errorf("%+v", st)
	}
	if calls := s.Calls(); len(calls) != 1 || calls[0].Verb != "token" {
		t.Errorf("asked %d times, at last for %s", len(calls), calls[len(calls)-1].Verb)
	}
	if now, err := os.ReadFile(filepath.Join(p.dir, "robot.json")); err != nil || string(now) != file {
		t.Errorf("the file became %s, %v", now, err)
	}
	if p.Leases() != 0 {
		t.Errorf("%d leases", p.Leases())
	}
}

// A new key in the file is a new credential; another label is not.
func TestServiceAccountIsReread(t *testing.T) {
	s := google(t)
	file := string(s.AddServiceAccount(robot, "proj-r"))
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "robot.json", file)
	token := func() string {
		l := take(t, p, Want{Model: "m"})
		defer l.Release()
		return l.Token()
	}
	first := token()
	put(t, p.dir, "robot.json", strings.Replace(file, `"type"`, `"label":"ours","type"`, 1))
	p.Rescan()
	if got := token(); got != first || status(t, p, "robot.json").Label != "ours" {
		t.Errorf("another label: token new: %t, %+v", got != first, status(t, p, "robot.json"))
	}
	p.Disable("robot.json")
	put(t, p.dir, "robot.json", string(s.RenewServiceKey(robot)))
	p.Rescan()
	if got := token(); got == first || status(t, p, "robot.json").Disabled {
		t.Error("a new key counts as the old one")
	}
	put(t, p.dir, "robot.json", strings.Replace(string(s.ServiceAccountFile(robot)), robot, "nobody@proj-r.iam.gserviceaccount.com", 1))
	p.Rescan()
	if _, fail := p.Acquire(t.Context(), Want{Model: "m"}); fail == nil || !strings.Contains(status(t, p, "robot.json").Reason, "account not found") {
		t.Errorf("%v, %+v", fail, status(t, p, "robot.json"))
	}
}

// A wrong project is the end of a service account: there is no other one to look for.
func TestServiceAccountHasNoOtherProject(t *testing.T) {
	s := google(t)
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "robot.json", string(s.AddServiceAccount(robot, "proj-r")))
	l := take(t, p, Want{Model: "m"})
	defer l.Release()
	if a := l.Report(gemini.ParseError(403, "", []byte(`{"error":{"code":403,"message":"Permission denied.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED","domain":"aiplatform.googleapis.com"}]}}`), p.now())); a.Again != pipeline.No {
		t.Errorf("%+v", a)
	}
	if st := status(t, p, "robot.json"); !st.Disabled || st.Project != "proj-r" {
		t.Errorf("%+v", st)
	}
}

// The state knows a service account by its key, and keeps its token over a restart.
func TestServiceAccountAfterARestart(t *testing.T) {
	s := google(t)
	file := string(s.AddServiceAccount(robot, "proj-r"))
	states := heldStates{}
	one := folder(t, Options{OAuth: client(t, s.URL(), nil), States: states}, "robot.json", file)
	l := take(t, one, Want{Model: "m"})
	l.Release()
	_ = one.Close()
	for id, st := range states {
		if b, _ := json.Marshal(st); strings.Contains(string(b), "PRIVATE KEY") || st.RefreshToken != "" {
			t.Errorf("%s: %s", id, b)
		}
	}
	two := folder(t, Options{OAuth: client(t, "http://127.0.0.1:1", nil), States: states}, "robot.json", file)
	again := take(t, two, Want{Model: "m"})
	defer again.Release()
	if again.Token() != l.Token() {
		t.Error("the token was forgotten")
	}
}

// heldStates is a States for one pool at a time.
type heldStates map[string]State

func (k heldStates) Load(id string) (State, bool) { s, ok := k[id]; return s, ok }
func (k heldStates) Save(id string, s State)      { k[id] = s }

// The same text may be a key of AI Studio and one of Vertex AI: two credentials.
func TestExpressKeys(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	s := google(t)
	file := string(s.AddServiceAccount(robot, "proj-r"))
	p := folder(t, Options{OAuth: client(t, s.URL(), nil), Settings: Settings{APIKeys: []string{"same-key"}, VertexKeys: []string{" same-key ", "same-key", ""}}, Hide: func(secret string) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, secret)
	}}, "express.json", `{"type":"vertex_express_key","api_key":"key-of-a-file"}`, "robot.json", file)
	var kinds []string
	for _, st := range p.Status() {
		kinds = append(kinds, st.Kind+" "+st.Source)
	}
	if got := strings.Join(kinds, ", "); got != "vertex file express.json, vertex file robot.json, gemini settings, vertex settings" {
		t.Errorf("%s", got)
	}
	l := take(t, p, Want{Model: "m", Kinds: []string{oauth.Vertex}})
	if l.Token() != "key-of-a-file" || l.Project() != "" {
		t.Errorf("%s %q", l.ID(), l.Project())
	}
	l.Release()
	mu.Lock()
	defer mu.Unlock()
	var f struct {
		Key string `json:"private_key"`
	}
	_ = json.Unmarshal([]byte(file), &f)
	for _, secret := range []string{"same-key", "key-of-a-file", f.Key} {
		if !slices.Contains(heard, secret) {
			t.Errorf("%.20q is not hidden", secret)
		}
	}
	if p.Apply(Settings{CallsPerRotation: 1}); len(p.Status()) != 2 {
		t.Errorf("keys that are gone from the settings stay: %v", p.Status())
	}
}
