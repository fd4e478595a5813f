package browser

import (
	"net/http"

	"connectrpc.com/connect"
	"github.com/xuri/excelize/v2"

	"mulian/client"
	"mulian/client/report"
	"mulian/client/sentence"
	consolev1 "mulian/gen/mulian/console/v1"
)

func init() { story("reports", monthly) }

// monthly: an auditor sees what happened in the month, opens a number, comes to the events that it
// counts and to the trace of one; the workbook says the same. Of the whole month each number is
// that of its list.
func monthly(p *page) {
	p.enter("auditor")
	p.open("/overview") // no page of his: the menu leads to the report
	p.press(`nav a[href="/reports"]`)
	p.see("收到申请")
	p.look("reports")
	p.clicks = 0
	p.click(`.figures a.figure`)
	p.see("回到月报")
	p.look("reports-list")
	p.click(`tr[data-row]`)
	p.see("导出证据包")
	if p.clicks != 2 {
		p.t.Errorf("%d clicks from the report to a trace, 2 are enough", p.clicks)
	}
	for _, group := range []string{"agreement", "catalogue", "quarrel"} {
		p.open("/reports?group=" + group)
		p.see("导出 xlsx")
		p.settled()
		p.axe("report, " + group)
	}
	p.open("/reports?month=2020-02")
	p.see("这个月没有发生")
	p.axe("an empty month")
	p.ExpectErrors() // browsers note the refusal of a month that is none
	p.open("/reports?month=never")
	p.see("never")
	p.axe("no month")
	o := client.New(p.city.URL()).Overview
	ctx := p.t.Context()
	res, err := o.GetReport(ctx, connect.NewRequest(&consolev1.GetReportRequest{}))
	p.ok(err)
	r := res.Msg
	listed := func(org string, counts []*consolev1.ReportCount) {
		for _, c := range counts {
			if c.GetFigure() == consolev1.ReportFigure_REPORT_FIGURE_ANSWER_MEDIAN_MS {
				continue
			}
			n, below := int64(0), int64(0)
			for {
				l, err := o.ListReported(ctx, connect.NewRequest(&consolev1.ListReportedRequest{Month: r.GetMonth(), Org: org, Figure: c.GetFigure(), Limit: 200, Below: below}))
				p.ok(err)
				for _, s := range l.Msg.GetSteps() {
					if s.GetEvent().GetHeight() <= r.GetHeight() {
						n++
					}
				}
				if below = l.Msg.GetNext(); below == 0 {
					break
				}
			}
			want := c.GetN()
			if c.GetFigure() == consolev1.ReportFigure_REPORT_FIGURE_DISPUTES && org == "" {
				want /= 2 // both sides count it
			}
			if n != want {
				p.t.Errorf("%s of %q: %d, %d are listed", c.GetFigure(), org, want, n)
			}
		}
	}
	listed("", r.GetSum())
	for _, org := range r.GetOrgs() {
		listed(org.GetOrg(), org.GetCounts())
	}
	if len(r.GetSum()) < 8 || len(r.GetOrgs()) < 5 {
		p.t.Errorf("a lived-in city has %d figures of %d organisations", len(r.GetSum()), len(r.GetOrgs()))
	}

	got, err := http.Get(p.city.URL() + "/api/report/" + r.GetMonth() + ".xlsx?lang=zh")
	p.ok(err)
	defer got.Body.Close()
	book, err := excelize.OpenReader(got.Body)
	p.ok(err)
	defer book.Close()
	rows, err := book.GetRows(r.GetMonth())
	p.ok(err)
	if rows[0][2] != report.Title(sentence.Chinese, 1) || len(rows) < len(r.GetOrgs())+2 || rows[len(rows)-1][1] != "合计" {
		p.t.Errorf("the workbook begins with %v, ends with %v and has %d lines for %d organisations", rows[0], rows[len(rows)-1], len(rows), len(r.GetOrgs()))
	}
}
