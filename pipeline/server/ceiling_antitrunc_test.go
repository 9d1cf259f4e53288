//go:build linux

package server_test

import (
	"testing"
	"time"
)

// antitruncModes ask the gateway for the same stream without anti-truncation, with it, and without it once
// more: what the first and the last differ by is what the machine does beside. With a stop sequence the stop
// is an end: each answer is one call. Beside its events an answer costs one write more where the events
// before the last come in a burst: that one waits for the end of the attempt.
func antitruncModes() []loadMode {
	all := []loadMode{
		{name: "sse paced", model: "bench-sse-40-10ms", events: 40, clients: 128},
		{name: "sse burst", model: "bench-sse-40", events: 40, clients: 32},
		{name: "sse burst long", model: "bench-sse-400", events: 400, clients: 16},
	}
	for i := range all {
		m := &all[i]
		for _, row := range []string{"plain", "with", "plain again"} {
			prefix := map[string]string{"with": "anti-truncation/"}[row]
			m.rows = append(m.rows, loadRow{name: row, request: loadRequest("/v1beta/models/"+prefix+m.model+":streamGenerateContent?alt=sse",
				`{"contents":[{"role":"user","parts":[{"text":"`+loadPrompt+`"}]}],"generationConfig":{"stopSequences":["never"]}}`)})
		}
	}
	return all
}

// BenchmarkCeilingAntitrunc is what anti-truncation adds to a whole event in the gateway, from socket to
// socket, in CPU time of its process: 5 % at most. Run it with -benchtime 1x on a quiet machine.
func BenchmarkCeilingAntitrunc(b *testing.B) {
	h := openHouse(b)
	for _, m := range antitruncModes() {
		cost := h.measure(b, m, loadPlan{rounds: 9, span: 1500 * time.Millisecond, shrink: 1})
		plain, with := micros(cost[0])/float64(m.events), micros(cost[1])/float64(m.events)
		b.Run(m.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(plain, "us/event-plain")
			b.ReportMetric(with, "us/event-with")
			b.ReportMetric((with/plain-1)*100, "%more")
			b.ReportMetric((micros(cost[2])/float64(m.events)/plain-1)*100, "%noise")
		})
	}
}

// TestCeilingAntitrunc shows that the benchmark measures something.
func TestCeilingAntitrunc(t *testing.T) {
	h := openHouse(t)
	for _, m := range antitruncModes() {
		for i, cost := range h.measure(t, m, loadPlan{rounds: 1, span: 40 * time.Millisecond, shrink: 16}) {
			if cost <= 0 {
				t.Errorf("%s, %s: %v a request", m.name, m.rows[i].name, cost)
			}
		}
	}
}
