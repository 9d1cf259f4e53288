//go:build linux

package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

// silentGoogle takes requests and never answers.
type silentGoogle struct {
	ln    net.Listener
	asked atomic.Int64
}

func startSilent(tb testing.TB) *silentGoogle {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &silentGoogle{ln: ln}
	tb.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				s.asked.Add(1)
				_, _ = io.Copy(io.Discard, conn) // until the gateway hangs up
			}()
		}
	}()
	return s
}

// holding is a way to ask that Google does not answer.
type holding struct {
	name    string
	request []byte
	stream  bool
}

func holdings() []holding {
	return []holding{
		{"plain", openaiLoad("gemini-2.5-pro", false), false},
		{"stream", openaiLoad("gemini-2.5-pro", true), true},
		{"fake stream", openaiLoad("假流式/gemini-2.5-pro", true), true},
	}
}

// held is what a gateway has while it holds requests, above what it has without any.
type held struct{ goroutines, kB float64 }

// hold lets a fresh gateway hold n requests, streams behind their first heartbeat, and counts.
func (h holding) hold(tb testing.TB, binary string, n int) held {
	tb.Helper()
	google := startSilent(tb)
	g := startHeld(tb, binary, google.ln.Addr().String())
	before := g.resident(tb)
	clients := gatherCrowd(tb, n, g.addr, h.request, 1).clients
	for _, c := range clients {
		if _, err := c.conn.Write(c.request); err != nil {
			tb.Fatal(err)
		}
	}
	for _, c := range clients {
		if !h.stream {
			break
		}
		if err := c.header.Read(c.br); err != nil {
			tb.Fatal(err)
		}
		if beat, err := c.chunk(); err != nil || string(beat) != ": ping\n\n" {
			tb.Fatalf("%q %v", beat, err)
		}
	}
	for end := time.Now().Add(2 * time.Minute); google.asked.Load() < int64(n); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("%d of %d requests reached Google", google.asked.Load(), n)
		}
	}
	time.Sleep(2 * time.Second) // heartbeats come and go
	kB := float64(g.resident(tb)-before) / float64(n)
	return held{goroutines: float64(g.goroutines(tb)) / float64(n), kB: kB}
}

// heldGate is a gateway that is asked for its goroutines at the end.
type heldGate struct {
	cpuPart
	cmd    *exec.Cmd
	stderr string // file
}

func startHeld(tb testing.TB, binary, google string) *heldGate {
	tb.Helper()
	port := strconv.Itoa(freePort(tb))
	cmd := exec.Command(binary)
	cmd.Dir = tb.TempDir()
	cmd.Env = []string{"HOST=127.0.0.1", "PORT=" + port, "PASSWORD=pwd", "GEMINI_API_KEY=ceiling", "FIRST_BYTE_GRACE=0.5", "HEARTBEAT_INTERVAL=1",
		"GEMINI_API_BASE_URL=http://" + google, "HOME=" + cmd.Dir}
	g := &heldGate{cmd: cmd, stderr: filepath.Join(cmd.Dir, "stderr")}
	out, err := os.Create(g.stderr)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	cmd.Stderr, cmd.SysProcAttr = out, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	g.cpuPart = cpuPart{"127.0.0.1:" + port, cmd.Process.Pid}
	awaitPart(tb, g.addr)
	return g
}

// goroutines ends the gateway, which lists its goroutines at SIGQUIT as every Go program does.
func (g *heldGate) goroutines(tb testing.TB) int {
	tb.Helper()
	_ = g.cmd.Process.Signal(syscall.SIGQUIT)
	_ = g.cmd.Wait()
	list, err := os.ReadFile(g.stderr)
	if err != nil {
		tb.Fatal(err)
	}
	n := bytes.Count(list, []byte("\n\ngoroutine "))
	if n == 0 {
		tb.Fatalf("no list of goroutines: %s", tail(string(list)))
	}
	return n
}

// BenchmarkHeld prints what a request costs the gateway that Google is silent about: one that does not
// stream, one that does, and a fake stream. Run it with -benchtime 1x.
func BenchmarkHeld(b *testing.B) {
	const n, rounds = 1000, 3
	binary := buildGateway(b)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\n%d silent requests\tgoroutines each\tkB each\t\n", n)
	all := make([][]held, len(holdings()))
	for range rounds { // interleaved, so that what else the machine does meets all alike
		for i, h := range holdings() {
			all[i] = append(all[i], h.hold(b, binary, n))
		}
	}
	var medians []held
	for i, h := range holdings() {
		slices.SortFunc(all[i], func(a, b held) int { return int(1000 * (a.kB - b.kB)) })
		medians = append(medians, all[i][rounds/2])
		fmt.Fprintf(table, "%s\t%.2f\t%.1f\t\n", h.name, medians[i].goroutines, medians[i].kB)
	}
	more := held{medians[2].goroutines - medians[0].goroutines, medians[2].kB - medians[0].kB}
	fmt.Fprintf(table, "fake stream above plain\t%.2f\t%.1f\t%s\n", more.goroutines, more.kB, verdict(max(more.goroutines/1.005, more.kB/16), 1))
	_ = table.Flush()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(more.goroutines, "goroutines/request")
	b.ReportMetric(more.kB, "kB/request")
}

// A fake stream holds one goroutine more than a plain request.
func TestFakeStreamGoroutines(t *testing.T) {
	const n = 40
	binary := program(t, true)
	kinds := holdings()
	plain, fake := kinds[0].hold(t, binary, n), kinds[2].hold(t, binary, n)
	if more := (fake.goroutines - plain.goroutines) * n; plain.goroutines < 1 || more < n/2 || more > n+10 {
		t.Errorf("%d plain requests have %.0f goroutines, as many fake streams %.0f more", n, plain.goroutines*n, more)
	}
}
