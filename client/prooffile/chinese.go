package prooffile

import (
	"fmt"
	"regexp"
	"strings"
)

// In returns what a check says, in Chinese or English.
func (c Check) In(chinese bool) string { return c.in(chinese, c.Says) }

// Because returns the reason in Chinese or English; "" if the file holds.
func (r *Report) Because(chinese bool) string { return r.why.in(chinese, r.Reason) }

func (p phrase) in(chinese bool, english string) string {
	zh, ok := saidInChinese[p.format]
	if !chinese || !ok {
		return english
	}
	args := make([]any, len(p.args))
	for i, a := range p.args {
		args[i] = a
		switch a := a.(type) {
		case error:
			args[i] = innerChinese(a.Error())
		case bool:
			args[i] = map[bool]string{true: "有", false: "没有"}[a]
		case string:
			args[i] = wordInChinese(a)
		}
	}
	return fmt.Sprintf(zh, args...)
}

// wordInChinese translates the few words that stand in a sentence; ids and names stay.
func wordInChinese(s string) string {
	if zh, ok := innerWords[s]; ok {
		return zh
	}
	if power := powerOf.FindStringSubmatch(s); power != nil {
		return power[1] + "/" + power[2]
	}
	return innerChinese(s)
}

var (
	powerOf    = regexp.MustCompile(`^(\d+) of (\d+)$`)
	innerWords = map[string]string{
		"none": "无", "granted": "放行", "refused": "拒绝", "completed": "完成", "failed": "失败", "a text": "一段文字", "a list": "一个列表", "an object": "一个对象",
		"nothing": "空", "the field": "该字段", "something else": "别的内容",
	}
)

// innerChinese translates what the parts of a file are refused with, which comes as
// finished text: piece by piece, the longest first.
func innerChinese(s string) string {
	for _, p := range innerPhrases {
		s = p.find.ReplaceAllString(s, p.with)
	}
	return strings.TrimSpace(s)
}

type innerPhrase struct {
	find *regexp.Regexp
	with string
}

