package boxdoor_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/gen/mulian/safebox/v1/safeboxv1connect"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
	"mulian/safebox"
	"mulian/safebox/store"
	"mulian/server/boxdoor"
)

const planted = "planted-value-of-a-made-up-person"

// town is the committed state that the door sees, two people, an organisation and a door on
// real files.
type town struct {
	t      *testing.T
	dir    string
	keys   map[string]sm.PrivateKey
	vaults map[string]*safeboxv1.Vault
	items  map[string]*safeboxv1.BoxItem
	door   *boxdoor.Door
	files  *store.Files
	boxes  *store.Boxes
	sick   string    // whose box, or item in it, the disk fails with
	now    time.Time // of the ledger and of the door
	offers map[string]*safeboxv1.Transfer
	grants map[string]*grantv1.Grant
	marred map[string]func(*identityv1.Key) // what is the matter with an account's key
	client safeboxv1connect.BoxServiceClient
	calls  int
	uses   map[string]*grantv1.Use
}

func (w *town) Account(_ context.Context, id string) (*identityv1.Account, error) {
	k, ok := w.keys[id]
	if !ok {
		return nil, nil
	}
	acc := &identityv1.Account{Id: id, State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE, Keys: []*identityv1.Key{{
		Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm(k.Public().Algorithm()), PublicKey: k.Public().Bytes(),
		State: identityv1.KeyState_KEY_STATE_ACTIVE, Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE,
	}}}
	if id == "office" || id == "other" {
		acc.Org = id
	}
	if mar := w.marred[id]; mar != nil {
		mar(acc.Keys[0])
	}
	return acc, nil
}

func (w *town) Vault(_ context.Context, id string) (*safeboxv1.Vault, error) {
	return w.vaults[id], nil
}

func (w *town) Item(_ context.Context, id string) (*safeboxv1.BoxItem, error) {
	return w.items[id], nil
}

func (w *town) Offered(_ context.Context, from, to, item string) (bool, error) {
	for _, t := range w.offers {
		if t.From == from && t.To == to && (t.Item == item || fmt.Sprintf("%x", t.CopyCommitment) == item+item) && t.State == safeboxv1.TransferState_TRANSFER_STATE_OFFERED {
			return true, nil
		}
	}
	return false, nil
}

func (w *town) Transfer(_ context.Context, id string) (*safeboxv1.Transfer, error) {
	return w.offers[id], nil
}

func (w *town) Grant(_ context.Context, id string) (*grantv1.Grant, error) {
	return w.grants[id], nil
}

func (w *town) TimeMs(context.Context) (int64, error) { return w.now.UnixMilli(), nil }

func newTown(t *testing.T) *town {
	w := &town{t: t, dir: filepath.Join(t.TempDir(), "boxes"), keys: map[string]sm.PrivateKey{}, vaults: map[string]*safeboxv1.Vault{}, items: map[string]*safeboxv1.BoxItem{}, now: time.Now(), offers: map[string]*safeboxv1.Transfer{}}
	for _, id := range []string{"p-1", "p-2", "office", "other"} {
		k, err := sm.FromSeed(sm.Ed25519, sha256.Sum256([]byte(id)))
		must(t, err)
		w.keys[id] = k
	}
	f, err := store.OpenFiles(w.dir)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	w.files = f
	w.boxes = store.New(medium{f, w}, store.Quota{})
	w.serve()
	return w
}

// serve has a new door on what is stored.
func (w *town) serve() {
	w.door = boxdoor.New(boxdoor.Config{ChainID: "test-1", Name: "door", Ledger: w, Boxes: w.boxes, Now: func() time.Time { return w.now }})
	_, h := safeboxv1connect.NewBoxServiceHandler(w.door)
	s := httptest.NewServer(h)
	w.t.Cleanup(s.Close)
	w.client = safeboxv1connect.NewBoxServiceClient(s.Client(), s.URL)
}

// medium is real files, where one box may lie on a sick disk.
type medium struct {
	*store.Files
	w *town
}

