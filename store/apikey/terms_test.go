package apikey

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTerms(t *testing.T) {
	long := strings.Repeat("x", MaxDescription)
	many := func(n int, s string) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = s
		}
		return list
	}
	for _, c := range []struct {
		name   string
		change func(*Terms)
		blames string // "" is good
	}{
		{"a quota", func(t *Terms) {}, ""},
		{"the most", func(t *Terms) {
			*t = Terms{Quota: MaxQuota, Daily: MaxQuota, Requests: MaxRequests, Tokens: MaxTokens, Concurrency: MaxConcurrency}
		}, ""},
		{"no quota", func(t *Terms) { t.Quota = 0 }, "total_quota"},
		{"a negative quota", func(t *Terms) { t.Quota = -1 }, "total_quota"},
		{"a huge quota", func(t *Terms) { t.Quota = MaxQuota + 1 }, "total_quota"},
		{"the hugest quota", func(t *Terms) { t.Quota = math.MaxInt64 }, "total_quota"},
		{"a negative day", func(t *Terms) { t.Daily = -1 }, "daily_quota"},
		{"a huge day", func(t *Terms) { t.Daily = MaxQuota + 1 }, "daily_quota"},
		{"negative requests", func(t *Terms) { t.Requests = -1 }, "requests_per_minute"},
		{"huge requests", func(t *Terms) { t.Requests = MaxRequests + 1 }, "requests_per_minute"},
		{"negative tokens", func(t *Terms) { t.Tokens = -1 }, "tokens_per_minute"},
		{"huge tokens", func(t *Terms) { t.Tokens = MaxTokens + 1 }, "tokens_per_minute"},
		{"negative concurrency", func(t *Terms) { t.Concurrency = -1 }, "concurrency"},
		{"huge concurrency", func(t *Terms) { t.Concurrency = MaxConcurrency + 1 }, "concurrency"},
		{"each period", func(t *Terms) { t.Renews = Weekly }, ""},
		{"another period", func(t *Terms) { t.Renews = "year" }, "renews"},
		{"a description", func(t *Terms) { t.Description = "给爱丽丝 <b>" + long[:400] }, ""},
		{"a long one", func(t *Terms) { t.Description = long + "x" }, "description"},
		{"long in characters, not bytes", func(t *Terms) { t.Description = strings.Repeat("钥", MaxDescription) }, ""},
		{"two lines", func(t *Terms) { t.Description = "a\nb" }, "description"},
		{"a line separator", func(t *Terms) { t.Description = "a\u2028b" }, "description"},
		{"a control character", func(t *Terms) { t.Description = "a\x1b[31m" }, "description"},
		{"a C1 control character", func(t *Terms) { t.Description = "a\u009bb" }, "description"},
		{"no text", func(t *Terms) { t.Description = "\xff" }, "description"},
		{"a group", func(t *Terms) { t.Group = "paid ones" }, ""},
		{"a long group", func(t *Terms) { t.Group = long[:65] }, "group"},
		{"a group with space around", func(t *Terms) { t.Group = " paid" }, "group"},
		{"globs", func(t *Terms) { t.Models = []string{"*", "gemini-*-flash", "a/b:c"} }, ""},
		{"many globs", func(t *Terms) { t.Models = many(MaxModels, "a") }, ""},
		{"too many globs", func(t *Terms) { t.Models = many(MaxModels+1, "a") }, "models"},
		{"an empty glob", func(t *Terms) { t.Models = []string{""} }, "models"},
		{"a long glob", func(t *Terms) { t.Models = []string{long[:129]} }, "models"},
		{"a glob with space", func(t *Terms) { t.Models = []string{"gemini 2.5"} }, "models"},
		{"a glob of another kind", func(t *Terms) { t.Models = []string{"gemini-[23]*"} }, "models"},
		{"addresses", func(t *Terms) { t.Addresses = []string{"10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/0"} }, ""},
		{"too many addresses", func(t *Terms) { t.Addresses = many(MaxAddresses+1, "::1") }, "addresses"},
		{"a name", func(t *Terms) { t.Addresses = []string{"localhost"} }, "addresses"},
		{"no address", func(t *Terms) { t.Addresses = []string{""} }, "addresses"},
		{"a long block", func(t *Terms) { t.Addresses = []string{"10.0.0.0/33"} }, "addresses"},
		{"the middle of a block", func(t *Terms) { t.Addresses = []string{"10.0.0.1/8"} }, "addresses"},
		{"a zone", func(t *Terms) { t.Addresses = []string{"fe80::1%eth0"} }, "addresses"},
		{"IPv4 as IPv6", func(t *Terms) { t.Addresses = []string{"::ffff:10.0.0.1"} }, "addresses"},
		{"a port", func(t *Terms) { t.Addresses = []string{"10.0.0.1:80"} }, "addresses"},
		{"an expiry", func(t *Terms) { t.Expires = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }, ""},
		{"an expiry that JSON cannot write", func(t *Terms) { t.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "expires"},
		{"an expiry long before all keys", func(t *Terms) { t.Expires = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC) }, "expires"},
	} {
		terms := Terms{Quota: 1000}
		c.change(&terms)
		err := terms.Check()
		if (err == nil) != (c.blames == "") || err != nil && field(err) != c.blames {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), c.blames+": ") {
			t.Errorf("%s: the error does not name the field: %v", c.name, err)
		}
	}
}

