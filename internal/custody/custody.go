// Package custody holds what a custodian's program, a counter and the ledger's rules have to
// compute alike when the key of a person without a device is in custody.
//
// It knows nothing of the ledger and keeps no secret.
package custody

import (
	"encoding/binary"

	"mulian/internal/canon"
)

// KeyMessage is what a new key in custody signs, to show that the custodian has it for this
// account of this chain.
func KeyMessage(chainID, account, key string) []byte {
	return []byte("mulian-custody-key-v1\x00" + chainID + "\x00" + account + "\x00" + key)
}

// Handed is to what an opened seed is bound on its way from the custodian to the counter's
// terminal (info of HPKE): the account, which opening it is, and the transaction that asked.
func Handed(account string, number uint64, txID []byte) []byte {
	return canon.Frame("mulian/custody/handed/v1", []byte(account), binary.BigEndian.AppendUint64(nil, number), txID)
}
