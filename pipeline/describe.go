package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gcli2api/pipeline/config"
)

// Describe prints stages with their settings as Markdown; the tables are those in the READMEs of
// the stages. Without names it prints all. The error names one that does not exist.
func Describe(kinds []Kind, names []string) (string, error) {
	var b strings.Builder
	if len(names) == 0 {
		b.WriteString("| stage | what it does | needs | gives |\n|---|---|---|---|\n")
		for _, k := range kinds {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.Name, k.Does, named(k.Needs), named(k.Gives))
			names = append(names, k.Name)
		}
		b.WriteByte('\n')
	}
	for i, name := range names {
		if i > 0 {
			b.WriteByte('\n')
		}
		k, ok := kindOf(kinds, name)
		if !ok {
			return "", fmt.Errorf("there is no stage %q; gcli2api stages lists them", name)
		}
		describe(&b, k)
	}
	return b.String(), nil
}

// InOrder sorts stages as they stand in the list that nobody has changed; others follow.
func InOrder(kinds []Kind) []Kind {
	usual := config.DefaultOrder()
	at := func(k Kind) int {
		if i := slices.Index(usual, k.Name); i >= 0 {
			return i
		}
		return len(usual)
	}
	slices.SortStableFunc(kinds, func(a, b Kind) int { return cmp.Compare(at(a), at(b)) })
	return kinds
}

// Overview is what check prints when all is well.
func Overview(c *config.Snapshot, kinds []Kind) string {
	does := map[string]string{}
	for _, k := range kinds {
		does[k.Name] = k.Does
	}
	return c.Overview(does)
}

func kindOf(kinds []Kind, name string) (Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

func named(list []Fact) string {
	words := make([]string, len(list))
	for i, f := range list {
		words[i] = f.String()
	}
	return strings.Join(words, ", ")
}

func describe(b *strings.Builder, k Kind) {
	fmt.Fprintf(b, "## %s\n\n%s.\n\n", k.Name, strings.ToUpper(k.Does[:1])+k.Does[1:])
	if len(k.Params) == 0 {
		fmt.Fprintf(b, "No settings but `stage.%s.enabled`.\n", k.Name)
		return
	}
	b.WriteString("| key | environment | default | meaning |\n|---|---|---|---|\n")
	for _, p := range k.Params {
		b.WriteString(settingRow(p))
	}
}

func settingRow(p config.Param) string {
	env := " "
	if len(p.Env) > 0 {
		env = " `" + strings.Join(p.Env, "`, `") + "` "
	}
	return fmt.Sprintf("| `%s` |%s| `%v` | %s |\n", p.Key, env, p.Default, p.Help)
}
