package custody

import (
	"encoding/hex"
	"fmt"
	"strings"

	custodyv1 "mulian/gen/mulian/custody/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/grant"
	"mulian/rules/identity"
	"mulian/rules/recovery"
	"mulian/state"
)

// The tables. Their encoding is part of the chain.
var (
	custodies = state.NewTable[custodyv1.Custody]("custody/custody") // by account
	uses      = state.NewTable[custodyv1.CustodyUse]("custody/use")  // by numbered
	unwraps   = state.NewTable[custodyv1.Unwrap]("custody/unwrap")   // by numbered

	byTx     = state.NewIndex("custody/tx")       // transaction id, hex -> "<account>/<number>"
	evidence = state.NewIndex("custody/evidence") // evidence of a presence, hex -> likewise
	dueIndex = state.NewIndex("custody/due")      // "<ms, ordered>/<kind>/<account>[/<number>]"
)

// Kinds in dueIndex.
const (
	dueOpening = "opening"
	dueUse     = "use"
	dueUnwrap  = "unwrap"
)

const (
	opening = custodyv1.CustodyState_CUSTODY_STATE_OPEN
	vouched = custodyv1.CustodyState_CUSTODY_STATE_VOUCHED
	active  = custodyv1.CustodyState_CUSTODY_STATE_ACTIVE
	lapsed  = custodyv1.CustodyState_CUSTODY_STATE_EXPIRED

	open      = custodyv1.CustodyUseState_CUSTODY_USE_STATE_OPEN
	confirmed = custodyv1.CustodyUseState_CUSTODY_USE_STATE_CONFIRMED
	executed  = custodyv1.CustodyUseState_CUSTODY_USE_STATE_EXECUTED
	undone    = custodyv1.CustodyUseState_CUSTODY_USE_STATE_UNDONE
	expired   = custodyv1.CustodyUseState_CUSTODY_USE_STATE_EXPIRED

	once     = custodyv1.CustodyActKind_CUSTODY_ACT_KIND_ONCE
	standing = custodyv1.CustodyActKind_CUSTODY_ACT_KIND_STANDING

	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
)

func custodyKey(account string) string { return custodies.Name() + "/" + account }

func useKey(u *custodyv1.CustodyUse) string { return uses.Name() + "/" + numbered(u.Account, u.Number) }

func accountKey(id string) string { return "identity/account/" + id }

// numbered is the key of the n-th use, or unwrap, of an account.
func numbered(account string, n uint64) string { return fmt.Sprintf("%s/%010d", account, n) }

// due lets [End] look at something again.
func due(a *act.Act, atMs int64, kind, key string) {
	dueIndex.Put(a.Tx, state.Ordered(atMs)+"/"+kind+"/"+key, "")
}

// tell emits an event that stands in the person's feed.
func tell(a *act.Act, rule, note, account string, objects ...string) {
	a.Emit(rule, note, grant.Told(a, account, append(objects, accountKey(account))...)...)
}

// find returns the arrangement of an account: NotFound.
func find(v state.View, rule, account string) (*custodyv1.Custody, error) {
	if len(account) > maxAccount {
		return nil, act.Refuse(fault.NotFound, rule, "nothing is in custody for %.50q", account)
	}
	c, ok := custodies.Get(v, account)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "nothing is in custody for %s", account)
	}
	return c, nil
}

// maxAccount bounds an account's id that is looked up, in bytes: longer ones are no key of the
// state.
const maxAccount = 100

// findUse returns a use: NotFound.
func findUse(v state.View, rule, account string, n uint64) (*custodyv1.CustodyUse, error) {
	if _, err := find(v, rule, account); err != nil {
		return nil, err
	}
	u, ok := uses.Get(v, numbered(account, n))
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "%s has no use %d", account, n)
	}
	return u, nil
}

// officer returns the signer's word. Forbidden: no role, no OFFICER key, no desk, or of the
// custodian's own organisation; SameDesk: he or his desk has signed already.
func officer(a *act.Act, rule, custodian string, before []*custodyv1.CustodyOfficer) (*custodyv1.CustodyOfficer, error) {
	desk, err := recovery.NeedDesk(a, rule)
	if err != nil {
		return nil, err
	}
	if a.Org() == custodian {
		return nil, act.Refuse(fault.Forbidden, rule, "%s keeps the key: who vouches has to be of another organisation", custodian)
	}
	for _, x := range before {
		if x.By == a.Signer() || x.Desk == desk {
			return nil, act.Refuse(fault.SameDesk, rule, "the desk %s has signed already: it takes an officer of another one", desk)
		}
	}
	return &custodyv1.CustodyOfficer{By: a.Signer(), Desk: desk, AtMs: a.TimeMs}, nil
}

// seen adds what an officer who vouches for a person has found: Missing, Malformed (evidence);
// OutOfRange, FaceMismatch.
func seen(rule string, o *custodyv1.CustodyOfficer, evidence []byte, face recoveryv1.FaceResult) error {
	if err := act.First(act.Hash(rule, "evidence", evidence, true), act.Listed(rule, "face", face)); err != nil {
		return err
	}
	switch face {
	case recoveryv1.FaceResult_FACE_RESULT_UNSPECIFIED:
		return act.Refuse(fault.OutOfRange, rule, "face is not stated")
	case recoveryv1.FaceResult_FACE_RESULT_MISMATCHED:
		return act.Refuse(fault.FaceMismatch, rule, "the face is not that of the papers: nothing was begun")
	}
	o.Evidence, o.Face = evidence, face
	return nil
}

// NeedCustodian refuses unless the signer acts for that organisation, which keeps keys:
// Forbidden.
func needCustodian(a *act.Act, rule, custodian string) error {
	if a.Org() != custodian {
		return act.Refuse(fault.Forbidden, rule, "%s is the custodian", custodian)
	}
	return a.NeedRole(governancev1.Role_ROLE_CUSTODIAN, machine)
}

// keepUse writes a use that goes on.
func keepUse(a *act.Act, rule string, u *custodyv1.CustodyUse) {
	uses.Put(a.Tx, numbered(u.Account, u.Number), u)
	tell(a, rule, word(u.State), u.Account, useKey(u), custodyKey(u.Account))
}

// finish ends a use. Its body is dropped: the transaction is in its block, or was never one.
func finish(a *act.Act, rule string, u *custodyv1.CustodyUse, s custodyv1.CustodyUseState) {
	c, ok := custodies.Get(a.Tx, u.Account)
	if !ok || c.Waiting == 0 {
		panic("rules/custody: a use of " + u.Account + " ends that nobody counted")
	}
	c.Waiting--
	custodies.Put(a.Tx, c.Account, c)
	u.State, u.Body, u.EndedMs, u.EndedBy = s, nil, a.TimeMs, a.Signer()
	keepUse(a, rule, u)
}

func word(s custodyv1.CustodyUseState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "CUSTODY_USE_STATE_"))
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// KeySigns reports whether the key in custody is one that signs at that moment.
func keySigns(v state.View, c *custodyv1.Custody, timeMs int64) bool {
	acc, ok := identity.Shared(v, c.Account)
	if !ok {
		return false
	}
	k, ok := identity.FindKey(v, acc, c.Key)
	return ok && identity.Signs(k, timeMs) && k.LostMs == 0
}
