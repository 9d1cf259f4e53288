package outbound

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// quick is an upstream that answers fixed bytes to each request of fixed length, at next to no cost.
func quick(b *testing.B, size int, answer ...string) string {
	b.Helper()
	u := serveRaw(b, nil, func(p *peer) {
		header, parts := make([]byte, size), make([][]byte, len(answer))
		for i, a := range answer {
			parts[i] = []byte(a)
		}
		for {
			if _, err := io.ReadFull(p.br, header); err != nil {
				return
			}
			for _, part := range parts {
				_, _ = p.Write(part)
			}
		}
	})
	return u.url
}

// request2k gives what Client and the raw HostClient send, and its size on the wire, which is one.
func request2k(b *testing.B, url func(size int) string) (string, *Request, *fasthttp.Request) {
	b.Helper()
	body := strings.Repeat("q", 1000)
	const path = "/v1beta/models/m:generateContent"
	ask := func(base string) *Request {
		r := post(base+path, body)
		r.Set("User-Agent", "bench")
		return r
	}
	head, rest := ask("http://127.0.0.1:12345").render()
	at := url(len(head) + len(rest))
	raw := &fasthttp.Request{}
	raw.Header.SetMethod("POST")
	raw.SetRequestURI(at + path)
	raw.Header.SetContentType("application/json")
	raw.Header.SetUserAgent("bench")
	raw.SetBodyString(body)
	return at, ask(at), raw
}

func BenchmarkJSON(b *testing.B) {
	url, req, raw := request2k(b, func(size int) string { return quick(b, size, sized200(strings.Repeat("a", 2000))) })
	buf := make([]byte, 0, 4096)
	b.Run("raw", func(b *testing.B) {
		hc := &fasthttp.HostClient{Addr: strings.TrimPrefix(url, "http://")}
		resp := &fasthttp.Response{}
		b.ReportAllocs()
		for b.Loop() {
			if err := hc.Do(raw, resp); err != nil || len(resp.Body()) != 2000 {
				b.Fatalf("%.100v", err)
			}
		}
		hc.CloseIdleConnections()
	})
	b.Run("client, no context", func(b *testing.B) {
		c := client(b, Defaults())
		benchDo(b, func() (*Response, error) { return c.Do(context.Background(), req) }, buf)
	})
	b.Run("client, one context", func(b *testing.B) {
		c := client(b, Defaults())
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		benchDo(b, func() (*Response, error) { return c.Do(ctx, req) }, buf)
	})
}

func benchDo(b *testing.B, do func() (*Response, error), buf []byte) {
	b.ReportAllocs()
	for b.Loop() {
		r, err := do()
		if err != nil {
			b.Fatalf("%.100v", err)
		}
		n := 0
		for {
			m, err := r.Body.Read(buf[n:cap(buf)])
			n += m
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatalf("%.100v", err)
			}
		}
		if n != 2000 {
			b.Fatal(n)
		}
		_ = r.Body.Close()
	}
}

func BenchmarkStream40(b *testing.B) {
	events := []string{chunkedHeader}
	for range 40 {
		events = append(events, chunk("data: "+strings.Repeat("e", 192)+"\r\n\r\n"))
	}
	burst := []string{strings.Join(append(events, "0\r\n\r\n"), "")}
	for _, mode := range []struct {
		name   string
		answer []string
	}{{"burst", burst}, {"one by one", append(events, "0\r\n\r\n")}} {
		url, req, raw := request2k(b, func(size int) string { return quick(b, size, mode.answer...) })
		b.Run("raw, "+mode.name, func(b *testing.B) {
			hc := &fasthttp.HostClient{Addr: strings.TrimPrefix(url, "http://"), StreamResponseBody: true}
			resp, buf := &fasthttp.Response{}, make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if err := hc.Do(raw, resp); err != nil {
					b.Fatalf("%.100v", err)
				}
				drain(b, resp.BodyStream(), buf)
				_ = resp.CloseBodyStream()
			}
			hc.CloseIdleConnections()
		})
		b.Run("client, "+mode.name, func(b *testing.B) {
			c := client(b, Defaults())
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			buf := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				resp, err := c.Do(ctx, req)
				if err != nil {
					b.Fatalf("%.100v", err)
				}
				drain(b, resp.Body, buf)
				_ = resp.Body.Close()
			}
		})
	}
}

func drain(b *testing.B, r io.Reader, buf []byte) {
	total := 0
	for {
		n, err := r.Read(buf)
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			b.Fatalf("%.100v", err)
		}
	}
	if total != 40*202 {
		b.Fatal(total)
	}
}
