package prooffile

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"mulian/client"
	"mulian/client/light"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/gen/mulian/trace/v1/tracev1connect"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state/proof"
)

// A world is a chain made by hand, from the definitions: whoever holds all keys can
// make it tell what no real one would. It serves the API over HTTP, so the real
// maker reads it. Trees and logs are computed anew from all leaves.
type world struct {
	t       testing.TB
	chain   string
	file    []byte // signed genesis
	base    time.Time
	height  int64
	objects map[string][]byte
	events  [][]byte
	txs     map[string][]byte
	blocks  map[int64]*ledgerv1.LightBlock
	sets    map[int64][]member // from that height on
	apps    map[int64]state    // after that height
	now     state
	noSM2   bool
	oldest  int64           // the first block that the server has, as one that began with a snapshot
	absent  map[string]bool // validators that do not sign

	brings *tracev1.Range                  // numbers that the next anchor brings
	lie    func(procedure string, res any) // changes an answer
}

// state is what one height holds, for proofs of it.
type state struct {
	objects map[string][]byte
	events  int
}

// member is a validator with its keys.
type member struct {
	key   ed25519.PrivateKey
	power int64
	sm2   sm.PrivateKey
	pin   bool
}

// msg is what a transaction makes of an object.
type msg = proto.Message

func seed(name string) [32]byte { return sha256.Sum256([]byte("mulian proof vectors: " + name)) }

