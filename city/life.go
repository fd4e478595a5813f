package city

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// right is what a department may ask of another, record by record.
type right struct {
	agreement string
	entry     *cataloguev1.Entry
}

// rightTo returns the agreement by which a department queries an unconditional entry;
// if there is none it applies, is answered by the standing order in the same block,
// and confirms. The receipt is that of the confirmation, nil if there was a right.
func (c *City) rightTo(ctx context.Context, asker *content.Department, duty string, provider *content.Department, entry, purpose string) (right, *client.Receipt, error) {
	id := provider.Entry(entry).Id
	key := asker.Code + " " + id
	if r, ok := c.rights[key]; ok {
		return r, nil, nil
	}
	e := &cataloguev1.Entry{}
	if err := c.get(ctx, "catalogue/entry/"+id, e); err != nil {
		return right{}, nil, err
	}
	r := right{entry: e}
	var err error
	if r.agreement, err = c.held(ctx, asker, id); err != nil {
		return right{}, nil, err
	}
	if r.agreement != "" {
		c.rights[key] = r
		return r, nil, nil
	}
	receipt, err := c.send(ctx, asker, &sharev1.FileRequest{Gateway: gatewayOf(asker), Terms: &sharev1.Terms{
		Parts: []*sharev1.Part{{Entry: id, Items: itemCodes(e)}}, Purpose: purpose, Duty: dutyOf(asker, duty),
		LegalBasis: "政务数据共享条例第二十条", AppSystem: asker.System.Name, Method: cataloguev1.Method_METHOD_QUERY, Days: 365,
	}})
	if err != nil {
		return right{}, nil, err
	}
	if len(receipt.IDs) != 2 {
		return right{}, nil, fault.Newf(fault.Internal, "the standing order of %s has not answered", id)
	}
	r.agreement = receipt.IDs[1]
	if receipt, err = c.send(ctx, asker, &sharev1.ConfirmAgreement{Agreement: r.agreement, Version: 1}); err != nil {
		return right{}, nil, err
	}
	c.rights[key] = r
	return r, receipt, nil
}

// held finds an active agreement of an earlier run.
func (c *City) held(ctx context.Context, asker *content.Department, entry string) (id string, err error) {
	now := time.Now().UnixMilli()
	err = c.chain.List(ctx, "share/agreement/", func(_ string, value []byte) bool {
		var g sharev1.Agreement
		if proto.Unmarshal(value, &g) == nil && g.Consumer == asker.Code && g.State == sharev1.AgreementState_AGREEMENT_STATE_ACTIVE &&
			g.EndsMs > now && g.GetTerms().GetMethod() == cataloguev1.Method_METHOD_QUERY && g.GetTerms().GetParts()[0].GetEntry() == entry {
			id = g.Id
		}
		return id == ""
	})
	return id, err
}

// habits are what departments do every day: who asks whom for what, under which duty.
var habits = []struct{ asker, duty, provider, entry, purpose, key string }{
	{"水务局", waterDuty, "市场监管局", firmEntry, "核验许可证载明的建设单位", "credit_code"},
	{"住建委", "建筑业企业资质审批", "市场监管局", firmEntry, "核验申请资质的企业登记状态", "credit_code"},
	{"人力社保局", "人力资源服务许可", "市场监管局", "经营异常名录", "核验申请许可的机构是否列入异常名录", "credit_code"},
	{"交通委", "道路旅客、货物运输经营许可", "市场监管局", firmEntry, "核验申请许可的企业登记状态", "credit_code"},
	{"规划自然资源委", "对违反城乡规划的建设行为进行监督检查", "住建委", "建筑工程施工许可证", "核对在建工程的施工许可", "permit_no"},
}

// Live lets departments do small things until ctx ends: one asks another for one
// record, under its own duty, with its trace. An act that fails is told and does
// not end the city.
func (c *City) Live(ctx context.Context) {
	chance := rand.New(rand.NewPCG(seed, uint64(time.Now().UnixNano())))
	firms := inventFirms()
	for n := 0; ; n++ {
		wait := c.opts.Pace/2 + time.Duration(chance.Int64N(int64(c.opts.Pace)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		h := habits[n%len(habits)]
		began := time.Now()
		found, err := c.askOnce(ctx, h.asker, h.duty, h.provider, h.entry, h.purpose, h.key, c.keyOf(chance, firms, h.key))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.tell.say("  %s  ! %s → %s: %s", time.Now().In(zone).Format(time.TimeOnly), c.tell.short(h.asker), c.tell.short(h.provider), err)
		default:
			c.tell.say(c.tell.t("  %s  %s查询%s%s：%s，%d 毫秒", "  %s  %s asked %s's %s: %s, %d ms"), time.Now().In(zone).Format(time.TimeOnly),
				c.tell.short(h.asker), c.tell.short(h.provider), c.tell.quoted(h.entry), c.tell.answered(found), time.Since(began).Milliseconds())
		}
	}
}

// keyOf picks the key of a record that is there, or was never.
func (c *City) keyOf(chance *rand.Rand, firms []firm, key string) string {
	if key == "credit_code" {
		return firms[chance.IntN(len(firms))].code
	}
	i := chance.IntN(workPermits)
	d := districts[chance.IntN(len(districts))]
	return fmt.Sprintf("[%d]施[%s]建字%05d号", inOrder(i, workPermits, 2012).Year(), sign(d), i+1)
}

func (c *City) askOnce(ctx context.Context, asker, duty, provider, entry, purpose, item, value string) (rows int, err error) {
	who, whom := content.Find(asker), content.Find(provider)
	r, _, err := c.rightTo(ctx, who, duty, whom, entry, purpose)
	if err != nil {
		return 0, err
	}
	res, err := c.gateways[asker].Query(ctx, r.agreement, r.entry.Id, nil, 1, &gatewayv1.KeyValue{Item: item, Value: value})
	if err != nil {
		return 0, err
	}
	return len(res.Rows), nil
}
