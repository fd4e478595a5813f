package trace_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/secrecy"
	"mulian/internal/sm"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
	"mulian/rules/trace"
)

// court is a town with an office that may order secrecy and an auditor who can read.
type court struct {
	*towntest.Town
	agreement, office, auditor string
}

func newCourt(t *testing.T) *court {
	w := towntest.New(t)
	w.Publish(nil)
	_, agreement := w.Agree(func(t *sharev1.Terms) { t.Method, t.Days = cataloguev1.Method_METHOD_QUERY, 1826 })
	c := &court{Town: w, agreement: agreement, office: w.Org("监察机关"), auditor: w.Org("审计局")}
	role := func(r governancev1.Role, account string) {
		w.Decide(&governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: &governancev1.RoleGrant{Role: r, Account: account}}})
	}
	role(governancev1.Role_ROLE_SECRECY_OFFICE, c.office)
	role(governancev1.Role_ROLE_AUDITOR, c.auditor)
	return c
}

func (c *court) order() *tracev1.OrderSecrecy {
	hash := sha256.Sum256([]byte("case 1"))
	return &tracev1.OrderSecrecy{
		Agreement: c.agreement, Entitled: c.Consumer, LegalBasis: "刑事诉讼法第一百五十条", CaseHash: hash[:],
		UntilMs: c.Now + 30*rulestest.Day, UnsealMs: c.Now + 60*rulestest.Day,
		Reader: c.auditor, ReaderKey: rulestest.PublicKey(c.Sealing(c.ProviderGateway).Public(), 0),
	}
}

// TestOrderSecrecyOrder walks the checks of an order.
func TestOrderSecrecyOrder(t *testing.T) {
	type try = rulestest.Try[*tracev1.OrderSecrecy]
	var c *court
	own := func(a *try) { // an organisation that is a party and holds the role
		c.Decide(&governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: &governancev1.RoleGrant{Role: governancev1.Role_ROLE_SECRECY_OFFICE, Account: c.Provider}}})
		a.Account = c.Provider
	}
	rulestest.Order(t, func(t *testing.T) *try {
		c = newCourt(t)
		return &try{World: c.World, Account: c.office, Message: c.order()}
	}, []rulestest.Breach[*tracev1.OrderSecrecy]{
		{Name: "no office of secrecy", Want: fault.Forbidden, Break: func(a *try) { a.Account = c.Authority }},
		{Name: "no agreement", Want: fault.NotFound, Break: func(a *try) { a.Message.Agreement = "0" }},
		{Name: "a party", Want: fault.Forbidden, Break: own},
		{Name: "another is entitled", Want: fault.CodeInconsistent, Break: func(a *try) { a.Message.Entitled = c.auditor }},
		{Name: "no basis", Want: fault.Missing, Break: func(a *try) { a.Message.LegalBasis = "" }},
		{Name: "no case", Want: fault.Missing, Break: func(a *try) { a.Message.CaseHash = nil }},
		{Name: "over already", Want: fault.OutOfRange, Break: func(a *try) { a.Message.UntilMs = c.Now }},
		{Name: "longer than three months", Want: fault.OutOfRange, Break: func(a *try) { a.Message.UntilMs = c.Now + 93*rulestest.Day }},
		{Name: "open before its end", Want: fault.OutOfRange, Break: func(a *try) { a.Message.UnsealMs = c.Now + 29*rulestest.Day }},
		{Name: "sealed for ever", Want: fault.OutOfRange, Break: func(a *try) { a.Message.UnsealMs = c.Now + 367*rulestest.Day }},
		{Name: "the reader is no auditor", Want: fault.Forbidden, Break: func(a *try) { a.Message.Reader = c.Authority }},
		{Name: "no key", Want: fault.Missing, Break: func(a *try) { a.Message.ReaderKey = nil }},
		{Name: "a key that only signs", Want: fault.OutOfRange, Break: func(a *try) {
			a.Message.ReaderKey = &identityv1.Key{Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_ED25519}
		}},
		{Name: "no key's bytes", Want: fault.Malformed, Break: func(a *try) { a.Message.ReaderKey.PublicKey = []byte{4} }},
		{Name: "another key's id", Want: fault.CodeInconsistent, Break: func(a *try) { a.Message.ReaderKey.Id = "0011223344556677" }},
		{Name: "a key with a level", Want: fault.Malformed, Break: func(a *try) { a.Message.ReaderKey.Level = 1 }},
		{Name: "nothing to extend", Want: fault.IllegalTransition, Break: func(a *try) { a.Message.Extends = 1 }},
	})
}

