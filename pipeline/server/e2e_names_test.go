package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gcli2api/pipeline/simulator"
)

// noFeatures is the list without any stage that acts on a feature.
const noFeatures = `
[pipeline]
order = ["auth", "quota", "format", "model", "translate", "credential", "upstream", "retry", "shape", "usage"]
`

const aliasConfig = noFeatures + `
[models]
known = ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-embedding-001"]
[models.alias]
"快 模型" = "gemini-2.5-pro"
`

const patternConfig = noFeatures + `
[models]
known = ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-embedding-001"]
[models.alias]
"快模型" = "gemini-2.5-flash"
"gpt-4o" = "gemini-2.5-flash"
"gpt-*" = "gemini-2.5-pro"
"claude-*" = "gemini-2.5-flash"
"ada-*" = "gemini-embedding-001"
`

// TestNamesAreShownBack: in every language the answer names the model as the client wrote it, whole and in
// events, while Google is asked for the one behind it. Google's own modelVersion stays Google's.
func TestNamesAreShownBack(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1, light: true, config: patternConfig})
	shown := regexp.MustCompile(`"model":("[^"]*")`)
	for name, base := range map[string]string{
		"gpt-4o": "gemini-2.5-flash", "gpt-4o-mini": "gemini-2.5-pro", "claude-sonnet-4-5": "gemini-2.5-flash", "快模型": "gemini-2.5-flash",
		"models/gemini-2.5-pro": "gemini-2.5-pro", "gemini-2.0-flash": "gemini-2.0-flash",
	} {
		for format, c := range map[string]struct{ path, body string }{
			"chat":        {"/v1/chat/completions", `"messages":[{"role":"user","content":"hello"}]`},
			"messages":    {"/v1/messages", `"max_tokens":100,"messages":[{"role":"user","content":"hello"}]`},
			"responses":   {"/v1/responses", `"input":"hello"`},
			"completions": {"/v1/completions", `"prompt":"hello"`},
		} {
			for _, stream := range []bool{false, true} {
				r := g.post(c.path, fmt.Sprintf(`{"model":%q,"stream":%v,%s}`, name, stream, c.body))
				found := shown.FindAllStringSubmatch(string(r.body), -1)
				wrong := slices.IndexFunc(found, func(m []string) bool { return m[1] != quoted(name) })
				if r.status != 200 || len(found) == 0 || wrong >= 0 || strings.Contains(string(r.body), base) && base != strings.TrimPrefix(name, "models/") {
					t.Errorf("%s in %s, stream %v: %d %s", name, format, stream, r.status, r.body)
				}
				calls := sim.CallsOf("generateContent", "streamGenerateContent")
				if got := calls[len(calls)-1].Model; got != base {
					t.Errorf("%s in %s: Google was asked for %s", name, format, got)
				}
			}
		}
		r := g.post("/v1beta/models/"+url.PathEscape(name)+":generateContent", `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`)
		if r.status != 200 || !strings.Contains(string(r.body), `"modelVersion":"`+base+`"`) || lastCall(sim).Model != base {
			t.Errorf("%s in Gemini's format: %d %s", name, r.status, r.body)
		}
	}
	r := g.post("/v1/embeddings", `{"model":"ada-002","input":"hello"}`)
	if r.status != 200 || !strings.Contains(string(r.body), `"model":"ada-002"`) {
		t.Errorf("vectors: %d %s", r.status, r.body)
	}
}

