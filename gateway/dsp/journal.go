package dsp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"sync"
	"time"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// negotiation is what the journal knows of one: which request it is, what the
// connector said, and what it was told. Its state is on the ledger.
type negotiation struct {
	exchange
	Permission []Rule `json:"permission"` // of the offer in the catalogue
	Envelope   []byte `json:"envelope"`   // the signed share request
	Request    string `json:"request,omitempty"`
	Agreement  string `json:"agreement,omitempty"`
	Narrowed   []Rule `json:"narrowed,omitempty"` // what the provider offers instead
	Accepted   bool   `json:"accepted,omitempty"` // that, by the connector
	Verified   bool   `json:"verified,omitempty"` // by the connector
	Final      bool   `json:"final,omitempty"`    // its agreement was in force
	Ended      bool   `json:"ended,omitempty"`    // without one
}

// transfer is one; its state is the protocol's own, bounded by the agreement's.
type transfer struct {
	exchange
	Agreement string `json:"agreement"`
	State     string `json:"state"`
	Ours      bool   `json:"ours,omitempty"` // we suspended it, because the agreement is
	Token     []byte `json:"token,omitempty"`
	ExpiresMs int64  `json:"expires_ms,omitempty"`
}

func (n *negotiation) over() bool {
	return n.Ended && n.Told == Terminated || n.Final && n.Told == Finalized
}

func (t *transfer) over() bool {
	return t.State == Completed || t.State == Terminated && t.Told == Terminated
}

func (n *negotiation) line() line { return line{Negotiation: n} }

func (t *transfer) line() line { return line{Transfer: t} }

// line is one line of the file: the whole record, the last of a pid counts.
type line struct {
	Negotiation *negotiation `json:"negotiation,omitempty"`
	Transfer    *transfer    `json:"transfer,omitempty"`
}

// journal keeps both kinds in one file of lines. Records are values: what recall returns
// is the caller's own copy.
type journal struct {
	path string

	writing sync.RWMutex // held to read while a line is written, to write while the file is replaced
	file    *durable.Appender
	broken  error // the file was replaced and cannot be opened; guarded by writing

	mu           sync.Mutex // guards what follows
	negotiations map[string]negotiation
	transfers    map[string]transfer
	lines        int // in the file
}

// openJournal reads the file and writes it anew without what ended long ago. A line
// that the power failed in is the last one, and was answered to nobody.
func openJournal(path string, now time.Time) (*journal, error) {
	j := &journal{path: path, negotiations: map[string]negotiation{}, transfers: map[string]transfer{}}
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
	return j, j.rewrite(now)
}

// rewrite writes the file anew, each record once, without what ended long ago. Where the
// power fails the old file or the new one is there. Called with writing held, or before
// anybody else has the journal.
func (j *journal) rewrite(now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	old := now.Add(-keepEnded).UnixMilli()
	forget[negotiation](j.negotiations, old)
	forget[transfer](j.transfers, old)
	var out bytes.Buffer
	for _, n := range j.negotiations {
		writeLine(&out, n.line())
	}
	for _, t := range j.transfers {
		writeLine(&out, t.line())
	}
	if err := durable.ReplaceFile(j.path, out.Bytes(), 0o600); err != nil {
		return err
	}
	file, err := durable.OpenAppend(j.path, 0o600)
	if err != nil {
		j.broken = err // what is written to the old file would be lost
		return err
	}
	if j.file != nil {
		err = j.file.Close()
	}
	j.file, j.lines = file, len(j.negotiations)+len(j.transfers)
	return err
}

// forget removes what is over and was touched before a moment.
func forget[T any, R record[T]](kept map[string]T, oldMs int64) {
	maps.DeleteFunc(kept, func(_ string, t T) bool { return R(&t).over() && R(&t).head().AtMs < oldMs })
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
	j.lines++
}

// put keeps a record; durable when it returns nil. A connector that moves a record to and
// fro does not fill the disk: the file is written anew when most of it is history.
func (j *journal) put(l line) error {
	var b bytes.Buffer
	writeLine(&b, l)
	if b.Len() > maxLine {
		return fault.Newf(fault.TooLong, "a record of %d bytes", b.Len())
	}
	if err := j.write(l, b.Bytes()); err != nil {
		return err
	}
	if !j.stale() {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.broken == nil && j.stale() { // nobody else was faster
		return j.rewrite(time.Now())
	}
	return nil
}

func (j *journal) write(l line, b []byte) error {
	j.writing.RLock()
	defer j.writing.RUnlock()
	if j.broken != nil {
		return j.broken
	}
	if _, err := j.file.Append(b); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.take(l)
	return nil
}

// stale tells whether the file is mostly history.
func (j *journal) stale() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines > maxHistory+4*(len(j.negotiations)+len(j.transfers))
}

// recall returns the record of a pid.
func recall[T any](j *journal, kept func(*journal) map[string]T, pid string) (T, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t, ok := kept(j)[pid]
	return t, ok
}

// find returns the record of a participant that ok accepts.
func find[T any, R record[T]](j *journal, kept func(*journal) map[string]T, participant string, ok func(R) bool) (none T, found bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range kept(j) {
		if R(&t).head().Participant == participant && ok(&t) {
			return t, true
		}
	}
	return none, false
}

// room refuses another record of a participant that has too many.
func (j *journal) room(participant string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	openN, n := count[negotiation](j.negotiations, participant)
	openT, t := count[transfer](j.transfers, participant)
	if openN+openT >= maxOpen || n+t >= maxKnown {
		return fault.Newf(fault.Busy, "%d negotiations and transfers are open and %d known, at most %d and %d are kept", openN+openT, n+t, maxOpen, maxKnown)
	}
	return nil
}

func count[T any, R record[T]](kept map[string]T, participant string) (open, known int) {
	for _, t := range kept {
		if R(&t).head().Participant == participant {
			known++
			if !R(&t).over() {
				open++
			}
		}
	}
	return open, known
}

// open lists the pids to which something may still happen.
func (j *journal) open() (negotiations, transfers []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return alive[negotiation](j.negotiations), alive[transfer](j.transfers)
}

func alive[T any, R record[T]](kept map[string]T) (pids []string) {
	for pid, t := range kept {
		if !R(&t).over() {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (j *journal) close() error { return j.file.Close() }
