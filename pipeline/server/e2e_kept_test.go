package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// respond asks for a response and gives its id.
func (g *gateway) respond(body string) (id string) {
	g.t.Helper()
	r := g.post("/v1/responses", body)
	var got struct{ ID, Status string }
	if err := json.Unmarshal(r.body, &got); err != nil || r.status != 200 || got.Status != "completed" {
		g.t.Fatalf("%v: %d %s", err, r.status, r.body)
	}
	return got.ID
}

// A response is kept for whoever asked for it: shown, gone on from, deleted, also by a gateway that
// comes after one that was killed.
func TestKeptResponses(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, dirty: true})
	first := g.respond(`{"model":"gemini-2.5-flash","input":"my name is Ann","instructions":"be brief"}`)
	second := g.respond(`{"model":"gemini-2.5-flash","input":"what did I say","previous_response_id":"` + first + `"}`)
	_ = g.cmd.Process.Kill()
	<-g.ended
	g = start(t, launch{sim: sim, accounts: 1, dir: g.dir})
	third := g.respond(`{"model":"gemini-2.5-flash","input":"!describe","previous_response_id":"` + second + `"}`)
	last := string(lastCall(sim).Body)
	for _, said := range []string{"my name is Ann", "echo: my name is Ann", "what did I say", "echo: what did I say", "!describe"} {
		if !strings.Contains(last, said) {
			t.Errorf("%q was forgotten: %s", said, last)
		}
	}
	if strings.Contains(last, "be brief") { // instructions are of one response only
		t.Errorf("instructions came again: %s", last)
	}
	if r := g.get("/v1/responses/" + first); r.status != 200 || !strings.Contains(string(r.body), `"id":"`+first+`"`) || !strings.Contains(string(r.body), "echo: my name is Ann") {
		t.Errorf("%d %s", r.status, r.body)
	}
	r := g.get("/v1/responses/" + second + "/input_items?order=asc&limit=2")
	var list struct {
		Data    []struct{ Type, Role string }
		HasMore bool `json:"has_more"`
	}
	if err := json.Unmarshal(r.body, &list); err != nil || r.status != 200 || len(list.Data) != 2 || list.Data[0].Role != "user" || list.Data[1].Role != "assistant" || !list.HasMore {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.do("DELETE", "/v1/responses/"+first, ""); r.status != 200 || !strings.Contains(string(r.body), `"deleted":true`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, path := range []string{"/v1/responses/" + first, "/v1/responses/" + first + "/input_items", "/v1/responses/resp_never"} {
		if r := g.get(path); r.status != 404 || !strings.Contains(string(r.body), `"invalid_request_error"`) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := g.do("DELETE", "/v1/responses/"+first, ""); r.status != 404 {
		t.Errorf("deleted twice: %d %s", r.status, r.body)
	}
	g.respond(`{"model":"gemini-2.5-flash","input":"go on","previous_response_id":"` + third + `"}`) // deleting one leaves those behind it
	for path, status := range map[string]int{
		"/v1/responses/" + third + "?stream=true": 501, "/v1/responses/" + third + "/input_items?limit=0": 400,
		"/v1/responses/" + third + "/input_items?after=x": 400, "/v1/responses/" + third + "/cancel": 501,
	} {
		if r := g.get(path); r.status != status {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := g.post("/v1/responses", `{"model":"gemini-2.5-flash","input":"x","previous_response_id":"resp_never"}`); r.status != 404 || !strings.Contains(string(r.body), `"param":"previous_response_id"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	secret := g.respond(`{"model":"gemini-2.5-flash","input":"x","store":false}`)
	if r := g.get("/v1/responses/" + secret); r.status != 404 {
		t.Errorf("store false was kept: %d %s", r.status, r.body)
	}
}

// Somebody else finds nothing: here, who comes in without a password after one who had it.
func TestKeptForNobodyElse(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1})
	id := g.respond(`{"model":"gemini-2.5-flash","input":"mine"}`)
	g.close(false)
	g = start(t, launch{sim: sim, accounts: 1, dir: g.dir, config: "[pipeline]\nopen = true\n[stage.auth]\nenabled = false\n"})
	if r := g.get("/v1/responses/" + id); r.status != 404 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.do("DELETE", "/v1/responses/"+id, ""); r.status != 404 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.post("/v1/responses", `{"model":"gemini-2.5-flash","input":"x","previous_response_id":"`+id+`"}`); r.status != 404 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// A picture that stands in every turn of a dialogue is stored once, and comes back whole, also after
// the gateway was killed.
func TestKeptPictures(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, dirty: true})
	png := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 4<<20)...)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(png[8:])
	picture := "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)
	long := strings.Repeat("many words ", 4<<10) // comes back in the echo
	forged := "gcli2api-part:" + strings.Repeat("0", 64)
	first := g.respond(`{"model":"gemini-2.5-flash","input":[{"role":"user","content":[{"type":"input_image","image_url":"` + picture + `"},{"type":"input_text","text":"look"}]}]}`)
	last := g.respond(`{"model":"gemini-2.5-flash","input":"` + long + `","previous_response_id":"` + first + `"}`)
	for range 4 {
		last = g.respond(`{"model":"gemini-2.5-flash","input":"` + forged + `","previous_response_id":"` + last + `"}`)
	}
	for _, again := range []string{first, last} { // the client may as well send it again
		g.respond(`{"model":"gemini-2.5-flash","input":[{"role":"user","content":[{"type":"input_image","image_url":"` + picture + `"}]}],"previous_response_id":"` + again + `"}`)
	}
	_ = g.cmd.Process.Kill()
	<-g.ended
	file, err := os.Stat(filepath.Join(g.dir, "creds", ".gcli2api.db"))
	if err != nil || file.Size() > 40<<20 {
		t.Errorf("%v, the store has %d MB", err, file.Size()>>20)
	}
	t.Logf("the store has %d MB", file.Size()>>20)
	g = start(t, launch{sim: sim, accounts: 1, dir: g.dir})
	if r := g.do("DELETE", "/v1/responses/"+first, ""); r.status != 200 { // its parts are those of others too
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.get("/v1/responses/" + last); r.status != 200 || !strings.Contains(string(r.body), "echo: "+forged) {
		t.Errorf("%d %.1000s", r.status, r.body)
	}
	r := g.get("/v1/responses/" + last + "/input_items?limit=100")
	for _, said := range []string{picture, long, "echo: " + long, `"` + forged + `"`} {
		if !strings.Contains(string(r.body), said) {
			t.Errorf("%d, %d bytes without %.100s", r.status, len(r.body), said)
		}
	}
	g.respond(`{"model":"gemini-2.5-flash","input":"go on","previous_response_id":"` + last + `"}`)
	if sent := string(lastCall(sim).Body); !strings.Contains(sent, picture[len("data:image/png;base64,"):]) || !strings.Contains(sent, forged) {
		t.Errorf("%d bytes reached Google", len(sent))
	}
	sum := sha256.Sum256([]byte(picture[:4<<20]))
	for _, part := range []string{hex.EncodeToString(sum[:]), "part:" + hex.EncodeToString(sum[:])} {
		if r := g.get("/v1/responses/" + part); r.status != 404 {
			t.Errorf("%d, %d bytes", r.status, len(r.body))
		}
	}
}
