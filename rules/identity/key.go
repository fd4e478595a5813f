package identity

import (
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/internal/sm"
	"mulian/state"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

const (
	machineLevel = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officerLevel = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	rootLevel    = identityv1.KeyLevel_KEY_LEVEL_ROOT
)

// ParseKey returns the public key that k holds, or an error if its bytes are none.
// It does not look at level, state or end.
func ParseKey(k *identityv1.Key) (sm.PublicKey, error) {
	switch k.GetAlgorithm() {
	case identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2, identityv1.KeyAlgorithm_KEY_ALGORITHM_P256, identityv1.KeyAlgorithm_KEY_ALGORITHM_ED25519:
		return sm.ParsePublic(sm.Algorithm(k.Algorithm), k.PublicKey)
	}
	return sm.PublicKey{}, sm.ErrKey
}

// ParsePasskey returns the P-256 key that a passkey holds, or an error if k is none. What
// it signs is an assertion, never the message itself: so it is no [ParseKey].
func ParsePasskey(k *identityv1.Key) (sm.PublicKey, error) {
	if k.GetAlgorithm() != identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
		return sm.PublicKey{}, sm.ErrKey
	}
	return sm.ParsePublic(sm.P256, k.PublicKey)
}

// identified returns the public key that k holds, passkey or not, with the id that follows
// from it.
func identified(k *identityv1.Key) (public sm.PublicKey, id string, err error) {
	if k.GetAlgorithm() == identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
		public, err = ParsePasskey(k)
		return public, passkey.KeyID(k.PublicKey), err
	}
	public, err = ParseKey(k)
	return public, public.ID(), err
}

// Signs reports whether the key signs at that block time: it is active, has not ended,
// and no vote has suspended it.
func Signs(k *identityv1.Key, timeMs int64) bool {
	return k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE && !k.Suspended && (k.EndsMs == 0 || timeMs < k.EndsMs)
}

// checkPublic refuses a key whose algorithm is unknown or not accepted (OutOfRange),
// whose bytes are no key (Malformed), or whose id is another's (CodeInconsistent).
func checkPublic(rule string, i int, k *identityv1.Key) error {
	if k == nil {
		return act.RefuseItem(fault.Missing, rule, i, "a key is missing")
	}
	switch k.Algorithm {
	case identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2, identityv1.KeyAlgorithm_KEY_ALGORITHM_P256, identityv1.KeyAlgorithm_KEY_ALGORITHM_ED25519:
	default:
		return act.RefuseItem(fault.OutOfRange, rule, i, "key algorithm %d: SM2, P-256 and Ed25519 are accepted", k.Algorithm)
	}
	if k.Passkey != nil {
		return act.RefuseItem(fault.Malformed, rule, i, "key %.20q is no passkey", k.Id)
	}
	return checkBytes(rule, i, k)
}

// checkBytes refuses bytes that are no key of their algorithm, and another id than theirs.
func checkBytes(rule string, i int, k *identityv1.Key) error {
	_, id, err := identified(k)
	if err != nil {
		return act.RefuseItem(fault.Malformed, rule, i, "key %.20q: %v", k.Id, err)
	}
	if k.Id != id {
		return act.RefuseItem(fault.CodeInconsistent, rule, i, "key %.20q: its bytes give the id %s", k.Id, id)
	}
	return nil
}

// checkPasskey is checkPublic for a passkey: OutOfRange for a gateway, which is a machine
// and has no finger (an officer signs with his own device, too; docs/decisions/0047), Missing without what is known of the passkey, Malformed if that is not what it
// should be, or is for the ledger to say.
func checkPasskey(rule string, i int, k *identityv1.Key, kind identityv1.AccountKind) error {
	p := k.Passkey
	switch {
	case kind == identityv1.AccountKind_ACCOUNT_KIND_GATEWAY:
		return act.RefuseItem(fault.OutOfRange, rule, i, "key %.20q: a gateway is a machine and has no passkey", k.Id)
	case p == nil:
		return act.RefuseItem(fault.Missing, rule, i, "key %.20q: passkey is missing", k.Id)
	case len(p.RpIdHash) != act.HashBytes:
		return act.RefuseItem(fault.Malformed, rule, i, "key %.20q: rp_id_hash of %d bytes", k.Id, len(p.RpIdHash))
	case p.Counter != 0 || p.CloneSuspected || p.BackedUp:
		return act.RefuseItem(fault.Malformed, rule, i, "key %.20q: counter and flags of a passkey are set by the ledger", k.Id)
	}
	return checkBytes(rule, i, k)
}

