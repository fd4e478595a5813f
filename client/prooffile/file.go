package prooffile

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// Format names this version in the file's first line.
const Format = "mulian-proof-v1"

// content is a proof file as the verifier works with it; the maker fills one and
// writes it.
type content struct {
	statement *node
	access    *access  // of an access, else nil
	finding   *finding // of a finding, else nil
	absence   *absence // of an absence, else nil
	events    []logged
	sealed    []sealed
	objects   []stated
	treeRoot  []byte
	logRoot   []byte
	logSize   uint64
	blocks    []*block
	genesis   []byte
}

// access is a record of a gateway's log with the signatures of both sides.
type access struct {
	record                       []byte
	leaf                         uint64
	path                         []byte // hashes, one behind the other
	providerKey, consumerKey     string // empty: not signed
	providerSigned, consumerSign []byte
}

// logged is an event with its way to the root of the ledger's log.
type logged struct {
	seq   uint64
	event []byte
	path  []byte
}

// sealed is a transaction that somebody has signed: by its id, so that its body may be
// left out.
type sealed struct {
	id        []byte
	body      []byte // nil: left out
	key       string
	signature []byte
}

// stated is an object of the state with its way to the root of the tree.
type stated struct {
	key      string
	value    []byte
	depth    uint64
	bitmap   []byte
	siblings []byte
}

// block is a header with the validators that signed it.
type block struct {
	header *ledgerv1.Header
	hash   []byte
	round  uint64
	parts  *ledgerv1.PartSetHeader
	voters []*voter
}

// voter is one validator of a block's set.
type voter struct {
	key  []byte
	vote int64 // power
	at   *timestamppb.Timestamp
	sig  []byte // nil: has not signed this block
	sm2  []byte // nil: no second signature here
}

