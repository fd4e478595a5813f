package browser

import (
	"context"
	"io"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
	"mulian/safebox"
	"mulian/safebox/boxcall"
	"mulian/safebox/owner"
)

func init() { story("vault", vaults) }

// kept is what the pages of the vault's story put into the box.
const kept = "租房合同：甲方、乙方、月租 3,200.00 元。"

// vaults: the vault is made in the browser and opens with the passkey and with the code; what
// a department has laid into it opens there, and what was put in there opens with the Go side.
func vaults(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.see("指纹")
	p.openKeys()
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	p.press(`a[href="/box/data"]`)
	p.see("建立保险库")
	p.phone("box-vault")
	p.press(`[data-testid="code-make"]`)
	p.see("把恢复码抄在纸上")
	var code string
	p.ask(&code, `async () => document.querySelector('[data-testid="code"]').innerText.trim()`)
	p.axe("box-vault-code")
	p.Shot("../../console/shots/box-vault-code.png")
	p.fill("#code-again", "00000")
	p.see("和上面的恢复码不一致")
	p.fill("#code-again", strings.ToLower(code[len(code)-6:]))
	p.press(`[data-testid="vault-make"]`)
	p.see("社会保险参保证明")
	p.see("与账本一致")
	p.puts()
	p.phone("box-data")
	p.reads()
	p.opensInGo(code)
	p.unlocks(code)
	p.erases()
}

// puts puts a file of one's own into the box.
func (p *page) puts() {
	p.t.Helper()
	p.file("#file", "租房合同.txt", "text/plain", kept)
	p.press(`[data-testid="put"]`)
	p.see("共 2 件")
	p.see("我自己放的")
}

// reads opens what the department gave: hidden until it is tapped.
func (p *page) reads() {
	p.t.Helper()
	p.press("=社会保险参保证明")
	p.see("与账本上的承诺一致")
	p.press(`[data-testid="show"]`)
	p.see("完整无改动")
	p.see("累计月数")
	var shown string
	p.ask(&shown, `async () => document.body.innerText`)
	if strings.Contains(shown, "职工基本养老保险") {
		p.t.Error("a value shows before it is tapped")
	}
	p.press("=参保险种")
	p.see("职工基本养老保险")
	p.phone("box-asset")
	var took []string
	p.ask(&took, `async () => [...document.body.innerText.matchAll(/[^\n]*ms[^\n]*/g)].map(m => m[0])`)
	p.t.Logf("cryptography of the page: %s", strings.Join(took, "; "))
}

// opensInGo: what the browser made opens with package safebox, by the code on paper and by the
// passkey's secret; and what is put in there with Go, the browser shows.
func (p *page) opensInGo(code string) {
	p.t.Helper()
	ctx := p.t.Context()
	b := p.owner()
	paper, err := safebox.ByRecoveryCode(code)
	p.ok(err)
	o, err := b.Unlock(ctx, paper)
	p.ok(err)
	it, err := o.Find(ctx, "租房合同")
	p.ok(err)
	r, err := o.Content(ctx, it)
	p.ok(err)
	if raw, err := io.ReadAll(r); err != nil || string(raw) != kept {
		p.t.Errorf("Go reads %d bytes of what the browser put in: %v", len(raw), err)
	}
	var credential []byte
	p.ask(&credential, `async () => { `+signers+` return base64((await signers())[0].credential) }`)
	answer, err := p.Get("localhost", []byte("0123456789abcdef0123456789abcdef"), credential, "required", []byte(safebox.PRFInput))
	p.ok(err)
	if _, err := b.Unlock(ctx, safebox.ByPasskey(credential, [32]byte(answer.Secret))); err != nil {
		p.t.Errorf("the passkey's secret opens nothing in Go: %v", err)
	}
	long := strings.Repeat("家谱。", 60_000) // nine chunks
	_, err = b.Put(ctx, owner.Content{Title: "家谱", MediaType: "text/plain", Open: owner.Bytes([]byte(long))})
	p.ok(err)
	p.open("/box/data")
	p.see("保险库已锁")
	p.phone("box-locked")
	p.press(`[data-testid="unlock"]`)
	p.see("共 3 件")
	p.press("=家谱")
	var took string
	p.ask(&took, `async () => { `+until+` return await until("ms", () => (document.body.innerText.match(/[^\n]*打开保险库[^\n]*/) ?? [])[0]) }`)
	p.t.Log(took)
	p.press(`[data-testid="show"]`)
	p.see("家谱。家谱。")
	p.see("完整无改动")
}

