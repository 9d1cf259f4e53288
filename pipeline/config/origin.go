package config

import "strconv"

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
