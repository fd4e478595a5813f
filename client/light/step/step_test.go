package step_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/client/light"
	"mulian/client/light/step"
	"mulian/client/light/steptest"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
)

const now = 1_772_413_200_000

func read(t *testing.T, c *steptest.Chain, b *ledgerv1.LightBlock) *step.Block {
	t.Helper()
	out, err := step.Read(c.ID, steptest.Raw(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// root trusts the first block of a chain.
func root(t *testing.T, c *steptest.Chain) step.Trusted {
	t.Helper()
	b := read(t, c, c.Make())
	if err := b.Sign(); err != nil {
		t.Fatal(err)
	}
	return b.Trusted()
}

// TestFollow: which steps are believed at which level.
func TestFollow(t *testing.T) {
	for _, tt := range []struct {
		name  string
		level step.Level
		make  func(c *steptest.Chain) *ledgerv1.LightBlock
		want  fault.Code
	}{
		{"the next", step.TwoThirds, func(c *steptest.Chain) *ledgerv1.LightBlock { return c.Make() }, fault.OK},
		{"a later one", step.TwoThirds, func(c *steptest.Chain) *ledgerv1.LightBlock { return c.Skip(100) }, fault.OK},
		{"half of them new, skipped at 1/3", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			c.Elect(c.Node(0), c.Node(1), c.Node(4), c.Node(5))
			return c.Skip(3)
		}, fault.OK},
		{"half of them new, skipped at 2/3", step.TwoThirds, func(c *steptest.Chain) *ledgerv1.LightBlock {
			c.Elect(c.Node(0), c.Node(1), c.Node(4), c.Node(5))
			return c.Skip(3)
		}, fault.VerificationFailed},
		{"three of four new, skipped", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			c.Elect(c.Node(0), c.Node(4), c.Node(5), c.Node(6))
			return c.Skip(3)
		}, fault.VerificationFailed},
		{"others than the header before names", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			b := c.Make()
			b.ValidatorSet.Validators = b.ValidatorSet.Validators[:3]
			set := light.SetHash(b.ValidatorSet.Validators)
			return c.Fork(b, func(h *ledgerv1.Header) { h.ValidatorsHash = set[:] })
		}, fault.VerificationFailed},
		{"exactly 2/3", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			b := c.Make()
			c.Node(2).Power, c.Node(3).Power = 5, 5
			c.Sign(b, c.Node(0), c.Node(1))
			return b
		}, fault.VerificationFailed},
		{"three of four", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			b := c.Make()
			c.Sign(b, c.Node(0), c.Node(1), c.Node(3))
			return b
		}, fault.OK},
		{"the same time", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			c.TimeMs -= 1000
			return c.Make()
		}, fault.VerificationFailed},
		{"a forged signature beside enough others", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			b := c.Make()
			b.SignedHeader.Commit.Signatures[3].Signature[5] ^= 1
			return b
		}, fault.VerificationFailed},
		{"one that signed twice", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			b := c.Make()
			c.Sign(b, c.Node(0), c.Node(1))
			b.SignedHeader.Commit.Signatures[2] = proto.CloneOf(b.SignedHeader.Commit.Signatures[0])
			return b
		}, fault.VerificationFailed},
		{"a vote for nothing", step.OneThird, func(c *steptest.Chain) *ledgerv1.LightBlock {
			b := c.Make()
			b.SignedHeader.Commit.Signatures[0].BlockIdFlag = 3
			b.SignedHeader.Commit.Signatures[1].BlockIdFlag = 1
			return b
		}, fault.VerificationFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := steptest.New(t, "chain-b", 4, now)
			before := root(t, c)
			b := read(t, c, tt.make(c))
			after, err := before.Follow(b, tt.level)
			if fault.CodeOf(err) != tt.want {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if err == nil && (after.Height != b.Height || after.Hash != b.Hash || len(after.Validators) != len(b.Validators)) {
				t.Errorf("believed is %d %x, the block is %d %x", after.Height, after.Hash, b.Height, b.Hash)
			}
			if err != nil && after.Height != before.Height {
				t.Error("what is believed has changed")
			}
		})
	}
}

// TestExactlyTwoThirdsOfThree: 2 of 3 is not more than 2/3.
func TestExactlyTwoThirdsOfThree(t *testing.T) {
	c := steptest.New(t, "chain-b", 3, now)
	before := root(t, c)
	b := c.Make()
	c.Sign(b, c.Node(0), c.Node(1))
	if _, err := before.Follow(read(t, c, b), step.OneThird); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("%v", err)
	}
}

