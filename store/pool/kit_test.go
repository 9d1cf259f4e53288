package pool

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
	"gcli2api/store/oauth"
)

// google is a simulated Google.
func google(t testing.TB) *simulator.Server {
	t.Helper()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client talks to it, through a transport that a test may look into.
func client(t testing.TB, base string, via http.RoundTripper) *oauth.Client {
	t.Helper()
	if via == nil {
		tr := &http.Transport{}
		t.Cleanup(tr.CloseIdleConnections)
		via = tr
	}
	return oauth.New(oauth.Options{
		HTTP:      func() *http.Client { return &http.Client{Transport: via} },
		Settings:  func() oauth.Settings { return settingsAt(base) },
		PollEvery: time.Millisecond, RetryPause: time.Millisecond,
	})
}

// settingsAt are those of a gateway for which all of Google is at one address.
func settingsAt(base string) oauth.Settings {
	return oauth.Settings{
		ClientID: simulator.ClientID, ClientSecret: simulator.ClientSecret,
		Endpoints: outbound.Endpoints{CodeAssist: base, OAuthToken: base, GoogleAPIs: base, ResourceManager: base, ServiceUsage: base, Metadata: base},
	}
}

// put writes a credential file as a person would drop it in.
func put(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// signIn is a file for an account, without project and token.
func signIn(a simulator.Account) string {
	return fmt.Sprintf(`{"refresh_token": %q, "email": %q}`, a.RefreshToken, a.Email)
}

// ready is a file for an account that needs nothing from Google.
func ready(project, token string, until time.Time) string {
	return fmt.Sprintf(`{"refresh_token": "1//%s", "token": %q, "expiry": %q, "project_id": %q, "email": "a@example.com"}`,
		project, token, until.Format(time.RFC3339), project)
}

// folder makes a pool over a folder; files is name, content, name, content. Its folder is looked
// into only when a test says so.
func folder(t testing.TB, o Options, files ...string) *Pool {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	for i := 0; i+1 < len(files); i += 2 {
		put(t, o.Dir, files[i], files[i+1])
	}
	if o.Poll == 0 {
		o.Poll = time.Hour
	}
	if o.OAuth == nil {
		o.OAuth = client(t, "http://127.0.0.1:1", nil)
	}
	if o.Settings.AutoBanCodes == nil {
		o.Settings.AutoBan, o.Settings.AutoBanCodes = true, []int{402} // not the default: a bare 403 rests
	}
	if o.Settings.CallsPerRotation == 0 {
		o.Settings.CallsPerRotation = 1
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// status finds a credential in the list.
func status(t testing.TB, p *Pool, id string) Status {
	t.Helper()
	for _, s := range p.Status() {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no credential %q in %v", id, p.Status())
	return Status{}
}

// ids of the queue, joined.
func ids(p *Pool) string {
	var all []string
	for _, s := range p.Status() {
		all = append(all, s.ID)
	}
	return strings.Join(all, " ")
}

// until polls for something that happens in the background.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// lines collects the log.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func (l *lines) count(s string) int { return strings.Count(l.String(), s) }

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
