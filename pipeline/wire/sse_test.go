package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"gcli2api/pipeline/apierror"
)

// pieces hands a body out in pieces of chance, with a chance part of the next one "buffered".
type pieces struct {
	rest     []byte
	rng      *rand.Rand
	buffered int
	reads    int // reads that would have blocked
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.buffered == 0 {
		if p.reads++; len(p.rest) == 0 {
			return 0, io.EOF
		}
		p.buffered = min(1+p.rng.IntN(60), len(p.rest))
	}
	n := copy(b, p.rest[:p.buffered])
	if p.rng.IntN(3) == 0 {
		n = min(n, 1+p.rng.IntN(5))
	}
	p.rest, p.buffered = p.rest[n:], p.buffered-n
	return n, nil
}

func (p *pieces) Buffered() int { return p.buffered }

// naive is the same rules over the whole body, without any care for speed.
func naive(body string) (events []string) {
	var lines []string
	begun, bare := false, false
	flush := func() {
		if event := strings.Join(lines, "\n"); event != "" {
			events = append(events, event)
		}
		lines, begun, bare = nil, false, false
	}
	all := strings.Split(body, "\n")
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	for _, line := range all {
		line = strings.TrimPrefix(strings.TrimSuffix(line, "\r"), "\ufeff")
		field, isField := strings.CutPrefix(line, "data:")
		open := strings.HasPrefix(line, "{") || strings.HasPrefix(line, "[")
		something := strings.Join(lines, "\n") != ""
		if begun && something && (bare && isField || !bare && open) {
			flush()
		}
		switch {
		case line == "":
			flush()
		case bare:
			lines = append(lines, line)
		case isField:
			lines, begun = append(lines, strings.TrimPrefix(field, " ")), true
		case open:
			lines, begun, bare = []string{line}, true, true
			if end := skip([]byte(line), 0); end >= 0 && space([]byte(line), end) == len(line) {
				flush()
			}
		}
	}
	flush()
	return events
}

func collect(t *testing.T, s *SSE) (events []string, err error) {
	t.Helper()
	defer s.Close()
	for {
		data, _, err := s.Next()
		if err != nil {
			return events, err
		}
		events = append(events, string(data))
	}
}

var bodies = []string{
	"", "\n\n", "data: {\"a\":1}\n\n", "data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\r\n\r\n", "data:{\"a\":1}", "data: a\ndata: b\r\ndata:  c\n\n",
	": ping\n\nevent: x\nid: 1\nretry: 5\ndata: {}\n\n", "data:\n\ndata: \n\ndata: x\n\n", "data\n\n", "data: x\n{\"error\":{\"code\":503}}\n",
	"{\"error\":{}}\ndata: y\n\n", "[{\"error\":{}}]\r\n", "[{\n  \"error\": {\n    \"code\": 1\n  }\n}]\n\ndata: z\n\n", "{\"error\":\ndata: z\n\n",
	"\ufeffdata: a\n\n", "data: a\rb\n\n", "data: [DONE]\n\n", "<html>\n\n", "data:\ndata:\n\n", "data: a\n\n\n\ndata: b\n\n", "data: x\r", "{\"a\":1} \n[\n",
}

func TestSSE(t *testing.T) {
	tests := []struct {
		body string
		want []string
	}{
		{"data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\n\n", []string{`{"a":1}`, `{"b":2}`}},
		{"data: {\"a\":\ndata: 1}\n\n", []string{"{\"a\":\n1}"}},
		{": ping\n\nevent: message\nid: 7\ndata: {}\n\n", []string{"{}"}},
		{"data: {\"a\":1}", []string{`{"a":1}`}},
		{"data: a\n\n{\"error\":{\"code\":503}}\n", []string{"a", `{"error":{"code":503}}`}},
		{"data: a\n[{\"error\":{}}]\ndata: b\n\n", []string{"a", `[{"error":{}}]`, "b"}},
		{"[{\r\n  \"error\": 1\r\n}]\r\n\r\n", []string{"[{\n  \"error\": 1\n}]"}},
		{"data:\n\ndata: \n\n", nil},
		{"<html><body>busy</body></html>\n", nil},
	}
	for _, tt := range tests {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(tt.body), "bytes": iotest.OneByteReader(strings.NewReader(tt.body)),
			"with EOF": iotest.DataErrReader(strings.NewReader(tt.body)), "bufio": bufio.NewReader(strings.NewReader(tt.body)),
		} {
			got, err := collect(t, NewSSE(Plain(r), 0))
			if err != io.EOF || strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("%s of %q: %q, %v", name, tt.body, got, err)
			}
		}
		if got := naive(tt.body); strings.Join(got, "|") != strings.Join(tt.want, "|") {
			t.Errorf("the naive reader makes %q of %q", got, tt.body)
		}
	}
}

