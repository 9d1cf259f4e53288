package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type retrySettings struct {
	Returns  int           `koanf:"returns"`
	Interval time.Duration `koanf:"interval"`
	Share    float64       `koanf:"share"`
}

type limits struct {
	In  int    `koanf:"in"`
	Out uint16 `koanf:"out"`
}

type modelSettings struct {
	Known    []string          `koanf:"known"`
	Aliases  map[string]string `koanf:"aliases"`
	Limits   map[string]limits `koanf:"limits"`
	Families []struct {
		Name string `koanf:"name"`
		Tiny int8   `koanf:"tiny"`
	} `koanf:"families"`
	Grace    time.Duration `koanf:"grace"`
	Fallback *bool         `koanf:"fallback"`
	From     netip.Addr    `koanf:"from"`
	Inner    limits        `koanf:"inner"`
	squashed `koanf:",squash"`
}

type squashed struct {
	Extra string `koanf:"extra"`
}

func TestSectionOfAStage(t *testing.T) {
	o := options("[stage.retry]\nenabled = false\ninterval = \"2s\"", "RETRY_429_MAX_RETRIES=7")
	got := retrySettings{Returns: 1, Interval: time.Hour, Share: 0.1}
	if err := load(t, o).Section("stage.retry", &got); err != nil {
		t.Fatal(err)
	}
	if want := (retrySettings{7, 2 * time.Second, 0.5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSectionOfATable(t *testing.T) {
	s := load(t, options(`
[models]
known = ["a", "b/c.d"]
grace = 1.5
fallback = true
from = "10.0.0.1"
extra = "x"
inner.in = 5
[models.limits."gemini-2.5-pro"]
in = 1
[models.limits."gemini-2"]
out = 2
[[models.families]]
name = "pro"
[[models.families]]
name = "flash"
tiny = 3
`))
	defaults := []string{"x", "y", "z"}
	got := modelSettings{Known: defaults, Aliases: map[string]string{"keep": "me"}, Limits: map[string]limits{"gone": {}}, Inner: limits{Out: 9}}
	if err := s.Section("models", &got); err != nil {
		t.Fatal(err)
	}
	switch {
	case !slices.Equal(got.Known, []string{"a", "b/c.d"}) || !slices.Equal(defaults, []string{"x", "y", "z"}):
		t.Errorf("list %v, the default's memory %v", got.Known, defaults)
	case got.Aliases["keep"] != "me":
		t.Error("a field that is not set lost its default")
	case !reflect.DeepEqual(got.Limits, map[string]limits{"gemini-2.5-pro": {In: 1}, "gemini-2": {Out: 2}}):
		t.Errorf("limits %v", got.Limits)
	case len(got.Families) != 2 || got.Families[1].Name != "flash" || got.Families[1].Tiny != 3:
		t.Errorf("families %v", got.Families)
	case got.Grace != 1500*time.Millisecond || got.Fallback == nil || !*got.Fallback || got.From != netip.MustParseAddr("10.0.0.1") || got.Extra != "x":
		t.Errorf("scalars %+v", got)
	case got.Inner != limits{In: 5, Out: 9}:
		t.Errorf("inner table %v must keep the default of what is not set", got.Inner)
	}
}

func TestSectionWithoutATableKeepsDefaults(t *testing.T) {
	got := modelSettings{Known: []string{"x"}}
	if err := load(t, options("")).Section("models", &got); err != nil || !slices.Equal(got.Known, []string{"x"}) {
		t.Errorf("got %v, %v", got.Known, err)
	}
}

func TestSectionSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ toml, want string }{
		{"[models]\n\nknwon = []", `config.toml:3: models.knwon: unknown setting; did you mean "known"?`},
		{"[models]\nlimits = {\"a.b\" = {in = 1, on = 2}}", `config.toml:2: models.limits."a.b".on: unknown setting; did you mean "in"?`},
		{"[[models.families]]\nname = \"x\"\n[[models.families]]\nname = 3", `config.toml:4: models.families.1.name: must be a string, got 3`},
		{"[models]\nknown = [\n\"a\",\n3]", `config.toml:4: models.known.1: must be a string, got 3`},
		{"[models]\nknown = \"a\"", `config.toml:2: models.known: must be a list, got "a"`},
		{"[models]\ngrace = true", `config.toml:2: models.grace: must be a duration like "1.5s" or a number of seconds, got true`},
		{"[models]\naliases = 3", `config.toml:2: models.aliases: must be a table, got 3`},
		{"[models.limits.x]\nin = 1.5", `config.toml:2: models.limits.x.in: must be an integer, got 1.5`},
		{"[models.limits.x]\nout = -1", `config.toml:2: models.limits.x.out: must be an integer of at least 0 and at most 16 bits, got -1`},
		{"[models.limits.x]\nout = 70000", `config.toml:2: models.limits.x.out: must be an integer of at least 0 and at most 16 bits, got 70000`},
		{"[[models.families]]\ntiny = 300", `config.toml:2: models.families.0.tiny: must be an integer of 8 bits, got 300`},
		{"[models]\nfallback = \"yes\"", `config.toml:2: models.fallback: must be true or false, got "yes"`},
		{"[models]\nfrom = \"here\"", `config.toml:2: models.from: is not acceptable here: ParseAddr("here"): unable to parse IP`},
		{"[models]\nb = 1\na = 2", "config.toml:2: models.b: unknown setting\nconfig.toml:3: models.a: unknown setting"},
	} {
		s := load(t, options(test.toml))
		err := s.Section("models", &modelSettings{})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") != strings.Contains(test.want, "\n") {
			t.Errorf("\n got %v\nwant %s", err, test.want)
		}
	}
}

