package city

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/server"
)

// citizen is the seat of the safe box: the browser opens its account itself.
const citizen = "citizen"

// speaker is the seat that votes for its department: a member votes by its own account.
const speaker = "operator"

// browserLabel begins the label of a key that a browser has made.
const browserLabel = "浏览器 "

// seats are what a newcomer can be in the console: for each the department, the title of the
// post that he gets, and the desk of the department to which that belongs, if any. Pages know the ids.
var seats = []struct{ id, department, post, desk string }{
	{"steward", "规划自然资源委", "数据管理岗（演示）", ""},
	{"user", "水务局", "用数岗（演示）", ""},
	{"operator", "政务数据局", "平台运营岗（演示）", ""},
	{"auditor", "审计局", "审计岗（演示）", ""},
	{"clerk", "住建委", "综合窗口岗（演示）", ""},
	{"developer", "交通委", "系统对接岗（演示）", ""},
	{"identity", "政务数据局", "身份核验岗（演示）", "identity-1"},
	{"identity2", "政务数据局", "身份核验岗（演示）", "identity-2"},
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
		keys, err := server.SeatKeys(m, browserLabel+time.Now().In(zone).Format(time.DateOnly))
		if err != nil {
			return nil, err
		}
		d := content.Find(s.department)
		root, err := c.ring.Signer(d.Code, keyring.Root)
		if err != nil {
			return nil, err
		}
		if s.id == speaker {
			return c.speak(ctx, root, keys)
		}
		if err := c.desk(ctx, root, s.desk); err != nil {
			return nil, err
		}
		local := server.SeatOf([]byte(s.id), keys)
		id := d.Code + "/p/" + local
		r, err := c.chain.Send(ctx, root, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: local, Name: s.post, Parent: s.desk, Keys: keys})
		if fault.Is(err, fault.AlreadyExists) { // by the same keys: the answer was lost
			return server.Taken(ctx, c.chain, id)
		}
		if err != nil {
			return nil, err
		}
		return &consolev1.TakeSeatResponse{Account: id, Height: r.Height}, nil
	}
	return nil, fault.Newf(fault.NotFound, "there is no seat %.40q", m.GetSeat())
}

// deskNames are what the desks of seats are called.
var deskNames = map[string]string{"identity-1": "身份核验一室（演示）", "identity-2": "身份核验二室（演示）"}

// desk registers a desk of a department, if there is none yet: two that vouch for somebody have to be
// of different ones.
func (c *City) desk(ctx context.Context, root client.Signer, local string) error {
	if local == "" {
		return nil
	}
	_, err := c.chain.Send(ctx, root, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: local, Name: deskNames[local]})
	if fault.Is(err, fault.AlreadyExists) {
		return nil
	}
	return err
}

// speak lets the keys of a browser act for the department itself: a member votes by its own
// account, ROOT. When the account has as many keys as it may have, the oldest one of a
// browser ends for each.
func (c *City) speak(ctx context.Context, root client.Signer, keys []*identityv1.Key) (*consolev1.TakeSeatResponse, error) {
	keys[0].Level = identityv1.KeyLevel_KEY_LEVEL_ROOT
	out, acc := &consolev1.TakeSeatResponse{Account: root.Account}, &identityv1.Account{}
	if err := c.get(ctx, "identity/account/"+root.Account, acc); err != nil {
		return nil, err
	}
	for _, k := range keys {
		if slices.ContainsFunc(acc.GetKeys(), func(had *identityv1.Key) bool {
			return had.GetId() == k.GetId() && had.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE
		}) {
			continue // the answer was lost, or what came between the two keys
		}
		r, err := c.addKey(ctx, root, k)
		if err != nil {
			return nil, err
		}
		out.Height = r.Height
	}
	if out.Height == 0 {
		return server.Taken(ctx, c.chain, root.Account)
	}
	return out, nil
}

func (c *City) addKey(ctx context.Context, root client.Signer, key *identityv1.Key) (*client.Receipt, error) {
	add := &identityv1.AddKey{Account: root.Account, Key: key}
	r, err := c.chain.Send(ctx, root, add)
	if fault.Is(err, fault.TooLong) {
		acc, oldest := &identityv1.Account{}, (*identityv1.Key)(nil)
		if err := c.get(ctx, "identity/account/"+root.Account, acc); err != nil {
			return nil, err
		}
		for _, k := range acc.GetKeys() {
			if k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE && fromBrowser(k) && (oldest == nil || k.GetAddedMs() < oldest.GetAddedMs()) {
				oldest = k
			}
		}
		if oldest == nil {
			return nil, err
		}
		r, err = c.chain.Send(ctx, root, &identityv1.RevokeKey{Account: root.Account, Key: oldest.GetId(), Cause: "演示席位由新的浏览器接替"}, add)
	}
	return r, err
}

