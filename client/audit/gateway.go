package audit

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"mulian/client/prooffile"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/state/proof"
)

// door is one gateway under audit.
type door struct {
	account *identityv1.Account
	tiles   *prooffile.Tiles
	note    []byte // its newest checkpoint
	size    uint64
	root    []byte
	head    *tracev1.Head // on the ledger, proved
	memory  *memory
	log     Log
}

// gateway audits one gateway: its states against each other, and with scan its records
// against the ledger. It returns nil where the log cannot be read at all.
func (a *Auditor) gateway(ctx context.Context, gateway string, scan bool) (*door, error) {
	d, err := a.meet(ctx, gateway)
	if d == nil || err != nil {
		return nil, err
	}
	whole, err := a.compareStates(ctx, d)
	if err != nil {
		return nil, err
	}
	a.report.Logs = append(a.report.Logs, d.log)
	log := &a.report.Logs[len(a.report.Logs)-1]
	if !whole {
		return d, nil // what was remembered stays: the finding comes back until the log is whole
	}
	if scan {
		ok, err := a.scan(ctx, d)
		if err == nil && !ok {
			d.memory, err = a.remember(gateway)
		}
		if err != nil {
			return nil, err
		}
		*log = d.log
	}
	d.memory.Checkpoint, d.memory.Size, d.memory.Root = d.note, d.size, d.root
	return d, a.keep(d.memory)
}

// meet reads account and head with proof, and the checkpoint. nil: it does not answer.
func (a *Auditor) meet(ctx context.Context, gateway string) (*door, error) {
	d := &door{account: &identityv1.Account{}, head: &tracev1.Head{}}
	found, _, err := a.proved.Get(ctx, "identity/account/"+gateway, d.account)
	if err != nil {
		return nil, err
	}
	if !found || d.account.GetGateway().GetUrl() == "" {
		return nil, a.note(ctx, Finding{Rule: Unreachable, Gateway: gateway, Says: "it has no address on the ledger"}, nil)
	}
	if _, _, err := a.proved.Get(ctx, "trace/head/"+gateway, d.head); err != nil {
		return nil, err
	}
	if d.memory, err = a.remember(gateway); err != nil {
		return nil, err
	}
	d.tiles = prooffile.NewTiles(d.account.GetGateway().GetUrl() + "/log/")
	for end := time.Now().Add(settleWait); ; {
		d.note, d.size, d.root, err = d.tiles.Checkpoint(ctx)
		if err == nil && d.size >= d.head.GetSize() || ctx.Err() != nil || time.Now().After(end) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, a.note(ctx, Finding{Rule: Unreachable, Gateway: gateway, Says: err.Error()}, nil)
	}
	d.log = Log{Gateway: gateway, Checkpoint: d.size, Anchored: d.head.GetSize(), AnchoredMs: d.head.GetAtMs()}
	if err := checkNote(d.account, d.note); err != nil {
		return nil, a.note(ctx, Finding{Rule: Withheld, Gateway: gateway, Says: err.Error()}, nil)
	}
	return d, nil
}

// checkNote checks that a checkpoint is signed by a key that signs logs of its size, as the
// ledger says.
func checkNote(account *identityv1.Account, note []byte) error {
	_, err := prooffile.OwnNote(note, account.GetGateway())
	return err
}

// compareStates holds the checkpoint against the one remembered, those of other readers,
// and the head on the ledger; whole says that it contains them all.
func (a *Auditor) compareStates(ctx context.Context, d *door) (whole bool, err error) {
	whole = true
	olds := a.others(d)
	if d.memory.Size > 0 {
		olds = append(olds, d.memory.Checkpoint)
	}
	for _, old := range olds {
		size, root, err := prooffile.ReadNote(old)
		if err != nil {
			return false, err
		}
		ok, err := a.contains(ctx, d, size, root, [][]byte{old, d.note})
		if err != nil {
			return false, err
		}
		whole = whole && ok
	}
	if d.head.GetSize() == 0 {
		return whole, nil
	}
	ok, err := a.contains(ctx, d, d.head.GetSize(), d.head.GetRoot(), [][]byte{d.note})
	return whole && ok, err
}

// others are the checkpoints of other readers that are of this log.
func (a *Auditor) others(d *door) (out [][]byte) {
	for _, n := range a.cfg.Others {
		if checkNote(d.account, n) == nil {
			out = append(out, n)
		}
	}
	return out
}

// contains tells whether the newest state contains an older one. notes are the
// checkpoints that show it: two, or one beside the head on the ledger.
func (a *Auditor) contains(ctx context.Context, d *door, size uint64, root []byte, notes [][]byte) (bool, error) {
	gateway := d.account.GetId()
	other := "a checkpoint"
	if len(notes) == 1 {
		other = "the ledger's head"
	}
	switch {
	case size > d.size && len(notes) == 2:
		return false, a.note(ctx, Finding{Rule: Rewound, Gateway: gateway, Place: d.size, Says: fmt.Sprintf("%d records, there were %d", d.size, size)}, nil)
	case size > d.size:
		return false, a.note(ctx, Finding{Rule: Withheld, Gateway: gateway, Place: d.size, Says: fmt.Sprintf("%d records are served, %d are anchored", d.size, size)}, nil)
	case size == d.size && bytes.Equal(root, d.root), size == 0:
		return true, nil
	case size == d.size:
		return false, a.note(ctx, Finding{Rule: prooffile.RuleForked, Gateway: gateway, Place: size, Says: fmt.Sprintf("%s of %d records has another root", other, size)},
			&prooffile.Finding{Checkpoints: notes, Event: -1})
	}
	begins, err := d.tiles.Root(ctx, size)
	var path [][]byte
	if err == nil {
		path, err = d.tiles.Consistency(ctx, size, d.size)
	}
	if err != nil {
		return false, a.unserved(ctx, d, err)
	}
	hashes := make([]proof.Hash, len(path))
	for i, h := range path {
		hashes[i] = proof.Hash(h)
	}
	if err := proof.VerifyConsistency(proof.Hash(begins), proof.Hash(d.root), &proof.Consistency{OldSize: int64(size), NewSize: int64(d.size), Path: hashes}); err != nil {
		return false, a.note(ctx, Finding{Rule: Withheld, Gateway: gateway, Place: d.size, Says: "the tiles that are served are not those of the checkpoint"}, nil)
	}
	if bytes.Equal(begins, root) {
		return true, nil
	}
	return false, a.note(ctx, Finding{Rule: prooffile.RuleRewritten, Gateway: gateway, Place: size, Says: fmt.Sprintf("the first %d records are not those of %s", size, other)},
		&prooffile.Finding{Checkpoints: notes, Root: begins, Path: path, Event: -1})
}

// unserved notes that a part of the log cannot be read.
func (a *Auditor) unserved(ctx context.Context, d *door, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return a.note(ctx, Finding{Rule: Withheld, Gateway: d.account.GetId(), Place: d.size, Says: err.Error()}, nil)
}
