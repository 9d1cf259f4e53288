package server_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"

	"github.com/valyala/fasthttp"
)

// The ceiling benchmarks need processes of their own, so that CPU time can be told apart. The test
// binary starts itself again with roleKey set and this one test to run; such a child ends when its
// standard input does, so it cannot outlive the test.
const (
	roleKey     = "GCLI_TEST_CEILING_ROLE"
	upstreamKey = "GCLI_TEST_CEILING_UPSTREAM"
)

// TestCeilingRole is no test but the way in for such a child; without a role it has nothing to do.
func TestCeilingRole(t *testing.T) {
	if role := os.Getenv(roleKey); role != "" {
		if err := play(role); err != nil {
			t.Fatal(err)
		}
	}
}

// play runs one part until standard input ends. Its address is its first line of output.
func play(role string) error {
	url := ""
	switch role {
	case "stub":
		google, err := simulator.StartCanned(simulator.CannedOptions{})
		if err != nil {
			return err
		}
		defer google.Close()
		url = google.URL()
	case "raw":
		raw, err := startRaw(os.Getenv(upstreamKey))
		if err != nil {
			return err
		}
		defer raw.Close()
		url = "http://" + raw.Addr().String()
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	fmt.Println(url)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startRaw serves the raw proxy in front of upstream.
func startRaw(upstream string) (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := strings.TrimPrefix(upstream, "http://")
	p := &rawProxy{whole: &fasthttp.HostClient{Addr: addr, MaxConns: 1 << 14},
		stream: &fasthttp.HostClient{Addr: addr, MaxConns: 1 << 14, StreamResponseBody: true}}
	s := &fasthttp.Server{Handler: p.serve, NoDefaultServerHeader: true, NoDefaultDate: true}
	go func() { _ = s.Serve(ln) }() // ends with the process
	return ln, nil
}

// rawProxy is the ceiling: what a reverse proxy on fasthttp costs that does nothing but pass bytes on.
type rawProxy struct{ whole, stream *fasthttp.HostClient }

func (p *rawProxy) serve(ctx *fasthttp.RequestCtx) {
	ctx.Request.Header.Del(fasthttp.HeaderConnection)
	if string(ctx.QueryArgs().Peek("alt")) == "sse" {
		p.pipe(ctx)
		return
	}
	if err := p.whole.Do(&ctx.Request, &ctx.Response); err != nil {
		ctx.Error("upstream failed", fasthttp.StatusBadGateway)
		return
	}
	ctx.Response.Header.Del(fasthttp.HeaderConnection)
}

func (p *rawProxy) pipe(ctx *fasthttp.RequestCtx) {
	answer := fasthttp.AcquireResponse()
	if err := p.stream.Do(&ctx.Request, answer); err != nil {
		fasthttp.ReleaseResponse(answer)
		ctx.Error("upstream failed", fasthttp.StatusBadGateway)
		return
	}
	ctx.SetStatusCode(answer.StatusCode())
	ctx.Response.Header.SetContentTypeBytes(answer.Header.ContentType())
	ctx.Response.SetBodyStream(&rawPipe{answer}, -1)
}

// rawPipe writes what each read gives; fasthttp flushes each write.
type rawPipe struct{ answer *fasthttp.Response }

func (*rawPipe) SupportsBodyWriteTo() bool { return true }

func (*rawPipe) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (p *rawPipe) WriteTo(w io.Writer) (int64, error) {
	var buf [4096]byte
	var sum int64
	for {
		n, err := p.answer.BodyStream().Read(buf[:])
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return sum, err
			}
			sum += int64(n)
		}
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
	}
}

func (p *rawPipe) Close() error {
	err := p.answer.CloseBodyStream()
	fasthttp.ReleaseResponse(p.answer)
	return err
}
