package sdktest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

const (
	gemini3 = "gemini-3.1-flash-lite" // must have its thought signatures back; flash may
	fake    = "假流式/" + gemini3        // its stream is cut from an answer in one piece
	resting = "gemini-2.5-pro"        // for the case that has a model at rest afterwards
)

// sound is a WAV file of no length, document the beginning of a PDF: Google looks no further than that.
func sound() []byte {
	return []byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00")
}

func document() []byte { return []byte("%PDF-1.4\n%%EOF\n") }

// inputs are what the clients send: a picture, also at an address of its own, a sound and a document.
func (h *house) inputs(t *testing.T) map[string]string {
	t.Helper()
	data, _, _ := picture(t)
	shelf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/fox.png" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(data)
	}))
	t.Cleanup(shelf.Close)
	text := base64.StdEncoding.EncodeToString
	return map[string]string{"PICTURE": text(data), "PICTURE_URL": shelf.URL + "/fox.png", "SOUND": text(sound()), "DOCUMENT": text(document())}
}

// blob is what the simulator must say of something inline.
func blob(mime string, data []byte) simulator.Image {
	sum := sha256.Sum256(data)
	return simulator.Image{MIME: mime, Bytes: len(data), SHA256: hex.EncodeToString(sum[:])}
}

// errand is a prompt that makes the simulated model call functions in three steps, two at once in the first.
func errand(mark string) string {
	return "(" + mark + `) call get_weather {"city":"Oslo"} call get_time {"zone":"CET"} then call add {"a":1,"b":2} then call get_time {"zone":"UTC"}`
}

// function is one that the model may call.
type function struct {
	description string
	parameters  map[string]any
	run         func(args map[string]any) map[string]any
}

func functions() map[string]function {
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": properties, "required": slices.Sorted(maps.Keys(properties)), "additionalProperties": false}
	}
	number := map[string]any{"type": "integer"}
	return map[string]function{
		"get_weather": {"Weather of a city", object(map[string]any{"city": map[string]any{"type": "string"}}), func(args map[string]any) map[string]any {
			return map[string]any{"city": args["city"], "degrees": 3}
		}},
		"get_time": {"Time of a zone", object(map[string]any{"zone": map[string]any{"type": "string", "enum": []string{"CET", "UTC"}}}), func(args map[string]any) map[string]any {
			return map[string]any{"zone": args["zone"], "time": "12:00"}
		}},
		"add": {"Sum of two numbers", object(map[string]any{"a": number, "b": number}), func(args map[string]any) map[string]any {
			a, _ := args["a"].(float64)
			b, _ := args["b"].(float64)
			return map[string]any{"sum": a + b}
		}},
	}
}

// work does what the model asked for and notes it.
func (s *told) work(name, arguments string) (map[string]any, string) {
	var args map[string]any
	if err := json.Unmarshal([]byte(arguments), &args); err != nil {
		return nil, err.Error()
	}
	tidy, _ := json.Marshal(args)
	s.Calls = append(s.Calls, name+" "+string(tidy))
	result := functions()[name].run(args)
	text, _ := json.Marshal(result)
	return result, string(text)
}

// note adds the kind of an event to those seen, once for many in a row.
func (s *told) note(kind string) {
	if len(s.Events) == 0 || s.Events[len(s.Events)-1] != kind {
		s.Events = append(s.Events, kind)
	}
}

