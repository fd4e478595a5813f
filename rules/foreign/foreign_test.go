package foreign_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/client/light/steptest"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/foreign"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
	"mulian/state"
)

const (
	oneThird  = foreignv1.TrustLevel_TRUST_LEVEL_ONE_THIRD
	twoThirds = foreignv1.TrustLevel_TRUST_LEVEL_TWO_THIRDS
	active    = foreignv1.ForeignState_FOREIGN_STATE_ACTIVE
	frozen    = foreignv1.ForeignState_FOREIGN_STATE_FROZEN
)

const chainB = "chain-b"

// pair is our chain and another one: its blocks are made by hand, and what they commit to
// is the state of a town.
type pair struct {
	*rulestest.World
	who   string // an organisation without any role
	other *steptest.Chain
	town  *towntest.Town // whose state the other chain has; nil until it is asked
}

// newPair makes both, the other one with n validators, which is not followed yet.
func newPair(t testing.TB, n int) *pair {
	w := rulestest.Found(t, 60, 40)
	return &pair{World: w, who: w.Org("数据局"), other: steptest.New(t, chainB, n, w.Now)}
}

func trustRoot(t testing.TB, c *steptest.Chain, b *ledgerv1.LightBlock) *foreignv1.TrustRoot {
	genesis := sha256.Sum256([]byte(c.ID))
	return &foreignv1.TrustRoot{
		ChainId: c.ID, Name: "邻市", GenesisHash: genesis[:], LightBlock: steptest.Raw(t, b), TrustLevel: oneThird, MaxAgeSeconds: 86_400, MaxDriftSeconds: 10,
	}
}

func register(r *foreignv1.TrustRoot) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_RegisterForeignChain{RegisterForeignChain: r}}
}

func replace(r *foreignv1.TrustRoot) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_ReplaceForeignRoot{ReplaceForeignRoot: r}}
}

func thaw(r *foreignv1.TrustRoot) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_ThawForeignChain{ThawForeignChain: r}}
}

func remove(chainID string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_RemoveForeignChain{RemoveForeignChain: chainID}}
}

// follow has the members vote for the next block of the other chain as its root.
func (p *pair) follow() *ledgerv1.LightBlock {
	p.TB.Helper()
	b := p.other.Make()
	p.Decide(register(trustRoot(p.TB, p.other, b)))
	return b
}

func (p *pair) update(blocks ...*ledgerv1.LightBlock) *foreignv1.UpdateForeignHeaders {
	m := &foreignv1.UpdateForeignHeaders{ChainId: p.other.ID}
	for _, b := range blocks {
		m.LightBlocks = append(m.LightBlocks, steptest.Raw(p.TB, b))
	}
	return m
}

func (p *pair) freeze(first, second *ledgerv1.LightBlock) *foreignv1.FreezeForeignChain {
	return &foreignv1.FreezeForeignChain{ChainId: p.other.ID, First: steptest.Raw(p.TB, first), Second: steptest.Raw(p.TB, second)}
}

func (p *pair) chain() *foreignv1.ForeignChain {
	p.TB.Helper()
	c, ok := foreign.FindChain(p.View(), p.other.ID)
	if !ok {
		p.TB.Fatal("the chain is not followed")
	}
	if err := foreign.Check(p.View(), c); err != nil {
		p.TB.Fatal(err)
	}
	return c
}

// lie makes a header of the same height that says another state.
func (p *pair) lie(b *ledgerv1.LightBlock) *ledgerv1.LightBlock {
	return p.other.Fork(b, func(h *ledgerv1.Header) { sum := sha256.Sum256([]byte("lie")); h.AppHash = sum[:] })
}

// commit lets the other chain commit to what its town has now, and brings the header.
func (p *pair) commit() *ledgerv1.LightBlock {
	p.TB.Helper()
	raw, err := hex.DecodeString(p.town.AppHash())
	if err != nil {
		p.TB.Fatal(err)
	}
	p.other.AppHash = [32]byte(raw)
	b := p.other.Make()
	p.Must(p.who, p.update(b))
	return b
}

// prove makes the proof of a key of the town as it is now, under the header of b.
func (p *pair) prove(b *ledgerv1.LightBlock, key string) *foreignv1.AcceptForeignProof {
	p.TB.Helper()
	v := p.town.View().(*state.Snapshot)
	k, err := v.Prove([]byte(key))
	if err != nil {
		p.TB.Fatal(err)
	}
	raw, err := canon.Marshal(k.ToWire())
	if err != nil {
		p.TB.Fatal(err)
	}
	return &foreignv1.AcceptForeignProof{ChainId: p.other.ID, Height: b.SignedHeader.Header.Height, Key: key, Value: k.Value, StateProof: raw}
}

