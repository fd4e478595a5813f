// Package boxdoor is the door of the boxes: signed calls by which ciphertext is laid down,
// also while its owner is offline, listed, fetched and erased; and the way of an owner's row keys to
// who asked him (rowkeys.go).
//
// It cannot read what passes. It decides who may do what by the ledger alone: whose key
// signed, whose box it is, what is erased. It is no part of the chain: two doors may serve
// different boxes.
//
//	BoxCall ──▶ admit: chain, this door, in time, signature, once ──▶ carry out ──▶ store
//	ledger: item erased, handed to another, or not there in time ──▶ Run ──▶ destroyed here
//
// # Invariants
//
//  1. Nobody but its owner lists, reads, replaces or erases what is in a box.
//  2. Into a box whose vault's file is kept here lays its owner, an account of an organisation, or who has offered it that
//     item; once the ledger has the item, its owner or who deposited it. Who has begun an
//     upload ends it; before anybody else comes whom the ledger names for the item.
//  3. A body that was signed is carried out once, until this process ends: within the minute
//     that a call counts, a restart takes it again. What is laid down or erased twice is so
//     once; a head is replaced only in the place of the one that is named.
//  4. What the ledger has as erased is not taken again, and is gone after the next Sweep.
//  5. A row key goes from the owner of its grant to the gateway that receives under it, and to
//     nobody else; it is gone once the grant is over.
//  6. A whole item goes to the data user of a grant alone, under a use of that item that the
//     ledger has, as long as the grant and the item last; its wrapped key is gone after the
//     next Sweep once they do not (shares.go).
//  7. What is laid down and not on the ledger within [Config.Patience] is destroyed, by the
//     ledger's own clock: a node that is behind destroys nothing that it cannot know.
//
// Sources: spec/safebox.md, "Safe-box encryption" and "Erasure".
package boxdoor

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/replay"
	"mulian/internal/signer"
	"mulian/internal/wire"
	"mulian/safebox"
	"mulian/safebox/boxcall"
	"mulian/safebox/store"
)

// Domain is what stands before a call's body when it is signed.
const Domain = boxcall.Domain

// Bounds of a call. Our own choice.
const (
	maxBody   = 256 << 10
	maxLife   = time.Minute
	skew      = 5 * time.Second
	minCallID = 16
	maxCallID = 64
)

// Ledger is what a door asks of the chain: committed state, as fresh as its operator's node.
// What is not there is nil without an error.
type Ledger interface {
	Account(ctx context.Context, id string) (*identityv1.Account, error)
	Vault(ctx context.Context, account string) (*safeboxv1.Vault, error)
	Item(ctx context.Context, id string) (*safeboxv1.BoxItem, error)
	// Offered says whether a transfer from one to the other is open that brings this item.
	Offered(ctx context.Context, from, to, item string) (bool, error)
	Transfer(ctx context.Context, id string) (*safeboxv1.Transfer, error)
	Grant(ctx context.Context, id string) (*grantv1.Grant, error)
	GrantUse(ctx context.Context, grant string, number uint64) (*grantv1.Use, error)
	// TimeMs is the time of the last block.
	TimeMs(ctx context.Context) (int64, error)
}

// Config of a door.
type Config struct {
	ChainID string
	Name    string // of this door: calls for another are refused
	Ledger  Ledger
	Boxes   *store.Boxes
	// Patience is how long something may lie here that is not on the ledger; 0 =
	// [DefaultPatience].
	Patience time.Duration
	Now      func() time.Time      // nil = the machine's clock
	Logger   *slog.Logger          // nil = slog.Default
	Metrics  prometheus.Registerer // nil = none
}

// DefaultPatience with an upload: a day, in which who was cut off comes back. Our own choice.
const DefaultPatience = 24 * time.Hour

// Door implements mulian.safebox.v1.BoxService.
type Door struct {
	cfg       Config
	destroyed prometheus.Counter
	once      replay.Guard
	rows      rows
	laying    sync.Mutex // over what is laid down and destroyed of row keys
	shares    shares
	failed    map[string]bool // boxes that could not be swept; Run's alone
}

