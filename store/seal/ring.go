package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"gcli2api/pipeline/config"
)

// MinSecret is the least number of characters of keys.secret_key.
const MinSecret = 16

// Ring holds the key that seals, and earlier ones that only open. The zero Ring seals nothing. It is
// safe for concurrent use.
type Ring struct {
	seals *key
	opens []*key // seals among them, first
}

// FromConfig is the ring of keys.secret_key and keys.old_secret_keys, which have passed Check.
func FromConfig(c *config.Snapshot) *Ring {
	return New(c.String("keys.secret_key"), c.Strings("keys.old_secret_keys")...)
}

// New is a ring that seals with the first secret, "" for none, and opens with all of them. Their keys
// are derived when they are needed first.
func New(secret string, old ...string) *Ring {
	r := &Ring{}
	if secret != "" {
		r.seals = newKey(secret)
		r.opens = append(r.opens, r.seals)
	}
	for _, s := range old {
		if s != "" && s != secret {
			r.opens = append(r.opens, newKey(s))
		}
	}
	return r
}

// Check refuses secrets that are too short to be any.
func Check(c *config.Snapshot) error {
	short := func(name, env, secret string) error {
		return fmt.Errorf("%s: %s: has %d characters, at least %d are needed: make a random one with `openssl rand -hex 32` and set it as %s",
			c.Place(name), name, len(secret), MinSecret, env)
	}
	if s := c.String("keys.secret_key"); s != "" && len(s) < MinSecret {
		return short("keys.secret_key", "SECRET_KEY", s)
	}
	for _, s := range c.Strings("keys.old_secret_keys") {
		if len(s) < MinSecret {
			return short("keys.old_secret_keys", "OLD_SECRET_KEYS", s)
		}
	}
	return nil
}

// IDs are those of the keys that the ring opens with, the one that seals first.
func (r *Ring) IDs() []string {
	ids := []string{}
	if r != nil {
		for _, k := range r.opens {
			ids = append(ids, k.derived().id)
		}
	}
	return ids
}

// Seals tells that there is a key to seal with.
func (r *Ring) Seals() bool { return r.current() != nil }

func (r *Ring) current() *key {
	if r == nil {
		return nil
	}
	return r.seals
}

// Plain is the ring that opens what this one opens and seals nothing: what is written with it is plain.
func (r *Ring) Plain() *Ring {
	if r == nil {
		return &Ring{}
	}
	return &Ring{opens: r.opens}
}

// find gives the key of an id, nil when the ring has none. An earlier one is derived only if need be.
func (r *Ring) find(id string) *derived {
	if r == nil {
		return nil
	}
	for _, k := range r.opens {
		if d := k.derived(); d.id == id {
			return d
		}
	}
	return nil
}

// Secrets are those of the ring, the one that seals first: for what was sealed in an older form.
func (r *Ring) Secrets() (all []string) {
	if r == nil {
		return nil
	}
	for _, k := range r.opens {
		all = append(all, k.secret)
	}
	return all
}

// key is one secret of the operator, derived when it is used first: that takes its time.
type key struct {
	secret  string
	derived func() *derived
}

func newKey(secret string) *key {
	return &key{secret, sync.OnceValue(func() *derived { return derive(secret) })}
}

// derived is what comes of a secret.
type derived struct {
	id    string // tells keys apart and says nothing about them
	boxes map[Purpose]cipher.AEAD
}

// idDigits is the length of an id.
const idDigits = 16

// rounds is how often a secret is worked over that may be a word somebody thought of: each guess then
// costs as much. Random ones, which nobody guesses, go without, and cost a start nothing.
const rounds = 100_000

// rootOf is what all keys of a secret come from.
func rootOf(secret string) []byte {
	if random(secret) {
		return []byte(secret)
	}
	// The errors of the standard library here are about lengths, which are fixed.
	root, _ := pbkdf2.Key(sha256.New, secret, []byte("gcli2api: SECRET_KEY"), rounds, sha256.Size)
	return root
}

func derive(secret string) *derived {
	root := rootOf(secret)
	part := func(label string, n int) []byte {
		b, _ := hkdf.Key(sha256.New, root, nil, "gcli2api: "+label, n)
		return b
	}
	d := &derived{id: hex.EncodeToString(part("id of the key", idDigits/2)), boxes: map[Purpose]cipher.AEAD{}}
	for _, p := range purposes() {
		block, err := aes.NewCipher(part("sealing "+string(p), 32))
		if err == nil {
			d.boxes[p], err = cipher.NewGCM(block)
		}
		if err != nil {
			panic("seal: " + err.Error()) // a length of 32 is one of AES
		}
	}
	return d
}

// random tells a secret of 256 bits in hex digits, as `openssl rand -hex 32` prints it.
func random(secret string) bool {
	if len(secret) < 64 || strings.Trim(secret, "0123456789abcdefABCDEF") != "" {
		return false
	}
	seen := map[rune]bool{}
	for _, c := range secret {
		seen[c] = true
	}
	return len(seen) >= 10 // of 64 random digits hardly ever fewer than 13 differ
}