func (m medium) Delete(ctx context.Context, name string) error {
	if m.w.sick != "" && strings.HasPrefix(name, m.w.sick) {
		return syscall.EIO
	}
	return m.Files.Delete(ctx, name)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sign makes a call of an order.
func (w *town) sign(o *safeboxv1.BoxOrder, part []byte) *safeboxv1.BoxCall {
	w.t.Helper()
	w.calls++
	o.ChainId, o.To, o.CallId = "test-1", "door", fmt.Sprintf("call-%016d", w.calls)
	if o.ExpiresMs == 0 {
		o.ExpiresMs = w.now.Add(30 * time.Second).UnixMilli()
	}
	body, err := canon.Marshal(o)
	must(w.t, err)
	k := w.keys[o.From]
	sig, err := k.Sign(append([]byte(boxdoor.Domain), body...))
	must(w.t, err)
	return &safeboxv1.BoxCall{Body: body, Key: k.Public().ID(), Signature: sig, Part: part}
}

func (w *town) send(c *safeboxv1.BoxCall) (*safeboxv1.BoxAnswer, error) {
	res, err := w.client.Call(w.t.Context(), connect.NewRequest(c))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg, nil
}

func (w *town) call(o *safeboxv1.BoxOrder) (*safeboxv1.BoxAnswer, error) {
	return w.send(w.sign(o, nil))
}

// deposit seals content to p-1's vault, and lays it down as the office, while nobody of
// p-1's is there.
func (w *town) deposit(content []byte) (id string) {
	w.t.Helper()
	sum := sha256.Sum256(content)
	card := &safeboxv1.ItemCard{Salt: safebox.NewSalt(), Schema: "note/1", Title: planted, Bytes: uint64(len(content)), ContentSha256: sum[:]}
	_, id, err := safebox.Commitment(card)
	must(w.t, err)
	k, err := safebox.NewKey(safebox.Hybrid)
	must(w.t, err)
	at := safebox.Place{Item: id, Version: 1, Account: "p-1"}
	head, err := safebox.SealHead(k, at, card, w.vaults["p-1"])
	must(w.t, err)
	raw, err := canon.Marshal(head)
	must(w.t, err)
	var body bytes.Buffer
	must(w.t, safebox.SealBody(&body, k, at, card, bytes.NewReader(content)))
	hash := sha256.Sum256(raw)
	a, err := w.call(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_Start{Start: &safeboxv1.StartItem{Owner: "p-1", Item: id, BodyBytes: uint64(body.Len()), HeadSha256: hash[:]}}})
	must(w.t, err)
	for _, n := range a.Missing {
		part := body.Bytes()[int(n)*store.PartBytes : min(body.Len(), (int(n)+1)*store.PartBytes)]
		psum := sha256.Sum256(part)
		_, err := w.send(w.sign(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_PutPart{PutPart: &safeboxv1.PutPart{Owner: "p-1", Item: id, Part: n, Sha256: psum[:]}}}, part))
		must(w.t, err)
	}
	_, err = w.call(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_Finish{Finish: &safeboxv1.FinishItem{Owner: "p-1", Item: id, Head: raw}}})
	must(w.t, err)
	w.items[id] = &safeboxv1.BoxItem{Id: id, Owner: "p-1", State: safeboxv1.ItemState_ITEM_STATE_HELD}
	return id
}

