package rules_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	credentialv1 "mulian/gen/mulian/credential/v1"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/consent"
	codes "mulian/internal/recovery"
	"mulian/internal/sm"
	"mulian/rules/grant"
	"mulian/rules/recovery"
	"mulian/rules/rulestest"
)

const machineLevel = identityv1.KeyLevel_KEY_LEVEL_MACHINE

// deeds are the verbs of the owner's side, and what they need beside; each returns nil while
// there is nothing to do it to.
func (o *owners) deeds() map[string]func() *wish {
	out := map[string]func() *wish{}
	for verb, do := range map[proto.Message]func() *wish{
		&identityv1.OpenAccount{}: o.openAccount, &identityv1.AddKey{}: o.addKey, &identityv1.RecordProofing{}: o.recordProofing,

		&grantv1.RegisterUse{}: o.registerUse, &grantv1.RetireUse{}: o.retireUse, &grantv1.RequestData{}: o.requestData,
		&grantv1.WithdrawDataRequest{}: o.withdrawDataRequest, &grantv1.GiveGrant{}: o.giveGrant, &grantv1.DeclineRequest{}: o.declineRequest,
		&grantv1.PauseGrant{}: o.pauseGrant, &grantv1.ResumeGrant{}: o.resumeGrant, &grantv1.RevokeGrant{}: o.revokeGrant,
		&grantv1.VoidGrant{}: o.voidGrant, &grantv1.RecordGrantUse{}: o.recordGrantUse, &grantv1.CloseGrantUse{}: o.closeGrantUse, &grantv1.RecordBoxUse{}: o.recordBoxUse,
		&grantv1.AttestDeletion{}: o.attestDeletion, &grantv1.ExemptDeletion{}: o.exemptDeletion,

		&safeboxv1.RegisterVault{}: o.registerVault, &safeboxv1.ChangeVault{}: o.changeVault, &safeboxv1.Deposit{}: o.deposit,
		&safeboxv1.SelfDeposit{}: o.selfDeposit, &safeboxv1.EraseItems{}: o.eraseItems, &safeboxv1.OfferTransfer{}: o.offerTransfer,
		&safeboxv1.AcceptTransfer{}: o.acceptTransfer, &safeboxv1.DeclineTransfer{}: o.declineTransfer, &safeboxv1.CancelTransfer{}: o.cancelTransfer,

		&recoveryv1.SetRecoveryPolicy{}: o.setRecoveryPolicy, &recoveryv1.KeepRoster{}: o.keepRoster, &recoveryv1.OpenRecovery{}: o.openRecovery,
		&recoveryv1.ApproveRecovery{}: o.approveRecovery, &recoveryv1.VetoRecovery{}: o.vetoRecovery, &recoveryv1.CancelRecovery{}: o.cancelRecovery,
		&recoveryv1.ReviewRecovery{}: o.reviewRecovery, &recoveryv1.ReportKey{}: o.reportKey, &recoveryv1.RecordDeath{}: o.recordDeath,

		&mandatev1.ProposeMandate{}: o.proposeMandate, &mandatev1.WitnessMandate{}: o.witnessMandate, &mandatev1.AnswerMandate{}: o.answerMandate,
		&mandatev1.RevokeMandate{}: o.revokeMandate, &mandatev1.SuspendMandate{}: o.suspendMandate, &mandatev1.ResumeMandate{}: o.resumeMandate,
		&mandatev1.SetOperatorPolicy{}: o.setOperatorPolicy, &mandatev1.ApproveAct{}: o.approveAct,

		&ereceiptv1.AllotRange{}: o.allotRange, &ereceiptv1.EndRange{}: o.endRange, &ereceiptv1.IssueReceipts{}: o.issueReceipts,
		&ereceiptv1.SuperviseReceipts{}: o.superviseReceipts, &ereceiptv1.DeliverReceipts{}: o.deliverReceipts, &ereceiptv1.LockReceipts{}: o.lockReceipts,
		&ereceiptv1.ReleaseReceipts{}: o.releaseReceipts, &ereceiptv1.ReimburseReceipts{}: o.reimburseReceipts, &ereceiptv1.FlushReceipt{}: o.flushReceipt,
		&ereceiptv1.ReturnReimbursement{}: o.returnReimbursement,

		&credentialv1.PutCredentialType{}: o.putCredentialType, &credentialv1.RetireCredentialType{}: o.retireCredentialType,
		&credentialv1.PutIssuer{}: o.putIssuer, &credentialv1.IssueCredentials{}: o.issueCredentials,
		&credentialv1.SetCredentialStatus{}: o.setCredentialStatus, &credentialv1.ReportSourceChange{}: o.reportSourceChange,
	} {
		out[verbOf(verb)] = do
	}
	return out
}

