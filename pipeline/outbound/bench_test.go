package outbound

import (
	"bufio"
	"context"
	"io"
	"net"
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

// sizeOf is the number of bytes that a request has on the wire.
func sizeOf(b *testing.B, req *fasthttp.Request) int {
	b.Helper()
	left, right := net.Pipe()
	done := make(chan int)
	go func() {
		n, _ := io.Copy(io.Discard, right)
		done <- int(n)
	}()
	w := bufio.NewWriter(left)
	if err := req.Write(w); err != nil {
		b.Fatalf("%.100v", err)
	}
	_ = w.Flush()
	_ = left.Close()
	return <-done
}

func request2k(b *testing.B) (func(url string) *fasthttp.Request, int) {
	ask := func(url string) *fasthttp.Request {
		r := post(url+"/v1beta/models/m:generateContent", strings.Repeat("q", 1000))
		r.Header.SetUserAgent("bench") // HostClient would add its own
		return r
	}
	return ask, sizeOf(b, ask("http://127.0.0.1:12345"))
}

func BenchmarkJSON(b *testing.B) {
	req, size := request2k(b)
	url := quick(b, size, sized200(strings.Repeat("a", 2000)))
	buf := make([]byte, 0, 4096)
	b.Run("raw", func(b *testing.B) {
		hc := &fasthttp.HostClient{Addr: strings.TrimPrefix(url, "http://")}
		r, resp := req(url), &fasthttp.Response{}
		b.ReportAllocs()
		for b.Loop() {
			if err := hc.Do(r, resp); err != nil || len(resp.Body()) != 2000 {
				b.Fatalf("%.100v", err)
			}
		}
		hc.CloseIdleConnections()
	})
	b.Run("client, no context", func(b *testing.B) {
		c := client(b, Defaults())
		r := req(url)
		benchDo(b, func() (*Response, error) { return c.Do(context.Background(), r) }, buf)
	})
	b.Run("client, one context", func(b *testing.B) {
		c := client(b, Defaults())
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		r := req(url)
		benchDo(b, func() (*Response, error) { return c.Do(ctx, r) }, buf)
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
	req, size := request2k(b)
	events := []string{chunkedHeader}
	for range 40 {
		events = append(events, chunk("data: "+strings.Repeat("e", 192)+"\r\n\r\n"))
	}
	burst := []string{strings.Join(append(events, "0\r\n\r\n"), "")}
	for _, mode := range []struct {
		name   string
		answer []string
	}{{"burst", burst}, {"one by one", append(events, "0\r\n\r\n")}} {
		url := quick(b, size, mode.answer...)
		b.Run("raw, "+mode.name, func(b *testing.B) {
			hc := &fasthttp.HostClient{Addr: strings.TrimPrefix(url, "http://"), StreamResponseBody: true}
			r, resp, buf := req(url), &fasthttp.Response{}, make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if err := hc.Do(r, resp); err != nil {
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
			r, buf := req(url), make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				resp, err := c.Do(ctx, r)
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