func TestSSEMore(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		io.WriteString(w, "data: 1\n\ndata: 2\n\ndata: 3")
		io.WriteString(w, "\n\ndata: 4\n\n")
		w.Close()
	}()
	s := NewSSE(Plain(r), 0)
	defer s.Close()
	for i, want := range []struct {
		data string
		more bool
	}{{"1", true}, {"2", false}, {"3", true}, {"4", false}} {
		data, more, err := s.Next()
		if err != nil || string(data) != want.data || more != want.more {
			t.Errorf("event %d: %q, %v, %v", i, data, more, err)
		}
	}
	if _, _, err := s.Next(); err != io.EOF {
		t.Error(err)
	}
	buffered := bufio.NewReader(strings.NewReader("data: 1\n\n" + strings.Repeat("data: 2\n\n", 300)))
	small := NewSSE(buffered, 0) // bufio's buffer is as large as ours: what is left there counts as well
	defer small.Close()
	if _, more, err := small.Next(); !more || err != nil {
		t.Error(more, err)
	}
}

func TestSSELargeEventsAndLimit(t *testing.T) {
	big := `{"data":"` + strings.Repeat("A", 8<<20) + `"}`
	body := "data: {}\n\ndata: " + big + "\r\n\r\ndata: " + big + "\n\ndata: {}\n\n"
	got, err := collect(t, NewSSE(bufio.NewReader(strings.NewReader(body)), 0))
	if err != io.EOF || len(got) != 4 || got[1] != big || got[2] != big || got[3] != "{}" {
		t.Fatalf("%d events, %v", len(got), err)
	}
	for _, flood := range []string{"data: " + strings.Repeat("A", 1<<20), ": " + strings.Repeat("A", 1<<20), strings.Repeat("data: A\n", 1<<18)} {
		s := NewSSE(Plain(strings.NewReader("data: {}\n\n"+flood)), 64<<10)
		if data, _, err := s.Next(); err != nil || string(data) != "{}" {
			t.Fatalf("%q, %v", data, err)
		}
		var e *apierror.Error
		if _, _, err := s.Next(); !errors.As(err, &e) || e.Code != apierror.StreamBroken {
			t.Errorf("over the limit: %v", err)
		}
		s.Close()
	}
}

func TestSSEBrokenConnection(t *testing.T) {
	reset := errors.New("connection reset")
	s := NewSSE(Plain(io.MultiReader(strings.NewReader("data: 1\n\ndata: {\"half"), iotest.ErrReader(reset))), 0)
	if data, _, err := s.Next(); err != nil || string(data) != "1" {
		t.Fatalf("%q, %v", data, err)
	}
	for range 2 {
		if data, _, err := s.Next(); err != reset {
			t.Errorf("%q, %v", data, err)
		}
	}
	s.Close()
	s.Close()
	if _, _, err := s.Next(); err != io.EOF {
		t.Error("after Close:", err)
	}
	if _, _, err := NewSSE(Plain(iotest.ErrReader(nil)), 0).Next(); err != io.ErrNoProgress {
		t.Error("a reader that gives nothing:", err)
	}
}

// FuzzSSE compares with the naive reader, with reads of chance. More must hold what it says: the
// following event comes without a read that could block.
func FuzzSSE(f *testing.F) {
	for i, s := range bodies {
		f.Add([]byte(s), uint64(i))
	}
	f.Add([]byte(strings.Repeat("data: {\"text\":\"0123456789\"}\r\n\r\n", 500)), uint64(7))
	f.Add([]byte("data: "+strings.Repeat("x", 20000)+"\n\n"+strings.Repeat("data: y\n", 3000)), uint64(8))
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		src := &pieces{rest: bytes.Clone(body), rng: rand.New(rand.NewPCG(seed, 1))}
		s := NewSSE(src, 0)
		defer s.Close()
		promised := false
		for i, want := range naive(string(body)) {
			reads := src.reads
			data, more, err := s.Next()
			if err != nil || string(data) != want {
				t.Fatalf("event %d of %q: %q, %v; want %q", i, body, data, err, want)
			}
			if promised && src.reads != reads {
				t.Fatalf("event %d of %q was promised and had to be read", i, body)
			}
			promised = more
		}
		if data, _, err := s.Next(); err != io.EOF || promised {
			t.Fatalf("behind the end of %q: %q, %v, promised %v", body, data, err, promised)
		}
	})
}

// TestSSELikeTheNaiveReader plays bodies put together by chance from what streams are made of.
func TestSSELikeTheNaiveReader(t *testing.T) {
	words := []string{"data: ", "data:", "data", "\n", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r", " ", "{\"error\":1}", "{", "}", "[", "]",
		": ping", "event: x", "{\"a\":\"\\\"}\"}", "\ufeff", strings.Repeat("x", 3000), strings.Repeat("y", 200)}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		var body strings.Builder
		for range rng.IntN(40) {
			body.WriteString(words[rng.IntN(len(words))])
		}
		want := naive(body.String())
		got, err := collect(t, NewSSE(&pieces{rest: []byte(body.String()), rng: rng}, 0))
		if err != io.EOF || strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Fatalf("%q\n got %q, %v\nwant %q", body.String(), got, err, want)
		}
	}
}

func TestAppendSSE(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`: "data: {\"a\":1}\n\n", "{\r\n \"a\":\n1}": "data: {   \"a\": 1}\n\n", "": "data: \n\n",
	} {
		if got := AppendSSE(nil, []byte(in)); string(got) != want {
			t.Errorf("AppendSSE(%q) = %q", in, got)
		}
	}
}
