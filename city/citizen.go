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
	noticeText  = "资格核验告知书（演示）：核验授权书中列出的信息项，仅用于本次资格审核，不留存，不转交。"
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

// personalUse is what a department of the demo has registered to ask of people: items of one
// entry, of which the owner may leave the optional one out.
type personalUse struct {
	department, local, title, contact string
	provider, entry                   string
	items                             []string
	optional                          string
}

// personalUses are all of them; the first is asked of everybody who comes.
var personalUses = []personalUse{
	{"住建委", housingUse, "公共租赁住房资格审核", housingOffice, "人力社保局", personEntry, []string{"insurance", "employer", "paid_from", "months"}, "employer"},
	{"住建委", "estate", "公租房申请家庭住房情况核查", housingOffice, "规划自然资源委", "不动产登记簿查询结果", []string{"site", "right_kind", "house_use", "area_m2", "mortgaged"}, "mortgaged"},
	{"住建委", "car", "公租房申请家庭车辆情况核查", housingOffice, "交通委", "小客车指标核验", []string{"kind", "valid_until"}, ""},
	{"水务局", "saving", "居民节水补贴资格审核", "节约用水办公室（演示）", "人力社保局", personEntry, []string{"insurance", "employer", "paid_from", "months"}, "employer"},
}

const housingOffice = "住房保障办公室（演示）"

// registerUse registers a personal use, if it is not there yet, and returns it.
func (c *City) registerUse(ctx context.Context, of personalUse) (*grantv1.IntendedUse, error) {
	user, provider, e := content.Find(of.department), content.Find(of.provider), &cataloguev1.Entry{}
	if err := c.get(ctx, "catalogue/entry/"+provider.Entry(of.entry).Id, e); err != nil {
		return nil, err
	}
	items, err := itemset.OfCodes(e, of.items...)
	if err != nil {
		return nil, err
	}
	var optional []byte
	if of.optional != "" {
		if optional, err = itemset.OfCodes(e, of.optional); err != nil {
			return nil, err
		}
	}
	notice := sha256.Sum256([]byte(noticeText))
	use := &grantv1.IntendedUse{
		Title: of.title, Purpose: "government", Entry: e.Id, EntryVersion: e.Version, Items: items, OptionalItems: optional,
		Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Mode: grantv1.GrantMode_GRANT_MODE_VIEW,
		Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxDays: 30, MaxUses: 1, NoticeHash: notice[:], Contact: of.contact,
	}
	_, err = c.send(ctx, user, &grantv1.RegisterUse{LocalId: of.local, Use: use})
	if err != nil && !fault.Is(err, fault.AlreadyExists) {
		return nil, err
	}
	return use, nil
}

// registerUses registers all of them, so that a data user's seat has something to ask by, and the
// matters for which a clerk asks.
func (c *City) registerUses(ctx context.Context) error {
	for _, u := range personalUses {
		if _, err := c.registerUse(ctx, u); err != nil {
			return err
		}
	}
	return c.putMatters(ctx)
}

// matters are what people come to the housing commission for. Of the inputs of the first three
// departments have some by a registered use, one is the commission's own, one lies in an entry that
// nobody has registered to ask for, and one is in no catalogue: that is brought on paper.
var matters = []struct {
	code, name string
	inputs     []string
}{
	{"GZF-01", "公共租赁住房资格审核", []string{"参保险种", "累计月数", "坐落", "房屋用途", "建筑面积", "指标类型", "轮候状态", "婚姻登记核验", "户口簿"}},
	{"GZF-02", "公共租赁住房续租复核", []string{"参保险种", "累计月数", "指标类型"}},
}

func (c *City) putMatters(ctx context.Context) error {
	d := content.Find("住建委")
	put := &cataloguev1.PutMatters{}
	for _, m := range matters {
		put.Matters = append(put.Matters, &cataloguev1.Matter{
			Id: d.Code + ":" + m.code, Org: d.Code, Code: m.code, Name: m.name, PowerType: cataloguev1.PowerType_POWER_TYPE_PAYMENT,
			Duties: []string{dutyOf(d, "保障性住房资格审核与配租配售")}, Inputs: m.inputs, Category: "住房保障",
		})
	}
	_, err := c.send(ctx, d, put)
	return err
}

// askCitizen has the housing commission ask a person for what it has registered.
func (c *City) askCitizen(ctx context.Context, account string) error {
	of := personalUses[0]
	use, err := c.registerUse(ctx, of)
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
