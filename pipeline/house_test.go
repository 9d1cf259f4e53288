// Package pipeline_test holds the house of the design: what may import what, how long files and
// functions get, what is documented. It reads the whole repository, not this package alone.
package pipeline_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

// rule is one law of the house. Each is tested twice: the repository keeps it, and a house that
// breaks it is caught, so that no rule can fall asleep.
type rule struct {
	name   string
	find   func(house) []string
	broken []damage
}

// damage is a change to the sound house that the rule must answer with a message that says so.
type damage struct {
	file, text string // the file as it becomes; empty text removes it
	says       string
}

func rules() []rule {
	return []rule{
		{"top level", topLevel, []damage{
			{"utils/x.go", "// Package utils is.\npackage utils\n", "utils: not in the design"},
			{"config.toml", "", "config.toml: missing"},
		}},
		{"imports", imports, importDamage()},
		{"packages of others", externals, []damage{
			{"console/x.go", importing("console", "github.com/gofiber/fiber/v2", "github.com/golang-jwt/jwt/v5", "github.com/valyala/fasthttp"), "console/x.go: github.com/valyala/fasthttp belongs in"},
			{"stages/auth/x.go", importing("auth", "github.com/gofiber/fiber/v2"), "github.com/gofiber/fiber/v2 belongs in"},
			{"pipeline/server/x.go", importing("server", "example.com/new"), "example.com/new is not an agreed package"},
			{"store/redis/x.go", importing("redis", "github.com/jackc/pgx/v5"), "github.com/jackc/pgx/v5 belongs in"},
		}},
		{"no cycle of folders", cycles, []damage{
			{"pipeline/apierror/x.go", importing("apierror", "gcli2api/pipeline/wire/gemini"), "pipeline/apierror -> pipeline/wire -> pipeline/apierror"},
		}},
		{"file length", fileLength, []damage{
			{"store/x.go", "// Package store is.\npackage store\n" + strings.Repeat("\n", 499), "store/x.go: 501 lines, the wall is 500"},
			{"main.go", "// Package main is.\npackage main\n" + strings.Repeat("\n", 399), "main.go: 401 lines, the wall is 400"},
		}},
		{"function length", functionLength, []damage{
			{"store/x.go", "package store\n\nfunc (s *S) long() {" + strings.Repeat("\n", 80) + "}\n", "store/x.go:3: long has 81 lines, the wall is 80"},
			{"store/x.go", "package store\n\nvar f = func() {" + strings.Repeat("\n", 80) + "}\n", "store/x.go:3: a function has 81 lines"},
		}},
		{"no init", noInit, []damage{
			{"store/x.go", "package store\n\nfunc init() { println() }\n", "store/x.go:3: init"},
		}},
		{"no state in packages", noState, stateDamage()},
		{"exported names are documented", documented, []damage{
			{"store/x.go", "package store\n\nfunc Open() {}\n", "store/x.go:3: Open has no doc comment"},
			{"store/x.go", "package store\n\ntype t struct{}\n\n// T is.\ntype T struct{}\n\nfunc (*T) Close() {}\n", "store/x.go:8: Close has no doc comment"},
			{"store/x.go", "package store\n\ntype Doc struct{}\n", "store/x.go:3: Doc has no doc comment"},
			{"store/x.go", "package store\n\nconst (\n\tA = 1\n\n\t// B is.\n\tB = 2\n)\n", "store/x.go:4: A has no doc comment"},
		}},
		{"packages are documented", packageComments, []damage{
			{"store/store.go", "package store\n", "store: no package comment"},
		}},
		{"stages have a README", readmes, []damage{
			{"stages/auth/README.md", "", "stages/auth: no README.md"},
			{"plugins/hook/README.md", "", "plugins/hook: no README.md"},
			{"stages/auth/README.md", strings.Replace(readme("auth"), "## Errors", "## Mistakes", 1), `stages/auth/README.md: no section "## Errors"`},
			{"stages/auth/README.md", strings.Replace(readme("auth"), "## Errors\n\nx\n", "## Errors\n\n", 1), `stages/auth/README.md: section "## Errors" is empty`},
			{"stages/auth/README.md", readme("other"), `stages/auth/README.md: the first line is not "# auth"`},
			{"stages/auth/README.md", strings.Replace(readme("auth"), "Says who asks.\n\n", "", 1), "stages/auth/README.md: no line that says what it is"},
		}},
	}
}

