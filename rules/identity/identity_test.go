package identity_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

const (
	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT
)

// key makes a public key of that algorithm that is called so.
func key(t testing.TB, alg sm.Algorithm, level identityv1.KeyLevel, name string) *identityv1.Key {
	t.Helper()
	k, err := sm.FromSeed(alg, sha256.Sum256([]byte(name)))
	if err != nil {
		t.Fatal(err)
	}
	return rulestest.PublicKey(k.Public(), level)
}

type registerOrg = rulestest.Try[*identityv1.RegisterOrg]

func TestRegisterOrg(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *registerOrg {
		w := rulestest.New(t)
		w.Org("税务局")
		return &registerOrg{World: w, Account: w.Authority, Message: &identityv1.RegisterOrg{
			Code: rulestest.Code(77), Profile: rulestest.Profile("水务局"),
			Keys: []*identityv1.Key{key(t, sm.SM2, root, "a"), key(t, sm.P256, officer, "b"), key(t, sm.Ed25519, machine, "c")},
		}}
	}, []rulestest.Breach[*identityv1.RegisterOrg]{
		{"only the authority", fault.Forbidden, func(c *registerOrg) { c.Account = rulestest.Code(2) }},
		{"check digit", fault.CodeInconsistent, func(c *registerOrg) { c.Message.Code = "11110000000021928A" }},
		{"name missing", fault.Missing, func(c *registerOrg) { c.Message.Profile.Name = "" }},
		{"name of blanks", fault.Missing, func(c *registerOrg) { c.Message.Profile.Name = " 　" }},
		{"name of nothing visible", fault.Malformed, func(c *registerOrg) { c.Message.Profile.Name = "\u200b\u200b" }},
		{"name too long", fault.TooLong, func(c *registerOrg) { c.Message.Profile.Name = strings.Repeat("水", 201) }},
		{"level", fault.OutOfRange, func(c *registerOrg) { c.Message.Profile.Level = 5 }},
		{"region", fault.OutOfRange, func(c *registerOrg) { c.Message.Profile.Region = "990000" }},
		{"above itself", fault.CodeInconsistent, func(c *registerOrg) { c.Message.Profile.Parent = c.Message.Code }},
		{"guidance code", fault.OutOfRange, func(c *registerOrg) { c.Message.Profile.GuidanceCode = "01" }},
		{"too many keys", fault.TooLong, func(c *registerOrg) {
			for len(c.Message.Keys) <= identity.MaxKeys {
				c.Message.Keys = append(c.Message.Keys, c.Message.Keys[0])
			}
		}},
		{"a passkey without what is known of it", fault.Missing, func(c *registerOrg) { c.Message.Keys[0].Algorithm = 4 }},
		{"no point of the curve", fault.Malformed, func(c *registerOrg) { c.Message.Keys[0].PublicKey[10] ^= 1 }},
		{"id of another key", fault.CodeInconsistent, func(c *registerOrg) { c.Message.Keys[0].Id = "0123456789abcdef" }},
		{"no such level", fault.OutOfRange, func(c *registerOrg) { c.Message.Keys[0].Level = 4 }},
		{"state is the ledger's", fault.Malformed, func(c *registerOrg) { c.Message.Keys[0].State = 1 }},
		{"key that has ended", fault.OutOfRange, func(c *registerOrg) { c.Message.Keys[0].EndsMs = c.Now }},
		{"label of two lines", fault.Malformed, func(c *registerOrg) { c.Message.Keys[0].Label = "a\nb" }},
		{"key there twice", fault.Duplicate, func(c *registerOrg) { c.Message.Keys[1] = c.Message.Keys[0] }},
		{"no ROOT key that lasts", fault.Missing, func(c *registerOrg) { c.Message.Keys[0].EndsMs = c.Now + 1 }},
		{"code is taken", fault.AlreadyExists, func(c *registerOrg) { c.Message.Code = rulestest.Code(2) }},
		{"name is taken, written otherwise", fault.DuplicateName, func(c *registerOrg) { c.Message.Profile.Name = "税 务\u3000局" }},
	})
}

