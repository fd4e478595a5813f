package browser

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

func init() { story("acts", acts) }

// acts: more time for an answer, a renewal that the other side signs and one that is dropped,
// what shared data brought, and an entry that is unlocked and withdrawn. Each act is signed
// once more on a page that still shows how it was before: the ledger says that it cannot be.
func acts(p *page) {
	p.ExpectErrors() // browsers note each refusal
	c := client.New(p.city.URL())
	g := delivered(p.t, c)
	request := func(id string) *sharev1.GetRequestResponse {
		return read(p.t, &sharev1.GetRequestRequest{Id: id}, c.Share.GetRequest)
	}
	of := func() *sharev1.GetAgreementResponse {
		return read(p.t, &sharev1.GetAgreementRequest{Id: g.GetId()}, c.Share.GetAgreement)
	}
	page := "/agreement/" + g.GetId()

	p.enter("user")
	p.open("/request/new?item=" + planningEntry(p.t, p.city.URL(), false).GetId())
	p.write("#f-purpose", "核对延期后的答复")
	p.press(`[data-testid="file"]`)
	p.signed()
	var at string
	p.ask(&at, `async () => { `+until+` return until("the request", () => location.pathname.startsWith("/request/") && !location.pathname.endsWith("/new") && location.pathname) }`)
	id := filepath.Base(at)
	p.open(page)
	p.deed("feedback")
	p.answer("effect", "核验由 3 天缩短到当场", "score", "5")
	p.deed("renew")
	p.answer("days", "30", "reason", "审批延续到明年")
	p.see("水务局提议续期 30 天")
	if n := of(); len(n.GetFeedbacks()) != 1 || n.GetFeedbacks()[0].GetScore() != 5 || n.GetAgreement().GetState() != sharev1.AgreementState_AGREEMENT_STATE_RENEWING {
		p.t.Errorf("after feedback and a renewal: %v", n)
	}

	p.enter("steward")
	asked := request(id)
	p.open(at)
	p.deed("extend")
	p.answer("days", "5", "reason", "需要现场核实")
	before := request(id)
	if k := before.GetRequest().GetClock(); k.GetExtensionAsked() != "需要现场核实" || k.GetExtensionDays() != 5 {
		p.t.Errorf("more time was asked for: %v", k)
	}
	p.stale("GetRequest", asked, at)
	p.deed("extend")
	p.state("days", "5", "reason", "需要现场核实")
	p.tooLate("就申请 " + id + " 请求延期 5 个工作日：需要现场核实")
	old := of()
	p.open(page)
	p.see("水务局提议续期 30 天，理由：审批延续到明年")
	p.look("agreement-renewing")
	p.press(`[data-testid="sign-change"]`)
	p.signed()
	if n := of().GetAgreement(); n.GetEndsMs() != g.GetEndsMs()+30*24*3600_000 || n.GetState() != g.GetState() {
		p.t.Errorf("a renewal of 30 days from %d: %v", g.GetEndsMs(), n)
	}
	p.stale("GetAgreement", old, page)
	p.press(`[data-testid="sign-change"]`)
	p.tooLate("签署协议 " + g.GetId() + " 的第 1 号变更，立即生效")
	p.open(page)
	p.deed("renew")
	p.answer("days", "10", "reason", "再续")
	first, second := spare(p.t, c, p.city.URL())
	entry := func(e *cataloguev1.Entry) *cataloguev1.GetEntryResponse {
		return read(p.t, &cataloguev1.GetEntryRequest{Id: e.GetId()}, c.Catalogue.GetEntry)
	}
	item, other := "/item/"+first.GetId(), "/item/"+second.GetId()
	locked, free := entry(first), entry(second)
	p.open(item)
	p.deed("unlock")
	p.signed()
	p.see("解锁申请待会签")

	p.enter("operator")
	p.open(at)
	p.deed("allow")
	p.signed()
	if k := request(id).GetRequest().GetClock(); !k.GetExtended() || k.GetDueMs() <= before.GetRequest().GetClock().GetDueMs() {
		p.t.Errorf("more time was given: %v", k)
	}
	p.stale("GetRequest", before, at)
	p.deed("allow")
	p.tooLate("批准申请 " + id + " 延期")
	renewing := of()
	p.open(page)
	p.deed("drop")
	p.answer("reason", "条款须重新协商")
	if n := of(); n.GetAgreement().GetAmendment() != 0 || n.GetAmendments()[1].GetState() != sharev1.AmendmentState_AMENDMENT_STATE_DECLINED || n.GetAmendments()[1].GetCause() != "条款须重新协商" {
		p.t.Errorf("a renewal that was dropped: %v", n.GetAmendments())
	}
	p.stale("GetAgreement", renewing, page)
	p.deed("drop")
	p.state("reason", "条款须重新协商")
	p.tooLate("不再进行协议 " + g.GetId() + " 的第 2 号变更：条款须重新协商")
	p.open(item)
	p.press("button.ant-btn-primary.sign")
	p.signed()
	if n := entry(first); n.GetEntry().GetLock() == nil || len(n.GetPending().GetNeeded()) != 1 {
		p.t.Errorf("one of two has signed the unlocking: %v, pending %v", n.GetEntry().GetLock(), n.GetPending())
	}
	staffing, err := keyring.Ring{Dir: filepath.Join(p.home, "keys")}.Signer(content.Find("编办").Code, keyring.Root)
	if err == nil { // has no seat in the demo
		_, err = c.Send(p.t.Context(), staffing, &cataloguev1.CounterSign{Entry: first.GetId(), ContentHash: entry(first).GetPending().GetNext().GetContentHash()})
	}
	if err != nil {
		p.t.Fatal(err)
	}

	p.enter("steward")
	p.stale("GetEntry", locked, item)
	p.deed("unlock")
	p.tooLate("申请解锁目录 ")
	if n := entry(first); n.GetEntry().GetLock() != nil || n.GetPending() != nil {
		p.t.Errorf("after all have signed the unlocking: %v, pending %v", n.GetEntry(), n.GetPending())
	}
	p.open(other)
	p.deed("withdraw")
	p.see("编号不再使用")
	p.answer("reason", "业务已并入其他目录项")
	if n := entry(second).GetEntry(); n.GetState() != cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN {
		p.t.Errorf("withdrawn: %v", n)
	}
	p.stale("GetEntry", free, other)
	p.deed("withdraw")
	p.state("reason", "业务已并入其他目录项")
	p.tooLate("撤销目录 ")
	p.open(at) // the request is answered, so that another may be filed
	p.press(`[data-testid="authorise"]`)
	p.signed()
}

