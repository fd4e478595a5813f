package qr

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// MaxText bounds what is drawn. A code of 400 letters has 77 modules in a side; phones read
// denser ones badly (spec/safebox.md, 3.5: 2,073 bytes took jsQR 612 ms).
const MaxText = 1024

// quiet is the white border of a code in modules (ISO/IEC 18004, 6.3.8).
const quiet = 4

// Code is a drawn QR code.
type Code struct{ code *qr.Code }

// Draw makes a code of text, 1 to MaxText bytes. Upper case, digits and " $%*+-./:" need a
// third less room than other text. Error correction is M: a code on paper or a screen has
// one chance.
func Draw(text string) (Code, error) { return draw(text, qr.M) }

// DrawFrame makes one code of an animation (package ur) with error correction L: what is
// missed comes again, and a coarser code is seen from further away.
func DrawFrame(text string) (Code, error) { return draw(text, qr.L) }

func draw(text string, level qr.Level) (Code, error) {
	if text == "" || len(text) > MaxText {
		return Code{}, fmt.Errorf("draw a code of %d bytes: at most %d", len(text), MaxText)
	}
	c, err := qr.Encode(text, level)
	if err != nil {
		return Code{}, fmt.Errorf("draw a code: %w", err)
	}
	c.Scale = 8
	return Code{c}, nil
}

// Size is the number of modules in a side, without the border.
func (c Code) Size() int { return c.code.Size }

// Black says whether the module in column x and row y is black; beyond the code all is white.
func (c Code) Black(x, y int) bool { return c.code.Black(x, y) }

// PNG is the code as a picture, 8 pixels a module, with its border.
func (c Code) PNG() []byte { return c.code.PNG() }

// Terminal is the code as lines of half blocks, two modules above each other in one
// letter, in black on white whatever the terminal's colours are: a code in inverse colours
// is one that half the phones do not read. It ends with a line feed.
func (c Code) Terminal() string {
	const paper, end = "\x1b[30;107m", "\x1b[0m\n"
	blocks := map[[2]bool]string{{false, false}: " ", {true, false}: "▀", {false, true}: "▄", {true, true}: "█"}
	var b strings.Builder
	for y := -quiet; y < c.code.Size+quiet; y += 2 {
		b.WriteString(paper)
		for x := -quiet; x < c.code.Size+quiet; x++ {
			b.WriteString(blocks[[2]bool{c.code.Black(x, y), c.code.Black(x, y+1)}])
		}
		b.WriteString(end)
	}
	return b.String()
}
