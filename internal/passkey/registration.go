package passkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"mulian/internal/sm"
)

// ErrRegistration is wrapped by what [ParseRegistration] and [ParseCOSE] refuse beside the
// errors that they share with assertions.
var ErrRegistration = errors.New("not the registration of an ES256 passkey")

// Registration is what a device says of a passkey that it has made. The ledger needs the
// point, the rp id's hash and whether it can be backed up; the credential's id is the page's
// to keep.
type Registration struct {
	Public         sm.PublicKey // P-256
	CredentialID   []byte
	RPIDHash       [32]byte
	BackupEligible bool
	BackedUp       bool
	Counter        uint32
	AAGUID         [16]byte // make of the authenticator, as it says; zeros = it does not
	Format         string   // of the attestation statement, which is not judged here
}

// KeyID is the id of a passkey's key on the ledger: from algorithm 4 and the point, as
// [sm.PublicKey.ID] is from algorithm and bytes.
func KeyID(point []byte) string {
	h := sha256.Sum256(append([]byte{4}, point...))
	return hex.EncodeToString(h[:8])
}

// ParseRegistration reads an attestation object and its client data. rp, origin and
// challenge are what [Expect] is for assertions; e.BackupEligible is not looked at. A user
// who was not verified is refused: his passkey could sign nothing later.
func (e Expect) ParseRegistration(attestation, client []byte) (Registration, error) {
	if len(attestation) > MaxAttestation || len(client) > MaxClientData {
		return Registration{}, fmt.Errorf("%w: attestation of %d bytes, client data of %d", ErrSize, len(attestation), len(client))
	}
	origin, err := clientData(client, "webauthn.create", e.Challenge)
	if err != nil {
		return Registration{}, err
	}
	if !e.Origin(origin) {
		return Registration{}, fmt.Errorf("%w: %.100q", ErrOrigin, origin)
	}
	format, data, err := attestationObject(attestation)
	if err != nil {
		return Registration{}, err
	}
	r, err := attested(data)
	if err != nil {
		return Registration{}, err
	}
	r.Format = format
	switch flags := data[32]; {
	case r.RPIDHash != e.RPIDHash:
		return Registration{}, ErrRPID
	case flags&(flagUP|flagUV) != flagUP|flagUV:
		return Registration{}, ErrUser
	case r.BackedUp && !r.BackupEligible:
		return Registration{}, ErrBackup
	}
	return r, nil
}

// attestationObject returns format and authenticator data of {fmt, attStmt, authData}.
func attestationObject(b []byte) (format string, data []byte, err error) {
	d := decoder{rest: b}
	n, err := d.header(majorMap)
	if err != nil || n != 3 {
		return "", nil, fmt.Errorf("%w: the attestation is no map of three", ErrRegistration)
	}
	seen := 0
	for range n {
		name, err := d.text()
		if err != nil {
			return "", nil, err
		}
		switch name {
		case "fmt":
			format, err = d.text()
			seen |= 1
		case "attStmt":
			err = d.skip(0)
			seen |= 2
		case "authData":
			data, err = d.bytes()
			seen |= 4
		default:
			return "", nil, fmt.Errorf("%w: the attestation has %.20q", ErrRegistration, name)
		}
		if err != nil {
			return "", nil, err
		}
	}
	if seen != 7 || len(d.rest) != 0 {
		return "", nil, fmt.Errorf("%w: the attestation lacks a part, or goes on behind its end", ErrRegistration)
	}
	return format, data, nil
}

// attested reads authenticator data with a new credential in it.
func attested(b []byte) (Registration, error) {
	const fixed = MinAuthenticatorData + 16 + 2 // make of the authenticator, length of the id
	if len(b) < fixed || b[32]&flagAT == 0 {
		return Registration{}, fmt.Errorf("%w: authenticator data of %d bytes without a credential", ErrRegistration, len(b))
	}
	r := Registration{
		RPIDHash: [32]byte(b), AAGUID: [16]byte(b[37:53]), Counter: binary.BigEndian.Uint32(b[33:37]),
		BackupEligible: b[32]&flagBE != 0, BackedUp: b[32]&flagBS != 0,
	}
	n := int(binary.BigEndian.Uint16(b[53:55]))
	if n == 0 || n > MaxCredentialID || n > len(b)-fixed {
		return Registration{}, fmt.Errorf("%w: credential id of %d bytes", ErrRegistration, n)
	}
	r.CredentialID = bytes.Clone(b[fixed : fixed+n])
	d := decoder{rest: b[fixed+n:]}
	var err error
	if r.Public, err = d.key(); err != nil {
		return Registration{}, err
	}
	if b[32]&flagED != 0 {
		if err := d.skip(0); err != nil {
			return Registration{}, err
		}
	}
	if len(d.rest) != 0 {
		return Registration{}, fmt.Errorf("%w: %d bytes behind the key", ErrRegistration, len(d.rest))
	}
	return r, nil
}

// ParseCOSE reads an ES256 key {1: 2, 3: -7, -1: 1, -2: x, -3: y} and nothing behind it.
func ParseCOSE(b []byte) (sm.PublicKey, error) {
	d := decoder{rest: b}
	k, err := d.key()
	if err == nil && len(d.rest) != 0 {
		return sm.PublicKey{}, fmt.Errorf("%w: %d bytes behind the key", ErrRegistration, len(d.rest))
	}
	return k, err
}
