package pool

import (
	"strings"
	"testing"
	"time"

	"gcli2api/store/oauth"
)

func TestEnvironment(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	var log lines
	hidden := map[string]bool{}
	o := Options{Log: log.logger(), Hide: func(s string) { hidden[s] = true }, Settings: Settings{APIKeys: []string{"AIza-key"}}, Environ: environ(
		"GOOGLE_CREDENTIALS="+ready("one", "ya29.one", hour),
		"GCLI_CREDS_work=["+strings.Replace(ready("two", "ya29.two", hour), `{`, `{"client_id": "c", "client_secret": "client-secret", `, 1)+","+keyFile+"]",
		"GCLI_CREDS_bad=1//not-to-be-shown",
	)}
	p := folder(t, o, "a.json", ready("a", "ya29.a", hour), "copy.json", ready("one", "ya29.one", hour))
	key := oauth.APIKey("AIza-key").ID
	active := "env_credential_1 env-work env-work#2 " + key
	if got := ids(p); got != active+" a.json copy.json" {
		t.Fatalf("queue %q", got)
	}
	for _, row := range []struct{ id, source string }{
		{"env_credential_1", "environment variable GOOGLE_CREDENTIALS"}, {"env-work#2", "environment variable GCLI_CREDS_work"},
		{"a.json", "file a.json"}, {key, "settings"},
	} {
		s := status(t, p, row.id)
		if s.Source != row.source || s.File != (row.id == "a.json") || (s.Inactive != "") != s.File {
			t.Errorf("%+v", s)
		}
	}
	p.Rescan()
	p.Apply(p.set)
	if log.count("level=WARN") != 1 || log.count("variable=GCLI_CREDS_bad") != 1 || strings.Contains(log.String(), "1//") {
		t.Errorf("a broken variable is one warning:\n%s", log.String())
	}
	for _, secret := range []string{"1//one", "1//two", "client-secret", "AIza-one"} {
		if !hidden[secret] {
			t.Errorf("%s is not kept out of the log", secret)
		}
	}

	// What is shut out is not lent, whatever a caller prefers.
	seen := map[string]bool{}
	for range 10 {
		l := take(t, p, Want{Model: "gemini-2.5-pro", Tried: []string{"a.json"}, Prefer: "a.json"})
		seen[l.ID()] = true
		l.Release()
		l = take(t, p, Want{Model: "gemini-2.5-pro"})
		seen[l.ID()] = true
		l.Release()
	}
	if seen["a.json"] || seen["copy.json"] || !seen["env_credential_1"] || !seen[key] {
		t.Errorf("lent %v", seen)
	}
	if !p.Disable("a.json") || !status(t, p, "a.json").Disabled || !p.Enable("a.json") {
		t.Error("it cannot be switched off and on")
	}

	// The setting may change while requests flow. A file wins then over a variable that says the same,
	// unless that one is in use.
	set := p.set
	set.EnvExclusive = "never"
	p.Apply(set)
	if got := ids(p); got != "a.json "+active || status(t, p, "a.json").Inactive != "" {
		t.Errorf("never: %q", got)
	}
	set.EnvExclusive = "auto"
	p.Apply(set)
	if got := ids(p); got != active+" a.json copy.json" {
		t.Errorf("auto: %q", got)
	}
	o.Settings.EnvExclusive = "never"
	if got := ids(folder(t, o, "copy.json", ready("one", "ya29.one", hour))); got != "copy.json env-work env-work#2 "+key {
		t.Errorf("never from the start: %q", got)
	}
}

// A variable that nothing can be read in shuts nobody out.
func TestEnvironmentThatCannotBeRead(t *testing.T) {
	p := folder(t, Options{Environ: environ("GOOGLE_CREDENTIALS=/run/secrets/creds.json")}, "a.json", keyFile)
	if got := ids(p); got != "a.json" || status(t, p, "a.json").Inactive != "" {
		t.Errorf("%q", got)
	}
}

