package pool

import (
	"slices"
	"strconv"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
)

// Exhausted says why no credential can be lent for a model.
type Exhausted struct {
	Total    int           // credentials in the pool
	Members  int           // of these, in the group of the caller; all when it is bound to none
	Fit      int           // of these, of a kind that serves the model
	Disabled int           // of these, switched off
	Cooling  int           // of these, resting
	Quota    int           // of these, waiting for quota
	Until    time.Time     // when the first of the resting ones is free
	Code     apierror.Code // why they rest: for quota if one of them does
	Status   int           // what a client is told then
	Vertex   bool          // a credential of Vertex AI would serve the model as well
	Closed   int           // credentials that are not in the pool, because they stay sealed
}

// Exhausted counts what keeps the pool from serving w; Fit > Disabled + Cooling means that it can.
func (p *Pool) Exhausted(w Want) Exhausted {
	k, t := p.laneOf(&w), p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exhausted(k, t)
}

// exhausted counts once for all who ask until something changes.
func (p *Pool) exhausted(k lane, t time.Time) Exhausted {
	p.current(t.UnixNano())
	r := p.rotation(k)
	if r.whyAt != p.loosened || r.whyAt == 0 || r.why.Cooling > 0 && !t.Before(r.why.Until) {
		r.why, r.whyAt = p.tally(k, t.UnixNano()), p.loosened
	}
	x := r.why
	x.Closed = p.shut.n
	return x
}

func (p *Pool) tally(k lane, now int64) Exhausted {
	x := Exhausted{Total: len(p.queue), Vertex: k.kinds&kindBit(oauth.Vertex) != 0}
	var quota, other, lost, first cooldown // the first to end of each sort, and of all
	sooner := func(c *cooldown, d cooldown) {
		if c.until == 0 || d.until < c.until {
			*c = d
		}
	}
	for _, e := range p.queue {
		if k.group != "" && !slices.Contains(e.wish.Groups, k.group) {
			continue
		}
		x.Members++
		if e.kind&k.kinds == 0 {
			continue
		}
		x.Fit++
		if e.disabled {
			x.Disabled++
			continue
		}
		c := e.rest(k.model, now)
		if c.until == 0 {
			continue
		}
		x.Cooling++
		sooner(&first, c)
		switch {
		case c.status == 429:
			x.Quota++
			sooner(&quota, c)
		case c.code == apierror.ModelNotFound:
			sooner(&lost, c)
		default:
			sooner(&other, c)
		}
	}
	why := quota
	if why.until == 0 {
		why = other
	}
	if why.until == 0 {
		why = lost
	}
	if x.Cooling > 0 {
		x.Until, x.Code, x.Status = time.Unix(0, first.until), why.code, why.status
	}
	return x
}

// freeIn is how long nobody can serve the lane; 0 when somebody can now, or nobody ever.
func (p *Pool) freeIn(k lane, t time.Time) time.Duration {
	if p.busy(k, t.UnixNano()) {
		return 0
	}
	if x := p.exhausted(k, t); x.Cooling > 0 {
		return max(x.Until.Sub(t), 0)
	}
	return 0
}

// explain puts it into words that are safe to show.
func (x Exhausted) explain(w *Want, t time.Time) *apierror.Error {
	switch {
	case x.Total == 0 && x.Closed > 0:
		return apierror.New(apierror.NoCredential, "the gateway's credentials cannot be opened now: its operator finds the reason in the log")
	case x.Total == 0:
		return apierror.New(apierror.NoCredential, "the gateway has no credential: set GEMINI_API_KEY, "+
			"put a credential file into the credentials folder (CREDENTIALS_DIR, ./creds unless set), upload one or sign in (POST /auth/upload, /auth/start)")
	case x.Members == 0:
		return apierror.Newf(apierror.NoCredential, "your key is bound to the credentials of the group %.100q, and no credential of that group exists: "+
			"the operator of this gateway can put one into it", w.Group)
	case x.Fit == 0:
		return apierror.Newf(apierror.NoCredential, "no credential serves the model %.100q: it needs "+x.needs()+
			", or put a key file into the credentials folder)", w.Model)
	case x.Cooling == 0:
		return apierror.New(apierror.NoCredential, "no credential is usable: "+plural(x.Disabled)+" switched off "+
			"(see the log or /creds/status). Add another: GEMINI_API_KEY, a file in the credentials folder, an upload or a sign-in")
	}
	wait := max((x.Until.Sub(t) + time.Second - 1).Truncate(time.Second), time.Second)
	if x.Quota > 0 && x.Quota < x.Cooling {
		return apierror.New(x.Code, "no credential is free for this model: some wait for their quota, the others rest after errors of Google; "+
			"the first one is back in "+wait.String()).After(wait)
	}
	switch x.Code {
	case apierror.ModelNotFound:
		return apierror.Newf(apierror.ModelNotFound, "no credential has access to the model %.100q", w.Model).Naming("model")
	case apierror.QuotaExhausted:
		return apierror.New(x.Code, "the quota of every credential for this model is used up; the first one is back in "+wait.String()).After(wait)
	case apierror.RateLimited:
		return apierror.New(x.Code, "every credential is rate limited for this model; the first one is back in "+wait.String()).After(wait)
	case apierror.NoCredential:
		return apierror.New(x.Code, "Google refuses every credential at the moment; the first one is tried again in "+wait.String()).After(wait)
	}
	e := apierror.New(apierror.UpstreamUnavailable, "every credential rests after errors of Google or of its proxy; the first one is tried again in "+wait.String()).After(wait)
	e.Status = 503
	return e
}

// needs names what would serve the model, and the settings for it.
func (x Exhausted) needs() string {
	if x.Vertex {
		return "an API key of Google AI Studio or Vertex AI (set GEMINI_API_KEY or VERTEX_API_KEY"
	}
	return "an API key of Google AI Studio (set GEMINI_API_KEY"
}

func plural(n int) string {
	if n == 1 {
		return "the only one for this model is"
	}
	return "all " + strconv.Itoa(n) + " for this model are"
}

// unknownRest is a cooldown whose reason was not kept.
func unknownRest(until time.Time) cooldown {
	return cooldown{until: until.UnixNano(), code: apierror.RateLimited, status: 429}
}
