package browser

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

func init() {
	story("deeds", deeds)
	story("urge", urge)
}

// deed opens the menu of what else may be done with an object, and picks from it.
func (p *page) deed(id string) {
	p.t.Helper()
	p.press(`[data-testid="more"]`)
	p.press(`li[data-menu-id$="-` + id + `"]`)
}

// answer fills in what a deed asks for, and signs.
func (p *page) answer(fields ...string) {
	p.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		p.write("#d-"+fields[i], fields[i+1])
	}
	p.still(".ant-modal-footer .ant-btn-primary")
	p.press(".ant-modal-footer .ant-btn-primary")
	p.signed()
}

// signed waits for the block; the seat's passkey is asked at once.
func (p *page) signed() {
	p.t.Helper()
	p.see("已上链，高度")
	p.press(".toast button")
}

// deeds: what is done with a request, an agreement and an entry besides the primary action of
// its page: each by who may, with its cause, and with what follows said before it is signed.
func deeds(p *page) {
	p.enter("user")
	p.open("/request/new?item=" + planningEntry(p.t, p.city.URL(), false).GetId())
	p.write("#f-purpose", "核对取水工程的用地许可")
	p.press(`[data-testid="file"]`)
	p.signed()
	p.press(`[data-testid="more"]`)
	p.still(`li[data-menu-id$="-withdraw"]`)
	p.axe("what may be done with a request")
	p.Shot(filepath.Join(shots, "deeds-request.png"))
	p.press(`li[data-menu-id$="-withdraw"]`)
	p.see("申请就此结束")
	p.still(".ant-modal-footer .ant-btn-primary")
	p.axe("withdraw a request")
	p.Shot(filepath.Join(shots, "deeds-withdraw.png"))
	p.answer("reason", "项目取消")
	p.see("已撤回")
	p.see("项目取消")

	p.open("/request/new?item=" + content.Find("住建委").Entry("商品房预售许可证").Id)
	p.write("#f-purpose", "核对小区供水接入")
	p.press(`[data-testid="file"]`)
	p.signed()
	p.press(`[data-testid="agreement"]`)
	p.press(`[data-testid="confirm"]`)
	p.signed()
	var at string
	p.ask(&at, `async () => location.pathname`)
	p.open(at)
	p.deed("object")
	p.answer("statement", "交付的字段与目录不一致")

	p.enter("operator")
	p.open(at)
	p.deed("suspend")
	p.answer("cause", "核查使用范围")
	p.see("已暂停：")
	p.see("核查使用范围")
	p.look("agreement-suspended")
	p.deed("resume")
	p.signed()
	p.see("生效")
	p.deed("end")
	p.see("不能恢复")
	p.answer("reason", "系统下线")
	p.see("已结束")
	g, err := client.New(p.city.URL()).Share.GetAgreement(p.t.Context(), connect.NewRequest(&sharev1.GetAgreementRequest{Id: filepath.Base(at)}))
	if err != nil {
		p.t.Fatal(err)
	}
	if a := g.Msg.GetAgreement(); a.GetState() != sharev1.AgreementState_AGREEMENT_STATE_ENDED || a.GetEndReason() != "系统下线" || a.GetSuspendedBy() != "" {
		p.t.Errorf("the agreement after all that: %v", a)
	}
	unlock(p)
}

// unlock: a lock is not removed while one of its counter-signers refuses.
func unlock(p *page) {
	e := planningEntry(p.t, p.city.URL(), true)
	p.enter("steward")
	p.open("/item/" + e.GetId())
	p.deed("unlock")
	p.signed()
	p.see("解锁申请待会签")
	p.press(`[data-testid="more"]`)
	p.still(`li[data-menu-id$="-suspend"]`)
	p.axe("what may be done with an entry")
	p.Shot(filepath.Join(shots, "deeds-entry.png"))
	p.enter("operator")
	p.open("/item/" + e.GetId())
	p.see("解锁申请待会签")
	p.deed("refuse")
	p.see("现行版本不变")
	p.answer("reason", "上级系统正在引用")
	p.deed("suspend")
	p.answer("cause", "核查数据质量")
	p.see("核查数据质量")
	p.deed("resume")
	p.signed()
	_, local, _ := strings.Cut(e.GetId(), ":")
	after := entry(p.t, p.city.URL(), local)
	if after.GetPending() != nil || after.GetEntry().GetLock() == nil || after.GetEntry().GetState() != cataloguev1.EntryState_ENTRY_STATE_PUBLISHED {
		p.t.Errorf("after the refusal: %v, pending %v", after.GetEntry(), after.GetPending())
	}
}

