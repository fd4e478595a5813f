package governance_test

import (
	"fmt"
	"strings"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/rulestest"
)

// TestPasskeySites: relying parties are host names, pages are of one of them, and neither
// stands without the other.
func TestPasskeySites(t *testing.T) {
	w := rulestest.New(t)
	app := "android:apk-key-hash:" + strings.Repeat("a", 43)
	many := make([]string, 9)
	for i := range many {
		many[i] = fmt.Sprintf("d%d.cn", i)
	}
	for name, tt := range map[string]struct {
		want      fault.Code
		ids, page []string
	}{
		"a site":           {fault.OK, []string{"gov.cn"}, []string{"https://box.gov.cn", "https://gov.cn:8443", app}},
		"localhost":        {fault.OK, []string{"localhost"}, []string{"http://localhost:8080"}},
		"no page":          {fault.CodeInconsistent, []string{"gov.cn"}, nil},
		"no party":         {fault.CodeInconsistent, nil, []string{"https://gov.cn"}},
		"a like name":      {fault.CodeInconsistent, []string{"gov.cn"}, []string{"https://evilgov.cn"}},
		"without TLS":      {fault.Malformed, []string{"gov.cn"}, []string{"http://gov.cn"}},
		"a path":           {fault.Malformed, []string{"gov.cn"}, []string{"https://gov.cn/"}},
		"a quote":          {fault.Malformed, []string{"gov.cn"}, []string{`https://gov.cn","x":"`}},
		"no port":          {fault.Malformed, []string{"gov.cn"}, []string{"https://gov.cn:"}},
		"large letters":    {fault.Malformed, []string{"GOV.cn"}, []string{"https://gov.cn"}},
		"an empty label":   {fault.Malformed, []string{"gov..cn"}, []string{"https://gov.cn"}},
		"no app":           {fault.Malformed, []string{"gov.cn"}, []string{app + "a"}},
		"a party twice":    {fault.Duplicate, []string{"gov.cn", "gov.cn"}, []string{"https://gov.cn"}},
		"a page twice":     {fault.Duplicate, []string{"gov.cn"}, []string{"https://gov.cn", "https://gov.cn"}},
		"too many parties": {fault.TooLong, many, []string{"https://d1.cn"}},
	} {
		p := standard.Parameters()
		p.PasskeyRpIds, p.PasskeyOrigins = tt.ids, tt.page
		if code := w.Do(w.Authority, &governancev1.Propose{Title: "x", Change: &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}}}); code != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, code, w.Text, tt.want)
		}
	}
}

// TestTrialChainsTakeLocalhost: only they, only while they name nothing, and no name that
// begins like it.
func TestTrialChainsTakeLocalhost(t *testing.T) {
	none, some := standard.Parameters(), standard.Parameters()
	some.PasskeyRpIds, some.PasskeyOrigins = []string{"gov.cn"}, []string{"https://gov.cn"}
	for _, tt := range []struct {
		p      *governancev1.Parameters
		chain  string
		origin string
		want   bool
	}{
		{none, "dev-1", "http://localhost:8080", true},
		{none, "mulian-demo", "http://localhost", true},
		{none, "mulian-trial", "http://localhost:1", true},
		{none, "dev-1", "http://localhost.evil.cn", false},
		{none, "dev-1", "http://localhost:8080.evil.cn", false},
		{none, "dev-1", "http://localhost:", false},
		{none, "dev-1", "https://localhost:1", false},
		{none, "beijing-1", "http://localhost:8080", false},
		{some, "dev-1", "http://localhost:8080", false},
		{some, "beijing-1", "https://gov.cn", true},
	} {
		if got := standard.PasskeyOrigin(tt.p, tt.chain, tt.origin); got != tt.want {
			t.Errorf("%s on %s: %v", tt.origin, tt.chain, got)
		}
	}
	if ids := standard.PasskeyRPIDs(none, "beijing-1"); len(ids) != 0 {
		t.Errorf("a real chain that names none takes %v", ids)
	}
}
