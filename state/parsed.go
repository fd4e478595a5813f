package state

import (
	"sync"

	"google.golang.org/protobuf/proto"
)

const (
	// maxParsed records are remembered at once; then it begins anew.
	maxParsed = 4096
	// maxParsedBytes is the size of the largest that is remembered: 16 MiB in all.
	maxParsedBytes = 4 << 10
)

// Parsed remembers records that are read with every transaction and seldom change: who
// signs, the settings. What it returns follows from the bytes alone: whether a record was
// remembered cannot be seen. The zero value is ready; many goroutines may use it.
//
// A record is shared by all who read it: nobody changes one.
type Parsed[V any, P Message[V]] struct {
	mu sync.RWMutex
	of map[string]parsedRecord[P] // guarded by mu; by key
}

type parsedRecord[P any] struct {
	raw    string
	record P
}

// Parse returns the record in raw, which is what key holds.
func (m *Parsed[V, P]) Parse(key string, raw []byte) (P, error) {
	m.mu.RLock()
	have, ok := m.of[key]
	m.mu.RUnlock()
	if ok && have.raw == string(raw) {
		return have.record, nil
	}
	p := P(new(V))
	if err := proto.Unmarshal(raw, p); err != nil {
		return nil, err
	}
	if len(raw) > maxParsedBytes {
		return p, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil || len(m.of) >= maxParsed {
		m.of = map[string]parsedRecord[P]{}
	}
	m.of[key] = parsedRecord[P]{string(raw), p}
	return p, nil
}
