package share

import (
	"bytes"
	"slices"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
)

// StartDelivery begins the next batch of one entry. Signed by the provider's
// gateway at whose table the entry lies, MACHINE. What the agreement reserved is
// decided again here: term, state of the entry, drift.
//
// NotFound, Forbidden (no gateway of the agreement), AgreementSuspended, Expired,
// AlreadyExists, ReceiptGap (not the next number), FormatMethodMismatch (a QUERY
// agreement has no batches), FieldNotGranted (entry not agreed), NotShared (entry
// not in use; the entry or an agreed item was denied since), EntryDrifted (an agreed item is frozen), Forbidden (another
// gateway's table), TotalLimit, DisposalOverdue (copies have outlived their life).
func StartDelivery(a *act.Act, m *sharev1.StartDelivery) error {
	const rule = "share/start_delivery"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if !slices.Contains(g.ProviderGateways, a.Signer()) {
		return act.Refuse(fault.Forbidden, rule, "%s is no gateway of the provider in agreement %s", a.Signer(), g.Id)
	}
	if err := act.First(a.Need(machine), usable(a, rule, g)); err != nil {
		return err
	}
	switch next := g.Deliveries + 1; {
	case m.Number == 0 || m.Number > next:
		return act.Refuse(fault.ReceiptGap, rule, "delivery %d of agreement %s: the next one is %d", m.Number, g.Id, next)
	case m.Number < next:
		return act.Refuse(fault.AlreadyExists, rule, "delivery %d of agreement %s has begun; the next one is %d", m.Number, g.Id, next)
	case g.Terms.Method == byQuery:
		return act.Refuse(fault.FormatMethodMismatch, rule, "agreement %s is for single queries", g.Id)
	}
	e, err := deliverable(a, rule, g, m.Entry)
	if err != nil {
		return err
	}
	if g.Terms.MaxCalls != 0 && g.Deliveries >= g.Terms.MaxCalls {
		return act.Refuse(fault.TotalLimit, rule, "agreement %s: all %d deliveries have begun", g.Id, g.Terms.MaxCalls)
	}
	if g.CopyOverdue > g.Disposed {
		return act.Refuse(fault.DisposalOverdue, rule, "agreement %s: the copies of the deliveries up to %d have outlived their agreed life and are not certified as destroyed", g.Id, g.CopyOverdue)
	}
	g.Deliveries++
	gave(a, g, e.Id)
	agreements.Put(a.Tx, g.Id, g)
	d := &sharev1.Delivery{
		Agreement: g.Id, Number: m.Number, Entry: e.Id, Method: g.Terms.Method, State: started,
		Gateway: a.Signer(), StartedMs: a.TimeMs, EntryVersion: e.Version,
	}
	putDelivery(a, rule, "started", d)
	return nil
}

// deliverable returns the agreed entry as the catalogue has it now, if the signer's
// gateway can deliver it.
func deliverable(a *act.Act, rule string, g *sharev1.Agreement, id string) (*cataloguev1.Entry, error) {
	i := slices.IndexFunc(g.Terms.Parts, func(p *sharev1.Part) bool { return p.Entry == id })
	if i < 0 {
		return nil, act.Refuse(fault.FieldNotGranted, rule, "entry %.80q is not part of agreement %s", id, g.Id)
	}
	e, _ := catalogue.FindEntry(a.Tx, id)
	if !catalogue.InUse(e) {
		return nil, act.Refuse(fault.NotShared, rule, "entry %s is %s", id, e.GetState())
	}
	for _, it := range e.Items {
		agreed := slices.Contains(g.Terms.Parts[i].Items, it.Code)
		if agreed && catalogue.ShareTypeOf(a.Tx, e, it) == denied {
			return nil, act.Refuse(fault.NotShared, rule, "item %s of entry %s is not shared any more", it.Code, id)
		}
		if agreed && it.State == cataloguev1.ItemState_ITEM_STATE_FROZEN {
			return nil, act.Refuse(fault.EntryDrifted, rule, "item %s of entry %s is frozen until its table and the catalogue agree again", it.Code, id)
		}
	}
	if t, _ := catalogue.FindTable(a.Tx, e.Table); t.GetGateway() != a.Signer() {
		return nil, act.Refuse(fault.Forbidden, rule, "entry %s lies at gateway %q, not at %s", id, t.GetGateway(), a.Signer())
	}
	return e, nil
}

// CompleteDelivery says what was given. Signed by the gateway that began it,
// MACHINE. It is possible also when the agreement was suspended or ended meanwhile:
// the ledger has to know what went out. The first one stops the clock DELIVER.
//
// NotFound, Forbidden, IllegalTransition (not STARTED), Missing, Malformed (digest).
func CompleteDelivery(a *act.Act, m *sharev1.CompleteDelivery) error {
	const rule = "share/complete_delivery"
	d, err := findDelivery(a, rule, m.GetAgreement(), m.GetNumber())
	if err != nil {
		return err
	}
	if err := needGateway(a, rule, d.Gateway); err != nil {
		return err
	}
	if d.State != started {
		return act.Refuse(fault.IllegalTransition, rule, "delivery %d of agreement %s is %s", d.Number, d.Agreement, d.State)
	}
	if err := act.Hash(rule, "digest", m.Digest, true); err != nil {
		return err
	}
	d.State, d.Rows, d.Bytes, d.Digest, d.CompletedMs = completed, m.Rows, m.Bytes, m.Digest, a.TimeMs
	putDelivery(a, rule, "completed", d)
	if g, ok := agreements.Get(a.Tx, d.Agreement); ok && g.Terms.GetDataLifeDays() > 0 {
		queue(a, a.TimeMs+int64(g.Terms.DataLifeDays)*dayMs, dueCopy, numbered(d.Agreement, d.Number))
	}
	Served(a, d.Agreement)
	return nil
}

