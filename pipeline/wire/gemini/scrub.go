package gemini

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxMessage is how many runes of Google's words a client gets to see.
const maxMessage = 500

var (
	links = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]+|\b(?:www|console|accounts|support|myaccount|admin)\.(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/[^\s"'<>]*)?`)
	mails = regexp.MustCompile(`[\pL\pN._%+'-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+`)
	// Access, refresh and ID tokens, API keys old and new, client secrets, whatever follows Bearer.
	tokens   = regexp.MustCompile(`\bya29\.[\w.-]+|\bAIza[\w-]{8,}|\bAQ\.[\w.-]{8,}|\b1//[\w.-]+|\b4/[\w-]{20,}|\bGOCSPX-[\w-]+|\beyJ[\w-]+\.[\w.-]+|(?i:\bbearer\s+)[\w.~+/=-]{8,}`)
	resource = regexp.MustCompile(`(?i)\b(projects|folders|organizations|billingAccounts|project_number|project_id)([/:=])[\w.:-]*\w`)
	project  = regexp.MustCompile(`(?i)\b((?:project|consumer)(?:\s+(?:id|number))?[\s:=#]+["'` + "`" + `\[(]*)([\w][\w:.-]*\w)`)
)

// Scrub makes Google's words fit for an API client: without e-mail addresses, project ids, links
// (activation, verification, appeal) and anything that looks like a token, at most 500 runes.
func Scrub(text string) string {
	const enough = 16 * maxMessage // bounds the work; nothing so far behind can be among the first 500 runes
	if len(text) > enough {
		text = text[:enough]
		if i := strings.LastIndexAny(text, " \n\t"); i > 0 {
			text = text[:i] // no half of a token, which no pattern would know
		}
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = links.ReplaceAllString(text, "[link]")
	text = tokens.ReplaceAllString(text, "[token]")
	if strings.Contains(text, "@") {
		text = mails.ReplaceAllString(text, "[account]")
	}
	text = resource.ReplaceAllString(text, "$1$2[id]")
	text = scrubProjects(text)
	return clip(strings.TrimSpace(text))
}

func clip(text string) string {
	if utf8.RuneCountInString(text) > maxMessage {
		text = string([]rune(text)[:maxMessage-1]) + "…"
	}
	return text
}

// Mask takes out what looks like a token or a key, and leaves the rest to the operator, who has to
// know which account and which project Google speaks of.
func Mask(text string) string {
	return tokens.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "[token]")
}

// scrubProjects removes the id in "project my-project-123". An id cannot be told from a word for
// certain, so every word goes that does not ordinarily follow "project".
func scrubProjects(text string) string {
	return project.ReplaceAllStringFunc(text, func(m string) string {
		at := project.FindStringSubmatchIndex(m)
		word := m[at[4]:at[5]]
		switch strings.ToLower(word) {
		case "is", "was", "has", "had", "have", "does", "did", "do", "can", "cannot", "could", "must", "may", "might",
			"will", "would", "should", "shall", "and", "or", "but", "if", "in", "on", "at", "of", "to", "for", "from", "by",
			"with", "without", "before", "after", "not", "no", "that", "this", "which", "whose", "where", "when", "you",
			"your", "it", "its", "are", "be", "been", "being", "as", "so", "owner", "owners", "name", "names", "number",
			"id", "ids", "level", "quota", "quotas", "settings", "setting", "access", "billing", "administrator",
			"admin", "policy", "resource", "resources", "permission", "permissions", "usage", "limit", "limits",
			"first", "then", "there", "because", "via", "projects", "project_number",
			"project_id", "folders", "organizations", "using", "used", "instead", "needs", "requires", "per", "type":
			return m
		}
		return m[:at[4]] + "[id]"
	})
}
