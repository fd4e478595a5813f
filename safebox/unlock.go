package safebox

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
)

// Kinds of unlockers, as the ledger counts them.
const (
	Passkey      = safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSKEY
	RecoveryCode = safeboxv1.UnlockerKind_UNLOCKER_KIND_RECOVERY_CODE
	Shares       = safeboxv1.UnlockerKind_UNLOCKER_KIND_SHARES
	Custody      = safeboxv1.UnlockerKind_UNLOCKER_KIND_CUSTODY
	Passphrase   = safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSPHRASE
)

// Unlocker closes a vault's seed, and opens it again. What it closes is bound to the account
// and the version of the keys: [ErrOpen] for any other.
type Unlocker interface {
	Kind() safeboxv1.UnlockerKind
	Close(ctx context.Context, account string, keyVersion uint64, s Seed) (*safeboxv1.UnlockerBox, error)
	Open(ctx context.Context, account string, keyVersion uint64, b *safeboxv1.UnlockerBox) (Seed, error)
}

// PRFInput is what a passkey's PRF is evaluated at: the "first" of WebAuthn's prf extension.
const PRFInput = "mulian/vault/v1"

// secretUnlocker closes with HKDF of a secret that has at least 160 bits of chance.
type secretUnlocker struct {
	kind   safeboxv1.UnlockerKind
	id     []byte // of the secret; other boxes of the kind are not tried with it
	secret []byte
}

// ByPasskey unlocks by what the PRF of the passkey with this credential id gave for
// [PRFInput]. A passkey that is deleted takes its PRF with it: have another kind as well.
func ByPasskey(credential []byte, prf [32]byte) Unlocker {
	return secretUnlocker{kind: Passkey, id: bytes.Clone(credential), secret: prf[:]}
}

// ByRecoveryCode unlocks by a code that [NewRecoveryCode] made; [ErrForm] if a character of
// it is wrong.
func ByRecoveryCode(code string) (Unlocker, error) {
	secret, err := parseCode(code)
	if err != nil {
		return nil, err
	}
	return secretUnlocker{kind: RecoveryCode, secret: secret}, nil
}

func (u secretUnlocker) Kind() safeboxv1.UnlockerKind { return u.kind }

func (u secretUnlocker) Close(_ context.Context, account string, keyVersion uint64, s Seed) (*safeboxv1.UnlockerBox, error) {
	b := &safeboxv1.UnlockerBox{Kind: u.kind, Id: u.id, Salt: random(16)}
	kek, err := u.kek(b.Salt)
	if err != nil {
		return nil, err
	}
	b.Box, err = closeWith(kek, "unlocker", unlockerBound(account, keyVersion, u.kind, u.id), s[:])
	return b, err
}

func (u secretUnlocker) Open(_ context.Context, account string, keyVersion uint64, b *safeboxv1.UnlockerBox) (Seed, error) {
	if b.GetKind() != u.kind || !bytes.Equal(b.GetId(), u.id) {
		return Seed{}, ErrOpen
	}
	kek, err := u.kek(b.GetSalt())
	if err != nil {
		return Seed{}, err
	}
	raw, err := openWith(kek, "unlocker", unlockerBound(account, keyVersion, u.kind, u.id), b.GetBox())
	if err != nil || len(raw) != 32 {
		return Seed{}, ErrOpen
	}
	return Seed(raw), nil
}

// kek is HKDF-SHA256(secret, salt, frame of kind and credential id).
func (u secretUnlocker) kek(salt []byte) ([]byte, error) {
	info := canon.Frame("mulian/vault/v1", []byte{byte(u.kind)}, u.id)
	return hkdf.Key(sha256.New, u.secret, salt, string(info), 32)
}

// unlockerBound is to what an unlocker's box is bound.
func unlockerBound(account string, keyVersion uint64, kind safeboxv1.UnlockerKind, id []byte) []byte {
	return canon.Frame("mulian/vault/unlocker/v1", []byte(account), binary.BigEndian.AppendUint64(nil, keyVersion), []byte{byte(kind)}, id)
}

// CustodyBound is to what a box of kind CUSTODY is bound: the custodian makes it himself of what
// the ledger says, so that no other account's box is opened for it.
func CustodyBound(account string, keyVersion uint64, custodian string) []byte {
	return unlockerBound(account, keyVersion, Custody, []byte(custodian))
}

// closeWith is AES-256-GCM under a key that is derived of the secret for this one use:
// nonce || ciphertext.
func closeWith(secret []byte, use string, aad, plain []byte) ([]byte, error) {
	aead, err := useOf(secret, use)
	if err != nil {
		return nil, err
	}
	nonce := random(aead.NonceSize())
	return aead.Seal(nonce, nonce, plain, aad), nil
}

func openWith(secret []byte, use string, aad, box []byte) ([]byte, error) {
	aead, err := useOf(secret, use)
	if err != nil {
		return nil, err
	}
	n := aead.NonceSize()
	if len(box) < n {
		return nil, ErrOpen
	}
	plain, err := aead.Open(nil, box[:n], box[n:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Custodian is who keeps a vault's seed for people without a device: a separate legal
// operator with hardware behind PKCS#11. It opens only against what proves that its owner is
// there and the officers have signed; what that is, the custodian checks (spec/safebox.md,
// "Custody"), and each use is on the ledger.
type Custodian interface {
	// Account of the custodian on the ledger.
	Account() string
	// Wrap closes a secret; bound is given back at Unwrap and has to be the same.
	Wrap(ctx context.Context, secret, bound []byte) ([]byte, error)
	// Unwrap opens it, or says why not.
	Unwrap(ctx context.Context, box, bound []byte) ([]byte, error)
}

// ByCustody unlocks with the help of a custodian.
func ByCustody(c Custodian) Unlocker { return custodyUnlocker{c} }

type custodyUnlocker struct{ c Custodian }

func (custodyUnlocker) Kind() safeboxv1.UnlockerKind { return Custody }

func (u custodyUnlocker) Close(ctx context.Context, account string, keyVersion uint64, s Seed) (*safeboxv1.UnlockerBox, error) {
	id := []byte(u.c.Account())
	box, err := u.c.Wrap(ctx, s[:], unlockerBound(account, keyVersion, Custody, id))
	if err != nil {
		return nil, err
	}
	return &safeboxv1.UnlockerBox{Kind: Custody, Id: id, Box: box}, nil
}

func (u custodyUnlocker) Open(ctx context.Context, account string, keyVersion uint64, b *safeboxv1.UnlockerBox) (Seed, error) {
	if string(b.GetId()) != u.c.Account() {
		return Seed{}, ErrOpen
	}
	raw, err := u.c.Unwrap(ctx, b.GetBox(), unlockerBound(account, keyVersion, Custody, b.GetId()))
	if err != nil {
		return Seed{}, fmt.Errorf("the custodian: %w", err)
	}
	if len(raw) != 32 {
		return Seed{}, ErrOpen
	}
	return Seed(raw), nil
}
