// Package apikey keeps the keys that an operator hands out, what they may still spend, and what things cost.
//
// A key is known by a hash only. Everything about keys is served from memory; what is decided about
// their money is durable before it counts.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"
)

// Period is how often a quota begins anew.
type Period string

// The periods. Days, weeks (from Monday) and months begin at 00:00 UTC.
const (
	Never   Period = ""
	Daily   Period = "day"
	Weekly  Period = "week"
	Monthly Period = "month"
)

// Terms is what an operator decides about a key. A limit of zero is none.
type Terms struct {
	Description string    `json:"description,omitempty"`
	Quota       int64     `json:"total_quota"`                   // units; of a period where Renews says so
	Renews      Period    `json:"renews,omitempty"`              // when what was used is forgotten
	Daily       int64     `json:"daily_quota,omitempty"`         // units of a day (UTC), beside Quota
	Requests    int64     `json:"requests_per_minute,omitempty"` // in any sixty seconds
	Tokens      int64     `json:"tokens_per_minute,omitempty"`   // likewise, in and out
	Concurrency int64     `json:"concurrency,omitempty"`         // requests at a time
	Models      []string  `json:"models,omitempty"`              // globs of model names (models.Matches); none allows all
	Addresses   []string  `json:"addresses,omitempty"`           // IP addresses and CIDR blocks; none allows all
	Group       string    `json:"group,omitempty"`               // of credentials that serve it
	Expires     time.Time `json:"expires,omitzero"`
	Disabled    bool      `json:"disabled,omitempty"`
}

// Key is an API key without its secret. A Key that was handed out never changes.
type Key struct {
	ID      string    `json:"id"`
	Mask    string    `json:"mask"` // first nine and last three characters
	Created time.Time `json:"created"`
	Rotated time.Time `json:"rotated,omitzero"`
	Sealed  []byte    `json:"sealed,omitempty"` // the key, encrypted, where keys.reveal is on
	Terms

	hash string // hex SHA-256 of the key: the id of its document
}

// NewSecret makes a key: sk- and 43 characters.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return "sk-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// Mask is what is shown of a secret: the first nine and the last three characters of a whole key.
func Mask(secret string) string {
	if len(secret) < 24 {
		return "***"
	}
	return secret[:9] + "..." + secret[len(secret)-3:]
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newID is public: it stands in paths, statistics and logs, and outlives a rotation.
func newID() string { return "key-" + rand.Text()[:16] }
