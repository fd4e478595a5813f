package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"mulian/client"
	"mulian/gateway/view"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/itemset"
)

// usesFolder is where the notes lie, beside the folders of open deliveries.
const usesFolder = "uses"

const (
	// maxUseNotes bounds the uses that are not settled; 10 KB each. Then Busy.
	maxUseNotes = 10_000
	// useLife is how long a use that was not acknowledged can be fetched again. The ledger
	// takes a use back within a day (proto grant.v1 CloseGrantUse).
	useLife = 20 * time.Hour
	// useWait bounds the waiting for the ledger's word on a use, provedWait that for its proof
	// after it, and provedEvery is the pause between two looks.
	useWait     = 30 * time.Second
	provedWait  = 10 * time.Second
	provedEvery = 20 * time.Millisecond
	// useGrace is how long after its transaction's end a use that the ledger does not have
	// is known not to come any more.
	useGrace = 10 * time.Second
)

// useNote is a use on its way, durable before the ledger hears of it. What it holds is
// sealed: this process could not open it (invariant 4).
type useNote struct {
	Grant     string `json:"grant"`
	Number    uint64 `json:"number"`
	Asker     string `json:"asker"`
	Fetch     string `json:"fetch"`
	Digest    []byte `json:"digest"`   // of the request under the grant
	Envelope  []byte `json:"envelope"` // the signed RecordGrantUse
	ID        []byte `json:"id"`       // its transaction's
	ExpiresMs int64  `json:"expires_ms"`
	Record    []byte `json:"record"` // AccessRecord of its end, but for outcome and number
	Header    []byte `json:"header"`
	Sealed    []byte `json:"sealed"`
	CreatedMs int64  `json:"created_ms"`

	sent bool // the ledger may have it
}

// noteHead begins a note's file: the length of what follows, and its SHA-256, so that one that
// a power failure has torn is told from one that was changed.
const noteHead = "mulian-use-note 1 %08d %x\n"

const noteHeadBytes = len("mulian-use-note 1 00000000 \n") + 2*sha256.Size

// errTorn is what a write left that did not end.
var errTorn = errors.New("a write of it did not end")

// file is the note as it lies on the disk.
func (n *useNote) file() ([]byte, error) {
	raw, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	return append(fmt.Appendf(nil, noteHead, len(raw), sha256.Sum256(raw)), raw...), nil
}

// readNote reads a note's file. errTorn if a part of it never came to the disk: then it is short,
// or has zeros in it, as neither head nor JSON have. What else does not hold was changed.
func readNote(file []byte) (*useNote, error) {
	n := &useNote{}
	if bytes.HasPrefix(file, []byte("{")) { // of a version that had no head, and wrote name after content
		return n, json.Unmarshal(file, n)
	}
	if bytes.IndexByte(file, 0) >= 0 || len(file) < noteHeadBytes {
		return nil, errTorn
	}
	head, raw := file[:noteHeadBytes], file[noteHeadBytes:]
	length, err := strconv.Atoi(string(head[len("mulian-use-note 1 "):][:8]))
	switch {
	case err != nil:
		return nil, err
	case len(raw) < length:
		return nil, errTorn
	case !bytes.Equal(head, fmt.Appendf(nil, noteHead, length, sha256.Sum256(raw))):
		return nil, errors.New("its sum does not hold")
	}
	return n, json.Unmarshal(raw, n)
}

func (n *useNote) key() string { return noteKey(n.Asker, n.Grant, n.Fetch) }

func noteKey(asker, grant, fetch string) string {
	sum := sha256.Sum256([]byte(asker + "\x00" + grant + "\x00" + fetch))
	return hex.EncodeToString(sum[:16])
}

// uses keeps the notes, one file each.
type uses struct {
	dir string

	mu    sync.Mutex // guards the two below
	notes map[string]*useNote
	turns map[string]*grantTurn // by grant
}

// grantTurn lets one request of a grant in after the other.
type grantTurn struct {
	free    chan struct{}
	waiting int
}

