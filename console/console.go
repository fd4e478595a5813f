// Package console carries the pages on which people work: the console (index.html) and the
// safe box (box.html), with everything that they load. They are made from src/ by Vite and
// committed, so that the one binary needs Go alone; `make console` makes them again, and
// .ci/run compares the bytes.
//
// It is no server and decides nothing: package server gives the files out and says which
// headers they come with.
//
//	src/, package-lock.json ──make console──▶ dist/ ──embedded──▶ Files, Build ──▶ server
//
// # Invariants
//
//  1. dist/ is what the sources and the lock file give: never edited, never merged by hand.
//  2. File names carry no hashes. What changed is known by [Build] and by each file's ETag.
//  3. With the build tag noconsole there are no pages, and [Files] is empty.
//
// Sources: docs/decisions/0046.
package console

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"sync"
)

// Build names these pages: 12 hex digits of a hash over all files. "none" without pages.
var Build = sync.OnceValue(func() string {
	h, n := sha256.New(), 0
	err := fs.WalkDir(Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(Files, path)
		n++
		h.Write([]byte(path + "\x00"))
		h.Write(b)
		return err
	})
	if err != nil || n == 0 {
		return "none"
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
})
