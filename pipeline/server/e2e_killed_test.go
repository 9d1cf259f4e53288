package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gcli2api/store/apikey"
)

// load is what became of the calls of a key, as their clients saw it.
type load struct {
	served int64 // at least one byte of an answer came
	told   int64 // an error came, whole: nothing is owed
	doubt  int64 // in flight when the gateway was killed: nothing came
}

// killedCaller is a client that asks for one thing again and again, with one key.
type killedCaller struct {
	key    keyHolder
	model  string
	price  int64
	stream bool
	sum    load
}

// prompts are what callers ask in turn. Some fail, some take their time; none makes a credential rest.
func killedPrompts() []string {
	return []string{"hello", "!fault 400", "!fault slow-first 3ms", "hello", "!fault blocked", "!fault slow-event 2ms", "!fault slow-first 5ms 400", "!fault many 20", "!fault empty"}
}

// TestKilledUnderLoad kills the gateway at random points, on one folder again and again. What clients saw of
// answers is paid for every time, and nobody pays for more than was served but for what was in flight.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	kills, seed := 200, uint64(time.Now().UnixNano())
	if testing.Short() {
		kills = 20
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 7))
	sim := google(t, 0, 4)
	plenty := apikey.Terms{Quota: 1 << 40}
	from, keys := withKeys(t, launch{sim: sim, keys: 4, light: true, dirty: true, env: map[string]string{"LOG_LEVEL": "warn", "RETURN_THOUGHTS_TO_FRONTEND": "false"}}, plenty, plenty, plenty, plenty)
	callers := []*killedCaller{}
	for i := range 12 {
		callers = append(callers, []*killedCaller{
			{key: keys[0], model: flash, price: 2},
			{key: keys[1], model: "gemini-2.5-pro", price: 10, stream: true},
			{key: keys[2], model: "流式抗截断/" + flash, price: 4, stream: true},
			{key: keys[3], model: "gemini-3-pro-preview", price: 15},
		}[i%4])
	}
	for i, one := range callers { // each its own count
		copied := *one
		callers[i] = &copied
	}
	before := make([]int64, len(keys))
	var begun time.Duration
	var doubts, served int64
	for kill := range kills {
		at := time.Now()
		g := start(t, from)
		begun += time.Since(at)
		round := killedRound(t, g, callers, random)
		sim.ForgetCalls()
		for i, now := range used(t, from.dir, keys...) {
			got := round[keys[i].id]
			doubts, served = doubts+got.doubt, served+got.served
			price := callers[i].price
			if charged := now - before[i]; charged < got.served*price || charged > (got.served+got.doubt)*price {
				t.Errorf("kill %d, seed %d, key %d: %d units were charged for %d answers of %d units; %d errors came and %d calls were in flight", kill, seed, i, charged, got.served, price, got.told, got.doubt)
			}
			before[i] = now
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d answers, %d calls in flight at %d kills; a start took %v", served, doubts, kills, begun/time.Duration(kills))
	if served < int64(kills) || doubts < int64(kills) {
		t.Errorf("%d answers and %d calls in flight at %d kills: this shows nothing", served, doubts, kills)
	}
}

// killedRound loads the gateway, kills it at a random point, which is so many answers and then a moment later, and
// counts what each key saw. Answers are what it goes by, since a busy machine may give none within a moment.
func killedRound(t *testing.T, g *gateway, callers []*killedCaller, random *rand.Rand) map[string]load {
	t.Helper()
	var all sync.WaitGroup
	var answers atomic.Int64
	kept := &http.Transport{MaxIdleConnsPerHost: len(callers), DisableCompression: true}
	defer kept.CloseIdleConnections()
	for i, c := range callers {
		c.sum = load{}
		all.Go(func() {
			for n := i; c.call(t, g, kept, killedPrompts()[n%len(killedPrompts())]); n++ {
				answers.Add(1)
			}
		})
	}
	after := random.Int64N(30)
	wait(t, "there are answers", func() bool { return answers.Load() >= after })
	time.Sleep(time.Duration(random.Int64N(int64(10 * time.Millisecond))))
	g.signal(syscall.SIGKILL)
	g.exits()
	all.Wait()
	sums := map[string]load{}
	for _, c := range callers {
		s := sums[c.key.id]
		sums[c.key.id] = load{s.served + c.sum.served, s.told + c.sum.told, s.doubt + c.sum.doubt}
	}
	return sums
}

// call asks once; false when the gateway is gone.
func (c *killedCaller) call(t *testing.T, g *gateway, over *http.Transport, prompt string) bool {
	path, body := ask{stream: c.stream}.http(c.model, prompt)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("Authorization", "Bearer "+c.key.secret)
	resp, err := over.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil {
			t.Errorf("%s: no answer within half a minute", prompt)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) { // or it never was in flight
			c.sum.doubt++
		}
		return false
	}
	defer resp.Body.Close()
	one := make([]byte, 1)
	switch n, err := resp.Body.Read(one); {
	case n == 0 && err != nil:
		c.sum.doubt++
		return false
	case resp.StatusCode == http.StatusOK:
		c.sum.served++
	default:
		c.sum.told++
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}
