package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deposit"
	"mulian/gateway/issue"
	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// office makes the registry an issuer of deeds, made of its rows.
func (w *transfers) office() *issue.Office {
	w.Helper()
	issuing, err := w.ring().New(w.registry.gateway, keyring.Issue, sm.P256)
	w.ok(err)
	org := w.registry.Account
	hash := sm.SHA256([]byte("schema of a deed"))
	w.as(
		w.registry.Signer,
		&identityv1.AddKey{Account: w.registry.gateway, Key: client.PublicKey(issuing.Public(), identityv1.KeyLevel_KEY_LEVEL_MACHINE, keyring.Issue)},
		&credentialv1.PutIssuer{Issuer: &credentialv1.Issuer{Org: org, Url: "https://housing.example.cn", StatusUrl: "https://gw.housing.example.cn/st", Accounts: []string{w.registry.gateway}}},
		&credentialv1.PutCredentialType{Type: &credentialv1.CredentialType{
			Id: org + ":deed", Version: 1, Name: "不动产转移登记证明", Vct: "https://housing.example.cn/vct/deed/1", SchemaHash: hash[:], Issuers: []string{org}, MaxDays: 365, Entry: w.entry.Id,
			Fields: []*credentialv1.Field{{Name: "address", Title: "坐落", Item: "address", Required: true}, {Name: "buyer", Title: "受让人", Item: "buyer"}},
		}},
	)
	o, err := gateway.OpenOffice(&gateway.Config{Home: w.path("gateway", org), Account: w.registry.gateway, Keys: w.ring().Dir})
	w.ok(err)
	machine, err := w.ring().Signer(w.registry.gateway, keyring.Machine)
	w.ok(err)
	o.Get = w.chain.Get
	o.Send = func(ctx context.Context, m ...proto.Message) error {
		_, err := w.chain.Send(ctx, machine, m...)
		return err
	}
	db, err := connect.Open(context.Background(), w.source.URL)
	w.ok(err)
	w.Cleanup(func() { db.Close() })
	o.Source = func(context.Context, string) (connect.Source, error) { return db, nil }
	return o
}

// TestACredentialIsPushed 还数于民: the registry issues a deed of its row and brings it into
// Ann's box while she is away, in one transaction; she alone reads it. If the ledger takes
// neither, neither is there.
func TestACredentialIsPushed(t *testing.T) {
	w := newTransfers(t)
	o, ann := w.office(), w.ann.box()
	var laid []*deposit.Laid
	order := issue.Order{Type: w.registry.Account + ":deed", Version: 1, RowKey: "京(2026)不动产 1 号"}
	order.Push = func(ctx context.Context, made *issue.Issued) (proto.Message, error) {
		raw, err := json.Marshal(made)
		if err != nil {
			return nil, err
		}
		l, err := w.door.Deposits().LayDown(ctx, deposit.Item{Owner: ann.account, Schema: "mulian-credential/1", Title: "不动产转移登记证明", MediaType: "application/json", Content: bytes.NewReader(raw)})
		if err != nil {
			return nil, err
		}
		laid = append(laid, l)
		return l.Message, nil
	}
	send := o.Send
	o.Send = func(context.Context, ...proto.Message) error {
		return fault.Newf(fault.Suspended, "the account was suspended meanwhile")
	}
	if _, err := o.Issue(t.Context(), order); !fault.Is(err, fault.Suspended) || len(laid) != 1 {
		t.Fatalf("%v, laid %d", err, len(laid))
	}
	w.ok(laid[0].End(t.Context()))
	if w.get("safebox/item/"+laid[0].Item, &safeboxv1.BoxItem{}) {
		t.Error("the ledger has a deposit without its credential")
	}

	o.Send = send
	made, err := o.Issue(t.Context(), order)
	w.ok(err)
	w.ok(laid[1].End(t.Context()))
	anchored := &credentialv1.Credential{}
	if !w.get("credential/item/"+made.ID, anchored) || w.item(laid[1].Item).GetHeight() != anchored.GetHeight() {
		t.Errorf("credential at %d, deposit %v", anchored.GetHeight(), w.item(laid[1].Item))
	}
	card, content, err := ann.reads(laid[1].Item)
	w.ok(err)
	got := &issue.Issued{}
	if err := json.Unmarshal(content, got); err != nil || *got != *made || card.GetIssuer() != w.registry.gateway {
		t.Errorf("Ann reads %s of %s, %v", content, card.GetIssuer(), err)
	}
	p, err := sdjwt.Verify(t.Context(), got.Outward, sdjwt.Policy{Now: time.Now(), Lenient: true, Keys: func(sdjwt.Signature) (sm.PublicKey, error) { return o.Outward.Public(), nil }})
	if err != nil || !strings.Contains(fmt.Sprint(p.Claims), "和平里 1 号") {
		t.Errorf("the credential in the box: %v", err)
	}
	if open, err := w.door.Deposits().Tickets(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("tickets are left: %v, %v", open, err)
	}
	w.neverShows(annNumber, "和平里 1 号", "京(2026)不动产 1 号", "不动产转移登记证明 ", got.Outward[len(got.Outward)-60:])
}