type (
	updating  = rulestest.Try[*foreignv1.UpdateForeignHeaders]
	accepting = rulestest.Try[*foreignv1.AcceptForeignProof]
	freezing  = rulestest.Try[*foreignv1.FreezeForeignChain]
)

// TestUpdateOrder walks the checks in their order.
func TestUpdateOrder(t *testing.T) {
	var p *pair
	rulestest.Order(t, func(t *testing.T) *updating {
		p = newPair(t, 4)
		p.follow()
		return &updating{World: p.World, Account: p.who, Message: p.update(p.other.Make())}
	}, []rulestest.Breach[*foreignv1.UpdateForeignHeaders]{
		{Name: "nothing", Want: fault.Empty, Break: func(t *updating) { t.Message.LightBlocks = nil }},
		{Name: "too many", Want: fault.TooLong, Break: func(t *updating) {
			for len(t.Message.LightBlocks) > 0 && len(t.Message.LightBlocks) <= foreign.MaxHeaders {
				t.Message.LightBlocks = append(t.Message.LightBlocks, t.Message.LightBlocks[0])
			}
		}},
		{Name: "not followed", Want: fault.NotFound, Break: func(t *updating) { t.Message.ChainId = "chain-c" }},
		{Name: "lapsed", Want: fault.Expired, Break: func(t *updating) { t.Wait(25 * rulestest.Hour) }},
		{Name: "no block", Want: fault.Malformed, Break: func(t *updating) { t.Message.LightBlocks = [][]byte{{1}} }},
		{Name: "from the future", Want: fault.OutOfRange, Break: func(t *updating) {
			if len(t.Message.LightBlocks) == 1 && t.Message.ChainId == chainB && len(t.Message.LightBlocks[0]) > 1 {
				p.other.TimeMs = p.Now + 11_000
				t.Message = p.update(p.other.Make())
			}
		}},
	})
}

// TestUpdate: what a light client believes, the ledger believes, and nothing else.
func TestUpdate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		blocks func(p *pair, root *ledgerv1.LightBlock) []*ledgerv1.LightBlock
		want   fault.Code
		height int64
	}{
		{"the next", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			return []*ledgerv1.LightBlock{p.other.Make()}
		}, fault.OK, 2},
		{"skipped", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			return []*ledgerv1.LightBlock{p.other.Skip(9)}
		}, fault.OK, 10},
		{"three in a row", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			return []*ledgerv1.LightBlock{p.other.Skip(3), p.other.Make(), p.other.Skip(2)}
		}, fault.OK, 7},
		{"too little power", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			b := p.other.Make()
			p.other.Sign(b, p.other.Node(0), p.other.Node(1))
			return []*ledgerv1.LightBlock{b}
		}, fault.VerificationFailed, 1},
		{"the second has too little power: nothing is kept", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			a, b := p.other.Make(), p.other.Make()
			p.other.Sign(b, p.other.Node(0), p.other.Node(1))
			return []*ledgerv1.LightBlock{a, b}
		}, fault.VerificationFailed, 1},
		{"another chain's", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			return []*ledgerv1.LightBlock{steptest.New(t, "chain-c", 4, p.Now).Skip(2)}
		}, fault.WrongChain, 1},
		{"strangers with the chain's name", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			p.other.Elect(p.other.Node(7), p.other.Node(8))
			return []*ledgerv1.LightBlock{p.other.Skip(3)}
		}, fault.VerificationFailed, 1},
		{"the root again", func(_ *pair, root *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			return []*ledgerv1.LightBlock{root}
		}, fault.OK, 1},
		{"an old header that is not kept", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			old := p.other.Make()
			p.Must(p.who, p.update(p.other.Make()))
			return []*ledgerv1.LightBlock{old}
		}, fault.VersionConflict, 3},
		{"another header of a kept height", func(p *pair, root *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			return []*ledgerv1.LightBlock{p.lie(root)}
		}, fault.VersionConflict, 1},
		{"a forged signature", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			b := p.other.Make()
			b.SignedHeader.Commit.Signatures[1].Signature[0] ^= 1
			return []*ledgerv1.LightBlock{b}
		}, fault.VerificationFailed, 1},
		{"one validator's signature in three places", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			b := p.other.Make()
			p.other.Sign(b, p.other.Node(0))
			s := b.SignedHeader.Commit.Signatures
			s[1], s[2] = proto.CloneOf(s[0]), proto.CloneOf(s[0])
			return []*ledgerv1.LightBlock{b}
		}, fault.VerificationFailed, 1},
		{"removed validators sign on", func(p *pair, _ *ledgerv1.LightBlock) []*ledgerv1.LightBlock {
			p.other.Elect(p.other.Node(2), p.other.Node(3), p.other.Node(4))
			p.other.Make()
			p.other.Make() // the first block of the new ones
			p.Must(p.who, p.update(p.other.Make()))
			p.other.Elect(p.other.Node(0), p.other.Node(1), p.other.Node(5))
			p.other.Make()
			return []*ledgerv1.LightBlock{p.other.Skip(2)}
		}, fault.VerificationFailed, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t, 4)
			root := p.follow()
			blocks := tt.blocks(p, root)
			if got := p.Do(p.who, p.update(blocks...)); got != tt.want {
				t.Fatalf("%s (%s), want %s", got, p.Text, tt.want)
			}
			if c := p.chain(); c.Height != tt.height || c.State != active {
				t.Errorf("height %d, %s; want %d", c.Height, c.State, tt.height)
			}
		})
	}
}

