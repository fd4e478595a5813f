package rules_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/rules/rulestest"
)

const (
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT
)

// attempt is one envelope before it is sent: an officer registers a gateway. It can be
// broken in the state, the body, the signature and the bytes.
type attempt struct {
	w         *rulestest.World
	org, post string
	body      *txv1.Body
	key       sm.PrivateKey
	keyID     string
	inBody    func([]byte) []byte
	inWhole   func([]byte) []byte
	spoiled   bool // the signature
}

func newAttempt(t *testing.T) *attempt {
	w := rulestest.New(t)
	org := w.Org("税务局")
	post := w.Post(org, "officer")
	key := w.Key(post, officer)
	return &attempt{
		w: w, org: org, post: post, key: key, keyID: key.Public().ID(), body: w.Body(post, w.GatewayMessage(org, "main")),
		inBody: same, inWhole: same,
	}
}

func same(b []byte) []byte { return b }

func (a *attempt) envelope(t *testing.T) []byte {
	t.Helper()
	body := a.inBody(marshal(t, a.body))
	sig, err := a.key.Sign(rulestest.Signed(body))
	if err != nil {
		t.Fatal(err)
	}
	if a.spoiled {
		sig[len(sig)-1] ^= 1
	}
	return a.inWhole(marshal(t, &txv1.Envelope{Body: body, Signature: &txv1.Signature{Key: a.keyID, Signature: sig}}))
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	raw, err := canon.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// settings brings parameters about by vote.
func settings(w *rulestest.World, change func(*governancev1.Parameters)) {
	w.TB.Helper()
	p := standard.Parameters()
	change(p)
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}})
}

// unknownField appends a field that no version knows.
func unknownField(b []byte) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, 900, protowire.VarintType), 1)
}

// checks lists the checks of an envelope in their order, and what breaks each.
var checks = []struct {
	name     string
	want     fault.Code
	rule     string
	item     int32
	message  uint32
	remember bool
	breach   func(*attempt)
}{
	{name: "larger than allowed", want: fault.TooLong, rule: "tx/size", breach: func(a *attempt) {
		a.inWhole = func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) }
	}},
	{name: "no envelope", want: fault.Malformed, rule: "tx/envelope", breach: func(a *attempt) { a.inWhole = unknownField }},
	{name: "no body", want: fault.Empty, rule: "tx/envelope", breach: func(a *attempt) { a.inBody = func([]byte) []byte { return nil } }},
	{name: "body not in its one form", want: fault.Malformed, rule: "tx/body", breach: func(a *attempt) { a.inBody = unknownField }},
	{name: "another chain", want: fault.WrongChain, rule: "tx/chain", breach: func(a *attempt) { a.body.ChainId = "elsewhere" }},
	{name: "salt too short", want: fault.OutOfRange, rule: "tx/salt", breach: func(a *attempt) { a.body.Salt = a.body.Salt[:7] }},
	{name: "too many messages", want: fault.TooLong, rule: "tx/messages", breach: func(a *attempt) {
		for len(a.body.Messages) < 1001 {
			a.body.Messages = append(a.body.Messages, &txv1.Message{})
		}
	}},
	{name: "a message of no kind", want: fault.Missing, rule: "tx/messages", item: 2, breach: func(a *attempt) {
		a.body.Messages = append(a.body.Messages[:1:1], append([]*txv1.Message{{}}, a.body.Messages[1:]...)...)
	}},
	{name: "expired, to the millisecond", want: fault.Expired, rule: "tx/expiry", breach: func(a *attempt) { a.body.ExpiresMs = a.w.Now }},
	{name: "too far ahead, to the millisecond", want: fault.OutOfRange, rule: "tx/expiry", breach: func(a *attempt) { a.body.ExpiresMs = a.w.Now + 600_001 }},
	{name: "no such account", want: fault.NotWhitelisted, rule: "tx/account", breach: func(a *attempt) { a.body.Account = "p-0" }},
	{name: "suspended", want: fault.Suspended, rule: "tx/account", breach: func(a *attempt) {
		a.w.Must(a.w.Authority, &identityv1.SuspendAccount{Account: a.post, Cause: "x"})
	}},
	{name: "organisation suspended", want: fault.Suspended, rule: "tx/account", breach: func(a *attempt) {
		a.w.Must(a.w.Authority, &identityv1.SuspendAccount{Account: a.org, Cause: "x"})
	}},
	{name: "no such key", want: fault.NotWhitelisted, rule: "tx/key", breach: func(a *attempt) { a.keyID = "0000000000000000" }},
	{name: "key revoked", want: fault.KeyRevoked, rule: "tx/key", breach: func(a *attempt) {
		a.w.Must(a.org, &identityv1.RevokeKey{Account: a.post, Key: a.key.Public().ID()})
	}},
	{name: "signature", want: fault.BadAuthorisation, rule: "tx/signature", breach: func(a *attempt) { a.spoiled = true }},
	{name: "quota", want: fault.Busy, rule: "tx/quota", breach: func(a *attempt) {
		settings(a.w, func(p *governancev1.Parameters) { p.TxPerMinute = 10 })
		for n := range 10 {
			a.w.Must(a.post, a.w.GatewayMessage(a.org, fmt.Sprint(n)))
		}
	}},
	{name: "first message", want: fault.Forbidden, rule: "identity/register_org", remember: true, breach: func(a *attempt) {
		a.body.Messages = append(a.w.Body("", &identityv1.RegisterOrg{}).Messages, a.body.Messages...)
	}},
	{name: "a later message", want: fault.NotFound, rule: "identity/revoke_key", message: 1, remember: true, breach: func(a *attempt) {
		a.body.Messages = append(a.body.Messages, a.w.Body("", &identityv1.RevokeKey{}).Messages...)
	}},
	{name: "done", remember: true, breach: func(*attempt) {}},
}

// TestOrder walks the checks of an envelope in their order. Each row also breaks all
// rows behind it, and so proves that the earlier check wins.
func TestOrder(t *testing.T) {
	for i, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			a := newAttempt(t)
			for j := len(checks) - 1; j >= i; j-- {
				checks[j].breach(a)
			}
			a.sendAs(t, c.want, c.rule, c.item, c.message, c.remember)
		})
	}
}

// TestChecksAlone: each check is also found when nothing else is broken, and then only.
func TestChecksAlone(t *testing.T) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			a := newAttempt(t)
			c.breach(a)
			a.sendAs(t, c.want, c.rule, c.item, c.message, c.remember)
		})
	}
}

func (a *attempt) sendAs(t *testing.T, want fault.Code, rule string, item int32, message uint32, remember bool) {
	t.Helper()
	raw, before := a.envelope(t), a.w.TreeRoot()
	got := a.w.Send(raw)
	if o := a.w.Outcome; got != want || o.Rule != rule || o.Item != item || o.Message != message {
		t.Errorf("%s: %v (%s), want %s by %q", got, o, a.w.Text, want, rule)
	}
	if a.w.Remembered != remember {
		t.Errorf("the id is spent: %v, want %v", a.w.Remembered, remember)
	}
	if changed := before != a.w.TreeRoot(); changed != (want == fault.OK) {
		t.Errorf("the state has changed: %v", changed)
	}
}
