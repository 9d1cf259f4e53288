package console

import (
	"fmt"
	"slices"
	"strings"

	"gcli2api/store/oauth"
)

// What the audit says of credentials. Secrets of theirs are in none of it.

// credentialSaid is what can be switched about a credential, nil where there is none.
func (s Services) credentialSaid(name string) map[string]any {
	d, ok := s.Pool.Detail(name)
	if !ok {
		return nil
	}
	said := map[string]any{"disabled": d.Disabled}
	if d.Reason != "" {
		said["reason"] = d.Reason
	}
	return said
}

func withAction(action string, said map[string]any) map[string]any {
	if said == nil {
		said = map[string]any{}
	}
	said["action"] = action
	return said
}

// wishes are what the operator wants of credentials: of one, or of each by its name.
func (s Services) wishes(names []string) map[string]any {
	said := map[string]any{}
	for _, name := range names[:min(len(names), maxNoted)] {
		if d, ok := s.Pool.Detail(name); ok {
			said[strings.Clone(name)] = wishOf(d.Wish)
		}
	}
	return said
}

func (s Services) limitsSaid(name string) map[string]any {
	u, ok := s.Pool.UsageOf(name)
	if !ok {
		return nil
	}
	return map[string]any{"gemini_2_5_pro_limit": u.LimitPro, "total_limit": u.LimitTotal}
}

func (s Services) countersSaid(name string) map[string]any {
	u, ok := s.Pool.UsageOf(name)
	if !ok {
		return nil
	}
	return map[string]any{"gemini_2_5_pro_calls": u.Pro, "total_calls": u.Total, "calls_24h": u.Last24h}
}

// succeeded are the names for which there is no error.
func succeeded(names []string, errs []error) (done []string) {
	for i, err := range errs {
		if err == nil {
			done = append(done, names[i])
		}
	}
	return done
}

// several is many things in one line.
func several(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// filenames are what was sent, taken what the pool made of it.
func filenames(results []verdict) (names []string) {
	for _, v := range results {
		names = append(names, v.Filename)
	}
	return names
}

func taken(results []verdict) (ids []string) {
	for _, v := range results {
		ids = append(ids, v.IDs...)
	}
	return ids
}

// variables are the names of those of the environment, never what they hold.
func variables(results []envResult) (names []string) {
	for _, r := range results {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}

// signedInSaid is what a sign-in brought.
func signedInSaid(done *oauth.SignedIn) map[string]any {
	said := map[string]any{"sign_in": "completed", "user_email": done.Email, "project_id": done.Project, "file": done.File}
	if done.Several {
		said["projects"], said["failed"] = done.Success, done.Lost
	}
	return said
}
