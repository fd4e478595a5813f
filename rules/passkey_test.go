package rules_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/passkey/passkeytest"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

// holder is a world with an identity authority and a person with one passkey.
type holder struct {
	*rulestest.World
	police, person string
	device         *passkeytest.Authenticator
}

func newHolder(t *testing.T, device *passkeytest.Authenticator) *holder {
	t.Helper()
	w := rulestest.New(t)
	w.Passkeys()
	return &holder{World: w, police: w.IdentityAuthority("公安局"), person: w.PasskeyPerson(1, device), device: device}
}

func bound() *passkeytest.Authenticator {
	return passkeytest.New(rulestest.RPID, rulestest.Page, "phone")
}

func synced() *passkeytest.Authenticator {
	return passkeytest.Synced(rulestest.RPID, rulestest.Page, "cloud")
}

// addKey is an act that needs ROOT.
func (h *holder) addKey(name string) *identityv1.AddKey {
	return &identityv1.AddKey{Account: h.person, Key: rulestest.PublicKey(h.Named(h.person, officer, name).Public(), officer)}
}

// TestPasskeySigns: a device-bound passkey does what a ROOT key may, in each form that a
// device writes signatures in.
func TestPasskeySigns(t *testing.T) {
	h := newHolder(t, bound())
	for _, form := range []struct {
		name  string
		as    func(*passkeytest.Authenticator)
		extra string
	}{
		{"low s", func(*passkeytest.Authenticator) {}, ""},
		{"high s", func(a *passkeytest.Authenticator) { a.HighS = true }, ""},
		{"r and s", func(a *passkeytest.Authenticator) { a.HighS, a.Raw = false, true }, ""},
		{"a member behind", func(a *passkeytest.Authenticator) {
			a.Extra = `,"other_keys_can_be_added_here":"do not compare clientDataJSON against a template. See https://goo.gl/yabPex"`
		}, ""},
		{"extension data", func(a *passkeytest.Authenticator) { a.Extensions = []byte{0xa1, 0x61, 'x', 1} }, ""},
	} {
		form.as(h.device)
		if code := h.DoDevice(h.person, h.device, h.addKey(form.name)); code != fault.OK {
			t.Errorf("%s: %s (%s: %s)", form.name, code, h.Outcome.Rule, h.Text)
		}
	}
}

// TestAssertionRefusals: what a device must not say, each with its code; the transaction's
// id stays free, and nothing changes.
func TestAssertionRefusals(t *testing.T) {
	type device = passkeytest.Authenticator
	for name, tt := range map[string]struct {
		want   fault.Code
		change func(*holder, *device)
	}{
		"another page":      {fault.OriginUnknown, func(_ *holder, d *device) { d.Origin = "https://box.example.cn:444" }},
		"a page's copy":     {fault.OriginUnknown, func(_ *holder, d *device) { d.Origin = "http://box.example.cn" }},
		"another party":     {fault.RpIdUnknown, func(_ *holder, d *device) { d.RPID = "example.cn" }},
		"nobody there":      {fault.UvMissing, func(_ *holder, d *device) { d.Absent = true }},
		"not verified":      {fault.UvMissing, func(_ *holder, d *device) { d.Unverified = true }},
		"backup appears":    {fault.KeyBackupChanged, func(_ *holder, d *device) { d.BackupEligible = true }},
		"backup from where": {fault.Malformed, func(_ *holder, d *device) { d.BackedUp = true }},
		"a foreign frame":   {fault.BadAuthorisation, func(_ *holder, d *device) { d.CrossOrigin = true }},
		"the party is gone": {fault.RpIdUnknown, func(h *holder, _ *device) { settings(h.World, func(*governancev1.Parameters) {}) }},
	} {
		h := newHolder(t, bound())
		tt.change(h, h.device)
		before := h.TreeRoot()
		if code := h.DoDevice(h.person, h.device, h.addKey("x")); code != tt.want || h.Outcome.Rule != "tx/signature" || h.Remembered || h.TreeRoot() != before {
			t.Errorf("%s: %s by %s (%s), want %s", name, code, h.Outcome.Rule, h.Text, tt.want)
		}
	}
}

