package sdktest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// scene is a pool in some trouble, and what clients make of it.
type scene struct {
	name   string
	env    []string
	stock  func(sim *simulator.Server) map[string][]byte // credential files
	before func(t *testing.T, h *house)
	asks   func(f family) []asking
	during func(t *testing.T, h *house)                         // while the clients ask
	check  func(t *testing.T, f family, a asking, s told)       // of each answer
	after  func(t *testing.T, h *house, asks map[string]asking) // when all have one
	house  *house
}

// pools shows the clients pools in trouble, all at once: a gateway each.
func (l language) pools(t *testing.T) {
	t.Run("pools", func(t *testing.T) {
		t.Parallel()
		all := scenes()
		asks, of, proofs, houses := map[string]asking{}, map[string][]string{}, []proof(nil), []*house(nil)
		var during sync.WaitGroup
		for i := range all {
			s := &all[i]
			s.open(t)
			houses = append(houses, s.house)
			for _, f := range families() {
				for n, a := range s.asks(f) {
					name := fmt.Sprintf("%s_%s_%s_%d", s.name, f.name, a.Do, n)
					a.Family, a.Gateway = f.name, s.house.url
					if a.Model == "" {
						a.Model = flash
					}
					a.Prompt = strings.TrimSpace(a.Prompt + " # " + name)
					asks[name], of[s.name] = a, append(of[s.name], name)
					proofs = append(proofs, proof{name, func(t *testing.T, told told) { s.check(t, f, a, told) }})
				}
			}
			if s.during != nil {
				during.Go(func() { s.during(t, s.house) })
			}
		}
		names := slices.Sorted(maps.Keys(asks))
		all1 := l.ask(t, houses, names, asks)
		during.Wait()
		hold(t, proofs, names, all1)
		for _, s := range all {
			if s.after == nil {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				own := map[string]asking{}
				for _, name := range of[s.name] {
					own[name] = asks[name]
				}
				s.after(t, s.house, own)
			})
		}
	})
}

// open makes the house of a scene.
func (s *scene) open(t *testing.T) {
	t.Helper()
	sim, err := simulator.Start(simulator.Options{EventGap: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	h := &house{password: password, config: patient, sim: sim, env: append([]string{"RETRY_429_INTERVAL=10"}, s.env...)}
	folder := t.TempDir()
	files := s.stock(sim)
	files["config.toml"] = []byte(h.config)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.start(t, folder)
	h.ai, h.gen = h.openai(password), h.genai(t, password)
	if s.house = h; s.before != nil {
		s.before(t, h)
	}
}

// ann is the e-mail of an account.
func ann(i int) string { return fmt.Sprintf("ann%d@example.com", i) }

// signedIn gives n accounts.
func signedIn(n int) func(*simulator.Server) map[string][]byte {
	return func(sim *simulator.Server) map[string][]byte {
		files := map[string][]byte{}
		for i := range n {
			a := sim.AddAccount(simulator.Account{Email: ann(i)})
			files[fmt.Sprintf("ann%d.json", i)] = sim.StaleCredentialFile(a.Email, simulator.LayoutGateway)
		}
		return files
	}
}

// chats asks n times for a whole answer and n times for a stream.
func chats(n int, prompt string) func(family) []asking {
	return func(family) (all []asking) {
		for range n {
			all = append(all, asking{Do: "whole", Prompt: prompt}, asking{Do: "stream", Prompt: prompt})
		}
		return all
	}
}

// served: the client has its answer, and nothing of the trouble.
func served(t *testing.T, f family, a asking, s told) {
	t.Helper()
	f.said(t, s, flash, "echo: "+a.Prompt)
	if a.Do == "stream" && !s.Same {
		t.Error("the stream is not its answer")
	}
}

// callsOf are the calls at Google for one request.
func (h *house) callsOf(a asking) (all []simulator.Call) {
	_, mark, _ := strings.Cut(a.Prompt, "# ")
	for _, c := range h.sim.CallsOf("generateContent", "streamGenerateContent") {
		if strings.Contains(string(c.Body), "# "+mark+`"`) {
			all = append(all, c)
		}
	}
	return all
}
