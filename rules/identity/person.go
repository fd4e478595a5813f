package identity

import (
	"strconv"

	"mulian/internal/fault"
	"mulian/state"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// OpenAccount opens an account for a person or firm. It is signed by one of the
// ROOT keys that it names: whoever holds the key holds the account. Package rules
// has found the signer by [Opening], so the account is the signer.
//
// It returns, in this order: Forbidden if the account is another's or the key not
// ROOT; what is wrong with kind, id and keys; AlreadyExists; Busy if [MaxOpened]
// accounts were opened in this minute.
func OpenAccount(a *act.Act, m *identityv1.OpenAccount) error {
	const rule = "identity/open_account"
	if a.Signer() != m.Id {
		return act.Refuse(fault.Forbidden, rule, "%s opens an account for another", a.Signer())
	}
	// Not Need: who opens an account with a synced passkey has nobody yet who could step him up.
	if a.Key.GetLevel() < rootLevel {
		return act.Refuse(fault.Forbidden, rule, "key %s has level %s: the account is opened with its ROOT key", a.Key.GetId(), a.Key.GetLevel())
	}
	acc, err := Opening(a.Tx, m, a.TimeMs)
	if err != nil {
		return err
	}
	if err := countOpened(a, rule); err != nil {
		return err
	}
	put(a.Tx, acc)
	a.Emit(rule, "", subject(acc.Id))
	return nil
}

// countOpened counts one more account in this minute, or refuses it.
func countOpened(a *act.Act, rule string) error {
	minute := state.Ordered(a.TimeMs / 60_000)
	count := uint64(0)
	if was, ok := opened.Get(a.Tx, "minute"); ok && was[:len(minute)] == minute {
		count, _ = strconv.ParseUint(was[len(minute)+1:], 10, 32) // we wrote it
	}
	if count >= MaxOpened {
		return act.Refuse(fault.Busy, rule, "%d accounts were opened in this minute: sign again in the next", count)
	}
	opened.Put(a.Tx, "minute", minute+"/"+strconv.FormatUint(count+1, 10))
	return nil
}

// Opening returns the account that m would open at that time, as yet unsaved, or
// the refusal of [OpenAccount]. Nobody has shown yet that he holds its keys.
func Opening(v state.View, m *identityv1.OpenAccount, timeMs int64) (*identityv1.Account, error) {
	const rule = "identity/open_account"
	prefix := ""
	switch m.Kind {
	case identityv1.AccountKind_ACCOUNT_KIND_PERSON:
		prefix = "p-"
	case identityv1.AccountKind_ACCOUNT_KIND_FIRM:
		prefix = "f-"
	default:
		return nil, act.Refuse(fault.OutOfRange, rule, "kind %s: persons and firms open accounts themselves", m.Kind)
	}
	if !isRandomID(m.Id, prefix) {
		return nil, act.Refuse(fault.Malformed, rule, "id %.50q: want %s and 32 hex digits", m.Id, prefix)
	}
	if err := checkNewKeys(rule, m.Keys, m.Kind, timeMs); err != nil {
		return nil, err
	}
	if _, taken := accounts.Get(v, m.Id); taken {
		return nil, act.Refuse(fault.AlreadyExists, rule, "%s is open already", m.Id)
	}
	return &identityv1.Account{
		Id: m.Id, Kind: m.Kind, State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE,
		Keys: activate(m.Keys, timeMs), CreatedMs: timeMs,
	}, nil
}

func isRandomID(id, prefix string) bool {
	if len(id) != len(prefix)+32 || id[:len(prefix)] != prefix {
		return false
	}
	for _, c := range []byte(id[len(prefix):]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
