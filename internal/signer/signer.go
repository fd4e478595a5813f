// Package signer says whose signature counts outside of a transaction: at the doors of
// gateways and boxes, and on reading passes. The ledger's rules say the same of transactions
// (mulian/rules); nobody who may not sign there gets anything here.
//
//	Account: active, and its organisation ──▶ Key: live, not lost, not in custody ──▶ Check
package signer

import (
	"context"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Account reads who acts, and holds that he and the organisation for which he acts may:
// NotWhitelisted (no such account), AccountFrozen, Suspended.
func Account(ctx context.Context, id string, read func(ctx context.Context, id string) (*identityv1.Account, error)) (*identityv1.Account, error) {
	acc, err := read(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := active(acc); err != nil || acc.Org == "" || acc.Org == acc.Id {
		return acc, err
	}
	org, err := read(ctx, acc.Org)
	if err != nil {
		return nil, err
	}
	return acc, active(org)
}

func active(acc *identityv1.Account) error {
	switch acc.GetState() {
	case identityv1.AccountState_ACCOUNT_STATE_UNSPECIFIED:
		return fault.Newf(fault.NotWhitelisted, "who asks is not known on this chain")
	case identityv1.AccountState_ACCOUNT_STATE_ACTIVE:
		return nil
	case identityv1.AccountState_ACCOUNT_STATE_FROZEN:
		return fault.Newf(fault.AccountFrozen, "%s is frozen", acc.Id)
	}
	return fault.Newf(fault.Suspended, "%s is not active", acc.Id)
}

// Key returns the key of an account by which it may ask now: NotWhitelisted (no account, no
// such key), AccountFrozen, Suspended, KeyRevoked (also lost), CustodyUnrecorded.
func Key(acc *identityv1.Account, id string, nowMs int64) (*identityv1.Key, error) {
	if err := active(acc); err != nil {
		return nil, err
	}
	for _, k := range acc.Keys {
		switch {
		case k.Id != id:
		case k.State != identityv1.KeyState_KEY_STATE_ACTIVE || k.EndsMs != 0 && nowMs >= k.EndsMs:
			return nil, fault.Newf(fault.KeyRevoked, "key %s no longer signs", k.Id)
		case k.Suspended:
			return nil, fault.Newf(fault.Suspended, "key %s is suspended by vote", k.Id)
		case k.LostMs != 0: // as on the ledger: who found a phone gets nothing with it
			return nil, fault.Newf(fault.KeyRevoked, "key %s is reported lost", k.Id)
		case k.Custodian != "": // it signs what two officers have put on the ledger, and nothing here is that
			return nil, fault.Newf(fault.CustodyUnrecorded, "key %s is in custody and asks for nothing by itself", k.Id)
		default:
			return k, nil
		}
	}
	return nil, fault.Newf(fault.NotWhitelisted, "%s has no key %.40q", acc.Id, id)
}

// Check holds a signature over a message against a key of the account that signs by itself:
// as Key; NotWhitelisted (a passkey: it signs what a person looks at), BadAuthorisation.
func Check(acc *identityv1.Account, key string, message, signature []byte, nowMs int64) error {
	k, err := Key(acc, key, nowMs)
	if err != nil {
		return err
	}
	public, err := sm.ParsePublic(sm.Algorithm(k.Algorithm), k.PublicKey)
	if err != nil {
		return fault.Newf(fault.NotWhitelisted, "key %s does not sign calls: add a MACHINE key of the device", k.Id)
	}
	if len(signature) > sm.MaxSignatureSize || !public.Verify(message, signature) {
		return fault.Newf(fault.BadAuthorisation, "the call's signature does not hold")
	}
	return nil
}
