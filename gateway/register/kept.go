package register

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Row is a row of a register that a mandate rests on. It has the row's key and no other value.
type Row struct {
	ID      string   `json:"id"` // hex of the commitment, which stands in the mandate's basis.record
	Entry   string   `json:"entry"`
	Key     string   `json:"key"`
	Items   []string `json:"items"`             // of which the hashes are, in their order
	Salt    string   `json:"salt"`              // hex
	Seen    string   `json:"seen"`              // hex, what the row was when the office judged it last
	Mandate string   `json:"mandate,omitempty"` // once it is known
	SinceMs int64    `json:"since_ms"`
}

// Commitment is what the mandate carries as basis.record, 32 bytes.
func (x *Row) Commitment() []byte {
	b, _ := hex.DecodeString(x.ID) // of our own making
	return b
}

// Kept is the folder in which a gateway keeps such rows: a file for each, 0600. Keys may be
// personal; the folder stays beside the database.
type Kept struct{ Dir string }

func (k Kept) path(id string) string { return filepath.Join(k.Dir, id+".json") }

func (k Kept) put(x *Row) error {
	if err := durable.MkdirPrivate(k.Dir); err != nil {
		return fmt.Errorf("rows of registers: %w", err)
	}
	raw, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return durable.ReplaceFile(k.path(x.ID), raw, 0o600)
}

// all returns the rows, by id. A file that is no row is Damaged: what it watched would not be
// watched any more.
func (k Kept) all() ([]*Row, error) {
	files, err := os.ReadDir(k.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rows of registers: %w", err)
	}
	var out []*Row
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(k.Dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("rows of registers: %w", err)
		}
		x := &Row{}
		if err := json.Unmarshal(raw, x); err != nil || x.ID+".json" != f.Name() {
			return nil, fault.Newf(fault.Damaged, "%s is no row of a register", f.Name())
		}
		out = append(out, x)
	}
	return out, nil
}

// Remember keeps a row; from now on it is watched.
func (g *Register) Remember(x *Row) error { return g.Kept.put(x) }

// Forget drops a row whose mandate there is not, or is over. One that stays is looked at for
// nothing.
func (g *Register) Forget(x *Row) { _ = os.Remove(g.Kept.path(x.ID)) }
