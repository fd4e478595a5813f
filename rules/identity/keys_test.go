package identity_test

import (
	"fmt"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

type addKey = rulestest.Try[*identityv1.AddKey]

func TestAddKey(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *addKey {
		w := rulestest.New(t)
		gate := w.Gateway(w.Authority, "main")
		return &addKey{World: w, Account: w.Authority, Message: &identityv1.AddKey{Account: gate, Key: key(t, sm.SM2, machine, "new")}}
	}, []rulestest.Breach[*identityv1.AddKey]{
		{"not there", fault.NotFound, func(c *addKey) { c.Message.Account = "" }},
		{"not his", fault.Forbidden, func(c *addKey) { c.Account = c.Person(1) }},
		{"key missing", fault.Missing, func(c *addKey) { c.Message.Key = nil }},
		{"level", fault.OutOfRange, func(c *addKey) { c.Message.Key.Level = root }},
		{"has it", fault.AlreadyExists, func(c *addKey) {
			c.Message.Key = rulestest.PublicKey(c.Key(c.Authority+"/g/main", machine).Public(), machine)
		}},
		{"full", fault.TooLong, func(c *addKey) {
			for n := range identity.MaxKeys - 1 {
				c.Must(c.Authority, &identityv1.AddKey{Account: c.Authority + "/g/main", Key: key(c.TB, sm.Ed25519, machine, fmt.Sprint(n))})
			}
		}},
	})
}

type rotateKey = rulestest.Try[*identityv1.RotateKey]

func TestRotateKey(t *testing.T) {
	spare := func(c *rotateKey) *identityv1.Key {
		return rulestest.PublicKey(c.Named(c.Account, root, "spare").Public(), root)
	}
	rulestest.Order(t, func(t *testing.T) *rotateKey {
		w := rulestest.New(t)
		me := w.Authority
		return &rotateKey{World: w, Account: me, Message: &identityv1.RotateKey{Account: me, OldKey: w.Key(me, root).Public().ID(), NewKey: key(t, sm.SM2, root, "new")}}
	}, []rulestest.Breach[*identityv1.RotateKey]{
		{"not there", fault.NotFound, func(c *rotateKey) { c.Message.Account = "f-1" }},
		{"not his", fault.Forbidden, func(c *rotateKey) { c.Account = c.Org("税务局") }},
		{"no such key", fault.NotFound, func(c *rotateKey) { c.Message.OldKey = "0000000000000000" }},
		{"new key", fault.Malformed, func(c *rotateKey) { c.Message.NewKey.PublicKey = []byte{4} }},
		{"another level", fault.OutOfRange, func(c *rotateKey) { c.Message.NewKey.Level = officer }},
		{"had it", fault.AlreadyExists, func(c *rotateKey) { c.Message.NewKey.Id, c.Message.NewKey.PublicKey = spare(c).Id, spare(c).PublicKey }},
		{"revoked already", fault.IllegalTransition, func(c *rotateKey) {
			k := spare(c)
			c.Message.OldKey, c.Message.NewKey.Algorithm = k.Id, k.Algorithm
			c.Message.NewKey.Id, c.Message.NewKey.PublicKey = key(c.TB, sm.Ed25519, root, "new").Id, key(c.TB, sm.Ed25519, root, "new").PublicKey
			c.Must(c.Account, &identityv1.AddKey{Account: c.Account, Key: k})
			c.Must(c.Account, &identityv1.RevokeKey{Account: c.Account, Key: k.Id})
		}},
		{"the only ROOT key would end", fault.IllegalTransition, func(c *rotateKey) { c.Message.NewKey.EndsMs = c.Now + rulestest.Day }},
	})
}

