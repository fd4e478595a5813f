package rules_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

// TestEveryKeySigns: an account of each algorithm signs a real envelope.
func TestEveryKeySigns(t *testing.T) {
	w := rulestest.New(t)
	for _, alg := range []sm.Algorithm{sm.SM2, sm.P256, sm.Ed25519} {
		k, err := sm.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		id := "p-" + strings.Repeat(string(rune('0'+alg)), 32)
		m := &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id, Keys: []*identityv1.Key{rulestest.PublicKey(k.Public(), root)}}
		if code := w.DoWith(id, k, m); code != fault.OK {
			t.Errorf("%s: %s: %s", alg, code, w.Text)
		}
	}
}

// TestAllOrNothing: the messages before a refused one leave nothing.
func TestAllOrNothing(t *testing.T) {
	w := rulestest.New(t)
	org := w.Org("税务局")
	w.Want(fault.AlreadyExists, org, w.GatewayMessage(org, "a"), w.GatewayMessage(org, "b"), w.GatewayMessage(org, "a"))
	if w.Outcome.Message != 2 || len(w.Outcome.Ids) != 0 {
		t.Errorf("outcome %v", w.Outcome)
	}
	if _, ok := identity.Gateway(w.View(), org+"/g/b"); ok {
		t.Error("the second gateway is there")
	}
	w.Must(org, w.GatewayMessage(org, "a"), w.GatewayMessage(org, "b"))
}

// TestSignerEndsWithinTransaction: a message that takes the signer's right ends the
// transaction for those that follow.
func TestSignerEndsWithinTransaction(t *testing.T) {
	w := rulestest.New(t)
	org := w.Org("税务局")
	next := rulestest.PublicKey(w.Named(org, root, "next").Public(), root)
	rotate := &identityv1.RotateKey{Account: org, OldKey: w.Key(org, root).Public().ID(), NewKey: next}
	w.Want(fault.KeyRevoked, org, rotate, w.GatewayMessage(org, "main"))
	if w.Outcome.Message != 1 || w.Outcome.Rule != "tx/key" {
		t.Errorf("outcome %v", w.Outcome)
	}
	w.Must(org, w.GatewayMessage(org, "main"), rotate)

	post := w.Post(w.Authority, "officer")
	w.Want(fault.Suspended, post, &identityv1.SuspendAccount{Account: post, Cause: "x"}, w.GatewayMessage(w.Authority, "main"))
}

// TestOpeningGoesOn: who opens an account can act under it at once, and only under it.
func TestOpeningGoesOn(t *testing.T) {
	w := rulestest.New(t)
	id := "f-" + strings.Repeat("ab", 16)
	open := &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_FIRM, Id: id, Keys: []*identityv1.Key{rulestest.PublicKey(w.Key(id, root).Public(), root)}}
	second := w.Named(id, root, "second")
	add := &identityv1.AddKey{Account: id, Key: rulestest.PublicKey(second.Public(), root)}
	w.Want(fault.NotWhitelisted, id, add, open)
	w.Must(id, open, add)
	w.Want(fault.AlreadyExists, id, open)
	// A stranger cannot slip a message under an account by "opening" it again.
	if code := w.DoWith(id, w.Named(id, root, "stranger"), &identityv1.OpenAccount{Kind: open.Kind, Id: id, Keys: []*identityv1.Key{rulestest.PublicKey(w.Named(id, root, "stranger").Public(), root)}}, add); code != fault.AlreadyExists || w.Remembered {
		t.Errorf("%s, remembered %v", code, w.Remembered)
	}
}

