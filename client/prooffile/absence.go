package prooffile

import (
	"context"
	"encoding/hex"

	"connectrpc.com/connect"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/state/proof"
)

// absence is a state key that nothing has: what stands at its place in the tree, with the
// way to the root.
type absence struct {
	key      string
	depth    uint64
	bitmap   []byte
	siblings []byte
	other    []byte // hash of the key whose leaf stands there; nil: the place is empty
	value    []byte // hash of its value
}

func (a *absence) node() *node {
	return object("key", a.key, "depth", number(a.depth), "bitmap", hex.EncodeToString(a.bitmap), "siblings", base(a.siblings),
		"other_key", hex.EncodeToString(a.other), "other_value", hex.EncodeToString(a.value))
}

func (r *reader) absence(n *node) *absence {
	f := r.object(n, "absence", "key", "depth", "bitmap", "siblings", "other_key", "other_value")
	if r.err != nil {
		return nil
	}
	a := &absence{
		key: r.text(f[0], "absence.key"), depth: r.number(f[1], "absence.depth", 0, maxSiblings), bitmap: r.hex(f[2], "absence.bitmap"),
		siblings: r.hashes(f[3], "absence.siblings", maxSiblings), other: r.hex(f[4], "absence.other_key", 0, 32), value: r.hex(f[5], "absence.other_value", 0, 32),
	}
	if len(a.key) == 0 || len(a.key) > maxKey {
		r.refuse("absence.key", "1 to 512 bytes")
	}
	if len(a.other) != len(a.value) {
		r.refuse("absence.other_value", "a hash if and only if other_key is one")
	}
	return a
}

// checkAbsence checks that the key's place in the tree is empty, or another key's.
func (v *verifier) checkAbsence() *refusal {
	a := v.absence
	if a == nil {
		return nil
	}
	p := &proof.Key{
		TreeRoot: proof.Hash(v.treeRoot), LogRoot: proof.Hash(v.logRoot), LogSize: int64(v.logSize), Key: []byte(a.key),
		Depth: int(a.depth), Bitmap: a.bitmap, Siblings: hashes(a.siblings),
	}
	if len(a.other) > 0 {
		p.Other = &proof.OtherLeaf{KeyHash: proof.Hash(a.other), ValueHash: proof.Hash(a.value)}
	}
	if err := proof.VerifyKey(proof.Hash(v.last.header.GetAppHash()), p.Key, nil, p); err != nil {
		return refuse(stepObject, "absence", "%s: %v", a.key, err)
	}
	v.says(stepObject, "%s is not there, %d levels down", a.key, a.depth)
	return nil
}

// State proves what a state key holds, as [Maker.Object], or that nothing has this key, as
// [Maker.Absence]: whichever is so.
func (m *Maker) State(ctx context.Context, key string) ([]byte, error) {
	file, err := m.Object(ctx, key)
	if !fault.Is(err, fault.NotFound) {
		return file, err
	}
	return m.Absence(ctx, key)
}

// Absence proves that nothing has a state key: no account, no agreement, no credential's
// status. AlreadyExists if something has it.
func (m *Maker) Absence(ctx context.Context, key string) ([]byte, error) {
	if key == "" || len(key) > maxKey {
		return nil, fault.Newf(fault.OutOfRange, "a key of %d bytes, 1 to %d are possible", len(key), maxKey)
	}
	res, err := m.c.Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: key, Prove: true}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	if res.Msg.GetFound() {
		return nil, fault.Newf(fault.AlreadyExists, "there is a %s", key)
	}
	p := res.Msg.GetProof()
	a := &absence{key: key, depth: uint64(p.GetDepth()), bitmap: p.GetBitmap(), other: p.GetOtherKeyHash(), value: p.GetOtherValueHash()}
	for _, s := range p.GetSiblings() {
		a.siblings = append(a.siblings, s...)
	}
	c := &content{genesis: m.genesis, absence: a, treeRoot: p.GetTreeRoot(), logRoot: p.GetLogRoot(), logSize: uint64(p.GetLogSize())}
	if err := m.fetchChain(ctx, c, p.GetHeight()); err != nil {
		return nil, err
	}
	return m.write(&draft{kind: kindAbsence, subject: key}, c)
}
