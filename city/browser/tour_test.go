package browser

import "path/filepath"

func init() {
	story("tour", newcomer)
	story("tour-box", boxNewcomer)
}

// step waits until the strip shows a step, done or not yet.
func (p *page) step(name string, done bool) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (name, done) => { `+until+` await until("step " + name + (done ? " done" : ""), () => { const e = document.querySelector("[data-step]"); return e && e.dataset.step === name && ("done" in e.dataset) === done }); return true }`, name, done)
}

// focus puts the keyboard on an element as Tab does, at most 80 presses away.
func (p *page) focus(selector string) {
	p.t.Helper()
	var on bool
	p.ask(&on, `async (s) => { `+until+` return await until(s, () => document.querySelector(s)) !== null }`, selector) // a quick machine is through 80 elements before a list has come
	for range 80 {
		p.ask(&on, `async (s) => !!document.activeElement?.matches(s)`, selector)
		if on {
			return
		}
		p.Press("Tab")
	}
	p.Shot(filepath.Join(shots, "failed-focus.png"))
	p.t.Fatalf("%s is not reached by Tab", selector)
}

// newcomer: somebody who has never seen the console is led through a share: the strip says
// whose turn it is, takes that seat in one click, and sees by the blocks what was done. What
// happens is told on the first page and beside every other one.
func newcomer(p *page) {
	p.open("/seats")
	p.speak("zh-CN")
	p.see("但这条链不作数") // the banner: unmistakably a demo
	p.see("正在发生")
	p.see("锚定") // a sentence of what goes on
	p.look("seats")
	p.press(`[data-testid="tour-share"]`)
	p.step("share.apply", false)
	p.press(`[data-testid="tour-skip"]`) // each step can be left out
	p.step("share.authorise", false)
	p.clicks = 0
	p.click(`[data-testid="tour-sit"]`)
	p.see("待我授权")
	p.task("change seats", 1)
	p.look("tour")
	p.step("share.authorise", false) // it was there after each load: the tour is resumable
	p.press(`tr[data-row]`)
	p.press(`[data-testid="authorise"]`)
	p.step("share.authorise", true)
	p.Shot(filepath.Join(shots, "tour-done.png"))
	p.focus(`[data-testid="tour-next"]`) // from here on by the keyboard alone
	p.Press("Enter")
	p.step("share.prove", false)
	p.focus(`[data-testid="tour-go"]`)
	p.Press("Enter")
	p.step("share.prove", true)
	p.see("经过")
	p.press(`[data-testid="tour-away"]`)
	p.see("接着导览")
	p.press("=接着导览")
	p.step("share.prove", true)
	p.press(`[data-testid="tour-away"]`)
	p.press(`[data-testid="feed"]`)
	p.see("锚定")
	p.axe("feed panel")
	p.Shot(filepath.Join(shots, "feed.png"))
	var links []string
	p.ask(&links, `async () => [...document.querySelectorAll(".ant-drawer .feed li > a")].map(a => a.getAttribute("href"))`)
	if len(links) == 0 {
		p.t.Error("no line of the feed leads anywhere")
	}
	p.press(`.ant-drawer .feed li > a`)
	p.settled()
	p.open("/tour")
	p.see("接着走")
	p.look("tour-page")
}

// boxNewcomer: the tour goes through the box, too, and the box is as light as before.
func boxNewcomer(p *page) {
	p.open("/tour")
	p.speak("zh-CN")
	p.press(`[data-testid="tour-box"]`)
	p.step("box.open", false)
	p.press(`[data-testid="open"]`)
	p.step("box.open", true)
	p.press(`[data-testid="tour-next"]`)
	p.press("=查看")
	p.see("会给出的内容")
	p.axe("box with the tour")
	p.Size(390, 844, true)
	p.phone("tour-box")
	p.press(`[data-testid="consent"]`)
	p.step("box.consent", true)
	p.press(`[data-testid="tour-next"]`)
	p.press(`[data-testid="tour-go"]`)
	p.step("box.seen", true)
	p.press(`[data-testid="tour-next"]`)
	p.press(`[data-testid="tour-go"]`)
	p.press("=撤销")
	p.step("box.revoke", true)
	p.press(`[data-testid="tour-next"]`)
	p.press(`[data-testid="tour-go"]`)
	p.step("box.receipt", true)
	p.press(`[data-testid="tour-next"]`)
	p.see("走完了一次授权")
}