// TestNamesInPaths: Chinese names arrive raw and percent-encoded, and what is refused is named as it was
// written.
func TestNamesInPaths(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1, light: true, config: patternConfig})
	const body = `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`
	for _, path := range []string{"快模型", url.PathEscape("快模型"), "models%2F" + url.PathEscape("快模型"), strings.ToLower(url.PathEscape("快模型"))} {
		if out := g.rawPost("/v1beta/models/"+path+":generateContent", body); !strings.HasPrefix(out, "HTTP/1.1 200") || lastCall(sim).Model != "gemini-2.5-flash" {
			t.Errorf("%s: %.200s", path, out)
		}
	}
	asked := len(sim.CallsOf("generateContent"))
	for name, says := range map[string]string{
		"假流式/gemini-2.5-pro":                       `asks for 假流式/, which is switched off`,
		"gemini-2.5-pro-流式抗截断-fake-stream":         `asks for -fake-stream -流式抗截断, which is switched off`,
		"gemini-2.5-flash-search":                  `asks for -search, which is switched off`,
		"抗截断/gpt-4o-maxthinking":                   `asks for 抗截断/, which is switched off`,
		"gemini-2.5-pro-thinking-8192":             `asks for -thinking-8192, which is switched off`,
		"gemini-2.5-pro-low-search-high":           `asks for "-low" and for "-high"`,
		"gemini-2.5-pro-nothinking-nothinking-max": `asks for "-nothinking" and for "-max"`,
	} {
		for which, out := range map[string]string{
			"raw":     g.rawPost("/v1beta/models/"+name+":generateContent", body),
			"encoded": g.rawPost("/v1beta/models/"+url.PathEscape(name)+":generateContent", body),
			"chat":    g.rawPost("/v1/chat/completions", `{"model":`+quoted(name)+`,"messages":[{"role":"user","content":"hello"}]}`),
			"look-up": g.raw("GET /v1beta/models/"+url.PathEscape(name), "Authorization: Bearer "+g.pass),
		} {
			message := ""
			if _, text, ok := strings.Cut(out, "\r\n\r\n"); ok {
				message = (reply{body: []byte(text)}).err().Error.Message
			}
			if !strings.HasPrefix(out, "HTTP/1.1 400") || !strings.Contains(message, says) {
				t.Errorf("%s, %s: %s", name, which, out)
			}
		}
	}
	if n := len(sim.CallsOf("generateContent")); n != asked {
		t.Errorf("%d of them reached Google", n-asked)
	}
}

// listed gives the names of the three listings, in the form of each format.
func (g *gateway) listed() map[string][]string {
	g.t.Helper()
	read := func(r reply, prefix string) (names []string) {
		var list struct {
			Data   []struct{ ID string }
			Models []struct{ Name string }
		}
		if err := json.Unmarshal(r.body, &list); err != nil || r.status != 200 {
			g.t.Fatalf("%d %v %s", r.status, err, r.body)
		}
		for _, m := range list.Data {
			names = append(names, m.ID)
		}
		for _, m := range list.Models {
			names = append(names, strings.TrimPrefix(m.Name, prefix))
		}
		return names
	}
	return map[string][]string{
		"openai":    read(g.get("/v1/models"), ""),
		"gemini":    read(g.get("/v1beta/models"), "models/"),
		"anthropic": read(g.get("/v1/models", header("anthropic-version", "2023-06-01")), ""),
	}
}

// TestListings: each setting lists the same names in every format, and every name that is listed is
// answered alone, in every format. Without stages for them no feature is listed.
func TestListings(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"", noFeatures} {
		for _, listing := range []string{"base", "base+features", "all"} {
			t.Run(fmt.Sprint(listing, len(order)), func(t *testing.T) {
				t.Parallel()
				config := order + "[models]\nknown = [\"gemini-2.5-pro\", \"gemini-3-pro-image\"]\nlisting = \"" + listing + "\"\n[models.alias]\n\"gpt-*\" = \"gemini-2.5-pro\"\n"
				g := start(t, launch{sim: google(t, 0, 1), keys: 1, light: true, config: config})
				all := g.listed()
				names := all["openai"]
				if !slices.Equal(names, all["gemini"]) || !slices.Equal(names, all["anthropic"]) {
					t.Fatalf("the formats differ: %v", all)
				}
				if (order != "" || listing == "base") && !slices.Equal(names, []string{"gemini-2.5-pro", "gemini-3-pro-image"}) {
					t.Errorf("got %v", names)
				}
				for _, name := range names {
					path := url.PathEscape(name)
					for _, r := range []reply{g.get("/v1/models/" + path), g.get("/v1beta/models/" + path), g.get("/v1/models/"+path, header("anthropic-version", "2023-06-01"))} {
						if r.status != 200 || !strings.Contains(string(r.body), name) {
							t.Errorf("%s: %d %s", name, r.status, r.body)
						}
					}
				}
				for name, want := range map[string]string{"gpt-7": "gemini-2.5-pro", "gemini-7": ""} {
					r := g.get("/v1beta/models/" + name)
					if want == "" && r.status != 404 || want != "" && !strings.Contains(string(r.body), `"name":"models/`+want+`"`) {
						t.Errorf("%s: %d %s", name, r.status, r.body)
					}
				}
			})
		}
	}
}

const liveConfig = noFeatures + `
[models]
known = ["gemini-2.5-pro", "gemini-2.5-flash"]
live = true
listing = "base"
[models.limits]
"gemini-2.5-flash" = { display = "Mine" }
[models.alias]
"*" = "gemini-2.5-pro"
`

