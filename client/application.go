package client

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/canon"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// ApplicationDomain stands before the application in what the applicant signs.
const ApplicationDomain = "mulian-application-v1\x00"

// MaxApplication bounds an application, in bytes.
const MaxApplication = 16 << 10

// applicationLimits bound what an application may be made of.
var applicationLimits = canon.Limits{Bytes: MaxApplication, Depth: 6, Elements: 400}

// SignApplication makes an application to come on board; root is a ROOT key in it.
func SignApplication(m *governancev1.Application, root Signer) (*governancev1.SignedApplication, error) {
	raw, err := canon.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("client: application: %w", err)
	}
	sig, err := root.Key.Sign(append([]byte(ApplicationDomain), raw...))
	if err != nil {
		return nil, fmt.Errorf("client: sign the application: %w", err)
	}
	out := &governancev1.SignedApplication{Application: raw, Key: root.Key.Public().ID(), Signature: sig}
	_, err = ParseApplication(out)
	return out, err
}

// ParseApplication checks that an application is whole, that its keys are what their ids
// say, and that it is signed by one of them. Whether the keys are those of the
// organisation nobody can see here: somebody compares the fingerprint of the ROOT key by
// another way.
//
// Malformed, TooLong, CodeInconsistent, VerificationFailed.
func ParseApplication(file *governancev1.SignedApplication) (*governancev1.Application, error) {
	m := &governancev1.Application{}
	if err := applicationLimits.Check(file.GetApplication(), m); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "this is no application")
	}
	if err := code.CheckUSCC(m.GetCode()); err != nil {
		return nil, fault.Wrap(fault.CodeInconsistent, err, "application: %.40q", m.GetCode())
	}
	if len(m.GetGenesisHash()) != 32 || m.GetProfile().GetName() == "" || m.GetValidator() == nil || m.Validator.GetOrg() != m.Code {
		return nil, fault.Newf(fault.Malformed, "application of %s: chain, name or node is missing", m.Code)
	}
	i := slices.IndexFunc(m.GetKeys(), func(k *identityv1.Key) bool {
		return k.GetId() == file.GetKey() && k.GetLevel() == identityv1.KeyLevel_KEY_LEVEL_ROOT
	})
	if i < 0 {
		return nil, fault.Newf(fault.VerificationFailed, "application of %s: it is signed by none of its root keys", m.Code)
	}
	pub, err := sm.ParsePublic(sm.Algorithm(m.Keys[i].GetAlgorithm()), m.Keys[i].GetPublicKey())
	if err != nil || pub.ID() != file.GetKey() {
		return nil, fault.Newf(fault.VerificationFailed, "application of %s: the root key is not what its id says", m.Code)
	}
	if !pub.Verify(append([]byte(ApplicationDomain), file.GetApplication()...), file.GetSignature()) {
		return nil, fault.Newf(fault.VerificationFailed, "application of %s: the signature does not hold", m.Code)
	}
	return m, nil
}

// OfChain refuses an application for another chain with Usage.
func OfChain(m *governancev1.Application, chainID string, genesis []byte) error {
	if m.GetChainId() != chainID || !bytes.Equal(m.GetGenesisHash(), genesis) {
		return fault.Newf(fault.Usage, "the application of %s is for the chain %s with genesis %s, this is %s with genesis %s",
			m.GetCode(), m.GetChainId(), hex.EncodeToString(m.GetGenesisHash()), chainID, hex.EncodeToString(genesis))
	}
	return nil
}
