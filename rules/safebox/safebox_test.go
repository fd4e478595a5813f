package safebox_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/rulestest"
	"mulian/rules/safebox"
	"mulian/rules/towntest"
)

const (
	ownWish  = safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER
	unlawful = safeboxv1.ErasureBasis_ERASURE_BASIS_UNLAWFUL
	copying  = safeboxv1.TransferKind_TRANSFER_KIND_COPY
	handOver = safeboxv1.TransferKind_TRANSFER_KIND_HAND_OVER
	passkey  = safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSKEY
	code     = safeboxv1.UnlockerKind_UNLOCKER_KIND_RECOVERY_CODE
)

func hash(name string) []byte {
	h := sha256.Sum256([]byte(name))
	return h[:]
}

func idOf(name string) string { return safebox.ID(hash(name)) }

func keys(name string) []*safeboxv1.VaultKey {
	k, err := sm.FromSeed(sm.P256, sha256.Sum256([]byte(name)))
	if err != nil {
		panic(err)
	}
	return []*safeboxv1.VaultKey{{Suite: safeboxv1.SealSuite_SEAL_SUITE_P256, PublicKey: k.Public().Bytes()}}
}

func register(name string, kinds ...safeboxv1.UnlockerKind) *safeboxv1.RegisterVault {
	return &safeboxv1.RegisterVault{Keys: keys(name), Unlockers: kinds, UnlockersHash: hash(name)}
}

func deposit(owner string, names ...string) *safeboxv1.Deposit {
	m := &safeboxv1.Deposit{}
	for _, n := range names {
		m.Items = append(m.Items, &safeboxv1.NewItem{Owner: owner, Commitment: hash(n), KeyVersion: 1})
	}
	return m
}

func own(names ...string) *safeboxv1.SelfDeposit {
	return &safeboxv1.SelfDeposit{Items: deposit("", names...).Items}
}

func erase(basis safeboxv1.ErasureBasis, names ...string) *safeboxv1.EraseItems {
	m := &safeboxv1.EraseItems{Basis: basis}
	for _, n := range names {
		m.Items = append(m.Items, idOf(n))
	}
	return m
}

// world is a town with three persons, of whom the first two have boxes.
type world struct {
	*towntest.Town
	a, b, c string
}

func newWorld(t testing.TB) *world {
	w := &world{Town: towntest.New(t)}
	w.a, w.b, w.c = w.Person(1), w.Person(2), w.Person(3)
	w.Must(w.a, register("a", passkey, code))
	w.Must(w.b, register("b", passkey))
	return w
}

func (w *world) offer(item, to string, kind safeboxv1.TransferKind) *safeboxv1.OfferTransfer {
	m := &safeboxv1.OfferTransfer{Item: idOf(item), To: to, Kind: kind, WrapHash: hash("wrap"), ExpiresMs: w.Now + rulestest.Day, KeyVersion: 1}
	if kind == copying {
		m.CopyCommitment, m.TermsCommitment = hash("copy of "+item+" for "+to), hash("terms")
	}
	return m
}

func (w *world) item(name string) *safeboxv1.BoxItem {
	w.TB.Helper()
	it, ok := safebox.FindItem(w.View(), idOf(name))
	if !ok {
		w.TB.Fatalf("there is no item %s", name)
	}
	if err := safebox.Check(w.View(), it); err != nil {
		w.TB.Fatal(err)
	}
	return it
}

func TestVault(t *testing.T) {
	w := newWorld(t)
	w.Want(fault.AlreadyExists, w.a, register("x", passkey))
	w.Want(fault.Missing, w.c, register("c"))
	w.Want(fault.CodeInconsistent, w.c, register("c", code, passkey))
	w.Want(fault.OutOfRange, w.c, register("c", 9))
	w.Want(fault.Forbidden, w.ProviderGateway, register("g", passkey))
	m := register("c", passkey)
	m.Keys[0].PublicKey = make([]byte, 65)
	w.Want(fault.Malformed, w.c, m)
	m.Keys = nil
	w.Want(fault.Missing, w.c, m)
	change := &safeboxv1.ChangeVault{Version: 1, Unlockers: []safeboxv1.UnlockerKind{passkey}, UnlockersHash: hash("2")}
	w.Want(fault.VaultMissing, w.c, change)
	w.Must(w.a, own("diary"))
	w.Want(fault.UnlockersShort, w.a, change)
	w.Must(w.a, erase(ownWish, "diary"))
	w.Must(w.a, change)
	w.Want(fault.VersionConflict, w.a, change)
	change.Version, change.Keys = 2, keys("a")
	w.Want(fault.CodeInconsistent, w.a, change)
	change.Keys = keys("a2")
	w.Must(w.a, change)
	w.Want(fault.VersionConflict, w.Provider, deposit(w.a, "sealed to the old key"))
}

