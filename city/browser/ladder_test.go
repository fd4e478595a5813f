package browser

import (
	"strings"

	"connectrpc.com/connect"

	"mulian/client"
	sharev1 "mulian/gen/mulian/share/v1"
)

func init() { story("ladder", ladder) }

// ladder: an objection is filed, answered and closed as not solved; the dispute that comes of it
// is negotiated, taken higher, decided by the authority and accepted. Each by who may, in the page.
func ladder(p *page) {
	p.enter("user")
	p.open("/request/new?item=" + planningEntry(p.t, p.city.URL(), false).GetId())
	p.write("#f-purpose", "核对小区供水接入")
	p.press(`[data-testid="file"]`)
	p.signed()
	p.deed("object")
	p.answer("statement", "说明书的字段与目录不一致")

	p.enter("steward")
	p.open("/disputes")
	p.see("异议 1")
	p.see("待答复")
	p.look("disputes")
	p.press("tbody tr")
	p.see("还没有答复")
	p.counts("/disputes", 1) // and the badge's list is that of the second tab
	p.open("/disputes?tab=waiting")
	p.see("待本机构办理 1")
	p.look("disputes-waiting")
	p.press("tbody tr")
	p.see("还没有答复")
	var objection string
	p.ask(&objection, `async () => location.pathname`)
	p.look("objection")
	p.press(`[data-testid="first"]`)
	p.answer("answer", "目录已经更新，请按新版核对")
	p.see("已答复")
	p.counts("/disputes", 0)

	p.enter("user")
	p.open(objection)
	p.see("目录已经更新")
	p.deed("unsolved")
	p.answer("score", "2", "comment", "没有说明何时补齐")
	p.see("未解决")
	p.deed("raise")
	p.answer("statement", "请求按目录补齐三个字段")
	p.press(`a[href^="/dispute/"]`)
	p.see("双方协商 ")
	var dispute string
	p.ask(&dispute, `async () => location.pathname`)

	p.enter("steward")
	p.open(dispute)
	p.press(`[data-testid="more"]`)
	p.still(`li[data-menu-id$="-reject"]`)
	p.press(`li[data-menu-id$="-reject"]`)
	p.see("你方不接受提出方的意见")
	p.answer("text", "补齐要等系统改造")
	p.see("已有决定")

	p.enter("user")
	p.open(dispute)
	p.deed("escalate")
	p.see("提到：主管部门")
	p.answer("cause", "协商没有结果")
	p.see("提上来：协商没有结果")

	p.enter("operator")
	p.open(dispute)
	p.counts("/disputes", 1)
	p.press(`[data-testid="first"]`)
	p.see("支持提出方")
	p.answer("text", "三十日内按目录补齐")
	p.see("已有决定")
	p.look("dispute")

	p.enter("steward")
	p.open(dispute)
	p.press(`[data-testid="first"]`)
	p.signed()
	p.see("已解决")
	list, err := client.New(p.city.URL()).Share.ListDisputes(p.t.Context(), connect.NewRequest(&sharev1.ListDisputesRequest{Subject: "share/objection/" + strings.TrimPrefix(objection, "/objection/")}))
	if err != nil {
		p.t.Fatal(err)
	}
	if n := len(list.Msg.GetDisputes()); n != 1 {
		p.t.Fatalf("%d disputes over the objection", n)
	}
	d := list.Msg.GetDisputes()[0]
	if d.GetState() != sharev1.DisputeState_DISPUTE_STATE_SETTLED || d.GetLevel() != sharev1.DisputeLevel_DISPUTE_LEVEL_AUTHORITY || len(d.GetDecisions()) != 2 || !d.GetDecisions()[1].GetUpheld() || d.GetDecisions()[0].GetUpheld() {
		p.t.Errorf("the dispute after all that: %v", d)
	}
}

// counts waits until the menu says that so many wait on a page.
func (p *page) counts(path string, n int) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (path, n) => { `+until+` await until(n + " beside " + path, () => { const e = document.querySelector('nav a[href="' + path + '"]'); return e && +(e.querySelector(".count")?.innerText ?? 0) === n }); return true }`, path, n)
}