type updateOrg = rulestest.Try[*identityv1.UpdateOrg]

func TestUpdateOrg(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *updateOrg {
		w := rulestest.New(t)
		w.Org("税务局")
		water := w.Org("水务局")
		return &updateOrg{World: w, Account: water, Message: &identityv1.UpdateOrg{Profile: rulestest.Profile("水利局"), Version: 1}}
	}, []rulestest.Breach[*identityv1.UpdateOrg]{
		{"a person is no organisation", fault.Forbidden, func(c *updateOrg) { c.Account = c.Person(1) }},
		{"profile missing", fault.Missing, func(c *updateOrg) { c.Message.Profile = nil }},
		{"region", fault.OutOfRange, func(c *updateOrg) { c.Message.Profile.Region = "" }},
		{"has moved on", fault.VersionConflict, func(c *updateOrg) { c.Message.Version = 7 }},
		{"name is taken", fault.DuplicateName, func(c *updateOrg) { c.Message.Profile.Name = "税务局" }},
	})
}

// TestNames: a name that was given up is free, and one's own may be kept.
func TestNames(t *testing.T) {
	w := rulestest.New(t)
	water := w.Org("水务局")
	w.Must(water, &identityv1.UpdateOrg{Profile: rulestest.Profile("水 务局"), Version: 1})
	if got := identity.Named(w.View(), "水务局"); got != water {
		t.Errorf("水务局 is %q", got)
	}
	w.Must(water, &identityv1.UpdateOrg{Profile: rulestest.Profile("水利局"), Version: 2})
	other := w.Org("水务局")
	w.Want(fault.DuplicateName, other, &identityv1.UpdateOrg{Profile: rulestest.Profile("水利局"), Version: 1})
	if code := w.DoAs(other, officer, &identityv1.UpdateOrg{Profile: rulestest.Profile("林业局"), Version: 1}); code != fault.Forbidden {
		t.Errorf("an OFFICER key changed the profile: %s", code)
	}
}

type registerUnit = rulestest.Try[*identityv1.RegisterUnit]

func TestRegisterUnit(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *registerUnit {
		w := rulestest.New(t)
		w.Department(w.Authority, "water")
		return &registerUnit{World: w, Account: w.Authority, Message: &identityv1.RegisterUnit{
			Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: "rivers", Name: "河道处", Parent: "water", Keys: []*identityv1.Key{key(t, sm.SM2, officer, "a")},
		}}
	}, []rulestest.Breach[*identityv1.RegisterUnit]{
		{"signed by a department", fault.Forbidden, func(c *registerUnit) { c.Account += "/d/water" }},
		{"kind", fault.OutOfRange, func(c *registerUnit) { c.Message.Kind = identityv1.AccountKind_ACCOUNT_KIND_GATEWAY }},
		{"id missing", fault.Missing, func(c *registerUnit) { c.Message.LocalId = "" }},
		{"id too long", fault.TooLong, func(c *registerUnit) { c.Message.LocalId = strings.Repeat("a", 33) }},
		{"id with a slash", fault.Malformed, func(c *registerUnit) { c.Message.LocalId = "a/d" }},
		{"name", fault.Missing, func(c *registerUnit) { c.Message.Name = "" }},
		{"a unit has no ROOT key", fault.OutOfRange, func(c *registerUnit) { c.Message.Keys[0].Level = root }},
		{"parent is no id", fault.Malformed, func(c *registerUnit) { c.Message.Parent = "../x" }},
		{"parent is not there", fault.NotFound, func(c *registerUnit) { c.Message.Parent = "fire" }},
		{"taken", fault.AlreadyExists, func(c *registerUnit) { c.Message.LocalId = "water" }},
	})
}

type registerGateway = rulestest.Try[*identityv1.RegisterGateway]

