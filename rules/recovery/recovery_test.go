package recovery_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	codes "mulian/internal/recovery"
	"mulian/internal/sm"
	"mulian/rules/recovery"
	"mulian/rules/rulestest"
)

const (
	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT

	counter   = recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER
	guardians = recoveryv1.RecoveryPath_RECOVERY_PATH_GUARDIANS
	byCode    = recoveryv1.RecoveryPath_RECOVERY_PATH_CODE

	matched  = recoveryv1.FaceResult_FACE_RESULT_MATCHED
	notTaken = recoveryv1.FaceResult_FACE_RESULT_NOT_TAKEN

	locked    = recoveryv1.RecoveryState_RECOVERY_STATE_LOCKED
	executed  = recoveryv1.RecoveryState_RECOVERY_STATE_EXECUTED
	vetoed    = recoveryv1.RecoveryState_RECOVERY_STATE_VETOED
	review    = recoveryv1.RecoveryState_RECOVERY_STATE_REVIEW
	expired   = recoveryv1.RecoveryState_RECOVERY_STATE_EXPIRED
	cancelled = recoveryv1.RecoveryState_RECOVERY_STATE_CANCELLED
)

// hall is a world with an identity authority of three desks, and a holder whose friends are
// his guardians.
type hall struct {
	*rulestest.World
	police  string
	desks   [4]string // officers; the last one sits at the desk of the first
	holder  string
	friends [3]string
	code    sm.PrivateKey
}

func newHall(t *testing.T) *hall {
	h := &hall{World: rulestest.New(t)}
	h.police = h.Org("公安局")
	h.Give(governancev1.Role_ROLE_IDENTITY, h.police)
	for _, d := range []string{"east", "west", "north"} {
		h.Department(h.police, d)
	}
	for i, d := range []string{"east", "west", "north", "east"} {
		h.desks[i] = h.Officer(h.police, d, fmt.Sprintf("officer%d", i))
	}
	h.holder = h.Person(1)
	h.second(machine)
	for i := range h.friends {
		h.friends[i] = h.Person(10 + i)
	}
	var err error
	if h.code, err = (codes.Code{7}).Key(); err != nil {
		t.Fatal(err)
	}
	h.Must(h.desks[0], &identityv1.RecordProofing{
		Account: h.holder, Commitment: bytes.Repeat([]byte{5}, 32), Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER,
		Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH, ExpiresMs: h.Now + 365*rulestest.Day,
	})
	return h
}

// second gives the holder one more key.
func (h *hall) second(level identityv1.KeyLevel) sm.PrivateKey {
	k := h.Named(h.holder, level, "second")
	h.Must(h.holder, &identityv1.AddKey{Account: h.holder, Key: rulestest.PublicKey(k.Public(), level)})
	return k
}

func salt(friend string) []byte {
	s := sha256.Sum256([]byte("salt of " + friend))
	return s[:]
}

func (h *hall) policy(version uint64) *recoveryv1.SetRecoveryPolicy {
	m := &recoveryv1.SetRecoveryPolicy{Threshold: 2, CodeKey: h.code.Public().Bytes(), Version: version}
	for _, f := range h.friends {
		c := codes.Commitment(salt(f), f)
		m.Guardians = append(m.Guardians, c[:])
	}
	slices.SortFunc(m.Guardians, bytes.Compare)
	return m
}

func (h *hall) newKey(name string) sm.PrivateKey { return h.Named(h.holder, root, "new "+name) }

// open is the message that opens an attempt by a path, with a new key of that name.
func (h *hall) open(path recoveryv1.RecoveryPath, name string) *recoveryv1.OpenRecovery {
	k := h.newKey(name)
	said := codes.KeyMessage(rulestest.ChainID, h.holder, k.Public().ID())
	m := &recoveryv1.OpenRecovery{Account: h.holder, Path: path, NewKey: rulestest.PublicKey(k.Public(), root), Possession: h.sign(k, said)}
	switch path {
	case counter:
		m.Evidence, m.Face = bytes.Repeat([]byte{1}, 32), matched
	case guardians:
		m.Salt = salt(h.friends[0])
	default:
		m.CodeSignature = h.sign(h.code, said)
	}
	return m
}

