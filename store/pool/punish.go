package pool

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"gcli2api/pipeline/apierror"
)

// outcome is a failed call as the table judged it.
type outcome struct {
	l   *lease
	f   *apierror.Error
	r   *row
	now time.Time
}

func (o outcome) said() apierror.Said {
	if o.f.Said == nil {
		return apierror.Said{}
	}
	return *o.f.Said
}

// began is when the call did: what was counted since must not be counted again, because a burst of
// parallel calls that fail together is one piece of bad news.
func (o outcome) began() int64 { return o.l.start.UnixNano() }

// succeeded clears what a success disproves. A cooldown that began after the call stays: the news
// is older than that.
func (p *Pool) succeeded(l *lease, t time.Time) {
	e, began := l.entry, l.start.UnixNano()
	e.lastSuccess, e.strikes, e.faults, e.codes, e.messages = t, 0, 0, e.codes[:0], nil
	if e.noPreview && preview(l.lane.model) {
		e.noPreview, e.dirty = false, true
		p.moved(e)
	}
	p.count(l, t)
	if m := e.marks[l.lane.model]; m != nil && m.since <= began {
		delete(e.marks, l.lane.model)
		p.moved(e)
	}
	if e.cool.until != 0 && e.cool.since <= began {
		e.cool = cooldown{}
		p.moved(e)
		e.dirty = true
	}
	if a := e.account; a != nil && a.token == l.token {
		a.forced = false
	}
	if e.project == l.project && e.project != e.rejected {
		e.rejected = ""
	}
	e.enabledAt = time.Time{}
	if !e.disabled {
		e.reason, e.link = "", ""
	}
	p.recovers(l)
}

// punish applies the row to the credential. The caller holds mu.
func (p *Pool) punish(o outcome) {
	e, s := o.l.entry, o.said()
	if !o.r.client {
		e.noteCode(s.HTTP, o.text())
	}
	if p.listed(o) {
		p.ban(e, o.reason(), o.link())
		return
	}
	p.coolDown(o)
	switch o.r.then {
	case renews:
		p.unauthorized(o)
	case searches:
		p.wrongProject(o)
	case enables:
		p.serviceOff(o)
	case blinds:
		e.noPreview, e.dirty = true, true
		p.moved(e)
	case bans:
		p.ban(e, o.reason(), o.link())
	case kills:
		p.disable(e, o.reason(), o.link())
	case strikes:
		p.strike(o)
	case complains:
		p.say(slog.LevelError, "Google refuses this gateway", "row", o.r.name, "status", s.HTTP, "text", o.text())
	}
}

// listed tells that AUTO_BAN_ERROR_CODES has the status of an error that the table knows no reason of.
func (p *Pool) listed(o outcome) bool {
	status := o.said().HTTP
	return o.r.listed && status != 400 && slices.Contains(p.set.AutoBanCodes, status)
}

// reason is what the operator reads of a credential that was switched off.
func (o outcome) reason() string {
	says := o.r.says
	if says == "" {
		says = "Google refuses it (" + strconv.Itoa(o.said().HTTP) + ")"
	}
	if text := o.text(); text != "" {
		return says + ": " + text
	}
	return says
}

// text is what Google said, without secrets: it likes to repeat the key. Masked before it is cut,
// because no pattern knows half a key.
func (o outcome) text() string { return cut(o.l.entry.masked(o.said().Text)) }

func cut(text string) string {
	if len(text) <= 300 {
		return text
	}
	return strings.ToValidUTF8(text[:300], "") + "..."
}

// link is where a person can mend it.
func (o outcome) link() string {
	s := o.said()
	for _, name := range []string{"validation_url", "validation_link", "activationUrl", "appeal_url"} {
		if s.Meta[name] != "" {
			return s.Meta[name]
		}
	}
	if len(s.Links) > 0 {
		return s.Links[0]
	}
	return ""
}

// ban switches off what Google refuses for good, or lets it rest where the operator wants no bans.
func (p *Pool) ban(e *entry, reason, link string) {
	if p.set.AutoBan {
		p.disable(e, reason, link)
		return
	}
	p.rests(e, 30*time.Minute, cooldown{code: apierror.NoCredential, status: 503})
	e.blame(reason, link)
}

// strike counts refusals without a known reason.
func (p *Pool) strike(o outcome) {
	e := o.l.entry
	if !p.set.AutoBan || e.struck.After(o.l.start) {
		return // or of the same burst
	}
	e.struck = o.now
	if e.strikes++; e.strikes >= 3 {
		p.disable(e, "again and again: "+o.reason(), o.link())
	}
}

