package certificate

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"mulian/client/evidence"
	"mulian/client/prooffile"
	"mulian/internal/fault"
)

// Certificate is what a paper says. All of it but Names is in the folder.
type Certificate struct {
	Opening *evidence.Opening
	Proof   *prooffile.Report // of the opening's proof file, which holds
	Org     string            // name of the organisation that anchored it, "" if it has none
}

// section is a headed table.
type section struct {
	zh, en string
	rows   []row
}

// row is one line of a table.
type row struct {
	zh, en string
	value  string
	mono   bool // hashes and ids
}

// Write sets the certificate. VerificationFailed if its proof does not hold.
func Write(w io.Writer, c *Certificate) error {
	if c.Proof == nil || !c.Proof.OK || !c.Opening.Anchored() {
		return fault.Newf(fault.VerificationFailed, "a certificate needs evidence that is anchored and a proof that holds")
	}
	p := newPage(c)
	p.head()
	for _, s := range []section{c.file(), c.anchor(), c.provenance()} {
		p.table(s)
	}
	p.steps()
	p.limits()
	return p.write(w)
}

// file is what stays in the folder.
func (c *Certificate) file() section {
	m := c.Opening.Metadata
	s := section{zh: "文件", en: "File", rows: []row{
		{zh: "文件名", en: "Name", value: m.Name},
		{zh: "大小", en: "Size", value: fmt.Sprintf("%s 字节 / bytes", grouped(m.Bytes))},
		{zh: "类型", en: "Media type", value: m.MediaType},
		{zh: "修改时间", en: "Modified", value: m.Modified},
		{zh: "说明", en: "Note", value: m.Note},
		{zh: "SHA-256", en: "", value: hex.EncodeToString(c.Opening.SHA256), mono: true},
		{zh: "SM3 国密", en: "", value: hex.EncodeToString(c.Opening.SM3), mono: true},
	}}
	return s
}

// anchor is what the ledger has.
func (c *Certificate) anchor() section {
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
	s := section{zh: "上链存证", en: "Anchor", rows: []row{
		{zh: "存证编号", en: "Evidence id", value: o.ID, mono: true},
		{zh: "承诺值", en: "Commitment", value: hex.EncodeToString(o.Commitment), mono: true},
		{zh: "存证人", en: "Anchored by", value: who},
		{zh: "签名密钥", en: "Signed with key", value: key},
		{zh: "区块高度", en: "Block height", value: fmt.Sprint(o.Height)},
		{zh: "区块时间", en: "Block time", value: moment(o.AtMs)},
		{zh: "交易", en: "Transaction", value: hex.EncodeToString(tx), mono: true},
		{zh: "链", en: "Chain", value: o.Chain},
		{zh: "创世哈希", en: "Genesis hash", value: hex.EncodeToString(o.Genesis), mono: true},
		{zh: "证明区块", en: "Proved by block", value: fmt.Sprintf("%d：%s 表决权签署，国密 %s / signed by %s of the voting power, with SM2 %s",
			c.Proof.Height+1, part(c.Proof.Power), part(c.Proof.SM2), c.Proof.Power, c.Proof.SM2)},
		{zh: "替代", en: "Supersedes", value: o.Supersedes, mono: true},
	}}
	return s
}

// provenance is the path before the chain, as the one who anchored it states it.
func (c *Certificate) provenance() section {
	p := c.Opening.Provenance
	clock := p.ClockSource
	offset := ""
	if p.ClockErrorMs > 0 {
		offset = fmt.Sprintf("%+d ms，误差不超过 / within ± %d ms", p.ClockOffsetMs, p.ClockErrorMs)
	}
	if clock == evidence.UnknownClock || clock == "" {
		clock = "未知（没有测得校时来源）/ unknown (no time source was found)"
	}
	return section{zh: "来源过程（上链之前，由存证人陈述）", en: "Provenance, before the chain, as stated by who anchored it", rows: []row{
		{zh: "取证方式", en: "Capture", value: captures[p.Capture]},
		{zh: "网关", en: "Gateway", value: p.Gateway},
		{zh: "来源", en: "Source", value: p.Source},
		{zh: "取证时间", en: "Captured", value: moment(p.CapturedMs)},
		{zh: "时钟来源", en: "Clock source", value: clock},
		{zh: "时钟偏差", en: "Clock offset", value: offset},
		{zh: "程序", en: "Program", value: p.Software},
		{zh: "程序 SHA-256", en: "", value: hex.EncodeToString(p.SoftwareHash), mono: true},
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
