package pool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/store/oauth"
)

// whole is a file that needs no setting.
func whole(refresh, project, email string) string {
	return fmt.Sprintf(`{"client_id":"c","client_secret":"client-secret","refresh_token":%q,"project_id":%q,"email":%q,"proxy":"http://evil.example"}`, refresh, project, email)
}

// What is in the pool already is not added twice; a new sign-in takes the place of the old one.
func TestImportKnowsWhatIsThere(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	for _, row := range []struct {
		name, file, data string
		ids, replaced    string
		kept             string
		files            string
	}{
		{"a new one", "new.json", whole("1//new", "p-new", "new@example.com"), "new.json", "", "", "anna.json list.json new.json"},
		{"the same under another name", "other.json", ready("p-anna", "ya29.x", hour), "anna.json", "", "anna.json", "anna.json list.json"},
		{"a new sign-in", "other.json", whole("1//again", "p-anna", "A@Example.com"), "anna.json", "anna.json", "", "anna.json list.json"},
		{"a new sign-in for one of several", "x.json", whole("1//again", "p-two", "a@example.com"), "list.json#2", "list.json#2", "", "anna.json list.json"},
		{"another account of a name that is taken", "anna.json", whole("1//bert", "p-bert", "bert@example.com"), "anna-2.json", "", "", "anna-2.json anna.json list.json"},
		{"a new sign-in that names no account, in a file of the name", "anna.json", whole("1//again", "p-anna", ""), "anna.json", "anna.json", "", "anna.json list.json"},
		{"of the name, and of somebody else", "anna.json", whole("1//again", "p-anna", "bert@example.com"), "anna-2.json", "", "", "anna-2.json anna.json list.json"},
		{"another project of a sign-in", "x.json", ready("p-anna", "ya29.x", hour)[:len(ready("p-anna", "ya29.x", hour))-1] + `,"project_id":"p-other"}`, "x.json", "", "", "anna.json list.json x.json"},
		{"a key of the settings", "key.json", `{"type":"gemini_api_key","api_key":"AIza-set"}`, oauth.APIKey("AIza-set").ID, "", oauth.APIKey("AIza-set").ID, "anna.json list.json"},
		{"one of the environment", "env.json", ready("p-env", "ya29.e", hour), "env_credential_1", "", "env_credential_1", "anna.json list.json"},
		{"twice in one", "x.json", "[" + whole("1//new", "p-new", "n@example.com") + "," + whole("1//new", "p-new", "n@example.com") + "]", "x.json x.json", "", "x.json", "anna.json list.json x.json"},
	} {
		var log lines
		p := folder(t, Options{Log: log.logger(), Environ: environ("GOOGLE_CREDENTIALS=" + ready("p-env", "ya29.e", hour)), Settings: Settings{APIKeys: []string{"AIza-set"}, EnvExclusive: "never"}},
			"anna.json", ready("p-anna", "ya29.a", hour), "list.json", "["+ready("p-one", "ya29.1", hour)+", "+ready("p-two", "ya29.2", hour)+","+ready("p-three", "ya29.3", hour)+"]")
		p.Configure("anna.json", func(w *Wish) { w.Label = "mine" })
		p.mu.Lock()
		p.byID["anna.json"].calls, p.byID["anna.json"].day = 7, Day{Since: 1, Total: 3}
		p.disable(p.byID["anna.json"], "dead", "")
		p.unlock()
		in, err := p.Import(Offer{Name: row.file, Data: []byte(row.data)})
		if err != nil || strings.Join(in.IDs, " ") != row.ids || strings.Join(in.Replaced, " ") != row.replaced || strings.Join(in.Kept, " ") != row.kept {
			t.Errorf("%s: %+v %v", row.name, in, err)
		}
		files, _ := filepath.Glob(filepath.Join(p.dir, "*"))
		var names []string
		for _, f := range files {
			names = append(names, filepath.Base(f))
		}
		if got := strings.Join(names, " "); got != row.files {
			t.Errorf("%s: files %s", row.name, got)
		}
		if row.replaced != "" {
			if s := status(t, p, row.replaced); s.Disabled {
				t.Errorf("%s: %+v", row.name, s)
			}
		}
		s := status(t, p, "anna.json")
		if s.Calls != 7 || s.Disabled != (row.replaced != "anna.json") || p.byID["anna.json"].wish.Label != "mine" || p.byID["anna.json"].day.Total != 3 {
			t.Errorf("%s: %+v", row.name, s)
		}
		for _, id := range []string{"list.json", "list.json#2", "list.json#3"} {
			status(t, p, id)
		}
		if strings.Contains(row.data, "evil.example") && !strings.Contains(strings.Join(in.Warnings, "\n"), `"proxy" in it is not used`) {
			t.Errorf("%s: warnings %q", row.name, in.Warnings)
		}
		if text := fmt.Sprint(in, err) + log.String(); strings.Contains(text, "1//") || strings.Contains(text, "AIza") || strings.Contains(text, "client-secret") {
			t.Errorf("%s: shows a secret: %s", row.name, text)
		}
		before := ids(p)
		p.Rescan()
		if again := ids(folder(t, Options{Dir: p.dir, Environ: environ("GOOGLE_CREDENTIALS=" + ready("p-env", "ya29.e", hour)), Settings: Settings{APIKeys: []string{"AIza-set"}, EnvExclusive: "never"}})); ids(p) != before || again != before && row.kept == "" {
			t.Errorf("%s: %q, then %q, after a restart %q", row.name, before, ids(p), again)
		}
	}
}

