package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"mulian/client"
	"mulian/client/light"
	"mulian/client/prooffile"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/gen/mulian/trace/v1/tracev1connect"
	"mulian/internal/sm"
	"mulian/state/proof"
)

// A handed chain is made by hand, because a real one with sixteen changes of its validators
// takes minutes: four validators of one power, of which one is replaced every fewBlocks
// blocks, and one object in its state. Its blocks, votes and hashes are as the engine makes
// them; the files that come of it are made and verified by the same code as any.
type handedChain struct {
	ledgerv1connect.UnimplementedLedgerServiceHandler
	tracev1connect.UnimplementedTraceServiceHandler
	genesis []byte
	blocks  [][]byte // of heights 1, 2, ...
	state   *ledgerv1.StateProof
}

const (
	fewBlocks     = 25
	handedObject  = "governance/handed"
	handedChanges = 16
	handedSet     = 4
)

func handedKey(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "bench validator %d", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

// newHanded makes the chain with so many changes.
func newHanded(changes int) (*handedChain, error) {
	began := time.Now().Add(-24 * time.Hour)
	root, err := sm.FromSeed(sm.SM2, sha256.Sum256([]byte("bench founder")))
	if err != nil {
		return nil, err
	}
	g := &governancev1.Genesis{ChainId: townChain, TimeMs: began.UnixMilli(), Founders: []*governancev1.Founder{{
		Code: townAuthority, Weight: 1, Profile: &identityv1.OrgProfile{Name: "政务服务和数据管理局"},
		Keys: []*identityv1.Key{client.PublicKey(root.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "")},
	}}}
	for i := range handedSet {
		g.Validators = append(g.Validators, &governancev1.Validator{PublicKey: handedKey(i).Public().(ed25519.PublicKey), Power: 10, Org: townAuthority, Name: fmt.Sprint(i)})
	}
	c := &handedChain{}
	if c.genesis, err = client.SignGenesis(g, client.Signer{Account: townAuthority, Key: root}); err != nil {
		return nil, err
	}
	key, value := proof.Hash(sha256.Sum256([]byte(handedObject))), proof.Hash(sha256.Sum256([]byte("handed")))
	tree, log := proof.Leaf(key, value), proof.EmptyLog()
	app := proof.AppHash(tree, log, 0)
	c.state = &ledgerv1.StateProof{TreeRoot: tree[:], LogRoot: log[:], Exists: true}
	for height := range (changes + 1) * fewBlocks {
		if err := c.extend(began, int64(height+1), app); err != nil {
			return nil, err
		}
	}
	c.state.Height = int64(len(c.blocks) - 1)
	return c, nil
}

// keysAt are those of the validators of a height, in the engine's order.
func keysAt(height int64) []ed25519.PrivateKey {
	first := int(height-1) / fewBlocks
	var keys []ed25519.PrivateKey
	for i := range handedSet {
		keys = append(keys, handedKey(first+i))
	}
	slices.SortFunc(keys, func(a, b ed25519.PrivateKey) int { return bytes.Compare(addressOf(a), addressOf(b)) })
	return keys
}

func addressOf(k ed25519.PrivateKey) []byte {
	s := sha256.Sum256(k.Public().(ed25519.PublicKey))
	return s[:20]
}

func setAt(height int64) (set []*ledgerv1.ConsensusValidator) {
	for _, k := range keysAt(height) {
		set = append(set, &ledgerv1.ConsensusValidator{Address: addressOf(k), PubKey: &ledgerv1.ConsensusKey{Ed25519: k.Public().(ed25519.PublicKey)}, VotingPower: 10})
	}
	return set
}

// extend makes the next block with everybody's vote.
func (c *handedChain) extend(began time.Time, height int64, app proof.Hash) error {
	this, next := light.SetHash(setAt(height)), light.SetHash(setAt(height+1))
	other := sha256.Sum256(fmt.Append(nil, height))
	h := &ledgerv1.Header{
		Version: &ledgerv1.ConsensusVersion{Block: 11, App: 1}, ChainId: townChain, Height: height, Time: timestamppb.New(began.Add(time.Duration(height) * time.Second)),
		LastBlockId: &ledgerv1.BlockID{Hash: other[:], PartSetHeader: &ledgerv1.PartSetHeader{Total: 1, Hash: other[:]}}, LastCommitHash: other[:], DataHash: other[:], ValidatorsHash: this[:],
		NextValidatorsHash: next[:], ConsensusHash: other[:], AppHash: app[:], LastResultsHash: other[:], EvidenceHash: other[:], ProposerAddress: addressOf(keysAt(height)[0]),
	}
	hash := light.HeaderHash(h)
	commit := &ledgerv1.Commit{Height: height, BlockId: &ledgerv1.BlockID{Hash: hash[:], PartSetHeader: &ledgerv1.PartSetHeader{Total: 1, Hash: hash[:]}}}
	for i, k := range keysAt(height) {
		s := &ledgerv1.CommitSig{BlockIdFlag: 2, ValidatorAddress: addressOf(k), Timestamp: timestamppb.New(h.GetTime().AsTime().Add(time.Duration(i) * time.Millisecond))}
		s.Signature = ed25519.Sign(k, light.VoteBytes(townChain, commit, s))
		commit.Signatures = append(commit.Signatures, s)
	}
	raw, err := proto.Marshal(&ledgerv1.LightBlock{SignedHeader: &ledgerv1.SignedHeader{Header: h, Commit: commit}, ValidatorSet: &ledgerv1.ValidatorSet{Validators: setAt(height)}})
	c.blocks = append(c.blocks, raw)
	return err
}

// GetObject answers with the one object there is.
func (c *handedChain) GetObject(context.Context, *connect.Request[ledgerv1.GetObjectRequest]) (*connect.Response[ledgerv1.GetObjectResponse], error) {
	return connect.NewResponse(&ledgerv1.GetObjectResponse{Value: []byte("handed"), Found: true, Height: c.state.GetHeight(), Proof: c.state}), nil
}

// GetHeader answers with a block.
func (c *handedChain) GetHeader(_ context.Context, r *connect.Request[ledgerv1.GetHeaderRequest]) (*connect.Response[ledgerv1.GetHeaderResponse], error) {
	if h := r.Msg.GetHeight(); h >= 1 && h <= int64(len(c.blocks)) {
		return connect.NewResponse(&ledgerv1.GetHeaderResponse{Height: h, LightBlock: c.blocks[h-1]}), nil
	}
	return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("no such block"))
}

