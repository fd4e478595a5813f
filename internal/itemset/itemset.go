// Package itemset is the bitmap of items of an entry's version that grants carry: bit
// i%8, the lowest first, of byte i/8 stands for the i-th item, from 0, in the order of
// the entry. It knows no grant and no store; ledger, gateway and client compare by it.
//
// # Invariants
//
//  1. One set has one form: the last byte is never zero, the empty set has no byte.
//  2. All functions are pure and total: no input makes them panic.
//
// Source: spec/safebox.md 3.4 (integer field bitmaps instead of JSON paths, on which
// checks of over-asking have raised false alarms elsewhere).
package itemset

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// MaxBytes is the length of a set of 1000 items, which is as many as an entry has.
const MaxBytes = 125

// Check refuses what is no set in its one form of items below n.
func Check(set []byte, n int) error {
	switch {
	case len(set) == 0:
		return nil
	case len(set) > MaxBytes:
		return fmt.Errorf("%d bytes, at most %d", len(set), MaxBytes)
	case set[len(set)-1] == 0:
		return errors.New("the last byte is zero")
	}
	if top := 8*len(set) - bits.LeadingZeros8(set[len(set)-1]); top > n {
		return fmt.Errorf("item %d of %d", top, n)
	}
	return nil
}

// Has reports whether the i-th item is in the set.
func Has(set []byte, i int) bool {
	return i >= 0 && i/8 < len(set) && set[i/8]&(1<<(i%8)) != 0
}

// Within reports whether all of a is in b.
func Within(a, b []byte) bool {
	for i, x := range a {
		if i >= len(b) && x != 0 || i < len(b) && x&^b[i] != 0 {
			return false
		}
	}
	return true
}

// Minus returns what is in a and not in b.
func Minus(a, b []byte) []byte {
	out := slices.Clone(a)
	for i := range out {
		if i < len(b) {
			out[i] &^= b[i]
		}
	}
	return trim(out)
}

// Count returns how many items are in the set.
func Count(set []byte) (n int) {
	for _, x := range set {
		n += bits.OnesCount8(x)
	}
	return n
}

// Of returns the set of the items with these places, from 0; places below 0 and from
// 8*MaxBytes on are left out.
func Of(places ...int) []byte {
	var out []byte
	for _, i := range places {
		if i < 0 || i >= 8*MaxBytes {
			continue
		}
		for len(out) <= i/8 {
			out = append(out, 0)
		}
		out[i/8] |= 1 << (i % 8)
	}
	return trim(out)
}

// OfCodes returns the set of the entry's items with these codes, or an error that names
// the first that it does not have.
func OfCodes(e *cataloguev1.Entry, codes ...string) ([]byte, error) {
	var places []int
	for _, code := range codes {
		i := slices.IndexFunc(e.GetItems(), func(it *cataloguev1.Item) bool { return it.GetCode() == code })
		if i < 0 {
			return nil, fmt.Errorf("entry %s has no item %.80q", e.GetId(), code)
		}
		places = append(places, i)
	}
	return Of(places...), nil
}

// Items returns the entry's items that are in the set, in its order.
func Items(e *cataloguev1.Entry, set []byte) (out []*cataloguev1.Item) {
	for i, it := range e.GetItems() {
		if Has(set, i) {
			out = append(out, it)
		}
	}
	return out
}

// Codes returns the codes of [Items].
func Codes(e *cataloguev1.Entry, set []byte) (out []string) {
	for _, it := range Items(e, set) {
		out = append(out, it.GetCode())
	}
	return out
}

func trim(set []byte) []byte {
	for len(set) > 0 && set[len(set)-1] == 0 {
		set = set[:len(set)-1]
	}
	return set
}
