package ledger_test

import cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"

// addressOf is the engine's address of a validator.
func addressOf(key [32]byte) []byte { return cmted25519.PubKey(key[:]).Address() }
