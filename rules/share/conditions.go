package share

import (
	"slices"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/policy"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/state"
)

// checkConditions looks at scope, predicates, masks and windows alone, in this order:
// TooLong (how many), Malformed, Missing, Duplicate, OutOfRange, FormatMethodMismatch
// (predicates are answered by query).
func checkConditions(rule string, t *sharev1.Terms) error {
	if err := act.Line(rule, "row_scope", t.RowScope, policy.MaxSource, false); err != nil {
		return err
	}
	switch {
	case len(t.Predicates) > maxPredicates:
		return act.Refuse(fault.TooLong, rule, "%d predicates, at most %d", len(t.Predicates), maxPredicates)
	case len(t.Masks) > MaxItems:
		return act.Refuse(fault.TooLong, rule, "%d masks, at most %d", len(t.Masks), MaxItems)
	case len(t.Windows) > maxWindows:
		return act.Refuse(fault.TooLong, rule, "%d windows, at most %d", len(t.Windows), maxWindows)
	case len(t.Predicates) > 0 && t.Method != byQuery:
		return act.Refuse(fault.FormatMethodMismatch, rule, "predicates are answered by %s, not by %s", byQuery, t.Method)
	case len(t.Predicates) > 0 && len(t.Masks) > 0:
		return act.Refuse(fault.CodeInconsistent, rule, "a predicate gives no value: there is nothing to mask")
	}
	for i, p := range t.Predicates {
		if err := act.In(rule, i, checkPredicate(rule, t, t.Predicates[:i], p)); err != nil {
			return err
		}
	}
	for i, m := range t.Masks {
		if err := act.In(rule, i, checkMask(rule, t, t.Masks[:i], m)); err != nil {
			return err
		}
	}
	for i, w := range t.Windows {
		if w.Days > 127 || w.FromMinute >= dayMinutes || w.ToMinute > dayMinutes || w.ToMinute != 0 && w.ToMinute <= w.FromMinute {
			return act.RefuseItem(fault.OutOfRange, rule, i, "a window of the days %d from minute %d to %d", w.Days, w.FromMinute, w.ToMinute)
		}
	}
	return nil
}

func part(t *sharev1.Terms, entry string) *sharev1.Part {
	for _, p := range t.Parts {
		if p.Entry == entry {
			return p
		}
	}
	return nil
}

func checkPredicate(rule string, t *sharev1.Terms, before []*sharev1.Predicate, p *sharev1.Predicate) error {
	switch {
	case !isPredicateName(p.Name):
		return act.Refuse(fault.Malformed, rule, "a predicate's name is 1 to 64 of a-z 0-9 . _ -, not %.80q", p.Name)
	case slices.ContainsFunc(before, func(x *sharev1.Predicate) bool { return x.Name == p.Name }):
		return act.Refuse(fault.Duplicate, rule, "predicate %s stands twice", p.Name)
	case part(t, p.Entry) == nil:
		return act.Refuse(fault.FieldNotGranted, rule, "predicate %s is about entry %.80q, which is not asked for", p.Name, p.Entry)
	case len(p.Parameters) > maxParameters:
		return act.Refuse(fault.TooLong, rule, "predicate %s has %d parameters, at most %d", p.Name, len(p.Parameters), maxParameters)
	case p.MaxPerSubject > maxPerSubject:
		return act.Refuse(fault.OutOfRange, rule, "predicate %s: %d answers about one subject a day, at most %d", p.Name, p.MaxPerSubject, maxPerSubject)
	}
	for i, x := range p.Parameters {
		if _, ok := policy.KindOf(x.Type); !ok || !policy.IsName(x.Name) {
			return act.Refuse(fault.Malformed, rule, "predicate %s: parameter %.80q of type %.20q", p.Name, x.Name, x.Type)
		}
		if slices.ContainsFunc(p.Parameters[:i], func(y *sharev1.Parameter) bool { return x.Name == y.Name }) {
			return act.Refuse(fault.Duplicate, rule, "predicate %s: parameter %s stands twice", p.Name, x.Name)
		}
	}
	return act.Line(rule, "condition", p.Condition, policy.MaxSource, true)
}