func (h *hall) sign(k sm.PrivateKey, message []byte) []byte {
	sig, err := k.Sign(message)
	if err != nil {
		h.TB.Fatal(err)
	}
	return sig
}

// begun opens an attempt at a counter and locks it, and returns its id.
func (h *hall) begun(name string) string {
	h.TB.Helper()
	id := h.Must(h.desks[0], h.open(counter, name))[0]
	h.Must(h.desks[1], &recoveryv1.ApproveRecovery{Recovery: id, Evidence: bytes.Repeat([]byte{2}, 32), Face: matched})
	h.want(id, locked)
	return id
}

func (h *hall) get(id string) *recoveryv1.Recovery {
	h.TB.Helper()
	r, ok := recovery.Find(h.View(), id)
	if !ok {
		h.TB.Fatalf("there is no recovery %s", id)
	}
	if err := recovery.Check(h.View(), r); err != nil {
		h.TB.Error(err)
	}
	return r
}

func (h *hall) want(id string, s recoveryv1.RecoveryState) *recoveryv1.Recovery {
	h.TB.Helper()
	r := h.get(id)
	if r.State != s {
		h.TB.Fatalf("recovery %s is %s, want %s", id, r.State, s)
	}
	return r
}

// until waits to just before the attempt is due, and then over it.
func (h *hall) until(id string, before recoveryv1.RecoveryState) {
	h.TB.Helper()
	h.Wait(h.get(id).DueMs - h.Now - 1)
	h.want(id, before)
	h.Wait(1)
}

// wantEvent holds that the last block has said this of the attempt, the account and those other
// records.
func (h *hall) wantEvent(verb, id string, others ...string) {
	h.TB.Helper()
	want := append([]string{"recovery/recovery/" + id, "identity/account/" + h.holder}, others...)
	for _, e := range h.Events() {
		if e.Verb == verb && slices.Equal(e.Objects, want) && e.Actor == "" {
			return
		}
	}
	h.TB.Errorf("no event %s of %s: %v", verb, id, h.Events())
}

// alone holds that the key is the only one of the holder that signs.
func (h *hall) alone(k sm.PrivateKey) {
	h.TB.Helper()
	for _, x := range h.Account(h.holder).Keys {
		if (x.State == identityv1.KeyState_KEY_STATE_ACTIVE) != (x.Id == k.Public().ID()) {
			h.TB.Errorf("key %s of the recovered account is %s", x.Id, x.State)
		}
	}
	if code := h.DoWith(h.holder, h.Key(h.holder, root), &identityv1.AddKey{Account: h.holder}); code != fault.KeyRevoked {
		h.TB.Errorf("an old key signs: %s", code)
	}
	if code := h.DoWith(h.holder, k, h.policy(policyVersion(h))); code != fault.OK {
		h.TB.Errorf("the new key does not sign: %s (%s)", code, h.Text)
	}
}

func policyVersion(h *hall) uint64 {
	p, _ := recovery.FindPolicy(h.View(), h.holder)
	return p.GetVersion()
}

// TestEachPathEndsWithOneKey: every path is locked for its own time, to the millisecond,
// and then the ledger itself makes the new key the only one.
func TestEachPathEndsWithOneKey(t *testing.T) {
	for name, tt := range map[string]struct {
		hours int64
		run   func(h *hall) string
	}{
		"counter with faces": {24, func(h *hall) string { return h.begun("a") }},
		"counter, one face was not taken": {72, func(h *hall) string {
			id := h.Must(h.desks[0], h.open(counter, "a"))[0]
			h.Must(h.desks[1], &recoveryv1.ApproveRecovery{Recovery: id, Evidence: bytes.Repeat([]byte{2}, 32), Face: notTaken})
			return id
		}},
		"guardians": {72, func(h *hall) string {
			h.Must(h.holder, h.policy(0))
			id := h.Must(h.friends[0], h.open(guardians, "a"))[0]
			h.Must(h.friends[2], &recoveryv1.ApproveRecovery{Recovery: id, Salt: salt(h.friends[2])})
			return id
		}},
		"code": {168, func(h *hall) string {
			h.Must(h.holder, h.policy(0))
			return h.Must(h.holder, h.open(byCode, "a"))[0]
		}},
		"a policy that wants longer": {200, func(h *hall) string {
			m := h.policy(0)
			m.LockHours = 200
			h.Must(h.holder, m)
			return h.begun("a")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t)
			id := tt.run(h)
			if r := h.want(id, locked); r.DueMs != h.Now+tt.hours*rulestest.Hour {
				t.Fatalf("locked for %d ms", r.DueMs-h.Now)
			}
			h.until(id, locked)
			h.want(id, executed)
			written := []string{"recovery/executed/" + h.holder}
			if name == "code" {
				written = append(written, "recovery/policy/"+h.holder)
			}
			h.wantEvent("recovery/executed", id, written...)
			if at := recovery.ExecutedAt(h.View(), h.holder); at != h.Now {
				t.Errorf("executed at %d, and %d is said", h.Now, at)
			}
			p, _ := recovery.FindPolicy(h.View(), h.holder)
			if spent := len(p.GetCodeKey()) == 0; p != nil && spent != (name == "code") {
				t.Errorf("the code is spent: %t", spent)
			}
			h.alone(h.newKey("a"))
		})
	}
}

