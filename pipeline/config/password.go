package config

import (
	"fmt"
	"log/slog"
	"strings"
)

// BuiltinPassword holds until somebody sets one; while it does, only loopback may ask.
const BuiltinPassword = "pwd"

// Passwords are the two secrets as they count after PASSWORD overrode the specific ones.
type Passwords struct {
	API, Panel             string
	APIChosen, PanelChosen bool // false while the password is the built-in one that nobody set
	Warnings               []string
}

// Passwords resolves the three password settings. An empty one is not set. "pwd" set by hand
// counts as chosen, with a warning.
func (s *Snapshot) Passwords() Passwords {
	const both, api, panel = "server.password", "server.api_password", "server.panel_password"
	out := Passwords{API: BuiltinPassword, Panel: BuiltinPassword}
	pick := func(specific string, into *string, chosen *bool) {
		for _, key := range []string{both, specific} {
			if value := s.String(key); value != "" {
				*into, *chosen = value, true
				return
			}
		}
	}
	pick(api, &out.API, &out.APIChosen)
	pick(panel, &out.Panel, &out.PanelChosen)
	for _, key := range []string{both, api, panel} {
		value := s.String(key)
		if strings.TrimSpace(value) != value {
			out.Warnings = append(out.Warnings, s.named(key)+" begins or ends with a space, which no client can send in a header")
		}
		switch {
		case value == "":
		case key != both && s.String(both) != "":
			out.Warnings = append(out.Warnings, fmt.Sprintf("%s overrides %s: the specific password does not count", s.named(both), s.named(key)))
		case value == BuiltinPassword:
			out.Warnings = append(out.Warnings, s.named(key)+" is the built-in password that everybody knows; set another one")
		}
	}
	return out
}

// named is a setting as its writer knows it: the variable, or key and place in the file.
func (s *Snapshot) named(key string) string {
	switch from := s.origins[key]; from.Source {
	case FromEnvironment:
		return from.Env
	case FromFile:
		return fmt.Sprintf("%s (%s:%d)", key, from.File, from.Line)
	default:
		return fmt.Sprintf("%s (%s)", key, from.Source)
	}
}

// Format never shows the passwords, with any verb.
func (p Passwords) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "config.Passwords(api chosen %t, panel chosen %t)", p.APIChosen, p.PanelChosen)
}

// LogValue never shows the passwords.
func (p Passwords) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("api_chosen", p.APIChosen), slog.Bool("panel_chosen", p.PanelChosen))
}

// MarshalText keeps encoders from showing the passwords.
func (p Passwords) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", p), nil }
