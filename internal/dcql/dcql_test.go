package dcql_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mulian/internal/dcql"
	"mulian/internal/judgetest"
	"mulian/internal/sdjwt"
)

// held is what a synthetic person has.
func held(t testing.TB) []dcql.Held {
	t.Helper()
	claims := func(text string) sdjwt.Object {
		o, err := sdjwt.ParseObject([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	return []dcql.Held{
		{dcql.FormatSDJWT, "fund/1", claims(`{"vct":"fund/1","balance":12345,"city":"泉城","over":{"12":true},"loans":[{"id":"a","open":false},{"id":"b","open":true}]}`), true},
		{dcql.FormatSDJWT, "id/1", claims(`{"vct":"id/1","name":"王小明","birth":"1990-01-01"}`), true},
		{dcql.FormatSDJWT, "id/1", claims(`{"vct":"id/1","name":"王小明","over_18":true}`), true},
		{dcql.FormatSDJWT, "card/1", claims(`{"vct":"card/1","no":"7"}`), false},
	}
}

// questions are queries with the answer that the specification asks for; nil: none.
var questions = []struct {
	name, query string
	want        []dcql.Choice
}{
	{"all claims", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]},"claims":[{"path":["balance"]},{"path":["over","12"]}]}]}`, []dcql.Choice{{"a", 0, []sdjwt.Path{{"balance"}, {"over", "12"}}}}},
	{"no claims", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]}}]}`, []dcql.Choice{{"a", 0, nil}}},
	{"an index and all elements", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]},"claims":[{"path":["loans",1,"id"],"values":["b"]},{"path":["loans",null,"open"]}]}]}`, []dcql.Choice{{"a", 0, []sdjwt.Path{{"loans", 1, "id"}, {"loans", nil, "open"}}}}},
	{"the second has it", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["id/1"]},"claims":[{"path":["over_18"],"values":[true]}]}]}`, []dcql.Choice{{"a", 2, []sdjwt.Path{{"over_18"}}}}},
	{"the preferred set", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]},"claims":[{"id":"x","path":["income"]},{"id":"y","path":["balance"]},{"id":"z","path":["city"]}],"claim_sets":[["x","z"],["y"],["z"]]}]}`, []dcql.Choice{{"a", 0, []sdjwt.Path{{"balance"}}}}},
	{"another value", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]},"claims":[{"path":["city"],"values":["别处","远方"]}]}]}`, nil},
	{"a number", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]},"claims":[{"path":["balance"],"values":[12345]}]}]}`, []dcql.Choice{{"a", 0, []sdjwt.Path{{"balance"}}}}},
	{"a number as text", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]},"claims":[{"path":["balance"],"values":["12345"]}]}]}`, nil},
	{"another type", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/2"]}}]}`, nil},
	{"not bound", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["card/1"]}}]}`, nil},
	{"need not be bound", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["card/1"]},"require_cryptographic_holder_binding":false}]}`, []dcql.Choice{{"a", 3, nil}}},
	{"several", `{"credentials":[{"id":"a","format":"dc+sd-jwt","multiple":true,"meta":{"vct_values":["id/1"]},"claims":[{"path":["name"]}]}]}`, []dcql.Choice{{"a", 1, []sdjwt.Path{{"name"}}}, {"a", 2, []sdjwt.Path{{"name"}}}}},
	{"both", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]}},{"id":"b","format":"dc+sd-jwt","meta":{"vct_values":["id/1"]}}]}`, []dcql.Choice{{"a", 0, nil}, {"b", 1, nil}}},
	{"one of both is missing", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]}},{"id":"b","format":"dc+sd-jwt","meta":{"vct_values":["no/1"]}}]}`, nil},
	{"either", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["no/1"]}},{"id":"b","format":"dc+sd-jwt","meta":{"vct_values":["id/1"]}}],"credential_sets":[{"options":[["a"],["b"]]}]}`, []dcql.Choice{{"b", 1, nil}}},
	{"an optional one is not shown", `{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["fund/1"]}},{"id":"b","format":"dc+sd-jwt","meta":{"vct_values":["id/1"]}}],"credential_sets":[{"options":[["a"]]},{"options":[["b"]],"required":false}]}`, []dcql.Choice{{"a", 0, nil}}},
}

func TestChoose(t *testing.T) {
	for _, c := range questions {
		q, err := dcql.Parse([]byte(c.query))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := q.Choose(held(t))
		if (c.want == nil) != errors.Is(err, dcql.ErrNone) {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		again, err := dcql.Parse(sdjwt.AppendJSON(nil, q.Object()))
		if d := cmp.Diff(q, again); err != nil || d != "" {
			t.Errorf("%s: written and read: %v %s", c.name, err, d)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, bad := range []string{
		``, `{}`, `[]`, `{"credentials":[]}`, `{"credentials":[{}]}`, `{"credentials":[{"id":"a"}]}`, `{"credentials":[{"id":"a","format":"dc+sd-jwt"}]}`,
		`{"credentials":[{"id":"a b","format":"x"}]}`, `{"credentials":[{"id":"a","format":"x"},{"id":"a","format":"x"}]}`, `{"credentials":[{"id":"a","format":"x","multiple":1}]}`,
		`{"credentials":[{"id":"a","format":"x","claims":[{"path":[]}]}]}`, `{"credentials":[{"id":"a","format":"x","claims":[{"path":[-1]}]}]}`, `{"credentials":[{"id":"a","format":"x","claims":[{"path":["a"],"values":[{}]}]}]}`,
		`{"credentials":[{"id":"a","format":"x","claims":[{"path":["a"]}],"claim_sets":[["b"]]}]}`, `{"credentials":[{"id":"a","format":"x"}],"credential_sets":[{"options":[["b"]]}]}`,
		`{"credentials":[{"id":"a","format":"x"}],"credential_sets":[{"options":[]}]}`, `{"credentials":[{"id":"a","format":"x"}],"credentials":[]}`,
		`{"credentials":[` + strings.Repeat(`{"id":"a","format":"x"},`, 16) + `{"id":"a","format":"x"}]}`, strings.Repeat(" ", dcql.MaxBytes+1),
	} {
		if q, err := dcql.Parse([]byte(bad)); !errors.Is(err, dcql.ErrQuery) {
			t.Errorf("%.60s: %+v, %v", bad, q, err)
		}
	}
}

// TestJudgesChooseAsWe: dcql of npm finds the same credentials answerable, the same first
// one, and the same claims of it.
func TestJudgesChooseAsWe(t *testing.T) {
	type credential struct {
		Type   string          `json:"type"`
		Claims json.RawMessage `json:"claims"`
		Bound  bool            `json:"bound"`
	}
	type ask struct {
		Query json.RawMessage `json:"query"`
		Held  []credential    `json:"held"`
	}
	var at []credential
	for _, h := range held(t) {
		at = append(at, credential{h.Type, sdjwt.AppendJSON(nil, h.Claims), h.Bound})
	}
	var asks []ask
	for _, c := range questions {
		asks = append(asks, ask{json.RawMessage(c.query), at})
	}
	var got []struct {
		OK struct {
			Can   bool
			Found map[string]struct {
				Held   int
				Claims []int
				All    int
			}
		}
		Error string
	}
	judgetest.Ask(t, "dcql", asks, &got)
	for i, c := range questions {
		if got[i].Error != "" || got[i].OK.Can != (c.want != nil) {
			t.Errorf("%s: the judge says %v, %s", c.name, got[i].OK.Can, got[i].Error)
			continue
		}
		seen := map[string]bool{}
		for _, choice := range c.want {
			if seen[choice.ID] {
				continue
			}
			seen[choice.ID] = true
			f := got[i].OK.Found[choice.ID]
			if f.Held != choice.Held || len(f.Claims) != len(choice.Paths) {
				t.Errorf("%s: the judge takes credential %d with claims %v, we %+v", c.name, f.Held, f.Claims, choice)
			}
		}
	}
}

// FuzzParse: what is taken is written and read as the same, keeps its bounds, and can be
// asked.
func FuzzParse(f *testing.F) {
	for _, c := range questions {
		f.Add([]byte(c.query))
	}
	at := held(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, err := dcql.Parse(raw)
		if err != nil {
			if !errors.Is(err, dcql.ErrQuery) {
				t.Fatal(err)
			}
			return
		}
		again, err := dcql.Parse(sdjwt.AppendJSON(nil, q.Object()))
		if err != nil {
			if len(sdjwt.AppendJSON(nil, q.Object())) > dcql.MaxBytes {
				return // written longer than it came
			}
			t.Fatalf("%s: %v", raw, err)
		}
		if d := cmp.Diff(q, again); d != "" {
			t.Fatal(d)
		}
		if got, err := q.Choose(at); err == nil && len(got) > dcql.MaxCredentials*len(at) {
			t.Fatalf("%d choices", len(got))
		}
	})
}
