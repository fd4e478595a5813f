package prooffile

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// headerWait bounds the waiting for the header that carries a state's hash: the
// engine makes it at once.
const headerWait = 5 * time.Second

// fetchChain fetches the block that carries the hash of the state of height, and
// the fewest blocks that lead there from the genesis.
func (m *Maker) fetchChain(ctx context.Context, c *content, height int64) error {
	target, votes, err := m.lightBlock(ctx, height+1)
	if err != nil {
		return err
	}
	way, err := m.way(ctx, target)
	if err != nil {
		return err
	}
	c.blocks = nil
	for _, b := range way {
		out, err := blockOf(b)
		if err != nil {
			return err
		}
		c.blocks = append(c.blocks, out)
	}
	m.certify(c.blocks[len(c.blocks)-1], votes)
	return nil
}

// lightBlock fetches a block's header, waiting for it if it is not there yet.
func (m *Maker) lightBlock(ctx context.Context, height int64) (*ledgerv1.LightBlock, []*ledgerv1.SM2Vote, error) {
	return m.header(ctx, &ledgerv1.GetHeaderRequest{Height: height})
}

func (m *Maker) header(ctx context.Context, req *ledgerv1.GetHeaderRequest) (*ledgerv1.LightBlock, []*ledgerv1.SM2Vote, error) {
	height := req.GetHeight()
	ctx, cancel := context.WithTimeout(ctx, headerWait)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		res, err := m.c.Ledger.GetHeader(ctx, connect.NewRequest(req))
		if err == nil {
			b := &ledgerv1.LightBlock{}
			if len(res.Msg.GetLightBlock()) > light.MaxBytes {
				return nil, nil, fault.Newf(fault.TooLong, "block %d: %d bytes, at most %d", height, len(res.Msg.GetLightBlock()), light.MaxBytes)
			}
			err := proto.Unmarshal(res.Msg.GetLightBlock(), b)
			if at := b.GetSignedHeader().GetHeader().GetHeight(); err != nil || at < height || at > height && !req.GetOrLater() {
				return nil, nil, fault.Newf(fault.VerificationFailed, "the server's answer is not block %d", height)
			}
			return b, res.Msg.GetSm2Votes(), nil
		}
		if err = wire.Fault(err); fault.CodeOf(err) != fault.NotFound {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, err
		case <-time.After(wait):
		}
	}
}

// way returns the blocks from the genesis, or the checkpoint, to target: from what is
// trusted, always the farthest that it stands behind. What was found once is kept.
func (m *Maker) way(ctx context.Context, target *ledgerv1.LightBlock) ([]*ledgerv1.LightBlock, error) {
	m.mu.Lock()
	known := m.chain
	m.mu.Unlock()
	trust, out, err := m.begin(ctx, target)
	if err != nil {
		return nil, err
	}
	base := len(out)
	for {
		ahead := trust // a copy: VerifyBlock moves it
		_, err := ahead.VerifyBlock(target)
		if err == nil {
			m.keep(known)
			return append(out, target), nil
		}
		if !errors.Is(err, light.ErrUnvouched) {
			return nil, err
		}
		if len(out) >= maxBlocks-1 {
			return nil, fault.Newf(fault.TooLong, "more than %d blocks lead to block %d: begin at a younger checkpoint", maxBlocks, target.GetSignedHeader().GetHeader().GetHeight())
		}
		if len(known) <= len(out)-base {
			next, err := m.farthest(ctx, trust, target.GetSignedHeader().GetHeader().GetHeight())
			if err != nil {
				return nil, err
			}
			known = append(known[:len(out)-base:len(out)-base], *next)
		}
		trust, out = known[len(out)-base].trust, append(out, known[len(out)-base].block)
	}
}

func (m *Maker) keep(chain []believed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(chain) > len(m.chain) {
		m.chain = chain
	}
}

// farthest finds the highest block below end that trust stands behind, halving the
// distance. Of the blocks that the server no longer keeps it has the headers at which the
// validators changed; one that began with a snapshot does not have those from before it:
// Pruned, where no way leads past them.
func (m *Maker) farthest(ctx context.Context, trust light.Trust, end int64) (*believed, error) {
	var best *believed
	var skipped int64 // the first block that the server has, if it is the first one asked about or a later one
	for low, high := trust.Last().Height+1, end-1; low <= high; {
		mid := low + (high-low)/2
		b, _, err := m.header(ctx, &ledgerv1.GetHeaderRequest{Height: mid, OrLater: true})
		if err != nil {
			return nil, err
		}
		at := b.GetSignedHeader().GetHeader().GetHeight()
		if skipped = 0; at > mid {
			skipped = at
		}
		if at > high { // of those from mid to high it has none
			high = mid - 1
			continue
		}
		ahead := trust
		_, err = ahead.VerifyBlock(b)
		switch {
		case err == nil:
			best, low = &believed{b, ahead}, at+1
		case errors.Is(err, light.ErrUnvouched):
			high = mid - 1
		default:
			return nil, err
		}
	}
	if best == nil && skipped > 0 {
		return nil, fault.Newf(fault.Pruned, "this server has no block from %d to %d, between which the validators changed: it began with a snapshot. "+
			"Ask a member that has all headers (an archive), or begin at a checkpoint of block %[2]d or later", trust.Last().Height+1, skipped-1)
	}
	if best == nil {
		return nil, fault.Newf(fault.VerificationFailed, "no block below %d is vouched for by the validators of block %d", end, trust.Last().Height)
	}
	return best, nil
}

// blockOf takes a light block apart.
func blockOf(b *ledgerv1.LightBlock) (*block, error) {
	h, c, set := b.GetSignedHeader().GetHeader(), b.GetSignedHeader().GetCommit(), b.GetValidatorSet().GetValidators()
	if len(c.GetSignatures()) != len(set) {
		return nil, fault.Newf(fault.VerificationFailed, "block %d has %d signatures of %d validators", h.GetHeight(), len(c.GetSignatures()), len(set))
	}
	hash := light.HeaderHash(h)
	out := &block{header: proto.CloneOf(h), hash: hash[:], round: uint64(c.GetRound()), parts: c.GetBlockId().GetPartSetHeader()}
	for i, v := range set {
		x := &voter{key: v.GetPubKey().GetEd25519(), vote: v.GetVotingPower()}
		if s := c.GetSignatures()[i]; s.GetBlockIdFlag() == flagCommit {
			x.at, x.sig = s.GetTimestamp(), s.GetSignature()
		}
		out.voters = append(out.voters, x)
	}
	return out, nil
}

// certify adds the SM2 signatures of validators whose key the genesis pins, if they
// have more than 2/3 of the power.
func (m *Maker) certify(b *block, votes []*ledgerv1.SM2Vote) {
	by := map[string]*ledgerv1.SM2Vote{}
	for _, v := range votes {
		by[string(v.GetAddress())] = v
	}
	message := voteMessage(m.founded.chain, b.header.GetHeight(), b.hash)
	for _, x := range b.voters {
		vote, pin := by[string(address(x.key))], m.founded.sm2Of(x.key)
		if vote == nil || pin == nil || string(pin) != string(vote.GetPublicKey()) {
			continue
		}
		if key, err := sm.ParsePublic(sm.SM2, pin); err == nil && key.Verify(message, vote.GetSignature()) {
			x.sm2 = vote.GetSignature()
		}
	}
	if signed, all := b.power(func(x *voter) bool { return x.sm2 != nil }); signed*3 <= all*2 {
		for _, x := range b.voters {
			x.sm2 = nil
		}
	}
}
