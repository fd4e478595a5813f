package browser

func init() { story("counter", recoversAtTheCounter) }

// recoversAtTheCounter: a phone with all keys is lost, and there are no friends. An officer takes the
// case and cancels it, takes it again; a second desk compares; the holder, who was robbed of his
// name and not of his phone, stops it. Then one key is reported lost, and found by the other desk.
func recoversAtTheCounter(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	account := p.account()
	q, desk := p.another(), p.another()
	q.open("/box")
	q.press("=密钥都丢了")
	q.fill("#account", account)
	q.press(`[data-testid="lost-make"]`)
	q.see("请带身份证件和这台设备到窗口办理")
	q.press(`[data-testid="lost-prove"]`)
	path, number := q.shows()

	desk.Size(1440, 900, false)
	desk.open("/recoveries")
	desk.see("登录身份核验机构的岗位后才能受理")
	desk.enter("identity")
	desk.see("账户恢复窗口")
	desk.look("recoveries")
	desk.write("#r-code", "https://example.invalid/box/vouch#AAAA")
	desk.see("这不是新设备上的码")
	desk.takesCase(path, number)
	desk.see("2 方中 1 方已认可")
	desk.see("本科室已签，等另一科室核对")
	desk.see("身份核验一室")
	desk.deed("cancel")
	desk.answer("cause", "误办（演示）")
	desk.see("由受理人取消")
	desk.open("/recoveries")
	desk.takesCase(path, number)
	desk.see("2 方中 1 方已认可")
	q.see("2 位中 1 位已确认")

	desk.enter("identity2")
	desk.open("/recoveries?show=waits")
	desk.see("等本科室")
	desk.open("/recoveries")
	desk.write("#r-code", desk.url+path)
	desk.see("另一科室已受理，等本科室核对")
	desk.press(`[data-testid="to-recovery"]`)
	desk.see("本科室要自己核对一遍")
	desk.look("recovery-second")
	desk.compares()
	desk.see("锁定期中")
	desk.see("2 方中 2 方已认可")
	desk.press(".toast button")
	desk.look("recovery-locked")
	q.see("确认够了，锁定期中")

	p.open("/box/me")
	p.see("有人正在找回这个账户")
	p.press("=不是我，阻止")
	p.without("有人正在找回这个账户")
	desk.see("被账户的密钥阻止")

	desk.open("/recoveries")
	desk.write("#r-account", account)
	desk.press(`[data-testid="report"]`)
	desk.see("已报失")
	p.open("/box/me")
	p.see("已报丢失")
	desk.press(".toast button")
	desk.enter("identity")
	desk.open("/recoveries")
	desk.write("#r-account", account)
	desk.press("=找到了")
	desk.without("已报失")
	p.open("/box/me")
	p.without("已报丢失")
}

// takesCase takes the case of a new device whose code was scanned.
func (p *page) takesCase(path, number string) {
	p.t.Helper()
	p.write("#r-code", p.url+path)
	p.see(number)
	p.press("#r-face-3")
	p.see("人脸不一致：不能受理")
	p.compares()
	p.see("等待认可")
}

// compares says that person and papers were compared, and signs.
func (p *page) compares() {
	p.t.Helper()
	p.press("#r-number")
	p.press("#r-face-1")
	p.file("#r-file", "papers.pdf", "application/pdf", "%PDF-1.4 synthetic papers")
	p.see("已选 papers.pdf")
	p.press(`[data-testid="vouch"]`)
}
