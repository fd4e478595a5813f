package drift

import (
	"fmt"

	"mulian/gateway/connect"
)

// Class is how much a change matters to those who receive the table.
type Class uint8

// The classes; a greater one is worse.
const (
	Compatible Class = iota + 1 // log it
	Review                      // flag the entry; the 10-day update clock runs
	Breaking                    // freeze the affected items, tell all consumers, deliveries answer 13018
)

// Kind is what changed.
type Kind uint8

// The kinds. Their names are stable: they are what a report carries.
const (
	TableAdded     Kind = iota + 1 // compatible
	TableDropped                   // breaking; also when the right to read it was withdrawn
	TableBecame                    // review; a view became a table or the reverse
	TableComment                   // compatible
	ColumnAdded                    // compatible if nullable, else review: old rows got a value that nobody delivered
	ColumnDropped                  // breaking; also the one half of a rename
	ColumnMoved                    // compatible: columns are read by name
	ColumnComment                  // compatible
	DefaultChanged                 // compatible
	TypeRespelled                  // compatible; "INT" became "integer"
	TypeWidened                    // review; every old value still fits, new ones may not fit at the receiver
	TypeNarrowed                   // breaking
	TypeChanged                    // breaking
	NotNullSet                     // breaking
	NotNullDropped                 // review; the receiver's table may refuse NULL
	KeyChanged                     // review; primary key or unique index
	IndexChanged                   // compatible; index that is not unique
)

var classNames = [...]string{1: "compatible", 2: "review", 3: "breaking"}

var kindNames = [...]string{
	1: "table_added", "table_dropped", "table_became", "table_comment",
	"column_added", "column_dropped", "column_moved", "column_comment", "default_changed",
	"type_respelled", "type_widened", "type_narrowed", "type_changed",
	"not_null_set", "not_null_dropped", "key_changed", "index_changed",
}

// String is the class's stable name.
func (c Class) String() string { return nameOf(classNames[:], int(c)) }

// MarshalText writes the stable name.
func (c Class) MarshalText() ([]byte, error) { return marshalName(classNames[:], int(c)) }

// UnmarshalText reads the stable name.
func (c *Class) UnmarshalText(b []byte) error {
	i, err := unmarshalName(classNames[:], b)
	*c = Class(i)
	return err
}

// String is the kind's stable name.
func (k Kind) String() string { return nameOf(kindNames[:], int(k)) }

// MarshalText writes the stable name.
func (k Kind) MarshalText() ([]byte, error) { return marshalName(kindNames[:], int(k)) }

// UnmarshalText reads the stable name.
func (k *Kind) UnmarshalText(b []byte) error {
	i, err := unmarshalName(kindNames[:], b)
	*k = Kind(i)
	return err
}

func nameOf(names []string, i int) string {
	if i < len(names) && names[i] != "" {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

func marshalName(names []string, i int) ([]byte, error) {
	if i >= len(names) || names[i] == "" {
		return nil, fmt.Errorf("drift: no name for %d", i)
	}
	return []byte(names[i]), nil
}

func unmarshalName(names []string, b []byte) (int, error) {
	for i, name := range names {
		if name != "" && name == string(b) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("drift: unknown name %.40q", b)
}

// RenameCandidate is the one question that Compare asks.
const RenameCandidate = "rename_candidate"

// A Change is one difference of one table.
type Change struct {
	Kind    Kind              `json:"kind"`
	Class   Class             `json:"class"`
	Table   connect.TableName `json:"table"`
	Columns []string          `json:"columns,omitempty"` // the affected columns: of the table as it was, but for ColumnAdded; empty: none is
	Was     string            `json:"was,omitempty"`     // what it was and is, in words of the database, cut at 200 bytes
	Is      string            `json:"is,omitempty"`
	// Question is RenameCandidate where a table or column went and one that looks
	// the same came, whose name is Candidate. The class is Breaking all the same,
	// until a person has answered.
	Question  string `json:"question,omitempty"`
	Candidate string `json:"candidate,omitempty"`
}

// Worst is the class of all changes together; 0 if there is none.
func Worst(changes []Change) Class {
	var worst Class
	for _, c := range changes {
		worst = max(worst, c.Class)
	}
	return worst
}
