package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/filing"
)

// TestMattersAndCodesOfTheWild: what people come for in one district, and the divisions
// of China, from the files as they were published onto a ledger. A second import changes
// nothing.
func TestMattersAndCodesOfTheWild(t *testing.T) {
	matters := sharedFile(t, "matters", "guangan_district_matters.js")
	raw, err := os.ReadFile(matters)
	if err != nil {
		t.Fatal(err)
	}
	// Every matter of the file has a link of its own, and nothing else has one.
	links := len(regexp.MustCompile(`"link":`).FindAll(raw, -1))
	r := newReimport(t, "guangan")
	r.order.Owner = r.authority.Account
	plan, report, err := intake.MakePlan(t.Context(), matters, intake.Options{})
	r.ok(err)
	if plan.Kind != intake.MatterList || report.Entries != links {
		t.Errorf("%s with %d entries, the file has %d links", plan.Kind, report.Entries, links)
	}
	out, _, err := r.version(matters, r.order)
	r.ok(err)
	if out.New != report.Accepted+report.Doubtful || out.Held+out.Refused > 0 {
		t.Errorf("%d new, %d held, %d refused of %d: %.200v", out.New, out.Held, out.Refused, report.Entries, out.Problems)
	}
	if again, events, err := r.version(matters, r.order); err != nil || events != 0 || again.Batches != 0 {
		t.Errorf("again: %v, %d events, %+v", err, events, again)
	}
	t.Logf("%d matters of %d organisations", out.New, out.Registered)

	for _, name := range []string{"provinces.csv", "cities.csv", "areas.csv"} {
		path := sharedFile(t, "codes", "china-division", name)
		plan, report, err := intake.MakePlan(t.Context(), path, intake.Options{CodeTable: "test/" + strings.TrimSuffix(name, ".csv")})
		r.ok(err)
		rows := rowsOfCSV(t, unpacked(t, path))
		if plan.Kind != intake.CodeList || report.Entries != rows || report.Accepted+report.Doubtful != rows {
			t.Errorf("%s: %s, %d entries, %d accepted, %d doubtful of %d rows", name, plan.Kind, report.Entries, report.Accepted, report.Doubtful, rows)
		}
		for pass, want := range []int{rows, 0} {
			desk := &filing.Desk{Client: r.chain, Keys: r.ring(), Authority: r.authority.Account}
			out, err := desk.Import(t.Context(), plan, r.order)
			r.ok(err)
			if out.New != want || out.Unchanged != rows-want || out.Held+out.Refused > 0 {
				t.Errorf("%s, import %d: %d new, %d unchanged, %d held, %d refused: %.200v", name, pass+1, out.New, out.Unchanged, out.Held, out.Refused, out.Problems)
			}
		}
		table := &cataloguev1.CodeTable{}
		if id := "test/" + strings.TrimSuffix(name, filepath.Ext(name)); !r.get("catalogue/codetable/"+id, table) || table.GetCodes() != uint64(rows) {
			t.Errorf("%s: the ledger has %d codes of %d", name, table.GetCodes(), rows)
		}
	}
}
