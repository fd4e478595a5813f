package prooffile

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/state/proof"
)

// SplitFormat names the evidence of a split view in its first line.
const SplitFormat = "mulian-split-v1"

// kindSplit is what a report says of such evidence.
const kindSplit = "split"

// Split is the evidence that the ledger's log of events was shown in two ways: two
// checkpoints of one chain, each signed by a validator, that cannot both be of one log.
type Split struct {
	Notes [2][]byte // as they were published; signatures of others are left out
	// Root and Path are for checkpoints of different sizes: the root of the newer one's first
	// events, as many as the older one has, and the way from there to the newer one (RFC 6962
	// section 2.1.2).
	Root []byte
	Path [][]byte
}

// split is the content of the evidence.
type split struct {
	notes [][]byte
	root  []byte
	path  []byte
}

// Origin is the first line of the checkpoints of a chain's log of events: who has the
// genesis can tell which chain it is.
func Origin(chain string, genesis [32]byte) string {
	return fmt.Sprintf("mulian/%s/%x", chain, genesis[:8])
}

// maxNotes is how many checkpoints the evidence has.
const maxNotes = 2

func (s *split) node(c *content) *node {
	w := newWindow()
	genesis := base(w.pack(c.genesis))
	return object("format", SplitFormat, "statement", c.statement, "checkpoints", each(s.notes, func(b []byte) *node { return text(base(b)) }),
		"root", base(s.root), "path", base(s.path), "blocks", each(c.blocks, (*block).node), "genesis", genesis)
}

func readSplit(n *node) (*content, *split, error) {
	r := &reader{}
	f := r.object(n, "the file", "format", "statement", "checkpoints", "root", "path", "blocks", "genesis")
	if r.err != nil {
		return nil, nil, r.err
	}
	c, s := &content{statement: f[1]}, &split{}
	if r.text(f[0], "format") != SplitFormat {
		r.refuse("format", fmt.Sprintf("%q", SplitFormat))
	}
	if f[1].kind != 'o' {
		r.refuse("statement", "an object")
	}
	for i, x := range r.list(f[2], "checkpoints", maxNotes, maxNotes) {
		at := fmt.Sprintf("checkpoints[%d]", i)
		note := r.base(x, at)
		if len(note) == 0 || len(note) > maxNote {
			r.refuse(at, fmt.Sprintf("1 to %d bytes", maxNote))
		}
		s.notes = append(s.notes, note)
	}
	s.root, s.path = r.hashes(f[3], "root", 1), r.hashes(f[4], "path", maxPath)
	for i, b := range r.list(f[5], "blocks", 0, maxBlocks) {
		c.blocks = append(c.blocks, r.block(b, fmt.Sprintf("blocks[%d]", i)))
	}
	c.genesis = r.unpack(newWindow(), r.base(f[6], "genesis"), "genesis")
	return c, s, r.err
}

// signedState is what a validator has signed about the log.
type signedState struct {
	size uint64
	root []byte
	by   []byte // its key
}

// verifySplit takes the steps of evidence of a split view.
func (v *verifier) verifySplit(tree *node, genesisHash [32]byte) *refusal {
	c, s, err := readSplit(tree)
	if err != nil {
		return refuse(stepForm, "the file", "%v", err).as(fault.Malformed)
	}
	v.content, v.divided = c, s
	v.says(stepForm, "%d bytes in their one form", len(s.node(c).bytes()))
	if r := v.checkGenesis(genesisHash); r != nil {
		return r
	}
	if v.from != nil && len(c.blocks) == 0 {
		return refuse(stepTrust, "blocks", "expected the block %d of the checkpoint", v.from.Height)
	}
	if len(c.blocks) > 0 {
		for _, step := range []func() *refusal{v.checkFrom, v.checkBlocks} {
			if r := step(); r != nil {
				return r
			}
		}
	}
	for i, note := range s.notes {
		if r := v.checkAttested(note, fmt.Sprintf("checkpoints[%d]", i)); r != nil {
			return r
		}
	}
	if r := v.checkDivided(); r != nil {
		return r
	}
	if path, want, got := differ(v.deriveSplit(), v.statement, "statement"); path != "" {
		return refuse(stepStatement, path, "expected %s, the file says %s", want, got)
	}
	return nil
}

