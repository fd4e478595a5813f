package browser

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/filing"
	"mulian/internal/browsertest"
	"mulian/internal/standard"
	"mulian/node"
)

// What TestRows holds the list against.
const (
	manyRows = 10_000 // as many as a search counts
	mostDOM  = 100    // rows that are drawn at once: the window of 80, and what stands for the rest
	// longest is what a task of the page may last while somebody scrolls: above it the page is felt to
	// hang. Measured were 83 ms, and 165 beside a build; the bound is our own choice.
	longest = 700 * time.Millisecond
)

// TestRows: a catalogue of 10,000 entries, imported as an office does, in one list of the console.
// What is drawn stays few; the end can be reached, and is the last entry; order and filter live in the
// address; the keyboard walks, opens and comes back; the count is that of the ledger.
func TestRows(t *testing.T) {
	browsertest.Find(t)
	home := t.TempDir()
	member, root := soleMember(t, home, standard.Parameters(), node.HTTPS{})
	chain := client.New(member.URL())
	fill(t, home, chain, root)
	p := &page{Browser: browsertest.Open(t), t: t, url: member.Pages(), home: home}
	p.Size(1440, 900, false)
	p.chinese()
	p.open("/catalogue?kind=entry")
	p.see("10,000 条")
	p.settled()
	p.few("at the beginning")
	p.axe("10,000 rows")
	p.Shot(filepath.Join(shots, "rows.png"))
	// To the end, as the End key or the scroll bar does: what is not there yet is read.
	began := time.Now()
	p.watchTasks()
	p.scrolls("el.scrollTop = el.scrollHeight")
	last := p.lastRow()
	p.t.Logf("the last of %d rows after %s: %q", manyRows, time.Since(began).Round(time.Millisecond), last)
	p.few("at the end")
	// Up and down again over all of it, a screen a frame.
	var seen int
	p.ask(&seen, `async () => { const el = document.querySelector(".table.many"), frame = () => new Promise(requestAnimationFrame); let seen = 0;
		for (let n = 0; n < 150; n++) { el.scrollTop = el.scrollHeight * (n % 75) / 75; await frame();
			const rows = [...el.querySelectorAll("tr[data-row]")], box = el.getBoundingClientRect();
			if (rows.some(r => { const b = r.getBoundingClientRect(); return b.top < box.bottom && b.bottom > box.top + 40 })) seen++ }
		return seen }`)
	if seen < 140 {
		t.Errorf("rows were to be seen in %d of 150 frames", seen)
	}
	p.tasks("scrolling")
	p.heights()
	// The order: by its heading, in the address, and of all of them, not of what was read.
	p.press("=名称")
	p.addressed("sort=name")
	p.scrolls("el.scrollTop = 0")
	p.firstRow("第00000号台账")
	p.press("=名称")
	p.addressed("sort=-name")
	p.firstRow("第09999号台账")
	p.open("/catalogue?kind=entry&sort=-name&update_cycle=weekly")
	p.see("2,000 条")
	p.firstRow("第09996号台账") // each fifth, from the second on
	p.axe("sorted and filtered")
	p.few("sorted and filtered")
	p.Shot(filepath.Join(shots, "rows-sorted.png"))
	p.walks()
	// A filter by its button comes into the address, and goes.
	p.open("/catalogue?kind=entry")
	p.press("=每月")
	p.addressed("update_cycle=monthly")
	p.see("2,000 条")
	p.press("=更新周期：每月")
	p.see("10,000 条")
	p.phoneRows()
	p.speak("en-US")
	p.Size(1440, 900, false)
	p.see("10,000 found")
	p.Shot(filepath.Join(shots, "rows-en.png"))
}

