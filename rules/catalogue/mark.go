package catalogue

import (
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/state"
)

// marks is what a set of drifts of one table says of its columns. An item's state
// is a function of the open drifts alone, so that it does not matter in which order
// they came and are settled.
type marks struct {
	all     cataloguev1.ItemState            // of every column
	columns map[string]cataloguev1.ItemState // of the columns that a change names; may be 0
	seen    map[string]bool                  // columns that the newest drift saw; nil if there is no drift
}

// marksOf reads drifts, by number.
func marksOf(open []*cataloguev1.Drift) marks {
	m := marks{columns: map[string]cataloguev1.ItemState{}}
	for _, d := range open {
		m.seen = make(map[string]bool, len(d.Columns))
		for _, c := range d.Columns {
			m.seen[c.Name] = true
		}
		for _, c := range d.Changes {
			s := itemState(c.Class)
			if c.Column == "" {
				m.all = max(m.all, s)
				continue
			}
			m.columns[c.Column] = max(m.columns[c.Column], s)
		}
	}
	return m
}

func itemState(c cataloguev1.DriftClass) cataloguev1.ItemState {
	switch c {
	case breaking:
		return frozen
	case toReview:
		return flagged
	}
	return 0
}

// of returns the state of an item on the column, which is not empty.
func (m marks) of(column string) cataloguev1.ItemState {
	if m.seen != nil && !m.seen[column] {
		return frozen
	}
	return max(m.all, m.columns[column])
}

// touches reports whether one of the drifts is about a column of the entry, be it
// as harmless as it may.
func (m marks) touches(e *cataloguev1.Entry) bool {
	for _, it := range e.Items {
		if it.Column == "" {
			continue
		}
		if _, named := m.columns[it.Column]; named || m.of(it.Column) != 0 {
			return true
		}
	}
	return false
}

// set gives the items of e their states and reports whether one changed. With
// onlyWorse none gets better: so it is for an entry whose lock waits for signatures
// on the schema that its table has now.
func (m marks) set(e *cataloguev1.Entry, onlyWorse bool) bool {
	changed := false
	for _, it := range e.Items {
		var s cataloguev1.ItemState
		if it.Column != "" {
			s = m.of(it.Column)
		}
		if onlyWorse {
			s = max(s, it.State)
		}
		changed = changed || s != it.State
		it.State = s
	}
	return changed
}

// markItems gives the items of new content the states that the open drifts of its
// table say.
func markItems(v state.View, e *cataloguev1.Entry) {
	marksOf(openDrifts(v, e.Table)).set(e, false)
}
