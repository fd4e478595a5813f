package gateway_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/audit"
	"mulian/client/prooffile"
	"mulian/gateway"
	"mulian/gateway/receipt"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
)

// liar is the planning commission's gateway in the hands of somebody who has all of its
// keys: it continues the real log with whatever it likes, anchors it, and shows each
// reader another one.
type liar struct {
	w        *town
	keys     gateway.Keys
	origin   string
	added    int64    // when its key was registered
	leaves   [][]byte // what it anchors
	anchored int
	last     map[string]*tracev1.AccessRecord // latest decision by agreement

	mu    sync.Mutex // guards shown
	shown [][]byte   // what it serves
}

func (w *town) liar(real [][]byte, last map[string]*tracev1.AccessRecord) *liar {
	w.t.Helper()
	keys, err := gateway.LoadKeys(w.ring(), w.door)
	if err != nil {
		w.t.Fatal(err)
	}
	a, head := &identityv1.Account{}, &tracev1.Head{}
	for key, m := range map[string]proto.Message{"identity/account/" + w.door: a, "trace/head/" + w.door: head} {
		if ok, err := w.chain.Get(w.t.Context(), key, m); err != nil || !ok {
			w.t.Fatalf("%s: %v %v", key, ok, err)
		}
	}
	l := &liar{w: w, keys: keys, origin: a.GetGateway().GetLogOrigin(), added: a.GetKeys()[0].GetAddedMs(), leaves: real, anchored: int(head.GetSize()), last: last}
	front := httptest.NewServer(l)
	w.t.Cleanup(front.Close)
	a.Gateway.Url = front.URL
	w.must(l.signer(), &identityv1.UpdateGateway{Gateway: w.door, Profile: a.Gateway, Version: a.Version})
	return l
}

func (l *liar) signer() client.Signer { return client.Signer{Account: l.w.door, Key: l.keys.Machine} }

func treeOf(leaves [][]byte) *testonly.Tree {
	t := testonly.New(rfc6962.DefaultHasher)
	for _, b := range leaves {
		t.AppendData(b)
	}
	return t
}

// ServeHTTP serves a log of less than 256 records as tiles.
func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	shown := l.shown
	l.mu.Unlock()
	n := len(shown)
	switch r.URL.Path {
	case "/log/checkpoint":
		w.Write(l.checkpoint(shown))
	case fmt.Sprintf("/log/tile/0/000.p/%d", n):
		for _, b := range shown {
			w.Write(rfc6962.DefaultHasher.HashLeaf(b))
		}
	case fmt.Sprintf("/log/tile/entries/000.p/%d", n):
		for _, b := range shown {
			w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
		}
	default:
		http.NotFound(w, r)
	}
}

func (l *liar) checkpoint(leaves [][]byte) []byte {
	body := fmt.Sprintf("%s\n%d\n%s\n", l.origin, len(leaves), base64.StdEncoding.EncodeToString(treeOf(leaves).Hash()))
	sig, err := l.keys.Log.Sign([]byte(body))
	if err != nil {
		l.w.t.Error(err)
	}
	key := sha256.Sum256(append([]byte(l.origin+"\n\x01"), l.keys.Log.Public().Bytes()...))
	return fmt.Appendf(nil, "%s\n— %s %s\n", body, l.origin, base64.StdEncoding.EncodeToString(append(key[:4:4], sig...)))
}

