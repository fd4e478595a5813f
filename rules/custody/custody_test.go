package custody_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	custodyv1 "mulian/gen/mulian/custody/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	codes "mulian/internal/custody"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/custody"
	"mulian/rules/rulestest"
)

const (
	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT

	matched = recoveryv1.FaceResult_FACE_RESULT_MATCHED

	face  = identityv1.ProofingMethod_PROOFING_METHOD_FACE
	paper = identityv1.ProofingMethod_PROOFING_METHOD_COUNTER

	confirmed = custodyv1.CustodyUseState_CUSTODY_USE_STATE_CONFIRMED
	executed  = custodyv1.CustodyUseState_CUSTODY_USE_STATE_EXECUTED
	undone    = custodyv1.CustodyUseState_CUSTODY_USE_STATE_UNDONE
	expired   = custodyv1.CustodyUseState_CUSTODY_USE_STATE_EXPIRED
	once      = custodyv1.CustodyActKind_CUSTODY_ACT_KIND_ONCE
	standing  = custodyv1.CustodyActKind_CUSTODY_ACT_KIND_STANDING
)

// counter is a world with an identity authority of three desks, a custodian, and a person
// without a device.
type counter struct {
	*rulestest.World
	police, bank string
	desks        [4]string // officers; the last one sits at the desk of the first
	elder        string
	key          sm.PrivateKey // what a custodian's hardware would have
	sealing      sm.PrivateKey
	counted      uint64 // pieces of evidence
}

func newCounter(t *testing.T) *counter { return counterIn(t, rulestest.New(t)) }

func counterIn(t *testing.T, w *rulestest.World) *counter {
	c := &counter{World: w, elder: fmt.Sprintf("p-%032x", 77)}
	c.police, c.bank = c.Org("公安局"), c.Org("城市公证处")
	c.Give(governancev1.Role_ROLE_IDENTITY, c.police)
	c.Give(governancev1.Role_ROLE_CUSTODIAN, c.bank)
	for _, d := range []string{"east", "west", "north"} {
		c.Department(c.police, d)
	}
	for i, d := range []string{"east", "west", "north", "east"} {
		c.desks[i] = c.Officer(c.police, d, fmt.Sprintf("officer%d", i))
	}
	c.key, c.sealing = hardware(t, "signs"), hardware(t, "opens")
	return c
}

