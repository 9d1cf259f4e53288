package pool

import (
	"slices"
	"time"

	"gcli2api/pipeline/apierror"
)

// row is one line of the decision table (protocol 4.8): when it applies, what cools down and for how
// long, which calls are worth another try, and what lasts. The first row that matches decides.
type row struct {
	name   string
	when   match
	scope  scope
	cool   cool
	same   []time.Duration // pauses before goes of one exchange at the same credential
	others int             // other credentials that one exchange may try: none, a number, or all
	first  bool            // others are tried before the same one again
	back   bool            // when nobody else is left, wait for the end if that is short or a guess
	then   then
	way    bool   // of the others only one whose calls go out by another proxy
	shared bool   // the models that draw on the same quota cool down too
	listed bool   // Google gave no reason: AUTO_BAN_ERROR_CODES decides
	says   string // for the operator, where the row switches a credential off
	pauses string // for the client, while a breaker that the row counts at is open
	note   string // for the operator who reads the table
	client bool   // the client's own mistake, of which nothing is noted
	by     string // who wrote it: "" for the gateway
}

// scope is what cools down.
type scope uint8

const (
	onNothing  scope = iota
	onCred           // C: the credential
	onPair           // CM: the model on the credential
	onUpstream       // M: the model at this kind of Google's services, by a breaker; no credential is to blame
	onGateway        // G: all calls, by a breaker
)

// rule is how the end of a cooldown is found.
type rule uint8

const (
	fixed    rule = iota // between least and most
	reset                // what Google said, else a guess: least, times more with each repeat, up to most
	pacific              // what the metadata say, else midnight in California, when daily quotas begin anew
	inARow               // between least and most, after as many failures in a row as times says
	minutely             // what Google said, else least
)

type cool struct {
	rule        rule
	least, most time.Duration
	times       int
	soft        bool // the length is a guess: an exchange under way may try again
}

// then is what lasts.
type then uint8

const (
	stays     then = iota
	renews         // force a refresh; the second time switch off
	searches       // look for the project again; if it is the same one, switch off
	enables        // switch the API on; if that is refused or does not help, switch off
	blinds         // the credential has no access to previews
	bans           // switch off; with AUTO_BAN off it rests for half an hour instead
	kills          // switch off: it can never work again
	strikes        // the third time in a row switch off, unless AUTO_BAN is off
	complains      // a person should know; nothing changes
)

const (
	all     = 1 << 10
	seconds = time.Second
	minutes = time.Minute
	hours   = time.Hour
)

// table is protocol 4.8 with the texts and reasons of 4.2 to 4.7, in the order in which it is read.
func table() []row {
	rows := slices.Concat(unheard(), wrong(), refused(), unknown(), limited(), broken())
	// The gateway's own refusals, and statuses that only the client can mend.
	return append(rows, row{name: "anything else", listed: true})
}

// The breaks of a breaker: capacity is back soon, what is broken may stay so for a while.
func short() cool { return cool{least: 5 * seconds, most: 15 * seconds} }
func long() cool  { return cool{least: 5 * seconds, most: minutes} }

const (
	noCapacity = "Google has no capacity for this model"
	noSense    = "Google fails at this model"
	noAnswer   = "Google cannot be reached for this model"
	noWay      = "Google answers with pages instead of the API"
)

// unheard is what came without an error of the API in it: nothing, half an answer, or a page.
func unheard() []row {
	return []row{
		{name: "empty answer", when: match{code: apierror.EmptyAnswer},
			same: []time.Duration{0}, others: 3, first: true}, // as often as the official client tries

		// The way of one credential is no fault of Google's.
		{name: "network, own proxy", when: match{network: true, proxied: true}, scope: onCred, cool: cool{rule: inARow, times: 2, least: 30 * seconds, most: 60 * seconds},
			same: []time.Duration{500 * time.Millisecond}, others: all},
		{name: "stream broken", when: match{code: apierror.StreamBroken}, scope: onUpstream, cool: long(), pauses: noAnswer,
			same: []time.Duration{500 * time.Millisecond}, others: all},
		{name: "network", when: match{network: true}, scope: onUpstream, cool: long(), pauses: noAnswer,
			same: []time.Duration{500 * time.Millisecond}, others: all, note: "the second go has another connection"},
		// Only these two pages mean the gateway's address: others follow from what a client asked,
		// and one client must not stop the rest.
		{name: "page: unusual traffic", when: match{html: true, http: []int{403, 429}},
			scope: onGateway, cool: short(), pauses: noWay, others: 1, then: complains},
		{name: "page instead of a reply", when: match{html: true, http: []int{200}}, scope: onUpstream, cool: long(), pauses: noWay,
			same: []time.Duration{500 * time.Millisecond}, others: all},
		{name: "page 4xx", when: match{html: true, below: 500},
			others: 1, then: complains},
	}
}

