package browser

func init() { story("lost", lost) }

// lost: the answer to the first transaction does not arrive. The key was kept before it went:
// the next visit goes on with the same account, and the ledger has nothing that nobody has.
func lost(p *page) {
	p.open("/box")
	p.settled()
	p.lose("/Submit")
	p.press(`[data-testid="open"]`)
	var once, account string
	p.ask(&once, `async () => { `+until+signers+`
		await until("an answer that is lost", () => window.lost);
		await until("the button again", () => !document.querySelector('[data-testid="open"]').disabled);
		return (await signers()).find(s => s.account.startsWith("waiting:"))?.signer.account ?? "" }`)
	if once == "" {
		p.t.Fatal("no key was kept")
	}
	p.open("/box")
	p.settled()
	p.press(`[data-testid="open"]`)
	p.see("待我决定")
	p.ask(&account, `async () => { `+signers+` return (await signers()).map(s => s.account).join(" ") }`)
	if account != once {
		p.t.Errorf("kept are %s, the account on its way was %s", account, once)
	}
	p.seatAgain()
}

// seatAgain: the answer to a seat that was taken does not arrive. The second press brings the
// same key, and gets the same post.
func (p *page) seatAgain() {
	for _, seat := range []string{"steward", "operator"} {
		p.open("/seats")
		p.settled()
		p.lose("/TakeSeat")
		p.press(`[data-seat="` + seat + `"]`)
		var ok bool
		p.ask(&ok, `async (s) => { `+until+`
			await until("an answer that is lost", () => window.lost);
			return until("the button again", () => !document.querySelector(`+"`"+`[data-seat="${s}"]`+"`"+`).classList.contains("ant-btn-loading")) }`, seat)
		p.press(`[data-seat="` + seat + `"]`)
		p.see("席位已上链")
	}
}

// lose lets the next request to a path reach the server, and its answer not the page.
func (p *page) lose(path string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (path) => {
		const real = window.fetch;
		window.fetch = async (...args) => {
			const at = typeof args[0] === "string" ? args[0] : args[0].url ?? String(args[0]);
			const answer = await real(...args);
			if (!at.endsWith(path)) return answer;
			await answer.arrayBuffer();
			window.fetch = real; window.lost = true;
			throw new TypeError("the line is cut");
		};
		return true }`, path)
}