func TestDeposits(t *testing.T) {
	w := newWorld(t)
	w.Want(fault.Forbidden, w.a, deposit(w.b, "x"))
	w.Want(fault.VaultMissing, w.Provider, deposit(w.c, "x"))
	w.Want(fault.NotFound, w.Provider, deposit("p-nobody", "x"))
	w.Want(fault.Empty, w.Provider, deposit(w.a))
	w.Want(fault.UnlockersShort, w.b, own("x"))
	w.Want(fault.VaultMissing, w.c, own("x"))
	w.Must(w.ProviderGateway, deposit(w.a, "one", "two"))
	w.Must(w.ProviderGateway, deposit(w.a, "one"))
	w.WantSilence()
	w.Want(fault.DuplicateName, w.Consumer, deposit(w.a, "one"))
	w.Must(w.a, own("three"))
	for i, name := range []string{"one", "two", "three"} {
		if it := w.item(name); it.Number != uint64(i+1) || it.Owner != w.a {
			t.Errorf("%s: number %d of %s", name, it.Number, it.Owner)
		}
	}
}

func TestErasure(t *testing.T) {
	w := newWorld(t)
	w.Must(w.ProviderGateway, deposit(w.a, "one", "two"))
	w.Want(fault.NotOwner, w.b, erase(ownWish, "one"))
	w.Want(fault.NotOwner, w.Consumer, erase(unlawful, "one"))
	w.Want(fault.Forbidden, w.a, erase(unlawful, "one"))
	w.Want(fault.Forbidden, w.Provider, erase(ownWish, "one"))
	w.Want(fault.Missing, w.a, erase(0, "one"))
	w.Want(fault.NotFound, w.a, erase(ownWish, "nothing"))
	offer := w.Must(w.a, w.offer("one", w.b, copying))[0]
	w.Want(fault.TransferLocked, w.a, erase(ownWish, "one"))
	w.Must(w.a, &safeboxv1.CancelTransfer{Transfer: offer})
	w.Must(w.a, erase(ownWish, "one"))
	w.Must(w.a, erase(ownWish, "one"))
	w.WantSilence()
	w.Must(w.Provider, erase(unlawful, "two"))
	if it := w.item("two"); it.ErasedBy != w.Provider || it.Basis != unlawful {
		t.Errorf("erased as %v", it)
	}
	w.Want(fault.ItemErased, w.a, w.offer("one", w.b, copying))
	w.Want(fault.DuplicateName, w.Provider, deposit(w.a, "one"))
}

func TestTransfers(t *testing.T) {
	w := newWorld(t)
	w.Must(w.Provider, deposit(w.a, "one"))
	w.Want(fault.NotOwner, w.b, w.offer("one", w.a, copying))
	w.Want(fault.RecipientUnknown, w.a, w.offer("one", "p-nobody", copying))
	w.Want(fault.RecipientNotEligible, w.a, w.offer("one", w.c, copying))
	w.Want(fault.RecipientNotEligible, w.a, w.offer("one", w.a, copying))
	id := w.Must(w.a, w.offer("one", w.b, copying))[0]
	w.Want(fault.DoubleOffer, w.a, w.offer("one", w.b, copying))
	w.Want(fault.TransferLocked, w.a, w.offer("one", w.b, handOver))
	w.Want(fault.NotFound, w.c, &safeboxv1.AcceptTransfer{Transfer: id})
	made := w.Must(w.b, &safeboxv1.AcceptTransfer{Transfer: id})[0]
	it, ok := safebox.FindItem(w.View(), made)
	if !ok || it.Owner != w.b || it.CopyOf != idOf("one") || w.item("one").Owner != w.a {
		t.Errorf("the copy is %v", it)
	}
	w.Want(fault.IllegalTransition, w.b, &safeboxv1.DeclineTransfer{Transfer: id})
	id = w.Must(w.a, w.offer("one", w.b, handOver))[0]
	w.Must(w.b, &safeboxv1.DeclineTransfer{Transfer: id})
	id = w.Must(w.a, w.offer("one", w.b, handOver))[0]
	w.Must(w.b, &safeboxv1.ChangeVault{Version: 1, Keys: keys("b2"), Unlockers: []safeboxv1.UnlockerKind{code}, UnlockersHash: hash("b2")})
	w.Want(fault.AcceptAfterChange, w.b, &safeboxv1.AcceptTransfer{Transfer: id})
	w.Must(w.a, &safeboxv1.CancelTransfer{Transfer: id})
	m := w.offer("one", w.b, handOver)
	m.KeyVersion = 2
	id = w.Must(w.a, m)[0]
	w.Must(w.b, &safeboxv1.AcceptTransfer{Transfer: id})
	if it := w.item("one"); it.Owner != w.b || it.Number != 2 || it.Hands != 1 {
		t.Errorf("handed over, and it is %v", it)
	}
	w.Want(fault.NotOwner, w.a, erase(ownWish, "one"))
	m = w.offer("one", w.a, copying)
	id = w.Must(w.b, m)[0]
	w.Wait(2 * rulestest.Day)
	tr, _ := safebox.FindTransfer(w.View(), id)
	if tr.State != safeboxv1.TransferState_TRANSFER_STATE_EXPIRED || len(w.item("one").Offers) != 0 {
		t.Errorf("run out, and it is %v", tr)
	}
}