func TestHouse(t *testing.T) {
	real, err := open(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	if len(real.files) < 20 {
		t.Fatalf("only %d files found: this is not the repository", len(real.files))
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, message := range r.find(real) {
				t.Error(message)
			}
		})
	}
}

func TestHouseRulesCanFail(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			if got := r.find(mustOpen(t, sound())); len(got) > 0 {
				t.Fatalf("the sound house is refused: %q", got)
			}
			if len(r.broken) == 0 {
				t.Fatal("no proof that this rule can fail")
			}
			for _, d := range r.broken {
				house := sound()
				if house[d.file] = (&fstest.MapFile{Data: []byte(d.text)}); d.text == "" {
					delete(house, d.file)
				}
				if got := r.find(mustOpen(t, house)); !strings.Contains(strings.Join(got, "\n"), d.says) {
					t.Errorf("%s: nothing says %q, only %q", d.file, d.says, got)
				}
			}
		})
	}
}

func mustOpen(t *testing.T, fsys fs.FS) house {
	t.Helper()
	h, err := open(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sound is a small house without fault, for the rules to be broken in.
func sound() fstest.MapFS {
	files := map[string]string{
		"main.go": "// Command gcli2api is.\npackage main\n\nimport (\n\t_ \"gcli2api/stages\"\n\t_ \"gcli2api/console\"\n)\n\nfunc main() {}\n",
		"go.mod":  "module gcli2api\n", "go.sum": "", "config.toml": "", "Dockerfile": "", "README.md": "", ".gitignore": "/creds/\n*.log\n",
		"creds/a.json": "{}", "gateway.log": "", // ignored by git: they belong to who runs it
		"pipeline/pipeline.go":         importing("pipeline", "gcli2api/pipeline/wire/gemini", "gcli2api/pipeline/config"),
		"pipeline/config/config.go":    importing("config", "github.com/knadh/koanf/v2"),
		"pipeline/wire/wire.go":        importing("wire", "gcli2api/pipeline/apierror", "bytes"),
		"pipeline/wire/gemini/call.go": importing("gemini", "gcli2api/pipeline/wire"),
		"pipeline/wire/openai/chat.go": importing("openai", "gcli2api/pipeline/wire/gemini", "encoding/json"),
		"pipeline/apierror/error.go":   importing("apierror", "errors"),
		"pipeline/server/serve.go":     importing("server", "gcli2api/pipeline", "gcli2api/pipeline/server/watch", "github.com/valyala/fasthttp", "gcli2api/pipeline/wire"),
		"pipeline/server/watch/w.go":   importing("watch", "gcli2api/pipeline/apierror"),
		"pipeline/server/sdk/go.mod":   "module other\n", "pipeline/server/sdk/x.go": "package x\nfunc init() { Bad() }\n",
		"store/store.go":       importing("store", "gcli2api/pipeline/apierror"),
		"store/redis/redis.go": importing("redis", "gcli2api/store", "github.com/redis/go-redis/v9"),
		"store/open/open.go":   importing("open", "gcli2api/store/redis", "gcli2api/store"),
		"stages/stages.go":     importing("stages", "gcli2api/stages/auth", "gcli2api/stages/upstream", "gcli2api/pipeline"),
		"stages/auth/auth.go":  importing("auth", "gcli2api/pipeline", "gcli2api/store"), "stages/auth/README.md": readme("auth"),
		"stages/upstream/upstream.go":      importing("upstream", "gcli2api/stages/upstream/codeassist", "gcli2api/pipeline/outbound"),
		"stages/upstream/README.md":        readme("upstream"),
		"stages/upstream/codeassist/ca.go": importing("codeassist", "github.com/valyala/fasthttp"),
		"plugins/plugins.go":               importing("plugins", "gcli2api/plugins/hook"),
		"plugins/hook/hook.go":             importing("hook", "gcli2api/pipeline"), "plugins/hook/README.md": readme("hook"),
		"console/console.go":         importing("console", "gcli2api/pipeline", "gcli2api/store/redis", "gcli2api/console/web", "github.com/gofiber/fiber/v2"),
		"console/web/web.go":         "// Package web is.\npackage web\n\nimport \"embed\"\n\n// Files are served.\n//\n//go:embed x\nvar Files embed.FS\n",
		"console/testdata/x.go":      "not Go",
		"pipeline/pipeline_test.go":  "package pipeline\n\nimport _ \"gcli2api/main\"\n\nfunc init() { x() }\n",
		"pipeline/outbound/calls.go": importing("outbound", "gcli2api/pipeline/config"),
	}
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// importing is a documented file that imports what is given.
func importing(pkg string, imports ...string) string {
	b := "// Package " + pkg + " is.\npackage " + pkg + "\n\nimport (\n"
	for _, i := range imports {
		b += "\t_ \"" + i + "\"\n"
	}
	return b + ")\n"
}

func readme(name string) string {
	b := "# " + name + "\n\nSays who asks.\n\n"
	for _, s := range sections() {
		b += s + "\n\nx\n\n"
	}
	return b
}

// house is the repository: its files, and the Go ones parsed, tests left out.
type house struct {
	fsys  fs.FS
	files []source
}

type source struct {
	path, dir string // with slashes, from the root; dir is "." there
	lines     int
	ast       *ast.File
	set       *token.FileSet
}

// at is file:line.
func (s source) at(p token.Pos) string { return fmt.Sprintf("%s:%d", s.path, s.set.Position(p).Line) }

// open reads the Go files of this module. Folders with a go.mod of their own are other modules.
func open(fsys fs.FS) (house, error) {
	h := house{fsys: fsys}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(fsys, p) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(p) != ".go" || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, p, text, parser.ParseComments|parser.SkipObjectResolution)
		h.files = append(h.files, source{p, path.Dir(p), strings.Count(string(text), "\n"), file, set})
		return err
	})
	return h, err
}

