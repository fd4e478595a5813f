package trace_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
	"mulian/rules/trace"
)

// accessLog is a gateway's log as RFC 6962 writes it down: slow, and plain enough to
// be right. The ledger's verifier is another implementation.
type accessLog struct{ leaves [][]byte }

func (l *accessLog) add(n int, salt string) {
	for range n {
		sum := sha256.Sum256(fmt.Appendf([]byte{0}, "%s %d", salt, len(l.leaves)))
		l.leaves = append(l.leaves, sum[:])
	}
}

// root is MTH of section 2.1.
func root(leaves [][]byte) []byte {
	if len(leaves) == 0 {
		sum := sha256.Sum256(nil)
		return sum[:]
	}
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	sum := sha256.Sum256(append(append([]byte{1}, root(leaves[:k])...), root(leaves[k:])...))
	return sum[:]
}

// split is the largest power of two below n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

// subproof is SUBPROOF of section 2.1.2.
func subproof(m int, leaves [][]byte, whole bool) [][]byte {
	n := len(leaves)
	if m == n {
		if whole {
			return nil
		}
		return [][]byte{root(leaves)}
	}
	if k := split(n); m <= k {
		return append(subproof(m, leaves[:k], whole), root(leaves[k:]))
	} else {
		return append(subproof(m-k, leaves[k:], false), root(leaves[:k]))
	}
}

// anchor returns the message that moves a head from old leaves to all of them.
func (l *accessLog) anchor(gateway string, old int, ranges ...*tracev1.Range) *tracev1.AnchorHead {
	m := &tracev1.AnchorHead{Gateway: gateway, Size: uint64(len(l.leaves)), Root: root(l.leaves), Ranges: ranges}
	if old > 0 {
		m.Consistency = subproof(old, l.leaves, true)
	}
	return m
}

func numbers(agreement string, first, last, granted uint64) *tracev1.Range {
	return &tracev1.Range{Agreement: agreement, First: first, Last: last, Granted: granted, Refused: last + 1 - first - granted}
}

func town(t *testing.T) (w *towntest.Town, agreement string) {
	w = towntest.New(t)
	w.Publish(nil)
	_, agreement = w.Agree(func(t *sharev1.Terms) { t.Method = cataloguev1.Method_METHOD_QUERY })
	return w, agreement
}

// TestAnchorHeadOrder walks the checks of an anchor.
func TestAnchorHeadOrder(t *testing.T) {
	type try = rulestest.Try[*tracev1.AnchorHead]
	var w *towntest.Town
	var agreement string
	first := func(a *try) *tracev1.Range { return a.Message.Ranges[0] }
	rulestest.Order(t, func(t *testing.T) *try {
		w, agreement = town(t)
		log := &accessLog{}
		log.add(7, "log")
		w.Must(w.ProviderGateway, log.anchor(w.ProviderGateway, 0))
		log.add(4, "log")
		return &try{World: w.World, Account: w.ProviderGateway, Message: log.anchor(w.ProviderGateway, 7, numbers(agreement, 1, 4, 3))}
	}, []rulestest.Breach[*tracev1.AnchorHead]{
		{Name: "another's log", Want: fault.Forbidden, Break: func(a *try) { a.Account = w.ConsumerGateway }},
		{Name: "no gateway", Want: fault.Forbidden, Break: func(a *try) { a.Account, a.Message.Gateway = w.Provider, w.Provider }},
		{Name: "long proof", Want: fault.TooLong, Break: func(a *try) { a.Message.Consistency = make([][]byte, 65) }},
		{Name: "too many ranges", Want: fault.TooLong, Break: func(a *try) {
			for len(a.Message.Ranges) <= trace.MaxRanges {
				a.Message.Ranges = append(a.Message.Ranges, &tracev1.Range{})
			}
		}},
		{Name: "no root", Want: fault.Missing, Break: func(a *try) { a.Message.Root = nil }},
		{Name: "short root", Want: fault.Malformed, Break: func(a *try) { a.Message.Root = []byte{1} }},
		{Name: "short hash in the proof", Want: fault.Malformed, Break: func(a *try) { a.Message.Consistency[0] = []byte{1} }},
		{Name: "beyond all size", Want: fault.OutOfRange, Break: func(a *try) { a.Message.Size = 1<<63 + 7 }},
		{Name: "smaller", Want: fault.LogRewritten, Break: func(a *try) { a.Message.Size = 6 }},
		{Name: "same size, other root", Want: fault.LogRewritten, Break: func(a *try) { a.Message.Size = 7 }},
		{Name: "another history", Want: fault.LogRewritten, Break: func(a *try) { a.Message.Consistency[1] = make([]byte, 32) }},
		{Name: "unknown agreement", Want: fault.NotFound, Break: func(a *try) { first(a).Agreement = "0" }},
		{Name: "not its agreement", Want: fault.Forbidden, Break: func(a *try) {
			archive := w.Gateway(w.Provider, "archive")
			table := w.TableOf("old", "cert_no")
			table.Id, table.Gateway = archive+":estate.old", archive
			w.Must(archive, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}})
			w.Publish(func(e *cataloguev1.Entry) {
				e.Id, e.Name, e.Table, e.Items = e.Id+"-old", "历史证书", table.Id, e.Items[:1]
			})
			_, first(a).Agreement = w.Agree(func(t *sharev1.Terms) {
				t.Parts = []*sharev1.Part{{Entry: w.EntryID + "-old", Items: []string{"no"}}}
			})
		}},
	})
}