// hardware is a P-256 key as a custodian's module makes it.
func hardware(t testing.TB, name string) sm.PrivateKey {
	t.Helper()
	k, err := sm.FromSeed(sm.P256, sha256.Sum256([]byte(name)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func some(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func (c *counter) sign(k sm.PrivateKey, message []byte) []byte {
	c.TB.Helper()
	sig, err := k.Sign(message)
	if err != nil {
		c.TB.Fatal(err)
	}
	return sig
}

func (c *counter) opening() *custodyv1.OpenCustody {
	return &custodyv1.OpenCustody{Account: c.elder, Custodian: c.bank, Evidence: some(1), Face: matched}
}

func (c *counter) accepting() *custodyv1.AcceptCustody {
	return &custodyv1.AcceptCustody{
		Account: c.elder, Key: rulestest.PublicKey(c.key.Public(), root), SealKey: c.sealing.Public().Bytes(),
		Possession: c.sign(c.key, codes.KeyMessage(rulestest.ChainID, c.elder, c.key.Public().ID())),
	}
}

// opened brings the account into custody and has its holder identified.
func (c *counter) opened() *counter {
	c.TB.Helper()
	c.Must(c.desks[0], c.opening())
	c.Must(c.desks[1], &custodyv1.ConfirmCustody{Account: c.elder, Evidence: some(2), Face: matched})
	c.Must(c.bank, c.accepting())
	c.Must(c.desks[0], &identityv1.RecordProofing{
		Account: c.elder, Commitment: some(5), Method: paper, Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH, ExpiresMs: c.Now + 365*rulestest.Day,
	})
	c.check()
	return c
}

// check holds the invariants of the arrangement.
func (c *counter) check() {
	c.TB.Helper()
	a, ok := custody.Find(c.View(), c.elder)
	if !ok {
		c.TB.Fatal("there is no custody")
	}
	if err := custody.Check(c.View(), a); err != nil {
		c.TB.Error(err)
	}
}

// act is a transaction that the person wants, ending so long from now.
func (c *counter) act(forMs int64, messages ...proto.Message) *txv1.Body {
	b := c.Body(c.elder, messages...)
	b.ExpiresMs = c.Now + forMs
	return b
}

// freeze is an act that goes at once; open its opposite, which waits.
func (c *counter) freeze() *txv1.Body {
	return c.act(9*rulestest.Minute, &identityv1.FreezeAccount{Account: c.elder, Cause: "丢失存折"})
}

func (c *counter) addKey() *txv1.Body {
	return c.act(48*rulestest.Hour, &identityv1.AddKey{Account: c.elder, Key: rulestest.PublicKey(c.Named(c.elder, root, "phone").Public(), root)})
}

func raw(t testing.TB, b *txv1.Body) []byte {
	t.Helper()
	out, err := canon.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// presence is the authority's word, signed by its machine, that the person was there for the
// transaction of that body.
func (c *counter) presence(body []byte, method identityv1.ProofingMethod, evidence []byte) *identityv1.StepUp {
	key := c.Key(c.police, machine)
	id := custody.TxID(body)
	message := binary.BigEndian.AppendUint32(append([]byte("mulian-step-up-v1\x00"), id[:]...), uint32(method))
	return &identityv1.StepUp{
		Authority: c.police, Key: key.Public().ID(), Method: method, Evidence: evidence, Signature: c.sign(key, append(message, evidence...)),
	}
}

// presenceBy makes a presence that of another account, signed by its key.
func (c *counter) presenceBy(p *identityv1.StepUp, account string, body []byte) {
	c.TB.Helper()
	key := c.Key(account, identityv1.KeyLevel_KEY_LEVEL_OFFICER)
	id := custody.TxID(body)
	message := binary.BigEndian.AppendUint32(append([]byte("mulian-step-up-v1\x00"), id[:]...), uint32(p.Method))
	p.Authority, p.Key, p.Signature = account, key.Public().ID(), c.sign(key, append(message, p.Evidence...))
}

// recording is the first officer's message for a body, with evidence of its own.
func (c *counter) recording(b *txv1.Body) *custodyv1.RecordCustodyUse {
	c.counted++
	body := raw(c.TB, b)
	evidence := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("a face"), c.counted))
	return &custodyv1.RecordCustodyUse{Account: c.elder, Body: body, Presence: c.presence(body, face, evidence[:])}
}

// recorded records a use and returns its number.
func (c *counter) recorded(b *txv1.Body) uint64 {
	c.TB.Helper()
	c.Must(c.desks[0], c.recording(b))
	a, _ := custody.Find(c.View(), c.elder)
	return a.Uses
}

func (c *counter) confirming(n uint64) *custodyv1.ConfirmCustodyUse {
	u, _ := custody.FindUse(c.View(), c.elder, n)
	return &custodyv1.ConfirmCustodyUse{Account: c.elder, Number: n, TxId: u.GetTxId()}
}

func (c *counter) use(n uint64, s custodyv1.CustodyUseState) *custodyv1.CustodyUse {
	c.TB.Helper()
	c.check()
	u, ok := custody.FindUse(c.View(), c.elder, n)
	if !ok || u.State != s {
		c.TB.Fatalf("use %d is %s, want %s", n, u.GetState(), s)
	}
	return u
}

// send sends what the hardware has signed.
func (c *counter) send(want fault.Code, b *txv1.Body) {
	c.TB.Helper()
	if code := c.Send(c.Seal(b, c.key)); code != want {
		c.TB.Fatalf("the custodian's transaction: %s (%s: %s), want %s", code, c.Outcome.GetRule(), c.Text, want)
	}
}

// TestTheAccountOpensWithTwoOfficersAndACustodian: each of the three is needed, in that order,
// and from then on the only key is one that the ledger knows to be in custody.
func TestTheAccountOpensWithTwoOfficersAndACustodian(t *testing.T) {
	c := newCounter(t)
	with := func(change func(*custodyv1.OpenCustody)) *custodyv1.OpenCustody {
		m := c.opening()
		change(m)
		return m
	}
	c.Want(fault.Forbidden, c.police, c.opening()) // it sits at no desk
	c.Want(fault.Forbidden, c.bank, c.opening())
	c.Want(fault.Malformed, c.desks[0], with(func(m *custodyv1.OpenCustody) { m.Account = "p-1" }))
	c.Want(fault.AlreadyExists, c.desks[0], with(func(m *custodyv1.OpenCustody) { m.Account = c.Person(3) }))
	c.Want(fault.NotFound, c.desks[0], with(func(m *custodyv1.OpenCustody) { m.Custodian = "x" }))
	c.Want(fault.Forbidden, c.desks[0], with(func(m *custodyv1.OpenCustody) { m.Custodian = c.Authority }))
	c.Want(fault.Missing, c.desks[0], with(func(m *custodyv1.OpenCustody) { m.Evidence = nil }))
	c.Want(fault.OutOfRange, c.desks[0], with(func(m *custodyv1.OpenCustody) { m.Face = 0 }))
	c.Want(fault.FaceMismatch, c.desks[0], with(func(m *custodyv1.OpenCustody) { m.Face = recoveryv1.FaceResult_FACE_RESULT_MISMATCHED }))
	c.Must(c.desks[0], c.opening())
	c.Want(fault.AlreadyExists, c.desks[2], c.opening())
	c.Want(fault.IllegalTransition, c.bank, c.accepting())

	confirm := &custodyv1.ConfirmCustody{Account: c.elder, Evidence: some(2), Face: matched}
	c.Want(fault.SameDesk, c.desks[0], confirm)
	c.Want(fault.SameDesk, c.desks[3], confirm)
	c.Must(c.desks[1], confirm)
	c.Want(fault.IllegalTransition, c.desks[2], confirm)

	take := func(change func(*custodyv1.AcceptCustody)) *custodyv1.AcceptCustody {
		m := c.accepting()
		change(m)
		return m
	}
	c.Want(fault.Forbidden, c.police, c.accepting())
	c.Want(fault.Missing, c.bank, take(func(m *custodyv1.AcceptCustody) { m.Key = nil }))
	c.Want(fault.OutOfRange, c.bank, take(func(m *custodyv1.AcceptCustody) { m.Key = rulestest.PublicKey(c.Key(c.elder, root).Public(), root) }))
	c.Want(fault.BadAuthorisation, c.bank, take(func(m *custodyv1.AcceptCustody) { m.Possession[9] ^= 1 }))
	c.Want(fault.Malformed, c.bank, take(func(m *custodyv1.AcceptCustody) { m.SealKey = some(4) }))
	c.Want(fault.CodeInconsistent, c.bank, take(func(m *custodyv1.AcceptCustody) { m.SealKey = m.Key.PublicKey }))
	c.Want(fault.Malformed, c.bank, take(func(m *custodyv1.AcceptCustody) { m.Key.Custodian = c.police }))
	c.Must(c.bank, c.accepting())
	c.check()
	if keys := c.Account(c.elder).Keys; len(keys) != 1 || keys[0].Custodian != c.bank || keys[0].Id != c.key.Public().ID() {
		t.Errorf("the account's keys: %v", keys)
	}
	c.Want(fault.IllegalTransition, c.bank, c.accepting())
}

// TestNobodyTakesTheIdMeanwhile: the id is on the ledger from the first officer's word on, and
// who reads it there opens no account of that name.
func TestNobodyTakesTheIdMeanwhile(t *testing.T) {
	c := newCounter(t)
	thief := &identityv1.OpenAccount{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: c.elder, Keys: []*identityv1.Key{rulestest.PublicKey(c.Key(c.elder, root).Public(), root)},
	}
	c.Must(c.desks[0], c.opening())
	c.Want(fault.AlreadyExists, c.elder, thief)
	c.Must(c.desks[1], &custodyv1.ConfirmCustody{Account: c.elder, Evidence: some(2), Face: matched})
	c.Want(fault.AlreadyExists, c.elder, thief)
	c.Wait(7 * rulestest.Day) // nobody has accepted it: the id is free again
	c.Must(c.elder, thief)
}

// TestACustodiansOwnPeopleDoNotVouch: who has the hardware and who sits at the counter are two
// organisations, even if the consortium gives one both roles.
func TestACustodiansOwnPeopleDoNotVouch(t *testing.T) {
	c := newCounter(t)
	c.Give(governancev1.Role_ROLE_IDENTITY, c.bank)
	c.Department(c.bank, "hall")
	clerk := c.Officer(c.bank, "hall", "clerk")
	c.Want(fault.Forbidden, clerk, c.opening())
	c.opened()
	n := c.recorded(c.freeze())
	c.Want(fault.Forbidden, clerk, c.confirming(n))
	c.Want(fault.Forbidden, clerk, c.recording(c.freeze()))
}

// TestNothingIsSignedInSecret: what the hardware signs counts for nothing without a use, with
// one officer's word, or a second time; with both it counts once, and its holder is told.
func TestNothingIsSignedInSecret(t *testing.T) {
	c := newCounter(t).opened()
	b := c.freeze()
	c.send(fault.CustodyUnrecorded, b)
	n := c.recorded(b)
	c.send(fault.CustodyUnconfirmed, b)
	c.Want(fault.SameDesk, c.desks[0], c.confirming(n))
	c.Want(fault.SameDesk, c.desks[3], c.confirming(n))
	other := c.confirming(n)
	other.TxId = some(9)
	c.Want(fault.VersionConflict, c.desks[1], other)
	c.send(fault.CustodyUnconfirmed, b)
	c.Must(c.desks[1], c.confirming(n))
	if u := c.use(n, confirmed); u.Kind != once || u.EffectiveMs != c.Now {
		t.Errorf("an act that goes at once: %s, at %d", u.Kind, u.EffectiveMs-c.Now)
	}
	twin := proto.CloneOf(b)
	twin.Salt = some(3)[:9]
	c.send(fault.CustodyUnrecorded, twin)
	c.send(fault.OK, b)
	c.use(n, executed)
	if s := c.Account(c.elder).State; s != identityv1.AccountState_ACCOUNT_STATE_FROZEN {
		t.Errorf("the account is %s", s)
	}
	c.Want(fault.IllegalTransition, c.desks[2], &custodyv1.UndoCustodyUse{Account: c.elder, Number: n, Cause: "迟了"})
	c.Want(fault.AlreadyExists, c.desks[0], c.recording(b))
}

// TestAPresenceCountsOnce: the word that the person was there is of one transaction, by who may
// say it, and the evidence under it is used once.
func TestAPresenceCountsOnce(t *testing.T) {
	c := newCounter(t).opened()
	good := c.recording(c.freeze())
	with := func(change func(*custodyv1.RecordCustodyUse)) *custodyv1.RecordCustodyUse {
		m := proto.CloneOf(good)
		change(m)
		return m
	}
	other := raw(t, c.freeze())
	c.Want(fault.Missing, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) { m.Presence = nil }))
	c.Want(fault.PresenceMismatch, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) { m.Body = other }))
	c.Want(fault.Missing, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) { m.Presence = c.presence(m.Body, face, nil) }))
	c.Want(fault.OutOfRange, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) {
		m.Presence = c.presence(m.Body, identityv1.ProofingMethod_PROOFING_METHOD_BANK, some(8))
	}))
	c.Want(fault.PresenceMismatch, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) { m.Presence.Method = paper }))
	c.Want(fault.PresenceMismatch, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) { m.Presence.Authority = c.bank }))
	c.Want(fault.PresenceMismatch, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) {
		m.Presence.Authority = string(some('x')) + string(some('x')) + "/" + string(some('y')) + string(some('z'))
	}))
	c.Want(fault.PresenceMismatch, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) { m.Presence.Key = "0000000000000000" }))
	own := c.presence(good.Body, face, some(7))
	c.presenceBy(own, c.desks[0], good.Body)
	c.Want(fault.PresenceMismatch, c.desks[0], with(func(m *custodyv1.RecordCustodyUse) { m.Presence = own }))
	c.Must(c.desks[0], good)
	c.Want(fault.AlreadyExists, c.desks[0], good)
	third := raw(t, c.freeze())
	seen := c.presence(third, face, some(6))
	c.presenceBy(seen, c.desks[2], third)
	c.Must(c.desks[0], &custodyv1.RecordCustodyUse{Account: c.elder, Body: third, Presence: seen})
	again := raw(t, c.freeze())
	c.Want(fault.PresenceReplayed, c.desks[0], &custodyv1.RecordCustodyUse{Account: c.elder, Body: again, Presence: c.presence(again, face, good.Presence.Evidence)})
	c.Must(c.desks[0], &custodyv1.RecordCustodyUse{Account: c.elder, Body: again, Presence: c.presence(again, paper, some(8))})
	c.check()
}