// TestOpenRecoveryOrder walks the checks at a counter.
func TestOpenRecoveryOrder(t *testing.T) {
	type try = rulestest.Try[*recoveryv1.OpenRecovery]
	var h *hall
	rulestest.Order(t, func(t *testing.T) *try {
		h = newHall(t)
		return &try{World: h.World, Account: h.desks[0], Message: h.open(counter, "a")}
	}, []rulestest.Breach[*recoveryv1.OpenRecovery]{
		{Name: "no path", Want: fault.OutOfRange, Break: func(a *try) { a.Message.Path = 0 }},
		{Name: "no account", Want: fault.NotFound, Break: func(a *try) { a.Message.Account = "p-0" }},
		{Name: "an organisation", Want: fault.OutOfRange, Break: func(a *try) { a.Message.Account = h.police }},
		{Name: "no role", Want: fault.Forbidden, Break: func(a *try) { a.Account = h.Authority }},
		{Name: "no desk", Want: fault.Forbidden, Break: func(a *try) { a.Account = h.police }},
		{Name: "no evidence", Want: fault.Missing, Break: func(a *try) { a.Message.Evidence = nil }},
		{Name: "nothing said of the face", Want: fault.OutOfRange, Break: func(a *try) { a.Message.Face = 0 }},
		{Name: "another face", Want: fault.FaceMismatch, Break: func(a *try) { a.Message.Face = recoveryv1.FaceResult_FACE_RESULT_MISMATCHED }},
		{Name: "the proofing was revoked", Want: fault.ProofingExpired, Break: func(a *try) { h.Must(h.desks[2], &identityv1.RevokeProofing{Account: h.holder, Cause: "冒名"}) }},
		{Name: "suspended", Want: fault.Suspended, Break: func(a *try) { h.Must(h.Authority, &identityv1.SuspendAccount{Account: h.holder, Cause: "x"}) }},
		{Name: "one runs", Want: fault.AlreadyRecovering, Break: func(a *try) { h.Must(h.desks[2], h.open(counter, "other")) }},
		{Name: "no key", Want: fault.Missing, Break: func(a *try) { a.Message.NewKey = nil }},
		{Name: "a key that ends", Want: fault.OutOfRange, Break: func(a *try) {
			a.Message.NewKey = &identityv1.Key{Id: a.Message.NewKey.GetId(), Algorithm: 3, PublicKey: h.newKey("a").Public().Bytes(), Level: root, EndsMs: h.Now + 1}
		}},
		{Name: "a lower key", Want: fault.OutOfRange, Break: func(a *try) { a.Message.NewKey = rulestest.PublicKey(h.newKey("a").Public(), officer) }},
		{Name: "a key of the account", Want: fault.AlreadyExists, Break: func(a *try) { a.Message.NewKey = rulestest.PublicKey(h.Key(h.holder, root).Public(), root) }},
		{Name: "nobody has the key", Want: fault.BadAuthorisation, Break: func(a *try) { a.Message.Possession = bytes.Repeat([]byte{1}, 64) }},
	})
}

