package itemset

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// TestSetsAreSets compares the bitmap with a set of numbers.
func TestSetsAreSets(t *testing.T) {
	places := rapid.SliceOfN(rapid.IntRange(0, 999), 0, 40)
	rapid.Check(t, func(t *rapid.T) {
		a, b := places.Draw(t, "a"), places.Draw(t, "b")
		inA, inB := map[int]bool{}, map[int]bool{}
		within := true
		for _, i := range b {
			inB[i] = true
		}
		left := 0
		for _, i := range a {
			if !inB[i] && !inA[i] {
				left++
			}
			inA[i] = true
			within = within && inB[i]
		}
		x, y := Of(a...), Of(b...)
		if Check(x, 1000) != nil || Count(x) != len(inA) || Within(x, y) != within || Count(Minus(x, y)) != left {
			t.Fatalf("%v and %v: %x, %x", a, b, x, y)
		}
		for i := range 1000 {
			if Has(x, i) != inA[i] {
				t.Fatalf("item %d of %v", i, a)
			}
		}
	})
}

// TestOneFormOfASet: another spelling of a set, and items that are not there, are refused.
func TestOneFormOfASet(t *testing.T) {
	for _, bad := range [][]byte{{0}, {1, 0}, bytes.Repeat([]byte{1}, MaxBytes+1), {8}, {0, 1}} {
		if Check(bad, 3) == nil {
			t.Errorf("%x is taken for a set of 3 items", bad)
		}
	}
	for _, good := range [][]byte{nil, {1}, {4}, {7}} {
		if err := Check(good, 3); err != nil {
			t.Errorf("%x: %v", good, err)
		}
	}
	if Has([]byte{255}, -1) || Has(nil, 0) || len(Of(-1, 8*MaxBytes)) != 0 {
		t.Error("a place that no entry has")
	}
}

// TestCodesAndBack goes from codes to a set and back, in the order of the entry.
func TestCodesAndBack(t *testing.T) {
	e := &cataloguev1.Entry{Id: "e", Items: []*cataloguev1.Item{{Code: "no"}, {Code: "owner"}, {Code: "area"}}}
	set, err := OfCodes(e, "area", "no")
	if err != nil || !bytes.Equal(set, []byte{5}) {
		t.Fatalf("%x, %v", set, err)
	}
	if got := Codes(e, set); len(got) != 2 || got[0] != "no" || got[1] != "area" {
		t.Errorf("%v", got)
	}
	if _, err := OfCodes(e, "no", "age"); err == nil {
		t.Error("an item that the entry does not have")
	}
}