// TestRanges: numbers go on without a gap, and each stands on a leaf.
func TestRanges(t *testing.T) {
	w, agreement := town(t)
	log := &accessLog{}
	log.add(10, "log")
	for name, tt := range map[string]struct {
		want   fault.Code
		ranges []*tracev1.Range
	}{
		"from nought":      {fault.OutOfRange, []*tracev1.Range{{Agreement: agreement}}},
		"backwards":        {fault.OutOfRange, []*tracev1.Range{{Agreement: agreement, First: 3, Last: 1}}},
		"beyond numbers":   {fault.OutOfRange, []*tracev1.Range{{Agreement: agreement, First: 1, Last: 1<<64 - 1, Refused: 1<<64 - 1}}},
		"one unaccounted":  {fault.OutOfRange, []*tracev1.Range{{Agreement: agreement, First: 1, Last: 3, Granted: 1, Refused: 1}}},
		"sum wraps around": {fault.OutOfRange, []*tracev1.Range{{Agreement: agreement, First: 1, Last: 3, Granted: 1<<64 - 1, Refused: 4}}},
		"first left out":   {fault.ReceiptGap, []*tracev1.Range{numbers(agreement, 2, 3, 1)}},
		"twice":            {fault.CodeInconsistent, []*tracev1.Range{numbers(agreement, 1, 1, 1), numbers(agreement, 2, 2, 1)}},
		"more than leaves": {fault.CodeInconsistent, []*tracev1.Range{numbers(agreement, 1, 11, 1)}},
	} {
		if got := w.Do(w.ProviderGateway, log.anchor(w.ProviderGateway, 0, tt.ranges...)); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, got, w.Text, tt.want)
		}
	}
	w.Must(w.ProviderGateway, log.anchor(w.ProviderGateway, 0, numbers(agreement, 1, 6, 0)))
	w.WantEvent("trace/anchor_head", "10", "trace/head/"+w.ProviderGateway)
	if g, _ := share.FindAgreement(w.View(), agreement); g.Clock.StoppedMs != 0 {
		t.Fatal("refusals alone stopped the clock to deliver")
	}
	w.Want(fault.ReceiptGap, w.ProviderGateway, log.anchor(w.ProviderGateway, 10, numbers(agreement, 6, 7, 1)))
	w.Want(fault.ReceiptGap, w.ProviderGateway, log.anchor(w.ProviderGateway, 10, numbers(agreement, 8, 8, 1)))
	w.Must(w.ProviderGateway, log.anchor(w.ProviderGateway, 10, numbers(agreement, 7, 10, 2))) // the rest, with the same head
	w.Want(fault.CodeInconsistent, w.ProviderGateway, log.anchor(w.ProviderGateway, 10, numbers(agreement, 11, 11, 1)))
	s, _ := trace.FindSequence(w.View(), agreement, w.ProviderGateway)
	if s.Last != 10 || s.Granted != 2 || s.Refused != 8 {
		t.Errorf("%v", s)
	}
	if g, _ := share.FindAgreement(w.View(), agreement); g.Clock.StoppedMs != w.Now {
		t.Error("the first released answer stops the clock to deliver")
	}
	if err := trace.Check(w.View(), w.ProviderGateway); err != nil {
		t.Error(err)
	}
}