func base(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// node returns the tree to write.
func (c *content) node() *node {
	w := newWindow()
	genesis := base(w.pack(c.genesis))
	objects := each(c.objects, func(o stated) *node {
		return object("key", o.key, "value", base(w.pack(o.value)), "depth", number(o.depth), "bitmap", hex.EncodeToString(o.bitmap), "siblings", base(o.siblings))
	})
	events := each(c.events, func(e logged) *node {
		return object("seq", number(e.seq), "event", base(w.pack(e.event)), "path", base(e.path))
	})
	transactions := each(c.sealed, func(s sealed) *node {
		return object("id", hex.EncodeToString(s.id), "body", base(w.pack(s.body)), "key", s.key, "signature", base(s.signature))
	})
	n := object("format", Format, "statement", c.statement)
	if a := c.access; a != nil {
		n.with("access", a.node())
	}
	if c.finding != nil {
		n.with("finding", c.finding.tree())
	}
	if c.absence != nil {
		n.with("absence", c.absence.node())
	}
	return n.with(
		"events", events, "transactions", transactions, "objects", objects,
		"state", object("tree_root", hex.EncodeToString(c.treeRoot), "log_root", hex.EncodeToString(c.logRoot), "log_size", number(c.logSize)),
		"blocks", each(c.blocks, (*block).node),
		"genesis", genesis,
	)
}

func (a *access) node() *node {
	return object(
		"record", base(a.record), "leaf", number(a.leaf), "path", base(a.path),
		"provider_key", a.providerKey, "provider_signature", base(a.providerSigned),
		"consumer_key", a.consumerKey, "consumer_signature", base(a.consumerSign),
	)
}

func (b *block) node() *node {
	h, x := b.header, hex.EncodeToString
	return object(
		"height", number(uint64(h.GetHeight())), "time", stamp(h.GetTime()), "hash", x(b.hash),
		"block_version", number(h.GetVersion().GetBlock()), "app_version", number(h.GetVersion().GetApp()),
		"last_hash", x(h.GetLastBlockId().GetHash()), "last_parts", number(uint64(h.GetLastBlockId().GetPartSetHeader().GetTotal())),
		"last_parts_hash", x(h.GetLastBlockId().GetPartSetHeader().GetHash()),
		"last_commit_hash", x(h.GetLastCommitHash()), "data_hash", x(h.GetDataHash()),
		"validators_hash", x(h.GetValidatorsHash()), "next_validators_hash", x(h.GetNextValidatorsHash()),
		"consensus_hash", x(h.GetConsensusHash()), "app_hash", x(h.GetAppHash()), "last_results_hash", x(h.GetLastResultsHash()),
		"evidence_hash", x(h.GetEvidenceHash()), "proposer", x(h.GetProposerAddress()),
		"round", number(b.round), "parts", number(uint64(b.parts.GetTotal())), "parts_hash", x(b.parts.GetHash()),
		"validators", each(b.voters, func(v *voter) *node {
			at := ""
			if v.sig != nil {
				at = stamp(v.at)
			}
			return object("key", x(v.key), "power", number(uint64(v.vote)), "time", at, "signature", base(v.sig), "sm2", base(v.sm2))
		}),
	)
}

const stampLayout = "2006-01-02T15:04:05.000000000Z"

// stamp writes a time of the engine, which counts nanoseconds.
func stamp(t *timestamppb.Timestamp) string { return t.AsTime().UTC().Format(stampLayout) }

// read takes the tree apart. What it takes, node writes again with the same bytes.
func read(n *node) (*content, error) {
	r := &reader{}
	c := &content{}
	names := []string{"format", "statement", "events", "transactions", "objects", "state", "blocks", "genesis"}
	if len(n.fields) > 2 && slices.Contains([]string{"access", "finding", "absence"}, n.fields[2]) {
		names = slices.Insert(names, 2, n.fields[2])
	}
	f := r.object(n, "the file", names...)
	if r.err != nil {
		return nil, r.err
	}
	if r.text(f[0], "format") != Format && r.err == nil {
		return nil, fmt.Errorf("format: expected %q", Format)
	}
	c.statement = f[1]
	if f[1].kind != 'o' {
		r.refuse("statement", "an object")
	}
	rest := f[2:]
	if len(names) == 9 {
		rest = f[3:]
		switch names[2] {
		case "access":
			c.access = r.access(f[2])
		case "finding":
			c.finding = r.finding(f[2])
		default:
			c.absence = r.absence(f[2])
		}
	}
	for i, e := range r.list(rest[0], "events", 0, maxEvents) {
		c.events = append(c.events, r.logged(e, fmt.Sprintf("events[%d]", i)))
	}
	for i, e := range r.list(rest[1], "transactions", 0, maxEvents) {
		c.sealed = append(c.sealed, r.sealed(e, fmt.Sprintf("transactions[%d]", i)))
	}
	for i, o := range r.list(rest[2], "objects", 0, maxObjects) {
		c.objects = append(c.objects, r.stated(o, fmt.Sprintf("objects[%d]", i)))
	}
	st := r.object(rest[3], "state", "tree_root", "log_root", "log_size")
	if r.err == nil {
		c.treeRoot, c.logRoot, c.logSize = r.hex(st[0], "state.tree_root", 32), r.hex(st[1], "state.log_root", 32), r.number(st[2], "state.log_size", 0, maxNumber)
	}
	for i, b := range r.list(rest[4], "blocks", 1, maxBlocks) {
		c.blocks = append(c.blocks, r.block(b, fmt.Sprintf("blocks[%d]", i)))
	}
	c.genesis = r.base(rest[5], "genesis")
	if r.err == nil {
		c.unpack(r)
	}
	return c, r.err
}

// unpack unpacks the messages, in the order in which they were packed.
func (c *content) unpack(r *reader) {
	w := newWindow()
	c.genesis = r.unpack(w, c.genesis, "genesis")
	for i := range c.objects {
		c.objects[i].value = r.unpack(w, c.objects[i].value, fmt.Sprintf("objects[%d].value", i))
	}
	for i := range c.events {
		c.events[i].event = r.unpack(w, c.events[i].event, fmt.Sprintf("events[%d].event", i))
	}
	for i := range c.sealed {
		c.sealed[i].body = r.unpack(w, c.sealed[i].body, fmt.Sprintf("transactions[%d].body", i))
	}
}

// reader reads typed values; the first refusal stays.
type reader struct{ err error }

func (r *reader) refuse(path, expected string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: expected %s", path, expected)
	}
}