// identity

func (o *owners) openAccount() *wish {
	if of(o, "identity/account", func(a *identityv1.Account) bool {
		return a.Kind == identityv1.AccountKind_ACCOUNT_KIND_PERSON && !o.dead(a.Id)
	}) >= 8 {
		return nil
	}
	id := fmt.Sprintf("p-%032x", o.next())
	k := o.w.Key(id, root)
	return &wish{id, k, &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id, Keys: []*identityv1.Key{rulestest.PublicKey(k.Public(), root)}}}
}

func (o *owners) addKey() *wish {
	id := o.person(func(id string) bool { return len(o.keysOf(id)) < 12 && o.live(id) < 3 })
	if id == "" {
		return nil
	}
	return o.by(id, &identityv1.AddKey{Account: id, Key: rulestest.PublicKey(o.named(id, machineLevel).Public(), machineLevel)})
}

// live is how many keys of the account sign.
func (o *owners) live(id string) (n int) {
	for _, k := range o.keysOf(id) {
		if k.State == identityv1.KeyState_KEY_STATE_ACTIVE && k.LostMs == 0 {
			n++
		}
	}
	return n
}

func (o *owners) recordProofing() *wish {
	id := o.person(nil)
	if id == "" {
		return nil
	}
	return o.by(o.desk(nil), &identityv1.RecordProofing{
		Account: id, Commitment: o.digest("papers"), ExpiresMs: o.w.Now + 300*rulestest.Day,
		Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER, Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH,
	})
}

// desk is an officer of the identity authority whose desk is not among those.
func (o *owners) desk(not []string) string {
	names := []string{"east", "west", "north", "south"}
	for _, i := range o.rand.Perm(len(o.desks)) {
		if !slices.Contains(not, o.w.Consumer+"/d/"+names[i]) {
			return o.desks[i]
		}
	}
	return ""
}

// seldom lets what ends something pass by more often than not.
func (o *owners) seldom() bool { return o.rand.IntN(4) > 0 }

// grant

func (o *owners) registerUse() *wish {
	if o.uses() >= 6 {
		return nil
	}
	u := &grantv1.IntendedUse{
		Title: "公积金贷款审批", Purpose: "loan", Entry: o.w.EntryID, EntryVersion: 1, Items: [][]byte{{1}, {3}, {7}}[o.rand.IntN(3)],
		Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, ConsentKind: grantv1.ConsentKind_CONSENT_KIND_EXPRESS, Mode: grantv1.GrantMode_GRANT_MODE_DELIVER,
		Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxDays: 30, MaxUses: 1, DataLifeDays: 2 + o.rand.Uint32N(20),
		NoticeHash: o.digest("notice"), NoticeUrl: "https://gjj.example.cn/notice", Contact: "12329",
	}
	if u.Items[0] == 3 {
		u.OptionalItems = []byte{2}
	}
	if o.rand.IntN(3) > 0 {
		u.Kind, u.MaxUses, u.MinIntervalSeconds = grantv1.GrantKind_GRANT_KIND_STANDING, 2+o.rand.Uint32N(3), o.rand.Uint32N(600)
	}
	return o.by(o.w.Consumer, &grantv1.RegisterUse{LocalId: fmt.Sprint("use", o.next()), Use: u})
}

func activeUse(u *grantv1.IntendedUse) bool {
	return u.State == grantv1.IntendedUseState_INTENDED_USE_STATE_ACTIVE
}

func (o *owners) uses() int { return of(o, "grant/register", activeUse) }

func (o *owners) retireUse() *wish {
	if o.uses() < 4 || o.seldom() {
		return nil
	}
	return o.by(o.w.Consumer, &grantv1.RetireUse{Use: one(o, "grant/register", activeUse).Id, Cause: "改版"})
}

func (o *owners) requestData() *wish {
	u, owner := one(o, "grant/register", activeUse), o.person(nil)
	if u == nil || owner == "" || of(o, "grant/request", waiting) >= 8 {
		return nil
	}
	return o.by(o.w.Consumer, &grantv1.RequestData{Request: &grantv1.DataRequest{
		Use: u.Id, Owner: owner, Items: u.Items, OptionalItems: u.OptionalItems, ToMs: o.w.Now + rulestest.Day + o.rand.Int64N(20*rulestest.Day), MaxUses: u.MaxUses,
		MinIntervalSeconds: u.MinIntervalSeconds, DataLifeDays: u.DataLifeDays, BusinessReference: o.digest("contract"), NoticeHash: u.NoticeHash,
		Gateway: o.w.ConsumerGateway, RecipientKey: o.recipient(), Nonce: binary.BigEndian.AppendUint64(make([]byte, 8), uint64(o.next())),
		NotAfterMs: o.w.Now + 10*rulestest.Day,
	}})
}

