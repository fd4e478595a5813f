package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"mulian/gateway/connect"
)

// EventKind is what a Watcher reports.
type EventKind uint8

// The kinds of events.
const (
	Drifted     EventKind = iota + 1 // the structure changed: Class, Changes, Was, Is
	Unreachable                      // two looks in a row failed: Reason; not drift
	Reachable                        // the database answers again
	Stale                            // the watermark of Table is older than its cycle allows, or is no time: Reason
	Fresh                            // it is not any more
)

var eventNames = [...]string{1: "drifted", "unreachable", "reachable", "stale", "fresh"}

// String is the kind's stable name.
func (k EventKind) String() string { return nameOf(eventNames[:], int(k)) }

// MarshalText writes the stable name.
func (k EventKind) MarshalText() ([]byte, error) { return marshalName(eventNames[:], int(k)) }

// UnmarshalText reads the stable name.
func (k *EventKind) UnmarshalText(b []byte) error {
	i, err := unmarshalName(eventNames[:], b)
	*k = EventKind(i)
	return err
}

// An Event is one thing to be told to the catalogue. It holds names and types,
// never values of rows.
type Event struct {
	ID      string            `json:"id"` // 32 hex digits; the same when offered again after a power failure
	Kind    EventKind         `json:"kind"`
	At      time.Time         `json:"at"` // when it was seen, by the gateway's clock
	Class   Class             `json:"class,omitempty"`
	Was     string            `json:"was,omitempty"` // the schema's hash before
	Is      string            `json:"is,omitempty"`  // and after
	Table   connect.TableName `json:"table,omitzero"`
	Column  string            `json:"column,omitempty"` // of Stale and Fresh: the watermark
	Reason  string            `json:"reason,omitempty"`
	Changes []Change          `json:"changes,omitempty"`
}

// sealed gives e its ID: a hash of what it says. Two events of the same content
// differ in their time.
func (e Event) sealed() Event {
	e.ID = ""
	text, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("drift: an event of our own making does not encode: %v", err))
	}
	sum := sha256.Sum256(text)
	e.ID = hex.EncodeToString(sum[:16])
	return e
}
