package pool

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/oauth"
)

// book is States that outlives a pool.
type book struct {
	mu  sync.Mutex
	all map[string]State
}

func newBook() *book { return &book{all: map[string]State{}} }

func (b *book) Load(id string) (State, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.all[id]
	return s, ok
}

func (b *book) Save(id string, s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[id] = s
}

// use lends and gives back, once for each credential that is wanted.
func use(t *testing.T, p *Pool, n int) {
	t.Helper()
	for range n {
		l := take(t, p, Want{Model: "gemini-2.5-pro"})
		l.Report(nil)
		l.Release()
	}
}

func environ(lines ...string) []oauth.Variable { return oauth.FromEnvironment(lines, true) }

func TestSeveralInOneFile(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	a, b, c := ready("a", "ya29.a", hour), ready("b", "ya29.b", hour), ready("c", "ya29.c", hour)
	var log lines
	p := folder(t, Options{Log: log.logger()},
		"list.json", "["+a+","+b+"]",
		"named.json", `{"work":`+c+`,"work2":`+b+`}`,
		"lines.jsonl", ready("d", "ya29.d", hour)+"\n"+ready("e,f", "ya29.e", hour)+"\n{}\n",
		"packed.json", base64.StdEncoding.EncodeToString([]byte(keyFile)),
	)
	want := "lines.jsonl lines.jsonl#2:e lines.jsonl#2:f list.json list.json#2 named.json#work packed.json"
	if got := ids(p); got != want {
		t.Fatalf("queue %q\nwant  %q", got, want)
	}
	if log.count("level=WARN") != 2 || log.count(`"credential is there twice" credential=named.json#work2`) != 1 || log.count("lines.jsonl#3:") != 1 {
		t.Error(log.String())
	}
	if s := status(t, p, "list.json#2"); s.Source != "file list.json" || !s.File {
		t.Errorf("%+v", s)
	}
	// One less: those behind it are called otherwise, and keep their token.
	p.Disable("list.json#2")
	put(t, p.dir, "list.json", "["+b+"]")
	p.Rescan()
	if s := status(t, p, "list.json"); s.Project != "b" || s.TokenUntil.IsZero() {
		t.Errorf("%+v", s)
	}
}

// rotating makes accounts whose refresh tokens change with each refresh.
func rotating(s *simulator.Server, n int) (all []simulator.Account) {
	for i := range n {
		all = append(all, s.AddAccount(simulator.Account{Email: fmt.Sprintf("u%d@example.com", i), Tier: "free-tier", RotateRefresh: true}))
	}
	return all
}

// token is the refresh token of an account that is good now.
func token(s *simulator.Server, a simulator.Account) (now string) {
	s.UpdateAccount(a.Email, func(a *simulator.Account) { now = a.RefreshToken })
	return now
}

func plainSignIn(a simulator.Account) string {
	return fmt.Sprintf(`{"refresh_token": %q}`, a.RefreshToken)
}

func TestRotatedTokenIsWrittenIntoItsObject(t *testing.T) {
	s := google(t)
	a := rotating(s, 2)
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "list.json", "[\n  "+signIn(a[0])+",\n  "+signIn(a[1])+"\n]\n")
	use(t, p, 2)
	_ = p.Close()
	got, err := os.ReadFile(filepath.Join(p.dir, "list.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		a[i].RefreshToken = token(s, a[i])
	}
	want := "[\n  " + strings.TrimSuffix(signIn(a[0]), "}") + `, "project_id": "` + a[0].Project + "\"},\n  " + strings.TrimSuffix(signIn(a[1]), "}") + `, "project_id": "` + a[1].Project + "\"}\n]\n"
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Wherever a credential stands that cannot be written, what was learned of it is there after a
// restart, and nothing is lost when its token changes on and on.
func TestSourcesThatCannotBeWritten(t *testing.T) {
	unwritable := strings.Repeat("n", 245) + ".json" // no room for the name of a temporary file beside it
	for _, row := range []struct {
		name, file string
		environ    string
		content    func(a simulator.Account) string
		id         string
	}{
		{name: "read-only folder", file: unwritable, content: plainSignIn, id: unwritable},
		{name: "base64", file: "a.json", content: func(a simulator.Account) string { return base64.StdEncoding.EncodeToString([]byte(plainSignIn(a))) }, id: "a.json"},
		{name: "creds.toml", file: "creds.toml", content: func(a simulator.Account) string {
			return "[\"me.json\"]\nrefresh_token = \"" + a.RefreshToken + "\"\n"
		}, id: "me.json"},
		{name: "environment", environ: "GOOGLE_CREDENTIALS_3=", content: plainSignIn, id: "env_credential_3"},
		{name: "environment, a list", environ: "GCLI_CREDS_x=", content: func(a simulator.Account) string { return "[{}," + plainSignIn(a) + "]" }, id: "env-x#2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := google(t)
			a := rotating(s, 1)[0]
			var log lines
			o := Options{Dir: t.TempDir(), OAuth: client(t, s.URL(), nil), States: newBook(), Log: log.logger()}
			content := row.content(a)
			if row.file != "" {
				put(t, o.Dir, row.file, content)
			} else {
				o.Environ = environ(row.environ + content)
			}
			for start := range 3 {
				p := folder(t, o)
				if start > 0 {
					if st := status(t, p, row.id); st.Project != a.Project || st.Email != a.Email || st.Tier != "free-tier" {
						t.Errorf("start %d: %+v", start, st)
					}
				}
				p.mu.Lock()
				p.byID[row.id].account.token = "" // as after an hour
				p.mu.Unlock()
				use(t, p, 1)
				_ = p.Close()
			}
			if n := len(s.CallsOf("token")); n != 3 {
				t.Errorf("%d refreshes", n)
			}
			if n := len(s.CallsOf("loadCodeAssist")) + len(s.CallsOf("userinfo")); n > 2 {
				t.Errorf("project and e-mail were asked for again: %d calls", n)
			}
			if row.file != "" {
				if got, _ := os.ReadFile(filepath.Join(o.Dir, row.file)); string(got) != content {
					t.Errorf("the file was changed: %s", got)
				}
			}
			if left, _ := os.ReadDir(o.Dir); len(left) > 1 || row.file == "" && len(left) > 0 {
				t.Errorf("files were made: %v", left)
			}
			if log.count("cannot be written") != 0 || strings.Contains(log.String(), "1//") {
				t.Error(log.String())
			}
			// Another sign-in under the same name begins anew.
			other := s.AddAccount(simulator.Account{Email: "other@example.com", Project: "sim-other"})
			if row.file != "" {
				put(t, o.Dir, row.file, row.content(other))
			} else {
				o.Environ = environ(row.environ + row.content(other))
			}
			p := folder(t, o)
			use(t, p, 1)
			if st := status(t, p, row.id); st.Project != "sim-other" {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A note in a file that could not be written must not bring the token back that is dead by now.
func TestTouchedFileKeepsTheRotatedToken(t *testing.T) {
	s := google(t)
	a := rotating(s, 1)[0]
	name := strings.Repeat("n", 245) + ".json"
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, name, plainSignIn(a))
	use(t, p, 1)
	put(t, p.dir, name, strings.TrimSuffix(plainSignIn(a), "}")+`, "note": 1}`)
	p.Rescan()
	p.mu.Lock()
	p.byID[name].account.token = ""
	p.mu.Unlock()
	use(t, p, 1)
	if st := status(t, p, name); st.Disabled {
		t.Errorf("%+v", st)
	}
}
