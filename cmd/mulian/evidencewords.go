package main

import "regexp"

// evidenceSentences are what package client/evidence and its pack say, in Chinese. They come
// as finished English text, which --json keeps.
var evidenceSentences = func() (out []struct {
	find *regexp.Regexp
	zh   string
},
) {
	for _, s := range [][2]string{
		{`^commitment ([0-9a-f]+)$`, `承诺值 $1`},
		{`^anchored in block (\d+); state of block (\d+) signed by (\d+) of (\d+) of the voting power$`, `存证于区块 $1；区块 $2 的状态由 $3/$4 表决权签署`},
		{`^(\d+) files$`, `$1 个文件，哈希全部相符`},
		{`^made again from the proofs, the same bytes$`, `由证明重新生成，逐字节相同`},
		{`^by their hashes; made by (.*), whose words are not compared$`, `哈希相符；由 $1 生成，措辞未比对`},
		{`^(.*) is not the file that was anchored: (\d+) bytes, SHA-256 ([0-9a-f]+); the opening has (\d+) bytes, ([0-9a-f]+)$`, `$1 不是当时存证的文件：它有 $2 字节，SHA-256 $3；证据夹写明 $4 字节，$5`},
		{`^(.*) was changed: SHA-256 ([0-9a-f]+), the manifest has ([0-9a-f]+)$`, `$1 已被改动：SHA-256 $2，清单写明 $3`},
		{`^(.*), which the manifest names, is not in the folder$`, `清单里的 $1 不在证据夹里`},
		{`^the manifest does not name (.*)$`, `清单没有写明 $1`},
		{`^(.*) is not what follows from the proofs, though (.*) made it$`, `$1 与证明所得出的不符，而它写明由 $2 生成`},
		{`^(.*) is in the folder, and no (.*) binds it: (.*) makes both anew$`, `证据夹里有 $1，却没有 $2 约束它：运行 $3 重新出具`},
		{`(?s)^(.*)the opening gives the commitment ([0-9a-f]+), it names ([0-9a-f]+): salt, hashes or metadata were changed$`, `${1}由盐值、哈希和元数据得出的承诺值是 $2，写明的是 $3：其中有改动`},
		{`(?s)^(.*)the commitment's id is ([0-9a-f]+), the opening names (.*)$`, `${1}承诺值的编号是 $2，写明的是 $3`},
		{`^the ledger has the commitment ([0-9a-f]+) of (\d+) bytes, the opening ([0-9a-f]+) of (\d+)$`, `账本上的承诺值是 $1（$2 字节），证据夹里是 $3（$4 字节）`},
		{`^provenance, (.*): the ledger says (.*), the opening (.*)$`, `来源过程 $1：账本上是 $2，证据夹里是 $3`},
		{`^provenance: the ledger's has a field that this program does not know$`, `来源过程：账本上有本程序不认识的字段`},
		{`^chain: the ledger says (.*), the opening (.*)$`, `链：账本上是 $1，证据夹里是 $2`},
		{`^account: the ledger says (.*), the opening (.*)$`, `存证人：账本上是 $1，证据夹里是 $2`},
		{`^height and time: the ledger says (.*), the opening (.*)$`, `高度和时间：账本上是 $1，证据夹里是 $2`},
		{`^supersedes: the ledger says (.*), the opening (.*)$`, `替代：账本上是 $1，证据夹里是 $2`},
		{`^transaction: the ledger says (.*), the opening (.*)$`, `交易：账本上是 $1，证据夹里是 $2`},
		{`^the proof is of (.*) (.*), not of evidence (.*)$`, `证明文件说的是 $2，不是存证 $3`},
		{`^genesis.bin is of another chain$`, `genesis.bin 属于另一条链`},
	} {
		out = append(out, struct {
			find *regexp.Regexp
			zh   string
		}{regexp.MustCompile(s[0]), s[1]})
	}
	return out
}()

// evidenceWords says a sentence of the evidence's check in the person's language.
func (a *app) evidenceWords(s string) string {
	if !a.chinese() {
		return s
	}
	for _, x := range evidenceSentences {
		if x.find.MatchString(s) {
			return x.find.ReplaceAllString(s, x.zh)
		}
	}
	return s
}