// checkAttested checks a checkpoint of the ledger's log: three lines and the signature of one
// validator, nothing else.
func (v *verifier) checkAttested(note []byte, at string) *refusal {
	origin := Origin(v.founding.chain, [32]byte(sum(v.genesis)))
	lines := strings.Split(string(note), "\n")
	if len(lines) != 6 || lines[3] != "" || lines[5] != "" {
		return refuse(stepFinding, at, "it is no checkpoint of three lines with one signature")
	}
	r, st := &reader{}, signedState{}
	st.size, st.root = r.number(text(lines[1]), at, 1, maxNumber), r.base(text(lines[2]), at)
	begin := "— " + origin + " "
	sig := r.base(text(strings.TrimPrefix(lines[4], begin)), at)
	if r.err != nil || lines[0] != origin || len(st.root) != 32 || !strings.HasPrefix(lines[4], begin) || len(sig) != 68 {
		return refuse(stepFinding, at, "it is no checkpoint of %q by its key", origin)
	}
	for _, key := range v.validatorKeys() {
		if h := sum(append([]byte(origin+"\n\x01"), key...)); bytes.Equal(h[:4], sig[:4]) {
			if !ed25519.Verify(key, []byte(strings.Join(lines[:3], "\n")+"\n"), sig[4:]) {
				return refuse(stepSignature, at, "the signature is not that of validator %x", key).as(fault.BadAuthorisation)
			}
			st.by = key
			v.states = append(v.states, st)
			v.says(stepSignature, "%d events, root %x, by validator %x", st.size, st.root, key)
			return nil
		}
	}
	return refuse(stepKey, at, "it is signed by no validator that the file shows").as(fault.NotWhitelisted)
}

// validatorKeys are those that the file shows to be validators: of the genesis, unless the
// reader begins at a checkpoint, and of the blocks.
func (v *verifier) validatorKeys() (keys [][]byte) {
	if v.from == nil {
		for _, x := range v.founding.validators {
			keys = append(keys, x.key)
		}
	}
	for _, b := range v.blocks {
		for _, x := range b.voters {
			keys = append(keys, x.key)
		}
	}
	return keys
}

// checkDivided checks that no log can have both states.
func (v *verifier) checkDivided() *refusal {
	older, newer := v.states[0], v.states[1]
	if older.size > newer.size || older.size == newer.size && bytes.Compare(older.root, newer.root) > 0 {
		return refuse(stepFinding, "checkpoints", "the older one stands first, of one size the one with the lower root")
	}
	switch {
	case older.size == newer.size && (len(v.divided.root) > 0 || len(v.divided.path) > 0):
		return refuse(stepFinding, "path", "checkpoints of one size need no path")
	case older.size == newer.size && !bytes.Equal(older.root, newer.root):
		v.breach = fmt.Sprintf("two roots of %d events", older.size)
	case older.size < newer.size:
		if len(v.divided.root) == 0 || !leads(v.divided.root, older.size, newer, hashes(v.divided.path)) {
			return refuse(stepFinding, "path", "the path does not lead from that root to the newer state")
		}
		if !bytes.Equal(v.divided.root, older.root) {
			v.breach = fmt.Sprintf("the first %d of %d events have another root", older.size, newer.size)
		}
	}
	if v.breach == "" {
		return refuse(stepFinding, "checkpoints", "both can be of one log")
	}
	v.says(stepFinding, "%s", v.breach)
	return nil
}

// leads tells whether a path leads from the root of the first old events to a state.
func leads(root []byte, old uint64, to signedState, path []proof.Hash) bool {
	p := &proof.Consistency{OldSize: int64(old), NewSize: int64(to.size), Path: path}
	return proof.VerifyConsistency(proof.Hash(root), proof.Hash(to.root), p) == nil
}

func (v *verifier) deriveSplit() *node {
	genesis := [32]byte(sum(v.genesis))
	return object("kind", kindSplit, "subject", Origin(v.founding.chain, genesis), "chain", v.founding.chain, "genesis", hex.EncodeToString(genesis[:]), "breach", v.breach,
		"states", each(v.states, func(s signedState) *node {
			return object("size", number(s.size), "root", hex.EncodeToString(s.root), "validator", hex.EncodeToString(s.by))
		}))
}

func (v *verifier) reportSplit() *Report {
	s := v.statement
	r := &Report{OK: true, Kind: kindSplit, Object: s.list[1].text, Chain: v.founding.chain, Genesis: hex.EncodeToString(sum(v.genesis)), Checks: v.checks, Statement: s.bytes()}
	if v.from != nil {
		r.Checkpoint = v.from.Height
	}
	return r
}

