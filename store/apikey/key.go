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
	"net"
	"net/netip"
	"strings"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
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
	Digest  []byte    `json:"digest,omitempty"` // SHA-256 of the key, once it was rotated
	Terms

	sum    digest // SHA-256 of the key
	doc    digest // what its document is called by: sum, as it was when the key was made
	rev    store.Rev
	blocks []netip.Prefix // Addresses, read
	use    *use           // shared by all states of the key; nil for one that nobody keeps
}

// digest is what a key is known by.
type digest [sha256.Size]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// digestOf is the other way round.
func digestOf(doc string) (d digest, ok bool) {
	n, err := hex.Decode(d[:], []byte(doc)[:min(len(doc), 2*len(d))])
	return d, err == nil && n == len(d) && len(doc) == 2*len(d)
}

// Admit says why a key that is right lets nobody in at a time and from an address; nil when it does.
func (one *Key) Admit(at time.Time, from net.IP) *apierror.Error {
	switch {
	case one.Disabled:
		return apierror.New(apierror.Unauthorized, "the API key is disabled: ask the operator of this gateway")
	case one.Expired(at):
		return apierror.Newf(apierror.Unauthorized, "the API key has expired on %s: ask the operator of this gateway for a new one",
			one.Expires.UTC().Format("2006-01-02 at 15:04 UTC"))
	case len(one.Addresses) > 0 && !one.reachable(from):
		return apierror.New(apierror.Forbidden, "the API key may not be used from this address")
	}
	return nil
}

// Expired tells whether the time of a key is over.
func (one *Key) Expired(at time.Time) bool { return !one.Expires.IsZero() && !at.Before(one.Expires) }

func (one *Key) reachable(from net.IP) bool {
	addr, ok := netip.AddrFromSlice(from)
	if !ok {
		return false
	}
	addr = addr.Unmap()
	for _, b := range one.blocks {
		if b.Contains(addr) {
			return true
		}
	}
	return false
}

// NewSecret makes a key: sk- and 43 characters.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return "sk-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// allMasked is what is shown of a secret that is too short to show anything of it.
const allMasked = "***"

// Mask is what is shown of a secret: the first nine and the last three characters of a whole key.
func Mask(secret string) string {
	if len(secret) < 24 {
		return allMasked
	}
	return secret[:9] + "..." + secret[len(secret)-3:]
}

// wellFormed tells what can be a key of ours: a store is asked about nothing else.
func wellFormed(secret string) bool {
	rest, ok := strings.CutPrefix(secret, "sk-")
	if !ok || len(rest) != base64.RawURLEncoding.EncodedLen(32) {
		return false
	}
	for i := range len(rest) {
		if c := rest[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// newID is public: it stands in paths, statistics and logs, and outlives a rotation.
func newID() string { return "key-" + rand.Text()[:16] }
