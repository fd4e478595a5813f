// Package boxtest is what every medium for boxes has to do: one suite over all of them, so
// that files, memory and an object store do not differ in anything that a box relies on.
package boxtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mulian/safebox/store"
)

// Run holds a medium to the contract of [store.Blobs]. open makes an empty one; again opens
// it anew, as after a restart (nil if it keeps nothing).
func Run(t *testing.T, open func(t *testing.T) store.Blobs, again func(t *testing.T, b store.Blobs) store.Blobs) {
	t.Run("what was put comes back", func(t *testing.T) {
		b := open(t)
		for _, content := range [][]byte{{}, []byte("a"), bytes.Repeat([]byte{7}, store.PartBytes)} {
			must(t, b.Put(t.Context(), "p-1/vault", content))
			got, err := b.Get(t.Context(), "p-1/vault", 2*store.PartBytes)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes came back as %d: %v", len(content), len(got), err)
			}
			if n, err := b.Size(t.Context(), "p-1/vault"); err != nil || n != int64(len(content)) {
				t.Errorf("size %d of %d: %v", n, len(content), err)
			}
		}
		if again == nil {
			return
		}
		b = again(t, b)
		if n, err := b.Size(t.Context(), "p-1/vault"); err != nil || n != store.PartBytes {
			t.Errorf("after a restart: %d, %v", n, err)
		}
	})
	t.Run("no more than the limit", func(t *testing.T) {
		b := open(t)
		must(t, b.Put(t.Context(), "x", []byte("0123456789")))
		if got, err := b.Get(t.Context(), "x", 3); err != nil || string(got) != "012" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		b := open(t)
		if _, err := b.Get(t.Context(), "p-1/x", 1); !errors.Is(err, store.ErrNone) {
			t.Errorf("get: %v", err)
		}
		if _, err := b.Size(t.Context(), "p-1/x"); !errors.Is(err, store.ErrNone) {
			t.Errorf("size: %v", err)
		}
		must(t, b.Delete(t.Context(), "p-1/x"))
	})
	t.Run("a deleted one is gone", func(t *testing.T) {
		b := open(t)
		must(t, b.Put(t.Context(), "p-1/x", []byte("a")))
		must(t, b.Delete(t.Context(), "p-1/x"))
		if _, err := b.Get(t.Context(), "p-1/x", 1); !errors.Is(err, store.ErrNone) {
			t.Errorf("get: %v", err)
		}
		if names, err := b.List(t.Context(), "", "", 10); err != nil || len(names) != 0 {
			t.Errorf("list: %v, %v", names, err)
		}
		if again != nil {
			if _, err := again(t, b).Get(t.Context(), "p-1/x", 1); !errors.Is(err, store.ErrNone) {
				t.Errorf("after a restart: %v", err)
			}
		}
	})
	t.Run("lists are in order and in pages", func(t *testing.T) { lists(t, open(t)) })
	t.Run("no name leaves its place", func(t *testing.T) {
		b := open(t)
		for _, name := range []string{"", "../x", "a/../b", "/etc/x", "a/", "a b", "a\x00b", "a.tmp", strings.Repeat("a", 301)} {
			if err := b.Put(t.Context(), name, []byte("x")); err == nil {
				t.Errorf("%q was taken as a name", name)
			}
		}
	})
}

func lists(t *testing.T, b store.Blobs) {
	var want []string
	for _, account := range []string{"f-2", "p-1", "p-10"} {
		for i := range 5 {
			name := fmt.Sprintf("%s/i/%d/head", account, i)
			want = append(want, name)
			must(t, b.Put(t.Context(), name, []byte("x")))
		}
	}
	slices.Sort(want)
	var got []string
	for after := ""; ; {
		page, err := b.List(t.Context(), "", after, 4)
		must(t, err)
		if len(page) == 0 {
			break
		}
		got, after = append(got, page...), page[len(page)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("in pages: %v", got)
	}
	page, err := b.List(t.Context(), "p-1/i/", "p-1/i/1/head", 10)
	if must(t, err); !slices.Equal(page, []string{"p-1/i/2/head", "p-1/i/3/head", "p-1/i/4/head"}) {
		t.Errorf("of one box, after one: %v", page)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
