package node

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/ledger"
)

// archiveAtOnce bounds how many questions are under way: an archive whose archive this
// node is would ask in a circle.
const archiveAtOnce = 16

// archiveWait bounds the asking of an archive: a caller waits for it.
const archiveWait = 5 * time.Second

// envelope returns the bytes of a committed transaction. If its block is no longer kept
// here the archive is asked, which nobody trusts: the id of a transaction is the hash of
// its body, and the signature in it is for the reader to check. Pruned if nobody has it.
func (n *Node) envelope(ctx context.Context, c *ledger.Committed) ([]byte, error) {
	raw, err := n.ledger.Envelope(c)
	if !fault.Is(err, fault.Pruned) || n.archive == nil {
		return raw, err
	}
	select {
	case n.asking <- struct{}{}:
		defer func() { <-n.asking }()
	default:
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, archiveWait)
	defer cancel()
	res, aerr := n.archive.Ledger.GetTx(ctx, connect.NewRequest(&ledgerv1.GetTxRequest{TxId: c.ID[:]}))
	if aerr != nil {
		return nil, err // it is away, or has pruned, too
	}
	if id, ierr := n.machine.ID(res.Msg.GetEnvelope()); ierr != nil || id != c.ID {
		return nil, err
	}
	return res.Msg.GetEnvelope(), nil
}

// archiveAt is the archive at a URL, nil for none.
func archiveAt(url string) *client.Client {
	if url == "" {
		return nil
	}
	return client.New(url)
}