func TestExpiryOfANewKey(t *testing.T) {
	k := opened(t, sole{newStore(t)}).Keys
	if _, _, err := k.Create(t.Context(), Terms{Quota: 1, Expires: time.Now().Add(-time.Second)}); field(err) != "expires" || len(k.List()) != 0 {
		t.Error(err)
	}
}

func TestReadTerms(t *testing.T) {
	terms, p, err := ReadTerms([]byte(`{"total_quota": 500, "description": "Alice \u0026 Bob", "renews":"month","daily_quota":50,"requests_per_minute":6,
		"tokens_per_minute":7000,"concurrency":2,"models":["gemini-*"],"addresses":["10.0.0.0/8"],"group":"paid","expires":"2031-02-03T04:05:06+01:00","enabled":false, "count":3}`), "count")
	want := Terms{Quota: 500, Description: "Alice & Bob", Renews: Monthly, Daily: 50, Requests: 6, Tokens: 7000, Concurrency: 2, Models: []string{"gemini-*"},
		Addresses: []string{"10.0.0.0/8"}, Group: "paid", Expires: time.Date(2031, 2, 3, 3, 5, 6, 0, time.UTC), Disabled: true}
	if err != nil || !reflect.DeepEqual(terms, want) {
		t.Fatalf("%+v %v", terms, err)
	}
	if string(p.Beside("count")) != "3" || p.Beside("n") != nil || p.Has("count") || !p.Has("group") || len(p.Names()) != 12 {
		t.Errorf("%q named", p.Names())
	}
	terms, _, err = ReadTerms([]byte(`{}`))
	if err != nil || !reflect.DeepEqual(terms, Terms{Quota: DefaultQuota}) {
		t.Errorf("nothing: %+v %v", terms, err)
	}
}

// A patch changes what it names alone; null takes a limit away.
func TestReadPatch(t *testing.T) {
	full := Terms{Quota: 500, Description: "x", Renews: Daily, Daily: 50, Requests: 6, Tokens: 7, Concurrency: 2, Models: []string{"a"}, Addresses: []string{"::1"},
		Group: "g", Expires: time.Unix(2e9, 0), Disabled: true}
	for doc, change := range map[string]func(*Terms){
		`{}`:                           func(*Terms) {},
		`{"total_quota":7}`:            func(t *Terms) { t.Quota = 7 },
		`{"daily_quota":null}`:         func(t *Terms) { t.Daily = 0 },
		`{"requests_per_minute":null}`: func(t *Terms) { t.Requests = 0 },
		`{"tokens_per_minute":null}`:   func(t *Terms) { t.Tokens = 0 },
		`{"concurrency":null}`:         func(t *Terms) { t.Concurrency = 0 },
		`{"description":null}`:         func(t *Terms) { t.Description = "" },
		`{"renews":null}`:              func(t *Terms) { t.Renews = Never },
		`{"renews":"none"}`:            func(t *Terms) { t.Renews = Never },
		`{"models":null}`:              func(t *Terms) { t.Models = nil },
		`{"models":[" b "]}`:           func(t *Terms) { t.Models = []string{"b"} },
		`{"addresses":null}`:           func(t *Terms) { t.Addresses = nil },
		`{"group":null}`:               func(t *Terms) { t.Group = "" },
		`{"expires":null}`:             func(t *Terms) { t.Expires = time.Time{} },
		`{"enabled":true}`:             func(t *Terms) { t.Disabled = false },
		`{"disabled":false}`:           func(t *Terms) { t.Disabled = false },
	} {
		p, err := ReadPatch([]byte(doc))
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		got, want := full, full
		change(&want)
		if err := p.Apply(&got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", doc, got, err)
		}
	}
}

