package prooffile

import (
	"encoding/base64"
	"fmt"
	"strings"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state/proof"
)

// Rules of files of kind finding: each is one thing that no honest gateway does, shown by
// what the gateway itself has signed or anchored. docs/spec/proof.md, section 4.4.
const (
	RuleContradicted = "contradicted" // a receipt names a place at which the log has something else
	RuleMisplaced    = "misplaced"    // a record names another place than the one at which it stands
	RuleTwice        = "twice"        // two decisions under one number
	RuleGap          = "gap"          // a number is missing before a decision
	RuleUnanchored   = "unanchored"   // a record was not in the anchored log long after its own time
	RuleOutside      = "outside"      // released, and not by the agreement
	RuleRevoked      = "revoked"      // released after the agreement was stopped
	RuleCounts       = "counts"       // a delivery has other rows on the ledger than in the record
	RuleForked       = "forked"       // two states of one size with different roots
	RuleRewritten    = "rewritten"    // a later state does not contain an earlier one
)

// finding is the part of a file of kind finding that no other kind has.
type finding struct {
	rule        string
	records     []*claimed
	checkpoints [][]byte // signed notes
	root        []byte   // of rewritten: of the newer state's own beginning
	path        []byte   // its proof of consistency
}

// claimed is a record that the gateway has signed (in "receipt"), or that stands in the
// log whose head the ledger has (in "head").
type claimed struct {
	access
	in string
}

const (
	inHead    = "head"
	inReceipt = "receipt"
)

// Bounds of a finding.
const (
	maxClaimed     = 2
	maxCheckpoints = 2
	maxNote        = 1024 // bytes of a checkpoint
)

func (f *finding) tree() *node {
	return object(
		"rule", f.rule,
		"records", each(f.records, func(c *claimed) *node {
			n := c.access.node()
			n.fields, n.list = append([]string{"in"}, n.fields...), append([]*node{text(c.in)}, n.list...)
			return n
		}),
		"checkpoints", each(f.checkpoints, func(b []byte) *node { return text(base(b)) }),
		"root", base(f.root), "path", base(f.path),
	)
}

func (r *reader) finding(n *node) *finding {
	f := r.object(n, "finding", "rule", "records", "checkpoints", "root", "path")
	if r.err != nil {
		return nil
	}
	out := &finding{
		rule: r.text(f[0], "finding.rule"), root: r.hashes(f[3], "finding.root", 1), path: r.hashes(f[4], "finding.path", maxPath),
	}
	for i, x := range r.list(f[1], "finding.records", 0, maxClaimed) {
		at := fmt.Sprintf("finding.records[%d]", i)
		g := r.object(x, at, append([]string{"in"}, accessFields...)...)
		if r.err != nil {
			return nil
		}
		c := &claimed{in: r.text(g[0], at+".in"), access: *r.accessOf(g[1:], at)}
		if c.in != inHead && c.in != inReceipt {
			r.refuse(at+".in", "head or receipt")
		}
		out.records = append(out.records, c)
	}
	for i, x := range r.list(f[2], "finding.checkpoints", 0, maxCheckpoints) {
		at := fmt.Sprintf("finding.checkpoints[%d]", i)
		b := r.base(x, at)
		if len(b) == 0 || len(b) > maxNote {
			r.refuse(at, fmt.Sprintf("1 to %d bytes", maxNote))
		}
		out.checkpoints = append(out.checkpoints, b)
	}
	return out
}

// A shape is what a rule needs: so many records and checkpoints, and the ledger's
// events. Everything else has to be absent.
type shape struct {
	records, checkpoints, events [2]int // least, most
	consistency                  bool
	check                        func(*verifier, *charge) *refusal
}

var shapes = map[string]shape{
	RuleContradicted: {records: [2]int{2, 2}, check: (*verifier).checkContradicted},
	RuleMisplaced:    {records: [2]int{1, 1}, check: (*verifier).checkMisplaced},
	RuleTwice:        {records: [2]int{2, 2}, check: (*verifier).checkTwice},
	RuleGap:          {records: [2]int{1, 2}, check: (*verifier).checkGap},
	RuleUnanchored:   {records: [2]int{1, 1}, events: [2]int{0, 1}, check: (*verifier).checkUnanchored},
	RuleOutside:      {records: [2]int{1, 1}, check: (*verifier).checkOutside},
	RuleRevoked:      {records: [2]int{1, 1}, events: [2]int{1, 1}, check: (*verifier).checkRevoked},
	RuleCounts:       {records: [2]int{1, 1}, check: (*verifier).checkCounts},
	RuleSecrecy:      {records: [2]int{1, 1}, check: (*verifier).checkSecrecy},
	RuleUnopened:     {records: [2]int{1, 1}, check: (*verifier).checkUnopened},
	RuleWithoutUse:   {records: [2]int{1, 1}, check: (*verifier).checkWithoutUse},
	RuleForked:       {checkpoints: [2]int{1, 2}, check: (*verifier).checkForked},
	RuleRewritten:    {checkpoints: [2]int{1, 2}, consistency: true, check: (*verifier).checkRewritten},
}

