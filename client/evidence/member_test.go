package evidence_test

import (
	"context"
	"testing"

	"mulian/client"
	"mulian/client/evidence"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
	"mulian/node/nodetest"
)

const bureau = "11110000MULN00010J" // invented

// member is a real member of one validator, with a person who has an account, too.
type member struct {
	t       *testing.T
	genesis *client.Genesis
	file    []byte
	client  *client.Client
	bureau  client.Signer
	person  client.Signer
}

func start(t *testing.T) *member {
	t.Helper()
	m := &member{t: t, bureau: client.Signer{Account: bureau, Key: key(t)}}
	run := nodetest.Start(t, "evidence-test", nodetest.Founder{Signer: m.bureau, Name: "试验市数据局", Roles: []governancev1.Role{governancev1.Role_ROLE_AUTHORITY}})
	m.genesis, m.file, m.client = run.Genesis, run.File, run.Client
	m.person = client.Signer{Account: "p-0123456789abcdef0123456789abcdef", Key: key(t)}
	if _, err := m.client.Send(t.Context(), m.person, &identityv1.OpenAccount{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: m.person.Account,
		Keys: []*identityv1.Key{client.PublicKey(m.person.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "phone")},
	}); err != nil {
		t.Fatal(err)
	}
	return m
}

func key(t *testing.T) sm.PrivateKey {
	t.Helper()
	k, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ledger is evidence.Ledger by a real member; before and after are what else happens
// around a transaction.
type ledger struct {
	m      *member
	signer client.Signer
	before func(items []*evidencev1.Evidence)
	after  func() error
	sent   int
}

func (l *ledger) Anchor(ctx context.Context, items []*evidencev1.Evidence) ([32]byte, error) {
	if l.before != nil {
		l.before(items)
	}
	r, err := l.m.client.Send(ctx, l.signer, &evidencev1.AnchorEvidence{Items: items})
	if err != nil {
		return [32]byte{}, err
	}
	l.sent++
	if l.after != nil {
		return r.TxID, l.after()
	}
	return r.TxID, nil
}

func (l *ledger) Lookup(ctx context.Context, id string) (*evidencev1.Evidence, error) {
	e := &evidencev1.Evidence{}
	found, _, err := l.m.client.Verify(l.m.genesis).Get(ctx, "evidence/item/"+id, e)
	if err != nil || !found {
		return nil, err
	}
	return e, nil
}

// job anchors as the signer.
func (m *member) job(s client.Signer) (*evidence.Job, *ledger) {
	l := &ledger{m: m, signer: s}
	return &evidence.Job{
		Ledger: l, Chain: m.genesis.GetChainId(), Genesis: m.genesis.Hash[:], Account: s.Account, Note: "试验",
		Provenance: evidence.Provenance{Capture: "file", Software: "mulian test", ClockSource: evidence.UnknownClock},
	}, l
}
