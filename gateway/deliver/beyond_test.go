package deliver

import (
	"testing"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// TestNothingBeyondTheAgreement: a field that was not agreed, not asked for, or not
// receipted is not taken.
func TestNothingBeyondTheAgreement(t *testing.T) {
	g := &sharev1.Agreement{Terms: &sharev1.Terms{Parts: []*sharev1.Part{{Entry: "e", Items: []string{"no", "name"}}, {Entry: "f", Items: []string{"note"}}}}}
	for _, c := range []struct {
		name                   string
		asked, receipt, answer []string
		want                   fault.Code
	}{
		{"as asked", []string{"no"}, []string{"no"}, []string{"no"}, fault.OK},
		{"all that is agreed", nil, []string{"no", "name"}, []string{"no", "name"}, fault.OK},
		{"agreed for another entry", nil, []string{"no", "note"}, []string{"no"}, fault.VerificationFailed},
		{"not asked for", []string{"no"}, []string{"no", "name"}, []string{"no", "name"}, fault.VerificationFailed},
		{"not in the receipt", nil, []string{"no"}, []string{"no", "name"}, fault.VerificationFailed},
		{"agreed by nobody", nil, []string{"no"}, []string{"no", "secret"}, fault.VerificationFailed},
	} {
		q := &gatewayv1.QueryResult{}
		for _, it := range c.answer {
			q.Columns = append(q.Columns, &gatewayv1.ResultColumn{Item: it})
		}
		if got := fault.CodeOf(withinAgreement(g, "e", c.asked, q, &tracev1.AccessRecord{Items: c.receipt})); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