// TestBounds: headers beyond the newest 128 go, and one message costs at most 200
// signatures.
func TestBounds(t *testing.T) {
	p := newPair(t, 1)
	p.follow()
	for p.other.Height() < foreign.MaxKept+20 {
		var blocks []*ledgerv1.LightBlock
		for range foreign.MaxHeaders {
			blocks = append(blocks, p.other.Make())
		}
		p.Wait(rulestest.Minute)
		p.Must(p.who, p.update(blocks...))
	}
	if c := p.chain(); c.Kept != foreign.MaxKept || c.Height != p.other.Height() {
		t.Errorf("%d headers are kept up to %d, want %d up to %d", c.Kept, c.Height, foreign.MaxKept, p.other.Height())
	}
	big := newPair(t, 90)
	big.follow()
	a, b, c := big.other.Make(), big.other.Make(), big.other.Make()
	big.Want(fault.TooLong, big.who, big.update(a, b, c))
	big.Must(big.who, big.update(a, b))
}

// TestAcceptOrder walks the checks in their order.
func TestAcceptOrder(t *testing.T) {
	var p *pair
	rulestest.Order(t, func(t *testing.T) *accepting {
		p = newPair(t, 4)
		p.follow()
		p.town = towntest.New(t)
		p.town.Publish(nil)
		return &accepting{World: p.World, Account: p.who, Message: p.prove(p.commit(), "catalogue/entry/"+p.town.EntryID)}
	}, []rulestest.Breach[*foreignv1.AcceptForeignProof]{
		{Name: "long key", Want: fault.TooLong, Break: func(t *accepting) { t.Message.Key = "catalogue/entry/" + strings.Repeat("x", 300) }},
		{Name: "control character", Want: fault.Malformed, Break: func(t *accepting) {
			if len(t.Message.Key) < 300 {
				t.Message.Key = "catalogue/entry/\n"
			}
		}},
		{Name: "no such kind", Want: fault.OutOfRange, Break: func(t *accepting) {
			if !strings.Contains(t.Message.Key, "\n") && len(t.Message.Key) < 300 {
				t.Message.Key = "governance/member/x"
			}
		}},
		{Name: "value and hash", Want: fault.CodeInconsistent, Break: func(t *accepting) { t.Message.Value, t.Message.ValueHash = []byte{1}, make([]byte, 32) }},
		{Name: "long value", Want: fault.TooLong, Break: func(t *accepting) {
			if len(t.Message.ValueHash) == 0 {
				t.Message.Value = make([]byte, foreign.MaxValueBytes+1)
			}
		}},
		{Name: "long proof", Want: fault.TooLong, Break: func(t *accepting) { t.Message.StateProof = make([]byte, foreign.MaxProofBytes+1) }},
		{Name: "short hash", Want: fault.Malformed, Break: func(t *accepting) {
			if len(t.Message.ValueHash) != 32 && len(t.Message.Value) <= foreign.MaxValueBytes {
				t.Message.Value, t.Message.ValueHash = nil, []byte{1}
			}
		}},
		{Name: "no proof", Want: fault.Malformed, Break: func(t *accepting) {
			if len(t.Message.StateProof) <= foreign.MaxProofBytes {
				t.Message.StateProof = []byte{0xff}
			}
		}},
		{Name: "not followed", Want: fault.NotFound, Break: func(t *accepting) { t.Message.ChainId = "chain-c" }},
		{Name: "frozen", Want: fault.ForeignFrozen, Break: func(t *accepting) {
			b := p.other.Make()
			t.Must(p.who, p.freeze(b, p.lie(b)))
		}},
		{Name: "lapsed", Want: fault.Expired, Break: func(t *accepting) { t.Wait(25 * rulestest.Hour) }},
		{Name: "a header that is not kept", Want: fault.NotFound, Break: func(t *accepting) { t.Message.Height = 77 }},
		{Name: "a later proof", Want: fault.VersionConflict, Break: func(t *accepting) {
			if t.Message.Height == 2 {
				t.Must(p.who, p.prove(p.commit(), "catalogue/entry/"+p.town.EntryID))
			}
		}},
		{Name: "another value", Want: fault.VerificationFailed, Break: func(t *accepting) {
			if n := len(t.Message.Value); n > 0 && n < foreign.MaxValueBytes {
				t.Message.Value[n/2] ^= 1
			}
		}},
	})
}

