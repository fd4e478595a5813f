package grant

import (
	"fmt"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state"
)

// The facts. Their encoding is part of the chain.
var (
	registered = state.NewTable[grantv1.IntendedUse]("grant/register")     // by id
	requests   = state.NewTable[grantv1.DataRequest]("grant/request")      // by id
	grants     = state.NewTable[grantv1.Grant]("grant/grant")              // by id
	uses       = state.NewTable[grantv1.Use]("grant/use")                  // by grant/number
	duties     = state.NewTable[grantv1.DeletionDuty]("grant/duty")        // by grant/number of the use
	feeds      = state.NewTable[grantv1.NotificationFeed]("grant/feed")    // by owner
	standings  = state.NewTable[grantv1.GranteeStanding]("grant/standing") // by organisation
)

// What follows from the facts. Parts of keys are separated by a zero byte.
var (
	dueIndex  = state.NewIndex("grant/x/due")  // time, kind, id -> where to go on, else ""; see End
	liveIndex = state.NewIndex("grant/x/live") // owner, grant -> "" while a standing grant is not over
)

const (
	useActive  = grantv1.IntendedUseState_INTENDED_USE_STATE_ACTIVE
	useRetired = grantv1.IntendedUseState_INTENDED_USE_STATE_RETIRED

	requested      = grantv1.DataRequestState_DATA_REQUEST_STATE_REQUESTED
	granted        = grantv1.DataRequestState_DATA_REQUEST_STATE_GRANTED
	declined       = grantv1.DataRequestState_DATA_REQUEST_STATE_DECLINED
	requestExpired = grantv1.DataRequestState_DATA_REQUEST_STATE_EXPIRED
	withdrawn      = grantv1.DataRequestState_DATA_REQUEST_STATE_WITHDRAWN

	cooling   = grantv1.GrantState_GRANT_STATE_COOLING
	active    = grantv1.GrantState_GRANT_STATE_ACTIVE
	paused    = grantv1.GrantState_GRANT_STATE_PAUSED
	exhausted = grantv1.GrantState_GRANT_STATE_EXHAUSTED
	expired   = grantv1.GrantState_GRANT_STATE_EXPIRED
	revoked   = grantv1.GrantState_GRANT_STATE_REVOKED
	voided    = grantv1.GrantState_GRANT_STATE_VOIDED

	recorded = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RECORDED
	released = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RELEASED
	empty    = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_EMPTY
	failed   = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_FAILED

	running  = grantv1.DeletionDutyState_DELETION_DUTY_STATE_RUNNING
	due      = grantv1.DeletionDutyState_DELETION_DUTY_STATE_DUE
	attested = grantv1.DeletionDutyState_DELETION_DUTY_STATE_ATTESTED
	exempted = grantv1.DeletionDutyState_DELETION_DUTY_STATE_EXEMPTED
	overdue  = grantv1.DeletionDutyState_DELETION_DUTY_STATE_OVERDUE
	reported = grantv1.DeletionDutyState_DELETION_DUTY_STATE_REPORTED

	byConsent  = grantv1.GrantBasis_GRANT_BASIS_CONSENT
	byDuty     = grantv1.GrantBasis_GRANT_BASIS_DUTY
	byContract = grantv1.GrantBasis_GRANT_BASIS_CONTRACT

	separate = grantv1.ConsentKind_CONSENT_KIND_SEPARATE
	written  = grantv1.ConsentKind_CONSENT_KIND_WRITTEN
	single   = grantv1.ConsentKind_CONSENT_KIND_SINGLE

	deliver  = grantv1.GrantMode_GRANT_MODE_DELIVER
	once     = grantv1.GrantKind_GRANT_KIND_ONCE
	standing = grantv1.GrantKind_GRANT_KIND_STANDING

	sensitive = cataloguev1.Personal_PERSONAL_SENSITIVE
	denied    = cataloguev1.ShareType_SHARE_TYPE_DENIED
	frozen    = cataloguev1.ItemState_ITEM_STATE_FROZEN

	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT
)

// Keys of objects as events name them.
func useKey(id string) string     { return registered.Name() + "/" + id }
func requestKey(id string) string { return requests.Name() + "/" + id }
func grantKey(id string) string   { return grants.Name() + "/" + id }
func entryKey(id string) string   { return "catalogue/entry/" + id }

