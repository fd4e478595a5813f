package browser

import (
	"strings"

	"mulian/internal/browsertest"
)

func init() { story("friends", friends) }

// friends: two are named and keep their cards; they vouch for a phone that says that all is
// lost; the holder, who still has a key, stops it.
func friends(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.see("指纹")
	p.openKeys()
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	account := p.account()
	p.open("/box/me")
	p.press("=安排亲友找回")
	p.befriended(p.another(), account)
}

// another is another person's or device's browser in the same city.
func (p *page) another() *page {
	q := &page{Browser: browsertest.Open(p.t), t: p.t, url: p.url, city: p.city, home: p.home}
	q.Authenticator(browsertest.Device{})
	q.chinese()
	q.Size(390, 844, true)
	return q
}

// shows reads the link that a new device shows, and the number beside it.
func (p *page) shows() (path, number string) {
	p.t.Helper()
	p.ask(&path, `async () => { `+until+` return await until("the link", () => { const u = new URL(document.querySelector('[data-testid="link"]').textContent); return u.pathname === "/box/vouch" && u.hash && u.pathname + u.hash }) }`)
	p.ask(&number, `async () => { `+until+` return await until("the number", () => document.querySelector('[data-testid="lost-number"]').textContent) }`)
	if len(number) != len("1234 5678 9012") {
		p.t.Errorf("the number to compare is %q", number)
	}
	return path, number
}

// befriended: q stands for a phone that nobody knows yet.
func (p *page) befriended(q *page, account string) {
	p.t.Helper()
	friends := []*page{p.another(), p.another()}
	p.see("还没有安排")
	for i, f := range friends {
		f.open("/box")
		f.press(`[data-testid="open"]`)
		f.see("待我决定 2")
		p.fill("#guardian", f.account())
		p.fill("#guardian-name", []string{"二姐", "老周"}[i])
		p.press(`[data-testid="guardian-add"]`)
		p.see([]string{"二姐", "老周"}[i])
	}
	p.fill("#guardian", account)
	p.press(`[data-testid="guardian-add"]`)
	p.see("这是你自己")
	p.phone("box-recovery")
	p.press(`[data-testid="arrange-sign"]`)
	p.see("2 位亲友中的 2 位同意")
	for i, f := range friends {
		var card string
		p.ask(&card, `async (i) => { `+until+` const b = document.querySelectorAll('[data-testid="card"]')[i]; if (b.getAttribute("aria-expanded") !== "true") b.click(); return await until("the card", () => { const l = b.closest("div.item").parentElement.querySelector('[data-testid="link"]'); const u = l && new URL(l.textContent); return u && u.pathname + u.hash }) }`, i)
		f.open(card)
		f.see("请你日后帮忙找回")
		f.phone("box-guard")
		f.press(`[data-testid="guard-keep"]`)
		f.see("已收好")
		friends[1-i].open(card)
		friends[1-i].see("这张卡片是给另一个账户的")
	}
	p.vetoes(q, friends, account)
}

// vetoes: both friends vouch, and the holder stops the recovery that he did not ask for.
func (p *page) vetoes(q *page, friends []*page, account string) {
	p.t.Helper()
	q.open("/box")
	q.press("=密钥都丢了")
	q.fill("#account", "p-123")
	q.see("账户编号是 p- 加 32 位字母数字")
	q.fill("#account", "p-"+strings.Repeat("0", 32))
	q.press(`[data-testid="lost-make"]`)
	q.see("账本上没有这个账户")
	q.fill("#account", account)
	q.press(`[data-testid="lost-make"]`)
	q.see("让亲友或窗口人员扫这个码")
	q.open("/box/lost") // the page goes, the keys stay
	q.press(`[data-testid="lost-prove"]`)
	path, number := q.shows()
	for i, f := range friends {
		f.open(path)
		f.see(number)
		f.phone("box-vouch")
		f.press(`[data-testid="vouch-sign"]`)
		f.see("你已确认")
		q.see([]string{"2 位中 1 位已确认", "2 位中 2 位已确认"}[i])
	}
	q.see("确认够了，锁定期中")
	q.phone("box-lost")
	p.open("/box/recovery")
	p.see("结束前不能改")
	p.open("/box/me")
	p.see("有人正在找回这个账户")
	p.press("=不是我，阻止")
	p.without("有人正在找回这个账户")
	q.without("锁定期中")
	p.open("/box/recovery")
	p.see("约定谁来确认")
}

// without waits until the page no longer says a text.
func (p *page) without(text string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s) => { `+until+` return await until("no "+s, () => !document.body.innerText.includes(s)) }`, text)
}
