package server

import (
	"crypto/rand"
	"encoding/hex"
)

// bootID sets the exchange ids of one process apart from those of the next.
func bootID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// nextID makes an exchange id: unique in this process, and short enough to read aloud.
func (s *Server) nextID() string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b [24]byte
	i := len(b)
	for n := s.seq.Add(1); n > 0; n /= 36 {
		i--
		b[i] = digits[n%36]
	}
	i--
	b[i] = '-'
	i -= copy(b[i-len(s.boot):], s.boot)
	return string(b[i:])
}
