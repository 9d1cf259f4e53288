package config

import (
	"strconv"
	"strings"
)

// Source names a layer; a later one wins over an earlier one.
type Source string

// The layers in order of precedence.
const (
	FromDefault     Source = "default"
	FromFile        Source = "file"
	FromPanel       Source = "panel"
	FromEnvironment Source = "environment"
)

// Origin says where the value of a key came from.
type Origin struct {
	Source Source
	Env    string // the variable, for FromEnvironment
	File   string // path and line, for FromFile
	Line   int
}

// String is the origin as shown to people: "environment (PORT)", "file (config.toml:3)".
func (o Origin) String() string {
	switch {
	case o.Source == FromEnvironment && o.Env != "":
		return string(o.Source) + " (" + o.Env + ")"
	case o.Source == FromFile && o.Line > 0:
		return string(o.Source) + " (" + o.File + ":" + strconv.Itoa(o.Line) + ")"
	}
	return string(o.Source)
}

// Place is where to look for a setting, or for a table of them, for a message of an operator:
// "config.toml:3", the line of the nearest table when the key is not written there, the file when
// that has none either, or what else said it.
func (s *Snapshot) Place(key string) string {
	if o, ok := s.origins[key]; ok && o.Source != FromFile && o.Source != FromDefault {
		return o.String()
	}
	if s.file == "" {
		return "built-in defaults"
	}
	parts := strings.Split(key, ".")
	if line := s.lines.at(parts); line > 0 {
		return s.file + ":" + strconv.Itoa(line)
	}
	return s.file
}

// Problem pins a message to a setting, or to an entry of a table that its owner reads.
func (s *Snapshot) Problem(key []string, message string) Problem {
	return s.place(key).problem(display(key), message)
}

func (o Origin) problem(key, message string) Problem {
	p := Problem{Key: key, Message: message}
	switch o.Source {
	case FromFile:
		p.File, p.Line = o.File, o.Line
	case FromPanel:
		p.File = "panel"
	case FromEnvironment:
		p.File, p.Key = "environment", o.Env
	}
	return p
}

// Masked is a setting of the file that a higher layer hides.
type Masked struct {
	Key    string
	Hidden Origin // where the file says it
	By     Origin // what counts instead
}
