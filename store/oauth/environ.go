package oauth

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The names of environment variables that hold credentials.
const (
	autoPrefix  = "GCLI_CREDS_"        // with any ending
	plainName   = "GOOGLE_CREDENTIALS" // alone, or with _2, _3 and so on
	plainPrefix = plainName + "_"
)

// Variable is an environment variable that holds credentials. Printed or logged it shows its name only.
type Variable struct {
	Name string // of the variable
	ID   string // of its first credential, the same at each start
	text string
}

// FromEnvironment picks the variables with credentials out of an environment: GOOGLE_CREDENTIALS and
// its numbered ones, and where autoLoad says so GCLI_CREDS_*. Empty ones count as not set.
func FromEnvironment(environ []string, autoLoad bool) []Variable {
	var all []Variable
	seen := map[string]bool{}
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		id := variableID(name, autoLoad)
		if text = unquoted(text); id == "" || text == "" || seen[name] {
			continue
		}
		seen[name] = true
		all = append(all, Variable{Name: name, ID: id, text: text})
	}
	slices.SortFunc(all, func(a, b Variable) int {
		return cmp.Or(cmp.Compare(number(a.Name), number(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return all
}

// variableID is the id of what a variable holds, "" for a variable that is none of ours.
func variableID(name string, autoLoad bool) string {
	if ending, ok := strings.CutPrefix(name, autoPrefix); ok && ending != "" && autoLoad {
		return "env-" + ending
	}
	if name == plainName {
		return "env_credential_1"
	}
	n, ok := strings.CutPrefix(name, plainPrefix)
	switch {
	case !ok || n == "" || strings.Trim(n, "0123456789") != "":
		return ""
	case n == "1":
		return "env_credential_1_1" // GOOGLE_CREDENTIALS is the first, and may be set as well
	}
	return "env_credential_" + n
}

// number orders the variables: the numbered ones as people count, the others behind them.
func number(name string) int {
	if name == plainName {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(name, plainPrefix)); err == nil {
		return n
	}
	return math.MaxInt
}

// unquoted takes the quotes off that files of variables leave around a value.
func unquoted(text string) string {
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '"' && text[0] != '\'' {
		return text
	}
	var inner string
	if json.Unmarshal([]byte(text), &inner) == nil {
		return strings.TrimSpace(inner) // with its own quotes escaped
	}
	return strings.TrimSpace(text[1 : len(text)-1])
}

// Parse reads the credentials of the variable as the function Parse reads those of a file.
func (v Variable) Parse(r Rules) (Sheet, error) {
	s, err := reader{id: v.ID, name: v.Name, rules: r}.read([]byte(v.text))
	s.InPlace = false
	return s, err
}

// Waits tells a variable that is read only when somebody asks for it, unless AUTO_LOAD_ENV_CREDS is on.
func (v Variable) Waits() bool { return strings.HasPrefix(v.Name, autoPrefix) }

// Identifier is what the name of a variable has behind its beginning, as operators know it.
func (v Variable) Identifier() string {
	if rest, ok := strings.CutPrefix(v.Name, autoPrefix); ok {
		return rest
	}
	return strings.TrimPrefix(v.ID, "env_credential_")
}

// String is the name of the variable.
func (v Variable) String() string { return v.Name }

// GoString is String: %#v must not show the value either.
func (v Variable) GoString() string { return v.Name }
