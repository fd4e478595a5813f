package share

import (
	"slices"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// beginDisposal brings an agreement that is over to DISPOSING: what was given has to
// be destroyed within the clock DISPOSE, or when the last copy's life is over if that
// is later. The caller stores it.
func beginDisposal(a *act.Act, g *sharev1.Agreement) {
	g.State = disposing
	g.Disposal = begin(a, governancev1.Clock_CLOCK_DISPOSE, dueDisposal, g.Id)
	if g.Terms.DataLifeDays == 0 {
		return
	}
	last := g.EndedMs
	if d, ok := deliveries.Get(a.Tx, numbered(g.Id, g.Deliveries)); ok {
		last = max(d.StartedMs, d.CompletedMs)
	}
	if end := last + int64(g.Terms.DataLifeDays)*dayMs; end > g.Disposal.DueMs {
		g.Disposal.DueMs = end
		queue(a, end, dueDisposal, g.Id)
	}
}

// FileDisposal certifies that copies were destroyed: those of the deliveries up to a
// number while the agreement goes on, all of them once it is over, and then it is
// DISPOSED. Signed by the consumer, or the AUTHORITY in its place, OFFICER. It names
// the last receipt of each gateway that gave something, so that provider and consumer
// agree on what there was to destroy.
//
// NotFound, Forbidden, IllegalTransition (nothing was given, or all is destroyed),
// Missing, TooLong, Malformed (reason), OutOfRange, Missing (method), Missing,
// Malformed (certificate), OutOfRange (copies, deliveries), then receipt by receipt
// CodeInconsistent (not ascending, no gateway of the agreement) and ReceiptGap (the
// gateway has anchored more), Missing (a gateway that gave something).
func FileDisposal(a *act.Act, m *sharev1.FileDisposal) error {
	const rule = "share/file_disposal"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := partyOrAuthority(a, rule, g.Consumer); err != nil {
		return err
	}
	if !g.Given || g.State == disposed {
		return illegal(rule, "agreement", g.Id, g.State, disposed, After(g.State))
	}
	final := Over(g.State)
	if err := act.First(
		act.Text(rule, "reason", m.Reason, maxReason, true),
		act.Listed(rule, "method", m.Method),
		checkCopies(rule, g, m, final),
		checkReceipts(a.Tx, rule, g, m.Receipts, final),
	); err != nil {
		return err
	}
	g.Disposals++
	g.Disposed = m.UpToDelivery
	d := &sharev1.Disposal{
		Agreement: g.Id, Number: g.Disposals, Reason: m.Reason, Method: m.Method, CertificateHash: m.CertificateHash, Receipts: m.Receipts,
		UpToDelivery: m.UpToDelivery, Copies: m.Copies, Final: final, AtMs: a.TimeMs, By: a.Signer(),
		Late: final && a.TimeMs >= g.Disposal.GetDueMs() || !final && g.CopyOverdue > 0,
	}
	disposals.Put(a.Tx, numbered(g.Id, d.Number), d)
	where := disposals.Name() + "/" + numbered(g.Id, d.Number)
	if g.CopyOverdue <= g.Disposed {
		g.CopyOverdue = 0
	}
	if !final {
		agreements.Put(a.Tx, g.Id, g)
		a.Emit(rule, "copies", append([]string{where}, agreementObjects(g)...)...)
		return nil
	}
	stop(a, g.Disposal)
	for _, e := range entriesOf(g.Terms) {
		heldIndex.Delete(a.Tx, key(e, g.Id))
	}
	move(a, rule, g, disposed, where)
	return nil
}

func checkCopies(rule string, g *sharev1.Agreement, m *sharev1.FileDisposal, final bool) error {
	none := m.Method == sharev1.DisposalMethod_DISPOSAL_METHOD_NONE_KEPT
	switch {
	case m.Method == 0:
		return act.Refuse(fault.Missing, rule, "the method is missing")
	case none != (m.Copies == 0):
		return act.Refuse(fault.OutOfRange, rule, "%d copies destroyed by %s", m.Copies, m.Method)
	case m.UpToDelivery > g.Deliveries || m.UpToDelivery < g.Disposed:
		return act.Refuse(fault.OutOfRange, rule, "copies of the deliveries up to %d: %d to %d are possible", m.UpToDelivery, g.Disposed, g.Deliveries)
	case final && m.UpToDelivery != g.Deliveries:
		return act.Refuse(fault.OutOfRange, rule, "agreement %s is over: the copies of all %d deliveries have to be destroyed", g.Id, g.Deliveries)
	case !final && m.UpToDelivery == g.Disposed:
		return act.Refuse(fault.OutOfRange, rule, "the copies of the deliveries up to %d are destroyed already", g.Disposed)
	}
	return act.Hash(rule, "certificate_hash", m.CertificateHash, true)
}

// checkReceipts compares what the consumer says with what the gateways have anchored.
func checkReceipts(v state.View, rule string, g *sharev1.Agreement, receipts []*sharev1.LastReceipt, final bool) error {
	if err := act.AtMost(rule, "receipts", len(receipts), MaxGateways); err != nil {
		return err
	}
	named := make([]string, len(receipts))
	for i, r := range receipts {
		named[i] = r.GetGateway()
		switch n := anchored(v, g.Id, r.GetGateway()); {
		case i > 0 && named[i-1] >= named[i], !slices.Contains(g.ProviderGateways, named[i]):
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "%.80q: gateways of agreement %s, ascending, each once", named[i], g.Id)
		case r.Number < n:
			return act.RefuseItem(fault.ReceiptGap, rule, i, "gateway %s has anchored %d receipts, the certificate knows %d", named[i], n, r.Number)
		}
	}
	for _, gateway := range g.ProviderGateways {
		if n := anchored(v, g.Id, gateway); final && n > 0 && !slices.Contains(named, gateway) {
			return act.Refuse(fault.Missing, rule, "gateway %s has anchored %d receipts; the certificate does not name it", gateway, n)
		}
	}
	return nil
}