// TestAccept: an entry with what it says, an agreement by its hash alone and then opened,
// an account, and something that is not there.
func TestAccept(t *testing.T) {
	p := newPair(t, 4)
	p.follow()
	p.town = towntest.New(t)
	p.town.Publish(nil)
	_, agreement := p.town.Agree(nil)
	head := p.commit()
	entryKey, agreementKey := "catalogue/entry/"+p.town.EntryID, "share/agreement/"+agreement

	entry := p.prove(head, entryKey)
	p.Must(p.who, entry)
	want(t, p, entryKey, func(r *foreignv1.ForeignReference) bool {
		sum := sha256.Sum256(entry.Value)
		return r.Open && !r.Absent && r.Org == p.town.Provider && r.Version > 0 && string(r.ValueHash) == string(sum[:]) && r.Root == 1 &&
			r.Kind == foreignv1.ReferenceKind_REFERENCE_KIND_ENTRY && r.Height == head.SignedHeader.Header.Height
	})

	opened := p.prove(head, agreementKey)
	closed := proto.CloneOf(opened)
	sum := sha256.Sum256(opened.Value)
	closed.Value, closed.ValueHash = nil, sum[:]
	p.Must(p.who, closed)
	want(t, p, agreementKey, func(r *foreignv1.ForeignReference) bool {
		return !r.Open && r.Org == "" && string(r.ValueHash) == string(sum[:])
	})
	p.Must(p.who, opened)
	want(t, p, agreementKey, func(r *foreignv1.ForeignReference) bool {
		return r.Open && r.Org == p.town.Provider && r.Peer == p.town.Consumer && r.UntilMs > p.Now && string(r.ValueHash) == string(sum[:])
	})
	p.Must(p.who, closed)
	want(t, p, agreementKey, func(r *foreignv1.ForeignReference) bool { return r.Open })
	wrong := proto.CloneOf(closed)
	wrong.ValueHash[0] ^= 1
	p.Want(fault.VerificationFailed, p.who, wrong)

	absent := p.prove(head, "share/agreement/0000000000000000")
	p.Must(p.who, absent)
	want(t, p, absent.Key, func(r *foreignv1.ForeignReference) bool { return r.Absent && !r.Open && len(r.ValueHash) == 0 })
	there := proto.CloneOf(opened)
	there.Value = nil // to say that it is absent
	p.Want(fault.VerificationFailed, p.who, there)
	p.Must(p.who, p.prove(head, "identity/account/"+p.town.Provider))

	// A later proof replaces an earlier one.
	p.town.Wait(rulestest.Minute)
	later := p.commit()
	p.Must(p.who, p.prove(later, agreementKey))
	want(t, p, agreementKey, func(r *foreignv1.ForeignReference) bool { return r.Height == later.SignedHeader.Header.Height })
	p.Want(fault.VersionConflict, p.who, closed)
}

func want(t *testing.T, p *pair, key string, ok func(*foreignv1.ForeignReference) bool) {
	t.Helper()
	r, found := foreign.FindReference(p.View(), p.other.ID, key)
	if !found || !ok(r) {
		t.Fatalf("%s: %v", key, r)
	}
}

