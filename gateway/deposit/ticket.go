package deposit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/store"
)

// plan is the part of a ticket that is not ciphertext. It is written last: a ticket without
// it is of a process that died while it sealed.
type plan struct {
	Owner      string `json:"owner"`
	Item       string `json:"item"`
	Commitment string `json:"commitment"` // hex
	KeyVersion uint64 `json:"key_version"`
	Single     bool   `json:"single,omitempty"`
	Alone      bool   `json:"alone"` // recorded by its own transaction
	AtMs       int64  `json:"at_ms"`
	Refused    string `json:"refused,omitempty"` // code
	Head       []byte `json:"head,omitempty"`

	head *safeboxv1.ItemHead
}

// ticket is a deposit that is not on the ledger yet: a folder that this process has locked.
type ticket struct {
	name   string
	dir    string
	medium *store.Files
	plan   plan
}

const planName = "plan"

func partName(n int) string { return fmt.Sprintf("body/%06d", n) }

func newTicket(dir string) (*ticket, error) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, err
	}
	t := &ticket{name: hex.EncodeToString(raw), dir: filepath.Join(dir, hex.EncodeToString(raw))}
	var err error
	if t.medium, err = store.OpenFiles(t.dir); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "the tickets of deposits")
	}
	return t, nil
}

// write keeps the body that seal writes, in parts, and then the plan.
func (t *ticket) write(ctx context.Context, seal func(io.Writer) error) error {
	p := &store.Cutter{Put: func(n uint32, part []byte) error { return t.medium.Put(ctx, partName(int(n)), part) }}
	if err := errors.Join(seal(p), p.Flush()); err != nil {
		return err
	}
	raw, err := canon.Marshal(t.plan.head)
	if err != nil {
		return err
	}
	t.plan.Head = raw
	return t.save(ctx)
}

func (t *ticket) save(ctx context.Context) error {
	raw, err := json.Marshal(t.plan)
	if err != nil {
		return err
	}
	return t.medium.Put(ctx, planName, raw)
}

// body writes the ciphertext to w.
func (t *ticket) body(ctx context.Context, w io.Writer) error {
	left := int64(t.plan.head.GetBodyBytes())
	for n := 0; left > 0; n++ {
		part, err := t.medium.Get(ctx, partName(n), store.PartBytes)
		if err != nil {
			return fault.Wrap(fault.Damaged, err, "part %d of ticket %s", n, t.name)
		}
		if left -= int64(len(part)); len(part) == 0 || left < 0 {
			return fault.Newf(fault.Damaged, "part %d of ticket %s has %d bytes", n, t.name, len(part))
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (t *ticket) message() *safeboxv1.Deposit {
	commitment, _ := hex.DecodeString(t.plan.Commitment) // held by openTicket
	return &safeboxv1.Deposit{Items: []*safeboxv1.NewItem{{Owner: t.plan.Owner, Commitment: commitment, Single: t.plan.Single, KeyVersion: t.plan.KeyVersion}}}
}

// empty destroys the ciphertext.
func (t *ticket) empty(ctx context.Context) error {
	for {
		names, err := t.medium.List(ctx, "body/", "", 1000)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if err := t.medium.Delete(ctx, name); err != nil {
				return err
			}
		}
	}
}

// destroy overwrites and removes the ticket; the plan goes last, so that what a kill leaves
// is found again.
func (t *ticket) destroy(ctx context.Context) error {
	if err := errors.Join(t.empty(ctx), t.medium.Delete(ctx, planName)); err != nil {
		return err
	}
	return os.RemoveAll(t.dir)
}

// refuse keeps of a ticket why it was refused.
func (t *ticket) refuse(ctx context.Context, code fault.Code) error {
	t.plan.Refused, t.plan.Head = code.String(), nil
	return errors.Join(t.save(ctx), t.empty(ctx))
}

// openTicket opens one that is there: nil if another process has it, or it is gone.
func openTicket(ctx context.Context, dir, name string) (*ticket, error) {
	if len(name) != 32 {
		return nil, nil
	}
	t := &ticket{name: name, dir: filepath.Join(dir, name)}
	if _, err := os.Stat(t.dir); err != nil {
		return nil, nil
	}
	medium, err := store.OpenFiles(t.dir)
	if errors.Is(err, durable.ErrHeld) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "ticket %s", name)
	}
	t.medium = medium
	raw, err := medium.Get(ctx, planName, maxPlan)
	if len(raw) > 0 && raw[0] == 0 { // overwritten, and killed before its name went
		err = errors.Join(store.ErrNone, medium.Delete(ctx, planName))
	}
	if errors.Is(err, store.ErrNone) { // sealed by half, or destroyed but for its name
		return nil, errors.Join(t.empty(ctx), os.RemoveAll(t.dir), medium.Close())
	}
	if err == nil {
		err = t.read(raw)
	}
	if err != nil {
		return nil, errors.Join(fault.Wrap(fault.Damaged, err, "ticket %s", name), medium.Close())
	}
	return t, nil
}

