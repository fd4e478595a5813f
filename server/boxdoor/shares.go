package boxdoor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	grantv1 "mulian/gen/mulian/grant/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/store"
)

// A whole item goes from its owner's box to the data user of a grant: the use is on the ledger
// first, then its key, wrapped to him, comes here, and then he fetches it.
//
//	owner ──RecordBoxUse──▶ ledger ──PutBoxShare──▶ here ──GetBoxShare, parts──▶ data user ──DropBoxShare──▶ gone
//	grant revoked, voided or at its end; use given back; item erased or another's ──▶ destroyed here

// shares are the grants of which wrapped keys lie here, and whose they are, so that an event
// about any other grant costs nothing.
type shares struct {
	mu    sync.Mutex
	notes uint64
	of    map[string]noted // by grant
}

type noted struct {
	owner string
	at    uint64 // how many notes there were
}

// note says that something of the grant lies here: after it does.
func (s *shares) note(grant, owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]noted{}
	}
	s.notes++
	s.of[grant] = noted{owner, s.notes}
}

// sofar is how many notes there are: taken before one looks at what lies here.
func (s *shares) sofar() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes
}

// only says that of this owner's grants these alone had something here when one looked. What
// was noted since then stays.
func (s *shares) only(owner string, grants map[string]bool, sofar uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.of, func(grant string, n noted) bool { return n.owner == owner && n.at <= sofar && !grants[grant] })
}

func (s *shares) owner(grant string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.of[grant]
	return n.owner, ok
}

func (s *shares) owners() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, n := range s.of {
		out = append(out, n.owner)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *shares) has(owner string) bool { return slices.Contains(s.owners(), owner) }

// share carries out the four orders of a box share.
func (d *Door) share(ctx context.Context, caller string, o *safeboxv1.BoxOrder, out *safeboxv1.BoxAnswer) (err error) {
	switch w := o.Want.(type) {
	case *safeboxv1.BoxOrder_PutBoxShare:
		m := w.PutBoxShare
		return d.putShare(ctx, caller, store.Share{Grant: m.GetGrant(), Number: m.GetNumber()}, m.GetWrap())
	case *safeboxv1.BoxOrder_GetBoxShare:
		out.Content, err = d.shareHead(ctx, caller, store.Share{Grant: w.GetBoxShare.GetGrant(), Number: w.GetBoxShare.GetNumber()})
	case *safeboxv1.BoxOrder_GetBoxSharePart:
		m := w.GetBoxSharePart
		out.Content, err = d.sharePart(ctx, caller, store.Share{Grant: m.GetGrant(), Number: m.GetNumber()}, m.GetPart())
	case *safeboxv1.BoxOrder_DropBoxShare:
		out.Done, err = d.dropShare(ctx, caller, store.Share{Grant: w.DropBoxShare.GetGrant(), Number: w.DropBoxShare.GetNumber()})
	}
	return err
}

// between returns a grant of which the caller is a party. Who is none is told the same as if
// there were no such grant.
func (d *Door) between(ctx context.Context, caller string, at store.Share) (*grantv1.Grant, error) {
	g, err := d.cfg.Ledger.Grant(ctx, at.Grant)
	if err == nil && (g == nil || caller != g.GetOwner() && caller != g.GetGrantee()) {
		err = fault.Newf(fault.Forbidden, "%s is no party of a grant %.40q: its owner lays an item ready, its data user fetches it", caller, at.Grant)
	}
	return g, err
}