func TestSectionOfThePanel(t *testing.T) {
	o := options("[models.aliases]\na = \"1\"\nb = \"2\"")
	o.Overrides = map[string]any{"models": map[string]any{"aliases": map[string]any{"b": "3"}, "nothing": 1}}
	s := load(t, o)
	if err := s.Section("models", &modelSettings{}); err == nil || err.Error() != "panel: models.nothing: unknown setting" {
		t.Errorf("got %v", err)
	}
	o.Overrides = map[string]any{"models.aliases.b": "3"}
	if _, err := Load(o); err == nil {
		t.Error("a dotted key into a table is not a setting")
	}
	o.Overrides = map[string]any{"models": map[string]any{"aliases": map[string]any{"b": "3"}}}
	var got modelSettings
	if err := load(t, o).Section("models", &got); err != nil || !reflect.DeepEqual(got.Aliases, map[string]string{"a": "1", "b": "3"}) {
		t.Errorf("got %v, %v; the layers of one table are laid over each other", got.Aliases, err)
	}
}

func TestSectionHidesSecrets(t *testing.T) {
	s := load(t, options("[stage.hook.headers]\nx = \"hunter2\""))
	var into struct {
		Headers map[string]int `koanf:"headers"`
	}
	err := s.Section("stage.hook", &into)
	if want := "config.toml:2: stage.hook.headers.x: must be an integer, got a value that is not shown"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	var address struct {
		Headers map[string]netip.Addr `koanf:"headers"`
	}
	if err := s.Section("stage.hook", &address); err == nil || err.Error() != "config.toml:2: stage.hook.headers.x: is not acceptable here (the value is not shown)" {
		t.Errorf("got %v", err)
	}
}

func TestSectionFaultsOfTheCode(t *testing.T) {
	s := load(t, options(""))
	if err := s.Section("stage.retry", retrySettings{}); err == nil {
		t.Error("a struct that is no pointer was accepted")
	}
	var short struct {
		Returns int `koanf:"returns"`
	}
	if err := s.Section("stage.retry", &short); err == nil || !strings.Contains(err.Error(), "stage.retry.interval: unknown setting") {
		t.Errorf("a declared setting without a field: %v", err)
	}
}

func TestSectionHash(t *testing.T) {
	hash := func(toml string, environ ...string) uint64 {
		return load(t, options(toml, environ...)).SectionHash("stage.retry")
	}
	base := hash("")
	for name, same := range map[string]uint64{
		"the default written out": hash("[stage.retry]\nreturns = 3 # as it is\n"),
		"another origin":          hash("", "RETRY_429_MAX_RETRIES=3"),
		"the switch":              hash("[stage.retry]\nenabled = false"),
		"another section":         hash("[server]\nport = 5"),
	} {
		if same != base {
			t.Errorf("%s changed the hash", name)
		}
	}
	if hash("[stage.retry]\nreturns = 4") == base {
		t.Error("a change did not change the hash")
	}
	models := func(toml string) uint64 { return load(t, options(toml)).SectionHash("models") }
	if models("[models]\na = [\"b\", \"c\"]") == models("[models]\na = [\"b c\"]") || models("[models]\na = 1") == models("[models]\na = \"1\"") {
		t.Error("different tables have one hash")
	}
	if models("[models]\na = 1\nb = 2") != models("models = {b = 2, a = 1}") {
		t.Error("the same table has two hashes")
	}
}

func TestWithDefaults(t *testing.T) {
	type words string
	defaults := struct {
		retrySettings `koanf:",squash"`
		Word          words          `koanf:"word"`
		Big           int64          `koanf:"big"`
		On            bool           `koanf:"on"`
		List          []string       `koanf:"list"`
		Codes         []int          `koanf:"codes"`
		Inner         limits         `koanf:"inner"`
		Map           map[string]int `koanf:"map"`
	}{retrySettings{4, time.Minute, 0.25}, "w", 7, true, []string{"l"}, []int{1}, limits{In: 6}, nil}
	const table = "stage.x."
	params := WithDefaults("stage.x", &defaults, []Param{
		{Key: table + "returns", Type: Int}, {Key: table + "interval", Type: Duration}, {Key: table + "share", Type: Float},
		{Key: table + "word"}, {Key: table + "big", Type: Size}, {Key: table + "on", Type: Bool}, {Key: table + "list", Type: StringList},
		{Key: table + "codes", Type: IntList}, {Key: table + "inner.in", Type: Int}, {Key: table + "map", Type: Table},
		{Key: table + "none", Type: Int}, {Key: table + "own", Type: Int, Default: 9}, {Key: "stage.y.on", Type: Bool},
	})
	var got []any
	for _, p := range params {
		got = append(got, p.Default)
	}
	want := []any{4, time.Minute, 0.25, "w", int64(7), true, []string{"l"}, []int{1}, 6, nil, nil, 9, nil}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %#v\nwant %#v", got, want)
	}
	s := load(t, Options{Params: params})
	if s.Duration(table+"interval") != time.Minute || s.Size(table+"big") != 7 || s.Int(table+"inner.in") != 6 {
		t.Error("the defaults do not load")
	}
}
