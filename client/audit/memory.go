package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// memory is what is kept of one gateway between two runs: a file in the store, 0600.
type memory struct {
	Gateway    string             `json:"gateway"`
	Genesis    string             `json:"genesis"`
	Checkpoint []byte             `json:"checkpoint"` // signed note of the largest state seen
	Size       uint64             `json:"size"`       // of it
	Root       []byte             `json:"root"`
	Scanned    uint64             `json:"scanned"` // records that were read, all anchored
	Hashes     [][]byte           `json:"hashes"`  // compact range of these
	Placed     bool               `json:"placed"`  // a record named its place already
	Agreements map[string]numbers `json:"agreements"`
	// Of investigative secrecy: what is sealed and not open, by place, and the sums by
	// agreement/order.
	Secrets map[uint64]sealedAt `json:"secrets,omitempty"`
	Secrecy map[string]tally    `json:"secrecy,omitempty"`
}

// numbers is how far one agreement's were read.
type numbers struct {
	Last    uint64 `json:"last"`
	Place   uint64 `json:"place"` // of the last decision
	Granted uint64 `json:"granted"`
	Refused uint64 `json:"refused"`
	Broken  bool   `json:"broken,omitempty"`
}

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

var plainName = regexp.MustCompile(`[^0-9A-Za-z-]+`)

func (a *Auditor) memoryPath(gateway string) string {
	return filepath.Join(a.cfg.Store, plainName.ReplaceAllString(gateway, "-")+".json")
}

// remember reads what is kept of a gateway; nothing is kept of one that was never seen,
// or without a store. Damaged if the file is none.
func (a *Auditor) remember(gateway string) (*memory, error) {
	m := &memory{Gateway: gateway, Genesis: a.genesis, Agreements: map[string]numbers{}, Secrets: map[uint64]sealedAt{}, Secrecy: map[string]tally{}}
	if a.cfg.Store == "" {
		return m, nil
	}
	path := a.memoryPath(gateway)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil && info.Size() > maxMemory {
		return nil, fault.Newf(fault.TooLong, "%s has %d bytes, at most %d", path, info.Size(), maxMemory)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("memory of %s: %w", gateway, err)
	}
	kept := &memory{}
	if err := json.Unmarshal(raw, kept); err != nil || kept.Gateway != gateway {
		return nil, fault.Newf(fault.Damaged, "%s is no memory of %s", path, gateway)
	}
	if kept.Genesis != a.genesis {
		return nil, fault.Newf(fault.WrongChain, "%s is of the chain with the genesis %s", path, kept.Genesis)
	}
	if kept.Agreements == nil {
		kept.Agreements = map[string]numbers{}
	}
	if kept.Secrets == nil {
		kept.Secrets, kept.Secrecy = map[uint64]sealedAt{}, map[string]tally{}
	}
	return kept, nil
}

func (a *Auditor) keep(m *memory) error {
	if a.cfg.Store == "" {
		return nil
	}
	if err := durable.MkdirPrivate(a.cfg.Store); err != nil {
		return err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("memory of %s: %w", m.Gateway, err)
	}
	return durable.ReplaceFile(a.memoryPath(m.Gateway), raw, 0o600)
}