// TestWhatIsRecordedIsATransaction: a body that could never be carried out is not recorded.
func TestWhatIsRecordedIsATransaction(t *testing.T) {
	c := newCounter(t).opened()
	for name, tt := range map[string]struct {
		want   fault.Code
		change func(*txv1.Body)
	}{
		"chain":      {fault.WrongChain, func(b *txv1.Body) { b.ChainId = "another" }},
		"account":    {fault.CodeInconsistent, func(b *txv1.Body) { b.Account = c.police }},
		"empty":      {fault.Empty, func(b *txv1.Body) { b.Messages = nil }},
		"nothing":    {fault.Missing, func(b *txv1.Body) { b.Messages = append(b.Messages, &txv1.Message{}) }},
		"salt of 7":  {fault.OutOfRange, func(b *txv1.Body) { b.Salt = some(1)[:7] }},
		"salt of 17": {fault.OutOfRange, func(b *txv1.Body) { b.Salt = some(1)[:17] }},
		"past":       {fault.Expired, func(b *txv1.Body) { b.ExpiresMs = c.Now }},
		"far":        {fault.OutOfRange, func(b *txv1.Body) { b.ExpiresMs = c.Now + custody.MaxTermMs + rulestest.Minute }},
		"long": {fault.TooLong, func(b *txv1.Body) {
			b.Messages[0].GetFreezeAccount().Cause = string(bytes.Repeat([]byte{'x'}, custody.MaxBody))
		}},
		"too short": {fault.Expired, func(b *txv1.Body) { b.Messages = c.addKey().Messages; b.ExpiresMs = c.Now + custody.UndoMs }},
	} {
		t.Run(name, func(t *testing.T) {
			c.Under(t)
			b := c.freeze()
			tt.change(b)
			c.Want(tt.want, c.desks[0], c.recording(b))
		})
	}
	c.Under(t)
	m := c.recording(c.freeze())
	m.Body = append(m.Body, 0)
	c.Want(fault.Malformed, c.desks[0], m)
	m.Account = "p-none"
	c.Want(fault.NotFound, c.desks[0], m)
}