// ran: the errand was done step by step, and where the model signs, every step went back signed.
func (s told) ran(t *testing.T, h *house, finish string, signed bool) {
	t.Helper()
	want := []string{`get_time {"zone":"CET"}`, `get_weather {"city":"Oslo"}`, `add {"a":1,"b":2}`, `get_time {"zone":"UTC"}`}
	calls := slices.Clone(s.Calls)
	slices.Sort(calls[:min(2, len(calls))]) // which a client may do side by side
	if s.Error != nil || !slices.Equal(calls, want) || s.Steps != 4 || s.Finish != finish {
		t.Errorf("not the errand that ends with %s after 4 answers", finish)
	}
	if !strings.Contains(s.Text, "result of get_time: ") || !strings.Contains(s.Text, "12:00") {
		t.Errorf("the answer is not made of the last result: %q", s.Text)
	}
	last := h.lastAsked(s.Mark)
	if got := stepsOf(t, last); signed && !slices.Equal(got, []string{"genuine", "genuine", "genuine"}) || len(got) != 3 {
		t.Errorf("the steps went back as %q: %s", got, last)
	}
}

// faked: none of the errand's streams was one at Google.
func (s told) faked(t *testing.T, h *house) {
	t.Helper()
	for _, c := range h.sim.CallsOf("streamGenerateContent") {
		if bytes.Contains(c.Body, []byte("("+s.Mark+")")) {
			t.Error("Google was asked for a stream")
		}
	}
}

// lastAsked is the last request to Google with a mark in it.
func (h *house) lastAsked(mark string) []byte {
	calls := h.sim.CallsOf("generateContent", "streamGenerateContent")
	for _, c := range slices.Backward(calls) {
		if bytes.Contains(c.Body, []byte("("+mark+")")) {
			return c.Body
		}
	}
	return nil
}

// turns are the contents of a request to Google, in the envelope of Code Assist or without.
type turns struct {
	Contents []struct {
		Parts []struct {
			FunctionCall     json.RawMessage
			ThoughtSignature string
		}
	}
}

// stepsOf says of each turn with calls how its first call is signed. The simulator refuses what it has
// not signed itself.
func stepsOf(t *testing.T, body []byte) (steps []string) {
	t.Helper()
	var asked struct {
		turns
		Request turns
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		t.Errorf("Google was not asked: %v", err)
		return nil
	}
	for _, c := range append(asked.Contents, asked.Request.Contents...) {
		for _, p := range c.Parts {
			if p.FunctionCall == nil {
				continue
			}
			steps = append(steps, map[string]string{"": "none", simulator.Sentinel: "sentinel"}[p.ThoughtSignature])
			if p.ThoughtSignature != "" && p.ThoughtSignature != simulator.Sentinel {
				steps[len(steps)-1] = "genuine"
			}
			break
		}
	}
	return steps
}

// shows: what was inline arrived at Google.
func (s told) shows(t *testing.T, want simulator.Image) {
	t.Helper()
	if s.Error != nil {
		t.Fatalf("%+v", s.Error)
	}
	d := description(t, s.Text)
	if !slices.Equal(d.Images, []simulator.Image{want}) || len(d.Parts) != 1 || !slices.Equal(d.Parts[0], []string{"text", "inlineData"}) {
		t.Errorf("%+v, want %+v", d, want)
	}
}

// parsed holds structured output to a value.
func (s told) parsed(t *testing.T, finish, want string) {
	t.Helper()
	got, _ := json.Marshal(s.Parsed)
	if s.Error != nil || string(got) != want || s.Finish != finish {
		t.Errorf("parsed %s, want %s", got, want)
	}
}

// embedded holds vectors to those that the simulator makes of texts.
func (s told) embedded(t *testing.T, size int, texts ...string) {
	t.Helper()
	if s.Error != nil || len(s.Vectors) != len(texts) {
		t.Fatalf("%d vectors, want %d: %+v", len(s.Vectors), len(texts), s.Error)
	}
	for i, text := range texts {
		if err := sameVector(s.Vectors[i], text, size); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func sameVector(got []float64, text string, size int) error {
	if len(got) != size {
		return fmt.Errorf("%d numbers, want %d", len(got), size)
	}
	for i, v := range got {
		want := (float64(text[i%len(text)]) + float64(i%7)) / 1000
		if v < want-1e-6 || v > want+1e-6 {
			return fmt.Errorf("number %d is %v, want %v", i, v, want)
		}
	}
	return nil
}
