package pipeline_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// row is a line of the table in section 1 of the design.
type row struct {
	folder string   // a last * stands for every folder there, each by itself
	may    []string // includes subfolders; "=x" means x without them
	sealed bool     // nothing comes down from the parent's row ("standard library", "anything of ours")
	never  []string // packages of others and of the standard library
}

// table is that table. A row adds to its parent's row. Of the cells only one is read more narrowly
// than the words: "store" in a row below store is the waist itself, not the engines.
func table() []row {
	waist := []string{"=store"}
	return []row{
		{folder: ".", may: []string{"pipeline", "stages", "plugins", "store", "console"}},

		{folder: "pipeline", may: []string{"pipeline/apierror", "=pipeline/wire", "pipeline/wire/gemini", "pipeline/config", "pipeline/models"},
			never: []string{"net/http", "github.com/gofiber/fiber", "github.com/valyala/fasthttp"}},
		{folder: "pipeline/models", may: []string{"pipeline/apierror"}},
		{folder: "pipeline/apierror", sealed: true},
		{folder: "pipeline/wire", may: []string{"pipeline/apierror"}, never: []string{"encoding/json"}},
		{folder: "pipeline/wire/gemini", may: []string{"=pipeline/wire"}},
		{folder: "pipeline/wire/openai", may: []string{"=pipeline/wire", "pipeline/wire/gemini"}},
		{folder: "pipeline/wire/anthropic", may: []string{"=pipeline/wire", "pipeline/wire/gemini"}},
		{folder: "pipeline/wire/responses", may: []string{"=pipeline/wire", "pipeline/wire/gemini"}},
		{folder: "pipeline/config", may: []string{"pipeline/apierror"}},
		{folder: "pipeline/logging", sealed: true},
		{folder: "pipeline/outbound", may: []string{"pipeline/config", "pipeline/apierror"}},
		{folder: "pipeline/metrics", sealed: true},
		{folder: "pipeline/server", may: []string{"pipeline"}},
		{folder: "pipeline/simulator", may: []string{"pipeline/wire"}},

		{folder: "store", may: []string{"pipeline"}},
		{folder: "store/embedded", may: waist},
		{folder: "store/redis", may: waist},
		{folder: "store/postgres", may: waist},
		{folder: "store/mongo", may: waist},
		{folder: "store/open", may: []string{"=store", "store/embedded", "store/redis", "store/postgres", "store/mongo", "store/circuit"}},
		{folder: "store/circuit", may: waist},
		{folder: "store/seal", may: waist},
		{folder: "store/nodes", may: waist},
		{folder: "store/settings", may: append([]string{"store/seal"}, waist...)}, // secret ones are sealed
		{folder: "store/move", may: []string{"store"}},                            // data of every kind, from and to every engine
		{folder: "store/rekey", may: []string{"store"}},                           // what is sealed lies in data of every kind
		{folder: "store/storetest", may: waist},
		// What is secret in a credential's text is its layouts' to know: oauth seals it.
		{folder: "store/oauth", may: append([]string{"pipeline/outbound", "store/seal"}, waist...)},
		{folder: "store/pool", may: append([]string{"store/oauth", "store/seal"}, waist...)},
		{folder: "store/apikey", may: append([]string{"pipeline/models", "store/seal"}, waist...)},
		{folder: "store/ephemeral", may: waist},
		{folder: "store/audit", may: waist},
		{folder: "store/stats", may: waist},

		{folder: "stages", may: []string{"stages", "store", "pipeline"}}, // the catalogue
		{folder: "stages/*", may: []string{"store", "pipeline"}, sealed: true},
		{folder: "plugins", may: []string{"plugins", "pipeline"}}, // the catalogue
		{folder: "plugins/*", may: []string{"pipeline"}, sealed: true},
		{folder: "console", may: []string{"store", "pipeline"}},
		{folder: "console/web", may: nil},
		{folder: "console/e2e", may: nil},
	}
}

