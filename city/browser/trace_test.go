package browser

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/prooffile"
	"mulian/client/tracepack"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/browsertest"
)

func init() {
	story("trace", traceAndExport)
	story("verify", verifyOffline)
	story("compare", compareVersions)
	story("missing", lack)
}

// compareVersions: two versions of an entry side by side, from the trace of the entry.
func compareVersions(p *page) {
	c := client.New(p.city.URL())
	id, versions := "", uint64(0)
	if err := c.List(p.t.Context(), "catalogue/entry/", func(_ string, raw []byte) bool {
		e := &cataloguev1.Entry{}
		if err := proto.Unmarshal(raw, e); err != nil {
			p.t.Fatal(err)
		}
		if e.GetVersion() > versions {
			id, versions = e.GetId(), e.GetVersion()
		}
		return true
	}); err != nil || id == "" {
		p.t.Fatalf("no entry: %v", err)
	}
	p.t.Logf("%s has %d versions", id, versions)
	p.open("/trace/" + strings.NewReplacer("/", "%2F", ":", "%3A").Replace("catalogue/entry/"+id))
	p.see("步已在本机验证")
	p.press(`a[href^="/trace/compare"]`)
	p.see("较早")
	if versions == 1 {
		p.see("只有一个版本")
		p.see("两个版本的内容相同")
	}
	p.look("compare")
}

// agreement is one that is in force, and the hash of the city's genesis.
func agreement(t testing.TB, c *client.Client) (id string, genesis [32]byte) {
	t.Helper()
	res, err := c.Share.ListAgreements(t.Context(), connect.NewRequest(&sharev1.ListAgreementsRequest{Limit: 1}))
	if err != nil || len(res.Msg.GetAgreements()) == 0 {
		t.Fatalf("no agreement: %v", err)
	}
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.GetAgreements()[0].GetId(), [32]byte(st.GetGenesisHash())
}

