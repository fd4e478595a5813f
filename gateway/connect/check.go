package connect

import (
	"fmt"
	"slices"
)

// Check tells whether a Target is within its bounds, before a database is asked.
func (t *Target) Check() error {
	if err := checkName(t.Table.Name); err != nil {
		return err
	}
	if t.Table.Name == ControlTable || t.Table.Name == SubscriptionTable {
		return fmt.Errorf("%w: %s is the control table", ErrInvalid, t.Table.Name)
	}
	if t.Mode < Replace || t.Mode > Merge {
		return fmt.Errorf("%w: load mode %d", ErrInvalid, t.Mode)
	}
	if t.Delivery == "" || len(t.Delivery) > MaxDeliveryBytes {
		return fmt.Errorf("%w: delivery id of %d bytes, 1 to %d", ErrInvalid, len(t.Delivery), MaxDeliveryBytes)
	}
	for _, b := range []byte(t.Delivery) {
		if b <= ' ' || b > '~' {
			return fmt.Errorf("%w: delivery id holds a byte that is no printable ASCII", ErrInvalid)
		}
	}
	if len(t.Columns) == 0 {
		return fmt.Errorf("%w: target without columns", ErrInvalid)
	}
	table := Table{TableName: t.Table, Columns: t.Columns}
	if err := table.check(); err != nil {
		return err
	}
	for _, key := range t.PrimaryKey {
		if _, ok := table.Column(key); !ok {
			return fmt.Errorf("%w: key column %q is not delivered", ErrInvalid, key)
		}
	}
	if t.Mode == Merge && len(t.PrimaryKey) == 0 {
		return fmt.Errorf("%w: merge needs a primary key", ErrInvalid)
	}
	return nil
}

// CheckRow tells whether a page's row fits the target's columns: as many values, of
// the column's kind (anything but bytes may go into a Text column), and no NULL where
// the column has none. That they are canonical the page says. n is the row's number.
func (t *Target) CheckRow(n int64, row Row) error {
	if len(row) != len(t.Columns) {
		return fmt.Errorf("%w: row %d has %d values for %d columns", ErrInvalid, n, len(row), len(t.Columns))
	}
	for i, v := range row {
		c := &t.Columns[i]
		if v.Kind == c.Kind {
			continue
		}
		reason := ""
		switch {
		case v.IsNull() && (!c.Nullable || slices.Contains(t.PrimaryKey, c.Name)):
			reason = "NULL in a column that has none"
		case !v.IsNull() && (c.Kind != Text || v.Kind == Bytes):
			reason = fmt.Sprintf("%s in a column of kind %s", v.Kind, c.Kind)
		}
		if reason != "" {
			return &ValueError{Table: t.Table, Column: c.Name, Row: n, Reason: reason}
		}
	}
	return nil
}

// Fits tells whether an existing table can take the target's columns: each is
// there with its kind, what is there beside them may be NULL or has a default,
// and for Merge the keys are equal. The error wraps ErrTargetDiffers and names the first difference.
func (t *Target) Fits(is Table) error {
	differs := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrTargetDiffers, t.Table, fmt.Sprintf(format, args...))
	}
	if is.View {
		return differs("it is a view")
	}
	for _, want := range t.Columns {
		has, ok := is.Column(want.Name)
		switch {
		case !ok:
			return differs("no column %q", want.Name)
		case has.Kind != want.Kind:
			return differs("column %q is %s (%s), not %s", want.Name, has.Kind, has.Type, want.Kind)
		}
	}
	for _, has := range is.Columns {
		if !has.Nullable && !has.HasDefault && !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == has.Name }) {
			return differs("column %q needs a value that is not delivered", has.Name)
		}
	}
	if t.Mode == Merge && !sameSet(t.PrimaryKey, is.PrimaryKey) {
		return differs("its key is %q, not %q", is.PrimaryKey, t.PrimaryKey)
	}
	return nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
