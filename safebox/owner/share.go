package owner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/sdjwt"
	"mulian/safebox"
)

// Shared is an item that lies ready for the data user of a grant.
type Shared struct {
	Grant  string
	Number uint64 // of the use that the ledger has counted for it
	Item   string
	To     string
	Until  int64 // ms: until when it can be fetched
}

// ErrReady says that the ledger has a use, or may have it, and its key does not lie ready yet:
// it is on this device, and the same Share again brings it, without another use.
var ErrReady = errors.New("the use is counted or may be, and its key is on this device: the same command again brings it to the door and counts no other")

// Share gives the data user of a grant a whole item: its key is wrapped to his vault alone, the
// use is put on the ledger, and then the wrap at the door (box share). Cut off in between, the
// same call again goes on with the same use.
//
// Forbidden (another's grant; a copy, a single item or a credential), OverAsk (no grant to
// deliver, or the item has more than is granted), RecipientNotEligible, and what the ledger's
// RecordBoxUse and the door's PutBoxShare say. ErrReady.
func (o *Opened) Share(ctx context.Context, it *Item, grant string) (*Shared, error) {
	g, err := o.grant(ctx, grant)
	if err != nil {
		return nil, err
	}
	if g.GetOwner() != o.Account {
		return nil, fault.Newf(fault.Forbidden, "grant %s is %s's, not that of %s", g.GetId(), g.GetOwner(), o.Account)
	}
	if err := mayLeave(it); err != nil {
		return nil, err
	}
	items, err := o.covered(ctx, g, it.Card, func() (io.Reader, error) { return o.Content(ctx, it) })
	if err != nil {
		return nil, err
	}
	done := &Shared{Grant: g.GetId(), Item: it.ID, To: g.GetGrantee(), Until: g.GetNotAfterMs()}
	if done.Number, err = o.goOn(ctx, g, it.ID); err != nil || done.Number != 0 {
		return done, err
	}
	done.Number = g.GetSequence() + 1
	p, version, err := o.wrapped(ctx, g, it, done.Number)
	if err != nil {
		return nil, err
	}
	hash, err := wrapHash(p.GetWrap())
	if err != nil {
		return nil, err
	}
	_, err = o.send(ctx, officer, &grantv1.RecordBoxUse{Grant: g.GetId(), Number: done.Number, Item: it.ID, Items: items, KeyWrapHash: hash, KeyVersion: version})
	switch {
	case err == nil:
	case fault.Is(err, fault.DuplicateSeq): // perhaps by us: an answer that was lost
		if n, again := o.goOn(ctx, g, it.ID); again != nil || n == done.Number {
			return done, again
		}
		return nil, err
	case unknown(err):
		return nil, fmt.Errorf("%w: %w", ErrReady, err)
	default:
		return nil, errors.Join(err, o.settled(p, it.ID))
	}
	return done, o.ready(ctx, p, it.ID)
}

// mayLeave refuses what goes to others in another way only.
func mayLeave(it *Item) error {
	switch {
	case it.Err != nil:
		return it.Err
	case it.Held == nil:
		return fault.Newf(fault.NotFound, "item %s is not on the ledger (yet)", it.ID)
	case it.Held.GetSingle():
		return fault.Newf(fault.Forbidden, "item %s is a single one: it can be handed over, not copied", it.ID)
	case it.Card.GetCopy() != nil:
		return fault.Newf(fault.Forbidden, "item %s is a copy that counts for this box alone: let the data user have one from who made it", it.ID)
	case it.Card.GetMediaType() == CredentialType:
		return fault.Newf(fault.Forbidden, "item %s is a credential with its holder's key: show it, or give a copy", it.ID)
	}
	return nil
}

