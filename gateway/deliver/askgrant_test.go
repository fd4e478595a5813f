package deliver

import (
	"testing"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/fault"
)

// TestWithinGrant: an asker takes no answer that has more than was asked and granted, less, or
// something of another kind.
func TestWithinGrant(t *testing.T) {
	const view, verify = grantv1.GrantMode_GRANT_MODE_VIEW, grantv1.GrantMode_GRANT_MODE_VERIFY
	columns := func(items ...string) (out []*gatewayv1.ResultColumn) {
		for _, it := range items {
			out = append(out, &gatewayv1.ResultColumn{Item: it})
		}
		return out
	}
	for name, x := range map[string]struct {
		mode    grantv1.GrantMode
		asked   []string
		columns []*gatewayv1.ResultColumn
		verdict gatewayv1.Verdict
		want    fault.Code
	}{
		"all":                 {view, nil, columns("a", "b"), 0, fault.OK},
		"one of them":         {view, []string{"a"}, columns("a"), 0, fault.OK},
		"one left out":        {view, nil, columns("a"), 0, fault.PartialResult},
		"the asked left out":  {view, []string{"b"}, columns(), 0, fault.PartialResult},
		"not asked":           {view, []string{"a"}, columns("a", "b"), 0, fault.VerificationFailed},
		"not granted":         {view, nil, columns("a", "b", "c"), 0, fault.VerificationFailed},
		"a verdict":           {view, nil, columns("a", "b"), gatewayv1.Verdict_VERDICT_YES, fault.VerificationFailed},
		"yes":                 {verify, nil, nil, gatewayv1.Verdict_VERDICT_YES, fault.OK},
		"rows instead of yes": {verify, nil, columns("a"), 0, fault.VerificationFailed},
	} {
		g := &grantv1.Grant{Id: "g", Mode: x.mode, ItemCodes: []string{"a", "b"}}
		err := withinGrant(g, &gatewayv1.GrantBody{Items: x.asked}, &gatewayv1.QueryResult{Columns: x.columns, Verdict: x.verdict})
		if fault.CodeOf(err) != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
}
