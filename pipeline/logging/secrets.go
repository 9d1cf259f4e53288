package logging

import "strings"

// nextSecret finds the next thing from i on that looks like a secret. One pass over the line: most
// bytes begin nothing, and most that may are ruled out by the byte behind them.
func nextSecret(line string, i int) (start, end int) {
	for ; i < len(line); i++ {
		switch line[i] {
		case '=', ':':
			start, end = named(line, i)
		case '/':
			start, end = userinfo(line, i)
		case 'y', 'A', '1', '4', 's', 'e', 'G', 'B', 'b', '-':
			if i+1 < len(line) && follows(line[i], line[i+1]) {
				start, end = shaped(line, i)
			}
		}
		if start < end {
			return start, end
		}
	}
	return 0, 0
}

// follows says whether the second byte fits what shaped knows to begin with the first.
func follows(first, second byte) bool {
	switch first {
	case 'y', 'B', 'b':
		return second|0x20 == 'a' || first != 'y' && second|0x20 == 'e'
	case 'A':
		return second == 'I' || second == 'Q'
	case '1':
		return second == '/'
	case '4':
		return second == '/' || second == '%'
	case 's':
		return second == 'k'
	case 'e':
		return second == 'y'
	case 'G':
		return second == 'O'
	}
	return second == '-'
}

// shaped knows secrets by how they begin.
func shaped(line string, i int) (start, end int) {
	switch line[i] {
	case 'y':
		return begins(line, i, "ya29.", 4) // Google access token
	case 'A':
		if start, end = begins(line, i, "AIza", 10); start < end { // Google API key
			return start, end
		}
		return word(line, i, "AQ.", 8) // and the newer ones
	case 'G':
		return begins(line, i, "GOCSPX-", 4) // Google client secret
	case '1':
		return word(line, i, "1//", 10) // Google refresh token
	case '4': // Google sign-in code
		if start, end = word(line, i, "4/0", 10); start < end {
			return start, end
		}
		return word(line, i, "4%2F0", 10)
	case 's':
		return word(line, i, "sk-", 8) // API keys, ours too
	case 'e':
		return word(line, i, "eyJ", 24) // JWT
	case 'B', 'b':
		return authorization(line, i)
	}
	return privateKey(line, i)
}

// begins matches a beginning with at least so many characters behind it; fewer are a mention. The
// beginning stays readable, it tells the kind.
func begins(line string, i int, begin string, least int) (start, end int) {
	if !strings.HasPrefix(line[i:], begin) {
		return 0, 0
	}
	start = i + len(begin)
	if end = run(line, start); end-start < least {
		return 0, 0
	}
	return start, end
}

// word is begins for what means nothing inside a word ("task-", "key1//").
func word(line string, i int, begin string, least int) (start, end int) {
	if wordAt(line, i-1) || i > 0 && line[i-1] == '-' {
		return 0, 0
	}
	return begins(line, i, begin, least)
}

// run is the end of the characters that tokens are made of.
func run(line string, i int) int {
	for i < len(line) && (alnum(line[i]) || strings.IndexByte("-_.~+/=%", line[i]) >= 0) {
		i++
	}
	return i
}

// authorization knows "Bearer x" in any case and "Basic x" where x can be base64 of something.
func authorization(line string, i int) (start, end int) {
	for _, scheme := range [...]string{"Bearer ", "Basic "} {
		start = i + len(scheme)
		if len(line) < start || !strings.EqualFold(line[i:start], scheme) || wordAt(line, i-1) {
			continue
		}
		end = until(line, start, breaks)
		if scheme == "Bearer " || end-start >= 8 {
			return start, end
		}
	}
	return 0, 0
}

// privateKey covers a PEM block, to the end of the value if its own end is missing.
func privateKey(line string, i int) (start, end int) {
	const begin, stop = "-----BEGIN ", "-----END "
	if !strings.HasPrefix(line[i:], begin) {
		return 0, 0
	}
	start = i + len(begin)
	if at := strings.Index(line[start:], stop); at >= 0 {
		return start, start + at
	}
	if at := strings.IndexByte(line[start:], '"'); at >= 0 {
		return start, start + at
	}
	return start, len(line)
}

