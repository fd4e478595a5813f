// Package client shares the proofs' arithmetic with state, not the store.
package client

import (
	"mulian/state" // want "does not stand below"
	"mulian/state/proof"
)

var _ = proof.Size + state.Height