// TestWhatStandsWaitsADay: nothing of it holds for 24 hours, to the millisecond; whoever it
// concerns can undo it until then, and nobody afterwards.
func TestWhatStandsWaitsADay(t *testing.T) {
	c := newCounter(t).opened()
	b := c.addKey()
	n := c.recorded(b)
	c.Must(c.desks[1], c.confirming(n))
	u := c.use(n, confirmed)
	if u.Kind != standing || u.EffectiveMs != c.Now+24*rulestest.Hour {
		t.Fatalf("%s, effective after %d ms", u.Kind, u.EffectiveMs-c.Now)
	}
	c.send(fault.UndoWindow, b)
	c.Wait(u.EffectiveMs - c.Now - 1)
	c.send(fault.UndoWindow, b)
	c.Wait(1)
	c.send(fault.OK, b)
	c.use(n, executed)
	if len(c.Account(c.elder).Keys) != 2 {
		t.Error("the key was not added")
	}
	// With a key of his own he signs without anybody, and can stop what a counter has recorded.
	phone := c.Named(c.elder, root, "phone")
	late := c.addKey()
	late.Messages[0].GetAddKey().Key = rulestest.PublicKey(c.Named(c.elder, root, "thief").Public(), root)
	n = c.recorded(late)
	c.Must(c.desks[1], c.confirming(n))
	if code := c.DoWith(c.elder, phone, &custodyv1.UndoCustodyUse{Account: c.elder, Number: n, Cause: "不是我"}); code != fault.OK {
		t.Fatalf("the holder undoes it: %s (%s)", code, c.Text)
	}
	c.Wait(25 * rulestest.Hour)
	c.send(fault.CustodyUndone, late)
	c.use(n, undone)
}

