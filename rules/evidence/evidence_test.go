package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	evidencev1 "mulian/gen/mulian/evidence/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/evidence"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

const (
	file     = evidencev1.Capture_CAPTURE_FILE
	database = evidencev1.Capture_CAPTURE_DATABASE
	delivery = evidencev1.Capture_CAPTURE_DELIVERY
)

// item is evidence with the commitment of that name.
func item(name string) *evidencev1.Evidence {
	sum, soft := sha256.Sum256([]byte(name)), sha256.Sum256([]byte("program"))
	return &evidencev1.Evidence{Commitment: sum[:], Bytes: 7, Provenance: &evidencev1.Provenance{
		Capture: file, Software: "mulian 0.3", SoftwareHash: soft[:], CapturedMs: rulestest.Start, ClockSource: "ntp chrony", ClockOffsetMs: -3, ClockErrorMs: 12,
	}}
}

func message(items ...*evidencev1.Evidence) *evidencev1.AnchorEvidence {
	return &evidencev1.AnchorEvidence{Items: items}
}

func idOf(e *evidencev1.Evidence) string { return evidence.ID(e.Commitment) }

// delivered makes a delivery from the provider to the consumer and returns its name.
func delivered(w *towntest.Town) string {
	w.TB.Helper()
	w.Publish(nil)
	_, agreement := w.Agree(nil)
	w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: agreement, Number: 1, Entry: w.EntryID})
	return agreement + "/1"
}

type attempt = rulestest.Try[*evidencev1.AnchorEvidence]

// TestOrder walks the checks in their order. The attempt that succeeds is the hardest:
// a delivery, received through the own gateway, that supersedes earlier evidence.
func TestOrder(t *testing.T) {
	var town *towntest.Town
	first := func(t *attempt) *evidencev1.Evidence {
		if len(t.Message.Items) == 0 {
			t.Message.Items = []*evidencev1.Evidence{{}}
		}
		if t.Message.Items[0].Provenance == nil {
			t.Message.Items[0].Provenance = &evidencev1.Provenance{}
		}
		return t.Message.Items[0]
	}
	past := func(t *attempt) *evidencev1.Provenance { return first(t).Provenance }
	rulestest.Order(t, func(t *testing.T) *attempt {
		town = towntest.New(t)
		before := item("before")
		town.Must(town.ConsumerGateway, message(before))
		e := item("file")
		e.Provenance.Capture, e.Provenance.Source, e.Provenance.Gateway, e.Supersedes = delivery, delivered(town), town.ConsumerGateway, idOf(before)
		return &attempt{World: town.World, Account: town.ConsumerGateway, Message: message(e)}
	}, []rulestest.Breach[*evidencev1.AnchorEvidence]{
		{Name: "no commitment", Want: fault.Missing, Break: func(t *attempt) { first(t).Commitment = nil }},
		{Name: "short commitment", Want: fault.Malformed, Break: func(t *attempt) { first(t).Commitment = make([]byte, 31) }},
		{Name: "another id", Want: fault.CodeInconsistent, Break: func(t *attempt) { first(t).Id = strings.Repeat("0", 32) }},
		{Name: "a time of its own", Want: fault.Malformed, Break: func(t *attempt) { first(t).AtMs = 1 }},
		{Name: "size", Want: fault.OutOfRange, Break: func(t *attempt) { first(t).Bytes = 1<<62 + 1 }},
		{Name: "no capture", Want: fault.Missing, Break: func(t *attempt) { past(t).Capture = 0 }},
		{Name: "unknown capture", Want: fault.OutOfRange, Break: func(t *attempt) {
			if past(t).Capture != 0 {
				past(t).Capture = 9
			}
		}},
		{Name: "long software", Want: fault.TooLong, Break: func(t *attempt) { past(t).Software = strings.Repeat("x", 201) }},
		{Name: "software hash", Want: fault.Malformed, Break: func(t *attempt) { past(t).SoftwareHash = []byte{1} }},
		{Name: "source of two lines", Want: fault.Malformed, Break: func(t *attempt) { past(t).Source = "a\nb" }},
		{Name: "long clock source", Want: fault.TooLong, Break: func(t *attempt) { past(t).ClockSource = strings.Repeat("x", 101) }},
		{Name: "before all time", Want: fault.OutOfRange, Break: func(t *attempt) { past(t).CapturedMs = -1 }},
		{Name: "offset", Want: fault.OutOfRange, Break: func(t *attempt) { past(t).ClockOffsetMs = -1 << 62 }},
		{Name: "error", Want: fault.OutOfRange, Break: func(t *attempt) { past(t).ClockErrorMs = -1 }},
		{Name: "offset against nothing", Want: fault.CodeInconsistent, Break: func(t *attempt) {
			if len(past(t).ClockSource) < 101 {
				past(t).ClockSource = "unknown"
			}
		}},
		{Name: "delivery without its name", Want: fault.Missing, Break: func(t *attempt) {
			if past(t).Source != "a\nb" {
				past(t).Source = ""
			}
		}},
		{Name: "another's commitment", Want: fault.DuplicateName, Break: func(t *attempt) {
			e := item("stolen")
			t.Must(town.Provider, message(e))
			if len(first(t).Commitment) == 32 {
				first(t).Commitment = e.Commitment
			}
		}},
		{Name: "unknown gateway", Want: fault.NotFound, Break: func(t *attempt) { past(t).Gateway = "nobody/g/x" }},
		{Name: "another's gateway", Want: fault.Forbidden, Break: func(t *attempt) { past(t).Gateway = town.ProviderGateway }},
		{Name: "no number", Want: fault.Malformed, Break: func(t *attempt) { past(t).Source = strings.TrimSuffix(past(t).Source, "/1") + "/01" }},
		{Name: "unknown delivery", Want: fault.NotFound, Break: func(t *attempt) { past(t).Source = strings.TrimSuffix(past(t).Source, "/1") + "/2" }},
		{Name: "nothing to supersede", Want: fault.NotFound, Break: func(t *attempt) { first(t).Supersedes = strings.Repeat("0", 32) }},
		{Name: "to supersede another's", Want: fault.Forbidden, Break: func(t *attempt) {
			e := item("foreign")
			t.Must(town.Consumer, message(e)) // the organisation is another account than its gateway
			first(t).Supersedes = idOf(e)
		}},
	})
}

