package browser

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/keyring"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/qr"
)

func init() { story("number", numbers) }

// numbers: an office asks a person with a match number. Its page shows the digits, and a link and a code
// with the salt behind #; nothing that the page sends has the salt. Who comes from the list of his box is
// told where the code is; who opens the link types the digits and agrees.
func numbers(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	account := p.account()
	p.Size(1440, 900, false)
	p.enter("user")
	p.open("/asks")
	p.press(`[data-testid="ask"]`)
	p.write("#a-business", "JS-2026-0526")
	p.write("#a-owner", account)
	p.press("#a-number")
	p.still(".ant-modal-footer .ant-btn-primary")
	p.axe("ask with a match number")
	p.Shot(filepath.Join(shots, "ask-number.png"))
	p.hear()
	p.press(".ant-modal-footer .ant-btn-primary")
	p.see("请对方扫码")
	p.see("核对码")
	p.press(".toast button")
	var shown struct{ Link, Number string }
	p.ask(&shown, `async () => { `+until+` return {
		Link: await until("the link", () => [...document.querySelectorAll("pre code")].map(e => e.innerText).find(s => s.includes("/box/ask/"))),
		Number: document.querySelector('[data-testid="number"] strong').innerText } }`)
	link, err := url.Parse(shown.Link)
	p.ok(err)
	salt := link.Fragment
	if raw, err := hex.DecodeString(salt); err != nil || len(raw) != 16 || link.RawQuery != "" || len(shown.Number) != 2 {
		p.t.Fatalf("the link is %s, the number %q", shown.Link, shown.Number)
	}
	var sent int
	if p.ask(&sent, `async () => window.sent.length`); sent == 0 {
		p.t.Error("the request was sent, and nothing was heard of it")
	}
	p.unsaid(salt)
	picture, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.code(), "data:image/png;base64,"))
	p.ok(err)
	if text, err := qr.Read(picture); err != nil || text != shown.Link {
		p.t.Errorf("the code says %q, %v", text, err)
	}
	p.look("datarequest-number")
	id := path.Base(link.Path)

	// From the list: the page says where the code is, and cannot agree yet.
	p.Size(390, 844, true)
	p.open("/box")
	p.see("待我决定 3")
	p.press(`a[href="/box/ask/` + id + `"]`)
	p.see("先核对两位数字")
	p.see("会给出的内容")
	p.phone("box-ask-number")
	p.disabled(`[data-testid="consent"]`)
	p.press("main a[href='/box/scan']")
	p.text(shown.Link)
	p.see("两位核对码")
	// From the link, as the phone's own camera opens it.
	p.Visit("about:blank")
	p.Visit(shown.Link)
	p.see("两位核对码")
	p.hear()
	p.phone("box-ask-link")
	p.disabled(`[data-testid="consent"]`)
	wrong := "00"
	if shown.Number == wrong {
		wrong = "01"
	}
	p.fill("#number", wrong)
	p.press(`[data-testid="match"]`)
	p.see("还可以试 2 次")
	p.fill("#number", shown.Number)
	p.press(`[data-testid="match"]`)
	p.see("核对码一致")
	p.unsaid(salt)
	var ok bool
	p.ask(&ok, `async () => { localStorage.setItem("mulian.language", "en-US"); return true }`)
	p.Visit("about:blank")
	p.Visit(shown.Link) // loaded again: the number is asked again
	p.see("The two digits on the other screen")
	p.phone("box-ask-link-en")
	p.fill("#number", shown.Number)
	p.press(`[data-testid="match"]`)
	p.see("The match number is right")
	p.press(`[data-testid="consent"]`)
	p.see("What you allow now 1")
	r := &grantv1.DataRequest{}
	office, err := (keyring.Ring{Dir: filepath.Join(p.home, "keys")}).Signer(content.Find("水务局").Code, keyring.Officer)
	p.ok(err)
	chain := client.New(p.city.URL())
	chain.ReadBy(func(context.Context) (client.Signer, error) { return office, nil }) // grants are for their parties
	if found, err := chain.Get(p.t.Context(), "grant/request/"+id, r); err != nil || !found || r.GetState() != grantv1.DataRequestState_DATA_REQUEST_STATE_GRANTED {
		p.t.Errorf("the request is %v, %v", r.GetState(), err)
	}
	p.speak("zh-CN")
	p.Visit(shown.Link)
	p.see("这个请求已经处理过") // and asks for no number any more
}

// hear keeps what the page sends from now on.
func (p *page) hear() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { const real = window.fetch; window.sent = [];
		window.fetch = async (...args) => { const body = args[1]?.body ?? ""; window.sent.push(String(args[0].url ?? args[0]), typeof body === "string" ? body : String.fromCharCode(...new Uint8Array(body.buffer ?? body))); return real(...args) };
		return true }`)
}

// unsaid fails if what was sent, or what was ever loaded, has the salt in any of its forms.
func (p *page) unsaid(salt string) {
	p.t.Helper()
	var found []string
	raw, err := hex.DecodeString(salt)
	p.ok(err)
	p.ask(&found, `async (hex, b64) => { const all = [...window.sent, ...performance.getEntries().map(e => e.name)];
		return all.filter(s => s.includes(hex) || s.includes(b64) || s.includes(atob(b64))).filter(s => s !== location.href) }`, salt, base64.StdEncoding.EncodeToString(raw))
	if len(found) > 0 {
		p.t.Errorf("the salt was sent: %.300q", found)
	}
}

// disabled fails unless a button is there that cannot be pressed.
func (p *page) disabled(selector string) {
	p.t.Helper()
	var off bool
	p.ask(&off, `async (s) => { `+until+` return (await until(s, () => document.querySelector(s))).disabled }`, selector)
	if !off {
		p.t.Errorf("%s can be pressed", selector)
	}
}
