package pool

import (
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

// entry is one credential: a project of an account, or an API key. Guarded by Pool.mu.
type entry struct {
	cred    oauth.Credential // as read; the project in use is project
	account *account         // nil for API keys, which need no token
	from    *source          // nil for keys out of the settings
	project string
	tier    string
	email   string
	wish    Wish // what the operator wants of it

	kind      uint8 // bit of the kind
	listed    bool  // one of several projects of its file, which discovery leaves alone
	gone      bool  // not in the pool any more; leases may still hold it
	inactive  bool  // shut out by the environment: shown, and not lent
	disabled  bool
	noPreview bool // Google has shown it no preview models
	dirty     bool // States has not heard of the last change

	reason, link string // why it is switched off, for the operator
	switched     int64  // when it was switched off or on last, Unix nanoseconds
	cool         cooldown
	marks        map[string]*mark // by model
	capped       caps             // rests by the limits of the day

	strikes   int32 // refusals in a row that may end in a ban
	faults    int32 // of its own proxy, in a row
	struck    int64 // when the last one came, Unix nanoseconds
	faulted   int64
	rejected  string // project that Google refused, while another one is looked for
	refusal   string // why it did
	enabledAt time.Time
	finding   chan struct{} // discovery in flight, closed at its end
	lost      error         // why the last discovery found nothing

	look *look // at what Google says is left, nil before the first

	codes       []int          // HTTP statuses since the last success, newest last
	messages    map[int]string // what Google said with them, without secrets
	day         Day
	hours       []Hour // ascending
	calls       int64
	lastSuccess time.Time
	told        int64 // the calls that States has heard of

	pos  int    // place in the index
	sat  seat   // what it was laid out for
	due  int64  // end of a rest that the index waits for
	out  int    // calls under way, of a sign-in in account.grant
	used int64  // calls of the day
	left []Left // of its quotas, as Google says
}

// account is what the projects of one sign-in share: the token. A service account has one project.
type account struct {
	cred       oauth.Credential // its id is that of the item in the source
	from       *source
	origin     string   // secret as the source has it; a newer refresh token may be in cred
	was        []string // hashes of the secrets that the source had before Google gave newer ones, latest first
	heir       string   // hash of the one that it has by now, where another node wrote it and it was not read yet
	heirWas    []string // and of those before that one
	entries    []*entry
	token      string
	expiry     time.Time
	stale      bool                // Google refused the token, whatever its expiry says
	forced     bool                // it did, and nothing has worked since
	retryAt    time.Time           // no refresh before, while the token still works
	refreshing chan struct{}       // refresh in flight, closed at its end
	mailed     bool                // the e-mail was asked for
	failed     *oauth.RefreshError // of the last refresh, nil when it gave a token
	ahead      time.Duration       // before its end the token is renewed, without anybody asking
	grant      *grant              // what it shares with other files of the same sign-in; nil until it is in the queue
}

// cooldown keeps a credential, or one model on it, out of use for a while.
type cooldown struct {
	until, since int64 // Unix nanoseconds
	soft         bool  // a guess: an exchange that is in it already may try again
	code         apierror.Code
	status       int
}

// longer lets the later end win.
func (c *cooldown) longer(d cooldown) {
	if d.until > c.until {
		*c = d
	}
}

// mark is what is known of one model on one credential.
type mark struct {
	cooldown
	guesses int // how often the end had to be guessed
}

// maxMarks bounds the models that clients can make an entry remember.
const maxMarks = 64

func (e *entry) mark(model string, now int64) *mark {
	if m := e.marks[model]; m != nil {
		return m
	}
	if e.marks == nil {
		e.marks = map[string]*mark{}
	}
	if len(e.marks) >= maxMarks {
		e.forget(now)
	}
	m := &mark{}
	e.marks[model] = m
	return m
}

// forget drops the marks that are over, else one of a model that does not exist, else the one that
// ends first: made-up names must not push out what is known of real models.
func (e *entry) forget(now int64) {
	var least string
	for model, m := range e.marks {
		if m.until <= now {
			delete(e.marks, model)
		} else if least == "" || m.below(e.marks[least]) {
			least = model
		}
	}
	if len(e.marks) >= maxMarks {
		delete(e.marks, least)
	}
}

// below tells which of two marks is the lesser loss.
func (m *mark) below(other *mark) bool {
	if lost := m.code == apierror.ModelNotFound; lost != (other.code == apierror.ModelNotFound) {
		return lost
	}
	return m.until < other.until
}

// free tells that the entry can serve the model now.
func (e *entry) free(model string, now int64) bool {
	if e.disabled || e.cool.until > now || e.capped != (caps{}) && e.capped.over(model) > now {
		return false
	}
	if len(e.marks) == 0 {
		return true
	}
	m := e.marks[model]
	return m == nil || m.until <= now
}

// marked tells that something is known of single models.
func (e *entry) marked() bool { return len(e.marks) > 0 || e.capped != (caps{}) }

// restOf is when the entry can serve the model again, as far as it hangs on the model; 0 or past for now.
func (e *entry) restOf(model string) int64 {
	until := int64(0)
	if m := e.marks[model]; m != nil {
		until = m.until
	}
	if e.capped != (caps{}) {
		until = max(until, e.capped.over(model))
	}
	return until
}

// rest is the cooldown that ends last, zero when the entry is free.
func (e *entry) rest(model string, now int64) (c cooldown) {
	if e.cool.until > now {
		c = e.cool
	}
	if m := e.marks[model]; m != nil && m.until > now && m.until > c.until {
		c = m.cooldown
	}
	if e.capped != (caps{}) {
		if day := e.capped.rest(model); day.until > now && day.until > c.until {
			c = day
		}
	}
	return c
}

// soft tells that nothing but guesses keeps the entry from serving the model.
func (e *entry) soft(model string, now int64) bool {
	if e.disabled || e.cool.until > now && !e.cool.soft || e.capped != (caps{}) && e.capped.over(model) > now {
		return false
	}
	m := e.marks[model]
	return m == nil || m.until <= now || m.soft
}

// maxCodes is how many statuses an entry remembers.
const maxCodes = 10

// noteCode remembers a status and what was said with it, without secrets.
func (e *entry) noteCode(status int, text string) {
	if status < 400 { // an error inside of an answer that began well
		return
	}
	if i := slices.Index(e.codes, status); i >= 0 {
		e.codes = slices.Delete(e.codes, i, i+1)
	}
	if len(e.codes) >= maxCodes {
		delete(e.messages, e.codes[0])
		e.codes = slices.Delete(e.codes, 0, 1)
	}
	e.codes = append(e.codes, status)
	if e.messages == nil && text != "" {
		e.messages = map[int]string{}
	}
	if text != "" {
		e.messages[status] = text
	}
}

// disable switches the entry off until a person switches it on or replaces it.
func (p *Pool) disable(e *entry, reason, link string) {
	if e.disabled || e.gone {
		return
	}
	e.disabled, e.dirty, e.switched = true, true, p.now().UnixNano()
	p.moved(e)
	e.blame(reason, link)
	said := []any{"credential", e.cred.ID, "reason", e.reason}
	if p.cause != "" {
		said = append(said, "id", p.cause)
	}
	p.say(slog.LevelWarn, "credential switched off", said...)
}

// blame keeps why the entry is of no use, for the operator to read and a link to click on: Google's
// words, so neither a secret nor anything but a web address may be in them.
func (e *entry) blame(reason, link string) {
	e.reason, e.link = e.masked(reason), e.linkIn(link)
}

// linkIn is the link where it may be shown, else "".
func (e *entry) linkIn(link string) string {
	u, err := url.Parse(link)
	if err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && e.masked(link) == link {
		return link
	}
	return ""
}

// masked is text without this credential's secrets and whatever else looks like one.
func (e *entry) masked(text string) string {
	for _, secret := range e.secrets() {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return gemini.Mask(text)
}

func (e *entry) secrets() []string {
	all := longLived(e.cred)
	if e.account != nil {
		all = append(append(all, longLived(e.account.cred)...), e.account.token)
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < 8 }) // no secret, and in every other word
}

// longLived are the secrets of a credential that stay the same for long. Access tokens do not.
func longLived(c oauth.Credential) []string {
	return []string{c.APIKey, c.RefreshToken, c.ClientSecret, c.PrivateKey}
}

// rests cools the whole entry down.
func (p *Pool) rests(e *entry, d time.Duration, c cooldown) {
	now := p.now().UnixNano()
	c.since, c.until = now, now+int64(d)
	e.cool.longer(c)
	e.dirty = true
	p.moved(e)
}

// kindBit numbers the kinds.
func kindBit(kind string) uint8 {
	switch kind {
	case oauth.CodeAssist:
		return 1
	case oauth.Gemini:
		return 2
	case oauth.Vertex:
		return 4
	}
	return 0
}