// TestWhoMayVouch: two officers of one desk are one, a guardian counts once and not for
// himself, a code is used with a key that is left, and each for this key only.
func TestWhoMayVouch(t *testing.T) {
	h := newHall(t)
	h.Want(fault.QuorumShort, h.friends[0], h.open(guardians, "a"))
	h.Want(fault.NotFound, h.holder, h.open(byCode, "a"))
	h.Must(h.holder, h.policy(0))
	id := h.Must(h.desks[0], h.open(counter, "a"))[0]
	yes := &recoveryv1.ApproveRecovery{Recovery: id, Evidence: bytes.Repeat([]byte{2}, 32), Face: matched}
	h.Want(fault.Forbidden, h.desks[0], yes)
	h.Want(fault.Forbidden, h.desks[3], yes) // another officer of the same desk
	h.Want(fault.Forbidden, h.friends[0], yes)
	h.Want(fault.NotFound, h.desks[1], &recoveryv1.ApproveRecovery{Recovery: "0"})
	h.Must(h.desks[1], yes)
	h.Want(fault.IllegalTransition, h.desks[2], yes)
	h.Want(fault.Forbidden, h.desks[1], &recoveryv1.CancelRecovery{Recovery: id, Cause: "x"})
	h.Want(fault.Missing, h.desks[0], &recoveryv1.CancelRecovery{Recovery: id})
	h.Must(h.desks[0], &recoveryv1.CancelRecovery{Recovery: id, Cause: "误办"})
	h.want(id, cancelled)

	own := h.open(guardians, "b")
	h.Want(fault.GuardianSelf, h.holder, own)
	h.Want(fault.Forbidden, h.friends[1], own) // with the salt of another
	id = h.Must(h.friends[0], own)[0]
	h.Want(fault.AlreadyVoted, h.friends[0], &recoveryv1.ApproveRecovery{Recovery: id, Salt: salt(h.friends[0])})
	h.Want(fault.RosterChangedDuringLock, h.holder, h.policy(1))
	h.until(id, recoveryv1.RecoveryState_RECOVERY_STATE_OPEN)
	if r := h.want(id, expired); r.Code != uint32(fault.QuorumShort) {
		t.Errorf("it expired with code %d", r.Code)
	}
	code := h.open(byCode, "c")
	if got := h.DoWith(h.holder, h.Named(h.holder, machine, "second"), code); got != fault.Forbidden {
		t.Errorf("a code with a key MACHINE: %s", got)
	}
	h.Want(fault.Forbidden, h.friends[0], code)
	code.CodeSignature = h.open(byCode, "d").CodeSignature
	h.Want(fault.BadAuthorisation, h.holder, code)
}

// TestAnyLiveKeyVetoes: the lowest key that is left stops an attempt at once.
func TestAnyLiveKeyVetoes(t *testing.T) {
	h := newHall(t)
	id := h.begun("a")
	h.Want(fault.Forbidden, h.friends[0], &recoveryv1.VetoRecovery{Recovery: id})
	if got := h.DoWith(h.holder, h.Named(h.holder, machine, "second"), &recoveryv1.VetoRecovery{Recovery: id, Cause: "不是我"}); got != fault.OK {
		t.Fatalf("%s (%s)", got, h.Text)
	}
	h.want(id, vetoed)
	h.Want(fault.IllegalTransition, h.holder, &recoveryv1.VetoRecovery{Recovery: id})
	h.Wait(100 * rulestest.Hour)
	h.want(id, vetoed)
	if recovery.ExecutedAt(h.View(), h.holder) != 0 {
		t.Error("a vetoed attempt was executed")
	}
}