// TestOlder: what is believed never falls, and a relayer can tell a gap from a lie.
func TestOlder(t *testing.T) {
	c := steptest.New(t, "chain-b", 4, now)
	start := root(t, c)
	second := read(t, c, c.Make())
	c.Elect(c.Node(4), c.Node(5), c.Node(6), c.Node(7))
	third := read(t, c, c.Make())
	fourth := read(t, c, c.Make())
	if _, err := start.Follow(fourth, step.OneThird); !errors.Is(err, light.ErrUnvouched) {
		t.Errorf("%v, want that nobody vouches", err)
	}
	at := start
	for _, b := range []*step.Block{second, third, fourth} {
		next, err := at.Follow(b, step.TwoThirds)
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	for _, b := range []*step.Block{second, fourth} {
		if _, err := at.Follow(b, step.OneThird); !fault.Is(err, fault.VersionConflict) {
			t.Errorf("height %d: %v", b.Height, err)
		}
	}
}

// TestRead walks what is refused before a signature is looked at.
func TestRead(t *testing.T) {
	c := steptest.New(t, "chain-b", 4, now)
	good := c.Make()
	for name, tt := range map[string]struct {
		change func(b *ledgerv1.LightBlock)
		want   fault.Code
	}{
		"nothing":               {func(b *ledgerv1.LightBlock) { b.SignedHeader = nil }, fault.VerificationFailed},
		"another chain":         {func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.ChainId = "chain-c" }, fault.WrongChain},
		"commit of a height":    {func(b *ledgerv1.LightBlock) { b.SignedHeader.Commit.Height++ }, fault.VerificationFailed},
		"commit of a header":    {func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.DataHash = bytes.Repeat([]byte{1}, 32) }, fault.VerificationFailed},
		"no time":               {func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.Time.Seconds = -5 }, fault.VerificationFailed},
		"the year 3000":         {func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.Time.Seconds = 32_503_680_000 }, fault.VerificationFailed},
		"short app hash":        {func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.AppHash = make([]byte, 31) }, fault.VerificationFailed},
		"no next validators":    {func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.NextValidatorsHash = nil }, fault.VerificationFailed},
		"no validators":         {func(b *ledgerv1.LightBlock) { b.ValidatorSet = nil }, fault.VerificationFailed},
		"one signature less":    {func(b *ledgerv1.LightBlock) { s := b.SignedHeader.Commit; s.Signatures = s.Signatures[:3] }, fault.VerificationFailed},
		"other power":           {func(b *ledgerv1.LightBlock) { b.ValidatorSet.Validators[0].VotingPower = 1000 }, fault.VerificationFailed},
		"no power":              {func(b *ledgerv1.LightBlock) { b.ValidatorSet.Validators[0].VotingPower = 0 }, fault.VerificationFailed},
		"power without measure": {func(b *ledgerv1.LightBlock) { b.ValidatorSet.Validators[0].VotingPower = 1 << 62 }, fault.VerificationFailed},
		"a validator twice":     {func(b *ledgerv1.LightBlock) { v := b.ValidatorSet.Validators; v[1] = v[0] }, fault.VerificationFailed},
	} {
		t.Run(name, func(t *testing.T) {
			b := proto.CloneOf(good)
			tt.change(b)
			if _, err := step.Read(c.ID, steptest.Raw(t, b)); !fault.Is(err, tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	if _, err := step.Read(c.ID, make([]byte, step.MaxBytes+1)); !fault.Is(err, fault.TooLong) {
		t.Errorf("%v", err)
	}
	if _, err := step.Read(c.ID, append(steptest.Raw(t, good), 0x18, 0x01)); !fault.Is(err, fault.Malformed) {
		t.Errorf("a field that is not known: %v", err)
	}
	many := steptest.New(t, "chain-b", step.MaxValidators+1, now)
	if _, err := step.Read(c.ID, steptest.Raw(t, many.Make())); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("too many validators: %v", err)
	}
	full := steptest.New(t, "chain-b", step.MaxValidators, now)
	if b := read(t, full, full.Make()); b.Sign() != nil || b.Signatures != step.MaxValidators {
		t.Errorf("%d signatures: %v", b.Signatures, b.Sign())
	}
}

// TestMutations flips each byte of a block that is believed: none is believed with another
// meaning, and none makes a panic.
func TestMutations(t *testing.T) {
	c := steptest.New(t, "chain-b", 4, now)
	start := root(t, c)
	raw := steptest.Raw(t, c.Make())
	good, err := step.Read(c.ID, raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x01
		b, err := step.Read(c.ID, bad)
		if err != nil {
			continue
		}
		if _, err := start.Follow(b, step.OneThird); err == nil && b.Hash != good.Hash {
			t.Fatalf("byte %d: believed with another header", i)
		}
	}
}

// TestASignatureInAnotherForm: a signature has one form, and a block with another one is
// refused, which a relayer cures by leaving that signature out.
func TestASignatureInAnotherForm(t *testing.T) {
	c := steptest.New(t, "chain-b", 4, now)
	start := root(t, c)
	b := c.Make()
	s := b.SignedHeader.Commit.Signatures[0]
	// s + L: the same number modulo the order of the group.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	number := new(big.Int).Add(little(s.Signature[32:]), order)
	copy(s.Signature[32:], reversed(number.FillBytes(make([]byte, 32))))
	if _, err := start.Follow(read(t, c, b), step.OneThird); !fault.Is(err, fault.VerificationFailed) {
		t.Fatalf("%v", err)
	}
	b.SignedHeader.Commit.Signatures[0] = &ledgerv1.CommitSig{BlockIdFlag: 1}
	if _, err := start.Follow(read(t, c, b), step.OneThird); err != nil {
		t.Errorf("without it: %v", err)
	}
}

func little(b []byte) *big.Int { return new(big.Int).SetBytes(reversed(b)) }

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

// TestGolden pins what is hashed and signed: both are part of the chain now.
func TestGolden(t *testing.T) {
	c := steptest.New(t, "chain-b", 4, now)
	sum := sha256.Sum256(steptest.Raw(t, c.Make()))
	const want = "9bab37d526d50ef304894ad1f01855c6576d53291d7929ffbf8b9fdfe73c0df3"
	if got := new(big.Int).SetBytes(sum[:]).Text(16); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