// TestAssertionIsOfThisTransaction: what was signed for one is nothing for another; bytes
// that are no assertion, and a plain P-256 signature by the same key, are refused.
func TestAssertionIsOfThisTransaction(t *testing.T) {
	h := newHolder(t, bound())
	first, second := h.Body(h.person, h.addKey("a")), h.Body(h.person, h.addKey("b"))
	raw := marshal(t, second)
	plain, err := h.device.Secret.Sign(rulestest.Signed(raw))
	if err != nil {
		t.Fatal(err)
	}
	var other txv1.Envelope
	if err := proto.Unmarshal(h.SealDevice(first, h.device, nil), &other); err != nil {
		t.Fatal(err)
	}
	good := h.device.SignTx(sha256.Sum256(append([]byte("mulian-tx-v1\x00"), raw...)))
	for name, tt := range map[string]struct {
		want      fault.Code
		signature []byte
	}{
		"of another":  {fault.BadAuthorisation, other.Signature.Signature},
		"plain P-256": {fault.Malformed, plain},
		"nothing":     {fault.Malformed, nil},
		"a tail":      {fault.Malformed, unknownField(good)},
		"a bit":       {fault.BadAuthorisation, append(append([]byte{}, good[:len(good)-1]...), good[len(good)-1]^1)},
	} {
		if code := h.Send(marshal(t, &txv1.Envelope{Body: raw, Signature: &txv1.Signature{Key: h.device.Key(0).Id, Signature: tt.signature}})); code != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, code, h.Text, tt.want)
		}
	}
	if code := h.Send(marshal(t, &txv1.Envelope{Body: raw, Signature: &txv1.Signature{Key: h.device.Key(0).Id, Signature: good}})); code != fault.OK {
		t.Errorf("the right one: %s (%s)", code, h.Text)
	}
}

// TestSyncedPasskeyNeedsStepUp: a passkey that can be copied opens the account and does what
// OFFICER may; keys change with a step-up, of this transaction alone, by who may give one.
func TestSyncedPasskeyNeedsStepUp(t *testing.T) {
	h := newHolder(t, synced())
	if code := h.DoDevice(h.person, h.device, h.addKey("a")); code != fault.LevelTooLow {
		t.Errorf("without: %s (%s)", code, h.Text)
	}
	body := h.Body(h.person, h.addKey("a"))
	good := h.StepUp(body, h.police)
	for name, s := range map[string]*identityv1.StepUp{
		"of another":         h.StepUp(h.Body(h.person, h.addKey("a")), h.police),
		"by the authority":   h.StepUp(body, h.Authority),
		"by nobody":          {Authority: "x", Method: good.Method},
		"another method":     {Authority: good.Authority, Key: good.Key, Method: 1, Signature: good.Signature},
		"no method":          {Authority: good.Authority, Key: good.Key, Signature: good.Signature},
		"evidence of a byte": {Authority: good.Authority, Key: good.Key, Method: good.Method, Evidence: []byte{1}, Signature: good.Signature},
		"a key that is not":  {Authority: good.Authority, Key: "0000000000000000", Method: good.Method, Signature: good.Signature},
	} {
		if code := h.Send(h.SealDevice(body, h.device, s)); code != fault.StepUpBad || h.Outcome.Rule != "tx/step_up" || h.Remembered {
			t.Errorf("%s: %s (%s)", name, code, h.Text)
		}
	}
	if code := h.Send(h.SealDevice(body, h.device, good)); code != fault.OK {
		t.Errorf("with: %s (%s)", code, h.Text)
	}
	if verbs := verbsOf(h.World); !slices.Equal(verbs, []string{"identity/add_key", "identity/step_up"}) {
		t.Errorf("events %v", verbs)
	}
	org := h.Body(h.police, &identityv1.AddKey{})
	sealed := new(txv1.Envelope)
	if err := proto.Unmarshal(h.Seal(org, h.Key(h.police, root)), sealed); err != nil {
		t.Fatal(err)
	}
	sealed.StepUp = h.StepUp(org, h.police)
	if code := h.Send(marshal(t, sealed)); code != fault.StepUpBad {
		t.Errorf("an organisation is stepped up: %s", code)
	}
}