// TestFromDepositToErasure: an office deposits while the owner is away; he alone reads it;
// after the erasure no byte of it is in any file of the store, and the planted values never
// were.
func TestFromDepositToErasure(t *testing.T) {
	w := newTown(t)
	v := safebox.NewVault("p-1")
	keys, err := v.PublicKeys()
	must(t, err)
	w.vaults["p-1"] = &safeboxv1.Vault{Account: "p-1", Keys: keys, KeyVersion: 1}
	w.keepsBox("p-1")
	content := bytes.Repeat([]byte(planted), 40_000) // more than one part
	id := w.deposit(content)
	w.clean(planted)

	get := func(from string, n uint32) ([]byte, error) {
		a, err := w.call(&safeboxv1.BoxOrder{From: from, Want: &safeboxv1.BoxOrder_GetPart{GetPart: &safeboxv1.GetPart{Item: id, Part: n}}})
		return a.GetContent(), err
	}
	for _, stranger := range []string{"p-2", "office"} {
		if _, err := get(stranger, 0); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s reads it: %v", stranger, err)
		}
	}
	a, err := w.call(&safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_GetHead{GetHead: &safeboxv1.GetHead{Item: id}}})
	must(t, err)
	head, err := safebox.ParseHead(a.Content)
	must(t, err)
	k, err := v.Unwrap(head)
	must(t, err)
	card, err := safebox.OpenCard(k, head)
	must(t, err)
	var body, cipher bytes.Buffer
	for n := range uint32((head.BodyBytes + store.PartBytes - 1) / store.PartBytes) {
		part, err := get("p-1", n)
		must(t, err)
		cipher.Write(part)
	}
	r, err := safebox.OpenBody(bytes.NewReader(cipher.Bytes()), k, safebox.PlaceOf(head), card)
	must(t, err)
	if _, err := body.ReadFrom(r); err != nil || !bytes.Equal(body.Bytes(), content) {
		t.Fatalf("%d bytes, %v", body.Len(), err)
	}

	erase := &safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_Erase{Erase: &safeboxv1.EraseItem{Item: id}}}
	if _, err := w.call(erase); !fault.Is(err, fault.IllegalTransition) {
		t.Errorf("erased before the ledger says so: %v", err)
	}
	w.items[id].State = safeboxv1.ItemState_ITEM_STATE_ERASED
	if n, err := w.door.Sweep(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	w.clean(planted, id, string(cipher.Bytes()[:64]), string(cipher.Bytes()[store.PartBytes:store.PartBytes+64]), string(head.Wraps[0].Box[:64]), string(head.Card[:32]))
	if _, err := w.call(&safeboxv1.BoxOrder{From: "office", Want: &safeboxv1.BoxOrder_Start{Start: &safeboxv1.StartItem{Owner: "p-1", Item: id, BodyBytes: 1, HeadSha256: make([]byte, 32)}}}); !fault.Is(err, fault.ItemErased) {
		t.Errorf("an erased item is taken again: %v", err)
	}
}

// keepsBox lays the vault's file of an account down, so that its box is at this door.
func (w *town) keepsBox(account string) {
	w.t.Helper()
	file := []byte("vault of " + account)
	sum := sha256.Sum256(file)
	if w.vaults[account] == nil {
		w.vaults[account] = &safeboxv1.Vault{Account: account}
	}
	w.vaults[account].UnlockersHash = sum[:]
	_, err := w.call(&safeboxv1.BoxOrder{From: account, Want: &safeboxv1.BoxOrder_PutVault{PutVault: &safeboxv1.PutVault{File: file}}})
	must(w.t, err)
}

// clean fails if a name or content in the store has one of the texts.
func (w *town) clean(texts ...string) {
	w.t.Helper()
	must(w.t, filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(raw, []byte(text)) || bytes.Contains([]byte(path), []byte(text)) {
				w.t.Errorf("%s has %.20q", path, text)
			}
		}
		return err
	}))
}

func TestWhoIsLetIn(t *testing.T) {
	w := newTown(t)
	list := func() *safeboxv1.BoxOrder {
		return &safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_List{List: &safeboxv1.ListItems{}}}
	}
	once := w.sign(list(), nil)
	_, err := w.send(once)
	must(t, err)
	again := func(c *safeboxv1.BoxCall, want fault.Code) {
		t.Helper()
		if _, err := w.send(c); !fault.Is(err, want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	again(once, fault.Replayed)
	forged := w.sign(list(), nil)
	forged.Signature[0] ^= 1
	again(forged, fault.BadAuthorisation)
	late := list()
	late.ExpiresMs = w.now.Add(-time.Second).UnixMilli()
	again(w.sign(late, nil), fault.Expired)
	early := list()
	early.ExpiresMs = w.now.Add(time.Hour).UnixMilli()
	again(w.sign(early, nil), fault.OutOfRange)
	again(&safeboxv1.BoxCall{Body: []byte{0xff}}, fault.Malformed)
	stranger := w.sign(list(), nil)
	stranger.Key = w.keys["p-2"].Public().ID()
	again(stranger, fault.NotWhitelisted)
	v := &safeboxv1.Vault{Account: "p-1"}
	w.vaults["p-1"] = v
	start := &safeboxv1.BoxOrder{From: "p-2", Want: &safeboxv1.BoxOrder_Start{Start: &safeboxv1.StartItem{Owner: "p-1", Item: "00000000000000000000000000000001", BodyBytes: 1, HeadSha256: make([]byte, 32)}}}
	again(w.sign(start, nil), fault.Forbidden)
	put := &safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_PutVault{PutVault: &safeboxv1.PutVault{File: []byte("old")}}}
	again(w.sign(put, nil), fault.CodeInconsistent)
	sum := sha256.Sum256([]byte("old"))
	v.UnlockersHash = sum[:]
	_, err = w.call(put)
	must(t, err)
}