func (o *owners) recipient() string {
	return one(o, "identity/account", func(a *identityv1.Account) bool { return a.Id == o.w.ConsumerGateway }).Gateway.SealingKey.Id
}

func waiting(r *grantv1.DataRequest) bool {
	return r.State == grantv1.DataRequestState_DATA_REQUEST_STATE_REQUESTED
}

func (o *owners) withdrawDataRequest() *wish {
	r := one(o, "grant/request", waiting)
	if r == nil || o.seldom() {
		return nil
	}
	return o.by(o.w.Consumer, &grantv1.WithdrawDataRequest{Request: r.Id})
}

func (o *owners) giveGrant() *wish {
	r := one(o, "grant/request", func(r *grantv1.DataRequest) bool { return waiting(r) && !o.dead(r.Owner) })
	if r == nil {
		return nil
	}
	m := &grantv1.GiveGrant{Request: r.Id, RequestHash: r.Hash, Language: "zh", RowKeyCommitment: o.digest("row key")}
	u, _ := grant.FindUseOf(o.view, r.Use)
	if f, ok := grant.FactsOf(o.view, r, u); ok {
		m.UiTextHash = consent.TextHash(consent.Text(m.Language, f, consent.Of(m)))
	}
	return o.by(r.Owner, m)
}

func (o *owners) declineRequest() *wish {
	r := one(o, "grant/request", waiting)
	if r == nil || o.seldom() {
		return nil
	}
	return o.by(r.Owner, &grantv1.DeclineRequest{Request: r.Id, Cause: grantv1.DeclineCause(1 + o.rand.IntN(2))})
}

// granted is any grant in one of the states, or nil.
func (o *owners) granted(states ...grantv1.GrantState) *grantv1.Grant {
	return one(o, "grant/grant", func(g *grantv1.Grant) bool { return slices.Contains(states, g.State) })
}

func (o *owners) pauseGrant() *wish {
	g := o.granted(grantv1.GrantState_GRANT_STATE_ACTIVE, grantv1.GrantState_GRANT_STATE_COOLING)
	if g == nil || o.seldom() {
		return nil
	}
	return o.by(g.Owner, &grantv1.PauseGrant{Grant: g.Id})
}

func (o *owners) resumeGrant() *wish {
	g := o.granted(grantv1.GrantState_GRANT_STATE_PAUSED)
	if g == nil {
		return nil
	}
	return o.by(g.Owner, &grantv1.ResumeGrant{Grant: g.Id})
}

func (o *owners) revokeGrant() *wish {
	g := o.granted(grantv1.GrantState_GRANT_STATE_ACTIVE, grantv1.GrantState_GRANT_STATE_PAUSED, grantv1.GrantState_GRANT_STATE_COOLING)
	if g == nil || o.seldom() {
		return nil
	}
	return o.by(g.Owner, &grantv1.RevokeGrant{Grant: g.Id, Cause: "不再需要"})
}

func (o *owners) voidGrant() *wish {
	g := o.granted(grantv1.GrantState_GRANT_STATE_ACTIVE, grantv1.GrantState_GRANT_STATE_COOLING)
	if g == nil || o.seldom() {
		return nil
	}
	return o.by(o.w.Authority, &grantv1.VoidGrant{Grant: g.Id, Cause: "账户被冒用"})
}

func (o *owners) recordGrantUse() *wish {
	g := o.granted(grantv1.GrantState_GRANT_STATE_ACTIVE)
	if g == nil {
		return nil
	}
	return o.by(g.Providers[0], &grantv1.RecordGrantUse{Grant: g.Id, Number: g.Sequence + 1, RecipientKey: o.recipient(), ResultCommitment: o.digest("result")})
}

func (o *owners) closeGrantUse() *wish {
	u := one(o, "grant/use", func(u *grantv1.Use) bool {
		return u.Outcome == grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RECORDED && o.w.Now-u.AtMs < rulestest.Day
	})
	if u == nil {
		return nil
	}
	outcome := []grantv1.GrantUseOutcome{grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RELEASED, grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_EMPTY}[o.rand.IntN(2)]
	return o.by(u.Provider, &grantv1.CloseGrantUse{Grant: u.Grant, Number: u.Number, Outcome: outcome})
}

