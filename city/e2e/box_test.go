package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/sm"
	"mulian/safebox"
	"mulian/safebox/boxcall"
)

// chest is an owner's safe box at this town's member, with her open vault.
type chest struct {
	*owner
	vault *safebox.Vault
	door  *boxcall.Caller
	code  string // recovery code
}

// box opens a box for the owner: a key of her device that signs calls, a vault that opens in
// two kinds of ways, its file at the door.
func (o *owner) box() *chest {
	w := o.w
	w.Helper()
	key, err := sm.Generate(sm.SM2)
	w.ok(err)
	_, err = o.send(&identityv1.AddKey{Account: o.account, Key: client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_MACHINE, "device")})
	w.ok(err)
	c := &chest{owner: o, vault: safebox.NewVault(o.account), code: safebox.NewRecoveryCode()}
	var prf [32]byte
	rand.Read(prf[:])
	paper, err := safebox.ByRecoveryCode(c.code)
	w.ok(err)
	w.ok(c.vault.Add(context.Background(), safebox.ByPasskey([]byte("credential"), prf), "phone"))
	w.ok(c.vault.Add(context.Background(), paper, "paper"))
	file, hash, err := c.vault.File()
	w.ok(err)
	keys, err := c.vault.PublicKeys()
	w.ok(err)
	_, err = o.send(&safeboxv1.RegisterVault{Keys: keys, Unlockers: c.vault.Kinds(), UnlockersHash: hash})
	w.ok(err)
	st, err := w.chain.Status(context.Background())
	w.ok(err)
	c.door = &boxcall.Caller{Door: boxcall.Dial(w.chain.URL()), Chain: chainID, Name: st.GetBoxDoor(), Signer: client.Signer{Account: o.account, Key: key}}
	w.ok(c.door.PutVault(context.Background(), file))
	return c
}

// reads opens an item as its owner does.
func (c *chest) reads(item string) (*safeboxv1.ItemCard, []byte, error) {
	ctx := context.Background()
	head, _, err := c.door.Head(ctx, item)
	if err != nil {
		return nil, nil, err
	}
	key, err := c.vault.Unwrap(head)
	if err != nil {
		return nil, nil, err
	}
	card, err := safebox.OpenCard(key, head)
	if err != nil {
		return nil, nil, err
	}
	r, err := safebox.OpenBody(c.door.Body(ctx, head), key, safebox.PlaceOf(head), card)
	if err != nil {
		return nil, nil, err
	}
	content, err := io.ReadAll(r)
	return card, content, err
}

// puts lays an item of her own down and records it.
func (c *chest) puts(card *safeboxv1.ItemCard, content []byte) (item string) {
	c.w.Helper()
	commitment, id, err := safebox.Commitment(card)
	c.w.ok(err)
	key, err := safebox.NewKey(safebox.SM)
	c.w.ok(err)
	keys, err := c.vault.PublicKeys()
	c.w.ok(err)
	at := safebox.Place{Item: id, Version: 1, Account: c.account}
	head, err := safebox.SealHead(key, at, card, &safeboxv1.Vault{Account: c.account, Keys: keys, KeyVersion: c.vault.KeyVersion()})
	c.w.ok(err)
	c.w.ok(c.door.Lay(context.Background(), head, func(w io.Writer) error { return safebox.SealBody(w, key, at, card, bytes.NewReader(content)) }))
	c.sends(&safeboxv1.SelfDeposit{Items: []*safeboxv1.NewItem{{Commitment: commitment, KeyVersion: c.vault.KeyVersion()}}})
	return id
}

func (c *chest) sends(m ...proto.Message) {
	c.w.Helper()
	_, err := c.send(m...)
	c.w.ok(err)
}

// item is what the ledger has of one.
func (w *town) item(id string) *safeboxv1.BoxItem {
	w.Helper()
	it := &safeboxv1.BoxItem{}
	if !w.get("safebox/item/"+id, it) {
		w.Fatalf("the ledger has no item %s", id)
	}
	return it
}

// rotates gives the vault new keys.
func (c *chest) rotates() {
	w := c.w
	w.Helper()
	ctx := context.Background()
	before := c.vault.Version()
	w.ok(c.vault.Rotate())
	paper, err := safebox.ByRecoveryCode(c.code)
	w.ok(err)
	var prf [32]byte
	rand.Read(prf[:])
	w.ok(c.vault.Add(ctx, safebox.ByPasskey([]byte("credential"), prf), "phone"))
	w.ok(c.vault.Add(ctx, paper, "paper"))
	file, hash, err := c.vault.File()
	w.ok(err)
	keys, err := c.vault.PublicKeys()
	w.ok(err)
	c.sends(&safeboxv1.ChangeVault{Version: before, Keys: keys, Unlockers: c.vault.Kinds(), UnlockersHash: hash})
	w.ok(c.door.PutVault(ctx, file))
}
