package catalogue

import (
	"bytes"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/state"
)

const (
	compatible = cataloguev1.DriftClass_DRIFT_CLASS_COMPATIBLE
	toReview   = cataloguev1.DriftClass_DRIFT_CLASS_REVIEW
	breaking   = cataloguev1.DriftClass_DRIFT_CLASS_BREAKING
	stale      = cataloguev1.DriftClass_DRIFT_CLASS_STALE

	flagged = cataloguev1.ItemState_ITEM_STATE_REVIEW
	frozen  = cataloguev1.ItemState_ITEM_STATE_FROZEN
)

// rank orders the classes by how bad they are; their numbers do not.
func rank(c cataloguev1.DriftClass) int {
	switch c {
	case breaking:
		return 4
	case toReview:
		return 3
	case stale:
		return 2
	}
	return 1
}

// alwaysBreaking are the kinds of change that break whoever relies on the column,
// whatever class the gateway gives them (spec sharing 4.7). Both spellings of a
// kind are known: that of the schema and that of the gateway's own comparison.
var alwaysBreaking = map[string]bool{
	"column_dropped": true, "table_dropped": true, "renamed": true,
	"narrowed": true, "type_narrowed": true, "type_changed": true,
	"not_null": true, "not_null_set": true,
}

// ReportDrift records that a source is no longer what the catalogue says, and
// freezes the mapped items of breaking changes in the same block. Signed by the
// table's gateway, MACHINE.
//
// The worst change decides: a compatible one on a table without open drifts is
// accepted at once; one to review flags the items and starts the clock
// CATALOGUE_UPDATE (art. 17); a breaking one freezes them too. An item is also
// frozen if the columns that the gateway sees now do not have its column, whatever
// the changes say. The same finding again is no second drift. A report of the very
// schema that the catalogue has says that the source was put back: it moves
// Table.seen_ms, which [SettleDrift] asks for. before_hash is kept for people; it
// is not compared, because a drift that is refused would be a drift that is hidden.
//
// NotFound, Forbidden, Empty, TooLong (changes, the whole), Missing, TooLong,
// Malformed, OutOfRange, Duplicate (fields), TooLong (open drifts).
func ReportDrift(a *act.Act, m *cataloguev1.ReportDrift) error {
	const rule = "catalogue/report_drift"
	t, ok := tables.Get(a.Tx, m.GetTable())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no table %.80q", m.GetTable())
	}
	if a.Signer() != t.Gateway {
		return act.Refuse(fault.Forbidden, rule, "table %s is seen by gateway %s, not by %s", t.Id, t.Gateway, a.Signer())
	}
	if err := a.Need(machine); err != nil {
		return err
	}
	if err := checkDrift(rule, m); err != nil {
		return err
	}
	d := newDrift(a, t, m)
	open := openDrifts(a.Tx, t.Id)
	switch newest := newestDrift(a.Tx, t.Id); {
	case d.Class != stale && bytes.Equal(d.AfterHash, t.SchemaHash) && m.TableGone == t.Gone:
		t.SeenMs = a.TimeMs
		tables.Put(a.Tx, t.Id, t)
		if len(open) > 0 {
			a.Emit(rule, "back", tableKey(t.Id), driftKey(newest.Id))
		}
		return nil
	case repeats(d, newest):
		return nil
	case len(open) >= MaxOpenDrifts:
		return act.Refuse(fault.TooLong, rule, "table %s has %d drifts that are not settled", t.Id, len(open))
	}
	return record(a, rule, t, d, open)
}

func checkDrift(rule string, m *cataloguev1.ReportDrift) error {
	if err := act.Count(rule, len(m.Changes), MaxChanges); err != nil {
		return err
	}
	if n := proto.Size(m); n > MaxDriftBytes {
		return act.Refuse(fault.TooLong, rule, "a report of %d bytes, at most %d", n, MaxDriftBytes)
	}
	for i, c := range m.Changes {
		err := act.First(
			act.Line(rule, "kind", c.Kind, maxKind, true),
			act.Listed(rule, "class", c.Class),
			act.Line(rule, "column", c.Column, maxColumnName, false),
			act.Text(rule, "before", c.Before, maxComment, false),
			act.Text(rule, "after", c.After, maxComment, false),
			act.Line(rule, "candidate", c.Candidate, maxColumnName, false),
		)
		if err == nil && c.Class == 0 {
			err = act.Refuse(fault.Missing, rule, "the class of a change is missing")
		}
		if err != nil {
			return act.In(rule, i, err)
		}
	}
	if m.SeenMs < 0 {
		return act.Refuse(fault.OutOfRange, rule, "seen at %d", m.SeenMs)
	}
	return act.First(
		act.Hash(rule, "before_hash", m.BeforeHash, true),
		act.Hash(rule, "after_hash", m.AfterHash, true),
		checkColumns(rule, m.Columns),
	)
}

// newDrift makes the record of a report, with the classes as the ledger judges
// them. It has no number yet.
func newDrift(a *act.Act, t *cataloguev1.Table, m *cataloguev1.ReportDrift) *cataloguev1.Drift {
	d := &cataloguev1.Drift{
		Table: t.Id, Org: t.Org, BeforeHash: m.BeforeHash, AfterHash: m.AfterHash,
		Columns: m.Columns, SeenMs: m.SeenMs, AtMs: a.TimeMs,
	}
	for _, c := range m.Changes {
		c = proto.CloneOf(c)
		if alwaysBreaking[c.Kind] {
			c.Class = breaking
		}
		if rank(c.Class) > rank(d.Class) || d.Class == 0 {
			d.Class = c.Class
		}
		d.Changes = append(d.Changes, c)
	}
	if d.Class == stale && len(d.Columns) == 0 {
		d.Columns = t.Columns // stale data says nothing of the columns
	}
	if m.TableGone {
		d.Class, d.Columns = breaking, nil
	}
	if len(d.Columns) == 0 {
		d.Class = breaking
	}
	return d
}

