package prooffile

import (
	"fmt"

	"mulian/internal/passkey"
	"mulian/internal/sm"
)

// Passkeys (identity.v1.KEY_ALGORITHM_WEBAUTHN) sign transactions alone.
const (
	passkeyAlgorithm = 4
	passkeyName      = "passkey"
)

// device is a passkey as the ledger keeps it.
type device struct {
	public   sm.PublicKey
	site     [32]byte // SHA-256 of the relying party's id
	eligible bool     // for backup, as at enrolment
}

// device reads the key of a device out of an account.
func (k *accountKey) device() (*device, error) {
	public, err := sm.ParsePublic(sm.P256, k.public)
	if err != nil || passkey.KeyID(k.public) != k.id {
		return nil, fmt.Errorf("no point under its id: %w", err)
	}
	v, err := scan(k.passkey, false, field{1, 'b'}, field{2, 'n'})
	if err != nil || len(v.raw(1)) != 32 || v.number(2) > 1 {
		return nil, fmt.Errorf("no relying party: %w", err)
	}
	return &device{public: public, site: [32]byte(v.raw(1)), eligible: v.number(2) == 1}, nil
}

// signed says whether these bytes are the assertion of this device for the transaction. On
// which page it was made is not looked at: the relying party is in what the device signs,
// and which pages of it may ask is what the ledger's rules said at the time.
func (d *device) signed(id [32]byte, assertion []byte) bool {
	v, err := scan(assertion, true, field{1, 'b'}, field{2, 'b'}, field{3, 'b'})
	if err != nil {
		return false
	}
	challenge := passkey.Challenge(id)
	expect := passkey.Expect{
		Challenge: challenge[:], RPIDHash: d.site, BackupEligible: d.eligible, Origin: func(string) bool { return true },
	}
	_, err = expect.Verify(d.public, passkey.Assertion{AuthenticatorData: v.raw(1), ClientDataJSON: v.raw(2), Signature: v.raw(3)})
	return err == nil
}
