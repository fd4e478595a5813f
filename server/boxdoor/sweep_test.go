package boxdoor_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/store"
	"mulian/server/boxdoor"
)

const (
	held    = safeboxv1.ItemState_ITEM_STATE_HELD
	erased  = safeboxv1.ItemState_ITEM_STATE_ERASED
	offered = safeboxv1.TransferState_TRANSFER_STATE_OFFERED
)

// lay puts a small finished item into a box, as somebody.
func (w *town) lay(by, owner, id string) {
	w.t.Helper()
	head := []byte("head")
	_, _, err := w.boxes.Start(w.t.Context(), owner, id, store.Upload{By: by, At: w.now, Bytes: 4, Head: sha256.Sum256(head)})
	must(w.t, err)
	must(w.t, w.boxes.PutPart(w.t.Context(), owner, id, 0, []byte("body")))
	must(w.t, w.boxes.Finish(w.t.Context(), owner, id, head))
}

func (w *town) has(owner, id string) bool {
	w.t.Helper()
	_, ok, err := w.boxes.Find(w.t.Context(), owner, id)
	must(w.t, err)
	return ok
}

func id(digit string) string { return strings.Repeat(digit, 32) }

// TestWhatSweepKeeps: each thing that can lie in a box, and whether it does after a sweep.
func TestWhatSweepKeeps(t *testing.T) {
	w := newTown(t)
	w.lay("p-1", "p-1", id("1")) // held by its owner
	w.items[id("1")] = &safeboxv1.BoxItem{Id: id("1"), Owner: "p-1", State: held}
	w.lay("office", "p-1", id("2")) // erased
	w.items[id("2")] = &safeboxv1.BoxItem{Id: id("2"), Owner: "p-1", State: erased}
	w.lay("p-1", "p-1", id("3")) // handed over
	w.items[id("3")] = &safeboxv1.BoxItem{Id: id("3"), Owner: "p-2", State: held}
	w.lay("p-1", "p-2", id("4")) // laid ready for who may accept it
	w.items[id("4")] = &safeboxv1.BoxItem{Id: id("4"), Owner: "p-1", State: held}
	w.offers["t4"] = &safeboxv1.Transfer{Id: "t4", Item: id("4"), From: "p-1", To: "p-2", State: offered}
	w.lay("p-1", "p-2", id("5")) // offered, and no longer
	w.items[id("5")] = &safeboxv1.BoxItem{Id: id("5"), Owner: "p-1", State: held}
	w.lay("office", "p-1", id("6")) // not on the ledger yet
	_, _, err := w.boxes.Start(t.Context(), "p-1", id("7"), store.Upload{By: "office", At: w.now, Bytes: 9, Head: [32]byte{1}})
	must(t, err) // an upload that was cut off
	want := func(when string, left ...string) {
		t.Helper()
		for _, owner := range []string{"p-1", "p-2"} {
			for _, d := range []string{"1", "2", "3", "4", "5", "6", "7"} {
				expected := false
				for _, l := range left {
					expected = expected || l == owner+" "+d
				}
				if got := w.has(owner, id(d)); got != expected {
					t.Errorf("%s: %s has item %s: %v", when, owner, d, got)
				}
			}
		}
	}
	sweep := func(n int) {
		t.Helper()
		if got, err := w.door.Sweep(t.Context()); err != nil || got != n {
			t.Errorf("%d destroyed, %v, want %d", got, err, n)
		}
	}
	sweep(3)
	want("at once", "p-1 1", "p-2 4", "p-1 6", "p-1 7")
	if f := w.boxes.Figures(); f.Items != 4 || f.Unsettled != 3 {
		t.Errorf("%+v", f)
	}
	w.now = w.now.Add(boxdoor.DefaultPatience + time.Second)
	sweep(2)
	want("a day later", "p-1 1", "p-2 4")
	delete(w.items, id("1")) // a node that was restored does not know what was settled
	sweep(0)
	want("with a node that is behind", "p-1 1", "p-2 4")
}

// events is a chain that brings some events to a door, one after the other, and ends.
type events struct {
	boxdoor.Chain
	list  []*tracev1.Event
	after func(i int)
	end   context.CancelFunc
}

