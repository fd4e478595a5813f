package custodian

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/light"
	"mulian/custody/hsm"
	custodyv1 "mulian/gen/mulian/custody/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/custody"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Prefixes of the records on the ledger.
const (
	custodies = "custody/custody/"
	uses      = "custody/use/"
	unwraps   = "custody/unwrap/"
)

// Custodian is one such program. Its fields are set before [Custodian.Run].
type Custodian struct {
	Ledger *client.Client
	Proved *client.Verified // by the consortium's genesis
	Signer client.Signer    // account of the custodian, with a key MACHINE
	Device *hsm.Device
	Dir    string // of its own, made if there is none
	Log    *slog.Logger

	opening sync.Mutex // one opening of a vault at a time
}

// org is the organisation that keeps the keys.
func (c *Custodian) org() string {
	org, _, _ := strings.Cut(c.Signer.Account, "/")
	return org
}

// Run works until the context ends. One at a time runs in a folder: Locked for another.
func (c *Custodian) Run(ctx context.Context) (err error) {
	if err := durable.MkdirPrivate(c.Dir); err != nil {
		return err
	}
	lock, err := durable.LockDir(c.Dir, "custodian")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	s, err := c.Ledger.Status(ctx)
	if err != nil {
		return err
	}
	c.sweep()
	todo := map[string]bool{}
	for _, prefix := range []string{custodies, uses} {
		err := c.Ledger.List(ctx, prefix, func(key string, value []byte) bool {
			if c.pending(prefix, value) {
				todo[key] = true
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	c.work(ctx, todo)
	err = c.Ledger.Watch(ctx, s.GetEvents(), []string{"custody/"}, func(u client.Update) error {
		for _, e := range u.Events {
			if key := subject(e); strings.HasPrefix(key, custodies) || strings.HasPrefix(key, uses) {
				todo[key] = true
			}
		}
		c.work(ctx, todo)
		return nil
	})
	if fault.Is(err, fault.Cancelled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// pending reports whether a record, as the server shows it, is ours and waits. A server that
// hides one only makes it wait; what is done is proved first.
func (c *Custodian) pending(prefix string, value []byte) bool {
	if prefix == uses {
		u := &custodyv1.CustodyUse{}
		return proto.Unmarshal(value, u) == nil && u.GetCustodian() == c.org() && u.GetState() == custodyv1.CustodyUseState_CUSTODY_USE_STATE_CONFIRMED
	}
	a := &custodyv1.Custody{}
	return proto.Unmarshal(value, a) == nil && a.GetCustodian() == c.org() && a.GetState() == custodyv1.CustodyState_CUSTODY_STATE_VOUCHED
}

// subject is the object that an event is about.
func subject(e *tracev1.Event) string {
	if len(e.GetObjects()) == 0 {
		return ""
	}
	return e.GetObjects()[0]
}

// work does what there is to do; what waits, or could not be done now, stays in the list.
func (c *Custodian) work(ctx context.Context, todo map[string]bool) {
	for _, key := range slices.Sorted(maps.Keys(todo)) {
		if ctx.Err() != nil {
			return
		}
		do := c.sign
		if strings.HasPrefix(key, custodies) {
			do = c.accept
		}
		done, err := do(ctx, key)
		if err != nil {
			c.Log.Warn("not done", "object", key, "again", !done, "code", fault.CodeOf(err).String(), "error", err)
		}
		if done {
			delete(todo, key)
		}
	}
}

// again reports whether trying later may help: everything but what the ledger's rules have
// refused, other than for the day's wait, and what is not ours or cannot be read. A disk, a
// network or hardware that fails must not make a confirmed use forgotten.
func again(err error) bool {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		switch {
		case f.Code == fault.UndoWindow, f.Code == fault.Busy:
			return true
		case f.Rule != "", f.Code == fault.Forbidden, f.Code == fault.Malformed:
			return false
		}
	}
	return true
}

// arrangement proves the custody of an account, which has to be ours: Forbidden.
func (c *Custodian) arrangement(ctx context.Context, account string) (*custodyv1.Custody, error) {
	a := &custodyv1.Custody{}
	found, _, err := c.Proved.Get(ctx, custodies+account, a)
	if err == nil && (!found || a.GetCustodian() != c.org() || a.GetAccount() != account) {
		err = fault.Newf(fault.Forbidden, "%s is not in the custody of %s", account, c.org())
	}
	return a, err
}

// accept makes the keys of an account that two officers have vouched for.
func (c *Custodian) accept(ctx context.Context, key string) (done bool, err error) {
	a := &custodyv1.Custody{}
	found, _, err := c.Proved.Get(ctx, key, a)
	if err != nil {
		return !again(err), err
	}
	if !found || a.GetCustodian() != c.org() || a.GetState() != custodyv1.CustodyState_CUSTODY_STATE_VOUCHED {
		return true, nil
	}
	signs, err := c.keyOf("sign "+a.GetAccount(), c.Device.Generate)
	if err != nil {
		return false, err
	}
	opens, err := c.keyOf("open "+a.GetAccount(), c.Device.GenerateOpening)
	if err != nil {
		return false, err
	}
	if err := c.agrees(opens); err != nil {
		return false, err
	}
	chain, err := c.Ledger.ChainID(ctx)
	if err != nil {
		return false, err
	}
	possession, err := c.Device.Sign(signs.ID(), custody.KeyMessage(chain, a.GetAccount(), signs.ID()))
	if err != nil {
		return false, err
	}
	_, err = c.Ledger.Send(ctx, c.Signer, &custodyv1.AcceptCustody{
		Account: a.GetAccount(), Key: client.PublicKey(signs, identityv1.KeyLevel_KEY_LEVEL_ROOT, "custody"), Possession: possession, SealKey: opens.Bytes(),
	})
	if err != nil {
		return !again(err), err
	}
	c.Log.Info("account in custody", "account", a.GetAccount(), "key", signs.ID())
	return true, nil
}

// agrees tries the key that opens vaults before anything is closed to it.
func (c *Custodian) agrees(k sm.PublicKey) error {
	private, err := c.Device.Opening(k.ID())
	if err != nil {
		return err
	}
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	theirs, err := private.ECDH(peer.PublicKey())
	if err != nil {
		return err
	}
	mine, err := peer.ECDH(private.PublicKey())
	if err == nil && subtle.ConstantTimeCompare(mine, theirs) == 0 {
		err = fault.Newf(fault.Damaged, "the opening key %s agrees on something else than its public half", k.ID())
	}
	return err
}

// keyOf finds the key with the label, or makes it: after a crash it may be there already.
func (c *Custodian) keyOf(label string, generate func(string) (sm.PublicKey, error)) (sm.PublicKey, error) {
	k, err := c.Device.Labelled(label)
	if errors.Is(err, hsm.ErrNoKey) {
		return generate(label)
	}
	return k, err
}

// sign signs and sends the body of a confirmed use whose window is over.
func (c *Custodian) sign(ctx context.Context, key string) (done bool, err error) {
	u := &custodyv1.CustodyUse{}
	found, at, err := c.Proved.Get(ctx, key, u)
	if err != nil {
		return !again(err), err
	}
	if !found || u.GetCustodian() != c.org() {
		return true, nil
	}
	id := [32]byte(u.GetTxId())
	switch {
	case u.GetEndedMs() != 0:
		return true, c.forget(id)
	case u.GetState() != custodyv1.CustodyUseState_CUSTODY_USE_STATE_CONFIRMED:
		return true, nil // its next step brings an event
	case early(at, u):
		return false, nil
	case client.ID(u.GetBody()) != id:
		return true, fault.Newf(fault.Damaged, "%s: its body is not that of transaction %x", key, id[:8])
	}
	env, err := c.envelope(ctx, u, id)
	if err != nil {
		return !again(err), err
	}
	r, err := c.Ledger.Submit(ctx, env)
	if fault.Is(err, fault.Replayed) {
		return true, c.forget(id) // a message of it was refused, or the use is over by now
	}
	if err != nil {
		if again(err) {
			return false, err
		}
		return true, errors.Join(err, c.forget(id))
	}
	c.Log.Info("signed and carried out", "account", u.GetAccount(), "use", u.GetNumber(), "height", r.Height)
	return true, c.forget(id)
}

// early reports whether the block that proves the use came before its window was over.
func early(at light.Header, u *custodyv1.CustodyUse) bool {
	return at.Time.UnixMilli() < u.GetEffectiveMs()
}

// envelope returns what was signed for the use before, else signs it now. It is on disk
// before anybody gets it.
func (c *Custodian) envelope(ctx context.Context, u *custodyv1.CustodyUse, id [32]byte) (*client.Envelope, error) {
	body := new(txv1.Body)
	if err := canon.Check(u.GetBody(), body); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the body of use %d of %s", u.GetNumber(), u.GetAccount())
	}
	raw, err := os.ReadFile(c.envelopePath(id))
	if err == nil {
		kept := new(txv1.Envelope)
		if err := proto.Unmarshal(raw, kept); err == nil && client.ID(kept.GetBody()) == id {
			return &client.Envelope{Raw: raw, ID: id, Body: body}, nil
		}
		return nil, fault.Newf(fault.Damaged, "%s is not the envelope of transaction %x", c.envelopePath(id), id[:8])
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read what was signed: %w", err)
	}
	a, err := c.arrangement(ctx, u.GetAccount())
	if err != nil {
		return nil, err
	}
	sig, err := c.Device.Sign(a.GetKey(), client.Signed(id))
	if err != nil {
		return nil, err
	}
	env, err := (&client.Draft{Body: body, Raw: u.GetBody(), ID: id}).WithSignature(a.GetKey(), sig)
	if err != nil {
		return nil, err
	}
	return env, durable.ReplaceFile(c.envelopePath(id), env.Raw, 0o600)
}

func (c *Custodian) envelopePath(id [32]byte) string {
	return filepath.Join(c.Dir, fmt.Sprintf("%x.envelope", id))
}

// forget removes what was signed for a use that is over.
func (c *Custodian) forget(id [32]byte) error {
	if err := os.Remove(c.envelopePath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what was signed: %w", err)
	}
	return nil
}

// keepFor is how long a sealed result is kept for a counter that asks again: as long as the
// ledger lets it be answered. keepSigned is longer than any body of a use is good for.
const (
	keepFor    = time.Hour
	keepSigned = 8 * 24 * time.Hour
)