// TestWhoUndoes: either officer, one of a third desk whom the person called, and who acts for
// the person; a stranger, and the custodian, do not.
func TestWhoUndoes(t *testing.T) {
	c := newCounter(t).opened()
	agent, stranger := c.Person(20), c.Person(21)
	m := &mandatev1.ProposeMandate{
		Principal: c.elder, Agent: agent, Kind: mandatev1.MandateKind_MANDATE_KIND_AGENT, MaxLevel: identityv1.KeyLevel_KEY_LEVEL_OFFICER,
		Scope:  &mandatev1.MandateScope{Everything: true, Acts: []mandatev1.MandateAct{mandatev1.MandateAct_MANDATE_ACT_GRANT}},
		FromMs: c.Now, UntilMs: c.Now + 300*rulestest.Day, Basis: &mandatev1.MandateBasis{Document: some(6)},
	}
	b := c.act(60*rulestest.Hour, m)
	n := c.recorded(b)
	c.Must(c.desks[1], c.confirming(n))
	c.Wait(24 * rulestest.Hour)
	c.send(fault.OK, b)
	c.Must(agent, &mandatev1.AnswerMandate{Mandate: c.Outcome.Ids[0], Accept: true})
	for _, who := range []string{c.desks[0], c.desks[1], c.desks[2], agent} {
		n := c.recorded(c.addKey())
		undo := &custodyv1.UndoCustodyUse{Account: c.elder, Number: n, Cause: "本人来电"}
		c.Want(fault.Forbidden, stranger, undo)
		c.Want(fault.Forbidden, c.bank, undo)
		c.Want(fault.Missing, who, &custodyv1.UndoCustodyUse{Account: c.elder, Number: n})
		c.Must(who, undo)
		if u := c.use(n, undone); u.EndedBy != who || len(u.Body) != 0 {
			t.Errorf("undone by %s, a body of %d bytes", u.EndedBy, len(u.Body))
		}
		c.Want(fault.IllegalTransition, who, undo)
		c.Want(fault.IllegalTransition, c.desks[2], c.confirming(n))
	}
	c.Want(fault.NotFound, c.desks[0], &custodyv1.UndoCustodyUse{Account: c.elder, Number: 99, Cause: "x"})
}

