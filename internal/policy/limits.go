package policy

// Bounds. Our own choice: the longest condition of the real agreements that we have read
// has 6 comparisons. They are part of the chain: what was accepted once stays so.
const (
	MaxSource = 2000   // code points of a condition
	MaxFields = 1000   // that a condition may choose from
	maxDepth  = 32     // of nested expressions
	maxNodes  = 300    // of its tree
	MaxCost   = 50_000 // of one evaluation, in CEL's units: some 5 ms
	maxDigits = 200    // of a decimal or integer that is computed with
	maxText   = 64 << 10
)
