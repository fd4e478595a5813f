package deliver

import (
	"context"
	"slices"
	"time"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/policy"
)

// predicate is a question of an agreement as it was asked.
type predicate struct {
	agreed *sharev1.Predicate
	rule   *policy.Rule
	values map[string]policy.Value // of its parameters
	column map[string]int          // of a row as read, by the rule's names
	key    []connect.Value         // of the row that was asked about
	keyAt  []int                   // where it is in a row as read
}

// findPredicate finds the predicate that a query asks, and sets the claim's items to those
// at which it looks: they are judged as if they were asked for. FormatMethodMismatch (rows
// of an agreement that gives answers only), FieldNotGranted (no such predicate),
// Malformed (items, parameters).
func (p *Provider) findPredicate(d *decision, q *gatewayv1.QueryBody) error {
	all := d.agreement.GetTerms().GetPredicates()
	if q.GetPredicate() == "" {
		if len(all) > 0 {
			return ruled("predicate", fault.FormatMethodMismatch, "agreement %s answers its predicates and gives no rows", d.agreement.GetId())
		}
		if len(q.GetParameters()) > 0 {
			return ruled("predicate", fault.Malformed, "parameters without a predicate")
		}
		return nil
	}
	i := slices.IndexFunc(all, func(x *sharev1.Predicate) bool {
		return x.GetName() == q.GetPredicate() && x.GetEntry() == d.entry.GetId()
	})
	if i < 0 {
		return ruled("predicate", fault.FieldNotGranted, "predicate %.64q is not agreed for entry %s", q.GetPredicate(), d.entry.GetId())
	}
	if len(q.GetItems()) > 0 {
		return ruled("predicate", fault.Malformed, "a predicate gives no items")
	}
	x := &predicate{agreed: all[i], values: map[string]policy.Value{}, column: map[string]int{}}
	var extra []policy.Field
	for _, par := range x.agreed.GetParameters() {
		kind, _ := policy.KindOf(par.GetType())
		extra = append(extra, policy.Field{Name: par.GetName(), Kind: kind})
	}
	if err := x.parameters(q, extra); err != nil {
		return err
	}
	agreed := d.agreedItems()
	var err error
	x.rule, err = p.rules.rule(d, "predicate "+x.agreed.GetName(), x.agreed.GetCondition(), extra, func(code string) bool { return agreed[code] })
	d.predicate = x
	return err
}

// parameters reads what the asker set: each parameter of the predicate, once.
func (x *predicate) parameters(q *gatewayv1.QueryBody, declared []policy.Field) error {
	if len(q.GetParameters()) != len(declared) {
		return ruled("predicate", fault.Malformed, "predicate %s has %d parameters, not %d", x.agreed.GetName(), len(declared), len(q.GetParameters()))
	}
	for _, kv := range q.GetParameters() {
		i := slices.IndexFunc(declared, func(f policy.Field) bool { return f.Name == kv.GetItem() })
		if _, twice := x.values[kv.GetItem()]; i < 0 || twice || len(kv.GetValue()) > maxValue {
			return ruled("predicate", fault.Malformed, "predicate %s: parameter %.100q", x.agreed.GetName(), kv.GetItem())
		}
		v := connect.Value{Text: kv.GetValue()}
		if err := v.Kind.UnmarshalText([]byte(declared[i].Kind.String())); err != nil || v.Check() != nil {
			return ruled("predicate", fault.Malformed, "predicate %s: parameter %s is no %s", x.agreed.GetName(), kv.GetItem(), declared[i].Kind)
		}
		x.values[kv.GetItem()] = policyValue(v)
	}
	return nil
}

// looksAt are the codes of the items that the predicate looks at.
func (d *decision) looksAt() (codes []string) {
	for _, f := range d.predicate.rule.Fields() {
		if it := d.named(f.Name); it != nil && d.predicate.values[f.Name].Kind == 0 {
			codes = append(codes, it.GetCode())
		}
	}
	return codes
}

