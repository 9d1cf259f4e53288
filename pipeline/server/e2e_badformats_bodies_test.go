package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// badBody is a body that is wrong as a whole, whatever it is written in.
type badBody struct {
	name, body, coding string
	status             int // of the refusal
}

// badBodies makes them of a sample.
func badBodies(sample string) []badBody {
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	rooms := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	inside := func(v string) string { return `{"unheard_of":` + v + `,` + sample[1:] }
	zipped := gzipped(sample)
	return []badBody{
		{"empty", "", "", 400},
		{"blank", " \r\n\t", "", 400},
		{"words", "hello", "", 400},
		{"a form", "model=a&prompt=b", "", 400},
		{"a number", "5", "", 400},
		{"a string", `"x"`, "", 400},
		{"null", "null", "", 400},
		{"a list", "[" + sample + "]", "", 400},
		{"half", sample[:len(sample)/2], "", 400},
		{"cut", sample[:len(sample)-1], "", 400},
		{"two documents", sample + sample, "", 400},
		{"a comment", "/* x */" + sample, "", 400},
		{"a comma too many", sample[:len(sample)-1] + ",}", "", 400},
		{"single quotes", strings.ReplaceAll(sample, `"`, `'`), "", 400},
		{"not a number", inside("NaN"), "", 400},
		{"a control character", inside("\"\x01\""), "", 400},
		{"a zero byte", sample + "\x00", "", 400},
		{"UTF-16", utf16le(sample), "", 400},
		{"half an escape", inside(`"\u12"`), "", 400},
		{"an unknown escape", inside(`"\x41"`), "", 400},
		{"a lone surrogate in a name", `{"\udc00":1,` + sample[1:], "", 400},
		{"bytes that are no text", inside("\"\xc3\x28\""), "", 400},
		{"an overlong slash", inside("\"\xc0\xaf\""), "", 400},
		{"a surrogate in UTF-8", inside("\"\xed\xa0\x80\""), "", 400},
		{"nested arrays", deep, "", 400},
		{"nested arrays in a member", inside(deep), "", 400},
		{"nested objects in a member", inside(rooms), "", 400},
		{"open arrays", strings.Repeat("[", 10_000), "", 400},
		{"plain, called gzip", sample, "gzip", 400},
		{"gzip, cut", zipped[:len(zipped)/2], "gzip", 400},
		{"gzip with a wrong sum", zipped[:len(zipped)-8] + "\x00\x00\x00\x00\x00\x00\x00\x00", "gzip", 400},
		{"gzip, called deflate", zipped, "deflate", 400},
		{"gzip, not said", zipped, "", 400},
		{"an unknown coding", sample, "br", 400},
		{"a made-up coding", sample, "x, gzip", 400},
		{"over the limit", inside(`"` + strings.Repeat("x", 1<<20) + `"`), "", 413},
		{"over the limit when unpacked", gzipped(inside(`"` + strings.Repeat("x", 1<<20) + `"`)), "gzip", 413},
	}
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func utf16le(s string) string {
	out := []byte{0xff, 0xfe}
	for _, c := range []byte(s) {
		out = append(out, c, 0)
	}
	return string(out)
}

// nests are places of every format in which 10,000 arrays are put, one inside the other.
func nests(t *testing.T, sample string) (list []mutant) {
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for i, s := range spots(t, sample) {
		if i%5 == 0 {
			list = append(list, mutant{place: s.path, with: "10,000 arrays", body: sample[:s.from] + deep + sample[s.to:]})
		}
	}
	return list
}

// TestBadBodies: bodies that nobody can read are refused in the format of the route, before anything
// is sent to Google.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	b := badGateway(t, launch{accounts: 1, keys: 1, env: map[string]string{"BODY_LIMIT": "512KiB"}})
	for _, r := range badRoutes() {
		b.good(t, r)
		b.sim.ForgetCalls()
		for _, bad := range badBodies(r.sample) {
			got, err := b.post(r.path, bad.body, header("Content-Type", "application/json"), coding(bad.coding))
			if why := judge(r, got, err); why != "" || got.status != bad.status {
				t.Errorf("%s: %s: %d %s, want %d: %s", r.name, bad.name, got.status, why, bad.status, tail(string(got.body)))
			}
		}
		for _, m := range nests(t, r.sample) {
			got, err := b.post(r.path, m.body)
			if why := judge(r, got, err); why != "" || got.status != 400 || !strings.Contains(string(got.body), "512 levels") {
				t.Errorf("%s: %s is %s: %d %s: %s", r.name, m.place, m.with, got.status, why, tail(string(got.body)))
			}
		}
		// The gateway asks for what is left of an account's quota by itself meanwhile.
		if calls := b.sim.CallsOf("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents", "predict"); len(calls) > 0 {
			t.Errorf("%s: %d calls to Google, the first one %s", r.name, len(calls), calls[0].Verb)
		}
		// What is unusual and right is served.
		for name, body := range map[string]string{"gzip": gzipped(r.sample), "GZIP": gzipped(r.sample), "identity": r.sample, "": "\xef\xbb\xbf" + r.sample + "\r\n"} {
			got, err := b.post(r.path, body, coding(name))
			if why := judge(r, got, err); got.status != 200 || why != "" {
				t.Errorf("%s: coding %q: %d %s %s", r.name, name, got.status, why, tail(string(got.body)))
			}
		}
	}
}