func isPredicateName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func checkMask(rule string, t *sharev1.Terms, before []*sharev1.Mask, m *sharev1.Mask) error {
	switch p := part(t, m.Entry); {
	case p == nil || !slices.Contains(p.Items, m.Item):
		return act.Refuse(fault.FieldNotGranted, rule, "a mask of item %.80q of entry %.80q, which is not asked for", m.Item, m.Entry)
	case slices.ContainsFunc(before, func(x *sharev1.Mask) bool { return x.Entry == m.Entry && x.Item == m.Item }):
		return act.Refuse(fault.Duplicate, rule, "item %s of entry %s has two masks", m.Item, m.Entry)
	case m.First > maxKept, m.Last > maxKept,
		m.Kind == maskRegion && m.First != 2 && m.First != 4,
		m.Kind == maskRound && (m.Unit == 0 || m.Unit > maxUnit),
		m.Kind != maskRound && m.Unit != 0,
		m.Kind != maskKeep && m.Last != 0,
		m.Kind != maskKeep && m.Kind != maskRegion && m.First != 0:
		return act.Refuse(fault.OutOfRange, rule, "the mask of item %s: first %d, last %d, unit %d do not fit %s", m.Item, m.First, m.Last, m.Unit, m.Kind)
	case m.Kind == 0:
		return act.Refuse(fault.Missing, rule, "the mask of item %s has no kind", m.Item)
	}
	return act.Listed(rule, "kind", m.Kind)
}

// judgeConditions looks at the conditions and masks of one part in the light of its entry:
// they have to fit the types of the columns below, else nothing could ever be given.
func judgeConditions(v state.View, rule string, t *sharev1.Terms, p *sharev1.Part, e *cataloguev1.Entry) error {
	if t.RowScope == "" && len(t.Predicates) == 0 && len(t.Masks) == 0 {
		return nil
	}
	all := conditionFields(v, e, nil)
	if t.RowScope != "" {
		if _, err := policy.Compile(t.RowScope, all); err != nil {
			return act.Refuse(fault.Malformed, rule, "row_scope, for entry %s: %s", e.Id, err)
		}
	}
	for _, x := range t.Predicates {
		if x.Entry != e.Id {
			continue
		}
		fields := conditionFields(v, e, p.Items)
		for _, y := range x.Parameters {
			kind, _ := policy.KindOf(y.Type)
			if slices.ContainsFunc(fields, func(f policy.Field) bool { return f.Name == y.Name }) {
				return act.Refuse(fault.Duplicate, rule, "predicate %s: parameter %s has the name of an item", x.Name, y.Name)
			}
			fields = append(fields, policy.Field{Name: y.Name, Kind: kind})
		}
		r, err := policy.Compile(x.Condition, fields)
		if err != nil {
			return act.Refuse(fault.Malformed, rule, "predicate %s: %s", x.Name, err)
		}
		if !slices.ContainsFunc(r.Fields(), func(f policy.Field) bool {
			return !slices.ContainsFunc(x.Parameters, func(y *sharev1.Parameter) bool { return y.Name == f.Name })
		}) {
			return act.Refuse(fault.Malformed, rule, "predicate %s says nothing about a row", x.Name)
		}
	}
	for _, m := range t.Masks {
		if m.Entry == e.Id && !masks(m.Kind, kindOf(v, e, m.Item)) {
			return act.Refuse(fault.Malformed, rule, "item %s of entry %s is %q: %s does not fit", m.Item, e.Id, kindOf(v, e, m.Item), m.Kind)
		}
	}
	return nil
}

// conditionFields are the items of an entry of which a condition can speak, those of
// the list or all that are shared. A condition names an item by its code, if that is a
// name (policy.IsName), else by its technical name; of two with one name it names the first.
func conditionFields(v state.View, e *cataloguev1.Entry, only []string) (out []policy.Field) {
	for _, it := range e.Items {
		name := policy.NameOf(it.Code, it.TechnicalName)
		kind, ok := policy.KindOf(kindOf(v, e, it.Code))
		switch {
		case name == "" || !ok || len(out) == policy.MaxFields,
			only != nil && !slices.Contains(only, it.Code),
			catalogue.ShareTypeOf(v, e, it) == denied,
			slices.ContainsFunc(out, func(f policy.Field) bool { return f.Name == name }):
			continue
		}
		out = append(out, policy.Field{Name: name, Kind: kind})
	}
	return out
}

