package rules_test

import (
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/rules"
	"mulian/rules/rulestest"
)

// FuzzEnvelope: no bytes make Check or Apply panic, every refusal has a code of the
// list, Check and Apply agree ([rulestest.World.Send] holds both), and what has a
// body has an id.
func FuzzEnvelope(f *testing.F) {
	w := rulestest.New(f)
	li := w.Person(1)
	whole := w.Seal(w.Body(li, &identityv1.RevokeKey{Account: li}), w.Key(li, root))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Add(unknownField(whole))
	f.Add(marshal(f, &txv1.Envelope{Body: []byte{0x2a, 0x00}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w.Under(t)
		code := w.Send(raw)
		if code == fault.OK || code == fault.Internal || code < 11000 || code >= 15000 {
			t.Errorf("%s: %s", code, w.Text)
		}
		if _, err := rules.New().ID(raw); (err != nil) != (code == fault.Malformed && w.Outcome.Rule == "tx/envelope" || code == fault.Empty && w.Outcome.Rule == "tx/envelope" || code == fault.TooLong) {
			t.Errorf("id: %v, code %s", err, code)
		}
	})
}

// FuzzBody fuzzes what stands behind the signature: every body is signed rightly.
func FuzzBody(f *testing.F) {
	w := rulestest.New(f)
	li := w.Person(1)
	key := w.Key(li, root)
	f.Add(marshal(f, w.Body(li, &identityv1.RevokeKey{Account: li})))
	f.Add(marshal(f, w.Body(li, &identityv1.AddKey{Account: li, Key: &identityv1.Key{Id: "x"}})))
	f.Add(marshal(f, w.Body(li, &cataloguev1.PutMatters{Matters: []*cataloguev1.Matter{{Id: "x:1", Org: "x", Code: "1", Guide: "https://a/"}}})))
	f.Add(marshal(f, w.Body(li, &cataloguev1.PutCodes{Table: &cataloguev1.CodeTable{Id: "GB/T 1", Org: "x"}, Codes: []*cataloguev1.Code{{Code: "1"}}})))
	f.Add(marshal(f, w.Body(li, &evidencev1.AnchorEvidence{Items: []*evidencev1.Evidence{{
		Commitment: make([]byte, 32), Supersedes: "x", Provenance: &evidencev1.Provenance{Capture: 3, Source: "a/1", Gateway: "g"},
	}}})))
	f.Add(marshal(f, &txv1.Body{ChainId: rulestest.ChainID, Account: li, ExpiresMs: w.Now + 1, Salt: make([]byte, 8), Messages: []*txv1.Message{{}}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		w.Under(t)
		sig, err := key.Sign(rulestest.Signed(body))
		if err != nil {
			t.Fatal(err)
		}
		code := w.Send(marshal(t, &txv1.Envelope{Body: body, Signature: &txv1.Signature{Key: key.Public().ID(), Signature: sig}}))
		if code == fault.Internal || code != fault.OK && (code < 11000 || code >= 15000) {
			t.Errorf("%s: %s", code, w.Text)
		}
	})
}
