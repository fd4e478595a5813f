package browser

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/keyring"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/qr"
)

func init() { story("scan", scans) }

// scans: a code that a data user's page shows is read from a picture, by the camera and as
// text, and leads to the consent page; every other code says what it is and what to do.
func scans(p *page) {
	p.ExpectErrors() // a request that is not there is asked for
	p.Size(390, 844, true)
	p.open("/box")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	var ids []string
	p.ask(&ids, `async () => [...document.querySelectorAll('a[href^="/box/ask/"]')].map(a => a.getAttribute("href").split("/").pop())`)
	if len(ids) != 2 {
		p.t.Fatalf("requests %v", ids)
	}
	link := func(id string) string { return p.url + "/box/ask/" + id }
	p.press("=扫码授权")
	p.see("从相册选图")
	p.phone("box-scan")
	// A picture with two codes, none, something that is no picture: a sentence each.
	p.picture(codes(p, link(ids[0]), link(ids[1])))
	p.says("several")
	p.picture(codes(p))
	p.says("empty")
	p.file("#picture", "码.png", "image/png", "not a picture")
	p.says("picture")
	// The code of the data user's page.
	p.picture(codes(p, link(ids[0])))
	p.see("会给出的内容")
	p.at("/box/ask/" + ids[0])
	p.others(ids, link)
	p.camera(codes(p, link(ids[1])))
	p.see("会给出的内容")
	p.at("/box/ask/" + ids[1])
	p.press(`[data-testid="decline"]`)
	p.see("待我决定 1")
	p.open("/box/scan")
	p.text(link(ids[1]))
	p.says("declined")
	p.text(link(ids[0]))
	p.press(`[data-testid="consent"]`)
	p.see("生效中的授权 1")
	p.open("/box/scan")
	p.text(link(ids[0]))
	p.says("granted")
	p.press("=看这项授权")
	p.see("使用记录 0")
	p.numbered()
	p.open("/box/me")
	p.press("=长辈版")
	p.open("/box/scan")
	p.text("MULIAN:R/041061050R3GG28A1C60T3QZ1N")
	p.says("short")
	p.elder(20, 60)
	p.phone("box-scan-elder")
}

// others are codes that no page answers, and requests that are not on this ledger.
func (p *page) others(ids []string, link func(string) string) {
	p.t.Helper()
	p.open("/box/scan")
	nowhere := strings.Repeat("0", 31) + "1"
	for _, c := range []struct{ text, why string }{
		{"https://evil.example/login", "other"},
		{link(nowhere), "unknown"},
		{"https://other.example/box/ask/" + nowhere, "elsewhere"},
		{"MULIAN:R/041061050R3GG28A1C60T3QZ1M", "mistyped"},
		{"MULIAN:S/041061050R3GG28A1C60T3QZH7", "show"},
		{"MULIAN:V/041061050R3GG28A1C60T3QZM6/0A1B2C3D", "copy"},
		{"openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.example%2Fo", "offer"},
		{"https://bank.example.cn/a?client_id=x509_hash%3AUvo3&request_uri=https%3A%2F%2Fbank.example.cn%2Fr", "wallet"},
		{"ur:bytes/1-9/lpadascf", "frame"},
		{"HTTPS://Q.GOV.CN/R/041061050R3GG28A1C60T3QZ1N", "short"},
	} {
		p.text(c.text)
		p.says(c.why)
	}
	p.clipboard()
	p.press("=复制命令")
	p.see("已复制")
	if got := p.copied(); got != "mulian box scan 'HTTPS://Q.GOV.CN/R/041061050R3GG28A1C60T3QZ1N' --number …" {
		p.t.Errorf("copied %q", got)
	}
	p.phone("box-scan-short")
	p.speak("en-US")
	p.text("https://other.example/box/ask/" + ids[0])
	p.says("moved") // the same ledger behind another address
	p.phone("box-scan-en")
	p.speak("zh-CN")
	p.text("https://other.example/box/ask/" + ids[0])
	p.press("=在这个箱子里查看")
	p.at("/box/ask/" + ids[0])
	p.open("/box/scan")
}

// numbered: a request with a match number is answered with the digits of the other screen, and
// declined after three wrong ones.
func (p *page) numbered() {
	p.t.Helper()
	var account string
	p.ask(&account, `async () => { `+signers+` return (await signers())[0].account }`)
	id, salt := p.asksWith(account, "47")
	p.open("/box/scan")
	p.text(p.url + "/box/ask/" + id)
	p.says("salt")
	p.text(p.url + "/box/ask/" + id + "#" + salt)
	p.see("两位核对码")
	p.phone("box-scan-number")
	p.fill("#number", "48")
	p.press(`[data-testid="match"]`)
	p.see("还可以试 2 次")
	p.fill("#number", "47")
	p.press(`[data-testid="match"]`)
	p.see("会给出的内容")
	p.press(`[data-testid="consent"]`)
	p.see("生效中的授权 2")
	id, salt = p.asksWith(account, "12")
	p.open("/box/scan")
	p.text(p.url + "/box/ask/" + id + "#" + salt)
	for _, wrong := range []string{"21", "13", "11"} {
		p.fill("#number", wrong)
		p.press(`[data-testid="match"]`)
		p.see("不对")
	}
	p.press(`[data-testid="mismatch"]`)
	p.see("已报告主管部门")
}

