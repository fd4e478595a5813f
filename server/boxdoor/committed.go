package boxdoor

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/index"
	"mulian/internal/fault"
)

// catchUp is how long the index may take to have what its caller has just written.
const catchUp = 2 * time.Second

// Committed is the committed state of a node, as a door asks for it. The index only finds
// transfers; whether one is open the state says.
type Committed struct {
	Chain Chain
	Index *index.Index
}

func committed[T any, P interface {
	*T
	proto.Message
}](ctx context.Context, c Committed, key string) (P, error) {
	res, err := c.Chain.Object(ctx, key, 0, false)
	if err != nil || !res.GetFound() {
		return nil, err
	}
	m := P(new(T))
	if err := proto.Unmarshal(res.GetValue(), m); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "%s", key)
	}
	return m, nil
}

// Account implements [Ledger].
func (c Committed) Account(ctx context.Context, id string) (*identityv1.Account, error) {
	return committed[identityv1.Account](ctx, c, accountPlace+id)
}

// Vault implements [Ledger].
func (c Committed) Vault(ctx context.Context, account string) (*safeboxv1.Vault, error) {
	return committed[safeboxv1.Vault](ctx, c, vaultPlace+account)
}

// Item implements [Ledger].
func (c Committed) Item(ctx context.Context, id string) (*safeboxv1.BoxItem, error) {
	return committed[safeboxv1.BoxItem](ctx, c, itemPlace+id)
}

// Transfer implements [Ledger].
func (c Committed) Transfer(ctx context.Context, id string) (*safeboxv1.Transfer, error) {
	return committed[safeboxv1.Transfer](ctx, c, transferKind+id)
}

// Grant implements [Ledger].
func (c Committed) Grant(ctx context.Context, id string) (*grantv1.Grant, error) {
	return committed[grantv1.Grant](ctx, c, grantPlace+id)
}

// GrantUse implements [Ledger].
func (c Committed) GrantUse(ctx context.Context, grant string, number uint64) (*grantv1.Use, error) {
	return committed[grantv1.Use](ctx, c, fmt.Sprintf("%s%s/%010d", usePlace, grant, number))
}

// TimeMs implements [Ledger].
func (c Committed) TimeMs(ctx context.Context) (int64, error) {
	st, err := c.Chain.Status(ctx)
	return st.GetTimeMs(), err
}

// Offered implements [Ledger].
func (c Committed) Offered(ctx context.Context, from, to, item string) (bool, error) {
	it, err := c.Item(ctx, item)
	if err != nil {
		return false, err
	}
	if it != nil { // a hand-over stands at its item
		return c.anyOpen(ctx, from, to, item, it.Offers)
	}
	st, err := c.Chain.Status(ctx)
	if err != nil {
		return false, err
	}
	soon, cancel := context.WithTimeout(ctx, catchUp)
	err = c.Index.Await(soon, st.GetEvents())
	cancel()
	if err != nil { // what an index that lags does not know must not be destroyed for it
		return false, &fault.Fault{Code: fault.Busy, Text: "the member is still reading what was offered; again in a moment", Err: err}
	}
	f := index.Filter{Kind: index.Transfer, Org: from, Peer: to, States: []int32{int32(safeboxv1.TransferState_TRANSFER_STATE_OFFERED)}, Limit: 500}
	for {
		page, next, _, err := index.List[safeboxv1.Transfer](ctx, c.Index, f)
		if err != nil {
			return false, err
		}
		page = slices.DeleteFunc(page, func(t *safeboxv1.Transfer) bool { return brings(t) != item })
		var ids []string
		for _, t := range page {
			ids = append(ids, t.GetId())
		}
		if ok, err := c.anyOpen(ctx, from, to, item, ids); ok || err != nil || next == "" {
			return ok, err
		}
		f.After = next
	}
}

// anyOpen says whether one of the transfers is open between the two and brings the item.
func (c Committed) anyOpen(ctx context.Context, from, to, item string, ids []string) (bool, error) {
	for _, id := range ids {
		t, err := c.Transfer(ctx, id)
		if err != nil {
			return false, err
		}
		if t.GetState() == safeboxv1.TransferState_TRANSFER_STATE_OFFERED && t.GetFrom() == from && t.GetTo() == to && brings(t) == item {
			return true, nil
		}
	}
	return false, nil
}

// brings returns the item that a transfer brings into the receiver's box.
func brings(t *safeboxv1.Transfer) string {
	if c := t.GetCopyCommitment(); t.GetKind() == safeboxv1.TransferKind_TRANSFER_KIND_COPY && len(c) >= 16 {
		return hex.EncodeToString(c[:16])
	}
	return t.GetItem()
}
