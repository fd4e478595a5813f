package paper

import (
	"fmt"
	"strings"
	"unicode"

	"mulian/client/evidence/font"
)

// spelt writes characters that no font shows as their code points, 〔U+2CE93〕, and
// line ends as blanks: nothing is dropped, and nothing turns the direction of text.
func spelt(s string) string {
	var b strings.Builder
	for _, r := range s {
		_, ok := font.Of(r, font.Sans)
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case r == unicode.ReplacementChar || !ok:
			fmt.Fprintf(&b, "〔U+%04X〕", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// piece is text in one font.
type piece struct {
	face font.Face
	text string
}

// pieces cuts text where its font changes. The text is spelt.
func pieces(s string, first font.Face) (out []piece) {
	for _, r := range s {
		f, ok := font.Of(r, first)
		if !ok {
			f = first
		}
		if n := len(out); n > 0 && out[n-1].face == f {
			out[n-1].text += string(r)
		} else {
			out = append(out, piece{f, string(r)})
		}
	}
	return out
}

// Text sets one line with its baseline at y and returns where it ends.
func (p *Page) Text(x, y float64, s string, face font.Face, size float64, c Ink) float64 {
	for _, part := range pieces(spelt(s), face) {
		p.pdf.SetFont(names[part.face], "", size)
		p.pdf.SetTextColor(c.r, c.g, c.b)
		if face == font.Bold && part.face == font.Han { // the font has no bold: a hair of an outline
			p.pdf.SetDrawColor(c.r, c.g, c.b)
			p.pdf.SetLineWidth(size * 0.009)
			p.pdf.SetTextRenderingMode(2)
			p.pdf.Text(x, y, part.text)
			p.pdf.SetTextRenderingMode(0)
			p.pdf.SetLineWidth(0.2)
		} else {
			p.pdf.Text(x, y, part.text)
		}
		x += p.pdf.GetStringWidth(part.text)
	}
	return x
}

// Width is how wide the line would be.
func (p *Page) Width(s string, face font.Face, size float64) (w float64) {
	for _, part := range pieces(spelt(s), face) {
		p.pdf.SetFont(names[part.face], "", size)
		w += p.pdf.GetStringWidth(part.text)
	}
	return w
}

// Paragraph sets text over as many lines, and pages, as it takes.
func (p *Page) Paragraph(s string, face font.Face, size float64, c Ink, x, w, line float64) {
	for _, l := range p.wrap(s, face, size, w) {
		p.Room(line)
		p.Text(x, p.Y+line*0.86, l, face, size, c)
		p.Y += line
	}
}

// wrap cuts text into lines of that width: behind blanks and between Chinese
// characters, where a closing mark never begins a line and an opening one never
// ends it; a word that is longer than a line anywhere.
func (p *Page) wrap(s string, face font.Face, size, w float64) (lines []string) {
	s = spelt(s)
	for s != "" {
		n, last, used := 0, 0, 0.0 // bytes that fit, the last good place to cut
		var before rune
		for i, r := range s {
			if i > 0 && breaks(before, r) {
				last = i
			}
			used += p.Width(string(r), face, size)
			if used > w && i > 0 {
				n = i
				break
			}
			before = r
		}
		switch {
		case n == 0:
			return append(lines, s)
		case last == 0:
			last = n
		}
		lines = append(lines, strings.TrimRight(s[:last], " "))
		s = strings.TrimLeft(s[last:], " ")
	}
	return lines
}

// breaks reports whether a line may end between two characters.
func breaks(before, after rune) bool {
	switch {
	case strings.ContainsRune("，。、；：？！）》」』】〕”’%", after), strings.ContainsRune("（《「『【〔“‘", before):
		return false
	}
	return before == ' ' || wide(before) || wide(after)
}

func wide(r rune) bool {
	return unicode.Is(unicode.Han, r) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xff60
}
