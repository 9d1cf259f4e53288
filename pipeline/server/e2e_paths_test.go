package server_test

import (
	"fmt"
	"strings"
	"testing"
)

// head and family read a raw answer: its status, and whose envelope an error has.
func head(answer string) (status int) {
	_, _ = fmt.Sscanf(answer, "HTTP/1.1 %d ", &status)
	return status
}

func family(answer string) string {
	switch _, body, _ := strings.Cut(answer, "\r\n\r\n"); {
	case !strings.HasPrefix(body, `{"error":{`):
		return "none"
	case strings.Contains(body, `"status":"`):
		return "gemini"
	}
	return "openai"
}

// TestTargets sends request targets as they stand, through a socket of its own: what is served, and
// what every other one is answered with, in the envelope of its family.
func TestTargets(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1})
	long := strings.Repeat("a", 8<<10)
	for _, tt := range []struct {
		line   string
		status int
		shape  string // family of an error
		says   string
	}{
		// Served.
		{"GET /v1/models", 200, "none", `"object":"list"`},
		{"GET //v1///models//", 200, "none", `"object":"list"`},
		{"GET /V1/MODELS", 200, "none", `"object":"list"`},
		{"GET /V1Beta/Models", 200, "none", `{"models":[`},
		{"GET /%76%31%2Fmodels", 200, "none", `"object":"list"`},
		{"GET /v1/models?x=%zz&x=;#y", 200, "none", `"object":"list"`}, // a query of nobody's
		{"GET /v1/models#top", 200, "none", `"object":"list"`},         // a fragment is no part of the path
		{"GET /v1beta/models?pageSize=1%00", 200, "none", `{"models":[`},
		{"GET http://elsewhere.example/v1/models", 200, "none", `"object":"list"`},
		{"GET https://user:pw@elsewhere.example:99//v1beta//models/?a=b", 200, "none", `{"models":[`},
		{"GET /v1beta/models/models%2Fgemini-2.5-flash", 200, "none", `"name":"models/gemini-2.5-flash"`},
		{"GET /v1beta/models/%20gemini-2.5-flash%20/", 200, "none", `"name":"models/gemini-2.5-flash"`},
		{"OPTIONS *", 204, "none", "Allow: GET, HEAD, POST, OPTIONS"},
		{"OPTIONS /v1/models", 204, "none", "Access-Control-Allow-Methods"},
		{"OPTIONS /health", 204, "none", "Access-Control-Allow-Methods"},

		// No such path.
		{"GET http://elsewhere.example", 404, "openai", "not_found"},
		{"GET http://elsewhere.example?key=x", 404, "openai", "not_found"},
		{"GET //elsewhere.example/v1/models", 404, "openai", "not_found"}, // slashes, no host
		{"GET /http://elsewhere.example/v1/chat", 404, "openai", "not_found"},
		{"GET /v1/models;v=1", 404, "openai", "not_found"},
		{"GET /v1/models%3Fx=1", 404, "openai", "not_found"},
		{"GET /v1/models%23x", 404, "openai", "not_found"},
		{"GET /v1/models%20", 404, "openai", "not_found"},
		{"GET /v1/models+", 404, "openai", "not_found"},
		{"GET /v1%252Fmodels", 404, "openai", "not_found"},
		{`GET /v1\models`, 404, "openai", "not_found"},
		{"GET /v1/model%C5%BF", 404, "openai", "not_found"},
		{"GET /v1/../v1/models", 404, "openai", "dot segments"},
		{"GET /v1/%2e%2E/v1/models", 404, "openai", "dot segments"},
		{"GET /./v1/models", 404, "openai", "dot segments"},
		{"GET /v1beta/models/..%2f..%2fcreds%2fstatus", 404, "gemini", "dot segments"},
		{"POST /v1beta/models/../models/m:generateContent", 404, "gemini", "dot segments"},
		{"GET /creds/../creds/status", 404, "openai", "dot segments"},
		{"GET //creds/status", 404, "openai", "not_found"}, // the operator's routes have one spelling
		{"GET /creds%2Fstatus", 404, "openai", "not_found"},
		{"GET /v1beta/nothing", 404, "gemini", "NOT_FOUND"},
		{"GET /v1/v1beta/cachedContents", 404, "gemini", "NOT_FOUND"},
		{"GET /v1beta/openai/files", 501, "openai", "unsupported"},
		{"GET /v1/models/nobody", 404, "openai", "model_not_found"},
		{"GET /v1beta/models/nobody%252F", 404, "gemini", "nobody%2F"},
		{"GET /" + long, 404, "openai", "not_found"},
		{"PURGE /" + long, 404, "openai", "not_found"},

		// Cannot be read.
		{"GET /v1/models/%", 400, "openai", "percent escape"},
		{"GET /v1/models/%4", 400, "openai", "percent escape"},
		{"GET /v1beta/models/%u4f60:generateContent", 400, "gemini", "percent escape"},
		{"GET /v1beta/models/%00", 400, "gemini", "control character"},
		{"GET /v1/models/%0d%0aX-Injected=1", 400, "openai", "control character"},
		{"GET /v1/models/%C2%85", 400, "openai", "control character"},
		{"GET /v1/models/%ff", 400, "openai", "not UTF-8"},
		{"GET /v1beta/models/\xe6\xb5", 400, "gemini", "not UTF-8"},
		{"GET /v1/models/%C0%AF", 400, "openai", "not UTF-8"},
		{"GET /v1/models/" + long, 400, "openai", "longer than 256 bytes"},
		{"POST /v1beta/models/" + long + ":generateContent", 400, "gemini", "INVALID_ARGUMENT"},
		{"GET /v1/models\x00", 400, "openai", "could not be read"},
		{"GET /v1/models\x7f", 400, "openai", "could not be read"},
		{"GET /v1/mod els", 400, "openai", "could not be read"},
		{"GET  /v1/models", 400, "openai", "could not be read"},
		{"GET ", 400, "openai", "could not be read"},
		{"GET", 400, "openai", "could not be read"},
		{"GET ?key=x", 400, "openai", "could not be read"},
		{"GET v1/models", 400, "openai", "could not be read"},
		{"GET *", 400, "openai", "could not be read"},
		{"GET /" + long + long, 431, "openai", "could not be read"},
		{"GET /v1beta/models?x=" + long + long, 431, "openai", "could not be read"},

		// Not with this method.
		{"CONNECT elsewhere.example:443", 405, "openai", "no forward proxy"},
		{"CONNECT /v1/models", 405, "openai", "no forward proxy"},
		{"TRACE /v1/models", 405, "openai", "Allow: GET, HEAD, OPTIONS"},
		{"get /v1/models", 405, "openai", "Allow: GET, HEAD, OPTIONS"}, // methods have a case
		{"POST http://elsewhere.example/v1beta/models", 405, "gemini", "Allow: GET, HEAD, OPTIONS"},
		{"DELETE /v1beta/models/m", 405, "gemini", "Allow: GET, HEAD, OPTIONS"},
		{"PATCH /v1beta/models/m%3AGENERATECONTENT", 405, "gemini", "Allow: POST, OPTIONS"},
		{"HEAD /v1/chat/completions", 405, "none", "Allow: POST, OPTIONS"}, // no answer to HEAD has a body
		{"DELETE /keepalive", 405, "openai", "Allow: GET, HEAD, OPTIONS"},
		{"GET /v1beta/models/m:predictLongRunning", 501, "gemini", "UNIMPLEMENTED"},
	} {
		name := tt.line[:min(len(tt.line), 60)]
		t.Run(name, func(t *testing.T) {
			got := g.raw(tt.line, "Authorization: Bearer "+g.pass)
			if head(got) != tt.status || family(got) != tt.shape || !strings.Contains(got, tt.says) || strings.Contains(got, "\r\nX-Injected") {
				t.Errorf("want %d, %s, %q; got %d, %s: %.600q", tt.status, tt.shape, tt.says, head(got), family(got), got)
			}
			if tt.status == 405 != strings.Contains(got, "\r\nAllow: ") && tt.line != "OPTIONS *" {
				t.Errorf("Allow: %.300q", got)
			}
		})
	}
}

