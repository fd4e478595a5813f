package prooffile

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
)

// CheckpointFormat names the text of a checkpoint in its first line.
const CheckpointFormat = "mulian-checkpoint-v1"

// MaxCheckpoint bounds the text of a checkpoint: six lines.
const MaxCheckpoint = 512

// Checkpoint is a block that a reader trusts, in six lines that he keeps: a proof that
// begins there needs no block before it, and validators that had left by then can no
// longer lead him astray. It is no proof: whoever takes one from somebody else
// trusts him.
type Checkpoint struct {
	Chain      string
	Genesis    [32]byte // hash of the genesis, whose SM2 pins count
	Height     int64
	Hash       [32]byte // of the block's header
	Validators [32]byte // of the set that signed it
}

// String is the checkpoint's one text.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%s\nchain %s\ngenesis %x\nheight %d\nblock %x\nvalidators %x\n", CheckpointFormat, c.Chain, c.Genesis, c.Height, c.Hash, c.Validators)
}

// ParseCheckpoint reads the text of a checkpoint. Malformed for every other text.
func ParseCheckpoint(raw []byte) (c Checkpoint, err error) {
	lines := strings.Split(string(raw), "\n")
	if len(raw) > MaxCheckpoint || len(lines) != 7 || lines[0] != CheckpointFormat {
		return c, fault.Newf(fault.Malformed, "this is no checkpoint: it has six lines, and the first one is %s", CheckpointFormat)
	}
	c.Chain = strings.TrimPrefix(lines[1], "chain ")
	c.Height, _ = strconv.ParseInt(strings.TrimPrefix(lines[3], "height "), 10, 64)
	for line, into := range map[string]*[32]byte{strings.TrimPrefix(lines[2], "genesis "): &c.Genesis, strings.TrimPrefix(lines[4], "block "): &c.Hash, strings.TrimPrefix(lines[5], "validators "): &c.Validators} {
		if b, err := hex.DecodeString(line); err == nil && len(b) == 32 {
			copy(into[:], b)
		}
	}
	if c.Height < 1 || c.Height > maxNumber || c.Chain == "" || c.String() != string(raw) {
		return Checkpoint{}, fault.Newf(fault.Malformed, "this is no checkpoint: its lines are chain, genesis, height, block and validators")
	}
	return c, nil
}

// trust begins with the checkpoint's block.
func (c *Checkpoint) trust() *light.Trust {
	return light.At(c.Chain, c.Height, c.Hash, c.Validators)
}

// VerifyFrom is [Verify] for a reader who trusts a checkpoint: the file's first block has
// to be the checkpoint's, and nothing before it counts. It is of the checkpoint's genesis.
func VerifyFrom(file []byte, from Checkpoint) *Report {
	began := time.Now()
	v := &verifier{from: &from}
	r := v.conclude(v.verify(file, from.Genesis))
	r.Milliseconds = float64(time.Since(began).Microseconds()) / 1000
	return r
}

// checkFrom checks that the file is of the checkpoint's chain.
func (v *verifier) checkFrom() *refusal {
	if v.from == nil {
		return nil
	}
	if v.from.Chain != v.founding.chain {
		return refuse(stepGenesis, "genesis", "expected the chain %q of the checkpoint, the genesis is that of %q", v.from.Chain, v.founding.chain).as(fault.WrongChain)
	}
	b := v.blocks[0]
	if b.header.GetHeight() != v.from.Height || !bytes.Equal(b.hash, v.from.Hash[:]) {
		return refuse(stepTrust, "blocks[0]", "expected the block %d of the checkpoint, %x; this is block %d, %x", v.from.Height, v.from.Hash, b.header.GetHeight(), b.hash)
	}
	v.says(stepTrust, "checkpoint: block %d, %x", v.from.Height, v.from.Hash)
	return nil
}

// From returns a maker whose files begin at a checkpoint instead of the genesis, for a
// reader who trusts it ([VerifyFrom]). WrongChain if it is one of another genesis.
func (m *Maker) From(c Checkpoint) (*Maker, error) {
	if c.Genesis != m.hash || c.Chain != m.founded.chain {
		return nil, fault.Newf(fault.WrongChain, "the checkpoint is of the chain %s with the genesis %x, not of %s with %x", c.Chain, c.Genesis, m.founded.chain, m.hash)
	}
	return &Maker{c: m.c, genesis: m.genesis, hash: m.hash, founded: m.founded, from: &c}, nil
}

// Checkpoint returns the block of that height as a checkpoint, 0: the last one, after it
// was proved as in every file. NotFound if there is no such block, Pruned if the server no
// longer keeps what leads there.
func (m *Maker) Checkpoint(ctx context.Context, height int64) (c Checkpoint, err error) {
	st, err := m.c.Status(ctx)
	if err != nil {
		return c, err
	}
	if height == 0 {
		height = st.GetHeight()
	}
	if height < 1 || height > st.GetHeight() {
		return c, fault.Newf(fault.NotFound, "there is no block %d; the last one is %d", height, st.GetHeight())
	}
	b, _, err := m.lightBlock(ctx, height)
	if err != nil {
		return c, err
	}
	if _, err := m.way(ctx, b); err != nil {
		return c, err
	}
	h := b.GetSignedHeader().GetHeader()
	return Checkpoint{Chain: m.founded.chain, Genesis: m.hash, Height: h.GetHeight(), Hash: light.HeaderHash(h), Validators: [32]byte(h.GetValidatorsHash())}, nil
}

// begin is what a maker trusts before the first block, and, from a checkpoint, that block.
func (m *Maker) begin(ctx context.Context, target *ledgerv1.LightBlock) (light.Trust, []*ledgerv1.LightBlock, error) {
	if m.from == nil {
		return *m.founded.trust(), nil, nil
	}
	trust, height := *m.from.trust(), target.GetSignedHeader().GetHeader().GetHeight()
	if height < m.from.Height {
		return trust, nil, fault.Newf(fault.OutOfRange, "block %d is older than the checkpoint's block %d: begin at the genesis, or at an older checkpoint", height, m.from.Height)
	}
	if height == m.from.Height {
		return trust, nil, nil
	}
	first, _, err := m.lightBlock(ctx, m.from.Height)
	if err != nil {
		return trust, nil, err
	}
	if _, err := trust.VerifyBlock(first); err != nil {
		return trust, nil, err
	}
	return trust, []*ledgerv1.LightBlock{first}, nil
}