// planningEntry finds an entry of the planning commission that stands unchanged: one that is
// locked with the authority, or one that a person has to answer for.
func planningEntry(t testing.TB, url string, locked bool) *cataloguev1.Entry {
	t.Helper()
	res, err := client.New(url).Catalogue.ListEntries(t.Context(), connect.NewRequest(&cataloguev1.ListEntriesRequest{Provider: content.Find("规划自然资源委").Code, Limit: 500}))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Msg.GetEntries() {
		if e.GetState() != cataloguev1.EntryState_ENTRY_STATE_PUBLISHED || e.GetTable() == "" || strings.HasSuffix(e.GetId(), "relic_surveys") {
			continue
		}
		if locked && e.GetLock() != nil || !locked && e.GetShareType() == cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL && len(e.GetConditions().GetPurposes()) == 0 {
			return e
		}
	}
	t.Fatalf("no such entry (locked: %t)", locked)
	return nil
}

// urge: the asker and the authority each urge an overdue answer in two clicks, and the
// steward sees on top who urged. A statutory period ends at midnight and no earlier, and no
// test waits for that: the list that the pages get is the server's own, made three days older.
// The signature is real, and so is the ledger's answer, which knows that it is not late.
func urge(p *page) {
	builder := content.Find("住建委").Code
	requests := client.New(p.city.URL()).Share
	waiting := func(filter *sharev1.ListRequestsRequest) *sharev1.ListRequestsResponse {
		filter.States, filter.Limit = []sharev1.RequestState{sharev1.RequestState_REQUEST_STATE_RECEIVED}, 200
		res, err := requests.ListRequests(p.t.Context(), connect.NewRequest(filter))
		if err != nil || len(res.Msg.GetRequests()) == 0 {
			p.t.Fatalf("no request waits: %v", err)
		}
		return res.Msg
	}
	older := func(m *sharev1.ListRequestsResponse) *sharev1.ListRequestsResponse {
		for _, r := range m.GetRequests() {
			late := time.Now().Add(-72 * time.Hour).UnixMilli()
			r.CreatedMs, r.Clock.StartedMs, r.Clock.DueMs, r.Clock.Overdue = r.CreatedMs-20*24*3600_000, r.Clock.StartedMs-20*24*3600_000, late, true
		}
		return m
	}
	p.enter("operator")
	p.serve("ListRequests", older(waiting(&sharev1.ListRequestsRequest{Provider: content.Find("规划自然资源委").Code})))
	p.press(`a[href="/requests"]`)
	p.see("超时 3 天")
	p.axe("overdue requests")
	p.Shot(filepath.Join(shots, "urge-list.png"))
	p.clicks = 0
	p.click(`[data-testid="urge"]`)
	p.clicks++ // the device
	p.task("urge an overdue answer", 2)
	p.see("催办逾期未答复的申请")
	p.see("没有上链") // it is not late
	p.axe("urged too early")
	p.Shot(filepath.Join(shots, "urge-early.png"))

	p.enter("steward")
	urged := older(waiting(&sharev1.ListRequestsRequest{Provider: content.Find("规划自然资源委").Code}))
	last := urged.GetRequests()[len(urged.GetRequests())-1]
	last.Urgings = []*sharev1.Urging{
		{Org: builder, AtMs: time.Now().Add(-26 * time.Hour).UnixMilli(), Note: "工程待开工", Times: 1},
		{Org: content.Find("政务数据局").Code, AtMs: time.Now().Add(-time.Hour).UnixMilli(), Times: 2},
	}
	p.open("/catalogue")
	p.serve("ListRequests", urged)
	p.press(`a[href="/inbox"]`)
	p.see("被催办")
	p.see("政务数据局 于")
	p.see("工程待开工")
	p.axe("urged requests in the inbox")
	p.Shot(filepath.Join(shots, "urge-inbox.png"))
	var top string
	p.ask(&top, `async () => { `+until+` return (await until("a row", () => document.querySelector("tr[data-row]"))).dataset.row }`)
	if top != last.GetId() {
		p.t.Errorf("%s stands on top, not the urged request %s", top, last.GetId())
	}
}

// serve lets the open page get that answer from one call of the server, until it is left.
func (p *page) serve(call string, answer proto.Message) {
	p.t.Helper()
	raw, err := proto.Marshal(answer)
	if err != nil {
		p.t.Fatal(err)
	}
	var ok bool
	p.ask(&ok, `async (call, raw) => { const real = window.fetch, bytes = Uint8Array.from(atob(raw), c => c.charCodeAt(0));
		window.fetch = (at, how) => String(at?.url ?? at).endsWith("/" + call) ? Promise.resolve(new Response(bytes, {headers: {"content-type": "application/proto"}})) : real(at, how);
		return true }`, call, base64.StdEncoding.EncodeToString(raw))
}
