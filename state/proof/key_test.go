package proof_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"mulian/state/proof"
	"mulian/state/tree"
)

// world is a tree of n keys beside a log, with proofs for all of it.
type world struct {
	app   proof.Hash
	pages map[string][]byte
	root  proof.Hash
}

func newWorld(tb testing.TB, n int) *world {
	tb.Helper()
	w := &world{pages: map[string][]byte{}}
	tr := tree.New(w.read, 0)
	for i := range n { // one by one: their order does not matter
		u, err := tr.Update([]tree.Change{tree.NewChange(key(i), value(i))}, 1)
		if err != nil {
			tb.Fatal(err)
		}
		for _, p := range u.Pages {
			w.pages[string(p.Path)] = p.Record
		}
		w.root = u.Root
	}
	w.app = proof.AppHash(w.root, proof.EmptyLog(), 0)
	return w
}

func (w *world) read(path []byte) ([]byte, error) { return w.pages[string(path)], nil }

func key(i int) []byte { return fmt.Appendf(nil, "key/%d", i) }

// value is empty for every third key: empty is not absent.
func value(i int) []byte {
	if i%3 == 0 {
		return []byte{}
	}
	return fmt.Appendf(nil, "value %d", i)
}

func (w *world) prove(tb testing.TB, i int, exists bool) *proof.Key {
	tb.Helper()
	way, err := tree.Prove(w.read, tree.NewChange(key(i), nil).Key)
	if err != nil || way.Exists != exists {
		tb.Fatalf("key %d: exists=%t, %v", i, way.Exists, err)
	}
	p := &proof.Key{
		Height: 7, TreeRoot: w.root, LogRoot: proof.EmptyLog(), Key: key(i), Exists: way.Exists,
		Depth: way.Depth, Bitmap: way.Bitmap, Siblings: way.Siblings, Other: way.Other,
	}
	if exists {
		p.Value = value(i)
	}
	return p
}

// claim is what p says: nil for an absent key.
func claim(p *proof.Key) []byte {
	if !p.Exists {
		return nil
	}
	return append([]byte{}, p.Value...)
}

func TestPresentAndAbsentKeysVerify(t *testing.T) {
	for _, n := range []int{1, 2, 3, 32, 33, 500} {
		w := newWorld(t, n)
		for i := range n {
			if err := proof.VerifyKey(w.app, key(i), value(i), w.prove(t, i, true)); err != nil {
				t.Errorf("%d keys, key %d: %v", n, i, err)
			}
		}
		other, empty := 0, 0
		for i := n; i < n+200; i++ {
			p := w.prove(t, i, false)
			if err := proof.VerifyKey(w.app, key(i), nil, p); err != nil {
				t.Errorf("%d keys, absent key %d: %v", n, i, err)
			}
			if p.Other != nil {
				other++
			} else {
				empty++
			}
		}
		if n >= 32 && (other == 0 || empty == 0) {
			t.Errorf("%d keys: %d places held another leaf, %d were empty: both kinds should be tested", n, other, empty)
		}
	}
	none := newWorld(t, 0)
	if err := proof.VerifyKey(none.app, key(1), nil, none.prove(t, 1, false)); err != nil {
		t.Errorf("a tree without keys: %v", err)
	}
}

// lies returns proofs that differ from p in one part each, all but the height.
func lies(p *proof.Key) map[string]*proof.Key {
	all := map[string]*proof.Key{}
	lie := func(name string, change func(q *proof.Key)) {
		q := new(proof.Key)
		b, _ := json.Marshal(p)
		if err := json.Unmarshal(b, q); err != nil {
			panic(err)
		}
		change(q)
		all[name] = q
	}
	for bit := 0; bit < 256; bit += 17 {
		lie(fmt.Sprintf("tree root bit %d", bit), func(q *proof.Key) { q.TreeRoot[bit/8] ^= 1 << (bit % 8) })
		lie(fmt.Sprintf("log root bit %d", bit), func(q *proof.Key) { q.LogRoot[bit/8] ^= 1 << (bit % 8) })
	}
	for i := range p.Siblings {
		lie(fmt.Sprintf("sibling %d changed", i), func(q *proof.Key) { q.Siblings[i][i%32] ^= 1 })
		lie(fmt.Sprintf("sibling %d left out", i), func(q *proof.Key) { q.Siblings = append(q.Siblings[:i], q.Siblings[i+1:]...) })
		lie(fmt.Sprintf("sibling %d empty", i), func(q *proof.Key) { q.Siblings[i] = proof.Empty })
		lie(fmt.Sprintf("sibling %d twice", i), func(q *proof.Key) { q.Siblings = append(q.Siblings, q.Siblings[i]) })
	}
	for bit := range 8 * len(p.Bitmap) {
		lie(fmt.Sprintf("bitmap bit %d", bit), func(q *proof.Key) { q.Bitmap[bit/8] ^= 0x80 >> (bit % 8) })
	}
	for _, d := range []int{-1000, -1, 1, 8, 256, 1 << 40} {
		lie(fmt.Sprintf("depth %+d", d), func(q *proof.Key) { q.Depth += d })
	}
	lie("bitmap longer", func(q *proof.Key) { q.Bitmap = append(q.Bitmap, 0) })
	lie("bitmap missing", func(q *proof.Key) { q.Bitmap, q.Siblings, q.Depth = nil, nil, 0 })
	lie("log size", func(q *proof.Key) { q.LogSize++ })
	lie("log size negative", func(q *proof.Key) { q.LogSize = -1 })
	lie("another key", func(q *proof.Key) { q.Key = append(q.Key, 'x') })
	lie("exists", func(q *proof.Key) { q.Exists = !q.Exists })
	lie("value", func(q *proof.Key) { q.Value = append(q.Value, 'x') })
	if p.Other != nil {
		lie("other leaf's key", func(q *proof.Key) { q.Other.KeyHash[31] ^= 1 })
		lie("other leaf's value", func(q *proof.Key) { q.Other.ValueHash[0] ^= 1 })
		lie("other leaf left out", func(q *proof.Key) { q.Other = nil })
		lie("other leaf elsewhere", func(q *proof.Key) { q.Other.KeyHash[0] ^= 0x80 })
		lie("other leaf is our own", func(q *proof.Key) { q.Other.KeyHash = tree.NewChange(p.Key, nil).Key })
	} else {
		lie("another leaf", func(q *proof.Key) { q.Other = &proof.OtherLeaf{} })
	}
	return all
}