// TestWhatNobodyFinishesRunsOut: openings, uses with one officer or two, and what is signed too
// late for its body.
func TestWhatNobodyFinishesRunsOut(t *testing.T) {
	c := newCounter(t)
	c.Must(c.desks[0], c.opening())
	c.Wait(7*rulestest.Day - 1)
	c.Want(fault.AlreadyExists, c.desks[2], c.opening())
	c.Wait(1)
	c.opened()
	b := c.freeze()
	first, second := c.recorded(c.freeze()), c.recorded(b)
	c.Must(c.desks[1], c.confirming(second))
	c.Wait(rulestest.Hour)
	c.use(first, expired)
	c.use(second, expired)
	c.send(fault.Expired, b)
	c.Want(fault.IllegalTransition, c.desks[1], c.confirming(first))
	// The second officer comes, but too late for what would have to wait.
	n := c.recorded(c.act(25*rulestest.Hour, c.addKey().Messages[0].GetAddKey()))
	c.Wait(2 * rulestest.Hour)
	c.Want(fault.Expired, c.desks[1], c.confirming(n))
}

// TestTooManyDoNotWait: a counter cannot fill the state with bodies.
func TestTooManyDoNotWait(t *testing.T) {
	c := newCounter(t).opened()
	for range custody.MaxWaiting {
		c.recorded(c.freeze())
	}
	c.Want(fault.TooLong, c.desks[0], c.recording(c.freeze()))
	c.Must(c.desks[0], &custodyv1.UndoCustodyUse{Account: c.elder, Number: 1, Cause: "重复"})
	c.recorded(c.freeze())
	c.check()
}

// TestARevokedKeyOrAnUnknownPersonStops: without a proofing there is nothing to compare the
// person with; a key that was lost or revoked is used for nothing.
func TestARevokedKeyOrAnUnknownPersonStops(t *testing.T) {
	c := newCounter(t).opened()
	c.Must(c.desks[0], &identityv1.RevokeProofing{Account: c.elder, Cause: "证件有误"})
	c.Want(fault.ProofingExpired, c.desks[0], c.recording(c.freeze()))
	c.Must(c.desks[0], &identityv1.RecordProofing{
		Account: c.elder, Commitment: some(5), Method: paper, Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH, ExpiresMs: c.Now + rulestest.Day,
	})
	b := c.freeze()
	n := c.recorded(b)
	c.Must(c.desks[1], c.confirming(n))
	c.Must(c.desks[2], &recoveryv1.ReportKey{Account: c.elder, Key: c.key.Public().ID(), Cause: "机房失窃"})
	c.send(fault.KeyRevoked, b)
	c.Want(fault.KeyRevoked, c.desks[0], c.recording(c.freeze()))
}

