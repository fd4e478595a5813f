package arch

import (
	"bufio"
	"flag"
	"fmt"
	"go/build"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// update rewrites docs/dependencies.txt: go test ./internal/arch -run Dependencies -update
var update = flag.Bool("update", false, "rewrite docs/dependencies.txt from the sources")

const dependenciesFile = "docs/dependencies.txt"

const dependenciesHead = `# Every module whose code is in the binary mulian, with its version and the
# licence that its own LICENSE file states. A test compares this list with the
# sources: a new dependency is a decision, not an accident.
# Rewrite it with 'make deps' and read the difference.
`

// refused licences may not be linked into the one binary that cities run.
var refused = []string{"GPL", "AGPL", "SSPL", "BUSL", "unknown"}

// TestDependenciesAreListed walks the imports of the binary through the module
// cache, as the compiler does, and compares the modules with the committed list.
func TestDependenciesAreListed(t *testing.T) {
	modules, unknown, err := linked(readHouse(t), "../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range unknown {
		t.Errorf("%s is imported, and go.mod requires no module that has it", pkg)
	}
	var now strings.Builder
	now.WriteString(dependenciesHead)
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		licence := licenceOf(modules[path].dir)
		if slices.Contains(refused, licence) {
			t.Errorf("%s %s: licence %s", path, modules[path].version, licence)
		}
		fmt.Fprintf(&now, "%s %s %s\n", path, modules[path].version, licence)
	}
	file := filepath.Join("../..", dependenciesFile)
	if *update {
		if err := os.WriteFile(file, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range missing(now.String(), string(listed)) {
		t.Errorf("not listed in %s (make deps): %s", dependenciesFile, line)
	}
	for _, line := range missing(string(listed), now.String()) {
		t.Errorf("listed in %s but not in the binary (make deps): %s", dependenciesFile, line)
	}
}

// missing returns the lines of a that b does not have.
func missing(a, b string) []string {
	have := strings.Split(b, "\n")
	return slices.DeleteFunc(strings.Split(a, "\n"), func(line string) bool { return slices.Contains(have, line) })
}

type linkedModule struct{ version, dir string }

// linked returns the modules from which the house's own packages, their tests
// and bench/ left out, take code on this platform, and the imported packages
// that no module of go.mod has.
func linked(house *tree, goMod string) (modules map[string]linkedModule, unknown []string, err error) {
	required, err := readRequired(goMod)
	if err != nil {
		return nil, nil, err
	}
	out := map[string]linkedModule{}
	seen := map[string]bool{}
	var queue []string
	add := func(imports []string) {
		for _, to := range imports {
			first, _, _ := strings.Cut(to, "/")
			if strings.Contains(first, ".") && !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	for _, f := range house.goes {
		if f.test || f.top() == "bench" || strings.HasSuffix(f.dir, "test") {
			continue
		}
		for _, imp := range f.ast.Imports {
			add([]string{strings.Trim(imp.Path.Value, `"`)})
		}
	}
	for len(queue) > 0 {
		pkg := queue[0]
		queue = queue[1:]
		m := moduleOf(required, pkg)
		if m == "" {
			unknown = append(unknown, pkg)
			continue
		}
		out[m] = linkedModule{required[m], moduleDir(required, m)}
		p, err := build.Default.ImportDir(moduleDir(required, pkg), 0)
		if err != nil {
			return nil, nil, err
		}
		add(p.Imports)
	}
	return out, unknown, nil
}

func readRequired(goMod string) (map[string]string, error) {
	f, err := os.Open(goMod)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	required := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "require "))
		if len(words) >= 2 && strings.HasPrefix(words[1], "v") {
			required[words[0]] = words[1]
		}
		if len(words) > 0 && words[0] == "replace" {
			return nil, fmt.Errorf("%s: a replaced module is not the one that the list names", goMod)
		}
	}
	return required, lines.Err()
}

// moduleOf is the required module that has the package, or "".
func moduleOf(required map[string]string, pkg string) string {
	for pkg != "." && required[pkg] == "" {
		pkg = filepath.Dir(pkg)
	}
	return strings.TrimPrefix(pkg, ".")
}

// moduleDir is the folder of a package in the module cache, or "".
func moduleDir(required map[string]string, pkg string) string {
	m := moduleOf(required, pkg)
	if m == "" {
		return ""
	}
	return filepath.Join(moduleCache(), escape(m)+"@"+escape(required[m]), strings.TrimPrefix(pkg, m))
}

func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	return filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "pkg", "mod")
}

// escape spells a path as the module cache does: Azure becomes !azure.
func escape(path string) string {
	var b strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// licences are told apart by a sentence that only they have; the first that is found holds.
var licences = []struct{ sentence, name string }{
	{"GNU AFFERO GENERAL PUBLIC LICENSE", "AGPL"},
	{"GNU LESSER GENERAL PUBLIC LICENSE", "LGPL"},
	{"GNU GENERAL PUBLIC LICENSE", "GPL"},
	{"Server Side Public License", "SSPL"},
	{"Business Source License", "BUSL"},
	{"Apache License", "Apache-2.0"},
	{"Mozilla Public License", "MPL-2.0"},
	{"Permission is hereby granted, free of charge", "MIT"},
	{"Permission to use, copy, modify, and/or distribute", "ISC"},
	{"Permission to use, copy, modify, and distribute", "ISC"},
	{"Redistribution and use in source and binary forms", "BSD"},
	{"This is free and unencumbered software", "Unlicense"},
	{"Apache-2.0 Software License: https://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0"}, // or MIT: Protocol Labs' permissive stack
	{"CC0 1.0 Universal", "CC0-1.0"},
}

func licenceOf(dir string) string {
	for _, pattern := range []string{"LICEN[CS]E*", "licen[cs]e*", "Licen[cs]e*", "COPYING*", "UNLICENSE*", "README*"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			flat := strings.Join(strings.Fields(string(text)), " ")
			for _, l := range licences {
				if strings.Contains(flat, l.sentence) {
					return l.name
				}
			}
		}
	}
	return "unknown"
}