// gone reports whether the drift says that there is no table any more.
func gone(d *cataloguev1.Drift) bool { return len(d.Columns) == 0 }

// repeats reports whether d says nothing that newest, the last drift of the table,
// did not: it is still open, or a person has called the same change a false alarm.
func repeats(d, newest *cataloguev1.Drift) bool {
	if newest == nil || !bytes.Equal(d.AfterHash, newest.AfterHash) || gone(d) != gone(newest) || (d.Class == stale) != (newest.Class == stale) {
		return false
	}
	switch newest.Settlement {
	case 0:
		return true
	case cataloguev1.Settlement_SETTLEMENT_FALSE_ALARM:
		return d.Class != stale && bytes.Equal(d.BeforeHash, newest.BeforeHash)
	}
	return false
}

// record numbers the drift, stores it, and marks what it affects.
func record(a *act.Act, rule string, t *cataloguev1.Table, d *cataloguev1.Drift, open []*cataloguev1.Drift) error {
	number := int64(1)
	if last, ok := lastIndex.Get(a.Tx, t.Id); ok {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return fmt.Errorf("read the number of the last drift of %s: %w", t.Id, err)
		}
		number = n + 1
	}
	d.Id = fmt.Sprintf("%s@%d", t.Id, number)
	a.IDs = append(a.IDs, d.Id)
	lastIndex.Put(a.Tx, t.Id, strconv.FormatInt(number, 10))

	marks := marksOf(append(open, d))
	own := marksOf([]*cataloguev1.Drift{d})
	objects := []string{driftKey(d.Id), tableKey(t.Id)}
	atOnce := d.Class == compatible && len(open) == 0
	for _, id := range entriesOf(a.Tx, t.Id) {
		e, _ := entries.Get(a.Tx, id)
		changed := marks.set(e, outdated(a.Tx, e))
		if !changed && !own.touches(e) {
			continue
		}
		d.Entries = append(d.Entries, id)
		if changed {
			atOnce = false
			restate(a, e)
			entries.Put(a.Tx, id, e)
		}
		objects = append(objects, entryKey(id))
	}
	if atOnce {
		d.Settlement, d.SettledMs, d.Note = cataloguev1.Settlement_SETTLEMENT_UPDATED, a.TimeMs, "compatible"
		before := t.SchemaHash
		accept(a, t, d)
		relock(a, t, before)
	} else {
		openIndex.Put(a.Tx, key(t.Id, state.Ordered(number)), d.Id)
		if rank(d.Class) >= rank(toReview) {
			days, _ := governance.Limit(a.Tx, governancev1.Clock_CLOCK_CATALOGUE_UPDATE)
			d.DueMs = governance.AddWorkingDays(a.Tx, a.TimeMs, days)
			dueIndex.Put(a.Tx, key(state.Ordered(d.DueMs), dueDrift, d.Id), "")
		}
	}
	drifts.Put(a.Tx, d.Id, d)
	a.Emit(rule, className(d.Class), objects...)
	return nil
}

// accept makes the schema of the drift that of the table.
func accept(a *act.Act, t *cataloguev1.Table, d *cataloguev1.Drift) {
	if bytes.Equal(t.SchemaHash, d.AfterHash) && t.Gone == gone(d) {
		return // stale data: the schema is what it was
	}
	t.Columns, t.SchemaHash, t.Gone, t.SeenMs = d.Columns, d.AfterHash, gone(d), a.TimeMs
	if !hasColumn(t.Columns, t.WatermarkColumn) {
		t.WatermarkColumn = ""
	}
	t.Version++
	tables.Put(a.Tx, t.Id, t)
}

// relock moves the locks that held the table's schema before along with a change
// that no item is touched by. A lock that still waits for signatures on an earlier
// change stays behind.
func relock(a *act.Act, t *cataloguev1.Table, before []byte) {
	for _, id := range entriesOf(a.Tx, t.Id) {
		if e, _ := entries.Get(a.Tx, id); e.GetLock() != nil && bytes.Equal(e.Lock.SchemaHash, before) {
			e.Lock.SchemaHash = t.SchemaHash
			entries.Put(a.Tx, id, e)
		}
	}
}

// openDrifts returns the drifts of a table that are not settled, by number.
func openDrifts(v state.View, table string) []*cataloguev1.Drift {
	if table == "" {
		return nil
	}
	var ids []string
	openIndex.Range(v, table+"\x00", "", func(_, id string) bool {
		ids = append(ids, id)
		return true
	})
	open := make([]*cataloguev1.Drift, len(ids))
	for i, id := range ids {
		open[i], _ = drifts.Get(v, id)
	}
	return open
}

// newestDrift returns the drift of the table with the greatest number, or nil.
func newestDrift(v state.View, table string) *cataloguev1.Drift {
	number, ok := lastIndex.Get(v, table)
	if !ok {
		return nil
	}
	d, _ := drifts.Get(v, table+"@"+number)
	return d
}

// restate sets the state of an entry that is in force after its items changed.
func restate(a *act.Act, e *cataloguev1.Entry) {
	if e.State != stateSubmitted && e.State != stateReturned {
		e.State = rest(e, pendings.Has(a.Tx, e.Id))
	}
}

func className(c cataloguev1.DriftClass) string {
	switch c {
	case compatible:
		return "compatible"
	case toReview:
		return "review"
	case stale:
		return "stale"
	}
	return "breaking"
}
