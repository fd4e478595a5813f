package trial

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/foreign"
	"mulian/client/keyring"
	"mulian/client/light"
	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// side is one of two consortia that trust each other's chains.
type side struct {
	t *testing.T
	*Network
	c *client.Client
}

// newSide founds and starts a consortium whose members have this power each.
func newSide(t *testing.T, chain string, members int) *side {
	t.Helper()
	w, err := Found(Options{Home: filepath.Join(t.TempDir(), chain), Members: members, ChainID: chain})
	if err != nil {
		t.Fatal(err)
	}
	start(t, w)
	return &side{t: t, Network: w, c: client.New(w.Members[0].URL)}
}

func (s *side) signer(member int, label string) client.Signer {
	s.t.Helper()
	k, err := s.Members[member].Signer(label)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func (s *side) send(by client.Signer, messages ...proto.Message) *client.Receipt {
	s.t.Helper()
	r, err := s.c.Send(s.t.Context(), by, messages...)
	if err != nil {
		s.t.Fatalf("%s: %T by %s: %v", s.ChainID, messages[0], by.Account, err)
	}
	return r
}

// decide brings a change about by the votes of all members.
func (s *side) decide(c *governancev1.Change) {
	s.t.Helper()
	id := s.send(s.signer(0, keyring.Root), &governancev1.Propose{Title: "对端链", Change: c}).IDs[0]
	for i := 1; i < len(s.Members); i++ {
		s.send(s.signer(i, keyring.Root), &governancev1.CastVote{Proposal: id, Yes: true})
	}
	p := &governancev1.Proposal{}
	if ok, err := s.c.Get(s.t.Context(), "governance/proposal/"+id, p); err != nil || !ok || p.GetState() != governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED {
		s.t.Fatalf("%s: the proposal is %v: %v", s.ChainID, p, err)
	}
}

// trust has the members vote for the other chain as it is now.
func (s *side) trust(other *side, level foreignv1.TrustLevel, change func(*foreignv1.TrustRoot) *governancev1.Change) {
	s.t.Helper()
	r, err := foreign.Root(s.t.Context(), other.c, other.Genesis, foreign.Terms{Name: "邻市", Level: level, MaxAge: 24 * time.Hour, MaxDrift: time.Minute})
	if err != nil {
		s.t.Fatal(err)
	}
	s.decide(change(r))
}

func (s *side) relay(other *side) *foreign.Relay {
	return &foreign.Relay{Here: s.c, There: other.c, Chain: other.ChainID, Send: foreign.By(s.c, s.signer(0, keyring.Officer))}
}

// followed is what the ledger says of the other chain.
func (s *side) followed(other *side) *foreignv1.ForeignChain {
	s.t.Helper()
	c := &foreignv1.ForeignChain{}
	if ok, err := s.c.Get(s.t.Context(), "foreign/chain/"+other.ChainID, c); err != nil || !ok {
		s.t.Fatalf("%s does not follow %s: %v", s.ChainID, other.ChainID, err)
	}
	return c
}

// office brings an organisation with a duty and a gateway onto the ledger.
func (s *side) office(n int) (client.Signer, string) {
	s.t.Helper()
	d := content.Departments()[n]
	key, err := sm.Generate(sm.Ed25519)
	if err != nil {
		s.t.Fatal(err)
	}
	org, door := client.Signer{Account: d.Code, Key: key}, d.Code+"/g/main"
	ring := keyring.Ring{Dir: filepath.Join(s.t.TempDir(), "keys")}
	keys, err := gateway.MakeKeys(ring, door, sm.SM2)
	if err != nil {
		s.t.Fatal(err)
	}
	s.send(s.signer(0, keyring.Officer), &identityv1.RegisterOrg{
		Code: d.Code, Profile: d.Profile(), Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "")},
	})
	s.send(org, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: d.Code + ":1", Org: d.Code, Title: "职责", PowerType: cataloguev1.PowerType_POWER_TYPE_CONFIRMATION, Source: "三定规定", Article: "第三条",
	}}}, keys.Registration(s.ChainID, door, "网关", "http://127.0.0.1:9"))
	tables, err := ring.Signer(door, keyring.Machine)
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("columns"))
	s.send(tables, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{{
		Id: door + ":main.cert", Org: d.Code, Gateway: door, Kind: cataloguev1.TableKind_TABLE_KIND_TABLE, Source: "main", Name: "cert", SchemaHash: sum[:],
		Columns: []*cataloguev1.Column{{Name: "no", Type: "text", PhysicalType: "varchar(40)"}, {Name: "area", Type: "text", PhysicalType: "varchar(40)", Nullable: true}},
	}}})
	return org, door
}

