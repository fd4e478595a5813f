package connect

import "context"

// Restricted is what a Source has whose database knows accounts.
type Restricted interface {
	// Excess tells what the account may do beside reading what is shared, each a phrase that
	// names the right and where ("INSERT on table public.firm"), at most MaxExcess of them;
	// empty: nothing. What a feed needs counts as needed while there is one.
	// A Source never uses such a right; but who gets hold of the account could.
	Excess(ctx context.Context) ([]string, error)
}

// MaxExcess bounds the list of Excess: with so many the account is another one's altogether.
const MaxExcess = 20
