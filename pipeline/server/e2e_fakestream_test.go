package server_test

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// faked is a model as its clients ask for it.
const faked = "假流式/gemini-2.5-pro"

// tale is longer than a piece of text, and has what must not be cut.
const tale = "Once upon a time a fox, 😀😀😀, looked at a crow \"up there\".\n" +
	"从前有一只狐狸抬头看着树上的乌鸦，乌鸦嘴里叼着一块奶酪，狐狸说：多么美丽的羽毛啊，你的歌声一定也一样动听，唱一首给我听听吧。\\ And so on, and on, and on."

// slowGrace makes the gateway begin a stream at once and send a heartbeat often.
func slowGrace(l launch) launch {
	l.env = map[string]string{"FIRST_BYTE_GRACE": "0.05"}
	l.config = "[stage.fakestream]\nheartbeat = \"50ms\"\n"
	return l
}

// A fake stream is heard as a true one of the same question is, in every language: texts, thoughts, calls,
// pictures, the end and the usage; with one id and the model as the client wrote it in every chunk.
func TestFakeStreamIsTheStream(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	g := start(t, launch{sim: sim, keys: 1, light: true})
	assist := start(t, launch{sim: sim, accounts: 1, light: true})
	for _, l := range listeners() {
		for what, prompt := range map[string]string{"text": tale, "usage": tale, "thoughts": tale, "picture": "a fox and a crow",
			"calls": `call get_weather {"city":"Oslo"} call get_time {}`, "length": "!fault max-tokens # " + tale, "nothing": "!fault max-tokens-empty", "filtered": "!fault safety"} {
			model := "gemini-2.5-pro"
			extra, ok := l.extra[what]
			if !ok && (what == "picture" || what == "thoughts" || what == "calls") {
				continue // not in this language
			}
			if what == "picture" {
				model = "gemini-2.5-flash-image"
			}
			t.Run(l.name+"/"+what, func(t *testing.T) {
				t.Parallel()
				want := l.ask(t, g, model, prompt, extra)
				got := l.ask(t, g, "假流式/"+model, prompt, extra)
				same(t, got, want)
				l.check(t, what, got)
				if what != "picture" { // accounts have text models only
					same(t, l.ask(t, assist, model+"-fake-stream", prompt, extra), l.ask(t, assist, model, prompt, extra))
				}
			})
		}
	}
	t.Run("non-stream", func(t *testing.T) {
		for _, a := range asks()[:3:3] {
			if a.stream {
				continue
			}
			path, body := a.http(faked, "hello")
			if r := g.post(path, body); understand(t, a, r).text != "echo: hello" {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
	})
	if r := g.get("/v1/models"); !strings.Contains(string(r.body), `"`+faked+`"`) {
		t.Error("the feature is not listed")
	}
}

func same(t *testing.T, got, want heard) {
	t.Helper()
	if !reflect.DeepEqual(got.said, want.said) || got.whole != want.whole {
		t.Errorf("heard %+v\nwant  %+v", got.said, want.said)
	}
}

// check holds a fake stream to what the true one cannot show.
func (l listener) check(t *testing.T, what string, h heard) {
	t.Helper()
	model := faked
	switch what {
	case "picture":
		if model = "假流式/gemini-2.5-flash-image"; len(h.Pictures) == 0 && !strings.Contains(h.Text, "data:image/png;base64,") {
			t.Errorf("no picture in %+v", h.said)
		}
	case "calls":
		if len(h.Calls) != 2 || h.Calls[0] != `get_weather {"city":"Oslo"}` || h.Calls[1] != "get_time {}" {
			t.Errorf("called %q", h.Calls)
		}
	case "thoughts":
		if h.Thoughts == "" {
			t.Error("no thoughts")
		}
		fallthrough
	case "text", "usage":
		if h.Text != "echo: "+tale || h.pieces < 4 {
			t.Errorf("%q in %d pieces", h.Text, h.pieces)
		}
	case "length":
		if h.Finish != l.cut {
			t.Errorf("ended with %q", h.Finish)
		}
	}
	if asked := what == "usage" || !l.byWish; (len(h.Usage) > 0) != asked {
		t.Errorf("usage %v", h.Usage)
	}
	if l.name == "sse" || l.name == "array" {
		model = strings.TrimPrefix(model, "假流式/") // Google's own word for it, in Google's own member
	}
	if len(h.ids) != 1 || len(h.models) != 1 || !h.models[model] {
		t.Errorf("ids %v, models %v", h.ids, h.models)
	}
}

// Every fault of the simulator keeps the status that it has for a plain request, as long as nothing was sent.
func TestFakeStreamFaults(t *testing.T) {
	for _, row := range append(refusals(), accidents()...) {
		for _, a := range streams()[:2] {
			a.fake = true
			for _, kind := range []string{"codeassist", "geminiapi"} {
				t.Run(row.fault+"/"+a.name+"/"+kind, func(t *testing.T) {
					if testing.Short() && (kind == "geminiapi") != a.gemini {
						t.Skip("short: each language with one kind of credential is enough")
					}
					t.Parallel()
					row.play(t, a, kind)
				})
			}
		}
	}
}

// While Google is silent the client gets heartbeats in the form of its language, and then the whole answer,
// or an error in its place.
func TestFakeStreamSilence(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	for kind, g := range map[string]*gateway{"codeassist": start(t, slowGrace(launch{sim: sim, accounts: 1})), "geminiapi": start(t, slowGrace(launch{sim: sim, keys: 1})),
		"no retry": start(t, func() launch {
			l := slowGrace(launch{sim: sim, accounts: 1})
			l.config += "[stage.retry]\nenabled = false\n"
			return l
		}())} {
		for _, l := range listeners() {
			t.Run(kind+"/"+l.name, func(t *testing.T) {
				t.Parallel()
				prompt := "!fault slow-first 500ms # " + tale
				r := l.post(g, faked, prompt, "")
				if h := l.understand(t, r); h.Text != "echo: "+prompt || !regexp.MustCompile(l.beat).Match(r.body) {
					t.Errorf("%q", r.body)
				}
			})
			t.Run(kind+"/"+l.name+"/a late error", func(t *testing.T) {
				t.Parallel()
				r := l.post(g, faked, "!fault slow-first 300ms 400", "")
				if body := string(r.body); r.status != 200 || !strings.Contains(body, l.fail) || strings.Contains(body, l.ends) || !regexp.MustCompile(l.beat).MatchString(body) {
					t.Errorf("%d %q", r.status, r.body)
				}
			})
		}
	}
	t.Cleanup(func() {
		if n := len(sim.CallsOf("streamGenerateContent")); n > 0 {
			t.Errorf("Google was asked for %d streams", n)
		}
	})
}

// A client that leaves in the silence, before its first byte or behind a heartbeat, ends the call to Google.
func TestFakeStreamClientLeaves(t *testing.T) {
	t.Parallel()
	for _, l := range listeners() {
		for name, started := range map[string]bool{"before the first byte": false, "behind a heartbeat": true} {
			t.Run(l.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				sim := google(t, 1, 0)
				where := launch{sim: sim, accounts: 1, light: true}
				if started {
					where = slowGrace(where)
				}
				g := start(t, where)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				path, body := l.http(faked, "!fault slow-first 60s", "")
				beats, left := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(left)
					resp, err := client.Do(g.request("POST", path, body).WithContext(ctx))
					if err != nil {
						return
					}
					defer resp.Body.Close()
					if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
						close(beats)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
				}()
				if err := sim.WaitOpen(ctx, 1); err != nil {
					t.Fatal(err)
				}
				if started {
					<-beats
				}
				gone := time.Now()
				cancel()
				<-left
				idle(t, sim)
				if took := time.Since(gone); took > 10*time.Second { // at once; Google would take a minute
					t.Errorf("noticed after %v", took)
				}
				if c := sim.CallsOf("generateContent"); len(c) != 1 || !c[0].Gone {
					t.Errorf("Google did not see the caller leave: %+v", c)
				}
				g.settled()
				if !g.waitLine("code=client_gone") {
					t.Error("the log does not say that the client left")
				}
			})
		}
	}
}

