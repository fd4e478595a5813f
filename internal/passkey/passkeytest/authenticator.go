// Package passkeytest is an authenticator in software: it makes passkeys and assertions
// as devices do, and also as they must not, for tests of whoever checks them.
//
// It is no place to keep a real key: the key lies in memory, and nobody is asked for his
// finger.
//
//	a := passkeytest.New("localhost", "http://localhost:8080", seed)
//	key := a.Key(identityv1.KeyLevel_KEY_LEVEL_ROOT) // for OpenAccount
//	assertion := a.Sign(passkey.Challenge(txID))
package passkeytest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/canon"
	"mulian/internal/passkey"
	"mulian/internal/sm"
)

// Authenticator is one passkey in one device. Its fields may be changed between two
// signatures, to be what another device would be. One goroutine uses it.
type Authenticator struct {
	RPID, Origin   string
	Secret         sm.PrivateKey // P-256
	BackupEligible bool          // BE: a synced passkey
	BackedUp       bool          // BS
	Absent         bool          // UP off
	Unverified     bool          // UV off
	Counts         bool          // the counter rises with each signature
	Counter        uint32
	CrossOrigin    bool   // made in another site's frame
	Extra          string // behind crossOrigin: `,"name":1`; "" = as Chromium at times writes
	HighS          bool   // s > n/2
	Raw            bool   // r || s in place of DER
	Extensions     []byte // CBOR behind the counter; ED on if there is any
}

// New makes a device-bound passkey whose key follows from the seed, that counts.
func New(rpID, origin string, seed string) *Authenticator {
	k, err := sm.FromSeed(sm.P256, sha256.Sum256([]byte("passkeytest "+seed)))
	if err != nil {
		panic("passkeytest: the seed gives no key: " + err.Error()) // 1 in 2^32 seeds, of a test's author
	}
	return &Authenticator{RPID: rpID, Origin: origin, Secret: k, Counts: true}
}

// Synced makes a passkey that the owner's cloud copies: backed up, and without a counter.
func Synced(rpID, origin string, seed string) *Authenticator {
	a := New(rpID, origin, seed)
	a.BackupEligible, a.BackedUp, a.Counts = true, true, false
	return a
}

// Key returns the public key as a message of the ledger carries it.
func (a *Authenticator) Key(level identityv1.KeyLevel) *identityv1.Key {
	hash := passkey.RPIDHash(a.RPID)
	point := a.Secret.Public().Bytes()
	return &identityv1.Key{
		Id: passkey.KeyID(point), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN, PublicKey: point, Level: level,
		Passkey: &identityv1.Passkey{RpIdHash: hash[:], BackupEligible: a.BackupEligible},
	}
}

// Sign answers a challenge.
func (a *Authenticator) Sign(challenge [32]byte) passkey.Assertion {
	if a.Counts {
		a.Counter++
	}
	client := a.clientData("webauthn.get", challenge[:])
	data := append(a.data(0), a.Extensions...)
	hash := sha256.Sum256(client)
	sig, err := a.Secret.Sign(append(append([]byte{}, data...), hash[:]...))
	if err != nil {
		panic("passkeytest: " + err.Error())
	}
	return passkey.Assertion{AuthenticatorData: data, ClientDataJSON: client, Signature: a.form(sig)}
}

// SignTx answers the challenge of a transaction, as the bytes that its envelope carries.
func (a *Authenticator) SignTx(id [32]byte) []byte { return Bytes(a.Sign(passkey.Challenge(id))) }

// Bytes returns an assertion as an envelope carries it.
func Bytes(s passkey.Assertion) []byte {
	raw, err := canon.Marshal(&identityv1.PasskeyAssertion{AuthenticatorData: s.AuthenticatorData, ClientDataJson: s.ClientDataJSON, Signature: s.Signature})
	if err != nil {
		panic("passkeytest: " + err.Error())
	}
	return raw
}

// CredentialID is that of the passkey: 16 bytes that follow from its key.
func (a *Authenticator) CredentialID() []byte {
	sum := sha256.Sum256(a.Secret.Public().Bytes())
	return sum[:16]
}

// Create answers the challenge of a registration, without attestation.
func (a *Authenticator) Create(challenge []byte) (attestation, client []byte) {
	point := a.Secret.Public().Bytes()
	cose := append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, point[1:33]...)
	cose = append(append(cose, 0x22, 0x58, 32), point[33:]...)
	data := append(a.data(1<<6), make([]byte, 16)...)
	id := a.CredentialID()
	data = append(append(append(data, 0, byte(len(id))), id...), cose...)
	data = append(data, a.Extensions...)
	object := append([]byte{0xa3, 0x63}, "fmt"...)
	object = append(append(append(object, 0x64), "none"...), 0x67)
	object = append(append(append(object, "attStmt"...), 0xa0, 0x68), "authData"...)
	length := []byte{0x59, byte(len(data) >> 8), byte(len(data))}
	if len(data) < 1<<8 {
		length = []byte{0x58, byte(len(data))}
	}
	return append(append(object, length...), data...), a.clientData("webauthn.create", challenge)
}

// data is the fixed part of authenticator data.
func (a *Authenticator) data(flags byte) []byte {
	for bit, off := range []bool{a.Absent, true, a.Unverified, !a.BackupEligible, !a.BackedUp, true, true, len(a.Extensions) == 0} {
		if !off {
			flags |= 1 << bit
		}
	}
	hash := passkey.RPIDHash(a.RPID)
	return binary.BigEndian.AppendUint32(append(hash[:], flags), a.Counter)
}

// clientData writes what a browser serialises, WebAuthn Level 3 section 5.8.1.1.
func (a *Authenticator) clientData(kind string, challenge []byte) []byte {
	cross := "false"
	if a.CrossOrigin {
		cross = "true"
	}
	return []byte(`{"type":"` + kind + `","challenge":"` + base64.RawURLEncoding.EncodeToString(challenge) +
		`","origin":"` + a.Origin + `","crossOrigin":` + cross + a.Extra + "}")
}
