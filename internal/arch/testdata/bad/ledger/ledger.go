// Package ledger may know the engine, not the rules.
package ledger

import (
	"github.com/cometbft/cometbft/node"
	"mulian/rules/share" // want "does not stand below"
)

// Height is documented.
const Height = 1

const (
	Low = iota // said beside it
)

var _ = node.Node{}
var _ share.Share
