package gemini

// Hash is FNV-1a.
func Hash[T string | []byte](s T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// Mix is the finisher of splitmix64: neighbours become strangers.
func Mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// AppendHex appends the first so many of the 16 hex digits of n.
func AppendHex(dst []byte, n uint64, digits int) []byte {
	for range digits {
		dst = append(dst, "0123456789abcdef"[n>>60])
		n <<= 4
	}
	return dst
}

// AppendID appends the digits of an id, 16 to 32 of them in hex: the same for the same seed, which is not
// the same for two answers, and the same place in the answer.
func AppendID(dst []byte, seed, nth uint64, digits int) []byte {
	first := Mix(seed ^ Mix(nth))
	return AppendHex(AppendHex(dst, first, 16), Mix(first+seed), digits-16)
}
