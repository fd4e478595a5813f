package passkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"mulian/internal/sm"
)

// Why [Expect.Check] and [Verify] refuse, in the order in which they look.
var (
	ErrSize          = errors.New("sizes are not those of an assertion")
	ErrClientData    = errors.New("client data is not that of this challenge")
	ErrOrigin        = errors.New("signed on an unknown page")
	ErrRPID          = errors.New("made for another relying party")
	ErrUser          = errors.New("the user was not present, or not verified")
	ErrBackup        = errors.New("backed up, but not eligible for backup")
	ErrBackupChanged = errors.New("the backup eligibility is another than at enrolment")
	ErrFlags         = errors.New("flags and length of the authenticator data contradict each other")
	ErrForm          = errors.New("the signature is neither DER nor r || s")
	ErrSignature     = errors.New("the signature does not hold")
)

// Flags of the authenticator data, section 6.1.
const (
	flagUP = 1 << 0 // user present
	flagUV = 1 << 2 // user verified
	flagBE = 1 << 3 // backup eligible
	flagBS = 1 << 4 // backed up
	flagAT = 1 << 6 // attested credential data follow
	flagED = 1 << 7 // extension data follow
)

// challengeDomain stands before what is hashed to a challenge.
const challengeDomain = "mulian-passkey-v1\x00"

// Challenge is what a device is given to sign for the transaction of that id.
func Challenge(id [32]byte) [32]byte {
	return sha256.Sum256(append([]byte(challengeDomain), id[:]...))
}

// RPIDHash is the hash of a relying party's id, as authenticators write it.
func RPIDHash(rpID string) [32]byte { return sha256.Sum256([]byte(rpID)) }

// Assertion is what a device answers, in the bytes that came.
type Assertion struct {
	AuthenticatorData []byte
	ClientDataJSON    []byte
	Signature         []byte // DER, or r || s in 64 bytes
}

// Expect is what an assertion has to say.
type Expect struct {
	Challenge      []byte                   // as it was given to the device; 16-64 bytes
	RPIDHash       [32]byte                 // of the key
	BackupEligible bool                     // as at enrolment
	Origin         func(origin string) bool // whether that page may ask for signatures
}

// Signed is an assertion that says what it has to, if the signature holds.
type Signed struct {
	Message   []byte // what the device signed
	Signature []byte // DER, s ≤ n/2
	Origin    string // where
	Counter   uint32 // of signatures; 0 = the device does not count
	BackedUp  bool   // there are copies of the key
}

// Check refuses an assertion that does not say what is expected, with one of the errors of
// this package, and returns what its signature has to cover otherwise. It does not check
// the signature.
func (e Expect) Check(a Assertion) (Signed, error) {
	if n := len(a.AuthenticatorData); n < MinAuthenticatorData || n > MaxAuthenticatorData {
		return Signed{}, fmt.Errorf("%w: authenticator data of %d bytes", ErrSize, n)
	}
	if n := len(a.ClientDataJSON); n > MaxClientData {
		return Signed{}, fmt.Errorf("%w: client data of %d bytes, at most %d", ErrSize, n, MaxClientData)
	}
	origin, err := clientData(a.ClientDataJSON, "webauthn.get", e.Challenge)
	if err != nil {
		return Signed{}, err
	}
	if !e.Origin(origin) {
		return Signed{}, fmt.Errorf("%w: %.100q", ErrOrigin, origin)
	}
	if err := e.checkData(a.AuthenticatorData); err != nil {
		return Signed{}, err
	}
	sig, err := oneForm(a.Signature)
	if err != nil {
		return Signed{}, err
	}
	hash := sha256.Sum256(a.ClientDataJSON)
	return Signed{
		Message:   append(bytes.Clone(a.AuthenticatorData), hash[:]...),
		Signature: sig,
		Origin:    origin,
		Counter:   binary.BigEndian.Uint32(a.AuthenticatorData[33:37]),
		BackedUp:  a.AuthenticatorData[32]&flagBS != 0,
	}, nil
}

// checkData checks the fixed part of authenticator data, whose length was checked.
func (e Expect) checkData(b []byte) error {
	flags := b[32]
	switch {
	case [32]byte(b) != e.RPIDHash:
		return ErrRPID
	case flags&(flagUP|flagUV) != flagUP|flagUV:
		return ErrUser
	case flags&flagBS != 0 && flags&flagBE == 0:
		return ErrBackup
	case (flags&flagBE != 0) != e.BackupEligible:
		return ErrBackupChanged
	case flags&flagAT != 0 || (flags&flagED != 0) != (len(b) > MinAuthenticatorData):
		return ErrFlags
	}
	return nil
}

// Verify is Check, and the signature holds for the key.
func (e Expect) Verify(public sm.PublicKey, a Assertion) (Signed, error) {
	s, err := e.Check(a)
	if err != nil {
		return Signed{}, err
	}
	if public.Algorithm() != sm.P256 || !public.Verify(s.Message, s.Signature) {
		return Signed{}, ErrSignature
	}
	return s, nil
}

// clientData returns the origin of client data that begin as the standard's
// serialisation of type and challenge does, and were not made in another site's frame.
// The origin is taken from between two quotes and has no escapes in it: what contains
// one is no origin of a page.
func clientData(b []byte, kind string, challenge []byte) (origin string, err error) {
	head := `{"type":"` + kind + `","challenge":"` + base64.RawURLEncoding.EncodeToString(challenge) + `","origin":"`
	rest, ok := bytes.CutPrefix(b, []byte(head))
	if !ok {
		return "", fmt.Errorf("%w: it does not begin with the type and the challenge", ErrClientData)
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || end > MaxOrigin || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return "", fmt.Errorf("%w: the origin has no end", ErrClientData)
	}
	origin = string(rest[:end])
	rest, ok = bytes.CutPrefix(rest[end:], []byte(`","crossOrigin":false`))
	if !ok {
		return "", fmt.Errorf("%w: crossOrigin is not false, or not where it has to be", ErrClientData)
	}
	if len(rest) == 0 || rest[len(rest)-1] != '}' || rest[0] != ',' && len(rest) != 1 {
		return "", fmt.Errorf("%w: its end is missing", ErrClientData)
	}
	return origin, nil
}
