// Package boxdoor is the door of the boxes: signed calls by which ciphertext is laid down,
// also while its owner is offline, listed, fetched and erased.
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
//  2. Into a box lays its owner, an account of an organisation, or who has offered it that
//     item; once the ledger has the item, its owner or who deposited it.
//  3. A body that was signed is carried out once, until this process ends: within the minute
//     that a call counts, a restart takes it again. What is laid down or erased twice is so
//     once; a head is replaced only in the place of the one that is named.
//  4. What the ledger has as erased is not taken again, and is gone after the next Sweep.
//  5. What is laid down and not on the ledger within [Config.Patience] is destroyed, by the
//     ledger's own clock: a node that is behind destroys nothing that it cannot know.
//
// Sources: spec/safebox.md, "Safe-box encryption" and "Erasure".
package boxdoor

import (
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

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
	Transfer(ctx context.Context, id string) (*safeboxv1.Transfer, error)
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

	mu   sync.Mutex // over seen
	seen map[string]int64
}

// New makes a door.
func New(cfg Config) *Door {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	cfg.Patience = cmp.Or(cfg.Patience, DefaultPatience)
	d := &Door{cfg: cfg, seen: map[string]int64{}}
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
		case k.LostMs != 0: // as on the ledger: who found a phone opens nothing with it
			return fault.Newf(fault.KeyRevoked, "key %s is reported lost", k.Id)
		case k.Custodian != "": // it signs what two officers have put on the ledger, and no call is that
			return fault.Newf(fault.CustodyUnrecorded, "key %s is in custody and signs no calls", k.Id)
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
		out.Missing, out.Done, err = b.Start(ctx, w.Start.Owner, w.Start.Item, store.Upload{By: acc.Id, At: d.cfg.Now(), Bytes: w.Start.BodyBytes, Head: [32]byte(w.Start.HeadSha256)})
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
	case it == nil && acc.Id == owner:
		return nil
	case it == nil && acc.Org != "":
		return d.keptHere(ctx, owner)
	case it != nil && it.Owner == owner:
		if acc.Id == owner || acc.Id == it.Depositor {
			return nil
		}
		return fault.Newf(fault.Forbidden, "item %s was deposited by another: only %s or its owner lays it down", item, it.Depositor)
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
