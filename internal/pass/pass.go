// Package pass makes and checks reading passes: a short signed word by which a server knows
// who asks, for what only the parties may read.
//
// It is no session and gives no right: what its account may read decides whoever reads it
// (package server). It counts for minutes and for every question of that time, so that a
// gateway signs once in a while and not once for each of its questions: whoever overhears it
// on an open line reads for those minutes what he would overhear anyway. Doors outside of one
// machine stand behind TLS (docs/operations).
//
//	New: account, key, clock ──▶ header text ──▶ Read ──▶ Check: chain, time, key, signature
//
// Source: spec/safebox.md 3.9, "only parties may ask, with proof".
package pass

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/internal/sm"
	"mulian/internal/standard"
)

// Header is the HTTP header that carries a pass.
const Header = "Mulian-Pass"

// Domain stands before what is signed.
const Domain = "mulian-read-pass-v1\x00"

// Bounds; our own choice.
const (
	// Life is how long a pass of ours counts, MaxLife how long one may: a person touches a
	// passkey once for a visit, not once for each page.
	Life    = 2 * time.Minute
	MaxLife = 10 * time.Minute
	// Skew is how much the clocks of both sides may differ.
	Skew = 5 * time.Second

	nonceBytes   = 16
	maxAccount   = 100
	maxSignature = 2048
	maxHeader    = 4096
)

// encoding of the header: of an alphabet that needs no quoting, and strict.
var encoding = base64.RawURLEncoding.Strict()

// Draft returns a pass that is not signed, and what its key has to sign.
func Draft(chainID, account, key string, expires time.Time) (*identityv1.ReadPass, []byte, error) {
	p := &identityv1.ReadPass{ChainId: chainID, Account: account, Key: key, ExpiresMs: expires.UnixMilli(), Nonce: make([]byte, nonceBytes)}
	rand.Read(p.Nonce)
	m, err := message(p)
	return p, m, err
}

// Text returns a signed pass as the header has it.
func Text(p *identityv1.ReadPass) (string, error) {
	raw, err := canon.Marshal(p)
	return encoding.EncodeToString(raw), err
}

// New returns the header's text of a pass that counts for [Life] from now.
func New(chainID, account string, key sm.PrivateKey, now time.Time) (string, error) {
	p, m, err := Draft(chainID, account, key.Public().ID(), now.Add(Life))
	if err != nil {
		return "", err
	}
	if p.Signature, err = key.Sign(m); err != nil {
		return "", err
	}
	return Text(p)
}

// message is what the signature covers.
func message(p *identityv1.ReadPass) ([]byte, error) {
	open := proto.CloneOf(p)
	open.Signature = nil
	raw, err := canon.Marshal(open)
	return append([]byte(Domain), raw...), err
}

// PasskeyID is what a passkey signs of a pass instead of a transaction's id.
func PasskeyID(message []byte) [32]byte { return sha256.Sum256(message) }

// Read reads a header. Malformed.
func Read(header string) (*identityv1.ReadPass, error) {
	if len(header) > maxHeader {
		return nil, fault.Newf(fault.Malformed, "a reading pass of %d characters, at most %d", len(header), maxHeader)
	}
	raw, err := encoding.DecodeString(header)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the reading pass")
	}
	p := &identityv1.ReadPass{}
	if err := (canon.Limits{Bytes: maxHeader, Elements: 8}).Check(raw, p); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the reading pass")
	}
	if len(p.Nonce) != nonceBytes || p.Account == "" || len(p.Account) > maxAccount || len(p.Signature) > maxSignature {
		return nil, fault.Newf(fault.Malformed, "a reading pass without account or nonce")
	}
	return p, nil
}

// InTime refuses a pass of another chain or another time: WrongChain, Expired, OutOfRange.
func InTime(p *identityv1.ReadPass, chainID string, now time.Time) error {
	left := time.UnixMilli(p.ExpiresMs).Sub(now)
	switch {
	case p.ChainId != chainID:
		return fault.Newf(fault.WrongChain, "the reading pass is for chain %.60q", p.ChainId)
	case left <= 0:
		return fault.Newf(fault.Expired, "the reading pass has run out, by this server's clock")
	case left > MaxLife+Skew:
		return fault.Newf(fault.OutOfRange, "the reading pass counts for %s, at most %s", left.Round(time.Second), MaxLife)
	}
	return nil
}

// Verify holds the signature of a pass against a key; the parameters say which passkeys
// count. BadAuthorisation; of passkeys OriginUnknown, RpIdUnknown, UvMissing.
func Verify(p *identityv1.ReadPass, k *identityv1.Key, par *governancev1.Parameters) error {
	m, err := message(p)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "the reading pass")
	}
	if k.Algorithm == identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
		return verifyPasskey(p, k, par, PasskeyID(m))
	}
	public, err := sm.ParsePublic(sm.Algorithm(k.Algorithm), k.PublicKey)
	if err != nil || len(p.Signature) > sm.MaxSignatureSize || !public.Verify(m, p.Signature) {
		return fault.Newf(fault.BadAuthorisation, "the reading pass is not signed by key %s", k.Id)
	}
	return nil
}

func verifyPasskey(p *identityv1.ReadPass, k *identityv1.Key, par *governancev1.Parameters, id [32]byte) error {
	a := &identityv1.PasskeyAssertion{}
	if err := canon.Check(p.Signature, a); err != nil {
		return fault.Wrap(fault.Malformed, err, "the reading pass")
	}
	public, err := sm.ParsePublic(sm.P256, k.PublicKey)
	if err != nil || len(k.GetPasskey().GetRpIdHash()) != sha256.Size {
		return fault.Newf(fault.BadAuthorisation, "key %s is no passkey", k.Id)
	}
	challenge := passkey.Challenge(id)
	_, err = passkey.Expect{
		Challenge: challenge[:], RPIDHash: [32]byte(k.GetPasskey().GetRpIdHash()), BackupEligible: k.GetPasskey().GetBackupEligible(),
		Origin: func(origin string) bool { return standard.PasskeyOrigin(par, p.ChainId, origin) },
	}.Verify(public, passkey.Assertion{AuthenticatorData: a.AuthenticatorData, ClientDataJSON: a.ClientDataJson, Signature: a.Signature})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, passkey.ErrOrigin):
		return fault.Wrap(fault.OriginUnknown, err, "the reading pass")
	case errors.Is(err, passkey.ErrRPID):
		return fault.Wrap(fault.RpIdUnknown, err, "the reading pass")
	case errors.Is(err, passkey.ErrUser):
		return fault.Wrap(fault.UvMissing, err, "the reading pass")
	}
	return fault.Wrap(fault.BadAuthorisation, err, "the reading pass")
}
