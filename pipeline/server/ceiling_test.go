//go:build linux

package server_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"
)

// loadRow is one promise of the design: what a request may cost beside the raw proxy.
type loadRow struct {
	name    string
	mode    string // rows of one mode share the measurement of the raw proxy
	request []byte
	events  int
	target  float64
}

// loadMode is a way to load the processes.
type loadMode struct {
	name    string
	model   string // tells the stub what to answer
	events  int
	clients int
	rows    []loadRow // [0] is what the raw proxy is asked
}

func loadModes() []loadMode {
	all := []loadMode{
		{name: "json", model: "bench-json-2048", clients: 64},
		{name: "sse paced", model: "bench-sse-40-10ms", events: 40, clients: 128},
		{name: "sse burst", model: "bench-sse-40", events: 40, clients: 32},
	}
	targets := map[string][2]float64{"json": {1.4, 2}, "sse paced": {1.35, 1.6}, "sse burst": {1.35, 1.6}}
	for i := range all {
		m := &all[i]
		verb := "generateContent"
		if m.events > 0 {
			verb = "streamGenerateContent?alt=sse"
		}
		t := targets[m.name]
		m.rows = []loadRow{
			{name: "raw", request: geminiLoad(m.model, verb)},
			{name: "gemini", request: geminiLoad(m.model, verb), target: t[0]},
			{name: "openai", request: openaiLoad(m.model, m.events > 0), target: t[1]},
		}
	}
	return all
}

// ceilingHouse is the processes of the benchmark: clients are this one.
type ceilingHouse struct {
	binary             string
	google, raw, gated cpuPart
}

func openHouse(tb testing.TB) *ceilingHouse {
	tb.Helper()
	h := &ceilingHouse{binary: buildGateway(tb), google: actor(tb, "stub", "")}
	h.raw = actor(tb, "raw", "http://"+h.google.addr)
	h.gated = gatePart(tb, h.binary, h.google)
	return h
}

// loadPlan is how long to look.
type loadPlan struct {
	rounds int
	span   time.Duration
	shrink int // divides the number of clients
}

// measure gives the median CPU time of a request for each row of a mode. Rounds are interleaved, so
// that what else the machine does meets all rows alike.
func (h *ceilingHouse) measure(tb testing.TB, m loadMode, p loadPlan) []time.Duration {
	tb.Helper()
	crowds, costs := make([]*loadCrowd, len(m.rows)), make([][]time.Duration, len(m.rows))
	for i, r := range m.rows {
		crowds[i] = gatherCrowd(tb, max(m.clients/p.shrink, 2), h.target(r).addr, r.request, m.events)
		if _, err := crowds[i].run(p.span / 4); err != nil { // fills pools and caches
			tb.Fatalf("%s, %s: %v", m.name, r.name, err)
		}
	}
	for range p.rounds {
		for i, r := range m.rows {
			at := h.target(r)
			before := at.cpu(tb)
			served, err := crowds[i].run(p.span)
			if err != nil {
				tb.Fatalf("%s, %s: %v", m.name, r.name, err)
			}
			costs[i] = append(costs[i], (at.cpu(tb)-before)/time.Duration(served))
		}
	}
	medians := make([]time.Duration, len(costs))
	for i, c := range costs {
		slices.Sort(c)
		medians[i] = c[len(c)/2]
	}
	return medians
}

func (h *ceilingHouse) target(r loadRow) cpuPart {
	if r.name == "raw" {
		return h.raw
	}
	return h.gated
}

// idleLimit and streamLimit are the promises about memory, in kB.
const (
	idleLimit   = 30 << 10
	streamLimit = 65
)

// memory is what a fresh gateway holds before its first request, and for each of n open streams, in kB.
func (h *ceilingHouse) memory(tb testing.TB, n int) (idle, stream float64) {
	tb.Helper()
	fresh := gatePart(tb, h.binary, h.google)
	before := fresh.resident(tb)
	request := geminiLoad("bench-sse-2-1h", "streamGenerateContent?alt=sse")
	for _, c := range gatherCrowd(tb, n, fresh.addr, request, 2).clients {
		err := c.begin()
		if err == nil {
			_, err = c.chunk() // the one event before an hour of silence
		}
		if err != nil {
			tb.Fatalf("stream: %v", err)
		}
		tb.Cleanup(func() { _ = c.conn.Close() }) // before the gateway is asked to drain
	}
	return float64(before), float64(fresh.resident(tb)-before) / float64(n)
}

// BenchmarkCeiling prints what a request costs beside a raw fasthttp proxy, in CPU time of the
// proxy's process, and what the gateway holds in memory. Run it with -benchtime 1x on a quiet
// machine; the figures of a run belong together, those of two runs do not compare.
func BenchmarkCeiling(b *testing.B) {
	h := openHouse(b)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nceiling\t\traw us\tgateway us\tratio\ttarget\t\t")
	for _, m := range loadModes() {
		cost := h.measure(b, m, loadPlan{rounds: 5, span: 1500 * time.Millisecond, shrink: 1})
		raw := micros(cost[0])
		for i, r := range m.rows[1:] {
			mine := micros(cost[i+1])
			fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f\t%.2f\t%.2f\t%s\t\n", m.name, r.name, raw, mine, mine/raw, r.target, verdict(mine/raw, r.target))
			b.Run(m.name+"/"+r.name, func(b *testing.B) {
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(raw, "us/req-raw")
				b.ReportMetric(mine, "us/req-gateway")
				b.ReportMetric(mine/raw, "ratio")
			})
		}
	}
	idle, stream := h.memory(b, 2000)
	fmt.Fprintf(table, "memory\tidle, kB\t\t%.0f\t\t%d\t%s\t\n", idle, idleLimit, verdict(idle, idleLimit))
	fmt.Fprintf(table, "memory\tkB a stream of 2000\t\t%.1f\t\t%d\t%s\t\n", stream, streamLimit, verdict(stream, streamLimit))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(idle, "kB-idle")
	b.ReportMetric(stream, "kB/stream")
	_ = table.Flush()
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func verdict(got, limit float64) string {
	if got <= limit {
		return "ok"
	}
	return "OVER"
}

// TestCeilingHouse shows that the benchmark measures something: every request of every row is
// answered, and the figures are there. It judges none of them.
func TestCeilingHouse(t *testing.T) {
	h := openHouse(t)
	for _, m := range loadModes() {
		for i, cost := range h.measure(t, m, loadPlan{rounds: 1, span: 40 * time.Millisecond, shrink: 16}) {
			if cost <= 0 {
				t.Errorf("%s, %s: %v a request", m.name, m.rows[i].name, cost)
			}
		}
	}
	idle, stream := h.memory(t, 20)
	if idle <= 0 || stream == 0 {
		t.Errorf("memory: %v kB idle, %v kB a stream", idle, stream)
	}
}
