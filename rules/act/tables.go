package act

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/state"
)

// Members is the table of the organisations that have a vote, by organisation.
// Only package governance writes it; it stands here because identity protects
// members: see identity.SuspendAccount.
var Members = state.NewTable[governancev1.Member]("governance/member")