// covered holds what an item has against what is granted, and returns the granted items that
// it has. A JSON object is held by its members; of what cannot be looked into, all items of the
// entry have to be granted. OverAsk.
func (b *Box) covered(ctx context.Context, g *grantv1.Grant, card *safeboxv1.ItemCard, open func() (io.Reader, error)) ([]byte, error) {
	const instead = "give an annotated copy of the granted fields instead: mulian box give --fields"
	switch {
	case g.GetMode() != grantv1.GrantMode_GRANT_MODE_DELIVER:
		return nil, fault.Newf(fault.OverAsk, "grant %s is no grant to deliver: a whole item is kept by who gets it", g.GetId())
	case g.GetEntry() == "":
		return nil, fault.Newf(fault.OverAsk, "grant %s is confidential, and the ledger does not name its items: %s", g.GetId(), instead)
	case card.GetEntry() != "" && card.GetEntry() != g.GetEntry():
		return nil, fault.Newf(fault.OverAsk, "the item is of entry %s, granted is %s: %s", card.GetEntry(), g.GetEntry(), instead)
	}
	has, err := members(card, open)
	if err != nil {
		return nil, err
	}
	if has == nil {
		e := &cataloguev1.Entry{}
		if ok, err := b.get(ctx, "catalogue/entry/"+g.GetEntry(), e); err != nil || !ok {
			return nil, errors.Join(err, fault.Newf(fault.NotFound, "there is no entry %s", g.GetEntry()))
		}
		for _, it := range e.GetItems() {
			has = append(has, it.GetCode())
		}
	}
	over := slices.DeleteFunc(slices.Clone(has), func(code string) bool { return slices.Contains(g.GetItemCodes(), code) })
	if len(over) > 0 || len(has) == 0 {
		return nil, fault.Newf(fault.OverAsk, "the item has %s beyond the %d items of grant %s: %s", strings.Join(over, ", "), len(g.GetItemCodes()), g.GetId(), instead)
	}
	var places []int
	n := 0
	for i := range 8 * len(g.GetItems()) {
		if itemset.Has(g.GetItems(), i) {
			if n < len(g.GetItemCodes()) && slices.Contains(has, g.GetItemCodes()[n]) {
				places = append(places, i)
			}
			n++
		}
	}
	return itemset.Of(places...), nil
}

// members are the names in a JSON object; nil for what is none.
func members(card *safeboxv1.ItemCard, open func() (io.Reader, error)) ([]string, error) {
	if t := card.GetMediaType(); t != "application/json" && !strings.HasSuffix(t, "+json") || card.GetBytes() > MaxNarrow {
		return nil, nil
	}
	r, err := open()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	object, err := sdjwt.ParseObject(raw)
	if err != nil {
		return nil, nil // whole, or not at all
	}
	names := []string{}
	for _, m := range object {
		names = append(names, m.Name)
	}
	return names, nil
}

func (b *Box) grant(ctx context.Context, id string) (*grantv1.Grant, error) {
	g := &grantv1.Grant{}
	ok, err := b.get(ctx, "grant/grant/"+id, g)
	if err == nil && (!ok || g.GetId() != id) {
		err = fault.Newf(fault.NotFound, "there is no grant %.40q", id)
	}
	return g, err
}

// use returns a use of a grant, nil if the ledger has none of that number.
func (b *Box) use(ctx context.Context, grant string, number uint64) (*grantv1.Use, error) {
	u := &grantv1.Use{}
	ok, err := b.get(ctx, fmt.Sprintf("grant/use/%s/%010d", grant, number), u)
	if err != nil || !ok {
		return nil, err
	}
	return u, nil
}

func wrapHash(w *safeboxv1.KeyWrap) ([]byte, error) {
	raw, err := canon.Marshal(w)
	if err != nil {
		return nil, err
	}
	return digestOf(raw), nil
}

// waiting is where this device keeps a wrap until it lies ready: ciphertext to all but the data user.
func (b *Box) waiting(grant string, number uint64, item string) string {
	return filepath.Join(b.Dir, fmt.Sprintf("%s.%s.%010d.%s.share", b.Account, grant, number, item))
}