// GetStatus tells the height.
func (c *handedChain) GetStatus(context.Context, *connect.Request[ledgerv1.GetStatusRequest]) (*connect.Response[ledgerv1.GetStatusResponse], error) {
	return connect.NewResponse(&ledgerv1.GetStatusResponse{ChainId: townChain, Height: int64(len(c.blocks))}), nil
}

// Trace knows no events.
func (c *handedChain) Trace(context.Context, *connect.Request[tracev1.TraceRequest]) (*connect.Response[tracev1.TraceResponse], error) {
	return connect.NewResponse(&tracev1.TraceResponse{}), nil
}

// measureHanded makes and verifies files over many changes of the validators: each by a
// maker that has not walked the chain before, from the genesis, and from a checkpoint of the
// last change.
func measureHanded(ctx context.Context, o Options, r *Result) error {
	o.Say("make and verify proof files over %d changes of the validators", handedChanges)
	c, err := newHanded(handedChanges)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(c))
	mux.Handle(tracev1connect.NewTraceServiceHandler(c))
	s := httptest.NewServer(mux)
	defer s.Close()
	chain := client.New(s.URL)
	fresh := func() (*prooffile.Maker, error) { return prooffile.NewMaker(chain, c.genesis) }
	first, err := fresh()
	if err != nil {
		return err
	}
	point, err := first.Checkpoint(ctx, int64(len(c.blocks)-fewBlocks/2))
	if err != nil {
		return err
	}
	near := func() (*prooffile.Maker, error) {
		m, err := fresh()
		if err != nil {
			return nil, err
		}
		return m.From(point)
	}
	for i, maker := range []func() (*prooffile.Maker, error){fresh, near} {
		name := []string{"changes", "checkpoint"}[i]
		f, err := measureEach(handedFiles, func(int) ([]byte, *prooffile.Maker, error) {
			m, err := maker()
			if err != nil {
				return nil, nil, err
			}
			file, err := m.Object(ctx, handedObject)
			return file, m, err
		})
		if err != nil {
			return err
		}
		f.tell(r, name)
	}
	r.Note("changes: %d changes of one of %d validators, %d blocks, made by hand; the maker has never seen the chain; checkpoint: the same from a block near the end", handedChanges, handedSet, len(c.blocks))
	return nil
}

// handedFiles is how many files of each kind are made over the changes.
const handedFiles = 30
