// Package boxdoor is the door of the boxes: signed calls by which ciphertext is laid down,
// also while its owner is offline, listed, fetched and erased.
//
// It cannot read what passes. It decides who may do what by the ledger alone: whose key
// signed, whose box it is, what is erased. It is no part of the chain: two doors may serve
// different boxes.
//
//	BoxCall ──▶ admit: chain, this door, in time, signature, once ──▶ carry out ──▶ store
//	ledger: item erased, or handed to another ──▶ Sweep ──▶ destroyed here
//
// # Invariants
//
//  1. Nobody but its owner lists, reads, replaces or erases what is in a box.
//  2. Into a box lays its owner, an account of an organisation, or who has offered it that item.
//  3. A body that was signed is carried out once.
//  4. What the ledger has as erased is not taken again, and is gone after the next Sweep.
//
// Sources: spec/safebox.md, "Safe-box encryption" and "Erasure".
package boxdoor

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"connectrpc.com/connect"

	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
	"mulian/safebox/boxcall"
	"mulian/safebox/store"
)

// Domain is what stands before a call's body when it is signed.
const Domain = boxcall.Domain

// Bounds of a call. Our own choice.
const (
	maxBody    = 256 << 10
	maxLife    = time.Minute
	skew       = 5 * time.Second
	minCallID  = 16
	maxCallID  = 64
	maxReplays = 100_000
)

// Ledger is what a door asks of the chain: committed state, as fresh as its operator's node.
// What is not there is nil without an error.
type Ledger interface {
	Account(ctx context.Context, id string) (*identityv1.Account, error)
	Vault(ctx context.Context, account string) (*safeboxv1.Vault, error)
	Item(ctx context.Context, id string) (*safeboxv1.BoxItem, error)
	// Offered says whether a transfer from one to the other is open that brings this item.
	Offered(ctx context.Context, from, to, item string) (bool, error)
}

// Config of a door.
type Config struct {
	ChainID string
	Name    string // of this door: calls for another are refused
	Ledger  Ledger
	Boxes   *store.Boxes
	Now     func() time.Time // nil = the machine's clock
}

// Door implements mulian.safebox.v1.BoxService.
type Door struct {
	cfg Config

	mu   sync.Mutex // over seen
	seen map[string]int64
}

// New makes a door.
func New(cfg Config) *Door {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Door{cfg: cfg, seen: map[string]int64{}}
}

// Call carries out one signed call.
func (d *Door) Call(ctx context.Context, req *connect.Request[safeboxv1.BoxCall]) (*connect.Response[safeboxv1.BoxAnswer], error) {
	out, err := d.carryOut(ctx, req.Msg)
	if err != nil {
		return nil, wire.Error(err)
	}
	return connect.NewResponse(out), nil
}

// admit tells who calls, or refuses: Malformed, WrongChain, NotWhitelisted (another door, no
// such account or key), Expired, OutOfRange (expiry), Suspended, KeyRevoked,
// BadAuthorisation, Replayed, Busy.
func (d *Door) admit(ctx context.Context, c *safeboxv1.BoxCall) (*safeboxv1.BoxOrder, *identityv1.Account, error) {
	o := &safeboxv1.BoxOrder{}
	if err := (canon.Limits{Bytes: maxBody, Elements: 64}).Check(c.GetBody(), o); err != nil {
		return nil, nil, fault.Wrap(fault.Malformed, err, "the call cannot be read")
	}
	now := d.cfg.Now()
	left := time.UnixMilli(o.ExpiresMs).Sub(now)
	switch {
	case o.ChainId != d.cfg.ChainID:
		return nil, nil, fault.Newf(fault.WrongChain, "the call is for chain %.60q", o.ChainId)
	case o.To != d.cfg.Name:
		return nil, nil, fault.Newf(fault.NotWhitelisted, "the call is for %.100q, this is %s", o.To, d.cfg.Name)
	case len(o.CallId) < minCallID || len(o.CallId) > maxCallID || len(o.From) > 100:
		return nil, nil, fault.Newf(fault.Malformed, "call_id: %d to %d bytes", minCallID, maxCallID)
	case left <= 0:
		return nil, nil, fault.Newf(fault.Expired, "the call has run out, by this door's clock")
	case left > maxLife+skew:
		return nil, nil, fault.Newf(fault.OutOfRange, "the call counts for %s, at most %s", left.Round(time.Second), maxLife)
	}
	acc, err := d.cfg.Ledger.Account(ctx, o.From)
	if err != nil {
		return nil, nil, err
	}
	if err := checkSigned(acc, c, now.UnixMilli()); err != nil {
		return nil, nil, err
	}
	return o, acc, d.once(o, now.UnixMilli())
}

