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
	if i+8 <= len(b) { // most strings are short
		if hit := specials(binary.LittleEndian.Uint64(b[i:])); hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
	for ; i+32 <= len(b); i += 32 { // in the others one branch for four words
		p := b[i : i+32 : i+32]
		hit := specials(binary.LittleEndian.Uint64(p)) | specials(binary.LittleEndian.Uint64(p[8:])) |
			specials(binary.LittleEndian.Uint64(p[16:])) | specials(binary.LittleEndian.Uint64(p[24:]))
		if hit != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if hit := specials(binary.LittleEndian.Uint64(b[i:])); hit != 0 {
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

// specials marks what special looks for among eight bytes by its high bit. A borrow makes false
// hits only above a true one, so that the lowest hit is exact. No byte above 0x7f is one, nor does
// one become it by the xor, so that one mask serves all three.
func specials(w uint64) uint64 {
	return ((w - ones*0x20) | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones)) &^ w & highs
}

// quotes marks the first quote or backslash among eight bytes by its high bit; 0 when there is none.
func quotes(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return (((quote - ones) &^ quote) | ((slash - ones) &^ slash)) & highs
}
