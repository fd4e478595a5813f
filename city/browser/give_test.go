package browser

import (
	"io"
	"strings"
	"time"

	"mulian/internal/browsertest"
	"mulian/safebox"
)

func init() { story("give", gives) }

// guarantee is what is handed over in this story.
const guarantee = "保函：见索即付，金额 50,000.00 元。"

// gives: two persons in two browsers. One hands an item over, the other looks at it, and takes
// it; a copy of chosen fields goes back; one offer is declined, and one taken back. What the
// page seals opens in Go.
func gives(p *page) {
	q := &page{Browser: browsertest.Open(p.t), t: p.t, url: p.url, city: p.city, home: p.home}
	q.Authenticator(browsertest.Device{})
	q.chinese()
	p.newVault()
	code := q.newVault()
	p.file("#file", "保函.txt", "text/plain", guarantee)
	p.press(`[data-testid="put"]`)
	p.see("共 2 件")
	giver, taker := p.account(), q.account()
	p.open("/box")
	p.press("=转交数据")
	p.press(`[data-testid="unlock"]`)
	p.see("转交一件")
	p.phone("box-give")
	p.pick("#what", "保函")
	p.fill("#to", "p-123")
	p.see("账户编号不完整")
	p.fill("#to", giver)
	p.see("这是你自己的账户")
	p.fill("#to", "p-"+strings.Repeat("0", 32))
	p.see("对方还没有保险箱")
	p.offers("保函", taker)
	p.phone("box-give-laid")
	q.looksInGo(code, "保函")
	q.takes()
	p.unlocked("/box/data")
	p.see("共 1 件")
	p.gone("保函")
	q.unlocked("/box/data")
	q.see("共 2 件")
	q.press("=保函")
	q.see("与账本上的承诺一致")
	q.press(`[data-testid="show"]`)
	q.see("见索即付")
	q.holdsInGo(code)
	q.copies(p, giver)
	p.ends(q, taker)
}

// newVault opens an account and makes its vault with what a department lays into it; the code is returned.
func (p *page) newVault() (code string) {
	p.t.Helper()
	p.Size(390, 844, true)
	p.open("/box")
	p.see("指纹")
	p.openKeys()
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	p.press(`a[href="/box/data"]`)
	p.press(`[data-testid="code-make"]`)
	p.see("把恢复码抄在纸上")
	p.ask(&code, `async () => document.querySelector('[data-testid="code"]').innerText.trim()`)
	p.fill("#code-again", code[len(code)-6:])
	p.press(`[data-testid="vault-make"]`)
	p.see("社会保险参保证明")
	return code
}

func (p *page) account() (id string) {
	p.t.Helper()
	p.ask(&id, `async () => { `+signers+` return (await signers())[0].account }`)
	return id
}

// unlocked loads a page and opens the vault before it.
func (p *page) unlocked(path string) {
	p.t.Helper()
	p.open(path)
	p.press(`[data-testid="unlock"]`)
}

