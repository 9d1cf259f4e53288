package gemini

import (
	"strconv"
	"strings"

	"gcli2api/pipeline/apierror"
)

// refusedOurs stands before words of Google like "API key not valid": without it a client would look
// for the fault in the password that it sent to the gateway.
const refusedOurs = "Google refused a credential of this gateway: "

// whereFrom stands behind Google's refusal of a country: that of the client does not matter.
const whereFrom = " (Google looks at the network address of this gateway, not at yours: its operator can set a proxy in a country that Google serves)"

// forClient chooses what a client is told when no other try helps.
func (f *findings) forClient() *apierror.Error {
	s := f.said
	code, status := verdict(s)
	message := Scrub(s.Text)
	switch {
	case s.HTML:
		message = "the upstream answered with a page that is not JSON (HTTP " + strconv.Itoa(s.HTTP) + ")"
	case message == "":
		message = "the upstream answered with HTTP " + strconv.Itoa(s.HTTP)
	}
	switch {
	case code == apierror.NoCredential:
		message = clip(refusedOurs + message)
	case code == apierror.BadRequest && strings.Contains(strings.ToLower(s.Text), "location is not supported"):
		message = clip(message + whereFrom)
	}
	e := apierror.New(code, message)
	if status != 0 {
		e.Status = status
	}
	e.Upstream, e.Said = true, s
	if code == apierror.BadRequest {
		e.Param = strings.TrimPrefix(Scrub(f.field), "request.")
	}
	if e.Status == 429 || e.Status == 503 {
		e.RetryAfter = s.Delay
	}
	return e
}

// verdict is the last column of protocol 4.8; status 0 is the one of the code.
func verdict(s *apierror.Said) (code apierror.Code, status int) {
	if s.HTML && s.HTTP < 500 && s.HTTP != 429 {
		return apierror.UpstreamUnavailable, 0 // a front end spoke, not the API
	}
	switch s.HTTP {
	case 400:
		if deadKey(s) {
			return apierror.NoCredential, 0
		}
		if tooLong(s) {
			return apierror.ContextLength, 0
		}
		return apierror.BadRequest, 0
	case 401, 403:
		return apierror.NoCredential, 0
	case 404:
		return apierror.ModelNotFound, 0
	case 413:
		return apierror.TooLarge, 0
	case 429:
		if usedUp(s) {
			return apierror.QuotaExhausted, 0
		}
		return apierror.RateLimited, 0
	case 501:
		return apierror.Unsupported, 0
	case 503:
		return apierror.UpstreamUnavailable, 503
	case 408, 504:
		return apierror.UpstreamTimeout, 0
	}
	return apierror.UpstreamUnavailable, 0
}

// deadKey knows AI Studio's answer to a bad key, which is a 400 and no fault of the client.
func deadKey(s *apierror.Said) bool {
	text := strings.ToLower(s.Text)
	return s.Reason == "API_KEY_INVALID" || s.Reason == "API_KEY_EXPIRED" || strings.Contains(text, "api key not valid") || strings.Contains(text, "api key expired")
}

// tooLong knows Google's words for a prompt that the model cannot read.
func tooLong(s *apierror.Said) bool {
	return strings.Contains(s.Text, "exceeds the maximum number of tokens")
}

// usedUp tells a quota that is gone for the day or for good from a limit that passes.
func usedUp(s *apierror.Said) bool {
	if s.Reason == "QUOTA_EXHAUSTED" || s.Reason == "INSUFFICIENT_G1_CREDITS_BALANCE" {
		return true
	}
	for _, q := range append([]string{s.Meta["quota_limit"]}, s.Quotas...) {
		if strings.Contains(q, "PerDay") || strings.Contains(q, "Daily") {
			return true
		}
	}
	text := strings.ToLower(s.Text)
	return strings.Contains(text, "per day") || limitZero(text)
}

// limitZero finds "limit: 0" that is not the beginning of another number.
func limitZero(text string) bool {
	for {
		_, rest, ok := strings.Cut(text, "limit: 0")
		if !ok {
			return false
		}
		if rest == "" || (rest[0] < '0' || rest[0] > '9') && !(rest[0] == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9') {
			return true
		}
		text = rest
	}
}
