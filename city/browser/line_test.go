package browser

import (
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"mulian/city/content"
)

func init() {
	story("line", line)
	story("names", names)
}

// changed is an entry that no other story asks for.
const changed = "企业变更登记记录"

// line: on a slow line what is typed stays, and when the line is cut in the middle of a write
// the page says so, goes on by itself when it is back, and the ledger has the write once.
func line(p *page) {
	p.ExpectErrors() // browsers note each call that does not arrive
	p.enter("user")
	item := content.Find("市场监管局").Entry(changed).Id
	before := len(asked(p.t, p.city.URL(), item))
	p.open("/request/new?item=" + item)
	p.settled()
	p.Slow(50_000, 2*time.Second)
	const purpose = "核对断线时的申请只落链一次"
	p.write("#f-purpose", purpose)
	// The write reaches the ledger; the line is cut before its answer reaches the page.
	var ok bool
	p.ask(&ok, `async () => {
		const real = window.fetch;
		window.fetch = async (...args) => {
			const at = typeof args[0] === "string" ? args[0] : args[0].url ?? String(args[0]);
			if (!at.endsWith("/Submit") || window.left) return real(...args);
			window.left = 1;
			const answer = await real(...args);
			await answer.arrayBuffer();
			window.arrived = 1;
			while (navigator.onLine) await new Promise((go) => setTimeout(go, 20));
			throw new TypeError("the line is cut") };
		return true }`)
	p.press(`[data-testid="file"]`)
	p.ask(&ok, `async () => { `+until+` await until("the write has arrived", () => window.arrived); return true }`)
	p.Offline(true)
	p.see("与节点断开")
	p.see("线路断了，不知道是否已经上链")
	var kept string
	p.ask(&kept, `async () => document.querySelector("#f-purpose").value + "|" + Object.keys(localStorage).filter(k => k.startsWith("mulian.draft.request.")).map(k => localStorage.getItem(k)).join()`)
	if strings.Count(kept, purpose) != 2 {
		p.t.Errorf("while the line is cut the form and its draft are %q", kept)
	}
	if now := len(asked(p.t, p.city.URL(), item)); now > before+1 {
		p.t.Errorf("%d requests after one was sent, %d before", now, before)
	}
	p.Slow(0, 0)
	p.ask(&ok, `async () => { `+until+` await until("the line again", () => !document.body.innerText.includes("与节点断开")); return true }`)
	p.press(`[data-testid="sign"]`) // the same bytes: what is on the ledger already is not carried out again
	p.see("已上链，高度")
	p.see(purpose)
	all := asked(p.t, p.city.URL(), item)
	if len(all) != before+1 {
		p.t.Errorf("%d requests for %s, %d before: one was signed", len(all), changed, before)
	}
	p.ask(&kept, `async () => Object.keys(localStorage).filter(k => k.startsWith("mulian.draft.request.")).map(k => localStorage.getItem(k)).join()`)
	if strings.Contains(kept, purpose) {
		p.t.Errorf("the draft stays after it was signed: %q", kept)
	}
	p.press(".toast button")
}

// names: characters that are in GB 18030 and in few fonts come through typing, the sentence,
// the ledger, lists and searches as they are; beside those without a glyph stands their number.
func names(p *page) {
	// Two of the general list, one of plane 3, and one for private use, which no font has.
	const rare, name = "𬭎㑇𰻝", "𬭎㑇𰻝\ue863登记册"
	const read = "\ue863〔U+E863〕登记册"
	p.enter("steward")
	p.open("/catalogue")
	var duty string
	p.ask(&duty, `async () => { `+until+` return decodeURIComponent((await until("a duty", () => document.querySelector('a[href^="/duty/"]'))).getAttribute("href").slice(6)) }`)
	p.open("/catalogue/new?duty=" + url.QueryEscape(duty))
	p.settled()
	p.focusOn("form input, .body input")
	p.Write("rare")
	p.Press("Tab")
	p.Write(name)
	p.sentences()
	p.press(`[data-testid="submit"]`)
	p.see("已上链，高度")
	var sentence string
	p.ask(&sentence, `async () => window.sentence ?? ""`)
	if !strings.Contains(sentence, rare) || !strings.Contains(sentence, read) {
		p.t.Errorf("the sentence that is signed reads %q", sentence)
	}
	p.press(".toast button")
	if got := entry(p.t, p.city.URL(), "rare").GetEntry().GetName(); got != name {
		p.t.Errorf("the ledger has the name %q, typed was %q", got, name)
	}
	p.see(read) // the item's own page
	p.Size(390, 844, true)
	p.settled()
	p.see(read)
	p.axe("rare names on the phone")
	p.Shot(filepath.Join(shots, "names-phone.png"))
	p.Size(1440, 900, false)
	for _, part := range []string{rare, "𬭎㑇", "㑇𰻝"} {
		p.findHit(part, rare)
	}
	p.open("/catalogue?tab=all&q=" + url.QueryEscape("㑇𰻝"))
	p.see(rare)
}

// focusOn puts the cursor into a field.
func (p *page) focusOn(selector string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s) => { `+until+` (await until(s, () => document.querySelector(s))).focus(); return true }`, selector)
}

// sentences keeps what the sheet shows to a signer, which goes when it is signed.
func (p *page) sentences() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { new MutationObserver(() => { const s = document.querySelector(".sentence")?.innerText; if (s) window.sentence = s })
		.observe(document, {subtree: true, childList: true, characterData: true}); return true }`)
}

// findHit types into the search box and waits for a hit with a name.
func (p *page) findHit(text, name string) {
	p.t.Helper()
	p.key("/")
	var ok bool
	p.ask(&ok, `async (s, name) => { `+until+`
		const e = await until("the search box", () => document.activeElement?.closest(".find input"));
		Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(e, s);
		e.dispatchEvent(new Event("input", {bubbles: true}));
		await until("a hit for " + s, () => [...document.querySelectorAll(".hits li:not(.second)")].some(li => li.innerText.includes(name)));
		return true }`, text, name)
}