// TestVetoByLostKeyFreezes: the account signs nothing, two officers of other desks decide.
func TestVetoByLostKeyFreezes(t *testing.T) {
	for _, proceed := range []bool{true, false} {
		t.Run(fmt.Sprint("proceed ", proceed), func(t *testing.T) {
			h := newHall(t)
			lost := h.Named(h.holder, machine, "second")
			id := h.begun("a")
			h.Must(h.desks[0], &recoveryv1.ReportKey{Account: h.holder, Key: lost.Public().ID()})
			h.Want(fault.IllegalTransition, h.desks[0], &recoveryv1.ReportKey{Account: h.holder, Key: lost.Public().ID()})
			if got := h.DoWith(h.holder, lost, &recoveryv1.KeepRoster{}); got != fault.KeyRevoked {
				t.Errorf("a lost key signs: %s", got)
			}
			if got := h.DoWith(h.holder, lost, &recoveryv1.VetoRecovery{Recovery: id}); got != fault.OK {
				t.Fatalf("%s (%s)", got, h.Text)
			}
			if r := h.want(id, review); r.Code != uint32(fault.VetoByLostKey) {
				t.Errorf("code %d", r.Code)
			}
			h.Want(fault.Suspended, h.holder, &recoveryv1.VetoRecovery{Recovery: id})
			h.Want(fault.Forbidden, h.Authority, &identityv1.ResumeAccount{Account: h.holder})
			look := &recoveryv1.ReviewRecovery{Recovery: id, Proceed: proceed, Cause: "核对了证件"}
			h.Want(fault.Forbidden, h.desks[0], look) // has vouched
			h.Want(fault.Forbidden, h.desks[3], look) // his desk has
			h.Must(h.desks[2], look)
			h.Want(fault.Forbidden, h.desks[2], look)
			h.Department(h.police, "south")
			fourth := h.Officer(h.police, "south", "officer9")
			h.Want(fault.CodeInconsistent, fourth, &recoveryv1.ReviewRecovery{Recovery: id, Proceed: !proceed, Cause: "x"})
			h.Must(fourth, look)
			if proceed {
				h.until(id, locked)
				h.want(id, executed)
				h.alone(h.newKey("a"))
				return
			}
			h.want(id, vetoed)
			if got := h.DoWith(h.holder, lost, &recoveryv1.KeepRoster{}); got != fault.NotFound {
				t.Errorf("the key that was found does not sign: %s", got)
			}
		})
	}
	t.Run("nobody looks", func(t *testing.T) {
		h := newHall(t)
		lost := h.Named(h.holder, machine, "second")
		id := h.begun("a")
		h.Must(h.holder, &recoveryv1.ReportKey{Account: h.holder, Key: lost.Public().ID()})
		h.DoWith(h.holder, lost, &recoveryv1.VetoRecovery{Recovery: id})
		h.until(id, review)
		h.want(id, expired)
		h.Must(h.holder, h.policy(0)) // it signs again
	})
}

// TestReviewSparesNobodyToVouch: a veto by a lost key comes while one officer of two has
// vouched. Two others say that it goes on: the second voucher is needed all the same.
func TestReviewSparesNobodyToVouch(t *testing.T) {
	h := newHall(t)
	lost := h.Named(h.holder, machine, "second")
	h.Must(h.holder, &recoveryv1.ReportKey{Account: h.holder, Key: lost.Public().ID()})
	id := h.Must(h.desks[0], h.open(counter, "a"))[0]
	if got := h.DoWith(h.holder, lost, &recoveryv1.VetoRecovery{Recovery: id}); got != fault.OK {
		t.Fatalf("%s (%s)", got, h.Text)
	}
	h.want(id, review)
	for _, desk := range h.desks[1:3] {
		h.Must(desk, &recoveryv1.ReviewRecovery{Recovery: id, Proceed: true, Cause: "核对了证件"})
	}
	h.want(id, recoveryv1.RecoveryState_RECOVERY_STATE_OPEN)
	h.Must(h.desks[1], &recoveryv1.ApproveRecovery{Recovery: id, Evidence: bytes.Repeat([]byte{2}, 32), Face: matched})
	h.want(id, locked)
	h.until(id, locked)
	h.want(id, executed)
	h.alone(h.newKey("a"))
}

// TestFoundKeys: what one desk has reported another one takes back, or the holder.
func TestFoundKeys(t *testing.T) {
	h := newHall(t)
	k := h.Named(h.holder, machine, "second")
	lost := &recoveryv1.ReportKey{Account: h.holder, Key: k.Public().ID()}
	found := &recoveryv1.ReportKey{Account: h.holder, Key: k.Public().ID(), Found: true}
	h.Want(fault.IllegalTransition, h.holder, found)
	h.Want(fault.NotFound, h.holder, &recoveryv1.ReportKey{Account: h.holder, Key: "0"})
	h.Want(fault.Forbidden, h.friends[0], lost)
	h.Must(h.desks[0], lost)
	h.Want(fault.Forbidden, h.desks[3], found)
	h.Must(h.desks[1], found)
	h.Must(h.holder, lost)
	h.Must(h.holder, found)
}

