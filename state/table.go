package state

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
)

// Message is the constraint that ties a generated struct to its pointer, which is
// the message.
type Message[V any] interface {
	*V
	proto.Message
}

// Table is the typed view of all keys under one name. Its zero value is of no use:
// make it with [NewTable] or [NewDerived] in a package variable.
//
//	var grants = state.NewTable[grantv1.Grant]("grant")
type Table[V any, P Message[V]] struct {
	name   string
	auth   Auth
	parsed *Parsed[V, P]
}

// NewTable declares a table of Proved records: the facts. Each write of one costs a
// path in the tree (about 20 us), so keep what follows from others in an [Index].
//
// It panics if the name is taken, or not lower case words with / between.
func NewTable[V any, P Message[V]](name string) Table[V, P] {
	register(name)
	return Table[V, P]{name: name, auth: Proved, parsed: &Parsed[V, P]{}}
}

// NewDerived declares a table of Plain records, each of which follows from Proved
// ones. Nobody outside can check them, and views of old heights do not have them.
func NewDerived[V any, P Message[V]](name string) Table[V, P] {
	register(name)
	return Table[V, P]{name: name, auth: Plain, parsed: &Parsed[V, P]{}}
}

// Name returns the name under which the table was declared.
func (t Table[V, P]) Name() string { return t.name }

// Key returns the whole key of a record, as [DB.Prove] wants it.
func (t Table[V, P]) Key(key string) []byte { return recordKey(t.name, key) }

// Get returns the record and whether there is one. The caller owns it.
func (t Table[V, P]) Get(v View, key string) (P, bool) {
	b, ok := v.Get(t.Key(key))
	if !ok {
		return nil, false
	}
	return t.parse(key, b), true
}

// Shared is Get of a record that others read, too: nobody may change it (see [Parsed]).
func (t Table[V, P]) Shared(v View, key string) (P, bool) {
	b, ok := v.Get(t.Key(key))
	if !ok {
		return nil, false
	}
	p, err := t.parsed.Parse(key, b)
	if err != nil {
		damaged("%s/%s: %w", t.name, key, err)
	}
	return p, true
}

// Has reports whether there is a record, without reading what it says.
func (t Table[V, P]) Has(v View, key string) bool {
	_, ok := v.Get(t.Key(key))
	return ok
}

// Put sets the record. p is not kept: the caller may change it afterwards.
func (t Table[V, P]) Put(tx *Tx, key string, p P) {
	b, err := encoding.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("state: %s/%s: %v", t.name, key, err)) // invalid UTF-8 or a required field: ours to prevent
	}
	tx.Put(t.Key(key), b, t.auth)
}

// Delete removes the record, if there is one.
func (t Table[V, P]) Delete(tx *Tx, key string) { tx.Delete(t.Key(key), t.auth) }

// Range calls fn for each record whose key begins with prefix and is not before
// from, in ascending byte order, until fn returns false. Both are keys of the
// table; "" leaves one open. fn owns p, and must not write to a Tx it ranges over.
func (t Table[V, P]) Range(v View, prefix, from string, fn func(key string, p P) bool) {
	ranged(v, t.name, prefix, from, func(key string, value []byte) bool {
		return fn(key, t.parse(key, value))
	})
}

func (t Table[V, P]) parse(key string, b []byte) P {
	p := P(new(V))
	if err := proto.Unmarshal(b, p); err != nil {
		damaged("%s/%s: %w", t.name, key, err) // only Put writes here
	}
	return p
}

// encoding is the one that the app hash depends on. Fields come in the order of
// their numbers and maps in that of their keys; the tests of each table's golden
// bytes notice if a newer library should do otherwise.
var encoding = proto.MarshalOptions{Deterministic: true}

// Index finds keys by something else than themselves: a Plain table of short strings.
// Declare it with [NewIndex] in a package variable.
type Index struct{ name string }

// NewIndex declares an index. It panics like [NewTable].
func NewIndex(name string) Index {
	register(name)
	return Index{name: name}
}

// Name returns the name under which the index was declared.
func (x Index) Name() string { return x.name }

// Get returns the string at key and whether there is one.
func (x Index) Get(v View, key string) (string, bool) {
	b, ok := v.Get(recordKey(x.name, key))
	return string(b), ok
}

// Has reports whether the index has key.
func (x Index) Has(v View, key string) bool {
	_, ok := v.Get(recordKey(x.name, key))
	return ok
}

// Put sets the string at key, which may be empty if the key says all.
func (x Index) Put(tx *Tx, key, value string) { tx.Put(recordKey(x.name, key), []byte(value), Plain) }

// Delete removes key, if it is there.
func (x Index) Delete(tx *Tx, key string) { tx.Delete(recordKey(x.name, key), Plain) }

// Range is [Table.Range] for an index.
func (x Index) Range(v View, prefix, from string, fn func(key, value string) bool) {
	ranged(v, x.name, prefix, from, func(key string, value []byte) bool { return fn(key, string(value)) })
}

// Ordered writes n such that the order of the strings is that of the numbers: 16
// hexadecimal digits. For heights, times and sequence numbers within keys. It
// panics if n is negative.
func Ordered(n int64) string {
	if n < 0 {
		panic(fmt.Sprintf("state: %d within a key", n))
	}
	return fmt.Sprintf("%016x", n)
}

func recordKey(name, key string) []byte {
	k := make([]byte, 0, len(name)+1+len(key))
	k = append(k, name...)
	k = append(k, '/')
	return append(k, key...)
}

func ranged(v View, name, prefix, from string, fn func(key string, value []byte) bool) {
	v.Range(recordKey(name, prefix), recordKey(name, from), func(key, value []byte) bool {
		return fn(string(key[len(name)+1:]), value)
	})
}

var registry struct {
	sync.Mutex
	names []string
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]*(/[a-z][a-z0-9_-]*)*$`)

// register takes a name. The keys of two tables must not mix, so neither name may
// begin the other up to a slash: "share" and "share/use" cannot both be tables.
func register(name string) {
	if !namePattern.MatchString(name) {
		panic(fmt.Sprintf("state: table name %q", name))
	}
	registry.Lock()
	defer registry.Unlock()
	for _, other := range registry.names {
		if strings.HasPrefix(name+"/", other+"/") || strings.HasPrefix(other+"/", name+"/") {
			panic(fmt.Sprintf("state: tables %q and %q would share keys", other, name))
		}
	}
	registry.names = append(registry.names, name)
}

// Names returns the names of all tables and indexes of this program, in the order
// of their declaration.
func Names() []string {
	registry.Lock()
	defer registry.Unlock()
	return append([]string(nil), registry.names...)
}
