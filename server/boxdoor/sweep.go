package boxdoor

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/safebox/store"
)

// What events and objects of the ledger name.
const (
	verbs        = "safebox/"
	grantVerbs   = "grant/"
	usePlace     = "grant/use/"
	vaultPlace   = "safebox/vault/"
	itemPlace    = "safebox/item/"
	transferKind = "safebox/transfer/"
	accountPlace = "identity/account/"
)

// Our own choices.
const (
	// lookEvery is how often what is not on the ledger is looked at again.
	lookEvery = 10 * time.Minute
	// againAfter is how long a door waits that could not follow the ledger.
	againAfter = 5 * time.Second
	// boxesAtOnce is a page of accounts.
	boxesAtOnce = 100
)

// Chain is what a door follows; a node is one.
type Chain interface {
	Object(ctx context.Context, key string, height int64, prove bool) (*ledgerv1.GetObjectResponse, error)
	Status(ctx context.Context) (*ledgerv1.GetStatusResponse, error)
	Watch(ctx context.Context, from int64, fn func(*ledgerv1.WatchResponse) error) error
}

// Run sweeps, and then does at each event of the ledger what it asks for, until ctx ends.
// Trouble of the medium is logged and does not end it: after a while it sweeps again.
func (d *Door) Run(ctx context.Context, chain Chain) error {
	for {
		err := d.follow(ctx, chain)
		if ctx.Err() != nil {
			return nil
		}
		d.warn(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(againAfter):
		}
	}
}

func (d *Door) warn(err error) {
	d.cfg.Logger.Warn("the boxes could not be swept: what the ledger has as erased may still be here", "code", fault.CodeOf(err).String(), "err", err)
}

func (d *Door) follow(ctx context.Context, chain Chain) error {
	st, err := chain.Status(ctx)
	if err != nil {
		return err
	}
	// What happens from here on comes as an event; what was before is what Sweep finds.
	if _, err := d.Sweep(ctx); err != nil {
		return err
	}
	last := d.cfg.Now()
	return chain.Watch(ctx, st.GetEvents(), func(m *ledgerv1.WatchResponse) error {
		for _, e := range m.GetEvents() {
			if err := d.heed(ctx, e); err != nil {
				return err
			}
		}
		if now := d.cfg.Now(); now.Sub(last) >= lookEvery { // an empty message comes every 5 s
			last = now
			return d.lookAgain(ctx)
		}
		return nil
	})
}

// Sweep destroys what the ledger has as erased, as handed to another box, or not at all
// although it had the time, and returns how many items that were. A box that cannot be read
// is logged, looked at again later, and keeps no other waiting.
func (d *Door) Sweep(ctx context.Context) (int, error) {
	n, after := 0, ""
	var bad error
	for {
		accounts, err := d.cfg.Boxes.Accounts(ctx, after, boxesAtOnce)
		if err != nil || len(accounts) == 0 {
			if bad != nil {
				d.warn(fmt.Errorf("%d boxes, of them the last: %w", len(d.failed), bad))
			}
			return n, err
		}
		for _, account := range accounts {
			m, err := d.sweepBox(ctx, account)
			n += m
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			if err != nil { // the other boxes do not wait for this one
				bad, d.failed[account] = err, true
			}
		}
		after = accounts[len(accounts)-1]
	}
}

// lookAgain sweeps the boxes in which something is not on the ledger, beside which a row key lies
// or of which an item is shared, and those that could not be read the last time.
func (d *Door) lookAgain(ctx context.Context) error {
	again := slices.Concat(d.cfg.Boxes.Unsettled(), d.rows.owners(), d.shares.owners())
	slices.Sort(again)
	again = slices.Compact(again)
	for account := range d.failed {
		if !slices.Contains(again, account) {
			again = append(again, account)
		}
	}
	var bad error
	for _, account := range again {
		_, err := d.sweepBox(ctx, account)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if delete(d.failed, account); err != nil {
			bad, d.failed[account] = err, true
		}
	}
	if bad != nil {
		d.warn(fmt.Errorf("%d boxes, of them the last: %w", len(d.failed), bad))
	}
	return nil
}