// New makes a door.
func New(cfg Config) *Door {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	cfg.Patience = cmp.Or(cfg.Patience, DefaultPatience)
	d := &Door{cfg: cfg, failed: map[string]bool{}}
	d.measure(cfg.Metrics)
	return d
}

// Name is what a call names as its door.
func (d *Door) Name() string { return d.cfg.Name }

// measure shows how much is here, as far as the store has looked: all of it after the first
// Sweep.
func (d *Door) measure(r prometheus.Registerer) {
	d.destroyed = prometheus.NewCounter(prometheus.CounterOpts{Name: "mulian_box_destroyed_total", Help: "Items destroyed in the boxes since the start: erased, handed over, or never on the ledger."})
	if r == nil {
		return
	}
	gauge := func(name, help string, of func(store.Figures) int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(of(d.cfg.Boxes.Figures())) })
	}
	r.MustRegister(d.destroyed,
		gauge("mulian_box_items", "Items in the boxes that this member keeps.", func(f store.Figures) int64 { return f.Items }),
		gauge("mulian_box_bytes", "Bytes of the bodies of these items.", func(f store.Figures) int64 { return f.Bytes }),
		gauge("mulian_box_unsettled", "Of them, items that the ledger does not have yet.", func(f store.Figures) int64 { return f.Unsettled }),
	)
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
	acc, err := signer.Account(ctx, o.From, d.cfg.Ledger.Account)
	if err != nil {
		return nil, nil, err
	}
	if err := signer.Check(acc, c.GetKey(), append([]byte(Domain), c.Body...), c.Signature, now.UnixMilli()); err != nil {
		return nil, nil, err
	}
	return o, acc, d.once.Take(o.From+"\x00"+o.CallId, o.ExpiresMs, now.UnixMilli())
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
		if err := checkHead(acc.Id, h.GetItem(), h.GetHead()); err != nil {
			return nil, err
		}
		err = b.PutHead(ctx, acc.Id, h.GetItem(), h.GetHead(), [32]byte(h.GetBeforeSha256()))
	case *safeboxv1.BoxOrder_Erase:
		out.Done, err = d.erase(ctx, acc.Id, w.Erase.GetItem())
	case *safeboxv1.BoxOrder_LayRowKey:
		err = d.layRowKey(ctx, acc, w.LayRowKey)
	case *safeboxv1.BoxOrder_FetchRowKey:
		out.Content, err = d.fetchRowKey(ctx, acc, w.FetchRowKey)
	case *safeboxv1.BoxOrder_PutBoxShare, *safeboxv1.BoxOrder_GetBoxShare, *safeboxv1.BoxOrder_GetBoxSharePart, *safeboxv1.BoxOrder_DropBoxShare:
		return out, d.share(ctx, acc.Id, o, out)
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
		if err := d.takeOver(ctx, acc, w.Start.Owner, w.Start.Item); err != nil {
			return nil, err
		}
		var err error
		out.Missing, out.Done, err = b.Start(ctx, w.Start.Owner, w.Start.Item, store.Upload{By: acc.Id, At: d.cfg.Now(), Bytes: w.Start.BodyBytes, Head: [32]byte(w.Start.HeadSha256)})
		return out, err
	case *safeboxv1.BoxOrder_PutPart:
		if err := d.mayGoOn(ctx, acc, w.PutPart.GetOwner(), w.PutPart.GetItem()); err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(part); string(sum[:]) != string(w.PutPart.Sha256) {
			return nil, fault.Newf(fault.VerificationFailed, "part %d changed on the way", w.PutPart.Part)
		}
		return out, b.PutPart(ctx, w.PutPart.Owner, w.PutPart.Item, w.PutPart.Part, part)
	case *safeboxv1.BoxOrder_Finish:
		if err := d.mayGoOn(ctx, acc, w.Finish.GetOwner(), w.Finish.GetItem()); err != nil {
			return nil, err
		}
		if err := checkHead(w.Finish.Owner, w.Finish.Item, w.Finish.Head); err != nil {
			return nil, err
		}
		return out, b.Finish(ctx, w.Finish.Owner, w.Finish.Item, w.Finish.Head)
	}
	return nil, fault.Newf(fault.Missing, "the call wants nothing")
}

