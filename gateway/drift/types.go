package drift

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

// compareTypes classes the change of a column's type. Another kind is always
// breaking, even integer to decimal: the receiver's column is of the old one.
func compareTypes(was, is connect.Column) (Kind, Class) {
	switch {
	case was.Kind != is.Kind:
		return TypeChanged, Breaking
	case respell(was.Type) == respell(is.Type):
		return TypeRespelled, Compatible
	}
	a, b := parseType(was.Type), parseType(is.Type)
	if a.family != b.family {
		// Within a kind, unbounded text takes all that has no kind of its own (uuid,
		// enum, inet), but nothing says that the values stay as they were.
		return TypeChanged, Breaking
	}
	wider, narrower := false, false
	for i := range a.size {
		wider = wider || b.size[i] > a.size[i]
		narrower = narrower || b.size[i] < a.size[i]
	}
	switch {
	case narrower:
		return TypeNarrowed, Breaking
	case wider:
		return TypeWidened, Review
	case a.fixed != b.fixed:
		return TypeWidened, Review // char(n) and varchar(n): values gain or lose trailing blanks
	default:
		return TypeRespelled, Compatible
	}
}

// shape is what can be compared about a type: the family it belongs to, and
// what it has room for (two measures; unbounded is the greatest number).
type shape struct {
	family string
	size   [2]int
	fixed  bool
}

const unbounded = 1 << 30

var typeForm = regexp.MustCompile(`^([^(]*?) ?(?:\(([0-9]+)(?:, ?(-?[0-9]+))?\))?( [^(]*)?$`)

// integerBytes are the widths by spelling. SQLite stores 8 bytes whatever the
// spelling, but who declared INT promised 4.
var integerBytes = map[string]int{
	"tinyint": 1, "smallint": 2, "int2": 2, "mediumint": 3, "int": 4, "integer": 4, "int4": 4, "bigint": 8, "int8": 8,
}

func parseType(text string) shape {
	text = respell(text)
	m := typeForm.FindStringSubmatch(text)
	if m == nil {
		return shape{family: text}
	}
	base := strings.TrimSpace(m[1] + m[4])
	first, second := number(m[2]), number(m[3])
	if width, ok := integerBytes[base]; ok {
		return shape{family: "integer", size: [2]int{width}}
	}
	switch base {
	case "character varying", "varchar", "nvarchar", "varchar2", "text", "clob", "string":
		return shape{family: "text", size: [2]int{orUnbounded(m[2], first)}}
	case "character", "char", "nchar", "bpchar":
		return shape{family: "text", size: [2]int{max(first, 1)}, fixed: true}
	case "numeric", "decimal", "number", "decimal_text":
		if m[2] == "" {
			return shape{family: "decimal", size: [2]int{unbounded, unbounded}}
		}
		return shape{family: "decimal", size: [2]int{first - second, second}}
	case "real", "float4":
		return shape{family: "float", size: [2]int{4}}
	case "double precision", "double", "float8", "float":
		return shape{family: "float", size: [2]int{8}}
	}
	if slices.Contains([]string{"bytea", "blob", "varbinary", "binary"}, base) {
		return shape{family: "bytes", size: [2]int{orUnbounded(m[2], first)}}
	}
	if strings.HasPrefix(base, "timestamp") || strings.HasPrefix(base, "time") {
		digits := 6 // PostgreSQL's default precision
		if m[2] != "" {
			digits = first
		}
		return shape{family: base, size: [2]int{digits}}
	}
	return shape{family: base, size: [2]int{orUnbounded(m[2], first), second}}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n > unbounded {
		return 0
	}
	return n
}

func orUnbounded(given string, n int) int {
	if given == "" {
		return unbounded
	}
	return n
}

// respell removes what does not count in a type's spelling: case and blanks.
func respell(text string) string {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	return strings.NewReplacer(" (", "(", "( ", "(", " )", ")", " ,", ",", ", ", ",").Replace(text)
}
