package proof

import (
	"bytes"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// MaxPath is the longest path of a log proof: a log has less than 2^63 events, and
// a consistency proof is one hash longer than the way up.
const MaxPath = 65

// Event proves that one event stands at one place of the log.
type Event struct {
	// Height and TreeRoot name a state whose log has Size events. They are zero if
	// the proof was made for a size at which no block ended: then only
	// VerifyEventInLog can be used.
	Height   int64  `json:"height,omitempty"`
	TreeRoot Hash   `json:"tree_root"`
	Seq      int64  `json:"seq"`  // place of the event, from 0
	Size     int64  `json:"size"` // events in the log that it is proved for
	Event    Bytes  `json:"event"`
	Path     []Hash `json:"path,omitempty"` // RFC 6962 section 2.1.1, from the leaf up
}

// Consistency proves that a log of OldSize events is the beginning of one of NewSize.
type Consistency struct {
	OldSize int64  `json:"old_size"`
	NewSize int64  `json:"new_size"`
	Path    []Hash `json:"path,omitempty"` // RFC 6962 section 2.1.2
}

// EmptyLog returns the root of a log without events, SHA-256 of nothing.
func EmptyLog() Hash { return Hash(rfc6962.DefaultHasher.EmptyRoot()) }

// EventLeaf returns the leaf hash of an event: SHA-256(00 | event).
func EventLeaf(event []byte) Hash { return Hash(rfc6962.DefaultHasher.HashLeaf(event)) }

// VerifyEvent returns nil if p proves that event was logged in the state with that
// app hash, at place p.Seq; else an ErrRefused.
func VerifyEvent(appHash Hash, event []byte, p *Event) error {
	if p == nil || !bytes.Equal(p.Event, event) {
		return refuse("it is about another event")
	}
	root, err := p.root()
	if err != nil {
		return err
	}
	if AppHash(p.TreeRoot, root, p.Size) != appHash {
		return refuse("it belongs to another app hash")
	}
	return nil
}

// VerifyEventInLog is VerifyEvent for one who knows the log root itself, of the log
// with p.Size events.
func VerifyEventInLog(logRoot Hash, event []byte, p *Event) error {
	if p == nil || !bytes.Equal(p.Event, event) {
		return refuse("it is about another event")
	}
	root, err := p.root()
	if err != nil {
		return err
	}
	if root != logRoot {
		return refuse("it belongs to another log root")
	}
	return nil
}

func (p *Event) root() (Hash, error) {
	if p.Seq < 0 || p.Seq >= p.Size {
		return Hash{}, refuse("event %d of %d", p.Seq, p.Size)
	}
	return RootFromPath(EventLeaf(p.Event), p.Seq, p.Size, p.Path)
}

// RootFromPath returns the root of the log of size events in which leaf stands at
// index, as the path says (RFC 6962 section 2.1.1). It is an ErrRefused if the path
// does not have the length that index and size ask for.
func RootFromPath(leaf Hash, index, size int64, path []Hash) (Hash, error) {
	if index < 0 || index >= size || len(path) > MaxPath {
		return Hash{}, refuse("leaf %d of %d with a path of %d", index, size, len(path))
	}
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, uint64(index), uint64(size), leaf[:], raw(path))
	if err != nil {
		return Hash{}, refuse("%v", err)
	}
	return Hash(root), nil
}

// VerifyConsistency returns nil if p proves that the log with newRoot continues the
// log with oldRoot; else an ErrRefused. There is no proof from the empty log:
// every log continues it, and who asks has mistaken something.
func VerifyConsistency(oldRoot, newRoot Hash, p *Consistency) error {
	if p == nil || p.OldSize < 1 || p.NewSize < p.OldSize || len(p.Path) > MaxPath {
		return refuse("it is malformed")
	}
	err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(p.OldSize), uint64(p.NewSize), raw(p.Path), oldRoot[:], newRoot[:])
	if err != nil {
		return refuse("%v", err)
	}
	return nil
}

func raw(path []Hash) [][]byte {
	out := make([][]byte, len(path))
	for i := range path {
		out[i] = path[i][:]
	}
	return out
}
