package arch

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A loader type-checks packages of one tree in this process. It reads the
// sources of the tree, of the standard library and of the modules listed as
// pure; any other package it takes for empty, so that an expression whose type
// comes from there is invalid. The determinism fence treats such a type as
// "cannot see", never as "harmless".
type loader struct {
	tree     *tree
	std      types.Importer
	required map[string]string // module -> version, from the house's go.mod
	done     map[string]*types.Package
}

func newLoader(t *tree) *loader {
	required, err := readRequired("../../go.mod")
	if err != nil {
		panic(err) // the test stands in a broken house
	}
	return &loader{tree: t, std: importer.ForCompiler(t.fset, "source", nil), required: required, done: map[string]*types.Package{}}
}

// Import implements types.Importer.
func (l *loader) Import(imported string) (*types.Package, error) {
	if p, ok := l.done[imported]; ok {
		return p, nil
	}
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case imported == "unsafe":
		return types.Unsafe, nil
	case first == module:
		l.done[imported] = nil // a circle would be caught by the compiler; here it must only end
		p, _ := l.check(strings.TrimPrefix(imported, module+"/"), true)
		l.done[imported] = p
		return p, nil
	case strings.Contains(first, ".") && slices.ContainsFunc(pureModules, func(m string) bool { return under(imported, m) }):
		if p := l.outside(imported); p != nil {
			l.done[imported] = p
			return p, nil
		}
		fallthrough
	case strings.Contains(first, "."):
		p := types.NewPackage(imported, guessName(imported))
		p.MarkComplete()
		l.done[imported] = p
		return p, nil
	}
	p, err := l.std.Import(imported)
	l.done[imported] = p
	return p, err
}

// pureModules are read for their types; the rest of the world is taken for empty.
var pureModules = []string{"google.golang.org/protobuf", "golang.org/x/text", "cel.dev/cel-go", "cel.dev/expr", "github.com/emmansun/gmsm"}

// outside type-checks the surface of a package in the module cache; nil when it
// is not there.
func (l *loader) outside(imported string) *types.Package {
	dir := moduleDir(l.required, imported)
	if dir == "" {
		return nil
	}
	found, err := build.Default.ImportDir(dir, 0)
	if err != nil {
		return nil
	}
	var files []*ast.File
	for _, name := range found.GoFiles {
		if f, err := parser.ParseFile(l.tree.fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution); err == nil {
			files = append(files, f)
		}
	}
	conf := types.Config{Importer: l, IgnoreFuncBodies: true, Error: func(error) {}}
	p, _ := conf.Check(imported, l.tree.fset, files, nil)
	return p
}

// check type-checks the folder dir without its tests. Errors are expected, see
// the type comment, and leave invalid types behind.
func (l *loader) check(dir string, surface bool) (*types.Package, *types.Info) {
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
		Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	conf := types.Config{Importer: l, IgnoreFuncBodies: surface, Error: func(error) {}}
	p, _ := conf.Check(path.Join(module, dir), l.tree.fset, l.sources(dir), info)
	return p, info
}

// sources are the files of one package that a validator on Linux would compile.
func (l *loader) sources(dir string) []*ast.File {
	var files []*ast.File
	for _, f := range l.tree.goes {
		if f.dir != dir || f.test {
			continue
		}
		if match, err := build.Default.MatchFile(path.Join(l.tree.root, dir), path.Base(f.path)); err == nil && match {
			files = append(files, f.ast)
		}
	}
	return files
}

// guessName is the package name that an import path lets expect.
func guessName(imported string) string {
	parts := strings.Split(imported, "/")
	slices.Reverse(parts)
	for _, p := range parts {
		if len(p) > 1 && p[0] == 'v' && strings.Trim(p[1:], "0123456789") == "" {
			continue // a major version, .../v5
		}
		p, _, _ = strings.Cut(p, ".v") // gopkg.in/yaml.v3
		return strings.TrimPrefix(p, "go-")
	}
	return imported
}