func skipped(fsys fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	_, err := fs.Stat(fsys, dir+"/go.mod")
	return err == nil || base[0] == '.' || base[0] == '_' || base == "testdata" || base == "node_modules"
}

// packages groups the files by folder.
func (h house) packages() map[string][]source {
	m := map[string][]source{}
	for _, f := range h.files {
		m[f.dir] = append(m[f.dir], f)
	}
	return m
}

func topLevel(h house) (found []string) {
	wanted := map[string]bool{}
	for _, name := range strings.Fields("main.go pipeline stages plugins store console config.toml Dockerfile go.mod go.sum README.md") {
		wanted[name] = true
	}
	entries, err := fs.ReadDir(h.fsys, ".")
	if err != nil {
		return []string{err.Error()}
	}
	missing := maps.Clone(wanted)
	for _, e := range entries {
		delete(missing, e.Name())
		if !wanted[e.Name()] && e.Name() != "README.zh-CN.md" && e.Name()[0] != '.' && !h.ignored(e.Name()) {
			found = append(found, e.Name()+": not in the design")
		}
	}
	for name := range missing {
		found = append(found, name+": missing")
	}
	return found
}

// ignored reads as much of .gitignore as the top level needs: what running the program leaves there.
func (h house) ignored(name string) bool {
	text, err := fs.ReadFile(h.fsys, ".gitignore")
	if err != nil {
		return false
	}
	for line := range strings.FieldsSeq(string(text)) {
		if ok, err := path.Match(strings.Trim(line, "/"), name); ok && err == nil {
			return true
		}
	}
	return false
}