// TestSignOfLife: the same head again moves time and height.
func TestSignOfLife(t *testing.T) {
	w, _ := town(t)
	log := &accessLog{}
	w.Want(fault.LogRewritten, w.ConsumerGateway, &tracev1.AnchorHead{Gateway: w.ConsumerGateway, Root: make([]byte, 32)})
	w.Must(w.ConsumerGateway, log.anchor(w.ConsumerGateway, 0)) // an empty log can be alive, and a consumer has one, too
	w.Want(fault.LogRewritten, w.ConsumerGateway, &tracev1.AnchorHead{Gateway: w.ConsumerGateway, Size: 1, Root: make([]byte, 32), Consistency: [][]byte{make([]byte, 32)}})
	log.add(3, "log")
	w.Must(w.ConsumerGateway, log.anchor(w.ConsumerGateway, 0))
	w.Wait(rulestest.Minute)
	w.Must(w.ConsumerGateway, log.anchor(w.ConsumerGateway, 3))
	h, ok := trace.FindHead(w.View(), w.ConsumerGateway)
	if !ok || h.Size != 3 || h.AtMs != w.Now || h.Height != w.View().Height() || h.Anchors != 3 {
		t.Errorf("%v", h)
	}
}

// TestHistories: random logs grow, fork and skip numbers; the ledger takes exactly
// the honest steps, on two replicas.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, agreement := town(t)
		log, anchored, last := &accessLog{}, 0, uint64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"grow": func(t *rapid.T) { log.add(rapid.IntRange(1, 20).Draw(t, "n"), "log") },
			"anchor": func(t *rapid.T) {
				first := last + rapid.Uint64Range(0, 2).Draw(t, "first")
				n := rapid.Uint64Range(1, 10).Draw(t, "n")
				r := numbers(agreement, first, first+n-1, rapid.Uint64Range(0, n).Draw(t, "granted"))
				want := fault.OK
				switch {
				case first == 0:
					want = fault.OutOfRange
				case first != last+1:
					want = fault.ReceiptGap
				case first+n-1 > uint64(len(log.leaves)):
					want = fault.CodeInconsistent
				}
				if got := w.Do(w.ProviderGateway, log.anchor(w.ProviderGateway, anchored, r)); got != want {
					t.Fatalf("%s (%s), want %s", got, w.Text, want)
				}
				if want == fault.OK {
					anchored, last = len(log.leaves), first+n-1
				}
			},
			"rewrite": func(t *rapid.T) {
				if anchored == 0 {
					t.Skip("nothing to rewrite")
				}
				at := rapid.IntRange(0, anchored-1).Draw(t, "at")
				forged := &accessLog{leaves: append([][]byte(nil), log.leaves...)}
				sum := sha256.Sum256([]byte("forged"))
				forged.leaves[at] = sum[:]
				if got := w.Do(w.ProviderGateway, forged.anchor(w.ProviderGateway, anchored)); got != fault.LogRewritten {
					t.Fatalf("leaf %d of %d was changed: %s", at, anchored, got)
				}
			},
			"shorten": func(t *rapid.T) {
				if anchored < 2 {
					t.Skip("nothing to take away")
				}
				short := &accessLog{leaves: log.leaves[:anchored-1]}
				if got := w.Do(w.ProviderGateway, short.anchor(w.ProviderGateway, 0)); got != fault.LogRewritten {
					t.Fatalf("the last leaf was taken away: %s", got)
				}
			},
			"": func(t *rapid.T) {
				h, _ := trace.FindHead(w.View(), w.ProviderGateway)
				s, _ := trace.FindSequence(w.View(), agreement, w.ProviderGateway)
				if int(h.GetSize()) != anchored || s.GetLast() != last {
					t.Fatalf("head %v, sequence %v; the model says %d leaves, %d numbers", h, s, anchored, last)
				}
				if err := trace.Check(w.View(), w.ProviderGateway); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// TestGolden pins the state and the events after a fixed history. A change of it is
// a change of the chain: it needs a new state version and a note in docs/decisions.
func TestGolden(t *testing.T) {
	w, agreement := town(t)
	log := &accessLog{}
	log.add(5, "log")
	m := log.anchor(w.ProviderGateway, 0, numbers(agreement, 1, 4, 3))
	w.Must(w.ProviderGateway, proto.CloneOf(m))
	log.add(3, "log")
	w.Must(w.ProviderGateway, log.anchor(w.ProviderGateway, 5, numbers(agreement, 5, 5, 0)))
	const want = "76fd75b9c8b28d35eacd2a4478121f924a6210948c13afe1269afb1a731d9ab5"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}
