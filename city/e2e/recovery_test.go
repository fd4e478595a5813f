package e2e_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"mulian/city/trial/skew"
	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway/deliver"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/browsertest"
	"mulian/internal/fault"
	"mulian/internal/recovery"
	"mulian/internal/sm"
)

// cooling is how long a standing grant waits before it counts, and lock how long a recovery at a
// counter with matched faces can be vetoed; each with some minutes more.
const (
	cooling = 12 * time.Minute
	lock    = 24*time.Hour + 12*time.Minute
)

// desk makes a post of a department of the identity authority, and returns who signs under it.
func (w *town) desk(local string) client.Signer {
	w.Helper()
	w.as(w.staffing, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: local, Name: local})
	key, err := w.ring().New(w.staffing.Account+"/p/"+local, keyring.Officer, sm.SM2)
	w.ok(err)
	w.as(w.staffing, &identityv1.RegisterUnit{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: local, Name: local, Parent: local,
		Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_OFFICER, keyring.Officer)},
	})
	return client.Signer{Account: w.staffing.Account + "/p/" + local, Key: key}
}

// later moves the clock of this process, and with it that of the ledger and the gateways in
// it; it is put right after the test's last cleanup. Chromium has a clock of its own.
func later(t *testing.T, by time.Duration) {
	t.Helper()
	if !skew.Set(int64(by / time.Second)) {
		t.Skip("SKIP the clock of a process can be moved on Linux on amd64 only")
	}
}

// loser is a holder with everything that a lost phone touches.
type loser struct {
	*owner
	standing given
	mandate  string
}

// TestLostPhoneInChromium: enrolled in a real browser, lost, recovered at the counter with the
// passkey of another browser: after a day the new one is the only key, standing grants are
// paused, mandates suspended, the safe box asks to be wrapped anew; and with it the holder
// takes everything up again.
func TestLostPhoneInChromium(t *testing.T) {
	later(t, 0)
	t.Cleanup(func() { skew.Set(0) })
	page := browsertest.Page(t, "<!doctype html><title>保险箱</title>")
	w := newTransfers(t, page)
	east, west := w.desk("east"), w.desk("west")
	lost := chromium{browsertest.NewPhone(t, page, browsertest.Device{})}
	carol := &loser{owner: w.ownerOf(lost, "carol", annNumber)}
	w.settles(t, carol)

	w.as(east, &recoveryv1.ReportKey{Account: carol.account, Key: lost.Key(0).Id, Cause: "手机丢失"})
	_, err := carol.send(&recoveryv1.KeepRoster{})
	w.refused(fault.KeyRevoked, err)
	fresh := chromium{browsertest.NewPhone(t, page, browsertest.Device{})}
	id := w.recovers(t, carol.owner, fresh, east, west)
	r := &recoveryv1.Recovery{}
	if w.get("recovery/recovery/"+id, r); r.State != recoveryv1.RecoveryState_RECOVERY_STATE_LOCKED || r.DueMs-r.LockedMs != 24*60*60*1000 {
		t.Fatalf("%s for %d ms", r.State, r.DueMs-r.LockedMs)
	}
	_, err = w.fetch(carol.standing, nil)
	w.ok(err) // nothing has happened yet

	later(t, cooling+lock)
	t.Logf("executed %s after the clocks moved", w.eventually("the recovery is executed", func() bool {
		return w.get("recovery/recovery/"+id, r) && r.State == recoveryv1.RecoveryState_RECOVERY_STATE_EXECUTED
	}))
	w.afterwards(t, carol, lost, fresh)
	w.takesUpAgain(t, carol, fresh)
}

// settles gives her a standing grant, a mandate that she gave, and a safe box.
func (w *transfers) settles(t *testing.T, carol *loser) {
	t.Helper()
	u := &grantv1.IntendedUse{}
	w.get("grant/register/"+w.use, u)
	w.as(w.power.Signer, &grantv1.RegisterUse{LocalId: "monthly", Use: &grantv1.IntendedUse{
		Title: "按月核对", Purpose: u.Purpose, Entry: u.Entry, EntryVersion: u.EntryVersion, Items: u.Items, Basis: u.Basis, ConsentKind: u.ConsentKind, Mode: u.Mode,
		Kind: grantv1.GrantKind_GRANT_KIND_STANDING, MaxDays: 200, NoticeHash: u.NoticeHash, NoticeUrl: u.NoticeUrl, Contact: u.Contact, DataLifeDays: u.DataLifeDays,
	}})
	request := w.asksOwner(w.power, w.power.Account+":monthly", carol.owner, w.entry, []string{"address"}, func(r *grantv1.DataRequest) {
		r.ToMs = time.Now().Add(100 * 24 * time.Hour).UnixMilli()
	})
	carol.standing = carol.grants(request, w.registry, caseNo("1"))
	given, err := carol.send(&mandatev1.ProposeMandate{
		Principal: carol.account, Agent: w.ben.account, Kind: mandatev1.MandateKind_MANDATE_KIND_AGENT, MaxLevel: identityv1.KeyLevel_KEY_LEVEL_OFFICER,
		UntilMs: time.Now().Add(30 * 24 * time.Hour).UnixMilli(), Basis: &mandatev1.MandateBasis{},
		Scope: &mandatev1.MandateScope{Entries: []string{w.entry.Id}, Acts: []mandatev1.MandateAct{mandatev1.MandateAct_MANDATE_ACT_VIEW}},
	})
	w.ok(err)
	carol.mandate = given.IDs[0]
	_, err = w.ben.send(&mandatev1.AnswerMandate{Mandate: carol.mandate, Accept: true})
	w.ok(err)
	key, err := sm.Generate(sm.P256)
	w.ok(err)
	_, err = carol.send(&safeboxv1.RegisterVault{
		Keys:      []*safeboxv1.VaultKey{{Suite: safeboxv1.SealSuite_SEAL_SUITE_P256, PublicKey: key.Public().Bytes()}},
		Unlockers: []safeboxv1.UnlockerKind{safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSKEY, safeboxv1.UnlockerKind_UNLOCKER_KIND_RECOVERY_CODE}, UnlockersHash: random(32),
	})
	w.ok(err)
	later(t, cooling)
	w.eventually("the standing grant is used", func() bool {
		_, err := w.fetch(carol.standing, nil)
		return err == nil
	})
}