// TestSecrecyHasAnEnd: orders extend each other, each by a new signature, and never over
// five years; one that is over or lifted is not extended; nobody but its office lifts it.
func TestSecrecyHasAnEnd(t *testing.T) {
	c := newCourt(t)
	c.Must(c.office, c.order())
	c.WantEvent("trace/order_secrecy", "ordered", "trace/secrecy/"+c.agreement)
	if g, _ := share.FindAgreement(c.View(), c.agreement); g.Secrecy != 1 {
		t.Errorf("the agreement names order %d", g.Secrecy)
	}
	c.Want(fault.IllegalTransition, c.office, c.order()) // the first holds
	last := uint64(1)
	for refused := false; !refused; last++ {
		c.Wait(59 * rulestest.Day)
		m := c.order()
		m.Extends = last
		m.UntilMs, m.UnsealMs = c.Now+92*rulestest.Day, c.Now+366*rulestest.Day
		switch got := c.Do(c.office, m); {
		case got == fault.OutOfRange && last > 20:
			refused = true
		case got != fault.OK:
			t.Fatalf("extension %d: %s (%s)", last, got, c.Text)
		}
	}
	s, _ := trace.FindSecrecy(c.View(), c.agreement)
	n := uint64(len(s.Orders))
	if end := s.Orders[n-1].UnsealMs; end > s.Orders[0].FromMs+trace.MaxSealedInAll*rulestest.Day {
		t.Errorf("order %d ends at %d, the first began at %d", n, end, s.Orders[0].FromMs)
	}
	lift := &tracev1.LiftSecrecy{Agreement: c.agreement, Order: n, Reason: "案件已终结"}
	c.Want(fault.Forbidden, c.Consumer, lift)
	c.Want(fault.IllegalTransition, c.office, &tracev1.LiftSecrecy{Agreement: c.agreement, Order: 1, Reason: "x"})
	c.Want(fault.Missing, c.office, &tracev1.LiftSecrecy{Agreement: c.agreement, Order: n})
	c.Must(c.office, lift)
	c.Want(fault.IllegalTransition, c.office, lift)
	m := c.order()
	m.Extends = n
	c.Want(fault.IllegalTransition, c.office, m) // it is open
	m.Extends = 0
	c.Must(c.office, m)
	c.Must(c.Consumer, &sharev1.EndAgreement{Agreement: c.agreement, Reason: "结束"})
	m = c.order()
	m.Extends = n + 1
	c.Want(fault.IllegalTransition, c.office, m)
}

// TestLiftedWithAllThatItExtends: an extension makes nothing shorter; once it is lifted a
// new order can come, and from then on it alone seals.
func TestLiftedWithAllThatItExtends(t *testing.T) {
	c := newCourt(t)
	c.Must(c.office, c.order())
	c.Wait(10 * rulestest.Day)
	short := c.order()
	short.Extends, short.UntilMs = 1, c.Now+19*rulestest.Day
	c.Want(fault.OutOfRange, c.office, short)
	early := c.order()
	early.Extends, early.UnsealMs = 1, c.Now+49*rulestest.Day
	c.Want(fault.OutOfRange, c.office, early)
	more := c.order()
	more.Extends = 1
	c.Must(c.office, more)
	c.Wait(5 * rulestest.Day)
	c.Must(c.office, &tracev1.LiftSecrecy{Agreement: c.agreement, Order: 2, Reason: "案件已终结"})
	c.Wait(rulestest.Day)
	c.Must(c.office, c.order())
	s, _ := trace.FindSecrecy(c.View(), c.agreement)
	if got := secrecy.InForce(s, c.Now+1).GetNumber(); got != 3 {
		t.Errorf("order %d seals, want 3", got)
	}
}

// TestSealedIsCounted: a head brings how much is sealed under which order, and what was
// opened of it; never under an order that there is not, and never more opened than sealed.
func TestSealedIsCounted(t *testing.T) {
	c := newCourt(t)
	log := &accessLog{}
	log.add(12, "log")
	gateway := c.ProviderGateway
	anchor := func(old int, counts ...*tracev1.SecrecyCount) *tracev1.AnchorHead {
		m := log.anchor(gateway, old)
		m.Secrecy = counts
		return m
	}
	count := func(order, sealed, opened uint64) *tracev1.SecrecyCount {
		return &tracev1.SecrecyCount{Agreement: c.agreement, Order: order, Sealed: sealed, Opened: opened}
	}
	c.Want(fault.NotFound, gateway, anchor(0, count(1, 1, 0)))
	c.Must(gateway, log.anchor(gateway, 0, numbers(c.agreement, 1, 4, 4)))
	c.Want(fault.Forbidden, gateway, anchor(12, count(1, 1, 0))) // sealed without an order
	c.Must(c.office, c.order())
	c.Want(fault.Forbidden, gateway, anchor(12, count(2, 1, 0)))
	c.Want(fault.OutOfRange, gateway, anchor(12, count(1, 0, 0)))
	c.Want(fault.OutOfRange, gateway, anchor(12, count(1, 2, 3)))
	c.Want(fault.OutOfRange, gateway, anchor(12, count(1, 1<<63, 0)))
	c.Want(fault.CodeInconsistent, gateway, anchor(12, count(1, 1, 0), count(1, 1, 0)))
	c.Must(gateway, anchor(12, count(1, 4, 0)))
	c.Want(fault.OutOfRange, gateway, anchor(12, count(1, 0, 5)))
	c.Must(gateway, anchor(12, count(1, 0, 3)))
	c.Wait(31 * rulestest.Day)
	c.Must(c.office, c.order())
	c.Must(gateway, anchor(12, count(1, 0, 1), count(2, 2, 0)))
	s, _ := trace.FindSequence(c.View(), c.agreement, gateway)
	if len(s.Secrecy) != 2 || s.Secrecy[0].Sealed != 4 || s.Secrecy[0].Opened != 4 || s.Secrecy[1].Sealed != 2 || s.Secrecy[1].Opened != 0 {
		t.Errorf("%v", s.Secrecy)
	}
	if err := trace.Check(c.View(), gateway); err != nil {
		t.Error(err)
	}
}

