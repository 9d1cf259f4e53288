package gemini

// Filtered tells the finish reasons by which Google withheld an answer, or a part of it, for what is in
// it (protocol 5.4). They are no errors: other languages have a word for them.
func Filtered(reason []byte) bool {
	switch string(reason) {
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return true
	}
	return false
}
