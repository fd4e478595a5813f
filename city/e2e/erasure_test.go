package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gatewaybackup "mulian/gateway/backup"
	"mulian/gateway/deposit"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/node/backup"
	"mulian/safebox"
	"mulian/safebox/store"
)

// Planted values of a made-up person. The name has characters that only GB18030 has in four
// bytes.
const (
	plantedName   = "植入者㐀𠀀甲"
	plantedNumber = "110105200001010017"
	plantedToken  = "planted-value-7f3a"
	plantedTitle  = "植入标题：诊断证明"
)

// TestErasureLeavesNothing is the criterion: after an erasure no byte of the item can
// be recovered from files, backups or the index made after it, and the ledger shows only
// random-looking commitments.
//
// It plants values in what a department deposits and in what the owner puts in herself, finds
// the ciphertext of both in the boxes, erases both, and searches everything that is left: for
// the values in all forms, and for windows of ciphertext, wraps and cards.
func TestErasureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w := newTown(record(t, dir), dir)
	hospital := w.department(6, "卫生健康委员会", sm.SM2)
	door := w.open(hospital, "")
	flo := w.owner("flo", plantedNumber).box()
	content := bytes.Repeat([]byte(plantedName+plantedNumber+plantedToken+"\n"), 30_000) // more than one part
	done, err := door.Deposits().Deposit(t.Context(), deposit.Item{Owner: flo.account, Schema: "diagnosis/1", Title: plantedTitle, Content: bytes.NewReader(content)})
	w.ok(err)
	kept, err := door.Deposits().Deposit(t.Context(), deposit.Item{Owner: flo.account, Schema: "diagnosis/1", Title: "留下的", Content: strings.NewReader("what stays")})
	w.ok(err)
	sum := sha256.Sum256(content)
	card := &safeboxv1.ItemCard{Salt: safebox.NewSalt(), Schema: "note/1", Title: plantedTitle, Bytes: uint64(len(content)), ContentSha256: sum[:]}
	own := flo.puts(card, content)
	for _, id := range []string{done.Item, own} {
		if card, got, err := flo.reads(id); err != nil || card.GetTitle() != plantedTitle || !bytes.Equal(got, content) {
			t.Fatalf("before the erasure: %v, %d bytes, %v", card, len(got), err)
		}
	}
	values := append(append(append(forms(plantedName), forms(plantedNumber)...), forms(plantedToken)...), forms(plantedTitle)...)
	cipher := append(flo.ciphertext(done.Item), flo.ciphertext(own)...)
	if hits := inFiles(w, cipher, w.path("boxes")); len(hits) < len(cipher)/16 {
		t.Fatalf("the search finds %d of %d windows of ciphertext before the erasure: it would find nothing after it", len(hits), len(cipher))
	}
	old := w.path("..", filepath.Base(dir)+"-before")
	w.ok(os.CopyFS(old, os.DirFS(w.path("boxes"))))
	t.Cleanup(func() { os.RemoveAll(old) })

	flo.sends(&safeboxv1.EraseItems{Items: []string{done.Item, own}, Basis: safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER})
	w.eventually("the door has destroyed both", func() bool {
		list, err := flo.door.List(t.Context())
		w.ok(err)
		return len(list) == 1 && list[0].GetItem() == kept.Item
	})
	if _, _, err := flo.reads(own); !fault.Is(err, fault.NotFound) {
		t.Errorf("an erased item is read: %v", err)
	}

	// Everything that is, and the ledger as it is before the store compresses it.
	clean := func(what string, hits []string) {
		t.Helper()
		for _, hit := range hits {
			t.Errorf("%s: %s", what, hit)
		}
	}
	all := append(values, cipher...)
	onLedger, size := w.onLedger(all)
	clean("ledger", onLedger)
	clean("after the erasure", inFiles(w, all, w.dir))
	w.randomLooking(t, done.Item, content, card)
	w.randomLooking(t, own, content, card)

	// Backups made after it, as they are and restored.
	copies := filepath.Join(dir, "backups")
	_, err = backup.Take(t.Context(), backup.Order{Home: w.dir, To: filepath.Join(copies, "node"), Keys: true, Version: "e2e"})
	w.ok(err)
	_, _, err = gatewaybackup.Take(t.Context(), gatewaybackup.Order{Gateway: hospital.gateway, Home: w.path("gateway", hospital.Account), To: filepath.Join(copies, "gateway"), Version: "e2e"})
	w.ok(err)
	w.ok(os.CopyFS(filepath.Join(copies, "boxes"), os.DirFS(w.path("boxes"))))
	clean("a backup", inFiles(w, all, copies))
	again := filepath.Join(t.TempDir(), "again")
	_, err = backup.Restore(t.Context(), backup.Plan{From: filepath.Join(copies, "node"), Home: again})
	w.ok(err)
	w.ok(os.CopyFS(filepath.Join(again, "boxes"), os.DirFS(filepath.Join(copies, "boxes"))))
	clean("a restored member", inFiles(w, all, again))
	w.ok(os.Chmod(filepath.Join(again, "boxes"), 0o700)) // CopyFS does not keep modes
	w.ok(os.Chmod(filepath.Join(again, "boxes", "b"), 0o700))
	medium, err := store.OpenFiles(filepath.Join(again, "boxes"))
	w.ok(err)
	defer medium.Close()
	boxes := store.New(medium, store.Quota{})
	for _, id := range []string{done.Item, own} {
		if _, err := boxes.Head(t.Context(), flo.account, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("a restored box has item %s: %v", id, err)
		}
	}
	if _, err := boxes.Head(t.Context(), flo.account, kept.Item); err != nil {
		t.Errorf("what was not erased is lost: %v", err)
	}
	if _, content, err := flo.reads(kept.Item); err != nil || string(content) != "what stays" {
		t.Errorf("what was not erased: %q, %v", content, err)
	}
	// The copy of before has it still, as the documents say: the search is the same one.
	if hits := inFiles(w, cipher, old); len(hits) == 0 {
		t.Error("the search does not find what is there")
	}
	t.Logf("%d forms of values and %d windows of ciphertext searched, %d bytes of ledger read", len(values), len(cipher), size)
}