// object returns the values of an object that has exactly these fields, in this
// order. It is as long as names whatever comes, once an error is set.
func (r *reader) object(n *node, path string, names ...string) []*node {
	if r.err == nil && n.kind != 'o' {
		r.refuse(path, "an object")
	}
	for i, name := range names {
		if r.err == nil && (i >= len(n.fields) || n.fields[i] != name) {
			r.refuse(path, "the field "+name)
		}
	}
	if r.err == nil && len(n.fields) > len(names) {
		r.refuse(path, "the end of the object after "+names[len(names)-1])
	}
	if r.err != nil {
		out := make([]*node, len(names))
		for i := range out {
			out[i] = text("")
		}
		return out
	}
	return n.list
}

func (r *reader) list(n *node, path string, least, most int) []*node {
	if r.err == nil && (n.kind != 'l' || len(n.list) < least || len(n.list) > most) {
		r.refuse(path, fmt.Sprintf("a list of %d to %d", least, most))
	}
	if r.err != nil {
		return nil
	}
	return n.list
}

func (r *reader) text(n *node, path string) string {
	if n.kind != 's' {
		r.refuse(path, "a text")
	}
	return n.text
}

func (r *reader) number(n *node, path string, least, most uint64) uint64 {
	s := r.text(n, path)
	x, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(x, 10) != s || x < least || x > most {
		r.refuse(path, fmt.Sprintf("a number from %d to %d", least, most))
	}
	return x
}

// hex reads bytes in lower-case hexadecimal, of one of the lengths; none: any.
func (r *reader) hex(n *node, path string, lengths ...int) []byte {
	s := r.text(n, path)
	b, err := hex.DecodeString(s)
	fits := len(lengths) == 0
	for _, l := range lengths {
		fits = fits || len(b) == l
	}
	if err != nil || hex.EncodeToString(b) != s || !fits {
		r.refuse(path, fmt.Sprintf("lower-case hexadecimal of %v bytes", lengths))
	}
	return b
}

