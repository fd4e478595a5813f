package custody_test

import (
	"crypto/sha256"
	"testing"

	"google.golang.org/protobuf/proto"

	custodyv1 "mulian/gen/mulian/custody/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/rules/custody"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

// TestKindsOfActs: what is not listed stands; one message that stands makes the whole stand.
func TestKindsOfActs(t *testing.T) {
	c := newCounter(t).opened()
	for _, tt := range []struct {
		want     custodyv1.CustodyActKind
		messages []proto.Message
	}{
		{once, []proto.Message{&identityv1.FreezeAccount{Account: c.elder}}},
		{once, []proto.Message{&custodyv1.UnwrapVault{}}},
		{standing, []proto.Message{&safeboxv1.RegisterVault{}}},
		{standing, []proto.Message{&safeboxv1.ChangeVault{}}},
		{standing, []proto.Message{&safeboxv1.EraseItems{}}},
		{standing, []proto.Message{&identityv1.FreezeAccount{Account: c.elder}, &identityv1.RotateKey{Account: c.elder}}},
		{standing, []proto.Message{&mandatev1.RevokeMandate{Mandate: "m", Cause: "x"}}},
		{standing, []proto.Message{&recoveryv1.SetRecoveryPolicy{}}},
		{standing, []proto.Message{&grantv1.GiveGrant{Request: "no such request"}}},
	} {
		n := c.recorded(c.act(48*rulestest.Hour, tt.messages...))
		if u, _ := custody.FindUse(c.View(), c.elder, n); u.Kind != tt.want {
			t.Errorf("%T: %s, want %s", tt.messages[0], u.Kind, tt.want)
		}
	}
}

// TestAGrantOfOneUseDoesNotWait: whether a grant stands is said by what the data user has
// registered, not by anybody at the counter.
func TestAGrantOfOneUseDoesNotWait(t *testing.T) {
	town := towntest.New(t)
	town.Publish(nil)
	c := counterIn(t, town.World).opened()
	for local, tt := range map[string]struct {
		kind           grantv1.GrantKind
		uses, interval uint32
		want           custodyv1.CustodyActKind
	}{
		"loan":    {grantv1.GrantKind_GRANT_KIND_ONCE, 1, 0, once},
		"service": {grantv1.GrantKind_GRANT_KIND_STANDING, 5, 3600, standing},
	} {
		c.Must(town.Consumer, &grantv1.RegisterUse{LocalId: local, Use: &grantv1.IntendedUse{
			Title: "公积金贷款审批", Purpose: "loan", Entry: town.EntryID, EntryVersion: 1, Items: []byte{3}, OptionalItems: []byte{2},
			Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Mode: grantv1.GrantMode_GRANT_MODE_DELIVER,
			Kind: tt.kind, MaxDays: 30, MaxUses: tt.uses, MinIntervalSeconds: tt.interval, DataLifeDays: 20, NoticeHash: some(1), NoticeUrl: "https://gjj.example.cn/notice", Contact: "12329",
		}})
		nonce := sha256.Sum256([]byte(local))
		id := c.Must(town.Consumer, &grantv1.RequestData{Request: &grantv1.DataRequest{
			Use: town.Consumer + ":" + local, Owner: c.elder, Items: []byte{3}, OptionalItems: []byte{2}, ToMs: c.Now + 20*rulestest.Day, MaxUses: tt.uses,
			MinIntervalSeconds: tt.interval, DataLifeDays: 20, BusinessReference: some(2), NoticeHash: some(1), Gateway: town.ConsumerGateway,
			RecipientKey: c.Account(town.ConsumerGateway).Gateway.SealingKey.Id, Nonce: nonce[:16], NotAfterMs: c.Now + 5*rulestest.Day,
		}})[0]
		n := c.recorded(c.act(48*rulestest.Hour, &grantv1.GiveGrant{Request: id}))
		if u, _ := custody.FindUse(c.View(), c.elder, n); u.Kind != tt.want {
			t.Errorf("%s: %s, want %s", local, u.Kind, tt.want)
		}
	}
}