// TestFreezeOrder walks the checks in their order.
func TestFreezeOrder(t *testing.T) {
	var p *pair
	var block *ledgerv1.LightBlock
	rulestest.Order(t, func(t *testing.T) *freezing {
		p = newPair(t, 4)
		p.other.Make()
		p.follow()
		block = p.other.Make()
		return &freezing{World: p.World, Account: p.who, Message: p.freeze(block, p.lie(block))}
	}, []rulestest.Breach[*foreignv1.FreezeForeignChain]{
		{Name: "not followed", Want: fault.NotFound, Break: func(t *freezing) { t.Message.ChainId = "chain-c" }},
		{Name: "frozen", Want: fault.ForeignFrozen, Break: func(t *freezing) { t.Must(p.who, p.freeze(block, p.lie(block))) }},
		{Name: "no block", Want: fault.Malformed, Break: func(t *freezing) { t.Message.First = []byte{1} }},
		{Name: "the same twice", Want: fault.CodeInconsistent, Break: func(t *freezing) {
			if len(t.Message.First) > 1 {
				t.Message.Second = t.Message.First
			}
		}},
		{Name: "half a quorum", Want: fault.VerificationFailed, Break: func(t *freezing) {
			lie := p.lie(block)
			p.other.Sign(lie, p.other.Node(0), p.other.Node(1))
			if string(t.Message.Second) != string(t.Message.First) {
				t.Message.Second = steptest.Raw(p.TB, lie)
			}
		}},
	})
}

// TestFreeze: which pairs of headers freeze a chain.
func TestFreeze(t *testing.T) {
	for _, tt := range []struct {
		name string
		pair func(p *pair, root *ledgerv1.LightBlock) (first, second *ledgerv1.LightBlock)
		want fault.Code
	}{
		{"a kept header and another one", func(p *pair, root *ledgerv1.LightBlock) (_, _ *ledgerv1.LightBlock) { return root, p.lie(root) }, fault.OK},
		{"two that nobody has brought", func(p *pair, _ *ledgerv1.LightBlock) (_, _ *ledgerv1.LightBlock) {
			b := p.other.Skip(5)
			return b, p.lie(b)
		}, fault.OK},
		{"validators that have gone since, at a height that is kept", func(p *pair, root *ledgerv1.LightBlock) (_, _ *ledgerv1.LightBlock) {
			p.other.Elect(p.other.Node(4), p.other.Node(5), p.other.Node(6))
			p.Must(p.who, p.update(p.other.Make(), p.other.Make(), p.other.Make()))
			return root, p.lie(root)
		}, fault.OK},
		{"two heights", func(p *pair, root *ledgerv1.LightBlock) (_, _ *ledgerv1.LightBlock) { return root, p.other.Make() }, fault.CodeInconsistent},
		{"before the root", func(p *pair, root *ledgerv1.LightBlock) (_, _ *ledgerv1.LightBlock) {
			old := p.other.Fork(root, func(h *ledgerv1.Header) { h.Height = 1 })
			return old, p.lie(old)
		}, fault.OutOfRange},
		{"strangers", func(p *pair, _ *ledgerv1.LightBlock) (_, _ *ledgerv1.LightBlock) {
			p.other.Elect(p.other.Node(7), p.other.Node(8))
			b := p.other.Skip(3)
			return b, p.lie(b)
		}, fault.VerificationFailed},
		{"a kept header and a stranger's", func(p *pair, root *ledgerv1.LightBlock) (_, _ *ledgerv1.LightBlock) {
			stranger := steptest.New(t, chainB, 4, p.Now)
			stranger.Elect(stranger.Node(7), stranger.Node(8))
			stranger.Skip(1)
			return root, stranger.Make()
		}, fault.VerificationFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t, 4)
			p.other.Make()
			root := p.follow()
			first, second := tt.pair(p, root)
			if got := p.Do(p.who, p.freeze(first, second)); got != tt.want {
				t.Fatalf("%s (%s), want %s", got, p.Text, tt.want)
			}
			c := p.chain()
			if (c.State == frozen) != (tt.want == fault.OK) {
				t.Errorf("the chain is %s: %v", c.State, c.Equivocation)
			}
		})
	}
}

