package pool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/oauth"
	"gcli2api/store/seal"
	"gcli2api/store/storetest"
)

// remembering is a memory of its own on a store.
func remembering(t *testing.T, s store.Store, log *slog.Logger, ring *seal.Ring) *Memory {
	t.Helper()
	m, err := Remember(t.Context(), s, log, ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// The tokens in states are sealed. Without the key an access token is asked for anew, and a refresh token
// is kept until somebody has the key again, or Google gives another one.
func TestStatesAreSealed(t *testing.T) {
	s, quiet := openStore(t, filepath.Join(t.TempDir(), "x.db")), slog.New(slog.DiscardHandler)
	ring := seal.New("the secret of this test")
	until := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	want := State{Of: "x", AccessToken: "ya29.made-up", TokenUntil: until, RefreshToken: "1//made-up", Calls: 3}
	body := func() string {
		doc, err := s.Get(t.Context(), store.CredentialStates, "a")
		if err != nil {
			t.Fatal(err)
		}
		return string(doc.Body)
	}
	save := func(m *Memory, s State) {
		t.Helper()
		m.Save("a", s)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	save(remembering(t, s, quiet, ring), want)
	if text := body(); strings.Contains(text, "made-up") || strings.Count(text, "sealed:1:") != 2 {
		t.Errorf("it lies there as %s", text)
	}
	got, ok := remembering(t, s, quiet, seal.New("a newer secret of this test", "the secret of this test")).Load("a")
	if !ok || got.AccessToken != want.AccessToken || got.RefreshToken != want.RefreshToken {
		t.Errorf("with the key among the old ones: %+v", got)
	}
	for name, other := range map[string]*seal.Ring{"no key": nil, "another key": seal.New("another secret altogether")} {
		var said bytes.Buffer
		m := remembering(t, s, slog.New(slog.NewTextHandler(&said, nil)), other)
		got, ok := m.Load("a")
		if !ok || got.AccessToken != "" || !got.TokenUntil.IsZero() || got.RefreshToken != "" || got.Calls != want.Calls {
			t.Errorf("%s: %+v", name, got)
		}
		if !strings.Contains(said.String(), "OLD_SECRET_KEYS") || !strings.Contains(said.String(), "credential=a") {
			t.Errorf("%s: said %q", name, said.String())
		}
		got.Calls++
		want.Calls++
		save(m, got)
		if got, _ := remembering(t, s, quiet, ring).Load("a"); got.RefreshToken != want.RefreshToken || got.Calls != want.Calls {
			t.Errorf("%s: after a write without the key: %+v", name, got)
		}
	}
	m := remembering(t, s, quiet, nil)
	got, _ = m.Load("a")
	got.RefreshToken = "1//another"
	save(m, got)
	if got, _ := remembering(t, s, quiet, ring).Load("a"); got.RefreshToken != "1//another" || strings.Count(body(), `"refresh_token"`) != 1 {
		t.Errorf("another one: %+v, %s", got, body())
	}
}

// Ten thousand states at a start: the time is that of reading them, once sealed and once plain.
func BenchmarkStatesSealed(b *testing.B) {
	ring := seal.New(strings.Repeat("0123456789abcdef", 4))
	for name, m := range map[string]*Memory{"plain": {names: stateNames()}, "sealed": {names: stateNames(), sealed: oauth.Sealed{Ring: ring}}} {
		s := State{Of: "x", AccessToken: "ya29." + strings.Repeat("t", 200), TokenUntil: time.Now().UTC(), Calls: 12}
		body, err := json.Marshal(s)
		if err != nil {
			b.Fatal(err)
		}
		if body, err = m.sealed.Seal("", body); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for range 10_000 {
					if s, err := m.decode(body); err != nil || s.AccessToken == "" {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// Who has just set a SECRET_KEY hears that what is there already does not get sealed by itself; nobody else does.
func TestPlainCredentialsAreNamed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		with := func(secret string) string {
			var log lockedBuffer
			n := onStore(t, s, func(o *Options) {
				o.Seal, o.Log = oauth.Sealed{Ring: seal.New(secret)}, slog.New(slog.NewTextHandler(&log, nil))
			})
			for i := range 3 {
				if _, err := n.Import(Offer{Name: fmt.Sprintf("c%d.json", i), Data: []byte(fileOf(i))}); err != nil {
					t.Fatal(err)
				}
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			return log.String()
		}
		if said := with(""); strings.Contains(said, "rotate-secret") {
			t.Error(said)
		}
		if said := with("a secret that is long enough"); strings.Count(said, "rotate-secret") != 1 || strings.Contains(said, "1//r") {
			t.Error(said)
		}
	})
}
