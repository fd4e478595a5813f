package certificate

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"rsc.io/qr"

	"mulian/client/evidence/font"
	"mulian/internal/fault"
)

// Measures of the page, in millimetres but for the sizes of type.
const (
	width, height = 210.0, 297.0
	margin        = 17.0
	bottom        = 17.0
	labelWidth    = 40.0
	lineHeight    = 4.3
	rowGap        = 0.9
	baseline      = 3.7  // of a row's first line
	codeSize      = 25.0 // of the QR code
	body          = 8.5  // type sizes in points
	small         = 7.2
)

// ink is a colour.
type ink struct{ r, g, b int }

var (
	black = ink{24, 28, 34}
	grey  = ink{110, 118, 128}
	blue  = ink{16, 74, 138}
	rule  = ink{205, 211, 218}
	tint  = ink{244, 247, 250}
)

// page writes a certificate from top to bottom, over as many pages as it takes.
type page struct {
	pdf *fpdf.Fpdf
	c   *Certificate
	y   float64
}

func newPage(c *Certificate) *page {
	pdf := fpdf.New("P", "mm", "A4", "")
	at := time.UnixMilli(c.Opening.AtMs).UTC() // of the block: a paper has no date of its own
	pdf.SetCreationDate(at)
	pdf.SetModificationDate(at)
	pdf.SetCatalogSort(true)
	pdf.SetLang("zh-CN")
	pdf.SetTitle("存证证书 "+c.Opening.ID, true)
	pdf.SetProducer("mulian", true)
	pdf.SetAutoPageBreak(false, 0)
	for _, face := range []font.Face{font.Sans, font.Bold, font.Mono, font.Han} {
		pdf.AddUTF8FontFromBytes(names[face], "", face.Bytes())
	}
	p := &page{pdf: pdf, c: c}
	p.turn()
	return p
}

// names are those of the fonts within the PDF.
var names = map[font.Face]string{font.Sans: "sans", font.Bold: "bold", font.Mono: "mono", font.Han: "han"}

// turn begins a new page.
func (p *page) turn() {
	p.pdf.AddPage()
	p.y = margin
}

// room turns the page unless there are h millimetres left.
func (p *page) room(h float64) {
	if p.y+h > height-bottom {
		p.turn()
	}
}

