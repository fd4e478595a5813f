package catalogue

import (
	"bytes"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

const (
	updated    = cataloguev1.Settlement_SETTLEMENT_UPDATED
	rolledBack = cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK
	falseAlarm = cataloguev1.Settlement_SETTLEMENT_FALSE_ALARM
)

// SettleDrift ends a drift. Signed by the provider, OFFICER.
//
// UPDATED: the catalogue follows the source. The table gets the schema that the
// drift saw, items move as the remaps say, and every entry on the table becomes a
// new version if its mapping changed. It has to be the newest open drift of the
// table, and settles the earlier ones with it. A locked entry that the drifts touch
// waits for its counter-signers (its frozen items stay frozen until then); the lock
// of one that they do not touch moves along.
//
// ROLLED_BACK: the source was put back; the gateway has to have reported the
// catalogue's schema in a later block than the drift.
//
// FALSE_ALARM: the change does no harm; no mapped column was lost by it. The gateway may go on reporting the same finding: it stays settled.
//
// An item thaws when no open drift of its table freezes it.
//
// NotFound, Forbidden, OutOfRange (settlement), TooLong (remaps, note),
// IllegalTransition (settled before; not the newest; not put back),
// CodeInconsistent (remaps without UPDATED), then for remaps NotFound (entry or
// item not on this table), Duplicate, ItemUnmapped (column not there), and
// ItemUnmapped (an item left without its column).
func SettleDrift(a *act.Act, m *cataloguev1.SettleDrift) error {
	const rule = "catalogue/settle_drift"
	d, ok := drifts.Get(a.Tx, m.GetDrift())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no drift %.80q", m.GetDrift())
	}
	if err := a.NeedOrg(d.Org, officer); err != nil {
		return err
	}
	err := act.First(
		act.Listed(rule, "settlement", m.Settlement),
		act.AtMost(rule, "remaps", len(m.Remaps), MaxRemaps),
		act.Text(rule, "note", m.Note, maxNote, false),
	)
	switch {
	case err != nil:
		return err
	case m.Settlement == 0:
		return act.Refuse(fault.OutOfRange, rule, "say how drift %s is settled", d.Id)
	case d.Settlement != 0:
		return act.Refuse(fault.IllegalTransition, rule, "drift %s is settled: %s", d.Id, d.Settlement)
	case m.Settlement != updated && len(m.Remaps) > 0:
		return act.Refuse(fault.CodeInconsistent, rule, "items move only where the catalogue follows the source")
	}
	t, _ := tables.Get(a.Tx, d.Table)
	if m.Settlement == updated {
		return follow(a, rule, m, t, d)
	}
	return lift(a, rule, m, t, d)
}

// lift settles a drift after which the catalogue stays as it is.
func lift(a *act.Act, rule string, m *cataloguev1.SettleDrift, t *cataloguev1.Table, d *cataloguev1.Drift) error {
	ids := entriesOf(a.Tx, t.Id)
	if m.Settlement == rolledBack && t.SeenMs <= d.AtMs {
		return act.Refuse(fault.IllegalTransition, rule, "drift %s: the gateway has not reported the catalogue's schema of table %s since", d.Id, t.Id)
	}
	found := make([]*cataloguev1.Entry, len(ids))
	for i, id := range ids {
		found[i], _ = entries.Get(a.Tx, id)
		for _, it := range found[i].Items {
			// A column that the table had lost before is not this drift's doing.
			if m.Settlement == falseAlarm && hasColumn(t.Columns, it.Column) && !hasColumn(d.Columns, it.Column) {
				return act.Refuse(fault.ItemUnmapped, rule, "drift %s: item %s of entry %s has lost its column %q; that is no false alarm", d.Id, it.Code, id, it.Column)
			}
		}
	}
	closeDrift(a, d, m)
	objects := []string{driftKey(d.Id), tableKey(t.Id)}
	marks := marksOf(openDrifts(a.Tx, t.Id))
	for _, e := range found {
		if marks.set(e, outdated(a.Tx, e)) {
			restate(a, e)
			entries.Put(a.Tx, e.Id, e)
			objects = append(objects, entryKey(e.Id))
		}
	}
	a.Emit(rule, settlementName(m.Settlement), objects...)
	return nil
}