func TestEveryLieIsRefused(t *testing.T) {
	w := newWorld(t, 100)
	for i := 80; i < 120; i++ {
		p := w.prove(t, i, i < 100)
		for name, q := range lies(p) {
			// Both for what the proof was about, and for what it says now.
			for _, about := range [][]byte{claim(p), claim(q), nil, {}} {
				if err := proof.VerifyKey(w.app, q.Key, about, q); !errors.Is(err, proof.ErrRefused) {
					t.Errorf("key %d, %s, asked for %q: %v", i, name, about, err)
				}
			}
		}
		for name, err := range map[string]error{
			"another app hash": proof.VerifyKey(w.root, p.Key, claim(p), p),
			"another key":      proof.VerifyKey(w.app, key(i+1), claim(p), p),
			"another value":    proof.VerifyKey(w.app, p.Key, []byte("value of no key"), p),
			"no proof":         proof.VerifyKey(w.app, p.Key, claim(p), nil),
		} {
			if !errors.Is(err, proof.ErrRefused) {
				t.Errorf("key %d, %s: %v", i, name, err)
			}
		}
	}
}

func TestHeightIsAHintOnly(t *testing.T) {
	w := newWorld(t, 10)
	p := w.prove(t, 1, true)
	p.Height++
	if err := proof.VerifyKey(w.app, key(1), value(1), p); err != nil {
		t.Errorf("the height is said not to be bound, and is: %v", err)
	}
}

func TestJSONKeepsTheProof(t *testing.T) {
	w := newWorld(t, 50)
	for i := range 80 {
		p := w.prove(t, i, i < 50)
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q proof.Key
		if err := json.Unmarshal(b, &q); err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyKey(w.app, p.Key, claim(p), &q); err != nil {
			t.Errorf("key %d, after JSON: %v\n%s", i, err, b)
		}
	}
	for _, bad := range []string{`{"tree_root":"00"}`, `{"tree_root":"zz"}`, `{"siblings":["` + string(bytes.Repeat([]byte("0"), 66)) + `"]}`, `{"key":"0"}`} {
		if err := json.Unmarshal([]byte(bad), new(proof.Key)); err == nil {
			t.Errorf("%s is read without error", bad)
		}
	}
}

// TestGolden holds the form of the app hash. The figures come from a Python
// program of ten lines that follows the package comments. If it fails, the change
// would fork running chains.
func TestGolden(t *testing.T) {
	const empty = "b74d23d04464df6ef65d48ba3c1020b9a30168a2d3062474c809fffc4b43eff4"
	if got := proof.AppHash(proof.Empty, proof.EmptyLog(), 0).String(); got != empty {
		t.Errorf("app hash of nothing %s, want %s", got, empty)
	}
}

// FuzzVerifyKey: whatever comes over the wire, only the true statement is accepted.
func FuzzVerifyKey(f *testing.F) {
	w := newWorld(f, 40)
	for _, i := range []int{0, 1, 39, 41, 55} {
		b, err := json.Marshal(w.prove(f, i, i < 40))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p proof.Key
		if json.Unmarshal(b, &p) != nil {
			return
		}
		if proof.VerifyKey(w.app, p.Key, claim(&p), &p) != nil {
			return
		}
		var n int
		known := false
		if _, err := fmt.Sscanf(string(p.Key), "key/%d", &n); err == nil && bytes.Equal(key(n), p.Key) {
			known = n >= 0 && n < 40
		}
		if p.Exists != known || known && !bytes.Equal(p.Value, value(n)) {
			t.Errorf("accepted: %s", b)
		}
	})
}