// TestLiveList: what Google lists follows behind the known names, is never taken by a pattern, and is read
// once, however many ask and whatever is reloaded.
func TestLiveList(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1, config: liveConfig})
	ask := func(name, base string) {
		t.Helper()
		r := g.post("/v1/chat/completions", `{"model":"`+name+`","messages":[{"role":"user","content":"hello"}]}`)
		if r.status != 200 || lastCall(sim).Model != base {
			t.Errorf("%s: %d, asked for %s: %s", name, r.status, lastCall(sim).Model, r.body)
		}
	}
	ask("gemini-2.0-flash", "gemini-2.0-flash") // the very first request knows the list
	ask("something-else", "gemini-2.5-pro")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { g.get("/v1/models") })
	}
	all.Wait()
	lists := g.listed()
	names := lists["openai"]
	if len(names) < 15 || !slices.Equal(names[:2], []string{"gemini-2.5-pro", "gemini-2.5-flash"}) || !slices.Contains(names, "gemini-2.0-flash") ||
		!slices.Contains(names, "text-embedding-004") || slices.Contains(names, "imagen-4.0-generate-001") || !slices.Equal(names, lists["gemini"]) || !slices.Equal(names, lists["anthropic"]) {
		t.Errorf("got %v", lists)
	}
	for name, says := range map[string]string{"gemini-2.5-flash": `"displayName":"Mine"`, "gemini-2.0-flash": `"displayName":"gemini 2.0 flash"`, "text-embedding-004": `"inputTokenLimit":2048`} {
		if r := g.get("/v1beta/models/" + name); r.status != 200 || !strings.Contains(string(r.body), says) {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	g.reload(strings.Replace(liveConfig, "Mine", "Ours", 1), "settings changed")
	g.get("/v1/models")
	ask("gemini-2.0-flash", "gemini-2.0-flash")
	if r := g.get("/v1beta/models/gemini-2.5-flash"); !strings.Contains(string(r.body), "Ours") {
		t.Errorf("after the reload: %s", r.body)
	}
	if n := len(sim.CallsOf("models")); n != 1 {
		t.Errorf("the list was read %d times", n)
	}
	g.reload(strings.Replace(liveConfig, "live = true", "live = false", 1), "settings changed")
	if got := g.listed()["openai"]; len(got) != 2 {
		t.Errorf("switched off: %v", got)
	}
	ask("gemini-2.0-flash", "gemini-2.5-pro")
}

// TestLiveListFails: the known list is served, in time, and the log says it once and without the key.
func TestLiveListFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"500", "403", "garbage", "slow-first 30s"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 0, 1)
			sim.Script(simulator.Fault{Do: fault, Verb: "models", Count: -1})
			g := start(t, launch{sim: sim, keys: 1, light: true, config: liveConfig, dirty: true})
			for range 3 {
				if got := g.listed()["openai"]; len(got) != 2 {
					t.Errorf("got %v", got)
				}
				if fault == "slow-first 30s" {
					break // 5 s each
				}
			}
			text := g.read("gateway.log")
			if n := strings.Count(text, "list of models could not be read"); n != 1 && fault != "slow-first 30s" {
				t.Errorf("said %d times", n)
			}
			if strings.Contains(text, apiKey(0)) {
				t.Error("the log has the key")
			}
		})
	}
	// nobody to ask
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, light: true, config: liveConfig})
	if got := g.listed()["gemini"]; len(got) != 2 {
		t.Errorf("without API keys: %v", got)
	}
}

func TestAliasErrorsAtStart(t *testing.T) {
	t.Parallel()
	for toml, says := range map[string]string{
		"[models.alias]\n\"gpt-*\" = \"gemini-2.5-*\"\n":        `config.toml:2: models.alias."gpt-*": leads to`,
		"[models.alias]\n\"*\" = \"my-own\"\n":                  `put it into models.known`,
		"[models.alias]\na = \"b\"\n\"gpt-*\" = \"a-search\"\n": `which is an alias itself`,
		aliasConfig:                          `has a space`,
		"[models]\nlive = \"yes\"\n":         `models.live: must be true or false`,
		"[models]\nimage_suffixes = 1\n":     `models.image_suffixes: must be true or false`,
		"[models]\nknown = [\"gemini-*\"]\n": `only models.alias takes patterns`,
	} {
		g := spawn(t, launch{config: toml, light: true, dirty: true})
		<-g.ended
		if g.code != 2 || !strings.Contains(g.stderr.String(), says) || !strings.Contains(g.stderr.String(), "config.toml:") {
			t.Errorf("%s: code %d, %s", toml, g.code, g.stderr.String())
		}
	}
}