// openUses reads what an earlier process left.
func openUses(dir string) (*uses, error) {
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	u := &uses{dir: dir, notes: map[string]*useNote{}, turns: map[string]*grantTurn{}}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".use") {
			continue // of a write that did not end
		}
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		n, err := readNote(raw)
		switch {
		case errors.Is(err, errTorn): // the power failed before the ledger could hear of it
			if err := os.Rename(filepath.Join(dir, f.Name()), filepath.Join(dir, f.Name()+".torn")); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, fault.Wrap(fault.Damaged, err, "note %s of a use", f.Name())
		}
		n.sent = true
		u.notes[n.key()] = n
	}
	return u, nil
}

// turn waits until no other request of the grant is under way. Busy if that takes too long.
func (u *uses) turn(ctx context.Context, grant string) (done func(), err error) {
	u.mu.Lock()
	t := u.turns[grant]
	if t == nil {
		t = &grantTurn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		u.turns[grant] = t
	}
	t.waiting++
	u.mu.Unlock()
	leave := func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(u.turns, grant)
		}
	}
	timer := time.NewTimer(busyWait)
	defer timer.Stop()
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; leave() }, nil
	case <-timer.C:
		leave()
		return nil, fault.Newf(fault.Busy, "another use of grant %s is under way", grant)
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

func (u *uses) find(asker, grant, fetch string) *useNote {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.notes[noteKey(asker, grant, fetch)]
}

// of returns the notes of a grant; of all of them if none is named.
func (u *uses) of(grant string) (out []*useNote) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, n := range u.notes {
		if grant == "" || n.Grant == grant {
			out = append(out, n)
		}
	}
	return out
}

// put makes a note durable.
func (u *uses) put(n *useNote) error {
	raw, err := n.file()
	if err != nil {
		return err
	}
	u.mu.Lock()
	full := len(u.notes) >= maxUseNotes
	u.mu.Unlock()
	if full {
		return fault.Newf(fault.Busy, "%d uses wait to be settled", maxUseNotes)
	}
	if err := durable.PutTellable(filepath.Join(u.dir, n.key()+".use"), raw, 0o600); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.notes[n.key()] = n
	return nil
}

// drop forgets a note.
func (u *uses) drop(n *useNote) error {
	if err := os.Remove(filepath.Join(u.dir, n.key()+".use")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.notes, n.key())
	return nil
}

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }

func useKey(grant string, number uint64) string {
	text := uintText(number)
	return "grant/use/" + grant + "/" + strings.Repeat("0", max(0, 10-len(text))) + text
}

// signUse signs the transaction that counts the use.
func (p *Provider) signUse(n *useNote, x *permit, result, wrap []byte) error {
	var set []byte
	if len(x.grant.GetItemCodes()) == 0 || x.grant.GetEntryVersion() == x.d.entry.GetVersion() {
		var err error
		if set, err = itemset.OfCodes(x.d.entry, x.d.codes()...); err != nil {
			return err
		}
	}
	env, err := client.Sign(p.cfg.ChainID, client.Signer{Account: p.cfg.Gateway, Key: p.cfg.Key}, p.now(), &grantv1.RecordGrantUse{
		Grant: n.Grant, Number: n.Number, Items: set, RecipientKey: x.d.seal.ID(), ResultCommitment: result, KeyWrapHash: wrap, RequestDigest: n.Digest,
	})
	if err != nil {
		return err
	}
	n.Envelope, n.ID, n.ExpiresMs = env.Raw, env.ID[:], env.Body.GetExpiresMs()
	return nil
}

// counted returns nil when the ledger has the use, proved. A refusal of the ledger drops the
// note; LogNotIncluded leaves it: nobody knows yet.
func (p *Provider) counted(ctx context.Context, n *useNote) error {
	// The use does not depend on whether the asker still waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), useWait)
	defer cancel()
	var has bool
	var err error
	if n.sent {
		has, err = p.hasUse(ctx, n, 0)
	}
	switch {
	case fault.Is(err, fault.DuplicateSeq):
		return err
	case err != nil:
		return unknownUse(n, err)
	case has:
		return nil
	case p.latest().UnixMilli() >= n.ExpiresMs+useGrace.Milliseconds():
		return errors.Join(fault.Newf(fault.LogNotIncluded, "use %d of grant %s did not come onto the ledger in time; ask again", n.Number, n.Grant), p.granted.drop(n))
	}
	n.sent = true
	env := &client.Envelope{Raw: n.Envelope, ID: [32]byte(n.ID)}
	r, err := p.cfg.Chain.Submit(ctx, env)
	switch fault.CodeOf(err) {
	case fault.OK:
	case fault.Timeout, fault.Unreachable, fault.Busy, fault.Internal, fault.Replayed:
		return unknownUse(n, err)
	default:
		return errors.Join(err, p.granted.drop(n))
	}
	has, err = p.hasUse(ctx, n, r.Height)
	switch {
	case fault.Is(err, fault.DuplicateSeq):
		return err
	case err != nil || !has:
		return unknownUse(n, err)
	}
	return nil
}

