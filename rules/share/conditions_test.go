package share_test

import (
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/towntest"
)

func asQuery(fn func(*sharev1.Terms)) func(*sharev1.Terms) {
	return func(t *sharev1.Terms) {
		t.Method = query
		fn(t)
	}
}

func withPredicate(fn func(*sharev1.Predicate)) func(*sharev1.Terms) {
	return func(t *sharev1.Terms) {
		t.Method = query
		p := &sharev1.Predicate{Name: "large", Entry: t.Parts[0].Entry, Condition: `area == wanted`, Parameters: []*sharev1.Parameter{{Name: "wanted", Type: "text"}}}
		fn(p)
		t.Predicates = append(t.Predicates, p)
	}
}

func withMask(m *sharev1.Mask) func(*sharev1.Terms) {
	return func(t *sharev1.Terms) {
		m.Entry = t.Parts[0].Entry
		t.Masks = append(t.Masks, m)
	}
}

// TestConditionsThatCannotHold: what no gateway could carry out is refused when it is
// asked for, by the ledger.
func TestConditionsThatCannotHold(t *testing.T) {
	const keep, hash, month, round, region = sharev1.MaskKind_MASK_KIND_KEEP, sharev1.MaskKind_MASK_KIND_HASH, sharev1.MaskKind_MASK_KIND_MONTH, sharev1.MaskKind_MASK_KIND_ROUND, sharev1.MaskKind_MASK_KIND_REGION
	w := towntest.New(t)
	w.Publish(func(e *cataloguev1.Entry) {
		e.Methods = []cataloguev1.Method{query, batch}
		e.Items[1].ShareType = cataloguev1.ShareType_SHARE_TYPE_DENIED // owner
	})
	for _, x := range []struct {
		name string
		want fault.Code
		edit func(*sharev1.Terms)
	}{
		{"scope of no item", fault.Malformed, func(t *sharev1.Terms) { t.RowScope = `nothing == "1"` }},
		{"scope of another type", fault.Malformed, func(t *sharev1.Terms) { t.RowScope = `area > 12` }},
		{"scope with a fraction", fault.Malformed, func(t *sharev1.Terms) { t.RowScope = `1.5 > 1.0` }},
		{"scope of a withheld item", fault.Malformed, func(t *sharev1.Terms) { t.RowScope = `owner == "王小明"` }},
		{"scope of two lines", fault.Malformed, func(t *sharev1.Terms) { t.RowScope = "no == \"1\" &&\n no == \"1\"" }},
		{"predicate of a batch", fault.FormatMethodMismatch, func(t *sharev1.Terms) { withPredicate(func(*sharev1.Predicate) {})(t); t.Method = batch }},
		{"predicate without a name", fault.Malformed, withPredicate(func(p *sharev1.Predicate) { p.Name = "" })},
		{"predicate with a loud name", fault.Malformed, withPredicate(func(p *sharev1.Predicate) { p.Name = "Large" })},
		{"predicate twice", fault.Duplicate, func(t *sharev1.Terms) {
			withPredicate(func(*sharev1.Predicate) {})(t)
			withPredicate(func(*sharev1.Predicate) {})(t)
		}},
		{"predicate of another entry", fault.FieldNotGranted, withPredicate(func(p *sharev1.Predicate) { p.Entry = "none" })},
		{"predicate without a condition", fault.Missing, withPredicate(func(p *sharev1.Predicate) { p.Condition = "" })},
		{"predicate of an item that is not asked for", fault.Malformed, func(t *sharev1.Terms) {
			withPredicate(func(*sharev1.Predicate) {})(t)
			t.Parts[0].Items = []string{"no"}
		}},
		{"predicate that says nothing of a row", fault.Malformed, withPredicate(func(p *sharev1.Predicate) { p.Condition = `true` })},
		{"parameter of no type", fault.Malformed, withPredicate(func(p *sharev1.Predicate) { p.Parameters[0].Type = "float" })},
		{"parameter with an item's name", fault.Duplicate, withPredicate(func(p *sharev1.Predicate) { p.Parameters[0].Name = "no" })},
		{"parameter twice", fault.Duplicate, withPredicate(func(p *sharev1.Predicate) { p.Parameters = append(p.Parameters, p.Parameters[0]) })},
		{"too many answers about one", fault.OutOfRange, withPredicate(func(p *sharev1.Predicate) { p.MaxPerSubject = 1001 })},
		{"mask beside a predicate", fault.CodeInconsistent, func(t *sharev1.Terms) {
			withPredicate(func(*sharev1.Predicate) {})(t)
			withMask(&sharev1.Mask{Item: "no", Kind: hash})(t)
		}},
		{"mask of an item that is not asked for", fault.FieldNotGranted, withMask(&sharev1.Mask{Item: "owner", Kind: hash})},
		{"mask of no kind", fault.Missing, withMask(&sharev1.Mask{Item: "no"})},
		{"mask of an unknown kind", fault.OutOfRange, withMask(&sharev1.Mask{Item: "no", Kind: 99})},
		{"mask that keeps all", fault.OutOfRange, withMask(&sharev1.Mask{Item: "no", Kind: keep, First: 101})},
		{"month of a text", fault.Malformed, withMask(&sharev1.Mask{Item: "no", Kind: month})},
		{"rounded text", fault.Malformed, withMask(&sharev1.Mask{Item: "no", Kind: round, Unit: 10})},
		{"rounded to nothing", fault.OutOfRange, withMask(&sharev1.Mask{Item: "no", Kind: round})},
		{"region of three digits", fault.OutOfRange, withMask(&sharev1.Mask{Item: "no", Kind: region, First: 3})},
		{"mask twice", fault.Duplicate, func(t *sharev1.Terms) {
			withMask(&sharev1.Mask{Item: "no", Kind: hash})(t)
			withMask(&sharev1.Mask{Item: "no", Kind: hash})(t)
		}},
		{"window that ends before it begins", fault.OutOfRange, func(t *sharev1.Terms) { t.Windows = []*sharev1.Window{{FromMinute: 600, ToMinute: 540}} }},
		{"window of an eighth day", fault.OutOfRange, func(t *sharev1.Terms) { t.Windows = []*sharev1.Window{{Days: 128}} }},
		{"too many windows", fault.TooLong, func(t *sharev1.Terms) { t.Windows = make([]*sharev1.Window, 21) }},
	} {
		if got := w.Do(w.Consumer, w.Request(x.edit)); got != x.want {
			t.Errorf("%s: %s (%s), want %s", x.name, got, w.Text, x.want)
		}
	}
	w.Must(w.Consumer, w.Request(func(t *sharev1.Terms) {
		withPredicate(func(*sharev1.Predicate) {})(t)
		t.RowScope, t.MaxRows = `no.startsWith("京") || area == "12"`, 1000
		t.Windows = []*sharev1.Window{{Days: 31, WorkingDays: true, FromMinute: 480, ToMinute: 1080}}
	}))
}

