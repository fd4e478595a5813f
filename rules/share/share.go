package share

import (
	"fmt"
	"slices"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// The facts. Their encoding is part of the chain.
var (
	requests   = state.NewTable[sharev1.Request]("share/request")     // by id
	agreements = state.NewTable[sharev1.Agreement]("share/agreement") // by id
	deliveries = state.NewTable[sharev1.Delivery]("share/delivery")   // by agreement/number
	uses       = state.NewTable[sharev1.Use]("share/use")             // by agreement/number

	amendments  = state.NewTable[sharev1.Amendment]("share/amendment")   // by agreement/number
	violations  = state.NewTable[sharev1.Violation]("share/violation")   // by agreement/number
	disposals   = state.NewTable[sharev1.Disposal]("share/disposal")     // by agreement/number
	feedbacks   = state.NewTable[sharev1.Feedback]("share/feedback")     // by agreement/number
	corrections = state.NewTable[sharev1.Correction]("share/correction") // by id
	holders     = state.NewTable[sharev1.Holder]("share/holder")         // by correction/agreement
	objections  = state.NewTable[sharev1.Objection]("share/objection")   // by id
	disputes    = state.NewTable[sharev1.Dispute]("share/dispute")       // by id
	standings   = state.NewTable[sharev1.Standing]("share/standing")     // by organisation
)

// What follows from the facts. Parts of keys are separated by a zero byte, which
// no id has.
var (
	openIndex      = state.NewIndex("share/x/open")      // requester, digest of the terms -> request that is not decided
	confirmedIndex = state.NewIndex("share/x/confirmed") // agreement -> "" once a delivery of it was confirmed
	dueIndex       = state.NewIndex("share/x/due")       // time, kind, id -> where to go on, else ""; see End
	heldIndex      = state.NewIndex("share/x/held")      // entry, agreement -> "" once something of it was given, until it is DISPOSED
	pointedIndex   = state.NewIndex("share/x/pointed")   // entry, item, row -> correction that is not answered
	contestedIndex = state.NewIndex("share/x/contested") // "objection" or "dispute", subject, organisation -> open one
)

const (
	received   = sharev1.RequestState_REQUEST_STATE_RECEIVED
	incomplete = sharev1.RequestState_REQUEST_STATE_INCOMPLETE
	accepted   = sharev1.RequestState_REQUEST_STATE_ACCEPTED
	refused    = sharev1.RequestState_REQUEST_STATE_REFUSED
	withdrawn  = sharev1.RequestState_REQUEST_STATE_WITHDRAWN

	offered   = sharev1.AgreementState_AGREEMENT_STATE_OFFERED
	active    = sharev1.AgreementState_AGREEMENT_STATE_ACTIVE
	suspended = sharev1.AgreementState_AGREEMENT_STATE_SUSPENDED
	ended     = sharev1.AgreementState_AGREEMENT_STATE_ENDED

	amending   = sharev1.AgreementState_AGREEMENT_STATE_AMENDING
	renewing   = sharev1.AgreementState_AGREEMENT_STATE_RENEWING
	rectifying = sharev1.AgreementState_AGREEMENT_STATE_RECTIFYING
	ending     = sharev1.AgreementState_AGREEMENT_STATE_ENDING
	disposing  = sharev1.AgreementState_AGREEMENT_STATE_DISPOSING
	disposed   = sharev1.AgreementState_AGREEMENT_STATE_DISPOSED

	started   = sharev1.DeliveryState_DELIVERY_STATE_STARTED
	completed = sharev1.DeliveryState_DELIVERY_STATE_COMPLETED
	confirmed = sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED
	failed    = sharev1.DeliveryState_DELIVERY_STATE_FAILED

	unconditional = cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL
	denied        = cataloguev1.ShareType_SHARE_TYPE_DENIED
	byQuery       = cataloguev1.Method_METHOD_QUERY

	maskKeep   = sharev1.MaskKind_MASK_KIND_KEEP
	maskMonth  = sharev1.MaskKind_MASK_KIND_MONTH
	maskYear   = sharev1.MaskKind_MASK_KIND_YEAR
	maskRound  = sharev1.MaskKind_MASK_KIND_ROUND
	maskRegion = sharev1.MaskKind_MASK_KIND_REGION

	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER

	dayMs = 24 * 60 * 60 * 1000
)

// Who decided, where no account did.
const (
	standingOrder = "standing-order" // the provider's rule (art. 21: an unconditional entry)
	silence       = "silence"        // the clock profile takes an overdue answer for consent
)

// Keys of objects as events name them.
func requestKey(id string) string   { return requests.Name() + "/" + id }
func agreementKey(id string) string { return agreements.Name() + "/" + id }
func deliveryKey(agreement string, number uint64) string {
	return deliveries.Name() + "/" + numbered(agreement, number)
}

func useKey(agreement string, number uint64) string {
	return uses.Name() + "/" + numbered(agreement, number)
}
func entryKey(id string) string { return "catalogue/entry/" + id }
func dutyKey(id string) string  { return "catalogue/duty/" + id }

// numbered is the key of the n-th delivery or use of an agreement. Ten digits keep
// them in order.
func numbered(agreement string, n uint64) string { return fmt.Sprintf("%s/%010d", agreement, n) }

// key joins the parts of an index key.
func key(parts ...string) string { return strings.Join(parts, "\x00") }

// entryKeys returns the keys of the entries of all parts.
func entryKeys(t *sharev1.Terms) []string {
	keys := make([]string, 0, len(t.GetParts()))
	for _, p := range t.GetParts() {
		keys = append(keys, entryKey(p.Entry))
	}
	return keys
}

// newID returns an id that no object has.
func newID(a *act.Act, taken func(id string) bool) string {
	for {
		if id := a.NewID(); !taken(id) {
			return id
		}
	}
}

// findRequest returns a request; NotFound, then Forbidden unless the signer acts
// for the organisation that party names of it, OFFICER.
func findRequest(a *act.Act, rule, id string, party func(*sharev1.Request) string) (*sharev1.Request, error) {
	r, ok := requests.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no request %.40q", id)
	}
	if err := a.NeedOrg(party(r), officer); err != nil {
		return nil, err
	}
	return r, nil
}

// in refuses a transition of a request from another state than those.
func in(rule string, r *sharev1.Request, states ...sharev1.RequestState) error {
	if slices.Contains(states, r.State) {
		return nil
	}
	return act.Refuse(fault.IllegalTransition, rule, "request %s is %s, has to be %v", r.Id, r.State, states)
}

// Expired reports whether the agreement's term is over at that moment.
func Expired(g *sharev1.Agreement, atMs int64) bool { return atMs >= g.GetEndsMs() }