// TestQuota: so many in a minute, for each account, and again in the next one.
func TestQuota(t *testing.T) {
	w := rulestest.New(t)
	a, b := w.Org("税务局"), w.Org("水务局")
	settings(w, func(p *governancev1.Parameters) { p.TxPerMinute = 10 })
	version := uint64(0)
	rename := func(org string) *identityv1.UpdateOrg {
		version = w.Account(org).Version
		return &identityv1.UpdateOrg{Profile: w.Account(org).Profile, Version: version}
	}
	for range 10 {
		w.Must(a, rename(a))
	}
	w.Want(fault.Busy, a, rename(a))
	w.Must(b, rename(b))
	w.Wait(rulestest.Minute)
	raw := w.Seal(w.Body(a, rename(a)), w.Key(a, root))
	for range 9 {
		w.Want(fault.VersionConflict, a, &identityv1.UpdateOrg{Profile: w.Account(a).Profile}) // refused: not counted
	}
	if code := w.Send(raw); code != fault.OK {
		t.Errorf("in the next minute: %s (%s)", code, w.Text)
	}
}

// TestID: the id is that of the body, whoever signed it, and a mangled envelope has none.
func TestID(t *testing.T) {
	a := newAttempt(t)
	body := marshal(t, a.body)
	want := sha256.Sum256(append([]byte("mulian-tx-v1\x00"), body...))
	for _, sig := range []*txv1.Signature{nil, {Key: "x"}, {Key: "y", Signature: []byte{1}}} {
		got, err := rules.New().ID(marshal(t, &txv1.Envelope{Body: body, Signature: sig}))
		if err != nil || got != want {
			t.Errorf("with signature %v: %x, %v", sig, got, err)
		}
	}
	for _, raw := range [][]byte{nil, {0xff}, unknownField(a.envelope(t)), append(a.envelope(t), a.envelope(t)...)} {
		if _, err := rules.New().ID(raw); err == nil {
			t.Errorf("%.20x has an id", raw)
		}
	}
}