var innerPhrases = func() (out []innerPhrase) {
	for _, p := range [][2]string{
		{`it ends in the middle: it was not copied to its end`, `文件在中间断了：没有复制完整`},
		{`an editor or a copy has put a byte order mark before it: get the original, and copy it as it is`, `编辑器或复制过程在文件开头加了字节序标记（BOM）：请取原件，原样复制`},
		{`an editor or a copy has turned it into UTF-16: get the original, and copy it as it is`, `编辑器或复制过程把它转成了 UTF-16：请取原件，原样复制`},
		{`an editor or a copy has turned its line feeds into those of Windows \(CR LF\): get the original, and copy it as it is`, `编辑器或复制过程把换行改成了 Windows 形式（CR LF）：请取原件，原样复制`},
		{`an editor or a copy has added or taken away a line feed at its end: get the original, and copy it as it is`, `编辑器或复制过程在文件末尾多加或去掉了一个换行：请取原件，原样复制`},
		{`^line (\d+): expected `, `第 $1 行：应为`},
		{`^([^ ]+): expected `, `$1：应为`},
		{`^the file: expected `, `文件：应为`},
		{`the end of the object after `, `对象到此结束，最后一个字段是 `},
		{`the end of the file`, `文件结尾`},
		{`the end of the text`, `文字结尾`},
		{`text in UTF-8`, `UTF-8 文字`},
		{`a text, a list or an object`, `文字、列表或对象`},
		{`the name of a field`, `字段名`},
		{`the field `, `字段 `},
		{`^(.*)at most (\d+) values$`, `${1}最多 $2 个值`},
		{`^(.*)at most (\d+) levels$`, `${1}最多 $2 层`},
		{`a list of (\d+) to (\d+)`, `$1 到 $2 项的列表`},
		{`a number from (\d+) to (\d+)`, `$1 到 $2 的数`},
		{`lower-case hexadecimal of \[([^\]]*)\] bytes`, `$1 字节的小写十六进制`},
		{`at most (\d+) hashes of 32 bytes`, `最多 $1 个 32 字节的哈希`},
		{`a time like `, `形如以下的时间 `},
		{`nothing without a signature`, `没有签名就没有内容`},
		{`the form in which a packer writes these (\d+) bytes`, `这 $1 字节唯一的打包形式`},
		{`plain bytes within (\d+) in all`, `总共不超过 $1 字节的原文`},
		{`a copy within (\d+) bytes in all`, `总共不超过 $1 字节的引用`},
		{`a copy of what stands before it`, `对前文的引用`},
		{`a hash if and only if other_key is one`, `other_key 有哈希时才有哈希`},
		{`block (\d+) is not later than block (\d+)`, `区块 $1 并不晚于区块 $2`},
		{`vote (\d+) is none`, `第 $1 个表决不成立`},
		{`it is not the block (\d+) of the checkpoint`, `它不是检查点的区块 $1`},
		{`the other leaf is the key's own`, `另一叶子就是该键自己的`},
		{`the other leaf does not stand in the key's place`, `另一叶子不在该键的位置上`},
		{`head or receipt`, `head 或 receipt`},
		{`1 to (\d+) bytes`, `1 到 $1 字节`},
		{`64 bytes`, `64 字节`},
		{`one of (\\".*)$`, `$1 之一`},
		{`an object$`, `对象`},
		{`a text$`, `文字`},
		{`field (\d+) stands out of order`, `字段 $1 顺序不对`},
		{`it is no number in its shortest form`, `不是最短形式的数`},
		{`it is no field of a message`, `不是消息的字段`},
		{`this verifier does not know it`, `本验证程序不认识它`},
		{`it is cut`, `被截断`},
		{`it is no number from 1 to 2\^53-1`, `不是 1 到 2^53-1 的数`},
		{`it is empty, or no bytes`, `为空，或不是字节`},
		{`it is no text in UTF-8`, `不是 UTF-8 文字`},
		{`field (\d+): `, `字段 $1：`},
		{`it has (\d+) keys, at most (\d+) are possible`, `有 $1 个密钥，最多 $2 个`},
		{`it has a key that is none: `, `其中一个密钥无效：`},
		{`(\d+) validators, 1 to (\d+) are possible`, `$1 个验证节点，可有 1 到 $2 个`},
		{`validator (\d+) has no usable key or power`, `验证节点 $1 没有可用的密钥或表决权`},
		{`header refused: `, `区块头不成立：`},
		{`proof refused: `, `证明不成立：`},
		{`signed by (\d+) of (\d+) voting power of the validators trusted so far, more than 1/3 are needed`, `此前信任的验证节点只签署了 $1/$2 的表决权，须超过 1/3`},
		{`signed by (\d+) of (\d+) voting power, more than 2/3 are needed`, `签署的表决权为 $1/$2，须超过 2/3`},
		{`the signature of validator ([0-9a-f]+) does not hold`, `验证节点 $1 的签名不成立`},
		{`validator ([0-9a-f]+) stands twice in the set`, `验证节点 $1 在集合里出现两次`},
		{`signature (\d+) is of another validator`, `第 $1 个签名属于别的验证节点`},
		{`the validator set is not that of the header`, `验证节点集不是区块头写明的那个`},
		{`the siblings lead to another tree root`, `兄弟节点得出的是另一个树根`},
		{`bitmap of (\d+) bytes for depth (\d+)`, `位图有 $1 字节，深度为 $2`},
		{`the bitmap goes deeper than the proof`, `位图比证明更深`},
		{`siblings are missing`, `缺少兄弟节点`},
		{`an empty sibling is written out`, `空的兄弟节点被写出`},
		{`(\d+) siblings too many`, `多出 $1 个兄弟节点`},
		{`it is about another (key|value|event)`, `它说的是别的内容`},
		{`it belongs to another (app hash|log root)`, `它属于另一个根`},
		{`(?s)calculated root:.*does not match expected root:.*`, `路径得出的是另一个根`},
		{`wrong proof size (\d+), want (\d+)`, `路径有 $1 个哈希，应有 $2 个`},
		{`leaf (\d+) of (\d+) with a path of (\d+)`, `共 $2 条中的第 $1 条，路径有 $3 个哈希`},
		{`event (\d+) of (\d+)`, `共 $2 条中的第 $1 条`},
		{`its transaction id has (\d+) bytes, its time is (\d+)`, `交易编号有 $1 字节，时间为 $2`},
		{`its outcome is (\d+), its time (\d+)`, `结果为 $1，时间为 $2`},
	} {
		out = append(out, innerPhrase{regexp.MustCompile(p[0]), p[1]})
	}
	return out
}()