// TestAnActMayNotUndoItself: a body that undoes its own use is refused as a whole; the ledger
// goes on.
func TestAnActMayNotUndoItself(t *testing.T) {
	c := newCounter(t).opened()
	b := c.act(48*rulestest.Hour, &custodyv1.UndoCustodyUse{Account: c.elder, Number: 1, Cause: "x"})
	n := c.recorded(b)
	c.Must(c.desks[1], c.confirming(n))
	c.Wait(24 * rulestest.Hour)
	c.send(fault.IllegalTransition, b)
	c.use(n, confirmed)
	c.Wait(24 * rulestest.Hour)
	c.use(n, expired)
}

// TestAVaultIsOpenedForOneReceiver: only the key in custody asks; the custodian says what he
// gives before he does, within the hour, once.
func TestAVaultIsOpenedForOneReceiver(t *testing.T) {
	c := newCounter(t).opened()
	ask := func(m *custodyv1.UnwrapVault) *txv1.Body { return c.act(rulestest.Hour, m) }
	good := &custodyv1.UnwrapVault{BoxHash: some(7), Receiver: hardware(t, "terminal").Public().Bytes()}
	for want, m := range map[fault.Code]*custodyv1.UnwrapVault{
		fault.Missing:          {Receiver: good.Receiver},
		fault.Malformed:        {BoxHash: good.BoxHash, Receiver: some(1)},
		fault.CodeInconsistent: {BoxHash: good.BoxHash, Receiver: c.sealing.Public().Bytes()},
	} {
		b := ask(m)
		c.Must(c.desks[1], c.confirming(c.recorded(b)))
		c.send(want, b)
	}
	owner := c.Person(30)
	c.Want(fault.NotFound, owner, good)
	begin := func() uint64 {
		t.Helper()
		b := ask(good)
		n := c.recorded(b)
		c.Must(c.desks[1], c.confirming(n))
		if u := c.use(n, confirmed); u.Kind != once {
			t.Errorf("opening waits: %s", u.Kind)
		}
		c.send(fault.OK, b)
		a, _ := custody.Find(c.View(), c.elder)
		return a.Unwraps
	}
	n := begin()
	done := &custodyv1.CloseUnwrap{Account: c.elder, Number: n, ResultHash: some(9)}
	c.Want(fault.Forbidden, c.police, done)
	c.Want(fault.NotFound, c.bank, &custodyv1.CloseUnwrap{Account: c.elder, Number: n + 1})
	c.Want(fault.Malformed, c.bank, &custodyv1.CloseUnwrap{Account: c.elder, Number: n, ResultHash: some(9)[:5]})
	c.Must(c.bank, done)
	c.Want(fault.IllegalTransition, c.bank, done)
	for after, want := range map[int64]custodyv1.UnwrapState{0: custodyv1.UnwrapState_UNWRAP_STATE_FAILED, rulestest.Hour: custodyv1.UnwrapState_UNWRAP_STATE_EXPIRED} {
		n := begin()
		c.Wait(after)
		code := c.Do(c.bank, &custodyv1.CloseUnwrap{Account: c.elder, Number: n})
		w, _ := custody.FindUnwrap(c.View(), c.elder, n)
		if w.GetState() != want || (code == fault.OK) != (after == 0) {
			t.Errorf("after %d ms: %s, %s", after, w.GetState(), code)
		}
	}
}

// TestAKeyOfOnesOwnEndsTheNeed: with a phone that a counter has added, the person revokes the
// key in custody; a vault is then his alone to open.
func TestAKeyOfOnesOwnEndsTheNeed(t *testing.T) {
	c := newCounter(t).opened()
	b := c.addKey()
	c.Must(c.desks[1], c.confirming(c.recorded(b)))
	c.Wait(24 * rulestest.Hour)
	c.send(fault.OK, b)
	phone := c.Named(c.elder, root, "phone")
	if code := c.DoWith(c.elder, phone, &custodyv1.UnwrapVault{BoxHash: some(1), Receiver: c.key.Public().Bytes()}); code != fault.Forbidden {
		t.Errorf("opening by a key of one's own: %s", code)
	}
	if code := c.DoWith(c.elder, phone, &identityv1.RevokeKey{Account: c.elder, Key: c.key.Public().ID(), Cause: "自己有手机了"}); code != fault.OK {
		t.Fatalf("revoke: %s (%s)", code, c.Text)
	}
	c.send(fault.KeyRevoked, c.freeze())
	c.Want(fault.KeyRevoked, c.desks[0], c.recording(c.freeze()))
}