func (o *owners) duty() *grantv1.DeletionDuty {
	return one(o, "grant/duty", func(d *grantv1.DeletionDuty) bool {
		return d.State != grantv1.DeletionDutyState_DELETION_DUTY_STATE_ATTESTED && d.State != grantv1.DeletionDutyState_DELETION_DUTY_STATE_EXEMPTED
	})
}

func (o *owners) attestDeletion() *wish {
	d := o.duty()
	if d == nil {
		return nil
	}
	return o.by(d.Grantee, &grantv1.AttestDeletion{Grant: d.Grant, First: d.Number, Last: d.Number, EvidenceHash: o.digest("shredded")})
}

func (o *owners) exemptDeletion() *wish {
	d := o.duty()
	if d == nil {
		return nil
	}
	return o.by(d.Grantee, &grantv1.ExemptDeletion{
		Grant: d.Grant, First: d.Number, Last: d.Number, Basis: grantv1.ExemptionBasis_EXEMPTION_BASIS_MONEY_LAUNDERING, Law: "反洗钱法第三十四条", UntilMs: o.w.Now + 2*rulestest.Day,
	})
}

// safebox

func saltOf(friend string) []byte {
	s := sha256.Sum256([]byte("salt of " + friend))
	return s[:]
}

func (o *owners) codeKey() sm.PrivateKey {
	k, err := (codes.Code{7}).Key()
	if err != nil {
		panic(err)
	}
	return k
}

func (o *owners) setRecoveryPolicy() *wish {
	id := o.person(func(id string) bool { return !o.recovering(id) })
	if id == "" {
		return nil
	}
	p, _ := recovery.FindPolicy(o.view, id)
	m := &recoveryv1.SetRecoveryPolicy{Threshold: 2, CodeKey: o.codeKey().Public().Bytes(), Version: p.GetVersion()}
	for _, friend := range o.people() {
		if friend != id && len(m.Guardians) < 4 {
			c := codes.Commitment(saltOf(friend), friend)
			m.Guardians = append(m.Guardians, c[:])
		}
	}
	slices.SortFunc(m.Guardians, bytes.Compare)
	return o.by(id, m)
}

func (o *owners) people() (out []string) {
	for _, a := range all[identityv1.Account](o.view, "identity/account") {
		if a.Kind == identityv1.AccountKind_ACCOUNT_KIND_PERSON && !o.dead(a.Id) {
			out = append(out, a.Id)
		}
	}
	return out
}

func (o *owners) recovering(id string) bool {
	return one(o, "recovery/recovery", func(r *recoveryv1.Recovery) bool {
		return r.Account == id && r.State <= recoveryv1.RecoveryState_RECOVERY_STATE_REVIEW
	}) != nil
}

func (o *owners) keepRoster() *wish {
	p := one(o, "recovery/policy", func(p *recoveryv1.RecoveryPolicy) bool { return p.Pending != nil })
	if p == nil {
		return nil
	}
	return o.by(p.Account, &recoveryv1.KeepRoster{})
}

// friend is a guardian of the account who has not vouched yet.
func (o *owners) friend(account string, not []*recoveryv1.RecoveryApproval) string {
	p, _ := recovery.FindPolicy(o.view, account)
	for _, id := range o.people() {
		c := codes.Commitment(saltOf(id), id)
		vouched := slices.ContainsFunc(not, func(a *recoveryv1.RecoveryApproval) bool { return a.By == id })
		listed := slices.ContainsFunc(p.GetGuardians(), func(g []byte) bool { return bytes.Equal(g, c[:]) })
		if listed && !vouched && id != account && o.key(id).Algorithm() != 0 {
			return id
		}
	}
	return ""
}

