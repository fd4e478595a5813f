package safebox

import (
	"bytes"

	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/act"
)

// RegisterVault opens the box of the account that signs, OFFICER.
//
// In this order: Forbidden (kind of account, level); what is wrong with keys (Missing,
// TooLong, OutOfRange, CodeInconsistent, Malformed) and unlockers (Missing, TooLong,
// OutOfRange, CodeInconsistent); Missing, Malformed (unlockers_hash); AlreadyExists.
func RegisterVault(a *act.Act, m *safeboxv1.RegisterVault) error {
	const rule = "safebox/register_vault"
	if err := mayHaveBox(a, rule); err != nil {
		return err
	}
	if err := act.First(
		checkKeys(rule, m.Keys, true),
		checkUnlockers(rule, m.Unlockers),
		act.Hash(rule, "unlockers_hash", m.UnlockersHash, true),
	); err != nil {
		return err
	}
	if _, ok := vaults.Get(a.Tx, a.Signer()); ok {
		return act.Refuse(fault.AlreadyExists, rule, "%s has a vault: change it", a.Signer())
	}
	vaults.Put(a.Tx, a.Signer(), &safeboxv1.Vault{
		Account: a.Signer(), Version: 1, Keys: m.Keys, KeyVersion: 1, Unlockers: m.Unlockers, UnlockersHash: m.UnlockersHash,
		AtMs: a.TimeMs, Height: a.Height,
	})
	a.Emit("safebox/register_vault", "", VaultKey(a.Signer()))
	return nil
}

// ChangeVault replaces unlockers, and keys if it brings any. Signed by the vault's account,
// OFFICER.
//
// In this order: Forbidden (kind of account, level); keys and unlockers as for
// [RegisterVault], no keys being allowed; VaultMissing; VersionConflict; UnlockersShort
// (one kind, with own items in the box); CodeInconsistent (the keys are those that it has).
func ChangeVault(a *act.Act, m *safeboxv1.ChangeVault) error {
	const rule = "safebox/change_vault"
	if err := mayHaveBox(a, rule); err != nil {
		return err
	}
	if err := act.First(
		checkKeys(rule, m.Keys, false),
		checkUnlockers(rule, m.Unlockers),
		act.Hash(rule, "unlockers_hash", m.UnlockersHash, true),
	); err != nil {
		return err
	}
	vault, ok := vaults.Get(a.Tx, a.Signer())
	switch {
	case !ok:
		return act.Refuse(fault.VaultMissing, rule, "%s has no vault: register one", a.Signer())
	case m.Version != vault.Version:
		return act.Refuse(fault.VersionConflict, rule, "the vault of %s is at version %d, not %d", a.Signer(), vault.Version, m.Version)
	case len(m.Unlockers) < twoKinds && vault.OwnItems > 0:
		return act.Refuse(fault.UnlockersShort, rule, "%d items in this box can be got nowhere else: keep unlockers of two kinds", vault.OwnItems)
	}
	note := "unlockers"
	vault.Version++
	if len(m.Keys) > 0 {
		if sameKeys(vault.Keys, m.Keys) {
			return act.Refuse(fault.CodeInconsistent, rule, "these are the keys that the vault has")
		}
		vault.Keys, vault.KeyVersion, note = m.Keys, vault.Version, "keys"
	}
	vault.Unlockers, vault.UnlockersHash, vault.AtMs, vault.Height, vault.RewrapMs = m.Unlockers, m.UnlockersHash, a.TimeMs, a.Height, 0
	vaults.Put(a.Tx, a.Signer(), vault)
	a.Emit("safebox/change_vault", note, VaultKey(a.Signer()))
	return nil
}

// Recovered is told that an account has new keys: its vault's key has to be wrapped for them,
// which only the holder can do, with an unlocker that is left. The ledger notes the task.
func Recovered(a *act.Act, account string) {
	vault, ok := vaults.Get(a.Tx, account)
	if !ok {
		return
	}
	vault.RewrapMs = a.TimeMs
	vaults.Put(a.Tx, account, vault)
	a.Emit("safebox/rewrap_due", "", VaultKey(account), "identity/account/"+account)
}

