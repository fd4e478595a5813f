package browser

func init() { story("box", consents) }

// boxBudget is what the box may take off the line until its first page stands, with gzip.
const boxBudget = 130 << 10

// consents: a citizen opens a box with a passkey, looks at a request and agrees, declines
// another, pauses and revokes, and keeps the receipt.
func consents(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.settled()
	p.light("/box", boxBudget)
	p.speak("zh-CN")
	p.Shot("../../console/shots/box-welcome.png")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	p.see("谁看过我 2") // two have asked
	p.see("长辈版")    // on the first page, too
	p.phone("box-home")
	p.clicks = 0
	p.click("=查看")
	p.see("会给出的内容")
	p.phone("box-ask")
	p.click(`[data-testid="consent"]`)
	p.clicks++ // the device
	p.see("生效中的授权 1")
	p.task("answer a request", 3)
	p.Shot("../../console/shots/box-given.png")
	allowed(p)
	p.open("/box")
	p.clicks = 0
	p.click("=撤销")
	p.clicks++ // the device
	p.see("生效中的授权 0")
	p.task("revoke", 2)
	p.click("=谁看过我")
	p.see("你撤销了授权")
	p.task("who looked", 1)
	p.phone("box-seen")
	papers(p)
	me(p)
}

// allowed: the list of grants, and one of them, paused and resumed.
func allowed(p *page) {
	p.press("=生效中的授权")
	p.see("共 1 项")
	p.phone("box-grants")
	p.press(`a[href^="/box/grant/"]`)
	p.see("使用记录 0")
	p.see("累计月数")
	p.phone("box-grant")
	p.press("=暂停")
	p.see("已暂停")
	p.press("=恢复")
	p.see("生效中")
}

// papers: the grant that is over, its receipt, and what the public page says of it.
func papers(p *page) {
	p.open("/box/grants/over")
	p.see("已撤销")
	p.phone("box-over")
	p.open("/box/certs")
	p.see("授权回执 1")
	p.phone("box-certs")
	p.press("=查看")
	p.see("回执编号")
	p.phone("box-cert")
	var public string
	p.ask(&public, `async () => document.querySelector('a[href^="/v/"]').getAttribute("href")`)
	if status, _ := p.fetch(public, "Content-Type"); status != 200 {
		p.t.Errorf("%s answers %d", public, status)
	}
}

// me: keys as the ledger has them, recovery, mandates, and letters up to 30 px.
func me(p *page) {
	p.open("/box/me")
	p.see("我的密钥 2")
	p.see("还没有安排亲友或恢复码")
	p.see("你没有替别人办事")
	p.phone("box-me")
	for _, elder := range []struct {
		name   string
		letter float64
	}{{"长辈版", 20}, {"特大字", 30}} {
		p.press("=" + elder.name)
		p.elder(elder.letter, 60)
		p.axe("box me " + elder.name)
		p.open("/box")
		p.see("待我决定")
		p.elder(elder.letter, 60)
		p.Shot("../../console/shots/box-elder-" + elder.name + ".png")
		p.open("/box/me")
		p.see("我的密钥 2")
	}
	p.press("=标准")
}

// phone holds a page of the box against axe by day and by night, and takes screenshots in
// the language of the page. The box follows the device's theme.
func (p *page) phone(name string) {
	p.t.Helper()
	p.axe(name)
	p.Shot("../../console/shots/" + name + ".png")
	p.Night(true)
	p.axe(name + " dark")
	p.Shot("../../console/shots/" + name + "-dark.png")
	p.Night(false)
	var wide int
	p.ask(&wide, `async () => document.documentElement.scrollWidth - innerWidth`)
	if wide > 0 {
		p.t.Errorf("%s is %d px wider than the phone", name, wide)
	}
}

// light fails if the page took more than so many bytes off the line, all that it loaded counted.
func (p *page) light(name string, most int) {
	p.t.Helper()
	var bytes int
	p.ask(&bytes, `async () => { `+until+` // an entry comes when its file is through
		const files = () => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter(e => !e.name.includes("/mulian."));
		await until("react and the words", () => ["/react.js", "/box.js", "/box.css", "/box-"].every(f => files().some(e => e.name.includes(f))) && files().every(e => e.encodedBodySize > 0));
		return files().reduce((n, e) => n + e.encodedBodySize, 0) }`)
	p.t.Logf("%s: %d bytes at first load, at most %d", name, bytes, most)
	if bytes == 0 || bytes > most {
		p.t.Errorf("%s takes %d bytes at first load, at most %d", name, bytes, most)
	}
}

// elder fails if a text is smaller than 18 px, the body than letter, or a control than target
// in height: the numbers of the design rules of MIIT for elders.
func (p *page) elder(letter, target float64) {
	p.t.Helper()
	var small []string
	p.ask(&small, `async (letter, target) => {
		const bad = [], size = e => parseFloat(getComputedStyle(e).fontSize);
		if (size(document.body) < letter) bad.push("body " + size(document.body));
		for (const e of document.querySelectorAll("body *")) {
			if (!e.getClientRects().length) continue;
			if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && size(e) < 18) bad.push("text " + size(e) + " " + e.outerHTML.slice(0, 120));
			if (e.matches("button,summary,input,a.button,a.back,nav a") && e.getBoundingClientRect().height < target - 0.5) bad.push("target " + e.getBoundingClientRect().height + " " + e.outerHTML.slice(0, 120));
		}
		return bad }`, letter, target)
	for _, s := range small {
		p.t.Errorf("elder version: %s", s)
	}
}