func verbsOf(w *rulestest.World) (out []string) {
	for _, e := range w.Events() {
		out = append(out, e.Verb)
	}
	return out
}

// TestCloneIsSuspected: a counter that goes back is an event and the key counts as MACHINE
// from then on, also when it rises again, until a step-up. The transaction itself stands.
func TestCloneIsSuspected(t *testing.T) {
	h := newHolder(t, bound())
	h.device.Counter = 40
	for i, tt := range []struct {
		counter uint32 // before the signature
		want    fault.Code
		verbs   []string
	}{
		{40, fault.OK, []string{"identity/add_key"}},
		{7, fault.OK, []string{"identity/add_key", "identity/clone_suspected"}},
		{50, fault.CloneSuspected, nil},
	} {
		h.device.Counter = tt.counter
		if code := h.DoDevice(h.person, h.device, h.addKey(fmt.Sprint(i))); code != tt.want || !slices.Equal(verbsOf(h.World), tt.verbs) {
			t.Errorf("%d: %s (%s), events %v", i, code, h.Text, verbsOf(h.World))
		}
	}
	if p := h.Account(h.person).Keys[0].Passkey; p.Counter != 41 || !p.CloneSuspected {
		t.Errorf("the passkey stands as %v", p)
	}
	if code := h.DoSeen(h.person, h.device, h.police, h.addKey("seen")); code != fault.OK {
		t.Errorf("with a step-up: %s (%s)", code, h.Text)
	}
	if code := h.DoDevice(h.person, h.device, h.addKey("after")); code != fault.OK {
		t.Errorf("after it: %s (%s)", code, h.Text)
	}
	if p := h.Account(h.person).Keys[0].Passkey; p.Counter != 53 || p.CloneSuspected {
		t.Errorf("the passkey stands as %v", p)
	}
}

// TestFrozenAccount: it signs nothing but what ends it, and that only with a step-up; in one
// transaction the holder can end it and revoke the stolen key.
func TestFrozenAccount(t *testing.T) {
	h := newHolder(t, bound())
	stolen := h.addKey("stolen")
	if code := h.DoDevice(h.person, h.device, stolen); code != fault.OK {
		t.Fatal(h.Text)
	}
	frozen := func() {
		t.Helper()
		if got := h.Account(h.person); got.State != identityv1.AccountState_ACCOUNT_STATE_FROZEN {
			t.Fatalf("the account is %s", got.State)
		}
		if code := h.DoWith(h.person, h.Named(h.person, officer, "stolen"), &identityv1.RevokeKey{Account: h.person, Key: "x"}); code != fault.AccountFrozen {
			t.Errorf("the thief acts: %s", code)
		}
		if code := h.DoDevice(h.person, h.device, &identityv1.UnfreezeAccount{Account: h.person}); code != fault.LevelTooLow {
			t.Errorf("without a step-up: %s", code)
		}
	}
	if code := h.DoWith(h.person, h.Named(h.person, officer, "stolen"), &identityv1.FreezeAccount{Account: h.person, Cause: "手机被盗"}); code != fault.OK {
		t.Fatalf("by its holder: %s (%s)", code, h.Text)
	}
	frozen()
	if code := h.DoSeen(h.person, h.device, h.police, &identityv1.UnfreezeAccount{Account: h.person}, &identityv1.RevokeKey{Account: h.person, Key: stolen.Key.Id}); code != fault.OK {
		t.Fatalf("unfreeze: %s (%s)", code, h.Text)
	}
	if got := h.Account(h.person); got.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE || got.SuspendedBy != "" {
		t.Fatalf("the account is %v", got)
	}
	h.Want(fault.Forbidden, h.Authority, &identityv1.FreezeAccount{Account: h.person})
	h.Want(fault.OutOfRange, h.police, &identityv1.FreezeAccount{Account: h.police})
	h.Want(fault.NotFound, h.police, &identityv1.FreezeAccount{Account: "p-0"})
	h.Must(h.police, &identityv1.FreezeAccount{Account: h.person, Cause: "本人来电"})
	h.Want(fault.IllegalTransition, h.police, &identityv1.FreezeAccount{Account: h.person})
	h.Want(fault.Forbidden, h.police, &identityv1.UnfreezeAccount{Account: h.person})
	if by := h.Account(h.person).SuspendedBy; by != h.police {
		t.Errorf("frozen by %s", by)
	}
}

