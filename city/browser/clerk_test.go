package browser

import (
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"mulian/city/content"
	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

func init() { story("clerk", oneForm) }

// oneForm: a clerk opens a case with three clicks, and three departments are asked at once; the
// citizen sees all of it on one page and answers with one signature; what he refuses is asked again alone.
func oneForm(p *page) {
	var account string
	p.open("/box")
	p.speak("zh-CN")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	p.open("/box/me")
	p.press(`[data-testid="my-code"]`)
	p.ask(&account, `async () => { `+until+` return (await until("the account", () => [...document.querySelectorAll("code")].find(e => /^p-[0-9a-f]{32}$/.test(e.innerText)))).innerText }`)
	picture := p.code()

	p.enter("clerk")
	p.see("公共租赁住房资格审核")
	p.look("matters")
	p.open("/matter/" + matterOf(p.t, p.city.URL(), "公共租赁住房资格审核") + "/apply")
	p.see("由 3 个部门提供")
	p.see("婚姻登记核验")
	p.look("apply-case")
	p.photographs(picture, account)
	p.open("/matter/" + matterOf(p.t, p.city.URL(), "公共租赁住房资格审核") + "/apply")
	p.see("由 3 个部门提供")
	from := p.height()
	p.clicks = 0
	p.write("#c-owner", account)
	p.clicks++ // the scanner's trigger
	p.see("申请人 " + account)
	p.click(`[data-testid="submit"]`)
	p.clicks++ // the device
	p.see("已取数 0/3")
	p.task("a clerk opens a case", 3)
	p.once(from, "request_data request_data request_data")
	p.see("要收的纸质材料：婚姻登记核验、户口簿") // not what the clerk's own system has
	p.press(".toast button")
	p.look("case-open")

	var path string
	p.ask(&path, `async () => location.pathname`)
	reference := strings.TrimPrefix(path, "/case/")
	p.Size(390, 844, true)
	p.open("/box")
	p.see("待我决定 3") // the case is one decision
	p.phone("box-home-case")
	p.press(`a[href="/box/case/` + reference + `"]`)
	p.see("为一件事请求 3 项数据")
	p.phone("box-case")
	from = p.height()
	p.press(`[data-request] input[id^="give-"]`)
	p.see("同意 2 项并验证本人")
	p.press(`[data-testid="consent-all"]`)
	p.see("生效中的授权 2")
	p.brought()
	p.once(from, "give_grant give_grant decline_request", "give_grant decline_request give_grant", "decline_request give_grant give_grant")

	p.Size(1440, 900, false)
	p.open(path)
	p.see("没有同意")
	p.see("已同意，待取数")
	p.see("申请人的授权回执")
	var grants []string
	p.ask(&grants, `async () => { `+until+` const links = () => [...document.querySelectorAll('.lane a[href^="/grant/"]')];
		await until("two lanes with a grant", () => links().length === 2); return links().map(e => e.getAttribute("href").slice("/grant/".length)) }`)
	for _, g := range grants {
		_, err := p.fetchGranted(g)
		p.ok(err)
	}
	p.see("已取数 2/3") // without loading the page again
	p.see("提供部门的使用回执")
	p.look("case-answered")
	p.focus(`[data-testid="again"]`)
	p.Press("Enter")
	p.see("以前的请求 1")
	p.press(".toast button")
	p.Size(390, 844, true)
	p.open("/box/case/" + reference)
	p.see("为一件事请求 1 项数据")
	p.press(`[data-testid="consent-all"]`)
	p.see("生效中的授权 1") // two were used up
	p.Size(1440, 900, false)

	p.open("/matters?kiosk=1")
	p.see("无人操作")
	p.Size(1280, 800, false)
	p.axe("kiosk")
	p.Shot(filepath.Join(shots, "kiosk.png"))
	p.see("还在办理吗？")
	p.see("登录窗口席位后在这里办理") // a minute without a touch
}

// brought waits until the row keys of what was granted are at the door.
func (p *page) brought() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { `+signers+`
		for (let i = 0; i < 80; i++) {
			if ((await signers()).every(s => !Object.keys(s.notes ?? {}).some(k => k.startsWith("rowkey:")))) return true;
			await new Promise(r => setTimeout(r, 500)) }
		throw new Error("row keys are still in the browser") }`)
}

// once fails unless one transaction since a height did exactly one of these.
func (p *page) once(from int64, verbs ...string) {
	p.t.Helper()
	n := 0
	for _, tx := range p.since(from) {
		for _, v := range verbs {
			if strings.Join(tx.Verbs, " ") == v && tx.Refusal == "" {
				n++
			}
		}
	}
	if n != 1 {
		p.t.Errorf("%d transactions did %q, want one", n, verbs)
	}
}

// code is the picture of the code on the page, as a data URL.
func (p *page) code() (picture string) {
	p.t.Helper()
	p.ask(&picture, `async () => { `+until+`
		const svg = await until("a code", () => document.querySelector("svg[role=img]"));
		const image = new Image();
		await new Promise((ok, no) => { image.onload = ok; image.onerror = no; image.src = "data:image/svg+xml," + encodeURIComponent(new XMLSerializer().serializeToString(svg)) });
		const canvas = Object.assign(document.createElement("canvas"), {width: 440, height: 440});
		canvas.getContext("2d").drawImage(image, 0, 0, 440, 440);
		return canvas.toDataURL("image/png") }`)
	return picture
}

// photographs hands a picture to the form, as a camera does, and waits until it shows the account.
func (p *page) photographs(picture, account string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (url) => { `+until+`
		const bytes = Uint8Array.from(atob(url.split(",")[1]), c => c.charCodeAt(0)), files = new DataTransfer();
		files.items.add(new File([bytes], "code.png", {type: "image/png"}));
		const e = await until("the picture's field", () => document.querySelector('[data-testid="picture"]'));
		e.files = files.files; e.dispatchEvent(new Event("change", {bubbles: true})); return true }`, picture)
	p.see("申请人 " + account)
}

// matterOf is the id of a matter of the housing commission.
func matterOf(t testing.TB, url, name string) string {
	t.Helper()
	res, err := client.New(url).Catalogue.ListMatters(t.Context(), connect.NewRequest(&cataloguev1.ListMattersRequest{Org: content.Find("住建委").Code, Text: name}))
	if err != nil || len(res.Msg.GetMatters()) != 1 {
		t.Fatalf("%d matters are called %s: %v", len(res.Msg.GetMatters()), name, err)
	}
	return res.Msg.GetMatters()[0].GetId()
}
