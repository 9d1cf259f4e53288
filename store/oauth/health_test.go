package oauth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

func TestRetrieveUserQuota(t *testing.T) {
	s, c := google(t, simulator.Options{})
	reset := time.Now().Add(5 * time.Hour).UTC().Truncate(time.Second)
	a := s.AddAccount(simulator.Account{Project: "own-x", Quota: []simulator.Bucket{
		{Model: "gemini-2.5-pro", Fraction: 0.25, Remaining: "250", Reset: reset},
		{Model: "gemini-2.5-flash", Reset: reset},
		{Model: "gemini-old", Reset: reset.Add(-10 * time.Hour)},
	}})
	got, err := c.RetrieveUserQuota(t.Context(), s.AccessToken(a.Email), "own-x")
	want := []Bucket{
		{Model: "gemini-2.5-pro", Type: "REQUESTS", Fraction: 0.25, Amount: 250, Reset: reset},
		{Model: "gemini-2.5-flash", Type: "REQUESTS", Amount: -1, Reset: reset, Guessed: true},
	}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v %+v", err, got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	if _, err := c.RetrieveUserQuota(t.Context(), s.AccessToken(a.Email), "foreign"); err == nil || said(err).Reason != "CONSUMER_INVALID" {
		t.Errorf("a foreign project: %v", err)
	}
}

// What a stranger could send must neither be believed nor fill the memory.
func TestQuotaOfNonsense(t *testing.T) {
	for body, want := range map[string]int{
		`{}`: 0, `{"buckets":[]}`: 0, `{"buckets":[{}]}`: 0, `{"buckets":[{"modelId":"m"}]}`: 0,
		`{"buckets":[{"modelId":"` + strings.Repeat("m", 200) + `","remainingFraction":1}]}`:                  0,
		`{"buckets":[{"modelId":"m","remainingFraction":7,"remainingAmount":"x","resetTime":"soon"}]}`:        1,
		`{"buckets":[` + strings.Repeat(`{"modelId":"m","remainingFraction":-1},`, 999) + `{"modelId":"m"}]}`: maxBuckets,
	} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		got, err := at(t, h.URL).RetrieveUserQuota(t.Context(), "ya29.x", "p")
		h.Close()
		if err != nil || len(got) != want {
			t.Errorf("%.60s: %d buckets, %v", body, len(got), err)
		}
		for _, b := range got {
			if b.Fraction < 0 || b.Fraction > 1 || b.Amount != -1 || !b.Reset.IsZero() {
				t.Errorf("%.60s: %+v", body, b)
			}
		}
	}
}

// Protocol 2.2: each code is said in words that tell what to do, and kept beside them for a search.
func TestIneligibleInWords(t *testing.T) {
	for code, row := range map[string]struct {
		says      string
		permanent bool
	}{
		"UNSUPPORTED_CLIENT":   {"since June 2026", true},
		"VALIDATION_REQUIRED":  {"verified in a browser", true},
		"DASHER_USER":          {"Workspace", true},
		"INELIGIBLE_ACCOUNT":   {"not eligible", true},
		"NON_USER_ACCOUNT":     {"not the account of a person", true},
		"RESTRICTED_AGE":       {"too young", true},
		"RESTRICTED_NETWORK":   {"network address of this gateway is blocked", false},
		"UNSUPPORTED_LOCATION": {"not supported", false},
		"UNKNOWN_LOCATION":     {"does not know in which country", false},
		"UNKNOWN":              {"Google says: its own words", true},
	} {
		s, c := google(t, simulator.Options{})
		a := s.AddAccount(simulator.Account{Tier: "free-tier", NotOnboarded: true,
			Ineligible: []simulator.Ineligible{{ReasonCode: code, ReasonMessage: "its own words", TierID: "free-tier"}}})
		_, err := c.Discover(t.Context(), s.AccessToken(a.Email), credential(a))
		why, ok := err.(*DiscoverError)
		if !ok || !strings.Contains(why.Reason, row.says) || !strings.Contains(why.Reason, "("+code+")") || why.Permanent != row.permanent {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// A project that is named and whose API is off: it is switched on, or Google's link to the switch is told.
func TestNamedProjectWithTheAPIOff(t *testing.T) {
	for name, row := range map[string]struct {
		times     int
		cannot    bool
		project   string
		permanent bool
		says      string
	}{
		"once":              {times: 1, project: "own-x"},
		"Google is not yet": {times: 2, says: "five minutes"},
		"not allowed":       {times: 2, cannot: true, permanent: true, says: "may not switch it on"},
	} {
		s, c := google(t, simulator.Options{})
		a := s.AddAccount(simulator.Account{Project: "own-x", APIDisabled: true, CannotEnable: row.cannot})
		s.Script(simulator.Fault{Do: "403-service-disabled", Verb: "loadCodeAssist", Count: row.times})
		cred := credential(a)
		cred.ProjectID = "own-x"
		found, err := c.Discover(t.Context(), s.AccessToken(a.Email), cred)
		if found.Project != row.project {
			t.Errorf("%s: %+v %v", name, found, err)
		}
		if why, ok := err.(*DiscoverError); row.project == "" && (!ok || why.Permanent != row.permanent || !strings.Contains(why.Reason, row.says) || row.cannot != (why.Link != "")) {
			t.Errorf("%s: %+v", name, err)
		}
	}
}