// fromBrowser tells whether a key came with a seat: server.SeatKeys labels them.
func fromBrowser(k *identityv1.Key) bool {
	return strings.HasPrefix(k.GetLabel(), browserLabel) || k.GetLabel() == "device"
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
	{"交通委", "公路建设项目施工许可", "公路建设项目施工许可", "核验公路附属房屋的工程规划许可", buildingEntry, 5, cataloguev1.Method_METHOD_QUERY, 40},
	{"人力社保局", "劳动保障监察", "农民工工资专户检查", "核对在建项目的用地批准", landEntry, 5, cataloguev1.Method_METHOD_QUERY, 40},
}

// FileWaiting has those departments ask that do not ask already, so that the inbox of the
// steward's seat is not empty, registers what may be asked of people, and proposes something.
// It needs the catalogue that the story imports.
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
	if err := c.registerUses(ctx); err != nil {
		return err
	}
	if err := c.propose(ctx); err != nil {
		return err
	}
	return c.empower(ctx)
}

// empower has the founders give the audit bureau its role, by which the seat of the auditor reads
// what owners grant. Stopped half way it begins with a proposal of its own again.
func (c *City) empower(ctx context.Context) error {
	audit := content.Find("审计局")
	key := fmt.Sprintf("governance/role/%d/", governancev1.Role_ROLE_AUDITOR)
	there, err := c.objects(ctx, key)
	if err != nil || there[audit.Code] {
		return err
	}
	grant := &governancev1.RoleGrant{Role: governancev1.Role_ROLE_AUDITOR, Account: audit.Code}
	r, err := c.sendAsRoot(ctx, authority, &governancev1.Propose{
		Title: "授予审计局审计角色", Reason: "依法对数据共享和个人授权进行审计监督。", Change: &governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: grant}},
	})
	if err != nil {
		return err
	}
	for _, d := range []*content.Department{staffing, finance} {
		p := &governancev1.Proposal{}
		if err := c.get(ctx, "governance/proposal/"+r.IDs[0], p); err != nil || p.State != governancev1.ProposalState_PROPOSAL_STATE_OPEN {
			return err
		}
		if _, err := c.sendAsRoot(ctx, d, &governancev1.CastVote{Proposal: p.Id, Yes: true}); err != nil {
			return err
		}
	}
	return nil
}

// sendAsRoot signs as a department's highest key and waits for the block.
func (c *City) sendAsRoot(ctx context.Context, d *content.Department, m proto.Message) (*client.Receipt, error) {
	root, err := c.ring.Signer(d.Code, keyring.Root)
	if err != nil {
		return nil, err
	}
	r, err := c.chain.Send(ctx, root, m)
	if err != nil {
		return nil, fmt.Errorf("%T as %s: %w", m, d.Short, err)
	}
	return r, nil
}

// propose has two founders ask the members for something, so that there is something to
// vote on. A city that was ever asked is not asked again.
func (c *City) propose(ctx context.Context) error {
	there, err := c.objects(ctx, "governance/proposal/")
	if err != nil || len(there) > 0 {
		return err
	}
	now := &governancev1.Parameters{}
	if err := c.get(ctx, "governance/parameters", now); err != nil {
		return err
	}
	now.GrantDeletionDays = 10
	for _, p := range []struct {
		by      *content.Department
		propose *governancev1.Propose
	}{
		{finance, &governancev1.Propose{
			Title: "授权撤回后，已交付数据的删除期限由 15 天缩短为 10 天", Reason: "市民反映撤回授权后等待时间偏长；各用数部门的清理程序都已能在一周内完成。",
			Change: &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: now}},
		}},
		{staffing, &governancev1.Propose{
			Title: "接纳规划自然资源委为联盟成员", Reason: "该部门提供的规划许可是被申请最多的目录，应参与规则表决。",
			Change: &governancev1.Change{Kind: &governancev1.Change_AdmitMember{AdmitMember: &governancev1.Member{Org: planning.Code, Weight: 1}}},
		}},
	} {
		if _, err := c.sendAsRoot(ctx, p.by, p.propose); err != nil {
			return err
		}
	}
	return nil
}
