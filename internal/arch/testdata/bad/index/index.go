// Package index reads what was committed, not the store.
package index

import "mulian/state" // want "never its store"

var _ = state.Height
