package prooffile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"mulian/internal/fault"
	"mulian/state/proof"
)

// Verify checks a proof file with nothing but the hash of the genesis that the
// reader trusts ([client.Genesis].Hash). It asks nobody, keeps nothing and never
// fails: whatever the bytes, the report says whether they prove what they say.
func Verify(file []byte, genesisHash [32]byte) *Report {
	began := time.Now()
	v := &verifier{}
	r := v.conclude(v.verify(file, genesisHash))
	r.Milliseconds = float64(time.Since(began).Microseconds()) / 1000
	return r
}

// conclude is what a verification came to.
func (v *verifier) conclude(err *refusal) *Report {
	if err == nil && v.divided != nil {
		return v.reportSplit()
	}
	if err == nil {
		return v.report()
	}
	return &Report{Checks: v.checks, Code: err.code, Step: err.step, Field: err.field, Reason: err.text, why: err.phrase}
}

// verifier is one verification under way: what it has proved so far.
type verifier struct {
	*content
	from     *Checkpoint // that the reader trusts; nil: the genesis
	founding *founding
	last     *block         // the anchor: its app hash is that of the state
	power    string         // of the votes for last
	sm2      string         // of the SM2 votes for last
	state    map[string]int // index of the object with that key
	used     []bool         // objects that something rests on
	acts     []*event
	record   *record
	charge   *charge // of a finding
	leaves   uint64  // of the gateway's log
	signers  []Signer
	checks   []Check
	divided  *split        // of the evidence of a split view, else nil
	states   []signedState // of it
	breach   string        // of it
}

func (v *verifier) says(step, format string, args ...any) {
	v.checks = append(v.checks, Check{step, fmt.Sprintf(format, args...), phrase{format, args}})
}

// verify takes the steps in their order, which is part of the format.
func (v *verifier) verify(file []byte, genesisHash [32]byte) *refusal {
	if len(file) > MaxFile {
		return refuse(stepForm, "the file", "%d bytes, at most %d", len(file), MaxFile).as(fault.TooLong)
	}
	tree, err := parse(file)
	if err == nil && len(tree.fields) > 0 && tree.list[0].text == SplitFormat {
		return v.verifySplit(tree, genesisHash)
	}
	if err == nil {
		v.content, err = read(tree)
	}
	switch {
	case err != nil && copied(file) != "":
		return refuse(stepForm, "the file", "%s", copied(file)).as(fault.Malformed)
	case err != nil && !bytes.Contains(file[:min(len(file), 100)], []byte(Format)):
		return refuse(stepForm, "the file", "this is no proof file: its first lines do not name %s (%v)", Format, err).as(fault.Malformed)
	case err != nil:
		return refuse(stepForm, "the file", "%v", err).as(fault.Malformed)
	}
	v.says(stepForm, "%d bytes in their one form", len(file))
	for _, step := range []func() *refusal{
		func() *refusal { return v.checkGenesis(genesisHash) },
		v.checkFrom, v.checkBlocks, v.checkState, v.checkObjects, v.checkEvents, v.checkTransactions, v.checkAccess, v.checkFinding, v.checkAbsence, v.checkUse, v.checkStatement,
	} {
		if r := step(); r != nil {
			return r
		}
	}
	return nil
}

// copied tells how a program that copied or saved the file has changed it, "" if it has
// not: the bytes are signed for, so a file is copied as it is.
func copied(file []byte) string {
	switch {
	case bytes.HasPrefix(file, []byte("\xef\xbb\xbf")):
		return "an editor or a copy has put a byte order mark before it: get the original, and copy it as it is"
	case bytes.HasPrefix(file, []byte("\xff\xfe")), bytes.HasPrefix(file, []byte("\xfe\xff")):
		return "an editor or a copy has turned it into UTF-16: get the original, and copy it as it is"
	case bytes.HasPrefix(file, []byte("{\r\n")):
		return "an editor or a copy has turned its line feeds into those of Windows (CR LF): get the original, and copy it as it is"
	case bytes.HasSuffix(file, []byte("}\n\n")), bytes.HasSuffix(file, []byte("\n}")):
		return "an editor or a copy has added or taken away a line feed at its end: get the original, and copy it as it is"
	case bytes.HasPrefix(file, []byte("{\n")) && !bytes.HasSuffix(file, []byte("}\n")):
		return "it ends in the middle: it was not copied to its end"
	}
	return ""
}

func (v *verifier) checkGenesis(want [32]byte) *refusal {
	got := sha256.Sum256(v.genesis)
	if got != want {
		return refuse(stepGenesis, "genesis", "expected the genesis %x, the file has %x", want, got).as(fault.WrongChain)
	}
	g, err := scanGenesis(v.genesis)
	if err != nil {
		return refuse(stepGenesis, "genesis", "%v", err)
	}
	v.founding = g
	v.says(stepGenesis, "%x, chain %s, %d validators", got, g.chain, len(g.validators))
	return nil
}

// checkState binds the roots to the app hash that the validators signed.
func (v *verifier) checkState() *refusal {
	hash := proof.AppHash(proof.Hash(v.treeRoot), proof.Hash(v.logRoot), int64(v.logSize))
	if !bytes.Equal(hash[:], v.last.header.GetAppHash()) {
		return refuse(stepState, "state", "expected the app hash %x of block %d, the roots give %s", v.last.header.GetAppHash(), v.last.header.GetHeight(), hash)
	}
	v.says(stepState, "tree %x, log of %d events", v.treeRoot, v.logSize)
	return nil
}