// A sign-in without a client waits for the secret: refused at the door, shown when it lies in the folder.
func TestBareFilesNeedTheSecret(t *testing.T) {
	secret := ""
	o := Options{OAuth: oauth.New(oauth.Options{HTTP: plainHTTP, Settings: func() oauth.Settings { return oauth.Settings{ClientSecret: secret} }})}
	p := folder(t, o, "bare.json", `{"refresh_token":"1//bare","token":"ya29.x","expiry":"2099-01-01T00:00:00Z","project_id":"p"}`)
	_, err := p.Import(Offer{Name: "oauth_creds.json", Data: []byte(`{"refresh_token":"1//x","expiry_date":1}`)})
	if err == nil || !strings.HasPrefix(err.Error(), "needs OAUTH_CLIENT_SECRET") || !strings.Contains(err.Error(), "packages/core/src/code_assist/oauth2.ts") {
		t.Errorf("%v", err)
	}
	in, err := p.Import(Offer{Name: "two.json", Data: []byte(`[{"refresh_token":"1//x"},` + whole("1//y", "p-y", "y@example.com") + `]`)})
	if err != nil || strings.Join(in.IDs, " ") != "two.json" || !strings.Contains(strings.Join(in.Warnings, "\n"), "two.json: needs OAUTH_CLIENT_SECRET") {
		t.Errorf("%+v %v", in, err)
	}
	if s := status(t, p, "bare.json"); s.Disabled || !strings.HasPrefix(s.Inactive, "needs OAUTH_CLIENT_SECRET") {
		t.Errorf("%+v", s)
	}
	if _, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro", Tried: []string{"two.json"}, Prefer: "bare.json"}); fail == nil {
		t.Error("it was lent")
	}
	secret = "known by now"
	p.Apply(p.set)
	if s := status(t, p, "bare.json"); s.Inactive != "" {
		t.Errorf("%+v", s)
	}
	take(t, p, Want{Model: "gemini-2.5-pro", Tried: []string{"x"}, Prefer: "bare.json"}).Release()
}

func TestImportThatCannotBeWritten(t *testing.T) {
	p := folder(t, Options{})
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	if in, err := p.Import(Offer{Name: "a.json", Data: []byte(keyFile)}); err == nil || len(in.IDs) > 0 {
		t.Errorf("%+v %v", in, err)
	}
	none, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if _, err := none.Import(Offer{Name: "a.json", Data: []byte(keyFile)}); err == nil || !strings.Contains(err.Error(), "no credentials folder") {
		t.Errorf("%v", err)
	}
}

// The old product's file is never changed: a new sign-in for a table in it becomes a loose file of
// that name, which wins.
func TestImportOverTheOldFile(t *testing.T) {
	const old = "[\"anna.json\"]\nclient_id=\"c\"\nclient_secret=\"s\"\nrefresh_token=\"1//old\"\nproject_id=\"p-anna\"\nuser_email=\"a@example.com\"\ndisabled=true\n"
	p := folder(t, Options{}, "creds.toml", old)
	in, err := p.Import(Offer{Name: "x.json", Data: []byte(whole("1//new", "p-anna", "a@example.com"))})
	if err != nil || strings.Join(in.Replaced, " ") != "anna.json" {
		t.Fatalf("%+v %v", in, err)
	}
	if s := status(t, p, "anna.json"); s.Source != "file anna.json" || len(p.Status()) != 1 {
		t.Errorf("%+v", p.Status())
	}
	if got, _ := os.ReadFile(filepath.Join(p.dir, "creds.toml")); string(got) != old {
		t.Errorf("changed: %s", got)
	}
	if err := p.Delete("anna.json")[0]; err != nil {
		t.Error(err)
	}
	if err := p.Delete("anna.json")[0]; err == nil || !strings.Contains(err.Error(), "creds.toml") {
		t.Errorf("%v", err)
	}
}

func many(n int) (offers []Offer) {
	for i := range n {
		offers = append(offers, Offer{Name: fmt.Sprintf("%05d.json", i), Data: []byte(whole(fmt.Sprintf("1//%d", i), fmt.Sprintf("p-%d", i), fmt.Sprintf("a%d@example.com", i)))})
	}
	return offers
}

// BenchmarkImport1000 has three seconds.
func BenchmarkImport1000(b *testing.B) {
	offers := many(1000)
	for b.Loop() {
		b.StopTimer()
		p := folder(b, Options{})
		b.StartTimer()
		for i, in := range p.ImportAll(offers) {
			if in.Err != nil {
				b.Fatal(i, in.Err)
			}
		}
	}
}

// BenchmarkRescan10000 is one look into a folder where nothing has changed, of which there is one a second.
func BenchmarkRescan10000(b *testing.B) {
	dir := b.TempDir()
	for _, o := range many(10_000) {
		put(b, dir, o.Name, string(o.Data))
	}
	p := folder(b, Options{Dir: dir})
	p.Rescan()
	b.ReportAllocs()
	for b.Loop() {
		p.Rescan()
	}
}

// BenchmarkReadList10000 is a file with as many credentials that is read again.
func BenchmarkReadList10000(b *testing.B) {
	var list []string
	for _, o := range many(10_000) {
		list = append(list, string(o.Data))
	}
	p := folder(b, Options{}, "all.json", "["+strings.Join(list, ",\n")+"]")
	for b.Loop() {
		p.Apply(p.set)
		p.disk.Lock()
		p.look("all.json", true, true)
		p.disk.Unlock()
	}
}