// mayShare returns the use under which an item is shared, if it may be shared now: NotFound
// (use, item), Forbidden (a gateway's use), IllegalTransition (given back), NotOwner, ItemErased,
// GrantRevoked, GrantNotActive (voided), Expired, GrantPaused. That the grant is used up is no
// obstacle: this is the use that did it.
func (d *Door) mayShare(ctx context.Context, g *grantv1.Grant, number uint64) (*grantv1.Use, error) {
	u, err := d.cfg.Ledger.GrantUse(ctx, g.GetId(), number)
	switch {
	case err != nil:
		return nil, err
	case u == nil:
		return nil, fault.Newf(fault.NotFound, "the ledger has no use %d of grant %s: it is recorded before its item is laid ready", number, g.GetId())
	case u.GetBoxItem() == "":
		return nil, fault.Newf(fault.Forbidden, "use %d of grant %s is that of gateway %s, not of an item of a box", number, g.GetId(), u.GetProvider())
	case u.GetOutcome() > grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RELEASED:
		return nil, fault.Newf(fault.IllegalTransition, "use %d of grant %s was given back", number, g.GetId())
	}
	it, err := d.cfg.Ledger.Item(ctx, u.GetBoxItem())
	if err != nil {
		return nil, err
	}
	now, err := d.cfg.Ledger.TimeMs(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case it == nil:
		return nil, fault.Newf(fault.NotFound, "there is no item %s", u.GetBoxItem())
	case it.GetState() == safeboxv1.ItemState_ITEM_STATE_ERASED:
		return nil, fault.Newf(fault.ItemErased, "item %s is erased", it.GetId())
	case it.GetOwner() != g.GetOwner():
		return nil, fault.Newf(fault.NotOwner, "item %s is in another's box by now", it.GetId())
	case g.GetState() == grantv1.GrantState_GRANT_STATE_REVOKED:
		return nil, fault.Newf(fault.GrantRevoked, "grant %s was revoked at height %d", g.GetId(), g.GetEndedHeight())
	case g.GetState() == grantv1.GrantState_GRANT_STATE_VOIDED:
		return nil, fault.Newf(fault.GrantNotActive, "grant %s was voided at height %d", g.GetId(), g.GetEndedHeight())
	case g.GetState() == grantv1.GrantState_GRANT_STATE_EXPIRED || now >= g.GetNotAfterMs():
		return nil, fault.Newf(fault.Expired, "grant %s ended at %d", g.GetId(), g.GetNotAfterMs())
	case g.GetState() == grantv1.GrantState_GRANT_STATE_PAUSED:
		return nil, fault.Newf(fault.GrantPaused, "grant %s is paused", g.GetId())
	}
	return u, nil
}

// putShare lays a wrapped key ready. The item has to lie here, or nobody could fetch it.
func (d *Door) putShare(ctx context.Context, caller string, at store.Share, wrap *safeboxv1.KeyWrap) error {
	g, err := d.between(ctx, caller, at)
	if err != nil {
		return err
	}
	if caller != g.GetOwner() {
		return fault.Newf(fault.Forbidden, "grant %s is another's: its owner lays an item ready", g.GetId())
	}
	u, err := d.mayShare(ctx, g, at.Number)
	if err != nil {
		return err
	}
	raw, err := canon.Marshal(wrap)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "wrap")
	}
	if sum := sha256.Sum256(raw); !bytes.Equal(sum[:], u.GetKeyWrapHash()) {
		return fault.Newf(fault.VerificationFailed, "wrap: its hash is %x, the ledger has %x for use %d of grant %s", sum[:8], u.GetKeyWrapHash(), at.Number, g.GetId())
	}
	if _, err := d.cfg.Boxes.Head(ctx, caller, u.GetBoxItem()); err != nil {
		return err
	}
	if err := d.cfg.Boxes.PutShare(ctx, caller, at, raw); err != nil {
		return err
	}
	d.shares.note(g.GetId(), caller)
	_, err = d.judgeShare(ctx, caller, at) // a revocation that came between met no note
	return err
}

// shared returns what the caller, if he is the grant's data user, may fetch now.
func (d *Door) shared(ctx context.Context, caller string, at store.Share) (*grantv1.Use, []byte, error) {
	g, err := d.between(ctx, caller, at)
	if err != nil {
		return nil, nil, err
	}
	if caller != g.GetGrantee() {
		return nil, nil, fault.Newf(fault.Forbidden, "what lies ready under grant %s is for %s", g.GetId(), g.GetGrantee())
	}
	u, err := d.mayShare(ctx, g, at.Number)
	if err != nil {
		return nil, nil, err
	}
	wrap, err := d.cfg.Boxes.Share(ctx, g.GetOwner(), at)
	if fault.Is(err, fault.NotFound) {
		err = fault.Newf(fault.NotFound, "nothing lies ready here for use %d of grant %s: it was fetched and dropped, or its owner has not laid it down (yet), or his box is at another door", at.Number, g.GetId())
	}
	return u, wrap, err
}

