package catalogue

import (
	"fmt"
	"slices"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/rules/governance"
	"mulian/state"
)

// FindDuty returns the duty with the id, and whether there is one. The caller owns
// what the functions of this file return; only this package writes it back.
func FindDuty(v state.View, id string) (*cataloguev1.Duty, bool) { return duties.Get(v, id) }

// FindSystem returns the information system with the id, and whether there is one.
func FindSystem(v state.View, id string) (*cataloguev1.System, bool) { return systems.Get(v, id) }

// FindTable returns the table with the id, and whether there is one.
func FindTable(v state.View, id string) (*cataloguev1.Table, bool) { return tables.Get(v, id) }

// FindEntry returns the entry with the id, and whether there is one.
func FindEntry(v state.View, id string) (*cataloguev1.Entry, bool) { return entries.Get(v, id) }

// FindPending returns the change of the entry that waits, and whether one does.
func FindPending(v state.View, entry string) (*cataloguev1.PendingChange, bool) {
	return pendings.Get(v, entry)
}

// FindMatter returns the matter with the id, and whether there is one.
func FindMatter(v state.View, id string) (*cataloguev1.Matter, bool) { return matters.Get(v, id) }

// FindCodeTable returns the code table with the id, and whether there is one.
func FindCodeTable(v state.View, id string) (*cataloguev1.CodeTable, bool) {
	return codeTables.Get(v, id)
}

// FindCode returns the code of the table, retired or not, and whether there is one.
func FindCode(v state.View, table, code string) (*cataloguev1.Code, bool) {
	return codes.Get(v, codeID(table, code))
}

// FindDrift returns the drift with the id, and whether there is one.
func FindDrift(v state.View, id string) (*cataloguev1.Drift, bool) { return drifts.Get(v, id) }

// OpenDrifts returns the drifts of a table that are not settled, by number.
func OpenDrifts(v state.View, table string) []*cataloguev1.Drift { return openDrifts(v, table) }

// EntriesOf returns the ids of the entries on a table that are not withdrawn,
// ascending.
func EntriesOf(v state.View, table string) []string { return entriesOf(v, table) }

// InUse reports whether the entry can be asked for and delivered from at all:
// published, and neither suspended nor withdrawn. Frozen items are another matter.
func InUse(e *cataloguev1.Entry) bool {
	switch e.GetState() {
	case statePublished, stateUpdating, stateDrifted:
		return true
	}
	return false
}

// ShareTypeOf returns the share type that counts for the item, or for the entry as
// a whole if it is nil: the stricter of both, where a conditional entry that states
// no conditions counts as unconditional if the clock profile says so.
func ShareTypeOf(v state.View, e *cataloguev1.Entry, it *cataloguev1.Item) cataloguev1.ShareType {
	s := e.GetShareType()
	if s == conditional && unstated(e.GetConditions()) && governance.Clocks(v).GetUnstatedIsUnconditional() {
		s = unconditional
	}
	return max(s, it.GetShareType())
}

// Offers reports whether the entry can be handed over by that method: those that it
// and its conditions name, or what its format allows if it names none.
func Offers(e *cataloguev1.Entry, m cataloguev1.Method) bool {
	named := func(list []cataloguev1.Method) bool { return len(list) == 0 || slices.Contains(list, m) }
	return fits(e.GetFormat(), m) && named(e.GetMethods()) && named(e.GetConditions().GetMethods())
}

// Check returns the first breach of the invariants 1 to 5 that the entry shows in
// that state, or nil. It is for tests and audits: no verb asks it.
func Check(v state.View, e *cataloguev1.Entry) error {
	sum := ContentHash(e)
	live := e.State != stateSubmitted && e.State != stateReturned && e.State != stateWithdrawn
	_, waits := pendings.Get(v, e.Id)
	k, _ := nameKey(e.Provider, e.Name)
	holder, _ := nameIndex.Get(v, k)
	switch {
	case string(sum[:]) != string(e.ContentHash):
		return fmt.Errorf("entry %s: its content hash is another", e.Id)
	case e.State != stateWithdrawn && holder != e.Id:
		return fmt.Errorf("entry %s: its name belongs to %q", e.Id, holder)
	case waits && !live:
		return fmt.Errorf("entry %s is %s and a change of it waits", e.Id, e.State)
	case live && e.State != rest(e, waits):
		return fmt.Errorf("entry %s is %s, not %s", e.Id, e.State, rest(e, waits))
	}
	if e.State == stateWithdrawn {
		return nil
	}
	marks := marksOf(openDrifts(v, e.Table))
	for _, it := range e.Items {
		if it.Column != "" && it.State < marks.of(it.Column) {
			return fmt.Errorf("entry %s: item %s is %s, an open drift says %s", e.Id, it.Code, it.State, marks.of(it.Column))
		}
		if it.State == frozen && it.Column != "" && marks.of(it.Column) != frozen && !outdated(v, e) {
			return fmt.Errorf("entry %s: item %s is frozen by no drift", e.Id, it.Code)
		}
	}
	return nil
}

// CheckCodes returns the first breach of invariant 9 that the code table shows in
// that state, or nil. It reads every code of the table: for tests and audits.
func CheckCodes(v state.View, table string) error {
	t, ok := codeTables.Get(v, table)
	if !ok {
		return fmt.Errorf("there is no code table %s", table)
	}
	n := uint64(0)
	codes.Range(v, table+"/", "", func(_ string, c *cataloguev1.Code) bool {
		if c.Table == table && !c.Retired { // keys of the table "<table>/x" begin so, too
			n++
		}
		return true
	})
	if n != t.Codes {
		return fmt.Errorf("code table %s counts %d codes, %d are in force", table, t.Codes, n)
	}
	return nil
}