func (e *events) Status(context.Context) (*ledgerv1.GetStatusResponse, error) {
	return &ledgerv1.GetStatusResponse{}, nil
}

func (e *events) Watch(_ context.Context, _ int64, fn func(*ledgerv1.WatchResponse) error) error {
	for i, x := range e.list {
		if err := fn(&ledgerv1.WatchResponse{Events: []*tracev1.Event{x}}); err != nil {
			return err
		}
		e.after(i)
	}
	e.end()
	return context.Canceled
}

// TestTheDoorFollowsTheLedger: what an event asks for is done with that event.
func TestTheDoorFollowsTheLedger(t *testing.T) {
	w := newTown(t)
	copied := id("c")
	w.lay("office", "p-1", id("1"))
	w.lay("p-1", "p-2", copied)
	w.lay("p-1", "p-1", id("2"))
	w.lay("p-1", "p-2", id("2"))
	w.items[id("2")] = &safeboxv1.BoxItem{Id: id("2"), Owner: "p-1", State: held}
	w.offers["copy"] = &safeboxv1.Transfer{Id: "copy", Item: id("1"), From: "p-1", To: "p-2", State: offered, CopyCommitment: []byte(strings.Repeat("\xcc", 32))}
	w.offers["hand"] = &safeboxv1.Transfer{Id: "hand", Item: id("2"), From: "p-1", To: "p-2", State: offered}
	type step struct {
		event  *tracev1.Event
		before func()
		left   string // of p-1:1, p-1:2, p-2:2, p-2:c
	}
	event := func(verb string, objects ...string) *tracev1.Event {
		return &tracev1.Event{Verb: verb, Objects: objects}
	}
	look := func() (out string) {
		for _, x := range [][2]string{{"p-1", id("1")}, {"p-1", id("2")}, {"p-2", id("2")}, {"p-2", copied}} {
			if w.has(x[0], x[1]) {
				out += x[0] + ":" + x[1][:1] + " "
			}
		}
		return out
	}
	steps := []step{
		{event("share/file_request", "share/request/1"), func() {
			w.items[id("1")] = &safeboxv1.BoxItem{Id: id("1"), Owner: "p-1", Depositor: "office", State: held}
		}, "p-1:1 p-1:2 p-2:2 p-2:c "},
		{event("safebox/deposit", "safebox/item/"+id("1"), "safebox/vault/p-1"), func() {
			w.offers["copy"].State = safeboxv1.TransferState_TRANSFER_STATE_DECLINED
		}, "p-1:1 p-1:2 p-2:2 p-2:c "},
		{event("safebox/decline_transfer", "safebox/transfer/copy", "safebox/item/"+id("1")), func() {
			w.offers["hand"].State = safeboxv1.TransferState_TRANSFER_STATE_ACCEPTED
			w.items[id("2")].Owner = "p-2"
		}, "p-1:1 p-1:2 p-2:2 "},
		{event("safebox/accept_transfer", "safebox/transfer/hand", "safebox/item/"+id("2"), "safebox/vault/p-2"), func() {
			w.items[id("1")].State = erased
		}, "p-1:1 p-2:2 "},
		{event("safebox/erase", "safebox/item/"+id("1"), "safebox/vault/p-1"), func() {}, "p-2:2 "},
	}
	ctx, cancel := context.WithCancel(t.Context())
	chain := &events{end: cancel}
	chain.after = func(i int) {
		if got := look(); got != steps[i].left {
			t.Errorf("after %s: %q, want %q", steps[i].event.Verb, got, steps[i].left)
		}
		steps[i].before()
	}
	for _, s := range steps {
		chain.list = append(chain.list, s.event)
	}
	if err := w.door.Run(ctx, chain); err != nil {
		t.Fatal(err)
	}
	if f := w.boxes.Figures(); f.Items != 1 || f.Unsettled != 0 {
		t.Errorf("%+v", f)
	}
}