// FailDelivery says that a delivery did not end well. Signed by the gateway of
// either side, MACHINE. The next one has the next number.
//
// NotFound, Forbidden, IllegalTransition (confirmed or failed before), Missing,
// TooLong, Malformed (cause).
func FailDelivery(a *act.Act, m *sharev1.FailDelivery) error {
	const rule = "share/fail_delivery"
	d, err := findDelivery(a, rule, m.GetAgreement(), m.GetNumber())
	if err != nil {
		return err
	}
	g, err := findAgreement(a, rule, d.Agreement)
	if err != nil {
		return err
	}
	if a.Signer() != d.Gateway {
		if err := needGateway(a, rule, g.ConsumerGateway); err != nil {
			return err
		}
	}
	if err := a.Need(machine); err != nil {
		return err
	}
	if d.State != started && d.State != completed {
		return act.Refuse(fault.IllegalTransition, rule, "delivery %d of agreement %s is %s", d.Number, d.Agreement, d.State)
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, true); err != nil {
		return err
	}
	d.State, d.Cause = failed, m.Cause
	putDelivery(a, rule, "failed", d)
	return nil
}

// ConfirmDelivery says that the consumer has loaded what the provider says it gave.
// Signed by the consumer's gateway, MACHINE.
//
// NotFound, Forbidden, IllegalTransition (not COMPLETED), Missing, Malformed
// (digest), VerificationFailed (rows or digest differ).
func ConfirmDelivery(a *act.Act, m *sharev1.ConfirmDelivery) error {
	const rule = "share/confirm_delivery"
	d, err := findDelivery(a, rule, m.GetAgreement(), m.GetNumber())
	if err != nil {
		return err
	}
	g, err := findAgreement(a, rule, d.Agreement)
	if err != nil {
		return err
	}
	if err := needGateway(a, rule, g.ConsumerGateway); err != nil {
		return err
	}
	if d.State != completed {
		return act.Refuse(fault.IllegalTransition, rule, "delivery %d of agreement %s is %s", d.Number, d.Agreement, d.State)
	}
	if err := act.Hash(rule, "digest", m.Digest, true); err != nil {
		return err
	}
	if m.Rows != d.Rows || !bytes.Equal(m.Digest, d.Digest) {
		return act.Refuse(fault.VerificationFailed, rule, "delivery %d of agreement %s: given %d rows %x, loaded %d rows %x", d.Number, d.Agreement, d.Rows, d.Digest, m.Rows, m.Digest)
	}
	d.State, d.ConfirmedMs = confirmed, a.TimeMs
	confirmedIndex.Put(a.Tx, d.Agreement, "")
	putDelivery(a, rule, "confirmed", d)
	return nil
}

// Served notes that something of an agreement was given, and stops its clock DELIVER.
// The trace calls it for each anchor of released answers; only the first one changes
// anything. An agreement that was over by then has to be disposed of after all.
func Served(a *act.Act, agreement string) {
	g, ok := agreements.Get(a.Tx, agreement)
	owed := ok && (running(g.Clock) || paused(g.Clock))
	if !ok || g.Given && !owed {
		return
	}
	if owed {
		stop(a, g.Clock)
		g.Clock.LeftDays = 0 // what stood does not go on
	}
	if !g.Given {
		gave(a, g, entriesOf(g.Terms)...)
		if g.State == ended {
			beginDisposal(a, g)
			move(a, "share/serve", g, disposing)
			return
		}
	}
	agreements.Put(a.Tx, g.Id, g)
}

// Secret notes the latest order of secrecy for the records of an agreement, so that a
// gateway which reads the agreement knows that there is one. The trace calls it.
func Secret(a *act.Act, agreement string, order uint64) {
	if g, ok := agreements.Get(a.Tx, agreement); ok {
		g.Secrecy = order
		agreements.Put(a.Tx, g.Id, g)
	}
}

func findDelivery(a *act.Act, rule, agreement string, number uint64) (*sharev1.Delivery, error) {
	d, ok := deliveries.Get(a.Tx, numbered(agreement, number))
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no delivery %d of agreement %.40q", number, agreement)
	}
	return d, nil
}

func needGateway(a *act.Act, rule, gateway string) error {
	if a.Signer() != gateway {
		return act.Refuse(fault.Forbidden, rule, "%s is not %s", a.Signer(), gateway)
	}
	return a.Need(machine)
}

func putDelivery(a *act.Act, verb, note string, d *sharev1.Delivery) {
	deliveries.Put(a.Tx, numbered(d.Agreement, d.Number), d)
	a.Emit(verb, note, deliveryKey(d.Agreement, d.Number), agreementKey(d.Agreement), entryKey(d.Entry))
}
