package ranges

import (
	"cmp"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

// compareKeys orders two keys as a Scan does: column by column; texts and bytes by their
// bytes, numbers and times by what they mean.
func compareKeys(a, b connect.Row) (int, error) {
	if len(a) != len(b) {
		return 0, fmt.Errorf("%w: keys of %d and %d columns", connect.ErrInvalid, len(a), len(b))
	}
	for i := range a {
		n, err := compareValues(a[i], b[i])
		if n != 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

func compareValues(a, b connect.Value) (int, error) {
	if a.Kind != b.Kind {
		return 0, fmt.Errorf("%w: a key's column is %s on one side and %s on the other", connect.ErrInvalid, a.Kind, b.Kind)
	}
	switch a.Kind {
	case connect.Text, connect.Bytes, connect.Boolean:
		return strings.Compare(a.Text, b.Text), nil
	case connect.Integer, connect.Decimal:
		if x, err := strconv.ParseInt(a.Text, 10, 64); err == nil {
			if y, err := strconv.ParseInt(b.Text, 10, 64); err == nil {
				return cmp.Compare(x, y), nil
			}
		}
	case connect.Date, connect.Timestamp, connect.Instant, connect.Float:
	default:
		return 0, fmt.Errorf("%w: a key of kind %s has no order", connect.ErrNoKey, a.Kind)
	}
	if x, y := extreme(a.Text), extreme(b.Text); x != 0 || y != 0 {
		return cmp.Compare(x, y), nil
	}
	if a.Kind == connect.Date || a.Kind == connect.Timestamp || a.Kind == connect.Instant {
		// Without the Z: it would stand behind the point of a fraction.
		return strings.Compare(strings.TrimSuffix(a.Text, "Z"), strings.TrimSuffix(b.Text, "Z")), nil
	}
	x, ok1 := new(big.Rat).SetString(a.Text)
	y, ok2 := new(big.Rat).SetString(b.Text)
	if !ok1 || !ok2 {
		return 0, fmt.Errorf("%w: a key's number does not read", connect.ErrInvalid)
	}
	return x.Cmp(y), nil
}

// extreme ranks what lies outside all numbers and times: NaN is the greatest, as in
// PostgreSQL.
func extreme(text string) int {
	switch text {
	case "-infinity":
		return -1
	case "infinity":
		return 1
	case "NaN":
		return 2
	}
	return 0
}
