package node

import "mulian/ledger"

// Attest signs a checkpoint of the log of events with the key of the validator whose home
// this is ([ledger.Attest]). The node need not run.
func Attest(home string, text []byte) (signature []byte, validator [32]byte, err error) {
	return ledger.Attest(home, text)
}
