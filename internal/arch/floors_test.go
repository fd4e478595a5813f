package arch

import (
	"path"
	"slices"
	"strings"
)

// storeys lists the rooms from the roof down. A room may import rooms of lower
// storeys and its own, not its neighbours'.
var storeys = [][]string{
	{"cmd", "bench"},
	{"city", "joint"},
	{"node"},
	{"gateway", "server", "custody"},
	{"rules", "ledger", "safebox", "index", "scenario", "intake"},
	{"client", "state"},
	{"internal"},
	{"gen", "console", "docs"}, // what a program wrote, or what only carries files: they know nobody
}

// never is stricter than the storeys: who must not know whom though he stands
// below, and what must not come in from outside.
var never = []struct {
	from []string // top folders; nil = all
	to   string   // import path or its beginning
	but  []string // paths below the root that may all the same
	why  string
}{
	{[]string{"server", "gateway", "city"}, module + "/rules", nil, "no private door into the chain: speak through client"},
	{[]string{"server", "gateway", "city"}, module + "/ledger", nil, "no private door into the chain: speak through client"},
	{[]string{"index", "intake", "safebox"}, module + "/state", nil, "reads committed events and answers of the chain, never its store"},
	{nil, "github.com/cometbft", []string{"ledger", "bench"}, "the engine stays behind ledger"},
	{nil, "C", nil, "Go alone must be enough to build"},
	{nil, "github.com/stretchr/testify", nil, "tests use testing and go-cmp"},
	{nil, "github.com/golang/protobuf", nil, "the old protobuf module"},
}

// neighbours lists the only packages of the same storey that a room may import.
var neighbours = []struct{ from, to, why string }{
	{"cmd", module + "/bench", "the command line runs the measurements, and nobody else"},
	{"client", module + "/state/proof", "the one who checks proofs and the one who makes them share the arithmetic, not the store"},
}

func neighbour(from, to string) bool {
	for _, n := range neighbours {
		if n.from == from && n.to == to {
			return true
		}
	}
	return false
}

// both: who may know the state machine and the engine at once, to put them together.
var both = []string{"cmd", "bench", "node"}

func floors(t *tree) []finding {
	var out []finding
	for _, f := range t.goes {
		if f.generated {
			continue
		}
		storey := storeyOf(f.top())
		if storey < 0 && f.dir != "." {
			out = append(out, t.at(f, f.ast.Package, "the folder %s stands on no storey: give it one in internal/arch/floors_test.go", f.top()))
			continue
		}
		knows := map[string]bool{}
		for _, imp := range f.ast.Imports {
			to := strings.Trim(imp.Path.Value, `"`)
			for _, r := range never {
				if strings.HasSuffix(r.to, "/rules") && f.test || f.test && r.to == module+"/state" {
					continue // a test may look behind the curtain
				}
				if (r.from == nil || slices.Contains(r.from, f.top())) && under(to, r.to) && !slices.ContainsFunc(r.but, func(b string) bool { return under(f.path, b) }) {
					out = append(out, t.at(f, imp.Pos(), "imports %s: %s", to, r.why))
				}
			}
			if to == "testing" && !f.test && !strings.HasSuffix(f.dir, "test") {
				out = append(out, t.at(f, imp.Pos(), "imports testing outside a test and outside a package named ...test"))
			}
			room, ok := strings.CutPrefix(to, module+"/")
			if !ok || f.test {
				continue
			}
			room, _, _ = strings.Cut(room, "/")
			knows[room] = true
			if room != f.top() && storeyOf(room) <= storey && !neighbour(f.top(), to) {
				out = append(out, t.at(f, imp.Pos(), "%s imports %s, which does not stand below it", f.top(), to))
			}
		}
		if knows["rules"] && knows["ledger"] && !slices.Contains(both, f.top()) {
			out = append(out, t.at(f, f.ast.Package, "knows both rules and ledger: only %s put them together", strings.Join(both, ", ")))
		}
	}
	return out
}

// storeyOf is the room's storey counted from the roof, or -1.
func storeyOf(room string) int {
	return slices.IndexFunc(storeys, func(s []string) bool { return slices.Contains(s, room) })
}

// under reports whether p is tree or stands below it.
func under(p, tree string) bool { return p == tree || strings.HasPrefix(p, path.Clean(tree)+"/") }
