// Package twice is in order, and the tools of the ground floor know no domain.
package twice

import "mulian/state" // want "does not stand below"

// Times is documented.
const Times = 2 * state.Height