// TestThaw: a frozen chain takes nothing, whoever comes, until the members vote; what was
// proved before keeps the number of its root.
func TestThaw(t *testing.T) {
	p := newPair(t, 4)
	p.follow()
	p.town = towntest.New(t)
	p.town.Publish(nil)
	head := p.commit()
	key := "catalogue/entry/" + p.town.EntryID
	proofOf := p.prove(head, key)
	p.Must(p.who, proofOf)
	p.Must(p.who, p.freeze(head, p.lie(head)))
	next := p.other.Make()
	p.Want(fault.ForeignFrozen, p.who, p.update(next))
	p.Want(fault.ForeignFrozen, p.who, proofOf)
	p.Want(fault.ForeignFrozen, p.who, p.freeze(head, p.lie(head)))

	refused := func(want fault.Code, c *governancev1.Change) {
		t.Helper()
		p.Want(want, p.Authority, &governancev1.Propose{Title: "对端链", Change: c})
	}
	refused(fault.IllegalTransition, replace(trustRoot(t, p.other, next)))
	refused(fault.AlreadyExists, register(trustRoot(t, p.other, next)))
	p.Decide(thaw(trustRoot(t, p.other, next)))
	c := p.chain()
	if c.State != active || c.Root != 2 || c.RootHeight != 3 || c.Kept != 1 || c.Equivocation != nil {
		t.Fatalf("%v", c)
	}
	refused(fault.IllegalTransition, thaw(trustRoot(t, p.other, next)))
	p.Want(fault.NotFound, p.who, proofOf) // its header is not believed any more
	want(t, p, key, func(r *foreignv1.ForeignReference) bool { return r.Root == 1 })
	p.Must(p.who, p.prove(p.commit(), key))
	want(t, p, key, func(r *foreignv1.ForeignReference) bool { return r.Root == 2 })

	p.Decide(replace(trustRoot(t, p.other, p.other.Make())))
	if c := p.chain(); c.Root != 3 {
		t.Errorf("root %d", c.Root)
	}
	p.Decide(remove(chainB))
	if _, ok := foreign.FindChain(p.View(), chainB); ok {
		t.Error("it is followed after it was removed")
	}
	refused(fault.NotFound, remove(chainB))
	refused(fault.NotFound, replace(trustRoot(t, p.other, next)))
	p.Want(fault.NotFound, p.who, p.update(p.other.Make()))
	want(t, p, key, func(r *foreignv1.ForeignReference) bool { return r.Root == 2 })
	p.Decide(register(trustRoot(t, p.other, p.other.Make())))
	if c := p.chain(); c.Root != 4 {
		t.Errorf("root %d after it was registered again", c.Root)
	}
}

// TestRoot walks what a vote refuses of a trust root.
func TestRoot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *foreignv1.TrustRoot)
		want   fault.Code
	}{
		{"no chain", func(r *foreignv1.TrustRoot) { r.ChainId = "Chain B" }, fault.Malformed},
		{"ourselves", func(r *foreignv1.TrustRoot) { r.ChainId = rulestest.ChainID }, fault.WrongChain},
		{"long name", func(r *foreignv1.TrustRoot) { r.Name = strings.Repeat("名", 101) }, fault.TooLong},
		{"no genesis", func(r *foreignv1.TrustRoot) { r.GenesisHash = nil }, fault.Missing},
		{"no level", func(r *foreignv1.TrustRoot) { r.TrustLevel = 0 }, fault.OutOfRange},
		{"no age", func(r *foreignv1.TrustRoot) { r.MaxAgeSeconds = 0 }, fault.OutOfRange},
		{"no drift", func(r *foreignv1.TrustRoot) { r.MaxDriftSeconds = 3601 }, fault.OutOfRange},
		{"no block", func(r *foreignv1.TrustRoot) { r.LightBlock = nil }, fault.VerificationFailed},
		{"another chain's block", func(r *foreignv1.TrustRoot) { r.ChainId = "chain-c" }, fault.WrongChain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t, 4)
			r := trustRoot(t, p.other, p.other.Make())
			tt.change(r)
			p.Want(tt.want, p.Authority, &governancev1.Propose{Title: "对端链", Change: register(r)})
		})
	}
	p := newPair(t, 4)
	weak := p.other.Make()
	p.other.Sign(weak, p.other.Node(0), p.other.Node(1))
	p.Want(fault.VerificationFailed, p.Authority, &governancev1.Propose{Title: "对端链", Change: register(trustRoot(t, p.other, weak))})
	for i := range foreign.MaxChains {
		c := steptest.New(t, fmt.Sprintf("chain-%d", i), 1, p.Now)
		p.Decide(register(trustRoot(t, c, c.Make())))
		if i%8 == 0 {
			p.Wait(rulestest.Minute)
		}
	}
	c := steptest.New(t, "one-more", 1, p.Now)
	p.Want(fault.TooLong, p.Authority, &governancev1.Propose{Title: "对端链", Change: register(trustRoot(t, c, c.Make()))})
}
