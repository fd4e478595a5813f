// Package state stands low.
package state

import "mulian/internal/twice"

// Height is documented.
const Height = twice.Times
