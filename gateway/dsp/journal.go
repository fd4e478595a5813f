package dsp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// negotiation is what the journal knows of one: which request it is, what the
// connector said, and what it was told. Its state is on the ledger.
type negotiation struct {
	Pid         string `json:"pid"` // providerPid
	ConsumerPid string `json:"consumer_pid"`
	Participant string `json:"participant"`
	Callback    string `json:"callback"`
	Entry       string `json:"entry"`
	Permission  []Rule `json:"permission"` // of the offer
	Envelope    []byte `json:"envelope"`   // the signed share request
	Request     string `json:"request,omitempty"`
	Agreement   string `json:"agreement,omitempty"`
	Verified    bool   `json:"verified,omitempty"` // by the connector
	Final       bool   `json:"final,omitempty"`    // its agreement was in force
	Ended       bool   `json:"ended,omitempty"`    // without one
	Code        string `json:"code,omitempty"`     // why
	Cause       string `json:"cause,omitempty"`
	Told        string `json:"told,omitempty"` // the last state that was delivered
	AtMs        int64  `json:"at_ms"`
}

// transfer is one; its state is the protocol's own, bounded by the agreement's.
type transfer struct {
	Pid         string `json:"pid"`
	ConsumerPid string `json:"consumer_pid"`
	Participant string `json:"participant"`
	Callback    string `json:"callback"`
	Agreement   string `json:"agreement"`
	Entry       string `json:"entry"`
	State       string `json:"state"`
	Ours        bool   `json:"ours,omitempty"` // we suspended it, because the agreement is
	Token       []byte `json:"token,omitempty"`
	ExpiresMs   int64  `json:"expires_ms,omitempty"`
	Told        string `json:"told,omitempty"`
	Code        string `json:"code,omitempty"`
	Cause       string `json:"cause,omitempty"`
	AtMs        int64  `json:"at_ms"`
}

// over tells whether nothing happens to it any more.
func (n *negotiation) over() bool {
	return n.Ended && n.Told == Terminated || n.Final && n.Told == Finalized
}

func (t *transfer) over() bool {
	return t.State == Completed || t.State == Terminated && t.Told == Terminated
}

// line is one line of the file: the whole record, the last of a pid counts.
type line struct {
	Negotiation *negotiation `json:"negotiation,omitempty"`
	Transfer    *transfer    `json:"transfer,omitempty"`
}

// journal keeps both kinds in one file of lines. Records are values: what get returns
// is the caller's own copy.
type journal struct {
	file *durable.Appender

	mu           sync.Mutex // guards the maps
	negotiations map[string]negotiation
	transfers    map[string]transfer
}

// openJournal reads the file and writes it anew without what ended long ago. A line
// that the power failed in is the last one, and was answered to nobody.
func openJournal(path string, now time.Time) (*journal, error) {
	j := &journal{negotiations: map[string]negotiation{}, transfers: map[string]transfer{}}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Inaccessible, err, "the journal of the dataspace protocol")
	}
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			break
		}
		var l line
		if err := json.Unmarshal(raw[:end], &l); err != nil {
			return nil, &fault.Fault{Code: fault.Damaged, Text: "the journal of the dataspace protocol", Err: err}
		}
		j.take(l)
		raw = raw[end+1:]
	}
	var out bytes.Buffer
	old := now.Add(-keepEnded).UnixMilli()
	for pid, n := range j.negotiations {
		if n.over() && n.AtMs < old {
			delete(j.negotiations, pid)
			continue
		}
		writeLine(&out, line{Negotiation: &n})
	}
	for pid, t := range j.transfers {
		if t.over() && t.AtMs < old {
			delete(j.transfers, pid)
			continue
		}
		writeLine(&out, line{Transfer: &t})
	}
	if err := durable.ReplaceFile(path, out.Bytes(), 0o600); err != nil {
		return nil, err
	}
	j.file, err = durable.OpenAppend(path, 0o600)
	return j, err
}

func writeLine(w *bytes.Buffer, l line) {
	b, _ := json.Marshal(l) // strings, numbers and what was JSON before
	w.Write(append(b, '\n'))
}

func (j *journal) take(l line) {
	if l.Negotiation != nil {
		j.negotiations[l.Negotiation.Pid] = *l.Negotiation
	}
	if l.Transfer != nil {
		j.transfers[l.Transfer.Pid] = *l.Transfer
	}
}

// put keeps a record; durable when it returns nil.
func (j *journal) put(l line) error {
	var b bytes.Buffer
	writeLine(&b, l)
	if b.Len() > maxLine {
		return fault.Newf(fault.TooLong, "a record of %d bytes", b.Len())
	}
	if _, err := j.file.Append(b.Bytes()); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.take(l)
	return nil
}

func (j *journal) negotiation(pid string) (negotiation, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n, ok := j.negotiations[pid]
	return n, ok
}

func (j *journal) transfer(pid string) (transfer, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t, ok := j.transfers[pid]
	return t, ok
}

// find returns the negotiation of a participant that ok accepts.
func (j *journal) find(participant string, ok func(*negotiation) bool) (negotiation, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range j.negotiations {
		if n.Participant == participant && ok(&n) {
			return n, true
		}
	}
	return negotiation{}, false
}

func (j *journal) findTransfer(participant string, ok func(*transfer) bool) (transfer, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range j.transfers {
		if t.Participant == participant && ok(&t) {
			return t, true
		}
	}
	return transfer{}, false
}

// room refuses another record of a participant that has too many.
func (j *journal) room(participant string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	open, known := 0, 0
	for _, n := range j.negotiations {
		if n.Participant == participant {
			known++
			if !n.over() {
				open++
			}
		}
	}
	for _, t := range j.transfers {
		if t.Participant == participant {
			known++
			if !t.over() {
				open++
			}
		}
	}
	if open >= maxOpen || known >= maxKnown {
		return fault.Newf(fault.Busy, "%d negotiations and transfers are open and %d known, at most %d and %d are kept", open, known, maxOpen, maxKnown)
	}
	return nil
}

// open lists the pids to which something may still happen.
func (j *journal) open() (negotiations, transfers []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for pid, n := range j.negotiations {
		if !n.over() {
			negotiations = append(negotiations, pid)
		}
	}
	for pid, t := range j.transfers {
		if !t.over() {
			transfers = append(transfers, pid)
		}
	}
	return negotiations, transfers
}

func (j *journal) close() error { return j.file.Close() }
