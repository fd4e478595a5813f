package server_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/xuri/excelize/v2"

	consolev1 "mulian/gen/mulian/console/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// TestReport: a figure is that of its list, for one organisation and for all; the workbook says
// the same; what is out of bounds is refused with the field's name.
func TestReport(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	for _, title := range []string{"一", "二", "三"} {
		m.send(t, &governancev1.Propose{Title: title, Change: &governancev1.Change{Kind: &governancev1.Change_SetCalendar{SetCalendar: &governancev1.CalendarYear{Year: 2027, Source: "国办发明电"}}}})
	}
	o := m.client.Overview
	const votes = consolev1.ReportFigure_REPORT_FIGURE_VOTES
	r, err := o.GetReport(ctx, connect.NewRequest(&consolev1.GetReportRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Msg; len(n.GetOrgs()) != 1 || n.GetOrgs()[0].GetOrg() != m.code || len(n.GetSum()) != 1 || n.GetSum()[0].GetFigure() != votes || n.GetSum()[0].GetN() != 3 || !n.GetRunning() || n.GetHeight() == 0 {
		t.Fatalf("report %v", r.Msg)
	}
	for _, org := range []string{"", m.code} {
		got, below := int64(0), int64(0)
		for {
			l, err := o.ListReported(ctx, connect.NewRequest(&consolev1.ListReportedRequest{Month: r.Msg.GetMonth(), Org: org, Figure: votes, Limit: 2, Below: below}))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range l.Msg.GetSteps() {
				if s.GetEvent().GetVerb() != "governance/propose" || s.GetTitle() == "" {
					t.Errorf("%v counts as a vote", s)
				}
			}
			got += int64(len(l.Msg.GetSteps()))
			if below = l.Msg.GetNext(); below == 0 {
				break
			}
		}
		if got != 3 {
			t.Errorf("%q: %d votes are listed", org, got)
		}
	}
	if l, err := o.ListReported(ctx, connect.NewRequest(&consolev1.ListReportedRequest{Org: "11110000MULN00002P", Figure: votes})); err != nil || len(l.Msg.GetSteps()) != 0 {
		t.Errorf("of another organisation: %v, %v", l, err)
	}

	var files [][]byte
	for range 2 {
		res, err := http.Get(m.url + "/api/report/" + r.Msg.GetMonth() + ".xlsx?lang=en")
		if err != nil {
			t.Fatal(err)
		}
		file, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.Status, err)
		}
		files = append(files, file)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two workbooks of one report differ")
	}
	book, err := excelize.OpenReader(bytes.NewReader(files[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows(r.Msg.GetMonth())
	if err != nil || len(rows) != 3 || rows[0][26] != "Votes" || rows[1][0] != m.code || rows[1][26] != "3" || rows[2][26] != "3" {
		t.Errorf("workbook %v, %v", rows, err)
	}

	for month, code := range map[string]fault.Code{"2026": fault.Malformed, "november": fault.Malformed, "1999-01": fault.OutOfRange, "2999-01": fault.OutOfRange} {
		if _, err := o.GetReport(ctx, connect.NewRequest(&consolev1.GetReportRequest{Month: month})); !fault.Is(wire.Fault(err), code) {
			t.Errorf("%s: %v", month, err)
		}
	}
	for _, f := range []consolev1.ReportFigure{0, 26, -1} {
		if _, err := o.ListReported(ctx, connect.NewRequest(&consolev1.ListReportedRequest{Figure: f})); !fault.Is(wire.Fault(err), fault.OutOfRange) {
			t.Errorf("figure %d: %v", f, err)
		}
	}
	for _, path := range []string{"/api/report/2026-11.pdf", "/api/report/x.xlsx"} {
		if res, err := http.Get(m.url + path); err != nil || res.StatusCode/100 != 4 {
			t.Errorf("%s: %v, %v", path, res, err)
		} else {
			res.Body.Close()
		}
	}
}
