package intake

import (
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// resolve gives d its ids, from what the ledger knows. It returns why d has to be
// held back, or nil. Nothing is guessed: a name that the ledger does not know
// stands for nobody.
func (a *apply) resolve(d *Draft) *sheet.Problem {
	if d.Kind == OrgList {
		return nil
	}
	if why := a.resolveOwner(d); why != nil {
		return why
	}
	id := d.Code + ":" + d.Local
	switch {
	case d.Duty != nil:
		d.Duty.Id, d.Duty.Org = id, d.Code
		return nil
	case d.Matter != nil:
		d.Matter.Id, d.Matter.Org = id, d.Code
		a.mattersDuties(d)
		return nil
	case d.Value != nil:
		d.CodeTable.Org, d.Value.Table = d.Code, d.CodeTable.Id
		return nil
	}
	d.Entry.Id, d.Entry.Provider = id, d.Code
	return nil
}

// complete gives an entry what its list says by name, and what the order says of
// lists that are silent. It returns why an entry that is not on the ledger has to be
// held back, or nil.
func (a *apply) complete(d *Draft) (why *sheet.Problem) {
	e, lang := d.Entry, a.plan.opts.Lang
	if s, ok := a.lookOrg(d.Source); ok && s != d.Code {
		e.SourceOrg = s
	}
	if a.target.System != nil && d.System != "" {
		e.System, _ = a.target.System(d.Code, d.System)
	}
	if a.target.Table != nil && d.Table != "" {
		e.Table, _ = a.target.Table(d.Code, d.Table)
		d.laid = a.layItems(e)
	}
	a.unknown(d, Field("source_org"), d.Source, d.Source == "" || e.SourceOrg != "" || sameOrg(a, d))
	a.unknown(d, System, d.System, e.System != "")
	a.unknown(d, Table, d.Table, e.Table != "")
	if d.order.share = e.ShareType == 0; d.order.share {
		e.ShareType = a.target.ShareType
		if e.ShareType == cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL && e.Conditions == nil {
			e.Conditions = a.target.Conditions
		}
	}
	a.resolveDuties(d)
	if e.ShareType == 0 {
		return &sheet.Problem{
			Line: d.Line, Field: string(ShareType), Code: fault.Missing,
			Message: lang.Say("没有共享类型，暂不提交", "it has no share type and is held back"), Suggestion: lang.Say("用 --share 指定", "name one with --share"),
		}
	}
	if len(e.Duties) == 0 {
		return &sheet.Problem{
			Line: d.Line, Field: string(Duties), Code: fault.NoDuty,
			Message:    lang.Say("没有账本上已有的职责，暂不提交", "it names no duty that is on the ledger and is held back"),
			Suggestion: lang.Say("先导入职责，或用 --duty 指定", "import the duties first, or name one with --duty"),
		}
	}
	return nil
}

// layItems lays the items of an entry with a table on the columns that bear their
// technical name or code, in whatever case, and returns the codes of those. What finds
// none stays unmapped: it is catalogued, and cannot be delivered until somebody maps it.
func (a *apply) layItems(e *cataloguev1.Entry) map[string]bool {
	if a.target.Columns == nil || e.Table == "" {
		return nil
	}
	laid := map[string]bool{}
	columns := map[string]string{}
	for _, c := range a.target.Columns(e.Table) {
		columns[strings.ToLower(c)] = c
	}
	for _, it := range e.Items {
		stated := it.Column != ""
		if it.Column == "" {
			it.Column = columns[strings.ToLower(it.TechnicalName)]
		}
		if it.Column == "" {
			it.Column = columns[strings.ToLower(it.Code)]
		}
		if !stated && it.Column != "" {
			laid[it.Code] = true
		}
		delete(columns, strings.ToLower(it.Column)) // one item a column
	}
	return laid
}

func sameOrg(a *apply, d *Draft) bool {
	s, ok := a.lookOrg(d.Source)
	return ok && s == d.Code
}

// unknown tells that a name of the file stands for nothing on the ledger; the
// entry is sent without it.
func (a *apply) unknown(d *Draft, f Field, text string, found bool) {
	if text == "" || found {
		return
	}
	lang := a.plan.opts.Lang
	a.tell(sheet.Problem{
		Line: d.Line, Field: string(f), Code: fault.NotFound,
		Message:    lang.Say("账本上没有“%s”，该项未导入", "%q is not on the ledger; it was left out", brief(text)),
		Suggestion: lang.Say("登记后重新导入", "put it there and import again"),
	})
}

func (a *apply) resolveOwner(d *Draft) *sheet.Problem {
	lang := a.plan.opts.Lang
	switch {
	case d.Code != "" && a.target.Instead == nil:
		return nil
	case d.Code != "":
		return a.resolveCode(d)
	case d.Owner == "" && a.target.Owner != "":
		d.Code = a.target.Owner
		return nil
	case d.Owner == "":
		return &sheet.Problem{
			Line: d.Line, Field: string(Owner), Code: fault.Missing,
			Message: lang.Say("没有提供单位，暂不提交", "it has no owner and is held back"), Suggestion: lang.Say("用 --owner 指定", "name one with --owner"),
		}
	}
	if c, ok := a.lookOrg(d.Owner); ok {
		d.Code = c
		return nil
	}
	if namesNobody(d.Owner) {
		return &sheet.Problem{
			Line: d.Line, Field: string(Owner), Code: fault.OwnerUnclear,
			Message:    lang.Say("提供单位“%s”不是单位名称，暂不提交", "the owner %q names no organisation; it is held back", brief(d.Owner)),
			Suggestion: lang.Say("在文件中改正提供单位", "correct the owner in the file"),
		}
	}
	p := &sheet.Problem{
		Line: d.Line, Field: string(Owner), Code: fault.OwnerUnclear,
		Message:    lang.Say("账本上没有单位“%s”，暂不提交", "there is no organisation %q on the ledger; it is held back", d.Owner),
		Suggestion: lang.Say("先登记该单位；若是已登记单位的另一写法：--merge \"%s=已登记的名称\"", "register it first; if it is another spelling of one that is registered: --merge \"%s=its registered name\"", d.Owner),
	}
	if a.target.Like != nil {
		if like := a.target.Like(d.Owner); len(like) > 0 {
			p.Suggestion = SuggestMerge(lang, d.Owner, like)
		}
	}
	return p
}

// SuggestMerge asks whether an owner's name is another spelling of one of those on the
// ledger, and says what to type if it is.
func SuggestMerge(lang sheet.Lang, owner string, like []string) string {
	return lang.Say("是否就是账本上的“%[1]s”？若是：--merge \"%[2]s=%[3]s\"；若不是，先登记该单位", "is it \"%[1]s\" on the ledger? If so: --merge \"%[2]s=%[3]s\"; if not, register it first",
		strings.Join(like, lang.Say("”或“", "\" or \"")), owner, like[0])
}

// resolveCode asks whose part is that of an owner whom the file names with his code.
func (a *apply) resolveCode(d *Draft) *sheet.Problem {
	if c, ok := a.target.Instead(d.Code, d.Owner); ok {
		d.was, d.Code = d.Code, c
		return nil
	}
	lang := a.plan.opts.Lang
	if d.Owner == "" {
		return &sheet.Problem{
			Line: d.Line, Field: string(OwnerCode), Code: fault.OwnerUnclear,
			Message:    lang.Say("账本上没有单位 %s，清单也没有写它的名称，暂不提交", "there is no organisation %s on the ledger, and the list does not name it; it is held back", d.Code),
			Suggestion: lang.Say("先登记该单位，或重新导出：新的导出写有名称", "register it first, or export the list again: an export of today names it"),
		}
	}
	return &sheet.Problem{
		Line: d.Line, Field: string(OwnerCode), Code: fault.OwnerUnclear,
		Message:    lang.Say("账本上没有单位 %s（%s），暂不提交", "there is no organisation %s (%s) on the ledger; it is held back", d.Code, d.Owner),
		Suggestion: lang.Say("先登记该单位，或用 --register-owners", "register it first, or let --register-owners do it"),
	}
}

func (a *apply) lookOrg(name string) (string, bool) {
	if a.target.Org == nil || name == "" {
		return "", false
	}
	return a.target.Org(name)
}

// resolveDuties finds the duties by what the file says of them. An id of the
// owner's stands for itself, if the ledger has it.
func (a *apply) resolveDuties(d *Draft) {
	add := func(ids ...string) {
		for _, id := range ids {
			if len(d.Entry.Duties) < maxDuties && !contains(d.Entry.Duties, id) {
				d.Entry.Duties = append(d.Entry.Duties, id)
			}
		}
	}
	var absent []string
	for _, ref := range d.DutyRefs {
		ref = d.ownRef(ref)
		switch {
		case strings.HasPrefix(ref, d.Code+":") && a.target.HasDuty != nil && !a.target.HasDuty(d.Code, ref):
			absent = append(absent, ref)
		case strings.HasPrefix(ref, d.Code+":"):
			add(ref)
		case a.target.Duty != nil:
			add(a.target.Duty(d.Code, ref)...)
		}
	}
	if d.order.duties = len(d.Entry.Duties) == 0; d.order.duties && a.target.Duty != nil {
		add(a.target.Duty(d.Code, "")...)
	}
	for _, ref := range absent {
		a.unknown(d, Duties, ref, contains(d.Entry.Duties, ref))
	}
}

// ownRef is an id of the owner's as it is on this ledger, where another organisation
// stands for him.
func (d *Draft) ownRef(ref string) string {
	if local, ok := strings.CutPrefix(ref, d.was+":"); ok && d.was != "" {
		return d.Code + ":" + local
	}
	return ref
}

// mattersDuties finds the duties that a matter names. One that names none has none.
func (a *apply) mattersDuties(d *Draft) {
	for _, ref := range d.DutyRefs {
		var ids []string
		switch {
		case strings.HasPrefix(ref, d.Code+":"):
			ids = []string{ref}
		case a.target.Duty != nil:
			ids = a.target.Duty(d.Code, ref)
		}
		a.unknown(d, Duties, ref, len(ids) > 0)
		for _, id := range ids {
			if len(d.Matter.Duties) < maxDuties && !contains(d.Matter.Duties, id) {
				d.Matter.Duties = append(d.Matter.Duties, id)
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
