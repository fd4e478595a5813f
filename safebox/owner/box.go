package owner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/safebox"
	"mulian/safebox/boxcall"
)

const (
	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT
)

// ErrUnsent says that Send was asked and did not send: a dry run. Nothing has changed.
var ErrUnsent = errors.New("nothing was signed and nothing sent")

// ErrHalfway says that the ledger has a change of the vault, or may have it, and the door does
// not have its file yet. It is on this device, and the next File brings it to the door.
var ErrHalfway = errors.New("the change counts or may count; the vault's file is on this device and goes to the door with the next command")

// Box is an account's box. One goroutine uses it.
type Box struct {
	Account string
	Chain   *client.Client
	// Get reads an object of the ledger. Nil: Chain.Get, the server's word; a reader that
	// proves what it reads protects from a server that shows another's keys as a receiver's.
	Get  func(ctx context.Context, key string, m proto.Message) (bool, error)
	Door *boxcall.Caller
	// Send signs as the account with a key of at least that level, and waits until it is on
	// the ledger. A nil receipt without an error: it was not sent (ErrUnsent).
	Send func(ctx context.Context, level identityv1.KeyLevel, messages ...proto.Message) (*client.Receipt, error)
	// Dir keeps the vault's file on this device: ciphertext, one file for each account.
	Dir string
	// DryRun: Send only shows; nothing is written here or at the door either.
	DryRun bool
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

func (b *Box) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

func (b *Box) get(ctx context.Context, key string, m proto.Message) (bool, error) {
	if b.Get != nil {
		return b.Get(ctx, key, m)
	}
	return b.Chain.Get(ctx, key, m)
}

// send is Send with ErrUnsent for what was not sent.
func (b *Box) send(ctx context.Context, level identityv1.KeyLevel, m proto.Message) (*client.Receipt, error) {
	r, err := b.Send(ctx, level, m)
	if err == nil && r == nil {
		err = ErrUnsent
	}
	return r, err
}

// Vault returns an account's vault as the ledger has it. VaultMissing.
func (b *Box) Vault(ctx context.Context, account string) (*safeboxv1.Vault, error) {
	v := &safeboxv1.Vault{}
	ok, err := b.get(ctx, "safebox/vault/"+account, v)
	if err == nil && !ok {
		err = fault.Newf(fault.VaultMissing, "%.100s has no box", account)
	}
	return v, err
}

// Held returns an item as the ledger has it, nil if it has none of that id.
func (b *Box) Held(ctx context.Context, id string) (*safeboxv1.BoxItem, error) {
	it := &safeboxv1.BoxItem{}
	ok, err := b.get(ctx, "safebox/item/"+id, it)
	if err != nil || !ok {
		return nil, err
	}
	return it, nil
}

// Recorded lists what the ledger says is in this box, erased items left out; the server's word.
func (b *Box) Recorded(ctx context.Context) ([]*safeboxv1.BoxItem, error) {
	var out []*safeboxv1.BoxItem
	req := &safeboxv1.ListBoxItemsRequest{Owner: b.Account, State: safeboxv1.ItemState_ITEM_STATE_HELD, Limit: 500}
	for {
		res, err := b.Chain.Safebox.ListBoxItems(ctx, rpc.NewRequest(req))
		if err != nil {
			return nil, wire.Fault(err)
		}
		out = append(out, res.Msg.GetItems()...)
		if res.Msg.GetNext() == "" || res.Msg.GetNext() == req.After {
			return out, nil
		}
		req.After = res.Msg.GetNext()
	}
}

// Transfers lists the open offers to this box, or of it; the server's word.
func (b *Box) Transfers(ctx context.Context, incoming bool) ([]*safeboxv1.Transfer, error) {
	req := &safeboxv1.ListTransfersRequest{State: safeboxv1.TransferState_TRANSFER_STATE_OFFERED, Limit: 500}
	if incoming {
		req.To = b.Account
	} else {
		req.From = b.Account
	}
	var out []*safeboxv1.Transfer
	for {
		res, err := b.Chain.Safebox.ListTransfers(ctx, rpc.NewRequest(req))
		if err != nil {
			return nil, wire.Fault(err)
		}
		out = append(out, res.Msg.GetTransfers()...)
		if res.Msg.GetNext() == "" || res.Msg.GetNext() == req.After {
			return out, nil
		}
		req.After = res.Msg.GetNext()
	}
}

// path is where this device keeps the vault file with that hash.
func (b *Box) path(hash []byte) string {
	return filepath.Join(b.Dir, b.Account+"."+hex.EncodeToString(hash[:8])+".vault")
}

// keep writes a vault file on this device. Durable once it returns nil.
func (b *Box) keep(raw, hash []byte) error {
	if strings.ContainsAny(b.Account, "./\\~") || b.Account == "" {
		return fault.Newf(fault.Malformed, "%.100q is no account with a box", b.Account)
	}
	if err := durable.MkdirPrivate(b.Dir); err != nil {
		return err
	}
	return durable.ReplaceFile(b.path(hash), raw, 0o600)
}

// settle removes the vault files of other versions from this device: each closes a seed with
// unlockers that may be in wrong hands by now.
func (b *Box) settle(hash []byte) error {
	files, err := filepath.Glob(filepath.Join(b.Dir, b.Account+".*.vault"))
	for _, path := range files {
		if err == nil && path != b.path(hash) {
			err = wipe(path)
		}
	}
	return err
}

// wipe writes zeros over a file and removes it.
func wipe(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("remove an old vault file: %w", err)
	}
	st, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, min(st.Size(), safebox.MaxFile)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close(), os.Remove(path)); err != nil {
		return fmt.Errorf("remove an old vault file: %w", err)
	}
	return nil
}