// shareHead is the head of a shared item with the data user's wrap in place of its owner's,
// which are nobody else's business.
func (d *Door) shareHead(ctx context.Context, caller string, at store.Share) ([]byte, error) {
	u, raw, err := d.shared(ctx, caller, at)
	if err != nil {
		return nil, err
	}
	wrap := &safeboxv1.KeyWrap{}
	if err := canon.Check(raw, wrap); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the wrap of use %d of grant %s", at.Number, at.Grant)
	}
	content, err := d.cfg.Boxes.Head(ctx, u.GetOwner(), u.GetBoxItem())
	if err != nil {
		return nil, err
	}
	head, err := safebox.ParseHead(content)
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the head of item %s", u.GetBoxItem())
	}
	head.Wraps = []*safeboxv1.KeyWrap{wrap}
	return canon.Marshal(head)
}

func (d *Door) sharePart(ctx context.Context, caller string, at store.Share, part uint32) ([]byte, error) {
	u, _, err := d.shared(ctx, caller, at)
	if err != nil {
		return nil, err
	}
	return d.cfg.Boxes.Part(ctx, u.GetOwner(), u.GetBoxItem(), part)
}

func (d *Door) dropShare(ctx context.Context, caller string, at store.Share) (bool, error) {
	g, err := d.between(ctx, caller, at)
	if err != nil {
		return false, err
	}
	return d.cfg.Boxes.DropShare(ctx, g.GetOwner(), at)
}

// sweepShares destroys the wrapped keys of a box that are not to be fetched any more; what one
// fails with does not keep the next.
func (d *Door) sweepShares(ctx context.Context, account string) error {
	before := d.shares.sofar()
	list, err := d.cfg.Boxes.Shares(ctx, account)
	if fault.Is(err, fault.Malformed) {
		return nil // no account that could have a box here
	}
	left := map[string]bool{}
	for _, at := range list {
		gone, bad := d.judgeShare(ctx, account, at)
		if !gone {
			left[at.Grant] = true
			d.shares.note(at.Grant, account)
		}
		if bad != nil && err == nil {
			err = fmt.Errorf("share %s/%d: %w", at.Grant, at.Number, bad)
		}
	}
	if err == nil {
		d.shares.only(account, left, before)
	}
	return err
}

// judgeShare destroys a wrapped key that is not to be fetched any more. What this node does not
// know, it may know later: a node that was restored, or is behind, destroys nothing for that.
func (d *Door) judgeShare(ctx context.Context, account string, at store.Share) (gone bool, err error) {
	g, err := d.cfg.Ledger.Grant(ctx, at.Grant)
	if err != nil || g == nil {
		return false, err
	}
	_, err = d.mayShare(ctx, g, at.Number)
	switch fault.CodeOf(err) {
	case fault.IllegalTransition, fault.NotOwner, fault.ItemErased, fault.GrantRevoked, fault.GrantNotActive, fault.Expired:
		if gone, err = d.cfg.Boxes.DropShare(ctx, account, at); gone && err == nil {
			d.destroyed.Inc()
		}
		return err == nil, err
	case fault.OK, fault.NotFound, fault.GrantPaused, fault.Forbidden:
		return false, nil
	}
	return false, err
}

// heedShares looks at what lies ready under the grants that an event names. A box that cannot
// be read is looked at again later.
func (d *Door) heedShares(ctx context.Context, objects []string) {
	for _, key := range objects {
		id, ok := strings.CutPrefix(key, grantPlace)
		if !ok {
			continue
		}
		owner, ok := d.shares.owner(id)
		if !ok {
			continue
		}
		if err := d.sweepShares(ctx, owner); err != nil && ctx.Err() == nil {
			d.failed[owner] = true
			d.warn(fmt.Errorf("box of %s: %w", owner, err))
		}
	}
}
