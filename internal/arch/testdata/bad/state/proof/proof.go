// Package proof is arithmetic.
package proof

// Size is documented.
const Size = 1
