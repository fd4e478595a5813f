package city

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"mulian/city/content"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// citizen is the seat of the safe box: the browser opens its account itself.
const citizen = "citizen"

// seats are what a newcomer can be in the console: for each the department and the title of
// the post that he gets. Pages know the ids.
var seats = []struct{ id, department, post string }{
	{"steward", "规划自然资源委", "数据管理岗（演示）"},
	{"user", "水务局", "用数岗（演示）"},
	{"operator", "政务数据局", "平台运营岗（演示）"},
	{"auditor", "审计局", "审计岗（演示）"},
	{"clerk", "住建委", "综合窗口岗（演示）"},
	{"developer", "交通委", "系统对接岗（演示）"},
}

// Demo implements server.Seats: whoever opens the city's pages may take any seat.
func (c *City) Demo() bool { return true }

// List implements server.Seats.
func (c *City) List(context.Context, string) ([]*consolev1.Seat, error) {
	var out []*consolev1.Seat
	for _, s := range seats {
		d := content.Find(s.department)
		out = append(out, &consolev1.Seat{Id: s.id, Org: d.Code, OrgName: d.Short, Kind: identityv1.AccountKind_ACCOUNT_KIND_POST})
	}
	return append(out, &consolev1.Seat{Id: citizen, Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON}), nil
}

// Take implements server.Seats: the department registers a new post with the key that the
// browser has made. The level is the seat's, whatever was asked.
func (c *City) Take(ctx context.Context, m *consolev1.TakeSeatRequest) (*consolev1.TakeSeatResponse, error) {
	if m.GetSeat() == citizen {
		return c.welcome(ctx, m.GetAccount())
	}
	for _, s := range seats {
		if s.id != m.GetSeat() {
			continue
		}
		if m.GetKey() == nil {
			return nil, fault.Newf(fault.Missing, "a seat is taken by bringing a key")
		}
		d := content.Find(s.department)
		root, err := c.ring.Signer(d.Code, keyring.Root)
		if err != nil {
			return nil, err
		}
		k := m.GetKey()
		key := &identityv1.Key{
			Id: k.GetId(), Algorithm: k.GetAlgorithm(), PublicKey: k.GetPublicKey(), Passkey: k.GetPasskey(),
			Level: identityv1.KeyLevel_KEY_LEVEL_OFFICER, Label: "浏览器 " + time.Now().In(zone).Format(time.DateOnly),
		}
		local := "web-" + randomHex(4)
		r, err := c.chain.Send(ctx, root, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: local, Name: s.post, Keys: []*identityv1.Key{key}})
		if err != nil {
			return nil, err
		}
		return &consolev1.TakeSeatResponse{Account: d.Code + "/p/" + local, Height: r.Height}, nil
	}
	return nil, fault.Newf(fault.NotFound, "there is no seat %.40q", m.GetSeat())
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b)
}

// waiting are requests that lie in the planning commission's inbox when a newcomer opens
// it: who asks, for which of its duties, what for, for which entry and how many of its items.
var waiting = []struct {
	asker, duty, matter, purpose, entry string
	items                               int
	method                              cataloguev1.Method
	perDay                              uint32
}{
	{"住建委", "建筑工程施工许可", "建筑工程施工许可", "核验申请项目的工程规划许可", buildingEntry, 6, cataloguev1.Method_METHOD_QUERY, 200},
	{"住建委", "商品房预售许可", "商品房预售许可", "核验预售项目的用地许可", landEntry, 7, cataloguev1.Method_METHOD_QUERY, 120},
	{"交通委", "公路建设项目施工许可", "公路建设项目施工许可", "核验公路项目的用地许可", landEntry, 6, cataloguev1.Method_METHOD_QUERY, 60},
	{"市场监管局", "特种设备生产、使用登记", "电梯使用登记", "核对楼宇地上层数与设备登记", buildingEntry, 5, cataloguev1.Method_METHOD_QUERY, 80},
	{"人力社保局", "劳动保障监察", "农民工工资专户检查", "核对在建项目和建设单位", buildingEntry, 4, cataloguev1.Method_METHOD_BATCH, 0},
	{"市场监管局", "企业信息公示监督管理", "双随机抽查", "核对企业名下建设用地", landEntry, 8, cataloguev1.Method_METHOD_BATCH, 0},
}

// FileWaiting has those departments ask that do not ask already, so that the inbox of the
// steward's seat is not empty. It needs the catalogue that the story imports.
func (c *City) FileWaiting(ctx context.Context) error {
	for _, w := range waiting {
		asker, e := content.Find(w.asker), &cataloguev1.Entry{}
		if err := c.get(ctx, "catalogue/entry/"+planning.Entry(w.entry).Id, e); err != nil {
			return err
		}
		_, err := c.send(ctx, asker, &sharev1.FileRequest{Terms: &sharev1.Terms{
			Parts:   []*sharev1.Part{{Entry: e.Id, Items: itemCodes(e)[:min(w.items, len(e.Items))]}},
			Purpose: w.purpose, Duty: dutyOf(asker, w.duty), Matter: w.matter, LegalBasis: "政务数据共享条例第二十条",
			AppSystem: asker.System.Name, ScopeOfUse: "仅本部门内部使用", Method: w.method, Days: 180, MaxCallsPerDay: w.perDay, DataLifeDays: 180,
		}, Gateway: gatewayOf(asker)})
		if err != nil && !fault.Is(err, fault.AlreadyExists) {
			return err
		}
	}
	return nil
}
