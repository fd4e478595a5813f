package prooffile

import (
	"encoding/base64"
	"fmt"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// secretive is a gateway that does with secrecy what no honest one does.
func secretive(t testing.TB) *lie {
	w := newWorld(t, "proof-secret", validator(t, "v1", 1, true))
	s := tell(w)
	base := w.base.UnixMilli()
	w.put(agreementKey, &sharev1.Agreement{
		Id: agreementID, Provider: provider, Consumer: consumer, Version: 2, ProviderGateways: []string{doorID}, ConsumerGateway: tapID, Secrecy: 5,
		Terms: &sharev1.Terms{Purpose: "核对新建项目", Parts: []*sharev1.Part{{Entry: provider + ":E01", Items: []string{"name"}}}}, StartsMs: base - 90_000_000,
	})
	w.put("trace/secrecy/"+agreementID, &tracev1.Secrecy{Agreement: agreementID, Orders: []*tracev1.SecrecyOrder{
		{Number: 1, FromMs: base - 80_000_000, UntilMs: base - 70_000_000, UnsealMs: base - 60_000_000},
		{Number: 2, FromMs: base - 65_000_000, UntilMs: base - 50_000_000, UnsealMs: base - 40_000_000, Extends: 1},
		{Number: 3, FromMs: base - 30_000_000, UntilMs: base + 90_000_000, UnsealMs: base + 95_000_000, LiftedMs: base - 2_000_000},
		{Number: 4, FromMs: base - 89_000_000, UntilMs: base - 81_000_000, UnsealMs: base - 20_000_000},
		{Number: 5, FromMs: base - 88_000_000, UntilMs: base - 80_500_000, UnsealMs: base - 20_000_000, Extends: 4, LiftedMs: base - 86_000_000},
	}})
	w.put("trace/sequence/"+agreementID+"/"+doorID, &tracev1.Sequence{Agreement: agreementID, Gateway: doorID, Last: 30, Secrecy: []*tracev1.SecrecyCount{
		{Order: 1, Sealed: 4, Opened: 3}, {Order: 3, Sealed: 2, Opened: 2},
	}})
	l := &lie{story: s}
	sealed := func(order uint64, at, until int64) func(*tracev1.AccessRecord) {
		return func(r *tracev1.AccessRecord) {
			r.Purpose, r.Entry, r.Items, r.AtMs = "", "", nil, base+at
			r.Sealed = &tracev1.Sealed{Order: order, UnsealMs: base + until, Commitment: []byte("c"), Box: []byte("b")}
		}
	}
	l.add(sealed(6, -1_000_000, 0))                                     // 7: no such order
	l.add(sealed(1, -75_000_000, -39_000_000))                          // 8: longer than ordered
	l.add(sealed(3, -100_000, 95_000_000))                              // 9: after it was lifted
	l.add(func(r *tracev1.AccessRecord) { r.AtMs = base - 20_000_000 }) // 10: in the clear
	l.add(sealed(1, -75_000_000, -60_000_000))                          // 11: as it should be, and not opened
	l.add(sealed(3, -20_000_000, 95_000_000))                           // 12: as it should be
	l.add(func(r *tracev1.AccessRecord) { r.AtMs = base - 1_000_000 })  // 13: as it should be
	l.add(func(r *tracev1.AccessRecord) {                               // 14: opens something
		*r = tracev1.AccessRecord{
			Gateway: doorID, Agreement: agreementID, Asker: tapID, Seq: 30, Outcome: tracev1.Outcome_OUTCOME_OPENED, AtMs: base, Place: r.Place,
			Sealed: &tracev1.Sealed{Order: 3, Opening: &tracev1.Opening{Place: 13, Salt: make([]byte, 32)}},
		}
	})
	l.add(sealed(4, -84_000_000, -20_000_000))                          // 15: the order that extends it was lifted
	l.add(func(r *tracev1.AccessRecord) { r.AtMs = base - 84_000_000 }) // 16: as it should be
	l.add(sealed(4, -87_000_000, -20_000_000))                          // 17: as it should be, before that
	s.anchor(len(s.log))
	w.block(nil)
	w.block(nil)
	l.maker = w.maker()
	return l
}

// TestSecrecyFindings: each breach of an order makes a file that both verifiers take;
// what an order allows makes none, under any rule.
func TestSecrecyFindings(t *testing.T) {
	l := secretive(t)
	js := startSecond(t)
	for _, x := range []struct {
		rule  string
		leaf  uint64
		holds bool
	}{
		{RuleSecrecy, 7, true},
		{RuleSecrecy, 8, true},
		{RuleSecrecy, 9, true},
		{RuleSecrecy, 10, true},
		{RuleUnopened, 11, true},
		{RuleSecrecy, 11, false},
		{RuleSecrecy, 12, false},
		{RuleSecrecy, 13, false},
		{RuleSecrecy, 14, false},
		{RuleSecrecy, 15, true},
		{RuleSecrecy, 16, false},
		{RuleSecrecy, 17, false},
		{RuleUnopened, 12, false},
		{RuleUnopened, 13, false},
		{RuleUnopened, 14, false},
		{RuleUnopened, 7, false},
		{RuleOutside, 11, false},
		{RuleOutside, 12, false},
		{RuleOutside, 14, false},
		{RuleMisplaced, 12, false},
		{RuleMisplaced, 14, false},
	} {
		name := fmt.Sprintf("%s of %d", x.rule, x.leaf)
		file, err := l.maker.Finding(t.Context(), Finding{Rule: x.rule, Gateway: doorID, Records: []Shown{{Leaf: x.leaf}}, Event: -1, Log: l.log})
		if !x.holds {
			if !fault.Is(err, fault.VerificationFailed) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := js.verify(file, l.maker.hash); got["ok"] != true {
			t.Errorf("%s, in JavaScript: %v", name, got)
		}
	}
	for _, leaf := range []uint64{7, 12, 14} { // a sealed record is proved as any other
		file, err := l.maker.Access(t.Context(), doorID, leaf, l.log)
		if err != nil {
			t.Errorf("access %d: %v", leaf, err)
			continue
		}
		if got := js.verify(file, l.maker.hash); got["ok"] != true {
			t.Errorf("access %d, in JavaScript: %v", leaf, got)
		}
	}
}

// TestRotatedLogKey: a checkpoint counts by the keys that sign logs of its size, as the
// ledger says, and by no other.
func TestRotatedLogKey(t *testing.T) {
	l := deceive(newWorld(t, "proof-rotated", validator(t, "v1", 1, true)))
	first, second := key(t, sm.Ed25519, "log"), key(t, sm.Ed25519, "log 2")
	size := uint64(len(l.log))
	profile := func(p *identityv1.GatewayProfile) {
		door := &identityv1.Account{Id: doorID, Version: 2, Gateway: p}
		p.LogOrigin, p.LogPublicKey = origin, second.Public().Bytes()
		l.put("identity/account/"+doorID, door)
		l.block(nil)
		l.block(nil)
		l.maker = l.story.world.maker()
	}
	by := func(k sm.PrivateKey, log [][]byte) []byte {
		root := logRoot(log)
		body := fmt.Sprintf("%s\n%d\n%s\n", origin, len(log), base64.StdEncoding.EncodeToString(root[:]))
		sig, err := k.Sign([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		hash := sum(append([]byte(origin+"\n\x01"), k.Public().Bytes()...))
		return fmt.Appendf(nil, "%s\n— %s %s\n", body, origin, base64.StdEncoding.EncodeToString(append(hash[:4:4], sig...)))
	}
	js := startSecond(t)
	for name, x := range map[string]struct {
		from, until uint64
		a, b        sm.PrivateKey
		holds       bool
	}{
		"both in the overlap":         {size, size + 1, first, second, true},
		"the old one before its end":  {size + 1, size + 1, first, first, true},
		"the old one after its end":   {size - 1, size, first, second, false},
		"the new one before it began": {size + 1, size + 1, first, second, false},
		"the new one alone":           {size, size, second, second, true},
	} {
		profile(&identityv1.GatewayProfile{LogKeys: []*identityv1.LogKey{{PublicKey: first.Public().Bytes(), UntilSize: x.until}, {PublicKey: second.Public().Bytes(), FromSize: x.from}}})
		file, err := l.maker.Finding(t.Context(), Finding{Rule: RuleForked, Gateway: doorID, Checkpoints: [][]byte{by(x.a, l.log), by(x.b, l.log2)}, Event: -1, Log: l.log})
		if (err == nil) != x.holds {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if got := js.verify(file, l.maker.hash); got["ok"] != true {
				t.Errorf("%s, in JavaScript: %v", name, got)
			}
		}
	}
}
