package stages_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/stages"
)

// old is a setting of the product that this one replaces.
type old struct{ env, flat, standard, other string }

func oldSettings(t *testing.T) (rows []old) {
	t.Helper()
	text, err := os.ReadFile("../pipeline/config/testdata/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range table(strings.Split(string(text), "\n"), "| environment | flat key | default | another value |") {
		if len(cells) != 4 {
			t.Fatalf("row %q", cells)
		}
		rows = append(rows, old{cells[0], strings.TrimPrefix(cells[1], "-"), cells[2], cells[3]})
	}
	if len(rows) != 31 {
		t.Fatalf("%d rows", len(rows))
	}
	return rows
}

// options are those of a start, as main gives them.
func options() (o config.Options) {
	for _, k := range catalogue(stages.Services{}) {
		o.Params, o.Stages = append(o.Params, k.Params...), append(o.Stages, k.Name)
	}
	return o
}

func TestEverySettingOfTheOldProductExists(t *testing.T) {
	plain, err := config.Load(options())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range oldSettings(t) {
		p, ok := byEnvironment(plain, row.env)
		if !ok {
			t.Errorf("%s: there is no such setting", row.env)
			continue
		}
		if p.Flat != row.flat {
			t.Errorf("%s: flat key %q, want %q", row.env, p.Flat, row.flat)
		}
		if got := written(plain, p); got != row.standard {
			t.Errorf("%s: default %q, want %q", row.env, got, row.standard)
		}
		t.Run(row.env, func(t *testing.T) { takes(t, p, row) })
	}
}

// takes sets a row in both ways that the old product had, and in ours.
func takes(t *testing.T, p config.Param, row old) {
	forms := map[string]func(*config.Options){
		"environment": func(o *config.Options) { o.Environ = []string{row.env + "=" + row.other} },
		"own key":     func(o *config.Options) { o.Data = []byte(p.Key + " = " + literal(p, row.other)) },
	}
	if row.flat != "" {
		forms["flat key"] = func(o *config.Options) { o.Data = []byte(row.flat + " = " + literal(p, row.other)) }
	}
	want := ""
	for _, form := range []string{"environment", "own key", "flat key"} {
		if forms[form] == nil {
			continue
		}
		o := options()
		o.File = "config.toml"
		o.Data = []byte{}
		forms[form](&o)
		c, err := config.Load(o)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		got := written(c, p)
		if want == "" {
			want = got
		}
		if got != want || got == row.standard {
			t.Errorf("%s: %q, by environment %q", form, got, want)
		}
		if locked := c.IsLocked(p.Key); locked != (form == "environment") {
			t.Errorf("%s: locked %v", form, locked)
		}
		warned := strings.Join(c.Warnings(), "\n")
		if form == "flat key" && !strings.Contains(warned, "config.toml:1: "+row.flat+": old name") {
			t.Errorf("flat key: no note in %q", warned)
		}
		if (p.Waits != "") != strings.Contains(warned, "has no effect") {
			t.Errorf("%s: waits %q, warnings %q", form, p.Waits, warned)
		}
		if p.Waits != "" && !strings.Contains(c.Overview(nil), p.Key+" ("+strings.Join(p.Env, ", ")+"): "+p.Waits) {
			t.Errorf("the overview does not name %s", p.Key)
		}
	}
}

func byEnvironment(c *config.Snapshot, name string) (config.Param, bool) {
	for _, p := range c.Params() {
		for _, env := range p.Env {
			if env == name {
				return p, true
			}
		}
	}
	return config.Param{}, false
}

// written is the value in force as text.
func written(c *config.Snapshot, p config.Param) string {
	switch p.Key {
	case "server.password", "server.panel_password":
		return c.Passwords().Panel
	case "server.api_password":
		return c.Passwords().API
	}
	switch p.Type {
	case config.Int:
		return strconv.Itoa(c.Int(p.Key))
	case config.Bool:
		return strconv.FormatBool(c.Bool(p.Key))
	case config.Duration:
		return c.Duration(p.Key).Round(time.Millisecond).String()
	case config.IntList:
		return fmt.Sprint(c.Ints(p.Key))
	}
	return c.String(p.Key)
}

// literal writes a value of the table as the old product wrote it into its file.
func literal(p config.Param, value string) string {
	switch p.Type {
	case config.Int, config.Bool, config.Duration:
		return value
	case config.IntList:
		return "[" + value + "]"
	}
	return strconv.Quote(value)
}

func TestReferenceNamesEverySetting(t *testing.T) {
	text, err := os.ReadFile("../config.toml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(options())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Params() {
		if p.Type == config.Table {
			continue
		}
		if p.Type == config.Tables {
			if !strings.Contains(string(text), "# [["+p.Key+"]]") {
				t.Errorf("config.toml does not show %s", p.Key)
			}
			continue
		}
		leaf := p.Key[strings.LastIndexByte(p.Key, '.')+1:]
		if !strings.Contains(string(text), "\n#"+leaf+" = ") && !strings.Contains(string(text), "\n"+leaf+" = ") {
			t.Errorf("config.toml does not name %s", p.Key)
		}
		for _, env := range p.Env {
			if !strings.Contains(string(text), env) {
				t.Errorf("config.toml does not name %s", env)
			}
		}
	}
}