// TestLogKeysGoOn: what the ledger says of a log's keys is only added to, and a key does
// not end before what it has signed.
func TestLogKeysGoOn(t *testing.T) {
	w, _ := town(t)
	gateway := w.ProviderGateway
	log := &accessLog{}
	log.add(10, "log")
	w.Must(gateway, log.anchor(gateway, 0))
	first, second := w.Account(gateway).Gateway.LogPublicKey, w.Named(gateway, 0, "log 2").Public().Bytes()
	update := func(newest []byte, keys ...*identityv1.LogKey) *identityv1.UpdateGateway {
		acc := w.Account(gateway)
		p := acc.Gateway
		p.LogPublicKey, p.LogKeys = newest, keys
		return &identityv1.UpdateGateway{Gateway: gateway, Profile: p, Version: acc.Version}
	}
	key := func(k []byte, from, until uint64) *identityv1.LogKey {
		return &identityv1.LogKey{PublicKey: k, FromSize: from, UntilSize: until}
	}
	for name, tt := range map[string]struct {
		want fault.Code
		m    *identityv1.UpdateGateway
	}{
		"another key in silence":  {fault.IllegalTransition, update(second)},
		"the first is left out":   {fault.IllegalTransition, update(second, key(second, 0, 0))},
		"not from the beginning":  {fault.OutOfRange, update(second, key(first, 1, 0), key(second, 10, 0))},
		"ends before it signed":   {fault.IllegalTransition, update(second, key(first, 0, 10), key(second, 10, 0))},
		"sizes that nobody signs": {fault.OutOfRange, update(second, key(first, 0, 11), key(second, 12, 0))},
		"the newest has ended":    {fault.CodeInconsistent, update(second, key(first, 0, 0), key(second, 10, 20))},
		"the newest is another":   {fault.CodeInconsistent, update(first, key(first, 0, 0), key(second, 10, 0))},
		"one key twice":           {fault.CodeInconsistent, update(first, key(first, 0, 0), key(first, 10, 0))},
		"no key":                  {fault.Malformed, update(second, key(first, 0, 0), key(make([]byte, 31), 10, 0))},
		"ends before it begins":   {fault.OutOfRange, update(second, key(first, 0, 0), key(second, 10, 9))},
	} {
		if got := w.Do(gateway, tt.m); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, got, w.Text, tt.want)
		}
	}
	w.Must(gateway, update(second, key(first, 0, 0), key(second, 10, 0)))
	log.add(2, "log")
	w.Must(gateway, log.anchor(gateway, 10))
	w.Want(fault.IllegalTransition, gateway, update(second, key(first, 0, 12), key(second, 10, 0)))
	w.Must(gateway, update(second, key(first, 0, 13), key(second, 10, 0)))
	w.Want(fault.IllegalTransition, gateway, update(second, key(first, 0, 14), key(second, 10, 0)))
	w.Want(fault.IllegalTransition, gateway, update(second, key(first, 0, 0), key(second, 10, 0)))
	if p := w.Account(gateway).Gateway; !bytes.Equal(p.LogPublicKey, second) || len(p.LogKeys) != 2 {
		t.Errorf("%v", p)
	}
}

// TestOldSealingKey: it stands beside the new one while it still opens, and that it was
// destroyed is an event.
func TestOldSealingKey(t *testing.T) {
	w, _ := town(t)
	gateway := w.ProviderGateway
	update := func(now, old *identityv1.Key) *identityv1.UpdateGateway {
		acc := w.Account(gateway)
		p := acc.Gateway
		p.SealingKey, p.OldSealingKey = now, old
		return &identityv1.UpdateGateway{Gateway: gateway, Profile: p, Version: acc.Version}
	}
	first := w.Account(gateway).Gateway.SealingKey
	k, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	second := rulestest.PublicKey(k.Public(), 0)
	w.Want(fault.CodeInconsistent, gateway, update(first, first))
	w.Want(fault.OutOfRange, gateway, update(second, &identityv1.Key{Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_ED25519, PublicKey: w.Named(gateway, 0, "log").Public().Bytes(), Id: w.Named(gateway, 0, "log").Public().ID()}))
	w.Must(gateway, update(second, first))
	w.Must(gateway, update(second, nil))
	w.WantEvent("identity/update_gateway", "destroyed "+first.Id, "identity/account/"+gateway)
}