// Switched off, the feature is refused by name and not listed.
func TestFakeStreamOff(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, light: true, config: "[stage.fakestream]\nenabled = false\n"})
	for _, l := range listeners() {
		if r := l.post(g, faked, "hello", ""); r.status != 400 || !strings.Contains(string(r.body), "假流式/, which is switched off") {
			t.Errorf("%s: %d %s", l.name, r.status, r.body)
		}
	}
	if r := g.get("/v1/models"); r.status != 200 || strings.Contains(string(r.body), faked) {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// Neither the size of a piece nor a text of a megabyte changes what is heard.
func TestFakeStreamPieces(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	for _, chunk := range []int{1, 10000} {
		g := start(t, launch{sim: sim, accounts: 1, light: true, config: fmt.Sprintf("[stage.fakestream]\nchunk = %d\n", chunk)})
		for _, l := range listeners() {
			if h := l.ask(t, g, faked, tale, ""); h.Text != "echo: "+tale || chunk == 1 && h.pieces < 150 || chunk > 1 && h.pieces != 1 {
				t.Errorf("%s by %d: %q in %d pieces", l.name, chunk, h.Text, h.pieces)
			}
			if chunk == 1 {
				continue
			}
			if h := l.ask(t, g, faked, "!fault big 1", ""); len(h.Text) != 1<<20 {
				t.Errorf("%s by %d: %d bytes", l.name, chunk, len(h.Text))
			}
		}
	}
}