func TestList(t *testing.T) {
	w := towntest.New(t)
	w.Want(fault.Empty, w.Provider, message())
	var list []*evidencev1.Evidence
	for i := range evidence.MaxItems + 1 {
		list = append(list, item(fmt.Sprint(i)))
	}
	w.Want(fault.TooLong, w.Provider, message(list...))
	if ids := w.Must(w.Provider, message(list[1:]...)); len(ids) != evidence.MaxItems || ids[0] != idOf(list[1]) {
		t.Errorf("%d ids were made", len(ids))
	}
	bad := item("bad")
	bad.Commitment = nil
	w.Want(fault.Missing, w.Provider, message(list[0], bad))
	if _, ok := evidence.Find(w.View(), idOf(list[0])); ok || w.Outcome.Item != 2 {
		t.Errorf("element %d is refused and the one before it is kept: %t", w.Outcome.Item, ok)
	}
}

// TestWhoMayAnchor: persons, posts, organisations, gateways; a delivery only he who got
// it, a gateway only its own organisation.
func TestWhoMayAnchor(t *testing.T) {
	w := towntest.New(t)
	source := delivered(w)
	for i, who := range []string{w.Person(1), w.Post(w.Provider, "clerk"), w.Provider, w.ProviderGateway, w.Authority} {
		w.Must(who, message(item(fmt.Sprint(i))))
		if e, ok := evidence.Find(w.View(), idOf(item(fmt.Sprint(i)))); !ok || e.Account != who || e.AtMs != w.Now || e.Height == 0 {
			t.Errorf("%s: kept as %v", who, e)
		}
	}
	got := item("delivery")
	got.Provenance.Capture, got.Provenance.Source = delivery, source
	w.Want(fault.Forbidden, w.Provider, message(got)) // it sent it
	w.Want(fault.Forbidden, w.Person(2), message(got))
	w.Must(w.Post(w.Consumer, "clerk"), message(got))
	objects := w.WantEvent("evidence/anchor", "", evidence.Key(idOf(got)))
	agreement, _, _ := strings.Cut(source, "/")
	if want := "share/delivery/" + agreement + "/0000000001 share/agreement/" + agreement; strings.Join(objects[1:], " ") != want {
		t.Errorf("the event names %v", objects)
	}
	read := item("rows")
	read.Provenance.Capture = database
	w.Want(fault.Missing, w.Provider, message(read))
	read.Provenance.Gateway = w.ProviderGateway
	w.Want(fault.Forbidden, w.Person(3), message(read))
	w.Must(w.Provider, message(read))
	key := w.Key(w.Provider, identityv1.KeyLevel_KEY_LEVEL_OFFICER)
	w.Must(w.Provider, &identityv1.RevokeKey{Account: w.Provider, Key: key.Public().ID(), Cause: "x"})
	if code := w.DoWith(w.Provider, key, message(item("revoked"))); code != fault.KeyRevoked {
		t.Errorf("a revoked key anchors: %s", code)
	}
}

