package owner

import (
	"context"
	"errors"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox"
)

// Way is something that opens a vault, and what its owner calls it ("paper", "phone"). The
// label is not secret.
type Way struct {
	Unlocker safebox.Unlocker
	Label    string
}

// Make makes the vault of the account, to be opened in these ways. AlreadyExists if there is
// one.
func (b *Box) Make(ctx context.Context, ways ...Way) error {
	switch _, err := b.Vault(ctx, b.Account); {
	case err == nil:
		return fault.Newf(fault.AlreadyExists, "%s has a box already: mulian box status", b.Account)
	case !fault.Is(err, fault.VaultMissing):
		return err
	}
	v := safebox.NewVault(b.Account)
	if err := addAll(ctx, v, ways); err != nil {
		return err
	}
	keys, err := v.PublicKeys()
	if err != nil {
		return err
	}
	return b.publish(ctx, v, func(kinds []safeboxv1.UnlockerKind, hash []byte) proto.Message {
		return &safeboxv1.RegisterVault{Keys: keys, Unlockers: kinds, UnlockersHash: hash}
	})
}

func addAll(ctx context.Context, v *safebox.Vault, ways []Way) error {
	for _, w := range ways {
		if err := v.Add(ctx, w.Unlocker, w.Label); err != nil {
			return boundary(err)
		}
	}
	return nil
}

// Opened is a box whose vault is open in memory.
type Opened struct {
	*Box
	vault  *safebox.Vault
	file   *safeboxv1.VaultFile
	public *safeboxv1.Vault
}

// Unlock opens the vault. UnlockerWrong if it does not open so.
func (b *Box) Unlock(ctx context.Context, by safebox.Unlocker) (*Opened, error) {
	f, public, err := b.File(ctx)
	if err != nil {
		return nil, err
	}
	return b.UnlockFile(ctx, f, public, by)
}

// UnlockFile is Unlock with what File returned: to try again without fetching it again.
func (b *Box) UnlockFile(ctx context.Context, f *safeboxv1.VaultFile, public *safeboxv1.Vault, by safebox.Unlocker) (*Opened, error) {
	v, err := safebox.OpenVault(ctx, f, by)
	if err != nil {
		return nil, boundary(err)
	}
	return &Opened{Box: b, vault: v, file: f, public: public}, nil
}

// boundary gives the errors of package safebox their codes.
func boundary(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, safebox.ErrOpen):
		return fault.Wrap(fault.UnlockerWrong, err, "open the vault")
	case errors.Is(err, safebox.ErrForm):
		return fault.Wrap(fault.Malformed, err, "the vault")
	case errors.Is(err, safebox.ErrBound):
		return fault.Wrap(fault.OutOfRange, err, "the vault")
	}
	return err
}

// AddUnlocker lets the vault open in another way as well.
func (o *Opened) AddUnlocker(ctx context.Context, w Way) error {
	if err := addAll(ctx, o.vault, []Way{w}); err != nil {
		return err
	}
	return o.changed(ctx)
}

// RemoveUnlocker takes the i-th way away, from 0 as File has them; the ledger refuses to go
// below two kinds while there are items that nobody can get again. Who had it and an old
// copy of the vault's file can still open what was in the box then: after a loss, Rotate.
func (o *Opened) RemoveUnlocker(ctx context.Context, i int) error {
	if err := o.vault.Remove(i); err != nil {
		return boundary(err)
	}
	return o.changed(ctx)
}

// changed publishes the vault with the keys that it has.
func (o *Opened) changed(ctx context.Context) error {
	was := o.vault.Version()
	o.vault.Change()
	return o.publish(ctx, o.vault, func(kinds []safeboxv1.UnlockerKind, hash []byte) proto.Message {
		return &safeboxv1.ChangeVault{Version: was, Unlockers: kinds, UnlockersHash: hash}
	})
}

// Rotate gives the vault new keys, to be opened in these ways and in no earlier one. Items
// open with the earlier keys until Rewrap has closed each to the new ones.
func (o *Opened) Rotate(ctx context.Context, ways ...Way) error {
	was := o.vault.Version()
	if err := o.vault.Rotate(); err != nil {
		return boundary(err)
	}
	if err := addAll(ctx, o.vault, ways); err != nil {
		return err
	}
	keys, err := o.vault.PublicKeys()
	if err != nil {
		return err
	}
	if err := o.publish(ctx, o.vault, func(kinds []safeboxv1.UnlockerKind, hash []byte) proto.Message {
		return &safeboxv1.ChangeVault{Version: was, Keys: keys, Unlockers: kinds, UnlockersHash: hash}
	}); err != nil {
		return err
	}
	o.public, err = o.Vault(ctx, o.Account)
	return err
}

// Rewrapped is what Rewrap has done.
type Rewrapped struct {
	Changed int      // items whose key is closed to the newest keys now
	Lost    []string // items that no key of this vault opens, or that this door does not show
	Forgot  bool     // the earlier keys are destroyed
}

// Rewrap closes the key of each item to the newest keys and then destroys the earlier ones.
// It may be stopped and made again at any point. While an item does not open, the earlier
// keys stay.
func (o *Opened) Rewrap(ctx context.Context) (*Rewrapped, error) {
	out := &Rewrapped{}
	recorded, err := o.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	unseen := map[string]bool{} // on the ledger, not at this door
	for _, it := range recorded {
		unseen[it.GetId()] = true
	}
	list, err := o.Door.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		head, sum, err := o.Door.Head(ctx, s.GetItem())
		if fault.Is(err, fault.NotFound) {
			continue // erased meanwhile
		}
		if err != nil && !unreadable(err) {
			return out, err
		}
		changed := false
		if err == nil {
			changed, err = o.vault.Rewrap(head)
			delete(unseen, s.GetItem())
		}
		if unreadable(err) || errors.Is(err, safebox.ErrOpen) {
			delete(unseen, s.GetItem())
			held, err := o.Held(ctx, s.GetItem())
			if err != nil {
				return out, err
			}
			if held.GetOwner() == o.Account { // else somebody laid it there, and nothing says that it is ours
				out.Lost = append(out.Lost, s.GetItem())
			}
			continue
		}
		if err == nil && changed && !o.DryRun {
			err = o.Door.PutHead(ctx, head, sum)
		}
		if err != nil {
			return out, err
		}
		if changed {
			out.Changed++
		}
	}
	out.Lost = append(out.Lost, slices.Sorted(maps.Keys(unseen))...)
	if len(o.file.GetPast()) == 0 || len(out.Lost) > 0 {
		return out, nil
	}
	o.vault.Forget()
	if err := o.changed(ctx); err != nil {
		return out, err
	}
	out.Forgot = true
	return out, nil
}