// saidInChinese has every sentence of the verifier, by its English form; the words stand
// in the same order, or are numbered.
var saidInChinese = map[string]string{
	// what holds
	"%d bytes in their one form":                          "%d 字节，形式唯一",
	"%x, chain %s, %d validators":                         "%x，链 %s，%d 个验证节点",
	"block %d, %x, signed by %s of the voting power":      "区块 %d，%x，%s 表决权签署",
	"block %d, signed with SM2 by %s of the voting power": "区块 %d，%s 表决权以 SM2 签署",
	"tree %x, log of %d events":                           "状态树 %x，事件日志 %d 条",
	"%s, %d bytes, %d levels down":                        "%s，%d 字节，第 %d 层",
	"%d: %s by %s at height %d":                           "第 %d 条：%s，由 %s，高度 %d",
	"%x, %d bytes":                                        "%x，%d 字节",
	"%x, its body is not in the file":                     "%x，其正文不在文件里",
	"%s, as %s, with %s key %s":                           "%s，作为 %s，%s 密钥 %s",
	"%s of %s by %s":                                      "%s：目录 %s，请求方 %s",
	"record %d of %d, root %x":                            "第 %d 条，共 %d 条，根 %x",
	"checkpoint of %s: %d records, root %x":               "%s 的检查点：%d 条记录，根 %x",
	"%s: %s":                                              "%s：%s",
	"%d events, root %x, by validator %x":                 "%d 条事件，根 %x，由验证节点 %x",
	"%s is not there, %d levels down":                     "%s 不存在，第 %d 层",
	"checkpoint: block %d, %x":                            "检查点：区块 %d，%x",
	"%d lines follow from what is proved":                 "%d 行都由已证明的内容得出",
	// what does not
	"%v": "%v", "%s": "%s", "%s: %v": "%s：%v",
	"%d bytes, at most %d": "%d 字节，最多 %d",
	"this is no proof file: its first lines do not name %s (%v)":              "这不是证明文件：开头几行没有 %s（%v）",
	"expected the genesis %x, the file has %x":                                "应为创世 %x，文件里是 %x",
	"blocks ascend, and %d follows %d":                                        "区块应递增，而 %d 在 %d 之后",
	"expected %x, the hash of these fields on the chain %s, the file says %x": "应为 %x（链 %s 上这些字段的哈希），文件写的是 %x",
	"expected the set %x that the header names, this is %x":                   "应为区块头写明的验证节点集 %x，这里是 %x",
	"the block carries no state":                                              "该区块没有状态根",
	"the genesis pins no key for it, or the block is not the last one":        "创世没有为它登记密钥，或该区块不是最后一个",
	"the signature is not that of the key that the genesis pins":              "签名不是创世所登记的密钥所签",
	"signed with SM2 by %s voting power, more than 2/3 are needed":            "SM2 签署的表决权为 %s，须超过 2/3",
	"expected the app hash %x of block %d, the roots give %s":                 "应为区块 %[2]d 的状态哈希 %[1]x，由各根算出的是 %[3]s",
	"%s is there twice":                                                                 "%s 出现了两次",
	"nothing rests on %s":                                                               "没有任何内容用到 %s",
	"events ascend, and %d follows %d":                                                  "事件应递增，而 %d 在 %d 之后",
	"event %d: %v":                                                                      "事件 %d：%v",
	"it is of height %d, the state of %d":                                               "它的高度为 %d，状态的高度为 %d",
	"made for the chain %q, not %q":                                                     "为链 %q 所作，不是 %q",
	"expected the body of %x, this is that of %x":                                       "应为交易 %x 的正文，这是 %x 的",
	"event %d is by %s, event %d of the same transaction by %s":                         "事件 %d 由 %s，同一交易的事件 %d 却由 %s",
	"event %d is of message %d by %s, the transaction has %d by %s":                     "事件 %d 属于 %[3]s 的第 %[2]d 条消息，而交易有 %[5]s 的 %[4]d 条",
	"no event before the next transaction's has the id %x":                              "在下一笔交易的事件之前，没有编号为 %x 的事件",
	"the file has no proof of %s":                                                       "文件里没有 %s 的证明",
	"the file has no proof of %s%s":                                                     "文件里没有 %s%s 的证明",
	"%s is not the key %s":                                                              "%s 不是密钥 %s",
	"%s%s is not that account":                                                          "%s%s 不是该账户",
	"%s has no key %q":                                                                  "%s 没有密钥 %q",
	"key %s of %s was not valid at %s":                                                  "%[2]s 的密钥 %[1]s 在 %[3]s 无效",
	"key %s of %s has the algorithm %d":                                                 "%[2]s 的密钥 %[1]s 算法为 %[3]d",
	"key %s of %s is no public key":                                                     "%[2]s 的密钥 %[1]s 不是公钥",
	"key %s of %s was revoked at no time":                                               "%[2]s 的密钥 %[1]s 的吊销时间不成立",
	"the signature is not that of key %s of %s over these bytes":                        "签名不是 %[2]s 的密钥 %[1]s 对这些内容所签",
	"leaf %d of a batch of %d":                                                          "一批 %[2]d 个里的第 %[1]d 个",
	"the path of the batch is cut":                                                      "批签名的路径被截断",
	"%s%s is no head of a log":                                                          "%s%s 不是日志头",
	"expected the root %x of %d records that the ledger has, the path leads to %s":      "账本上 %[2]d 条记录的根为 %[1]x，路径得出的是 %[3]s",
	"this verifier does not know the rule %q":                                           "本验证程序不认识规则 %q",
	"the parts are not those of the rule %s":                                            "内容与规则 %s 所需的不符",
	"what the file shows is no breach of the rule %s":                                   "文件所示并不违反规则 %s",
	"a receipt is signed by the gateway %s, and has no place but the one that it names": "收据须由网关 %s 签名，位置只能是它自己写明的",
	"%s%s has no key of a log: %v":                                                      "%s%s 没有日志密钥：%v",
	"%s%s has no key of a log":                                                          "%s%s 没有日志密钥",
	"it is no checkpoint of three lines with one signature":                             "不是三行加一个签名的检查点",
	"it is no checkpoint of %q by its key":                                              "不是 %q 以自己密钥签名的检查点",
	"the signature is not that of the log's key":                                        "签名不是日志密钥所签",
	"it is no anchor of %s":                                                             "不是 %s 的锚定",
	"%s%s is no agreement":                                                              "%s%s 不是协议",
	"%s%s has no orders: %v":                                                            "%s%s 读不出保密决定：%v",
	"%s is no sequence":                                                                 "%s 不是序号记录",
	"it does not stop the agreement %q":                                                 "它没有停止协议 %q",
	"%s%s is no grant":                                                                  "%s%s 不是授权",
	"%s is no use":                                                                      "%s 不是使用",
	"%s is no delivery":                                                                 "%s 不是交付",
	"expected two states of the log":                                                    "应有日志的两个状态",
	"%q, and the file has an access: %t":                                                "类别为 %q，而文件里%v访问记录",
	"%q, and the file has a finding: %t":                                                "类别为 %q，而文件里%v违规证据",
	"expected %q, the file says %q":                                                     "应为 %q，文件写的是 %q",
	"expected %s, the file says %s":                                                     "应为 %s，文件写的是 %s",
	"the first object is not its own":                                                   "第一个对象不是它自己的",
	"it does not touch %s":                                                              "它与 %s 无关",
	"expected the number of the one event, the file says %q":                            "应为唯一事件的序号，文件写的是 %q",
	"it is not of the transaction %q":                                                   "它不属于交易 %q",
	"expected one transaction and its events":                                           "应有一笔交易及其事件",
	"expected object, absence, event, transaction, access or finding, the file says %q": "应为 object、absence、event、transaction、access 或 finding，文件写的是 %q",
	"%q, and the file has an absence: %t":                                               "类别为 %q，而文件里%v不存在证明",
	"expected the block %d of the checkpoint":                                           "应为检查点的区块 %d",
	"the signature is not that of validator %x":                                         "签名不是验证节点 %x 所签",
	"it is signed by no validator that the file shows":                                  "签名者不是文件所示的任何验证节点",
	"the older one stands first, of one size the one with the lower root":               "较早的检查点在前，大小相同时根较小的在前",
	"checkpoints of one size need no path":                                              "大小相同的检查点不需要路径",
	"the path does not lead from that root to the newer state":                          "路径没有从该根通到较新的状态",
	"both can be of one log":                                                            "两者可以出自同一日志",
	"blocks ascend in time, and %s follows %s":                                          "区块时间应递增，而 %s 在 %s 之后",
	"what is not there has no acts":                                                     "不存在的对象没有行为",
	"expected the chain %q of the checkpoint, the genesis is that of %q":                "应为检查点的链 %q，创世属于 %q",
	"expected the block %d of the checkpoint, %x; this is block %d, %x":                 "应为检查点的区块 %d，%x；这是区块 %d，%x",
}
