package prooffile

import (
	"context"
	"fmt"
	"time"

	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Leaves is a gateway's access log, or a copy of it. [Tiles] reads the one that
// every gateway serves under /log/.
type Leaves interface {
	// Leaf returns the bytes of a record. NotFound if there is none.
	Leaf(ctx context.Context, index uint64) ([]byte, error)
	// Way returns the hashes that lead from the record to the root of the first
	// size records (RFC 6962 section 2.1.1). NotFound if there are fewer.
	Way(ctx context.Context, index, size uint64) ([][]byte, error)
}

// Access proves that a record stands in a gateway's log whose head the ledger has.
// No log: the one that the gateway serves at its registered address. A record that is
// younger than the last anchor is waited for. NotFound if there is no such gateway or
// record.
func (m *Maker) Access(ctx context.Context, gateway string, leaf uint64, log Leaves) ([]byte, error) {
	log, err := m.log(ctx, gateway, log)
	if err != nil {
		return nil, err
	}
	record, err := log.Leaf(ctx, leaf)
	if err != nil {
		return nil, err
	}
	return m.access(ctx, &access{record: record, leaf: leaf}, log)
}

// Receipt is [Maker.Access] of the record of a receipt, with the signatures of
// provider and consumer on it.
func (m *Maker) Receipt(ctx context.Context, r *tracev1.Receipt, log Leaves) ([]byte, error) {
	rec, err := scanRecord(r.GetRecord())
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the receipt's record")
	}
	if log, err = m.log(ctx, rec.gateway(), log); err != nil {
		return nil, err
	}
	return m.access(ctx, &access{
		record: r.GetRecord(), leaf: r.GetLeafIndex(), providerKey: r.GetProviderKey(), providerSigned: r.GetProviderSignature(),
		consumerKey: r.GetConsumerKey(), consumerSign: r.GetConsumerSignature(),
	}, log)
}

func (m *Maker) log(ctx context.Context, gateway string, log Leaves) (Leaves, error) {
	if log != nil {
		return log, nil
	}
	acc := &identityv1.Account{}
	found, err := m.c.Get(ctx, accountPrefix+gateway, acc)
	if err != nil {
		return nil, err
	}
	if !found || acc.GetGateway().GetUrl() == "" {
		return nil, fault.Newf(fault.NotFound, "there is no gateway %s with an address", gateway)
	}
	return NewTiles(acc.GetGateway().GetUrl() + "/log/"), nil
}

var errNotAnchored = fault.Newf(fault.NotFound, "the ledger has no head of the gateway's log yet that holds this record")

// anchorWait bounds the waiting for the anchor of a record that was just written:
// the ledger's default is 3 s (Parameters.anchor_seconds).
const anchorWait = 15 * time.Second

// access makes the file of a record.
func (m *Maker) access(ctx context.Context, a *access, log Leaves) ([]byte, error) {
	rec, err := scanRecord(a.record)
	if err != nil {
		return nil, fault.Wrap(fault.VerificationFailed, err, "record %d", a.leaf)
	}
	d := &draft{
		kind: kindAccess, subject: fmt.Sprintf("%s:%d", rec.gateway(), a.leaf), first: headPrefix + rec.gateway(), access: a,
		path: func(ctx context.Context, size uint64) error {
			if size <= a.leaf {
				return errNotAnchored
			}
			way, err := log.Way(ctx, a.leaf, size)
			if fault.Is(err, fault.NotFound) { // its tiles come a moment after its anchor
				return errNotAnchored
			}
			a.path = nil
			for _, h := range way {
				a.path = append(a.path, h...)
			}
			return err
		},
	}
	limit, cancel := context.WithTimeout(ctx, anchorWait)
	defer cancel()
	for {
		if a.providerKey == "" { // nobody signed the record itself: who anchored it has
			if err := m.anchored(ctx, d); err != nil {
				return nil, err
			}
		}
		file, err := m.seal(ctx, d)
		if err != errNotAnchored {
			return file, err
		}
		select {
		case <-limit.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// anchored adds the act with which the head was anchored.
func (m *Maker) anchored(ctx context.Context, d *draft) error {
	head := &tracev1.Head{}
	found, err := m.c.Get(ctx, d.first, head)
	if err != nil || !found {
		return err
	}
	at, err := m.anchorOf(ctx, d.first, head.GetHeight())
	if err != nil || at == nil {
		return err
	}
	d.events = []act{*at}
	return nil
}
