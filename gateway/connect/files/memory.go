package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"mulian/gateway/connect"
)

// settled is how old a file's change must be before its stamp alone is trusted: file
// systems tick in up to 10 ms, and two changes within a tick have one stamp. Our own choice.
const settled = time.Second

// memory keeps the shapes of tables, so that a file is read as a whole once for each of
// its states. What it keeps in a folder is never trusted more than the stamps and hashes say.
type memory struct {
	mu   sync.Mutex
	by   map[string]*shape
	path string // of the sidecar; empty: none

	sheets map[string]sheetNames // by the workbook's file
}

// sheetNames are the sheets of a workbook in one state.
type sheetNames struct {
	stamp stamp
	names []string
}

// known are the sheet names of a workbook, if it is in a state in which they were seen, and
// that cannot be mistaken for another.
func (m *memory) known(p *part) ([]string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sheets[p.name]
	return slices.Clone(s.names), ok && s.stamp == p.stamp
}

func (m *memory) keep(p *part, names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sheets == nil || len(m.sheets) > connect.MaxTables {
		m.sheets = map[string]sheetNames{}
	}
	if time.Now().UnixNano()-max(p.stamp.Mtime, p.stamp.Ctime) > int64(settled) {
		m.sheets[p.name] = sheetNames{p.stamp, slices.Clone(names)}
	}
}

// newMemory reads the sidecar of a folder of tables. One that cannot be read is none.
func newMemory(cache, dir string) *memory {
	m := &memory{by: map[string]*shape{}}
	if cache == "" {
		return m
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	sum := sha256.Sum256([]byte(dir))
	m.path = filepath.Join(cache, "files-"+hex.EncodeToString(sum[:8])+".json")
	if text, err := os.ReadFile(m.path); err == nil && json.Unmarshal(text, &m.by) != nil || m.by == nil {
		m.by = map[string]*shape{}
	}
	return m
}

// get is the shape of an opened table.
func (m *memory) get(ctx context.Context, o *opened, d *Declared, declared stamp) (*shape, error) {
	m.mu.Lock()
	known := m.by[o.name.Name]
	m.mu.Unlock()
	now := time.Now()
	var stamps []stamp
	var names []string
	trusted := true
	for _, p := range o.parts {
		stamps, names = append(stamps, p.stamp), append(names, p.name)
		trusted = trusted && now.UnixNano()-max(p.stamp.Mtime, p.stamp.Ctime) > int64(settled)
	}
	same := known != nil && known.Schema == declared && slices.Equal(known.Names, names)
	if same && trusted && slices.Equal(known.Stamps, stamps) {
		return known.with(d), nil
	}
	var hashes []string
	if m.path != "" {
		var err error
		if hashes, err = hashesOf(ctx, o.parts); err != nil {
			return nil, err
		}
	}
	var found *shape
	if same && hashes != nil && slices.Equal(known.Hashes, hashes) {
		again := *known // the same bytes under another date
		found = &again
	} else {
		var err error
		if found, err = find(ctx, o, d); err != nil {
			return nil, err
		}
	}
	found.Stamps, found.Hashes, found.Schema, found.declared = stamps, hashes, declared, d
	return found, m.put(o.name.Name, found)
}

// with is s with its schema file, which the sidecar does not hold.
func (s *shape) with(d *Declared) *shape {
	out := *s
	out.declared = d
	return &out
}

func (m *memory) put(table string, s *shape) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.by[table] = s
	if len(m.by) > 2*connect.MaxTables {
		m.by = map[string]*shape{table: s}
	}
	if m.path == "" {
		return nil
	}
	text, err := json.Marshal(m.by)
	if err != nil {
		return err
	}
	// If the power fails here the sidecar is old or broken; both are found out.
	next := m.path + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return failure(err)
	}
	return failure(os.Rename(next, m.path))
}

func hashesOf(ctx context.Context, parts []*part) ([]string, error) {
	var out []string
	for _, p := range parts {
		h := sha256.New()
		r := io.NewSectionReader(p.f, 0, p.stamp.Size)
		for {
			n, err := io.CopyN(h, r, 16<<20)
			if err == io.EOF || n == 0 {
				break
			}
			if err != nil {
				return nil, failure(err)
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		out = append(out, hex.EncodeToString(h.Sum(nil)))
	}
	return out, nil
}
