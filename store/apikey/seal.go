package apikey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"gcli2api/pipeline/config"
)

// minSecretKey is the least that keys.secret_key must have.
const minSecretKey = 16

// Why a key cannot be shown.
var (
	ErrRevealOff   = errors.New("keys are shown only once, when they are made: keys.reveal is off")
	ErrNotSealed   = errors.New("no copy of this key was kept: it was made, or rotated last, while keys.reveal was off")
	ErrOtherSecret = errors.New("this key was encrypted with another keys.secret_key than the one in force: put that one back, or rotate the key")
)

// Check refuses settings under which no key could be shown again.
func Check(c *config.Snapshot) error {
	if !c.Bool("keys.reveal") || len(c.String("keys.secret_key")) >= minSecretKey {
		return nil
	}
	return fmt.Errorf("%s: keys.reveal: needs keys.secret_key (or the variable SECRET_KEY) with at least %d characters, because it is what keys are encrypted with",
		c.Place("keys.reveal"), minSecretKey)
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
	secret, err := unseal(s.SecretKey, one.ID, one.Sealed)
	if err != nil || sha256.Sum256([]byte(secret)) != one.sum {
		return "", ErrOtherSecret
	}
	k.hide(secret)
	return secret, nil
}

// seal encrypts a key. It is bound to the id: a copy under another key says nothing.
func seal(secretKey, id, secret string) ([]byte, error) {
	aead, err := sealing(secretKey)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, []byte(secret), []byte(id)), nil
}

func unseal(secretKey, id string, sealed []byte) (string, error) {
	aead, err := sealing(secretKey)
	if err != nil {
		return "", err
	}
	n := aead.NonceSize()
	if len(sealed) < n {
		return "", ErrOtherSecret
	}
	secret, err := aead.Open(nil, sealed[:n], sealed[n:], []byte(id))
	return string(secret), err
}

func sealing(secretKey string) (cipher.AEAD, error) {
	if len(secretKey) < minSecretKey {
		return nil, fmt.Errorf("keys.secret_key must have at least %d characters", minSecretKey)
	}
	key, err := hkdf.Key(sha256.New, []byte(secretKey), nil, "gcli2api: copies of API keys", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
