package evidence

import (
	"bytes"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	evidencev1 "mulian/gen/mulian/evidence/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/rules/share"
)

// AnchorEvidence keeps the commitments of 1 to 200 files. Signed by any active
// account; a MACHINE key is enough. All or nothing. The same commitment by the same
// account is no fault, no change and no event, whatever else the element says: the
// first word counts.
//
// In this order: Forbidden (level), Empty, TooLong (the list); then element by
// element Missing, Malformed (commitment), CodeInconsistent (id), Malformed (set by
// the ledger), OutOfRange (size), then the provenance (Missing, OutOfRange, TooLong,
// Malformed, CodeInconsistent), DuplicateName (another account's), and for a gateway,
// a delivery and what is superseded: NotFound, Forbidden.
func AnchorEvidence(a *act.Act, m *evidencev1.AnchorEvidence) error {
	const rule = "evidence/anchor_evidence"
	if err := a.Need(identityv1.KeyLevel_KEY_LEVEL_MACHINE); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.GetItems()), MaxItems); err != nil {
		return err
	}
	for i, e := range m.Items {
		if err := act.In(rule, i, anchor(a, rule, e)); err != nil {
			return err
		}
	}
	return nil
}

func anchor(a *act.Act, rule string, e *evidencev1.Evidence) error {
	if err := checkShape(rule, e); err != nil {
		return err
	}
	id := ID(e.Commitment)
	if was, ok := items.Get(a.Tx, id); ok {
		if was.Account != a.Signer() || !bytes.Equal(was.Commitment, e.Commitment) {
			return act.Refuse(fault.DuplicateName, rule, "%s was anchored by %s at height %d: take a new salt", id, was.Account, was.Height)
		}
		return nil
	}
	objects, err := checkPast(a, rule, e)
	if err != nil {
		return err
	}
	next := proto.CloneOf(e)
	next.Id, next.Account, next.AtMs, next.Height = id, a.Signer(), a.TimeMs, a.Height
	items.Put(a.Tx, id, next)
	a.IDs = append(a.IDs, id)
	a.Emit("evidence/anchor", "", append([]string{Key(id)}, objects...)...)
	return nil
}

// checkShape looks at what needs no state.
func checkShape(rule string, e *evidencev1.Evidence) error {
	if err := act.Hash(rule, "commitment", e.GetCommitment(), true); err != nil {
		return err
	}
	switch id := ID(e.Commitment); {
	case e.Id != "" && e.Id != id:
		return act.Refuse(fault.CodeInconsistent, rule, "id %.40q: the commitment's is %s", e.Id, id)
	case e.Account != "" || e.AtMs != 0 || e.Height != 0:
		return act.Refuse(fault.Malformed, rule, "%s: account, time and height are set by the ledger", id)
	case e.Bytes > maxBytes:
		return act.Refuse(fault.OutOfRange, rule, "%s: a file of %d bytes", id, e.Bytes)
	}
	return checkProvenance(rule, e.Provenance)
}

// checkProvenance looks at the path before the chain by itself: what is measured has
// to say how, and what is not known may not look as if it were.
func checkProvenance(rule string, p *evidencev1.Provenance) error {
	if p.GetCapture() == 0 {
		return act.Refuse(fault.Missing, rule, "provenance.capture is missing")
	}
	if err := act.First(
		act.Listed(rule, "provenance.capture", p.Capture),
		act.Line(rule, "provenance.software", p.Software, maxSoftware, false),
		act.Hash(rule, "provenance.software_hash", p.SoftwareHash, false),
		act.Line(rule, "provenance.source", p.Source, maxSource, false),
		act.Line(rule, "provenance.clock_source", p.ClockSource, maxClockSource, false),
	); err != nil {
		return err
	}
	unknown := p.ClockSource == "" || p.ClockSource == "unknown"
	switch {
	case p.CapturedMs < 0 || p.CapturedMs > maxTimeMs:
		return act.Refuse(fault.OutOfRange, rule, "provenance.captured_ms: %d", p.CapturedMs)
	case p.ClockOffsetMs < -maxOffsetMs || p.ClockOffsetMs > maxOffsetMs:
		return act.Refuse(fault.OutOfRange, rule, "provenance.clock_offset_ms: %d", p.ClockOffsetMs)
	case p.ClockErrorMs < 0 || p.ClockErrorMs > maxOffsetMs:
		return act.Refuse(fault.OutOfRange, rule, "provenance.clock_error_ms: %d", p.ClockErrorMs)
	case unknown && (p.ClockOffsetMs != 0 || p.ClockErrorMs != 0):
		return act.Refuse(fault.CodeInconsistent, rule, "provenance: an offset against a clock that is not known")
	case p.Capture == evidencev1.Capture_CAPTURE_DATABASE && p.Gateway == "":
		return act.Refuse(fault.Missing, rule, "provenance.gateway is missing: a gateway reads databases")
	case p.Capture == evidencev1.Capture_CAPTURE_DELIVERY && p.Source == "":
		return act.Refuse(fault.Missing, rule, "provenance.source is missing: it names the delivery")
	}
	return nil
}

// checkPast looks at what the evidence refers to, and returns the keys of it.
func checkPast(a *act.Act, rule string, e *evidencev1.Evidence) (objects []string, err error) {
	p := e.Provenance
	if p.Gateway != "" {
		g, ok := identity.Gateway(a.Tx, p.Gateway)
		switch {
		case !ok:
			return nil, act.Refuse(fault.NotFound, rule, "there is no gateway %.100q", p.Gateway)
		case a.Org() == "" || g.Org != a.Org():
			return nil, act.Refuse(fault.Forbidden, rule, "%s does not act for the organisation of gateway %s", a.Signer(), p.Gateway)
		}
		objects = append(objects, "identity/account/"+p.Gateway)
	}
	if p.Capture == evidencev1.Capture_CAPTURE_DELIVERY {
		keys, err := checkDelivery(a, rule, p.Source)
		if err != nil {
			return nil, err
		}
		objects = append(objects, keys...)
	}
	if e.Supersedes != "" {
		if len(e.Supersedes) != idLength {
			return nil, act.Refuse(fault.NotFound, rule, "there is no evidence %.40q", e.Supersedes)
		}
		was, ok := items.Get(a.Tx, e.Supersedes)
		switch {
		case !ok:
			return nil, act.Refuse(fault.NotFound, rule, "there is no evidence %s", e.Supersedes)
		case was.Account != a.Signer():
			return nil, act.Refuse(fault.Forbidden, rule, "%s was anchored by %s", e.Supersedes, was.Account)
		}
		objects = append(objects, Key(e.Supersedes))
	}
	return objects, nil
}

// checkDelivery finds the delivery "<agreement>/<number>" and wants it to be one to
// the signer's organisation, or to the signer.
func checkDelivery(a *act.Act, rule, source string) (keys []string, err error) {
	agreement, text, _ := strings.Cut(source, "/")
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(number, 10) != text {
		return nil, act.Refuse(fault.Malformed, rule, "provenance.source %.80q is not AGREEMENT/NUMBER", source)
	}
	if _, ok := share.FindDelivery(a.Tx, agreement, number); !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no delivery %.80s", source)
	}
	g, ok := share.FindAgreement(a.Tx, agreement)
	if consumer := g.GetConsumer(); !ok || consumer != a.Org() && consumer != a.Signer() {
		return nil, act.Refuse(fault.Forbidden, rule, "delivery %s went to %s", source, consumer)
	}
	return []string{share.DeliveryKey(agreement, number), "share/agreement/" + agreement}, nil
}
