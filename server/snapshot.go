package server

import (
	"context"
	"crypto/sha256"

	"connectrpc.com/connect"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Snapshots is what a [Chain] also is if new nodes can begin with a snapshot of its state.
type Snapshots interface {
	// Snapshot returns the one of that height, 0 = the newest; NotFound if it is not kept.
	Snapshot(ctx context.Context, height int64) (*ledgerv1.GetSnapshotResponse, error)
	// SnapshotChunk returns one chunk by its SHA-256, compressed; NotFound if it is not kept.
	SnapshotChunk(ctx context.Context, hash []byte) ([]byte, error)
}

func (l ledgerAPI) GetSnapshot(ctx context.Context, req *connect.Request[ledgerv1.GetSnapshotRequest]) (*connect.Response[ledgerv1.GetSnapshotResponse], error) {
	if req.Msg.GetHeight() < 0 {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "height %d", req.Msg.GetHeight()))
	}
	s, err := l.snapshots()
	if err != nil {
		return nil, err
	}
	return respond(s.Snapshot(ctx, req.Msg.GetHeight()))
}

func (l ledgerAPI) GetSnapshotChunk(ctx context.Context, req *connect.Request[ledgerv1.GetSnapshotChunkRequest]) (*connect.Response[ledgerv1.GetSnapshotChunkResponse], error) {
	if len(req.Msg.GetHash()) != sha256.Size {
		return nil, wire.Error(fault.Newf(fault.Malformed, "a hash has %d bytes, not %d", sha256.Size, len(req.Msg.GetHash())))
	}
	s, err := l.snapshots()
	if err != nil {
		return nil, err
	}
	chunk, err := s.SnapshotChunk(ctx, req.Msg.GetHash())
	return respond(&ledgerv1.GetSnapshotChunkResponse{Chunk: chunk}, err)
}

func (l ledgerAPI) snapshots() (Snapshots, error) {
	s, ok := l.chain.(Snapshots)
	if !ok {
		return nil, wire.Error(fault.Newf(fault.NotFound, "this server has no snapshots; ask a member that runs a node"))
	}
	return s, nil
}
