package server_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// part is a file of an upload: a text, or so many bytes of nothing.
type part struct {
	name, text string
	size       int64
}

// spaces is a reader of blanks.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type uploadAnswer struct {
	Good    int    `json:"uploaded_count"`
	Total   int    `json:"total_count"`
	Detail  string `json:"detail"`
	Results []struct {
		Filename, Status, Message string
		Credentials, Warnings     []string
		StoredAs                  string `json:"stored_as"`
	}
}

// upload sends files as a browser does, while it makes them up.
func (g *gateway) upload(parts ...part) (int, uploadAnswer) {
	g.t.Helper()
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		for _, p := range parts {
			h := textproto.MIMEHeader{}
			h.Set("Content-Disposition", `form-data; name="files"; filename="`+p.name+`"`)
			to, err := form.CreatePart(h)
			if err == nil {
				_, err = io.WriteString(to, p.text)
			}
			if err == nil {
				_, err = io.CopyN(to, spaces{}, p.size)
			}
			if err != nil {
				return // the gateway has heard enough; what it answers is looked at
			}
		}
		form.Close()
		w.Close()
	}()
	req := g.request("POST", "/auth/upload", "", header("Content-Type", form.FormDataContentType()))
	req.Body = r
	resp, err := client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var a uploadAnswer
	text := readAll(g.t, resp.Body)
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		g.t.Fatalf("%v in %s", err, text)
	}
	for _, secret := range []string{"1//", "ya29", "HIDDEN", simulator.ClientSecret} {
		if strings.Contains(text, secret) {
			g.t.Errorf("the answer shows %s: %s", secret, text)
		}
	}
	return resp.StatusCode, a
}

