package grant_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/rules/grant"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

const (
	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT

	once     = grantv1.GrantKind_GRANT_KIND_ONCE
	standing = grantv1.GrantKind_GRANT_KIND_STANDING
	deliver  = grantv1.GrantMode_GRANT_MODE_DELIVER
	verify   = grantv1.GrantMode_GRANT_MODE_VERIFY
	separate = grantv1.ConsentKind_CONSENT_KIND_SEPARATE
	express  = grantv1.ConsentKind_CONSENT_KIND_EXPRESS
	byDuty   = grantv1.GrantBasis_GRANT_BASIS_DUTY
)

// scene is a town with an owner: the housing fund asks, the registry provides.
type scene struct {
	*towntest.Town
	owner, other string // persons, with a key of each level
	asked        uint64
	useID        string
}

func newScene(t testing.TB) *scene { return newSceneOf(t, nil) }

// newSceneOf is newScene with an entry as edit makes it.
func newSceneOf(t testing.TB, edit func(*cataloguev1.Entry)) *scene {
	t.Helper()
	s := &scene{Town: towntest.New(t)}
	s.Publish(edit)
	s.owner, s.other = s.person(1), s.person(2)
	s.useID = s.Consumer + ":loan"
	return s
}

// person opens an account with a key of each level.
func (s *scene) person(n int) string {
	id := s.Person(n)
	for _, level := range []identityv1.KeyLevel{machine, officer} {
		s.Must(id, &identityv1.AddKey{Account: id, Key: rulestest.PublicKey(s.Key(id, level).Public(), level)})
	}
	return id
}

// use returns the registration of the use "loan": items no and owner (optional) of the
// entry, once.
func (s *scene) use(edit func(*grantv1.IntendedUse)) *grantv1.RegisterUse {
	u := &grantv1.IntendedUse{
		Title: "公积金贷款审批", Purpose: "loan", Entry: s.EntryID, EntryVersion: 1, Items: []byte{3}, OptionalItems: []byte{2},
		Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, ConsentKind: express, Mode: deliver, Kind: once, MaxDays: 30, MaxUses: 1, DataLifeDays: 20,
		NoticeHash: digest("notice"), NoticeUrl: "https://gjj.example.cn/notice", Contact: "12329",
	}
	if edit != nil {
		edit(u)
	}
	return &grantv1.RegisterUse{LocalId: "loan", Use: u}
}

// long makes a use a standing one of five uses.
func long(u *grantv1.IntendedUse) { u.Kind, u.MaxUses, u.MinIntervalSeconds = standing, 5, 3600 }

// register registers the use.
func (s *scene) register(edit func(*grantv1.IntendedUse)) {
	s.TB.Helper()
	s.Must(s.Consumer, s.use(edit))
}

// ask returns a request of the owner for both items of the registered use.
func (s *scene) ask(edit func(*grantv1.DataRequest)) *grantv1.RequestData {
	s.asked++
	u, ok := grant.FindUseOf(s.View(), s.useID)
	if !ok {
		u = &grantv1.IntendedUse{MaxUses: 1, Kind: once, DataLifeDays: 20}
	}
	r := &grantv1.DataRequest{
		Use: s.useID, Owner: s.owner, Items: []byte{3}, OptionalItems: []byte{2}, ToMs: s.Now + 20*rulestest.Day, MaxUses: u.MaxUses,
		MinIntervalSeconds: u.MinIntervalSeconds, DataLifeDays: u.DataLifeDays, BusinessReference: digest("contract 7"), NoticeHash: digest("notice"),
		Gateway: s.ConsumerGateway, RecipientKey: s.recipient(), Nonce: binary.BigEndian.AppendUint64(make([]byte, 8), s.asked),
		NotAfterMs: s.Now + 10*rulestest.Day,
	}
	if edit != nil {
		edit(r)
	}
	return &grantv1.RequestData{Request: r}
}

func (s *scene) recipient() string { return s.Account(s.ConsumerGateway).Gateway.SealingKey.Id }

