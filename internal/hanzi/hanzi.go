// Package hanzi knows which traditional Chinese character is which simplified one.
//
// It is no translation: words differ between the standards, and a character that stands
// for several is given its first. What comes out is good to compare by, never to write.
//
// Source: TSCharacters.txt of OpenCC (Apache-2.0), as variants.txt says.
package hanzi

import (
	_ "embed" // variants.txt
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed variants.txt
var variantsFile string

// Han characters that can have a simplified form.
const (
	firstVariant = 0x3400
	lastVariant  = 0x9FFF
)

// variants is the simplified form of each character, 0 where there is none.
var variants = sync.OnceValue(func() *[lastVariant - firstVariant + 1]uint16 {
	table := new([lastVariant - firstVariant + 1]uint16)
	for line := range strings.Lines(variantsFile) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for pair := range strings.FieldsSeq(line) {
			from, n := utf8.DecodeRuneInString(pair)
			to, _ := utf8.DecodeRuneInString(pair[n:])
			table[from-firstVariant] = uint16(to)
		}
	}
	return table
})

// Simplified returns the simplified form of a traditional character, and any other as
// it is.
func Simplified(r rune) rune {
	if r < firstVariant || r > lastVariant {
		return r
	}
	if s := variants()[r-firstVariant]; s != 0 {
		return rune(s)
	}
	return r
}