func importDamage() []damage {
	ours := func(file, pkg, of string) damage {
		return damage{file, importing(pkg, "gcli2api/"+of), file + ": may not import " + of}
	}
	return []damage{
		ours("stages/auth/x.go", "auth", "stages/upstream"),
		ours("stages/auth/x.go", "auth", "stages"),
		ours("stages/auth/x.go", "auth", "console"),
		ours("stages/upstream/codeassist/x.go", "codeassist", "stages/auth"),
		ours("plugins/hook/x.go", "hook", "store"),
		ours("plugins/hook/x.go", "hook", "plugins/search"),
		ours("console/x.go", "console", "stages"),
		ours("console/x.go", "console", "plugins"),
		ours("store/x.go", "store", "stages/auth"),
		ours("store/redis/x.go", "redis", "store/postgres"),
		ours("store/pool/x.go", "pool", "store/redis"),
		ours("pipeline/x.go", "pipeline", "store"),
		ours("pipeline/x.go", "pipeline", "pipeline/server"),
		ours("pipeline/x.go", "pipeline", "pipeline/wire/openai"),
		ours("pipeline/server/x.go", "server", "stages/auth"),
		ours("pipeline/logging/x.go", "logging", "pipeline/apierror"),
		ours("pipeline/apierror/x.go", "apierror", "pipeline/wire"),
		ours("pipeline/wire/openai/x.go", "openai", "pipeline/wire/anthropic"),
		ours("pipeline/wire/gemini/x.go", "gemini", "pipeline/wire/openai"),
		ours("stages/x.go", "stages", "gone"),
		{"pipeline/x.go", importing("pipeline", "net/http"), "pipeline/x.go: may never import net/http"},
		{"pipeline/wire/x.go", importing("wire", "encoding/json"), "pipeline/wire/x.go: may never import encoding/json"},
		{"pipeline/tracing/x.go", importing("tracing", "fmt"), "pipeline/tracing: no row in the table of the design"},
		{"store/common/x.go", importing("common", "fmt"), "store/common: no row in the table of the design"},
	}
}

// rowOf finds the row that a folder lives under: its own, else that of the nearest folder above.
// The folders of the row are one unit, within which everything may import everything.
func rowOf(dir string) (r row, unit string) {
	rows := table()
	for unit = dir; ; unit = path.Dir(unit) {
		for _, r := range rows {
			parent, star := strings.CutSuffix(r.folder, "/*")
			if r.folder == unit || star && path.Dir(unit) == parent {
				return r, unit
			}
		}
		if unit == "." {
			return row{}, dir
		}
	}
}

// allowed is the cells of a folder's row and of the rows above it.
func allowed(dir string) []string {
	r, unit := rowOf(dir)
	may := slices.Clone(r.may)
	if r.sealed || unit == "." || path.Dir(unit) == "." {
		return may
	}
	return append(may, allowed(path.Dir(unit))...)
}

func imports(h house) (found []string) {
	for dir, files := range h.packages() {
		r, unit := rowOf(dir)
		if slices.Contains([]string{".", "pipeline", "store"}, unit) && dir != unit {
			found = append(found, dir+": no row in the table of the design")
			continue
		}
		may := append(allowed(dir), unit) // unit: its own subfolders
		if unit == "pipeline" || unit == "store" {
			may[len(may)-1] = "=" + unit // these are several units
		}
		for _, f := range files {
			for of := range f.imports() {
				if ours, is := strings.CutPrefix(of, "gcli2api/"); is && !covers(may, ours) {
					found = append(found, f.path+": may not import "+ours)
				}
				if r.folder == dir && covers(r.never, of) {
					found = append(found, f.path+": may never import "+of)
				}
			}
		}
	}
	return found
}

func covers(folders []string, dir string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		exact, only := strings.CutPrefix(f, "=")
		return dir == exact || !only && strings.HasPrefix(dir, f+"/")
	})
}

func (s source) imports() map[string]bool {
	all := map[string]bool{}
	for _, i := range s.ast.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			all[p] = true
		}
	}
	return all
}

