package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gcli2api/pipeline/simulator"

	googleauth "cloud.google.com/go/auth/credentials"
)

const robot = "robot@sdk-project.iam.gserviceaccount.com"

// layouts are accounts in the files of all programs; one of them has no fraction of a second in its expiry.
func layouts(sim *simulator.Server) map[string][]byte {
	files := map[string][]byte{"robot.json": sim.AddServiceAccount(robot, "sdk-project")}
	for i, layout := range []simulator.Layout{simulator.LayoutGeminiCLI, simulator.LayoutGateway, simulator.LayoutCLIProxy, simulator.LayoutADC} {
		a := sim.AddAccount(simulator.Account{Email: ann(i), ClientID: simulator.ClientID, ClientSecret: simulator.ClientSecret})
		files[fmt.Sprintf("ann%d.json", i)] = sim.StaleCredentialFile(a.Email, layout)
	}
	files["ann2.json"] = sim.CredentialFile(ann(2), simulator.LayoutCLIProxy) // still good: its expiry stays as it is
	return files
}

// files are credentials as the gateway gives them.
func (h *house) files(t *testing.T, names []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range names {
		all[name] = h.panel(t, http.MethodGet, "/creds/download/"+name, "")
	}
	return all
}

// auth shows what the gateway gives to Google's own library of a language: it reads the files and signs in with
// them, and so does another gateway.
func (l language) auth(t *testing.T) {
	t.Run("auth", func(t *testing.T) {
		t.Parallel()
		env := []string{"OAUTH_CLIENT_ID=" + simulator.ClientID, "OAUTH_CLIENT_SECRET=" + simulator.ClientSecret, "CALLS_PER_ROTATION=1"}
		first := scene{stock: layouts, env: env}
		first.open(t)
		names := []string{"ann0.json", "ann1.json", "ann2.json", "ann3.json", "robot.json"}
		for range names {
			first.house.chat(t, ask("hello")) // which fetches tokens
		}
		files := first.house.files(t, names)
		for name, s := range l.signIn(t, first.house, files) {
			want := []string{simulator.ClientID, ""}
			if name == "robot.json" {
				want = []string{robot, "sdk-project"}
			}
			if s.Error != nil || s.Text == "" || !slices.Equal(s.Names, want) {
				t.Errorf("%s: %+v, %q", name, s.Error, s.Names)
			}
		}
		first.house.again(t, files)
	})
}

// signIn lets the library read the files and fetch tokens.
func (l language) signIn(t *testing.T, h *house, files map[string]string) map[string]told {
	t.Helper()
	names, tokens := slices.Sorted(maps.Keys(files)), h.sim.URL()+"/token"
	if l.program != "" {
		text, err := json.Marshal(files)
		if err != nil {
			t.Fatal(err)
		}
		return l.read(t, "auth", names, []string{"FILES=" + string(text), "TOKENS=" + tokens})
	}
	cases := map[string]goCase{}
	for name, text := range files {
		cases[name] = func(ctx context.Context, s *told) error {
			c, err := googleauth.DetectDefault(&googleauth.DetectOptions{CredentialsJSON: []byte(text), TokenURL: tokens,
				Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"}})
			if err != nil {
				return err
			}
			var file struct {
				Client  string `json:"client_id"`
				Robot   string `json:"client_email"`
				Project string `json:"project_id"`
			}
			if err := json.Unmarshal(c.JSON(), &file); err != nil {
				return err
			}
			if s.Names = []string{file.Client, ""}; file.Robot != "" {
				s.Text, s.Names = "read", []string{file.Robot, file.Project} // its tokens come from Google's own address always
				return nil
			}
			token, err := c.Token(ctx)
			if err != nil {
				return err
			}
			s.Text = token.Value
			return nil
		}
	}
	return play(t, "auth", names, cases)
}

// again lets another gateway take the files: it serves with each of them, and gives the same ones.
func (h *house) again(t *testing.T, files map[string]string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.sim.ForgetCalls()
	other := &house{password: password, sim: h.sim, env: h.env}
	other.start(t, folder)
	other.ai = other.openai(password)
	used := map[string]bool{}
	for range files {
		other.chat(t, ask("hello"))
	}
	for _, c := range h.sim.CallsOf("generateContent") {
		used[c.Credential] = true
	}
	if len(used) != len(files) {
		t.Errorf("served by %v", slices.Sorted(maps.Keys(used)))
	}
	for name, text := range other.files(t, slices.Collect(maps.Keys(files))) {
		if text != files[name] {
			t.Errorf("%s went out and in again and is another one", name)
		}
	}
}