// TestConditionsCanOnlyBeNarrowed: a provider may demand more of a row, mask more, give
// at fewer times, answer instead of giving; never the reverse.
func TestConditionsCanOnlyBeNarrowed(t *testing.T) {
	keep := func(item string, first uint32) *sharev1.Mask {
		return &sharev1.Mask{Item: item, Kind: sharev1.MaskKind_MASK_KIND_KEEP, First: first}
	}
	asked := func(t *sharev1.Terms) {
		asQuery(withMask(keep("no", 2)))(t)
		t.RowScope, t.MaxRows = `no.startsWith("京") && area == "12"`, 1000
		t.Windows = []*sharev1.Window{{Days: 31}}
	}
	for _, x := range []struct {
		name string
		want fault.Code
		edit func(*sharev1.Terms)
	}{
		{"the same", fault.OK, func(*sharev1.Terms) {}},
		{"more of a row", fault.OK, func(t *sharev1.Terms) { t.RowScope = `size(no) > 3 && area=="12" && no.startsWith('京')` }},
		{"less of a row", fault.CodeInconsistent, func(t *sharev1.Terms) { t.RowScope = `no.startsWith("京")` }},
		{"or something else", fault.CodeInconsistent, func(t *sharev1.Terms) { t.RowScope = `(no.startsWith("京") && area == "12") || size(no) > 3` }},
		{"nothing of a row", fault.CodeInconsistent, func(t *sharev1.Terms) { t.RowScope = "" }},
		{"another mask more", fault.OK, withMask(keep("area", 1))},
		{"a weaker mask", fault.CodeInconsistent, func(t *sharev1.Terms) { t.Masks[0].First = 5 }},
		{"no mask", fault.CodeInconsistent, func(t *sharev1.Terms) { t.Masks = nil }},
		{"no mask, no item", fault.OK, func(t *sharev1.Terms) { t.Masks, t.Parts[0].Items = nil, []string{"area"} }},
		{"at any time", fault.CodeInconsistent, func(t *sharev1.Terms) { t.Windows = nil }},
		{"fewer rows", fault.OK, func(t *sharev1.Terms) { t.MaxRows, t.MaxRowsPerDay, t.MaxBytes = 10, 5, 1<<20 }},
		{"more rows", fault.OutOfRange, func(t *sharev1.Terms) { t.MaxRows = 1001 }},
		{"answers instead", fault.OK, func(t *sharev1.Terms) {
			t.Masks, t.Parts[0].Items = nil, []string{"area"}
			withPredicate(func(p *sharev1.Predicate) {})(t)
		}},
	} {
		w := towntest.New(t)
		w.Publish(func(e *cataloguev1.Entry) { e.Methods = []cataloguev1.Method{query, batch} })
		r := request(w, w.Must(w.Consumer, w.Request(asked))[0])
		x.edit(r.Terms)
		if got := w.Do(w.Provider, &sharev1.Answer{Request: r.Id, Accept: true, Terms: r.Terms}); got != x.want {
			t.Errorf("%s: %s (%s), want %s", x.name, got, w.Text, x.want)
		}
	}
	// What was asked as an answer is not given as rows.
	w := towntest.New(t)
	w.Publish(func(e *cataloguev1.Entry) { e.Methods = []cataloguev1.Method{query} })
	r := request(w, w.Must(w.Consumer, w.Request(withPredicate(func(*sharev1.Predicate) {})))[0])
	r.Terms.Predicates = nil
	w.Want(fault.CodeInconsistent, w.Provider, &sharev1.Answer{Request: r.Id, Accept: true, Terms: r.Terms})
	if !strings.Contains(w.Text, "answers") {
		t.Errorf("refused with %q", w.Text)
	}
}