// FuzzOrder: whatever a person's own key signs, it neither reads nor changes what is in
// another's box, and a trouble of ours is none of the answers.
func FuzzOrder(f *testing.F) {
	order := func(o *safeboxv1.BoxOrder) {
		o.ChainId, o.To, o.From, o.CallId, o.ExpiresMs = "test-1", "door", "p-1", "call-0000000000000001", 1_790_000_030_000
		body, err := canon.Marshal(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, []byte("part"))
	}
	order(&safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_List{List: &safeboxv1.ListItems{}}})
	order(&safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_FetchVault{FetchVault: &safeboxv1.FetchVault{}}})
	order(&safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_GetHead{GetHead: &safeboxv1.GetHead{Item: "x"}}})
	f.Fuzz(func(t *testing.T, body, part []byte) {
		w := &town{t: t, keys: map[string]sm.PrivateKey{}, vaults: map[string]*safeboxv1.Vault{}, items: map[string]*safeboxv1.BoxItem{}}
		for _, id := range []string{"p-1", "p-2", "office"} {
			k, err := sm.FromSeed(sm.Ed25519, sha256.Sum256([]byte(id)))
			must(t, err)
			w.keys[id] = k
		}
		boxes := store.New(&store.Memory{}, store.Quota{})
		must(t, boxes.PutVault(t.Context(), "p-2", []byte(planted)))
		door := boxdoor.New(boxdoor.Config{ChainID: "test-1", Name: "door", Ledger: w, Boxes: boxes, Now: func() time.Time { return time.UnixMilli(1_790_000_000_000) }})
		sig, err := w.keys["p-1"].Sign(append([]byte(boxdoor.Domain), body...))
		must(t, err)
		call := &safeboxv1.BoxCall{Body: body, Key: w.keys["p-1"].Public().ID(), Signature: sig, Part: part}
		for range 2 {
			out, err := door.Call(t.Context(), connect.NewRequest(call))
			if err != nil {
				if fault.CodeOf(wire.Fault(err)) == fault.Internal {
					t.Fatal(err)
				}
				continue
			}
			if bytes.Contains(out.Msg.GetContent(), []byte(planted)) {
				t.Fatal("another's box is read")
			}
		}
		if kept, err := boxes.Vault(t.Context(), "p-2"); err != nil || string(kept) != planted {
			t.Fatalf("another's vault is %q, %v", kept, err)
		}
	})
}

// TestALostKeyOpensNothing: who found the phone, or keeps the key for somebody, gets neither
// the vault's file nor an item.
func TestALostKeyOpensNothing(t *testing.T) {
	w := newTown(t)
	keys, err := safebox.NewVault("p-1").PublicKeys()
	must(t, err)
	w.vaults["p-1"] = &safeboxv1.Vault{Account: "p-1", Keys: keys, KeyVersion: 1}
	w.keepsBox("p-1")
	id := w.deposit([]byte("a deed"))
	for _, tt := range []struct {
		mar  func(*identityv1.Key)
		want fault.Code
	}{
		{nil, fault.OK},
		{func(k *identityv1.Key) { k.LostMs = w.now.UnixMilli() }, fault.KeyRevoked},
		{func(k *identityv1.Key) { k.Custodian = "office" }, fault.CustodyUnrecorded},
	} {
		w.marred = map[string]func(*identityv1.Key){"p-1": tt.mar}
		for _, o := range []*safeboxv1.BoxOrder{
			{From: "p-1", Want: &safeboxv1.BoxOrder_FetchVault{FetchVault: &safeboxv1.FetchVault{}}},
			{From: "p-1", Want: &safeboxv1.BoxOrder_GetHead{GetHead: &safeboxv1.GetHead{Item: id}}},
		} {
			if _, err := w.call(o); fault.CodeOf(err) != tt.want {
				t.Errorf("%T: %v, want %s", o.Want, err, tt.want)
			}
		}
	}
}
