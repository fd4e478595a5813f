package store

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Memory keeps blobs in memory: for the demo, and for a look at what is stored. Its zero
// value is empty and ready.
type Memory struct {
	mu    sync.Mutex // over blobs
	blobs map[string][]byte
}

// Put implements [Blobs].
func (m *Memory) Put(ctx context.Context, name string, content []byte) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs == nil {
		m.blobs = map[string][]byte{}
	}
	m.blobs[name] = bytes.Clone(content)
	return nil
}

// Get implements [Blobs].
func (m *Memory) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[name]
	if !ok {
		return nil, ErrNone
	}
	return append([]byte{}, b[:min(int64(len(b)), limit)]...), nil
}

// Size implements [Blobs].
func (m *Memory) Size(ctx context.Context, name string) (int64, error) {
	b, err := m.Get(ctx, name, 1<<62)
	return int64(len(b)), err
}

// Delete implements [Blobs].
func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.blobs[name])
	delete(m.blobs, name)
	return nil
}

// List implements [Blobs].
func (m *Memory) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.blobs)) {
		if strings.HasPrefix(name, prefix) && name > after && len(out) < limit {
			out = append(out, name)
		}
	}
	return out, ctx.Err()
}

// Close implements [Blobs].
func (m *Memory) Close() error { return nil }