// userinfo covers the password of scheme://user:password@host. i is at the first slash.
func userinfo(line string, i int) (start, end int) {
	if i == 0 || line[i-1] != ':' || !strings.HasPrefix(line[i:], "//") {
		return 0, 0
	}
	authority := line[i+2:]
	if at := strings.IndexAny(authority, " \"'\\/?#,<>"); at >= 0 {
		authority = authority[:at]
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return 0, 0
	}
	colon := strings.IndexByte(authority[:at], ':')
	if colon < 0 {
		return 0, 0
	}
	return i + 2 + colon + 1, i + 2 + at
}

// named covers the value of a name that promises a secret: password=x, "client_secret": "x",
// X-Goog-Api-Key:[x], ?key=x. i is at the sign in between.
func named(line string, i int) (start, end int) {
	stop := i
	for stop > 0 && strings.IndexByte(" \"'\\", line[stop-1]) >= 0 {
		stop--
	}
	begin := stop
	for begin > 0 && (alnum(line[begin-1]) || line[begin-1] == '_' || line[begin-1] == '-') {
		begin--
	}
	name := line[begin:stop]
	query := begin > 0 && (line[begin-1] == '?' || line[begin-1] == '&')
	if !sensitive(name) && !(name == "key" && query) && string(name) != "u0026key" {
		return 0, 0
	}
	start = i + 1
	for start < len(line) && (line[start] == ' ' || line[start] == '[') {
		start++
	}
	spaced := start > i+1 && line[start-1] == ' '
	depth := 0 // how often the quote is escaped: the value sits in a quoted value itself
	for start+depth < len(line) && line[start+depth] == '\\' {
		depth++
	}
	if at := start + depth; at < len(line) && (line[at] == '"' || line[at] == '\'') {
		return at + 1, closing(line, at+1, line[at], depth)
	}
	if line[i] == ':' && spaced && !header(name) {
		return 0, 0 // a sentence: "api_password: must be text"
	}
	if cookie(name) { // its parts are divided by "; "
		return start, until(line, start, "\"]")
	}
	return start, until(line, start, breaks)
}

// closing is where a quoted value ends: at a quote that is escaped no more often than the first.
func closing(line string, i int, quote byte, depth int) int {
	slashes := 0
	for ; i < len(line); i++ {
		switch {
		case line[i] == '\\':
			slashes++
			continue
		case line[i] == quote && slashes <= depth:
			return i - slashes
		}
		slashes = 0
	}
	return len(line)
}

// breaks is what ends a value that stands without quotes.
const breaks = " \"'\\,;&]})<>"

// until is where the first of stops stands, or the end of the line.
func until(line string, i int, stops string) int {
	if at := strings.IndexAny(line[i:], stops); at >= 0 {
		return i + at
	}
	return len(line)
}

// sensitive tells that a name promises a secret.
func sensitive(name string) bool {
	if name == "" {
		return false
	}
	switch name[len(name)-1] | 0x20 {
	case 'd':
		return hasSuffixFold(name, "password") || hasSuffixFold(name, "passwd")
	case 't':
		return hasSuffixFold(name, "secret")
	case 'n':
		return hasSuffixFold(name, "token")
	case 'y':
		return hasSuffixFold(name, "api_key") || hasSuffixFold(name, "api-key") ||
			hasSuffixFold(name, "apikey") || hasSuffixFold(name, "private_key")
	case 'e':
		return cookie(name)
	}
	return false
}

// header tells the names that stand before a colon and a space in a printed header.
func header(name string) bool { return cookie(name) || hasSuffixFold(name, "key") }

func cookie(name string) bool { return hasSuffixFold(name, "cookie") }

func hasSuffixFold(name string, end string) bool {
	cut := len(name) - len(end)
	return cut >= 0 && strings.EqualFold(name[cut:], end)
}