// Split makes the evidence of a split view. VerificationFailed if the two checkpoints can be
// of one log, or a validator has not signed them: nobody is accused of what cannot be shown.
func (m *Maker) Split(ctx context.Context, x Split) ([]byte, error) {
	origin := Origin(m.founded.chain, m.hash)
	s := &split{root: x.Root}
	for _, h := range x.Path {
		s.path = append(s.path, h...)
	}
	var sizes [2]uint64
	var roots [2][]byte
	for i, note := range x.Notes {
		var err error
		if sizes[i], roots[i], err = ReadNote(note); err != nil {
			return nil, err
		}
	}
	if sizes[0] > sizes[1] || sizes[0] == sizes[1] && bytes.Compare(roots[0], roots[1]) > 0 {
		x.Notes[0], x.Notes[1] = x.Notes[1], x.Notes[0]
	}
	for _, blocks := range []bool{false, true} { // validators that came later are in a block
		c := &content{genesis: m.genesis, statement: object("kind", kindSplit)}
		if blocks || m.from != nil {
			st, err := m.c.Status(ctx)
			if err != nil {
				return nil, err
			}
			if err := m.fetchChain(ctx, c, st.GetHeight()-1); err != nil {
				return nil, err
			}
		}
		v := &verifier{content: c, from: m.from}
		if r := v.checkGenesis(m.hash); r != nil {
			return nil, fault.Newf(fault.VerificationFailed, "%v", r)
		}
		s.notes = nil
		for _, note := range x.Notes {
			if one := signedBy(note, origin, v.validatorKeys()); one != nil {
				s.notes = append(s.notes, one)
			}
		}
		if len(s.notes) == maxNotes {
			return m.writeSplit(s, c)
		}
	}
	return nil, fault.Newf(fault.VerificationFailed, "a checkpoint is not signed by a validator of %s", origin)
}

// writeSplit derives the statement, and reads the evidence as a stranger would.
func (m *Maker) writeSplit(s *split, c *content) ([]byte, error) {
	v := &verifier{from: m.from}
	tree, err := parse(s.node(c).bytes())
	if err != nil {
		return nil, &fault.Fault{Code: fault.VerificationFailed, Text: "the checkpoints prove nothing", Err: err}
	}
	if r := v.verifySplit(tree, m.hash); r != nil && r.step != stepStatement {
		return nil, fault.Newf(fault.VerificationFailed, "the checkpoints prove nothing: %v", r)
	}
	c.statement = v.deriveSplit()
	file := s.node(c).bytes()
	if r := m.Verify(file); !r.OK {
		return nil, fault.Newf(fault.VerificationFailed, "the checkpoints prove nothing: %s, %s: %s", r.Step, r.Field, r.Reason)
	}
	return file, nil
}

// signedBy is the checkpoint with the signature of the first validator that signed it, and
// no other line; nil if there is none.
func signedBy(note []byte, origin string, keys [][]byte) []byte {
	body, lines, found := strings.Cut(string(note), "\n\n")
	if !found || len(note) > maxNote {
		return nil
	}
	for line := range strings.Lines(lines) {
		sig := (&reader{}).base(text(strings.TrimSuffix(strings.TrimPrefix(line, "— "+origin+" "), "\n")), "")
		for _, key := range keys {
			h := sum(append([]byte(origin+"\n\x01"), key...))
			if len(sig) == 68 && bytes.Equal(h[:4], sig[:4]) && ed25519.Verify(key, []byte(body+"\n"), sig[4:]) {
				return []byte(body + "\n\n" + strings.TrimSuffix(line, "\n") + "\n")
			}
		}
	}
	return nil
}

