package prooffile

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// A lie is a story whose gateway has done everything that a finding is about.
type lie struct {
	*story
	log2 [][]byte // its other log: the same but for the last record
}

const (
	origin      = "mulian/proof/" + doorID
	deliveryOne = "share/delivery/" + agreementID + "/0000000001"
	grantID     = "00112233445566778899aabbccddeeff"
)

// deceive continues a story with what no honest gateway does.
func deceive(w *world) *lie {
	s := tell(w)
	logKey := key(w.t, sm.Ed25519, "log")
	door := client.PublicKey(key(w.t, sm.SM2, doorID).Public(), identityv1.KeyLevel_KEY_LEVEL_OFFICER, "officer")
	door.State, door.AddedMs = identityv1.KeyState_KEY_STATE_ACTIVE, w.base.UnixMilli()
	w.put("identity/account/"+doorID, &identityv1.Account{
		Id: doorID, Version: 1, Keys: []*identityv1.Key{door}, Gateway: &identityv1.GatewayProfile{LogOrigin: origin, LogPublicKey: logKey.Public().Bytes()},
	})
	w.put(agreementKey, &sharev1.Agreement{
		Id: agreementID, Provider: provider, Consumer: consumer, Version: 2, ProviderGateways: []string{doorID}, ConsumerGateway: tapID,
		Terms:    &sharev1.Terms{Purpose: "核对新建项目", Parts: []*sharev1.Part{{Entry: provider + ":E01", Items: []string{"name"}}}},
		StartsMs: w.base.UnixMilli(), EndsMs: w.base.UnixMilli() + 86_400_000, StalenessSeconds: 5,
	})
	w.put(deliveryOne, &sharev1.Delivery{Agreement: agreementID, Number: 1, State: sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED, Rows: 7, Gateway: doorID})
	w.put(grantPrefix+grantID, &grantv1.Grant{Id: grantID, Sequence: 2})
	for n := uint64(1); n <= 2; n++ {
		w.put(useKey(grantID, n), &grantv1.Use{Grant: grantID, Number: n, Provider: doorID, RequestDigest: []byte{byte(n)}, Outcome: grantv1.GrantUseOutcome(1 + 2*(n-1))})
	}
	w.log(&tracev1.Event{Verb: "share/end_agreement", Actor: consumer, Objects: []string{agreementKey}, Note: "ended"})
	l := &lie{story: s}
	l.add(func(r *tracev1.AccessRecord) { r.Seq = 20 })                                                            // 7: no decision before it
	l.add(func(r *tracev1.AccessRecord) { r.Seq, r.Previous = 22, 8 })                                             // 8: 21 is missing
	l.add(func(r *tracev1.AccessRecord) { r.Seq, r.Previous = 22, 8 })                                             // 9: twice
	l.add(func(r *tracev1.AccessRecord) { r.Seq, r.Previous, r.Place = 23, 10, 99 })                               // 10: misplaced
	l.add(func(r *tracev1.AccessRecord) { r.Seq, r.Previous, r.ViewHeight, r.Items = 24, 11, 90, []string{"id"} }) // 11: outside, revoked
	l.add(func(r *tracev1.AccessRecord) { r.Outcome, r.Delivery, r.Rows = tracev1.Outcome_OUTCOME_COMPLETED, 1, 8 })
	l.add(l.byGrant(1, 3, 3)) // 13: the ledger has counted two
	l.add(l.byGrant(2, 1, 9)) // 14: the first was for another request
	l.add(l.byGrant(3, 2, 2)) // 15: the second was given back
	l.add(l.byGrant(4, 0, 0)) // 16: no use
	l.log2 = append(append([][]byte(nil), s.log[:len(s.log)-1]...), []byte("another"))
	s.brings = &tracev1.Range{Agreement: agreementID, First: 8, Last: uint64(len(s.log))}
	s.anchor(len(s.log))
	s.brings = nil
	w.block(nil)
	w.block(nil)
	l.maker = w.maker()
	return l
}

