package foreign

import (
	"crypto/sha256"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state/proof"
)

// kind is one kind of object that is accepted: where it stands on the other chain, and what
// of it is public enough to be read here.
type kind struct {
	prefix string
	number foreignv1.ReferenceKind
	open   func(value []byte, r *foreignv1.ForeignReference) error
}

// kinds by prefix.
var kinds = []kind{
	{"catalogue/entry/", foreignv1.ReferenceKind_REFERENCE_KIND_ENTRY, openEntry},
	{"share/agreement/", foreignv1.ReferenceKind_REFERENCE_KIND_AGREEMENT, openAgreement},
	{"identity/account/", foreignv1.ReferenceKind_REFERENCE_KIND_ACCOUNT, openAccount},
	{"credential/item/", foreignv1.ReferenceKind_REFERENCE_KIND_CREDENTIAL, openCredential},
}

func kindOf(key string) (kind, bool) {
	for _, k := range kinds {
		if len(key) > len(k.prefix) && strings.HasPrefix(key, k.prefix) {
			return k, true
		}
	}
	return kind{}, false
}

// AcceptForeignProof proves an object of another chain, or its absence, and keeps what was
// proved as a reference. Signed by any active account; a MACHINE key is enough. The proof
// of the same header by anybody is no fault and no change.
//
// In this order: Forbidden (level), TooLong, Malformed, OutOfRange (key), CodeInconsistent
// (value and hash), TooLong (value, proof), Malformed (hash, proof), NotFound,
// ForeignFrozen, Expired (chain), NotFound, Expired (header), VersionConflict (a later
// proof is kept), VerificationFailed (the proof), Malformed (the value is no such object).
func AcceptForeignProof(a *act.Act, m *foreignv1.AcceptForeignProof) error {
	const rule = "foreign/accept_foreign_proof"
	if err := a.Need(identityv1.KeyLevel_KEY_LEVEL_MACHINE); err != nil {
		return err
	}
	k, err := checkShape(rule, m)
	if err != nil {
		return err
	}
	w := &ledgerv1.StateProof{}
	if err := canon.Check(m.StateProof, w); err != nil {
		return act.Refuse(fault.Malformed, rule, "%v", err)
	}
	c, err := followed(a, rule, m.ChainId)
	if err != nil {
		return err
	}
	h, ok := findHeader(a.Tx, c.ChainId, m.Height)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "header %d of %s is not kept: bring it, or prove under the newest one, %d", m.Height, c.ChainId, c.Height)
	case lapsed(a, c, h.TimeMs):
		return act.Refuse(fault.Expired, rule, "header %d of %s is older than %d s", m.Height, c.ChainId, c.MaxAgeSeconds)
	}
	was, ok := references.Get(a.Tx, referenceKey(c.ChainId, m.Key))
	if ok && was.Root == c.Root && was.Height > h.Height {
		return act.Refuse(fault.VersionConflict, rule, "%s was proved at height %d, which is later", m.Key, was.Height)
	}
	r := &foreignv1.ForeignReference{
		ChainId: c.ChainId, Key: m.Key, Kind: k.number, Height: h.Height, TimeMs: h.TimeMs, Root: c.Root, By: a.Signer(), AtMs: a.TimeMs,
	}
	if err := prove(rule, m, w, h, r); err != nil {
		return err
	}
	if r.Open {
		if err := k.open(m.Value, r); err != nil {
			return act.In(rule, -1, err)
		}
	}
	if ok && was.Root == r.Root && was.Height == r.Height && (was.Open || !r.Open) {
		return nil
	}
	references.Put(a.Tx, referenceKey(c.ChainId, m.Key), r)
	a.Emit("foreign/accept", "", ReferenceKey(c.ChainId, m.Key), ChainKey(c.ChainId))
	return nil
}

