package server_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/server"
)

func ctxWithTimeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func packed(t *testing.T, coding string, data []byte) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if coding == "deflate" {
		w = zlib.NewWriter(&b)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return &b
}

func TestBodyLimits(t *testing.T) {
	const limit = 64 << 10
	d := open(t, server.Options{BodyLimit: limit}, whole)
	fits := `{"model":"m","pad":"` + strings.Repeat("x", 30<<10) + `"}`
	over := `{"model":"m","pad":"` + strings.Repeat("x", limit) + `"}`
	bomb := []byte(`{"model":"m","pad":"` + strings.Repeat("x", 16<<20) + `"}`)
	tests := []struct {
		name, coding string
		body         io.Reader
		status       int
		says         string
	}{
		{"plain", "", strings.NewReader(fits), 200, "hello"},
		{"chunked", "", io.MultiReader(strings.NewReader(fits)), 200, "hello"},
		{"as long as may be", "", strings.NewReader(fits + strings.Repeat(" ", limit-len(fits))), 200, "hello"},
		{"gzip", "gzip", packed(t, "gzip", []byte(fits)), 200, "hello"},
		{"deflate", "deflate", packed(t, "deflate", []byte(fits)), 200, "hello"},
		{"too long", "", strings.NewReader(over), 413, "65536 bytes"},
		{"too long and chunked", "", io.MultiReader(strings.NewReader(over)), 413, "65536 bytes"},
		{"gzip bomb", "gzip", packed(t, "gzip", bomb), 413, "65536 bytes"},
		{"broken gzip", "gzip", strings.NewReader("not gzip at all"), 400, "gzip"},
		{"unknown coding", "br", strings.NewReader(fits), 400, "Content-Encoding"},
		{"not JSON", "", strings.NewReader("hello"), 400, "not valid JSON"},
		{"empty", "", strings.NewReader(""), 400, "empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, _ := http.NewRequest("POST", d.url("/v1/chat/completions"), tt.body)
			req.Header.Set("Authorization", "Bearer pwd")
			if tt.coding != "" {
				req.Header.Set("Content-Encoding", tt.coding)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := content(t, resp.Body); resp.StatusCode != tt.status || !strings.Contains(got, tt.says) {
				t.Errorf("%d %.200s\nwant %d with %q", resp.StatusCode, got, tt.status, tt.says)
			}
		})
	}
}

func TestGzipBombIsNotUnpackedBeyondTheLimit(t *testing.T) {
	d := open(t, server.Options{BodyLimit: 1 << 20}, whole)
	bomb := packed(t, "gzip", bytes.Repeat([]byte(" "), 128<<20)).Bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 4 {
		resp := d.post("/v1/chat/completions", string(bomb), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
		if resp.StatusCode != 413 {
			t.Fatalf("status %d", resp.StatusCode)
		}
		resp.Body.Close()
	}
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 32 {
		t.Errorf("four bombs of 128 MB cost %d MB of memory", took)
	}
}

func TestRefusedCallersBodyIsNotRead(t *testing.T) {
	d := open(t, server.Options{}, whole)
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// 50 MB are announced and never sent: only a server that does not wait for them can answer.
	io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nContent-Length: 52428800\r\n\r\n{")
	c.SetReadDeadline(time.Now().Add(60 * time.Second))
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("no answer before the body: %v", err)
	}
	if s := string(answer); !strings.HasPrefix(s, "HTTP/1.1 401") || !strings.Contains(s, "authentication_error") {
		t.Errorf("answer %q", s)
	}
}

// A client in the middle of a large upload still gets to read why it was refused.
func TestUnfinishedBodyHoldsNothing(t *testing.T) {
	d := open(t, server.Options{}, whole)
	for _, coding := range []string{"br", "gzip"} {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pwd\r\nContent-Encoding: "+coding+"\r\nContent-Length: 1000\r\n\r\nabcdefghijklmnop")
		c.SetReadDeadline(time.Now().Add(60 * time.Second))
		answer, err := io.ReadAll(c) // to the end: the server lets go of the connection
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
			t.Errorf("%s: %v after %q", coding, err, answer)
		}
	}
	// An idle, an unauthorised and an unfinished connection must not hold up the stop.
	for _, head := range []string{"", "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"} {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, head)
	}
	ctx, cancel := ctxWithTimeout(30 * time.Second)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("the stop waited for connections without an exchange: %v", err)
	}
}

