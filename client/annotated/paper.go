package annotated

import (
	"io"
	"time"

	"mulian/client/evidence/font"
	"mulian/client/paper"
	"mulian/internal/fault"
)

const codeSize = 30.0 // of the QR code, in millimetres

// Watermark is what lies behind the text of a copy: for whom, for what, until when.
func (c *Copy) Watermark() string {
	return "仅供 " + orElse(c.RecipientName, c.Recipient) + " 用于 " + c.Cause + " · 截至 " + day(c.ExpiresMs)
}

// Paper sets the copy as a PDF: the shown fields, the annotations, a watermark, and the code
// by which whoever gets it checks it. The same copy gives the same bytes. Malformed if the
// copy is none.
func (c *Copy) Paper(w io.Writer) error {
	if err := c.bounds(); err != nil {
		return err
	}
	code, err := payload(c.Code)
	if err != nil {
		return err
	}
	p := paper.New("电子证照加注件 "+ID(code.Short), c.Code, time.UnixMilli(c.MadeMs), func(p *paper.Page) { p.Watermark(c.Watermark(), 13) })
	p.Band()
	p.Text(paper.Margin, 23, "电子证照加注件", font.Bold, 26, paper.Blue)
	p.Text(paper.Margin, 31, "Annotated copy of a credential", font.Sans, 13, paper.Grey)
	p.Code(code.String(), paper.Width-paper.Margin-codeSize, 9, codeSize)
	p.Y = 44
	p.Table(paper.Section{Chinese: "加注", English: "Annotations", Rows: []paper.Row{
		{Chinese: "接收方", English: "For", Value: named(c.RecipientName, c.Recipient)},
		{Chinese: "制作事由", English: "Cause", Value: c.Cause},
		{Chinese: "制作时间", English: "Made", Value: moment(c.MadeMs) + " 北京时间 / Beijing time"},
		{Chinese: "有效期截至", English: "Ends", Value: moment(c.ExpiresMs) + " 北京时间 / Beijing time"},
		{Chinese: "制作者", English: "Made by", Value: named(c.MakerName, c.Maker)},
		{Chinese: "核验码", English: "Code", Value: c.Code, Mono: true},
	}})
	shown := paper.Section{Chinese: "证照内容（持有人选定的字段）", English: "Content, as far as its holder chose"}
	for _, f := range c.Fields {
		row := paper.Row{Chinese: f.Title, English: f.Name, Value: f.Value}
		if row.Chinese == "" {
			row.Chinese, row.English = f.Name, ""
		}
		shown.Rows = append(shown.Rows, row)
	}
	p.Table(shown)
	p.Table(paper.Section{Chinese: "证照", English: "Credential", Rows: []paper.Row{
		{Chinese: "名称", English: "Name", Value: c.Title},
		{Chinese: "签发机构", English: "Issuer", Value: named(c.IssuerName, c.Issuer)},
		{Chinese: "类型", English: "Type", Value: c.Type, Mono: true},
		{Chinese: "凭证编号", English: "Id", Value: c.Credential, Mono: true},
	}})
	c.how(p)
	if _, err := p.WriteTo(w); err != nil {
		return fault.Wrap(fault.Internal, err, "set the copy")
	}
	return nil
}

// how says how the copy is checked, and what it is not.
func (c *Copy) how(p *paper.Page) {
	p.Heading("如何核验", "How to check", 30)
	p.Paragraph("扫描右上角二维码，或运行下面的命令；出示人不是接收方、已过有效期、已作废或证照已暂停、吊销的，一律不予采信。"+
		"Scan the code, or run the command below. Do not believe the copy if somebody else than its recipient shows it, after its end, or when the credential does not hold.",
		font.Sans, paper.Body, paper.Black, paper.Margin, paper.Width-2*paper.Margin, paper.LineHeight)
	p.Paragraph("mulian credential verify-copy "+c.Code+" --presenter "+c.Recipient, font.Mono, paper.Small, paper.Black, paper.Margin, paper.Width-2*paper.Margin, 3.7)
	p.Y += 2
	p.Paragraph("本件不得转交。纸面内容以随附的 JSON 文件为准：核验码由其全部内容算出。依据：GB/T 36903-2018、GB/T 36905-2018（加注件）。"+
		"Not to be passed on. The file that comes with this paper decides: the letters behind the code are made of all that stands in it.",
		font.Sans, paper.Small, paper.Grey, paper.Margin, paper.Width-2*paper.Margin, 3.6)
}

func orElse(name, otherwise string) string {
	if name != "" {
		return name
	}
	return otherwise
}

// named is a name with the number behind it.
func named(name, id string) string {
	if name == "" {
		return id
	}
	return name + "（" + id + "）"
}

func day(ms int64) string {
	return time.UnixMilli(ms).In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02")
}
