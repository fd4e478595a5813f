package boxcall

import (
	"context"
	"io"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/store"
)

// PutShare lays ready the key of an item of the caller's own box, wrapped to the data user of a
// grant whose use is on the ledger. Errors are those of the order (proto PutBoxShare).
func (c *Caller) PutShare(ctx context.Context, s *safeboxv1.PutBoxShare) error {
	_, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_PutBoxShare{PutBoxShare: s}}, nil)
	return err
}

// Share fetches, for the data user of a grant, the head of the item that a use shares with him:
// its one wrap is his. What the door shows has to be held against the ledger.
func (c *Caller) Share(ctx context.Context, grant string, number uint64) (*safeboxv1.ItemHead, error) {
	a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_GetBoxShare{GetBoxShare: &safeboxv1.GetBoxShare{Grant: grant, Number: number}}}, nil)
	if err != nil {
		return nil, err
	}
	head, err := safebox.ParseHead(a.GetContent())
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Damaged, err, "what lies ready for use %d of grant %s", number, grant)
	case len(head.GetWraps()) != 1 || head.GetBodyBytes() == 0 || head.GetBodyBytes() > store.MaxBody:
		return nil, fault.Newf(fault.VerificationFailed, "the door shows %d wraps and %d bytes for use %d of grant %s", len(head.GetWraps()), head.GetBodyBytes(), number, grant)
	}
	return head, nil
}

// ShareBody reads the ciphertext of a shared item, part by part, as long as ctx lasts.
func (c *Caller) ShareBody(ctx context.Context, grant string, number uint64, head *safeboxv1.ItemHead) io.Reader {
	return &body{left: head.GetBodyBytes(), fetch: func(n uint32) ([]byte, error) {
		a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_GetBoxSharePart{GetBoxSharePart: &safeboxv1.GetBoxSharePart{Grant: grant, Number: number, Part: n}}}, nil)
		return a.GetContent(), err
	}}
}

// DropShare destroys what lies ready for a use: by the data user once he has it, or by the
// owner. there says whether anything lay there.
func (c *Caller) DropShare(ctx context.Context, grant string, number uint64) (there bool, err error) {
	a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_DropBoxShare{DropBoxShare: &safeboxv1.DropBoxShare{Grant: grant, Number: number}}}, nil)
	return a.GetDone(), err
}