func TestRefusedUploadHearsWhy(t *testing.T) {
	d := open(t, server.Options{}, whole)
	for i := range 40 {
		path, want := "/v1/chat/completions", 401
		if i%2 == 1 { // refused before there is an exchange
			path, want = "/no/such/path", 404
		}
		req, _ := http.NewRequest("POST", d.url(path), bytes.NewReader(make([]byte, 8<<20)))
		req.Header.Set("Authorization", "Bearer wrong")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("upload %d: %v", i, err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Fatalf("upload %d: status %d, want %d", i, resp.StatusCode, want)
		}
	}
}

func TestBodiesShareOneBudget(t *testing.T) {
	held, leave := make(chan struct{}), make(chan struct{})
	d := open(t, server.Options{BodyLimit: 8 << 20, BodyBudget: 10 << 20}, func(x *pipeline.Exchange) pipeline.Verdict {
		if x.Member("hold") != nil {
			close(held)
			<-leave
		}
		return whole(x)
	})
	status := func(body string) int {
		resp := d.post("/v1/chat/completions", body)
		defer resp.Body.Close()
		if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return resp.StatusCode
	}
	big := `{"model":"m","pad":"` + strings.Repeat("x", 4<<20) + `"}`
	first := make(chan int, 1)
	go func() { first <- status(`{"model":"m","hold":1,"pad":"` + strings.Repeat("x", 7<<20) + `"}`) }()
	<-held
	for i := range 40 { // what is refused is not counted
		if got := status(big); got != 503 {
			t.Errorf("request %d beside a body of 7 MB: status %d", i, got)
			break
		}
	}
	close(leave)
	if got := <-first; got != 200 {
		t.Errorf("the first one: status %d", got)
	}
	for range 3 { // uploads that are given up hold nothing
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pwd\r\nContent-Length: 8000000\r\n\r\n"+strings.Repeat("{", 7_900_000))
		c.Close()
	}
	wait(t, "the budget is given back", func() bool { return status(big) == 200 })
}

// wait polls until ok, for at most five seconds.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// A body that ends with its connection is not a whole one, however complete it looks.
func TestCutUploads(t *testing.T) {
	lines := &lineLog{}
	d := openLogged(t, server.Options{}, whole, slog.New(lines))
	const body = `{"model":"m"}`
	zipped := packed(t, "gzip", []byte(body)).String()
	for _, tt := range []struct{ name, head, body string }{
		{"short of its length", "Content-Length: 40", body},
		{"cut in the middle", "Content-Length: 13", body[:6]},
		{"without its last chunk", "Transfer-Encoding: chunked", "d\r\n" + body + "\r\n"},
		{"in a chunk", "Transfer-Encoding: chunked", "d\r\n" + body[:6]},
		{"packed, short", "Content-Encoding: gzip\r\nContent-Length: " + itoa(len(zipped)+9), zipped},
		{"packed, cut", "Content-Encoding: gzip\r\nContent-Length: " + itoa(len(zipped)), zipped[:len(zipped)-9]},
		{"packed in chunks", "Content-Encoding: gzip\r\nTransfer-Encoding: chunked", "f\r\n" + zipped[:15] + "\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(60 * time.Second))
			io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pwd\r\n"+tt.head+"\r\n\r\n"+tt.body)
			_ = c.(*net.TCPConn).CloseWrite()
			answer, err := io.ReadAll(c)
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), "could not be read to its end") {
				t.Errorf("%v, %q", err, answer)
			}
			if line := lines.last(); !strings.Contains(line, "code=client_gone") || !strings.Contains(line, "gone=true") {
				t.Errorf("the log says %q", line)
			}
		})
	}
	// Whole ones are taken.
	for _, head := range []string{"Content-Length: 13\r\n\r\n" + body, "Transfer-Encoding: chunked\r\n\r\nd\r\n" + body + "\r\n0\r\n\r\n"} {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pwd\r\nConnection: close\r\n"+head)
		if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
			t.Errorf("%v, %q", err, answer)
		}
	}
}

// lineLog keeps the lines about requests.
type lineLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *lineLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *lineLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lineLog) WithGroup(string) slog.Handler            { return l }

func (l *lineLog) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

func (l *lineLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		return ""
	}
	return l.lines[len(l.lines)-1]
}