func (t *ticket) read(raw []byte) error {
	if err := json.Unmarshal(raw, &t.plan); err != nil {
		return err
	}
	if c, err := hex.DecodeString(t.plan.Commitment); err != nil || len(c) != 32 || hex.EncodeToString(c[:16]) != t.plan.Item {
		return errors.New("a commitment that is not that of its item")
	}
	if t.plan.Refused != "" {
		return nil
	}
	head, err := safebox.ParseHead(t.plan.Head)
	if err == nil && (head.GetItem() != t.plan.Item || head.GetAccount() != t.plan.Owner) {
		err = errors.New("a head that is not that of its item")
	}
	t.plan.head = head
	return err
}

// Ticket is one deposit that is not on the ledger, as it is shown.
type Ticket struct {
	Ticket  string    `json:"ticket"`
	Owner   string    `json:"owner"`
	Item    string    `json:"item"`
	At      time.Time `json:"at"`
	Refused string    `json:"refused,omitempty"` // its code: the content is gone, deposit it anew
}

// Outcome is what became of a ticket.
type Outcome struct {
	Ticket
	Err error `json:"-"`
}

// names of the tickets, in order.
func (d *Depositor) names() ([]string, error) {
	list, err := os.ReadDir(d.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "the tickets of deposits")
	}
	var out []string
	for _, e := range list[:min(len(list), maxTickets)] {
		out = append(out, e.Name())
	}
	return out, nil
}

// each opens one ticket after the other that no other process has.
func (d *Depositor) each(ctx context.Context, do func(*ticket) error) error {
	names, err := d.names()
	if err != nil {
		return err
	}
	var bad []error
	for _, name := range names {
		t, err := openTicket(ctx, d.Dir, name)
		if err != nil { // the tickets behind it do not wait for it
			bad = append(bad, err)
			continue
		}
		if t == nil {
			continue
		}
		if err := errors.Join(do(t), t.medium.Close()); err != nil {
			return errors.Join(append(bad, err)...)
		}
	}
	return errors.Join(append(bad, ctx.Err())...)
}

func (t *ticket) shown() Ticket {
	return Ticket{Ticket: t.name, Owner: t.plan.Owner, Item: t.plan.Item, At: time.UnixMilli(t.plan.AtMs).UTC(), Refused: t.plan.Refused}
}

// Tickets lists deposits that are not on the ledger, or were refused; also those on which a
// process is working, which it does not disturb.
func (d *Depositor) Tickets(ctx context.Context) (out []Ticket, err error) {
	names, err := d.names()
	for _, name := range names {
		t := &ticket{name: name}
		raw, err := store.Peek(ctx, filepath.Join(d.Dir, name), planName, maxPlan)
		if errors.Is(err, store.ErrNone) {
			continue // it is being sealed, or destroyed
		}
		if err == nil {
			err = t.read(raw)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "ticket %s", name)
		}
		out = append(out, t.shown())
	}
	return out, err
}

// Resume finishes what was interrupted, and says what became of each ticket; those that were
// refused before it leaves out. An error is one of the folder, not of a ticket.
func (d *Depositor) Resume(ctx context.Context) (out []Outcome, err error) {
	err = d.each(ctx, func(t *ticket) error {
		if t.plan.Refused != "" {
			return nil
		}
		if !t.plan.Alone {
			gone, err := d.abandon(ctx, t)
			if gone || err != nil {
				out = append(out, Outcome{t.shown(), err})
			}
			return nil
		}
		err := d.finish(ctx, t)
		if final(err) {
			err = errors.Join(err, t.refuse(context.WithoutCancel(ctx), fault.CodeOf(err)))
		}
		out = append(out, Outcome{t.shown(), err})
		return nil
	})
	return out, err
}

// Forget removes the tickets that were refused, and returns them.
func (d *Depositor) Forget(ctx context.Context) (out []Ticket, err error) {
	err = d.each(ctx, func(t *ticket) error {
		if t.plan.Refused == "" {
			return nil
		}
		out = append(out, t.shown())
		return t.destroy(ctx)
	})
	return out, err
}

// abandon ends a ticket of somebody's own transaction: it came, or it cannot come any more.
func (d *Depositor) abandon(ctx context.Context, t *ticket) (gone bool, err error) {
	found, err := d.Get(ctx, "safebox/item/"+t.plan.Item, &safeboxv1.BoxItem{})
	if err != nil || !found && d.now().Sub(time.UnixMilli(t.plan.AtMs)) < lostAfter {
		return false, err
	}
	return true, t.destroy(context.WithoutCancel(ctx))
}
