package city

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/rowkey"
)

// What people of the demo are asked for: who applies for a flat, or for less to pay.
const (
	personEntry = "个人社会保险参保缴费"
	housingUse  = "housing"
	noticeText  = "资格核验告知书（演示）：核验参保险种、缴费起始月和累计月数，仅用于本次资格审核，不留存，不转交。"
)

var (
	surnames   = strings.Fields("赵 钱 孙 李 周 吴 郑 王 冯 陈 褚 卫 蒋 沈 韩 杨")
	givenNames = strings.Fields("一禾 二木 三川 四维 五原 六合 七弦 八方 九思 十里 百川 千山 万里 亿和")
)

// personNumber is the identity number of an invented person: 18 characters that pass the
// check of GB 11643, born on days that the register of no district has with these last digits.
func personNumber(i int) string {
	body := fmt.Sprintf("%s%04d%02d%02d%03d", districtCodes[i%len(districtCodes)], 1950+i%50, 1+i%12, 1+i%28, 900+i%100)
	sum, weights := 0, [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	for k, w := range weights {
		sum += int(body[k]-'0') * w
	}
	return body + string("10X98765432"[sum%11])
}

// welcome makes a person of the demo out of an account that a browser has opened: the data
// bureau identifies its holder as one of the invented persons, and two departments ask him.
//
// A person who is known already is given what a department has of him, into his vault.
func (c *City) welcome(ctx context.Context, account string) (*consolev1.TakeSeatResponse, error) {
	if number, known := c.people.Load(account); known {
		return c.returns(ctx, account, number.(string))
	}
	n, err := rand.Int(rand.Reader, big.NewInt(personCount))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "no randomness")
	}
	number, salt := personNumber(int(n.Int64())), make([]byte, 32)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the process instead
	commitment := rowkey.Proofing(salt, number)
	r, err := c.send(ctx, authority, &identityv1.RecordProofing{
		Account: account, Commitment: commitment[:], Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER,
		Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH, ExpiresMs: time.Now().AddDate(1, 0, 0).UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	if err := c.askCitizen(ctx, account); err != nil {
		return nil, err
	}
	c.people.Store(account, number)
	return &consolev1.TakeSeatResponse{Account: account, Height: r.Height, Number: number, Salt: salt}, nil
}

// personalUses are what departments of the demo have registered to ask of people; the first
// is asked of everybody who comes.
var personalUses = []struct{ department, local, title, contact string }{
	{"住建委", housingUse, "公共租赁住房资格审核", "住房保障办公室（演示）"},
	{"水务局", "saving", "居民节水补贴资格审核", "节约用水办公室（演示）"},
}

// registerUse registers a personal use, if it is not there yet, and returns it.
func (c *City) registerUse(ctx context.Context, department, local, title, contact string) (*grantv1.IntendedUse, error) {
	user, provider, e := content.Find(department), content.Find("人力社保局"), &cataloguev1.Entry{}
	if err := c.get(ctx, "catalogue/entry/"+provider.Entry(personEntry).Id, e); err != nil {
		return nil, err
	}
	items, err := itemset.OfCodes(e, "insurance", "employer", "paid_from", "months")
	if err != nil {
		return nil, err
	}
	optional, err := itemset.OfCodes(e, "employer")
	if err != nil {
		return nil, err
	}
	notice := sha256.Sum256([]byte(noticeText))
	use := &grantv1.IntendedUse{
		Title: title, Purpose: "government", Entry: e.Id, EntryVersion: e.Version, Items: items, OptionalItems: optional,
		Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Mode: grantv1.GrantMode_GRANT_MODE_VIEW,
		Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxDays: 30, MaxUses: 1, NoticeHash: notice[:], Contact: contact,
	}
	_, err = c.send(ctx, user, &grantv1.RegisterUse{LocalId: local, Use: use})
	if err != nil && !fault.Is(err, fault.AlreadyExists) {
		return nil, err
	}
	return use, nil
}

// registerUses registers all of them, so that a data user's seat has something to ask by.
func (c *City) registerUses(ctx context.Context) error {
	for _, u := range personalUses {
		if _, err := c.registerUse(ctx, u.department, u.local, u.title, u.contact); err != nil {
			return err
		}
	}
	return nil
}

// askCitizen has the housing commission ask a person for what it has registered.
func (c *City) askCitizen(ctx context.Context, account string) error {
	of := personalUses[0]
	use, err := c.registerUse(ctx, of.department, of.local, of.title, of.contact)
	if err != nil {
		return err
	}
	user := content.Find(of.department)
	door := &identityv1.Account{}
	if err := c.get(ctx, "identity/account/"+gatewayOf(user), door); err != nil {
		return err
	}
	now := time.Now()
	ask := &grantv1.DataRequest{
		Use: user.Code + ":" + housingUse, Owner: account, Items: use.Items, OptionalItems: use.OptionalItems, ToMs: now.AddDate(0, 0, 20).UnixMilli(), MaxUses: 1,
		NoticeHash: use.NoticeHash, Gateway: gatewayOf(user), RecipientKey: door.GetGateway().GetSealingKey().GetId(), NotAfterMs: now.Add(time.Hour).UnixMilli(),
	}
	for _, business := range []string{"公租房申请 2026-0417", "公租房复核 2026-0418"} {
		m := proto.CloneOf(ask)
		salt := make([]byte, consent.SaltBytes)
		_, _ = rand.Read(salt)
		if m.BusinessReference, err = consent.Private(salt, business); err != nil {
			return err
		}
		m.Nonce = make([]byte, consent.NonceBytes)
		_, _ = rand.Read(m.Nonce)
		if _, err := c.send(ctx, user, &grantv1.RequestData{Request: m}); err != nil {
			return err
		}
	}
	return nil
}