// charge is a finding as far as it is proved.
type charge struct {
	gateway string
	records []*record
	states  []logState // of checkpoints, and of the head if there is one
	head    *logState  // nil: the file has none
	breach  []string   // what no honest gateway does, in the words of the format
}

// logState is a size of a log with its root.
type logState struct {
	by   string // "checkpoint", "ledger"
	size uint64
	root []byte
}

func within(n int, bounds [2]int) bool { return n >= bounds[0] && n <= bounds[1] }

// checkFinding checks that the gateway did what the rule says.
func (v *verifier) checkFinding() *refusal {
	f := v.finding
	if f == nil {
		return nil
	}
	s, known := shapes[f.rule]
	if !known {
		return refuse(stepFinding, "finding.rule", "this verifier does not know the rule %q", f.rule)
	}
	if !within(len(f.records), s.records) || !within(len(f.checkpoints), s.checkpoints) || !within(len(v.acts), s.events) || len(v.sealed) > 0 ||
		s.consistency != (len(f.root) > 0) || !s.consistency && len(f.path) > 0 {
		return refuse(stepFinding, "finding", "the parts are not those of the rule %s", f.rule)
	}
	g := &charge{gateway: v.said("subject")}
	v.charge = g
	if len(f.records) > 0 {
		r, err := scanRecord(f.records[0].record)
		if err != nil {
			return refuse(stepRecord, "finding.records[0].record", "%v", err)
		}
		g.gateway = r.gateway()
	}
	if raw, ok := v.object(headPrefix + g.gateway); ok {
		name, size, root, err := scanHead(raw)
		if err != nil || name != g.gateway {
			return refuse(stepLog, "finding", "%s%s is no head of a log", headPrefix, g.gateway)
		}
		g.head = &logState{"ledger", size, root}
		v.leaves = size
	}
	for i, c := range f.records {
		if r := v.checkClaimed(g, c, fmt.Sprintf("finding.records[%d]", i)); r != nil {
			return r
		}
	}
	for i, note := range f.checkpoints {
		st, r := v.checkNote(g.gateway, note, fmt.Sprintf("finding.checkpoints[%d]", i))
		if r != nil {
			return r
		}
		g.states = append(g.states, *st)
	}
	if r := s.check(v, g); r != nil {
		return r
	}
	if len(g.breach) == 0 {
		return refuse(stepFinding, "finding", "what the file shows is no breach of the rule %s", f.rule)
	}
	v.says(stepFinding, "%s: %s", f.rule, strings.Join(g.breach, ", "))
	return nil
}

// checkClaimed checks that the gateway stands behind a record: by its signature, or by
// the head that it has anchored.
func (v *verifier) checkClaimed(g *charge, c *claimed, at string) *refusal {
	rec, err := scanRecord(c.record)
	if err != nil {
		return refuse(stepRecord, at+".record", "%v", err)
	}
	g.records = append(g.records, rec)
	v.says(stepRecord, "%s of %s by %s", outcomes[rec.number(4)], rec.text(8), rec.asker())
	switch {
	case c.in == inReceipt && (c.providerKey == "" || c.leaf != 0 || len(c.path) > 0 || rec.gateway() != g.gateway):
		return refuse(stepRecord, at, "a receipt is signed by the gateway %s, and has no place but the one that it names", g.gateway)
	case c.in == inHead && g.head == nil:
		return refuse(stepLog, at, "the file has no proof of %s%s", headPrefix, g.gateway)
	case c.in == inHead:
		got, err := proof.RootFromPath(proof.EventLeaf(c.record), int64(c.leaf), int64(g.head.size), hashes(c.path))
		if err != nil {
			return refuse(stepLog, at+".path", "%v", err)
		}
		if string(got[:]) != string(g.head.root) {
			return refuse(stepLog, at+".path", "expected the root %x of %d records that the ledger has, the path leads to %s", g.head.root, g.head.size, got)
		}
		v.says(stepLog, "record %d of %d, root %x", c.leaf, g.head.size, g.head.root)
	}
	return v.checkReceipt(&c.access, rec, at)
}

