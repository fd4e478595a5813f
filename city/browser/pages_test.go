package browser

import (
	"cmp"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mulian/city"
	"mulian/client/sentence"
	"mulian/internal/browsertest"
)

// stories by the name of their area; each file of this package adds its own.
var stories = map[string]func(*page){}

// story adds one.
func story(name string, tell func(*page)) { stories[name] = tell }

// TestPages brings one city up and tells every story in a browser of its own.
func TestPages(t *testing.T) {
	browsertest.Find(t)
	home := filepath.Join(t.TempDir(), "home")
	c, err := city.Open(t.Context(), city.Options{Home: home, Listen: "127.0.0.1:0", Language: sentence.Chinese})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := c.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.FileWaiting(t.Context()); err != nil {
		t.Fatal(err)
	}
	living, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Live(living) }()
	defer func() { stop(); <-ended }()
	// In an order that does not change, for they share one city; the inbox last, which leaves
	// no request unanswered.
	names := slices.Sorted(maps.Keys(stories))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(strings.Count(a, "inbox"), strings.Count(b, "inbox")) })
	for _, name := range names {
		tell := stories[name]
		t.Run(name, func(t *testing.T) {
			p := &page{Browser: browsertest.Open(t), t: t, url: c.Pages(), city: c, home: home}
			p.Size(1440, 900, false)
			p.Authenticator(browsertest.Device{})
			p.chinese()
			tell(p)
		})
	}
}

// page is one browser on the city's pages.
type page struct {
	*browsertest.Browser
	t      *testing.T
	url    string
	city   *city.City
	home   string // of the city: its departments' databases are below
	clicks int

	presses int // so far, for press alone
}

// until is JavaScript that waits for a condition of the page, as long as it changes.
const until = `const until = (what, f) => new Promise((ok, no) => {
	const look = () => { let v; try { v = f() } catch {} if (v) { end(); ok(v) } };
	const o = new MutationObserver(look), tick = setInterval(look, 200);
	const late = setTimeout(() => { end(); no(new Error("not there: " + what + "; the page says: " + document.body.innerText.slice(0, 1500))) }, 50000);
	const end = () => { o.disconnect(); clearInterval(tick); clearTimeout(late) };
	o.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
	look();
});`

func (p *page) ask(out any, function string, args ...any) {
	p.t.Helper()
	err := p.Ask(out, function, args...)
	for again := 0; again < 3 && err != nil && strings.Contains(err.Error(), "navigated or closed"); again++ {
		err = p.Ask(out, function, args...) // of the page that has come instead
	}
	if err != nil {
		p.Shot(filepath.Join(shots, "failed-"+strings.ReplaceAll(p.t.Name(), "/", "-")+".png"))
		p.t.Fatal(err)
	}
}

// open loads a path of the city's pages in Chinese.
func (p *page) open(path string) {
	p.t.Helper()
	p.Visit(p.url + path)
}

// chinese makes the city's pages Chinese before the first of them is opened, whatever the
// language of the machine, and leaves nothing of that in the cache.
func (p *page) chinese() {
	p.t.Helper()
	p.open("/seats")
	p.speak("zh-CN")
	p.Visit("about:blank") // else the renderer keeps what it has read
	p.Forget()
}

// click waits for an element that can be clicked, clicks it and counts. A selector that
// begins with = is the text of a button or link.
func (p *page) click(selector string) {
	p.t.Helper()
	p.clicks++
	p.press(selector)
}

// press is click without counting: for what is no part of the task. A click that leads to
// another page before it could be told is not made again there.
func (p *page) press(selector string) {
	p.t.Helper()
	var ok bool
	p.presses++
	p.ask(&ok, `async (s, n) => { `+until+`
		if (sessionStorage.getItem("pressed") === n) return true;
		const find = () => s[0] === "=" ? [...document.querySelectorAll("button,a,[role=tab],summary")].find(e => e.innerText.trim().startsWith(s.slice(1))) : document.querySelector(s);
		const e = await until(s, () => { const e = find(); return e && !e.disabled && e.getClientRects().length ? e : null });
		sessionStorage.setItem("pressed", n);
		e.scrollIntoView({block: "center"}); e.click(); return true }`, selector, strconv.Itoa(p.presses))
}

// see waits until the page shows a text.
func (p *page) see(text string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s) => { `+until+` await until(s, () => document.body.innerText.includes(s)); return true }`, text)
}

// key presses a key on the page as a whole.
func (p *page) key(key string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (k) => { (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true})); return true }`, key)
}

