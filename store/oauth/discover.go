package oauth

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"gcli2api/pipeline/apierror"
)

// Found is what discovery learned about an account.
type Found struct {
	Project string
	Tier    string // "" when Google did not say
}

// DiscoverError says why an account has no project.
type DiscoverError struct {
	Permanent bool   // it will not work again until a person does something
	Reason    string // for the operator
	Link      string // where a person can help, "" for nowhere
	Says      string // the reason without Google's own words and without advice; "" is Reason
	Manual    bool   // a project that the owner of the account names may help
	cause     error
}

// Error is the reason.
func (e *DiscoverError) Error() string { return "project discovery: " + e.Reason }

// Unwrap gives the cause.
func (e *DiscoverError) Unwrap() error { return e.cause }

// discovery is one walk through protocol section 2, in the order of behaviour 1.4.5: the project that
// was named, that of the machine where METADATA_SERVICE_URL is set, loadCodeAssist, the projects that
// the account sees, onboardUser.
type discovery struct {
	c     *Client
	ctx   context.Context
	token string
	ask   bool // of several projects none is chosen: a *choice is the error
}

// Discover finds the project that calls of this account go to. A project that cred has already is
// only judged: it comes back, or the one that Google prefers. The error is a *DiscoverError.
func (c *Client) Discover(ctx context.Context, token string, cred Credential) (Found, error) {
	return discovery{c: c, ctx: ctx, token: token}.find(cred.ProjectID)
}

func (d discovery) find(named string) (Found, error) {
	if named == AllProjects {
		named = ""
	}
	if named != "" && strings.Trim(named, "0123456789") == "" {
		return Found{}, &DiscoverError{Permanent: true, Reason: "this is the number of a project; its id is needed"}
	}
	if named == "" {
		if own := d.c.machineProject(d.ctx); own != "" {
			if found, err := d.find(own); err == nil {
				return found, nil // else the account has nothing to do with the machine
			}
		}
	}
	l, err := d.load(named)
	if named != "" && apiOff(err) {
		if l, err = d.loadOnceOn(named, err); err != nil {
			return Found{}, err
		}
	}
	if err != nil && (named != "" || !d.mayGoOn(err)) {
		return Found{}, refusal(err)
	}
	if project := first(l.Project.id, named); l.Current != nil && project != "" {
		return Found{project, l.tier()}, nil
	}
	if err := l.verify(); err != nil {
		return Found{}, err
	}
	if named != "" {
		return d.onboard(named, l)
	}
	return d.search(l, err)
}

// mayGoOn tells a refusal without a project that a project of the user's own may lift.
func (d discovery) mayGoOn(err error) bool {
	s := said(err)
	if s.HTTP != http.StatusForbidden {
		return false
	}
	switch s.Reason {
	case "TOS_VIOLATION", "VALIDATION_REQUIRED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
		return false
	}
	return true
}

// search tries a project of the user's own, then onboarding. earlier is what loadCodeAssist refused
// without one.
func (d discovery) search(l standing, earlier error) (Found, error) {
	own, err := d.candidate()
	if err != nil {
		return Found{}, err
	}
	if own == "" && earlier != nil {
		return Found{}, refusal(earlier)
	}
	if own != "" {
		if l, err = d.withProject(own, l); err != nil {
			return Found{}, err
		}
		if l.Current != nil {
			return Found{first(l.Project.id, own), l.tier()}, nil
		}
	}
	if l.Current != nil {
		return Found{}, l.hopeless() // onboarded already, and neither side knows a project
	}
	return d.onboard(own, l)
}

// candidate is the project to try of those that the account sees, "" when it sees none.
func (d discovery) candidate() (string, error) {
	all, err := d.c.Projects(d.ctx, d.token)
	if err != nil && passing(err) {
		return "", refusal(err)
	}
	if len(all) == 0 { // an account that may not list projects can still be onboarded
		return "", nil
	}
	chosen, clear := choose(all)
	if d.ask && !clear {
		return "", &choice{all}
	}
	return chosen.ID, nil
}

// withProject asks again with a project of the user's own. Google answers 403 for one that it does
// not serve, or while the API is off there; the other ways are still open then.
func (d discovery) withProject(project string, before standing) (standing, error) {
	l, err := d.load(project)
	if err == nil {
		if l.Current != nil {
			d.c.switchOn(d.ctx, d.token, project)
		}
		return l, l.verify()
	}
	if said(err).HTTP != http.StatusForbidden {
		return l, refusal(err)
	}
	d.c.switchOn(d.ctx, d.token, project)
	return before, nil
}