func (p *page) write(w io.Writer) error {
	for i := 1; i <= p.pdf.PageCount(); i++ {
		p.pdf.SetPage(i)
		p.pdf.SetDrawColor(rule.r, rule.g, rule.b)
		p.pdf.Line(margin, height-bottom+3, width-margin, height-bottom+3)
		p.text(margin, height-bottom+8, p.c.Opening.ID, font.Mono, small, grey)
		count := fmt.Sprintf("%d / %d", i, p.pdf.PageCount())
		p.text(width-margin-p.width(count, font.Sans, small), height-bottom+8, count, font.Sans, small, grey)
	}
	var b bytes.Buffer
	if err := p.pdf.Output(&b); err != nil {
		return fault.Wrap(fault.Internal, err, "set the certificate")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (p *page) head() {
	p.pdf.SetFillColor(blue.r, blue.g, blue.b)
	p.pdf.Rect(0, 0, width, 3, "F")
	p.text(margin, 23, "存证证书", font.Bold, 26, blue)
	p.text(margin, 31, "Certificate of Evidence", font.Sans, 13, grey)
	p.code(width-margin-codeSize, 10)
	p.y = 38
	for _, s := range []string{
		"兹证明：下述文件在所列区块形成时已经存在，其指纹由所列存证人签名、锚定于联盟链账本的该区块，此后未被改动。",
		"This certifies that the file below existed when the block stated was made: its fingerprint, signed by the account stated, was anchored in that block of the consortium's ledger, and has not been changed there since.",
	} {
		p.paragraph(s, font.Sans, body, black, margin, width-2*margin, lineHeight)
		p.y += 0.6
	}
	p.y += 1.4
}

// code draws the QR code of the id.
func (p *page) code(x, y float64) {
	c, err := qr.Encode("mulian:evidence/"+p.c.Opening.ID+"?chain="+p.c.Opening.Chain, qr.M)
	if err != nil { // 100 letters fit
		return
	}
	cell := codeSize / float64(c.Size)
	p.pdf.SetFillColor(black.r, black.g, black.b)
	for i := range c.Size {
		for j := range c.Size {
			if c.Black(i, j) {
				p.pdf.Rect(x+float64(i)*cell, y+float64(j)*cell, cell*1.02, cell*1.02, "F")
			}
		}
	}
}

// table sets a section; rows without a value are left out.
func (p *page) table(s section) {
	p.heading(s.zh, s.en, 20)
	shaded := false
	for _, r := range s.rows {
		if r.value == "" {
			continue
		}
		face := font.Sans
		if r.mono {
			face = font.Mono
		}
		lines := p.wrap(r.value, face, p.size(r), width-2*margin-labelWidth-2)
		h := float64(len(lines))*lineHeight + rowGap
		p.room(min(h, 60))
		if shaded = !shaded; shaded {
			p.pdf.SetFillColor(tint.r, tint.g, tint.b)
			p.pdf.Rect(margin, p.y, width-2*margin, min(h, height-bottom-p.y), "F")
		}
		end := p.text(margin+1.5, p.y+baseline, r.zh, font.Sans, body, black)
		if r.en != "" {
			p.text(end+1.6, p.y+baseline, r.en, font.Sans, small, grey)
		}
		for _, line := range lines {
			p.room(lineHeight)
			p.text(margin+labelWidth, p.y+baseline, line, face, p.size(r), black)
			p.y += lineHeight
		}
		p.y += rowGap
	}
	p.y += 1.8
}

func (p *page) size(r row) float64 {
	if r.mono {
		return 8
	}
	return body
}

// heading wants room for itself and what follows.
func (p *page) heading(zh, en string, follows float64) {
	p.room(8 + follows)
	end := p.text(margin, p.y+4.6, zh, font.Bold, 11, blue)
	p.text(end+2.2, p.y+4.6, en, font.Sans, 8.5, grey)
	p.pdf.SetDrawColor(blue.r, blue.g, blue.b)
	p.pdf.SetLineWidth(0.25)
	p.pdf.Line(margin, p.y+6.4, width-margin, p.y+6.4)
	p.pdf.SetLineWidth(0.2)
	p.y += 7.4
}

// steps say how a stranger checks it.
func (p *page) steps() {
	o := p.c.Opening
	p.heading("如何核验", "How to check, offline", 40)
	hash := fmt.Sprintf("%x", []byte(o.Genesis))
	for i, s := range []struct{ zh, en, line string }{
		{
			"向联盟任一成员（最好不止一个）核对创世哈希是否与上表一致。", "Compare the genesis hash with what a member of the consortium tells you, better more than one.", "",
		},
		{
			"验证证明文件：记录、签名、区块与信任链。", "Check the proof file: record, signature, block and chain of trust.",
			"mulian verify " + o.ProofFile() + " --genesis-hash " + hash,
		},
		{
			"验证原文件与证据夹相符：哈希、盐值、承诺值。", "Check that the original file belongs to the evidence folder: hashes, salt, commitment.",
			"mulian evidence verify FOLDER FILE --genesis-hash " + hash,
		},
	} {
		p.room(3 * lineHeight)
		p.text(margin+1.5, p.y+baseline, fmt.Sprint(i+1), font.Bold, body, blue)
		p.paragraph(s.zh+" "+s.en, font.Sans, body, black, margin+6, width-2*margin-6, lineHeight)
		if s.line != "" {
			p.paragraph(s.line, font.Mono, small, black, margin+6, width-2*margin-6, 3.7)
		}
		p.y += 0.6
	}
	p.y += 1
}

// limits say what the paper does not prove.
func (p *page) limits() {
	p.room(18)
	for _, s := range []string{
		"区块时间取自前一区块的签署时刻，通常早不过数秒。本证书不证明文件由谁制作、内容是否真实；来源过程由存证人陈述，账本保存其陈述的原样。效力在于证明文件，不在于本纸。证据夹含有盐值，须与文件同样保密。依据：《人民法院在线诉讼规则》第十六至十九条。",
		"Block time is the moment at which the block before was signed, as a rule some seconds earlier at most. The paper does not prove who made the file, or that its content is true; the provenance is the statement of who anchored it, kept as it was made. The proof file is what counts, not this paper. The evidence folder holds the salt: keep it as you keep the file. Rules of Online Litigation of the People's Courts, arts. 16-19.",
	} {
		p.paragraph(s, font.Sans, small, grey, margin, width-2*margin, 3.6)
		p.y += 0.5
	}
}
