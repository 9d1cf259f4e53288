package open

import (
	"net/url"
	"regexp"
	"strings"

	"gcli2api/pipeline/logging"
)

// mask takes what is secret about a place out of what a driver says: they like to name the address that
// they were given.
func (p Place) mask(text string) string {
	for _, secret := range p.secrets() {
		if len(secret) > 2 {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return logging.Mask(text)
}

// secrets are the address and its password, in the forms that it can have.
func (p Place) secrets() []string {
	if p.Address == "" {
		return nil
	}
	list := []string{p.Address}
	if u, err := url.Parse(p.Address); err == nil {
		if word, has := u.User.Password(); has {
			_, raw, _ := strings.Cut(u.User.String(), ":")
			list = append(list, word, raw, url.QueryEscape(word))
		}
	} else if _, rest, ok := strings.Cut(p.Address, "://"); ok { // MongoDB names several hosts in one
		if at := strings.LastIndex(rest, "@"); at >= 0 {
			_, raw, _ := strings.Cut(rest[:at], ":")
			word, _ := url.PathUnescape(raw)
			list = append(list, raw, word)
		}
	}
	for _, m := range regexp.MustCompile(`password\s*=\s*('(?:[^'\\\\]|\\\\.)*'|[^\s&]+)`).FindAllStringSubmatch(p.Address, -1) {
		list = append(list, m[1], strings.Trim(m[1], "'"))
	}
	return list
}