// agreed is which packages of others live where. A new one needs a reason and a line here.
func agreed() map[string][]string {
	return map[string][]string{
		"github.com/gofiber/fiber/v2":          {"pipeline/server", "console"},
		"github.com/gofiber/contrib/websocket": {"pipeline/server", "console"},
		// The upstream clients write the spliced body straight into fasthttp's request (design §7, 1).
		"github.com/valyala/fasthttp":       {"pipeline/server", "pipeline/outbound", "stages/upstream"},
		"golang.org/x/oauth2":               {"store/oauth"},
		"github.com/golang-jwt/jwt/v5":      {"console", "store/oauth"}, // sessions, and what service accounts sign
		"github.com/knadh/koanf":            {"pipeline/config"},
		"github.com/go-viper/mapstructure":  {"pipeline/config"},
		"github.com/pelletier/go-toml/v2":   {"pipeline/config", "store/oauth", "store/apikey", "store/move"}, // the old product keeps credentials and API keys in TOML
		"github.com/fsnotify/fsnotify":      {"pipeline/config"},
		"github.com/redis/go-redis/v9":      {"store/redis"},
		"github.com/jackc/pgx/v5":           {"store/postgres"},
		"go.mongodb.org/mongo-driver/v2":    {"store/mongo"},
		"go.etcd.io/bbolt":                  {"store/embedded"},
		"github.com/tetratelabs/wazero":     {"plugins/wasm"},
		"github.com/prometheus":             {"pipeline/metrics"},
		"github.com/klauspost/compress":     {"pipeline/server", "pipeline/outbound"}, // bodies that come encoded
		"github.com/molecule-man/go-brrr":   {"pipeline/server", "pipeline/outbound"},
		"github.com/andybalholm/brotli":     {"pipeline/server", "pipeline/outbound"},
		"golang.org/x/net":                  {"pipeline/outbound"}, // SOCKS5
		"golang.org/x/sys":                  {"pipeline/server"},   // epoll
		"go.opentelemetry.io":               {"pipeline/metrics", "plugins/trace"},
		"github.com/bytedance/sonic":        {"pipeline/wire/codec"},
		"github.com/cloudwego/base64x":      {"pipeline/wire/codec"},
		"github.com/valyala/bytebufferpool": {},
	}
}

func externals(h house) (found []string) {
	homes := agreed()
	for _, f := range h.files {
		for of := range f.imports() {
			if host, _, _ := strings.Cut(of, "/"); !strings.Contains(host, ".") {
				continue // standard library, or ours
			}
			home, known := "", false
			for p := range homes {
				if covers([]string{p}, of) {
					home, known = p, true
				}
			}
			switch {
			case !known:
				found = append(found, f.path+": "+of+" is not an agreed package: it needs a reason, and a line in the house test")
			case !covers(homes[home], f.dir):
				found = append(found, fmt.Sprintf("%s: %s belongs in %s", f.path, of, strings.Join(homes[home], ", ")))
			}
		}
	}
	return found
}

// cycles looks for rings among the units. The compiler only sees rings of packages.
func cycles(h house) (found []string) {
	arrows := map[string]map[string]bool{}
	for _, f := range h.files {
		_, from := folder(f.dir)
		for of := range f.imports() {
			ours, is := strings.CutPrefix(of, "gcli2api/")
			if _, to := folder(ours); is && to != from {
				if arrows[from] == nil {
					arrows[from] = map[string]bool{}
				}
				arrows[from][to] = true
			}
		}
	}
	done := map[string]bool{}
	for _, start := range slices.Sorted(maps.Keys(arrows)) {
		if ring := ringFrom(start, nil, arrows, done); ring != nil {
			found = append(found, describe(ring))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// describe begins a ring at its first name, so that it reads the same wherever it was entered.
func describe(ring []string) string {
	first := slices.Index(ring, slices.Min(ring))
	ring = append(slices.Clone(ring[first:]), ring[:first]...)
	return strings.Join(append(ring, ring[0]), " -> ")
}

// folder is the room of a package: the first two names of its path.
func folder(dir string) (floor, room string) {
	floor, rest, below := strings.Cut(dir, "/")
	if !below {
		return floor, floor
	}
	room, _, _ = strings.Cut(rest, "/")
	return floor, floor + "/" + room
}

// ringFrom walks the arrows depth first and gives the first ring that it closes.
func ringFrom(at string, way []string, arrows map[string]map[string]bool, done map[string]bool) []string {
	if i := slices.Index(way, at); i >= 0 {
		return slices.Clone(way[i:])
	}
	if done[at] {
		return nil
	}
	way = append(way, at)
	for _, to := range slices.Sorted(maps.Keys(arrows[at])) {
		if ring := ringFrom(to, way, arrows, done); ring != nil {
			return ring
		}
	}
	done[at] = true
	return nil
}
