package phrase

import (
	"encoding/hex"
	"fmt"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
)

func ofMatters(list []*cataloguev1.Matter) Phrase {
	retired := 0
	for _, m := range list {
		if m.GetRetired() {
			retired++
		}
	}
	p := say("登记 %d 个事项%s", "file %d matters%s", len(list), first(len(list), func(i int) string { return list[i].GetName() }))
	return p.also(retired > 0, "，其中 %d 个停用", ", %d of them no longer in use", retired)
}

func ofCodes(m *cataloguev1.PutCodes, name func(string) string) Phrase {
	t, list := m.GetTable(), m.GetCodes()
	retired := 0
	for _, c := range list {
		if c.GetRetired() {
			retired++
		}
	}
	p := say("登记代码表 %s（%s），由 %s 维护，%d 个代码%s", "file the code table %s (%s), kept by %s, %d codes%s",
		t.GetId(), t.GetName(), name(t.GetOrg()), len(list), first(len(list), func(i int) string { return list[i].GetCode() + " " + list[i].GetName() }))
	p = p.also(t.GetStandard() != "", "，依据 %s", ", after %s", t.GetStandard())
	return p.also(retired > 0, "，其中 %d 个停用", ", %d of them no longer in use", retired)
}

// ofEvidence shows of the first file what goes on the ledger: its commitment, size and
// provenance. Names of files are not in the message.
func ofEvidence(m *evidencev1.AnchorEvidence, name func(string) string) Phrase {
	list := m.GetItems()
	if len(list) == 0 {
		return say("为 0 个文件存证", "anchor evidence of 0 files")
	}
	e := list[0]
	pr := e.GetProvenance()
	zh, en := capture(pr.GetCapture())
	p := say("为 %d 个文件存证", "anchor evidence of %d files", len(list))
	more := Phrase{}
	if len(list) > 1 {
		more = Phrase{"，第 1 个", ", the first"}
	}
	p.Chinese += fmt.Sprintf("%s：承诺值 %s，%d 字节，%s", more.Chinese, short(e.GetCommitment()), e.GetBytes(), zh)
	p.English += fmt.Sprintf("%s: commitment %s, %d bytes, %s", more.English, short(e.GetCommitment()), e.GetBytes(), en)
	p = p.also(pr.GetGateway() != "", "，网关 %s", ", gateway %s", name(pr.GetGateway()))
	p = p.also(pr.GetSource() != "", "，来源 %s", ", source %s", pr.GetSource())
	p = p.also(pr.GetSoftware() != "", "，程序 %s", ", program %s", pr.GetSoftware())
	p = p.also(pr.GetClockSource() != "", "，时钟 %s", ", clock %s", pr.GetClockSource())
	p = p.also(e.GetSupersedes() != "", "，替代 %s", ", supersedes %s", e.GetSupersedes())
	return p
}

// also adds a clause to the phrase if there is something to say.
func (p Phrase) also(there bool, zh, en string, arg any) Phrase {
	if !there {
		return p
	}
	return Phrase{p.Chinese + fmt.Sprintf(zh, arg), p.English + fmt.Sprintf(en, arg)}
}

func capture(c evidencev1.Capture) (zh, en string) {
	switch c {
	case evidencev1.Capture_CAPTURE_FILE:
		return "已有文件", "a file at hand"
	case evidencev1.Capture_CAPTURE_DATABASE:
		return "由网关从数据库读取", "read from a database by a gateway"
	case evidencev1.Capture_CAPTURE_DELIVERY:
		return "按共享协议收到", "received under an agreement"
	case evidencev1.Capture_CAPTURE_MADE:
		return "由本系统生成", "made by this system"
	}
	return "取证方式不明", "how it came to be is not said"
}

// short is the beginning of bytes in hex, as people compare it.
func short(b []byte) string {
	if len(b) <= 8 {
		return hex.EncodeToString(b)
	}
	return hex.EncodeToString(b[:8]) + "…"
}