// checkNote checks a checkpoint (C2SP tlog-checkpoint) of the gateway's log: three lines
// and the log's own signature, nothing else.
func (v *verifier) checkNote(gateway string, note []byte, at string) (*logState, *refusal) {
	raw, ok := v.object(accountPrefix + gateway)
	if !ok {
		return nil, refuse(stepKey, at, "the file has no proof of %s%s", accountPrefix, gateway).as(fault.NotWhitelisted)
	}
	origin, keys, err := scanLogKeys(raw, gateway)
	if err != nil {
		return nil, refuse(stepKey, at, "%s%s has no key of a log: %v", accountPrefix, gateway, err)
	}
	lines := strings.Split(string(note), "\n")
	if len(lines) != 6 || lines[3] != "" || lines[5] != "" {
		return nil, refuse(stepFinding, at, "it is no checkpoint of three lines with one signature")
	}
	st := &logState{by: "checkpoint"}
	r := &reader{}
	st.size = r.number(text(lines[1]), at, 0, maxNumber)
	st.root = r.base(text(lines[2]), at)
	name, line, cut := strings.Cut(strings.TrimPrefix(lines[4], "— "), " ")
	sig := r.base(text(line), at)
	key := keys[0].public
	for _, k := range keys { // that of those which sign this size
		if h := sum(append([]byte(origin+"\n\x01"), k.public...)); len(sig) == 68 && string(sig[:4]) == string(h[:4]) && k.from <= st.size && (k.until == 0 || st.size < k.until) {
			key = k.public
		}
	}
	public, err := sm.ParsePublic(sm.Ed25519, key)
	if err != nil {
		return nil, refuse(stepKey, at, "%s%s has no key of a log", accountPrefix, gateway)
	}
	hash := sum(append([]byte(origin+"\n\x01"), key...))
	if r.err != nil || lines[0] != origin || len(st.root) != 32 || !cut || name != origin || !strings.HasPrefix(lines[4], "— ") || len(sig) != 68 || string(sig[:4]) != string(hash[:4]) {
		return nil, refuse(stepFinding, at, "it is no checkpoint of %q by its key", origin)
	}
	signed := strings.Join(lines[:3], "\n") + "\n"
	if !public.Verify([]byte(signed), sig[4:]) {
		return nil, refuse(stepSignature, at, "the signature is not that of the log's key").as(fault.BadAuthorisation)
	}
	v.says(stepLog, "checkpoint of %s: %d records, root %x", origin, st.size, st.root)
	return st, nil
}

// PlainNote writes a checkpoint in the form that a file has: three lines and the log's
// own signature. Malformed if it has none of that origin.
func PlainNote(note []byte, origin string) ([]byte, error) {
	body, sigs, ok := strings.Cut(string(note), "\n\n")
	lines := strings.Split(body, "\n")
	if !ok || len(lines) != 3 {
		return nil, fault.Newf(fault.Malformed, "the checkpoint has not three lines")
	}
	for line := range strings.SplitSeq(sigs, "\n") {
		if rest, ours := strings.CutPrefix(line, "— "+origin+" "); ours {
			if raw, err := base64.StdEncoding.Strict().DecodeString(rest); err == nil && len(raw) == 68 {
				return []byte(body + "\n\n" + line + "\n"), nil
			}
		}
	}
	return nil, fault.Newf(fault.Malformed, "the checkpoint has no signature of %s", origin)
}

// OwnNote is [PlainNote] of a checkpoint that a key of the gateway's log has signed which,
// as the ledger says, signs its size. VerificationFailed if none has; Malformed if it is
// no checkpoint.
func OwnNote(note []byte, p *identityv1.GatewayProfile) ([]byte, error) {
	size, _, err := ReadNote(note)
	if err != nil {
		return nil, err
	}
	body, sigs, _ := strings.Cut(string(note), "\n\n")
	body += "\n"
	keys := p.GetLogKeys()
	if len(keys) == 0 {
		keys = []*identityv1.LogKey{{PublicKey: p.GetLogPublicKey()}}
	}
	origin := p.GetLogOrigin()
	for line := range strings.SplitSeq(sigs, "\n") {
		rest, ours := strings.CutPrefix(line, "— "+origin+" ")
		raw, err := base64.StdEncoding.Strict().DecodeString(rest)
		if !ours || err != nil || len(raw) != 68 || !strings.HasPrefix(body, origin+"\n") {
			continue
		}
		for _, k := range keys {
			pub, err := sm.ParsePublic(sm.Ed25519, k.GetPublicKey())
			hash := sum(append([]byte(origin+"\n\x01"), k.GetPublicKey()...))
			signs := k.GetFromSize() <= size && (k.GetUntilSize() == 0 || size < k.GetUntilSize())
			if err == nil && signs && string(raw[:4]) == string(hash[:4]) && pub.Verify([]byte(body), raw[4:]) {
				return []byte(body + "\n" + line + "\n"), nil
			}
		}
	}
	return nil, fault.Newf(fault.VerificationFailed, "the checkpoint is not signed by a key that the ledger has for a log of %d records", size)
}

// SplitNote takes a checkpoint in that form apart: what is signed, and the signature.
func SplitNote(note []byte) (body, sig []byte, err error) {
	text, line, ok := strings.Cut(string(note), "\n\n")
	_, last, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "— "), " ")
	raw, err := base64.StdEncoding.Strict().DecodeString(last)
	if !ok || err != nil || len(raw) != 68 {
		return nil, nil, fault.Newf(fault.Malformed, "it is no checkpoint")
	}
	return []byte(text + "\n"), raw[4:], nil
}
