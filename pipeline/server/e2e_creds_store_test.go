package server_test

import (
	"maps"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// On a database credentials are those of all gateways, and a folder is an inbox: it is imported once and left
// as it is.
func TestInboxOfNodes(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 2, 1)
		text := string(sim.StaleCredentialFile("ann0@example.com", simulator.LayoutGateway))
		l := launch{sim: sim, files: map[string]string{"one.json": text, "broken.json": `{"client_id": "x", `},
			env: map[string]string{"GCLI_OAUTH_CLIENT_ID": simulator.ClientID, "GCLI_OAUTH_CLIENT_SECRET": simulator.ClientSecret, "SECRET_KEY": strings.Repeat("5a", 32)}}
		of.env = func(known map[string]string) func(*testing.T) map[string]string {
			return func(*testing.T) map[string]string { return maps.Clone(known) }
		}(of.env(t)) // one database for those of the crowd and for one that comes later
		c := crowdOf(t, of, 2, l)
		a, b := c.nodes[0], c.nodes[1]
		lists := func(g *gateway, name string) func() bool {
			return func() bool { return strings.Contains(string(g.get("/creds/status").body), `"`+name+`"`) }
		}
		wait(t, "both have what lies in both folders", func() bool { return lists(a, "one.json")() && lists(b, "one.json")() })
		for _, g := range c.nodes {
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
			if got := g.read("creds/one.json"); got != text {
				t.Error("the file in the inbox was changed")
			}
			if n := strings.Count(g.stdout.String(), "broken.json"); n != 1 {
				t.Errorf("%d warnings of the broken file", n)
			}
		}
		if n := len(sim.CallsOf("token")); n != 1 {
			t.Errorf("%d refreshes of one sign-in", n)
		}
		a.must("POST", "/creds/action", `{"filename": "one.json", "action": "delete"}`)
		wait(t, "it is gone on the other node", func() bool { return !lists(b, "one.json")() })
		l.files = map[string]string{"other name.json": text, "key.json": string(sim.KeyFile(apiKey(0)))}
		again := crowdOf(t, of, 1, l).nodes[0]
		wait(t, "what another folder brings is everybody's", func() bool { return lists(a, "key.json")() && lists(b, "key.json")() })
		if lists(again, "one.json")() || lists(again, "other name.json")() {
			t.Error("a credential that was deleted has come back")
		}
	})
}
