package browser

import (
	"database/sql"
	"path/filepath"
)

func init() { story("mandate", actsForAnother) }

// actsForAnother: a mother lets her daughter answer for her, of one kind of data. The daughter
// accepts, and agrees in her place with her own passkey; the data user's gateway gets the mother's
// row. The mother sees who it was, and takes the mandate back: from then on nothing can be read.
func actsForAnother(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	q := p.another()
	q.open("/box")
	q.press(`[data-testid="open"]`)
	q.see("待我决定 2")
	proof := p.proposes(q.account())
	q.acceptsMandate()
	grant := q.agreesFor(p, proof)
	p.open("/box/seen")
	p.see("代理人代为同意")
	p.open("/box/grant/" + grant)
	p.see("代为授权")
	q.open("/box/seen")
	q.see("代理人代为同意")
	q.see("请求使用他的数据")
	q.open("/box/data")
	q.see("委托不含保险库里的数据")
	asker := p.another() // whoever uses the data sees who has agreed
	asker.Size(1440, 900, false)
	asker.enter("clerk")
	asker.open("/grant/" + grant)
	asker.see("代为授权")
	asker.see("依委托")
	p.open("/box/me")
	p.press("=女儿 替我办事")
	p.press(`[data-testid="mandate-end"]`)
	p.see("已撤销")
	q.ExpectErrors() // what she may no longer read is refused, and browsers note that
	q.open("/box")
	q.see("正在替 妈妈 办事 · 已撤销")
	var left int
	q.ask(&left, `async () => { `+signers+` const kept = async () => Object.keys((await signers())[0].notes).filter(k => /^(number|salt):/.test(k)).length;
		for (let i = 0; i < 80 && await kept(); i++) await new Promise(r => setTimeout(r, 250));
		return kept() }`)
	if left != 0 {
		q.t.Error("the proof of identity outlives the mandate")
	}
	q.press(`[data-testid="own"]`)
	q.see("待我决定 2")
	q.open("/box/me")
	q.see("我替 妈妈 办事")
}

// proposes makes a mandate of one entry, and returns the file with the proof of identity for the
// agent.
func (p *page) proposes(agent string) (proof string) {
	p.t.Helper()
	p.open("/box/me")
	p.press("=委托他人代办")
	for _, wrong := range [][2]string{{"p-123", "账户编号是 p- 或 f-"}, {p.account(), "这是你自己"}, {"p-00000000000000000000000000000000", "账本上没有这个账户"}} {
		p.fill("#agent", wrong[0])
		p.press(`[data-testid="agent-find"]`)
		p.see(wrong[1])
	}
	p.fill("#agent", agent)
	p.fill("#agent-name", "女儿")
	p.press(`[data-testid="agent-find"]`)
	p.see("女儿")
	p.see("至少选一种数据")
	var ok bool
	p.ask(&ok, `async () => { `+until+` (await until("the entry", () => [...document.querySelectorAll("label")].find(l => l.innerText.includes("参保")))).click(); return true }`)
	p.see("不打开这一项，代理人看得到请求")
	p.press("#of-sensitive")
	p.phone("box-mandate-propose")
	p.press(`[data-testid="propose"]`)
	p.see("等对方接受")
	p.phone("box-mandate-principal")
	p.ask(&proof, `async () => { `+until+` const b = await until("the file", () => document.querySelector('[data-testid="proof-file"]'));
		const make = URL.createObjectURL, click = HTMLAnchorElement.prototype.click; let text;
		URL.createObjectURL = (blob) => { text = blob.text(); return make.call(URL, blob) };
		HTMLAnchorElement.prototype.click = function () { if (!this.download) click.call(this) };
		try { b.click(); return await text } finally { URL.createObjectURL = make; HTMLAnchorElement.prototype.click = click } }`)
	return proof
}

// acceptsMandate accepts the mandate, and begins to act under it.
func (p *page) acceptsMandate() {
	p.t.Helper()
	p.open("/box/me")
	p.press("=去答复")
	p.see("接受后你可以替他办事")
	p.phone("box-mandate-agent")
	p.press(`[data-testid="mandate-accept"]`)
	p.see("有效")
	p.fill("#called", "妈妈")
	p.press(`[data-testid="called"]`)
	p.see("我替 妈妈 办事")
	p.press(`[data-testid="act"]`)
	p.see("正在替 妈妈 办事")
	p.see("待他决定 2")
	p.phone("box-acting")
}

// agreesFor agrees for the principal, and sees the gateway of the data user get her row.
func (p *page) agreesFor(principal *page, proof string) (grant string) {
	p.t.Helper()
	number, _ := principal.citizen()
	p.press("=查看")
	p.see("代他同意之前")
	p.file("#proof", "proof.json", "application/json", `{"account":"p-00000000000000000000000000000000","number":"1","salt":"00"}`)
	p.see("这不是被代理人账户的核验证明")
	p.file("#proof", "proof.json", "application/json", proof)
	p.without("代他同意之前")
	p.phone("box-acting-ask")
	p.press(`[data-testid="consent"]`)
	p.see("生效中的授权 1")
	p.ask(&grant, `async () => { `+until+` return (await until("a grant", () => document.querySelector('a[href^="/box/grant/"]'))).getAttribute("href").slice("/box/grant/".length) }`)
	got, err := p.fetchGranted(grant)
	p.ok(err)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.home, "databases", "insurance.db")+"?mode=ro")
	p.ok(err)
	defer db.Close()
	var insurance string
	p.ok(db.QueryRow(`SELECT insurance FROM insured_persons WHERE id_number = ?`, number).Scan(&insurance))
	if rows := got.GetRows(); len(rows) != 1 || rows[0].GetValues()[0].GetText() != insurance {
		p.t.Errorf("the gateway receives %v, the department has %s", rows, insurance)
	}
	p.settledNotes()
	return grant
}
