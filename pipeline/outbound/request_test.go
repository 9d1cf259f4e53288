package outbound

import (
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	for _, tt := range []struct {
		name, base string
		rest       []string
		first, url string
	}{
		{"plain", "http://a.test", []string{"/v1/", "m", ":go?x=1"}, "POST /v1/m:go?x=1 HTTP/1.1\r\nHost: a.test\r\n", "http://a.test/v1/m:go?x=1"},
		{"a mirror in a folder", "https://a.test:8443/google", []string{"/v1"}, "POST /google/v1 HTTP/1.1\r\nHost: a.test:8443\r\n", "https://a.test:8443/google/v1"},
		{"escapes stay", "http://[::1]:80", []string{"/a%2Fb"}, "POST /a%2Fb HTTP/1.1\r\nHost: [::1]:80\r\n", "http://[::1]:80/a%2Fb"},
		{"no path", "http://a.test", nil, "POST / HTTP/1.1\r\nHost: a.test\r\n", "http://a.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Request{Body: []byte("{}")}
			r.To(tt.base, tt.rest...)
			r.Set("X-A", "Bearer ", "abc")
			want := tt.first + "X-A: Bearer abc\r\nContent-Length: 2\r\n\r\n{}"
			for range 2 { // a second time after a stale connection
				if head, rest := r.render(); string(head) != want || rest != nil {
					t.Errorf("got  %q, %q\nwant %q", head, rest, want)
				}
			}
			if r.URL() != tt.url || r.check() != nil || r.Header("x-a") != "Bearer abc" || r.Header("X-B") != "" {
				t.Errorf("%q, %v, %q", r.URL(), r.check(), r.Header("x-a"))
			}
		})
	}
}

func TestRenderOfALargeBody(t *testing.T) {
	r := &Request{Body: []byte(strings.Repeat("x", smallBody+1))}
	r.To("http://a.test", "/")
	head, rest := r.render()
	if !strings.HasSuffix(string(head), "Content-Length: 16385\r\n\r\n") || len(rest) != smallBody+1 {
		t.Errorf("head %q, body of %d", head, len(rest))
	}
}

// No value can begin another line or another request.
func TestNothingBreaksOut(t *testing.T) {
	r := &Request{}
	r.To("http://a.test", "/")
	r.Set("X-Key", "a\r\nX-Evil: 1", "\x00\x7f\tb")
	if got, want := r.Header("X-Key"), "a  X-Evil: 1   b"; got != want || r.Header("X-Evil") != "" {
		t.Errorf("%q, want %q", got, want)
	}
	for _, bad := range [][2]string{
		{"http://a.test", "/x HTTP/1.1\r\nX-Evil: 1"}, {"http://a.test", "/a b"}, {"http://a.test/\n", "/"}, {"http://a test", "/"},
		{"http://", "/"}, {"http:///x", "/"}, {"a.test", "/"}, {"ftp://a.test", "/"}, {"", "/"},
	} {
		r := &Request{}
		r.To(bad[0], bad[1])
		if f := r.check(); f == nil || f.Kind != ErrRequest {
			t.Errorf("%q %q: %v", bad[0], bad[1], f)
		}
	}
	r.Method = "GET /evil"
	if r.check() == nil {
		t.Error("a method with a space")
	}
}

func TestResetForgets(t *testing.T) {
	r := &Request{Method: "GET", Body: []byte("secret")}
	r.To("ftp://a.test/p", "/x")
	r.Set("Authorization", "Bearer ", "secret")
	_ = r.check()
	r.Reset()
	r.To("http://b.test", "/y")
	if head, _ := r.render(); string(head) != "POST /y HTTP/1.1\r\nHost: b.test\r\nContent-Length: 0\r\n\r\n" || r.check() != nil {
		t.Errorf("%q, %v", head, r.check())
	}
}

func BenchmarkRender(b *testing.B) {
	r := &Request{Body: []byte(strings.Repeat("x", 1000))}
	b.ReportAllocs()
	for b.Loop() {
		body := r.Body
		r.Reset()
		r.Body = body
		r.To("https://generativelanguage.googleapis.com", "/v1beta/models/", "gemini-2.5-pro", ":generateContent")
		r.Set("x-goog-api-key", "AIza-made-up")
		r.Set("Content-Type", "application/json")
		r.Set("User-Agent", "gcli2api")
		r.render()
	}
}
