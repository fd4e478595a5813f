package boxdoor_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	grantv1 "mulian/gen/mulian/grant/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/store"
	"mulian/server/boxdoor"
)

func (w *town) GrantUse(_ context.Context, grant string, number uint64) (*grantv1.Use, error) {
	return w.uses[fmt.Sprint(grant, "/", number)], nil
}

const (
	usedUp  = grantv1.GrantState_GRANT_STATE_EXHAUSTED
	revoked = grantv1.GrantState_GRANT_STATE_REVOKED
	emptied = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_EMPTY
)

// sharing is a town in which p-1 shares an item with the office, under a grant that this uses up.
type sharing struct {
	*town
	grant, item string
	wrap        *safeboxv1.KeyWrap
	office      *safebox.Vault
}

func newSharing(t *testing.T) *sharing {
	s := &sharing{town: newTown(t), grant: id("a")}
	v := safebox.NewVault("p-1")
	keys, err := v.PublicKeys()
	must(t, err)
	s.vaults["p-1"] = &safeboxv1.Vault{Account: "p-1", Keys: keys, KeyVersion: 1}
	s.keepsBox("p-1")
	s.item = s.deposit([]byte(planted))
	raw, err := s.boxes.Head(t.Context(), "p-1", s.item)
	must(t, err)
	head, err := safebox.ParseHead(raw)
	must(t, err)
	key, err := v.Unwrap(head)
	must(t, err)
	s.office = safebox.NewVault("office")
	theirs, err := s.office.PublicKeys(safebox.P256)
	must(t, err)
	s.wrap, err = safebox.WrapGrant(key, safebox.PlaceOf(head), safebox.Grantee{Grant: s.grant, Receiver: "office", Key: theirs[0]})
	must(t, err)
	wrapped, err := canon.Marshal(s.wrap)
	must(t, err)
	sum := sha256.Sum256(wrapped)
	s.grants = map[string]*grantv1.Grant{s.grant: {Id: s.grant, Owner: "p-1", Grantee: "office", State: usedUp, Sequence: 1, NotAfterMs: s.now.Add(time.Hour).UnixMilli()}}
	s.uses = map[string]*grantv1.Use{s.grant + "/1": {Grant: s.grant, Number: 1, Owner: "p-1", BoxItem: s.item, KeyWrapHash: sum[:], Outcome: 1}}
	return s
}

func (s *sharing) put(by string, wrap *safeboxv1.KeyWrap) error {
	_, err := s.call(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_PutBoxShare{PutBoxShare: &safeboxv1.PutBoxShare{Grant: s.grant, Number: 1, Wrap: wrap}}})
	return err
}

func (s *sharing) get(by string) ([]byte, error) {
	a, err := s.call(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_GetBoxShare{GetBoxShare: &safeboxv1.GetBoxShare{Grant: s.grant, Number: 1}}})
	return a.GetContent(), err
}

func (s *sharing) part(by string, n uint32) ([]byte, error) {
	a, err := s.call(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_GetBoxSharePart{GetBoxSharePart: &safeboxv1.GetBoxSharePart{Grant: s.grant, Number: 1, Part: n}}})
	return a.GetContent(), err
}

func (s *sharing) drop(by string) (bool, error) {
	a, err := s.call(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_DropBoxShare{DropBoxShare: &safeboxv1.DropBoxShare{Grant: s.grant, Number: 1}}})
	return a.GetDone(), err
}

func (s *sharing) lies() bool {
	s.t.Helper()
	list, err := s.boxes.Shares(s.t.Context(), "p-1")
	must(s.t, err)
	return len(list) > 0
}

func (s *sharing) want(what string, err error, code fault.Code) {
	s.t.Helper()
	if fault.CodeOf(err) != code {
		s.t.Errorf("%s: %v, want %d", what, err, code)
	}
}