// TestEveryVerbIsDispatched: each kind of tx.proto reaches a rule, and a refusal names
// its verb. The messages are empty, so none succeeds, but the policy of a holder whom nobody
// and no code shall help.
func TestEveryVerbIsDispatched(t *testing.T) {
	const withNothing = "recovery/set_recovery_policy"
	w := rulestest.New(t)
	fields := (&txv1.Message{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	stranger := w.Person(1)
	for i := range fields.Len() {
		f := fields.Get(i)
		r := (&txv1.Message{}).ProtoReflect()
		r.Set(f, protoreflect.ValueOfMessage(r.NewField(f).Message()))
		body := w.Body(stranger)
		body.Messages = []*txv1.Message{r.Interface().(*txv1.Message)}
		code := w.Send(w.Seal(body, w.Key(stranger, root))) // panics if no rule takes it
		noun := strings.Split(string(f.Message().FullName()), ".")[1]
		want, did := noun+"/"+string(f.Name()), w.Outcome.Rule
		if code == fault.OK && want == withNothing {
			did = w.Events()[len(w.Events())-1].Verb
		} else if code == fault.OK {
			t.Errorf("%s says yes to an empty message", want)
		}
		if did != want {
			t.Errorf("%s: %s by %q (%s)", want, code, did, w.Text)
		}
	}
}

// TestGenesis walks what the founders' file must be. Each row breaks one thing.
func TestGenesis(t *testing.T) {
	for _, tt := range []struct {
		name   string
		want   fault.Code
		change func(*governancev1.Genesis)
	}{
		{"chain", fault.WrongChain, func(g *governancev1.Genesis) { g.ChainId = "other" }},
		{"time", fault.OutOfRange, func(g *governancev1.Genesis) { g.TimeMs++ }},
		{"no founder", fault.OutOfRange, func(g *governancev1.Genesis) { g.Founders = nil }},
		{"founder twice", fault.AlreadyExists, func(g *governancev1.Genesis) { g.Founders[1] = g.Founders[0] }},
		{"two founders of one name", fault.DuplicateName, func(g *governancev1.Genesis) { g.Founders[1].Profile = g.Founders[0].Profile }},
		{"founder without weight", fault.OutOfRange, func(g *governancev1.Genesis) { g.Founders[0].Weight = 0 }},
		{"no profile of clocks", fault.Missing, func(g *governancev1.Genesis) { g.ClockProfiles = nil }},
		{"profile twice", fault.Duplicate, func(g *governancev1.Genesis) { g.ClockProfiles[1] = g.ClockProfiles[0] }},
		{"no parameters", fault.OutOfRange, func(g *governancev1.Genesis) { g.Parameters = nil }},
		{"unknown profile in force", fault.NotFound, func(g *governancev1.Genesis) { g.Parameters.ClockProfile = "x" }},
		{"year twice", fault.Duplicate, func(g *governancev1.Genesis) { g.Calendar[1] = g.Calendar[0] }},
		{"role of nobody", fault.NotFound, func(g *governancev1.Genesis) { g.Roles[0].Account = "x" }},
		{"role twice", fault.AlreadyExists, func(g *governancev1.Genesis) { g.Roles[1] = g.Roles[0] }},
		{"no validator", fault.Missing, func(g *governancev1.Genesis) { g.Validators = nil }},
		{"validator without power", fault.OutOfRange, func(g *governancev1.Genesis) { g.Validators[0].Power = 0 }},
		{"validator twice", fault.Duplicate, func(g *governancev1.Genesis) { g.Validators[1] = g.Validators[0] }},
		{"validator of a stranger", fault.NotFound, func(g *governancev1.Genesis) { g.Validators[0].Org = rulestest.Code(9) }},
		{"SM2 key that is no point", fault.Malformed, func(g *governancev1.Genesis) { g.Validators[0].Sm2Key = make([]byte, 65) }},
		{"one SM2 key for two validators", fault.Duplicate, func(g *governancev1.Genesis) {
			g.Validators[0].Sm2Key = sm2Key(1)
			g.Validators[1].Sm2Key = sm2Key(1)
		}},
		{"SM2 keys", fault.OK, func(g *governancev1.Genesis) { g.Validators[0].Sm2Key, g.Validators[1].Sm2Key = sm2Key(1), sm2Key(2) }},
		{"done", fault.OK, func(*governancev1.Genesis) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := rulestest.TryGenesis(t, tt.change, nil, 60, 40); fault.CodeOf(got) != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

// sm2Key returns the n-th public key of made-up validators.
func sm2Key(n byte) []byte {
	k, err := sm.FromSeed(sm.SM2, [32]byte{n})
	if err != nil {
		panic(err)
	}
	return k.Public().Bytes()
}

// TestGenesisSignatures: every founder, in order, with a ROOT key, over these bytes.
func TestGenesisSignatures(t *testing.T) {
	for name, change := range map[string]func(*governancev1.SignedGenesis){
		"one is missing": func(f *governancev1.SignedGenesis) { f.Signatures = f.Signatures[:1] },
		"one too many":   func(f *governancev1.SignedGenesis) { f.Signatures = append(f.Signatures, f.Signatures[0]) },
		"one twice":      func(f *governancev1.SignedGenesis) { f.Signatures[1] = f.Signatures[0] },
		"in another order": func(f *governancev1.SignedGenesis) {
			f.Signatures[0], f.Signatures[1] = f.Signatures[1], f.Signatures[0]
		},
		"a key of nobody": func(f *governancev1.SignedGenesis) { f.Signatures[0].Key = "0123456789abcdef" },
		"does not hold":   func(f *governancev1.SignedGenesis) { f.Signatures[1].Signature[5] ^= 1 },
		"other bytes": func(f *governancev1.SignedGenesis) {
			g := new(governancev1.Genesis)
			if err := proto.Unmarshal(f.Genesis, g); err != nil {
				panic(err)
			}
			g.Founders[0].Weight++
			f.Genesis, _ = proto.Marshal(g)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rulestest.TryGenesis(t, nil, change, 60, 40); !fault.Is(got, fault.BadAuthorisation) {
				t.Errorf("%v", got)
			}
		})
	}
}