// ciphertext is what would betray an item: windows of its body, its wraps, its card, and its
// salt, each raw and encoded.
func (c *chest) ciphertext(item string) (out []needle) {
	c.w.Helper()
	ctx := context.Background()
	head, _, err := c.door.Head(ctx, item)
	c.w.ok(err)
	key, err := c.vault.Unwrap(head)
	c.w.ok(err)
	card, err := safebox.OpenCard(key, head)
	c.w.ok(err)
	window := func(what string, b []byte) {
		out = append(out, bytesOf(what+" of "+item, b[:min(len(b), 24)])...)
	}
	for i, w := range head.GetWraps() {
		window(fmt.Sprintf("wrap %d", i), w.GetBox())
		window(fmt.Sprintf("end of wrap %d", i), w.GetBox()[len(w.GetBox())-24:])
	}
	window("card", head.GetCard())
	window("salt", card.GetSalt())
	body := new(bytes.Buffer)
	_, err = body.ReadFrom(c.door.Body(ctx, head))
	c.w.ok(err)
	for at := 0; at+24 <= body.Len(); at += body.Len() / 20 {
		window(fmt.Sprintf("byte %d", at), body.Bytes()[at:])
	}
	return out
}

// randomLooking holds that what the ledger has of an item is its handle, its commitment and
// whose it was, and that the commitment is none of the hashes that somebody who guesses the
// content could compute.
func (w *town) randomLooking(t *testing.T, id string, content []byte, card *safeboxv1.ItemCard) {
	t.Helper()
	it := w.item(id)
	if it.GetState() != safeboxv1.ItemState_ITEM_STATE_ERASED || it.GetBasis() != safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER {
		t.Errorf("the ledger has %v", it)
	}
	unsalted := &safeboxv1.ItemCard{Schema: card.Schema, Title: card.Title, Bytes: card.Bytes, ContentSha256: card.ContentSha256}
	plain, err := canon.Marshal(unsalted)
	w.ok(err)
	guess := canon.Digest("mulian/box/commitment/v1", plain)
	h256, h3 := sm.SHA256(content), sm.SM3(content)
	for name, sum := range map[string][]byte{"SHA-256": h256[:], "SM3": h3[:], "its card without a salt": guess[:]} {
		if bytes.Contains(it.GetCommitment(), sum[:16]) {
			t.Errorf("the commitment is guessable: %s", name)
		}
	}
	if len(it.GetCommitment()) != sha256.Size || strings.Contains(it.String(), plantedToken) {
		t.Errorf("the ledger has %v", it)
	}
}
