package prooffile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/light"
	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Maker makes proof files from what a server answers, which it does not trust: a
// file that does not hold is never returned. It is safe for concurrent use.
type Maker struct {
	c       *client.Client
	genesis []byte // that the founders signed
	hash    [32]byte
	founded *founding
	from    *Checkpoint // where the files begin; nil: at the genesis

	mu    sync.Mutex // guards chain
	chain []believed // from the genesis on, each as far ahead as one step leads
}

// believed is a block on the way, and what is trusted after it.
type believed struct {
	block *ledgerv1.LightBlock
	trust light.Trust
}

// NewMaker returns a maker for the chain of that genesis file, whose founders'
// signatures it checks (Malformed, VerificationFailed as [client.ParseGenesis]).
func NewMaker(c *client.Client, genesisFile []byte) (*Maker, error) {
	g, err := client.ParseGenesis(genesisFile)
	if err != nil {
		return nil, err
	}
	var file governancev1.SignedGenesis
	if err := proto.Unmarshal(genesisFile, &file); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "genesis file")
	}
	founded, err := scanGenesis(file.GetGenesis())
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "genesis")
	}
	return &Maker{c: c, genesis: file.GetGenesis(), hash: g.Hash, founded: founded}, nil
}

// GenesisHash is what a reader of the files needs.
func (m *Maker) GenesisHash() [32]byte { return m.hash }

// Object proves what a state key ("share/agreement/<id>", "evidence/item/<id>")
// holds now, and the acts that made it so. NotFound if there is no such object.
func (m *Maker) Object(ctx context.Context, key string) ([]byte, error) {
	if key == "" || len(key) > maxKey {
		return nil, fault.Newf(fault.OutOfRange, "a key of %d bytes, 1 to %d are possible", len(key), maxKey)
	}
	acts, err := m.acts(ctx, key)
	if err != nil {
		return nil, err
	}
	return m.seal(ctx, &draft{kind: kindObject, subject: key, first: key, events: acts})
}