func TestEnvironmentWithoutFolder(t *testing.T) {
	p, err := New(Options{OAuth: client(t, "http://127.0.0.1:1", nil), Environ: environ("GOOGLE_CREDENTIALS=" + keyFile)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := ids(p); got != "env_credential_1" {
		t.Errorf("%q", got)
	}
	if _, err := New(Options{Environ: environ("GOOGLE_CREDENTIALS=" + keyFile)}); err == nil {
		t.Error("a pool was made that cannot refresh")
	}
}

// One that waits for its token while it is shut out is not lent.
func TestShutOutWhileWaiting(t *testing.T) {
	s := google(t)
	g := newGate()
	a := rotating(s, 1)[0]
	hour := time.Now().Add(time.Hour)
	p := folder(t, Options{OAuth: client(t, s.URL(), g), Settings: Settings{EnvExclusive: "never"}, Environ: environ("GOOGLE_CREDENTIALS=" + ready("one", "ya29.one", hour))}, "a.json", plainSignIn(a))
	got := make(chan string, 1)
	go func() {
		l, fail := p.Acquire(t.Context(), Want{Model: "gemini-2.5-pro"})
		if fail != nil {
			got <- fail.Error()
			return
		}
		got <- l.ID()
		l.Release()
	}()
	<-g.arrived
	set := p.set
	set.EnvExclusive = "always"
	p.Apply(set)
	close(g.open)
	if id := <-got; id != "env_credential_1" {
		t.Errorf("lent %s", id)
	}
}

// Variables that wait are loaded when somebody asks, at each start from then on, and cleared again.
func TestEnvironmentOnDemand(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	o := Options{EnvLater: true, Settings: Settings{EnvExclusive: "auto"}, Environ: environ(
		"GCLI_CREDS_1="+ready("one", "ya29.1", hour), "GCLI_CREDS_bad=HIDDEN", "GOOGLE_CREDENTIALS="+ready("g", "ya29.g", hour))}
	p := folder(t, o, "a.json", ready("a", "ya29.a", hour), "env-old-1-1700000000.json", ready("old", "ya29.o", hour))
	o.Dir = p.dir
	const waiting = "env_credential_1 a.json env-old-1-1700000000.json"
	if got := ids(p); got != waiting {
		t.Errorf("at first %q", got)
	}
	all, auto := p.Environ()
	if len(all) != 3 || auto || all[0].Name != "GOOGLE_CREDENTIALS" || !all[0].Loaded || all[1].Loaded {
		t.Errorf("%+v %v", all, auto)
	}
	for range 2 { // twice is no more than once
		all = p.LoadEnviron()
		if len(all) != 3 || !all[1].Loaded || all[1].IDs[0] != "env-1" || all[1].Identifier != "1" || all[1].Project != "one" || all[2].Loaded || all[2].Err == nil {
			t.Errorf("%+v", all)
		}
		if got := ids(p); got != "env_credential_1 env-1 a.json env-old-1-1700000000.json" {
			t.Errorf("loaded %q", got)
		}
	}
	if s := status(t, p, "env-1"); s.Source != "environment variable GCLI_CREDS_1" || s.File {
		t.Errorf("%+v", s)
	}
	if got := ids(folder(t, o)); got != "env_credential_1 env-1 a.json env-old-1-1700000000.json" {
		t.Errorf("after a restart %q", got)
	}
	cleared, refused := p.ClearEnviron()
	if strings.Join(cleared, " ") != "env_credential_1 env-1 env-old-1-1700000000.json" || len(refused) != 0 || ids(p) != "a.json" || len(quarantined(p)) != 1 {
		t.Errorf("%q %v %q", cleared, refused, ids(p))
	}
	p.Apply(p.set)
	if ids(p) != "a.json" {
		t.Errorf("new settings brought it back: %q", ids(p))
	}
	if got := ids(folder(t, o)); got != "env_credential_1 a.json" {
		t.Errorf("cleared, after a restart %q", got)
	}
	p.LoadEnviron()
	if got := ids(p); got != "env_credential_1 env-1 a.json" {
		t.Errorf("loaded again %q", got)
	}
}

// What a person has loaded serves beside the folder; what is read at each start by itself serves instead.
func TestWhoShutsTheFolderOut(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	for mode, want := range map[string][2]string{
		"auto": {"a.json env-1", "env-1 a.json"}, "always": {"env-1 a.json", "env-1 a.json"}, "never": {"a.json env-1", "a.json env-1"},
	} {
		for i, later := range []bool{true, false} {
			p := folder(t, Options{EnvLater: later, Settings: Settings{EnvExclusive: mode}, Environ: environ("GCLI_CREDS_1=" + ready("one", "ya29.1", hour))},
				"a.json", ready("a", "ya29.a", hour))
			p.LoadEnviron()
			if got := ids(p); got != want[i] || (status(t, p, "a.json").Inactive != "") != strings.HasPrefix(want[i], "env") {
				t.Errorf("%s, on demand %t: %q", mode, later, got)
			}
		}
	}
}
