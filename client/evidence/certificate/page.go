package certificate

import (
	"fmt"
	"time"

	"mulian/client/evidence/font"
	"mulian/client/paper"
)

const codeSize = 25.0 // of the QR code, in millimetres

// begin makes the paper; its date is that of the block, for a paper has none of its own.
func (c *Certificate) begin() *paper.Page {
	return paper.New("存证证书 "+c.Opening.ID, c.Opening.ID, time.UnixMilli(c.Opening.AtMs), nil)
}

func (c *Certificate) head(p *paper.Page) {
	p.Band()
	p.Text(paper.Margin, 23, "存证证书", font.Bold, 26, paper.Blue)
	p.Text(paper.Margin, 31, "Certificate of Evidence", font.Sans, 13, paper.Grey)
	p.Code("mulian:evidence/"+c.Opening.ID+"?chain="+c.Opening.Chain, paper.Width-paper.Margin-codeSize, 10, codeSize)
	p.Y = 38
	for _, s := range []string{
		"兹证明：下述文件在所列区块形成时已经存在，其指纹由所列存证人签名、锚定于联盟链账本的该区块，此后未被改动。",
		"This certifies that the file below existed when the block stated was made: its fingerprint, signed by the account stated, was anchored in that block of the consortium's ledger, and has not been changed there since.",
	} {
		p.Paragraph(s, font.Sans, paper.Body, paper.Black, paper.Margin, paper.Width-2*paper.Margin, paper.LineHeight)
		p.Y += 0.6
	}
	p.Y += 1.4
}

// steps say how a stranger checks it.
func (c *Certificate) steps(p *paper.Page) {
	o := c.Opening
	p.Heading("如何核验", "How to check, offline", 40)
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
		p.Room(3 * paper.LineHeight)
		p.Text(paper.Margin+1.5, p.Y+paper.Baseline, fmt.Sprint(i+1), font.Bold, paper.Body, paper.Blue)
		p.Paragraph(s.zh+" "+s.en, font.Sans, paper.Body, paper.Black, paper.Margin+6, paper.Width-2*paper.Margin-6, paper.LineHeight)
		if s.line != "" {
			p.Paragraph(s.line, font.Mono, paper.Small, paper.Black, paper.Margin+6, paper.Width-2*paper.Margin-6, 3.7)
		}
		p.Y += 0.6
	}
	p.Y += 1
}

// limits say what the paper does not prove.
func limits(p *paper.Page) {
	p.Room(18)
	for _, s := range []string{
		"区块时间取自前一区块的签署时刻，通常早不过数秒。本证书不证明文件由谁制作、内容是否真实；来源过程由存证人陈述，账本保存其陈述的原样。效力在于证明文件，不在于本纸。证据夹含有盐值，须与文件同样保密。依据：《人民法院在线诉讼规则》第十六至十九条。",
		"Block time is the moment at which the block before was signed, as a rule some seconds earlier at most. The paper does not prove who made the file, or that its content is true; the provenance is the statement of who anchored it, kept as it was made. The proof file is what counts, not this paper. The evidence folder holds the salt: keep it as you keep the file. Rules of Online Litigation of the People's Courts, arts. 16-19.",
	} {
		p.Paragraph(s, font.Sans, paper.Small, paper.Grey, paper.Margin, paper.Width-2*paper.Margin, 3.6)
		p.Y += 0.5
	}
}
