package index

import (
	"fmt"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// checkWords puts findings into words: what is wrong, and what to do.
type checkWords struct{ zh bool }

func (w checkWords) t(zh, en string, args ...any) string {
	if w.zh {
		return fmt.Sprintf(zh, args...)
	}
	return fmt.Sprintf(en, args...)
}

// finding is the flaw l of f as it leaves.
func (w checkWords) finding(c *checked, f *fact, l *flaw) *cataloguev1.Finding {
	out := &cataloguev1.Finding{Kind: l.kind, Org: f.org, Entry: f.id, Item: l.item, Likeness: l.likeness}
	if l.kind == findDuplicate {
		other := &c.facts[l.other]
		out.Other = other.id
		out.Why = w.t("“%[1]s”与 %[3]s 的“%[2]s”相似 %[4]d%%，可能重复采集（国务院令第809号第十九条）",
			"%[1]q is %[4]d %% like %[2]q of %[3]s: perhaps the same is collected twice (order 809, article 19)", f.name, other.name, c.orgName(other.org), l.likeness)
		if l.detail != "" {
			out.Why = w.t("“%[1]s”与 %[3]s 的“%[2]s”同名，没有信息项可比，可能重复采集（国务院令第809号第十九条）",
				"%[1]q has the name of %[2]q of %[3]s; there are no items to compare: perhaps the same is collected twice (order 809, article 19)", f.name, other.name, c.orgName(other.org))
		}
		out.WhatToDo = w.t("与对方核对；确为同一数据的，由一方采集，另一方申请共享并撤销本条", "compare the two; if they are the same, one collects and the other asks for a share and withdraws its entry")
		return out
	}
	out.Why, out.WhatToDo = w.single(f, l)
	return out
}

func (c *checked) orgName(org string) string {
	for _, s := range c.scores {
		if s.GetOrg() == org {
			return s.GetOrgName()
		}
	}
	return org
}

// single puts a flaw of one entry alone into words.
func (w checkWords) single(f *fact, l *flaw) (why, what string) {
	switch l.kind {
	case findNoDuty:
		if l.detail == "" {
			return w.t("“%s”没有对应任何职责", "%q hangs on no duty", f.name), w.t("登记职责后重新提交：mulian catalogue import --kind duties", "file the duty and submit the entry again: mulian catalogue import --kind duties")
		}
		return w.t("“%s”所对应的职责均已失效：%s", "no duty of %q is in force: %s", f.name, l.detail), w.t("改挂到现行职责，或撤销该目录", "hang it on a duty that is in force, or withdraw it")
	case findNoTable:
		if l.detail == "" {
			return w.t("“%s”只编了目录，没有挂接库表，无法提供", "%q is catalogued only: no table stands behind it, nothing can be delivered", f.name), w.t("接入数据源并挂接：mulian source add", "connect its source and name the table: mulian source add")
		}
		return w.t("“%s”挂接的库表 %s 已不存在", "the table of %q is gone: %s", f.name, l.detail), w.t("改挂现有库表，或撤销该目录", "name a table that is there, or withdraw the entry")
	case findNoOwner:
		return w.t("“%s”的数源单位 %s 未登记", "%q comes from %s, which is not on the ledger", f.name, l.detail), w.t("登记该单位，或改正数源单位", "register that organisation, or correct the source")
	case findStale:
		return w.t("“%s”超过更新周期未更新（%s）", "%q is older than its update cycle allows (%s)", f.name, l.detail), w.t("更新数据，或按实际情况改更新周期", "bring the data up to date, or state the cycle that holds")
	case findPersonal:
		if l.detail != "" {
			return w.t("“%s”的信息项看来是个人信息（%s），未标明，而所挂职责没有法律依据", "%q has items that look like personal data (%s) and are not stated as such, and no duty of it names a legal source", f.name, l.detail),
				w.t("标明是否个人信息；是的，为职责补上设定依据（个人信息保护法第十三条、第三十四条）", "state whether they are; if so, add the legal source to the duty (PIPL, articles 13 and 34)")
		}
		return w.t("“%s”含个人信息，而所挂职责没有法律依据", "%q holds personal data, and no duty of it names a legal source", f.name), w.t("为职责补上设定依据（个人信息保护法第十三条、第三十四条）", "add the legal source to the duty (PIPL, articles 13 and 34)")
	case findUnmapped:
		return w.t("“%s”的 %d 个信息项中有 %d 个没有对应字段：%s", "%q: of %d items %d lie on no column: %s", f.name, l.of, l.n, l.detail), w.t("补上对应字段后重新提交", "name their columns and submit the entry again")
	case findNoItems:
		return w.t("“%s”没有信息项", "%q has no items", f.name), w.t("补上信息项：没有信息项就不能按项授权", "add its items: what has none cannot be granted item by item")
	case findNoAbstract:
		return w.t("“%s”没有摘要", "%q has no abstract", f.name), w.t("写明是什么数据、从何而来", "say what the data is and where it comes from")
	case findCodeTable:
		return w.t("“%s”有 %[3]d 个信息项引用了账本上没有的代码表：%[4]s", "%q: %[3]d items name code tables that are not on the ledger: %[4]s", f.name, l.of, l.n, l.detail), w.t("登记代码表，或改正其名称", "file the code table, or correct its name")
	case findDrifted:
		return w.t("“%s”的库表与目录不一致，尚未处理：%s", "the table of %q has drifted, and nobody has settled it: %s", f.name, l.detail), w.t("核对后处理：mulian catalogue show %s", "look at it and settle it: mulian catalogue show %s", f.id)
	}
	return "", ""
}