// enterText puts a text into a field as typing does, and presses Enter.
func (p *page) enterText(selector, text string) {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async (s, text) => { `+until+`
		const e = await until(s, () => document.querySelector(s));
		e.focus();
		Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(e, text);
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", code: "Enter", keyCode: 13, bubbles: true, cancelable: true}));
		return true }`, selector, text)
}

// keepSaved makes the page keep what it would save as a file.
func (p *page) keepSaved() {
	p.t.Helper()
	var ok bool
	p.ask(&ok, `async () => { window.saved = []; const make = URL.createObjectURL;
		URL.createObjectURL = b => { window.saved.push(b); return make.call(URL, b) };
		const click = HTMLAnchorElement.prototype.click;
		HTMLAnchorElement.prototype.click = function () { if (this.download) window.savedName = this.download; else click.call(this) };
		return true }`)
}

// saved is the file that the page has saved last.
func (p *page) saved() (name string, file []byte) {
	p.t.Helper()
	var out struct{ Name, File string }
	p.ask(&out, `async () => { `+until+` const b = await until("a saved file", () => window.saved.at(-1));
		const raw = new Uint8Array(await b.arrayBuffer()); let s = ""; for (let i = 0; i < raw.length; i += 8192) s += String.fromCharCode(...raw.subarray(i, i + 8192));
		return {Name: window.savedName, File: btoa(s)} }`)
	raw, err := base64.StdEncoding.DecodeString(out.File)
	if err != nil {
		p.t.Fatal(err)
	}
	return out.Name, raw
}

// traceAndExport: an auditor pastes an id, sees every step checked by the page itself, and
// saves the evidence with one click; `mulian verify` takes it. A proof that was tampered with
// on its way is shown as failed.
func traceAndExport(p *page) {
	id, genesis := agreement(p.t, client.New(p.city.URL()))
	p.enter("auditor")
	p.open("/")
	p.see("最近发生的事")
	p.look("trace-list")
	p.staysPut()
	p.clicks = 0
	p.key("/")
	p.enterText(".find input", id)
	p.see("一条数据的一生")
	p.see("步已在本机验证")
	p.keepSaved()
	p.click(`[data-testid="export"]`)
	p.task("trace a datum and export evidence", 1)
	p.see("已交给浏览器保存到下载文件夹")
	name, file := p.saved()
	p.see(name)
	r := tracepack.Check(file, genesis)
	if !r.OK || r.Object != "share/agreement/"+id || r.Steps < 5 || !strings.HasSuffix(name, ".zip") {
		p.t.Fatalf("%s: %+v", name, r)
	}
	var marks struct{ Steps, Good int }
	p.ask(&marks, `async () => { `+until+` const count = (s) => document.querySelectorAll(s).length;
		await until("all steps are checked", () => count("[data-step]") > 0 && count("[data-step]") === count("[data-ok=true]"));
		return {Steps: count("[data-step]"), Good: count("[data-ok=true]")} }`)
	if marks.Steps < r.Steps || marks.Good != marks.Steps { // the agreement may be used meanwhile
		p.t.Errorf("%d of %d steps are marked as checked, the pack has %d", marks.Good, marks.Steps, r.Steps)
	}
	p.look("trace")
	p.press("[data-ok=true] .mark")
	p.see("逐项核验")
	p.press(".ant-drawer summary")
	p.see("国密签名")
	p.axe("proof of a step")
	p.Shot(filepath.Join(shots, "trace-step.png"))
	p.open("/trace/" + strings.ReplaceAll("share/agreement/"+id, "/", "%2F"))
	p.see("步已在本机验证")
	p.press(`[data-testid="export"]`)
	p.press(`[data-testid="saved"] a[href="/verify"]`)
	p.see("成立：")
	p.public(id)
	p.tampered("/trace/" + strings.ReplaceAll("share/agreement/"+id, "/", "%2F"))
}

// public looks at the page without script: of an agreement, and of a code that nobody gave out.
func (p *page) public(id string) {
	p.t.Helper()
	p.open("/v/" + id + "?lang=zh-CN")
	p.see("在账本上")
	p.axe("public page")
	p.open("/v/?lang=zh-CN")
	p.see("核验一份加注件")
	p.axe("public page of a copy")
	p.Shot(filepath.Join(shots, "public-copy.png"))
}

// tampered changes one letter of a proof on its way into the page.
func (p *page) tampered(path string) {
	p.t.Helper()
	p.open("/object/" + strings.TrimPrefix(path, "/trace/"))
	var ok bool
	p.ask(&ok, `async () => { const ask = window.fetch; window.fetch = async (...a) => { const r = await ask(...a);
		if (!String(a[0]?.url ?? a[0]).includes("ConsoleService/Prove")) return r;
		const b = new Uint8Array(await r.arrayBuffer()), text = Array.from(b, c => String.fromCharCode(c)).join("");
		const at = text.lastIndexOf('"signature": "', text.lastIndexOf('"sm2"')) + 20; b[at] = b[at] === 65 ? 66 : 65;
		return new Response(b, {status: r.status, headers: r.headers}) }; return true }`)
	p.press("=凭证")
	p.see("不成立，不要采信")
	p.Shot(filepath.Join(shots, "proof-tampered.png"))
	var verdict string
	p.ask(&verdict, `async () => document.querySelector("[data-verdict]").dataset.verdict`)
	if verdict != "fails" {
		p.t.Errorf("a proof with another letter in a validator's signature: %s", verdict)
	}
	p.open("/object/" + strings.TrimPrefix(path, "/trace/"))
	p.press("=凭证")
	p.see("成立：已在本机从创世起核验")
	p.Shot(filepath.Join(shots, "proof.png"))
}

// dropFile drops a file on the page.
func (p *page) dropFile(name string, file []byte) (result string) {
	p.t.Helper()
	p.clicks++
	p.ask(&result, `async (name, file) => { `+until+`
		const raw = Uint8Array.from(atob(file), c => c.charCodeAt(0)), data = new DataTransfer();
		data.items.add(new File([raw], name));
		(await until("the zone", () => document.querySelector(".drop"))).dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
		const find = () => [...document.querySelectorAll("[data-file]")].find(e => e.dataset.file === name);
		await until("a verdict on " + name, () => find() && find().dataset.result !== "busy");
		return find().dataset.result }`, name, base64.StdEncoding.EncodeToString(file))
	return result
}

// rezipped is a zip with one file changed.
func rezipped(t testing.TB, raw []byte, change func(name string, body []byte) []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		to, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(change(f.Name, body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// verifyOffline: without a network, one drop tells of each file whether it holds, and why not.
func verifyOffline(p *page) {
	c := client.New(p.city.URL())
	id, genesis := agreement(p.t, c)
	maker, file := proofOf(p.t, c, "share/agreement/"+id)
	pack, err := tracepack.Make(p.t.Context(), c, maker, tracepack.Order{Object: "share/agreement/" + id, Program: "test"})
	if err != nil {
		p.t.Fatal(err)
	}
	if r := tracepack.Check(pack.Zip, genesis); !r.OK {
		p.t.Fatal(r.Reason)
	}
	p.open("/verify")
	p.see("已就绪")
	p.ExpectErrors() // of the stream that the network took along
	p.Offline(true)
	var reached string
	p.ask(&reached, `async () => { try { return "status " + (await fetch("/healthz")).status } catch (e) { return e.name } }`)
	if reached != "TypeError" {
		p.t.Fatalf("the page reaches its server: %s", reached)
	}
	p.clicks = 0
	if r := p.dropFile("agreement.mulian-proof.json", file); r != "holds" {
		p.t.Errorf("a proof file %s", r)
	}
	p.task("verify a certificate", 1)
	changed := bytes.Replace(file, []byte(`"power": "1 of 1"`), []byte(`"power": "4 of 4"`), 1)
	strange := bytes.Clone(file)
	at := bytes.LastIndex(strange, []byte(`"genesis": "`)) + 40
	strange[at] ^= 1
	for _, x := range []struct {
		name string
		file []byte
		want string
		says string
	}{
		{"trace.zip", pack.Zip, "holds", "每一步的签名、包含证明和验证节点签名都已核验"},
		{"cut.zip", pack.Zip[:len(pack.Zip)-9], "fails", "压缩包不完整或被改动"},
		{"tampered.zip", rezipped(p.t, pack.Zip, func(name string, body []byte) []byte {
			return bytes.Replace(body, []byte(`"zh": "登记职责`), []byte(`"zh": "注销职责`), 1)
		}), "fails", "与清单里的哈希不符"},
		{"cut.mulian-proof.json", file[:len(file)/2], "fails", "文件在中间断了"},
		{"changed.mulian-proof.json", changed, "fails", "不成立，不要采信：陈述"},
		{"strange.mulian-proof.json", strange, "fails", "不成立，不要采信"},
		{"letter.txt", []byte("dear sirs"), "fails", "不是证明文件"},
		{"empty.zip", nil, "fails", "文件是空的"},
	} {
		if got := p.dropFile(x.name, x.file); got != x.want {
			p.t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
		p.see(x.says)
	}
	p.axe("verify")
	p.Shot(filepath.Join(shots, "verify-results.png"))
	var ok bool
	p.ask(&ok, `async (other) => { const e = document.querySelector("[data-testid=genesis]");
		Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(e, other); e.dispatchEvent(new Event("input", {bubbles: true})); return true }`, strings.Repeat("ab", 32))
	if r := p.dropFile("other.mulian-proof.json", file); r != "fails" {
		p.t.Errorf("a file of a chain that is not trusted %s", r)
	}
	p.see("属于另一条链")
	if r := p.dropFile("other.zip", pack.Zip); r != "fails" {
		p.t.Errorf("a pack of a chain that is not trusted %s", r)
	}
	p.Offline(false)
	p.open("/verify")
	p.see("已就绪")
	p.look("verify")
}

// proofOf makes the proof file of an object.
func proofOf(t testing.TB, c *client.Client, key string) (*prooffile.Maker, []byte) {
	t.Helper()
	genesis, err := c.Ledger.GetGenesis(t.Context(), connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := prooffile.NewMaker(c, genesis.Msg.GetSignedGenesis())
	if err != nil {
		t.Fatal(err)
	}
	file, err := m.Object(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return m, file
}

// staysPut: what happens while somebody reads the list waits above it, so that no row moves
// away under his pointer.
func (p *page) staysPut() {
	p.t.Helper()
	const first = `async () => { ` + until + ` return (await until("a row", () => document.querySelector("tr[data-row]"))).dataset.row }`
	var before, after string
	p.ask(&before, first)
	other := &page{Browser: browsertest.Open(p.t), t: p.t, url: p.url, city: p.city, home: p.home}
	other.Authenticator(browsertest.Device{})
	other.enter("developer")
	p.see("点此显示")
	if p.ask(&after, first); after != before {
		p.t.Errorf("row %s stood first and %s does now", before, after)
	}
	p.press(`[data-testid="newer"]`)
	var moved bool
	p.ask(&moved, `async (was) => { `+until+` return until("the new rows", () => document.querySelector("tr[data-row]").dataset.row !== was) }`, before)
}

// lack: what is not there is said to be not there at once, with what can be done in the page.
func lack(p *page) {
	p.ExpectErrors() // the answers "not found"
	p.enter("auditor")
	for _, path := range []string{"/request/no-such", "/trace/no-such"} {
		p.open(path)
		var ms int
		p.ask(&ms, `async () => { `+until+`
			await until("it says so", () => document.querySelector("[role=alert] .actions button"));
			const asked = performance.getEntriesByType("resource").filter(e => /GetRequest|GetObject|TraceService/.test(e.name)).map(e => e.responseEnd);
			return Math.round(performance.now() - Math.min(...asked)) }`)
		p.t.Logf("%s: %d ms after the node's answer", path, ms)
		if ms > 800 { // 1,000 before one asks again; a busy machine draws late
			p.t.Errorf("%s: %d ms until it says that there is none", path, ms)
		}
		p.see("账本上没有这个编号")
	}
	p.look("missing")
	p.press("=搜索")
	var at string
	p.ask(&at, `async () => document.activeElement.closest(".find") ? "search" : document.activeElement.outerHTML`)
	if at != "search" {
		p.t.Errorf("the button leads to %s", at)
	}
}