// TestNamesReachGoogle: a name in the path is decoded once, and goes up as the client meant it.
func TestNamesReachGoogle(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	_, body := ask{gemini: true}.http(flash, "hello")
	for kind, l := range map[string]launch{"account": {accounts: 1}, "key": {keys: 1}} {
		l.sim, l.light, l.config = sim, true, "[stage.model]\nenabled = false\n" // names as they are
		g := start(t, l)
		for path, name := range map[string]string{
			"中文/模型":                            "中文/模型",
			"%E4%B8%AD%E6%96%87%2F一":           "中文/一",
			"%e4%b8%ad%e6%96%87%2f二":           "中文/二",
			"a%2Fb":                            "a/b",
			"a//c":                             "a/c",
			"a%252Fd":                          "a%2Fd",
			"a+e":                              "a+e",
			"a%20f":                            "a f",
			"a;v=1":                            "a;v=1",
			"a%3Fkey=1":                        "a?key=1",
			"a%23g":                            "a#g",
			"a%3Ah":                            "a:h",
			"a%22%5C":                          `a"\`,
			"UPPER":                            "UPPER",
			"..i":                              "..i",
			strings.Repeat("%E4%B8%AD", 256/3): strings.Repeat("中", 256/3),
		} {
			t.Run(kind+" "+path[:min(len(path), 40)], func(t *testing.T) {
				for _, end := range []string{":generateContent", "%3AgenerateContent"} {
					sim.ForgetCalls()
					got := g.rawPost("/v1beta/models/"+path+end, body)
					calls := sim.CallsOf("generateContent")
					// Google knows none of them, and the pool remembers that.
					if head(got) != 404 || family(got) != "gemini" || end[0] == ':' && (len(calls) != 1 || calls[0].Model != name) {
						t.Errorf("%s: %+v %.300q", end, calls, got)
					}
				}
			})
		}
	}
}