// asksWith has the housing commission ask the person, with a match number.
func (p *page) asksWith(account, number string) (id, salt string) {
	p.t.Helper()
	ctx, chain, user := p.t.Context(), client.New(p.city.URL()), content.Find("住建委")
	use, door := &grantv1.IntendedUse{}, &identityv1.Account{}
	gateway := user.Code + "/g/main"
	for key, into := range map[string]proto.Message{"grant/register/" + user.Code + ":housing": use, "identity/account/" + gateway: door} {
		if found, err := chain.Get(ctx, key, into); err != nil || !found {
			p.t.Fatalf("%s: %t, %v", key, found, err)
		}
	}
	signer, err := (keyring.Ring{Dir: filepath.Join(p.home, "keys")}).Signer(user.Code, keyring.Officer)
	p.ok(err)
	random := make([]byte, 2*consent.SaltBytes+consent.NonceBytes)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	match, business, nonce := random[:consent.SaltBytes], random[consent.SaltBytes:2*consent.SaltBytes], random[2*consent.SaltBytes:]
	m := &grantv1.DataRequest{
		Use: user.Code + ":housing", Owner: account, Items: use.Items, OptionalItems: use.OptionalItems, ToMs: time.Now().AddDate(0, 0, 20).UnixMilli(), MaxUses: 1,
		NoticeHash: use.NoticeHash, Gateway: gateway, RecipientKey: door.GetGateway().GetSealingKey().GetId(), NotAfterMs: time.Now().Add(time.Hour).UnixMilli(), Nonce: nonce,
	}
	m.BusinessReference, err = consent.Private(business, "公租房 "+number)
	p.ok(err)
	m.MatchCommitment, err = consent.Match(match, number)
	p.ok(err)
	_, err = chain.Send(ctx, signer, &grantv1.RequestData{Request: m})
	p.ok(err)
	return consent.RequestID(user.Code, nonce), hex.EncodeToString(match)
}

// text gives the page the text of a code.
func (p *page) text(text string) {
	p.t.Helper()
	p.fill("#text", text)
	p.press(`[data-testid="read"]`)
}

// says waits until the page says what a code is.
func (p *page) says(why string) {
	p.t.Helper()
	var title string
	p.ask(&title, `async (why) => { `+until+` return (await until("the answer "+why, () => document.querySelector('[data-why="'+why+'"] h2'))).innerText }`, why)
	if strings.Contains(title, "scan.no") || title == "" {
		p.t.Errorf("%s says %q", why, title)
	}
}

// at waits until the page is at a path.
func (p *page) at(path string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (path) => { `+until+` await until(path, () => location.pathname === path); return true }`, path)
}

// picture chooses a picture's file.
func (p *page) picture(file []byte) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (b64) => { `+until+` const e = await until("#picture", () => document.querySelector("#picture")), t = new DataTransfer();
		t.items.add(new File([Uint8Array.from(atob(b64), c => c.charCodeAt(0))], "码.png", {type: "image/png"})); e.files = t.files; e.dispatchEvent(new Event("change", {bubbles: true})); return true }`, base64.StdEncoding.EncodeToString(file))
}

// camera lets the page see a picture: refused first, as people do.
func (p *page) camera(file []byte) {
	p.t.Helper()
	var off bool
	p.ask(&off, `async () => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError") }; return true }`)
	p.press(`[data-testid="camera"]`)
	p.says("denied")
	p.ask(&off, `async (b64) => {
		const img = await createImageBitmap(new Blob([Uint8Array.from(atob(b64), c => c.charCodeAt(0))])), c = document.createElement("canvas");
		c.width = img.width; c.height = img.height;
		navigator.mediaDevices.getUserMedia = async () => { const s = window.seen = c.captureStream(10), pen = c.getContext("2d");
			setInterval(() => { pen.fillStyle = "#fff"; pen.fillRect(0, 0, c.width, c.height); pen.drawImage(img, 0, 0) }, 100); return s };
		return true }`, base64.StdEncoding.EncodeToString(file))
	p.press(`[data-testid="camera"]`)
	p.ask(&off, `async () => { `+until+` return until("the camera off", () => window.seen && window.seen.getTracks().every(t => t.readyState === "ended")) }`)
}

// codes is a picture on which these codes lie beside each other.
func codes(p *page, texts ...string) []byte {
	p.t.Helper()
	const side = 700
	all := image.NewRGBA(image.Rect(0, 0, side*max(1, len(texts)), side))
	draw.Draw(all, all.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for i, text := range texts {
		c, err := qr.Draw(text)
		p.ok(err)
		one, err := png.Decode(bytes.NewReader(c.PNG()))
		p.ok(err)
		at := image.Pt(i*side+(side-one.Bounds().Dx())/2, (side-one.Bounds().Dy())/2)
		draw.Draw(all, one.Bounds().Add(at), one, image.Point{}, draw.Src)
	}
	var out bytes.Buffer
	p.ok(png.Encode(&out, all))
	return out.Bytes()
}
