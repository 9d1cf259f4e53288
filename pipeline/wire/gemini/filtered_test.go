package gemini

import "testing"

func TestFiltered(t *testing.T) {
	for reason, want := range map[string]bool{
		"SAFETY": true, "IMAGE_RECITATION": true, "SPII": true, "PROHIBITED_CONTENT": true,
		"": false, "STOP": false, "MAX_TOKENS": false, "OTHER": false, "NO_IMAGE": false, "IMAGE_OTHER": false, "MALFORMED_FUNCTION_CALL": false, "safety": false,
	} {
		if Filtered([]byte(reason)) != want {
			t.Errorf("%q is not %v", reason, want)
		}
	}
}
