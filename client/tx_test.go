package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// TestAnEnvelopeIsWhatWasSigned holds the form: signature over domain and body,
// the id from the same bytes, a salt, an end.
func TestAnEnvelopeIsWhatWasSigned(t *testing.T) {
	now := time.UnixMilli(1_767_225_600_000)
	for _, alg := range []sm.Algorithm{sm.SM2, sm.P256, sm.Ed25519} {
		key, err := sm.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		e, err := client.Sign("trial", client.Signer{Account: bureau, Key: key}, now, duty("1", "一"), duty("2", "二"))
		if err != nil {
			t.Fatal(err)
		}
		var env txv1.Envelope
		if err := proto.Unmarshal(e.Raw, &env); err != nil {
			t.Fatal(err)
		}
		id := sha256.Sum256(append([]byte("mulian-tx-v1\x00"), env.GetBody()...))
		if !key.Public().Verify(append([]byte("mulian-tx-sign-v1\x00"), id[:]...), env.GetSignature().GetSignature()) || env.GetSignature().GetKey() != key.Public().ID() {
			t.Errorf("%s: the signature is not over domain and id", alg)
		}
		if e.ID != id {
			t.Errorf("%s: the id is not that of the body", alg)
		}
		var body txv1.Body
		if err := proto.Unmarshal(env.GetBody(), &body); err != nil || !proto.Equal(&body, e.Body) {
			t.Errorf("%s: the body is another, %v", alg, err)
		}
		if body.GetExpiresMs() != now.Add(client.Lifetime).UnixMilli() || len(body.GetSalt()) < 8 || len(body.GetSalt()) > 16 || len(body.GetMessages()) != 2 {
			t.Errorf("%s: %v", alg, &body)
		}
		again, err := client.Sign("trial", client.Signer{Account: bureau, Key: key}, now, duty("1", "一"), duty("2", "二"))
		if err != nil || again.ID == e.ID {
			t.Errorf("%s: two envelopes of equal messages are one transaction, %v", alg, err)
		}
	}
}

func TestABodyThatCannotBeEncodedIsNotSigned(t *testing.T) {
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]*txv1.Body{
		"no text": {ChainId: "trial", Account: "\xff\xfe"},
	} {
		if _, err := client.SignBody(body, key); fault.CodeOf(err) == fault.Internal || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoVerbIsAMistakeOfTheProgrammer(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an event was taken for an act")
		}
	}()
	client.Msg(&tracev1.Event{})
}

const submit = ledgerv1connect.LedgerServiceSubmitProcedure

// TestALostAnswerIsAskedForAgain: the connection breaks after the member has
// committed, or before it has heard. The same bytes go again, and the duty is there
// once.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	m := start(t)
	b := standBetween(t, m)
	for i, broken := range []string{"after", "before"} {
		tries := 0
		breaks := func() bool { tries++; return tries <= 2 }
		ask := func(p string, body []byte) []byte {
			if p == submit && broken == "before" && breaks() {
				return nil
			}
			return body
		}
		answer := func(p string, _ int, body []byte) []byte {
			if p == submit && broken == "after" && breaks() {
				return nil
			}
			return body
		}
		b.set(ask, answer)
		b.bodies = map[string][][]byte{}
		id := []string{"1", "2"}[i]
		r, err := client.New(b.URL).Send(t.Context(), m.signer, duty(id, "职责"))
		if err != nil {
			t.Fatalf("%s: %v", broken, err)
		}
		sent := b.bodies[submit]
		if len(sent) != 3 || !bytes.Equal(sent[0], sent[1]) || !bytes.Equal(sent[1], sent[2]) {
			t.Errorf("%s: %d envelopes were sent, or not the same", broken, len(sent))
		}
		n := 0
		events, err := m.client.Ledger.ListEvents(t.Context(), connect.NewRequest(&ledgerv1.ListEventsRequest{Limit: 1000}))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events.Msg.GetEvents() {
			if len(e.GetObjects()) > 0 && e.GetObjects()[0] == "catalogue/duty/"+bureau+":"+id {
				n++
				if e.GetHeight() != r.Height {
					t.Errorf("%s: the receipt says height %d, the log %d", broken, r.Height, e.GetHeight())
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: it was carried out %d times", broken, n)
		}
	}
}

// TestARefusalIsNotAskedForAgain: a coded refusal comes back at once, with its rule.
func TestARefusalIsNotAskedForAgain(t *testing.T) {
	m := start(t)
	b := standBetween(t, m)
	_, err := client.New(b.URL).Send(t.Context(), m.signer, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{Id: bureau + ":1", Org: bureau}}})
	if c := fault.CodeOf(err); c < 11000 || c >= 15000 || len(b.bodies[submit]) != 1 {
		t.Errorf("%v after %d tries", err, len(b.bodies[submit]))
	}
	stranger, kerr := sm.Generate(sm.SM2)
	if kerr != nil {
		t.Fatal(kerr)
	}
	if _, err := m.client.Send(t.Context(), client.Signer{Account: bureau, Key: stranger}, duty("1", "一")); !fault.Is(err, fault.NotWhitelisted) {
		t.Errorf("a stranger's key: %v", err)
	}
}

// TestSubmitEnds: nobody listens, and the caller's patience is the bound.
func TestSubmitEnds(t *testing.T) {
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	e, err := client.Sign("trial", client.Signer{Account: bureau, Key: key}, time.Now(), duty("1", "一"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.New("http://127.0.0.1:1").Submit(ctx, e); !fault.Is(err, fault.Unreachable) && !fault.Is(err, fault.Timeout) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestTooLargeIsToldBeforeSending: what no server takes is refused where it is made.
func TestTooLargeIsToldBeforeSending(t *testing.T) {
	key, err := sm.Generate(sm.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	duty := &cataloguev1.Duty{Title: strings.Repeat("长", client.MaxEnvelope/3)}
	_, err = client.Sign("chain", client.Signer{Account: "a", Key: key}, time.Now(), &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{duty}})
	if !fault.Is(err, fault.TooLong) {
		t.Errorf("a transaction of more than a mebibyte: %v", err)
	}
}