// File returns the vault's file that the ledger names: from the door or, if the door has
// lost it or never got it, from this device, and then the door gets it. Damaged if neither
// has it. VaultMissing.
func (b *Box) File(ctx context.Context) (*safeboxv1.VaultFile, *safeboxv1.Vault, error) {
	v, err := b.Vault(ctx, b.Account)
	if err != nil {
		return nil, nil, err
	}
	raw, err := b.Door.Vault(ctx)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, nil, err
	}
	if sum := sha256.Sum256(raw); err != nil || string(sum[:]) != string(v.UnlockersHash) {
		if raw, err = b.restored(ctx, v); err != nil {
			return nil, nil, err
		}
	}
	f, err := safebox.ParseFile(raw, v.UnlockersHash)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Damaged, err, "the vault's file")
	}
	if f.GetAccount() != b.Account {
		return nil, nil, fault.Newf(fault.VerificationFailed, "the vault's file is that of %.100s", f.GetAccount())
	}
	if _, err := os.Stat(b.path(v.UnlockersHash)); errors.Is(err, fs.ErrNotExist) && !b.DryRun {
		if err := errors.Join(b.keep(raw, v.UnlockersHash), b.settle(v.UnlockersHash)); err != nil {
			return nil, nil, err
		}
	}
	return f, v, nil
}

// restored reads the vault's file of this device and gives it to the door.
func (b *Box) restored(ctx context.Context, v *safeboxv1.Vault) ([]byte, error) {
	if len(v.UnlockersHash) != sha256.Size {
		return nil, fault.Newf(fault.VerificationFailed, "the server shows a vault without its hash")
	}
	raw, err := os.ReadFile(b.path(v.UnlockersHash))
	if err != nil {
		return nil, fault.Newf(fault.Damaged, "the door does not have the vault's file that the ledger names (version %d), and neither does %s: open the box from the device on which it was changed last", v.Version, b.Dir)
	}
	if sum := sha256.Sum256(raw); string(sum[:]) != string(v.UnlockersHash) {
		return nil, fault.Newf(fault.Damaged, "%s was changed", b.path(v.UnlockersHash))
	}
	return raw, b.Door.PutVault(ctx, raw)
}

// publish puts a vault as it is now on the ledger, and its file at the door.
func (b *Box) publish(ctx context.Context, v *safebox.Vault, message func(kinds []safeboxv1.UnlockerKind, hash []byte) proto.Message) error {
	raw, hash, err := v.File()
	if err != nil {
		return err
	}
	if !b.DryRun {
		// If the power fails after the next step, this copy is the only one.
		if err := b.keep(raw, hash); err != nil {
			return err
		}
	}
	_, err = b.send(ctx, officer, message(v.Kinds(), hash))
	if err == nil {
		err = b.Door.PutVault(ctx, raw)
	} else if !unknown(err) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHalfway, err)
	}
	return b.settle(hash)
}