// creds names the credentials of the pool.
func (g *gateway) creds() (names []string) {
	g.t.Helper()
	var s struct{ Creds map[string]json.RawMessage }
	if a := g.get("/creds/status"); json.Unmarshal(a.body, &s) != nil {
		g.t.Errorf("%d %s", a.status, a.body)
	}
	for name := range s.Creds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// zipped is an archive. What many of its files hold is compressed once: the race detector makes it slow.
func zipped(t testing.TB, files ...part) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	packed := map[part]*zip.File{}
	for _, f := range files {
		what := part{text: f.text, size: f.size}
		if packed[what] == nil {
			packed[what] = zippedAlone(t, what)
		}
		h := packed[what].FileHeader
		h.Name = f.name
		raw, err := packed[what].OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.CreateRaw(&h)
		if err == nil {
			_, err = io.Copy(w, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zippedAlone(t testing.TB, f part) *zip.File {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("x")
	if err == nil {
		_, err = io.WriteString(w, f.text)
	}
	if err == nil {
		_, err = io.CopyN(w, spaces{}, f.size)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return r.File[0]
}

// Each bad file of the list is refused alone, with a reason, and what stands around it is imported and
// serves at once.
func TestUploadRefusesEachAlone(t *testing.T) {
	t.Parallel()
	sim := google(t, 4, 0)
	g := start(t, launch{sim: sim, light: true}) // what it holds in memory is looked at
	whole := func(n int) string {
		return string(sim.CredentialFile(fmt.Sprintf("ann%d@example.com", n), simulator.LayoutGateway))
	}
	bad := []struct{ part part }{
		{part{name: "text.txt", text: whole(3)}},
		{part{name: "half.json", text: whole(3)[:40]}},
		{part{name: "empty.json"}},
		{part{name: "array.json", text: `[1, 2]`}},
		{part{name: "type.json", text: `{"type":"external_account","refresh_token":"HIDDEN"}`}},
		{part{name: "inner.json", text: `{"client_id":"c","client_secret":"HIDDEN","refresh_token":"HIDDEN","token_uri":"http://127.0.0.1:1/token"}`}},
		{part{name: "bare.json", text: `{"refresh_token":"HIDDEN","access_token":"HIDDEN"}`}},
		{part{name: "utf16.json", text: "{\x00\"\x00r\x00\"\x00:\x001\x00}\x00"}},
		{part{name: "../../up.json", text: whole(3)}},
		{part{name: "/etc/abs.json", text: whole(3)}},
		{part{name: "nul.json", text: whole(3)}},
		{part{name: ".hidden.json", text: whole(3)}},
		{part{name: strings.Repeat("l", 250) + ".json", text: whole(3)}},
		{part{name: "huge.json", text: "{", size: 500 << 20}},
		{part{name: "huge.zip", text: "PK", size: 100 << 20}},
		{part{name: "bomb.zip", text: zipped(t, part{name: "a.json", size: 15 << 20}, part{name: "b.json", size: 15 << 20})}},
		{part{name: "big-bomb.zip", text: zipped(t, bombs()...)}},
	}
	send := []part{{name: "first.json", text: whole(0)}}
	for _, b := range bad {
		send = append(send, b.part)
	}
	send = append(send, part{name: "some.zip", text: zipped(t, part{name: "x/ann.json", text: whole(1)}, part{name: "y/ann.json", text: whole(2)}, part{name: "../z.json", text: whole(3)})})
	begun := time.Now()
	code, got := g.upload(send...)
	if code != 200 || got.Good != 3 {
		t.Fatalf("%d %+v", code, got)
	}
	t.Logf("600 MB and the rest took %s, resident at most %d MB", time.Since(begun).Round(time.Millisecond), status(t, g, "VmHWM")>>10)
	if kb := status(t, g, "VmHWM"); kb > 400<<10 {
		t.Errorf("%d MB resident", kb>>10)
	}
	refused := map[string]bool{}
	for _, r := range got.Results {
		if r.Status == "error" && r.Message == "" || r.Status != "error" && r.Status != "success" {
			t.Errorf("%+v", r)
		}
		archive, _, _ := strings.Cut(r.Filename, ".zip/") // an archive may be refused entry by entry
		refused[r.Filename], refused[archive+".zip"] = r.Status == "error", r.Status == "error"
	}
	for _, b := range bad {
		if strings.HasPrefix(b.part.name, "l") {
			continue // shown cut
		}
		if !refused[b.part.name] {
			t.Errorf("%s: %+v", b.part.name, got.Results)
		}
	}
	if names := strings.Join(g.creds(), " "); names != "ann-2.json ann.json first.json" {
		t.Errorf("%s", names)
	}
	files, _ := filepath.Glob(filepath.Join(g.dir, "creds", "[^.]*"))
	if up, _ := filepath.Glob(filepath.Join(g.dir, "*.json")); len(files) != 3 || len(up) != 0 {
		t.Errorf("files %v %v", files, up)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if code, got := g.upload(part{name: "nul.json", text: "\x00"}); code != 400 || got.Detail == "" {
		t.Errorf("nothing good: %d %+v", code, got)
	}
	if a := g.post("/auth/upload", "{}"); a.status != 400 {
		t.Errorf("no form: %d %s", a.status, a.body)
	}
	if a := g.post("/auth/upload", "{}", header("Authorization", "Bearer wrong")); a.status != 401 {
		t.Errorf("a stranger: %d", a.status)
	}
}

func bombs() (files []part) {
	for i := range 10 {
		files = append(files, part{name: fmt.Sprintf("%d.json", i), text: strings.Repeat("0123456789abcdef", 9<<10), size: 14 << 20})
	}
	return files
}

// A request beyond every limit is cut off.
func TestUploadWithoutEnd(t *testing.T) {
	t.Parallel()
	g := start(t, launch{light: true})
	req := g.request("POST", "/auth/upload", "", header("Content-Type", "multipart/form-data; boundary=x"))
	req.Body, req.ContentLength = io.NopCloser(io.LimitReader(spaces{}, 2<<30)), 2<<30
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text := readAll(t, resp.Body); resp.StatusCode != 413 || !strings.Contains(text, `"detail"`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// A thousand files have three seconds.
// Who sends much where little is taken, or nothing, hears the answer and no reset.
func TestLongBodiesAreAnswered(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0)})
	long := `{"filename":"` + strings.Repeat("x", 20<<20) + `"}`
	wrong := header("Authorization", "Bearer wrong")
	for _, row := range []struct {
		method, path string
		change       func(*http.Request)
		status       int
	}{{"POST", "/creds/action", nil, 400}, {"POST", "/creds/configure", nil, 400}, {"POST", "/creds/add", nil, 413}, {"POST", "/auth/start", nil, 400},
		{"POST", "/creds/add", wrong, 401}, {"PUT", "/creds/add", nil, 405}, {"POST", "/creds/status", nil, 405}} {
		change := row.change
		if change == nil {
			change = func(*http.Request) {}
		}
		if a := g.do(row.method, row.path, long, change); a.status != row.status || !strings.Contains(string(a.body), "detail") {
			t.Errorf("%s %s: %d %s", row.method, row.path, a.status, a.body)
		}
	}
}

func TestUploadOfAThousand(t *testing.T) {
	t.Parallel()
	g := start(t, launch{light: true})
	var files []part
	for i := range 1000 {
		files = append(files, part{name: fmt.Sprintf("%d.json", i), text: fmt.Sprintf(`{"client_id":"c","client_secret":"s","refresh_token":"1//%d","project_id":"p-%d"}`, i, i)})
	}
	begun := time.Now()
	code, got := g.upload(part{name: "all.zip", text: zipped(t, files...)})
	t.Logf("a thousand files took %s", time.Since(begun).Round(time.Millisecond))
	if code != 200 || got.Good != 1000 || len(g.creds()) != 1000 {
		t.Errorf("%d, %d good", code, got.Good)
	}
	if code, got = g.upload(part{name: "all.zip", text: zipped(t, files...)}); code != 200 || got.Good != 1000 || len(g.creds()) != 1000 {
		t.Errorf("again: %d, %d good", code, got.Good)
	}
}

// A new sign-in of an account takes the place of the dead one; deleting lets a running request end;
// what was deleted comes back after a restart, or goes for good with its token revoked.
func TestLifeOfACredential(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim})
	file := func(n int) part {
		return part{name: fmt.Sprintf("ann%d.json", n), text: string(sim.CredentialFile(fmt.Sprintf("ann%d@example.com", n), simulator.LayoutGateway))}
	}
	old := file(0)
	old.text = string(sim.StaleCredentialFile("ann0@example.com", simulator.LayoutGateway)) // its renewal tells whose it is
	g.upload(old)
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	wait(t, "its e-mail is known", func() bool { return strings.Contains(string(g.get("/creds/status").body), "ann0@example.com") })
	sim.UpdateAccount("ann0@example.com", func(a *simulator.Account) { a.RefreshToken = "1//0sim-new-sign-in" })
	again := part{name: "downloaded (1).json", text: string(sim.CredentialFile("ann0@example.com", simulator.LayoutCLIProxy))} // names the account
	code, got := g.upload(again)
	if code != 200 || !strings.Contains(got.Results[0].Message, "ann0.json") || len(g.creds()) != 1 {
		t.Errorf("%d %+v %v", code, got, g.creds())
	}
	if !strings.Contains(g.read("creds/ann0.json"), "1//0sim-new-sign-in") {
		t.Error("the file has the old sign-in")
	}

	done := make(chan reply)
	go func() { done <- g.put(ask{}, "!fault slow-first 2s") }()
	wait(t, "the request runs", func() bool { return strings.Contains(string(g.get("/creds/status").body), `"leases":1`) })
	if a := g.post("/creds/action", `{"filename":"ann0.json","action":"delete"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if names := g.creds(); len(names) != 0 {
		t.Errorf("%v", names)
	}
	if r := g.put(ask{}, "hello"); r.status != 503 {
		t.Errorf("a new request: %d %s", r.status, r.body)
	}
	if r := <-done; r.status != 200 {
		t.Errorf("the request that ran: %d %s", r.status, r.body)
	}
	g.close(false)

	g = start(t, launch{sim: sim, dir: g.dir})
	if a := g.get("/creds/quarantine"); a.status != 200 || !strings.Contains(string(a.body), "ann0@example.com") || strings.Contains(string(a.body), "1//") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := g.post("/creds/action", `{"filename":"ann0.json","action":"restore"}`); a.status != 200 || len(g.creds()) != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	g.post("/creds/action", `{"filename":"ann0.json","action":"delete"}`)
	if a := g.post("/creds/batch-action", `{"filenames":["ann0.json"],"action":"purge"}`); a.status != 200 || !strings.Contains(string(a.body), "its token revoked") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := len(sim.CallsOf("revoke")); n != 1 {
		t.Errorf("%d revoked", n)
	}
	if log := g.read("gateway.log"); strings.Contains(log, "1//0sim") || strings.Contains(log, simulator.ClientSecret) {
		t.Error("the log shows a secret")
	}
}

// The folder is an inbox: in, out and edited within two seconds.
func TestDropIn(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim})
	soon := func(what, names string) {
		t.Helper()
		begun := time.Now()
		wait(t, what, func() bool { return strings.Join(g.creds(), " ") == names })
		if d := time.Since(begun); d > 2*time.Second {
			t.Logf("%s took %s", what, d) // two seconds, of a machine that is not busy
		}
	}
	g.drop("a.json", sim.CredentialFile("ann0@example.com", simulator.LayoutGateway))
	soon("it is in", "a.json")
	g.drop("a.json", []byte("["+string(sim.CredentialFile("ann0@example.com", simulator.LayoutGateway))+","+string(sim.CredentialFile("ann1@example.com", simulator.LayoutGateway))+"]"))
	soon("it was read again", "a.json a.json#2")
	if err := os.Remove(filepath.Join(g.dir, "creds", "a.json")); err != nil {
		t.Fatal(err)
	}
	soon("it is out", "")
	g.drop("bare.json", []byte(`{"refresh_token":"1//HIDDEN"}`))
	soon("it is there", "bare.json")
	if a := g.get("/creds/status"); !strings.Contains(string(a.body), `"inactive":"needs OAUTH_CLIENT_SECRET`) {
		t.Errorf("%s", a.body)
	}
}

// Variables are loaded on demand, stay loaded over a restart, and are taken out again.
func TestEnvironmentCredentials(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	env := map[string]string{"GCLI_CREDS_1": string(sim.CredentialFile("ann0@example.com", simulator.LayoutGateway))}
	g := start(t, launch{sim: sim, accounts: 0, env: env, files: map[string]string{"env-p-1-1700000000.json": string(sim.CredentialFile("ann1@example.com", simulator.LayoutGateway))}})
	if names := strings.Join(g.creds(), " "); names != "env-p-1-1700000000.json" {
		t.Errorf("%s", names)
	}
	if a := g.post("/auth/load-env-creds", ""); a.status != 200 || !strings.Contains(string(a.body), `"loaded_count":1`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	g.close(false)
	g = start(t, launch{sim: sim, env: env, dir: g.dir})
	if a := g.post("/creds/action", `{"filename":"env-p-1-1700000000.json","action":"disable"}`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 || lastCall(sim).Credential != "ann0@example.com" {
		t.Errorf("%d %s by %s", r.status, r.body, lastCall(sim).Credential)
	}
	if a := g.get("/auth/env-creds-status"); !strings.Contains(string(a.body), `"existing_env_files":["env-p-1-1700000000.json","env-1"]`) || strings.Contains(string(a.body), "1//") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := g.do("DELETE", "/auth/env-creds", ""); a.status != 200 || !strings.Contains(string(a.body), `"deleted_count":2`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if names := g.creds(); len(names) != 0 {
		t.Errorf("%v", names)
	}
}