// Event proves that an event stands at that place of the ledger's log, and the
// transaction that caused it. NotFound behind the log's end.
func (m *Maker) Event(ctx context.Context, seq int64) ([]byte, error) {
	res, err := m.c.Ledger.ProveEvent(ctx, connect.NewRequest(&ledgerv1.ProveEventRequest{Seq: seq}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	e := &tracev1.Event{}
	if err := proto.Unmarshal(res.Msg.GetEvent(), e); err != nil {
		return nil, fault.Wrap(fault.VerificationFailed, err, "event %d", seq)
	}
	return m.seal(ctx, &draft{kind: kindEvent, subject: strconv.FormatInt(seq, 10), events: []act{{seq, e.GetTxId()}}})
}

// Transaction proves that a transaction was carried out: who signed it, and what
// it changed. NotFound if it is in no block or changed nothing; Pruned if its block is no
// longer kept.
func (m *Maker) Transaction(ctx context.Context, id [32]byte) ([]byte, error) {
	res, err := m.c.Trace.Trace(ctx, connect.NewRequest(&tracev1.TraceRequest{Object: hex.EncodeToString(id[:]), Direct: true, Limit: maxEvents}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	d := &draft{kind: kindTransaction, subject: hex.EncodeToString(id[:]), whole: true}
	for _, s := range res.Msg.GetSteps() {
		if string(s.GetEvent().GetTxId()) == string(id[:]) {
			d.events = append(d.events, act{s.GetSeq(), id[:]})
		}
	}
	if len(d.events) == 0 {
		return nil, fault.Newf(fault.NotFound, "transaction %x changed nothing", id)
	}
	d.events = d.events[:min(len(d.events), maxEvents)]
	return m.seal(ctx, d)
}

// act is an event that a file will show, and the transaction that caused it.
type act struct {
	seq int64
	tx  []byte
}

// draft is a file that is being made.
type draft struct {
	kind, subject string
	first         string // key of the first object; empty: none
	events        []act
	whole         bool // without its transaction it is nothing
	access        *access
	finding       *finding
	more          []string // keys of objects on which a finding rests
	// path fills in the ways of records to the head of a log of that size.
	path func(ctx context.Context, size uint64) error
}

// tries bounds how often a moving chain is asked again: each try asks for a few
// objects of one state, and a block may come in between.
const tries = 20

// seal fetches everything that a draft rests on, at one state, writes the file and
// verifies it.
func (m *Maker) seal(ctx context.Context, d *draft) ([]byte, error) {
	slices.SortFunc(d.events, func(a, b act) int { return int(min(1, max(-1, a.seq-b.seq))) })
	d.events = slices.CompactFunc(d.events, func(a, b act) bool { return a.seq == b.seq })
	c := &content{genesis: m.genesis, access: d.access, finding: d.finding}
	need, err := m.fetchEnvelopes(ctx, d, c)
	if err != nil {
		return nil, err
	}
	if a := c.access; a != nil {
		if rec, err := scanRecord(a.record); err == nil {
			need.want(rec.gateway(), a.providerKey)
			need.want(rec.asker(), a.consumerKey)
		}
	}
	if f := c.finding; f != nil {
		need.more = d.more
		for _, x := range f.records {
			if rec, err := scanRecord(x.record); err == nil {
				need.want(rec.gateway(), x.providerKey)
				need.want(rec.asker(), x.consumerKey)
			}
		}
	}
	for try := 0; ; try++ {
		height, err := m.fetchState(ctx, d, c, need)
		if err == nil {
			err = m.fetchChain(ctx, c, height)
		}
		if err == nil {
			return m.write(d, c)
		}
		if f := fault.CodeOf(err); f != fault.Busy || try == tries {
			return nil, err
		}
	}
}

// write derives the statement, writes the file, and reads it as a stranger would.
func (m *Maker) write(d *draft, c *content) ([]byte, error) {
	c.statement = object("kind", d.kind, "subject", d.subject)
	tree, err := parse(c.node().bytes()) // what is no file, whatever it proves, ends here
	if err == nil {
		c, err = read(tree)
	}
	if err != nil {
		return nil, &fault.Fault{Code: fault.VerificationFailed, Text: "what the server answered is no part of a proof", Err: err}
	}
	v := &verifier{content: c, from: m.from}
	for _, step := range []func() *refusal{
		func() *refusal { return v.checkGenesis(m.hash) },
		v.checkFrom, v.checkBlocks, v.checkState, v.checkObjects, v.checkEvents, v.checkTransactions, v.checkAccess, v.checkFinding, v.checkAbsence, v.checkUse, v.checkSubject,
	} {
		if r := step(); r != nil {
			return nil, fault.Newf(fault.VerificationFailed, "what the server answered proves nothing: %v", r)
		}
	}
	c.statement = v.derive()
	file := c.node().bytes()
	if r := m.Verify(file); !r.OK {
		if r.Code == fault.TooLong {
			return nil, r.Fault()
		}
		return nil, fault.Newf(fault.VerificationFailed, "what the server answered proves nothing: %s, %s: %s", r.Step, r.Field, r.Reason)
	}
	return file, nil
}

// needs are the keys that have to be shown to be registered.
type needs struct {
	keys    map[[2]string]bool // account, key id
	retired map[[2]string]bool // those that the account has dropped
	more    []string           // other objects
}

func (n *needs) want(account, key string) {
	if key != "" {
		n.keys[[2]string{account, key}] = true
	}
}

// objects returns the state keys to prove, in the file's order.
func (n *needs) objects(first string) []string {
	keys := slices.Clone(n.more)
	for k := range n.keys {
		key := accountPrefix + k[0]
		if n.retired[k] {
			key = retiredPrefix + k[0] + "/" + k[1]
		}
		if key != first {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if first == "" {
		return keys
	}
	return append([]string{first}, keys...)
}

// fetchEnvelopes fetches the transactions of the events, each once, in order. Bodies for
// which there is no room are left out.
func (m *Maker) fetchEnvelopes(ctx context.Context, d *draft, c *content) (*needs, error) {
	n := &needs{keys: map[[2]string]bool{}, retired: map[[2]string]bool{}}
	seen, room := map[string]bool{}, shownBytes
	for _, a := range d.events {
		if len(a.tx) == 0 || seen[string(a.tx)] {
			continue
		}
		seen[string(a.tx)] = true
		res, err := m.c.Ledger.GetTx(ctx, connect.NewRequest(&ledgerv1.GetTxRequest{TxId: a.tx}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		if len(res.Msg.GetEnvelope()) == 0 {
			if d.whole {
				return nil, fault.Newf(fault.Pruned, "the block of transaction %x is no longer kept by this server", a.tx)
			}
			continue // its event stays, unsigned
		}
		x, err := scanEnvelope(res.Msg.GetEnvelope())
		if err != nil {
			return nil, fault.Wrap(fault.VerificationFailed, err, "transaction %x", a.tx)
		}
		b, err := scanBody(x.body)
		if err != nil {
			return nil, fault.Wrap(fault.VerificationFailed, err, "transaction %x", a.tx)
		}
		n.want(b.account, x.key)
		if room -= len(x.body); room < 0 && !d.whole {
			room += len(x.body)
			x.body = nil
		}
		c.sealed = append(c.sealed, *x)
	}
	return n, nil
}

// shownBytes bounds the bodies of transactions in a file that is about something else:
// with the blocks of ten validators it stays below 16 KiB. A body that carries two
// hundred entries is left out; what its id is signed for says the event, and the
// body itself is in the file of the transaction.
const shownBytes = 3 << 10

// moved is the sign to try again.
func moved(what string) error {
	return fault.Newf(fault.Busy, "the chain moves on faster than %s can be read", what)
}

// fetchState fetches objects and events of one state and returns its height.
func (m *Maker) fetchState(ctx context.Context, d *draft, c *content, n *needs) (int64, error) {
	keys := n.objects(d.first)
	if len(keys) == 0 { // an act of the ledger itself: any object shows the state
		return m.fetchEvents(ctx, d, c, nil)
	}
	answers := make([]*ledgerv1.GetObjectResponse, len(keys))
	errs := make([]error, len(keys))
	var wait sync.WaitGroup
	for i, key := range keys {
		wait.Go(func() {
			res, err := m.c.Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: key, Prove: true}))
			if err != nil {
				errs[i] = wire.Fault(err)
				return
			}
			answers[i] = res.Msg
		})
	}
	wait.Wait()
	c.objects = nil
	for i, a := range answers {
		if errs[i] != nil {
			return 0, errs[i]
		}
		if err := m.take(c, n, keys[i], a, answers[0].GetProof()); err != nil {
			return 0, err
		}
	}
	if d.path != nil {
		_, size, _, err := scanHead(c.objects[0].value)
		if err != nil {
			return 0, fault.Wrap(fault.VerificationFailed, err, "%s", d.first)
		}
		if err := d.path(ctx, size); err != nil {
			return 0, err
		}
	}
	return m.fetchEvents(ctx, d, c, answers[0].GetProof())
}

// take adds one object, if it is of the state of the first one.
func (m *Maker) take(c *content, n *needs, key string, a *ledgerv1.GetObjectResponse, first *ledgerv1.StateProof) error {
	p := a.GetProof()
	if !a.GetFound() {
		return fault.Newf(fault.NotFound, "there is no %s", key)
	}
	if string(p.GetTreeRoot()) != string(first.GetTreeRoot()) || p.GetLogSize() != first.GetLogSize() {
		return moved("its objects")
	}
	again := false
	for k := range n.keys {
		if key != accountPrefix+k[0] || n.retired[k] {
			continue
		}
		_, keys, err := scanAccount(a.GetValue())
		if err == nil && !slices.ContainsFunc(keys, func(x *accountKey) bool { return x.id == k[1] }) {
			n.retired[k], again = true, true
		}
	}
	if again {
		return moved("its keys")
	}
	o := stated{key: key, value: a.GetValue(), depth: uint64(p.GetDepth()), bitmap: p.GetBitmap()}
	for _, s := range p.GetSiblings() {
		o.siblings = append(o.siblings, s...)
	}
	c.objects = append(c.objects, o)
	return nil
}

// fetchEvents fetches the proofs of the events for the log of the state, and fills
// in the state's roots.
func (m *Maker) fetchEvents(ctx context.Context, d *draft, c *content, st *ledgerv1.StateProof) (int64, error) {
	height, size := st.GetHeight(), st.GetLogSize()
	c.events = nil
	c.treeRoot, c.logRoot, c.logSize = st.GetTreeRoot(), st.GetLogRoot(), uint64(size)
	for i, a := range d.events {
		if st != nil && a.seq >= size {
			return 0, moved("its events")
		}
		res, err := m.c.Ledger.ProveEvent(ctx, connect.NewRequest(&ledgerv1.ProveEventRequest{Seq: a.seq, Size: size}))
		if err != nil {
			return 0, wire.Fault(err)
		}
		if st == nil && i == 0 {
			height, size = res.Msg.GetHeight(), res.Msg.GetSize()
			c.treeRoot, c.logRoot, c.logSize = res.Msg.GetTreeRoot(), res.Msg.GetLogRoot(), uint64(size)
		}
		e := logged{seq: uint64(a.seq), event: res.Msg.GetEvent()}
		for _, h := range res.Msg.GetHashes() {
			e.path = append(e.path, h...)
		}
		c.events = append(c.events, e)
	}
	return height, nil
}

// Verify is [Verify] with the maker's genesis, or [VerifyFrom] with its checkpoint.
func (m *Maker) Verify(file []byte) *Report {
	if m.from != nil {
		return VerifyFrom(file, *m.from)
	}
	return Verify(file, m.hash)
}

// GenesisHash returns the hash of a genesis file after checking its founders'
// signatures.
func GenesisHash(file []byte) ([sha256.Size]byte, error) {
	g, err := client.ParseGenesis(file)
	if err != nil {
		return [32]byte{}, fmt.Errorf("prooffile: %w", err)
	}
	return g.Hash, nil
}
