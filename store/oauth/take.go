package oauth

import (
	"cmp"
	"slices"
)

// NeedsSecret is what is said of a sign-in that names no OAuth client while the secret of the
// official one is not set. Google publishes that secret; it is not built in here.
const NeedsSecret = "needs OAUTH_CLIENT_SECRET: the file names no OAuth client of its own, so it belongs to that of the Gemini CLI, " +
	"whose secret is not set. " + whereSecret

// whereSecret says where the secret of the official OAuth client is found, and where it goes.
const whereSecret = "Google publishes it in the repository google-gemini/gemini-cli, file packages/core/src/code_assist/oauth2.ts, " +
	"constant OAUTH_CLIENT_SECRET; set it as OAUTH_CLIENT_SECRET (google.oauth_client_secret)"

// Unusable says why no call can be made with a credential as the settings are; "" when it can.
func (c Credential) Unusable() string {
	if c.Kind == CodeAssist && c.ClientSecret == "" {
		return NeedsSecret
	}
	return ""
}

// deleted is the type of what is left of a credential that was deleted out of a file with several.
// The names of the others are their places, so the place stays taken.
const deleted = "deleted"

// left is what is written there.
const left = `{"type": "` + deleted + `"}`

// Text is one item as its source has it: an object of JSON. It is nil for one of the old product's
// creds.toml.
func (s Sheet) Text(id string) []byte {
	if item := s.Find(id); item != nil && item.to > item.from {
		return slices.Clone(s.text[item.from:item.to])
	}
	return nil
}

// Rewrite gives the text of the sheet with some items replaced, by id; nil removes one. The names of
// the others stay. Text that was in base64 or UTF-16 comes back as plain JSON.
func (s Sheet) Rewrite(changes map[string][]byte) []byte {
	var parts []Item
	seen := map[string]bool{}
	for _, item := range s.Items {
		if _, change := changes[item.ID]; change && !seen[item.ID] {
			seen[item.ID] = true // as Find has it: the first one of a name
			parts = append(parts, item)
		}
	}
	slices.SortFunc(parts, func(a, b Item) int { return cmp.Compare(a.from, b.from) })
	var text []byte
	at := 0
	for _, item := range parts {
		text = append(text, s.text[at:item.from]...)
		if with := changes[item.ID]; with != nil {
			text = append(text, with...)
		} else {
			text = append(text, left...)
		}
		at = item.to
	}
	return append(text, s.text[at:]...)
}

// Amended writes a change into the object of one credential.
func Amended(object []byte, c Change) ([]byte, error) { return amend(slices.Clone(object), c) }
