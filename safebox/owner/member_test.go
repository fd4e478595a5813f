package owner_test

import (
	"context"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
	"mulian/node/nodetest"
	"mulian/safebox"
	"mulian/safebox/boxcall"
	"mulian/safebox/owner"
)

const bureau = "11110000MULN00010J" // invented

// member is a real member of one validator, with its door to boxes.
type member struct {
	t       *testing.T
	client  *client.Client
	genesis *client.Genesis
	home    string
	door    string
	bureau  client.Signer
}

func start(t *testing.T) *member {
	t.Helper()
	m := &member{t: t, bureau: client.Signer{Account: bureau, Key: newKey(t)}}
	run := nodetest.Start(t, "owner-test", nodetest.Founder{Signer: m.bureau, Name: "试验市数据局", Roles: []governancev1.Role{governancev1.Role_ROLE_AUTHORITY}})
	m.genesis, m.client, m.home = run.Genesis, run.Client, run.Home
	st, err := m.client.Status(t.Context())
	must(t, err)
	m.door = st.GetBoxDoor()
	return m
}

// person opens an account and returns its box, which is not made yet.
func (m *member) person(id string) *owner.Box {
	m.t.Helper()
	s := client.Signer{Account: id, Key: newKey(m.t)}
	_, err := m.client.Send(m.t.Context(), s, &identityv1.OpenAccount{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id,
		Keys: []*identityv1.Key{client.PublicKey(s.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "phone")},
	})
	must(m.t, err)
	return m.box(s)
}

func (m *member) box(s client.Signer) *owner.Box {
	return &owner.Box{
		Account: s.Account, Chain: m.client, Dir: filepath.Join(m.t.TempDir(), "box"),
		Door: &boxcall.Caller{Door: boxcall.Dial(m.client.URL()), Chain: m.genesis.GetChainId(), Name: m.door, Signer: s},
		Send: func(ctx context.Context, _ identityv1.KeyLevel, messages ...proto.Message) (*client.Receipt, error) {
			return m.client.Send(ctx, s, messages...)
		},
	}
}

const (
	anna = "p-0000000000000000000000000000000a" // invented, like all here
	bert = "p-0000000000000000000000000000000b"
)

// coded is a way to open a vault by a new recovery code.
func coded(t *testing.T) (string, owner.Way) {
	t.Helper()
	code := safebox.NewRecoveryCode()
	return code, owner.Way{Unlocker: byCode(t, code), Label: "paper"}
}

func byCode(t *testing.T, code string) safebox.Unlocker {
	t.Helper()
	u, err := safebox.ByRecoveryCode(code)
	must(t, err)
	return u
}

// shared is a way by three shares, and the first two of them.
func shared(t *testing.T) (owner.Way, safebox.Unlocker) {
	t.Helper()
	s, err := safebox.NewSharing()
	must(t, err)
	u, err := safebox.ByShares(s.Shares[0], s.Shares[1])
	must(t, err)
	return owner.Way{Unlocker: s.Unlocker(), Label: "2 of 3"}, u
}

// made is a box with two kinds of unlockers, open.
func (m *member) made(id string) (*owner.Opened, string) {
	m.t.Helper()
	b := m.person(id)
	code, paper := coded(m.t)
	shares, _ := shared(m.t)
	must(m.t, b.Make(m.t.Context(), paper, shares))
	o, err := b.Unlock(m.t.Context(), byCode(m.t, code))
	must(m.t, err)
	return o, code
}

func newKey(t *testing.T) sm.PrivateKey {
	t.Helper()
	k, err := sm.Generate(sm.SM2)
	must(t, err)
	return k
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
