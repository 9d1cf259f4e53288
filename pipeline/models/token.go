package models

import "strings"

// prefix cuts one prefix off; an empty rest means that there is none, or nothing behind it.
// The slash may be the wide one of a Chinese keyboard.
func prefix(name string) (rest string, f Features) {
	cut, behind := strings.IndexByte(name, '/'), 1
	if wide := strings.Index(name, "／"); wide >= 0 && (cut < 0 || wide < cut) {
		cut, behind = wide, len("／")
	}
	if cut < 0 {
		return "", 0
	}
	switch name[:cut] {
	case "models":
	case "假流式", "fake-stream":
		f = FakeStream
	case "流式抗截断", "抗截断", "anti-truncation":
		f = AntiTruncation
	default:
		return "", 0
	}
	return strings.TrimSpace(name[cut+behind:]), f
}

// Nameless tells that the name is made of features only, so that nothing is left for a model.
func (m Model) Nameless() bool {
	if m.Base == "" || m.Base[0] == '-' {
		return true
	}
	rest, f := prefix(m.Base + "x")
	return rest == "x" && f != 0
}

// token is a suffix that was cut off.
type token struct {
	text      string
	feature   Features
	thinking  Thinking
	budget    int
	hasBudget bool
	picture   Picture
}

// suffix cuts one suffix off; an empty rest means that there is none, or nothing before it.
func suffix(name string, pictures bool) (rest string, t token) {
	cut := strings.LastIndexByte(name, '-')
	if cut <= 0 {
		return "", token{}
	}
	switch name[cut:] {
	case "-假流式":
		t.feature = FakeStream
	case "-流式抗截断", "-抗截断":
		t.feature = AntiTruncation
	case "-search":
		t.feature = Search
	case "-stream":
		cut, t.feature = strings.LastIndex(name, "-fake-stream"), FakeStream
	case "-truncation":
		cut, t.feature = strings.LastIndex(name, "-anti-truncation"), AntiTruncation
	default:
		if p, ok := pictureOf(name[cut+1:]); ok && pictures && !budgeted(name[:cut]) {
			t.picture = p
		} else if t = thinking(name[cut:]); t.thinking == None {
			cut, t = budget(name, cut)
		}
	}
	if cut <= 0 {
		return "", token{}
	}
	t.text = name[cut:]
	return strings.TrimSpace(name[:cut]), t
}

func thinking(text string) (t token) {
	for level := Off; level <= Full; level++ {
		if text == level.String() {
			t.thinking = level
		}
	}
	return t
}

const budgetWord = "-thinking"

// budgeted tells that the number behind a name is one of tokens: 512 could be the size of a picture.
func budgeted(name string) bool { return strings.HasSuffix(name, budgetWord) }

// mostBudget is more tokens than any model thinks with.
const mostBudget = 9_999_999

// budget reads `-thinking-8192`; what is larger than mostBudget is that.
func budget(name string, cut int) (int, token) {
	digits := name[cut+1:]
	if len(digits) == 0 || !budgeted(name[:cut]) {
		return 0, token{}
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, token{}
		}
		n = min(n*10+int(digits[i]-'0'), mostBudget)
	}
	return cut - len(budgetWord), token{thinking: On, budget: n, hasBudget: true}
}
