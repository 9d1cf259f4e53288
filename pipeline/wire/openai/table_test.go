package openai

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
)

// scanned is a body with its members, as the server hands them on.
func scanned(t testing.TB, body string) ([]byte, []wire.Member) {
	t.Helper()
	members, err := wire.Scan([]byte(body), nil)
	if err != nil {
		t.Fatalf("the test body is no JSON: %v\n%s", err, body)
	}
	return []byte(body), members
}

// refusals are values that must be refused, by the place that the error names. given is what a good
// request has, so that nothing else is wrong with it.
type refusals struct {
	given  map[string]string
	bad    map[string][]string
	take   func(body []byte, members []wire.Member) *apierror.Error
	fields []Field
}

func (r refusals) run(t *testing.T) {
	t.Helper()
	shown := map[string]bool{}
	for param, values := range r.bad {
		field, _, _ := strings.Cut(param, ".")
		field, _, _ = strings.Cut(field, "[")
		shown[field] = true
		for _, v := range values {
			members := []string{`"` + field + `":` + v}
			for name, value := range r.given {
				if name != field {
					members = append(members, `"`+name+`":`+value)
				}
			}
			body := "{" + strings.Join(members, ",") + "}"
			err := r.take(scanned(t, body))
			if err == nil {
				t.Errorf("%s: let through", body)
				continue
			}
			if err.Status != 400 || err.Param != param || !strings.HasPrefix(err.Message, param+" ") {
				t.Errorf("%s: status %d, param %q, message %q; want %q", body, err.Status, err.Param, err.Message, param)
			}
		}
	}
	r.truth(t, shown)
	r.twice(t)
}

// truth: the table for the README is in order, fits a table, and says what the tests show.
func (r refusals) truth(t *testing.T, shown map[string]bool) {
	t.Helper()
	known := map[string]bool{}
	for i, f := range r.fields {
		known[f.Name] = true
		if f.Does == "" || strings.ContainsAny(f.Does+f.Name, "|\n") {
			t.Errorf("%q does not fit a table: %q", f.Name, f.Does)
		}
		if i > 0 && r.fields[i-1].Name >= f.Name {
			t.Errorf("%q is not in order", f.Name)
		}
		if strings.Contains(f.Does, "refused") && !shown[f.Name] {
			t.Errorf("%q is said to be refused and no test shows it", f.Name)
		}
	}
	for name := range shown {
		if !known[name] {
			t.Errorf("%q is refused and not in the table", name)
		}
	}
}

func (r refusals) twice(t *testing.T) {
	t.Helper()
	for name, value := range r.given {
		for _, again := range []string{name, `\u00` + string("0123456789abcdef"[name[0]>>4]) + string("0123456789abcdef"[name[0]&15]) + name[1:]} {
			if err := r.take(scanned(t, `{"`+name+`":`+value+`,"`+again+`":`+value+`}`)); err == nil || err.Param != name {
				t.Errorf("%s twice: %v", name, err)
			}
		}
	}
}

// pngOf is an empty picture.
func pngOf(t testing.TB, wide, high int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, wide, high))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const simulatedKey = "AIzaTestKey0000000000000000000000000001"

// google is a simulator that knows one API key.
func google(t testing.TB) *simulator.Server {
	t.Helper()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.AddKey(simulatedKey)
	return s
}

// ask posts a hub request to AI Studio's method of a model.
func ask(t testing.TB, s *simulator.Server, path string, hub []byte) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL()+"/v1beta/models/"+path, bytes.NewReader(hub))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Goog-Api-Key", simulatedKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// sseEvents cuts Google's stream into its events.
func sseEvents(body []byte) (list [][]byte) {
	for _, block := range bytes.Split(bytes.TrimSpace(body), []byte("\r\n\r\n")) {
		list = append(list, bytes.TrimPrefix(block, []byte("data: ")))
	}
	return list
}

// decoded reads JSON that must be right.
func decoded[T any](t testing.TB, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

// unbroken holds what went into a stream to whole events of JSON.
func unbroken(t testing.TB, out []byte, valid bool) {
	t.Helper()
	if len(out) == 0 {
		return
	}
	text, ok := strings.CutSuffix(string(out), "\n\n")
	if !ok {
		t.Fatalf("no event: %q", out)
	}
	for event := range strings.SplitSeq(text, "\n\n") {
		if head, rest, named := strings.Cut(event, "\n"); named && strings.HasPrefix(head, "event: ") {
			event = rest
		}
		body, ok := strings.CutPrefix(event, "data: ")
		if !ok || strings.ContainsAny(body, "\r\n") {
			t.Fatalf("no event: %q", event)
		}
		if valid && body != "[DONE]" && !json.Valid([]byte(body)) {
			t.Fatalf("no JSON: %s", body)
		}
	}
}
