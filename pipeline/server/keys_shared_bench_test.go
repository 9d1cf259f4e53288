//go:build linux

package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"gcli2api/store/storetest/servers"
)

// sharedRow is a number of gateways with their callers, who have a key each, and what their rounds came to.
type sharedRow struct {
	name  string
	nodes []cpuPart
	redis *cpuPart // nil for the embedded store
	crowd *loadCrowd
	cost  []time.Duration // CPU time of a request in all gateways
	there []time.Duration // and in Redis
	rate  []float64
}

// gateOn starts the built binary with what the environment says of the store.
func gateOn(tb testing.TB, binary string, google cpuPart, env ...string) cpuPart {
	tb.Helper()
	port := strconv.Itoa(freePort(tb))
	cmd := exec.Command(binary)
	cmd.Dir = tb.TempDir()
	cmd.Env = append([]string{"HOST=127.0.0.1", "PORT=" + port, "PASSWORD=pwd", "GEMINI_API_KEY=ceiling",
		"GEMINI_API_BASE_URL=http://" + google.addr, "HOME=" + cmd.Dir}, env...)
	spawnPart(tb, cmd)
	tb.Cleanup(func() { stopPart(tb, cmd) })
	p := cpuPart{"127.0.0.1:" + port, cmd.Process.Pid}
	awaitPart(tb, p.addr)
	return p
}

// keyOn makes a key.
func keyOn(tb testing.TB, at cpuPart) string {
	tb.Helper()
	req, err := http.NewRequest("POST", "http://"+at.addr+"/auth/keys", strings.NewReader(`{"total_quota": 1000000000000}`))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer pwd")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct {
		Key string `json:"api_key"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Key == "" {
		tb.Fatalf("no key: %d %v", resp.StatusCode, err)
	}
	return made.Key
}

// sharedRows measures in rounds that are interleaved: a gateway on its own file, one on a Redis, three on one that
// share the same load, and one that has a third of it: a gateway with less to do has more to do for each request,
// whatever its store is, so that one is what the three are held against.
func sharedRows(tb testing.TB, callers, rounds int, span time.Duration) []*sharedRow {
	tb.Helper()
	google, binary := slowGoogle(tb), buildGateway(tb)
	var rows []*sharedRow
	for _, row := range []struct {
		name    string
		nodes   int
		callers int // of each
		redis   bool
	}{{"embedded", 1, callers, false}, {"one on Redis", 1, callers, true}, {"three on Redis", 3, callers / 3, true}, {"one of them", 1, callers / 3, true}} {
		r := &sharedRow{name: row.name, crowd: &loadCrowd{}}
		var env []string
		if row.redis {
			redis := servers.Redis(tb)
			env = []string{"REDIS_URI=" + redis.Address()}
			r.redis = &cpuPart{pid: redis.Process.Cmd.Process.Pid}
		}
		for range row.nodes {
			at := gateOn(tb, binary, google, env...)
			r.nodes = append(r.nodes, at)
			for range row.callers {
				request := bytes.Replace(geminiLoad("gemini-2.5-flash", "generateContent"), []byte("Bearer pwd"), []byte("Bearer "+keyOn(tb, at)), 1)
				r.crowd.clients = append(r.crowd.clients, gatherCrowd(tb, 1, at.addr, request, 0).clients...)
			}
		}
		rows = append(rows, r)
	}
	for round := range rounds + 1 {
		for _, r := range rows {
			r.round(tb, span, round > 0) // the first one fills pools and caches
		}
	}
	for _, r := range rows {
		slices.Sort(r.cost)
		slices.Sort(r.there)
		slices.Sort(r.rate)
	}
	return rows
}

func (r *sharedRow) used(tb testing.TB) (here, there time.Duration) {
	for _, at := range r.nodes {
		here += at.cpu(tb)
	}
	if r.redis != nil {
		there = r.redis.cpu(tb)
	}
	return here, there
}

func (r *sharedRow) round(tb testing.TB, span time.Duration, counts bool) {
	tb.Helper()
	here, there := r.used(tb)
	begun := time.Now()
	served, err := r.crowd.run(span)
	if err != nil {
		tb.Fatalf("%s: %v", r.name, err)
	}
	took := time.Since(begun)
	here2, there2 := r.used(tb)
	if counts {
		r.cost = append(r.cost, (here2-here)/time.Duration(served))
		r.there = append(r.there, (there2-there)/time.Duration(served))
		r.rate = append(r.rate, float64(served)/took.Seconds())
	}
}

// BenchmarkKeysShared prints what a request of a key costs on Redis beside the embedded store, and that three
// gateways on one Redis use at most 1.1 times the CPU time of one. Run it with -benchtime 1x.
func BenchmarkKeysShared(b *testing.B) {
	rows := sharedRows(b, 30, 7, 1500*time.Millisecond)
	mid := func(list []time.Duration) float64 { return micros(list[len(list)/2]) }
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\ngateways\trequests/s\tCPU us, gateways\tof embedded\tCPU us, Redis\ta core of Redis ends at\t")
	for _, r := range rows {
		ends := "-"
		if r.redis != nil {
			ends = fmt.Sprintf("%.0f/s", 1e6/mid(r.there))
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.3f\t%.1f\t%s\t\n", r.name, r.rate[len(r.rate)/2], mid(r.cost), mid(r.cost)/mid(rows[0].cost), mid(r.there), ends)
	}
	ratio := mid(rows[2].cost) / mid(rows[3].cost)
	fmt.Fprintf(table, "three of one\t\t%.3f\t%s\t\t\t\n", ratio, verdict(ratio, 1.1))
	fmt.Fprintf(table, "three of one with all the load\t\t%.3f\t\t\t\t\n", mid(rows[2].cost)/mid(rows[1].cost))
	b.Run("three of one", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ratio, "cpu-ratio")
		b.ReportMetric(mid(rows[1].cost), "us/req-one")
		b.ReportMetric(mid(rows[1].there), "us/req-redis")
	})
	_ = table.Flush()
}

// TestKeysSharedBench shows that the benchmark measures something. It judges nothing.
func TestKeysSharedBench(t *testing.T) {
	for _, r := range sharedRows(t, 3, 1, 50*time.Millisecond) {
		if r.cost[0] <= 0 || r.rate[0] <= 0 || r.redis != nil && r.there[0] <= 0 {
			t.Errorf("%s: %v requests a second, %v and %v each", r.name, r.rate, r.cost, r.there)
		}
	}
}
