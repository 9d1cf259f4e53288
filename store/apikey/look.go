package apikey

import "crypto/sha256"

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
