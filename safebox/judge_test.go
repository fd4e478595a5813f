package safebox

import (
	"bytes"
	"crypto/sha256"
	"testing"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/judgetest"
)

// TestJudgesOpenABox: @hpke/core and WebCrypto derive the vault's key of its seed and open a
// wrap, a card and a body by what doc.go says, and neither for another place or grant nor cut
// short.
func TestJudgesOpenABox(t *testing.T) {
	content := bytes.Repeat([]byte("缴存证明：1234500 分。"), 5000) // three chunks
	sum := sha256.Sum256(content)
	card := &safeboxv1.ItemCard{Salt: NewSalt(), Schema: "fund/1", Title: "缴存证明", Bytes: uint64(len(content)), ContentSha256: sum[:]}
	_, id, err := Commitment(card)
	if err != nil {
		t.Fatal(err)
	}
	v, other := NewVault("p-1"), NewVault("bank")
	keys, err := v.PublicKeys(P256)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.PublicKeys(P256)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKey(P256)
	if err != nil {
		t.Fatal(err)
	}
	at := Place{Item: id, Version: 1, Account: "p-1"}
	head, err := SealHead(k, at, card, &safeboxv1.Vault{Account: "p-1", Keys: keys, KeyVersion: 1})
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	if err := SealBody(&body, k, at, card, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	given, err := WrapGrant(k, at, Grantee{Grant: "g-1", Receiver: "bank", Key: theirs[0]})
	if err != nil {
		t.Fatal(err)
	}
	type opened struct {
		OK    []byte
		Error string
	}
	var got struct {
		Public                                               []byte
		Key, Card, Body, Cut, Elsewhere, Granted, OtherGrant opened
	}
	judgetest.Ask(t, "box", map[string]any{
		"seed": v.seeds[0].seed[:], "item": id, "version": 1, "account": "p-1", "schema": card.Schema, "chunk": ChunkBytes,
		"wrap": head.Wraps[0].Box, "card": head.Card, "body": body.Bytes(),
		"grantee": map[string]any{"seed": other.seeds[0].seed[:], "account": "bank", "grant": "g-1", "wrap": given.Box},
	}, &got)
	plain, err := canon.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		got  []byte
		want []byte
	}{"public key": {got.Public, keys[0].PublicKey}, "item key": {got.Key.OK, k.raw}, "card": {got.Card.OK, plain}, "body": {got.Body.OK, content}, "granted key": {got.Granted.OK, k.raw}} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("the judge's %s has %d bytes, ours %d", name, len(c.got), len(c.want))
		}
	}
	for name, o := range map[string]opened{"a body cut short": got.Cut, "another account's": got.Elsewhere, "another grant's": got.OtherGrant} {
		if o.Error == "" {
			t.Errorf("%s opens, too", name)
		}
	}
}