// publish puts an entry for everybody into the catalogue.
func (s *side) publish(org client.Signer, door string) (entry string) {
	s.t.Helper()
	e := &cataloguev1.Entry{
		Id: org.Account + ":cert", Name: "证书", Abstract: "证书", Provider: org.Account, Duties: []string{org.Account + ":1"}, Table: door + ":main.cert",
		Category: "城乡建设/不动产", Format: cataloguev1.Format_FORMAT_TABLE, Methods: []cataloguev1.Method{cataloguev1.Method_METHOD_BATCH},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, StandingOrder: &cataloguev1.StandingOrder{Automatic: true},
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE, CoverageRegion: "110000",
		Items: []*cataloguev1.Item{{Code: "no", Name: "证书号", Type: "text", PrimaryKey: true, Column: "no"}, {Code: "area", Name: "面积", Type: "text", Column: "area"}},
	}
	s.send(org, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	return e.Id
}

// agree makes an agreement on the entry, which its standing order answers.
func (s *side) agree(entry string, by client.Signer, door string) (agreement string) {
	s.t.Helper()
	r := s.send(by, &sharev1.FileRequest{Gateway: door, Terms: &sharev1.Terms{
		Parts: []*sharev1.Part{{Entry: entry, Items: []string{"no"}}}, Purpose: "贷款审批", Duty: by.Account + ":1", Matter: "贷款",
		LegalBasis: "管理条例第二十六条", AppSystem: "业务系统", ScopeOfUse: "本单位", Method: cataloguev1.Method_METHOD_BATCH, Days: 30,
	}})
	if len(r.IDs) != 2 {
		s.t.Fatalf("the request was not answered: %v", r.IDs)
	}
	s.send(by, &sharev1.ConfirmAgreement{Agreement: r.IDs[1], Version: 1})
	return r.IDs[1]
}

// lie signs a second header of the height with the validators' own keys: what a
// consortium does whose members have all been bought.
func (s *side) lie(raw []byte) []byte {
	s.t.Helper()
	b := &ledgerv1.LightBlock{}
	if err := proto.Unmarshal(raw, b); err != nil {
		s.t.Fatal(err)
	}
	h, set := b.SignedHeader.Header, b.ValidatorSet.Validators
	sum := sha256.Sum256([]byte("another state"))
	h.AppHash = sum[:]
	hash := light.HeaderHash(h)
	c := &ledgerv1.Commit{Height: h.Height, BlockId: &ledgerv1.BlockID{Hash: hash[:], PartSetHeader: &ledgerv1.PartSetHeader{Total: 1, Hash: sum[:]}}}
	b.SignedHeader.Commit = c
	for range set {
		c.Signatures = append(c.Signatures, &ledgerv1.CommitSig{BlockIdFlag: 1})
	}
	for _, m := range s.Members {
		key := validatorKey(s.t, m)
		for i, v := range set {
			if !bytes.Equal(v.PubKey.Ed25519, key.Public().Bytes()) {
				continue
			}
			c.Signatures[i] = &ledgerv1.CommitSig{BlockIdFlag: 2, ValidatorAddress: v.Address, Timestamp: h.Time}
			sig, err := key.Sign(light.VoteBytes(s.ChainID, c, c.Signatures[i]))
			if err != nil {
				s.t.Fatal(err)
			}
			c.Signatures[i].Signature = sig
		}
	}
	out, err := canon.Marshal(b)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// TestTwoConsortia is S30: two chains, each its own consortium, accept each other's proofs.
// An entry of A is accepted on B and an agreement of B on A; the validators of A change,
// and B follows; A shows two headers of one height, and B takes nothing of it any more until
// its members vote.
func TestTwoConsortia(t *testing.T) {
	if testing.Short() {
		t.Skip("four processes: not beside the race detector's")
	}
	a, b := newSide(t, "city-a", 2), newSide(t, "city-b", 2)
	register := func(r *foreignv1.TrustRoot) *governancev1.Change {
		return &governancev1.Change{Kind: &governancev1.Change_RegisterForeignChain{RegisterForeignChain: r}}
	}
	a.trust(b, foreignv1.TrustLevel_TRUST_LEVEL_ONE_THIRD, register)
	b.trust(a, foreignv1.TrustLevel_TRUST_LEVEL_TWO_THIRDS, register)
	if _, err := foreign.Root(t.Context(), a.c, b.Genesis, foreign.Terms{}); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a root of another genesis: %v", err)
	}

	entry := a.publish(a.office(10))
	provider, door := b.office(11)
	consumer, tap := b.office(12)
	agreement := b.agree(b.publish(provider, door), consumer, tap)

	toB, toA := b.relay(a), a.relay(b)
	ref, err := toB.Accept(t.Context(), "catalogue/entry/"+entry, true)
	if err != nil {
		t.Fatal(err)
	}
	if !ref.GetOpen() || ref.GetOrg() != content.Departments()[10].Code || ref.GetState() != int32(cataloguev1.EntryState_ENTRY_STATE_PUBLISHED) {
		t.Errorf("the entry of A on B: %v", ref)
	}
	if ref, err = toA.Accept(t.Context(), "share/agreement/"+agreement, false); err != nil || ref.GetOpen() || len(ref.GetValueHash()) != 32 || ref.GetOrg() != "" {
		t.Errorf("the agreement of B on A, by its hash: %v, %v", ref, err)
	}
	if ref, err = toA.Accept(t.Context(), "share/agreement/"+agreement, true); err != nil || ref.GetOrg() != provider.Account || ref.GetPeer() != consumer.Account || ref.GetState() != int32(sharev1.AgreementState_AGREEMENT_STATE_ACTIVE) {
		t.Errorf("the agreement of B on A: %v, %v", ref, err)
	}
	if ref, err = toA.Accept(t.Context(), "share/agreement/0000000000000000", true); err != nil || !ref.GetAbsent() {
		t.Errorf("an agreement that is not there: %v, %v", ref, err)
	}

	followValidators(t, a, b)
	equivocate(t, a, b)
}

// followValidators changes the validators of A so that no one header proves all of it at the
// level of B, and has a relayer follow.
func followValidators(t *testing.T, a, b *side) {
	t.Helper()
	before := b.followed(a)
	power := func(member int, power uint64) {
		m := a.Members[member]
		a.decide(&governancev1.Change{Kind: &governancev1.Change_SetValidator{SetValidator: &governancev1.Validator{
			PublicKey: validatorKey(t, m).Public().Bytes(), Power: power, Org: m.Org, Name: "v",
		}}})
	}
	power(0, 2)
	a.blocks("less")
	power(0, 0)
	a.blocks("none")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := b.relay(a).Follow(ctx, foreign.Watch{Every: 50 * time.Millisecond, Witnesses: []*client.Client{client.New(a.Members[1].URL)}, Tell: func(s foreign.Seen) {
		if s.Err != nil {
			t.Log(s.Err)
		}
		if len(b.followed(a).GetValidators()) == 1 {
			cancel()
		}
	}})
	after := b.followed(a)
	if err != nil || len(before.GetValidators()) != 2 || len(after.GetValidators()) != 1 || after.GetKept()-before.GetKept() < 2 {
		t.Fatalf("%v: followed from %d to %d with %d headers, %d validators", err, before.GetHeight(), after.GetHeight(), after.GetKept()-before.GetKept(), len(after.GetValidators()))
	}
}

// equivocate has A sign another header, and B freeze and thaw.
func equivocate(t *testing.T, a, b *side) {
	t.Helper()
	block, err := foreign.Block(t.Context(), a.c, b.followed(a).GetHeight())
	if err != nil {
		t.Fatal(err)
	}
	r := b.relay(a)
	if _, err := r.Freeze(t.Context(), block, block); !fault.Is(err, fault.CodeInconsistent) {
		t.Errorf("one header twice: %v", err)
	}
	if _, err := r.Freeze(t.Context(), block, a.lie(block)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Accept(t.Context(), "identity/account/"+a.Members[0].Org, false); !fault.Is(err, fault.ForeignFrozen) {
		t.Errorf("a frozen chain: %v", err)
	}
	if err := r.Follow(t.Context(), foreign.Watch{Every: 10 * time.Millisecond}); !fault.Is(err, fault.ForeignFrozen) {
		t.Errorf("a relayer of a frozen chain: %v", err)
	}
	b.trust(a, foreignv1.TrustLevel_TRUST_LEVEL_ONE_THIRD, func(r *foreignv1.TrustRoot) *governancev1.Change {
		return &governancev1.Change{Kind: &governancev1.Change_ThawForeignChain{ThawForeignChain: r}}
	})
	ref, err := r.Accept(t.Context(), "identity/account/"+a.Members[0].Org, false)
	if err != nil || ref.GetRoot() != 2 {
		t.Errorf("after the vote: %v, %v", ref, err)
	}
}

// validatorKey is the key with which the member's node votes.
func validatorKey(t *testing.T, m Member) sm.PrivateKey {
	t.Helper()
	k, err := sm.LoadPrivate(filepath.Join(m.Home, nodeDir, "validator.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// blocks makes some, in which a change of the validators takes effect.
func (s *side) blocks(name string) {
	s.t.Helper()
	for i := range 3 {
		s.send(s.signer(0, keyring.Root), &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: fmt.Sprintf("%s%d", name, i), Name: "处"})
	}
}
