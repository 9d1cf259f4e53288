package gemini

import "strconv"

// Target is what a translation has to know of the model that is asked, and of the dialogue.
type Target struct {
	MaxOutput int  // tokens it writes at most; 0 means 65,536
	Major     int  // generation: 2 of "gemini-2.5-pro"; 0 when the name has none
	Minor     int  // 5 of "gemini-2.5-pro"
	Image     bool // makes pictures

	// Limits is what the model takes of a thinkingConfig.
	Limits Limits
	// ShownElsewhere tells that the translation need not decide on thoughts of which the request does not
	// say whether they are to be shown.
	ShownElsewhere bool

	// Recall finds what is remembered of a call, by the id that the client knows it by; may be nil.
	Recall func(id []byte) (Remembered, bool)
}

// Signs tells that the model refuses calls in a dialogue without their signatures (protocol 6.4), and
// a dialogue that ends with its own turn (protocol 3.4), as all do from the third generation on.
func (t *Target) Signs() bool { return t.Major >= 3 || t.Major == 0 && t.Limits.ByLevel() }

// Beside is what the body of another language said beside the hub request.
type Beside struct {
	Stream  bool     // the client wants events
	Tools   *Tools   // nil when there is no function in the request
	Remote  int      // parts that Draft.Remote wrote
	Ignored []string // what was left out or cut down and the client should hear of ("top_k=64")

	more int
}

// maxIgnored keeps the list short enough for a header.
const maxIgnored = 16

// Ignore takes note of what the client should hear of; what does not fit is counted.
func (b *Beside) Ignore(what string) {
	if len(b.Ignored) < maxIgnored {
		b.Ignored = append(b.Ignored, what)
		return
	}
	b.more++
	b.Ignored = append(b.Ignored[:maxIgnored], strconv.Itoa(b.more)+" more")
}
