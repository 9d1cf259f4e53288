package server_test

import (
	"strings"
	"syscall"
	"testing"

	"gcli2api/store/storetest/servers"
)

// A node that was started with another SECRET_KEY shows in the list of all nodes that it cannot open what was
// saved, and what cannot be told from a sealed value is not saved.
func TestNodeWithAnotherSecretKey(t *testing.T) {
	t.Parallel()
	address := servers.Redis(t).Address()
	sim := google(t, 1, 0)
	at := func(secret string) *gateway {
		return start(t, launch{sim: sim, accounts: 1, env: map[string]string{"REDIS_URI": address, "SECRET_KEY": secret}})
	}
	a, odd := at(sealA), at(sealB)
	if r := a.post("/config/save", `{"panel_password": "sealed:abc"}`); r.status != 400 || !strings.Contains(string(r.body), "must not begin") {
		t.Errorf("%d %s", r.status, r.body)
	}
	a.must("POST", "/config/save", `{"pool.gemini_api_keys": ["AIzaSaved00000000000000000000000000000"]}`)
	wait(t, "the other node's trouble is in the list", func() bool {
		list := string(a.get("/nodes").body)
		return strings.Contains(list, "pool.gemini_api_keys") && strings.Contains(list, "OLD_SECRET_KEYS") && !strings.Contains(list, "AIzaSaved")
	})
	if strings.Contains(odd.stdout.String()+odd.stderr.String(), "AIzaSaved") {
		t.Error("a secret is told")
	}
}

// A gateway that crashed is in the list of nodes for an hour. It holds nobody up who moves out, and one that lives
// does. The addresses with their passwords are on no command line.
func TestMoveAfterACrash(t *testing.T) {
	t.Parallel()
	from, to := servers.Redis(t).Address(), servers.Postgres(t).Address()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, dirty: true, env: map[string]string{"REDIS_URI": from}})
	l := launch{sim: sim, env: map[string]string{"REDIS_URI": from, "TARGET": to}}
	if code, said := g.command(l, "migrate", "-to", "env:TARGET"); code != 1 || !strings.Contains(said, "is used by gateways just now") {
		t.Errorf("while it runs: %d %s", code, said)
	}
	g.signal(syscall.SIGKILL)
	<-g.ended
	if said := g.well(l, "migrate", "-to", "env:TARGET"); !strings.Contains(said, "done: Redis at") {
		t.Error(said)
	}
}
