package browser

import (
	"database/sql"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"
	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql

	"mulian/city/content"
	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

func init() { story("catalogue", keepCatalogue) }

// source changes the planning commission's database, as its own application would.
func (p *page) source(statements ...string) {
	p.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.home, "databases", "planning.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(p.t.Context(), s); err != nil {
			p.t.Fatalf("%s: %v", s, err)
		}
	}
}

// entry reads an entry of the planning commission from the server.
func entry(t testing.TB, url, local string) *cataloguev1.GetEntryResponse {
	t.Helper()
	res, err := client.New(url).Catalogue.GetEntry(t.Context(), connect.NewRequest(&cataloguev1.GetEntryRequest{Id: content.Find("规划自然资源委").Code + ":" + local}))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg
}

// keepCatalogue: a steward looks through his duties, finds an entry of the city, edits one
// of his own, and locks a new table into the catalogue.
func keepCatalogue(p *page) {
	p.source(`CREATE TABLE relic_surveys (survey_no TEXT PRIMARY KEY, project_name TEXT NOT NULL, site TEXT NOT NULL, found TEXT NOT NULL, surveyed_on DATE NOT NULL)`,
		`INSERT INTO relic_surveys VALUES ('勘2026-0001', '演示项目', '演示地块', '未发现', '2026-03-01')`)
	p.enter("steward")
	p.press(`a[href="/catalogue"]`)
	p.see("核发建设用地规划许可证")
	p.see("已锁定 v")
	p.look("catalogue")
	p.press(`a[href^="/duty/"]`)
	p.see("权力类型")
	p.look("duty")
	p.open("/catalogue?tab=all&q=许可")
	p.see("更新周期")
	p.look("catalogue-all")
	register(p)
	edit(p)
	sources(p)
	drift(p)
	deliveries(p)
	counterSign(p)
}

// register: a table that the gateway has just seen is in the catalogue, and locked, after
// five clicks.
func register(p *page) {
	p.open("/catalogue")
	p.see("从数据源登记")
	p.clicks = 0
	p.click("=从数据源登记")
	p.see("relic_surveys")
	p.axe("register, nothing ticked")
	p.click(`[data-testid="tick"]`)
	p.fill(`[data-testid="name"]`, "考古勘探成果")
	p.see("建议的职责")
	p.axe("register")
	p.Shot(filepath.Join(shots, "register.png"))
	p.click(`[data-testid="accept"]`)
	p.see("依据的职责")
	p.click(`[data-testid="register"]`)
	p.clicks++ // the device
	p.see("已上链，高度")
	p.task("lock a new table into the catalogue", 5)
	p.see("考古勘探成果")
	p.see("已锁定 v1")
	p.look("item")
	e := entry(p.t, p.city.URL(), "relic_surveys").GetEntry()
	if e.GetLock() == nil || len(e.GetItems()) != 5 || len(e.GetDuties()) != 1 || e.GetItems()[0].GetColumn() != "survey_no" {
		p.t.Errorf("the new entry is %v", e)
	}
}

// edit: what is typed is compared with the chain's version, survives a reload, and waits for
// the counter-signers once it is signed.
func edit(p *page) {
	p.press("=编辑")
	p.see("与链上版本相同")
	p.fill("textarea", "考古勘探单位提交的勘探成果。")
	p.see("1 处变更")
	p.open("/item/" + content.Find("规划自然资源委").Code + "%3Arelic_surveys/edit")
	p.see("1 处变更")
	p.look("edit")
	p.press(`[data-testid="submit"]`)
	p.see("已上链，高度")
	p.see("新版本待生效")
	if got := entry(p.t, p.city.URL(), "relic_surveys"); got.GetEntry().GetAbstract() != "" || got.GetPending().GetNext().GetAbstract() == "" {
		p.t.Errorf("a locked entry changed without its counter-signers: %v, pending %v", got.GetEntry(), got.GetPending())
	}
	p.press(`[role=tab]:nth-of-type(1)`)
	p.axe("item with a change that waits")
	p.Shot(filepath.Join(shots, "item-pending.png"))
	p.open("/resource/" + content.Find("规划自然资源委").Code + "%2Fg%2Fmain%3Aplanning.land_permits")
	p.see("结构指纹")
	p.look("resource")
}

// sources: what the gateway has put on the ledger, down to the columns of a table.
func sources(p *page) {
	p.press(`a[href="/sources"]`)
	p.see("与目录一致")
	p.look("sources")
	p.press(`tr[data-row]`)
	p.see("mulian source test")
	p.see("relic_surveys")
	p.look("source")
}

// drift: a column is renamed in the database; the gateway reports it, and the steward
// settles it in three clicks. The entry is locked, so that it thaws with its signatures only.
func drift(p *page) {
	p.source(`ALTER TABLE relic_surveys RENAME COLUMN found TO findings`)
	p.press(`a[href="/drift"]`)
	p.see("字段消失 found")
	p.look("drift")
	p.clicks = 0
	p.click("tr[data-row]")
	p.see("可能改名为 findings")
	p.axe("an open drift")
	p.Shot(filepath.Join(shots, "drift-open.png"))
	p.click(`[data-testid="settle"]`)
	p.clicks++ // the device
	p.see("已上链，高度")
	p.task("settle a drift", 3)
	p.see("目录已更新")
	p.see("等会签后解冻")
	p.look("drift-settled")
	got := entry(p.t, p.city.URL(), "relic_surveys")
	if len(got.GetDrifts()) > 0 || len(got.GetPending().GetNeeded()) == 0 || got.GetPending().GetNext().GetItems()[3].GetColumn() != "findings" {
		p.t.Errorf("after the drift was settled: %v", got)
	}
}

// deliveries: those of the story, and one of them.
func deliveries(p *page) {
	p.press(`a[href="/deliveries"]`)
	p.see("水务局")
	p.look("deliveries")
	p.press(`tr[data-row]`)
	p.see("内容摘要")
	p.look("delivery")
}

// counterSign: the data bureau, which the lock names, finds the change that waits for it and signs.
func counterSign(p *page) {
	before := len(entry(p.t, p.city.URL(), "relic_surveys").GetPending().GetNeeded())
	p.enter("operator")
	p.press(`a[href="/catalogue"]`)
	p.press("=待我会签")
	p.see("relic_surveys")
	p.look("counter-sign")
	p.press(`tr[data-row]`)
	p.see("新版本待生效")
	p.press("button.ant-btn-primary.sign")
	p.see("已上链，高度")
	p.see("已会签：政务数据局")
	if after := len(entry(p.t, p.city.URL(), "relic_surveys").GetPending().GetNeeded()); after != before-1 {
		p.t.Errorf("%d signatures are missing after one of %d was given", after, before)
	}
}
