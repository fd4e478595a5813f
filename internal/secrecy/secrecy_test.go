package secrecy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

func reader(t *testing.T) (sm.PrivateKey, *identityv1.Key) {
	k, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	return k, &identityv1.Key{Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2, PublicKey: k.Public().Bytes()}
}

func query() *tracev1.AccessRecord {
	return &tracev1.AccessRecord{
		Gateway: "p/g/main", Agreement: "a", Seq: 7, Outcome: tracev1.Outcome_OUTCOME_COMPLETED, RequestId: "r-1", Asker: "c/g/main", Entry: "p:e", EntryVersion: 3,
		Items: []string{"no", "owner"}, Purpose: "查询", Rows: 2, Bytes: 400, RequestHash: make([]byte, 32), ResponseHash: make([]byte, 32),
		AtMs: 1000, ViewHeight: 9, Subject: []byte("12345678901234567890123456789012"), Place: 12, Predicate: "adult",
	}
}

// TestSealedComesBack: whoever has the opening, or the reader's key, gets the record as it
// was; in what is in the log there is none of the content.
func TestSealedComesBack(t *testing.T) {
	private, key := reader(t)
	for name, change := range map[string]func(*tracev1.AccessRecord, *tracev1.SecrecyOrder){
		"a query":          func(*tracev1.AccessRecord, *tracev1.SecrecyOrder) {},
		"its subject open": func(_ *tracev1.AccessRecord, o *tracev1.SecrecyOrder) { o.SubjectOpen = true },
		"a batch":          func(r *tracev1.AccessRecord, _ *tracev1.SecrecyOrder) { r.Delivery, r.Subject = 4, nil },
		"nothing in it": func(r *tracev1.AccessRecord, _ *tracev1.SecrecyOrder) {
			*r = tracev1.AccessRecord{Gateway: "p/g/main", Agreement: "a"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, order := query(), &tracev1.SecrecyOrder{Number: 1, UntilMs: 50, UnsealMs: 90, ReaderKey: key}
			change(r, order)
			was, s := proto.CloneOf(r), &tracev1.Secrecy{Orders: []*tracev1.SecrecyOrder{order}}
			opening, err := Seal(s, 1, r)
			if err != nil {
				t.Fatal(err)
			}
			if r.Purpose != "" || r.Entry != "" || len(r.Items) > 0 || r.RequestId != "" || (r.Subject != nil) != (order.SubjectOpen) || r.Delivery == 0 && r.Rows != 0 || r.Sealed.UnsealMs != 90 {
				t.Errorf("the content is still there: %v", r)
			}
			for how, open := range map[string]func() (*tracev1.AccessRecord, error){
				"opening": func() (*tracev1.AccessRecord, error) { return Open(r, opening) },
				"box":     func() (*tracev1.AccessRecord, error) { x, _, err := OpenBox(private, r); return x, err },
			} {
				got, err := open()
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				got.Sealed = nil
				if d := cmp.Diff(was, got, protocmp.Transform()); d != "" {
					t.Errorf("%s: %s", how, d)
				}
			}
			again := proto.CloneOf(was)
			if _, err := Seal(s, 1, again); err != nil || string(again.Sealed.Commitment) == string(r.Sealed.Commitment) || string(again.Sealed.Box) == string(r.Sealed.Box) {
				t.Errorf("two records with the same content look alike (%v)", err)
			}
		})
	}
}

// TestOnlyItsOpeningOpens: another's opening, another key, and content that would change
// what stayed open are refused.
func TestOnlyItsOpeningOpens(t *testing.T) {
	_, key := reader(t)
	stranger, _ := reader(t)
	s := &tracev1.Secrecy{Orders: []*tracev1.SecrecyOrder{{Number: 1, UnsealMs: 90, ReaderKey: key}}}
	a, b := query(), query()
	if _, err := Seal(s, 1, a); err != nil {
		t.Fatal(err)
	}
	other, err := Seal(s, 1, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(a, other); !fault.Is(err, fault.VerificationFailed) {
		t.Error(err)
	}
	if _, err := Open(query(), other); !fault.Is(err, fault.VerificationFailed) {
		t.Error(err)
	}
	if _, _, err := OpenBox(stranger, a); !fault.Is(err, fault.VerificationFailed) {
		t.Error(err)
	}
	if _, err := Seal(s, 2, query()); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	for name, in := range map[string]*tracev1.AccessRecord{
		"another number": {Seq: 8}, "another outcome": {Outcome: tracev1.Outcome_OUTCOME_REFUSED}, "another asker": {Asker: "x"}, "another place": {Place: 3},
	} {
		raw, err := proto.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		forged := &tracev1.Opening{Salt: make([]byte, saltBytes), Content: raw}
		r := proto.CloneOf(a)
		r.Sealed.Commitment = commitment(forged)
		if _, err := Open(r, forged); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDates: which order seals when, and when what it sealed is open: that of the order
// that extends it last.
func TestDates(t *testing.T) {
	s := &tracev1.Secrecy{Orders: []*tracev1.SecrecyOrder{
		{Number: 1, FromMs: 10, UntilMs: 20, UnsealMs: 100},
		{Number: 2, FromMs: 18, UntilMs: 40, UnsealMs: 200, Extends: 1},
		{Number: 3, FromMs: 50, UntilMs: 90, UnsealMs: 300, LiftedMs: 60},
		{Number: 4, FromMs: 70, UntilMs: 80, UnsealMs: 400},
		// Two that extend 5 and each other; the last is lifted, and a new one comes.
		{Number: 5, FromMs: 500, UntilMs: 600, UnsealMs: 900},
		{Number: 6, FromMs: 510, UntilMs: 650, UnsealMs: 910, Extends: 5},
		{Number: 7, FromMs: 520, UntilMs: 660, UnsealMs: 920, Extends: 6, LiftedMs: 530},
		{Number: 8, FromMs: 540, UntilMs: 640, UnsealMs: 990},
	}}
	for at, want := range map[int64]uint64{9: 0, 10: 1, 19: 1, 20: 2, 39: 2, 40: 0, 59: 3, 60: 0, 75: 4, 80: 0, 515: 5, 529: 5, 530: 0, 539: 0, 540: 8, 599: 8, 639: 8, 640: 0} {
		if got := InForce(s, at).GetNumber(); got != want {
			t.Errorf("at %d order %d, want %d", at, got, want)
		}
	}
	for n, want := range map[uint64]int64{0: 0, 1: 200, 2: 200, 3: 60, 4: 400, 5: 530, 6: 530, 7: 530, 8: 990, 9: 0} {
		if got := OpensMs(s, n); got != want {
			t.Errorf("order %d opens at %d, want %d", n, got, want)
		}
	}
}
