package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// language runs scripts with the official clients of one language, which .ci/test has installed.
type language struct {
	program string // node or python; "" means Go, whose cases are here
	folder  string // of the scripts
	suffix  string // of their names: openai.mjs, openai_client.py
	client  string // class of the errors in Google's client that are the caller's
	server  string // and of the others
}

// prepared is the folder that .ci/test has filled with the clients of a language.
func prepared(t *testing.T, name string) string {
	t.Helper()
	folder := os.Getenv("GCLI_TEST_" + name)
	if folder == "" {
		why := os.Getenv("GCLI_TEST_" + name + "_MISSING")
		if why == "" {
			why = "GCLI_TEST_" + name + " names no folder with the clients: run bash .ci/test"
		}
		t.Skip(why)
	}
	return folder
}

// told is what a script says of one case: what its client showed.
type told struct {
	Case, Mark             string // the mark is in the prompt of an errand
	Text, Thoughts, Finish string
	Model, ID              string
	Chunks                 int
	Took, First            float64 // seconds until the end and until the first piece of a stream
	Usage                  struct{ Prompt, Answer, Thoughts, Total int }
	Finishes               int      // reasons to finish in a stream
	Dropped, Fallback      string   // headers that say what was left out, and who answered
	Cited                  []string // places in the text and what they rest on: kind, text, address
	Names                  []string
	Tokens                 int
	Calls                  []string // functions that were called: name, arguments
	Steps                  int      // answers until nothing more was called
	Events, Items          []string // kinds of the events of a stream, once for many in a row; kinds of what an answer consists of
	Signed                 int      // thoughts with a signature
	Same                   bool     // what came in two ways is the same
	Stop                   string   // stop sequence
	Parsed                 any      // structured output, as the client parsed it
	Vectors                [][]float64
	Pictures               [][]byte
	Error                  *trouble
}

// trouble is the error of a client.
type trouble struct {
	Class    string // name of its class
	Official bool   // it is one of the client's own classes
	Status   int
	Code     string // OpenAI
	Kind     string // OpenAI, Anthropic
	Param    string // OpenAI
	Message  string
	After    string // Retry-After
}

// run plays the cases and reads what was seen, each case exactly once.
func (l language) run(t *testing.T, h *house, script string, cases []string) map[string]told {
	t.Helper()
	if l.program == "" {
		return h.play(t, script, cases)
	}
	environ := []string{"GATEWAY=" + h.url, "PASSWORD=" + h.password, "STORY=" + story}
	for name, value := range h.inputs(t) {
		environ = append(environ, name+"="+value)
	}
	return l.read(t, script, cases, environ)
}

// read starts a script and reads what it says of the cases.
func (l language) read(t *testing.T, script string, cases, environ []string) map[string]told {
	t.Helper()
	out := l.start(t, append([]string{script + l.suffix}, cases...), environ...)
	all := map[string]told{}
	for line := range strings.Lines(out) {
		var s told
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("no result: %v in %q", err, line)
		}
		if _, twice := all[s.Case]; twice || !slices.Contains(cases, s.Case) {
			t.Fatalf("unexpected: %q", line)
		}
		all[s.Case] = s
	}
	return all
}

// start runs a script to its end and gives what it printed. Three minutes are for a client that hangs.
func (l language) start(t *testing.T, args []string, environ ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args[0] = filepath.Join(l.folder, args[0])
	cmd := exec.CommandContext(ctx, l.program, args...)
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = dieWithTest()
	cmd.Env = append(environ, "HOME="+cmd.Dir, "PYTHONDONTWRITEBYTECODE=1")
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", args[0], err, out, &errors)
	}
	return string(out)
}

// suites are the proofs by script. Go has tests of its own for plain chats, and loops over functions in
// Anthropic's client only.
func (l language) suites(t *testing.T, h *house) map[string][]proof {
	all := map[string][]proof{
		"openai_tools": toolProofs(h), "openai_more": moreProofs(t, h), "responses": responsesProofs(t, h),
		"anthropic": anthropicProofs(t, h), "genai_more": l.genaiMoreProofs(t, h),
	}
	if l.program != "" {
		all["openai"], all["genai"] = openaiProofs(h), l.genaiProofs(h)
		return all
	}
	for script, proofs := range all {
		all[script] = slices.DeleteFunc(proofs, func(p proof) bool {
			return script == "openai_tools" && strings.HasPrefix(p.name, "tools_runner") || strings.HasPrefix(p.name, "tools_automatic")
		})
	}
	return all
}

// hold runs the scripts of the clients and holds them to the proofs, a subtest a case.
func (l language) hold(t *testing.T) {
	kinds(t, func(t *testing.T, h *house) {
		t.Cleanup(func() { h.idle(t, 10*time.Second) }) // when all clients are done
		for script, proofs := range l.suites(t, h) {
			t.Run(script, func(t *testing.T) {
				t.Parallel()
				l.prove(t, h, script, proofs)
			})
		}
	})
}

// prove runs one script.
func (l language) prove(t *testing.T, h *house, script string, proofs []proof) {
	var names []string
	for _, p := range proofs {
		if !testing.Short() || !strings.HasPrefix(p.name, "silence") {
			names = append(names, p.name)
		}
	}
	hold(t, proofs, names, l.run(t, h, script, names))
}

// hold compares what was seen with the proofs.
func hold(t *testing.T, proofs []proof, names []string, all map[string]told) {
	for _, p := range proofs {
		t.Run(p.name, func(t *testing.T) {
			if !slices.Contains(names, p.name) {
				t.Skip("takes half a minute")
			}
			s, ok := all[p.name]
			if !ok {
				t.Fatal("the script says nothing of it")
			}
			defer func() {
				if t.Failed() {
					b, _ := json.Marshal(s)
					t.Logf("%.4000s", b)
				}
			}()
			p.check(t, s)
		})
	}
}

// paint runs the program that asks for a wide picture and saves it, with the built-in password and
// without a setting of its own.
func (l language) paint(t *testing.T) {
	t.Run("picture", func(t *testing.T) {
		t.Parallel()
		h := build(t, "geminiapi", "")
		file := filepath.Join(t.TempDir(), "fox.png")
		out := l.start(t, []string{"picture" + filepath.Ext(l.suffix), h.url, file})
		if want := "echo: Draw a fox that looks at a crow\nsaved image/png\n"; out != want {
			t.Errorf("it says %q, want %q", out, want)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if b := img.Bounds(); b.Dx()*9 != b.Dy()*16 {
			t.Errorf("a picture of %dx%d, want 16:9", b.Dx(), b.Dy())
		}
		if calls := h.sim.CallsOf("generateContent"); len(calls) != 1 || calls[0].Model != "gemini-2.5-flash-image" || !bytes.Contains(calls[0].Body, []byte(`"aspectRatio"`)) {
			t.Errorf("Google saw %+v", calls)
		}
	})
}
