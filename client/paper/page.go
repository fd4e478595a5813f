package paper

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"mulian/client/evidence/font"
	"mulian/internal/fault"
	"mulian/internal/qr"
)

// Measures of the page, in millimetres but for the sizes of type.
const (
	Width, Height = 210.0, 297.0
	Margin        = 17.0
	LineHeight    = 4.3
	Body, Small   = 8.5, 7.2 // type sizes in points

	bottom     = 17.0
	labelWidth = 40.0
	rowGap     = 0.9
	Baseline   = 3.7 // of a row's first line
)

// Ink is a colour.
type Ink struct{ r, g, b int }

// The colours of a paper.
var (
	Black = Ink{24, 28, 34}
	Grey  = Ink{110, 118, 128}
	Blue  = Ink{16, 74, 138}
	rule  = Ink{205, 211, 218}
	tint  = Ink{244, 247, 250}
)

// Section is a headed table.
type Section struct {
	Chinese, English string
	Rows             []Row
}

// Row is one line of a table; one without a value is left out.
type Row struct {
	Chinese, English string
	Value            string
	Mono             bool // hashes and ids
}

// Page writes a paper from top to bottom, over as many pages as it takes.
type Page struct {
	Y float64 // where the next thing goes

	pdf    *fpdf.Fpdf
	id     string
	behind func() // is set on each page before all else
}

// New begins a paper with a title for the file, an id for the foot of each page, and a time
// for the file: nothing on it is of the day on which it is printed. behind sets what lies
// behind the text of each page; nil: nothing.
func New(title, id string, at time.Time, behind func(*Page)) *Page {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetCreationDate(at.UTC())
	pdf.SetModificationDate(at.UTC())
	pdf.SetCatalogSort(true)
	pdf.SetLang("zh-CN")
	pdf.SetTitle(title, true)
	pdf.SetProducer("mulian", true)
	pdf.SetAutoPageBreak(false, 0)
	for _, face := range []font.Face{font.Sans, font.Bold, font.Mono, font.Han} {
		pdf.AddUTF8FontFromBytes(names[face], "", face.Bytes())
	}
	p := &Page{pdf: pdf, id: id, behind: func() {}}
	if behind != nil {
		p.behind = func() { behind(p) }
	}
	p.turn()
	return p
}

// names are those of the fonts within the PDF.
var names = map[font.Face]string{font.Sans: "sans", font.Bold: "bold", font.Mono: "mono", font.Han: "han"}

// turn begins a new page.
func (p *Page) turn() {
	p.pdf.AddPage()
	p.behind()
	p.Y = Margin
}

// Room turns the page unless there are h millimetres left.
func (p *Page) Room(h float64) {
	if p.Y+h > Height-bottom {
		p.turn()
	}
}

// WriteTo sets the foot of each page and writes the PDF.
func (p *Page) WriteTo(w io.Writer) (int64, error) {
	for i := 1; i <= p.pdf.PageCount(); i++ {
		p.pdf.SetPage(i)
		p.pdf.SetDrawColor(rule.r, rule.g, rule.b)
		p.pdf.Line(Margin, Height-bottom+3, Width-Margin, Height-bottom+3)
		p.Text(Margin, Height-bottom+8, p.id, font.Mono, Small, Grey)
		count := fmt.Sprintf("%d / %d", i, p.pdf.PageCount())
		p.Text(Width-Margin-p.Width(count, font.Sans, Small), Height-bottom+8, count, font.Sans, Small, Grey)
	}
	var b bytes.Buffer
	if err := p.pdf.Output(&b); err != nil {
		return 0, fault.Wrap(fault.Internal, err, "set the paper")
	}
	return b.WriteTo(w)
}

// Band sets the coloured edge at the top of a page.
func (p *Page) Band() {
	p.pdf.SetFillColor(Blue.r, Blue.g, Blue.b)
	p.pdf.Rect(0, 0, Width, 3, "F")
}

// Code draws the QR code of a text, size millimetres wide. A text that is too long for a code
// gives none.
func (p *Page) Code(text string, x, y, size float64) {
	c, err := qr.Draw(text)
	if err != nil { // 100 letters fit
		return
	}
	cell := size / float64(c.Size())
	p.pdf.SetFillColor(Black.r, Black.g, Black.b)
	for i := range c.Size() {
		for j := range c.Size() {
			if c.Black(i, j) {
				p.pdf.Rect(x+float64(i)*cell, y+float64(j)*cell, cell*1.02, cell*1.02, "F")
			}
		}
	}
}

// Watermark sets a text aslant again and again over the whole page, so pale that what lies
// over it can be read.
func (p *Page) Watermark(text string, size float64) {
	pale := Ink{224, 229, 235}
	step := p.Width(text, font.Sans, size) + 22
	for row := range 9 {
		for x := -Height + float64(row%2)*step/2; x < Width+Height; x += step {
			y := float64(row) * 42
			p.pdf.TransformBegin()
			p.pdf.TransformRotate(28, x, y)
			p.Text(x, y, text, font.Sans, size, pale)
			p.pdf.TransformEnd()
		}
	}
}

// Table sets a section; rows without a value are left out.
func (p *Page) Table(s Section) {
	p.Heading(s.Chinese, s.English, 20)
	shaded := false
	for _, r := range s.Rows {
		if r.Value == "" {
			continue
		}
		face := font.Sans
		if r.Mono {
			face = font.Mono
		}
		lines := p.wrap(r.Value, face, r.size(), Width-2*Margin-labelWidth-2)
		h := float64(len(lines))*LineHeight + rowGap
		p.Room(min(h, 60))
		if shaded = !shaded; shaded {
			p.pdf.SetFillColor(tint.r, tint.g, tint.b)
			p.pdf.Rect(Margin, p.Y, Width-2*Margin, min(h, Height-bottom-p.Y), "F")
		}
		end := p.Text(Margin+1.5, p.Y+Baseline, r.Chinese, font.Sans, Body, Black)
		if r.English != "" {
			p.Text(end+1.6, p.Y+Baseline, r.English, font.Sans, Small, Grey)
		}
		for _, line := range lines {
			p.Room(LineHeight)
			p.Text(Margin+labelWidth, p.Y+Baseline, line, face, r.size(), Black)
			p.Y += LineHeight
		}
		p.Y += rowGap
	}
	p.Y += 1.8
}

func (r Row) size() float64 {
	if r.Mono {
		return 8
	}
	return Body
}

// Heading sets the head of a section; it wants room for itself and what follows.
func (p *Page) Heading(zh, en string, follows float64) {
	p.Room(8 + follows)
	end := p.Text(Margin, p.Y+4.6, zh, font.Bold, 11, Blue)
	p.Text(end+2.2, p.Y+4.6, en, font.Sans, 8.5, Grey)
	p.pdf.SetDrawColor(Blue.r, Blue.g, Blue.b)
	p.pdf.SetLineWidth(0.25)
	p.pdf.Line(Margin, p.Y+6.4, Width-Margin, p.Y+6.4)
	p.pdf.SetLineWidth(0.2)
	p.Y += 7.4
}