func recordKey(grant string, number uint64) string {
	return uses.Name() + "/" + numbered(grant, number)
}

func dutyKey(grant string, number uint64) string {
	return duties.Name() + "/" + numbered(grant, number)
}

// numbered is the key of the n-th use of a grant. Ten digits keep them in order.
func numbered(grant string, n uint64) string { return fmt.Sprintf("%s/%010d", grant, n) }

// key joins the parts of an index key.
func key(parts ...string) string { return strings.Join(parts, "\x00") }

// over reports whether nothing can be used under a grant of that state any more, for good
// or until a use is given back.
func over(s grantv1.GrantState) bool { return s >= exhausted }

// findGrant returns a grant; NotFound.
func findGrant(a *act.Act, rule, id string) (*grantv1.Grant, error) {
	g, ok := grants.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no grant %.40q", id)
	}
	return g, nil
}

// findRequest returns a request that waits for an answer; NotFound, RequestExpired,
// IllegalTransition.
func findRequest(a *act.Act, rule, id string) (*grantv1.DataRequest, error) {
	r, ok := requests.Get(a.Tx, id)
	switch {
	case !ok:
		return nil, act.Refuse(fault.NotFound, rule, "there is no data request %.40q", id)
	case r.State == requestExpired || r.State == requested && a.TimeMs >= r.NotAfterMs:
		return nil, act.Refuse(fault.RequestExpired, rule, "request %s could be answered until %d", r.Id, r.NotAfterMs)
	case r.State != requested:
		return nil, act.Refuse(fault.IllegalTransition, rule, "request %s is %s, has to be %s", r.Id, r.State, requested)
	}
	return r, nil
}

// needUser refuses unless the signer acts for the data user: its gateway with MACHINE, any
// other account of it with the level.
func needUser(a *act.Act, org string, level identityv1.KeyLevel) error {
	if a.Account.GetKind() == identityv1.AccountKind_ACCOUNT_KIND_GATEWAY {
		level = machine
	}
	return a.NeedOrg(org, level)
}

// checkUser refuses with NotWhitelisted a data user that is not on board, and with
// Suspended one that is suspended.
func checkUser(v state.View, rule, org string) (*identityv1.Account, error) {
	acc, ok := identity.Org(v, org)
	switch {
	case !ok:
		return nil, act.Refuse(fault.NotWhitelisted, rule, "%.60q is no organisation here", org)
	case identity.Suspended(v, acc):
		return nil, act.Refuse(fault.Suspended, rule, "%s is suspended", org)
	}
	return acc, nil
}

// checkOwner refuses with NotFound what is no account of a person or firm.
func checkOwner(v state.View, rule, owner string) error {
	acc, ok := identity.Lookup(v, owner)
	if k := acc.GetKind(); !ok || k != identityv1.AccountKind_ACCOUNT_KIND_PERSON && k != identityv1.AccountKind_ACCOUNT_KIND_FIRM {
		return act.Refuse(fault.NotFound, rule, "%.60q is no account of a person or firm", owner)
	}
	return nil
}

// checkRecipient refuses with NotFound or Forbidden a gateway that is not the data user's,
// with Suspended one that is suspended, and with RecipientKeyExpired a key that is neither
// its newest sealing key nor the one before.
func checkRecipient(v state.View, rule, org, gateway, keyID string) error {
	acc, ok := identity.Gateway(v, gateway)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "gateway %.80q is not on board", gateway)
	case acc.Org != org:
		return act.Refuse(fault.Forbidden, rule, "gateway %s belongs to %s", gateway, acc.Org)
	case identity.Suspended(v, acc):
		return act.Refuse(fault.Suspended, rule, "gateway %s is suspended", gateway)
	}
	p := acc.GetGateway()
	if keyID == "" || keyID != p.GetSealingKey().GetId() && keyID != p.GetOldSealingKey().GetId() {
		return act.Refuse(fault.RecipientKeyExpired, rule, "%.40q is no sealing key of gateway %s", keyID, gateway)
	}
	return nil
}

// queue puts a clock where End finds it. Every time that an object ever waited for is
// there; End asks the object whether the one that it finds still holds.
func queue(a *act.Act, atMs int64, kind, id string) {
	dueIndex.Put(a.Tx, key(state.Ordered(atMs), kind, id), "")
}
