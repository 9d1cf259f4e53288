package pool

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/store/oauth"
)

const keyFile = `{"type": "gemini_api_key", "api_key": "AIza-one", "label": "mine"}`

func TestFolder(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	var log lines
	p := folder(t, Options{Log: log.logger(), Settings: Settings{APIKeys: []string{"AIza-one", "AIza-two"}}},
		"b.json", ready("b", "ya29.b", hour),
		"a.json", ready("p-one, p-two", "ya29.a", hour),
		"key.json", keyFile,
		"broken.json", `{"refresh_token": `,
		"elsewhere.json", `{"refresh_token":"1//x","token_uri":"https://oauth2.googleapis.com.evil.example/token"}`,
		"machine.json", `{"type":"service_account","private_key":"secret"}`,
		"notes.txt", "not mine",
		".hidden.json", "{}",
		"twin.json", ready("b", "ya29.b", hour),
	)
	want := "a.json:p-one a.json:p-two b.json key.json " + oauth.APIKey("AIza-two").ID
	if got := ids(p); got != want {
		t.Errorf("queue %q\nwant  %q", got, want)
	}
	for _, name := range []string{"broken.json", "elsewhere.json", "machine.json"} {
		if log.count("file="+name) != 1 {
			t.Errorf("%d warnings name %s", log.count("file="+name), name)
		}
	}
	if log.count("credential=twin.json") != 1 {
		t.Error("no warning names the twin")
	}
	before := contents(t, p.dir)
	p.Rescan()
	p.Rescan()
	if after := contents(t, p.dir); after != before || strings.Count(after, "\x00") != 9 || !strings.Contains(after, `broken.json={"refresh_token": `+"\x00") {
		t.Errorf("the folder was changed: %q", after)
	}
	if n := log.count("level=WARN"); n != 4 {
		t.Errorf("%d warnings after more looks:\n%s", n, log.String())
	}
	if s := status(t, p, "key.json"); s.Label != "mine" || s.Kind != oauth.Gemini || !s.File {
		t.Errorf("%+v", s)
	}
	if s := status(t, p, "a.json:p-two"); s.Project != "p-two" || s.Email != "a@example.com" || s.Kind != oauth.CodeAssist {
		t.Errorf("%+v", s)
	}
	for _, secret := range []string{"AIza-one", "AIza-two", "1//", "ya29", "private_key\":"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
		if b, _ := json.Marshal(p.Status()); strings.Contains(string(b), secret) {
			t.Errorf("the status shows %q", secret)
		}
	}
}

// contents is every file of a folder with what is in it.
func contents(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(f.Name() + "=" + string(data) + "\x00")
	}
	return all.String()
}

