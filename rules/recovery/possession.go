package recovery

import (
	"crypto/sha256"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/canon"
	"mulian/internal/passkey"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/rules/identity"
)

// proofed refuses at a counter where there is nothing to compare a person with: NotProofed,
// ProofingExpired. Any level will do: the officers have papers and face before them.
func proofed(a *act.Act, account string) error {
	_, err := identity.Proofed(a.Tx, account, identityv1.ProofingLevel_PROOFING_LEVEL_BASIC, a.TimeMs)
	return err
}

// possessed reports whether whoever has the key has signed the message with it. A passkey
// has signed the challenge that a transaction with the message's hash as its id would have.
func possessed(a *act.Act, k *identityv1.Key, message, signature []byte) bool {
	if k.Algorithm != identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
		public, err := identity.ParseKey(k)
		return err == nil && public.Verify(message, signature)
	}
	m := new(identityv1.PasskeyAssertion)
	public, err := identity.ParsePasskey(k)
	if err != nil || canon.Check(signature, m) != nil {
		return false
	}
	challenge := passkey.Challenge(sha256.Sum256(message))
	_, err = passkey.Expect{
		Challenge: challenge[:], RPIDHash: [32]byte(k.Passkey.RpIdHash), BackupEligible: k.Passkey.BackupEligible,
		Origin: func(origin string) bool {
			return standard.PasskeyOrigin(governance.Parameters(a.Tx), a.ChainID, origin)
		},
	}.Verify(public, passkey.Assertion{AuthenticatorData: m.AuthenticatorData, ClientDataJSON: m.ClientDataJson, Signature: m.Signature})
	return err == nil
}
