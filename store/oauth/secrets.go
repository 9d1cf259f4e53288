package oauth

import (
	"bytes"
	"fmt"

	"gcli2api/pipeline/wire"
	"gcli2api/store/seal"
)

// Sealed seals what is secret in the texts of credentials, and opens it. Everything else in them stays
// byte for byte: members that nobody knows, their order and how it is laid out.
type Sealed struct{ Ring *seal.Ring }

// Seal gives a text with its secrets sealed. Text that Parse reads but is no JSON as it stands, in
// base64 or UTF-16, comes back as plain JSON. The old product's creds.toml, which nobody writes here,
// and what is no credential stay as they are.
func (s Sealed) Seal(name string, text []byte) ([]byte, error) {
	if !s.Ring.Seals() {
		return text, nil
	}
	out, _, err := changeSecrets(name, text, func(p seal.Purpose, raw string) (string, error) { return s.Ring.SealText(p, raw) })
	return out, err
}

// Open gives a text with its secrets as they were. One that does not open stays sealed, and Parse says
// of its credential that it is: the others of the text are of use all the same, and writing it back
// loses nothing.
func (s Sealed) Open(name string, text []byte) ([]byte, error) {
	if isJSON := begin(text) == '{' || begin(text) == '['; isJSON && !HasSealed(text) {
		return text, nil
	}
	out, _, err := changeSecrets(name, text, func(p seal.Purpose, raw string) (string, error) {
		if plain, err := s.Ring.OpenText(p, raw); err == nil {
			return plain, nil
		}
		return raw, nil
	})
	return out, err
}

// Reseal seals a text anew: what is plain, and what is sealed with an earlier key; with a ring that seals
// nothing it opens all there is. n is how many secrets have changed, stuck how many do not open.
func (s Sealed) Reseal(name string, text []byte) (out []byte, n, stuck int, err error) {
	out, n, err = changeSecrets(name, text, func(p seal.Purpose, raw string) (string, error) {
		if s.Ring.Current(raw) {
			return raw, nil
		}
		plain, err := s.Ring.OpenText(p, raw)
		if err != nil {
			stuck++
			return raw, nil
		}
		return s.Ring.SealText(p, plain)
	})
	return out, n, stuck, err
}

// HasSealed tells at a glance that there may be something sealed in a text of JSON.
func HasSealed(text []byte) bool { return bytes.Contains(text, []byte("sealed:")) }

// purposeOf is what a member is, if it is secret: all that Parse takes a secret from. Access tokens end
// within the hour, but what we write may be copied before.
func purposeOf(o *wire.Object) (seal.Purpose, bool) {
	for _, m := range []struct {
		name string
		is   seal.Purpose
	}{
		{"refresh_token", seal.RefreshToken}, {"refreshToken", seal.RefreshToken},
		{"access_token", seal.AccessToken}, {"accessToken", seal.AccessToken}, {"token", seal.AccessToken},
		{"client_secret", seal.ClientSecret}, {"api_key", seal.APIKey}, {"private_key", seal.PrivateKey},
	} {
		if o.Is(m.name) {
			return m.is, true
		}
	}
	return "", false
}

// secretsDeep is how far inside secrets are looked for. The layouts have them in a list, a name, an
// entry of the old databases and "token", one inside the other.
const secretsDeep = 6

// secretSpan is a secret in a text, between its quotes: as it is written there, escapes and all, so that
// it can be put back byte for byte.
type secretSpan struct {
	from, to int
	purpose  seal.Purpose
}

// changeSecrets replaces the secrets of a text; n is how many differ then.
func changeSecrets(name string, text []byte, change func(seal.Purpose, string) (string, error)) (out []byte, n int, err error) {
	if isTOML(name) {
		return text, 0, nil
	}
	plain, asIs, err := readable(text)
	if err != nil {
		return text, 0, nil // Parse has the reason
	}
	if asIs {
		out = append(out, text[:len(text)-len(plain)]...) // a byte order mark
	}
	at := 0
	for _, s := range secretSpans(plain) {
		raw := string(plain[s.from:s.to])
		with, err := change(s.purpose, raw)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", s.purpose, err)
		}
		if with != raw {
			out, at, n = append(append(out, plain[at:s.from]...), with...), s.to, n+1
		}
	}
	if n == 0 {
		return text, 0, nil
	}
	return append(out, plain[at:]...), n, nil
}

// secretSpans finds the secrets of a text in the order in which they stand there. What is broken in it is
// no credential to Parse and has none.
func secretSpans(text []byte) (found []secretSpan) {
	pieces, _, err := whole(text)
	if err != nil {
		return nil
	}
	for _, p := range pieces {
		found = secretsOf(found, text[p.from:p.to:p.to], p.from, secretsDeep)
	}
	return found
}

// secretsOf adds those of one value, which begins at from. A value inside another one has the same end of
// its capacity, which says where it begins.
func secretsOf(found []secretSpan, value []byte, from, deep int) []secretSpan {
	place := func(v []byte) int { return from + cap(value) - cap(v) }
	if deep == 0 {
		return found
	}
	switch wire.KindOf(value) {
	case wire.KindArray:
		for a := wire.ArrayOf(value); a.Next(); {
			found = secretsOf(found, a.Value, place(a.Value), deep-1)
		}
	case wire.KindObject:
		for o := wire.ObjectOf(value); o.Next(); {
			p, secret := purposeOf(&o)
			if secret && wire.KindOf(o.Value) == wire.KindString && len(o.Value) > 2 {
				at := place(o.Value)
				found = append(found, secretSpan{at + 1, at + len(o.Value) - 1, p})
				continue
			}
			found = secretsOf(found, o.Value, place(o.Value), deep-1)
		}
	}
	return found
}

// closed is the reason why a credential whose secret is still sealed cannot be used: what is sealed would
// be refused by Google, and the credential banned for it.
func closed(all ...fields) error {
	for _, f := range all {
		for _, name := range []string{"refresh_token", "refreshToken", "client_secret", "api_key", "private_key"} {
			text := f.text(name)
			if !seal.Is(text) {
				continue
			}
			return &closedError{name, seal.KeyOf(text)}
		}
	}
	return nil
}

// closedError is a credential that stays sealed.
type closedError struct{ member, key string }

func (e *closedError) Error() string {
	if e.key == "" {
		return fmt.Sprintf("%q is sealed in a way that this version does not know, or damaged", e.member)
	}
	return fmt.Sprintf("%q is sealed with the key %s: set SECRET_KEY to the one that it was sealed with, or put that one into OLD_SECRET_KEYS; if it is set already, the text is damaged", e.member, e.key)
}
