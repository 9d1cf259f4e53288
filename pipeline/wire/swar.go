package wire

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes are looked at in one word; the multipliers below spread a byte over the word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special is the index of the first byte at or after i that a JSON string cannot hold as it is
// (a quote, a backslash, a control character), or len(b).
func special(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// A borrow makes false hits only above a true one, so that the lowest hit is exact.
		hit := ((w - ones*0x20) &^ w) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)
		if hit &= highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 || c == '"' || c == '\\' {
			return i
		}
	}
	return len(b)
}

// quotes marks the first quote or backslash among eight bytes by its high bit; 0 when there is none.
func quotes(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return (((quote - ones) &^ quote) | ((slash - ones) &^ slash)) & highs
}
