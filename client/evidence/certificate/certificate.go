package certificate

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"mulian/client/evidence"
	"mulian/client/paper"
	"mulian/client/prooffile"
	"mulian/internal/fault"
)

// Certificate is what a paper says. All of it but Names is in the folder.
type Certificate struct {
	Opening *evidence.Opening
	Proof   *prooffile.Report // of the opening's proof file, which holds
	Org     string            // name of the organisation that anchored it, "" if it has none
}

// Write sets the certificate. VerificationFailed if its proof does not hold.
func Write(w io.Writer, c *Certificate) error {
	if c.Proof == nil || !c.Proof.OK || !c.Opening.Anchored() {
		return fault.Newf(fault.VerificationFailed, "a certificate needs evidence that is anchored and a proof that holds")
	}
	p := c.begin()
	c.head(p)
	for _, s := range []paper.Section{c.file(), c.anchor(), c.provenance()} {
		p.Table(s)
	}
	c.steps(p)
	limits(p)
	_, err := p.WriteTo(w)
	return err
}

// file is what stays in the folder.
func (c *Certificate) file() paper.Section {
	m := c.Opening.Metadata
	s := paper.Section{Chinese: "文件", English: "File", Rows: []paper.Row{
		{Chinese: "文件名", English: "Name", Value: m.Name},
		{Chinese: "大小", English: "Size", Value: fmt.Sprintf("%s 字节 / bytes", grouped(m.Bytes))},
		{Chinese: "类型", English: "Media type", Value: m.MediaType},
		{Chinese: "修改时间", English: "Modified", Value: m.Modified},
		{Chinese: "说明", English: "Note", Value: m.Note},
		{Chinese: "SHA-256", English: "", Value: hex.EncodeToString(c.Opening.SHA256), Mono: true},
		{Chinese: "SM3 国密", English: "", Value: hex.EncodeToString(c.Opening.SM3), Mono: true},
	}}
	return s
}

// anchor is what the ledger has.
func (c *Certificate) anchor() paper.Section {
	o := c.Opening
	who := o.Account
	if c.Org != "" {
		who = c.Org + "（" + o.Account + "）"
	}
	key := "–"
	for _, s := range c.Proof.Signers {
		if s.Account == o.Account {
			key = fmt.Sprintf("%s（%s）", s.Key, strings.ToUpper(s.Algorithm))
		}
	}
	tx, _ := evidence.Transaction(c.Proof)
	s := paper.Section{Chinese: "上链存证", English: "Anchor", Rows: []paper.Row{
		{Chinese: "存证编号", English: "Evidence id", Value: o.ID, Mono: true},
		{Chinese: "承诺值", English: "Commitment", Value: hex.EncodeToString(o.Commitment), Mono: true},
		{Chinese: "存证人", English: "Anchored by", Value: who},
		{Chinese: "签名密钥", English: "Signed with key", Value: key},
		{Chinese: "区块高度", English: "Block height", Value: fmt.Sprint(o.Height)},
		{Chinese: "区块时间", English: "Block time", Value: moment(o.AtMs)},
		{Chinese: "交易", English: "Transaction", Value: hex.EncodeToString(tx), Mono: true},
		{Chinese: "链", English: "Chain", Value: o.Chain},
		{Chinese: "创世哈希", English: "Genesis hash", Value: hex.EncodeToString(o.Genesis), Mono: true},
		{Chinese: "证明区块", English: "Proved by block", Value: fmt.Sprintf("%d：%s 表决权签署，国密 %s / signed by %s of the voting power, with SM2 %s",
			c.Proof.Height+1, part(c.Proof.Power), part(c.Proof.SM2), c.Proof.Power, c.Proof.SM2)},
		{Chinese: "替代", English: "Supersedes", Value: o.Supersedes, Mono: true},
	}}
	return s
}

// provenance is the path before the chain, as the one who anchored it states it.
func (c *Certificate) provenance() paper.Section {
	p := c.Opening.Provenance
	clock := p.ClockSource
	offset := ""
	if p.ClockErrorMs > 0 {
		offset = fmt.Sprintf("%+d ms，误差不超过 / within ± %d ms", p.ClockOffsetMs, p.ClockErrorMs)
	}
	if clock == evidence.UnknownClock || clock == "" {
		clock = "未知（没有测得校时来源）/ unknown (no time source was found)"
	}
	return paper.Section{Chinese: "来源过程（上链之前，由存证人陈述）", English: "Provenance, before the chain, as stated by who anchored it", Rows: []paper.Row{
		{Chinese: "取证方式", English: "Capture", Value: captures[p.Capture]},
		{Chinese: "网关", English: "Gateway", Value: p.Gateway},
		{Chinese: "来源", English: "Source", Value: p.Source},
		{Chinese: "取证时间", English: "Captured", Value: moment(p.CapturedMs)},
		{Chinese: "时钟来源", English: "Clock source", Value: clock},
		{Chinese: "时钟偏差", English: "Clock offset", Value: offset},
		{Chinese: "程序", English: "Program", Value: p.Software},
		{Chinese: "程序 SHA-256", English: "", Value: hex.EncodeToString(p.SoftwareHash), Mono: true},
	}}
}

var captures = map[string]string{
	"file": "已有文件 / a file at hand", "database": "由网关从数据库读取 / read from a database by a gateway",
	"delivery": "按共享协议收到 / received under an agreement", "made": "由本系统生成 / made by this system",
}

// moment is a time in Beijing and in UTC.
func moment(ms int64) string {
	t := time.UnixMilli(ms)
	return t.In(time.FixedZone("CST", 8*3600)).Format("2006-01-02 15:04:05.000") + " 北京时间 / " + t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// part writes "3 of 4" as 3/4.
func part(of string) string {
	if of == "none" {
		return "无"
	}
	return strings.Replace(of, " of ", "/", 1)
}

// grouped writes 1,073,741,824.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
