package pipeline_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

func fileLength(h house) (found []string) {
	for _, f := range h.files {
		wall := 500
		if f.path == "main.go" { // wiring only
			wall = 400
		}
		if f.lines > wall {
			found = append(found, fmt.Sprintf("%s: %d lines, the wall is %d", f.path, f.lines, wall))
		}
	}
	return found
}

func functionLength(h house) (found []string) {
	const wall = 80
	for _, f := range h.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			name := "a function"
			switch d := n.(type) {
			case *ast.FuncDecl:
				name = d.Name.Name
			case *ast.FuncLit:
			default:
				return true
			}
			if lines := f.set.Position(n.End()).Line - f.set.Position(n.Pos()).Line + 1; lines > wall {
				found = append(found, fmt.Sprintf("%s: %s has %d lines, the wall is %d", f.at(n.Pos()), name, lines, wall))
			}
			return true
		})
	}
	return found
}

func noInit(h house) (found []string) {
	for _, f := range h.files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && len(fn.Body.List) > 0 {
				found = append(found, f.at(fn.Pos())+": init does something: let main wire it")
			}
		}
	}
	return found
}

// stateful is the variables of packages that are no state although they look like it, or are on
// purpose: the pool of buffers and the two verdicts that carry nothing.
func stateful() []string {
	return []string{"pipeline/wire.Buffers", "pipeline.Next", "pipeline.Respond"}
}

func stateDamage() []damage {
	in := func(decl, says string) damage {
		return damage{"store/x.go", "package store\n\n" + decl + "\n", "store/x.go:3: " + says}
	}
	return []damage{
		in("var count int", "count is state of the package"),
		in("var Table = map[string]int{}", "Table is state"),
		in("var mu sync.Mutex", "mu is state"),
		in("var p = &T{}", "p is state"),
		in("var m = make(map[string]int)", "m is state"),
		in("var once = sync.OnceValue(f)", "once is state"),
		in("var pool = sync.Pool{}", "pool is state"),
		in("var table = map[string]int{}\n\nfunc f() { table[\"a\"] = 1 }", "table is state"),
		in("var n = []int{1}\n\nfunc f() { n[0]++ }", "n is state"),
		in("var t = [2]int{1}\n\nfunc f() { g(&t) }", "t is state"),
		in("var t = map[string]int{}\n\nfunc f() { delete(t, \"a\") }", "t is state"),
		in("var Err = now()", "Err is state"),
	}
}

// noState lets through what never changes: sentinels, expressions, embedded files, guards, and
// unexported tables that no line of their package writes to.
func noState(h house) (found []string) {
	for dir, files := range h.packages() {
		written := map[string]bool{}
		for _, f := range files {
			writes(f.ast, written)
		}
		for _, f := range files {
			for spec := range variables(f.ast) {
				for i, name := range spec.Names {
					full := dir + "." + name.Name
					if name.Name == "_" || slices.Contains(stateful(), full) || constant(spec, i, written) {
						continue
					}
					found = append(found, f.at(name.Pos())+": "+name.Name+" is state of the package: give it to a value that main makes")
				}
			}
		}
	}
	return found
}

// variables gives the var specs outside functions.
func variables(f *ast.File) func(yield func(*ast.ValueSpec) bool) {
	return func(yield func(*ast.ValueSpec) bool) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				if !yield(s.(*ast.ValueSpec)) {
					return
				}
			}
		}
	}
}

func constant(spec *ast.ValueSpec, i int, written map[string]bool) bool {
	name := spec.Names[i].Name
	if spec.Type != nil && dotted(spec.Type) == "embed.FS" {
		return true
	}
	if written[name] || i >= len(spec.Values) {
		return false
	}
	switch v := spec.Values[i].(type) {
	case *ast.CallExpr:
		switch dotted(v.Fun) {
		case "errors.New", "fmt.Errorf", "regexp.MustCompile", "netip.MustParsePrefix", "netip.MustParseAddr", "strings.NewReplacer":
			return true
		case "apierror.New", "apierror.Newf":
			return !ast.IsExported(name) // an *Error: nobody else may reach its fields
		}
		_, made := v.Fun.(*ast.FuncLit) // a table made by a function of its own
		_, bytes := v.Fun.(*ast.ArrayType)
		return (made || bytes) && !ast.IsExported(name)
	case *ast.CompositeLit:
		return !ast.IsExported(name) && !strings.HasPrefix(dotted(v.Type), "sync.") && !strings.HasPrefix(dotted(v.Type), "atomic.")
	case *ast.BasicLit, *ast.BinaryExpr, *ast.SelectorExpr:
		return !ast.IsExported(name)
	}
	return false
}