// TestSingleItemsAreNotCopied holds the token: it is handed over, or stays.
func TestSingleItemsAreNotCopied(t *testing.T) {
	w := newWorld(t)
	m := deposit(w.a, "deposit slip")
	m.Items[0].Single = true
	w.Must(w.Provider, m)
	w.Want(fault.Forbidden, w.a, w.offer("deposit slip", w.b, copying))
	w.Must(w.b, &safeboxv1.AcceptTransfer{Transfer: w.Must(w.a, w.offer("deposit slip", w.b, handOver))[0]})
	if w.item("deposit slip").Owner != w.b {
		t.Error("it was not handed over")
	}
}

// TestHistories runs random histories on two replicas against a model that knows who owns
// what: one owner at any height, numbers without gaps, nothing erased comes back.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.Must(w.b, &safeboxv1.ChangeVault{Version: 1, Unlockers: []safeboxv1.UnlockerKind{passkey, code}, UnlockersHash: hash("b")})
		owner, gone, made := map[string]string{}, map[string]bool{}, 0
		count := map[string]uint64{}
		open := map[string]string{} // item -> transfer
		var names []string
		pick := func(rt *rapid.T) string {
			if len(names) == 0 {
				rt.Skip()
			}
			return rapid.SampledFrom(names).Draw(rt, "item")
		}
		other := map[string]string{w.a: w.b, w.b: w.a}
		rt.Repeat(map[string]func(*rapid.T){
			"deposit": func(rt *rapid.T) {
				to := rapid.SampledFrom([]string{w.a, w.b}).Draw(rt, "to")
				name := fmt.Sprint("item ", made)
				made++
				if rapid.Bool().Draw(rt, "own") {
					w.Must(to, own(name))
				} else {
					w.Must(w.Provider, deposit(to, name))
				}
				names, owner[name] = append(names, name), to
				count[to]++
			},
			"erase": func(rt *rapid.T) {
				name := pick(rt)
				want := fault.OK
				if open[name] != "" {
					want = fault.TransferLocked
				}
				if got := w.Do(owner[name], erase(ownWish, name)); got != want {
					rt.Fatalf("erase: %s, want %s", got, want)
				}
				gone[name] = gone[name] || want == fault.OK
			},
			"offer": func(rt *rapid.T) {
				name := pick(rt)
				want := fault.OK
				switch {
				case gone[name]:
					want = fault.ItemErased
				case open[name] != "":
					want = fault.DoubleOffer
				}
				got := w.Do(owner[name], w.offer(name, other[owner[name]], handOver))
				if got != want {
					rt.Fatalf("offer: %s, want %s", got, want)
				}
				if got == fault.OK {
					open[name] = w.item(name).Offers[0]
				}
			},
			"answer": func(rt *rapid.T) {
				name := pick(rt)
				if open[name] == "" {
					rt.Skip()
				}
				to := other[owner[name]]
				if rapid.Bool().Draw(rt, "accept") {
					w.Must(to, &safeboxv1.AcceptTransfer{Transfer: open[name]})
					owner[name] = to
					count[to]++
				} else {
					w.Must(to, &safeboxv1.DeclineTransfer{Transfer: open[name]})
				}
				delete(open, name)
			},
			"": func(rt *rapid.T) {
				for _, name := range names {
					it := w.item(name)
					if it.Owner != owner[name] || (it.State == safeboxv1.ItemState_ITEM_STATE_ERASED) != gone[name] {
						rt.Fatalf("%s: %v, the model says %s, erased %t", name, it, owner[name], gone[name])
					}
				}
				for who, n := range count {
					if v, _ := safebox.FindVault(w.View(), who); v.Items != n {
						rt.Fatalf("%s: %d items, the model says %d", who, v.Items, n)
					}
				}
			},
		})
	})
}
