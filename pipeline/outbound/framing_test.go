package outbound

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"
)

// frames is what a chunked reader of ours makes of wire bytes, with a read size.
func frames(wire string, size int, slow bool) (string, bool) {
	var src io.Reader = strings.NewReader(wire)
	if slow {
		src = iotest.OneByteReader(src)
	}
	br := bufio.NewReaderSize(src, readSize)
	f := framing{kind: chunked}
	var out bytes.Buffer
	p := make([]byte, size)
	for {
		promised := f.buffered(br)
		n, err := f.read(br, p)
		out.Write(p[:n])
		if promised > n && n < size {
			return "promised more than it gave", false
		}
		if err != nil {
			return out.String(), err == io.EOF
		}
	}
}

func TestChunkedAnyCut(t *testing.T) {
	wire := chunk("hello") + "00b;ext=\"1\"\r\n, big world\r\n" + chunk(strings.Repeat("x", 9000)) + "0\r\nA: b\r\n\r\n"
	want := "hello, big world" + strings.Repeat("x", 9000)
	for _, size := range []int{1, 2, 3, 7, 100, 4096, 20000} {
		for _, slow := range []bool{false, true} {
			if got, ok := frames(wire, size, slow); got != want || !ok {
				t.Errorf("size %d, slow %t: %d bytes, whole %t", size, slow, len(got), ok)
			}
		}
	}
	for n := range len(wire) {
		if got, ok := frames(wire[:n], 512, false); ok || !strings.HasPrefix(want, got) {
			t.Fatalf("cut at %d: %d bytes, whole %t", n, len(got), ok)
		}
	}
}

// What ours takes for a whole body, net/http reads to the same bytes.
func FuzzChunked(f *testing.F) {
	for _, seed := range []string{
		"0\r\n\r\n", chunk("abc") + "0\r\n\r\n", "3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n", "3\nabc\n0\n\n", "3\r\nabcd", "-1\r\n",
	} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, wire string, size int) {
		size = size&1023 + 1
		fast, whole := frames(wire, size, false)
		if slow, same := frames(wire, size, true); same != whole || whole && slow != fast {
			t.Fatalf("timing changes the body: %q %t, %q %t", fast, whole, slow, same)
		}
		if !whole {
			return
		}
		// NewChunkedReader leaves the trailers, so a body that ours refuses may pass there.
		want, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(wire)))
		if err == nil && string(want) != fast {
			t.Fatalf("%q: %q, net/http %q", wire, fast, want)
		}
	})
}
