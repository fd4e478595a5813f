package server

import (
	"context"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// Chain is the server's door to the ledger; a node is one. Every error is a
// *fault.Fault. The server has no other way in: whatever it can do, a client with
// the same key could do at any other member.
type Chain interface {
	// Submit hands in a signed envelope and waits until it is committed or refused.
	Submit(ctx context.Context, envelope []byte) (*ledgerv1.SubmitResponse, error)
	// Tx tells what became of a transaction; NotFound while it is in no block.
	Tx(ctx context.Context, id []byte) (*ledgerv1.GetTxResponse, error)
	// Object reads one object; height 0 = latest; a proof only of the latest.
	Object(ctx context.Context, key string, height int64, prove bool) (*ledgerv1.GetObjectResponse, error)
	// Objects reads a page of objects by prefix.
	Objects(ctx context.Context, req *ledgerv1.ListObjectsRequest) (*ledgerv1.ListObjectsResponse, error)
	// Header returns header and commit; 0 = latest; NotFound for one not made yet. If it is
	// no longer kept: Pruned, or with orLater the first one above it that is.
	Header(ctx context.Context, height int64, orLater bool) (*ledgerv1.GetHeaderResponse, error)
	// Block returns a block's transactions; 0 = latest.
	Block(ctx context.Context, height int64) (*ledgerv1.GetBlockResponse, error)
	// Events reads the event log from a sequence number on.
	Events(ctx context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error)
	// Watch calls fn with events from a sequence number on (-1 = from now) as they
	// happen, and with an empty message at least every 5 s, until ctx ends or fn
	// returns an error, which it returns.
	Watch(ctx context.Context, from int64, fn func(*ledgerv1.WatchResponse) error) error
	// ProveEvent returns an event with its inclusion proof; size 0 = latest.
	ProveEvent(ctx context.Context, seq, size int64) (*ledgerv1.ProveEventResponse, error)
	// Status tells how the node is.
	Status(ctx context.Context) (*ledgerv1.GetStatusResponse, error)
	// Genesis returns the signed genesis file.
	Genesis(ctx context.Context) ([]byte, error)
}
