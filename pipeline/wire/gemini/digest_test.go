package gemini

import "testing"

// TestAppendID: what a client was given once must stay as it is.
func TestAppendID(t *testing.T) {
	if Hash("seed") != Hash([]byte("seed")) || Hash("") == Hash("a") {
		t.Error("Hash")
	}
	const want = "bd453334c6ca9bcf33b9a7ba34da3750"
	for digits := 16; digits <= 32; digits += 8 {
		if got := string(AppendID([]byte("x"), Hash("seed"), 1, digits)); got != "x"+want[:digits] {
			t.Errorf("%d digits: %s", digits, got)
		}
	}
	if got := string(AppendHex(nil, 0x0123456789abcdef, 10)); got != "0123456789" {
		t.Error(got)
	}
}
