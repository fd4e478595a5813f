package state

import (
	"bytes"

	"github.com/google/btree"
)

// Auth says how a record is kept. A key keeps its kind for life: to put or delete
// it with the other one panics.
type Auth byte

const (
	// Proved records are in the tree, so that their presence and value can be
	// proved, and in the history.
	Proved Auth = 1
	// Plain records are derived from others, in the same way on every node: an index
	// to look something up. They are neither in the tree nor in the history.
	Plain Auth = 2
)

// change is what an overlay holds for a key. value is nil if the key is deleted.
type change struct {
	value []byte
	auth  Auth
}

// overlay is a set of changes, in key order.
type overlay struct {
	changes map[string]change
	order   *btree.BTreeG[string]
}

func newOverlay() *overlay {
	return &overlay{changes: map[string]change{}, order: btree.NewG(32, func(a, b string) bool { return a < b })}
}

func (o *overlay) put(key string, c change) {
	if _, there := o.changes[key]; !there {
		o.order.ReplaceOrInsert(key)
	}
	o.changes[key] = c
}

// next returns the first key at or after from that begins with prefix.
func (o *overlay) next(prefix, from string) (key string, ok bool) {
	o.order.AscendGreaterOrEqual(from, func(k string) bool {
		key, ok = k, len(k) >= len(prefix) && k[:len(prefix)] == prefix
		return false
	})
	return key, ok
}

// merge calls fn for each record of base with the changes of o applied, in order.
// It ends when fn returns false.
func (o *overlay) merge(prefix, from []byte, base func(fn func(key, value []byte) bool), fn func(key, value []byte) bool) {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	p := string(prefix)
	top, more := o.next(p, string(from))
	ended := false
	// emit passes the changes before key (all of them if key is nil), and reports
	// whether to go on and whether key itself was changed.
	emit := func(key []byte) (goOn, changed bool) {
		for more && (key == nil || top <= string(key)) {
			here := key != nil && top == string(key)
			c := o.changes[top]
			if c.value != nil && !fn([]byte(top), c.value) {
				return false, here
			}
			top, more = o.next(p, top+"\x00")
			if here {
				return true, true
			}
		}
		return true, false
	}
	base(func(key, value []byte) bool {
		goOn, changed := emit(key)
		if goOn && !changed {
			goOn = fn(key, value)
		}
		ended = !goOn
		return goOn
	})
	if !ended {
		emit(nil)
	}
}