// checkSigned holds the call against a key of the account.
func checkSigned(acc *identityv1.Account, c *safeboxv1.BoxCall, nowMs int64) error {
	if acc == nil {
		return fault.Newf(fault.NotWhitelisted, "the caller is not known on this chain")
	}
	if acc.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return fault.Newf(fault.Suspended, "%s is not active", acc.Id)
	}
	for _, k := range acc.Keys {
		if k.Id != c.GetKey() {
			continue
		}
		switch {
		case k.State != identityv1.KeyState_KEY_STATE_ACTIVE || k.EndsMs != 0 && nowMs >= k.EndsMs:
			return fault.Newf(fault.KeyRevoked, "key %s no longer signs", k.Id)
		case k.Suspended:
			return fault.Newf(fault.Suspended, "key %s is suspended by vote", k.Id)
		}
		pub, err := sm.ParsePublic(sm.Algorithm(k.Algorithm), k.PublicKey)
		if err != nil { // a passkey signs what a person looks at, not each part of a file
			return fault.Newf(fault.NotWhitelisted, "key %s does not sign calls: add a MACHINE key of the device", k.Id)
		}
		if len(c.Signature) > sm.MaxSignatureSize || !pub.Verify(append([]byte(Domain), c.Body...), c.Signature) {
			return fault.Newf(fault.BadAuthorisation, "the call's signature does not hold")
		}
		return nil
	}
	return fault.Newf(fault.NotWhitelisted, "%s has no key %.40q", acc.Id, c.GetKey())
}

// once refuses a call that came before and still counts.
func (d *Door) once(o *safeboxv1.BoxOrder, nowMs int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := o.From + "\x00" + o.CallId
	if until, ok := d.seen[id]; ok && until > nowMs {
		return fault.Newf(fault.Replayed, "this call was made before")
	}
	if len(d.seen) >= maxReplays {
		for k, until := range d.seen {
			if until <= nowMs {
				delete(d.seen, k)
			}
		}
		if len(d.seen) >= maxReplays {
			return fault.Newf(fault.Busy, "too many calls at once")
		}
	}
	d.seen[id] = o.ExpiresMs
	return nil
}

func (d *Door) carryOut(ctx context.Context, c *safeboxv1.BoxCall) (*safeboxv1.BoxAnswer, error) {
	o, acc, err := d.admit(ctx, c)
	if err != nil {
		return nil, err
	}
	b, out := d.cfg.Boxes, &safeboxv1.BoxAnswer{}
	switch w := o.Want.(type) {
	case *safeboxv1.BoxOrder_PutVault:
		err = d.putVault(ctx, acc.Id, w.PutVault.GetFile())
	case *safeboxv1.BoxOrder_FetchVault:
		out.Content, err = b.Vault(ctx, acc.Id)
	case *safeboxv1.BoxOrder_List:
		err = d.list(ctx, acc.Id, w.List, out)
	case *safeboxv1.BoxOrder_GetHead:
		out.Content, err = b.Head(ctx, acc.Id, w.GetHead.GetItem())
	case *safeboxv1.BoxOrder_GetPart:
		out.Content, err = b.Part(ctx, acc.Id, w.GetPart.GetItem(), w.GetPart.GetPart())
	case *safeboxv1.BoxOrder_PutHead:
		h := w.PutHead
		if len(h.GetBeforeSha256()) != sha256.Size {
			return nil, fault.Newf(fault.Malformed, "before_sha256: %d bytes", len(h.GetBeforeSha256()))
		}
		err = b.PutHead(ctx, acc.Id, h.GetItem(), h.GetHead(), [32]byte(h.GetBeforeSha256()))
	case *safeboxv1.BoxOrder_Erase:
		out.Done, err = d.erase(ctx, acc.Id, w.Erase.GetItem())
	default:
		return d.layDown(ctx, acc, o, c.GetPart())
	}
	return out, err
}

// putVault keeps a vault file only if the ledger names it.
func (d *Door) putVault(ctx context.Context, account string, file []byte) error {
	v, err := d.cfg.Ledger.Vault(ctx, account)
	switch sum := sha256.Sum256(file); {
	case err != nil:
		return err
	case v == nil:
		return fault.Newf(fault.VaultMissing, "%s has no vault", account)
	case string(sum[:]) != string(v.UnlockersHash):
		return fault.Newf(fault.CodeInconsistent, "this is not the vault file that the ledger names")
	}
	return d.cfg.Boxes.PutVault(ctx, account, file)
}

func (d *Door) list(ctx context.Context, account string, w *safeboxv1.ListItems, out *safeboxv1.BoxAnswer) error {
	page, next, err := d.cfg.Boxes.List(ctx, account, w.GetAfter(), int(min(w.GetLimit(), store.MaxList)))
	for _, it := range page {
		out.Items = append(out.Items, &safeboxv1.StoredItem{Item: it.Item, BodyBytes: it.BodyBytes, HeadSha256: it.HeadSHA256[:]})
	}
	out.Next = next
	return err
}

