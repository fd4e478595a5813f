package node

import (
	"context"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// Snapshot returns what a new node begins with, see [Sync]; 0 = the newest one. NotFound.
func (n *Node) Snapshot(_ context.Context, height int64) (*ledgerv1.GetSnapshotResponse, error) {
	res, err := n.ledger.Snapshot(height)
	return res, coded(err)
}

// SnapshotChunk returns a chunk by its hash, compressed. NotFound.
func (n *Node) SnapshotChunk(_ context.Context, hash []byte) ([]byte, error) {
	chunk, err := n.ledger.SnapshotChunk(hash)
	return chunk, coded(err)
}
