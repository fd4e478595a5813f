package browser

import (
	"strings"

	"mulian/internal/browsertest"
	"mulian/safebox"
)

func init() { story("second", seconds) }

// seconds: a second device comes into an account by two codes and ten letters. Its page is closed
// in between; an answer to another invitation and one with another key are told apart. Then
// both devices open the vault with their own passkeys.
func seconds(p *page) {
	q := &page{Browser: browsertest.Open(p.t), t: p.t, url: p.url, city: p.city, home: p.home}
	q.Authenticator(browsertest.Device{})
	q.chinese()
	code := p.newVault()
	p.open("/box/me")
	p.press("=加一台设备")
	p.see("显示给新设备的码")
	p.phone("box-device")
	p.press(`[data-testid="invite"]`)
	link := p.words(`[data-testid="invitation"]`)
	if len(link) > 200 || !strings.Contains(link, "#") {
		p.t.Errorf("the invitation has %d bytes: %s", len(link), link)
	}
	p.phone("box-device-code")
	answer, letters := q.joins(link)
	p.turnsAway(answer, letters)
	p.fill("#answer", answer)
	p.press(`[data-testid="take-answer"]`)
	if got := p.words(`[data-testid="letters"]`); got != letters {
		p.t.Fatalf("one screen shows %s, the other %s", got, letters)
	}
	p.phone("box-device-compare")
	p.press(`[data-testid="add-device"]`)
	p.see("新设备已加入")
	p.Visit(answer) // read again with the phone's own camera
	p.see("新设备已加入")
	p.phone("box-device-added")
	q.see("待我决定")
	if a, b := p.account(), q.account(); a != b {
		p.t.Fatalf("one device is in %s, the other in %s", a, b)
	}
	q.admits(code, p)
	p.unlocked("/box/data")
	p.see("共 1 件")
	q.opensWithBoth(p)
	q.reports(p)
	q.Visit(link) // the link once more, where it has done its work
	q.see("已经在这个账户里")
	q.open("/box")
	q.speak("en-US")
	q.Visit(link)
	q.see("in that account already")
	q.speak("zh-CN") // loads the page without what stood behind #
	q.see("链接不完整")
}

// joins makes the keys of a new device, closes the page and comes again: the same letters.
func (p *page) joins(link string) (answer, letters string) {
	p.t.Helper()
	p.Size(390, 844, true)
	p.Visit(link)
	p.see("用通行密钥加入")
	p.phone("box-join")
	p.openKeys()
	p.press(`[data-testid="join"]`)
	answer, letters = p.words(`[data-testid="answer-link"]`), p.words(`[data-testid="letters"]`)
	p.phone("box-join-show")
	p.open("/box")
	p.press("=继续把这台设备加进")
	if again := p.words(`[data-testid="letters"]`); again != letters || p.words(`[data-testid="answer-link"]`) != answer {
		p.t.Errorf("after the page was closed the letters are %s, before %s", again, letters)
	}
	for _, size := range []string{"长辈版", "特大字"} {
		p.press("=" + size)
		p.axe("box join " + size)
	}
	p.press("=标准")
	return answer, letters
}

// turnsAway: an answer to another invitation is not taken; one whose key was changed on the way
// has other letters, and nothing is added.
func (p *page) turnsAway(answer, letters string) {
	p.t.Helper()
	at := strings.Index(answer, "#") + 1
	for _, bad := range []struct{ text, why string }{
		{p.url + "/box/device", "none"},
		{answer[:len(answer)-3], "none"},
		{strings.Replace(answer, "http://", "http://other.", 1), "none"},
		{answer[:at] + flip(answer[at:at+1]) + answer[at+1:], "other"},
	} {
		p.fill("#answer", bad.text)
		p.press(`[data-testid="take-answer"]`)
		p.words(`[data-why="` + bad.why + `"]`)
	}
	p.fill("#answer", answer[:at+60]+flip(answer[at+60:at+61])+answer[at+61:])
	p.press(`[data-testid="take-answer"]`)
	if got := p.words(`[data-testid="letters"]`); got == letters {
		p.t.Error("another key has the same letters")
	}
	p.press("=不一致")
	p.see("没有加入")
}

// flip is another letter of base64.
func flip(letter string) string {
	if letter == "A" {
		return "B"
	}
	return "A"
}

// admits: the passkey of the new device opens nothing yet; the code does, and lets the passkey. The
// line is cut when the ledger has the change and the door has not: the next opening mends it.
func (p *page) admits(code string, first *page) {
	p.t.Helper()
	p.unlocked("/box/data")
	p.see("打不开：不是这个保险库的")
	p.press("=用恢复码打开")
	p.fill("#code", code)
	p.press(`[data-testid="unlock-code"]`)
	p.see("让这台设备也能打开")
	p.see("共 1 件")
	p.phone("box-admit")
	var ok bool // the line to the door is cut from here on: the ledger has the change, the door has not
	p.ask(&ok, `async () => { const real = window.fetch; window.fetch = (...args) => {
		const at = typeof args[0] === "string" ? args[0] : args[0].url ?? String(args[0]);
		return at.endsWith("BoxService/Call") ? Promise.reject(new TypeError("the line is cut")) : real(...args) }; return true }`)
	p.press(`[data-testid="admit"]`)
	p.see("还没有送到保管的服务器")
	p.phone("box-admit-cut")
	first.unlocked("/box/data")
	first.see("保管的服务器没有账本上记的那份保险库文件")
	p.unlocked("/box/data") // the page is loaded again: the passkey opens, and the file is brought
	p.see("共 1 件")
	p.gone("让这台设备也能打开")
}

// reports: the first device is lost, and the second one says so. What the first one signs and
// asks of the door from then on is refused.
func (p *page) reports(lost *page) {
	p.t.Helper()
	lost.ExpectErrors()
	p.open("/box/me")
	p.see("我的密钥 4")
	for left := 1; left >= 0; left-- {
		p.press("=丢了")
		var ok bool
		p.ask(&ok, `async (left) => { `+until+` return until("keys to report", () => [...document.querySelectorAll("button")].filter(e => e.innerText === "丢了").length === left && !document.querySelector("dialog")) }`, left)
	}
	p.phone("box-me-lost")
	lost.unlocked("/box/data")
	p.t.Logf("the door says to a lost device: %s", lost.words(`main [role="alert"]`))
	lost.gone("共 1 件")
	lost.open("/box/me")
	lost.press("=丢了") // the thief says that the holder's device is the lost one
	p.t.Logf("the ledger says to a lost device: %s", lost.words(`dialog [role="alert"]`))
	p.unlocked("/box/data")
	p.see("共 1 件")
}

// opensWithBoth: what the new device has written opens in Go by the passkeys of both.
func (p *page) opensWithBoth(first *page) {
	p.t.Helper()
	b := p.owner()
	for _, at := range []*page{first, p} {
		var credential []byte
		at.ask(&credential, `async () => { `+signers+` return base64((await signers())[0].credential) }`)
		answer, err := at.Get("localhost", []byte("0123456789abcdef0123456789abcdef"), credential, "required", []byte(safebox.PRFInput))
		p.ok(err)
		if _, err := b.Unlock(p.t.Context(), safebox.ByPasskey(credential, [32]byte(answer.Secret))); err != nil {
			p.t.Errorf("a passkey opens nothing in Go: %v", err)
		}
	}
}

// words waits for an element and returns what it says.
func (p *page) words(selector string) (said string) {
	p.t.Helper()
	p.ask(&said, `async (s) => { `+until+` return (await until(s, () => document.querySelector(s)?.innerText.trim())) }`, selector)
	return said
}
