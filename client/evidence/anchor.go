package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/internal/fault"
)

// Ledger is what anchoring needs of the chain. Its contract: when Anchor returns nil,
// all items are in a committed block, or were before.
type Ledger interface {
	// Anchor signs and sends the items as one transaction.
	Anchor(ctx context.Context, items []*evidencev1.Evidence) (tx [32]byte, err error)
	// Lookup returns what the ledger keeps under the id, nil if nothing.
	Lookup(ctx context.Context, id string) (*evidencev1.Evidence, error)
}

// Job is one run of anchoring.
type Job struct {
	Ledger  Ledger
	Chain   string
	Genesis Hex    // hash
	Account string // that signs
	Note    string // for the metadata of every new file
	// Provenance says how these files came to be; CapturedMs is set for each file
	// when it was read.
	Provenance Provenance
	Now        func() time.Time // nil = time.Now
	Seen       func(bytes int)  // nil = nobody wants to know
}

// State of a file after a run.
type State string

// What became of a file.
const (
	Anchored State = "anchored"         // now
	Already  State = "already anchored" // before, unchanged since
	Failed   State = "failed"
)

// Outcome is what became of one file.
type Outcome struct {
	File   string     `json:"file"`
	Folder string     `json:"folder,omitempty"`
	State  State      `json:"state"`
	ID     string     `json:"id,omitempty"`
	Height int64      `json:"height,omitempty"`
	Tx     Hex        `json:"tx,omitempty"`
	Code   fault.Code `json:"code,omitempty"`
	Error  string     `json:"error,omitempty"`
}

// waiting is a file whose opening is on disk and not yet on the ledger.
type waiting struct {
	at      int // in the outcomes
	folder  string
	opening *Opening
}

// Run anchors the files, MaxBatch in one transaction. A file that cannot be read, or
// has evidence of another chain, fails alone; what the ledger refuses, or an unreachable
// server, ends the run. Whatever was done is in the outcomes, and running again goes
// on from there. done, if not nil, is called after each batch with how many
// files have an outcome.
func (j *Job) Run(ctx context.Context, files []File, done func(n int)) ([]Outcome, error) {
	out := make([]Outcome, 0, len(files))
	for len(files) > 0 {
		n := min(len(files), MaxBatch)
		batch := make([]Outcome, n)
		err := j.batch(ctx, files[:n], batch)
		out = append(out, batch...)
		if err != nil {
			return out, err
		}
		files = files[n:]
		if done != nil {
			done(len(out))
		}
	}
	return out, nil
}

func (j *Job) batch(ctx context.Context, files []File, out []Outcome) error {
	var send []waiting
	for i, f := range files {
		out[i] = Outcome{File: f.Path, Folder: FolderOf(f.Path)}
		o, err := j.prepare(ctx, f.Path)
		if err == nil && o.Anchored() {
			out[i].State, out[i].ID, out[i].Height, out[i].Tx = Already, o.ID, o.Height, o.Tx
			continue
		}
		if fault.Is(err, fault.Cancelled) || fault.Is(err, fault.Unreachable) || fault.Is(err, fault.Timeout) {
			failed(out[i:], err)
			return err
		}
		if err != nil {
			failed(out[i:i+1], err)
			continue
		}
		send = append(send, waiting{i, out[i].Folder, o})
	}
	if len(send) == 0 {
		return nil
	}
	tx, err := j.send(ctx, send)
	if err != nil {
		for _, w := range send {
			failed(out[w.at:w.at+1], err)
		}
		return err
	}
	for _, w := range send {
		if err := j.complete(ctx, w, tx); err != nil {
			failed(out[w.at:w.at+1], err)
			return err
		}
		o := w.opening
		out[w.at].State, out[w.at].ID, out[w.at].Height, out[w.at].Tx = Anchored, o.ID, o.Height, o.Tx
	}
	return nil
}

func failed(out []Outcome, err error) {
	for i := range out {
		out[i].State, out[i].Code, out[i].Error = Failed, fault.CodeOf(err), err.Error()
	}
}