// sweepBox judges everything in a box; what one item fails with does not keep the next.
func (d *Door) sweepBox(ctx context.Context, account string) (n int, err error) {
	kept, err := d.cfg.Boxes.Kept(ctx, account)
	for _, k := range kept {
		gone, bad := d.judge(ctx, account, k, "")
		if bad != nil && err == nil {
			err = fmt.Errorf("item %s: %w", k.Item, bad)
		}
		if gone {
			n++
		}
		if ctx.Err() != nil {
			break
		}
	}
	if bad := d.sweepShares(ctx, account); err == nil {
		err = bad
	}
	if bad := d.sweepRowKeys(ctx, account); err == nil {
		err = bad
	}
	if err != nil {
		err = fmt.Errorf("box of %s: %w", account, err)
	}
	return n, err
}

// heed does what an event asks for: every item that it names is looked at in every box that
// it names.
func (d *Door) heed(ctx context.Context, e *tracev1.Event) error {
	if strings.HasPrefix(e.GetVerb(), grantVerbs) {
		d.heedShares(ctx, e.GetObjects())
		return d.heedGrants(ctx, e.GetObjects())
	}
	if !strings.HasPrefix(e.GetVerb(), verbs) {
		return nil
	}
	var items, accounts []string
	ended := ""
	for _, key := range e.GetObjects() {
		if id, ok := strings.CutPrefix(key, itemPlace); ok {
			items = append(items, id)
		} else if account, ok := strings.CutPrefix(key, vaultPlace); ok {
			accounts = append(accounts, account)
		} else if id, ok := strings.CutPrefix(key, transferKind); ok {
			t, err := d.cfg.Ledger.Transfer(ctx, id)
			if err != nil {
				return err
			}
			accounts = append(accounts, t.GetFrom(), t.GetTo())
			if c := t.GetCopyCommitment(); len(c) >= 16 {
				items = append(items, hex.EncodeToString(c[:16]))
			}
			if t.GetState() > safeboxv1.TransferState_TRANSFER_STATE_ACCEPTED {
				ended = t.GetFrom()
			}
		}
	}
	for _, account := range accounts {
		if account == "" {
			continue
		}
		if err := d.lookFor(ctx, account, items, ended); err != nil {
			if ctx.Err() != nil {
				return err
			}
			d.failed[account] = true // it is swept the next time, and this event's others now
			d.warn(fmt.Errorf("box of %s: %w", account, err))
		}
	}
	return nil
}

// lookFor judges some items of a box.
func (d *Door) lookFor(ctx context.Context, account string, items []string, ended string) error {
	for _, id := range items {
		k, ok, err := d.cfg.Boxes.Find(ctx, account, id)
		if fault.Is(err, fault.Malformed) || err == nil && !ok {
			continue // no account that could have a box here, or nothing of it
		}
		if err != nil {
			return err
		}
		if _, err := d.judge(ctx, account, k, ended); err != nil {
			return err
		}
	}
	if d.shares.has(account) {
		return d.sweepShares(ctx, account)
	}
	return nil
}

// judge settles, keeps or destroys one item of a box. ended is who laid it ready for a
// transfer that has just ended without being accepted; empty = nobody.
func (d *Door) judge(ctx context.Context, account string, k store.Kept, ended string) (gone bool, err error) {
	it, err := d.cfg.Ledger.Item(ctx, k.Item)
	if err != nil {
		return false, err
	}
	keep := false
	switch {
	case it == nil:
		keep, err = d.mayStillCome(ctx, account, k, ended)
	case it.Owner == account && it.State == safeboxv1.ItemState_ITEM_STATE_HELD:
		return false, d.cfg.Boxes.Settle(ctx, account, k.Item)
	case it.State == safeboxv1.ItemState_ITEM_STATE_HELD: // laid ready for who may still accept it
		keep, err = d.cfg.Ledger.Offered(ctx, it.Owner, account, k.Item)
	}
	if err != nil || keep {
		return false, err
	}
	gone, err = d.cfg.Boxes.Erase(ctx, account, k.Item)
	if err != nil {
		return false, err
	}
	if gone {
		d.destroyed.Inc()
	}
	return gone, nil
}

// mayStillCome says whether the ledger may still get an item that it does not have: its time
// is not over by the ledger's clock, or it is offered. What was settled is on the ledger,
// even if this node, restored or behind, does not have it yet.
func (d *Door) mayStillCome(ctx context.Context, account string, k store.Kept, ended string) (bool, error) {
	if k.Since.IsZero() {
		return true, nil
	}
	if ended == "" || ended != k.By {
		now, err := d.cfg.Ledger.TimeMs(ctx)
		if err != nil || now < k.Since.Add(d.cfg.Patience).UnixMilli() {
			return true, err
		}
	}
	return d.cfg.Ledger.Offered(ctx, k.By, account, k.Item)
}
