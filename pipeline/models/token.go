package models

import "strings"

// prefix cuts one prefix off; an empty rest means that there is none, or nothing behind it.
func prefix(name string) (rest string, f Features) {
	cut := strings.IndexByte(name, '/') + 1
	switch name[:cut] {
	case "models/":
	case "假流式/", "fake-stream/":
		f = FakeStream
	case "流式抗截断/", "抗截断/", "anti-truncation/":
		f = AntiTruncation
	default:
		return "", 0
	}
	return strings.TrimSpace(name[cut:]), f
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

// budget reads `-thinking-8192`. Seven digits are more than any model thinks, and cannot overflow.
func budget(name string, cut int) (int, token) {
	digits := name[cut+1:]
	if len(digits) == 0 || len(digits) > 7 || !budgeted(name[:cut]) {
		return 0, token{}
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, token{}
		}
		n = n*10 + int(digits[i]-'0')
	}
	return cut - len(budgetWord), token{thinking: On, budget: n, hasBudget: true}
}
