package ledger

import (
	"encoding/binary"
	"fmt"

	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/state"
	"mulian/state/machine"
)

// Committed is what became of a transaction.
type Committed struct {
	ID     [32]byte
	Height int64
	Index  uint32 // in the block, from 0
	TimeMs int64  // block time
	Code   fault.Code
	Data   []byte // mulian.tx.v1.Outcome, agreed
	Text   string // for people; empty for what was committed before this process began
}

// Our records in the state. All are Plain: derived from the blocks, the same on
// every node, not in the app hash. The rules' keys are text; ours begin with a byte
// that no text has.
const (
	txPrefix        = "\xfftx/"        // + id, 32 bytes -> Committed
	unspentPrefix   = "\xffunspent/"   // + height, index -> Committed that did not spend its id
	validatorPrefix = "\xffvalidator/" // + Ed25519 public key -> power
	genesisKey      = "\xffgenesis"    // genesisID
)

// genesisID names what a chain began with.
func genesisID(chainID string, timeMs int64, signed []byte) [32]byte {
	return canon.Digest("mulian/genesis/v1", []byte(chainID), binary.BigEndian.AppendUint64(nil, uint64(timeMs)), signed)
}

func txKey(id [32]byte) []byte { return append([]byte(txPrefix), id[:]...) }

func unspentKey(height int64, index uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte(unspentPrefix), uint64(height)), index)
}

const recordVersion, recordLen = 1, 1 + 8 + 4 + 8 + 4

func (c *Committed) record() []byte {
	b := make([]byte, 0, recordLen+len(c.Data))
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Height))
	b = binary.BigEndian.AppendUint32(b, c.Index)
	b = binary.BigEndian.AppendUint64(b, uint64(c.TimeMs))
	b = binary.BigEndian.AppendUint32(b, uint32(c.Code))
	return append(b, c.Data...)
}

func parseCommitted(id [32]byte, b []byte) (*Committed, error) {
	if len(b) < recordLen || b[0] != recordVersion {
		return nil, fault.Newf(fault.Damaged, "the record of transaction %x has %d bytes", id, len(b))
	}
	return &Committed{
		ID:     id,
		Height: int64(binary.BigEndian.Uint64(b[1:])),
		Index:  binary.BigEndian.Uint32(b[9:]),
		TimeMs: int64(binary.BigEndian.Uint64(b[13:])),
		Code:   fault.Code(binary.BigEndian.Uint32(b[21:])),
		Data:   append([]byte(nil), b[recordLen:]...),
	}, nil
}

// lookup finds a transaction in a state.
func lookup(v state.View, id [32]byte) (*Committed, bool, error) {
	b, ok := v.Get(txKey(id))
	if !ok {
		return nil, false, nil
	}
	c, err := parseCommitted(id, b)
	return c, err == nil, err
}

// refusal is a result that the ledger gives without asking the rules.
func refusal(code fault.Code, rule string, height int64, text string) machine.Result {
	data, err := canon.Marshal(&txv1.Outcome{Code: uint32(code), Rule: rule, Height: height})
	if err != nil {
		panic(fmt.Sprintf("ledger: outcome of %s: %v", rule, err)) // constants only
	}
	return machine.Result{Code: code, Data: data, Text: text}
}