// unlocks: the code alone opens the vault, and no other code does.
func (p *page) unlocks(code string) {
	p.t.Helper()
	p.open("/box/data")
	p.press("=用恢复码打开")
	p.fill("#code", safebox.NewRecoveryCode())
	p.press(`[data-testid="unlock-code"]`)
	p.see("打不开：不是这个保险库的")
	p.fill("#code", strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	p.press(`[data-testid="unlock-code"]`)
	p.see("共 3 件")
}

// erases: one thing is erased for good; the ledger keeps that it was.
func (p *page) erases() {
	p.t.Helper()
	p.press("=租房合同")
	p.see("永久擦除")
	p.press(`[data-testid="erase"]`)
	p.see("共 2 件")
	b := p.owner()
	list, err := b.Door.List(p.t.Context())
	p.ok(err)
	held, err := b.Recorded(p.t.Context())
	p.ok(err)
	if len(list) != 2 || len(held) != 2 {
		p.t.Errorf("after the erasure %d lie in the box, the ledger has %d", len(list), len(held))
	}
}

// owner is the box of the person in the browser as a program of hers has it, with the key of
// her device.
func (p *page) owner() *owner.Box {
	p.t.Helper()
	var found struct {
		Account string
		D       []byte
	}
	p.ask(&found, `async () => { `+signers+` const s = (await signers())[0], k = await crypto.subtle.exportKey("jwk", s.device.secret);
		return {Account: s.account, D: base64(Uint8Array.from(atob(k.d.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0)))} }`)
	key, err := sm.FromSeed(sm.P256, [32]byte(found.D))
	p.ok(err)
	chain := client.New(p.city.URL())
	st, err := chain.Status(p.t.Context())
	p.ok(err)
	s := client.Signer{Account: found.Account, Key: key}
	return &owner.Box{
		Account: s.Account, Chain: chain, Dir: filepath.Join(p.t.TempDir(), "box"),
		Door: &boxcall.Caller{Door: boxcall.Dial(p.city.URL()), Chain: st.GetChainId(), Name: st.GetBoxDoor(), Signer: s},
		Send: func(ctx context.Context, _ identityv1.KeyLevel, messages ...proto.Message) (*client.Receipt, error) {
			return chain.Send(ctx, s, messages...)
		},
	}
}

// signers is JavaScript that reads the keys of this browser's accounts.
const signers = `const base64 = b => btoa(String.fromCharCode(...b));
const signers = () => new Promise((done, fail) => { const r = indexedDB.open("mulian", 1); r.onerror = () => fail(r.error);
	r.onsuccess = () => { const all = r.result.transaction("signers").objectStore("signers").getAll(); all.onsuccess = () => { r.result.close(); done(all.result.filter(s => !s.org)) } } });`

// openKeys lets keys that the page makes from now on be taken out: a program of the test signs
// with them, too.
func (p *page) openKeys() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { const make = crypto.subtle.generateKey.bind(crypto.subtle); crypto.subtle.generateKey = (a, _, u) => make(a, true, u); return true }`)
}

// fill types into a field.
func (p *page) fill(selector, text string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s, v) => { `+until+` const e = await until(s, () => document.querySelector(s));
		Object.getOwnPropertyDescriptor(e instanceof HTMLTextAreaElement ? HTMLTextAreaElement.prototype : HTMLInputElement.prototype, "value").set.call(e, v);
		e.dispatchEvent(new Event("input", {bubbles: true})); return true }`, selector, text)
}

// file chooses a file.
func (p *page) file(selector, name, mediaType, content string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s, name, type, content) => { `+until+` const e = await until(s, () => document.querySelector(s)), t = new DataTransfer();
		t.items.add(new File([content], name, {type})); e.files = t.files; e.dispatchEvent(new Event("change", {bubbles: true})); return true }`, selector, name, mediaType, content)
}

func (p *page) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}