// enter takes a seat of the demo and waits until the console shows whose it is.
func (p *page) enter(seat string) {
	p.t.Helper()
	p.open("/seats")
	p.speak("zh-CN")
	p.click(`[data-seat="` + seat + `"]`)
	p.see("席位已上链")
}

// speak loads the page again in a language.
func (p *page) speak(language string) {
	p.t.Helper()
	p.set("mulian.language", language)
}

// wear loads the page again in a theme.
func (p *page) wear(theme string) {
	p.t.Helper()
	p.set("mulian.theme", theme)
}

func (p *page) set(key, value string) {
	p.t.Helper()
	var path string
	p.ask(&path, `async (k, v) => { localStorage.setItem(k, v); return location.pathname + location.search }`, key, value)
	p.open(path)
	p.settled()
}

// settled waits until the page has its heading and nothing is on its way.
func (p *page) settled() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { `+until+` await until("a heading", () => document.querySelector("h1")); await until("loaded", () => !document.querySelector(".bones,.ant-spin")); return true }`)
}

// shots is where screenshots go; git ignores it.
var shots = filepath.Join("..", "..", "console", "shots")

// look holds the page against axe in both themes, and takes screenshots: Chinese and
// English, light and dark, on a phone, where it has to be as wide as the phone.
func (p *page) look(name string) {
	p.t.Helper()
	shot := func(as string) { p.settled(); p.Shot(filepath.Join(shots, name+"-"+as+".png")) }
	p.wear("dark")
	p.axe(name + " dark")
	shot("zh-dark")
	p.wear("light")
	p.axe(name + " light")
	shot("zh")
	p.speak("en-US")
	shot("en")
	p.Size(390, 844, true)
	p.speak("zh-CN")
	p.axe(name + " mobile")
	shot("mobile")
	var wide int
	p.ask(&wide, `async () => document.documentElement.scrollWidth - innerWidth`)
	if wide > 0 {
		p.t.Errorf("%s is %d px wider than the phone", name, wide)
	}
	p.Size(1440, 900, false)
	p.speak("zh-CN")
}

// calm waits until nothing fades or slides any more: a drawer halfway in has half its contrast.
// What turns for ever, as a mark of life does, is not waited for.
func (p *page) calm() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { const moving = (a) => a.playState === "running" && a.effect?.getComputedTiming().iterations !== Infinity;
		const late = Date.now() + 20000; let quiet = 0;
		while (quiet < 3 && Date.now() < late) { await new Promise((go) => setTimeout(go, 30)); quiet = document.getAnimations().some(moving) ? 0 : quiet + 1 }
		return quiet === 3 }`)
	if !ok {
		p.t.Error("something on the page moves for 20 s without an end")
	}
}

// axe runs axe-core on the page when it stands calm. What changes meanwhile, as a button that can
// be pressed at last, does so at once: half of a change has half its contrast.
func (p *page) axe(where string) {
	p.t.Helper()
	p.calm()
	source, err := os.ReadFile(filepath.Join("..", "..", "console", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			p.t.Fatal(err)
		}
		p.t.Log("SKIP axe: scripts/need-console installs it")
		return
	}
	var found []struct {
		ID, Help string
		Nodes    []struct {
			HTML           string
			FailureSummary string
		}
	}
	p.ask(&found, `async () => { if (!window.axe) { const module = undefined, exports = undefined, define = undefined; `+string(source)+` }
		const sheet = new CSSStyleSheet(); sheet.replaceSync("*, *::before, *::after { transition: none !important }"); document.adoptedStyleSheets.push(sheet);
		try { return (await window.axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})).violations }
		finally { document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet) } }`)
	for _, v := range found {
		for _, n := range v.Nodes {
			p.t.Errorf("axe, %s: %s: %s\n%.300s\n%s", where, v.ID, v.Help, n.HTML, n.FailureSummary)
		}
	}
}

// task fails if a task took more clicks than the specification allows.
func (p *page) task(name string, most int) {
	p.t.Helper()
	p.t.Logf("%s: %d clicks, at most %d", name, p.clicks, most)
	if p.clicks > most {
		p.t.Errorf("%s took %d clicks, at most %d", name, p.clicks, most)
	}
	p.clicks = 0
}

// fetch asks the server as a page would, and returns the status and a header.
func (p *page) fetch(path, header string) (status int, value string) {
	p.t.Helper()
	var out struct {
		Status int
		Value  *string
	}
	p.ask(&out, `async (path, header) => { const r = await fetch(path); return {Status: r.status, Value: r.headers.get(header)} }`, path, header)
	if out.Value != nil {
		value = *out.Value
	}
	return out.Status, value
}