// apiOff tells that the API of Code Assist is off in the project.
func apiOff(err error) bool {
	s := said(err)
	return s.HTTP == http.StatusForbidden && (s.Reason == "SERVICE_DISABLED" || s.Reason == "accessNotConfigured")
}

// loadOnceOn switches the API on in the project and asks again.
func (d discovery) loadOnceOn(project string, off error) (standing, error) {
	if err := d.c.EnableServices(d.ctx, CodeAssist, d.token, project); err != nil {
		if Lasting(err) {
			return standing{}, refusal(off) // with Google's link to the switch
		}
		return standing{}, refusal(err)
	}
	l, err := d.load(project)
	if apiOff(err) {
		return l, &DiscoverError{Reason: "the API was switched on in project " + project + " just now; it takes Google up to five minutes to notice", cause: err}
	}
	if err != nil {
		return l, refusal(err)
	}
	return l, nil
}

// load is loadCodeAssist.
func (d discovery) load(project string) (standing, error) {
	var l standing
	in := setupRequest{Project: project, Metadata: metadataOf(project)}
	err := d.c.call(d.ctx, request{d.url(":loadCodeAssist"), d.token, in}, &l)
	if s := said(err); err != nil && s.HTTP == http.StatusForbidden && s.Reason == "SECURITY_POLICY_VIOLATED" && project != "" {
		// VPC Service Controls keep this one method from answering, not the others (protocol 2.1).
		return standing{Current: &tier{ID: "standard-tier", Own: true}}, nil
	}
	return l, err
}

func (d discovery) url(path string) string {
	return d.c.settings().Endpoints.CodeAssist + "/v1internal" + path
}

type setupRequest struct {
	Tier     string   `json:"tierId,omitempty"`
	Project  string   `json:"cloudaicompanionProject,omitempty"`
	Metadata metadata `json:"metadata"`
}

type metadata struct {
	IDE      string `json:"ideType"`
	Platform string `json:"platform"`
	Plugin   string `json:"pluginType"`
	Project  string `json:"duetProject,omitempty"`
}

func metadataOf(project string) metadata {
	return metadata{"IDE_UNSPECIFIED", "PLATFORM_UNSPECIFIED", "GEMINI", project}
}

// refusal turns an error of a call into words for the operator.
func refusal(err error) *DiscoverError {
	s := said(err)
	e := &DiscoverError{cause: err}
	switch {
	case passing(err):
		e.Reason = "Google does not answer at the moment"
	case s.HTTP == http.StatusUnauthorized:
		e.Reason = "Google refuses the access token"
	default:
		e.Permanent, e.Manual = true, s.HTTP == http.StatusForbidden && s.Reason != "TOS_VIOLATION" && s.Reason != "VALIDATION_REQUIRED"
		e.Says = fmt.Sprintf("Google refuses (HTTP %d %s)", s.HTTP, word(first(s.Reason, s.Status)))
		e.Reason = fmt.Sprintf("Google refuses (HTTP %d %s): %s", s.HTTP, first(s.Reason, s.Status), apierror.From(err).Message)
		if says := inWords(s.Reason); says != "" {
			e.Reason = says + " (" + s.Reason + ")"
			e.Says = e.Reason
		}
		e.Link = first(s.Meta["validation_url"], s.Meta["validation_link"], s.Meta["activationUrl"], s.Meta["appeal_url"])
		if e.Link == "" && len(s.Links) > 0 {
			e.Link = s.Links[0]
		}
	}
	return e
}

// inWords says what the reasons of a 403 mean for a person (protocol 4.4).
func inWords(reason string) string {
	switch reason {
	case "VALIDATION_REQUIRED":
		return "the account has to be verified in a browser"
	case "TOS_VIOLATION":
		return "Google has banned the account from the service; an appeal is the only way back"
	case "SUBSCRIPTION_REQUIRED":
		return "the account has no Code Assist licence in this project: an administrator has to assign one"
	case "SERVICE_DISABLED", "accessNotConfigured":
		return "the API Gemini for Google Cloud is off in the project, and this account may not switch it on"
	case "CONSUMER_INVALID", "USER_PROJECT_DENIED":
		return "the project does not exist any more, or this account may not use it"
	case "IAM_PERMISSION_DENIED":
		return "the account has no role in the project that allows it: it needs roles/cloudaicompanion.user"
	case "SECURITY_POLICY_VIOLATED":
		return "a policy of the organisation forbids it (VPC Service Controls)"
	case "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
		return "a permission was not granted at sign-in: sign in again and tick all"
	case "BILLING_DISABLED":
		return "the project has no billing"
	case "CONSUMER_SUSPENDED":
		return "the project is suspended"
	}
	return ""
}