func unknownUse(n *useNote, err error) error {
	return &fault.Fault{Code: fault.LogNotIncluded, Text: "the ledger has not shown use " + uintText(n.Number) + " of grant " + n.Grant + " yet, so nothing is released", Err: err}
}

// hasUse tells whether the ledger has counted this use, by a proof that this gateway has
// checked: a server's word is not enough. after is the height at which it has to be there;
// 0: as it is now.
func (p *Provider) hasUse(ctx context.Context, n *useNote, after int64) (bool, error) {
	key := useKey(n.Grant, n.Number)
	for end := time.Now().Add(provedWait); ; {
		p.cfg.View.Forget(key)
		use, s, err := view.Get(ctx, p.cfg.View, key, func() *grantv1.Use { return &grantv1.Use{} }, view.NoAge)
		switch {
		case err != nil && (after == 0 || time.Now().After(end)):
			return false, err
		case err == nil && s.Found:
			if use.GetProvider() != p.cfg.Gateway || !bytes.Equal(use.GetRequestDigest(), n.Digest) {
				return false, errors.Join(fault.Newf(fault.DuplicateSeq, "use %d of grant %s is another one", n.Number, n.Grant), p.granted.drop(n))
			}
			return true, nil
		case after == 0 || time.Now().After(end):
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(provedEvery):
		}
	}
}

// settleGrant brings the uses of a grant that an earlier request began to an end that is
// known: another one must not take a number that may be used.
func (p *Provider) settleGrant(ctx context.Context, grant string) error {
	for _, n := range p.granted.of(grant) {
		if _, released, err := p.releasedUse(n); err != nil || released {
			if err != nil {
				return err
			}
			continue
		}
		if err := p.counted(ctx, n); err != nil && p.granted.find(n.Asker, n.Grant, n.Fetch) != nil {
			return err
		}
	}
	return nil
}

// sweepUses forgets what was acknowledged, and gives back to the count what was counted and
// never released.
func (p *Provider) sweepUses(ctx context.Context) {
	for _, n := range p.granted.of("") {
		old := p.now().Sub(time.UnixMilli(n.CreatedMs)) > useLife
		e, released, err := p.releasedUse(n)
		switch {
		case err != nil:
		case released && (old || p.countersignedAlready(e.Index)):
			err = p.granted.drop(n)
		case !released && old:
			err = p.giveBack(ctx, n)
		}
		if err != nil && ctx.Err() == nil {
			p.cfg.Logger.Warn("a use cannot be settled", "grant", n.Grant, "use", n.Number, "code", fault.CodeOf(err).String())
		}
	}
}

// giveBack closes a use of which nothing has left.
func (p *Provider) giveBack(ctx context.Context, n *useNote) error {
	done, err := p.granted.turn(ctx, n.Grant)
	if err != nil {
		return err
	}
	defer done()
	if _, released, err := p.releasedUse(n); err != nil || released {
		return err
	}
	has, err := p.hasUse(ctx, n, 0)
	if err != nil {
		return err
	}
	if err := p.granted.drop(n); err != nil || !has {
		return err
	}
	_, err = p.cfg.Chain.Send(ctx, client.Signer{Account: p.cfg.Gateway, Key: p.cfg.Key}, &grantv1.CloseGrantUse{
		Grant: n.Grant, Number: n.Number, Outcome: grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_FAILED, Code: uint32(fault.Timeout),
	})
	return err
}