// TestTheFirstWordCounts: the same commitment again, whatever else is said, changes
// nothing and tells nothing.
func TestTheFirstWordCounts(t *testing.T) {
	w := towntest.New(t)
	w.Must(w.Provider, message(item("a")))
	before, _ := evidence.Find(w.View(), idOf(item("a")))
	again := item("a")
	again.Bytes, again.Provenance.Software = 9, "another"
	w.Wait(rulestest.Day)
	if ids := w.Must(w.Provider, message(again, again)); len(ids) != 0 {
		t.Errorf("it made %v", ids)
	}
	w.WantSilence()
	if now, _ := evidence.Find(w.View(), idOf(again)); !proto.Equal(before, now) {
		t.Errorf("it was %v and is %v", before, now)
	}
	near := item("a") // the same id, another commitment
	near.Commitment = bytes.Clone(near.Commitment)
	near.Commitment[31] ^= 1
	w.Want(fault.DuplicateName, w.Provider, message(near))
	w.Want(fault.DuplicateName, w.Consumer, message(item("a")))
	next := item("b")
	next.Supersedes = idOf(again)
	last := item("c")
	last.Supersedes = idOf(next)
	w.Must(w.Provider, message(next, last)) // one message may tell a whole history
	e, _ := evidence.Find(w.View(), idOf(last))
	if err := evidence.Check(w.View(), e); err != nil {
		t.Error(err)
	}
	self := item("d")
	self.Supersedes = idOf(self)
	w.Want(fault.NotFound, w.Provider, message(self))
}

// TestGolden pins the state and the events after a fixed history. A change of it is a
// change of the chain: it needs a new state version and a note in docs/decisions.
func TestGolden(t *testing.T) {
	w := towntest.New(t)
	w.Must(w.Provider, message(item("a"), item("b")))
	got := item("c")
	got.Provenance.Capture, got.Provenance.Source, got.Provenance.Gateway = delivery, delivered(w), w.ConsumerGateway
	w.Must(w.Consumer, message(got))
	next := item("d")
	next.Supersedes = idOf(item("a"))
	w.Must(w.Provider, message(next))
	const want = "517aa11f49d4cd01d90328d86629fb89d9530e18cc7675883ffa32677bad34d3"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}

// TestHistories runs random histories on two replicas, which must agree: what is there
// stays as it is, and the invariants hold.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := towntest.New(t)
		names := []string{"a", "b", "c", "d", "e"}
		seen := map[string]*evidencev1.Evidence{}
		rt.Repeat(map[string]func(*rapid.T){
			"anchor": func(rt *rapid.T) {
				m := message()
				for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 3).Draw(rt, "names") {
					e := item(name)
					e.Bytes = rapid.Uint64Max(3).Draw(rt, "bytes")
					if rapid.Bool().Draw(rt, "supersedes") {
						e.Supersedes = idOf(item(rapid.SampledFrom(names).Draw(rt, "what")))
					}
					m.Items = append(m.Items, e)
				}
				if code := w.Do(rapid.SampledFrom([]string{w.Provider, w.Consumer, w.ProviderGateway}).Draw(rt, "who"), m); code == fault.Internal {
					rt.Fatal(w.Text)
				}
			},
			"wait": func(*rapid.T) { w.Wait(rulestest.Minute) },
			"": func(rt *rapid.T) {
				for _, name := range names {
					e, ok := evidence.Find(w.View(), idOf(item(name)))
					switch was := seen[name]; {
					case was != nil && (!ok || !proto.Equal(was, e)):
						rt.Fatalf("invariant 1: %s was %v and is %v", name, was, e)
					case was == nil && ok && e.AtMs > w.Now:
						rt.Fatalf("invariant 3: %s is of %d, now is %d", name, e.AtMs, w.Now)
					case ok:
						if err := evidence.Check(w.View(), e); err != nil {
							rt.Fatal(err)
						}
						seen[name] = e
					}
				}
			},
		})
	})
}
