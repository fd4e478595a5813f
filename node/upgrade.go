package node

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules"
	"mulian/rules/governance"
	"mulian/state"
)

// ready refuses with Outdated a state whose next block is made by rules that this
// program does not know. The node stops before that block; the newer program goes on
// from the same home. A program that knows more than is in force is no reason: until their
// height it keeps to the old rules.
func ready(v state.View) error {
	p := governance.Protocol(v)
	if known := rules.Protocol(); p.InForce > known {
		return fault.Newf(fault.Outdated, "from block %d on protocol %d is in force, and this program knows protocol %d: install the program of the upgrade and start it with the same home; all data is kept", p.SinceHeight, p.InForce, known)
	}
	return nil
}

// protocol is which rules are in force after the last block, and which upgrade waits.
func (n *Node) protocol() *governancev1.Protocol {
	v := n.ledger.View()
	defer v.Close()
	return governance.Protocol(v)
}
