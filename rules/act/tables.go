package act

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/state"
)

// Members is the table of the organisations that have a vote, by organisation.
// Only package governance writes it; it stands here because identity protects
// members: see identity.SuspendAccount.
var Members = state.NewTable[governancev1.Member]("governance/member")

// Heads is the table of the anchored heads of access logs, by gateway. Only package
// trace writes it; it stands here because identity does not let a log's key end before
// what it has signed.
var Heads = state.NewTable[tracev1.Head]("trace/head")