func TestFilesComeChangeAndGo(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	var log lines
	p := folder(t, Options{Log: log.logger()}, "a.json", ready("a", "ya29.a", hour), "b.json", ready("b", "ya29.b", hour))
	dir := p.dir
	expect := func(when, want string) {
		t.Helper()
		p.Rescan()
		if got := ids(p); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	put(t, dir, "c.json", keyFile)
	expect("one more", "a.json b.json c.json")

	// State stays with what did not change.
	p.Disable("b.json")
	put(t, dir, "b.json", strings.Replace(ready("b", "ya29.b", hour), `"email"`, `"note": 1, "email"`, 1))
	expect("a note", "a.json b.json c.json")
	if !status(t, p, "b.json").Disabled {
		t.Error("a note in the file switched the credential on")
	}
	put(t, dir, "b.json", ready("other", "ya29.other", hour))
	expect("another sign-in", "a.json b.json c.json")
	if s := status(t, p, "b.json"); s.Disabled || s.Project != "other" {
		t.Errorf("another credential under the old name: %+v", s)
	}

	// A lease is not disturbed by its file going.
	l := take(t, p, Want{Model: "m"})
	if err := os.Remove(filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	expect("one less", "b.json c.json")
	l.Report(nil)
	l.Release()

	// Half a file may be one that is being written.
	put(t, dir, "b.json", `{"refresh_token": "1//`)
	expect("half a file", "b.json c.json")
	if log.count("credential file skipped") != 0 {
		t.Error("a warning at first sight")
	}
	expect("still half a file", "c.json")
	expect("and still", "c.json")
	if log.count("file=b.json") != 1 {
		t.Errorf("%d warnings", log.count("file=b.json"))
	}
	put(t, dir, "b.json", ready("b", "ya29.b", hour))
	expect("whole again", "b.json c.json")

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	expect("the folder is gone as a whole", "b.json c.json")
}

func TestFolderIsWatched(t *testing.T) {
	p := folder(t, Options{Poll: 5 * time.Millisecond})
	put(t, p.dir, "a.json", keyFile)
	until(t, "the file is found", func() bool { return ids(p) == "a.json" })
	if err := os.Remove(filepath.Join(p.dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	until(t, "it is gone", func() bool { return ids(p) == "" })
}

func TestFolderIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "creds")
	folder(t, Options{Dir: dir})
	stat, err := os.Stat(dir)
	if err != nil || stat.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", stat, err)
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log lines
	p := folder(t, Options{Dir: filepath.Join(file, "creds"), Log: log.logger(), Settings: Settings{APIKeys: []string{"k"}}})
	p.Rescan()
	if log.count("level=WARN") != 1 || len(p.Status()) != 1 {
		t.Errorf("%d credentials\n%s", len(p.Status()), log.String())
	}
}

func TestChangeIsWrittenOnce(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Email: "anna@example.com", Tier: "free-tier"})
	s.UpdateAccount(a.Email, func(a *simulator.Account) { a.RotateRefresh = true })
	o := Options{OAuth: client(t, s.URL(), nil)}
	content := "{\n  \"unknown\": {\"deep\": [1, 2.50]},\n  \"refresh_token\": \"" + a.RefreshToken + "\",\n  \"note\": \"kept\"\n}\n"
	p := folder(t, o, "a.json", content)
	path := filepath.Join(p.dir, "a.json")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	l := take(t, p, Want{Model: "gemini-2.5-pro"})
	l.Report(nil)
	l.Release()
	var rotated string
	s.UpdateAccount(a.Email, func(a *simulator.Account) { rotated = a.RefreshToken })
	want := strings.Replace(content, a.RefreshToken, rotated, 1)
	want = strings.Replace(want, "\"kept\"\n", "\"kept\",\n  \"project_id\": \""+a.Project+"\",\n  \"email\": \"anna@example.com\"\n", 1)
	swapped := strings.Replace(want, "\"project_id\": \""+a.Project+"\",\n  \"email\": \"anna@example.com\"", "\"email\": \"anna@example.com\",\n  \"project_id\": \""+a.Project+"\"", 1)
	until(t, "the file is complete", func() bool {
		got, _ := os.ReadFile(path)
		return string(got) == want || string(got) == swapped
	})
	if stat, _ := os.Stat(path); stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %s", stat.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, ".*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	// Our own writing is no news: neither the token nor the place in the queue is lost.
	before := len(s.CallsOf("token"))
	p.Rescan()
	l = take(t, p, Want{Model: "gemini-2.5-pro"})
	defer l.Release()
	if got := len(s.CallsOf("token")); got != before || l.Project() != a.Project || rotated == a.RefreshToken {
		t.Errorf("%d refreshes after %d, project %q", got, before, l.Project())
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p", RotateRefresh: true})
	var log lines
	// No room for the name of a temporary file beside it: fails for root as well.
	name := strings.Repeat("n", 245) + ".json"
	p := folder(t, Options{OAuth: client(t, s.URL(), nil), Log: log.logger()}, name, signIn(a))
	l := take(t, p, Want{Model: "gemini-2.5-pro"})
	l.Release()
	_ = p.Close()
	if l.Project() != "sim-p" || log.count("cannot be written where it came from") != 1 {
		t.Errorf("project %q\n%s", l.Project(), log.String())
	}
	if got, _ := os.ReadFile(filepath.Join(p.dir, name)); string(got) != signIn(a) {
		t.Errorf("half written: %s", got)
	}
}

func TestFileThatWasRemovedStaysSo(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", signIn(a))
	if err := os.Remove(filepath.Join(p.dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	take(t, p, Want{Model: "gemini-2.5-pro"}).Release() // finds a project that the file should remember
	_ = p.Close()
	if _, err := os.Stat(filepath.Join(p.dir, "a.json")); !os.IsNotExist(err) {
		t.Errorf("it is back: %v", err)
	}
}

func TestSettingsOfTheClientCount(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p"})
	secret := ""
	o := oauth.Options{HTTP: plainHTTP, Settings: func() oauth.Settings {
		set := oauth.Settings{ClientID: simulator.ClientID, ClientSecret: secret}
		set.Endpoints.OAuthToken, set.Endpoints.CodeAssist, set.Endpoints.GoogleAPIs = s.URL(), s.URL(), s.URL()
		set.Endpoints.ResourceManager, set.Endpoints.ServiceUsage = s.URL(), s.URL()
		return set
	}}
	var log lines
	p := folder(t, Options{OAuth: oauth.New(o), Log: log.logger()}, "a.json", signIn(a))
	if log.count("problem=\"a.json: needs OAUTH_CLIENT_SECRET") != 1 || log.count("packages/core/src/code_assist/oauth2.ts") == 0 {
		t.Errorf("no warning names the setting:\n%s", log.String())
	}
	_, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"})
	if fail == nil || fail.Code != apierror.NoCredential {
		t.Fatalf("without a secret: %v", fail)
	}
	if st := status(t, p, "a.json"); st.Disabled || !strings.HasPrefix(st.Inactive, "needs OAUTH_CLIENT_SECRET") {
		t.Errorf("%+v", st)
	}
	secret = simulator.ClientSecret
	p.Apply(Settings{CallsPerRotation: 1})
	l := take(t, p, Want{Model: "gemini-2.5-pro"})
	defer l.Release()
	if l.Project() != "sim-p" || l.ID() != "a.json" {
		t.Errorf("%s %s", l.ID(), l.Project())
	}
}

// A copy of a file takes nothing away from the one in use; without it the copy counts.
func TestCopyOfACredentialInUse(t *testing.T) {
	var log lines
	content := ready("alice", "ya29.a", time.Now().Add(time.Hour))
	p := folder(t, Options{Log: log.logger()}, "alice.json", content)
	l := take(t, p, Want{Model: "m"})
	l.Report(nil)
	l.Release()
	copied := filepath.Join(p.dir, "alice 2.json") // stands before alice.json
	if err := os.WriteFile(copied, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.Rescan()
	}
	if got := ids(p); got != "alice.json" || status(t, p, "alice.json").Calls != 1 || log.count("credential=\"alice 2.json\"") != 1 {
		t.Errorf("%q\n%s", got, log.String())
	}
	if err := os.Remove(filepath.Join(p.dir, "alice.json")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.Rescan()
	}
	if got := ids(p); got != "alice 2.json" {
		t.Errorf("%q", got)
	}
}

// A file that is skipped is said, until it is mended or gone.
func TestBrokenFiles(t *testing.T) {
	p := folder(t, Options{}, "bad.json", `{"type": "gemini_api_key", "api_key": "AIza-with a blank"}`, "worse.json", `{`, "good.json", keyFile)
	b := p.Broken()
	if len(b) != 2 || !strings.Contains(b["bad.json"], "api_key") || b["worse.json"] == "" || strings.Contains(b["bad.json"], "blank") {
		t.Errorf("%q", b)
	}
	put(t, p.dir, "bad.json", keyFile)
	if err := os.Remove(filepath.Join(p.dir, "worse.json")); err != nil {
		t.Fatal(err)
	}
	p.Rescan()
	if b := p.Broken(); len(b) != 0 {
		t.Errorf("%q", b)
	}
}