// wrapped wraps an item's key to the data user, and keeps the wrap on this device before anything
// is sent: after a crash it has to be the one whose hash is on the ledger.
func (o *Opened) wrapped(ctx context.Context, g *grantv1.Grant, it *Item, number uint64) (*safeboxv1.PutBoxShare, uint64, error) {
	v, err := o.Vault(ctx, g.GetGrantee())
	if fault.Is(err, fault.VaultMissing) {
		err = fault.Newf(fault.RecipientNotEligible, "%s has no box: it is opened with mulian box init", g.GetGrantee())
	}
	if err != nil {
		return nil, 0, err
	}
	path := o.waiting(g.GetId(), number, it.ID)
	if p, err := readWaiting(path); err == nil && p.GetWrap().GetKeyVersion() == v.GetKeyVersion() { // sent before, and not on the ledger yet
		return p, v.GetKeyVersion(), nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	to := safebox.Grantee{Grant: g.GetId(), Receiver: g.GetGrantee()}
	suite := safebox.Best(v, it.key.Suite())
	for _, k := range v.GetKeys() {
		if k.GetSuite() == suite {
			to.Key = k
		}
	}
	if to.Key == nil {
		return nil, 0, fault.Newf(fault.VerificationFailed, "the vault of %s has no key to which anything could be wrapped", g.GetGrantee())
	}
	w, err := safebox.WrapGrant(it.key, safebox.PlaceOf(it.head), to)
	if err != nil {
		return nil, 0, fault.Wrap(fault.Malformed, err, "the vault of %s", g.GetGrantee())
	}
	w.KeyVersion = v.GetKeyVersion()
	p := &safeboxv1.PutBoxShare{Grant: g.GetId(), Number: number, Wrap: w}
	if o.DryRun {
		return p, v.GetKeyVersion(), nil
	}
	raw, err := canon.Marshal(p)
	if err == nil {
		err = durable.MkdirPrivate(o.Dir)
	}
	if err == nil {
		err = durable.ReplaceFile(path, raw, 0o600)
	}
	return p, v.GetKeyVersion(), err
}

func readWaiting(path string) (*safeboxv1.PutBoxShare, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &safeboxv1.PutBoxShare{}
	return p, fault.Wrap(fault.Damaged, canon.Check(raw, p), "%s", path)
}

// ready brings a wrap to the door. One that the door will not take any more, for the grant or
// the item has ended meanwhile, is forgotten here as well.
func (o *Opened) ready(ctx context.Context, p *safeboxv1.PutBoxShare, item string) error {
	err := o.Door.PutShare(ctx, p)
	switch {
	case err == nil:
		return o.settled(p, item)
	case fault.Is(err, fault.GrantNotActive) || fault.Is(err, fault.GrantRevoked) || fault.Is(err, fault.Expired) || fault.Is(err, fault.ItemErased):
		return errors.Join(err, o.settled(p, item))
	default:
		return fmt.Errorf("%w: %w", ErrReady, err)
	}
}

// settled forgets a wrap on this device.
func (o *Opened) settled(p *safeboxv1.PutBoxShare, item string) error {
	if err := os.Remove(o.waiting(p.GetGrant(), p.GetNumber(), item)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget a wrap that lies ready: %w", err)
	}
	return nil
}

// goOn brings to the door what an earlier Share of this item could not bring any more, and
// returns the number of its use; 0 = there is nothing of the kind.
func (o *Opened) goOn(ctx context.Context, g *grantv1.Grant, item string) (uint64, error) {
	if o.DryRun {
		return 0, nil
	}
	paths, err := filepath.Glob(filepath.Join(o.Dir, o.Account+"."+g.GetId()+".*."+item+".share"))
	for _, path := range paths {
		p, err := readWaiting(path)
		if err != nil {
			return 0, err
		}
		u, err := o.use(ctx, g.GetId(), p.GetNumber())
		if err != nil {
			return 0, err
		}
		if u == nil {
			continue // it was never recorded, or is not yet: wrapped takes it up again
		}
		hash, err := wrapHash(p.GetWrap())
		if err != nil {
			return 0, err
		}
		if bytes.Equal(hash, u.GetKeyWrapHash()) {
			return p.GetNumber(), o.ready(ctx, p, item)
		}
		if err := o.settled(p, item); err != nil { // another use has its number
			return 0, err
		}
	}
	return 0, err
}

// Received is an item that was shared under a grant, held against the ledger and opened.
type Received struct {
	Shared
	From    string
	Card    *safeboxv1.ItemCard
	Content io.Reader // checked as Content of an item is
}

// Receive opens what the owner of a grant has shared with this box: under the use of that number,
// or the last that is of an item of a box if it is 0. Nothing of it is believed that the ledger
// does not say: item and wrap are those of the use, the card is that of the item's commitment.
//
// Forbidden (not this box's grant), NotFound (no such use; nothing lies ready), what the door's
// GetBoxShare says; VerificationFailed, Damaged if what lies there is not what was recorded;
// OverAsk if the item has more than is granted: then nothing of it is kept.
func (o *Opened) Receive(ctx context.Context, grant string, number uint64) (*Received, error) {
	g, err := o.grant(ctx, grant)
	if err != nil {
		return nil, err
	}
	if g.GetGrantee() != o.Account {
		return nil, fault.Newf(fault.Forbidden, "the data user of grant %s is %s, not %s", g.GetId(), g.GetGrantee(), o.Account)
	}
	u, err := o.boxUse(ctx, g, number)
	if err != nil {
		return nil, err
	}
	head, err := o.Door.Share(ctx, g.GetId(), u.GetNumber())
	if err != nil {
		return nil, err
	}
	hash, err := wrapHash(head.GetWraps()[0])
	if err != nil || !bytes.Equal(hash, u.GetKeyWrapHash()) || head.GetItem() != u.GetBoxItem() || head.GetAccount() != g.GetOwner() {
		return nil, fault.Newf(fault.VerificationFailed, "what lies ready is not what %s recorded as use %d of grant %s", g.GetOwner(), u.GetNumber(), g.GetId())
	}
	key, err := o.vault.UnwrapGrant(head.GetWraps()[0], head.GetSuite(), safebox.PlaceOf(head), g.GetId())
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the wrap of use %d of grant %s does not open for this box", u.GetNumber(), g.GetId())
	}
	card, err := o.sharedCard(ctx, key, head)
	if err != nil {
		return nil, err
	}
	content := func() (io.Reader, error) {
		r, err := safebox.OpenBody(o.Door.ShareBody(ctx, g.GetId(), u.GetNumber(), head), key, safebox.PlaceOf(head), card)
		return checked{r, u.GetBoxItem()}, fault.Wrap(fault.Damaged, err, "item %s", u.GetBoxItem())
	}
	if _, err := o.covered(ctx, g, card, content); err != nil {
		return nil, err
	}
	r := &Received{Shared: Shared{Grant: g.GetId(), Number: u.GetNumber(), Item: u.GetBoxItem(), To: o.Account, Until: g.GetNotAfterMs()}, From: g.GetOwner(), Card: card}
	r.Content, err = content()
	return r, err
}