// TestProofing: an identity authority's word counts until its end, the newest alone.
func TestProofing(t *testing.T) {
	h := newHolder(t, synced())
	good := func() *identityv1.RecordProofing {
		return &identityv1.RecordProofing{
			Account: h.person, Commitment: make([]byte, 32), Method: identityv1.ProofingMethod_PROOFING_METHOD_FACE,
			Level: identityv1.ProofingLevel_PROOFING_LEVEL_SUBSTANTIAL, ExpiresMs: h.Now + 2*rulestest.Hour,
		}
	}
	counts := func(level identityv1.ProofingLevel, want fault.Code) {
		t.Helper()
		if _, err := identity.Proofed(h.View(), h.person, level, h.Now); fault.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", level, err, want)
		}
	}
	counts(1, fault.NotProofed)
	h.Want(fault.NotFound, h.police, &identityv1.RevokeProofing{Account: h.person, Cause: "x"})
	h.Want(fault.Forbidden, h.Authority, good())
	for name, tt := range map[string]struct {
		want   fault.Code
		change func(*identityv1.RecordProofing)
	}{
		"nobody":        {fault.NotFound, func(m *identityv1.RecordProofing) { m.Account = "p-1" }},
		"an office":     {fault.OutOfRange, func(m *identityv1.RecordProofing) { m.Account = h.police }},
		"no commitment": {fault.Missing, func(m *identityv1.RecordProofing) { m.Commitment = nil }},
		"no method":     {fault.Missing, func(m *identityv1.RecordProofing) { m.Method = 0 }},
		"strange level": {fault.OutOfRange, func(m *identityv1.RecordProofing) { m.Level = 9 }},
		"ended":         {fault.OutOfRange, func(m *identityv1.RecordProofing) { m.ExpiresMs = h.Now }},
		"for ever":      {fault.OutOfRange, func(m *identityv1.RecordProofing) { m.ExpiresMs = h.Now + 3654*rulestest.Day }},
	} {
		m := good()
		tt.change(m)
		if code := h.Do(h.police, m); code != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, code, h.Text, tt.want)
		}
	}
	h.Must(h.police, good())
	counts(2, fault.OK)
	counts(3, fault.NotProofed)
	h.Wait(2 * rulestest.Hour)
	counts(2, fault.ProofingExpired)
	h.Must(h.police, good())
	counts(2, fault.OK)
	h.Must(h.police, &identityv1.RevokeProofing{Account: h.person, Cause: "证件系伪造"})
	counts(1, fault.ProofingExpired)
	h.Want(fault.IllegalTransition, h.police, &identityv1.RevokeProofing{Account: h.person, Cause: "x"})
	if p, _ := identity.Proofing(h.View(), h.person); p.Seq != 2 || p.Authority != h.police || p.Cause == "" {
		t.Errorf("the proofing stands as %v", p)
	}
}