// recovers takes the new phone's passkey through the counter, and returns the recovery that is
// locked then.
func (w *transfers) recovers(t *testing.T, o *owner, fresh chromium, first, second client.Signer) string {
	t.Helper()
	key := fresh.Key(identityv1.KeyLevel_KEY_LEVEL_ROOT)
	said := sha256.Sum256(recovery.KeyMessage(chainID, o.account, key.Id))
	papers := func() []byte { sum := recovery.Evidence(random(32), []byte("核验材料")); return sum[:] }
	face := recoveryv1.FaceResult_FACE_RESULT_MATCHED
	open := &recoveryv1.OpenRecovery{
		Account: o.account, Path: recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER, NewKey: key, Possession: fresh.SignTx(sha256.Sum256([]byte("another message"))), Evidence: papers(), Face: face,
	}
	_, err := w.chain.Send(t.Context(), first, open)
	w.refused(fault.BadAuthorisation, err)
	open.Possession = fresh.SignTx(said)
	id := w.as(first, open).IDs[0]
	yes := &recoveryv1.ApproveRecovery{Recovery: id, Evidence: papers(), Face: face}
	_, err = w.chain.Send(t.Context(), first, yes)
	w.refused(fault.Forbidden, err)
	w.as(second, yes)
	return id
}

// afterwards holds what an execution has changed.
func (w *transfers) afterwards(t *testing.T, carol *loser, lost, fresh chromium) {
	t.Helper()
	acc, g, m, v := &identityv1.Account{}, &grantv1.Grant{}, &mandatev1.Mandate{}, &safeboxv1.Vault{}
	w.get("identity/account/"+carol.account, acc)
	for _, k := range acc.Keys {
		if want := k.Id == fresh.Key(0).Id; (k.State == identityv1.KeyState_KEY_STATE_ACTIVE) != want {
			t.Errorf("key %s is %s", k.Id, k.State)
		}
	}
	if w.get("grant/grant/"+carol.standing.id, g); g.State != grantv1.GrantState_GRANT_STATE_PAUSED {
		t.Errorf("the standing grant is %s", g.State)
	}
	w.eventually("the grant is refused as paused", func() bool {
		_, err := w.fetch(carol.standing, nil)
		return fault.Is(err, fault.GrantPaused)
	})
	w.eventually("the mandate is suspended", func() bool {
		return w.get("mandate/mandate/"+carol.mandate, m) && m.State == mandatev1.MandateState_MANDATE_STATE_SUSPENDED
	})
	if w.get("safebox/vault/"+carol.account, v); v.RewrapMs == 0 {
		t.Error("the safe box does not ask to be wrapped anew")
	}
	carol.phone = lost
	_, err := carol.send(&recoveryv1.KeepRoster{})
	w.refused(fault.KeyRevoked, err)
}

// takesUpAgain: with the new phone she says yes again to each.
func (w *transfers) takesUpAgain(t *testing.T, carol *loser, fresh chromium) {
	t.Helper()
	carol.phone = fresh
	v := &safeboxv1.Vault{}
	w.get("safebox/vault/"+carol.account, v)
	_, err := carol.send(
		&grantv1.ResumeGrant{Grant: carol.standing.id},
		&mandatev1.ResumeMandate{Mandate: carol.mandate, Cause: mandatev1.SuspensionKind_SUSPENSION_KIND_PRINCIPAL},
		&safeboxv1.ChangeVault{Version: v.Version, Unlockers: v.Unlockers, UnlockersHash: random(32)},
	)
	w.ok(err)
	var got *deliver.Granted
	w.eventually("the gateway has read that the grant goes on", func() bool {
		got, err = w.fetch(carol.standing, nil)
		if err != nil && !fault.Is(err, fault.GrantPaused) {
			t.Fatal(err)
		}
		return err == nil
	})
	if len(got.Rows) != 1 || got.Rows[0][0].Text != "和平里 1 号" {
		t.Errorf("got %v", got.Rows)
	}
	m := &mandatev1.Mandate{}
	if w.get("mandate/mandate/"+carol.mandate, m); m.State != mandatev1.MandateState_MANDATE_STATE_ACTIVE {
		t.Errorf("the mandate is %s", m.State)
	}
	if w.get("safebox/vault/"+carol.account, v); v.RewrapMs != 0 {
		t.Error("the safe box still asks")
	}
	// enrol_duplicate_key: a page that lost the answer sends the same key again, and is told.
	_, err = carol.send(&identityv1.AddKey{Account: carol.account, Key: fresh.Key(identityv1.KeyLevel_KEY_LEVEL_OFFICER)})
	w.refused(fault.AlreadyExists, err)
}