func TestWhatReadPatchRefuses(t *testing.T) {
	for _, amount := range []string{"total_quota", "daily_quota", "requests_per_minute", "tokens_per_minute", "concurrency"} {
		for _, v := range []string{`0`, `-1`, `-0`, `1.5`, `1.0`, `1e3`, `1E3`, `"5"`, `true`, `[5]`, `{}`, `99999999999999999999999`, `1000000000000001`, `9223372036854775807`, `9223372036854775808`} {
			if _, err := ReadPatch([]byte(`{"` + amount + `":` + v + `}`)); field(err) != amount {
				t.Errorf("%s %s: %v", amount, v, err)
			}
		}
	}
	for doc, blames := range map[string]string{
		``:                                       "",
		`[]`:                                     "",
		`null`:                                   "",
		`{"total_quota":5}x`:                     "",
		`{"total_quota":05}`:                     "",
		`{"total_quota":+5}`:                     "",
		`{"total_quota":NaN}`:                    "",
		`{"description":"\ud800"}`:               "",
		"{\"description\":\"\xff\"}":             "",
		`{"total_quota":null}`:                   "total_quota",
		`{"total_quota":5,"total_quota":6}`:      "total_quota",
		`{"total_quota":5,"tot\u0061l_quota":6}`: "total_quota",
		`{"Total_Quota":5}`:                      "Total_Quota",
		`{"used_quota":5}`:                       "used_quota",
		`{"<script>":5}`:                         "?script?",
		`{"enabled":null}`:                       "enabled",
		`{"enabled":1}`:                          "enabled",
		`{"enabled":"true"}`:                     "enabled",
		`{"enabled":true,"disabled":true}`:       "disabled",
		`{"description":5}`:                      "description",
		`{"renews":"year"}`:                      "renews",
		`{"renews":5}`:                           "renews",
		`{"models":"gemini-*"}`:                  "models",
		`{"models":[1]}`:                         "models",
		`{"models":[null]}`:                      "models",
		`{"models":[["a"]]}`:                     "models",
		`{"models":[""]}`:                        "models",
		`{"addresses":["nowhere"]}`:              "addresses",
		`{"expires":5}`:                          "expires",
		`{"expires":""}`:                         "expires",
		`{"expires":"tomorrow"}`:                 "expires",
		`{"expires":"2031-02-03"}`:               "expires",
		`{"expires":"2031-02-30T00:00:00Z"}`:     "expires",
	} {
		p, err := ReadPatch([]byte(doc))
		if err == nil {
			err = p.Apply(&Terms{Quota: 5})
		}
		if field(err) != blames {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestWhole(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "10": 10, "0": -1, "11": -1, "": -1, "-1": -1, "+1": -1, "1.0": -1, "1e0": -1, `"1"`: -1, "null": -1,
		" 1": -1, "1_0": -1, "0x1": -1, "18446744073709551616": -1, "9223372036854775808": -1} {
		n, err := Whole("n", []byte(text), 1, 10)
		if (err != nil) != (want < 0) || err == nil && n != want || err != nil && field(err) != "n" {
			t.Errorf("%q: %d %v", text, n, err)
		}
	}
}

// Whatever comes, it is refused with a field, or makes terms that can be kept and read back.
func FuzzReadPatch(f *testing.F) {
	for _, seed := range []string{`{}`, `{"total_quota":5}`, `{"total_quota":1e3}`, `{"daily_quota":null,"renews":"week"}`, `{"models":["a*","*b"],"addresses":["10.0.0.0/8","::1"]}`,
		`{"expires":"2031-02-03T04:05:06.789+01:00","enabled":false}`, `{"description":"\u0000","group":"\ud83d\ude00"}`, `{"count":1,"count":2}`, `{"models":[[[[`, "\xef\xbb\xbf{}", `{"tot\u0061l_quota":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := ReadPatch(doc, "count")
		terms := Terms{Quota: 7}
		if err == nil {
			err = p.Apply(&terms)
		}
		if err != nil {
			if field(err) == "-" || len(err.Error()) > 500 {
				t.Errorf("%T %v", err, err)
			}
			return
		}
		if !json.Valid(doc) && !strings.HasPrefix(string(doc), "\xef\xbb\xbf") {
			t.Errorf("no JSON was taken: %q", doc)
		}
		if terms.Check() != nil || terms.Quota < 1 {
			t.Errorf("%+v", terms)
		}
		text, err := json.Marshal(terms)
		var again Terms
		if err != nil || json.Unmarshal(text, &again) != nil || again.Check() != nil || !again.Expires.Equal(terms.Expires) || again.Quota != terms.Quota {
			t.Errorf("%+v is kept as %s: %v", terms, text, err)
		}
	})
}
