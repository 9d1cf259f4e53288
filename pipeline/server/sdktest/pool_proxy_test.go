package sdktest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"gcli2api/pipeline/simulator"
)

// tunnel is a proxy that knows the way to a name that nobody else resolves.
type tunnel struct {
	*httptest.Server
	built atomic.Int64
}

func newTunnel(t *testing.T, sim *simulator.Server) *tunnel {
	p := &tunnel{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "google.test:80" {
			http.Error(w, "no way", http.StatusForbidden)
			return
		}
		up, err := net.Dial("tcp", strings.TrimPrefix(sim.URL(), "http://"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer up.Close()
		c, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		p.built.Add(1)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(c, up); _ = c.Close() }()
		_, _ = io.Copy(up, buf)
	}))
	t.Cleanup(p.Close)
	return p
}

// proxied: each of two accounts has a proxy of its own, and Google is reached by nothing else.
func proxied() scene {
	const nowhere = "http://google.test"
	var env []string
	for _, name := range []string{"OAUTH_PROXY_URL", "GOOGLEAPIS_PROXY_URL", "RESOURCE_MANAGER_API_URL", "SERVICE_USAGE_API_URL", "CODE_ASSIST_ENDPOINT"} {
		env = append(env, name+"="+nowhere)
	}
	var tunnels [2]*tunnel
	return scene{name: "proxied", env: append(env, "METADATA_SERVICE_URL=", "CALLS_PER_ROTATION=1"), asks: chats(2, "hello"), check: served,
		stock: func(sim *simulator.Server) map[string][]byte {
			files := signedIn(len(tunnels))(sim)
			for name, data := range files {
				files[name] = []byte(strings.ReplaceAll(string(data), sim.URL(), nowhere))
			}
			return files
		},
		before: func(t *testing.T, h *house) {
			for i := range tunnels {
				tunnels[i] = newTunnel(t, h.sim)
				h.panel(t, http.MethodPost, "/creds/configure", fmt.Sprintf(`{"filename":"ann%d.json","proxy":%q}`, i, tunnels[i].URL))
			}
		},
		after: func(t *testing.T, h *house, _ map[string]asking) {
			used := map[string]int{}
			for _, c := range h.sim.CallsOf("generateContent", "streamGenerateContent") {
				used[c.Credential]++
			}
			if len(used) != 2 || tunnels[0].built.Load() == 0 || tunnels[1].built.Load() == 0 {
				t.Errorf("calls %v, %d and %d tunnels", used, tunnels[0].built.Load(), tunnels[1].built.Load())
			}
		}}
}
