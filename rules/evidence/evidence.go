package evidence

import (
	"encoding/hex"

	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/state"
)

// items is the only table. Its encoding is part of the chain.
var items = state.NewTable[evidencev1.Evidence]("evidence/item") // by id

// ID returns the id under which a commitment is kept: the hex digits of its first 16
// bytes. To find two commitments with one id takes 2^64 attempts, and gains
// nothing: the second one is refused. It panics for less than 16 bytes.
func ID(commitment []byte) string { return hex.EncodeToString(commitment[:idLength/2]) }

// Key returns the key of the object as events and proofs name it.
func Key(id string) string { return items.Name() + "/" + id }