// checkHead holds a head against where it is laid, as far as who cannot open it can. Malformed.
func checkHead(owner, item string, raw []byte) error {
	head, err := safebox.ParseHead(raw)
	if err == nil && (head.GetItem() != item || head.GetAccount() != owner) {
		err = errors.New("it is of another item or account")
	}
	return fault.Wrap(fault.Malformed, err, "the head of item %.60q", item)
}

// keptHere: a box is where its owner has laid the file of his vault, and nobody would find
// what is laid at another door. NotFound.
func (d *Door) keptHere(ctx context.Context, owner string) error {
	_, err := d.cfg.Boxes.Vault(ctx, owner)
	if fault.Is(err, fault.NotFound) {
		return fault.Newf(fault.NotFound, "the box of %s is not kept at this door", owner)
	}
	return err
}

// mayLay: see invariants 2 and 4. VaultMissing, ItemErased, NotFound (the box is kept
// elsewhere), Forbidden.
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
	switch {
	case it == nil && (acc.Id == owner || acc.Org != ""):
	case it != nil && it.Owner == owner:
		if acc.Id != owner && acc.Id != it.Depositor {
			return fault.Newf(fault.Forbidden, "item %s was deposited by another: only %s or its owner lays it down", item, it.Depositor)
		}
	default:
		ok, err := d.cfg.Ledger.Offered(ctx, acc.Id, owner, item)
		if err != nil {
			return err
		}
		if !ok {
			return fault.Newf(fault.Forbidden, "%s has not offered this item to %s", acc.Id, owner)
		}
	}
	return d.keptHere(ctx, owner)
}

// begun returns who has begun what is not on the ledger yet; empty: nobody.
func (d *Door) begun(ctx context.Context, owner, item string) (by string, err error) {
	k, ok, err := d.cfg.Boxes.Find(ctx, owner, item)
	if err != nil || !ok {
		return "", err
	}
	return k.By, nil
}

// mayGoOn: an upload is gone on with, and ended, by who has begun it.
func (d *Door) mayGoOn(ctx context.Context, acc *identityv1.Account, owner, item string) error {
	if err := d.mayLay(ctx, acc, owner, item); err != nil {
		return err
	}
	by, err := d.begun(ctx, owner, item)
	if err == nil && by != "" && by != acc.Id {
		err = fault.Newf(fault.Forbidden, "the upload of item %s was begun by another", item)
	}
	return err
}

// takeOver makes room for who begins what another has begun: the box's owner, and whom the
// ledger names for the item, its depositor or who has offered it. All others are refused:
// whoever reads of an item that is to come could else spoil it.
func (d *Door) takeOver(ctx context.Context, acc *identityv1.Account, owner, item string) error {
	by, err := d.begun(ctx, owner, item)
	if err != nil || by == "" || by == acc.Id {
		return err
	}
	it, err := d.cfg.Ledger.Item(ctx, item)
	if err != nil {
		return err
	}
	may := acc.Id == owner || it.GetDepositor() == acc.Id
	if !may {
		if may, err = d.cfg.Ledger.Offered(ctx, acc.Id, owner, item); err != nil {
			return err
		}
	}
	if !may {
		return fault.Newf(fault.Forbidden, "the upload of item %s was begun by another", item)
	}
	_, err = d.cfg.Boxes.Erase(ctx, owner, item)
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
	there, err := d.cfg.Boxes.Erase(ctx, account, item)
	if err == nil {
		err = d.sweepShares(ctx, account)
	}
	return there, err
}