func (l *liar) show(leaves [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = leaves
}

// record is an honest GRANTED record of the agreement, next in the log, before edit.
func (l *liar) record(agreement string, edit func(*tracev1.AccessRecord)) *tracev1.AccessRecord {
	r := &tracev1.AccessRecord{
		Gateway: l.w.door, Agreement: agreement, Outcome: tracev1.Outcome_OUTCOME_GRANTED, RequestId: "liar-request-0001", Asker: l.w.tap,
		Entry: l.w.entry, EntryVersion: 1, Items: []string{"no", "project"}, Purpose: "排水许可审批", RequestHash: make([]byte, 32),
		AtMs: time.Now().UnixMilli(), ViewHeight: 1, Place: uint64(len(l.leaves)) + 1, Seq: 1,
	}
	if was := l.last[agreement]; was != nil {
		r.Seq, r.Previous = was.Seq+1, was.Place
	}
	if edit != nil {
		edit(r)
	}
	return r
}

func (l *liar) raw(r *tracev1.AccessRecord) []byte {
	b, err := canon.Marshal(r)
	if err != nil {
		l.w.t.Fatal(err)
	}
	return b
}

// add puts a record into the log.
func (l *liar) add(r *tracev1.AccessRecord) {
	l.leaves = append(l.leaves, l.raw(r))
	if r.Outcome == tracev1.Outcome_OUTCOME_GRANTED {
		l.last[r.Agreement] = r
	}
}

// receipt is a record as its asker gets it: signed by the gateway.
func (l *liar) receipt(r *tracev1.AccessRecord) *tracev1.Receipt {
	raw := l.raw(r)
	sig, err := receipt.Sign(l.keys.Machine, raw)
	if err != nil {
		l.w.t.Fatal(err)
	}
	return &tracev1.Receipt{Record: raw, LeafIndex: r.Place - 1, ProviderKey: l.keys.Machine.Public().ID(), ProviderSignature: sig}
}

// anchor brings the head of the leaves to the ledger, with the numbers that it names.
func (l *liar) anchor(ranges ...*tracev1.Range) {
	l.w.t.Helper()
	t := treeOf(l.leaves)
	way, err := t.ConsistencyProof(uint64(l.anchored), uint64(len(l.leaves)))
	if err != nil {
		l.w.t.Fatal(err)
	}
	l.w.must(l.signer(), &tracev1.AnchorHead{Gateway: l.w.door, Size: uint64(len(l.leaves)), Root: t.Hash(), Consistency: way, Ranges: ranges})
	l.anchored = len(l.leaves)
}

// auditor audits with evidence, and remembers in the folder.
func (l *liar) auditor(store string, others ...[]byte) *audit.Auditor {
	l.w.t.Helper()
	file, err := os.ReadFile(l.w.genesis)
	if err != nil {
		l.w.t.Fatal(err)
	}
	a, err := audit.New(audit.Config{Chain: l.w.chain, Genesis: file, Store: store, Evidence: filepath.Join(l.w.t.TempDir(), "evidence"), Others: others})
	if err != nil {
		l.w.t.Fatal(err)
	}
	return a
}

// holds checks that a finding is there whose text has the words, and its evidence, offline.
func (l *liar) holds(r *audit.Report, rule, words string, proved bool) {
	l.w.t.Helper()
	for _, f := range r.Findings {
		if f.Rule != rule || !strings.Contains(f.Says, words) {
			continue
		}
		if !proved {
			return
		}
		raw, err := os.ReadFile(f.File)
		if err != nil {
			l.w.t.Errorf("%s: no evidence: %s", rule, f.Unproved)
			return
		}
		genesis, err := os.ReadFile(l.w.genesis)
		if err != nil {
			l.w.t.Fatal(err)
		}
		hash, err := prooffile.GenesisHash(genesis)
		if err != nil {
			l.w.t.Fatal(err)
		}
		if v := prooffile.Verify(raw, hash); !v.OK || v.Kind != "finding" {
			l.w.t.Errorf("%s: the evidence does not hold: %s %s %s", rule, v.Step, v.Field, v.Reason)
		}
		raw[len(raw)/3] ^= 1
		if v := prooffile.Verify(raw, hash); v.OK {
			l.w.t.Errorf("%s: changed evidence holds", rule)
		}
		return
	}
	l.w.t.Errorf("no finding %s with %q in %+v", rule, words, r.Findings)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestLyingGateway: a gateway that has anchored what it should not have done is found out,
// with a file that shows it to a stranger.
func TestLyingGateway(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	tap := w.open(w.waterConfig())
	w.publish(door)
	honest, revoked, wide, gap, twice := w.agree(byQuery, nil), w.agree(byQuery, nil), w.agree(byQuery, nil), w.agree(byQuery, nil), w.agree(byQuery, nil)
	for range 3 {
		if _, err := tap.Query(t.Context(), honest, w.entry, nil, 0, no("P0000001")); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("all is anchored", func() bool { s := door.Status(); return s.Anchored == s.LogSize && s.LogSize == 6 })
	var real [][]byte
	last := map[string]*tracev1.AccessRecord{}
	if err := door.Records().Each(0, func(e receipt.Entry) bool {
		real = append(real, e.Raw)
		if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED {
			last[e.Record.GetAgreement()] = e.Record
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	mine := func(more ...*tracev1.Receipt) func(func(*tracev1.Receipt) error) error {
		return func(fn func(*tracev1.Receipt) error) error {
			for _, r := range more {
				if err := fn(r); err != nil {
					return err
				}
			}
			var err error
			if bookErr := tap.Receipts().Each(0, func(_ int, r *tracev1.Receipt) bool { err = fn(r); return err == nil }); err == nil {
				err = bookErr
			}
			return err
		}
	}
	door.stop()
	l := w.liar(real, last)
	l.show(l.leaves)
	store := filepath.Join(t.TempDir(), "store")

	r := must[*audit.Report](t)(l.auditor(store).Supervisor(t.Context()))
	if !r.OK || len(r.Sequences) != 1 || !r.Sequences[0].Complete || r.Sequences[0].Last != 3 {
		t.Fatalf("an honest log: %+v", r)
	}
	r = must[*audit.Report](t)(l.auditor("").Consumer(t.Context(), mine()))
	if !r.OK || r.Receipts.Matching != 3 {
		t.Fatalf("honest receipts: %+v, %+v", r, r.Receipts)
	}

	stopped := w.must(w.water, &sharev1.EndAgreement{Agreement: revoked, Reason: "不再需要"})
	// What it logs and anchors.
	l.add(l.record(revoked, func(r *tracev1.AccessRecord) { r.ViewHeight = stopped.Height }))
	l.add(l.record(wide, func(r *tracev1.AccessRecord) { r.Items = append(r.Items, "note") }))
	l.add(l.record(wide, func(r *tracev1.AccessRecord) { r.Entry = w.water.Account + ":wells" }))
	l.add(l.record("", func(r *tracev1.AccessRecord) { r.Seq = 0 }))
	l.add(l.record(gap, nil))
	l.add(l.record(gap, func(r *tracev1.AccessRecord) { r.Seq++ }))
	first := l.record(twice, nil)
	l.add(first)
	l.add(l.record(twice, func(r *tracev1.AccessRecord) { r.Seq = first.Seq }))
	l.add(l.record(honest, func(r *tracev1.AccessRecord) { r.Place += 3 }))
	// What its askers have in hand, and the log does not say so.
	other := l.record(honest, func(r *tracev1.AccessRecord) {
		r.Outcome, r.Seq, r.Rows = tracev1.Outcome_OUTCOME_COMPLETED, r.Seq-1, 1
	})
	counts := l.receipt(other)
	other.Rows = 2
	l.add(other)
	skipped := l.receipt(l.record(honest, func(r *tracev1.AccessRecord) {
		r.Outcome, r.AtMs, r.Place = tracev1.Outcome_OUTCOME_COMPLETED, l.added-599_500, 99 // as early as its key may have signed
	}))
	numbers := func(agreement string, first, last uint64) *tracev1.Range {
		return &tracev1.Range{Agreement: agreement, First: first, Last: last, Granted: last + 1 - first}
	}
	for _, rg := range []*tracev1.Range{numbers(wide, 1, 2), numbers(gap, 1, 3), numbers(twice, 1, 2), numbers(honest, 4, 4)} {
		l.anchor(rg)
	}
	l.show(l.leaves)

	r = must[*audit.Report](t)(l.auditor(store).Supervisor(t.Context()))
	l.holds(r, prooffile.RuleRevoked, "ended", true)
	l.holds(r, prooffile.RuleOutside, "item note", true)
	l.holds(r, prooffile.RuleOutside, "entry "+w.water.Account+":wells", true)
	l.holds(r, prooffile.RuleOutside, "no agreement", true)
	l.holds(r, prooffile.RuleGap, "follows number 1", true)
	l.holds(r, prooffile.RuleTwice, "number 1", true)
	l.holds(r, prooffile.RuleMisplaced, "names the place", true)
	r = must[*audit.Report](t)(l.auditor("").Consumer(t.Context(), mine(counts, skipped)))
	l.holds(r, prooffile.RuleContradicted, "2 rows", true)
	l.holds(r, prooffile.RuleUnanchored, "not on the ledger", true)
	// That receipt is older than its agreement, too: found if the two are further apart
	// than the ten minutes that clocks may differ, which is a matter of half a second here.
	others := slices.DeleteFunc(slices.Clone(r.Findings), func(f audit.Finding) bool {
		return f.Rule == prooffile.RuleOutside && strings.Contains(f.Says, "before")
	})
	if r.Receipts.Matching != 3 || len(others) != 2 {
		t.Errorf("receipts: %+v %+v", r.Receipts, r.Findings)
	}

	l.forks(store)
}

// forks shows other logs than the anchored one.
func (l *liar) forks(store string) {
	t := l.w.t
	whole := l.leaves
	forged := append(append([][]byte(nil), whole[:len(whole)-1]...), l.raw(l.record("", func(r *tracev1.AccessRecord) { r.Seq = 0 })))
	// Another reader was given another log of the same size.
	r := must[*audit.Report](t)(l.auditor("", l.checkpoint(forged)).Supervisor(t.Context()))
	l.holds(r, prooffile.RuleForked, "a checkpoint", true)
	l.show(forged)
	r = must[*audit.Report](t)(l.auditor(store).Supervisor(t.Context()))
	l.holds(r, prooffile.RuleForked, "a checkpoint", true)      // as it remembers
	l.holds(r, prooffile.RuleForked, "the ledger's head", true) // as is anchored
	l.show(append(forged, forged[0]))
	r = must[*audit.Report](t)(l.auditor(store).Supervisor(t.Context()))
	l.holds(r, prooffile.RuleRewritten, "a checkpoint", true)
	l.holds(r, prooffile.RuleRewritten, "the ledger's head", true)
	l.show(whole[:4])
	r = must[*audit.Report](t)(l.auditor(store).Supervisor(t.Context()))
	l.holds(r, audit.Rewound, "there were", false)
	l.holds(r, audit.Withheld, "are anchored", false)
	l.show(whole)
	r = must[*audit.Report](t)(l.auditor(store).Supervisor(t.Context()))
	for _, f := range r.Findings {
		if f.Rule != audit.Uncounted { // numbers that it never told the ledger
			t.Errorf("the whole log again: %+v", f)
		}
	}
}