// sharedCard opens the card of a shared item and holds it against the ledger's commitment.
func (o *Opened) sharedCard(ctx context.Context, key safebox.Key, head *safeboxv1.ItemHead) (*safeboxv1.ItemCard, error) {
	card, err := safebox.OpenCard(key, head)
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "item %s", head.GetItem())
	}
	held, err := o.Held(ctx, head.GetItem())
	if err != nil {
		return nil, err
	}
	commitment, _, err := safebox.Commitment(card)
	if err != nil || !bytes.Equal(commitment, held.GetCommitment()) {
		return nil, fault.Newf(fault.VerificationFailed, "item %s is not what the ledger has a commitment of", head.GetItem())
	}
	return card, nil
}

// boxUse returns the use of that number, or the last one that is of an item of a box. NotFound.
func (b *Box) boxUse(ctx context.Context, g *grantv1.Grant, number uint64) (*grantv1.Use, error) {
	first := number
	if number == 0 {
		number, first = g.GetSequence(), 1
	}
	for n := number; n >= first && n > 0; n-- {
		u, err := b.use(ctx, g.GetId(), n)
		if err != nil {
			return nil, err
		}
		if u.GetBoxItem() != "" {
			return u, nil
		}
	}
	return nil, fault.Newf(fault.NotFound, "%s has shared nothing of its box under grant %s: mulian grant uses %[2]s", g.GetOwner(), g.GetId())
}

// Took says that the receiver has what was shared with him: the door destroys its wrap.
func (b *Box) Took(ctx context.Context, r *Received) error {
	_, err := b.Door.DropShare(ctx, r.Grant, r.Number)
	return err
}
