package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gcli2api/store/apikey"
	"gcli2api/store/seal"
	"gcli2api/store/stats"
)

// changed is the newest row of the audit for a route.
func (d *desk) changed(what string) (row changeView) {
	d.t.Helper()
	var list struct{ Changes []changeView }
	if err := json.Unmarshal([]byte(d.ask("GET", "/audit?limit=1&what="+strings.ReplaceAll(what, " ", "%20"), "").body), &list); err != nil || len(list.Changes) != 1 {
		d.t.Fatalf("%s: %v, %+v", what, err, list)
	}
	return list.Changes[0]
}

// The audit has what was, and what is.
func TestKeysBeforeAndAfter(t *testing.T) {
	set, ring := apikey.Settings{Reveal: true, DefaultCost: 1}, seal.New("sixteen characters or more")
	d := newDesk(t, func(o *apikey.Options, _ *watched) { o.Settings, o.Ring = func() apikey.Settings { return set }, ring })
	id, _ := d.made(`{"total_quota": 1000, "description": "Alice"}`)
	check := func(what, before, after string) {
		t.Helper()
		row := d.changed(what)
		if got, want := fmt.Sprint(row.Target, " ", row.Before, " ", row.After), id+" "+before+" "+after; got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	d.ask("PATCH", "/auth/keys/"+id, `{"total_quota": 30}`)
	check("PATCH /auth/keys/:name", "map[total_quota:1000]", "map[total_quota:30]")
	d.ask("POST", "/auth/keys/"+id+"/top-up", `{"units": 70}`)
	check("POST /auth/keys/:name/top-up", "map[total_quota:30]", "map[total_quota:100]")
	d.spend(id, "gemini-2.5-flash", 3)
	d.ask("POST", "/auth/keys/"+id+"/reset", "")
	check("POST /auth/keys/:name/reset", "map[used_quota:6]", "map[used_quota:0]")
	d.ask("GET", "/auth/keys/"+id+"/reveal", "")
	check("GET /auth/keys/:name/reveal", "map[]", "map[shown:true]")
	*ring = *seal.New("another one of sixteen characters")
	if a := d.ask("GET", "/auth/keys/"+id+"/reveal", ""); a.status != 409 {
		t.Errorf("%d %s", a.status, a.body)
	}
	d.ask("DELETE", "/auth/keys/"+id, "")
	check("DELETE /auth/keys/:name", "map[description:Alice total_quota:100]", "map[]")
	if a := d.ask("POST", "/auth/models/costs", `{"model_name":"m","cost":4,"input":5,"output":6}`); a.status != 200 {
		t.Fatal(a.body)
	}
	if row := d.changed("POST /auth/models/costs"); fmt.Sprint(row.Target, row.Before, row.After) != "mmap[cost:1 input:0 output:0] map[cost:4 input:5 output:6]" {
		t.Errorf("%+v", row)
	}
	// What stands in a path may be a key of somebody's own making, that no mask knows by its looks.
	const own = "a-key-of-my-own-choice-1234"
	d.ask("PATCH", "/auth/keys/"+own, `{"total_quota": 30}`)
	if row := d.changed("PATCH /auth/keys/:name"); row.Status != 404 || row.Target != "a key that there is not" {
		t.Errorf("%+v", row)
	}
	d.silent(own)
}

// Prices by tokens are shown to everybody who asks, and in the table, also where there is only one of them.
func TestPricesByTokensAreShown(t *testing.T) {
	d := newDesk(t)
	d.ask("POST", "/auth/models/costs", `{"model_name":"only-out","cost":4,"output":6}`)
	d.ask("POST", "/auth/models/costs", `{"model_name":"only-in","cost":4,"input":5}`)
	a := d.ask("GET", "/auth/models/costs", "")
	if got := fmt.Sprint(a.json["token_costs"]); got != "map[only-in:map[input:5 output:0] only-out:map[input:0 output:6]]" {
		t.Error(got)
	}
	if a := d.ask("GET", "/auth/models/only-out/cost", "", "Authorization: "); a.json["input"] != 0.0 || a.json["output"] != 6.0 || a.json["cost"] != 4.0 {
		t.Error(a.body)
	}
	if a := d.ask("GET", "/auth/models/nobodys/cost", ""); a.json["input"] != nil || a.json["is_default"] != true {
		t.Error(a.body)
	}
}

// What a key is shown as at its limits.
func TestAKeyAtItsLimits(t *testing.T) {
	s := Services{Book: bookOf(t), Stats: stats.New()}
	for _, c := range []struct {
		key         apikey.Key
		balance     apikey.Balance
		status      string
		left, daily int64 // -1 is none
		percentage  float64
	}{
		{apikey.Key{Terms: apikey.Terms{Quota: 10}}, apikey.Balance{Used: 9}, "active", 1, -1, 90},
		{apikey.Key{Terms: apikey.Terms{Quota: 10}}, apikey.Balance{Used: 10}, "exhausted", 0, -1, 100},
		{apikey.Key{Terms: apikey.Terms{Quota: 10}}, apikey.Balance{Used: 12}, "exhausted", 0, -1, 120},
		{apikey.Key{Terms: apikey.Terms{Quota: 30000, Daily: 5}}, apikey.Balance{Used: 1, DailyUsed: 4}, "active", 29999, 1, 0},
		{apikey.Key{Terms: apikey.Terms{Quota: 30, Daily: 5}}, apikey.Balance{Used: 10, DailyUsed: 5}, "exhausted", 20, 0, 33.33},
		{apikey.Key{Terms: apikey.Terms{Quota: 30, Daily: 5}}, apikey.Balance{Used: 6, DailyUsed: 6}, "exhausted", 24, 0, 20},
		{apikey.Key{Terms: apikey.Terms{Quota: 30, Disabled: true}}, apikey.Balance{Used: 30}, "disabled", 0, -1, 100},
		{apikey.Key{Terms: apikey.Terms{Quota: 30, Expires: time.Now()}}, apikey.Balance{}, "expired", 30, -1, 0},
	} {
		v := s.shownKey(&c.key, c.balance, nil)
		daily := int64(-1)
		if v.DailyLeft != nil {
			daily = *v.DailyLeft
		}
		if v.Status != c.status || v.Remaining != c.left || daily != c.daily || v.Percentage != c.percentage || v.Revealable || v.RenewsAt != nil {
			t.Errorf("%+v %+v: %+v", c.key.Terms, c.balance, v)
		}
	}
	renews := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	v := s.shownKey(&apikey.Key{Sealed: []byte{1}, Terms: apikey.Terms{Quota: 5, Renews: apikey.Monthly}}, apikey.Balance{Renews: renews}, nil)
	if v.RenewsAt == nil || *v.RenewsAt != "2026-12-01T00:00:00Z" || v.Expires != nil || !v.Revealable || v.Renews != "month" {
		t.Errorf("%+v", v)
	}
}

// Lists are sorted and filtered by what they are asked for, and a table has each figure under its name.
func TestMoreListsOfKeys(t *testing.T) {
	d := newDesk(t)
	ids := map[string]string{}
	for name, body := range map[string]string{
		"ann": `{"description":"ann","total_quota":100,"expires":"2040-01-01T00:00:00Z"}`,
		"bob": `{"description":"bob","total_quota":90,"expires":"2039-01-01T00:00:00Z","group":"school"}`,
		"cat": `{"description":"cat","total_quota":80,"enabled":false}`,
	} {
		ids[name], _ = d.made(body)
	}
	d.spend(ids["ann"], "gemini-2.5-pro", 5) // 50 of 100
	d.spend(ids["bob"], "gemini-2.5-pro", 6)
	d.ask("POST", "/auth/keys/"+ids["bob"]+"/reset", "")
	d.spend(ids["bob"], "gemini-2.5-flash", 2) // 4 of 90, and 64 in all
	d.stats.Record(stats.Request{Key: ids["ann"], Model: "gemini-2.5-pro", Code: "overloaded"})
	for query, want := range map[string]string{"?sort=remaining": "ann cat bob", "?sort=used": "cat bob ann", "?sort=-used": "ann bob cat", "?sort=expires": "cat bob ann",
		"?status_filter=enabled&sort=description": "ann bob", "?q=SCHOOL": "bob", "?q=" + ids["cat"]: "cat", "?sort=description&offset=1": "bob cat"} {
		a := d.ask("GET", "/auth/keys"+query, "")
		var names []string
		for _, k := range a.json["keys"].([]any) {
			names = append(names, fmt.Sprint(k.(map[string]any)["description"]))
		}
		if got := strings.Join(names, " "); got != want || strings.Contains(query, "offset") && a.json["limit"] != float64(pageSize) {
			t.Errorf("%s: %s, want %s; %.60s", query, got, want, a.body)
		}
	}
	rows := tableOf(t, []byte(d.ask("GET", "/auth/keys/export?sort=description", "").body))
	agrees(t, "ann", rows[0], map[string]string{"description": "ann", "total_quota": "100", "used_quota": "50", "remaining_quota": "50", "answers": "5", "status": "active", "expires": "2040-01-01T00:00:00Z"})
	agrees(t, "bob", rows[1], map[string]string{"total_quota": "90", "used_quota": "4", "remaining_quota": "86", "answers": "8", "group": "school"})
	if a := d.ask("GET", "/auth/keys?q=ann", ""); fmt.Sprint(a.json["keys"].([]any)[0].(map[string]any)["model_stats"]) != "map[gemini-2.5-pro:5]" {
		t.Error(a.body)
	}
	d.stats.Record(stats.Request{Key: ids["cat"], Model: "m", Code: "overloaded"}) // nothing was answered
	if a := d.ask("GET", "/auth/keys?q=cat", ""); fmt.Sprint(a.json["keys"].([]any)[0].(map[string]any)["model_stats"]) != "map[]" {
		t.Error(a.body)
	}
}

// What the holder of a key is told is kept by nobody on the way.
func TestOwnQuotaIsNotStored(t *testing.T) {
	d := newDesk(t)
	_, key := d.made(`{}`)
	for _, a := range []answer{d.ask("GET", "/auth/quota", "", "Authorization: Bearer "+key), d.ask("POST", "/auth/query", `{"api_key":"`+key+`"}`)} {
		if a.status != 200 || a.header("Cache-Control") != "no-store" {
			t.Errorf("%d, %q", a.status, a.header("Cache-Control"))
		}
	}
}

// An address that is known already makes nobody forgotten.
func TestKnownAddressesTakeNoRoom(t *testing.T) {
	at := time.Unix(0, 0)
	throttle := newThrottle(func() time.Time { return at })
	for i := range maxTriers {
		throttle.try(fmt.Sprint(i))
	}
	for range 3 {
		throttle.try("7")
	}
	if len(throttle.young) != maxTriers || len(throttle.old) != 0 {
		t.Errorf("%d and %d addresses", len(throttle.young), len(throttle.old))
	}
}

// However often a visitor sends nonsense, it is few rows.
func TestNonsenseOfVisitorsIsCounted(t *testing.T) {
	o := newOffice(t)
	for range 20 {
		if r := o.ask("POST", "/auth/callback", `{"nonsense":`, ""); r.status < 400 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if list := o.changes("").Changes; len(list) != 1 {
		t.Errorf("%d rows, %+v", len(list), list[0])
	}
}