// give returns the owner's yes to a request, with the text that the ledger would render
// after the changes of edit.
func (s *scene) give(request string, edit func(*grantv1.GiveGrant)) *grantv1.GiveGrant {
	s.TB.Helper()
	v := s.View()
	r, ok := grant.FindRequest(v, request)
	if !ok {
		s.TB.Fatalf("there is no request %s", request)
	}
	m := &grantv1.GiveGrant{Request: request, RequestHash: r.Hash, Language: "zh", RowKeyCommitment: digest("row key")}
	if edit != nil {
		edit(m)
	}
	u, _ := grant.FindUseOf(v, r.Use)
	if f, ok := grant.FactsOf(v, r, u); ok && len(m.UiTextHash) == 0 {
		m.UiTextHash = consent.TextHash(consent.Text(m.Language, f, consent.Of(m)))
	}
	return m
}

// given asks and is granted; it returns the grant's id.
func (s *scene) given(edit func(*grantv1.DataRequest)) string {
	s.TB.Helper()
	request := s.Must(s.Consumer, s.ask(edit))[0]
	return s.Must(s.owner, s.give(request, nil))[0]
}

// record returns the provider's record of the next use.
func (s *scene) record(id string, edit func(*grantv1.RecordGrantUse)) *grantv1.RecordGrantUse {
	m := &grantv1.RecordGrantUse{Grant: id, Number: s.grant(id).GetSequence() + 1, RecipientKey: s.recipient(), ResultCommitment: digest("result")}
	if edit != nil {
		edit(m)
	}
	return m
}

func (s *scene) grant(id string) *grantv1.Grant {
	s.TB.Helper()
	g, _ := grant.FindGrant(s.View(), id)
	return g
}

func (s *scene) request(id string) *grantv1.DataRequest {
	s.TB.Helper()
	r, _ := grant.FindRequest(s.View(), id)
	return r
}

func (s *scene) duty(id string, number uint64) *grantv1.DeletionDuty {
	s.TB.Helper()
	d, ok := grant.FindDuty(s.View(), id, number)
	if !ok {
		s.TB.Fatalf("use %d of grant %s owes no deletion", number, id)
	}
	return d
}

// sound fails unless the grant keeps its invariants.
func (s *scene) sound(id string) {
	s.TB.Helper()
	if err := grant.Check(s.View(), s.grant(id)); err != nil {
		s.TB.Error(err)
	}
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// block makes one block of several accounts' messages, each its own transaction.
type signed struct {
	account string
	message proto.Message
}

// TestFeedHasNoGaps: each step of a life is told to the owner under the next number.
func TestFeedHasNoGaps(t *testing.T) {
	s := newScene(t)
	s.register(long)
	want := uint64(0)
	told := func() {
		t.Helper()
		for _, ev := range s.Events() {
			if n := len(ev.Objects); n > 0 && bytes.HasPrefix([]byte(ev.Objects[n-1]), []byte(grant.FeedKey(s.owner)+"/")) {
				want++
				if ev.Objects[n-1] != grant.NotificationKey(s.owner, want) {
					t.Errorf("%s is told under %s, want number %d", ev.Verb, ev.Objects[n-1], want)
				}
			}
		}
		if f, _ := grant.FindFeed(s.View(), s.owner); f.GetCount() != want {
			t.Errorf("the feed counts %d, told were %d", f.GetCount(), want)
		}
	}
	request := s.Must(s.Consumer, s.ask(nil))[0]
	told()
	id := s.Must(s.owner, s.give(request, nil))[0]
	told()
	s.Wait(601_000)
	told()
	for _, m := range []signed{
		{s.ProviderGateway, s.record(id, nil)},
		{s.owner, &grantv1.PauseGrant{Grant: id}},
		{s.owner, &grantv1.ResumeGrant{Grant: id}},
		{s.owner, &grantv1.RevokeGrant{Grant: id}},
		{s.Consumer, &grantv1.AttestDeletion{Grant: id, First: 1, Last: 1, EvidenceHash: digest("shredded")}},
	} {
		s.Must(m.account, m.message)
		told()
	}
	if want != 8 {
		t.Errorf("%d notifications, want 8", want)
	}
}