// TestSharedItem: the owner lays the wrap ready that the ledger has, the data user fetches it with
// the item, opens it, and drops it; nobody else gets anything, before or after.
func TestSharedItem(t *testing.T) {
	s := newSharing(t)
	_, err := s.get("office")
	s.want("nothing lies ready", err, fault.NotFound)
	s.want("another's wrap", s.put("p-2", s.wrap), fault.Forbidden)
	s.want("the data user's own", s.put("office", s.wrap), fault.Forbidden)
	other := &safeboxv1.KeyWrap{Suite: s.wrap.Suite, Box: append([]byte{}, s.wrap.Box...)}
	other.Box[40] ^= 1
	s.want("a wrap that is not on the ledger", s.put("p-1", other), fault.VerificationFailed)
	s.want("none", s.put("p-1", nil), fault.VerificationFailed)
	for _, who := range []string{"p-2", "other"} {
		_, err := s.get(who)
		s.want("a stranger", err, fault.Forbidden)
	}
	must(t, s.put("p-1", s.wrap))
	must(t, s.put("p-1", s.wrap)) // an answer that was lost
	_, err = s.get("p-1")
	s.want("the owner fetches it", err, fault.Forbidden)
	for _, who := range []string{"p-2", "other"} {
		_, err := s.get(who)
		s.want("a stranger's head", err, fault.Forbidden)
		_, err = s.part(who, 0)
		s.want("a stranger's part", err, fault.Forbidden)
		_, err = s.drop(who)
		s.want("a stranger drops it", err, fault.Forbidden)
	}
	raw, err := s.get("office")
	must(t, err)
	head, err := safebox.ParseHead(raw)
	if must(t, err); len(head.GetWraps()) != 1 || head.GetItem() != s.item {
		t.Fatalf("%v", head)
	}
	key, err := s.office.UnwrapGrant(head.Wraps[0], head.Suite, safebox.PlaceOf(head), s.grant)
	must(t, err)
	card, err := safebox.OpenCard(key, head)
	if must(t, err); card.GetTitle() != planted {
		t.Errorf("%v", card)
	}
	if body, err := s.part("office", 0); err != nil || uint64(len(body)) != head.GetBodyBytes() {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	_, err = s.part("office", 1)
	s.want("a part that is not there", err, fault.NotFound)
	_, err = s.call(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_GetHead{GetHead: &safeboxv1.GetHead{Item: s.item}}})
	s.want("by the owner's way", err, fault.NotFound)
	if there, err := s.drop("office"); err != nil || !there {
		t.Errorf("%v, %v", there, err)
	}
	if there, err := s.drop("office"); err != nil || there {
		t.Errorf("twice: %v, %v", there, err)
	}
	_, err = s.get("office")
	s.want("after it was dropped", err, fault.NotFound)
	_, err = s.part("office", 0)
	s.want("a part after it was dropped", err, fault.NotFound)
	s.clean(planted)
}

// TestSharesReplayed: a call that was carried out is not carried out again.
func TestSharesReplayed(t *testing.T) {
	s := newSharing(t)
	must(t, s.put("p-1", s.wrap))
	c := s.sign(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_GetBoxShare{GetBoxShare: &safeboxv1.GetBoxShare{Grant: s.grant, Number: 1}}}, nil)
	_, err := s.send(c)
	must(t, err)
	_, err = s.send(c)
	s.want("overheard and sent again", err, fault.Replayed)
}

// TestSharesEnd: each thing that ends a share refuses the next fetch at once, and the wrap is gone
// after a sweep; what this node does not know, or a pause, destroys nothing.
func TestSharesEnd(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sharing)
		code   fault.Code
		lies   bool
	}{
		"revoked":           {func(s *sharing) { s.grants[s.grant].State = revoked }, fault.GrantRevoked, false},
		"voided":            {func(s *sharing) { s.grants[s.grant].State = grantv1.GrantState_GRANT_STATE_VOIDED }, fault.GrantNotActive, false},
		"expired":           {func(s *sharing) { s.grants[s.grant].State = grantv1.GrantState_GRANT_STATE_EXPIRED }, fault.Expired, false},
		"its end has come":  {func(s *sharing) { s.now = s.now.Add(2 * time.Hour) }, fault.Expired, false},
		"paused":            {func(s *sharing) { s.grants[s.grant].State = grantv1.GrantState_GRANT_STATE_PAUSED }, fault.GrantPaused, true},
		"given back":        {func(s *sharing) { s.uses[s.grant+"/1"].Outcome = emptied }, fault.IllegalTransition, false},
		"erased":            {func(s *sharing) { s.items[s.item].State = erased }, fault.ItemErased, false},
		"handed over":       {func(s *sharing) { s.items[s.item].Owner = "p-2" }, fault.NotOwner, false},
		"a node behind":     {func(s *sharing) { delete(s.uses, s.grant+"/1") }, fault.NotFound, true},
		"a node far behind": {func(s *sharing) { delete(s.grants, s.grant) }, fault.Forbidden, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSharing(t)
			must(t, s.put("p-1", s.wrap))
			c.change(s)
			_, err := s.get("office")
			s.want("the next fetch", err, c.code)
			_, err = s.part("office", 0)
			s.want("the next part", err, c.code)
			s.want("laid ready again", s.put("p-1", s.wrap), c.code)
			_, err = s.door.Sweep(t.Context())
			if must(t, err); s.lies() != c.lies {
				t.Errorf("after the sweep it lies there: %v", s.lies())
			}
		})
	}
}

