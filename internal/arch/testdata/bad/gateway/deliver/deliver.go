// Package deliver knows too much.
package deliver // want "knows both rules and ledger"

import (
	"C"       // want "Go alone"
	"testing" // want "imports testing"

	"github.com/cometbft/cometbft/types" // want "stays behind ledger"
	"mulian/city"                        // want "does not stand below"
	"mulian/ledger"                      // want "no private door"
	"mulian/rules/share"                 // want "no private door"
	"mulian/server"                      // want "does not stand below"
)

var _ = []any{types.Tx{}, city.City{}, ledger.Height, share.Share{}, server.Server{}, testing.Short}
