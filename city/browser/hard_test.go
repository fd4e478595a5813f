package browser

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	"mulian/internal/browsertest"
)

func init() {
	story("race", race)
	story("keyboard", keyboard)
	story("keyboard-box", keyboardBox)
	story("budgets", budgets)
}

// race: two officers of one department authorise the same request in the same moment. One
// answer is on the ledger; the other reads that and why his is not.
func race(p *page) {
	other := &page{Browser: browsertest.Open(p.t), t: p.t, url: p.url, city: p.city, home: p.home}
	other.Size(1440, 900, false)
	other.Authenticator(browsertest.Device{})
	both := []*page{p, other}
	for _, b := range both {
		b.enter("steward")
		b.see("待我授权")
	}
	var id string
	p.ask(&id, `async () => { `+until+` return (await until("a row", () => document.querySelector("tr[data-row]"))).dataset.row }`)
	from := p.height()
	for _, b := range both {
		b.open("/inbox?id=" + id)
		b.settled()
	}
	var wait sync.WaitGroup
	results := make([]string, 2)
	for i, b := range both {
		wait.Go(func() {
			if err := b.Ask(&results[i], `async () => { `+until+`
				(await until("the button", () => { const e = document.querySelector('[data-testid="authorise"]'); return e && !e.disabled ? e : null })).click();
				return await until("an end", () => document.querySelector(".toast") ? "done" : (() => { const n = document.querySelector("[role=dialog] .note.red"); return n?.querySelector('p a[href^="/tx/"]') ? n.innerText : null })()) }`); err != nil {
				results[i] = err.Error()
			}
		})
	}
	wait.Wait()
	done := 0
	for i, r := range results {
		p.t.Logf("browser %d: %s", i+1, r)
		if r == "done" {
			done++
			continue
		}
		// The code, what happened and by whom, what to do, and where both stand.
		for _, part := range []string{"当前状态不允许这样做 (MUL-13022)", "已有人先办", "数据管理岗", "密钥", "没有重复", "结果合意就不用再签", "查看先上链的交易", "拒绝记录在高度"} {
			if !strings.Contains(r, part) {
				p.t.Errorf("who came second does not read %q in %q", part, r)
			}
		}
		if strings.Contains(r, "REQUEST_STATE") {
			p.t.Errorf("who came second reads a rule's own words: %q", r)
		}
	}
	for i, b := range both {
		b.Shot(filepath.Join(shots, "race-"+string(rune('1'+i))+".png"))
	}
	if done != 1 {
		p.t.Errorf("%d of two answers were taken", done)
	}
	answers := 0
	for _, tx := range p.since(from) {
		if strings.Join(tx.Verbs, " ") == "answer" && tx.Refusal == "" && len(tx.Objects) > 0 && strings.HasSuffix(tx.Objects[0], id) {
			answers++
		}
	}
	if answers != 1 {
		p.t.Errorf("the ledger has %d answers to %s", answers, id)
	}
}

// height is that of the chain.
func (p *page) height() int64 {
	p.t.Helper()
	st, err := client.New(p.city.URL()).Status(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return st.GetHeight()
}

// since are the transactions over a height, without the routine of gateways.
func (p *page) since(height int64) (txs []*consolev1.Transaction) {
	p.t.Helper()
	res, err := consolev1connect.NewConsoleServiceClient(client.HTTPClient(), p.city.URL()).ListBlocks(p.t.Context(),
		connect.NewRequest(&consolev1.ListBlocksRequest{Above: height, Quiet: true, Objects: true, Limit: 50}))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, b := range res.Msg.Blocks {
		txs = append(txs, b.Transactions...)
	}
	return txs
}

// keyboard: a request is authorised without a mouse.
func keyboard(p *page) {
	p.open("/seats")
	p.focus(`[data-seat="steward"]`)
	p.Press("Enter")
	p.see("待我授权")
	from := p.height()
	p.press(".toast button")
	p.Press("g", "e")
	p.see("笔交易")
	p.Press("g", "i")
	p.see("待我授权")
	p.settled()
	p.focus("tr[data-row]")
	p.Press("j")
	p.Press("a")
	p.see("已上链，高度")
	answered := false
	for _, tx := range p.since(from) {
		answered = answered || strings.Join(tx.Verbs, " ") == "answer" && tx.Refusal == ""
	}
	if !answered {
		p.t.Error("the ledger has no answer by the keyboard")
	}
}

// keyboardBox: a consent is given and revoked without a mouse or a finger.
func keyboardBox(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.focus(`[data-testid="open"]`)
	p.Press("Enter")
	p.see("待我决定 2")
	p.focus(`a[href^="/box/ask/"]`)
	p.Press("Enter")
	p.see("会给出的内容")
	p.focus(`[data-testid="consent"]`)
	p.Press("Enter")
	p.see("生效中的授权 1")
	p.focus("button.danger")
	p.Press("Enter")
	p.see("生效中的授权 0")
}

// What may come off the line, with gzip: the console's frame, and each page's own chunk.
const (
	shellBudget = 450 << 10
	chunkBudget = 30 << 10
)

// budgets: the console's first page, and the chunk of each page.
func budgets(p *page) {
	p.open("/explorer")
	p.see("笔交易")
	var size int
	p.ask(&size, `async () => { `+until+`
		const files = () => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter(e => !e.name.includes("/mulian."));
		await until("all files", () => ["/antd.js", "/react.js", "/console.js", "/pages-explorer"].every(f => files().some(e => e.name.includes(f))) && files().every(e => e.encodedBodySize > 0));
		return files().reduce((n, e) => n + e.encodedBodySize, 0) }`)
	p.t.Logf("/explorer: %d bytes at first load, at most %d", size, shellBudget)
	if size == 0 || size > shellBudget {
		p.t.Errorf("the console takes %d bytes at first load, at most %d", size, shellBudget)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "console", "dist", "assets", "pages-*.js"))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("no chunks of pages: %v", err)
	}
	for _, f := range files {
		if n := packed(p.t, f); n > chunkBudget {
			p.t.Errorf("%s has %d bytes with gzip, at most %d", filepath.Base(f), n, chunkBudget)
		}
	}
}

func packed(t testing.TB, path string) int {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is one
	if _, err := w.Write(raw); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.Len()
}
