package browser

import (
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"mulian/city/content"
	"mulian/client"
	sharev1 "mulian/gen/mulian/share/v1"
)

func init() {
	story("inbox", authorise)
	story("explorer", explore)
}

// received counts the requests that wait for the planning commission.
func received(t testing.TB, url string) int64 {
	t.Helper()
	res, err := client.New(url).Share.ListRequests(t.Context(), connect.NewRequest(&sharev1.ListRequestsRequest{
		Provider: content.Find("规划自然资源委").Code, States: []sharev1.RequestState{sharev1.RequestState_REQUEST_STATE_RECEIVED}, Limit: 1,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.GetTotal()
}

// authorise: a steward who has never seen the console enters with a passkey and authorises
// one request in three clicks, the device's own question counted.
func authorise(p *page) {
	p.enter("steward")
	p.task("enter a seat", 1)
	p.see("待我授权")
	before := received(p.t, p.city.URL())
	p.look("inbox")
	p.click("tr[data-row]")
	p.click(`[data-testid="authorise"]`)
	p.clicks++ // the device asks at once; its user agrees
	p.see("已上链，高度")
	p.press(".toast button")
	p.task("authorise one request", 3)
	if after := received(p.t, p.city.URL()); after != before-1 {
		p.t.Errorf("%d requests wait after one of %d was authorised", after, before)
	}
	p.key("a") // the keyboard does the same with the next one
	p.see("已上链，高度")
	p.press(".toast button")
	if after := received(p.t, p.city.URL()); after != before-2 {
		p.t.Errorf("%d requests wait after the keyboard authorised the second of %d", after, before)
	}
	p.click("=退回")
	p.see("退回原因")
	p.axe("return a request")
	p.Shot(filepath.Join(shots, "inbox-return.png"))
	p.press(".ant-modal-footer .ant-btn-primary")
	p.see("已上链，高度")
	if after := received(p.t, p.city.URL()); after != before-3 {
		p.t.Errorf("%d requests wait after one was returned and two of %d authorised", after, before)
	}
	authoriseAll(p)
	p.press("=已办结")
	p.press(`a[href^="/request/"]`)
	p.see("概要")
	p.look("request")
}

// authoriseAll: one signature for all requests whose checks hold.
func authoriseAll(p *page) {
	p.press(".toast button")
	before := received(p.t, p.city.URL())
	var passed int64
	p.ask(&passed, `async () => { `+until+` return Number((await until("the button for all", () => document.body.innerText.match(/授权检查通过的 (\d+) 条/)))[1]) }`)
	p.clicks = 0
	p.click("=授权检查通过的")
	p.clicks++ // the device
	p.see("已上链，高度")
	p.task("authorise all that passed checks", 3)
	if after := received(p.t, p.city.URL()); passed < 2 || after != before-passed {
		p.t.Errorf("%d requests wait after %d of %d were authorised at once", after, passed, before)
	}
}

// explore: blocks and transactions as sentences; `/v/` without script.
func explore(p *page) {
	p.open("/explorer")
	p.speak("zh-CN")
	p.see("笔交易")
	p.look("explorer")
	p.press(`a[href^="/tx/"]`)
	p.see("签名方")
	p.look("tx")
	p.open("/seats")
	p.look("seats")
	p.open("/settings")
	p.look("settings")
	if status, policy := p.fetch("/", "Content-Security-Policy"); status != 200 || !strings.Contains(policy, "script-src 'self';") {
		p.t.Errorf("/ answers %d with the policy %q", status, policy)
	}
}
