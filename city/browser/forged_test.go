package browser

import (
	"encoding/base64"

	"mulian/client"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/browsertest"
)

func init() { story("forged", forged) }

// forged: what lies ready in a box is not what it should be. It was sealed to another vault; the door
// shows another head; a byte of the content is changed: the page says which, and offers no way to accept.
// The same item is taken as soon as it is whole.
func forged(p *page) {
	q := &page{Browser: browsertest.Open(p.t), t: p.t, url: p.url, city: p.city, home: p.home}
	q.Authenticator(browsertest.Device{})
	q.chinese()
	p.newVault()
	q.newVault()
	p.file("#file", "保函.txt", "text/plain", guarantee)
	p.press(`[data-testid="put"]`)
	p.see("共 2 件")
	var item string
	p.ask(&item, `async () => [...document.querySelectorAll('a.item[href^="/box/asset/"]')].find(e => e.innerText.includes("保函")).getAttribute("href").split("/").pop()`)
	taker := q.account()

	// The giver's server says that his own key is the taker's.
	p.unlocked("/box/give")
	p.lies(p.vaultKey(taker), p.vaultKey(p.account()))
	p.offers("保函", taker)
	q.refuses("不是加密给你的保险库", "")
	q.phone("box-give-other-key")
	q.press(`[data-testid="decline-offer"]`)
	q.see("已结束的 1")

	p.unlocked("/box/give")
	p.offers("保函", taker)
	q.refuses("和对方签名的不一致", q.tampers(item, true))
	q.refuses("内容被改动过", q.tampers(item, false))
	q.phone("box-give-changed")
	q.speak("en-US")
	q.press(`[data-testid="unlock"]`)
	q.see("To me")
	var ok bool
	q.ask(&ok, q.tampers(item, false))
	q.press(`[data-testid="look"]`)
	q.see("The content was changed")
	q.phone("box-give-changed-en")
	q.speak("zh-CN")
	q.unlocked("/box/give")
	q.press(`[data-testid="look"]`)
	q.see("和对方签名的一致")
	q.press(`[data-testid="accept-offer"]`)
	q.see("已结束的 2")
}

// refuses looks at the one offer, with a door that lies if lie says how, and cannot accept it.
func (p *page) refuses(why, lie string) {
	p.t.Helper()
	p.unlocked("/box/give")
	p.see("给我的 1")
	if lie != "" {
		var ok bool
		p.ask(&ok, lie)
	}
	p.press(`[data-testid="look"]`)
	p.see(why)
	var there bool
	p.ask(&there, `async () => document.querySelector('[data-testid="accept-offer"]') !== null`)
	if there {
		p.t.Errorf("%s, and can be accepted", why)
	}
}

// vaultKey is the key to which one seals for an account, as the ledger has it.
func (p *page) vaultKey(account string) string {
	p.t.Helper()
	v := &safeboxv1.Vault{}
	if found, err := client.New(p.city.URL()).Get(p.t.Context(), "safebox/vault/"+account, v); err != nil || !found {
		p.t.Fatalf("vault of %s: %t, %v", account, found, err)
	}
	for _, k := range v.GetKeys() {
		if k.GetSuite() == safeboxv1.SealSuite_SEAL_SUITE_P256 {
			return base64.StdEncoding.EncodeToString(k.GetPublicKey())
		}
	}
	p.t.Fatalf("the vault of %s has no key of P-256", account)
	return ""
}

// answers is JavaScript that changes what the server answers: change(sent, got) gets both as text, a
// character for each byte, and returns what the page is to read.
const answers = `const real = window.fetch, text = (b) => String.fromCharCode(...new Uint8Array(b));
	const answers = (change) => { window.fetch = async (...args) => { const r = await real(...args), body = args[1]?.body;
		if (!String(args[0].url ?? args[0]).includes("/mulian.") || !(body instanceof Uint8Array) || !(r.headers.get("content-type") ?? "").startsWith("application/proto")) return r;
		const out = change(text(body), text(await r.arrayBuffer()));
		return new Response(Uint8Array.from(out, (c) => c.charCodeAt(0)), {status: r.status, headers: {"content-type": r.headers.get("content-type")}}) } };`

// lies lets the server say one key where it has another.
func (p *page) lies(key, instead string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (key, instead) => { `+answers+` answers((_, got) => got.replaceAll(atob(key), atob(instead))); return true }`, key, instead)
}

// tampers is JavaScript by which the door changes the last byte of an item: of its head, which names
// it, or of its content, which does not.
func (p *page) tampers(item string, head bool) string {
	named := "false"
	if head {
		named = "true"
	}
	return `async () => { ` + answers + ` answers((sent, got) => sent.includes("` + item + `") && !sent.includes("safebox/") && got.length > 40 && got.includes("` + item + `") === ` + named + `
		? got.slice(0, -1) + String.fromCharCode(got.charCodeAt(got.length - 1) ^ 1) : got); return true }`
}
