package apikey

import (
	"crypto/sha256"

	"gcli2api/pipeline/apierror"
)

// Look is Find for who asks about a key and spends nothing with it. Where others write to the store as well,
// it is asked about a key that is known here just as about one that is not: the time tells nothing.
func (k *Keys) Look(secret string) (*Key, bool) {
	if len(secret) > maxSecret {
		return nil, false
	}
	sum := digest(sha256.Sum256([]byte(secret)))
	if k.shared && wellFormed(secret) && k.asked.take(k.now()) {
		return k.fetch(sum)
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	one, ok := k.byDigest[sum]
	return one, ok
}

// Unknown is the answer to who came with something that is no key here. Where the store that nodes share does
// not answer, it may be one that another node made just now: whoever asks again will learn. No more is asked
// for that than Find has asked, so that guesses cost a database nothing.
func (k *Keys) Unknown(secret string) *apierror.Error {
	if !k.shared || !wellFormed(secret) || !k.lost.Load() {
		return nil
	}
	return apierror.New(apierror.Overloaded, "the database does not answer, and this API key is not known here without it: try again").After(lookBack)
}