// mayHaveBox: persons, firms and organisations have boxes; posts, units and gateways do not.
func mayHaveBox(a *act.Act, rule string) error {
	switch a.Account.GetKind() {
	case identityv1.AccountKind_ACCOUNT_KIND_PERSON, identityv1.AccountKind_ACCOUNT_KIND_FIRM, identityv1.AccountKind_ACCOUNT_KIND_ORG:
		return a.Need(officer)
	}
	return act.Refuse(fault.Forbidden, rule, "%s cannot have a box: persons, firms and organisations can", a.Signer())
}

// checkKeys: by suite, each once, P-256 always, each a key of its suite.
func checkKeys(rule string, keys []*safeboxv1.VaultKey, needed bool) error {
	switch {
	case len(keys) == 0 && needed:
		return act.Refuse(fault.Missing, rule, "keys are missing")
	case len(keys) > maxKeys:
		return act.Refuse(fault.TooLong, rule, "%d keys, at most one for each of %d suites", len(keys), maxKeys)
	}
	common := len(keys) == 0
	for i, k := range keys {
		if k.GetSuite() == 0 || act.Listed(rule, "suite", k.GetSuite()) != nil {
			return act.RefuseItem(fault.OutOfRange, rule, i, "suite %d is not in its list", k.GetSuite())
		}
		if i > 0 && keys[i-1].Suite >= k.Suite {
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "keys: by suite, each once")
		}
		common = common || k.Suite == safeboxv1.SealSuite_SEAL_SUITE_P256
		if !isKey(k) {
			return act.RefuseItem(fault.Malformed, rule, i, "these %d bytes are no key of suite %s", len(k.PublicKey), k.Suite)
		}
	}
	if !common {
		return act.Refuse(fault.Missing, rule, "a P-256 key is missing: everybody can seal to it")
	}
	return nil
}

// isKey looks at form and, for points, at the curve. Whether the first 1184 bytes of a
// hybrid key are a good ML-KEM key is for whoever seals to it to find: the ledger does not
// carry the arithmetic.
func isKey(k *safeboxv1.VaultKey) bool {
	switch k.Suite {
	case safeboxv1.SealSuite_SEAL_SUITE_SM:
		return isPoint(sm.SM2, k.PublicKey)
	case safeboxv1.SealSuite_SEAL_SUITE_P256:
		return isPoint(sm.P256, k.PublicKey)
	case safeboxv1.SealSuite_SEAL_SUITE_HYBRID:
		return len(k.PublicKey) == hybridBytes && isPoint(sm.P256, k.PublicKey[hybridBytes-pointBytes:])
	}
	return false
}

func isPoint(alg sm.Algorithm, raw []byte) bool {
	if len(raw) != pointBytes {
		return false
	}
	_, err := sm.ParsePublic(alg, raw)
	return err == nil
}

func sameKeys(x, y []*safeboxv1.VaultKey) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Suite != y[i].Suite || !bytes.Equal(x[i].PublicKey, y[i].PublicKey) {
			return false
		}
	}
	return true
}

// checkUnlockers: ascending, each once, of the list.
func checkUnlockers(rule string, kinds []safeboxv1.UnlockerKind) error {
	switch {
	case len(kinds) == 0:
		return act.Refuse(fault.Missing, rule, "unlockers are missing")
	case len(kinds) > maxUnlockers:
		return act.Refuse(fault.TooLong, rule, "%d kinds of unlockers, at most %d", len(kinds), maxUnlockers)
	}
	for i, k := range kinds {
		if k == 0 || act.Listed(rule, "unlockers", k) != nil {
			return act.RefuseItem(fault.OutOfRange, rule, i, "unlocker %d is not in its list", k)
		}
		if i > 0 && kinds[i-1] >= k {
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "unlockers: ascending, each once")
		}
	}
	return nil
}