// dotted is "pkg.Name" of an expression, or "".
func dotted(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// writes collects the names that a file assigns to, counts up, takes the address of, deletes from or
// clears. It goes by name: a local variable called like a table counts too, and is worth a new name.
func writes(f *ast.File, names map[string]bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.AssignStmt:
			for _, left := range s.Lhs {
				if _, plain := left.(*ast.Ident); !plain || s.Tok != token.DEFINE {
					names[root(left)] = true
				}
			}
		case *ast.IncDecStmt:
			names[root(s.X)] = true
		case *ast.UnaryExpr:
			if s.Op == token.AND {
				names[root(s.X)] = true
			}
		case *ast.CallExpr:
			if fn, ok := s.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") && len(s.Args) > 0 {
				names[root(s.Args[0])] = true
			}
		}
		return true
	})
}

// root is the variable behind x.f[i], or "".
func root(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return ""
		}
	}
}

func documented(h house) (found []string) {
	for _, f := range h.files {
		missing := func(name *ast.Ident, docs ...*ast.CommentGroup) {
			has := func(c *ast.CommentGroup) bool { return strings.TrimSpace(c.Text()) != "" }
			if name.IsExported() && !slices.ContainsFunc(docs, has) {
				found = append(found, f.at(name.Pos())+": "+name.Name+" has no doc comment")
			}
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || receiver(d).IsExported() {
					missing(d.Name, d.Doc)
				}
			case *ast.GenDecl:
				group := d.Doc
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						missing(s.Name, s.Doc, group)
					case *ast.ValueSpec:
						for _, name := range s.Names {
							missing(name, s.Doc, s.Comment, group)
						}
					}
				}
			}
		}
	}
	return found
}

// receiver is the type that a method belongs to.
func receiver(d *ast.FuncDecl) *ast.Ident {
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		default:
			return ast.NewIdent("_")
		}
	}
}

func packageComments(h house) (found []string) {
	for dir, files := range h.packages() {
		if !slices.ContainsFunc(files, func(f source) bool { return f.ast.Doc.Text() != "" }) {
			found = append(found, dir+": no package comment")
		}
	}
	return found
}

func sections() []string {
	return []string{"## What it does", "## Settings", "## Reads and writes", "## Errors", "## Examples"}
}

func readmes(h house) (found []string) {
	rooms := map[string]bool{}
	for _, f := range h.files {
		if floor, room := folder(f.dir); (floor == "stages" || floor == "plugins") && room != floor {
			rooms[room] = true
		}
	}
	for room := range rooms {
		text, err := fs.ReadFile(h.fsys, room+"/README.md")
		if err != nil {
			found = append(found, room+": no README.md")
			continue
		}
		for _, problem := range judge(path.Base(room), string(text)) {
			found = append(found, room+"/README.md: "+problem)
		}
	}
	return found
}

// judge looks for name, one line, and all sections, each with something in it.
func judge(name, text string) (problems []string) {
	lines := strings.Split(text, "\n")
	if strings.TrimSpace(lines[0]) != "# "+name {
		problems = append(problems, fmt.Sprintf("the first line is not %q", "# "+name))
	}
	if filled(lines[1:]) == 0 {
		problems = append(problems, "no line that says what it is")
	}
	for _, s := range sections() {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.TrimRight(l, " \r") == s })
		switch {
		case i < 0:
			problems = append(problems, fmt.Sprintf("no section %q", s))
		case filled(lines[i+1:]) == 0:
			problems = append(problems, fmt.Sprintf("section %q is empty", s))
		}
	}
	return problems
}

// filled counts the lines with something in them up to the next heading of a section.
func filled(lines []string) (n int) {
	for _, l := range lines {
		if strings.HasPrefix(l, "## ") {
			break
		}
		if strings.TrimSpace(l) != "" {
			n++
		}
	}
	return n
}