// TestRosterWaits: who has the keys for a moment does not choose the guardians.
func TestRosterWaits(t *testing.T) {
	h := newHall(t)
	bad := h.policy(0)
	bad.Threshold = 4
	h.Want(fault.QuorumShort, h.holder, bad)
	bad.Threshold = 1
	h.Want(fault.QuorumShort, h.holder, bad)
	twice := h.policy(0)
	twice.Guardians[1] = twice.Guardians[0]
	h.Want(fault.Duplicate, h.holder, twice)
	h.Must(h.holder, h.policy(0))
	h.Want(fault.VersionConflict, h.holder, h.policy(0))
	thief := &recoveryv1.SetRecoveryPolicy{Version: 1}
	h.Must(h.holder, thief)
	if p, _ := recovery.FindPolicy(h.View(), h.holder); len(p.Guardians) != 3 || p.Pending == nil {
		t.Fatalf("%v", p)
	}
	if got := h.DoWith(h.holder, h.Named(h.holder, machine, "second"), &recoveryv1.KeepRoster{}); got != fault.OK {
		t.Fatal(got)
	}
	h.Wait(73 * rulestest.Hour)
	if p, _ := recovery.FindPolicy(h.View(), h.holder); len(p.Guardians) != 3 {
		t.Fatal("a change that was dropped took effect")
	}
	thief.Version = policyVersion(h)
	h.Must(h.holder, thief)
	h.Wait(71 * rulestest.Hour)
	id := h.begun("a")
	h.Wait(2 * rulestest.Hour) // the change is due, and waits for the end of the attempt
	if p, _ := recovery.FindPolicy(h.View(), h.holder); len(p.Guardians) != 3 {
		t.Fatal("the roster changed while an attempt runs")
	}
	h.Must(h.holder, &recoveryv1.VetoRecovery{Recovery: id})
	if p, _ := recovery.FindPolicy(h.View(), h.holder); len(p.Guardians) != 0 || p.Pending != nil {
		t.Fatalf("the change did not take effect: %v", p)
	}
}

// TestTheDead: an account whose holder has died is frozen and recovers nothing, until this
// turns out to be wrong.
func TestTheDead(t *testing.T) {
	h := newHall(t)
	id := h.begun("a")
	died := &recoveryv1.RecordDeath{Account: h.holder, Evidence: bytes.Repeat([]byte{3}, 32)}
	h.Want(fault.Forbidden, h.Authority, died)
	h.Want(fault.Missing, h.desks[0], &recoveryv1.RecordDeath{Account: h.holder})
	h.Must(h.desks[0], died)
	if r := h.want(id, cancelled); r.Code != uint32(fault.Deceased) {
		t.Errorf("code %d", r.Code)
	}
	h.Want(fault.IllegalTransition, h.desks[1], died)
	h.Want(fault.Deceased, h.desks[1], h.open(counter, "b"))
	h.Want(fault.Suspended, h.holder, h.policy(0))
	died.Withdrawn = true
	h.Want(fault.Forbidden, h.desks[3], died)
	h.Must(h.desks[1], died)
	h.Want(fault.IllegalTransition, h.desks[1], died)
	h.Must(h.holder, h.policy(0))
}

// TestKeyThatCameMeanwhile: an attempt whose new key stands in the account when its lock is
// over comes to nothing, and the keys stay.
func TestKeyThatCameMeanwhile(t *testing.T) {
	h := newHall(t)
	id := h.begun("a")
	h.Must(h.holder, &identityv1.AddKey{Account: h.holder, Key: rulestest.PublicKey(h.newKey("a").Public(), root)})
	h.until(id, locked)
	if r := h.want(id, expired); r.Code != uint32(fault.AlreadyExists) {
		t.Errorf("code %d", r.Code)
	}
	h.Must(h.holder, h.policy(0))
}