// read asks the server.
func read[Q, A any](t testing.TB, m *Q, call func(context.Context, *connect.Request[Q]) (*connect.Response[A], error)) *A {
	t.Helper()
	res, err := call(t.Context(), connect.NewRequest(m))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg
}

// delivered is an agreement of the water bureau with the planning commission under which
// something was received.
func delivered(t testing.TB, c *client.Client) *sharev1.Agreement {
	t.Helper()
	res := read(t, &sharev1.ListAgreementsRequest{Consumer: content.Find("水务局").Code, Provider: content.Find("规划自然资源委").Code, Limit: 200}, c.Share.ListAgreements)
	for _, g := range res.GetAgreements() {
		if g.GetDeliveries() > 0 && g.GetState() == sharev1.AgreementState_AGREEMENT_STATE_ACTIVE && g.GetAmendments() == 0 {
			return g
		}
	}
	t.Fatal("nothing was delivered to the water bureau")
	return nil
}

// spare are two entries of the planning commission that no other story needs: one that is locked,
// and one that is not and for which nobody has asked.
func spare(t testing.TB, c *client.Client, url string) (locked, free *cataloguev1.Entry) {
	t.Helper()
	kept := []string{planningEntry(t, url, true).GetId(), planningEntry(t, url, false).GetId()}
	res := read(t, &cataloguev1.ListEntriesRequest{Provider: content.Find("规划自然资源委").Code, Limit: 500}, c.Catalogue.ListEntries)
	for _, e := range res.GetEntries() {
		if e.GetState() != cataloguev1.EntryState_ENTRY_STATE_PUBLISHED || slices.Contains(kept, e.GetId()) || strings.HasSuffix(e.GetId(), "relic_surveys") {
			continue
		}
		if e.GetLock() != nil {
			locked = e
		} else if read(t, &sharev1.ListRequestsRequest{Entry: e.GetId(), Limit: 1}, c.Share.ListRequests).GetTotal() == 0 {
			free = e
		}
	}
	if locked == nil || free == nil {
		t.Fatalf("locked %v, free %v", locked, free)
	}
	return locked, free
}

// stale shows a page as it was: what it asks for is answered as before.
func (p *page) stale(call string, before proto.Message, path string) {
	p.t.Helper()
	p.open("/keys")
	p.settled()
	p.serve(call, before)
	var ok bool
	p.ask(&ok, `async (to) => { history.pushState(null, "", to); return true }`, path)
}

// state fills in what a deed asks for, and goes on to sign.
func (p *page) state(fields ...string) {
	p.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		p.write("#d-"+fields[i], fields[i+1])
	}
	p.still(".ant-modal-footer .ant-btn-primary")
	p.press(".ant-modal-footer .ant-btn-primary")
}

// tooLate waits for the sheet with the sentence that was signed, and why it is not carried out.
func (p *page) tooLate(sentence string) {
	p.t.Helper()
	p.see(sentence)
	p.see("当前状态不允许这样做")
	p.see("MUL-13022")
}