// TestWhoseBoxIsHere: a department lays into no box that is not kept at this door, and into
// none more than its share of what is not on the ledger; what the ledger has, only its
// depositor completes.
func TestWhoseBoxIsHere(t *testing.T) {
	w := newTown(t)
	w.vaults["p-1"] = &safeboxv1.Vault{Account: "p-1"}
	start := func(item string) error {
		_, err := w.call(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_Start{Start: &safeboxv1.StartItem{Owner: "p-1", Item: item, BodyBytes: 1, HeadSha256: make([]byte, 32)}}})
		return err
	}
	refused := func(what string, err error, code fault.Code) {
		t.Helper()
		if !fault.Is(err, code) {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	refused("a box kept elsewhere", start(id("1")), fault.NotFound)
	own := &safeboxv1.StartItem{Owner: "p-1", Item: id("3"), BodyBytes: 1, HeadSha256: make([]byte, 32)}
	_, err := w.call(&safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_Start{Start: own}})
	refused("an owner at the wrong door", err, fault.NotFound)
	w.offers["hand"] = &safeboxv1.Transfer{Id: "hand", Item: id("3"), From: "p-2", To: "p-1", State: offered}
	w.items[id("3")] = &safeboxv1.BoxItem{Id: id("3"), Owner: "p-2", State: held}
	_, err = w.call(&safeboxv1.BoxOrder{From: "p-2", Want: &safeboxv1.BoxOrder_Start{Start: own}})
	refused("a giver at the wrong door", err, fault.NotFound)
	w.keepsBox("p-1")
	must(t, start(id("1")))
	w.items[id("2")] = &safeboxv1.BoxItem{Id: id("2"), Owner: "p-1", Depositor: "another", State: held}
	refused("another's deposit", start(id("2")), fault.Forbidden)
	w.items[id("2")].Depositor = "office"
	must(t, start(id("2")))
	for n := range store.DefaultQuota.Unsettled {
		_, _, err := w.boxes.Start(t.Context(), "p-1", strings.Repeat("f", 24)+fmt.Sprintf("%08x", n), store.Upload{By: "office", At: w.now, Bytes: 1, Head: [32]byte{1}})
		if n < store.DefaultQuota.Unsettled-2 {
			must(t, err)
			continue
		}
		refused("more than its share", err, fault.BoxFull)
	}
}

// TestJunkIsNoHead: what its owner could not read as an item does not come into his box, and he
// himself puts nothing of the kind in a head's place.
func TestJunkIsNoHead(t *testing.T) {
	w := newTown(t)
	keys, err := safebox.NewVault("p-1").PublicKeys()
	must(t, err)
	w.vaults["p-1"] = &safeboxv1.Vault{Account: "p-1", Keys: keys, KeyVersion: 1}
	w.keepsBox("p-1")
	good := w.deposit([]byte("content"))
	is, err := w.boxes.Head(t.Context(), "p-1", good)
	must(t, err)
	before := sha256.Sum256(is)
	for name, head := range map[string][]byte{"no head": []byte("junk"), "another item's": is} {
		sum, part := sha256.Sum256(head), sha256.Sum256([]byte("b"))
		for _, o := range []*safeboxv1.BoxOrder{
			{Want: &safeboxv1.BoxOrder_Start{Start: &safeboxv1.StartItem{Owner: "p-1", Item: id("1"), BodyBytes: 1, HeadSha256: sum[:]}}},
			{Want: &safeboxv1.BoxOrder_PutPart{PutPart: &safeboxv1.PutPart{Owner: "p-1", Item: id("1"), Sha256: part[:]}}},
		} {
			o.From = "office"
			_, err := w.send(w.sign(o, []byte("b")))
			must(t, err)
		}
		_, err := w.call(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_Finish{Finish: &safeboxv1.FinishItem{Owner: "p-1", Item: id("1"), Head: head}}})
		if !fault.Is(err, fault.Malformed) {
			t.Errorf("%s is laid down: %v", name, err)
		}
	}
	_, err = w.call(&safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_PutHead{PutHead: &safeboxv1.PutHead{Item: good, Head: []byte("junk"), BeforeSha256: before[:]}}})
	if !fault.Is(err, fault.Malformed) {
		t.Errorf("the owner's own junk: %v", err)
	}
	if page, _, err := w.boxes.List(t.Context(), "p-1", "", 9); err != nil || len(page) != 1 || page[0].HeadSHA256 != before {
		t.Errorf("%v, %v", page, err)
	}
}