// coding says how the body is packed.
func coding(name string) func(*http.Request) {
	if name == "" {
		return header("Content-Encoding")
	}
	return header("Content-Encoding", name)
}

// TestHugePictures: 50 MB of a picture, in every format that takes pictures, all at a time: a refusal
// that says so, and memory that stays bounded.
func TestHugePictures(t *testing.T) {
	t.Parallel()
	b := badGateway(t, launch{accounts: 1, keys: 1})
	picture := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("\x89PNG huge"), 5<<20))[:50<<20]
	large := strings.Repeat("x", 100<<20)
	var all sync.WaitGroup
	for _, p := range pictures() {
		all.Go(func() {
			for name, data := range map[string]string{"50 MB": picture, "beyond the limit": large} {
				head, end, _ := strings.Cut(p.sample, pixel)
				got, err := b.post(p.path, head+data+end)
				if why := judge(p.badRoute, got, err); why != "" || got.status != p.status && data == picture || got.status != 413 && data == large {
					t.Errorf("%s: %s: %d %s: %s", p.name, name, got.status, why, tail(string(got.body)))
				}
				if data == picture && !strings.Contains(string(got.body), p.place) {
					t.Errorf("%s: %q is not named: %s", p.name, p.place, tail(string(got.body)))
				}
			}
			b.good(t, p.badRoute)
		})
	}
	all.Wait()
	if kb := status(t, b.g, "VmRSS"); kb > 700<<10 {
		t.Errorf("%d MB are in use", kb>>10)
	}
	if kb := status(t, b.g, "VmHWM"); kb > 900<<10 {
		t.Errorf("%d MB were in use", kb>>10)
	}
}

// huge is a route that takes pictures: how it refuses one of 50 MB, and what it names. A body of
// Gemini's goes up as it is, and Google names no place.
type huge struct {
	badRoute
	status int
	place  string
}

func pictures() []huge {
	return []huge{
		{badRoute{"chat", chatPath, `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + pixel + `"}}]}]}`, false, false}, 413, "messages[0].content[0].image_url.url"},
		{badRoute{"responses", responsesPath, `{"model":"gemini-2.5-flash","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,` + pixel + `"}]}]}`, false, false}, 413, "input[0].content[0].image_url"},
		{badRoute{"messages", messagesPath, `{"model":"gemini-2.5-flash","max_tokens":99,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}}]}]}`, false, false}, 413, "messages[0].content[0].source.data"},
		{badRoute{"gemini", generatePath, `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"` + pixel + `"}}]}]}`, true, false}, 400, "payload size"},
	}
}

// status is a figure of the gateway's process, in kB.
func status(t *testing.T, g *gateway, name string) (kb int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if figure, ok := strings.CutPrefix(line, name+":"); ok {
			_, _ = fmt.Sscan(figure, &kb)
		}
	}
	if kb == 0 {
		t.Errorf("no %s in %s", name, text)
	}
	return kb
}
