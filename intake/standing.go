package intake

import (
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

const (
	submitted = cataloguev1.EntryState_ENTRY_STATE_SUBMITTED
	returned  = cataloguev1.EntryState_ENTRY_STATE_RETURNED
	withdrawn = cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN
)

// StateWords are the words of our exports for what an entry is on the ledger, in
// Chinese and English.
var StateWords = map[cataloguev1.EntryState][2]string{
	submitted: {"待审核", "submitted"},
	returned:  {"已退回", "returned"},
	cataloguev1.EntryState_ENTRY_STATE_PUBLISHED: {"已发布", "published"},
	cataloguev1.EntryState_ENTRY_STATE_UPDATING:  {"更新中", "updating"},
	cataloguev1.EntryState_ENTRY_STATE_DRIFTED:   {"已漂移", "drifted"},
	cataloguev1.EntryState_ENTRY_STATE_SUSPENDED: {"已暂停", "suspended"},
	withdrawn: {"已撤销", "withdrawn"},
}

// stateOf reads a state by its word or by the schema's name; 0 for what is neither.
func stateOf(text string) cataloguev1.EntryState {
	if v, ok := cataloguev1.EntryState_value[text]; ok {
		return cataloguev1.EntryState(v)
	}
	for s, words := range StateWords {
		if text == words[0] || strings.EqualFold(text, words[1]) {
			return s
		}
	}
	return 0
}

// outOfForce reports whether an entry was not in force where the list comes from.
func (d *Draft) outOfForce() bool {
	return d.state == submitted || d.state == returned || d.state == withdrawn
}

// leaveOut keeps from being published what the list itself says is withdrawn, or was
// not published yet: it reports whether d is not to be sent. Where the ledger has the
// entry, nothing is published anew: what is withdrawn on both sides is unchanged, and the
// rest is as of any list.
func (a *apply) leaveOut(d *Draft) bool {
	if d.Entry == nil || !d.outOfForce() {
		return false
	}
	have, known := a.known(d.Entry.Id)
	switch {
	case known && d.state == withdrawn && have.Withdrawn:
		a.count1(&a.done.Unchanged)
		return true
	case known:
		return false
	}
	lang := a.plan.opts.Lang
	p := sheet.Problem{
		Line: d.Line, Field: string(LedgerState), Code: fault.IllegalTransition,
		Message: lang.Say("“%s”在清单中已撤销，不导入", "%q is withdrawn in the list; it is left out", brief(d.Entry.Name)),
	}
	if words := StateWords[d.state]; d.state != withdrawn {
		p.Message = lang.Say("“%s”在清单中未发布，不导入", "%q is not published in the list; it is left out", brief(d.Entry.Name))
		p.Suggestion = lang.Say("清单中的状态是“%[1]s”；确需提交，清空其账本状态", "its state there is %[2]q; to submit it, clear that", words[0], words[1])
	}
	a.count1(&a.done.Out)
	a.tell(p)
	return true
}

// tellOut tells how many entries the list itself says are not in force.
func (j *judge) tellOut() {
	if j.out == 0 {
		return
	}
	j.rep.add(sheet.Problem{
		Field: string(LedgerState), Code: fault.IllegalTransition,
		Message: j.plan.opts.Lang.Say("清单写明其中 %d 条已撤销或未发布：账本上没有的不导入", "the list says of %d entries that they are withdrawn or not published: those that the ledger does not have are left out", j.out),
	})
}
