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