// TestSharesFollowTheLedger: a revocation and an erasure are heeded with their event, also by a
// door that was started after the wrap was laid.
func TestSharesFollowTheLedger(t *testing.T) {
	for _, again := range []bool{false, true} {
		for name, c := range map[string]struct {
			change func(*sharing)
			event  func(*sharing) *tracev1.Event
		}{
			"revoked": {func(s *sharing) { s.grants[s.grant].State = revoked }, func(s *sharing) *tracev1.Event {
				return &tracev1.Event{Verb: "grant/revoke_grant", Objects: []string{"grant/grant/" + s.grant, "grant/feed/p-1/0000000003"}}
			}},
			"erased": {func(s *sharing) { s.items[s.item].State = erased }, func(s *sharing) *tracev1.Event {
				return &tracev1.Event{Verb: "safebox/erase_items", Objects: []string{"safebox/item/" + s.item, "safebox/vault/p-1"}}
			}},
		} {
			t.Run(fmt.Sprint(name, again), func(t *testing.T) {
				s := newSharing(t)
				must(t, s.put("p-1", s.wrap))
				if again {
					s.door = boxdoor.New(boxdoor.Config{ChainID: "test-1", Name: "door", Ledger: s, Boxes: s.boxes, Now: func() time.Time { return s.now }})
				}
				ctx, cancel := context.WithCancel(t.Context())
				chain := &events{list: []*tracev1.Event{{Verb: "grant/give_grant", Objects: []string{"grant/grant/" + id("b")}}, c.event(s)}, end: cancel}
				chain.after = func(i int) {
					if s.lies() != (i == 0) {
						t.Errorf("after event %d it lies there: %v", i, s.lies())
					}
					if i == 0 {
						c.change(s)
					}
				}
				must(t, s.door.Run(ctx, chain))
			})
		}
	}
}

// TestErasedByItsOwner: who erases an item at the door destroys what is shared of it, too.
func TestErasedByItsOwner(t *testing.T) {
	s := newSharing(t)
	must(t, s.put("p-1", s.wrap))
	s.items[s.item].State = erased
	_, err := s.call(&safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_Erase{Erase: &safeboxv1.EraseItem{Item: s.item}}})
	if must(t, err); s.lies() {
		t.Error("the wrap lies there still")
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "b", "p-1", "s", "*", "*")); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

// TestTooManyShares: what lies ready in a box is bounded, and a crash in the middle of a wipe
// leaves nothing to be fetched.
func TestTooManyShares(t *testing.T) {
	s := newSharing(t)
	s.boxes = store.New(&store.Memory{}, store.Quota{})
	for n := range store.MaxShares {
		must(t, s.boxes.PutShare(t.Context(), "p-1", store.Share{Grant: id("c"), Number: uint64(n + 1)}, []byte{1}))
	}
	s.want("one more", s.boxes.PutShare(t.Context(), "p-1", store.Share{Grant: s.grant, Number: 1}, []byte{1}), fault.BoxFull)
	must(t, s.boxes.PutShare(t.Context(), "p-2", store.Share{Grant: s.grant, Number: 1}, make([]byte, 9)))
	_, err := s.boxes.Share(t.Context(), "p-2", store.Share{Grant: s.grant, Number: 1})
	s.want("zeros", err, fault.NotFound)
	s.want("a path", s.boxes.PutShare(t.Context(), "p-1", store.Share{Grant: "../../x", Number: 1}, []byte{1}), fault.Malformed)
}
