package browser

import (
	"net/url"
	"strings"
)

func init() { story("parties", parties) }

// parties: what a citizen has granted is shown to her and to the auditor; a steward of a
// department that has nothing to do with it is told so, and who says nothing is refused.
func parties(p *page) {
	p.ExpectErrors() // browsers note each refusal
	p.open("/box")
	p.speak("zh-CN")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	p.press("=查看")
	p.press(`[data-testid="consent"]`)
	p.see("生效中的授权 1")
	p.press("=生效中的授权")
	p.see("共 1 项")
	var link string
	p.ask(&link, `async () => document.querySelector('a[href^="/box/grant/"]').getAttribute("href")`)
	id := strings.TrimPrefix(link, "/box/grant/")

	var code string
	p.ask(&code, `async (id) => (await fetch("/mulian.grant.v1.GrantService/GetGrant", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({id})})).headers.get("Mulian-Code")`, id)
	if code != "MUL-12004" {
		p.t.Errorf("a grant without a pass: %q", code)
	}
	grant := "/object/" + url.PathEscape("grant/grant/"+id)
	p.enter("steward")
	p.open(grant)
	p.press("=原始字节")
	p.see("只给当事人查看")
	p.see("数据管理员")
	p.look("parties")
	p.enter("auditor")
	p.open(grant)
	p.press("=原始字节")
	var raw string
	p.ask(&raw, `async () => { `+until+` return (await until("the object's bytes", () => document.querySelector("pre.json"))).innerText }`)
	if raw == "" {
		p.t.Error("the auditor reads an empty grant")
	}
}