// Log returns the size and root of the ledger's log of events as the consortium has signed
// them: they are compared with the header that carries them. NotFound while there is no event.
func (m *Maker) Log(ctx context.Context) (size uint64, root [32]byte, err error) {
	for try := 0; ; try++ {
		res, err := m.c.Ledger.ProveEvent(ctx, connect.NewRequest(&ledgerv1.ProveEventRequest{}))
		if err != nil {
			return 0, root, wire.Fault(err)
		}
		x := res.Msg
		if len(x.GetTreeRoot()) != 32 || len(x.GetLogRoot()) != 32 || x.GetSize() <= 0 {
			return 0, root, fault.Newf(fault.VerificationFailed, "the server's answer is no state of a log")
		}
		target, _, err := m.lightBlock(ctx, x.GetHeight()+1)
		if err != nil {
			return 0, root, err
		}
		if _, err := m.way(ctx, target); err != nil {
			return 0, root, err
		}
		hash := proof.AppHash(proof.Hash(x.GetTreeRoot()), proof.Hash(x.GetLogRoot()), x.GetSize())
		if bytes.Equal(hash[:], target.GetSignedHeader().GetHeader().GetAppHash()) {
			return uint64(x.GetSize()), [32]byte(x.GetLogRoot()), nil
		}
		if try == tries {
			return 0, root, fault.Newf(fault.VerificationFailed, "the log's root is not what block %d carries", x.GetHeight()+1)
		}
	}
}

// Consistency returns the root of the first old events of the ledger's log and the way from
// there to the root of the first size (RFC 6962 section 2.1.2), which the caller knows.
// VerificationFailed if the server's answer does not lead there.
func (m *Maker) Consistency(ctx context.Context, old, size uint64, root [32]byte) (was [32]byte, path [][]byte, err error) {
	if old == size {
		return root, nil, nil
	}
	if old == 0 || old > size {
		return was, nil, fault.Newf(fault.OutOfRange, "from %d to %d events", old, size)
	}
	seq := int64(old - 1)
	then, err := m.c.Ledger.ProveEvent(ctx, connect.NewRequest(&ledgerv1.ProveEventRequest{Seq: seq, Size: int64(old)}))
	if err != nil {
		return was, nil, wire.Fault(err)
	}
	now, err := m.c.Ledger.ProveEvent(ctx, connect.NewRequest(&ledgerv1.ProveEventRequest{Seq: seq, Size: int64(size)}))
	if err != nil {
		return was, nil, wire.Fault(err)
	}
	copy(was[:], then.Msg.GetLogRoot())
	path = wayBetween(now.Msg.GetEvent(), old, now.Msg.GetHashes())
	var hashed []byte
	for _, h := range path {
		hashed = append(hashed, h...)
	}
	if len(hashed) != 32*len(path) || !leads(was[:], old, signedState{size: size, root: root[:]}, hashes(hashed)) {
		return was, nil, fault.Newf(fault.VerificationFailed, "the server's log does not lead from %d to %d events", old, size)
	}
	return was, path, nil
}

// wayBetween turns the way of the last of the first old events into the proof that the
// log of that size is the beginning: it begins at the largest whole part of the tree
// that ends with this event, which the first hashes of the way complete.
func wayBetween(event []byte, old uint64, way [][]byte) [][]byte {
	h := proof.EventLeaf(event)
	at := 0
	for i := old - 1; i&1 == 1 && at < len(way); i >>= 1 {
		var left proof.Hash
		copy(left[:], way[at])
		h = proof.Inner(left, h)
		at++
	}
	if old&(old-1) == 0 { // that part is all of the older tree: its root is known
		return way[at:]
	}
	return append([][]byte{bytes.Clone(h[:])}, way[at:]...)
}

// Origin is [Origin] of the maker's chain.
func (m *Maker) Origin() string { return Origin(m.founded.chain, m.hash) }

// Compare tells whether two checkpoints can be of one log. For two sizes it asks the server,
// and fills in root and path of the evidence if they cannot. VerificationFailed if the
// server's own log has not the newer one, so that it cannot tell: then its own checkpoint is
// to be compared.
func (m *Maker) Compare(ctx context.Context, x *Split) (one bool, err error) {
	var sizes [2]uint64
	var roots [2][]byte
	for i, note := range x.Notes {
		if origin, _, _ := strings.Cut(string(note), "\n"); origin != m.Origin() {
			return false, fault.Newf(fault.WrongChain, "a checkpoint of %.100q, not of %s", origin, m.Origin())
		}
		if sizes[i], roots[i], err = ReadNote(note); err != nil {
			return false, err
		}
	}
	if sizes[0] == sizes[1] {
		return bytes.Equal(roots[0], roots[1]), nil
	}
	older, newer := 0, 1
	if sizes[0] > sizes[1] {
		older, newer = 1, 0
	}
	was, path, err := m.Consistency(ctx, sizes[older], sizes[newer], [32]byte(roots[newer]))
	if err != nil {
		return false, err
	}
	x.Root, x.Path = was[:], path
	return bytes.Equal(was[:], roots[older]), nil
}
