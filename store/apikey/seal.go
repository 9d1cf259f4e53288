package apikey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/wire"
	"gcli2api/store/seal"
)

// Why a key cannot be shown.
var (
	ErrRevealOff   = errors.New("keys are shown only once, when they are made: keys.reveal is off")
	ErrNotSealed   = errors.New("no copy of this key was kept: it was made, or rotated last, while keys.reveal was off")
	ErrOtherSecret = errors.New("this key was encrypted with another keys.secret_key than the one in force: put that one back, name it in keys.old_secret_keys, or rotate the key")
	ErrNoSecret    = errors.New("keys.reveal keeps a copy of each new key, which keys.secret_key encrypts, and none was set when the gateway was started: restart it")
)

// Check refuses settings under which no key could be shown again.
func Check(c *config.Snapshot) error {
	if !c.Bool("keys.reveal") || len(c.String("keys.secret_key")) >= seal.MinSecret {
		return nil
	}
	return fmt.Errorf("%s: keys.reveal: needs keys.secret_key (or the variable SECRET_KEY) with at least %d characters, because it is what keys are encrypted with",
		c.Place("keys.reveal"), seal.MinSecret)
}

// Reveal shows the secret of a key, where a copy was kept.
func (k *Keys) Reveal(id string) (string, error) {
	one, ok := k.ByID(id)
	s := k.settings()
	switch {
	case !ok:
		return "", ErrUnknown
	case !s.Reveal:
		return "", ErrRevealOff
	case len(one.Sealed) == 0:
		return "", ErrNotSealed
	}
	secret, err := unseal(k.ring, one.ID, one.Sealed)
	if err != nil || sha256.Sum256([]byte(secret)) != one.sum {
		return "", ErrOtherSecret
	}
	k.hide(secret)
	return secret, nil
}

// seal encrypts a key. That a copy is of this key shows in its sum.
func (k *Keys) seal(secret string) ([]byte, error) { return sealedBy(k.ring, secret) }

func sealedBy(ring *seal.Ring, secret string) ([]byte, error) {
	if !ring.Seals() {
		return nil, ErrNoSecret
	}
	text, err := ring.SealText(seal.KeyCopy, secret)
	return []byte(text), err
}

func unseal(ring *seal.Ring, id string, sealed []byte) (string, error) {
	if seal.Is(string(sealed)) {
		return ring.OpenText(seal.KeyCopy, string(sealed))
	}
	return openOld(ring.Secrets(), id, sealed)
}

// openOld reads a copy as it was made before there were rings: bound to the id of its key, and without
// the id of the secret, so that each one is tried.
func openOld(secrets []string, id string, sealed []byte) (secret string, err error) {
	err = ErrOtherSecret
	for _, with := range secrets {
		aead, bad := oldSealing(with)
		if bad != nil {
			return "", bad
		}
		n := aead.NonceSize()
		if len(sealed) < n {
			return "", ErrOtherSecret
		}
		if plain, bad := aead.Open(nil, sealed[:n], sealed[n:], []byte(id)); bad == nil {
			return string(plain), nil
		}
	}
	return "", err
}

// Reseal seals the copy in the document of a key anew, if it is not sealed with the key in force; the rest
// of the document stays byte for byte. n is 1 then; stuck is 1 when the copy does not open. With a ring that
// seals nothing the copy stays as it is: it can be shown with a secret key only.
func Reseal(ring *seal.Ring, body []byte) (out []byte, n, stuck int, err error) {
	var id, text []byte
	from := -1
	for o := wire.ObjectOf(body[:len(body):len(body)]); o.Next(); {
		switch {
		case wire.KindOf(o.Value) != wire.KindString:
		case o.Is("id"):
			id = o.Value[1 : len(o.Value)-1]
		case o.Is("sealed"):
			text, from = o.Value[1:len(o.Value)-1], len(body)-cap(o.Value)+1
		}
	}
	sealed, err := base64.StdEncoding.AppendDecode(nil, text)
	if from < 0 || len(sealed) == 0 || !ring.Seals() || ring.Current(string(sealed)) {
		return body, 0, 0, nil
	}
	plain, bad := unseal(ring, string(id), sealed)
	if err != nil || bad != nil {
		return body, 0, 1, nil
	}
	if sealed, err = sealedBy(ring, plain); err != nil {
		return nil, 0, 0, err
	}
	out = base64.StdEncoding.AppendEncode(slices.Clip(body[:from]), sealed)
	return append(out, body[from+len(text):]...), 1, 0, nil
}

func oldSealing(secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "gcli2api: copies of API keys", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
