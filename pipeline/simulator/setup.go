package simulator

import (
	"time"
)

// operation is a long-running onboarding, or the switching on of a service.
type operation struct {
	email, tier, project string
	service              string // "" for an onboarding
	polls                int    // answers "not done" this many times more
}

// prepare does what all setup methods begin with: scripted faults, the token, the strict reader.
func (s *Server) prepare(x *exchange, message string) (account, object, *failure) {
	a, f := s.bearer(x, "cloudcode-pa.googleapis.com")
	if f != nil {
		return a, nil, f
	}
	if f := s.scripted(x, ""); f != nil {
		return a, nil, f
	}
	tree, _, f := x.decode(assist, message)
	if f == nil && x.r.Header.Get("X-Goog-User-Project") != "" {
		f = serviceDisabled("cloudcode-pa.googleapis.com", "Cloud Code Private API", x.r.Header.Get("X-Goog-User-Project"))
	}
	return a, tree, f
}

func (s *Server) loadCodeAssist(x *exchange) {
	a, tree, f := s.prepare(x, "LoadCodeAssist")
	if f != nil {
		x.fail(f)
		return
	}
	project, _ := tree["cloudaicompanionProject"].(string)
	if project != "" && a.Tier != "free-tier" && !a.owns(project) {
		x.fail(forbidden("Permission denied on resource project "+project+".",
			errorInfo("CONSUMER_INVALID", "googleapis.com", object{"consumer": "projects/" + project, "service": "cloudaicompanion.googleapis.com"})))
		return
	}
	x.note(func(c *Call) { c.Project = project })
	x.json(a.standing(project))
}

// standing is the loadCodeAssist answer. A tier with a project of the user's own names no project unless one was sent.
func (a account) standing(project string) object {
	answer := object{"allowedTiers": a.allowed(), "gcpManaged": a.Tier != "free-tier"}
	if a.onboarded {
		answer["currentTier"] = tier(a.Tier)
		if a.Tier == "free-tier" {
			answer["cloudaicompanionProject"] = a.Project
		} else if project != "" {
			answer["cloudaicompanionProject"] = project
		}
	}
	if a.PaidTier != "" {
		answer["paidTier"] = object{"id": a.PaidTier, "name": "Gemini Code Assist (paid)"}
	}
	if len(a.Ineligible) > 0 {
		answer["ineligibleTiers"] = a.ineligible()
	}
	return answer
}

func tier(id string) object {
	t := object{"id": id, "name": "Gemini Code Assist", "description": "Simulated tier", "isDefault": true, "privacyNotice": object{"showNotice": false}}
	if id != "free-tier" {
		t["userDefinedCloudaicompanionProject"] = true
	}
	return t
}

// allowed lists the tiers the account may onboard to: its own one unless that is named as ineligible.
func (a account) allowed() []object {
	if a.refuses(a.Tier) {
		other := tier("standard-tier")
		other["isDefault"] = false
		return []object{other}
	}
	return []object{tier(a.Tier)}
}

func (a account) refuses(id string) bool {
	for _, i := range a.Ineligible {
		if i.TierID == id {
			return true
		}
	}
	return false
}

func (a account) ineligible() []object {
	out := []object{}
	for _, i := range a.Ineligible {
		entry := object{"reasonCode": i.ReasonCode, "reasonMessage": i.ReasonMessage, "tierId": i.TierID, "tierName": "Gemini Code Assist for individuals"}
		if i.ReasonCode == "VALIDATION_REQUIRED" {
			entry["validationUrl"] = i.ValidationURL
			entry["validationUrlLinkText"] = "Verify your account"
			entry["validationErrorMessage"] = "Verify your account to continue."
			entry["validationLearnMoreUrl"] = "https://support.google.com/accounts?p=al_alert"
			entry["validationLearnMoreLinkText"] = "Learn more"
		}
		out = append(out, entry)
	}
	return out
}

