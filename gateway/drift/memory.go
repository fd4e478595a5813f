package drift

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"mulian/gateway/connect"
	"mulian/internal/durable"
)

// memory is what a Watcher must not forget. It is one JSON file that is
// replaced as a whole.
type memory struct {
	Version     int                 `json:"version"`
	Baseline    *connect.Schema     `json:"baseline"` // all that differs from it is still to be seen
	Pending     []Event             `json:"pending"`  // seen, and not yet accepted, in order
	Unreachable bool                `json:"unreachable,omitempty"`
	Stale       []connect.TableName `json:"stale,omitempty"` // told as Stale, and not yet as Fresh
}

const (
	memoryVersion = 1
	// maxMemoryBytes bounds what New reads: 10,000 tables of 50 columns take 60 MB.
	maxMemoryBytes = 256 << 20
)

// read fills m from the file; without a file m stays empty.
func (m *memory) read(path string) (found bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("drift: memory: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMemoryBytes+1))
	if err != nil {
		return false, fmt.Errorf("drift: memory %s: %w", path, err)
	}
	if len(text) > maxMemoryBytes {
		return false, fmt.Errorf("drift: memory %s is longer than %d bytes", path, maxMemoryBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return false, fmt.Errorf("drift: memory %s is damaged: %w", path, err)
	}
	if m.Version != memoryVersion {
		return false, fmt.Errorf("drift: memory %s has version %d, this program knows %d", path, m.Version, memoryVersion)
	}
	if m.Baseline != nil {
		if err := m.Baseline.Check(); err != nil {
			return false, fmt.Errorf("drift: memory %s: %w", path, err)
		}
	}
	return true, nil
}

// write makes m durable.
func (m *memory) write(path string) error {
	m.Version = memoryVersion
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("drift: memory: %w", err)
	}
	if err := durable.ReplaceFile(path, text, 0o600); err != nil {
		return fmt.Errorf("drift: memory: %w", err)
	}
	return nil
}