// record is one of the gateway's, at the next place.
func (l *lie) record(edit func(*tracev1.AccessRecord)) []byte {
	r := &tracev1.AccessRecord{
		Gateway: doorID, Agreement: agreementID, Seq: 30, Outcome: tracev1.Outcome_OUTCOME_GRANTED, RequestId: "r-lie", Asker: tapID, Entry: provider + ":E01",
		Items: []string{"name"}, Purpose: "核对新建项目", AtMs: l.base.UnixMilli() + 1000, ViewHeight: 1, Place: uint64(len(l.log)) + 1,
	}
	edit(r)
	raw, err := canon.Marshal(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return raw
}

// byGrant makes a record a release under the grant: its number, its use, its request.
func (l *lie) byGrant(seq, use uint64, digest byte) func(*tracev1.AccessRecord) {
	return func(r *tracev1.AccessRecord) {
		r.Agreement, r.Seq, r.Use, r.RequestHash = grantID, seq, use, []byte{digest}
		if seq > 1 {
			r.Previous = uint64(len(l.log))
		}
	}
}

func (l *lie) add(edit func(*tracev1.AccessRecord)) { l.log = append(l.log, l.record(edit)) }

// given is a receipt for a record that is not in the log: signed with others at once.
func (l *lie) given(edit func(*tracev1.AccessRecord)) *tracev1.Receipt {
	raw := l.record(edit)
	k := key(l.t, sm.SM2, doorID)
	// The third of three.
	first := logRoot([][]byte{[]byte("one"), []byte("two")})
	root := logRoot([][]byte{[]byte("one"), []byte("two"), raw})
	sig, err := k.Sign(append([]byte(batchDomain+"\x00\x00\x00\x00\x00\x00\x00\x03"), root[:]...))
	if err != nil {
		l.t.Fatal(err)
	}
	sig = append(append([]byte(batchMagic+"\x00\x00\x00\x02\x00\x00\x00\x03"), first[:]...), sig...)
	return &tracev1.Receipt{Record: raw, ProviderKey: k.Public().ID(), ProviderSignature: sig}
}

func (l *lie) checkpoint(log [][]byte) []byte {
	root := logRoot(log)
	body := fmt.Sprintf("%s\n%d\n%s\n", origin, len(log), base64.StdEncoding.EncodeToString(root[:]))
	k := key(l.t, sm.Ed25519, "log")
	sig, err := k.Sign([]byte(body))
	if err != nil {
		l.t.Fatal(err)
	}
	hash := sum(append([]byte(origin+"\n\x01"), k.Public().Bytes()...))
	return fmt.Appendf(nil, "%s\n— witness.example AAAAAAAAAAAA\n— %s %s\n", body, origin, base64.StdEncoding.EncodeToString(append(hash[:4:4], sig...)))
}

// findings are one file of each rule.
func (l *lie) findings() map[string]Finding {
	at := func(leaf uint64) Shown { return Shown{Leaf: leaf} }
	longer := append(append([][]byte(nil), l.log2...), []byte("more"))
	begins := logRoot(l.log2)
	// From a log of one record less to the whole: RFC 6962 section 2.1.2.
	path := consistencyOf(len(l.log2), longer)
	short := l.given(func(r *tracev1.AccessRecord) { r.Place, r.Rows = 12, 5 })
	late := l.given(func(r *tracev1.AccessRecord) { r.Place, r.AtMs = 50, l.base.UnixMilli()-599_000 })
	unused := l.given(func(r *tracev1.AccessRecord) {
		l.byGrant(9, 7, 7)(r)
		r.Place, r.AtMs = 60, l.base.UnixMilli()-599_000
	})
	return map[string]Finding{
		RuleWithoutUse:              {Records: []Shown{at(13)}, Event: -1},
		RuleWithoutUse + "-other":   {Records: []Shown{at(14)}, Event: -1},
		RuleWithoutUse + "-back":    {Records: []Shown{at(15)}, Event: -1},
		RuleWithoutUse + "-none":    {Records: []Shown{at(16)}, Event: -1},
		RuleWithoutUse + "-receipt": {Records: []Shown{{Receipt: unused}}, Event: -1},
		RuleContradicted:            {Records: []Shown{{Receipt: short}, at(11)}, Event: -1},
		RuleMisplaced:               {Records: []Shown{at(10)}, Event: -1},
		RuleTwice:                   {Records: []Shown{at(8), at(9)}, Event: -1},
		RuleGap:                     {Records: []Shown{at(8), at(7)}, Event: -1},
		RuleGap + "-first":          {Records: []Shown{at(7)}, Event: -1},
		RuleUnanchored:              {Records: []Shown{{Receipt: late}}, Event: -1},
		RuleUnanchored + "-event":   {Records: []Shown{{Receipt: late}}, Event: int64(l.eventOf(anchorVerb))},
		RuleOutside:                 {Records: []Shown{at(11)}, Event: -1},
		RuleOutside + "-predicate":  {Records: []Shown{{Receipt: l.given(func(r *tracev1.AccessRecord) { r.Predicate = "is-adult" })}}, Event: -1},
		RuleRevoked:                 {Records: []Shown{at(11)}, Event: int64(l.eventOf("share/end_agreement"))},
		RuleCounts:                  {Records: []Shown{at(12)}, Event: -1},
		RuleForked:                  {Checkpoints: [][]byte{l.checkpoint(l.log), l.checkpoint(l.log2)}, Event: -1},
		RuleForked + "-head":        {Checkpoints: [][]byte{l.checkpoint(l.log2)}, Event: -1},
		RuleRewritten:               {Checkpoints: [][]byte{l.checkpoint(longer), l.checkpoint(l.log)}, Root: begins[:], Path: path, Event: -1},
		RuleRewritten + "-head":     {Checkpoints: [][]byte{l.checkpoint(longer)}, Root: begins[:], Path: path, Event: -1},
	}
}

func (l *lie) eventOf(verb string) int {
	for i := len(l.events) - 1; i >= 0; i-- {
		e := &tracev1.Event{}
		if err := proto.Unmarshal(l.events[i], e); err != nil {
			l.t.Fatal(err)
		}
		if e.Verb == verb {
			return i
		}
	}
	l.t.Fatalf("no event %s", verb)
	return 0
}

// consistencyOf is SUBPROOF of RFC 6962 section 2.1.2.
func consistencyOf(m int, log [][]byte) [][]byte {
	var sub func(m int, log [][]byte, whole bool) [][]byte
	sub = func(m int, log [][]byte, whole bool) [][]byte {
		if m == len(log) {
			if whole {
				return nil
			}
			h := logRoot(log)
			return [][]byte{h[:]}
		}
		k := 1
		for k*2 < len(log) {
			k *= 2
		}
		if m <= k {
			h := logRoot(log[k:])
			return append(sub(m, log[:k], whole), h[:])
		}
		h := logRoot(log[:k])
		return append(sub(m-k, log[k:], false), h[:])
	}
	return sub(m, log, true)
}

// findingFiles are the vectors of findings.
func findingFiles(t testing.TB) (map[string][]byte, *Maker) {
	l := deceive(newWorld(t, "proof-lie", validator(t, "v1", 1, true)))
	files := map[string][]byte{}
	for name, f := range l.findings() {
		f.Gateway, f.Log = doorID, l.log
		f.Rule = ruleOf(name)
		file, err := l.maker.Finding(context.Background(), f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files["finding-"+name] = file
	}
	return files, l.maker
}

func ruleOf(name string) string {
	for r := range shapes {
		if name == r || len(name) > len(r) && name[:len(r)+1] == r+"-" {
			return r
		}
	}
	return name
}

// TestNobodyIsAccusedOfNothing: what is as it should be makes no file, and neither does
// one rule's evidence under another's name.
func TestNobodyIsAccusedOfNothing(t *testing.T) {
	l := deceive(newWorld(t, "proof-lie", validator(t, "v1", 1, true)))
	good := l.receiptOf(4)
	for name, f := range map[string]Finding{
		RuleOutside:    {Records: []Shown{{Leaf: 8}}, Event: -1},
		RuleRevoked:    {Records: []Shown{{Leaf: 8}}, Event: int64(l.eventOf("share/end_agreement"))},
		RuleGap:        {Records: []Shown{{Leaf: 10}, {Leaf: 9}}, Event: -1},
		RuleTwice:      {Records: []Shown{{Leaf: 7}, {Leaf: 8}}, Event: -1},
		RuleMisplaced:  {Records: []Shown{{Leaf: 8}}, Event: -1},
		RuleCounts:     {Records: []Shown{{Leaf: 11}}, Event: -1},
		RuleForked:     {Checkpoints: [][]byte{l.checkpoint(l.log), l.checkpoint(l.log)}, Event: -1},
		RuleUnanchored: {Records: []Shown{{Receipt: good}}, Event: -1},
		RuleWithoutUse: {Records: []Shown{{Receipt: l.given(l.byGrant(9, 7, 7))}}, Event: -1}, // it may be counted yet
	} {
		f.Rule, f.Gateway, f.Log = name, doorID, l.log
		if _, err := l.maker.Finding(t.Context(), f); !fault.Is(err, fault.VerificationFailed) && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range l.findings() {
		for rule := range shapes {
			if rule == ruleOf(name) || rule == RuleOutside || rule == RuleUnanchored { // some are that, too
				continue
			}
			f.Rule, f.Gateway, f.Log = rule, doorID, l.log
			if _, err := l.maker.Finding(t.Context(), f); err == nil && !(rule == RuleRevoked && ruleOf(name) == RuleRevoked) {
				t.Errorf("the evidence of %s proves %s", name, rule)
			}
		}
	}
}