// layDown carries out the three steps of an upload.
func (d *Door) layDown(ctx context.Context, acc *identityv1.Account, o *safeboxv1.BoxOrder, part []byte) (*safeboxv1.BoxAnswer, error) {
	b, out := d.cfg.Boxes, &safeboxv1.BoxAnswer{}
	switch w := o.Want.(type) {
	case *safeboxv1.BoxOrder_Start:
		if err := d.mayLay(ctx, acc, w.Start.GetOwner(), w.Start.GetItem()); err != nil {
			return nil, err
		}
		if len(w.Start.HeadSha256) != sha256.Size {
			return nil, fault.Newf(fault.Malformed, "head_sha256: %d bytes", len(w.Start.HeadSha256))
		}
		var err error
		out.Missing, out.Done, err = b.Start(ctx, w.Start.Owner, w.Start.Item, w.Start.BodyBytes, [32]byte(w.Start.HeadSha256))
		return out, err
	case *safeboxv1.BoxOrder_PutPart:
		if err := d.mayLay(ctx, acc, w.PutPart.GetOwner(), w.PutPart.GetItem()); err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(part); string(sum[:]) != string(w.PutPart.Sha256) {
			return nil, fault.Newf(fault.VerificationFailed, "part %d changed on the way", w.PutPart.Part)
		}
		return out, b.PutPart(ctx, w.PutPart.Owner, w.PutPart.Item, w.PutPart.Part, part)
	case *safeboxv1.BoxOrder_Finish:
		if err := d.mayLay(ctx, acc, w.Finish.GetOwner(), w.Finish.GetItem()); err != nil {
			return nil, err
		}
		return out, b.Finish(ctx, w.Finish.Owner, w.Finish.Item, w.Finish.Head)
	}
	return nil, fault.Newf(fault.Missing, "the call wants nothing")
}

// mayLay: see invariants 2 and 4. VaultMissing, ItemErased, Forbidden.
func (d *Door) mayLay(ctx context.Context, acc *identityv1.Account, owner, item string) error {
	v, err := d.cfg.Ledger.Vault(ctx, owner)
	if err != nil {
		return err
	}
	if v == nil {
		return fault.Newf(fault.VaultMissing, "%.100q has no box", owner)
	}
	it, err := d.cfg.Ledger.Item(ctx, item)
	if err != nil {
		return err
	}
	if it.GetState() == safeboxv1.ItemState_ITEM_STATE_ERASED {
		return fault.Newf(fault.ItemErased, "item %s is erased", item)
	}
	if acc.Id == owner || acc.Org != "" {
		return nil
	}
	ok, err := d.cfg.Ledger.Offered(ctx, acc.Id, owner, item)
	if err == nil && !ok {
		err = fault.Newf(fault.Forbidden, "%s has not offered this item to %s", acc.Id, owner)
	}
	return err
}

// erase destroys an item of the caller's own box whose erasure is on the ledger, or that was
// never there.
func (d *Door) erase(ctx context.Context, account, item string) (bool, error) {
	it, err := d.cfg.Ledger.Item(ctx, item)
	if err != nil {
		return false, err
	}
	if it != nil && it.Owner == account && it.State != safeboxv1.ItemState_ITEM_STATE_ERASED {
		return false, fault.Newf(fault.IllegalTransition, "item %s is held: put its erasure on the ledger first", item)
	}
	return d.cfg.Boxes.Erase(ctx, account, item)
}

// Sweep destroys what the ledger has as erased, or as handed to another box, and returns how
// many items that were. Its owner calls it after each such event, and at the start.
func (d *Door) Sweep(ctx context.Context) (int, error) {
	n, after := 0, ""
	for {
		accounts, err := d.cfg.Boxes.Accounts(ctx, after, 100)
		if err != nil || len(accounts) == 0 {
			return n, err
		}
		for _, account := range accounts {
			m, err := d.sweepBox(ctx, account)
			n += m
			if err != nil {
				return n, err
			}
		}
		after = accounts[len(accounts)-1]
	}
}

func (d *Door) sweepBox(ctx context.Context, account string) (n int, err error) {
	for after := ""; ; {
		page, next, err := d.cfg.Boxes.List(ctx, account, after, store.MaxList)
		if err != nil {
			return n, err
		}
		for _, s := range page {
			it, err := d.cfg.Ledger.Item(ctx, s.Item)
			if err != nil {
				return n, err
			}
			if it == nil || it.Owner == account && it.State == safeboxv1.ItemState_ITEM_STATE_HELD {
				continue // not anchored yet, or held
			}
			if it.Owner != account && it.State == safeboxv1.ItemState_ITEM_STATE_HELD && len(it.Offers) > 0 {
				continue // laid ready for who may still accept it
			}
			if _, err := d.cfg.Boxes.Erase(ctx, account, s.Item); err != nil {
				return n, err
			}
			n++
		}
		if next == "" {
			return n, nil
		}
		after = next
	}
}