// base reads bytes in base64 (RFC 4648 section 4, padded, no stray bits). No text
// is no bytes: nil.
func (r *reader) base(n *node, path string) []byte {
	s := r.text(n, path)
	if s == "" {
		return nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base(b) != s { // the decoder passes over line feeds
		r.refuse(path, "base64")
	}
	return b
}

// unpack is what the tokens stand for.
func (r *reader) unpack(w *window, tokens []byte, path string) []byte {
	if r.err != nil {
		return nil
	}
	message, err := w.unpack(tokens)
	if err != nil {
		r.refuse(path, err.Error())
	}
	return message
}

// hashes reads hashes of 32 bytes, one behind the other.
func (r *reader) hashes(n *node, path string, most int) []byte {
	b := r.base(n, path)
	if len(b)%32 != 0 || len(b)/32 > most {
		r.refuse(path, fmt.Sprintf("at most %d hashes of 32 bytes", most))
	}
	return b
}

func (r *reader) stamp(n *node, path string) *timestamppb.Timestamp {
	s := r.text(n, path)
	t, err := time.Parse(stampLayout, s)
	if err != nil || t.Format(stampLayout) != s || t.Unix() < 0 {
		r.refuse(path, "a time like 2026-11-21T08:00:00.000000000Z")
	}
	return timestamppb.New(t)
}

// Longest ways: a log has less than 2^53 leaves, a tree 256 levels.
const (
	maxPath     = 64
	maxSiblings = 256
)

// accessFields are those of a record, in their order.
var accessFields = []string{"record", "leaf", "path", "provider_key", "provider_signature", "consumer_key", "consumer_signature"}

func (r *reader) access(n *node) *access {
	f := r.object(n, "access", accessFields...)
	if r.err != nil {
		return nil
	}
	return r.accessOf(f, "access")
}

func (r *reader) accessOf(f []*node, at string) *access {
	return &access{
		record: r.base(f[0], at+".record"), leaf: r.number(f[1], at+".leaf", 0, maxNumber), path: r.hashes(f[2], at+".path", maxPath),
		providerKey: r.text(f[3], at+".provider_key"), providerSigned: r.base(f[4], at+".provider_signature"),
		consumerKey: r.text(f[5], at+".consumer_key"), consumerSign: r.base(f[6], at+".consumer_signature"),
	}
}

func (r *reader) logged(n *node, path string) logged {
	f := r.object(n, path, "seq", "event", "path")
	if r.err != nil {
		return logged{}
	}
	return logged{seq: r.number(f[0], path+".seq", 0, maxNumber), event: r.base(f[1], path+".event"), path: r.hashes(f[2], path+".path", maxPath)}
}

func (r *reader) sealed(n *node, path string) sealed {
	f := r.object(n, path, "id", "body", "key", "signature")
	if r.err != nil {
		return sealed{}
	}
	return sealed{id: r.hex(f[0], path+".id", 32), body: r.base(f[1], path+".body"), key: r.text(f[2], path+".key"), signature: r.base(f[3], path+".signature")}
}

func (r *reader) stated(n *node, path string) stated {
	f := r.object(n, path, "key", "value", "depth", "bitmap", "siblings")
	if r.err != nil {
		return stated{}
	}
	o := stated{
		key: r.text(f[0], path+".key"), value: r.base(f[1], path+".value"), depth: r.number(f[2], path+".depth", 0, maxSiblings),
		bitmap: r.hex(f[3], path+".bitmap"), siblings: r.hashes(f[4], path+".siblings", maxSiblings),
	}
	if len(o.key) == 0 || len(o.key) > maxKey {
		r.refuse(path+".key", fmt.Sprintf("1 to %d bytes", maxKey))
	}
	return o
}

// blockFields are those of a block, in their order.
var blockFields = []string{
	"height", "time", "hash", "block_version", "app_version", "last_hash", "last_parts", "last_parts_hash", "last_commit_hash", "data_hash",
	"validators_hash", "next_validators_hash", "consensus_hash", "app_hash", "last_results_hash", "evidence_hash", "proposer",
	"round", "parts", "parts_hash", "validators",
}

func (r *reader) block(n *node, path string) *block {
	f := r.object(n, path, blockFields...)
	if r.err != nil {
		return nil
	}
	at := func(i int) string { return path + "." + blockFields[i] }
	num := func(i int, least, most uint64) uint64 { return r.number(f[i], at(i), least, most) }
	hash := func(i int) []byte { return r.hex(f[i], at(i), 0, 32) }
	b := &block{header: &ledgerv1.Header{
		Height: int64(num(0, 1, maxNumber)), Time: r.stamp(f[1], at(1)),
	}}
	h := b.header
	b.hash = r.hex(f[2], at(2), 32)
	h.Version = &ledgerv1.ConsensusVersion{Block: num(3, 0, maxNumber), App: num(4, 0, maxNumber)}
	h.LastBlockId = &ledgerv1.BlockID{Hash: hash(5), PartSetHeader: &ledgerv1.PartSetHeader{Total: uint32(num(6, 0, maxParts)), Hash: hash(7)}}
	h.LastCommitHash, h.DataHash, h.ValidatorsHash, h.NextValidatorsHash = hash(8), hash(9), r.hex(f[10], at(10), 32), r.hex(f[11], at(11), 32)
	h.ConsensusHash, h.AppHash, h.LastResultsHash, h.EvidenceHash = hash(12), hash(13), hash(14), hash(15)
	h.ProposerAddress = r.hex(f[16], at(16), 20)
	b.round = num(17, 0, 1<<31-1)
	b.parts = &ledgerv1.PartSetHeader{Total: uint32(num(18, 0, maxParts)), Hash: hash(19)}
	for i, v := range r.list(f[20], at(20), 1, maxValidators) {
		b.voters = append(b.voters, r.voter(v, fmt.Sprintf("%s[%d]", at(20), i)))
	}
	return b
}

const maxParts = 1<<32 - 1

func (r *reader) voter(n *node, path string) *voter {
	f := r.object(n, path, "key", "power", "time", "signature", "sm2")
	if r.err != nil {
		return nil
	}
	v := &voter{key: r.hex(f[0], path+".key", 32), vote: int64(r.number(f[1], path+".power", 1, uint64(maxPower)))}
	v.sig, v.sm2 = r.base(f[3], path+".signature"), r.base(f[4], path+".sm2")
	switch {
	case v.sig != nil && len(v.sig) != 64:
		r.refuse(path+".signature", "64 bytes")
	case v.sig != nil:
		v.at = r.stamp(f[2], path+".time")
	case r.text(f[2], path+".time") != "":
		r.refuse(path+".time", "nothing without a signature")
	}
	return v
}