// unauthorized makes the next use refresh the token. A token that is as fresh as can be and refused
// again is the end. API keys cannot be refreshed: the second refusal in a row is theirs.
func (p *Pool) unauthorized(o outcome) {
	e, a := o.l.entry, o.l.entry.account
	if a == nil {
		if e.struck.After(o.l.start) {
			return
		}
		e.struck = o.now
		if e.strikes++; e.strikes >= 2 {
			p.ban(e, o.reason(), "")
		}
		return
	}
	switch {
	case a.stale || o.l.token != a.token: // a new one is there or on its way
	case a.forced:
		for _, e := range a.entries {
			p.ban(e, o.reason(), "")
		}
	default:
		a.stale, a.forced = true, true
	}
}

// wrongProject makes the next use look for the project again; finding the same one is the end.
func (p *Pool) wrongProject(o outcome) {
	e := o.l.entry
	switch {
	case e.account == nil || e.listed || e.cred.IsService():
		p.ban(e, o.reason(), o.link())
	case e.finding != nil || o.l.project != e.project: // another one is there or on its way
	case e.rejected != "":
		p.ban(e, o.reason(), o.link())
	default:
		e.rejected, e.refusal, e.project = e.project, o.reason(), ""
	}
}

// enabling is how long Google may take until calls notice that an API was enabled.
const enabling = 6 * time.Minute

func (p *Pool) serviceOff(o outcome) {
	e := o.l.entry
	switch {
	case e.account == nil || p.closed:
		p.ban(e, o.reason(), o.link())
	case e.enabledAt.IsZero():
		e.enabledAt = o.now
		p.enable(e, o.reason(), o.link())
	case o.now.Sub(e.enabledAt) > enabling:
		p.ban(e, o.reason(), o.link())
	}
}

// coolDown applies scope and rule of the row.
func (p *Pool) coolDown(o outcome) {
	e, r := o.l.entry, o.r
	switch r.scope {
	case onUpstream:
		p.held(o.l).trip(o)
	case onGateway:
		p.google.trip(o)
	case onCred:
		if d := p.lengthOfAll(o); d > 0 {
			p.rests(e, d, cooldown{code: o.f.Code, status: o.f.Status, soft: r.cool.soft})
		}
	case onPair:
		p.coolModel(o, o.l.lane.model)
		if named := o.said().Meta["model"]; named != "" && named != o.l.lane.model && len(named) < 100 {
			p.coolModel(o, named) // the quota's own name for it (protocol 4.6)
		}
		if r.shared {
			p.coolShared(o)
		}
	}
}

func (p *Pool) coolModel(o outcome, model string) {
	e, now := o.l.entry, o.now.UnixNano()
	m := e.mark(model, now)
	d, soft := p.length(o, m)
	if d <= 0 {
		return
	}
	m.longer(cooldown{until: now + int64(d), since: now, soft: soft, code: o.f.Code, status: o.f.Status})
	e.dirty = true
	p.moved(e)
}

// length is how long the row cools a model down, and whether that is a guess.
func (p *Pool) length(o outcome, m *mark) (d time.Duration, soft bool) {
	c, s := o.r.cool, o.said()
	switch c.rule {
	case reset:
		if s.Timing {
			return s.Delay, false
		}
		if m.since <= o.began() || m.guesses == 0 {
			m.guesses++
		}
		d = c.least
		for range m.guesses - 1 {
			d = min(d*time.Duration(c.times), c.most)
		}
		return d, c.soft
	case minutely:
		if s.Timing {
			return s.Delay, false
		}
		return c.least, false
	case pacific:
		if s.Timing && (s.Meta["quotaResetTimeStamp"] != "" || s.Meta["quotaResetDelay"] != "") {
			return s.Delay, false
		}
		return untilMidnight(o.now), false // the RetryInfo beside it is often short, and wrong
	}
	return between(c.least, c.most), c.soft
}

// coolShared cools the models down that draw on the same quota.
func (p *Pool) coolShared(o outcome) {
	asked := o.l.lane.model
	for _, list := range p.set.Shared {
		if !slices.Contains(list, asked) {
			continue
		}
		for _, model := range list {
			if model != asked {
				p.coolModel(o, model)
			}
		}
	}
}

// lengthOfAll is how long the row cools the whole credential down; 0 while it has not failed often enough.
func (p *Pool) lengthOfAll(o outcome) time.Duration {
	e, c := o.l.entry, o.r.cool
	if c.rule == inARow {
		if e.faulted.After(o.l.start) {
			return 0 // of the same burst
		}
		e.faulted = o.now
		if e.faults++; e.faults < c.times {
			return 0
		}
	}
	return between(c.least, c.most)
}
