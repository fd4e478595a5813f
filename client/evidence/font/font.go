// Package font holds the fonts that our papers are set in, and tells which of them
// can show a character.
//
// It is not a text engine: it shapes nothing. A character that no font of ours has is
// for the caller to spell out, see [Of].
//
//	character ──Of──▶ Sans, Bold, Mono (Latin) or Han ──▶ Bytes for a PDF
//	                  └─ none: its code point has to be written instead
//
// # Invariants
//
//  1. The bytes of a font never change: what is set in them is the same everywhere.
//  2. Of names a font only if it has a glyph for the character.
//
// Han is DroidSansFallbackFull.ttf of the Debian package fonts-droid-fallback
// 1:6.0.1r16-1.1, SHA-256 acb6440a…780730777b8, Apache-2.0 (LICENSE beside it): all 20,902
// characters of Unicode 1.1's CJK block and all 6,582 of extension A, so GB 18030's
// two-byte and most of its four-byte part. The Go fonts are BSD, from
// golang.org/x/image. docs/decisions/0010 says why these.
package font

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the font
	"fmt"
	"io"
	"sync"
	"unicode"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// Face is one of the fonts.
type Face uint8

// The fonts. Sans, Bold and Mono have Latin, Greek and Cyrillic letters, Han has
// what Chinese needs.
const (
	Sans Face = iota + 1
	Bold
	Mono
	Han
)

//go:embed DroidSansFallbackFull.ttf.gz
var han []byte

// maxHan is the size of the Chinese font, unpacked, rounded up.
const maxHan = 5 << 20

type loaded struct {
	raw   []byte
	table *sfnt.Font
}

var load = sync.OnceValue(func() map[Face]*loaded {
	z, err := gzip.NewReader(bytes.NewReader(han))
	if err != nil {
		panic("font: " + err.Error()) // it is part of the program
	}
	raw, err := io.ReadAll(io.LimitReader(z, maxHan))
	if err != nil {
		panic("font: " + err.Error())
	}
	out := map[Face]*loaded{}
	for f, b := range map[Face][]byte{Sans: goregular.TTF, Bold: gobold.TTF, Mono: gomono.TTF, Han: raw} {
		t, err := sfnt.Parse(b)
		if err != nil {
			panic(fmt.Sprintf("font: face %d: %v", f, err))
		}
		out[f] = &loaded{b, t}
	}
	return out
})

// Bytes returns the font as a TrueType file. The caller may change it.
func (f Face) Bytes() []byte { return bytes.Clone(load()[f].raw) }

// Has reports whether the font has a glyph of its own for the character. Those
// beyond the first plane, control and format characters it never has: a PDF of ours
// cannot show the first, and nobody can see the others.
func (f Face) Has(r rune) bool {
	if r > 0xFFFF || !unicode.IsPrint(r) && r != '\u3000' {
		return false
	}
	var b sfnt.Buffer // one for each call: it is not for several goroutines
	i, err := load()[f].table.GlyphIndex(&b, r)
	return err == nil && i != 0
}

// Of returns the font to show the character in, like first if it has it, else one
// that has, and whether there is any.
func Of(r rune, first Face) (Face, bool) {
	for _, f := range []Face{first, Sans, Han} {
		if f.Has(r) {
			return f, true
		}
	}
	return 0, false
}