// wrong is 400 and 401.
func wrong() []row {
	return []row{
		{name: "400 dead key", when: match{http: []int{400}, reason: []string{"API_KEY_INVALID", "API_KEY_EXPIRED"}},
			others: all, then: kills, says: "Google does not know this API key"},
		{name: "400 dead key by text", when: match{http: []int{400}, text: []string{"api key not valid", "api key expired"}},
			others: all, then: kills, says: "Google does not know this API key"},
		{name: "400 location", when: match{http: []int{400}, text: []string{"location is not supported"}},
			others: 1, way: true, then: complains, note: "the address that calls go out by is in a country that Google does not serve"},
		{name: "400 thought signature", when: match{http: []int{400}, text: []string{"thought_signature", "thought signature"}},
			note: "the stage upstream asks once more with signatures that Google takes from everybody", client: true},
		{name: "400", when: match{http: []int{400}}, note: "the client's own mistake", client: true},
		{name: "401", when: match{http: []int{401}},
			same: []time.Duration{0}, others: all, then: renews, note: "an API key cannot be renewed: it is switched off the second time", says: "Google refuses its tokens, also fresh ones: sign in again, or replace the key file"},
	}
}

// refused is 403 (4.4).
func refused() []row {
	return []row{
		{name: "403 verify", when: match{http: []int{403}, reason: []string{"VALIDATION_REQUIRED"}},
			others: all, then: bans, says: "the account has to be verified in a browser"},
		{name: "403 terms", when: match{http: []int{403}, reason: []string{"TOS_VIOLATION"}},
			others: all, then: kills, says: "Google has banned the account from the service"},
		{name: "403 terms by text", when: match{http: []int{403}, text: []string{"violation of terms of service"}},
			others: all, then: kills, says: "Google has banned the account from the service"},
		{name: "403 suspended", when: match{http: []int{403}, reason: []string{"CONSUMER_SUSPENDED", "BILLING_DISABLED"}},
			others: all, then: bans, says: "project or account are suspended, or have no billing"},
		{name: "403 suspended by text", when: match{http: []int{403}, text: []string{"has been suspended", "account suspended"}},
			others: all, then: bans, says: "project or account are suspended"},
		{name: "403 service disabled", when: match{http: []int{403}, reason: []string{"SERVICE_DISABLED", "accessNotConfigured"}},
			scope: onCred, cool: cool{least: 2 * minutes, most: 5 * minutes}, others: all, then: enables, says: "the API is off in its project and could not be enabled"},
		{name: "403 service disabled by text", when: match{http: []int{403}, text: []string{"has not been used in project", "enable it by visiting"}},
			scope: onCred, cool: cool{least: 2 * minutes, most: 5 * minutes}, others: all, then: enables, says: "the API is off in its project and could not be enabled"},
		{name: "403 scope", when: match{http: []int{403}, reason: []string{"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}},
			others: all, then: bans, says: "a permission was not granted at sign-in: sign in again and tick all"},
		{name: "403 policy", when: match{http: []int{403}, reason: []string{"SECURITY_POLICY_VIOLATED"}},
			others: all, then: bans, says: "a policy of the organisation forbids it (VPC Service Controls)"},
		{name: "403 key blocked", when: match{http: []int{403}, reason: []string{"API_KEY_SERVICE_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED"}},
			others: all, then: bans, says: "the restrictions of the API key forbid it"},
		{name: "403 key leaked", when: match{http: []int{403}, text: []string{"reported as leaked"}},
			others: all, then: kills, says: "the API key was found in public and is blocked"},
		{name: "403 licence", when: match{http: []int{403}, reason: []string{"SUBSCRIPTION_REQUIRED"}},
			same: []time.Duration{0}, others: all, then: searches, says: "there is no Code Assist licence"},
		{name: "403 licence by text", when: match{http: []int{403}, text: []string{"must be a named user"}},
			same: []time.Duration{0}, others: all, then: searches, says: "no Code Assist licence is assigned to the account"},
		{name: "403 project", when: match{http: []int{403}, reason: []string{"CONSUMER_INVALID", "USER_PROJECT_DENIED", "IAM_PERMISSION_DENIED"}},
			same: []time.Duration{0}, others: all, then: searches, says: "the account may not use its project"},
		{name: "403 permission by text", when: match{http: []int{403}, text: []string{"caller does not have permission", "permission 'cloudaicompanion.", "permission denied on resource project"}},
			same: []time.Duration{0}, others: all, then: searches, says: "the account may not use its project"},
		{name: "403", when: match{http: []int{403}},
			scope: onCred, cool: cool{least: 30 * minutes}, others: all, then: strikes, says: "Google refuses it (403)", listed: true},
	}
}

// unknown is 404.
func unknown() []row {
	return []row{
		{name: "404 preview", when: match{http: []int{404}, preview: true},
			scope: onPair, cool: cool{least: 12 * hours}, others: all, then: blinds, note: "those with access to previews are tried first"},
		{name: "404", when: match{http: []int{404}},
			scope: onPair, cool: cool{least: 12 * hours}, others: 1},
	}
}

// limited is 429 with the letters of 4.6, and 503 where it says the same.
func limited() []row {
	return []row{
		{name: "429 I limit 0", when: match{http: []int{429}, zero: true},
			scope: onPair, cool: cool{least: 24 * hours}, others: all},
		{name: "429 C capacity", when: match{http: []int{429, 503}, reason: []string{"MODEL_CAPACITY_EXHAUSTED", "MODEL_CAPACITY_EXCEEDED"}},
			scope: onUpstream, cool: short(), pauses: noCapacity, same: []time.Duration{seconds, 3 * seconds}, others: 2},
		{name: "429 C capacity by text", when: match{http: []int{429, 503}, text: []string{"no capacity available", "is overloaded"}},
			scope: onUpstream, cool: short(), pauses: noCapacity, same: []time.Duration{seconds, 3 * seconds}, others: 2},
		{name: "429 G credits", when: match{http: []int{429}, reason: []string{"INSUFFICIENT_G1_CREDITS_BALANCE"}},
			scope: onCred, cool: cool{least: hours}, others: all, note: "the gateway never asks for credits"},
		{name: "429 D, H per day", when: match{http: []int{429}, quota: []string{"PerDay", "Daily"}},
			scope: onPair, cool: cool{rule: pacific}, others: all},
		{name: "429 D per day by text", when: match{http: []int{429}, text: []string{"per day"}},
			scope: onPair, cool: cool{rule: pacific}, others: all},
		{name: "429 D, H per minute", when: match{http: []int{429}, quota: []string{"PerMinute"}},
			scope: onPair, cool: cool{rule: minutely, least: 60 * seconds}, others: all, back: true},
		{name: "429 D per minute by text", when: match{http: []int{429}, text: []string{"per minute"}},
			scope: onPair, cool: cool{rule: minutely, least: 60 * seconds}, others: all, back: true},
		{name: "429 B quota", when: match{http: []int{429}, reason: []string{"QUOTA_EXHAUSTED"}},
			scope: onPair, cool: cool{rule: reset, least: hours, times: 2, most: 24 * hours}, others: all, shared: true},
		{name: "429 A rate", when: match{http: []int{429}, reason: []string{"RATE_LIMIT_EXCEEDED"}, domain: "cloudcode-pa.googleapis.com"},
			scope: onPair, cool: cool{rule: reset, least: minutes, times: 4, most: 4 * hours, soft: true}, others: all, back: true},
		{name: "429 F shared capacity", when: match{http: []int{429}, text: []string{"resource exhausted. please try again later", "error-code-429"}},
			scope: onPair, cool: cool{least: 5 * seconds, most: 10 * seconds, soft: true}, same: []time.Duration{2 * seconds}, first: true, others: all},
		{name: "429 E bare", when: match{http: []int{429}},
			scope: onPair, cool: cool{rule: reset, least: minutes, times: 4, most: 4 * hours, soft: true}, others: all, back: true},
	}
}

// broken is trouble on Google's side (4.5).
func broken() []row {
	return []row{
		{name: "499", when: match{http: []int{499}},
			same: []time.Duration{500 * time.Millisecond}, others: all},
		{name: "500, 502", when: match{http: []int{500, 502}},
			scope: onUpstream, cool: long(), pauses: noSense, same: []time.Duration{seconds}, others: all},
		{name: "503, 504", when: match{http: []int{503, 504, 408}},
			scope: onUpstream, cool: long(), pauses: noSense, same: []time.Duration{seconds, 3 * seconds}, others: all},
	}
}