// anchored is the last number of an agreement that a gateway has anchored. The record
// is package trace's, which calls this one; so it is read here by its key.
func anchored(v state.View, agreement, gateway string) uint64 {
	raw, ok := v.Get([]byte("trace/sequence/" + agreement + "/" + gateway))
	s := new(tracev1.Sequence)
	if !ok || proto.Unmarshal(raw, s) != nil {
		return 0
	}
	return s.Last
}

// disposalDue marks an agreement whose certificate was not filed in time.
func disposalDue(a *act.Act, due, id string) {
	g, ok := agreements.Get(a.Tx, id)
	if !ok || g.State != disposing || !ranOut(g.Disposal, due) {
		return
	}
	agreements.Put(a.Tx, id, g)
	lateDisposal(a, g, clockName(g.Disposal))
}

// copyDue marks the copy of a delivery that has outlived its agreed life. Once the
// agreement is over, the clock of its disposal says all.
func copyDue(a *act.Act, id string) {
	d, ok := deliveries.Get(a.Tx, id)
	if !ok || d.State == failed {
		return
	}
	g, _ := agreements.Get(a.Tx, d.Agreement)
	if Over(g.GetState()) || g.GetDisposed() >= d.Number || g.GetCopyOverdue() >= d.Number {
		return
	}
	g.CopyOverdue = d.Number
	agreements.Put(a.Tx, g.Id, g)
	lateDisposal(a, g, "copy", deliveries.Name()+"/"+id)
}

func lateDisposal(a *act.Act, g *sharev1.Agreement, what string, also ...string) {
	standing := note(a, g.Consumer, func(s *sharev1.Standing) { s.LateDisposals++ })
	a.Emit("share/overdue", what, append([]string{agreementKey(g.Id), requestKey(g.Request), standing}, also...)...)
}