// Owner reports whether accounts of the kind are those of persons and firms: data owners,
// who open their accounts themselves.
func Owner(kind identityv1.AccountKind) bool {
	return kind == identityv1.AccountKind_ACCOUNT_KIND_PERSON || kind == identityv1.AccountKind_ACCOUNT_KIND_FIRM
}

// checkNewKey refuses a key that cannot be added to an account of the kind at that time:
// see checkPublic and checkPasskey; then OutOfRange for a level that it cannot have or an
// end that is past, Malformed if a field is set that the ledger sets.
func checkNewKey(rule string, i int, k *identityv1.Key, kind identityv1.AccountKind, timeMs int64) error {
	check := checkPublic
	if k.GetAlgorithm() == identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
		check = func(rule string, i int, k *identityv1.Key) error { return checkPasskey(rule, i, k, kind) }
	}
	if err := check(rule, i, k); err != nil {
		return err
	}
	lo, hi := levels(kind)
	switch {
	case k.Level < lo || k.Level > hi:
		return act.RefuseItem(fault.OutOfRange, rule, i, "key %s has level %s: %s to %s are possible here", k.Id, k.Level, lo, hi)
	case k.State != 0 || k.AddedMs != 0 || k.RevokedMs != 0 || k.Suspended || k.Custodian != "":
		return act.RefuseItem(fault.Malformed, rule, i, "key %s: state and times are set by the ledger", k.Id)
	case k.EndsMs != 0 && k.EndsMs <= timeMs:
		return act.RefuseItem(fault.OutOfRange, rule, i, "key %s would end before it begins", k.Id)
	}
	return act.Line(rule, "label", k.Label, MaxLabel, false)
}

// checkNewKeys checks the keys of a new account: TooLong for more than MaxKeys,
// then each key, Duplicate for a key that is twice in it, and Missing if there
// are ROOT keys possible and none that never ends.
func checkNewKeys(rule string, keys []*identityv1.Key, kind identityv1.AccountKind, timeMs int64) error {
	if len(keys) > MaxKeys {
		return act.Refuse(fault.TooLong, rule, "%d keys, at most %d", len(keys), MaxKeys)
	}
	lasting := false
	for i, k := range keys {
		if err := checkNewKey(rule, i, k, kind, timeMs); err != nil {
			return err
		}
		for _, before := range keys[:i] {
			if before.Id == k.Id {
				return act.RefuseItem(fault.Duplicate, rule, i, "key %s is there twice", k.Id)
			}
		}
		lasting = lasting || k.Level == rootLevel && k.EndsMs == 0
	}
	if _, hi := levels(kind); hi == rootLevel && !lasting {
		return act.Refuse(fault.Missing, rule, "there has to be a ROOT key that never ends")
	}
	return nil
}

// activate makes the keys of a message those of an account.
func activate(keys []*identityv1.Key, timeMs int64) []*identityv1.Key {
	out := make([]*identityv1.Key, len(keys))
	for i, k := range keys {
		out[i] = activated(k, timeMs)
	}
	return out
}

// activated returns a copy of the key of a message as it stands in the state.
func activated(k *identityv1.Key, timeMs int64) *identityv1.Key {
	return &identityv1.Key{
		Id: k.Id, Algorithm: k.Algorithm, PublicKey: k.PublicKey, Level: k.Level, EndsMs: k.EndsMs, Label: k.Label, Passkey: k.Passkey,
		State: identityv1.KeyState_KEY_STATE_ACTIVE, AddedMs: timeMs,
	}
}

// hasLastingRoot reports whether a ROOT key is active and never ends, the key but
// set aside.
func hasLastingRoot(acc *identityv1.Account, but string) bool {
	for _, k := range acc.Keys {
		if k.Id != but && k.Level == rootLevel && k.State == identityv1.KeyState_KEY_STATE_ACTIVE && k.EndsMs == 0 {
			return true
		}
	}
	return false
}

// active counts the keys of an account that are not revoked.
func active(acc *identityv1.Account) (n int) {
	for _, k := range acc.Keys {
		if k.State == identityv1.KeyState_KEY_STATE_ACTIVE {
			n++
		}
	}
	return n
}

// levels returns the lowest and highest level that keys of an account of the kind
// may have.
func levels(kind identityv1.AccountKind) (lo, hi identityv1.KeyLevel) {
	switch kind {
	case identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, identityv1.AccountKind_ACCOUNT_KIND_POST:
		return machineLevel, officerLevel
	case identityv1.AccountKind_ACCOUNT_KIND_GATEWAY:
		return machineLevel, machineLevel
	}
	return machineLevel, rootLevel
}

// known reports whether the account has or had the key.
func known(v state.View, acc *identityv1.Account, id string) bool {
	_, ok := FindKey(v, acc, id)
	return ok
}