// follow settles a drift by accepting what the source is now.
func follow(a *act.Act, rule string, m *cataloguev1.SettleDrift, t *cataloguev1.Table, d *cataloguev1.Drift) error {
	open := openDrifts(a.Tx, t.Id)
	if newest := open[len(open)-1]; newest.Id != d.Id {
		return act.Refuse(fault.IllegalTransition, rule, "drift %s: %s came after it and shows the source as it is now", d.Id, newest.Id)
	}
	moves, err := readRemaps(a, rule, m, t, d)
	if err != nil {
		return err
	}
	touching, before := marksOf(open), t.SchemaHash
	accept(a, t, d)
	objects := []string{driftKey(d.Id), tableKey(t.Id)}
	for _, o := range open {
		closeDrift(a, o, m)
		if o.Id != d.Id {
			objects = append(objects, driftKey(o.Id))
		}
	}
	a.Emit(rule, settlementName(updated), objects...)
	for _, id := range entriesOf(a.Tx, t.Id) {
		e, _ := entries.Get(a.Tx, id)
		if err := followEntry(a, rule, e, t, moves, touching.touches(e) || behind(e, before)); err != nil {
			return err
		}
	}
	return nil
}

// readRemaps checks the remaps and returns the columns by entry and item.
func readRemaps(a *act.Act, rule string, m *cataloguev1.SettleDrift, t *cataloguev1.Table, d *cataloguev1.Drift) (map[[2]string]string, error) {
	items := map[[2]string]bool{}
	for _, id := range entriesOf(a.Tx, t.Id) {
		e, _ := entries.Get(a.Tx, id)
		for _, it := range e.GetItems() {
			items[[2]string{id, it.Code}] = true
		}
	}
	moves := make(map[[2]string]string, len(m.Remaps))
	for i, r := range m.Remaps {
		k := [2]string{r.Entry, r.Item}
		_, twice := moves[k]
		switch {
		case !items[k]:
			return nil, act.RefuseItem(fault.NotFound, rule, i, "no item %.80q of entry %.80q lies on table %s", r.Item, r.Entry, t.Id)
		case twice:
			return nil, act.RefuseItem(fault.Duplicate, rule, i, "item %s of entry %s is moved twice", r.Item, r.Entry)
		case r.Column != "" && !hasColumn(d.Columns, r.Column):
			return nil, act.RefuseItem(fault.ItemUnmapped, rule, i, "item %s of entry %s: table %s has no column %.80q", r.Item, r.Entry, t.Id, r.Column)
		}
		moves[k] = r.Column
	}
	return moves, nil
}

// followEntry brings one entry in line with its table, whose new schema is stored
// already and whose drifts are closed. touched says that the change matters to the
// entry even if its content stays the same.
func followEntry(a *act.Act, rule string, e *cataloguev1.Entry, t *cataloguev1.Table, moves map[[2]string]string, touched bool) error {
	next := content(e)
	for _, it := range next.Items {
		if column, ok := moves[[2]string{e.Id, it.Code}]; ok {
			it.Column = column
		}
		if t.Gone {
			it.Column = ""
		}
	}
	if err := checkMapping(a.Tx, rule, next); err != nil {
		return err
	}
	sum := hashOf(next)
	next.ContentHash = sum[:]
	same := bytes.Equal(next.ContentHash, e.ContentHash)
	was := proto.CloneOf(e)
	p, waits := pendings.Get(a.Tx, e.Id)
	if waits && (touched || !same) {
		dropPending(a, e, p) // it was signed or reviewed on another schema
		waits = false
	}
	switch {
	case e.Lock != nil && (touched || !same) && (outdated(a.Tx, e) || !same):
		p = &cataloguev1.PendingChange{Entry: e.Id, Next: next, Needed: e.Lock.CounterSigners}
		sealPending(a.Tx, p, e)
		if err := putPending(a, rule, p, e); err != nil {
			return err
		}
		emitEntry(a, rule, e, pendingKey(e.Id))
		return nil
	case !same:
		if err := install(a, rule, next, e); err != nil {
			return err
		}
		emitEntry(a, rule, next)
		return nil
	}
	if e.Lock != nil {
		e.Lock.SchemaHash = t.SchemaHash
	}
	markItems(a.Tx, e)
	if e.State != stateSubmitted && e.State != stateReturned {
		e.State = rest(e, waits)
	}
	if !proto.Equal(was, e) {
		entries.Put(a.Tx, e.Id, e)
		emitEntry(a, rule, e)
	}
	return nil
}

// behind reports whether the entry's lock is on another schema than that.
func behind(e *cataloguev1.Entry, schema []byte) bool {
	return e.Lock != nil && !bytes.Equal(e.Lock.SchemaHash, schema)
}

// closeDrift stores the settlement.
func closeDrift(a *act.Act, d *cataloguev1.Drift, m *cataloguev1.SettleDrift) {
	d.Settlement, d.SettledMs, d.SettledBy, d.Note = m.Settlement, a.TimeMs, a.Signer(), m.Note
	drifts.Put(a.Tx, d.Id, d)
	var k string
	openIndex.Range(a.Tx, d.Table+"\x00", "", func(at, id string) bool {
		if id == d.Id {
			k = at
		}
		return k == ""
	})
	openIndex.Delete(a.Tx, k)
}

func settlementName(s cataloguev1.Settlement) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "SETTLEMENT_"))
}