// TestRevokeKey: what was revoked signs no more, what had ended neither, and the last
// lasting ROOT key stays.
func TestRevokeKey(t *testing.T) {
	w := rulestest.New(t)
	tax := w.Org("税务局")
	id := func(level identityv1.KeyLevel) string { return w.Key(tax, level).Public().ID() }
	revoke := func(key string) *identityv1.RevokeKey { return &identityv1.RevokeKey{Account: tax, Key: key} }

	w.Want(fault.NotFound, tax, &identityv1.RevokeKey{Account: "x"})
	w.Want(fault.NotFound, tax, revoke("00"))
	w.Want(fault.Forbidden, w.Authority, revoke(id(officer)))
	if code := w.DoAs(tax, officer, revoke(id(machine))); code != fault.Forbidden {
		t.Errorf("an OFFICER key revoked: %s", code)
	}
	w.Want(fault.IllegalTransition, tax, revoke(id(root)))

	// A second ROOT key that ends does not free the first; one that lasts does.
	ending := rulestest.PublicKey(w.Named(tax, root, "ending").Public(), root)
	ending.EndsMs = w.Now + rulestest.Day
	w.Must(tax, &identityv1.AddKey{Account: tax, Key: ending})
	w.Want(fault.IllegalTransition, tax, revoke(id(root)))
	lasting := w.Named(tax, root, "lasting")
	w.Must(tax, &identityv1.AddKey{Account: tax, Key: rulestest.PublicKey(lasting.Public(), root)})
	w.Must(tax, revoke(id(root)))

	w.Want(fault.KeyRevoked, tax, revoke(id(officer)))
	again := func(k sm.PrivateKey) fault.Code { return w.DoWith(tax, k, revoke(id(root))) }
	if code := again(w.Named(tax, root, "ending")); code != fault.IllegalTransition {
		t.Errorf("before its end: %s", code)
	}
	w.Wait(rulestest.Day)
	if code := again(w.Named(tax, root, "ending")); code != fault.KeyRevoked {
		t.Errorf("at its end: %s", code)
	}
	if code := again(lasting); code != fault.IllegalTransition {
		t.Errorf("the lasting key: %s", code)
	}
	k, ok := identity.FindKey(w.View(), w.Account(tax), id(root))
	if !ok || k.State != identityv1.KeyState_KEY_STATE_REVOKED || k.RevokedMs != w.Now-rulestest.Day {
		t.Errorf("the revoked key is kept as %v", k)
	}
}

// TestRotateForEver: an account that rotates its keys again and again keeps a record
// of bounded size, forgets no key, and takes none back.
func TestRotateForEver(t *testing.T) {
	w := rulestest.New(t)
	me := w.Authority
	old := w.Key(me, root)
	first := old.Public()
	for n := range 3 * identity.MaxKeys {
		next := w.Named(me, root, fmt.Sprint(n))
		m := &identityv1.RotateKey{Account: me, OldKey: old.Public().ID(), NewKey: rulestest.PublicKey(next.Public(), root)}
		if code := w.DoWith(me, old, m); code != fault.OK {
			t.Fatalf("rotation %d: %s: %s", n, code, w.Text)
		}
		old = next
		w.Wait(rulestest.Second)
	}
	acc := w.Account(me)
	if len(acc.Keys) != identity.MaxKeys || acc.Version != 1+3*identity.MaxKeys {
		t.Errorf("%d keys at version %d", len(acc.Keys), acc.Version)
	}
	if err := identity.Check(acc); err != nil {
		t.Error(err)
	}
	k, ok := identity.FindKey(w.View(), acc, first.ID())
	if !ok || k.State != identityv1.KeyState_KEY_STATE_REVOKED {
		t.Errorf("the first key is %v", k)
	}
	back := &identityv1.AddKey{Account: me, Key: rulestest.PublicKey(first, root)}
	if code := w.DoWith(me, old, back); code != fault.AlreadyExists {
		t.Errorf("the first key came back: %s", code)
	}
	if code := w.DoWith(me, w.Key(me, root), back); code != fault.KeyRevoked {
		t.Errorf("the first key signed: %s", code)
	}
}