func key(t testing.TB, alg sm.Algorithm, name string) sm.PrivateKey {
	t.Helper()
	k, err := sm.FromSeed(alg, seed(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func validator(t testing.TB, name string, power int64, pin bool) member {
	s := seed(name)
	return member{key: ed25519.NewKeyFromSeed(s[:]), power: power, sm2: key(t, sm.SM2, name+" sm2"), pin: pin}
}

func (m member) public() []byte { return m.key.Public().(ed25519.PublicKey) }

// Synthetic organisations.
const (
	founder  = "11110000MULN00010J"
	provider = "11110000MULN00020D"
	consumer = "11110000MULN00030C"
	doorID   = provider + "/g/main"
	tapID    = consumer + "/g/main"
)

func newWorld(t testing.TB, chain string, set ...member) *world {
	w := &world{
		t: t, chain: chain, base: time.UnixMilli(1_790_000_000_000).UTC(), objects: map[string][]byte{}, txs: map[string][]byte{},
		blocks: map[int64]*ledgerv1.LightBlock{}, sets: map[int64][]member{1: set}, apps: map[int64]state{}, absent: map[string]bool{},
	}
	root := key(t, sm.SM2, founder)
	g := &governancev1.Genesis{ChainId: chain, TimeMs: w.base.UnixMilli(), Founders: []*governancev1.Founder{{
		Code: founder, Weight: 1, Profile: &identityv1.OrgProfile{Name: "演示市数据局", NameEn: "Data Bureau of Example City"},
		Keys: []*identityv1.Key{client.PublicKey(root.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
	}}}
	for i, m := range set {
		v := &governancev1.Validator{PublicKey: m.public(), Power: uint64(m.power), Org: founder, Name: fmt.Sprintf("v%d", i+1)}
		if m.pin {
			v.Sm2Key = m.sm2.Public().Bytes()
		}
		g.Validators = append(g.Validators, v)
	}
	file, err := client.SignGenesis(g, client.Signer{Account: founder, Key: root})
	if err != nil {
		t.Fatal(err)
	}
	w.file = file
	w.settle()
	return w
}

// settle opens the accounts of the stories.
func (w *world) settle() {
	for account, alg := range map[string]sm.Algorithm{provider: sm.SM2, consumer: sm.P256, doorID: sm.SM2, tapID: sm.Ed25519} {
		k := client.PublicKey(key(w.t, alg, account).Public(), identityv1.KeyLevel_KEY_LEVEL_OFFICER, "officer")
		k.State, k.AddedMs = identityv1.KeyState_KEY_STATE_ACTIVE, w.base.UnixMilli()
		w.put("identity/account/"+account, &identityv1.Account{Id: account, Version: 1, Keys: []*identityv1.Key{k}, Name: "演示"})
	}
	for i := range 40 { // so that the tree has some depth
		w.objects[fmt.Sprintf("catalogue/duty/%s:D%02d", provider, i)] = []byte{8, byte(i + 1)}
		w.log(&tracev1.Event{Verb: "catalogue/put_duties", Actor: provider, Objects: []string{fmt.Sprintf("catalogue/duty/%s:D%02d", provider, i)}})
	}
	w.block(nil)
}

func (w *world) put(key string, m proto.Message) {
	raw, err := canon.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.objects[key] = raw
}

func (w *world) log(e *tracev1.Event) {
	e.Height, e.TimeMs = w.height+1, w.time(w.height+1).UnixMilli()
	raw, err := canon.Marshal(e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.events = append(w.events, raw)
}

func (w *world) time(height int64) time.Time {
	return w.base.Add(time.Duration(height)*time.Second + 123456789)
}

// act carries out one transaction: signed, logged, its objects put.
func (w *world) act(account string, k sm.PrivateKey, verb string, change map[string]proto.Message, objects ...string) [32]byte {
	return w.actOn(w.chain, account, k, verb, change, objects...)
}

func (w *world) actOn(chain, account string, k sm.PrivateKey, verb string, change map[string]proto.Message, objects ...string) [32]byte {
	salt := binary.BigEndian.AppendUint64([]byte("salt"), uint64(len(w.events)))
	body := &txv1.Body{ChainId: chain, Account: account, ExpiresMs: w.time(w.height + 60).UnixMilli(), Salt: salt, Messages: []*txv1.Message{{}}}
	event := &tracev1.Event{Actor: account, Verb: verb, Objects: objects}
	if w.brings != nil {
		body.Messages = append(body.Messages, client.Msg(&tracev1.AnchorHead{Gateway: account, Ranges: []*tracev1.Range{w.brings}}))
		event.Message, event.Note = 1, strconv.FormatUint(w.brings.Last, 10)
	}
	env, err := client.SignBody(body, k)
	if err != nil {
		w.t.Fatal(err)
	}
	w.txs[string(env.ID[:])] = env.Raw
	for key, m := range change {
		w.put(key, m)
	}
	event.TxId = env.ID[:]
	w.log(event)
	w.block(nil)
	return env.ID
}

// set returns the validators of a height, in the engine's order.
func (w *world) set(height int64) []member {
	for ; height > 0; height-- {
		if s, ok := w.sets[height]; ok {
			s = slices.Clone(s)
			slices.SortFunc(s, func(a, b member) int {
				return cmp.Or(cmp.Compare(b.power, a.power), bytes.Compare(address(a.public()), address(b.public())))
			})
			return s
		}
	}
	return nil
}

// change gives the chain other validators, two blocks from now.
func (w *world) change(set ...member) {
	w.sets[w.height+3] = set
	w.block(nil)
	w.block(nil)
	w.block(nil)
}

func consensusSet(set []member) []*ledgerv1.ConsensusValidator {
	out := make([]*ledgerv1.ConsensusValidator, len(set))
	for i, m := range set {
		out[i] = &ledgerv1.ConsensusValidator{Address: address(m.public()), PubKey: &ledgerv1.ConsensusKey{Ed25519: m.public()}, VotingPower: m.power}
	}
	return out
}

// block ends a block: its header carries the state of the block before.
func (w *world) block(edit func(*ledgerv1.Header)) {
	app := w.now.hash(w)
	w.height++
	w.now = state{objects: clone(w.objects), events: len(w.events)}
	w.apps[w.height] = w.now
	this, next := light.SetHash(consensusSet(w.set(w.height))), light.SetHash(consensusSet(w.set(w.height+1)))
	other := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(w.height)))
	h := &ledgerv1.Header{
		Version: &ledgerv1.ConsensusVersion{Block: 11, App: 1}, ChainId: w.chain, Height: w.height, Time: timestamppb.New(w.time(w.height)),
		LastBlockId: &ledgerv1.BlockID{PartSetHeader: &ledgerv1.PartSetHeader{}}, LastCommitHash: other[:], DataHash: other[:],
		ValidatorsHash: this[:], NextValidatorsHash: next[:], ConsensusHash: other[:], AppHash: app[:], LastResultsHash: other[:],
		EvidenceHash: other[:], ProposerAddress: address(w.set(w.height)[0].public()),
	}
	if last := w.blocks[w.height-1]; last != nil {
		h.LastBlockId = last.GetSignedHeader().GetCommit().GetBlockId()
	}
	if edit != nil {
		edit(h)
	}
	w.blocks[w.height] = w.sign(h, w.set(w.height))
}

// sign is the block with the votes of all who are not absent.
func (w *world) sign(h *ledgerv1.Header, set []member) *ledgerv1.LightBlock {
	hash := light.HeaderHash(h)
	c := &ledgerv1.Commit{Height: h.GetHeight(), BlockId: &ledgerv1.BlockID{Hash: hash[:], PartSetHeader: &ledgerv1.PartSetHeader{Total: 1, Hash: hash[:]}}}
	for i, m := range set {
		s := &ledgerv1.CommitSig{BlockIdFlag: flagAbsent}
		if !w.absent[string(m.public())] {
			at := timestamppb.New(w.time(h.GetHeight()).Add(time.Duration(i+1) * time.Millisecond))
			s = &ledgerv1.CommitSig{BlockIdFlag: flagCommit, ValidatorAddress: address(m.public()), Timestamp: at}
			s.Signature = ed25519.Sign(m.key, light.VoteBytes(w.chain, c, s))
		}
		c.Signatures = append(c.Signatures, s)
	}
	return &ledgerv1.LightBlock{SignedHeader: &ledgerv1.SignedHeader{Header: h, Commit: c}, ValidatorSet: &ledgerv1.ValidatorSet{Validators: consensusSet(set)}}
}

func clone(m map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// hash is the app hash of a state, from its definition.
func (s state) hash(w *world) proof.Hash {
	return proof.AppHash(treeOf(leavesOf(s.objects), 0), logRoot(w.events[:s.events]), int64(s.events))
}

type leaf struct{ key, value proof.Hash }

func leavesOf(objects map[string][]byte) []leaf {
	var out []leaf
	for k, v := range objects {
		out = append(out, leaf{sha256.Sum256([]byte(k)), sha256.Sum256(v)})
	}
	return out
}

// halves splits leaves by the bit at a depth.
func halves(leaves []leaf, depth int) (zero, one []leaf) {
	for _, l := range leaves {
		if proof.Bit(l.key, depth) == 0 {
			zero = append(zero, l)
		} else {
			one = append(one, l)
		}
	}
	return zero, one
}

func treeOf(leaves []leaf, depth int) proof.Hash {
	switch len(leaves) {
	case 0:
		return proof.Empty
	case 1:
		return proof.Leaf(leaves[0].key, leaves[0].value)
	}
	zero, one := halves(leaves, depth)
	return proof.Inner(treeOf(zero, depth+1), treeOf(one, depth+1))
}

func (s state) prove(w *world, key string) *ledgerv1.StateProof {
	tree, log := treeOf(leavesOf(s.objects), 0), logRoot(w.events[:s.events])
	p := &ledgerv1.StateProof{TreeRoot: tree[:], LogRoot: log[:], LogSize: int64(s.events)}
	at, leaves := proof.Hash(sha256.Sum256([]byte(key))), leavesOf(s.objects)
	_, p.Exists = s.objects[key]
	for len(leaves) > 1 {
		zero, one := halves(leaves, int(p.Depth))
		other := one
		if leaves = zero; proof.Bit(at, int(p.Depth)) == 1 {
			leaves, other = one, zero
		}
		if p.Depth%8 == 0 {
			p.Bitmap = append(p.Bitmap, 0)
		}
		if h := treeOf(other, int(p.Depth)+1); h != proof.Empty {
			p.Bitmap[p.Depth/8] |= 0x80 >> (p.Depth % 8)
			p.Siblings = append(p.Siblings, h[:])
		}
		p.Depth++
	}
	if !p.Exists && len(leaves) == 1 {
		p.OtherKeyHash, p.OtherValueHash = leaves[0].key[:], leaves[0].value[:]
	}
	return p
}

// logRoot and logPath are RFC 6962, section 2.1, word for word.
func logRoot(leaves [][]byte) proof.Hash {
	switch len(leaves) {
	case 0:
		return proof.EmptyLog()
	case 1:
		return proof.EventLeaf(leaves[0])
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	return proof.Inner(logRoot(leaves[:k]), logRoot(leaves[k:]))
}

func logPath(m int, leaves [][]byte) [][]byte {
	if len(leaves) <= 1 {
		return nil
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	if m < k {
		h := logRoot(leaves[k:])
		return append(logPath(m, leaves[:k]), h[:])
	}
	h := logRoot(leaves[:k])
	return append(logPath(m-k, leaves[k:]), h[:])
}

// leaves is a gateway's log as a list.
type leaves [][]byte

func (l leaves) Leaf(_ context.Context, i uint64) ([]byte, error) {
	if i >= uint64(len(l)) {
		return nil, fault.Newf(fault.NotFound, "no record %d", i)
	}
	return l[i], nil
}

func (l leaves) Way(_ context.Context, i, size uint64) ([][]byte, error) {
	if size > uint64(len(l)) {
		return nil, fault.Newf(fault.NotFound, "no size %d", size)
	}
	return logPath(int(i), l[:size]), nil
}

// maker serves the world and returns a maker that reads it.
func (w *world) maker() *Maker {
	w.t.Helper()
	mux := http.NewServeMux()
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(ledgerAPI{w: w}))
	mux.Handle(tracev1connect.NewTraceServiceHandler(traceAPI{w: w}))
	s := httptest.NewServer(mux)
	w.t.Cleanup(s.Close)
	m, err := NewMaker(client.New(s.URL), w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

type ledgerAPI struct {
	ledgerv1connect.UnimplementedLedgerServiceHandler
	w *world
}

// answer lets the world lie.
func answer[M any](w *world, procedure string, m *M) (*connect.Response[M], error) {
	if w.lie != nil {
		w.lie(procedure, m)
	}
	return connect.NewResponse(m), nil
}

var errAbsent = connect.NewError(connect.CodeNotFound, fmt.Errorf("not there"))

func (l ledgerAPI) GetObject(_ context.Context, r *connect.Request[ledgerv1.GetObjectRequest]) (*connect.Response[ledgerv1.GetObjectResponse], error) {
	s := l.w.apps[l.w.height-1] // the last header carries the state before
	value, found := s.objects[r.Msg.GetKey()]
	m := &ledgerv1.GetObjectResponse{Value: bytes.Clone(value), Found: found, Height: l.w.height - 1}
	if r.Msg.GetProve() {
		m.Proof = s.prove(l.w, r.Msg.GetKey())
		m.Proof.Height = l.w.height - 1
	}
	return answer(l.w, "GetObject", m)
}

func (l ledgerAPI) GetHeader(_ context.Context, r *connect.Request[ledgerv1.GetHeaderRequest]) (*connect.Response[ledgerv1.GetHeaderResponse], error) {
	if r.Msg.GetOrLater() {
		r.Msg.Height = max(r.Msg.Height, l.w.oldest)
	}
	b := l.w.blocks[r.Msg.GetHeight()]
	if b == nil || r.Msg.GetHeight() < l.w.oldest {
		return nil, errAbsent
	}
	b = proto.CloneOf(b)
	m := &ledgerv1.GetHeaderResponse{Height: r.Msg.GetHeight()}
	hash := b.GetSignedHeader().GetCommit().GetBlockId().GetHash()
	for _, v := range l.w.set(r.Msg.GetHeight()) {
		if l.w.noSM2 || l.w.absent[string(v.public())] {
			continue
		}
		sig, err := v.sm2.Sign(voteMessage(l.w.chain, r.Msg.GetHeight(), hash))
		if err != nil {
			return nil, err
		}
		m.Sm2Votes = append(m.Sm2Votes, &ledgerv1.SM2Vote{Address: address(v.public()), PublicKey: v.sm2.Public().Bytes(), Signature: sig})
	}
	if l.w.lie != nil {
		l.w.lie("LightBlock", b)
	}
	raw, err := proto.Marshal(b)
	if err != nil {
		return nil, err
	}
	m.LightBlock = raw
	return answer(l.w, "GetHeader", m)
}

func (l ledgerAPI) GetTx(_ context.Context, r *connect.Request[ledgerv1.GetTxRequest]) (*connect.Response[ledgerv1.GetTxResponse], error) {
	return answer(l.w, "GetTx", &ledgerv1.GetTxResponse{Envelope: bytes.Clone(l.w.txs[string(r.Msg.GetTxId())])})
}

func (l ledgerAPI) ProveEvent(_ context.Context, r *connect.Request[ledgerv1.ProveEventRequest]) (*connect.Response[ledgerv1.ProveEventResponse], error) {
	s, size := l.w.apps[l.w.height-1], r.Msg.GetSize()
	if size == 0 {
		size = int64(s.events)
	}
	if r.Msg.GetSeq() >= size {
		return nil, errAbsent
	}
	tree, log := treeOf(leavesOf(s.objects), 0), logRoot(l.w.events[:size])
	m := &ledgerv1.ProveEventResponse{Event: bytes.Clone(l.w.events[r.Msg.GetSeq()]), Seq: r.Msg.GetSeq(), Size: size, LogRoot: log[:], TreeRoot: tree[:], Height: l.w.height - 1}
	m.Hashes = logPath(int(r.Msg.GetSeq()), l.w.events[:size])
	return answer(l.w, "ProveEvent", m)
}

func (l ledgerAPI) ListEvents(_ context.Context, r *connect.Request[ledgerv1.ListEventsRequest]) (*connect.Response[ledgerv1.ListEventsResponse], error) {
	m := &ledgerv1.ListEventsResponse{}
	for _, raw := range l.w.events[min(int(r.Msg.GetFrom()), len(l.w.events)):] {
		e := &tracev1.Event{}
		if err := proto.Unmarshal(raw, e); err != nil {
			return nil, err
		}
		if m.Events = append(m.Events, e); len(m.Events) == int(r.Msg.GetLimit()) {
			break
		}
	}
	return answer(l.w, "ListEvents", m)
}

func (l ledgerAPI) GetStatus(context.Context, *connect.Request[ledgerv1.GetStatusRequest]) (*connect.Response[ledgerv1.GetStatusResponse], error) {
	return answer(l.w, "GetStatus", &ledgerv1.GetStatusResponse{ChainId: l.w.chain, Events: int64(len(l.w.events)), Height: l.w.height})
}

type traceAPI struct {
	tracev1connect.UnimplementedTraceServiceHandler
	w *world
}

func (a traceAPI) Trace(_ context.Context, r *connect.Request[tracev1.TraceRequest]) (*connect.Response[tracev1.TraceResponse], error) {
	m := &tracev1.TraceResponse{}
	after, err := strconv.ParseInt(r.Msg.GetAfter(), 10, 64)
	if err != nil {
		after = -1
	}
	for seq, raw := range a.w.events {
		e := &tracev1.Event{}
		if err := proto.Unmarshal(raw, e); err != nil {
			return nil, err
		}
		if int64(seq) <= after || !slices.Contains(e.GetObjects(), r.Msg.GetObject()) && hex.EncodeToString(e.GetTxId()) != r.Msg.GetObject() {
			continue
		}
		if len(m.Steps) == int(r.Msg.GetLimit()) {
			m.Next = fmt.Sprint(m.Steps[len(m.Steps)-1].GetSeq())
			break
		}
		m.Steps = append(m.Steps, &tracev1.TraceStep{Seq: int64(seq), Event: e})
	}
	return answer(a.w, "Trace", m)
}

// sortSet brings validators into the engine's order: power, then address.
func sortSet(set []*ledgerv1.ConsensusValidator) {
	slices.SortFunc(set, func(a, b *ledgerv1.ConsensusValidator) int {
		return cmp.Or(cmp.Compare(b.GetVotingPower(), a.GetVotingPower()), bytes.Compare(a.GetAddress(), b.GetAddress()))
	})
}
