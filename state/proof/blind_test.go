package proof

import (
	"crypto/sha256"
	"errors"
	"testing"
)

// TestKeyHash: who knows the hash of a value alone can tell whether it is the one, and a
// proof of absence or of another value passes as none.
func TestKeyHash(t *testing.T) {
	key, value := []byte("share/agreement/1"), []byte("terms")
	keyHash, valueHash := Hash(sha256.Sum256(key)), Hash(sha256.Sum256(value))
	sibling := Hash(sha256.Sum256([]byte("sibling")))
	p := &Key{Key: key, Exists: true, Depth: 1, Bitmap: Bytes{0x80}, Siblings: []Hash{sibling}, LogSize: 3}
	p.TreeRoot = Inner(Leaf(keyHash, valueHash), sibling)
	if Bit(keyHash, 0) == 1 {
		p.TreeRoot = Inner(sibling, Leaf(keyHash, valueHash))
	}
	app := AppHash(p.TreeRoot, p.LogRoot, p.LogSize)
	if err := VerifyKeyHash(app, key, valueHash, p); err != nil {
		t.Fatal(err)
	}
	whole := *p
	whole.Value = value
	if err := VerifyKey(app, key, value, &whole); err != nil {
		t.Fatalf("the same proof with its value: %v", err)
	}
	for name, change := range map[string]func(p *Key) (Hash, []byte, Hash){
		"another hash":      func(*Key) (Hash, []byte, Hash) { return app, key, sibling },
		"another key":       func(*Key) (Hash, []byte, Hash) { return app, []byte("share/agreement/2"), valueHash },
		"another app hash":  func(*Key) (Hash, []byte, Hash) { return sibling, key, valueHash },
		"absence":           func(p *Key) (Hash, []byte, Hash) { p.Exists = false; return app, key, valueHash },
		"another leaf":      func(p *Key) (Hash, []byte, Hash) { p.Other = &OtherLeaf{}; return app, key, valueHash },
		"a value beside":    func(p *Key) (Hash, []byte, Hash) { p.Value = value; return app, key, valueHash },
		"too deep":          func(p *Key) (Hash, []byte, Hash) { p.Depth = MaxDepth + 1; return app, key, valueHash },
		"negative depth":    func(p *Key) (Hash, []byte, Hash) { p.Depth = -1; return app, key, valueHash },
		"negative log size": func(p *Key) (Hash, []byte, Hash) { p.LogSize = -1; return app, key, valueHash },
		"no siblings":       func(p *Key) (Hash, []byte, Hash) { p.Siblings = nil; return app, key, valueHash },
	} {
		q := *p
		a, k, v := change(&q)
		if err := VerifyKeyHash(a, k, v, &q); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := VerifyKeyHash(app, key, valueHash, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("none: %v", err)
	}
}
