package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/ledger"
)

// Bounds of a join; our own choice.
const (
	maxServers  = 16
	maxSteps    = 1000             // headers between what is trusted and the snapshot
	callTimeout = 30 * time.Second // of one call
	fetchers    = 4                // chunks that are under way at once
)

// SyncConfig says how a new node gets its state.
type SyncConfig struct {
	// Home is a directory of [Init], in which no node has run yet.
	Home string
	// Servers are members' servers, whom nobody has to trust. With several, one that lies
	// or fails does not end the join.
	Servers []string
	// TrustHeight and TrustHash are a header that the operator knows from elsewhere; 0 = the
	// validators of the genesis are trusted.
	TrustHeight int64
	TrustHash   [32]byte
	// Progress is told how many of the chunks were fetched, and then how many are in the
	// store; nil = nobody is.
	Progress func(fetched bool, done, all int)

	Logger *slog.Logger // nil = slog.Default
}

// Synced tells how a join went.
type Synced struct {
	Height  int64
	AppHash [32]byte
	Header  [32]byte // of the block after Height, which the validators have signed
	Chunks  int
	Refused []Liar // servers that were not believed, or failed
}

// Liar is a server that gave what does not hold, or nothing.
type Liar struct {
	Server string
	Err    error
}

// Sync gets the state of a new node from a snapshot: it believes only a header that more than
// 2/3 of the validators have signed whom the genesis, or the checkpoint, vouches for, and
// nothing that does not lead there. Interrupted, it goes on when it is called again. Then
// [Open] starts the node, which fetches the blocks since then from its peers.
//
// NotFound: no server has a snapshot; Pruned: nobody keeps the blocks after it, or the
// checkpoint; VerificationFailed: what was given is not the chain of this genesis;
// AlreadyExists: the node has a store; Unreachable, DiskFull, Locked.
func Sync(ctx context.Context, cfg SyncConfig) (*Synced, error) {
	if len(cfg.Servers) == 0 || len(cfg.Servers) > maxServers {
		return nil, fault.Newf(fault.Usage, "%d servers to begin from, 1 to %d", len(cfg.Servers), maxServers)
	}
	if _, err := os.Stat(filepath.Join(cfg.Home, "store")); err == nil {
		return nil, fault.Newf(fault.AlreadyExists, "the node in %s has a store already; it goes on from there", cfg.Home)
	}
	signed, err := ledger.ReadGenesis(cfg.Home)
	if err != nil {
		return nil, err
	}
	g, err := client.ParseGenesis(signed)
	if err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Progress == nil {
		cfg.Progress = func(bool, int, int) {}
	}
	j := &joiner{SyncConfig: cfg, genesis: g}
	offers := j.offers(ctx)
	for len(offers) > 0 {
		if ctx.Err() != nil {
			return nil, fault.Newf(fault.Cancelled, "stopped; the same command goes on from here")
		}
		var same []*offer // who offers the same state as the first, the best one
		for _, o := range offers {
			if o.header.Hash == offers[0].header.Hash && bytes.Equal(o.res.GetSnapshot(), offers[0].res.GetSnapshot()) {
				same = append(same, o)
			}
		}
		out, err := j.take(ctx, same)
		if err == nil {
			out.Refused = j.refused
			return out, nil
		}
		if !fault.Is(err, fault.VerificationFailed) && !fault.Is(err, fault.Unreachable) {
			return nil, err
		}
		for _, o := range same {
			j.refuse(o.c.URL(), err)
		}
		offers = slices.DeleteFunc(offers, func(o *offer) bool { return slices.Contains(same, o) })
	}
	return nil, j.none()
}

// joiner is one call of Sync.
type joiner struct {
	SyncConfig
	genesis *client.Genesis

	mu      sync.Mutex // guards refused
	refused []Liar
}

// offer is a snapshot that a server offers, with its header, which is believed.
type offer struct {
	c      *client.Client
	res    *ledgerv1.GetSnapshotResponse
	header light.Header
	votes  int // servers that offer the same
}

func (j *joiner) refuse(server string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.ContainsFunc(j.refused, func(l Liar) bool { return l.Server == server }) {
		return
	}
	j.refused = append(j.refused, Liar{server, err})
	j.Logger.Warn("a server is not asked any more", "server", server, "cause", err.Error())
}

// none is the fault when nobody is left: that somebody lied weighs most.
func (j *joiner) none() error {
	worst := j.refused[0]
	for _, code := range []fault.Code{fault.Pruned, fault.NotFound, fault.VerificationFailed} {
		for _, l := range j.refused {
			if fault.CodeOf(l.Err) == code {
				worst = l
			}
		}
	}
	return &fault.Fault{Code: fault.CodeOf(worst.Err), Text: fmt.Sprintf("no snapshot could be taken from %d servers; %s", len(j.Servers), worst.Server), Err: worst.Err}
}

