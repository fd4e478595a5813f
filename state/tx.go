package state

import (
	"bytes"
	"fmt"
)

// View is the state as one reader sees it. It does not change under him, but for
// the writes that he makes himself through a [Tx].
type View interface {
	// Height is the block that the view shows: the last committed one for a
	// Snapshot, the one being made for a Tx.
	Height() int64
	// Get returns the value of key and whether there is one. The caller must not
	// change it.
	Get(key []byte) (value []byte, ok bool)
	// Range calls fn for each key that begins with prefix and is not before from,
	// in ascending byte order, until fn returns false. from is a whole key; nil
	// begins at the prefix. Key and value are valid only until fn returns and must
	// not be changed. fn must not write to a Tx it ranges over: that panics.
	Range(prefix, from []byte, fn func(key, value []byte) bool)
}

// Tx is the state within one transaction: what it writes, over what the block has
// kept so far, over what is committed. It ends with Keep or Drop; after that every
// use panics. One goroutine uses it.
type Tx struct {
	under   ground // what lies under it
	own     *overlay
	events  [][]byte
	end     func(keep bool) // nil once ended
	ranging int             // calls of Range that have not returned
}

// ground is a view that knows of each record how it is kept.
type ground interface {
	View
	UnixMs() int64
	lookup(key []byte) (change, bool)
}

// Height returns the height of the block that is being made.
func (tx *Tx) Height() int64 { return tx.under.Height() }

// UnixMs returns the time of the block that is being made.
func (tx *Tx) UnixMs() int64 { return tx.under.UnixMs() }

// Get implements [View].
func (tx *Tx) Get(key []byte) ([]byte, bool) {
	c, ok := tx.lookup(key)
	return c.value, ok
}

func (tx *Tx) lookup(key []byte) (change, bool) {
	tx.alive()
	if c, ok := tx.own.changes[string(key)]; ok {
		return c, c.value != nil
	}
	return tx.under.lookup(key)
}

// Range implements [View].
func (tx *Tx) Range(prefix, from []byte, fn func(key, value []byte) bool) {
	tx.alive()
	tx.ranging++
	defer func() { tx.ranging-- }()
	tx.own.merge(prefix, from, func(fn func(key, value []byte) bool) { tx.under.Range(prefix, from, fn) }, fn)
}

// Put sets the value of key. Both are copied. To put what is there already changes
// nothing, neither the app hash nor the history.
//
// It panics if a bound of this package is passed, if the key is kept in the other
// way, or within Range.
func (tx *Tx) Put(key, value []byte, a Auth) {
	if len(key) == 0 || len(key) > MaxKeyBytes || len(value) > MaxValueBytes {
		panic(fmt.Sprintf("state: put %.64q: key of %d bytes, value of %d", key, len(key), len(value)))
	}
	tx.write(key, change{value: append(make([]byte, 0, len(value)), value...), auth: a})
}

// Delete removes key, if it is there. It panics like Put.
func (tx *Tx) Delete(key []byte, a Auth) {
	if was, ok := tx.lookup(key); ok || was.auth != 0 {
		tx.write(key, change{auth: a})
	}
}

func (tx *Tx) write(key []byte, c change) {
	if tx.ranging > 0 {
		panic(fmt.Sprintf("state: write of %.64q within Range: collect the keys first", key))
	}
	if c.auth != Proved && c.auth != Plain {
		panic(fmt.Sprintf("state: write of %.64q with auth %d", key, c.auth))
	}
	if was, _ := tx.lookup(key); was.auth != 0 && was.auth != c.auth {
		panic(fmt.Sprintf("state: %.64q is kept with auth %d, written with %d", key, was.auth, c.auth))
	}
	tx.own.put(string(key), c)
}

// Emit appends an event to the log of the block. Its place in the log is that of
// the order of Emit over all kept transactions. It panics if the event is longer
// than MaxEventBytes.
func (tx *Tx) Emit(event []byte) {
	tx.alive()
	if len(event) > MaxEventBytes {
		panic(fmt.Sprintf("state: event of %d bytes", len(event)))
	}
	tx.events = append(tx.events, bytes.Clone(event))
}

// Keep makes the writes and events part of the block.
func (tx *Tx) Keep() { tx.finish(true) }

// Drop forgets the writes and events, as if the transaction had never been. After
// Keep or Drop it does nothing, so that it can be deferred.
func (tx *Tx) Drop() {
	if tx.end != nil {
		tx.finish(false)
	}
}

func (tx *Tx) finish(keep bool) {
	tx.alive()
	if tx.ranging > 0 {
		panic("state: transaction ended within Range")
	}
	end := tx.end
	tx.end = nil
	end(keep)
}

func (tx *Tx) alive() {
	if tx.end == nil {
		panic("state: use of a transaction after Keep or Drop")
	}
}
