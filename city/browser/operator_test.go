package browser

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	"mulian/city/content"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
)

func init() {
	story("operator", operate)
	story("board", overlook)
	story("watch", lookForMisuse)
}

// openVotes returns the proposals that wait for votes.
func openVotes(t testing.TB, url string) []*consolev1.Vote {
	t.Helper()
	res, err := consolev1connect.NewOverviewServiceClient(http.DefaultClient, url).ListVotes(t.Context(), connect.NewRequest(&consolev1.ListVotesRequest{OpenOnly: true}))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.GetVotes()
}

// column renames a column of the housing commission's own database.
func (p *page) column(from, to string) {
	p.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.home, "databases", "housing.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(p.t.Context(), "ALTER TABLE presale_permits RENAME COLUMN "+from+" TO "+to); err != nil {
		p.t.Fatal(err)
	}
}

// operate: an operator sees the whole, follows a figure to the list that it counts, and
// votes in three clicks from his home, the device's own question counted.
func operate(p *page) {
	p.enter("operator")
	p.see("运行总览")
	p.see("待处置")
	p.see("去表决")
	p.column("homes", "homes_built") // what a source has otherwise is seen within seconds
	p.see("住建委的源表 presale_permits 有")
	p.see("看差异")
	p.clicks = 0
	p.look("overview")
	before := openVotes(p.t, p.city.URL())
	if len(before) != 2 {
		p.t.Fatalf("%d proposals wait in a new city, not 2", len(before))
	}
	p.click(`.concerns a[href^="/proposal/"]`)
	p.click(`[data-testid="vote-yes"]`)
	p.clicks++ // the device asks at once; its user agrees
	p.see("已上链，高度")
	p.press(".toast button")
	p.task("vote", 3)
	p.see("本机构已投赞成")
	p.see("还差 编办，")
	org, voted, votedFor := content.Find("政务数据局").Code, 0, ""
	for _, v := range openVotes(p.t, p.city.URL()) {
		for _, b := range v.GetProposal().GetBallots() {
			if b.GetOrg() == org && b.GetYes() {
				voted, votedFor = voted+1, v.GetProposal().GetId()
			}
		}
	}
	if voted != 1 {
		p.t.Errorf("the office has voted for %d proposals, not for one", voted)
	}
	p.look("proposal")
	p.open("/gov")
	p.look("gov")
	// Who has voted reads so, who is still to vote and until when; he is not asked to vote again.
	p.open("/overview")
	p.see("本机构已投 · 未投：编办，")
	var links struct{ Voted, Open string }
	p.ask(&links, `async (id) => { `+until+`
		const text = async (s) => (await until(s, () => document.querySelector(s))).innerText;
		return {Voted: await text('.concerns a[href="/proposal/' + id + '"]'), Open: await text('.concerns a[href^="/proposal/"]:not([href="/proposal/' + id + '"])')} }`, votedFor)
	if links.Voted != "看表决" || links.Open != "去表决" {
		p.t.Errorf("the link of what was voted on says %q, of the other %q", links.Voted, links.Open)
	}
	p.open("/overview")
	p.press(`a.figure[href^="/shared"]`)
	p.see("共享明细")
	p.look("shared")
	var path string
	p.ask(&path, `async () => location.pathname + location.search`)
	if path != "/shared?days=1" {
		p.t.Errorf("the figure opens %s", path)
	}
}

// overlook: the pages behind the overview's figures, each with the list that it counts; the
// map from a cell to its duties; the screen without anything to scroll.
func overlook(p *page) {
	p.enter("operator")
	p.open("/catalogue/map")
	p.see("缺 ")
	p.look("map")
	p.press(".matrix td button.locked, .matrix td button.open")
	p.see("在目录中打开")
	p.look("map-cell")
	p.press(`section[aria-label*="·"] .segs button`)
	var drawn bool
	p.ask(&drawn, `async () => { `+until+` return await until("a net", () => document.querySelector("canvas")?.width > 0) }`)
	p.axe("net of a cell")
	p.Shot(filepath.Join(shots, "map-net.png"))
	p.open("/requests")
	p.see("今天到期")
	p.look("requests")
	p.press(`.figures button[aria-pressed]:nth-child(4)`)
	p.see("清除筛选")
	p.look("requests-later")
	p.open("/requests?box=departments")
	p.look("requests-departments")
	p.open("/requests?box=started&days=1")
	p.see("中位数")
	p.look("requests-started")
	p.open("/requests?box=all")
	p.look("requests-all")
	p.open("/members")
	p.see("看有表决权")
	p.look("members")
	p.press("tr[data-row]")
	p.see("收到的申请")
	p.look("org")
	p.open("/nodes")
	p.see("同步")
	p.look("nodes")
	p.open("/keys")
	p.see("可签名")
	p.look("keys")
	p.open("/screen")
	p.see("运行态势")
	p.look("screen")
	p.Size(1920, 1080, false)
	p.settled()
	p.Shot(filepath.Join(shots, "screen-wide.png"))
	var more int
	p.ask(&more, `async () => Math.max(document.documentElement.scrollHeight - innerHeight, document.querySelector(".screen").scrollHeight - document.querySelector(".screen").clientHeight)`)
	if more > 0 {
		p.t.Errorf("the screen scrolls by %d px", more)
	}
	p.Size(1440, 900, false)
}

// lookForMisuse: an auditor sees each rule with its threshold, narrows to one, and gives what
// was found on as a file that counts as the page does.
func lookForMisuse(p *page) {
	p.enter("auditor")
	p.open("/findings")
	p.see("规则与阈值")
	p.see("终止后仍有放行")
	p.open("/findings?rule=DRIFT_IN_FORCE")
	p.see("看全部规则")
	p.look("findings")
	p.open("/findings")
	p.see("近 24 小时 100 次以上")
	p.look("findings-all")
	p.keepSaved()
	p.press(`[data-testid="export"]`)
	name, file := p.saved()
	out := &consolev1.ListFindingsResponse{}
	if err := protojson.Unmarshal(file, out); err != nil || len(out.GetRules()) != 10 || name != fmt.Sprintf("mulian-findings-%d.json", out.GetHeight()) {
		p.t.Errorf("%s with %d rules, %v", name, len(out.GetRules()), err)
	}
	total := int64(0)
	for _, r := range out.GetRules() {
		total += r.GetTotal()
	}
	if total != int64(len(out.GetFindings())) {
		p.t.Errorf("%d findings, %d are counted", len(out.GetFindings()), total)
	}
}
