package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

func (d *desk) change(l *Log, c Change) {
	d.t.Helper()
	if err := l.Changed(context.Background(), c); err != nil {
		d.t.Fatal(err)
	}
	d.clock.add(time.Minute)
}

func changesOf(t *testing.T, l *Log, q Search) (rows []Change) {
	t.Helper()
	for range 10_000 {
		p, err := l.Changes(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, p.Rows...)
		if q.Before = p.Next; q.Before == "" {
			return rows
		}
	}
	t.Fatal("the list has no end")
	return nil
}

func targets(rows []Change) string {
	var out []string
	for _, c := range rows {
		out = append(out, c.Target)
	}
	return strings.Join(out, " ")
}

func TestChangesOfTwoNodes(t *testing.T) {
	d := newDesk(t)
	nodes := []*Log{d.node(), d.node()}
	var want []string
	for i := range 10 {
		d.change(nodes[i%2], Change{Target: strconv.Itoa(i), Who: "panel password"})
		want = append([]string{strconv.Itoa(i)}, want...)
	}
	for _, limit := range []int{1, 3, 10, 11, 1000} {
		if got := targets(changesOf(t, nodes[0], Search{Limit: limit})); got != strings.Join(want, " ") {
			t.Errorf("limit %d: %s", limit, got)
		}
	}
	for i := range 3 { // of one moment: the last one first
		if err := nodes[0].Changed(context.Background(), Change{Target: "same" + strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := targets(changesOf(t, nodes[0], Search{Limit: 2})[:3]); got != "same2 same1 same0" {
		t.Errorf("%s", got)
	}
}

func TestChangesAreSearched(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	begin := d.clock.now()
	d.change(l, Change{ID: "panel-1", Who: "panel password", From: "192.0.2.1", What: "POST /creds/action", Target: "a.json", Status: 200})
	d.change(l, Change{ID: "panel-2", Who: "visitor", From: "192.0.2.2", What: "POST /auth/start", Target: "B", Status: 429})
	d.change(l, Change{ID: "panel-3", Who: "panel password", From: "192.0.2.2", What: "DELETE /auth/keys/:name", Target: "c", Status: 404})
	for name, c := range map[string]struct {
		q    Search
		want string
	}{
		"all":     {Search{}, "c B a.json"},
		"who":     {Search{Who: "visitor"}, "B"},
		"address": {Search{Address: "192.0.2.2"}, "c B"},
		"what":    {Search{What: "/AUTH/"}, "c B"},
		"target":  {Search{Target: "b"}, "B"},
		"status":  {Search{Status: "4xx"}, "c B"},
		"id":      {Search{ID: "panel-1"}, "a.json"},
		"from":    {Search{From: begin.Add(time.Minute)}, "c B"},
		"to":      {Search{To: begin.Add(time.Minute)}, "B a.json"},
		"none":    {Search{Who: "nobody"}, ""},
	} {
		if got := targets(changesOf(t, l, c.q)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	d.kept.Changes = 150 * time.Second
	if got := targets(changesOf(t, l, Search{})); got != "c B" {
		t.Errorf("kept for less: %q", got)
	}
	l.tidy(context.Background())
	d.kept.Changes = time.Hour
	if got := targets(changesOf(t, l, Search{})); got != "c B" {
		t.Errorf("what is too old was not removed: %q", got)
	}
}

func TestSearchIsBounded(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	d.change(l, Change{Target: "needle"})
	ctx, body := context.Background(), []byte(`{"target":"hay"}`)
	docs := make(chan int)
	for range 64 { // together, or each would wait for the disk alone
		go func() {
			for i := range docs {
				at := place{d.clock.now().UnixMicro(), "abcd", uint64(i)}
				_, _ = d.store.Put(ctx, store.Changes, store.Doc{ID: at.id(), Body: body}, store.New)
			}
		}()
	}
	for i := range budgetDocs + 300 {
		docs <- i
	}
	close(docs)
	p, err := l.Changes(ctx, Search{Target: "needle"})
	if err != nil || len(p.Rows) != 0 || p.Next == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	if got := targets(changesOf(t, l, Search{Target: "needle"})); got != "needle" {
		t.Errorf("%q", got)
	}
}

// Nothing that looks like a secret, or stands under the name of one, is in the file.
func TestSecretsAreNotInTheFile(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	type inner struct {
		Token string `json:"refresh_token"`
		Count int    `json:"token_count"`
	}
	const planted = "Planted"
	key := "sk-" + planted + strings.Repeat("x", 36)
	d.change(l, Change{Target: key, Who: "panel password",
		Before: map[string]any{"api_key": planted + "1", "nested": map[string]any{"list": []any{map[string]any{"client_secret": planted + "2"}}}, "pointer": &inner{planted + "3", 7}},
		After: map[string]any{"password": planted + "4", "Private-Key": planted + "5", "tokens": []string{planted + "6"}, "secret": map[string]any{"a": planted + "7"},
			"proxy": "http://user:" + planted + "8@proxy.example:8080", "text": "it was " + key, "AIza" + planted + "0123456789012345678901234567": true,
			"google": "ya29." + planted + "abcdefghijkl", "mask": "sk-AbCdEf...xyz", "tokens_per_minute": 1000, "label": "kept"}})
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.Index(data, []byte(planted)); i >= 0 {
		t.Errorf("the file has %q", data[max(0, i-80):i+40])
	}
	d.open()
	c := changesOf(t, d.node(), Search{})[0]
	if c.After["label"] != "kept" || c.After["mask"] != "sk-AbCdEf...xyz" || fmt.Sprint(c.After["tokens_per_minute"]) != "1000" || fmt.Sprint(c.Before["pointer"]) != "map[refresh_token:*** token_count:7]" {
		t.Errorf("%+v", c)
	}
}

func TestChangesAreBounded(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	long := map[string]any{"a text": strings.Repeat("€", 5000), "list": make([]int, 5000), "deep": deep(50)}
	for i := range 500 {
		long["member"+strconv.Itoa(i)] = strings.Repeat("y", 900)
	}
	d.change(l, Change{Target: strings.Repeat("t\x1b", 5000), Before: long, After: map[string]any{"bad": make(chan int)}})
	c := changesOf(t, l, Search{})[0]
	body, _ := json.Marshal(c)
	if len(body) > 2*mostSide || len(c.Target) > mostTarget || strings.Contains(c.Target, "\x1b") {
		t.Errorf("%d bytes", len(body))
	}
	if text, _ := c.Before["a text"].(string); !strings.HasSuffix(text, "€... (cut)") || c.Before["cut"] == nil || c.After["unreadable"] == nil {
		t.Errorf("%.2000s", body)
	}
}

func deep(n int) any {
	if n == 0 {
		return "bottom"
	}
	return []any{deep(n - 1)}
}

// A flood of refusals is a row at once and a row with their number; whoever changes something meanwhile is
// written in full.
func TestFloodOfRefusals(t *testing.T) {
	d := newDesk(t)
	l := d.node()
	ctx := context.Background()
	refuse := func(from string) {
		if err := l.Refused(ctx, Change{ID: "panel-x", Who: "refused", From: from, What: "GET /creds/status", Status: 401}); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		refuse("192.0.2.7")
	}
	rows := changesOf(t, l, Search{})
	if len(rows) != 1 || rows[0].Times != 0 || rows[0].ID != "panel-x" {
		t.Errorf("%+v", rows)
	}
	d.clock.add(crowdTime)
	l.tidy(ctx)
	if rows = changesOf(t, l, Search{}); len(rows) != 2 || rows[0].Times != 999 || rows[0].From != "192.0.2.7" {
		t.Errorf("%+v", rows)
	}
	for i := range 100_000 { // of everywhere
		refuse("2001:db8:" + strconv.FormatInt(int64(i), 16) + "::")
	}
	d.clock.add(crowdTime)
	l.tidy(ctx)
	rows = changesOf(t, l, Search{Limit: 1000})[:]
	sum := 0
	for _, c := range rows {
		sum += max(c.Times, 1)
	}
	if len(rows) > 2+crowdRows+crowdMost+1 || sum != 101_000 {
		t.Errorf("%d rows for %d refusals", len(rows), sum)
	}
	for i := range 5000 { // of one block, which is one person's
		refuse("2001:db8::" + strconv.FormatInt(int64(i+1), 16))
	}
	d.clock.add(crowdTime)
	l.tidy(ctx)
	if block := changesOf(t, l, Search{Address: "2001:db8::/64"}); len(block) != 1 || block[0].Times != 4999 {
		t.Errorf("of one block: %+v", block)
	}
	refuse("192.0.2.9")
	refuse("192.0.2.9")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if rows = changesOf(t, l, Search{Address: "192.0.2.9"}); len(rows) != 2 || rows[0].Times != 1 {
		t.Errorf("at the end: %+v", rows)
	}
}

func TestAuditThatCannotBeWritten(t *testing.T) {
	d := newDesk(t)
	flaky := &storetest.Flaky{Store: d.store}
	flaky.Break(storetest.Fault{Err: errors.New("the disk is full"), Calls: []string{"Put"}})
	l := d.nodeOn(flaky)
	if err := l.Changed(context.Background(), Change{Target: "a"}); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	flaky.Heal()
	if err := l.Changed(gone, Change{Target: "b"}); err != nil { // the client is gone, the change is not
		t.Error(err)
	}
	if got := targets(changesOf(t, l, Search{})); got != "b" {
		t.Errorf("%q", got)
	}
}

func FuzzGuard(f *testing.F) {
	f.Add(`{"api_key":"x","a":[{"token":"y"}]}`)
	f.Add(`{"a":"` + strings.Repeat("é", 600) + `"}`)
	l := begin(Options{})
	f.Fuzz(func(t *testing.T, text string) {
		var m map[string]any
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		c := l.guarded(Change{Target: text, Before: m})
		body, err := json.Marshal(c)
		if err != nil || len(body) > 4*mostSide {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	})
}
