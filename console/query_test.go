package console

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gcli2api/store/apikey"
)

// A key is looked up in every place that clients put one in.
func TestOwnQuotaFromEveryPlace(t *testing.T) {
	d := newDesk(t)
	id, key := d.made(`{"total_quota": 4, "group": "secret-group", "addresses": ["10.1.2.3"]}`)
	d.spend(id, "gemini-2.5-flash", 2)
	for _, head := range []string{"Authorization: Bearer " + key, "Authorization: bearer  " + key, "x-api-key: " + key, "x-goog-api-key: " + key,
		"access_token: " + key, "anthropic-auth-token: " + key, "x-anthropic-auth-token: " + key} {
		a := d.ask("GET", "/auth/quota", "", "Authorization: ", head)
		if a.status != 200 || a.json["remaining_quota"] != 0.0 || a.json["status"] != "exhausted" || a.json["usage_percentage"] != 100.0 || strings.Contains(a.body, "secret-group") || strings.Contains(a.body, "10.1.2.3") {
			t.Errorf("%.20s: %d %s", head, a.status, a.body)
		}
	}
	for _, query := range []string{"?key=" + key, "?api_key=" + key, "?key=wrong&api_key=" + key} {
		if a := d.ask("GET", "/auth/quota"+query, "", "Authorization: "); a.status != 200 {
			t.Errorf("in the query: %d %s", a.status, a.body)
		}
	}
	for says, heads := range map[string][]string{"missing": {"Authorization: "}, "no such": {"Authorization: Bearer right"}, "no such API": {"x-api-key: " + strings.Repeat("k", 9000)}} {
		a := d.ask("GET", "/auth/quota", "", heads...)
		if a.status != 401 || !strings.Contains(a.body, says) || a.header("WWW-Authenticate") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	d.silent(key, key[3:])
}

func TestBadQueries(t *testing.T) {
	d := newDesk(t)
	_, key := d.made(`{}`)
	other := apikey.NewSecret()
	for body, want := range map[string]string{
		``:                               "400 api_key",
		`no json`:                        "400 api_key",
		`[]`:                             "400 api_key",
		`{}`:                             "400 api_key",
		`{"api_key":7}`:                  "400 api_key",
		`{"api_key":null}`:               "400 api_key",
		`{"api_key":""}`:                 "400 api_key",
		`{"api_key":"` + key + ` "}`:     "400 api_key",
		`{"api_key":"sk- with spaces"}`:  "400 api_key",
		`{"api_key":"密钥"}`:               "400 api_key",
		`{"api_key":"a","api_key":"b"}`:  "400 api_key",
		`{"api_key":"a","x":1}`:          "400 x",
		`{"api_key":"` + other + `"}`:    "404 no such",
		`{"api_key":"` + key[:45] + `"}`: "404 no such",
		`{"api_key":"` + strings.Repeat("k", 201) + `"}`:    "400 api_key",
		`{"api_key":"` + strings.Repeat("k", 70<<10) + `"}`: "413 KB",
	} {
		d.clock.Add(60)
		a := d.ask("POST", "/auth/query", body)
		if got := fmt.Sprint(a.status, " ", a.json["detail"]); !strings.HasPrefix(got, want[:4]) || !strings.Contains(got, want[4:]) || strings.Contains(a.body, key) {
			t.Errorf("%.40s: %.200s, want %s", body, got, want)
		}
	}
	if a := d.ask("POST", "/auth/query", `{"api_key":"`+key+`"}`, "Origin: https://elsewhere.example", "Content-Type: text/plain"); a.status != 403 {
		t.Errorf("a page of another site: %d", a.status)
	}
	d.silent(key, other)
}

// A key that there is and one that there is not ask the same of the store.
func TestUnknownKeysCostTheSame(t *testing.T) {
	for _, alone := range []bool{true, false} {
		t.Run(fmt.Sprint("alone ", alone), func(t *testing.T) {
			d := newDesk(t, func(_ *apikey.Options, c *watched) { c.alone = alone })
			_, key := d.made(`{}`)
			work := func(secret string) int64 {
				d.clock.Add(60)
				before := d.store.asked.Load()
				d.ask("POST", "/auth/query", `{"api_key":"`+secret+`"}`)
				return d.store.asked.Load() - before
			}
			work(key)
			known := work(key)
			for range 5 {
				if unknown := work("sk-" + strings.Repeat("x", 43)); unknown != known {
					t.Fatalf("%d calls for a key, %d for what is none", known, unknown)
				}
			}
		})
	}
}

func TestQueriesAreThrottled(t *testing.T) {
	d := newDesk(t)
	_, key := d.made(`{}`)
	body := `{"api_key":"` + key + `"}`
	try := func(from string) answer { return d.ask("POST", "/auth/query", body, "X-Forwarded-For: "+from) }
	for range triesAtOnce {
		if a := try("203.0.113.7"); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := try("203.0.113.7"); a.status != 429 || a.header("Retry-After") != "3" || !strings.Contains(a.body, "detail") {
		t.Errorf("%d, Retry-After %q, %s", a.status, a.header("Retry-After"), a.body)
	}
	if a := try("1.2.3.4, 203.0.113.8"); a.status != 200 {
		t.Errorf("another address: %d", a.status)
	}
	d.clock.Add(3)
	if a, b := try("203.0.113.7"), try("203.0.113.7"); a.status != 200 || b.status != 429 {
		t.Errorf("after the wait: %d, %d", a.status, b.status)
	}
	for i := range triesAtOnce { // addresses of one network of IPv6 are one
		if a := try(fmt.Sprintf("2001:db8:1:2::%x", i+1)); a.status != 200 {
			t.Fatal(a.status)
		}
	}
	if a, b := try("2001:db8:1:2:ffff::1"), try("2001:db8:1:3::1"); a.status != 429 || b.status != 200 {
		t.Errorf("the same network %d, another one %d", a.status, b.status)
	}
	d.clock.Add(60)
	if a := try("203.0.113.7"); a.status != 200 {
		t.Errorf("a minute later: %d", a.status)
	}
}

// Who tries keys on the other route is held up as well, and whoever has one never.
func TestWrongKeysAreThrottled(t *testing.T) {
	d := newDesk(t)
	_, key := d.made(`{}`)
	get := func(key string) answer { return d.ask("GET", "/auth/quota", "", "Authorization: Bearer "+key) }
	for range triesAtOnce {
		if a := get(apikey.NewSecret()); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := get(apikey.NewSecret()); a.status != 429 || a.header("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for range 2 * triesAtOnce {
		if a := get(key); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

func TestThrottleIsBounded(t *testing.T) {
	var now time.Time
	th := newThrottle(func() time.Time { return now })
	for range triesAtOnce {
		th.try("it")
	}
	for i := range 3*maxTriers + 5 {
		if i%maxTriers == 0 && i < maxTriers*2 && th.try("it") == 0 {
			t.Errorf("forgotten after %d others", i)
		}
		th.try(fmt.Sprint(i))
	}
	if n := len(th.young) + len(th.old); n > 2*maxTriers {
		t.Errorf("%d addresses are kept", n)
	}
}

// Who leaves in the middle of a body is no failure of the store, and must not make the log say so.
func TestBrokenBody(t *testing.T) {
	d := newDesk(t)
	for _, route := range []string{"POST /auth/query", "POST /auth/keys", "PATCH /auth/keys/x", "POST /auth/models/costs"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer right\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nno length", route)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
	if said := d.lines.String(); strings.Contains(said, "store failed") || !strings.Contains(said, "status=408") {
		t.Error(said)
	}
}