// prepare returns the opening of a file: one that is anchored and still true, or one
// that waits on disk to be sent.
func (j *Job) prepare(ctx context.Context, path string) (*Opening, error) {
	folder := FolderOf(path)
	was, err := ReadOpening(folder)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err // damaged: a person has to look, its salt may be all there is
	}
	d, meta, err := Look(ctx, path, j.Seen)
	if err != nil {
		return nil, err
	}
	supersedes := ""
	if was != nil {
		if was.Chain != j.Chain || !bytes.Equal(was.Genesis, j.Genesis) {
			return nil, fault.Newf(fault.WrongChain, "%s holds evidence on chain %s: move it away to anchor the file on %s", folder, was.Chain, j.Chain)
		}
		if err := j.ask(ctx, was, folder); err != nil {
			return nil, err
		}
		same := bytes.Equal(was.SHA256, d.SHA256) && bytes.Equal(was.SM3, d.SM3)
		if same && was.Account == j.Account && was.Anchored() {
			return was, nil
		}
		if same && was.Account == j.Account && was.Metadata.Note == j.Note { // waits: the same salt, and what is said of it now
			was.Provenance = j.measured()
			return was, was.store(folder)
		}
		// Also one that the ledger does not know: it may be on its way there.
		if err := was.keepAside(folder); err != nil {
			return nil, err
		}
		if was.Anchored() && was.Account == j.Account {
			supersedes = was.ID
		}
	}
	o := &Opening{
		Format: Format, Digests: d, Metadata: meta, Provenance: j.measured(), Supersedes: supersedes,
		Chain: j.Chain, Genesis: j.Genesis, Account: j.Account,
	}
	o.Metadata.Note = j.Note
	if err := o.resalt(); err != nil {
		return nil, err
	}
	return o, o.store(folder) // before it is sent: power may fail at any time after
}

// ask completes an opening whose answer was lost: the ledger may know it.
func (j *Job) ask(ctx context.Context, o *Opening, folder string) error {
	if o.Anchored() {
		return nil
	}
	e, err := j.Ledger.Lookup(ctx, o.ID)
	if err != nil || e == nil || e.GetAccount() != o.Account || o.Opens(e) != nil {
		return err
	}
	o.adopt(e)
	return o.store(folder)
}

// send anchors the batch. A commitment that somebody else has anchored first, who
// has seen ours on its way, gets a new salt.
func (j *Job) send(ctx context.Context, batch []waiting) (tx [32]byte, err error) {
	items := make([]*evidencev1.Evidence, len(batch))
	for i, w := range batch {
		items[i] = w.opening.Evidence()
	}
	for retries := 0; ; retries++ {
		tx, err = j.Ledger.Anchor(ctx, items)
		f, ok := errors.AsType[*fault.Fault](err)
		if err == nil || !ok || f.Code != fault.DuplicateName || f.Item < 1 || int(f.Item) > len(batch) || retries == saltRetries {
			return tx, err
		}
		w := batch[f.Item-1]
		if err := w.opening.resalt(); err != nil {
			return tx, err
		}
		if err := w.opening.store(w.folder); err != nil {
			return tx, err
		}
		items[f.Item-1] = w.opening.Evidence()
	}
}

// complete writes down what the ledger keeps.
func (j *Job) complete(ctx context.Context, w waiting, tx [32]byte) error {
	o := w.opening
	e, err := j.Ledger.Lookup(ctx, o.ID)
	if err != nil {
		return err
	}
	if e == nil {
		return fault.Newf(fault.VerificationFailed, "the server says that %s is anchored and does not have it", o.ID)
	}
	if err := o.Opens(e); err != nil {
		return fmt.Errorf("%s: %w", w.folder, err)
	}
	if e.GetAccount() != o.Account {
		return fault.Newf(fault.VerificationFailed, "%s is anchored by %s", o.ID, e.GetAccount())
	}
	before := o.Provenance
	if o.adopt(e); o.Provenance.CapturedMs == before.CapturedMs { // else an earlier transaction of ours came first
		o.Tx = tx[:]
	}
	return o.store(w.folder)
}

// adopt takes over what the ledger has: of what was sent twice the first word counts.
func (o *Opening) adopt(e *evidencev1.Evidence) {
	o.Height, o.AtMs, o.Supersedes, o.Provenance = e.GetHeight(), e.GetAtMs(), e.GetSupersedes(), fromLedger(e.GetProvenance())
}

// measured is the job's provenance of a file that was read just now.
func (j *Job) measured() Provenance {
	p := j.Provenance
	if j.Now == nil {
		p.CapturedMs = time.Now().UnixMilli()
	} else {
		p.CapturedMs = j.Now().UnixMilli()
	}
	return p
}
