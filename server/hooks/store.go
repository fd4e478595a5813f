package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// record is a hook as its file has it: ID.json, mode 0600.
type record struct {
	ID        string              `json:"id"`
	Account   string              `json:"account"`
	Org       string              `json:"org"`
	URL       string              `json:"url"`
	Label     string              `json:"label,omitempty"`
	Types     []string            `json:"types,omitempty"`
	Secret    string              `json:"secret"` // whsec_...
	Old       string              `json:"old_secret,omitempty"`
	OldMs     int64               `json:"old_secret_until_ms,omitempty"`
	State     consolev1.HookState `json:"state"` // ACTIVE, PAUSED or OFF
	End       consolev1.HookEnd   `json:"end,omitempty"`
	CreatedMs int64               `json:"created_ms"`
	Next      int64               `json:"next"` // the place: number of the event to look at next
	Height    int64               `json:"height,omitempty"`
	TakenMs   int64               `json:"taken_ms,omitempty"`
	Failures  uint32              `json:"failures,omitempty"`
	FailingMs int64               `json:"failing_ms,omitempty"`
	AgainMs   int64               `json:"again_ms,omitempty"`
	Error     string              `json:"error,omitempty"`
}

// attempt is one post as the list has it: a line of ID.log.
type attempt struct {
	ID     string          `json:"id"`
	Event  int64           `json:"event"`
	Height int64           `json:"height,omitempty"`
	Type   string          `json:"type"`
	AtMs   int64           `json:"at_ms"`
	Status int             `json:"status,omitempty"`
	TookMs int64           `json:"took_ms"`
	Error  string          `json:"error,omitempty"`
	Again  bool            `json:"again,omitempty"`
	Body   json.RawMessage `json:"body"`
}

// store is the folder of the files.
type store struct{ dir string }

func (s store) path(id, suffix string) string { return filepath.Join(s.dir, id+suffix) }

// load reads all hooks.
func (s store) load() (out []*record, err error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("hooks: %w", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Wrap(fault.Inaccessible, err, "hooks")
		}
		r := &record{}
		if err := json.Unmarshal(raw, r); err != nil || r.ID+".json" != filepath.Base(file) || r.Next < 0 {
			// The content is a secret: it is not quoted.
			return nil, fault.Newf(fault.Damaged, "%s is no hook's file: restore it, or remove it and make the hook again", file)
		}
		out = append(out, r)
	}
	return out, nil
}

// save makes a hook durable.
func (s store) save(r *record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("hooks: %w", err)
	}
	return durable.ReplaceFile(s.path(r.ID, ".json"), raw, 0o600)
}

// remove deletes a hook; the file with the secret first.
func (s store) remove(id string) error {
	err := os.Remove(s.path(id, ".json"))
	if err == nil {
		err = durable.SyncDir(s.dir)
	}
	if lerr := os.Remove(s.path(id, ".log")); !errors.Is(lerr, fs.ErrNotExist) {
		err = errors.Join(err, lerr)
	}
	return err
}

// attempts reads the list, the oldest first. What cannot be read, as the line that a kill has
// torn, is left out: it is a list for people.
func (s store) attempts(id string) (out []*attempt) {
	raw, err := os.ReadFile(s.path(id, ".log"))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(raw) {
		a := &attempt{}
		if json.Unmarshal(line, a) == nil && strings.HasSuffix(string(line), "\n") {
			out = append(out, a)
		}
	}
	return out[max(0, len(out)-keepAttempt):]
}

// note adds to the list, without waiting for the disk; all is what the list has then. lines is
// how many the file has.
func (s store) note(id string, a *attempt, all []*attempt, lines int) (int, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return lines, err
	}
	if lines < 2*keepAttempt {
		f, err := os.OpenFile(s.path(id, ".log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return lines, err
		}
		_, err = f.Write(append(raw, '\n'))
		return lines + 1, errors.Join(err, f.Close())
	}
	var out bytes.Buffer
	for _, x := range all {
		line, err := json.Marshal(x)
		if err != nil {
			return lines, err
		}
		out.Write(append(line, '\n'))
	}
	return len(all), durable.ReplaceFile(s.path(id, ".log"), out.Bytes(), 0o600)
}