func (o *owners) openRecovery() *wish {
	id := o.person(func(id string) bool { return !o.recovering(id) })
	if id == "" {
		return nil
	}
	k := o.named(id, root)
	said := codes.KeyMessage(rulestest.ChainID, id, k.Public().ID())
	sign := func(k sm.PrivateKey) []byte {
		sig, err := k.Sign(said)
		if err != nil {
			panic(err)
		}
		return sig
	}
	m := &recoveryv1.OpenRecovery{Account: id, NewKey: rulestest.PublicKey(k.Public(), root), Possession: sign(k)}
	switch o.rand.IntN(3) {
	case 0:
		m.Path, m.Evidence, m.Face = recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER, o.digest("file"), recoveryv1.FaceResult_FACE_RESULT_MATCHED
		return o.by(o.desk(nil), m)
	case 1:
		friend := o.friend(id, nil)
		m.Path, m.Salt = recoveryv1.RecoveryPath_RECOVERY_PATH_GUARDIANS, saltOf(friend)
		return o.by(friend, m)
	}
	m.Path, m.CodeSignature = recoveryv1.RecoveryPath_RECOVERY_PATH_CODE, sign(o.codeKey())
	if p, _ := recovery.FindPolicy(o.view, id); len(p.GetCodeKey()) == 0 {
		return nil
	}
	return o.by(id, m)
}

// attempt is a recovery in one of the states, or nil.
func (o *owners) attempt(states ...recoveryv1.RecoveryState) *recoveryv1.Recovery {
	return one(o, "recovery/recovery", func(r *recoveryv1.Recovery) bool { return slices.Contains(states, r.State) })
}

func desksOf(r *recoveryv1.Recovery) (out []string) {
	for _, a := range r.GetApprovals() {
		out = append(out, a.Desk)
	}
	return append(out, r.GetReviewDesk())
}

func (o *owners) approveRecovery() *wish {
	r := o.attempt(recoveryv1.RecoveryState_RECOVERY_STATE_OPEN)
	switch r.GetPath() {
	case recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER:
		return o.by(o.desk(desksOf(r)), &recoveryv1.ApproveRecovery{Recovery: r.Id, Evidence: o.digest("file"), Face: recoveryv1.FaceResult_FACE_RESULT_MATCHED})
	case recoveryv1.RecoveryPath_RECOVERY_PATH_GUARDIANS:
		friend := o.friend(r.Account, r.Approvals)
		return o.by(friend, &recoveryv1.ApproveRecovery{Recovery: r.Id, Salt: saltOf(friend)})
	}
	return nil
}

// vetoRecovery is by a key that is lost, where there is one: then a person has to look.
func (o *owners) vetoRecovery() *wish {
	r := o.attempt(recoveryv1.RecoveryState_RECOVERY_STATE_OPEN, recoveryv1.RecoveryState_RECOVERY_STATE_LOCKED)
	if r == nil {
		return nil
	}
	m := &recoveryv1.VetoRecovery{Recovery: r.Id, Cause: "不是我"}
	for _, k := range o.keysOf(r.Account) {
		if private, ok := o.private(r.Account, k); ok && k.LostMs != 0 && k.State == identityv1.KeyState_KEY_STATE_ACTIVE {
			return &wish{r.Account, private, m}
		}
	}
	if o.rand.IntN(3) > 0 {
		return nil
	}
	return o.by(r.Account, m)
}

func (o *owners) cancelRecovery() *wish {
	r := o.attempt(recoveryv1.RecoveryState_RECOVERY_STATE_OPEN, recoveryv1.RecoveryState_RECOVERY_STATE_LOCKED)
	if r == nil || o.seldom() {
		return nil
	}
	return o.by(r.Approvals[0].By, &recoveryv1.CancelRecovery{Recovery: r.Id, Cause: "误办"})
}

func (o *owners) reviewRecovery() *wish {
	r := o.attempt(recoveryv1.RecoveryState_RECOVERY_STATE_REVIEW)
	if r == nil {
		return nil
	}
	m := &recoveryv1.ReviewRecovery{Recovery: r.Id, Proceed: r.ReviewProceeds, Cause: "核对了证件"}
	if len(r.Reviewers) == 0 {
		m.Proceed = o.rand.IntN(2) == 0
	}
	return o.by(o.desk(desksOf(r)), m)
}

func (o *owners) reportKey() *wish {
	id := o.person(func(id string) bool { return o.live(id) > 1 })
	if id == "" {
		return nil
	}
	signs := o.key(id).Public().ID()
	for _, k := range o.keysOf(id) {
		if k.State == identityv1.KeyState_KEY_STATE_ACTIVE && k.Id != signs {
			return o.by(id, &recoveryv1.ReportKey{Account: id, Key: k.Id, Found: k.LostMs != 0})
		}
	}
	return nil
}

func (o *owners) recordDeath() *wish {
	id := o.person(nil)
	if id == "" || len(o.people()) < 6 || o.seldom() {
		return nil
	}
	return o.by(o.desk(nil), &recoveryv1.RecordDeath{Account: id, Evidence: o.digest("paper")})
}