// offers asks all servers, and returns what can be believed, the newest first, and of the same
// height what most of them say.
func (j *joiner) offers(ctx context.Context) []*offer {
	found := make([]*offer, len(j.Servers))
	var all sync.WaitGroup
	for i, url := range j.Servers {
		all.Go(func() {
			o, err := j.ask(ctx, client.New(url))
			if err != nil {
				j.refuse(url, err)
				return
			}
			found[i] = o
		})
	}
	all.Wait()
	found = slices.DeleteFunc(found, func(o *offer) bool { return o == nil })
	for _, o := range found {
		for _, other := range found {
			if bytes.Equal(o.res.GetSnapshot(), other.res.GetSnapshot()) {
				o.votes++
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *offer) int {
		return cmp.Or(cmp.Compare(b.header.Height, a.header.Height), cmp.Compare(b.votes, a.votes))
	})
	return found
}

// ask gets one server's newest snapshot and verifies its header.
func (j *joiner) ask(ctx context.Context, c *client.Client) (*offer, error) {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := c.Ledger.GetSnapshot(call, connect.NewRequest(&ledgerv1.GetSnapshotRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	var block ledgerv1.LightBlock
	if err := proto.Unmarshal(res.Msg.GetLightBlock(), &block); err != nil || len(res.Msg.GetLightBlock()) > light.MaxBytes {
		return nil, fault.Newf(fault.VerificationFailed, "the snapshot comes without a header")
	}
	trust, err := j.trust(ctx, c)
	if err != nil {
		return nil, err
	}
	if h := block.GetSignedHeader().GetHeader().GetHeight(); h < j.TrustHeight {
		return nil, fault.Newf(fault.VerificationFailed, "the snapshot is of height %d, before the checkpoint %d", h-1, j.TrustHeight)
	}
	header, err := believe(ctx, c, trust, &block)
	if err != nil {
		return nil, err
	}
	// A node that begins there goes on with the block after that header.
	if _, err := lightBlock(ctx, c, header.Height+1); fault.Is(err, fault.Pruned) {
		return nil, fault.Newf(fault.Pruned, "the snapshot of height %d is too old: the blocks after it are no longer kept there", header.Height-1)
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	return &offer{c: c, res: res.Msg, header: header}, nil
}

// trust is what this join begins with.
func (j *joiner) trust(ctx context.Context, c *client.Client) (*light.Trust, error) {
	if j.TrustHeight == 0 {
		var set []light.Validator
		for _, v := range j.genesis.GetValidators() {
			set = append(set, light.Validator{PublicKey: ed25519.PublicKey(bytes.Clone(v.GetPublicKey())), Power: int64(v.GetPower())})
		}
		return light.New(j.genesis.GetChainId(), set), nil
	}
	block, err := lightBlock(ctx, c, j.TrustHeight)
	if err != nil {
		return nil, err
	}
	h := block.GetSignedHeader().GetHeader()
	if light.HeaderHash(h) != j.TrustHash || len(h.GetValidatorsHash()) != 32 {
		return nil, fault.Newf(fault.VerificationFailed, "block %d has the hash %x there, the checkpoint says %x", j.TrustHeight, light.HeaderHash(h), j.TrustHash)
	}
	trust := light.At(j.genesis.GetChainId(), j.TrustHeight, j.TrustHash, [32]byte(h.GetValidatorsHash()))
	_, err = trust.VerifyBlock(block)
	return trust, err
}

// believe verifies target, by way of nearer headers where the trusted validators do not stand
// behind it any more.
func believe(ctx context.Context, c *client.Client, trust *light.Trust, target *ledgerv1.LightBlock) (light.Header, error) {
	for range maxSteps {
		ahead := *trust
		header, err := ahead.VerifyBlock(target)
		if !errors.Is(err, light.ErrUnvouched) {
			return header, err
		}
		next, err := farthest(ctx, c, *trust, target.GetSignedHeader().GetHeader().GetHeight())
		if err != nil {
			return light.Header{}, err
		}
		trust = next
	}
	return light.Header{}, fault.Newf(fault.TooLong, "more than %d headers lead to the snapshot: begin with a younger checkpoint (--trust)", maxSteps)
}

// farthest finds the highest header below end that trust stands behind, halving the distance.
func farthest(ctx context.Context, c *client.Client, trust light.Trust, end int64) (*light.Trust, error) {
	var best *light.Trust
	var gone error
	for low, high := trust.Last().Height+1, end-1; low <= high; {
		mid := low + (high-low)/2
		block, err := lightBlock(ctx, c, mid)
		if fault.Is(err, fault.Pruned) {
			low, gone = mid+1, err
			continue
		}
		if err != nil {
			return nil, err
		}
		ahead := trust
		switch _, err := ahead.VerifyBlock(block); {
		case err == nil:
			best, low = &ahead, mid+1
		case errors.Is(err, light.ErrUnvouched):
			high = mid - 1
		default:
			return nil, err
		}
	}
	if best == nil && gone != nil {
		return nil, fault.Wrap(fault.Pruned, gone, "the headers that lead to the snapshot are gone")
	}
	if best == nil {
		return nil, fault.Newf(fault.VerificationFailed, "no header below %d is vouched for by the validators that are trusted", end)
	}
	return best, nil
}

// lightBlock gets a header, not verified.
func lightBlock(ctx context.Context, c *client.Client, height int64) (*ledgerv1.LightBlock, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := c.Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: height}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	b := &ledgerv1.LightBlock{}
	if len(res.Msg.GetLightBlock()) > light.MaxBytes || proto.Unmarshal(res.Msg.GetLightBlock(), b) != nil || b.GetSignedHeader().GetHeader().GetHeight() != height {
		return nil, fault.Newf(fault.VerificationFailed, "the server's answer is not block %d", height)
	}
	return b, nil
}

// take fetches the chunks from all who offer the same state, and installs it.
func (j *joiner) take(ctx context.Context, from []*offer) (*Synced, error) {
	best := from[0]
	s, err := ledger.NewSync(ledger.Config{
		Home: j.Home, ChainID: j.genesis.GetChainId(), GenesisTimeMs: j.genesis.GetTimeMs(), Logger: j.Logger,
	}, best.res, best.header.Hash)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := j.fetch(ctx, s, from); err != nil {
		return nil, err
	}
	if err := s.Install(ctx, func(done, all int) { j.Progress(false, done, all) }); err != nil {
		if fault.Is(err, fault.VerificationFailed) {
			err = errors.Join(err, s.Discard())
		}
		return nil, err
	}
	return &Synced{Height: s.Height(), AppHash: best.header.AppHash, Header: best.header.Hash, Chunks: len(s.Chunks())}, nil
}

// fetch gets the chunks that are not there yet.
func (j *joiner) fetch(ctx context.Context, s *ledger.Sync, from []*offer) error {
	all := s.Chunks()
	f := &fetching{joiner: j, sync: s, from: slices.Clone(from), all: len(all)}
	for _, hash := range all {
		if s.Has(hash) {
			f.done++
		} else {
			f.left = append(f.left, hash)
		}
	}
	j.Progress(true, f.done, f.all)
	var workers sync.WaitGroup
	for i := range min(fetchers, len(f.left)) {
		workers.Go(func() { f.work(ctx, i) })
	}
	workers.Wait()
	if f.err == nil && ctx.Err() != nil {
		f.err = fault.Newf(fault.Cancelled, "stopped; the same command goes on from here")
	}
	return f.err
}

// fetching is what the workers share.
type fetching struct {
	*joiner
	sync *ledger.Sync
	all  int

	mu   sync.Mutex // guards what follows
	from []*offer   // servers that are still asked
	left [][]byte
	done int
	err  error
}

// next takes a chunk and the server that worker asks for it; nil when it is over.
func (f *fetching) next(worker int) ([]byte, *offer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || len(f.left) == 0 {
		return nil, nil
	}
	hash := f.left[0]
	f.left = f.left[1:]
	return hash, f.from[(worker+f.done)%len(f.from)]
}

func (f *fetching) work(ctx context.Context, worker int) {
	for ctx.Err() == nil {
		hash, from := f.next(worker)
		if hash == nil {
			return
		}
		err := f.one(ctx, hash, from)
		f.mu.Lock()
		switch {
		case err == nil:
			f.done++
			f.Progress(true, f.done, f.all)
		case ctx.Err() != nil:
		case !fault.Is(err, fault.VerificationFailed) && !fault.Is(err, fault.Unreachable):
			f.err = err // our own disk
		default: // another one is asked for it, this one never again
			f.left = append(f.left, hash)
			f.drop(from, err)
		}
		f.mu.Unlock()
	}
}

// drop asks a server no more. The caller holds mu.
func (f *fetching) drop(o *offer, err error) {
	i := slices.Index(f.from, o)
	if i < 0 {
		return // another worker has found it out
	}
	if f.from = slices.Delete(f.from, i, i+1); len(f.from) == 0 {
		f.err = err // [Sync] refuses those that are left
		if !fault.Is(err, fault.VerificationFailed) {
			f.err = &fault.Fault{Code: fault.Unreachable, Text: "the chunks cannot be had", Err: err}
		}
		return
	}
	f.refuse(o.c.URL(), err)
}

func (f *fetching) one(ctx context.Context, hash []byte, from *offer) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := from.c.Ledger.GetSnapshotChunk(ctx, connect.NewRequest(&ledgerv1.GetSnapshotChunkRequest{Hash: hash}))
	if err != nil {
		err = wire.Fault(err) // whatever its code says: it is the server that has failed
		return &fault.Fault{Code: fault.Unreachable, Text: fmt.Sprintf("chunk %x is not given", hash), Err: err}
	}
	return f.sync.Add(hash, res.Msg.GetChunk())
}
