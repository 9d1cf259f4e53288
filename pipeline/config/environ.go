package config

import (
	"slices"
	"strconv"
	"strings"
)

// readEnv is the layer of the environment. An empty variable is not set.
func (l *loader) readEnv(environ []string) layer {
	out, vars := layer{}, map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if _, seen := vars[name]; !seen {
			vars[name] = value
		}
	}
	for _, p := range l.table.params {
		set := slices.DeleteFunc(slices.Clone(p.Env), func(name string) bool { return vars[name] == "" })
		if len(set) == 0 {
			continue
		}
		text := vars[set[0]]
		if p.Type == StringList || p.Type == IntList {
			for _, name := range set[1:] {
				text += "," + vars[name]
			}
		}
		from := Origin{Source: FromEnvironment, Env: set[0]}
		raw, note := fromText(p, text)
		if note != "" {
			l.warn(from.problem(p.Key, note))
		}
		l.record(p, raw, from, out)
	}
	return out
}

// fromText reads a variable as the type of its setting; what does not read is left as text for
// coerce to refuse.
func fromText(p Param, text string) (raw any, note string) {
	trimmed := strings.TrimSpace(text)
	switch p.Type {
	case Bool:
		return truth(trimmed)
	case Int:
		return number(trimmed), ""
	case Float:
		if f, err := strconv.ParseFloat(trimmed, 64); err == nil {
			return f, ""
		}
	case StringList, IntList:
		return split(p.Type, text), ""
	case String:
		if len(p.OneOf) == 0 {
			return text, "" // a password may begin or end with a space
		}
	}
	return trimmed, ""
}

func truth(word string) (bool, string) {
	switch strings.ToLower(word) {
	case "true", "1", "yes", "on":
		return true, ""
	case "false", "0", "no", "off", "":
		return false, ""
	}
	return false, "must be true, 1, yes or on, or else false; got " + quote(word) + ", taken as false"
}

func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return text
}

func split(t Type, text string) []any {
	out := []any{}
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		if t == IntList {
			out = append(out, number(one))
		} else if !slices.Contains(out, any(one)) {
			out = append(out, one)
		}
	}
	return out
}

// unread warns of credentials in the environment that nobody reads: they look as if they counted.
func (s *Snapshot) unread(environ []string) (out []string) {
	if s.Bool("pool.auto_load_env_creds") {
		return nil
	}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "GCLI_CREDS_") && value != "" {
			out = append(out, Problem{File: "environment", Key: name, Message: "is read at start only with AUTO_LOAD_ENV_CREDS=true, or once POST /auth/load-env-creds has taken it in"}.String())
		}
	}
	return out
}