// TestOneSickBox keeps neither the other boxes waiting nor its own other items, and is swept
// as soon as that is possible.
func TestOneSickBox(t *testing.T) {
	w := newTown(t)
	for _, x := range [][2]string{{"p-1", id("1")}, {"p-1", id("2")}, {"p-2", id("3")}, {"p-2", id("4")}} {
		w.lay("office", x[0], x[1])
		w.items[x[1]] = &safeboxv1.BoxItem{Id: x[1], Owner: x[0], State: erased}
	}
	w.items[id("4")].State = held
	w.sick = "p-1/i/" + id("1")
	left := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, x := range [][2]string{{"p-1", id("1")}, {"p-1", id("2")}, {"p-2", id("3")}, {"p-2", id("4")}} {
			if w.has(x[0], x[1]) {
				got = append(got, x[1][:1])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v are left, want %v", when, got, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	both := &tracev1.Event{Verb: "safebox/erase", Objects: []string{"safebox/item/" + id("1"), "safebox/item/" + id("4"), "safebox/vault/p-1", "safebox/vault/p-2"}}
	chain := &events{end: cancel, list: []*tracev1.Event{both, {Verb: "share/file_request"}}}
	chain.after = func(i int) {
		if i == 0 {
			left("an event brings both", "1")
			w.sick, w.now = "", w.now.Add(time.Hour)
		}
	}
	n, err := w.door.Sweep(t.Context())
	if err != nil || n != 2 {
		t.Errorf("%d destroyed, %v", n, err)
	}
	left("swept", "1", "4")
	w.items[id("4")].State = erased
	if err := w.door.Run(ctx, chain); err != nil {
		t.Fatal(err)
	}
	left("the disk is well again")
}

// TestWhoBeganEnds: nobody spoils the upload of another, neither by parts nor by beginning or
// ending it; and who was there first with what he read of does not keep out whom the ledger
// names.
func TestWhoBeganEnds(t *testing.T) {
	w := newTown(t)
	w.keepsBox("p-1")
	item := id("c")
	head, sum := []byte("head"), sha256.Sum256([]byte("head"))
	start := func(by string) error {
		_, err := w.call(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_Start{Start: &safeboxv1.StartItem{Owner: "p-1", Item: item, BodyBytes: 1, HeadSha256: sum[:]}}})
		return err
	}
	part := func(by string) error {
		sum := sha256.Sum256([]byte("x"))
		_, err := w.send(w.sign(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_PutPart{PutPart: &safeboxv1.PutPart{Owner: "p-1", Item: item, Sha256: sum[:]}}}, []byte("x")))
		return err
	}
	refused := func(what string, err error) {
		t.Helper()
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
	by := func() string {
		t.Helper()
		k, _, err := w.boxes.Find(t.Context(), "p-1", item)
		must(t, err)
		return k.By
	}
	must(t, start("office"))
	must(t, part("office"))
	refused("another's part", part("other"))
	refused("another's end", func() error {
		_, err := w.call(&safeboxv1.BoxOrder{From: "other", Want: &safeboxv1.BoxOrder_Finish{Finish: &safeboxv1.FinishItem{Owner: "p-1", Item: item, Head: head}}})
		return err
	}())
	refused("another's beginning", start("other"))
	must(t, w.boxes.Finish(t.Context(), "p-1", item, head)) // the whole of it is junk
	w.offers["copy"] = &safeboxv1.Transfer{Id: "copy", Item: id("d"), From: "p-2", To: "p-1", State: offered, CopyCommitment: []byte(strings.Repeat("\xcc", 32))}
	refused("another's beginning, of what is finished", start("other"))
	if err := start("p-2"); err != nil || by() != "p-2" {
		t.Errorf("who has offered it: %v, begun by %s", err, by())
	}
	refused("the first one again", part("office"))
	must(t, part("p-2"))
	delete(w.offers, "copy")
	w.items[item] = &safeboxv1.BoxItem{Id: item, Owner: "p-1", Depositor: "office", State: held}
	if err := start("office"); err != nil || by() != "office" {
		t.Errorf("who has deposited it: %v, begun by %s", err, by())
	}
	if err := start("p-1"); err != nil || by() != "p-1" {
		t.Errorf("the owner: %v, begun by %s", err, by())
	}
}
