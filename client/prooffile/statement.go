package prooffile

import (
	"encoding/hex"
)

// derive returns the statement that follows from what was proved. It is for
// people: programs read the report. Nothing in it is taken from the file's own
// statement but kind and subject, which checkSubject has checked.
func (v *verifier) derive() *node {
	n := object(
		"kind", v.said("kind"), "subject", v.said("subject"),
		"chain", v.founding.chain, "genesis", hex.EncodeToString(sum(v.genesis)),
		"height", number(uint64(v.last.header.GetHeight()-1)), "time", stamp(v.last.header.GetTime()),
		"block", hex.EncodeToString(v.last.hash), "power", v.power, "sm2", v.sm2,
	)
	if v.access != nil {
		n.with("record", v.record.node(), "log_size", number(v.leaves))
	}
	if g := v.charge; g != nil {
		n.with("rule", v.finding.rule, "breach", texts(g.breach), "records", each(g.records, (*record).node), "states", each(g.states, func(s logState) *node {
			return object("by", s.by, "size", number(s.size), "root", hex.EncodeToString(s.root))
		}), "log_size", number(v.leaves))
	}
	return n.with("acts", each(v.acts, v.actNode), "signers", each(v.signers, func(s Signer) *node {
		return object("account", s.Account, "as", s.As, "key", s.Key, "algorithm", s.Algorithm, "state", s.State)
	}))
}

// actNode says what an event says.
func (v *verifier) actNode(e *event) *node {
	return object(
		"verb", e.verb, "actor", e.actor, "height", number(e.height), "time", clock(e.timeMs), "transaction", hex.EncodeToString(e.tx),
		"message", number(e.message), "objects", texts(e.objects), "note", e.note,
	)
}

// node says what a record says, by the names of mulian.trace.v1.AccessRecord.
func (r *record) node() *node {
	n := object(
		"gateway", r.text(1), "agreement", r.text(2), "seq", number(r.number(3)), "outcome", outcomes[r.number(4)], "code", number(r.number(5)),
		"request_id", r.text(6), "asker", r.text(7), "entry", r.text(8), "entry_version", number(r.number(9)), "items", texts(r.texts(10)),
		"purpose", r.text(11), "rows", number(r.number(12)), "bytes", number(r.number(13)), "request_hash", hex.EncodeToString(r.raw(14)),
		"response_hash", hex.EncodeToString(r.raw(15)), "at", clock(r.atMs()), "view_height", number(r.number(17)),
		"delivery", number(r.number(18)), "pseudonym", hex.EncodeToString(r.raw(19)),
	)
	if r.number(20) != 0 { // records of before 2026-11-22 have none
		n.with("place", number(r.number(20)), "previous", number(r.number(21)))
	}
	if r.text(22) != "" {
		n.with("predicate", r.text(22))
	}
	if r.number(24) != 0 {
		n.with("use", number(r.number(24)))
	}
	if r.raw(23) != nil {
		n.with("sealed", r.sealedNode())
	}
	return n
}
