// Package seal encrypts the secrets that lie in a store or in files of ours, with the operator's SECRET_KEY.
//
// What is sealed is the secret itself and nothing around it, so that a file stays readable and a
// document keeps its form:
//
//	sealed:1:<id of the key>:<purpose>:<nonce and ciphertext in base64url>
//
// AES-256-GCM, bound to the purpose: a refresh token that is put where a private key belongs does not
// open. It is bound to nothing else, because files are renamed, credentials are merged, and all of it
// moves to other engines.
package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Purpose is what a secret is for. Each has a key of its own.
type Purpose string

// The purposes. A name is part of what was sealed: it never changes.
const (
	RefreshToken Purpose = "refresh_token" // of a Google account
	AccessToken  Purpose = "access_token"  // of a Google account; it lives for an hour
	ClientSecret Purpose = "client_secret" // of an OAuth client that a credential names
	APIKey       Purpose = "api_key"       // of Google
	PrivateKey   Purpose = "private_key"   // of a service account
	KeyCopy      Purpose = "key_copy"      // copy of an API key of this gateway, to be shown again
	PanelSecret  Purpose = "panel"         // what sessions of the panel are signed with
	SignIn       Purpose = "sign_in"       // of a sign-in that is under way
	Setting      Purpose = "setting"       // a secret setting that was changed in the panel
)

func purposes() []Purpose {
	return []Purpose{RefreshToken, AccessToken, ClientSecret, APIKey, PrivateKey, KeyCopy, PanelSecret, SignIn, Setting}
}

// prefix begins everything that is sealed, in this form and in later ones. No secret of Google's, and
// none that is made here, begins so.
const prefix = "sealed:"

// version is that of the form.
const version = prefix + "1:"

// Why something stays sealed.
var (
	ErrKey    = errors.New("it is sealed with a key that is not set")
	ErrBroken = errors.New("it is sealed, but does not open: damaged, made by somebody else, or put into another place than it was sealed for")
)

// Is tells that a text is sealed, or claims to be: it is no secret that could be used as it stands.
func Is(text string) bool { return strings.HasPrefix(text, prefix) }

// sealed is such a text in its parts.
type sealed struct {
	key     string // id
	purpose Purpose
	data    string // base64url
}

// parts takes a text apart; ok is false for one that has not this form.
func parts(text string) (s sealed, ok bool) {
	rest, ok := strings.CutPrefix(text, version)
	if !ok {
		return s, false
	}
	fields := strings.Split(rest, ":")
	if len(fields) != 3 || len(fields[0]) != idDigits || fields[2] == "" {
		return s, false
	}
	s = sealed{fields[0], Purpose(fields[1]), fields[2]}
	return s, slices.Contains(purposes(), s.purpose)
}

// SealText seals a secret. Without a key it comes back as it is, and so does what is empty or sealed
// already, with whatever key.
func (r *Ring) SealText(p Purpose, plain string) (string, error) {
	k := r.current()
	if k == nil || plain == "" || Is(plain) {
		return plain, nil
	}
	d := k.derived()
	box := d.boxes[p]
	if box == nil {
		return "", fmt.Errorf("nothing is sealed for %q", p)
	}
	nonce := make([]byte, box.NonceSize(), box.NonceSize()+len(plain)+box.Overhead())
	_, _ = rand.Read(nonce) // never fails
	head := version + d.id + ":" + string(p) + ":"
	data := box.Seal(nonce, nonce, []byte(plain), []byte(head))
	return head + base64.RawURLEncoding.EncodeToString(data), nil
}

// OpenText is the other way round, with any key of the ring. What is not sealed comes back as it is.
// The error is ErrKey or ErrBroken, with the id of the key where it has one; neither quotes a secret.
func (r *Ring) OpenText(p Purpose, text string) (string, error) {
	if !Is(text) {
		return text, nil
	}
	s, ok := parts(text)
	if !ok || s.purpose != p {
		return "", ErrBroken
	}
	return r.open(s)
}

func (r *Ring) open(s sealed) (string, error) {
	d := r.find(s.key)
	if d == nil {
		return "", fmt.Errorf("%w: the key %s; set SECRET_KEY to the one that it was sealed with, or put that one into OLD_SECRET_KEYS", ErrKey, s.key)
	}
	box := d.boxes[s.purpose]
	data, err := base64.RawURLEncoding.Strict().DecodeString(s.data)
	if err != nil || len(data) < box.NonceSize() {
		return "", ErrBroken
	}
	head := version + s.key + ":" + string(s.purpose) + ":"
	plain, err := box.Open(nil, data[:box.NonceSize()], data[box.NonceSize():], []byte(head))
	if err != nil {
		return "", ErrBroken
	}
	return string(plain), nil
}

// Box is a ring for one purpose.
type Box struct {
	Ring *Ring
	For  Purpose
}

// Seal is Ring.SealText.
func (b Box) Seal(plain string) (string, error) { return b.Ring.SealText(b.For, plain) }

// Open is Ring.OpenText.
func (b Box) Open(text string) (string, error) { return b.Ring.OpenText(b.For, text) }

// KeyOf is the id of the key that a text is sealed with, "" where it has none.
func KeyOf(text string) string {
	s, _ := parts(text)
	return s.key
}

// Current tells that a text needs no other sealing: it is sealed with the key that seals now.
func (r *Ring) Current(text string) bool {
	k := r.current()
	return k != nil && KeyOf(text) == k.derived().id
}