// checkShape looks at what needs no state.
func checkShape(rule string, m *foreignv1.AcceptForeignProof) (kind, error) {
	k, known := kindOf(m.Key)
	switch {
	case len(m.Key) > MaxKeyBytes:
		return k, act.Refuse(fault.TooLong, rule, "a key of %d bytes, at most %d", len(m.Key), MaxKeyBytes)
	case strings.ContainsFunc(m.Key, unicode.IsControl):
		return k, act.Refuse(fault.Malformed, rule, "key: control characters")
	case !known:
		return k, act.Refuse(fault.OutOfRange, rule, "key %.100q: entries, agreements, accounts and credentials are accepted", m.Key)
	case len(m.Value) > 0 && len(m.ValueHash) > 0:
		return k, act.Refuse(fault.CodeInconsistent, rule, "the value or its hash, not both")
	case len(m.Value) > MaxValueBytes:
		return k, act.Refuse(fault.TooLong, rule, "an object of %d bytes, at most %d", len(m.Value), MaxValueBytes)
	case len(m.StateProof) > MaxProofBytes:
		return k, act.Refuse(fault.TooLong, rule, "a proof of %d bytes, at most %d", len(m.StateProof), MaxProofBytes)
	}
	return k, act.Hash(rule, "value_hash", m.ValueHash, false)
}

// prove checks the proof against the header and writes what it proves into r.
func prove(rule string, m *foreignv1.AcceptForeignProof, w *ledgerv1.StateProof, h *foreignv1.ForeignHeader, r *foreignv1.ForeignReference) error {
	value := m.Value
	if len(value) == 0 {
		value = nil
	}
	p, err := proof.FromWire(w, []byte(m.Key), value)
	if err == nil {
		appHash := proof.Hash(h.AppHash)
		if len(m.ValueHash) > 0 {
			r.ValueHash = m.ValueHash
			err = proof.VerifyKeyHash(appHash, p.Key, proof.Hash(m.ValueHash), p)
		} else {
			err = proof.VerifyKey(appHash, p.Key, value, p)
		}
	}
	if err != nil {
		return act.Refuse(fault.VerificationFailed, rule, "%s at height %d: %v", m.Key, h.Height, err)
	}
	if value != nil {
		sum := sha256.Sum256(value)
		r.ValueHash, r.Open = sum[:], true
	}
	r.Absent = len(r.ValueHash) == 0
	return nil
}

// The functions below read what the other chain wrote. Its program may be newer than
// ours, so fields that we do not know are passed over.

func openEntry(value []byte, r *foreignv1.ForeignReference) error {
	e := &cataloguev1.Entry{}
	if err := read(value, e); err != nil {
		return err
	}
	r.Org, r.State, r.Version = e.Provider, int32(e.State), e.Version
	return actors(r)
}

func openAgreement(value []byte, r *foreignv1.ForeignReference) error {
	g := &sharev1.Agreement{}
	if err := read(value, g); err != nil {
		return err
	}
	r.Org, r.Peer, r.State, r.Version, r.UntilMs = g.Provider, g.Consumer, int32(g.State), g.Version, g.EndsMs
	return actors(r)
}

func openAccount(value []byte, r *foreignv1.ForeignReference) error {
	acc := &identityv1.Account{}
	if err := read(value, acc); err != nil {
		return err
	}
	r.Org, r.State = acc.Org, int32(acc.State)
	return actors(r)
}

// openCredential keeps whether the credential held: its state, its type's version, its end.
// What it says, and of whom, is on no ledger.
func openCredential(value []byte, r *foreignv1.ForeignReference) error {
	c := &credentialv1.Credential{}
	if err := read(value, c); err != nil {
		return err
	}
	r.Org, r.State, r.Version, r.UntilMs = c.Issuer, int32(c.State), c.Version, c.ExpiresMs
	return actors(r)
}

func read(value []byte, m proto.Message) error {
	if err := canon.Again(value, m); err != nil {
		return fault.Newf(fault.Malformed, "value: %v", err)
	}
	return nil
}

// actors bounds the texts that come from another chain.
func actors(r *foreignv1.ForeignReference) error {
	const rule = "foreign/accept_foreign_proof"
	if r.UntilMs < 0 || r.UntilMs > maxTimeMs {
		return act.Refuse(fault.OutOfRange, rule, "value: until %d", r.UntilMs)
	}
	return act.First(act.Line(rule, "value: organisation", r.Org, maxActor, false), act.Line(rule, "value: consumer", r.Peer, maxActor, false))
}
