package grant_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	grantv1 "mulian/gen/mulian/grant/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/grant"
	"mulian/rules/safebox"
)

// vault opens a box for an account, with unlockers of two kinds.
func (s *scene) vault(account string) {
	s.TB.Helper()
	k, err := sm.FromSeed(sm.P256, sha256.Sum256([]byte(account)))
	if err != nil {
		s.TB.Fatal(err)
	}
	s.Must(account, &safeboxv1.RegisterVault{
		Keys:      []*safeboxv1.VaultKey{{Suite: safeboxv1.SealSuite_SEAL_SUITE_P256, PublicKey: k.Public().Bytes()}},
		Unlockers: []safeboxv1.UnlockerKind{safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSKEY, safeboxv1.UnlockerKind_UNLOCKER_KIND_RECOVERY_CODE}, UnlockersHash: digest(account),
	})
}

// laid puts an item of that name into an account's box, and returns its id.
func (s *scene) laid(account, name string, single bool) string {
	s.TB.Helper()
	s.Must(account, &safeboxv1.SelfDeposit{Items: []*safeboxv1.NewItem{{Commitment: digest(name), Single: single, KeyVersion: 1}}})
	return safebox.ID(digest(name))
}

// out returns the owner's record of the next use, of an item of his box.
func (s *scene) out(id, item string, edit func(*grantv1.RecordBoxUse)) *grantv1.RecordBoxUse {
	m := &grantv1.RecordBoxUse{Grant: id, Number: s.grant(id).GetSequence() + 1, Item: item, KeyWrapHash: digest("wrap"), KeyVersion: 1}
	if edit != nil {
		edit(m)
	}
	return m
}

// TestBoxUse: the use of an item of the owner's box is a use like any other: numbered, counted,
// with a duty and a notification; and the owner gives it back within a day if nothing left.
func TestBoxUse(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	s.vault(s.owner)
	s.vault(s.Consumer)
	item := s.laid(s.owner, "deed", false)
	id := s.given(nil)
	s.Must(s.owner, s.out(id, item, func(m *grantv1.RecordBoxUse) { m.Items = []byte{1} }))
	u, ok := grant.FindUse(s.View(), id, 1)
	if !ok || u.BoxItem != item || u.Provider != s.owner || u.Owner != s.owner || !bytes.Equal(u.Items, []byte{1}) || !bytes.Equal(u.KeyWrapHash, digest("wrap")) {
		t.Fatalf("%v", u)
	}
	if g := s.grant(id); g.Sequence != 1 || g.Uses != 1 || g.State != exhausted || g.DutiesOpen != 1 {
		t.Errorf("%v", g)
	}
	if d := s.duty(id, 1); d.Grantee != s.Consumer || !bytes.Equal(d.Items, []byte{1}) {
		t.Errorf("%v", d)
	}
	s.sound(id)
	s.Want(fault.DuplicateSeq, s.owner, s.out(id, item, func(m *grantv1.RecordBoxUse) { m.Number = 1 }))
	s.Want(fault.UsesExhausted, s.owner, s.out(id, item, nil))
	back := &grantv1.CloseGrantUse{Grant: id, Number: 1, Outcome: grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_EMPTY}
	s.Want(fault.ProviderMismatch, s.ProviderGateway, back)
	s.Must(s.owner, back)
	s.Must(s.owner, s.out(id, item, nil))
	s.sound(id)
}

// TestBoxUseRefusals: each thing that may be wrong with such a use, and a gateway's turn between.
func TestBoxUseRefusals(t *testing.T) {
	s := newScene(t)
	s.register(long)
	s.vault(s.owner)
	item := s.laid(s.owner, "deed", false)
	token := s.laid(s.owner, "token", true)
	gone := s.laid(s.owner, "gone", false)
	s.Must(s.owner, &safeboxv1.EraseItems{Items: []string{gone}, Basis: safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER})
	s.vault(s.other)
	others := s.laid(s.other, "other's", false)
	id := s.given(nil)
	s.Want(fault.GrantNotActive, s.owner, s.out(id, item, nil)) // it cools
	s.Wait(600_000)
	s.Want(fault.RecipientNotEligible, s.owner, s.out(id, item, nil))
	s.vault(s.Consumer)
	for name, want := range map[string]struct {
		code fault.Code
		by   string
		edit func(*grantv1.RecordBoxUse)
	}{
		"no grant":           {fault.NotFound, s.owner, func(m *grantv1.RecordBoxUse) { m.Grant = "x" }},
		"another":            {fault.Forbidden, s.other, nil},
		"the gateway":        {fault.Forbidden, s.ProviderGateway, nil},
		"the data user":      {fault.Forbidden, s.Consumer, nil},
		"a gap":              {fault.ReceiptGap, s.owner, func(m *grantv1.RecordBoxUse) { m.Number++ }},
		"beyond the grant":   {fault.OverAsk, s.owner, func(m *grantv1.RecordBoxUse) { m.Items = []byte{7} }},
		"no item":            {fault.NotFound, s.owner, func(m *grantv1.RecordBoxUse) { m.Item = safebox.ID(digest("none")) }},
		"another's item":     {fault.NotOwner, s.owner, func(m *grantv1.RecordBoxUse) { m.Item = others }},
		"an erased one":      {fault.ItemErased, s.owner, func(m *grantv1.RecordBoxUse) { m.Item = gone }},
		"a single one":       {fault.Forbidden, s.owner, func(m *grantv1.RecordBoxUse) { m.Item = token }},
		"keys of yesterday":  {fault.VersionConflict, s.owner, func(m *grantv1.RecordBoxUse) { m.KeyVersion = 2 }},
		"no hash":            {fault.Missing, s.owner, func(m *grantv1.RecordBoxUse) { m.KeyWrapHash = nil }},
		"a hash of 3 bytes":  {fault.Malformed, s.owner, func(m *grantv1.RecordBoxUse) { m.KeyWrapHash = []byte{1, 2, 3} }},
		"an id of no length": {fault.NotFound, s.owner, func(m *grantv1.RecordBoxUse) { m.Item = "" }},
	} {
		t.Run(name, func(t *testing.T) { s.Want(want.code, want.by, s.out(id, item, want.edit)) })
	}
	s.Must(s.owner, s.out(id, item, nil))
	s.Want(fault.TooSoon, s.owner, s.out(id, item, nil))
	s.Wait(3600_000)
	s.Must(s.ProviderGateway, s.record(id, nil)) // the numbers are one row
	s.Wait(3600_000)
	s.Must(s.owner, &grantv1.PauseGrant{Grant: id})
	s.Want(fault.GrantPaused, s.owner, s.out(id, item, nil))
	s.Must(s.owner, &grantv1.ResumeGrant{Grant: id})
	s.Must(s.owner, s.out(id, item, nil))
	s.sound(id)
	s.Must(s.owner, &grantv1.RevokeGrant{Grant: id})
	s.Want(fault.GrantRevoked, s.owner, s.out(id, item, nil))
}

// TestBoxUseOfWhatIsKept: a whole item stays with who gets it, so only a grant to deliver lets it
// out.
func TestBoxUseOfWhatIsKept(t *testing.T) {
	s := newScene(t)
	s.register(func(u *grantv1.IntendedUse) { u.Mode, u.DataLifeDays = verify, 0 })
	s.vault(s.owner)
	s.vault(s.Consumer)
	item := s.laid(s.owner, "deed", false)
	id := s.given(func(r *grantv1.DataRequest) { r.DataLifeDays = 0 })
	s.Want(fault.OverAsk, s.owner, s.out(id, item, nil))
}
