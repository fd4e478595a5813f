package proof

import (
	"crypto/sha256"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// ToWire returns the proof as the API carries it: key and value travel beside it.
func (p *Key) ToWire() *ledgerv1.StateProof {
	w := &ledgerv1.StateProof{
		Height: p.Height, TreeRoot: p.TreeRoot[:], LogRoot: p.LogRoot[:], LogSize: p.LogSize,
		Exists: p.Exists, Depth: uint32(p.Depth), Bitmap: p.Bitmap,
	}
	for i := range p.Siblings {
		w.Siblings = append(w.Siblings, p.Siblings[i][:])
	}
	if p.Other != nil {
		w.OtherKeyHash, w.OtherValueHash = p.Other.KeyHash[:], p.Other.ValueHash[:]
	}
	return w
}

// FromWire reads a proof about key and value (nil: the key is absent) from the
// API. It checks only sizes; [VerifyKey] judges.
func FromWire(w *ledgerv1.StateProof, key, value []byte) (*Key, error) {
	if w == nil {
		return nil, refuse("there is none")
	}
	if w.GetDepth() > MaxDepth || len(w.GetSiblings()) > MaxDepth {
		return nil, refuse("more than %d siblings", MaxDepth)
	}
	p := &Key{
		Height: w.GetHeight(), LogSize: w.GetLogSize(), Key: key, Exists: w.GetExists(), Value: value,
		Depth: int(w.GetDepth()), Bitmap: w.GetBitmap(),
	}
	hashes := [][]byte{w.GetTreeRoot(), w.GetLogRoot()}
	into := []*Hash{&p.TreeRoot, &p.LogRoot}
	p.Siblings = make([]Hash, len(w.GetSiblings()))
	for i, s := range w.GetSiblings() {
		hashes, into = append(hashes, s), append(into, &p.Siblings[i])
	}
	if len(w.GetOtherKeyHash()) > 0 || len(w.GetOtherValueHash()) > 0 {
		p.Other = &OtherLeaf{}
		hashes = append(hashes, w.GetOtherKeyHash(), w.GetOtherValueHash())
		into = append(into, &p.Other.KeyHash, &p.Other.ValueHash)
	}
	for i, h := range hashes {
		if len(h) != sha256.Size {
			return nil, refuse("a hash of %d bytes", len(h))
		}
		copy(into[i][:], h)
	}
	return p, nil
}