func (s *Server) onboardUser(x *exchange) {
	a, tree, f := s.prepare(x, "OnboardUser")
	if f != nil {
		x.fail(f)
		return
	}
	id, _ := tree["tierId"].(string)
	project, _ := tree["cloudaicompanionProject"].(string)
	x.note(func(c *Call) { c.Project = project })
	if f := a.checkOnboard(id, project); f != nil {
		x.fail(f)
		return
	}
	s.mu.Lock()
	name := "operations/onboard-" + a.number + "-" + id // asking again is the same as polling
	op := s.operations[name]
	if op == nil {
		op = &operation{email: a.Email, tier: id, polls: a.OnboardPolls}
		s.operations[name] = op
	}
	op.project = project
	answer := s.poll(name, op)
	s.mu.Unlock()
	x.json(answer)
}

func (a account) checkOnboard(id, project string) *failure {
	switch {
	case id == "":
		return badRequest("Request contains an invalid argument.")
	case id == "free-tier" && project != "":
		return precondition("Precondition check failed.")
	case id != a.Tier && id != "legacy-tier" && id != "standard-tier", a.refuses(id):
		return forbidden("The caller does not have permission")
	case id != "free-tier" && project != "" && !a.owns(project):
		return forbidden("Permission denied on resource project "+project+".",
			errorInfo("CONSUMER_INVALID", "googleapis.com", object{"consumer": "projects/" + project}))
	}
	return nil
}

func precondition(message string) *failure {
	return &failure{status: 400, word: "FAILED_PRECONDITION", message: message, legacy: "failedPrecondition"}
}

// poll gives the state of an operation and moves it on. The caller holds mu.
func (s *Server) poll(name string, op *operation) object {
	answer, a := object{"name": name}, s.accounts[op.email]
	bare := a != nil && a.OnboardBare
	if bare {
		delete(answer, "name")
	}
	if op.polls > 0 {
		op.polls--
		answer["done"] = false
		return answer
	}
	answer["done"] = true
	switch {
	case a == nil:
		answer["error"] = object{"code": 7, "message": "Account is gone."}
		return answer
	case a.OnboardError != "":
		answer["error"] = object{"code": a.OnboardCode, "message": a.OnboardError}
		return answer
	}
	a.onboarded = true
	response := object{"@type": "type.googleapis.com/google.internal.cloud.code.v1internal.OnboardUserResponse"}
	if op.tier == "free-tier" {
		response["cloudaicompanionProject"] = object{"id": a.Project, "name": a.Project, "projectNumber": a.number}
	} else if op.project != "" && !bare {
		response["cloudaicompanionProject"] = object{"id": op.project, "name": op.project, "projectNumber": a.number}
	}
	answer["response"] = response
	return answer
}

func (s *Server) getOperation(x *exchange, name string) {
	x.verb("operations", CodeAssist)
	a, f := s.bearer(x, "cloudcode-pa.googleapis.com")
	if f == nil {
		f = s.scripted(x, "")
	}
	if f != nil {
		x.fail(f)
		return
	}
	s.mu.Lock()
	op := s.operations[name]
	if op == nil || op.email != a.Email || op.service != "" {
		s.mu.Unlock()
		x.fail(&failure{status: 404, message: "Requested entity was not found."})
		return
	}
	answer := s.poll(name, op)
	s.mu.Unlock()
	x.json(answer)
}

func (s *Server) userQuota(x *exchange) {
	a, tree, f := s.prepare(x, "UserQuota")
	if f == nil {
		project, _ := tree["project"].(string)
		f = s.mayUse(x, a, project, "cloudcode-pa.googleapis.com")
	}
	if f != nil {
		x.fail(f)
		return
	}
	buckets := a.Quota
	if buckets == nil {
		for _, name := range s.names {
			if m := s.models[name]; m.servedBy(CodeAssist) && !(m.Preview && a.NoPreview) {
				buckets = append(buckets, Bucket{Model: name, Fraction: 1, Reset: s.opts.Now().Add(24 * time.Hour)})
			}
		}
	}
	list := []object{}
	for _, b := range buckets {
		entry := object{"modelId": b.Model, "tokenType": "REQUESTS", "resetTime": b.Reset.UTC().Format(time.RFC3339)}
		if b.Fraction != 0 {
			entry["remainingFraction"] = b.Fraction
		}
		if b.Remaining != "" {
			entry["remainingAmount"] = b.Remaining
		}
		list = append(list, entry)
	}
	x.json(object{"buckets": list})
}
