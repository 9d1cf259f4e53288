package simulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Playground starts a simulator with two accounts, an API key and a service account of Vertex AI, and an
// account that can sign in, writes the credential files of the former into
// a folder that is gone after Close, and gives the environment under which a gateway that listens on
// port of this machine uses nothing else.
func Playground(port int) (s *Server, environ []string, err error) {
	dir, err := os.MkdirTemp("", "gcli2api-demo-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	s, err = Start(Options{EventGap: 40 * time.Millisecond})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.folder = dir
	const key = "AIzaSimulatedKeyForTheDemo-0000000000000"
	s.AddKey(key)
	s.Tell("fox", foxStory())
	files := map[string][]byte{"ai-studio-key.json": s.KeyFile(key), "vertex.json": s.AddServiceAccount("", "demo-project")}
	for _, name := range []string{"alice", "bob"} {
		a := s.AddAccount(Account{Email: name + "@example.com"})
		files[name+".json"] = s.CredentialFile(a.Email, LayoutGateway)
	}
	s.AddAccount(Account{Email: "adam@example.com"}) // signs in: the first in the order of e-mails
	for name, data := range files {
		if err = os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("write demo credentials: %w", err), s.Close())
		}
	}
	for _, name := range []string{"OAUTH_PROXY_URL", "GOOGLEAPIS_PROXY_URL", "METADATA_SERVICE_URL", "RESOURCE_MANAGER_API_URL",
		"SERVICE_USAGE_API_URL", "CODE_ASSIST_ENDPOINT", "GEMINI_API_BASE_URL", "VERTEX_BASE_URL"} {
		environ = append(environ, name+"="+s.URL())
	}
	return s, append(environ, "OAUTH_CLIENT_ID="+ClientID, "OAUTH_CLIENT_SECRET="+ClientSecret, "OAUTH_AUTH_URL="+s.URL()+"/o/oauth2/v2/auth", "CREDENTIALS_DIR="+dir,
		"HOST=127.0.0.1", "PORT="+strconv.Itoa(port)), nil
}

// foxStory breaks off in the middle for everybody who asks for it.
func foxStory() Story {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "%d. The fox looks up at the crow and praises its voice, %d times by now.\n", i+1, i+1)
	}
	text.WriteString("\nAt last the crow sings, and the cheese falls.")
	return Story{Text: text.String(), Mark: "[[END OF ANSWER]]", Anew: true, Pieces: []int{160}, Endings: []Ending{{How: "cut", At: text.Len() / 2}}}
}

// Invitation is what the demo prints: lines to paste against a gateway at addr.
func Invitation(addr string) string {
	return strings.ReplaceAll(invitation, "ADDR", addr)
}

const invitation = `
Google is simulated: two accounts, an API key and a service account of Vertex AI, and answers that echo what was asked.
Paste into another terminal:

  # OpenAI format, whole and streaming
  curl -s http://ADDR/v1/chat/completions -H "Authorization: Bearer pwd" -H "Content-Type: application/json" \
    -d '{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"Hello"}]}'
  curl -sN http://ADDR/v1/chat/completions -H "Authorization: Bearer pwd" -H "Content-Type: application/json" \
    -d '{"model":"gemini-2.5-pro","stream":true,"messages":[{"role":"user","content":"Tell me a story about a fox and a crow"}]}'

  # Gemini format, whole and streaming
  curl -s "http://ADDR/v1beta/models/gemini-2.5-flash:generateContent?key=pwd" -H "Content-Type: application/json" \
    -d '{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'
  curl -sN "http://ADDR/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=pwd" -H "Content-Type: application/json" \
    -d '{"contents":[{"role":"user","parts":[{"text":"Tell me a story about a fox and a crow"}]}]}'

  # Anthropic's format, and a function that the model calls
  curl -s http://ADDR/v1/messages -H "x-api-key: pwd" -H "Content-Type: application/json" \
    -d '{"model":"gemini-2.5-flash","max_tokens":1024,"messages":[{"role":"user","content":"Hello"}]}'
  curl -s http://ADDR/v1/chat/completions -H "Authorization: Bearer pwd" -H "Content-Type: application/json" \
    -d '{"model":"gemini-3-flash-preview","tools":[{"type":"function","function":{"name":"get_weather"}}],"messages":[{"role":"user","content":"call get_weather {}"}]}'

  # a fault of Google, to see what the gateway makes of it: the connection breaks in the middle
  curl -sN http://ADDR/v1/chat/completions -H "Authorization: Bearer pwd" -H "Content-Type: application/json" \
    -d '{"model":"gemini-2.5-flash","stream":true,"messages":[{"role":"user","content":"!fault cut"}]}'

  # a long answer that breaks off in the middle, and comes whole with anti-truncation
  curl -sN http://ADDR/v1/chat/completions -H "Authorization: Bearer pwd" -H "Content-Type: application/json" \
    -d '{"model":"gemini-2.5-flash-anti-truncation","stream":true,"messages":[{"role":"user","content":"!story fox"}]}'

  # sign in: open the auth_url of the answer in a browser on this machine, then POST {"state": "..."} to /auth/callback
  curl -s http://ADDR/auth/start -d '{}'

The prompt "!fault help" lists the other faults, "!story help" the long answers. The pool takes the faults for Google's:
a 429 or 404 rests a credential for one model, a 401, a 403 or a bad key switches it off. Start the demo again when
nothing answers any more.

Clients: OpenAI base URL http://ADDR/v1, Gemini and Anthropic base URL http://ADDR, API key pwd. Ctrl-C stops.
`
