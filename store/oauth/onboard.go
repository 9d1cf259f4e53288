package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// projectRef is a project that Google writes as a string or as an object with an id.
type projectRef struct{ id string }

// UnmarshalJSON takes both forms, and anything else as no project.
func (p *projectRef) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &p.id) == nil {
		return nil
	}
	var o struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(data, &o) // neither form: no project
	p.id = o.ID
	return nil
}

// operation is google.longrunning.Operation.
type operation struct {
	Name     string `json:"name"`
	Done     bool   `json:"done"`
	Response struct {
		Project projectRef `json:"cloudaicompanionProject"`
	} `json:"response"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// onboard signs the account up for the tier that it is offered and waits for the project.
func (d discovery) onboard(project string, l standing) (Found, error) {
	t := l.offered()
	if t.ID == "free-tier" {
		project = "" // Google's own project comes with it; naming another is a failed precondition
	} else if project == "" && t.Own {
		return Found{}, l.hopeless()
	}
	in := setupRequest{Tier: t.ID, Project: project, Metadata: metadataOf(project)}
	var op operation
	if err := d.c.call(d.ctx, request{d.url(":onboardUser"), d.token, in}, &op); err != nil {
		return Found{}, d.refused(err, l)
	}
	if err := d.await(&op, in); err != nil {
		return Found{}, d.refused(err, l)
	}
	if op.Error != nil {
		return Found{}, op.failure(t.ID)
	}
	if found := first(op.Response.Project.id, project); found != "" {
		if l.Paid != nil {
			t.ID = first(l.Paid.ID, t.ID)
		}
		return Found{found, t.ID}, nil
	}
	return Found{}, l.hopeless()
}

// failure puts the end of an operation into words. Its code is one of google.rpc.
func (op *operation) failure(tier string) *DiscoverError {
	e := &DiscoverError{Permanent: true, Reason: fmt.Sprintf("onboarding to %s failed (code %d)", word(tier), op.Error.Code)}
	switch op.Error.Code {
	case 7:
		e.Reason += ": the account has no permission"
	case 9:
		e.Reason += ": a precondition does not hold, for example the tier wants another project"
	case 1, 4, 8, 10, 13, 14: // cancelled, too late, exhausted, aborted, internal, unavailable
		e.Permanent = false
	}
	e.Says = e.Reason
	if says := phrase(op.Error.Message); says != "" {
		e.Reason += "; Google says: " + says
	}
	return e
}

// refused prefers what loadCodeAssist said about the account over the bare refusal to onboard it.
func (d discovery) refused(err error, l standing) *DiscoverError {
	e := refusal(err)
	if e.Permanent && len(l.Ineligible) > 0 {
		e = l.hopeless()
		e.cause = err
	}
	return e
}

// await looks at the operation until it is done. One without a name can only be asked for again.
func (d discovery) await(op *operation, in setupRequest) error {
	for waited := time.Duration(0); !op.Done; waited += d.c.o.PollEvery {
		if waited >= d.c.o.PollFor || !sleep(d.ctx, d.c.o.PollEvery) {
			return fmt.Errorf("onboarding was not done after %s", waited)
		}
		r := request{d.url(":onboardUser"), d.token, in}
		if op.Name != "" {
			r.url, r.in = d.url("/"+op.Name), nil
		}
		*op = operation{Name: op.Name}
		err := d.c.call(d.ctx, r, op)
		if err != nil && r.in == nil && said(err).HTTP == http.StatusNotFound {
			op.Name = "" // forgotten: asking to onboard again tells as much
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