// TestAMinorComesOfAgeByTime: a new proofing that says nothing of the age makes nobody of age;
// one that says it anew, or the time, does.
func TestAMinorComesOfAgeByTime(t *testing.T) {
	h := newHolder(t, synced())
	minor := func(until, want int64) {
		t.Helper()
		h.Must(h.police, &identityv1.RecordProofing{
			Account: h.person, Commitment: make([]byte, 32), Method: identityv1.ProofingMethod_PROOFING_METHOD_FACE,
			Level: identityv1.ProofingLevel_PROOFING_LEVEL_SUBSTANTIAL, ExpiresMs: h.Now + 2*rulestest.Hour, MinorUntilMs: until,
		})
		if p, _ := identity.Proofing(h.View(), h.person); p.MinorUntilMs != want {
			t.Errorf("a minor until %d, want %d", p.MinorUntilMs, want)
		}
	}
	first, second := h.Now+30*rulestest.Day, h.Now+10*rulestest.Day
	minor(0, 0)
	minor(first, first)
	minor(0, first)
	h.Must(h.police, &identityv1.RevokeProofing{Account: h.person, Cause: "证件有误"})
	minor(0, first)
	minor(second, second)
	h.Wait(10*rulestest.Day - 1)
	minor(0, second)
	h.Wait(1)
	minor(0, 0)
}

// TestEnrolment: passkeys are those of people, officers too, of a party that the consortium
// names, and say of themselves only what is theirs to say.
func TestEnrolment(t *testing.T) {
	h := newHolder(t, bound())
	for name, tt := range map[string]struct {
		want   fault.Code
		change func(*identityv1.AddKey)
	}{
		"another party":   {fault.RpIdUnknown, func(m *identityv1.AddKey) { m.Key.Passkey.RpIdHash = make([]byte, 32) }},
		"no hash":         {fault.Malformed, func(m *identityv1.AddKey) { m.Key.Passkey.RpIdHash = nil }},
		"nothing known":   {fault.Missing, func(m *identityv1.AddKey) { m.Key.Passkey = nil }},
		"a counter":       {fault.Malformed, func(m *identityv1.AddKey) { m.Key.Passkey.Counter = 1 }},
		"a clone":         {fault.Malformed, func(m *identityv1.AddKey) { m.Key.Passkey.CloneSuspected = true }},
		"another id":      {fault.CodeInconsistent, func(m *identityv1.AddKey) { m.Key.Id = h.device.Secret.Public().ID() }},
		"no point":        {fault.Malformed, func(m *identityv1.AddKey) { m.Key.PublicKey = make([]byte, 65) }},
		"no passkey":      {fault.Malformed, func(m *identityv1.AddKey) { m.Key.Algorithm = identityv1.KeyAlgorithm_KEY_ALGORITHM_P256 }},
		"an organisation": {fault.OK, func(m *identityv1.AddKey) { m.Account = h.police }},
		"the same again":  {fault.AlreadyExists, func(m *identityv1.AddKey) { m.Key = h.device.Key(root) }},
		"a second one":    {fault.OK, func(*identityv1.AddKey) {}},
	} {
		m := &identityv1.AddKey{Account: h.person, Key: passkeytest.New(rulestest.RPID, rulestest.Page, "tablet").Key(officer)}
		tt.change(m)
		var code fault.Code
		if m.Account == h.police {
			code = h.Do(h.police, m)
		} else {
			code = h.DoDevice(h.person, h.device, m)
		}
		if code != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, code, h.Text, tt.want)
		}
	}
}

// TestPasskeyGolden pins the state after a history of passkeys, step-ups and proofing. A
// change of it is a change of the chain.
func TestPasskeyGolden(t *testing.T) {
	h := newHolder(t, synced())
	h.DoDevice(h.person, h.device, &identityv1.FreezeAccount{Account: h.person})
	h.DoSeen(h.person, h.device, h.police, &identityv1.UnfreezeAccount{Account: h.person}, h.addKey("a"))
	h.Must(h.police, &identityv1.RecordProofing{Account: h.person, Commitment: make([]byte, 32), Method: 1, Level: 3, ExpiresMs: h.Now + rulestest.Day})
	h.Must(h.police, &identityv1.RevokeProofing{Account: h.person, Cause: "误登"})
	const want = "2870dad6d462f9fb24d9e7126465f8d7af3c01c13860d785e57dc59071a65ae2"
	if got := h.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}
