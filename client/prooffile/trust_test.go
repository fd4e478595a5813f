package prooffile

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
)

// trustDir holds the vectors of what came after the first ones, which stay as they are:
// what was proved then has to be proved for ever.
var trustDir = filepath.Join("..", "..", "docs", "spec", "testdata", "trust")

// trustVector is a vector whose reader may trust a checkpoint instead of the genesis.
type trustVector struct {
	vector
	Checkpoint string `json:"checkpoint,omitempty"`
}

func (v trustVector) report(t testing.TB, file []byte) *Report {
	t.Helper()
	if v.Checkpoint == "" {
		return Verify(file, [32]byte(unhex(t, v.GenesisHash)))
	}
	c, err := ParseCheckpoint([]byte(v.Checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	return VerifyFrom(file, c)
}

func (v trustVector) second(js *second, file []byte) map[string]any {
	out := map[string]any{}
	js.ask(map[string]any{"ask": "verify", "file": base64.StdEncoding.EncodeToString(file), "genesis_hash": v.GenesisHash, "checkpoint": v.Checkpoint}, &out)
	return out
}

// handed is a chain of four validators of which one after the other is replaced, with some
// blocks between, until none of the first is left.
func handed(t testing.TB) *story {
	w := newWorld(t, "proof-handed", validator(t, "a", 10, true), validator(t, "b", 10, true), validator(t, "c", 10, true), validator(t, "d", 10, true))
	s := tell(w)
	set := w.set(1)
	for i, name := range []string{"e", "f", "g", "h", "i", "j", "k", "l", "m", "n"} {
		set = append(slices.Clone(set[1:]), validator(t, name, 10, false))
		w.change(set...)
		for range i % 3 {
			w.block(nil)
		}
	}
	return s
}

// checkpointAt is the checkpoint of a block of the world, by the definitions.
func (w *world) checkpointAt(m *Maker, height int64) Checkpoint {
	h := w.blocks[height].GetSignedHeader().GetHeader()
	return Checkpoint{Chain: w.chain, Genesis: m.hash, Height: height, Hash: light.HeaderHash(h), Validators: [32]byte(h.GetValidatorsHash())}
}

// trustVectors makes the vectors and their files.
func trustVectors(t testing.TB) (list []trustVector, files map[string][]byte) {
	ctx, ok, files := context.Background(), must(t), map[string][]byte{}
	add := func(name, shows string, m *Maker, from *Checkpoint, file []byte, code fault.Code, step string) {
		v := trustVector{vector: vector{File: name + ".mulian-proof.json", Shows: shows, GenesisHash: hex.EncodeToString(m.hash[:]), OK: code == 0, Code: code, Step: step}}
		if from != nil {
			v.Checkpoint = from.String()
		}
		r := v.report(t, file)
		if r.OK != v.OK || r.Code != code || r.Step != step {
			t.Errorf("%s: %v %v %s %s: %s; want %v %s", name, r.OK, r.Code, r.Step, r.Field, r.Reason, code, step)
		}
		v.Field = r.Field
		list, files[v.File] = append(list, v), file
	}
	good := func(name, shows string, m *Maker, file []byte) { add(name, shows, m, m.from, file, 0, "") }

	s := handed(t)
	m := s.maker
	middle, last := s.checkpointAt(m, s.height/2), s.checkpointAt(m, s.height)
	mid, err := m.From(middle)
	if err != nil {
		t.Fatal(err)
	}
	end, err := m.From(last)
	if err != nil {
		t.Fatal(err)
	}
	good("handed", "all validators were replaced, one by one", m, ok(m.Object(ctx, agreementKey)))
	good("handed-from", "the same from a checkpoint of after the first had left", mid, ok(mid.Object(ctx, agreementKey)))
	good("handed-at", "the same, of the block of the checkpoint", end, ok(end.Object(ctx, agreementKey)))
	good("handed-access", "an access after all validators were replaced", mid, ok(mid.Receipt(ctx, s.receipt, s.log)))
	good("handed-transaction", "a transaction of before", m, ok(m.Transaction(ctx, s.answer)))
	good("absent", "a key that is not there, where another's leaf stands", m, ok(m.State(ctx, "share/agreement/ffffffffffffffff")))
	good("absent-from", "the same from a checkpoint", mid, ok(mid.State(ctx, "share/agreement/ffffffffffffffff")))
	good("absent-empty", "a key that is not there, whose place is empty", m, ok(m.Absence(ctx, s.emptyPlace())))

	bad := func(name, shows, from string, m *Maker, c *Checkpoint, code fault.Code, step string, edit func(c *content)) {
		x := contentOf(t, files[from+".mulian-proof.json"])
		edit(x)
		add("bad-"+name, shows, m, c, x.node().bytes(), code, step)
	}
	same := func(*content) {}
	wrong := func(edit func(c *Checkpoint)) *Checkpoint { c := middle; edit(&c); return &c }
	bad("from-hash", "a checkpoint of another block", "handed-from", mid, wrong(func(c *Checkpoint) { c.Hash[0] ^= 1 }), unproved, "trust", same)
	bad("from-validators", "a checkpoint with other validators", "handed-from", mid, wrong(func(c *Checkpoint) { c.Validators[0] ^= 1 }), unproved, "trust", same)
	bad("from-height", "a checkpoint of another height", "handed-from", mid, wrong(func(c *Checkpoint) { c.Height++ }), unproved, "trust", same)
	bad("from-genesis", "a checkpoint of another genesis", "handed-from", mid, wrong(func(c *Checkpoint) { c.Genesis[0] ^= 1 }), fault.WrongChain, "genesis", same)
	bad("from-chain", "a checkpoint of another chain", "handed-from", mid, wrong(func(c *Checkpoint) { c.Chain = "other" }), fault.WrongChain, "genesis", same)
	bad("from-without", "the block of the checkpoint is left out", "handed-from", mid, &middle, unproved, "trust", func(c *content) { c.blocks = c.blocks[1:] })
	bad("from-as-genesis", "a file from a checkpoint for a reader who trusts the genesis", "handed-from", m, nil, unproved, "trust", same)
	bad("genesis-as-from", "a file from the genesis for a reader who trusts a checkpoint", "handed", mid, &middle, unproved, "trust", same)
	bad("skip", "a block on the way is left out", "handed", m, nil, unproved, "trust", func(c *content) { c.blocks = slices.Delete(c.blocks, 1, 2) })
	bad("removed-only", "the last block is signed by removed validators only", "handed", m, nil, unproved, "commit", func(c *content) {
		removed := validator(t, "a", 10, true)
		b := c.blocks[len(c.blocks)-1]
		for _, v := range b.voters {
			v.sig = resign(s.world, b, v, removed)
		}
	})
	bad("next-field", "a header whose next validators were changed afterwards", "handed", m, nil, unproved, "header", func(c *content) { flipByte(c.blocks[0].header.NextValidatorsHash) })
	liar := liesOfNext(t)
	add("bad-next-lies", "a signed header names other next validators than sign the next block", liar.maker, nil, liar.file, unproved, "trust")

	fork := forked(t, s)
	add("fork-of-old-set", "the first validators, long removed, have signed another chain: who trusts the genesis alone cannot tell", m, nil, fork, 0, "")
	x := contentOf(t, fork)
	first, err := blockOf(s.blocks[middle.Height])
	if err != nil {
		t.Fatal(err)
	}
	x.blocks = append([]*block{first}, x.blocks...)
	add("bad-fork-of-old-set", "the same for a reader with a checkpoint of after they had left", mid, &middle, x.node().bytes(), unproved, "trust")

	bad("absent-key", "another key than the place is of", "absent", m, nil, unproved, "object", func(c *content) { c.absence.key += "x" })
	bad("absent-other", "another leaf at the place", "absent", m, nil, unproved, "object", func(c *content) { flipByte(c.absence.other) })
	bad("absent-own", "the key's own leaf as another's", "absent", m, nil, unproved, "object", func(c *content) { c.absence.other = sum([]byte(c.absence.key)) })
	bad("absent-there", "a key that is there", "handed", m, nil, unproved, "object", func(c *content) {
		o := c.objects[0]
		c.absence = &absence{key: o.key, depth: o.depth, bitmap: o.bitmap, siblings: o.siblings}
		c.objects, c.events, c.sealed = nil, nil, nil
	})
	bad("absent-kind", "an absence that says it is an object", "absent", m, nil, unproved, "statement", func(c *content) { c.statement.list[0].text = "object" })
	bad("absent-acts", "an absence with an act", "absent", m, nil, unproved, "statement", func(c *content) { c.events = contentOf(t, files["handed-transaction.mulian-proof.json"]).events })
	splitVectors(t, s, add)
	slices.SortFunc(list, func(a, b trustVector) int { return cmp.Compare(a.File, b.File) })
	return list, files
}

// emptyPlace finds a key whose place in the tree is empty.
func (w *world) emptyPlace() string {
	for i := 0; ; i++ {
		key := fmt.Sprintf("identity/account/nobody-%d", i)
		if p := w.apps[w.height-1].prove(w, key); len(p.OtherKeyHash) == 0 {
			return key
		}
	}
}

// resign is the vote of another key for the block, at a voter's place.
func resign(w *world, b *block, v *voter, by member) []byte {
	c := b.commit()
	return signVote(w.chain, c, &ledgerv1.CommitSig{BlockIdFlag: flagCommit, Timestamp: v.at}, by)
}

func signVote(chain string, c *ledgerv1.Commit, s *ledgerv1.CommitSig, by member) []byte {
	return ed25519.Sign(by.key, light.VoteBytes(chain, c, s))
}

type lied struct {
	maker *Maker
	file  []byte
}

// liesOfNext is a chain whose validators sign a header that names strangers as the next
// set, and then others sign the next block.
func liesOfNext(t testing.TB) lied {
	a, b := validator(t, "a", 10, true), validator(t, "b", 10, true)
	s := tell(newWorld(t, "proof-lied", a))
	file := must(t)(s.maker.Event(context.Background(), 3))
	c := contentOf(t, file)
	last := c.blocks[0].header.GetHeight()
	s.sets[last] = []member{b} // but the header before names a
	h := s.blocks[last].GetSignedHeader().GetHeader()
	hash := light.SetHash(consensusSet([]member{b}))
	h.ValidatorsHash, h.ProposerAddress = hash[:], address(b.public())
	for i, raw := range []*ledgerv1.LightBlock{s.blocks[last-1], s.sign(h, []member{b})} {
		out, err := blockOf(raw)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			c.blocks = []*block{out}
		} else {
			c.blocks = append(c.blocks, out)
		}
	}
	return lied{s.maker, c.node().bytes()}
}

// forked is a file of a chain with the same genesis whose first validators go on signing.
func forked(t testing.TB, s *story) []byte {
	w := newWorld(t, s.chain, s.sets[1]...)
	f := tell(w)
	f.put("share/agreement/"+agreementID, &ledgerv1.GetStatusResponse{ChainId: "never agreed"})
	for w.height < s.height+2 {
		w.block(nil)
	}
	return must(t)(f.maker.Object(context.Background(), agreementKey))
}

// TestTrustVectors holds the committed vectors to both verifiers; -update writes them anew.
func TestTrustVectors(t *testing.T) {
	list, files := trustVectors(t)
	if *update {
		writeTrust(t, list, files)
	}
	was := committedTrust(t)
	if len(was) != len(list) {
		t.Errorf("%d vectors, %d are committed: run with -update", len(list), len(was))
	}
	js := startSecond(t)
	for _, v := range was {
		file, err := os.ReadFile(filepath.Join(trustDir, v.File))
		if err != nil {
			t.Fatal(err)
		}
		r := v.report(t, file)
		if r.OK != v.OK || r.Code != v.Code || r.Step != v.Step || r.Field != v.Field {
			t.Errorf("%s (%s): %v %v %s %s: %s; want %+v", v.File, v.Shows, r.OK, r.Code, r.Step, r.Field, r.Reason, v)
		}
		same(t, v.File, r, v.second(js, file))
		if zh := r.Because(true); !r.OK && !hasChinese(zh) {
			t.Errorf("%s: %q", v.File, zh)
		}
	}
}

func committedTrust(t testing.TB) (list []trustVector) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(trustDir, "index.json"))
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func writeTrust(t *testing.T, list []trustVector, files map[string][]byte) {
	raw, err := json.MarshalIndent(list, "", " ")
	if err == nil {
		err = os.MkdirAll(trustDir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	files["index.json"] = append(raw, '\n')
	for name, file := range files {
		if err := os.WriteFile(filepath.Join(trustDir, name), file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheTwoAgreeOnMutationsOfTrust: a thousand changes of files that go through changes of
// the validators, that begin at a checkpoint, or that show an absence.
func TestTheTwoAgreeOnMutationsOfTrust(t *testing.T) {
	const seed = 20261122
	js, rng := startSecond(t), rand.New(rand.NewPCG(seed, 4))
	from := slices.DeleteFunc(committedTrust(t), func(v trustVector) bool { return !v.OK })
	steps, held := map[string]int{}, 0
	for i := range 1000 {
		v := from[rng.IntN(len(from))]
		file, err := os.ReadFile(filepath.Join(trustDir, v.File))
		if err != nil {
			t.Fatal(err)
		}
		how := "a block less"
		if shorter := withoutBlock(t, rng, file); i%12 == 0 && shorter != nil {
			file = shorter
		} else {
			file, how = mutate(rng, file)
		}
		r := v.report(t, file)
		same(t, fmt.Sprintf("seed %d, mutation %d of %s, %s", seed, i, v.File, how), r, v.second(js, file))
		if steps[r.Step]++; r.OK {
			held++
			t.Logf("mutation %d of %s holds: %s", i, v.File, how)
		}
	}
	t.Logf("refused at: %v", steps)
	for _, step := range []string{"form", "header", "validators", "commit", "trust", "state", "object", "statement"} {
		if steps[step] == 0 {
			t.Errorf("no mutation was refused at %s: %v", step, steps)
		}
	}
	if held > 20 {
		t.Errorf("%d mutations hold", held)
	}
}

// withoutBlock leaves one block out, nil if there is but one.
func withoutBlock(t testing.TB, rng *rand.Rand, file []byte) []byte {
	t.Helper()
	n, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := n.list[n.field("blocks")]
	if len(blocks.list) < 2 {
		return nil
	}
	i := rng.IntN(len(blocks.list))
	blocks.list = slices.Delete(blocks.list, i, i+1)
	return n.bytes()
}

// TestNoFewerBlocksLeadThere: between the genesis, or a checkpoint, and the last block stand
// as few blocks as there can be, found by looking at all ways.
func TestNoFewerBlocksLeadThere(t *testing.T) {
	s := handed(t)
	c := contentOf(t, must(t)(s.maker.Object(context.Background(), agreementKey)))
	last := c.blocks[len(c.blocks)-1].header.GetHeight()
	for _, from := range []int64{0, 3, last / 2, last - 1, last} {
		want, got := s.fewest(from, last), len(c.blocks)
		if from > 0 {
			m, err := s.maker.From(s.checkpointAt(s.maker, from))
			if err != nil {
				t.Fatal(err)
			}
			got = len(contentOf(t, must(t)(m.Object(context.Background(), agreementKey))).blocks)
		}
		if got != want {
			t.Errorf("from %d to %d: %d blocks, %d are enough", from, last, got, want)
		}
	}
	if len(c.blocks) < 4 {
		t.Errorf("%d blocks lead over ten changes of four validators", len(c.blocks))
	}
}

// TestAServerThatBeganWithASnapshotSaysSo: it has no headers from before, over which the
// validators changed. No file can be made from the genesis there, which is no lie; one can
// be from a checkpoint that it has.
func TestAServerThatBeganWithASnapshotSaysSo(t *testing.T) {
	s := handed(t)
	s.oldest = s.height - 2
	m, err := NewMaker(s.maker.c, s.file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Object(context.Background(), agreementKey); !fault.Is(err, fault.Pruned) {
		t.Errorf("from the genesis: %v (%v), want Pruned", err, fault.CodeOf(err))
	}
	from, err := m.From(s.checkpointAt(m, s.oldest))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := from.Object(context.Background(), agreementKey); err != nil {
		t.Errorf("from a checkpoint: %v", err)
	}
}

// fewest looks at every way: breadth first over all heights.
func (s *story) fewest(from, last int64) int {
	type place struct {
		trust light.Trust
		steps int
	}
	begin := place{*s.maker.founded.trust(), 0}
	if from > 0 {
		begin.trust = *light.At(s.chain, from, s.checkpointAt(s.maker, from).Hash, s.checkpointAt(s.maker, from).Validators)
		if _, err := begin.trust.VerifyBlock(s.blocks[from]); err != nil {
			s.t.Fatal(err)
		}
		begin.steps = 1
	}
	if from == last {
		return 1
	}
	seen := map[int64]bool{}
	for queue := []place{begin}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for h := at.trust.Last().Height + 1; h <= last; h++ {
			ahead := at.trust
			if _, err := ahead.VerifyBlock(s.blocks[h]); err != nil {
				continue
			}
			if h == last {
				return at.steps + 1
			}
			if !seen[h] {
				seen[h] = true
				queue = append(queue, place{ahead, at.steps + 1})
			}
		}
	}
	return -1
}

// TestCheckpointsHaveOneText: what is written is read again, and nothing else is.
func TestCheckpointsHaveOneText(t *testing.T) {
	s := handed(t)
	c, err := s.maker.Checkpoint(context.Background(), 0)
	if err != nil || c != s.checkpointAt(s.maker, s.height) {
		t.Fatalf("%v, %v", c, err)
	}
	text := c.String()
	file := must(t)(s.maker.Object(context.Background(), agreementKey))
	for _, change := range []string{
		"", text + "\n", strings.TrimSuffix(text, "\n"), strings.ReplaceAll(text, "\n", "\r\n"), strings.Replace(text, "height ", "height 0", 1),
		strings.Replace(text, "block ", "block 0", 1), strings.ToUpper(text), strings.Replace(text, "chain proof-handed", "chain ", 1), text + text,
	} {
		if _, err := ParseCheckpoint([]byte(change)); !fault.Is(err, fault.Malformed) {
			t.Errorf("%q: %v", change, err)
		}
	}
	if got, err := ParseCheckpoint([]byte(text)); err != nil || got != c {
		t.Errorf("%v, %v", got, err)
	}
	if r := VerifyFrom(file, c); r.OK || r.Step != "trust" { // it begins at the genesis
		t.Errorf("%+v", r)
	}
	bad := c
	bad.Genesis[3] ^= 1
	if _, err := s.maker.From(bad); !fault.Is(err, fault.WrongChain) {
		t.Errorf("a maker from a checkpoint of another genesis: %v", err)
	}
	if _, err := s.maker.Absence(context.Background(), agreementKey); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("the absence of what is there: %v", err)
	}
	near, err := s.maker.From(c)
	if err != nil {
		t.Fatal(err)
	}
	if short := must(t)(near.Object(context.Background(), agreementKey)); len(short) >= 16<<10 || len(short) >= len(file) {
		t.Errorf("%d bytes from a near checkpoint, %d from the genesis", len(short), len(file))
	}
}