func (v *verifier) checkObjects() *refusal {
	v.state, v.used = map[string]int{}, make([]bool, len(v.objects))
	for i, o := range v.objects {
		at := fmt.Sprintf("objects[%d]", i)
		if _, there := v.state[o.key]; there {
			return refuse(stepObject, at+".key", "%s is there twice", o.key)
		}
		v.state[o.key] = i
		p := &proof.Key{
			TreeRoot: proof.Hash(v.treeRoot), LogRoot: proof.Hash(v.logRoot), LogSize: int64(v.logSize), Key: []byte(o.key),
			Exists: true, Value: append([]byte{}, o.value...), Depth: int(o.depth), Bitmap: o.bitmap, Siblings: hashes(o.siblings),
		}
		if err := proof.VerifyKey(proof.Hash(v.last.header.GetAppHash()), p.Key, p.Value, p); err != nil {
			return refuse(stepObject, at, "%s: %v", o.key, err)
		}
		v.says(stepObject, "%s, %d bytes, %d levels down", o.key, len(o.value), o.depth)
	}
	return nil
}

func hashes(b []byte) []proof.Hash {
	out := make([]proof.Hash, len(b)/32)
	for i := range out {
		out[i] = proof.Hash(b[32*i:])
	}
	return out
}

func (v *verifier) checkEvents() *refusal {
	for i, e := range v.events {
		at := fmt.Sprintf("events[%d]", i)
		if i > 0 && e.seq <= v.events[i-1].seq {
			return refuse(stepEvent, at+".seq", "events ascend, and %d follows %d", e.seq, v.events[i-1].seq)
		}
		p := &proof.Event{Seq: int64(e.seq), Size: int64(v.logSize), Event: e.event, Path: hashes(e.path)}
		if err := proof.VerifyEventInLog(proof.Hash(v.logRoot), e.event, p); err != nil {
			return refuse(stepEvent, at, "event %d: %v", e.seq, err)
		}
		x, err := scanEvent(e.event)
		if err != nil {
			return refuse(stepEvent, at+".event", "%v", err)
		}
		if int64(x.height) >= v.last.header.GetHeight() {
			return refuse(stepEvent, at+".event", "it is of height %d, the state of %d", x.height, v.last.header.GetHeight()-1)
		}
		v.acts = append(v.acts, x)
		v.says(stepEvent, "%d: %s by %s at height %d", e.seq, x.verb, x.actor, x.height)
	}
	return nil
}

// checkUse refuses what the statement does not rest on, so that there is nothing
// in a file that could be changed and not be missed.
func (v *verifier) checkUse() *refusal {
	for i, used := range v.used {
		if !used && (i > 0 || v.said("kind") != kindObject) {
			return refuse(stepObject, fmt.Sprintf("objects[%d]", i), "nothing rests on %s", v.objects[i].key)
		}
	}
	return nil
}

// checkStatement compares what the file says with what was proved.
func (v *verifier) checkStatement() *refusal {
	if r := v.checkSubject(); r != nil {
		return r
	}
	if path, want, got := differ(v.derive(), v.statement, "statement"); path != "" {
		return refuse(stepStatement, path, "expected %s, the file says %s", want, got)
	}
	v.says(stepStatement, "%d lines follow from what is proved", bytes.Count(v.statement.bytes(), []byte{'\n'}))
	return nil
}

func (v *verifier) report() *Report {
	s := v.statement
	r := &Report{
		OK: true, Kind: s.list[0].text, Object: s.list[1].text, Chain: v.founding.chain, Genesis: hex.EncodeToString(sum(v.genesis)),
		Height: v.last.header.GetHeight() - 1, Time: stamp(v.last.header.GetTime()), Power: v.power, SM2: v.sm2,
		Signers: v.signers, Checks: v.checks, Statement: s.bytes(),
	}
	if r.Kind == kindObject {
		r.Value = append([]byte{}, v.objects[0].value...)
	}
	if v.from != nil {
		r.Checkpoint = v.from.Height
	}
	for _, x := range v.last.voters {
		r.Validators = append(r.Validators, Validator{PublicKey: x.key, Power: x.vote, Signed: x.sig != nil, SM2: x.sm2 != nil})
	}
	return r
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

// differ returns the first place where two trees differ, "" if there is none.
func differ(want, got *node, path string) (string, string, string) {
	switch {
	case want.kind != got.kind:
		return path, kindName(want), kindName(got)
	case want.kind == 's' && want.text != got.text:
		return path, fmt.Sprintf("%q", want.text), fmt.Sprintf("%q", got.text)
	}
	for i := range want.list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if want.kind == 'o' {
			at = path + "." + want.fields[i]
			if i >= len(got.fields) || got.fields[i] != want.fields[i] {
				return at, "the field", "something else"
			}
		}
		if i >= len(got.list) {
			return at, kindName(want.list[i]), "nothing"
		}
		if p, w, g := differ(want.list[i], got.list[i], at); p != "" {
			return p, w, g
		}
	}
	if len(got.list) > len(want.list) {
		return path, fmt.Sprintf("%d values", len(want.list)), fmt.Sprintf("%d", len(got.list))
	}
	return "", "", ""
}

func kindName(n *node) string {
	switch n.kind {
	case 'l':
		return "a list"
	case 'o':
		return "an object"
	}
	return "a text"
}