// pick chooses the first option of a list that begins with a text.
func (p *page) pick(selector, text string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s, text) => { `+until+` const o = await until(text, () => [...document.querySelector(s).options].find(o => o.text.startsWith(text)));
		const e = document.querySelector(s);
		Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value").set.call(e, o.value);
		e.dispatchEvent(new Event("change", {bubbles: true})); return true }`, selector, text)
}

// offers hands an item over: on the ledger, and the ciphertext in the other box.
func (p *page) offers(title, to string) {
	p.t.Helper()
	p.pick("#what", title)
	p.fill("#to", to)
	p.see("✓ 对方有保险箱")
	p.press(`[data-testid="offer"]`)
	p.see("密文已放进对方的箱子")
	p.see("高度")
}

// takes opens the one offer, and accepts it.
func (p *page) takes() {
	p.t.Helper()
	p.unlocked("/box/give")
	p.see("给我的 1")
	p.press(`[data-testid="look"]`)
	p.see("和对方签名的一致")
	p.phone("box-give-look")
	p.press(`[data-testid="accept-offer"]`)
	p.see("已结束的 1")
}

// looksInGo: what the page sealed to this box opens with mulian/safebox/owner, and is what the offer was signed for.
func (p *page) looksInGo(code, title string) {
	p.t.Helper()
	b := p.owner()
	paper, err := safebox.ByRecoveryCode(code)
	p.ok(err)
	o, err := b.Unlock(p.t.Context(), paper)
	p.ok(err)
	open, err := b.Transfers(p.t.Context(), true)
	p.ok(err)
	if len(open) != 1 {
		p.t.Fatalf("%d open offers", len(open))
	}
	f, err := o.Look(p.t.Context(), open[0].GetId())
	p.ok(err)
	if f.Item.Card.GetTitle() != title {
		p.t.Errorf("Go looks at %q", f.Item.Card.GetTitle())
	}
}

// holdsInGo: the item that was handed over is this box's, and Go reads it.
func (p *page) holdsInGo(code string) {
	p.t.Helper()
	b := p.owner()
	paper, err := safebox.ByRecoveryCode(code)
	p.ok(err)
	o, err := b.Unlock(p.t.Context(), paper)
	p.ok(err)
	it, err := o.Find(p.t.Context(), "保函")
	p.ok(err)
	r, err := o.Content(p.t.Context(), it)
	p.ok(err)
	if raw, err := io.ReadAll(r); err != nil || string(raw) != guarantee {
		p.t.Errorf("Go reads %q, %v", raw, err)
	}
}

// copies gives the other a copy of two fields, with a purpose on it; he reads these and no other.
func (p *page) copies(other *page, to string) {
	p.t.Helper()
	p.unlocked("/box/give")
	p.pick("#what", "社会保险参保证明")
	p.fill("#to", to)
	p.press("=加注副本")
	p.see("给出哪些字段")
	p.fill("#purpose", "应聘")
	p.fill("#until", time.Now().AddDate(0, 1, 0).Format(time.DateOnly))
	var left []string
	p.ask(&left, `async () => { `+until+` await until("fields", () => document.querySelectorAll("input[role=switch]").length > 2);
		const all = [...document.querySelectorAll("input[role=switch]")]; for (const e of all.slice(2)) e.click();
		return all.map(e => e.parentElement.innerText.trim()) }`)
	p.phone("box-give-copy")
	p.see("✓ 对方有保险箱")
	p.press(`[data-testid="offer"]`)
	p.see("密文已放进对方的箱子")
	other.unlocked("/box/give")
	other.press(`[data-testid="look"]`)
	other.see("用途：应聘")
	other.see(left[0] + "、" + left[1])
	other.press(`[data-testid="accept-offer"]`)
	other.see("已结束的 2")
	other.unlocked("/box/data")
	other.see("共 2 件")
	var is bool // his own of the same title lies there too
	other.ask(&is, `async () => { [...document.querySelectorAll("a.item")].find(e => e.innerText.includes("副本")).click(); return true }`)
	other.see("应聘")
	other.press(`[data-testid="show"]`)
	other.see("完整无改动")
	other.see(left[0])
	for _, field := range left[2:] {
		other.gone(field)
	}
}

// ends: an offer is declined, and the next one taken back; the item is still here.
func (p *page) ends(other *page, to string) {
	p.t.Helper()
	p.unlocked("/box/give")
	p.offers("社会保险参保证明", to)
	other.unlocked("/box/give")
	other.press(`[data-testid="decline-offer"]`)
	other.see("已结束的 3")
	p.press("=再转交一件")
	p.see("转交一件")
	p.unlocked("/box/give")
	p.press("details.card > summary")
	p.see("没有接收")
	p.offers("社会保险参保证明", to)
	p.press(`[data-testid="take-back"]`)
	p.see("已收回")
	p.open("/box/me")
	p.press("=长辈版")
	p.unlocked("/box/give")
	p.see("转交一件")
	p.elder(20, 60)
	p.speak("en-US")
	p.press(`[data-testid="unlock"]`)
	p.see("Hand something over")
	p.phone("box-give-elder-en")
	p.unlocked("/box/data")
	p.see("2 things")
}

// gone fails if the page still has a text.
func (p *page) gone(text string) {
	p.t.Helper()
	var there bool
	p.ask(&there, `async (s) => document.body.innerText.includes(s)`, text)
	if there {
		p.t.Errorf("%q is still there", text)
	}
}