func TestRegisterGateway(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *registerGateway {
		w := rulestest.New(t)
		w.Gateway(w.Authority, "main")
		return &registerGateway{World: w, Account: w.Authority, Message: w.GatewayMessage(w.Authority, "second")}
	}, []rulestest.Breach[*identityv1.RegisterGateway]{
		{"a person has no gateway", fault.Forbidden, func(c *registerGateway) { c.Account = c.Person(1) }},
		{"a gateway makes no gateway", fault.Forbidden, func(c *registerGateway) { c.Account = c.Authority + "/g/main" }},
		{"id", fault.Malformed, func(c *registerGateway) { c.Message.LocalId = "Ä" }},
		{"name", fault.TooLong, func(c *registerGateway) { c.Message.Name = strings.Repeat("网", 101) }},
		{"url missing", fault.Missing, func(c *registerGateway) { c.Message.Profile.Url = "" }},
		{"url of another kind", fault.Malformed, func(c *registerGateway) { c.Message.Profile.Url = "ftp://a" }},
		{"url with a user", fault.Malformed, func(c *registerGateway) { c.Message.Profile.Url = "https://a@b" }},
		{"url without a host", fault.Malformed, func(c *registerGateway) { c.Message.Profile.Url = "https:///x" }},
		{"sealing key missing", fault.Missing, func(c *registerGateway) { c.Message.Profile.SealingKey = nil }},
		{"sealing to Ed25519", fault.OutOfRange, func(c *registerGateway) { c.Message.Profile.SealingKey = c.Message.Keys[0] }},
		{"sealing key with a level", fault.Malformed, func(c *registerGateway) { c.Message.Profile.SealingKey.Level = machine }},
		{"origin with a plus", fault.Malformed, func(c *registerGateway) { c.Message.Profile.LogOrigin = "a+b" }},
		{"log key", fault.Malformed, func(c *registerGateway) { c.Message.Profile.LogPublicKey = make([]byte, 32) }},
		{"a gateway has MACHINE keys", fault.OutOfRange, func(c *registerGateway) { c.Message.Keys[0].Level = officer }},
		{"taken", fault.AlreadyExists, func(c *registerGateway) { c.Message.LocalId = "main" }},
		{"origin is taken", fault.AlreadyExists, func(c *registerGateway) {
			c.Message.Profile.LogOrigin = c.GatewayMessage(c.Authority, "main").Profile.LogOrigin
		}},
	})
}

type updateGateway = rulestest.Try[*identityv1.UpdateGateway]

func TestUpdateGateway(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *updateGateway {
		w := rulestest.New(t)
		id := w.Gateway(w.Authority, "main")
		p := w.GatewayMessage(w.Authority, "main").Profile
		p.Url = "http://10.0.0.1:9000"
		return &updateGateway{World: w, Account: id, Message: &identityv1.UpdateGateway{Gateway: id, Profile: p, Version: 1}}
	}, []rulestest.Breach[*identityv1.UpdateGateway]{
		{"not there", fault.NotFound, func(c *updateGateway) { c.Message.Gateway = c.Authority }},
		{"another organisation", fault.Forbidden, func(c *updateGateway) { c.Account = c.Org("税务局") }},
		{"url", fault.Malformed, func(c *updateGateway) { c.Message.Profile.Url = "x" }},
		{"has moved on", fault.VersionConflict, func(c *updateGateway) { c.Message.Version = 0 }},
		{"another log", fault.IllegalTransition, func(c *updateGateway) { c.Message.Profile.LogOrigin = "log.example.cn/other" }},
	})
}

type openAccount = rulestest.Try[*identityv1.OpenAccount]

func TestOpenAccount(t *testing.T) {
	id := "f-" + strings.Repeat("0a", 16)
	rulestest.Order(t, func(t *testing.T) *openAccount {
		w := rulestest.New(t)
		k := rulestest.PublicKey(w.Key(id, root).Public(), root)
		return &openAccount{World: w, Account: id, Message: &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_FIRM, Id: id, Keys: []*identityv1.Key{k}}}
	}, []rulestest.Breach[*identityv1.OpenAccount]{
		{"for another", fault.Forbidden, func(c *openAccount) { c.Account = c.Authority }},
		{"kind", fault.OutOfRange, func(c *openAccount) { c.Message.Kind = identityv1.AccountKind_ACCOUNT_KIND_ORG }},
		{"kind and id differ", fault.Malformed, func(c *openAccount) { c.Message.Kind = identityv1.AccountKind_ACCOUNT_KIND_PERSON }},
		{"no key", fault.Missing, func(c *openAccount) { c.Message.Keys = nil }},
		{"taken", fault.AlreadyExists, func(c *openAccount) {
			// by somebody else's key
			other := c.Named(id, root, "other")
			if code := c.DoWith(id, other, &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_FIRM, Id: id, Keys: []*identityv1.Key{rulestest.PublicKey(other.Public(), root)}}); code != fault.OK {
				c.TB.Fatal(code)
			}
		}},
	})
}

