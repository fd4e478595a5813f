package deliver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/policy"
)

// A form is how an agreement gives the rows of an entry: which of them, and with what in
// place of masked values. nil is all rows as they are.
type form struct {
	scope  *policy.Rule        // nil: every row
	push   []connect.Condition // what of the scope the database looks at first
	whole  bool                // that is all of it
	column map[string]int      // of a row as read, by the scope's names
	hidden []string            // columns that are read for the scope and not given
	masks  []mask              // by item, in the order of the decision
	given  int                 // columns that are given
}

// mask changes one value; nil: it stays. NULL never comes to it.
type mask func(connect.Value) (connect.Value, error)

// rules are conditions that were checked, by what they are about.
type rules struct {
	mu sync.Mutex
	of map[string]*policy.Rule
}

// maxRules is how many checked conditions are remembered.
const maxRules = 1000

// rule checks a condition against the catalogue as it is now. EntryDrifted: the ledger
// took it for columns of other types.
func (x *rules) rule(d *decision, name, source string, extra []policy.Field, only func(code string) bool) (*policy.Rule, error) {
	key := strings.Join([]string{d.agreement.GetId(), d.entry.GetId(), d.table.GetId(), name, source, hex.EncodeToString(version(d))}, "\x00")
	x.mu.Lock()
	r := x.of[key]
	x.mu.Unlock()
	if r != nil {
		return r, nil
	}
	fields := d.fields(only)
	r, err := policy.Compile(source, append(fields, extra...))
	if err != nil {
		return nil, &fault.Fault{Code: fault.EntryDrifted, Rule: "gateway/" + name, Text: "the agreed condition does not fit the columns any more", Err: err}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.of == nil || len(x.of) >= maxRules {
		x.of = map[string]*policy.Rule{}
	}
	x.of[key] = r
	return r, nil
}

// version tells one state of agreement, entry and table from another.
func version(d *decision) []byte {
	b := make([]byte, 0, 24)
	for _, n := range []uint64{d.agreement.GetVersion(), d.entry.GetVersion(), d.table.GetVersion()} {
		for i := range 8 {
			b = append(b, byte(n>>(8*i)))
		}
	}
	return b
}

// fields are the items of which a condition can speak, as rules/share names them.
func (d *decision) fields(only func(code string) bool) (out []policy.Field) {
	for _, it := range d.entry.GetItems() {
		name := policy.NameOf(it.GetCode(), it.GetTechnicalName())
		col := column(d.table, it.GetColumn())
		if name == "" || col == nil || denied(d.entry, it) || only != nil && !only(it.GetCode()) {
			continue
		}
		kind, ok := policy.KindOf(col.GetType())
		if !ok || slices.ContainsFunc(out, func(f policy.Field) bool { return f.Name == name }) || len(out) == policy.MaxFields {
			continue
		}
		out = append(out, policy.Field{Name: name, Kind: kind})
	}
	return out
}

// named finds the item that a condition calls so.
func (d *decision) named(name string) *cataloguev1.Item {
	for _, it := range d.entry.GetItems() {
		if policy.NameOf(it.GetCode(), it.GetTechnicalName()) == name && column(d.table, it.GetColumn()) != nil && !denied(d.entry, it) {
			return it
		}
	}
	return nil
}

// form makes the form of a decision, and notes it there. EntryDrifted.
func (p *Provider) form(d *decision) error {
	t := d.agreement.GetTerms()
	if t.GetRowScope() == "" && len(t.GetMasks()) == 0 {
		return nil
	}
	f := &form{given: len(d.items), column: map[string]int{}}
	for _, it := range d.items {
		f.masks = append(f.masks, p.maskOf(d, it))
	}
	d.form = f
	if t.GetRowScope() == "" {
		return nil
	}
	var err error
	if f.scope, err = p.rules.rule(d, "scope", t.GetRowScope(), nil, nil); err != nil {
		return err
	}
	for _, field := range f.scope.Fields() {
		it := d.named(field.Name)
		if it == nil || it.GetState() == itemFrozen || p.cfg.Drifted(d.table.GetId(), it.GetColumn()) {
			return ruled("scope", fault.EntryDrifted, "the agreed row scope rests on %s, which is not what the catalogue says", field.Name)
		}
		f.column[field.Name] = f.reads(d, it.GetColumn())
	}
	f.pushed(d)
	return nil
}

// reads returns where a column is in a row as read, and has it read if it is not given.
func (f *form) reads(d *decision, col string) int {
	for i, it := range d.items {
		if it.GetColumn() == col {
			return i
		}
	}
	if i := slices.Index(f.hidden, col); i >= 0 {
		return f.given + i
	}
	f.hidden = append(f.hidden, col)
	return f.given + len(f.hidden) - 1
}

// pushed finds what of the scope the database can look at.
func (f *form) pushed(d *decision) {
	list, whole := f.scope.Comparisons()
	f.whole = whole
	for _, c := range list {
		cond := connect.Condition{Column: d.named(c.Field).GetColumn(), Op: connect.OpIn}
		if c.Is == policy.Above {
			cond.Op = connect.OpAfter
		}
		for _, v := range c.Values {
			x := connect.Value{Text: v.Text}
			if x.Kind.UnmarshalText([]byte(v.Kind.String())) != nil || x.Check() != nil {
				f.whole = false
				cond.Values = nil
				break
			}
			cond.Values = append(cond.Values, x)
		}
		if len(cond.Values) == 0 || len(cond.Values) > connect.MaxConditionValues || len(f.push) == maxPushed {
			f.whole = false
			continue
		}
		f.push = append(f.push, cond)
	}
}

// maxPushed bounds the conditions of a scope that a database gets beside the asker's.
const maxPushed = 8

// conditions and extra are what a selection needs for the form.
func (f *form) conditions() []connect.Condition {
	if f == nil {
		return nil
	}
	return f.push
}

func (f *form) extra() []string {
	if f == nil {
		return nil
	}
	return f.hidden
}

// reshapes tells whether rows are given otherwise than they are in the table.
func (f *form) reshapes() bool { return f != nil }

// apply leaves the rows of which the scope is true, without the columns that were read for
// it, and masks them. It works in the rows that it was given.
func (f *form) apply(rows []connect.Row, now time.Time) ([]connect.Row, error) {
	if f == nil {
		return rows, nil
	}
	out := rows[:0]
	for _, row := range rows {
		if f.scope != nil && f.scope.Eval(func(name string) policy.Value { return policyValue(row[f.column[name]]) }, now) != policy.Yes {
			continue
		}
		row = row[:f.given:f.given]
		for i, m := range f.masks {
			if m == nil || row[i].IsNull() {
				continue
			}
			var err error
			if row[i], err = m(row[i]); err != nil {
				return nil, err
			}
		}
		out = append(out, row)
	}
	return out, nil
}

// scan is apply for the batches of a Scan.
func (f *form) scan(take func(connect.Batch) error) func(connect.Batch) error {
	if f == nil {
		return take
	}
	return func(b connect.Batch) (err error) {
		if b.Rows, err = f.apply(b.Rows, time.Now()); err != nil || len(b.Rows) == 0 {
			return err
		}
		return take(b)
	}
}

func policyValue(v connect.Value) policy.Value {
	if v.IsNull() {
		return policy.Value{}
	}
	kind, ok := policy.KindOf(v.Kind.String())
	if !ok {
		return policy.Value{}
	}
	return policy.Value{Kind: kind, Text: v.Text}
}

// agreedMask is the mask of an item in the terms, nil if it has none.
func (d *decision) agreedMask(code string) *sharev1.Mask {
	for _, m := range d.agreement.GetTerms().GetMasks() {
		if m.GetEntry() == d.entry.GetId() && m.GetItem() == code {
			return m
		}
	}
	return nil
}

// maskedType is the type that a receiver's column has.
func maskedType(m *sharev1.Mask, was string) string {
	switch m.GetKind() {
	case 0, sharev1.MaskKind_MASK_KIND_ROUND:
		return was
	}
	return "text"
}

// distinct tells whether values that differ still do.
func distinct(m *sharev1.Mask) bool {
	return m == nil || m.GetKind() == sharev1.MaskKind_MASK_KIND_HASH
}

func (p *Provider) maskOf(d *decision, it *cataloguev1.Item) mask {
	m := d.agreedMask(it.GetCode())
	if m == nil {
		return nil
	}
	switch m.GetKind() {
	case sharev1.MaskKind_MASK_KIND_KEEP:
		return func(v connect.Value) (connect.Value, error) {
			return connect.TextValue(keepEnds(v.Text, int(m.GetFirst()), int(m.GetLast()))), nil
		}
	case sharev1.MaskKind_MASK_KIND_HASH:
		key := hmac.New(sha256.New, p.salt)
		key.Write(canon.Frame("mulian/gateway/mask/v1", []byte(d.agreement.GetId()), []byte(d.entry.GetId()), []byte(it.GetCode())))
		secret := key.Sum(nil)
		return func(v connect.Value) (connect.Value, error) {
			h := hmac.New(sha256.New, secret)
			h.Write(append([]byte{byte(v.Kind)}, v.Text...))
			return connect.TextValue(hex.EncodeToString(h.Sum(nil))), nil
		}
	case sharev1.MaskKind_MASK_KIND_MONTH, sharev1.MaskKind_MASK_KIND_YEAR:
		return func(v connect.Value) (connect.Value, error) { return cutDate(v, m.GetKind()) }
	case sharev1.MaskKind_MASK_KIND_ROUND:
		return func(v connect.Value) (connect.Value, error) { return rounded(v, m.GetUnit()) }
	case sharev1.MaskKind_MASK_KIND_REGION:
		return func(v connect.Value) (connect.Value, error) { return region(v, int(m.GetFirst())), nil }
	}
	// A kind that this program does not know gives nothing.
	return func(connect.Value) (connect.Value, error) { return connect.Null, nil }
}

// keepEnds keeps characters at both ends. A text that is not longer is all stars.
func keepEnds(s string, first, last int) string {
	n := utf8.RuneCountInString(s)
	if first+last >= n {
		return strings.Repeat("*", n)
	}
	runes := []rune(s)
	return string(runes[:first]) + strings.Repeat("*", n-first-last) + string(runes[n-last:])
}

// cutDate is the month or year of a date or time, of a moment that in Beijing.
func cutDate(v connect.Value, kind sharev1.MaskKind) (connect.Value, error) {
	text := v.Text
	if strings.HasSuffix(text, "infinity") {
		return connect.TextValue(text), nil
	}
	if v.Kind == connect.Instant {
		t, err := time.Parse("2006-01-02T15:04:05.999999999Z", text)
		if err != nil {
			return v, fault.Newf(fault.Undecodable, "a moment out of range cannot be cut to its month")
		}
		text = t.In(beijing).Format(time.DateOnly)
	}
	text, _, _ = strings.Cut(text, "T")
	cut := len("-02")
	if kind == sharev1.MaskKind_MASK_KIND_YEAR {
		cut = len("-01-02")
	}
	if len(text) <= cut {
		return v, fault.Newf(fault.Undecodable, "a date out of range cannot be cut to its month")
	}
	return connect.TextValue(text[:len(text)-cut]), nil
}

// rounded is the nearest multiple of unit, halves away from zero.
func rounded(v connect.Value, unit uint64) (connect.Value, error) {
	if v.Text == "NaN" || strings.HasSuffix(v.Text, "infinity") {
		return v, nil
	}
	if len(v.Text) > maxRounded || unit == 0 {
		return v, fault.Newf(fault.Undecodable, "a number of %d digits cannot be rounded", len(v.Text))
	}
	x, ok := new(big.Rat).SetString(v.Text)
	if !ok {
		return v, fault.Newf(fault.Undecodable, "a number cannot be rounded")
	}
	u := new(big.Int).SetUint64(unit)
	x.Quo(x, new(big.Rat).SetInt(u))
	// floor(|x| + 1/2), with the sign of x
	num := new(big.Int).Abs(x.Num())
	num.Lsh(num, 1).Add(num, x.Denom())
	num.Quo(num, new(big.Int).Lsh(x.Denom(), 1))
	if x.Sign() < 0 {
		num.Neg(num)
	}
	return connect.Value{Kind: v.Kind, Text: num.Mul(num, u).String()}, nil
}

// maxRounded bounds the digits of a number that is rounded.
const maxRounded = 1000

// region keeps the first digits of a region code. What is none is not given.
func region(v connect.Value, first int) connect.Value {
	if len(v.Text) < 6 || len(v.Text) > 12 || strings.Trim(v.Text, "0123456789") != "" {
		return connect.Null
	}
	return connect.TextValue(v.Text[:first] + strings.Repeat("0", len(v.Text)-first))
}
