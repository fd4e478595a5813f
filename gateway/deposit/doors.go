package deposit

import (
	"context"
	"io"
	"time"

	"mulian/client"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox/boxcall"
)

// Doors are the members that keep boxes. A box is where its owner has laid the file of his
// vault: a door that does not have it says so, and the next one is asked.
type Doors struct {
	URLs   []string
	Chain  string // id
	Signer client.Signer
	Now    func() time.Time // nil: time.Now
}

// Lay is [Depositor.Lay]: NotFound if none of the doors keeps the box.
func (d Doors) Lay(ctx context.Context, head *safeboxv1.ItemHead, write func(io.Writer) error) error {
	for _, url := range d.URLs {
		st, err := client.New(url).Status(ctx)
		if err != nil {
			return err // the box may be there: it is not for the next one to say no
		}
		if st.GetBoxDoor() == "" {
			continue
		}
		c := &boxcall.Caller{Door: boxcall.Dial(url), Chain: d.Chain, Name: st.GetBoxDoor(), Signer: d.Signer, Now: d.Now}
		if err := c.Lay(ctx, head, write); !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return fault.Newf(fault.NotFound, "the box of %s is kept at none of %d doors (boxes in the gateway's configuration)", head.GetAccount(), len(d.URLs))
}

// RowKey fetches, for the data user, the row key that a grant's owner has laid down at one of
// the doors. NotFound if none has it, the error of one that could not be asked if no other has
// it; GrantRevoked, GrantNotActive, Expired, UsesExhausted if it is too late.
func (d Doors) RowKey(ctx context.Context, grant, provider string) ([]byte, error) {
	var unasked error
	for _, url := range d.URLs {
		st, err := client.New(url).Status(ctx)
		if err != nil {
			unasked = err
			continue
		}
		if st.GetBoxDoor() == "" {
			continue
		}
		c := &boxcall.Caller{Door: boxcall.Dial(url), Chain: d.Chain, Name: st.GetBoxDoor(), Signer: d.Signer, Now: d.Now}
		raw, err := c.RowKey(ctx, grant, provider)
		switch {
		case fault.Is(err, fault.Unreachable):
			unasked = err
		case !fault.Is(err, fault.NotFound):
			return raw, err
		}
	}
	if unasked != nil {
		return nil, unasked
	}
	return nil, fault.Newf(fault.NotFound, "the row key of grant %s is at none of %d doors yet (boxes in the gateway's configuration): the owner's device brings it the next time that his box is opened; or bring the file that he gave (row_key)", grant, len(d.URLs))
}
