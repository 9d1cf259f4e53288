//go:build linux

package server_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"text/tabwriter"
	"time"

	"gcli2api/store/apikey"

	"github.com/valyala/fasthttp"
)

// slowGoogle answers every request with the same 2 kB after 20 ms: about as long as a commit takes on a disk, so
// that it shows whether a charge is made durable meanwhile.
func slowGoogle(tb testing.TB) cpuPart {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	answer := []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"` + string(bytes.Repeat([]byte("tell "), 410)) +
		`"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":410,"totalTokenCount":419}}`)
	s := &fasthttp.Server{NoDefaultDate: true, Handler: func(ctx *fasthttp.RequestCtx) {
		time.Sleep(20 * time.Millisecond)
		ctx.SetContentType("application/json")
		ctx.SetBody(answer)
	}}
	go func() { _ = s.Serve(ln) }()
	tb.Cleanup(func() { _ = s.Shutdown() })
	return cpuPart{addr: ln.Addr().String()}
}

// keyedGate starts the built binary with its default configuration on a folder that has keys.
func keyedGate(tb testing.TB, google cpuPart, keys int) (cpuPart, []keyHolder) {
	tb.Helper()
	from, all := withKeys(tb, launch{}, slices.Repeat([]apikey.Terms{{Quota: 1 << 49}}, keys)...)
	port := strconv.Itoa(freePort(tb))
	cmd := exec.Command(buildGateway(tb))
	cmd.Dir = from.dir
	cmd.Env = []string{"HOST=127.0.0.1", "PORT=" + port, "PASSWORD=pwd", "GEMINI_API_KEY=ceiling",
		"GEMINI_API_BASE_URL=http://" + google.addr, "HOME=" + cmd.Dir}
	spawnPart(tb, cmd)
	tb.Cleanup(func() { stopPart(tb, cmd) })
	p := cpuPart{"127.0.0.1:" + port, cmd.Process.Pid}
	awaitPart(tb, p.addr)
	return p, all
}

// keyedRow is a crowd that shows the password, one key or a key each, and what its rounds came to.
type keyedRow struct {
	name  string
	crowd *loadCrowd
	rate  []float64       // requests a second
	cost  []time.Duration // CPU time of a request
}

// keyedRows measures in rounds that are interleaved, so that what else the machine does meets all alike.
func keyedRows(tb testing.TB, callers, rounds int, span time.Duration) []*keyedRow {
	tb.Helper()
	at, keys := keyedGate(tb, slowGoogle(tb), callers+1)
	crowd := func(secret func(i int) string) *loadCrowd {
		all := &loadCrowd{}
		for i := range callers {
			request := bytes.Replace(geminiLoad("gemini-2.5-flash", "generateContent"), []byte("Bearer pwd"), []byte("Bearer "+secret(i)), 1)
			all.clients = append(all.clients, gatherCrowd(tb, 1, at.addr, request, 0).clients...)
		}
		return all
	}
	rows := []*keyedRow{
		{name: "password", crowd: crowd(func(int) string { return "pwd" })},
		{name: "one key", crowd: crowd(func(int) string { return keys[callers].secret })},
		{name: "a key each", crowd: crowd(func(i int) string { return keys[i].secret })},
	}
	for round := range rounds + 1 {
		for _, r := range rows {
			before, begun := at.cpu(tb), time.Now()
			served, err := r.crowd.run(span)
			if err != nil {
				tb.Fatalf("%s: %v", r.name, err)
			}
			if round > 0 { // the first one fills pools and caches
				r.rate = append(r.rate, float64(served)/time.Since(begun).Seconds())
				r.cost = append(r.cost, (at.cpu(tb)-before)/time.Duration(served))
			}
		}
	}
	for _, r := range rows {
		slices.Sort(r.rate)
		slices.Sort(r.cost)
	}
	return rows
}

func (r *keyedRow) medianRate() float64 { return r.rate[len(r.rate)/2] }
func (r *keyedRow) medianCost() float64 { return micros(r.cost[len(r.cost)/2]) }

// BenchmarkKeys prints what keys cost beside the password: with an upstream that takes 20 ms and 64 callers the
// rate is to stay above 95 % and the CPU time of a request below 1.15 times. Run it with -benchtime 1x.
func BenchmarkKeys(b *testing.B) {
	rows := keyedRows(b, 64, 7, 1500*time.Millisecond)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nkeys\trequests/s\tCPU us\trate\tCPU\t\t")
	for _, r := range rows {
		rate, cpu := r.medianRate()/rows[0].medianRate(), r.medianCost()/rows[0].medianCost()
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.3f\t%.3f\t%s\t\n", r.name, r.medianRate(), r.medianCost(), rate, cpu, verdict(max(0.95/rate, cpu/1.15), 1))
		if r == rows[0] {
			continue
		}
		b.Run(r.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate, "rate-ratio")
			b.ReportMetric(cpu, "cpu-ratio")
			b.ReportMetric(r.medianCost(), "us/req")
		})
	}
	_ = table.Flush()
}

// TestKeysBench shows that the benchmark measures something. It judges nothing.
func TestKeysBench(t *testing.T) {
	for _, r := range keyedRows(t, 4, 1, 50*time.Millisecond) {
		if r.medianRate() <= 0 || r.medianCost() <= 0 {
			t.Errorf("%s: %v requests a second, %v us each", r.name, r.medianRate(), r.medianCost())
		}
	}
}