// kindOf is the type of the column on which an item lies; without one, what the item says.
func kindOf(v state.View, e *cataloguev1.Entry, code string) string {
	i := slices.IndexFunc(e.Items, func(it *cataloguev1.Item) bool { return it.Code == code })
	if i < 0 {
		return ""
	}
	it := e.Items[i]
	if t, ok := catalogue.FindTable(v, e.Table); ok && it.Column != "" {
		for _, c := range t.Columns {
			if c.Name == it.Column {
				return c.Type
			}
		}
	}
	return it.Type
}

// masks tells whether values of a type can be masked so.
func masks(kind sharev1.MaskKind, of string) bool {
	switch kind {
	case maskKeep, maskRegion:
		return of == "text"
	case maskMonth, maskYear:
		return of == "date" || of == "timestamp" || of == "instant"
	case maskRound:
		return of == "integer" || of == "decimal"
	}
	return true
}

// narrowerConditions refuses conditions that are wider than those that were asked for: a
// scope without a part of the one asked for, a mask that is gone or another, windows
// other than those asked for, a predicate that was not asked for. CodeInconsistent.
func narrowerConditions(rule string, given, asked *sharev1.Terms) error {
	if asked.RowScope != "" && given.RowScope != asked.RowScope && !withinScope(given.RowScope, asked.RowScope) {
		return act.Refuse(fault.CodeInconsistent, rule, "row_scope: only more can be demanded of a row, joined by &&")
	}
	for i, m := range asked.Masks {
		if x := part(given, m.Entry); x == nil || !slices.Contains(x.Items, m.Item) {
			continue // the item is not given at all
		}
		if !slices.ContainsFunc(given.Masks, func(x *sharev1.Mask) bool { return sameMask(x, m) }) {
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "the mask of item %s has to stay", m.Item)
		}
	}
	if len(asked.Windows) > 0 && !slices.EqualFunc(given.Windows, asked.Windows, sameWindow) {
		return act.Refuse(fault.CodeInconsistent, rule, "the windows stay as they were asked for, where any were")
	}
	if len(asked.Predicates) > 0 && len(given.Predicates) == 0 {
		return act.Refuse(fault.CodeInconsistent, rule, "answers were asked for, not rows")
	}
	for i, p := range given.Predicates {
		j := slices.IndexFunc(asked.Predicates, func(x *sharev1.Predicate) bool { return x.Name == p.Name })
		if len(asked.Predicates) == 0 {
			continue // rows were asked for: an answer is less
		}
		if j < 0 || !samePredicate(p, asked.Predicates[j]) {
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "predicate %s was not asked for so", p.Name)
		}
	}
	return nil
}

// withinScope tells whether a condition demands all that another one does. The names are
// not looked up here: what does not fit the items has been refused.
func withinScope(given, asked string) bool {
	g, err := policy.PartsOf(given)
	if err != nil {
		return false
	}
	a, err := policy.PartsOf(asked)
	if err != nil {
		return false
	}
	for _, x := range a {
		if !slices.Contains(g, x) {
			return false
		}
	}
	return true
}

func sameMask(x, y *sharev1.Mask) bool {
	return x.Entry == y.Entry && x.Item == y.Item && x.Kind == y.Kind && x.First == y.First && x.Last == y.Last && x.Unit == y.Unit
}

func sameWindow(x, y *sharev1.Window) bool {
	return x.Days == y.Days && x.WorkingDays == y.WorkingDays && x.FromMinute == y.FromMinute && x.ToMinute == y.ToMinute
}

func samePredicate(given, asked *sharev1.Predicate) bool {
	return given.Entry == asked.Entry && given.Condition == asked.Condition &&
		slices.EqualFunc(given.Parameters, asked.Parameters, func(x, y *sharev1.Parameter) bool { return x.Name == y.Name && x.Type == y.Type }) &&
		bounded(uint64(given.MaxPerDay), uint64(asked.MaxPerDay)) && bounded(uint64(given.MaxPerSubject), uint64(asked.MaxPerSubject))
}
