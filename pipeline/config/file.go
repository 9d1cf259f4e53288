package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/knadh/koanf/parsers/toml/v2"
	gotoml "github.com/pelletier/go-toml/v2"
)

const defaultFile = "config.toml"

// maxFile bounds config.toml, so that a wrong path (a log, a device) is an error and not an
// afternoon.
const maxFile = 1 << 20

// Find gives the file to read: the -config flag, else GCLI2API_CONFIG (env), else config.toml when
// there is one, else "" for the built-in defaults. A file that was named and is missing is an
// error of Load.
func Find(flag, env string) string {
	if flag != "" {
		return flag
	}
	if env != "" {
		return env
	}
	if _, err := os.Stat(defaultFile); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return defaultFile
}

// Rough reads no more than address and port out of a file that may be broken elsewhere, as TOML for
// Options.Data. It is for asking a gateway that was started when the file was in order.
func Rough(name string) []byte {
	data, _ := readAll(name)
	out := []byte{}
	for _, key := range []string{"host", "port"} {
		if m := regexp.MustCompile(`(?m)^[ \t]*(?:server\.)?` + key + `[ \t]*=[ \t]*("[\w.:\[\]-]+"|\d+)[ \t]*(?:#.*)?\r?$`).FindSubmatch(data); m != nil {
			out = fmt.Appendf(out, "server.%s = %s\n", key, m[1])
		}
	}
	return out
}

// readFile is the layer of config.toml.
func (l *loader) readFile(o Options) layer {
	data := o.Data
	if data == nil {
		if o.File == "" {
			return nil
		}
		var message string
		if data, message = readAll(o.File); message != "" {
			l.wrongFile(0, message)
			return nil
		}
	}
	tree := l.parse(data)
	if tree == nil {
		return nil
	}
	out := layer{}
	l.walk(tree, nil, func(parts []string) Origin {
		return Origin{Source: FromFile, File: l.file, Line: l.lines.at(parts)}
	}, out)
	return out
}

func readAll(name string) (data []byte, problem string) {
	f, err := os.Open(name)
	if err == nil {
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	}
	switch {
	case err == nil && len(data) > maxFile:
		return nil, fmt.Sprintf("must be smaller than %s; this is no settings file", formatSize(maxFile))
	case err == nil:
		return data, ""
	case errors.Is(err, fs.ErrNotExist):
		return nil, "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return nil, "this user may not read it"
	case errors.Is(err, syscall.EISDIR):
		return nil, "is a folder, must be a file (Docker makes a folder when the file to mount does not exist)"
	}
	return nil, "cannot be read: " + cause(err)
}

func cause(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// parse gives the tree of a file, or nil after noting why there is none.
func (l *loader) parse(data []byte) map[string]any {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) > maxFile {
		l.wrongFile(0, fmt.Sprintf("must be smaller than %s; this is no settings file", formatSize(maxFile)))
		return nil
	}
	if line := firstBadUTF8(data); line > 0 {
		l.problems = append(l.problems, Problem{File: l.file, Line: line, Key: l.table.keyIn(data, line),
			Message: "must be UTF-8 text; save the file in that encoding"})
		return nil
	}
	tree, err := toml.Parser().Unmarshal(data)
	if err != nil {
		l.syntax(data, err)
		return nil
	}
	found, deep := indexLines(data)
	if deep > 0 {
		l.wrongFile(deep, fmt.Sprintf("must not nest deeper than %d levels", maxDepth))
		return nil
	}
	l.lines = found
	if tree == nil {
		tree = map[string]any{}
	}
	return tree
}

func (l *loader) syntax(data []byte, err error) {
	var at *gotoml.DecodeError
	if !errors.As(err, &at) {
		l.wrongFile(0, "is not TOML: "+strings.TrimPrefix(err.Error(), "toml: "))
		return
	}
	line, column := at.Position()
	message := strings.TrimPrefix(at.Error(), "toml: ")
	if strings.Contains(message, "U+") && l.table.looksSecret(lineOf(data, line)) {
		message = "the value of this secret is not written as TOML wants it: put it in quotes"
	}
	if strings.Contains(message, "already") {
		l.wrongFile(line, message+firstAt(data, line)+"; write it once")
		return
	}
	l.problems = append(l.problems, Problem{File: l.file, Line: line, Key: l.table.keyIn(data, line),
		Message: fmt.Sprintf("column %d: is not TOML: %s", column, message)})
}

// keyIn names the setting that a line is about, in a file that does not parse; "" where that is not
// clear.
func (t *table) keyIn(data []byte, line int) string {
	table := ""
	for ; line > 1; line-- {
		before, rest, _ := bytes.Cut(data, []byte("\n"))
		if header, ok := bytes.CutPrefix(bytes.TrimSpace(before), []byte("[")); ok {
			header, _, _ = bytes.Cut(header, []byte("]"))
			table = strings.TrimSpace(string(header)) + "."
		}
		data = rest
	}
	name, _, assigned := strings.Cut(lineOf(data, 1), "=")
	key := table + strings.TrimSpace(name)
	if !assigned || t.byKey[key] == nil && t.byFlat[key] == nil {
		return ""
	}
	return key
}

// firstAt tells where the table that stands a second time in a line stands first. Of keys the
// parser says no table, so theirs is not looked for.
func firstAt(data []byte, line int) string {
	name, _, _ := strings.Cut(lineOf(data, line), "#")
	name, header := strings.CutPrefix(strings.TrimSpace(name), "[")
	name = strings.TrimSpace(strings.TrimSuffix(name, "]"))
	found, _ := indexLines(data)
	first := found[path(strings.Split(name, "."))]
	if !header || first == 0 || first >= line {
		return ""
	}
	return fmt.Sprintf(" in line %d", first)
}

// looksSecret: the parser quotes the character it stumbled over, which for an unquoted password
// is a piece of it.
func (t *table) looksSecret(line string) bool {
	name, _, _ := strings.Cut(line, "=")
	for _, p := range t.params {
		if p.Secret && strings.Contains(name, p.Key[strings.LastIndexByte(p.Key, '.')+1:]) {
			return true
		}
	}
	return false
}

func lineOf(data []byte, line int) string {
	for ; line > 1; line-- {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return ""
		}
		data = data[i+1:]
	}
	data, _, _ = bytes.Cut(data, []byte("\n"))
	return string(data)
}

func firstBadUTF8(data []byte) int {
	if utf8.Valid(data) {
		return 0
	}
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return line
		}
		if r == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}

func (l *loader) wrongFile(line int, message string) {
	l.problems = append(l.problems, Problem{File: l.file, Line: line, Message: message})
}
