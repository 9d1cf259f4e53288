package oauth

import (
	"strings"
	"unicode"
)

// standing is the answer of loadCodeAssist.
type standing struct {
	Current    *tier        `json:"currentTier"`
	Paid       *tier        `json:"paidTier"`
	Allowed    []tier       `json:"allowedTiers"`
	Ineligible []ineligible `json:"ineligibleTiers"`
	Project    projectRef   `json:"cloudaicompanionProject"`
}

type tier struct {
	ID      string `json:"id"`
	Default bool   `json:"isDefault"`
	Own     bool   `json:"userDefinedCloudaicompanionProject"` // the user brings the project
}

type ineligible struct {
	Code    string `json:"reasonCode"`
	Message string `json:"reasonMessage"`
	URL     string `json:"validationUrl"`
}

func (l standing) tier() string {
	switch {
	case l.Paid != nil && l.Paid.ID != "":
		return l.Paid.ID
	case l.Current != nil:
		return l.Current.ID
	}
	return ""
}

// offered is the tier to onboard to.
func (l standing) offered() tier {
	for _, t := range l.Allowed {
		if t.Default {
			return t
		}
	}
	return tier{ID: "legacy-tier", Own: true}
}

// verify stops where a person has to verify the account first; trying on would only hide that.
func (l standing) verify() error {
	for _, i := range l.Ineligible {
		if l.Current == nil && i.Code == "VALIDATION_REQUIRED" && i.URL != "" {
			return &DiscoverError{Permanent: true, Reason: "the account has to be verified in a browser (VALIDATION_REQUIRED)", Link: i.URL}
		}
	}
	return nil
}

// hopeless explains why no project could be found. What follows from the address that this gateway
// calls from is over when it calls from another one, so it is not held against the account for good.
func (l standing) hopeless() *DiscoverError {
	e := &DiscoverError{Permanent: true, Manual: true, Says: "no project was found for this account"}
	var why []string
	for _, i := range l.Ineligible {
		says := ineligibility(i.Code)
		if says == "" {
			says = "Google says: " + first(phrase(i.Message), "no")
		}
		why = append(why, says+" ("+word(i.Code)+")")
		switch i.Code {
		case "RESTRICTED_NETWORK", "UNSUPPORTED_LOCATION", "UNKNOWN_LOCATION":
			e.Permanent, e.Manual = false, false
		case "INELIGIBLE_ACCOUNT", "NON_USER_ACCOUNT", "RESTRICTED_AGE", "VALIDATION_REQUIRED":
			e.Manual = false
		}
		e.Link = first(e.Link, i.URL)
	}
	e.Reason = "no project was found for this account: put its Google Cloud project id into the file as \"project_id\""
	if len(why) > 0 {
		e.Says = strings.Join(why, "; ")
		e.Reason = e.Says + "; " + e.Reason
	}
	return e
}

// phrase makes a line of a text of Google's that may be shown.
func phrase(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}

// ineligibility puts the codes of protocol 2.2 into words: what it means, and what a person can do.
func ineligibility(code string) string {
	switch code {
	case "UNSUPPORTED_CLIENT":
		return "since June 2026 Google does not serve individuals through this sign-in any more: it works only with a Code Assist licence and a Google Cloud project of your own"
	case "VALIDATION_REQUIRED":
		return "the account has to be verified in a browser"
	case "DASHER_USER":
		return "a Workspace account needs a project or licence of its own"
	case "INELIGIBLE_ACCOUNT":
		return "this type of account is not eligible: another account has to be used"
	case "NON_USER_ACCOUNT":
		return "this is not the account of a person but of a service or group"
	case "RESTRICTED_AGE":
		return "Google asks for an age of 18, and the owner of the account is too young"
	case "RESTRICTED_NETWORK":
		return "the network address of this gateway is blocked: a proxy elsewhere may help"
	case "UNSUPPORTED_LOCATION":
		return "the country of the account or of this gateway is not supported: a proxy elsewhere may help"
	case "UNKNOWN_LOCATION":
		return "Google does not know in which country the account or this gateway is: a proxy elsewhere may help"
	}
	return ""
}