// byKey makes a predicate's selection: the whole primary key and nothing else, so that it
// is about one row. Malformed.
func (x *predicate) byKey(d *decision, q *gatewayv1.QueryBody, s *connect.Selection) error {
	var key []string
	for _, c := range d.table.GetColumns() {
		if c.GetPrimaryKey() {
			key = append(key, c.GetName())
		}
	}
	if len(key) == 0 {
		for _, it := range d.entry.GetItems() {
			if it.GetPrimaryKey() {
				key = append(key, it.GetColumn())
			}
		}
	}
	if len(key) == 0 || len(q.GetWhere()) != len(key) {
		return ruled("predicate", fault.Malformed, "a predicate is asked by the whole key of %d columns", len(key))
	}
	for _, k := range key {
		i := slices.IndexFunc(s.Where, func(c connect.Condition) bool { return c.Column == k })
		if i < 0 {
			return ruled("predicate", fault.Malformed, "a predicate is asked by the whole key of %d columns", len(key))
		}
		x.key = append(x.key, s.Where[i].Values[0])
		at := slices.Index(s.Columns, k)
		if at < 0 {
			at = len(s.Columns)
			s.Columns = append(s.Columns, k)
		}
		x.keyAt = append(x.keyAt, at)
	}
	for _, f := range x.rule.Fields() {
		if it := d.named(f.Name); it != nil {
			x.column[f.Name] = slices.Index(s.Columns, it.GetColumn())
		}
	}
	s.Limit = 2
	return nil
}

// answer is what the predicate says of the rows that were read: Unknown if there is none
// of this key, or several.
func (x *predicate) answer(d *decision, rows []connect.Row, now time.Time) gatewayv1.Verdict {
	var mine []connect.Row
	for _, row := range rows {
		same := true
		for i, at := range x.keyAt {
			same = same && row[at] == x.key[i] // what is equal for the database only is another key
		}
		if same && d.form.inScope(row, now) {
			mine = append(mine, row)
		}
	}
	if len(mine) != 1 {
		return gatewayv1.Verdict_VERDICT_UNKNOWN
	}
	switch x.rule.Eval(func(name string) policy.Value {
		if v, is := x.values[name]; is {
			return v
		}
		return policyValue(mine[0][x.column[name]])
	}, now) {
	case policy.Yes:
		return gatewayv1.Verdict_VERDICT_YES
	case policy.No:
		return gatewayv1.Verdict_VERDICT_NO
	}
	return gatewayv1.Verdict_VERDICT_UNKNOWN
}

func (f *form) inScope(row connect.Row, now time.Time) bool {
	return f == nil || f.scope == nil || f.scope.Eval(func(name string) policy.Value { return policyValue(row[f.column[name]]) }, now) == policy.Yes
}

// sealVerdict is the whole answer of a predicate. It has the same length whatever it says.
func (p *Provider) sealVerdict(d *decision, aad []byte, rows []connect.Row) (header, sealed []byte, err error) {
	raw, err := canon.Marshal(&gatewayv1.QueryResult{Verdict: d.predicate.answer(d, rows, time.Now())})
	if err != nil {
		return nil, nil, err
	}
	return p.sealTo(d.seal, aad, raw)
}

// Asked is the answer of a predicate.
type Asked struct {
	Verdict gatewayv1.Verdict
	*Result
}

// Predicate asks whether a predicate of the agreement holds for the row of a key, given
// by all its items. The asker learns nothing else: not even whether there is such a row,
// if the answer is unknown. Refusals as of [Asker.Query].
func (a *Asker) Predicate(ctx context.Context, agreement, entry, name string, parameters []*gatewayv1.KeyValue, where ...*gatewayv1.KeyValue) (*Asked, error) {
	if name == "" {
		return nil, fault.Newf(fault.Missing, "the predicate is not named")
	}
	res, q, err := a.query(ctx, agreement, entry, &gatewayv1.QueryBody{Predicate: name, Parameters: parameters, Where: where})
	if err != nil {
		return nil, err
	}
	if v := q.GetVerdict(); v < gatewayv1.Verdict_VERDICT_YES || v > gatewayv1.Verdict_VERDICT_UNKNOWN || len(res.Columns) > 0 || res.Record.GetPredicate() != name {
		return nil, fault.Newf(fault.VerificationFailed, "the answer is none to predicate %s", name)
	}
	return &Asked{Verdict: q.GetVerdict(), Result: res}, nil
}
