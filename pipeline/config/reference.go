package config

import (
	"fmt"
	"slices"
	"strings"
)

// Section is one table of the reference file.
type Section struct {
	Name    string // "server", "stage.retry"
	Help    string // what the table is for, one paragraph
	Params  []Param
	Enabled *bool  // for a stage: written as a live `enabled = ...` line
	Example string // TOML lines that are shown commented, for tables whose owner decodes them
}

const preface = `# gcli2api: every setting with its default.
#
# A line that begins with "#" and a name is a setting at its default: remove the "#" to change it.
# Where a setting comes from: environment > panel > this file > default. An empty environment
# variable is not set. Durations are "1.5s", "2m" or a number of seconds; sizes are "100MB",
# "512MiB" or a number of bytes. Unknown names are errors: gcli2api check says where.
`

// Reference writes the commented reference of every setting: the server's sections and more. A
// section of more takes the place of the server's section of that name.
func Reference(more []Section) []byte {
	all := ServerSections()
	for _, s := range more {
		i := slices.IndexFunc(all, func(other Section) bool { return other.Name == s.Name })
		if i < 0 {
			all = append(all, s)
			continue
		}
		all[i] = s
	}
	return WriteReference(all)
}

// WriteReference writes the given sections in their order. Settings are commented out, except the
// list of stages and the switches of stages: those are what one looks for first.
func WriteReference(sections []Section) []byte {
	var b strings.Builder
	b.WriteString(preface)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n%s[%s]\n", comment(s.Help), s.Name)
		if s.Enabled != nil {
			fmt.Fprintf(&b, "enabled = %t\n", *s.Enabled)
		}
		for _, p := range s.Params {
			writeParam(&b, s, p)
		}
		for line := range strings.Lines(s.Example) {
			b.WriteString(strings.TrimRight("#"+line, "\n") + "\n")
		}
	}
	return []byte(b.String())
}

func writeParam(b *strings.Builder, s Section, p Param) {
	name := strings.TrimPrefix(p.Key, s.Name+".")
	if p.Type == Table || p.Type == Tables || s.Enabled != nil && name == "enabled" {
		return
	}
	b.WriteString(comment(sentence(p.Help)) + comment(facts(p)))
	mark := "#"
	if p.Key == orderKey {
		mark = ""
	}
	value := p.Default
	if _, asWritten := value.(string); !asWritten { // "100MB" stays as its author wrote it
		if typed, err := coerce(p, value); err == nil {
			value = typed
		}
	}
	fmt.Fprintf(b, "%s%s = %s\n", mark, name, wrap(mark, literal(p, value)))
}

// facts is what one must know to write a setting: limits, other names, when it counts.
func facts(p Param) string {
	var parts []string
	limits := strings.TrimPrefix(strings.TrimSpace(bounds(p, boundShown(p.Type))), "of ")
	switch {
	case p.Type == URL && len(p.OneOf) > 0:
		parts = append(parts, strings.TrimPrefix(expectsURL(p), "an "))
	case len(p.OneOf) > 0:
		parts = append(parts, oneOf("", p.OneOf))
	case limits != "" && p.Type != String && p.Type != Path:
		parts = append(parts, limits)
	}
	if len(p.Env) > 0 {
		parts = append(parts, "environment: "+strings.Join(p.Env, ", "))
	}
	if p.Flat != "" && p.Flat != p.Key[strings.LastIndexByte(p.Key, '.')+1:] {
		parts = append(parts, "old name: "+p.Flat)
	}
	if p.Waits != "" {
		parts = append(parts, "not there yet: "+p.Waits)
	}
	if p.AfterRestart {
		parts = append(parts, "after restart")
	}
	return sentence(strings.Join(parts, "; "))
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return upperFirst(s) + "."
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".")
}

// comment breaks text into comment lines.
func comment(text string) string {
	const width = 100
	var b strings.Builder
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width && line != "#" {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	if line != "#" {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// wrap breaks a long list at its commas; each line of a commented setting is commented.
func wrap(mark, value string) string {
	const width = 90
	if len(value) <= width || !strings.HasPrefix(value, "[") {
		return value
	}
	var b strings.Builder
	used := 0
	for item := range strings.SplitAfterSeq(value, ", ") {
		if used > 0 && used+len(item) > width {
			b.WriteString("\n" + mark + " ")
			used = 0
		}
		b.WriteString(item)
		used += len(item)
	}
	return strings.ReplaceAll(b.String(), ", \n", ",\n")
}
