// Package steptest makes blocks of chains that do not exist, signed by validators whose
// keys the test has: for the tests of package step and of the rules that follow foreign
// chains. What real chains write, the tests of node and of the city check.
//
//	c := steptest.New(t, "chain-b", 4, now)
//	b := c.Make()                        // height 1, signed by all four
//	c.Elect(c.Node(1), c.Node(5))        // the validators from the block after the next one
//	liar := c.Fork(b, func(h *ledgerv1.Header) { h.AppHash = other })
package steptest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
)

// Chain is one such chain. One goroutine uses it.
type Chain struct {
	ID      string
	TimeMs  int64    // of the next block; each block is a second later
	AppHash [32]byte // of the next block

	tb        testing.TB
	height    int64
	set, next []*Node // of the next block, and of the one after it
	nodes     map[int]*Node
}

// Node is a validator.
type Node struct {
	Power int64
	key   ed25519.PrivateKey
}

// New makes a chain of n validators with power 10 each.
func New(t testing.TB, id string, n int, timeMs int64) *Chain {
	c := &Chain{ID: id, TimeMs: timeMs, AppHash: sha256.Sum256([]byte(id)), tb: t, nodes: map[int]*Node{}}
	for i := range n {
		c.set = append(c.set, c.Node(i))
	}
	c.next = c.set
	return c
}

// Node returns the i-th validator of this chain, whether it is elected or not.
func (c *Chain) Node(i int) *Node {
	if n, ok := c.nodes[i]; ok {
		return n
	}
	seed := sha256.Sum256([]byte(fmt.Sprintf("%s %d", c.ID, i)))
	c.nodes[i] = &Node{Power: 10, key: ed25519.NewKeyFromSeed(seed[:])}
	return c.nodes[i]
}

// Elect makes these the validators from the block after the next one on.
func (c *Chain) Elect(nodes ...*Node) { c.next = nodes }

// Height of the last block.
func (c *Chain) Height() int64 { return c.height }

// Make makes the next block, signed by all its validators.
func (c *Chain) Make() *ledgerv1.LightBlock {
	c.height++
	set, next := validators(c.set), validators(c.next)
	own, following := light.SetHash(set), light.SetHash(next)
	h := &ledgerv1.Header{
		Version: &ledgerv1.ConsensusVersion{Block: 11, App: 1}, ChainId: c.ID, Height: c.height, Time: timestamppb.New(time.UnixMilli(c.TimeMs)),
		LastBlockId: &ledgerv1.BlockID{}, ValidatorsHash: own[:], NextValidatorsHash: following[:], AppHash: c.AppHash[:], ProposerAddress: set[0].Address,
	}
	b := &ledgerv1.LightBlock{SignedHeader: &ledgerv1.SignedHeader{Header: h}, ValidatorSet: &ledgerv1.ValidatorSet{Validators: set}}
	c.Sign(b, c.set...)
	c.set = c.next
	c.TimeMs += 1000
	return b
}

// Skip makes n blocks and returns the last one.
func (c *Chain) Skip(n int) (b *ledgerv1.LightBlock) {
	for range n {
		b = c.Make()
	}
	return b
}

// Fork returns another block of the same height with a changed header, signed by all the
// validators of b.
func (c *Chain) Fork(b *ledgerv1.LightBlock, change func(*ledgerv1.Header)) *ledgerv1.LightBlock {
	f := proto.CloneOf(b)
	change(f.SignedHeader.Header)
	var all []*Node
	for _, n := range c.nodes { // any order: Sign asks who is in it
		all = append(all, n)
	}
	c.Sign(f, all...)
	return f
}

// Sign makes the commit of a block anew: of its validators these have signed.
func (c *Chain) Sign(b *ledgerv1.LightBlock, nodes ...*Node) {
	h := b.SignedHeader.Header
	hash := light.HeaderHash(h)
	parts := sha256.Sum256(hash[:])
	b.SignedHeader.Commit = &ledgerv1.Commit{
		Height: h.Height, BlockId: &ledgerv1.BlockID{Hash: hash[:], PartSetHeader: &ledgerv1.PartSetHeader{Total: 1, Hash: parts[:]}},
	}
	for _, v := range b.ValidatorSet.Validators {
		s := &ledgerv1.CommitSig{BlockIdFlag: 1}
		for _, n := range nodes {
			if string(n.public()) != string(v.PubKey.Ed25519) {
				continue
			}
			s = &ledgerv1.CommitSig{BlockIdFlag: 2, ValidatorAddress: v.Address, Timestamp: h.Time}
			s.Signature = ed25519.Sign(n.key, light.VoteBytes(h.ChainId, b.SignedHeader.Commit, s))
		}
		b.SignedHeader.Commit.Signatures = append(b.SignedHeader.Commit.Signatures, s)
	}
}

// Raw is a block as it travels.
func Raw(t testing.TB, b *ledgerv1.LightBlock) []byte {
	t.Helper()
	raw, err := canon.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (n *Node) public() ed25519.PublicKey { return n.key.Public().(ed25519.PublicKey) }

func validators(nodes []*Node) (out []*ledgerv1.ConsensusValidator) {
	for _, n := range nodes {
		sum := sha256.Sum256(n.public())
		out = append(out, &ledgerv1.ConsensusValidator{Address: sum[:20], PubKey: &ledgerv1.ConsensusKey{Ed25519: n.public()}, VotingPower: n.Power})
	}
	return out
}