// TestOpenAccountByLowerKey: a MACHINE key in the message does not open the account.
func TestOpenAccountByLowerKey(t *testing.T) {
	w := rulestest.New(t)
	id := "p-" + strings.Repeat("00", 16)
	m := &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id}
	for level := machine; level <= root; level++ {
		m.Keys = append(m.Keys, rulestest.PublicKey(w.Key(id, level).Public(), level))
	}
	for level := machine; level < root; level++ {
		if code := w.DoAs(id, level, m); code != fault.Forbidden {
			t.Errorf("opened by a key of level %s: %s", level, code)
		}
	}
	w.Must(id, m)
	if code := w.DoWith(id, w.Named(id, root, "stranger"), m); code != fault.AlreadyExists {
		t.Errorf("opened again: %s", code)
	}
}

type suspend = rulestest.Try[*identityv1.SuspendAccount]

func TestSuspendAccount(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *suspend {
		w := rulestest.New(t)
		return &suspend{World: w, Account: w.Authority, Message: &identityv1.SuspendAccount{Account: w.Org("税务局"), Cause: "密钥泄露"}}
	}, []rulestest.Breach[*identityv1.SuspendAccount]{
		{"not there", fault.NotFound, func(c *suspend) { c.Message.Account = "p-1" }},
		{"an organisation does not suspend itself", fault.Forbidden, func(c *suspend) { c.Account = c.Message.Account }},
		{"members are protected", fault.Forbidden, func(c *suspend) {
			c.Decide(&governancev1.Change{Kind: &governancev1.Change_AdmitMember{AdmitMember: &governancev1.Member{Org: c.Message.Account, Weight: 1}}})
		}},
		{"cause", fault.Missing, func(c *suspend) { c.Message.Cause = "" }},
	})
}

// TestSuspension: who is suspended signs nothing, nor does what acts for him; and a
// suspension is ended by whoever may.
func TestSuspension(t *testing.T) {
	w := rulestest.New(t)
	tax := w.Org("税务局")
	gate, post := w.Gateway(tax, "main"), w.Post(tax, "officer")
	stop := func(id string) *identityv1.SuspendAccount {
		return &identityv1.SuspendAccount{Account: id, Cause: "原因"}
	}
	resume := func(id string) *identityv1.ResumeAccount { return &identityv1.ResumeAccount{Account: id} }

	w.Want(fault.Missing, tax, &identityv1.SuspendAccount{Account: gate})
	w.Must(post, stop(gate)) // as an officer of the organisation
	w.Want(fault.IllegalTransition, tax, stop(gate))
	w.Want(fault.Suspended, gate, stop(gate))
	w.Must(tax, resume(gate))
	w.Want(fault.IllegalTransition, tax, resume(gate))

	w.Must(w.Authority, stop(gate))
	w.Want(fault.Forbidden, tax, resume(gate)) // the authority's
	w.Must(w.Authority, resume(gate))

	w.Must(w.Authority, stop(tax))
	w.Want(fault.Suspended, tax, resume(tax))
	w.Want(fault.Suspended, gate, resume(tax))
	w.Want(fault.Suspended, post, stop(gate))
	w.Must(w.Authority, resume(tax))
	w.Want(fault.Forbidden, w.Person(1), stop(gate))
	if acc := w.Account(gate); acc.SuspendedBy != "" || acc.SuspendedCause != "" {
		t.Errorf("traces of a suspension that is over: %v", acc)
	}
}
