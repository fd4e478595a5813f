package e2e_test

import (
	"context"
	"testing"

	"mulian/gateway/deliver"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/browsertest"
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/internal/passkey/passkeytest"
)

// chromium is a phone whose passkey a real browser has made, and which signs in it.
type chromium struct{ *browsertest.Phone }

// Key is what a message of the ledger carries of the passkey.
func (c chromium) Key(level identityv1.KeyLevel) *identityv1.Key {
	point := c.Public.Bytes()
	return &identityv1.Key{
		Id: passkey.KeyID(point), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN, PublicKey: point, Level: level,
		Passkey: &identityv1.Passkey{RpIdHash: c.RPIDHash[:], BackupEligible: c.BackupEligible},
	}
}

// SignTx has the browser sign for the transaction.
func (c chromium) SignTx(id [32]byte) []byte {
	return passkeytest.Bytes(c.Sign(passkey.Challenge(id)))
}

// TestS7InChromium: the owner of S7 signs in a real browser. What she granted arrives, once;
// the same passkey on a page that the consortium does not know opens and grants nothing.
func TestS7InChromium(t *testing.T) {
	page := browsertest.Page(t, "<!doctype html><title>保险箱</title>")
	w := newTransfers(t, page)
	phone := chromium{browsertest.NewPhone(t, page, browsertest.Device{})}
	const carolNumber = annNumber // Ann has another account, in her browser
	carol := w.ownerOf(phone, "carol", carolNumber)
	g := carol.grants(w.asksOwner(w.power, w.use, carol, w.entry, []string{"address", "registered"}, nil), w.registry, caseNo("1"))
	got, err := w.fetch(g, nil)
	w.ok(err)
	if len(got.Rows) != 1 || got.Rows[0][0].Text != "和平里 1 号" || len(got.Columns) != 2 {
		t.Fatalf("got %v", got.Rows)
	}
	_, err = w.fetch(g, nil)
	w.refused(fault.UsesExhausted, err)

	other := browsertest.Page(t, "<!doctype html><title>仿冒</title>")
	phone.Visit(other)
	_, err = carol.send(&identityv1.FreezeAccount{Account: carol.account, Cause: "a page that nobody voted for"})
	w.refused(fault.OriginUnknown, err)
	phone.Visit(page)
	_, err = carol.send(&identityv1.FreezeAccount{Account: carol.account, Cause: "lost"})
	w.ok(err)
	_, err = w.tap.FetchByGrant(context.Background(), deliver.GrantedFetch{Grant: g.id, RowKey: g.rowKey})
	if err == nil {
		t.Error("a grant that is used up gave again")
	}
}