// fill imports a list as `mulian catalogue import` does, and waits until all of it can be found.
func fill(t *testing.T, home string, chain *client.Client, root client.Signer) {
	t.Helper()
	list := filepath.Join(home, "台账.csv")
	f, err := os.Create(list)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprint(w, "信息资源名称,提供单位,信息资源摘要,信息项,更新周期,共享类型\n")
	cycles := []string{"每日", "每周", "每月", "每季度", "每年"}
	for i := range manyRows {
		// Not in the order of their names: 7919 is prime to the number of rows.
		n := i * 7919 % manyRows
		fmt.Fprintf(w, "第%05d号台账,%s,本条目记录第 %d 类事项的办理情况,编号,%s,无条件共享\n", n, namedTitle, n, cycles[n%len(cycles)])
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	ring := keyring.Ring{Dir: filepath.Join(home, "keys")}
	if err := ring.Add(root.Account, keyring.Root, root.Key); err != nil {
		t.Fatal(err)
	}
	plan, _, err := intake.MakePlan(t.Context(), list, intake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	desk := &filing.Desk{Client: chain, Keys: ring, Authority: root.Account}
	out, err := desk.Import(t.Context(), plan, filing.Order{Source: "rows", Part: true, Duty: "综合管理", ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL})
	if err != nil {
		t.Fatal(err)
	}
	if out.Sent != manyRows {
		t.Fatalf("%d of %d entries were sent: %v", out.Sent, manyRows, out.Problems)
	}
	for {
		st, err := chain.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.GetIndexed() == st.GetEvents() {
			t.Logf("%d entries imported and indexed in %s, %d transactions", manyRows, time.Since(began).Round(time.Millisecond), out.Batches)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// few fails if more rows are drawn than a window has.
func (p *page) few(when string) {
	p.t.Helper()
	var n int
	p.ask(&n, `async () => document.querySelectorAll(".table.many tr").length`)
	if n == 0 || n > mostDOM {
		p.t.Errorf("%s: %d rows are drawn, 1 to %d are few", when, n, mostDOM)
	}
}

// scrolls moves the list.
func (p *page) scrolls(how string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { `+until+` const el = await until("the list", () => document.querySelector(".table.many")); `+how+`; return true }`)
}

// lastRow waits until the last row is in sight, and returns its name.
func (p *page) lastRow() (name string) {
	p.t.Helper()
	p.ask(&name, `async (n) => { `+until+` return until("the last row", () => {
		const el = document.querySelector(".table.many"), row = el.querySelector('tr[aria-rowindex="' + (n + 1) + '"][data-row]');
		if (!row) return null;
		const b = row.getBoundingClientRect(), box = el.getBoundingClientRect();
		return b.bottom <= box.bottom + 1 && b.top >= box.top ? row.cells[0].innerText.split("\n")[0] : null }) }`, manyRows)
	return name
}

// firstRow waits until a row is the first one.
func (p *page) firstRow(name string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (name) => { `+until+` await until("the first row " + name, () => document.querySelector('.table tr[aria-rowindex="2"]')?.innerText.startsWith(name)); return true }`, name)
}

// addressed waits until the address says so.
func (p *page) addressed(part string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s) => { `+until+` await until(s, () => new URLSearchParams(location.search).toString().split("&").includes(s)); return true }`, part)
}

// heights fails unless rows are as high as the window takes them to be.
func (p *page) heights() {
	p.t.Helper()
	var high []float64
	p.ask(&high, `async () => [...new Set([...document.querySelectorAll(".table.many tr[data-row]")].map(r => r.getBoundingClientRect().height))]`)
	if len(high) != 1 || high[0] != 57 {
		p.t.Errorf("rows are %v px high, the window counts on 57", high)
	}
}

// watchTasks hears of long tasks from now on.
func (p *page) watchTasks() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { window.tasks = []; new PerformanceObserver(l => window.tasks.push(...l.getEntries().map(e => e.duration))).observe({type: "longtask"}); return true }`)
}

// tasks fails if one lasted too long.
func (p *page) tasks(what string) {
	p.t.Helper()
	var all []float64
	p.ask(&all, `async () => { await new Promise(r => setTimeout(r, 100)); return window.tasks }`)
	most := 0.0
	for _, d := range all {
		most = max(most, d)
	}
	p.t.Logf("%s: %d tasks above 50 ms, the longest %.0f ms", what, len(all), most)
	if d := time.Duration(most * float64(time.Millisecond)); d > longest {
		p.t.Errorf("%s: a task lasted %s, at most %s", what, d, longest)
	}
}

// walks: j and k move along the rows, also where the window ends; Enter opens one, and who comes back is where he was.
func (p *page) walks() {
	p.t.Helper()
	for range 60 {
		p.Press("j")
	}
	p.Press("k")
	var row struct {
		Index int
		Sight bool
	}
	where := `async () => { ` + until + ` await until("a row with the focus", () => document.activeElement?.dataset.row); await new Promise(r => setTimeout(r, 100));
		const r = document.activeElement, b = r.getBoundingClientRect(), box = r.closest(".table").getBoundingClientRect();
		return {Index: Number(r.getAttribute("aria-rowindex")) - 2, Sight: b.top >= box.top + 39 && b.bottom <= box.bottom + 1} }`
	p.ask(&row, where)
	if row.Index != 58 || !row.Sight {
		p.t.Errorf("after 60 times j and one k the focus is on row %d, in sight: %t", row.Index, row.Sight)
	}
	p.Press("Enter")
	p.see("职责") // the page of the entry
	var title string
	p.ask(&title, `async () => { `+until+` return until("the entry's page", () => location.pathname.startsWith("/item/") && document.querySelector("h1")?.innerText) }`)
	if !strings.Contains(title, "号台账") {
		p.t.Errorf("Enter opens %q", title)
	}
	var ok bool
	p.ask(&ok, `async () => { history.back(); return true }`)
	p.ask(&row, where)
	if row.Index != 58 || !row.Sight {
		p.t.Errorf("who comes back finds row %d, in sight: %t", row.Index, row.Sight)
	}
}

// phoneRows: on a phone the list is cards, as wide as the phone.
func (p *page) phoneRows() {
	p.t.Helper()
	p.Size(390, 844, true)
	p.settled()
	p.see("10,000 条")
	var wide int
	p.ask(&wide, `async () => document.documentElement.scrollWidth - innerWidth`)
	if wide > 0 {
		p.t.Errorf("the list is %d px wider than the phone", wide)
	}
	p.axe("10,000 rows on the phone")
	p.Shot(filepath.Join(shots, "rows-phone.png"))
}
