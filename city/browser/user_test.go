package browser

import (
	"path"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"mulian/city/content"
	"mulian/client"
	sharev1 "mulian/gen/mulian/share/v1"
)

func init() {
	story("user", apply)
	story("asks", askOwner)
}

// insured is the entry that the water bureau's newcomer asks for: conditional, so that a
// person has to answer.
const insured = "单位社会保险参保信息"

// asked returns the requests of the water bureau for an entry.
func asked(t testing.TB, url, entry string) []*sharev1.Request {
	t.Helper()
	res, err := client.New(url).Share.ListRequests(t.Context(), connect.NewRequest(&sharev1.ListRequestsRequest{Requester: content.Find("水务局").Code, Entry: entry, Limit: 50}))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.GetRequests()
}

// apply: who has just taken the seat of a data user asks for an entry in four clicks. All
// but the purpose stands in the form already.
func apply(p *page) {
	p.enter("user")
	p.see("我的申请")
	p.see("生效中")
	p.look("applications")
	entry := content.Find("人力社保局").Entry(insured).Id
	p.clicks = 0
	p.find(insured)
	p.click(`[data-testid="apply"]`)
	p.see("法定 10 个工作日内")
	p.write("#f-purpose", "核对节水补贴申请单位的参保状态")
	p.click(`[data-testid="file"]`)
	p.clicks++ // the device
	p.see("已上链，高度")
	p.task("apply for an item", 4)
	p.see("核对节水补贴申请单位的参保状态")
	all := asked(p.t, p.city.URL(), entry)
	if len(all) != 1 {
		p.t.Fatalf("%d requests for %s after one was filed", len(all), insured)
	}
	if terms := all[0].GetTerms(); terms.GetDuty() == "" || len(terms.GetParts()[0].GetItems()) == 0 || all[0].GetGateway() == "" {
		p.t.Errorf("the form has filled in too little: %v", all[0])
	}
	p.press(".toast button")
	p.open("/request/new?item=" + entry)
	p.see("未办结的申请") // nobody asks twice without being told
	p.look("apply")
	agree(p)
	p.open("/applications?list=received")
	p.see(insured)
	p.look("applications-received")
}

// agree: what a standing order answers in the block that asks is signed by the asker in two
// clicks; how it is fetched is two more, and what was used is accounted for.
func agree(p *page) {
	p.open("/request/new?item=" + content.Find("住建委").Entry("商品房预售许可证").Id)
	p.see("自动授权规则当块答复")
	p.write("#f-purpose", "核对预售项目的供水报装")
	p.press(`[data-testid="file"]`)
	p.see("已上链，高度")
	p.press(".toast button")
	p.press(`[data-testid="agreement"]`)
	p.see("待签署")
	p.click(`[data-testid="confirm"]`)
	p.clicks++ // the device
	p.see("生效")
	p.press(".toast button")
	p.task("sign an agreement", 2)
	p.click(`[data-testid="fetch"]`)
	p.see("mulian share")
	p.axe("fetch")
	p.Shot(filepath.Join(shots, "fetch.png"))
	p.clipboard()
	p.click(`.command [data-testid="copy"]`)
	p.see("已复制")
	if got := p.copied(); !strings.HasPrefix(got, "mulian share query ") {
		p.t.Errorf("copied %q", got)
	}
	p.task("fetch by hand", 2)
	p.open("/applications")
	p.press("tbody tr:last-child")
	p.see("已核对入库")
	p.look("agreement")
	p.press(`[data-testid="use"]`)
	p.write("#u-case", "SW-2026-0001")
	p.axe("record a use")
	p.press(".ant-modal-footer .ant-btn-primary")
	p.see("已上链，高度")
	p.see("SW-2026-0001")
	p.press(".toast button")
	p.press(`[aria-label="交付"] tbody tr`)
	var at string
	p.ask(&at, `async () => { `+until+` return until("the delivery", () => location.pathname.startsWith("/delivery/") && document.querySelector("h1") && location.pathname) }`)
	p.settled()
}

// askOwner: a data user asks whoever scans the code, a citizen answers in the box, and the
// request's page has the answer and the grant.
func askOwner(p *page) {
	p.open("/box")
	p.speak("zh-CN")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	p.enter("user")
	p.open("/asks")
	p.see("没有等待答复的请求")
	p.press(`[data-testid="ask"]`)
	p.write("#a-business", "JS-2026-0417")
	p.still(".ant-modal-footer .ant-btn-primary")
	p.axe("ask an owner")
	p.press(".ant-modal-footer .ant-btn-primary")
	p.see("请对方扫码")
	p.press(".toast button")
	p.look("datarequest")
	p.open("/asks")
	p.see("由扫码人决定")
	p.look("asks")
	p.press("tbody tr")
	p.see("请对方扫码")
	var link string
	p.ask(&link, `async () => [...document.querySelectorAll("pre code")].map(e => e.innerText).find(s => s.includes("/box/ask/"))`)
	p.Visit(link)
	p.press(`[data-testid="consent"]`)
	p.see("生效中的授权 1")
	p.open("/datarequest/" + path.Base(link))
	p.see("对方已于")
	p.press(`[data-testid="grant"]`)
	p.see("1 次，共 1 次")
	p.see("账本计数为 0，一次不少")
	p.look("grant")
	counter(p)
}

// counter: a clerk asks whoever stands at the counter, in three clicks.
func counter(p *page) {
	p.enter("clerk")
	p.open("/asks")
	p.see("向个人和企业要数据")
	p.clicks = 0
	p.click(`[data-testid="ask"]`)
	p.write("#a-business", "GZF-2026-0417")
	p.click(".ant-modal-footer .ant-btn-primary")
	p.clicks++ // the device
	p.see("请对方扫码")
	p.task("a clerk asks at the counter", 3)
}

// clipboard puts one of the page's own in the place of the machine's, which a browser without
// a window does not let pages use.
func (p *page) clipboard() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { navigator.clipboard.writeText = async (s) => { window.copied = s }; return true }`)
}

// copied is what was copied last.
func (p *page) copied() (text string) {
	p.t.Helper()
	p.ask(&text, `async () => window.copied ?? ""`)
	return text
}

// find goes to what a text means by the search box: `/`, the text, Enter. That is one click.
func (p *page) find(text string) {
	p.t.Helper()
	p.key("/")
	p.clicks++
	var ok bool
	p.ask(&ok, `async (s) => { `+until+`
		const e = await until("the search box", () => document.activeElement?.closest(".find input"));
		Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(e, s);
		e.dispatchEvent(new Event("input", {bubbles: true}));
		await until("a hit", () => document.querySelector(".hits li:not(.second)"));
		e.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true})); return true }`, text)
}

// still waits until a button can be pressed and no colour changes any more.
func (p *page) still(selector string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s) => { `+until+`
		await until(s, () => { const e = document.querySelector(s); return e && !e.disabled });
		await Promise.allSettled(document.getAnimations().filter(a => a.effect?.getComputedTiming().endTime !== Infinity).map(a => a.finished)); return true }`, selector)
}

// write types into a field.
func (p *page) write(selector, text string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s, text) => { `+until+`
		const e = await until(s, () => document.querySelector(s));
		const of = e instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
		Object.getOwnPropertyDescriptor(of.prototype, "value").set.call(e, text);
		e.dispatchEvent(new Event("input", {bubbles: true})); return true }`, selector, text)
}
