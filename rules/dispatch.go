package rules

import (
	"errors"
	"strings"

	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/credential"
	"mulian/rules/custody"
	"mulian/rules/ereceipt"
	"mulian/rules/evidence"
	"mulian/rules/foreign"
	"mulian/rules/governance"
	"mulian/rules/grant"
	"mulian/rules/identity"
	"mulian/rules/mandate"
	"mulian/rules/recovery"
	"mulian/rules/safebox"
	"mulian/rules/share"
	"mulian/rules/trace"
	"mulian/state"
	"mulian/state/machine"
)

// carryOut carries out the messages, one after the other. It returns the ids that
// they made, or the refusal and the message that it is of.
func (t *transaction) carryOut(tx *state.Tx, env machine.Env) (message int, ids []string, err error) {
	for i, m := range t.body.Messages {
		if i > 0 { // the message before may have changed who may sign
			if err := t.lookup(tx, i); err != nil {
				return i, nil, err
			}
			if err := t.checkKey(tx, env, t.key.Id); err != nil {
				return i, nil, err
			}
		}
		a := &act.Act{
			Tx: tx, ChainID: env.ChainID, Height: env.Height, TimeMs: env.TimeMs,
			TxID: t.id, Index: uint32(i), Account: t.account, Key: t.key, SteppedUp: t.stepUp != nil || t.use != 0,
		}
		if i == 0 && t.use != 0 {
			custody.Executed(a, t.use) // before the messages, so that none of them finds it waiting
		}
		if err := identityVerb(a, m); err != nil {
			return i, nil, named(err, m)
		}
		ids = append(ids, a.IDs...)
		if i == len(t.body.Messages)-1 {
			t.remember(a)
		}
	}
	return 0, ids, nil
}

// named gives a refusal the name of the verb if it has none: those of act.Need and
// its like do not know which verb asked.
func named(err error, m *txv1.Message) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return &fault.Fault{Code: fault.CodeOf(err), Rule: verbName(m), Text: err.Error()}
	}
	if f.Rule != "" {
		return err
	}
	return &fault.Fault{Code: f.Code, Rule: verbName(m), Item: f.Item, Text: f.Error()}
}

// verbName returns "share/file_request" for a message of that kind.
func verbName(m *txv1.Message) string {
	r := m.ProtoReflect()
	field := r.WhichOneof(r.Descriptor().Oneofs().ByName("kind"))
	if field == nil {
		return ""
	}
	noun := strings.Split(string(field.Message().ParentFile().Package()), ".")[1] // mulian.share.v1
	return noun + "/" + string(field.Name())
}

// identityVerb carries out a message of identity, or passes it on. The chain of
// these functions is the list of all verbs.
func identityVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RegisterOrg:
		return identity.RegisterOrg(a, k.RegisterOrg)
	case *txv1.Message_UpdateOrg:
		return identity.UpdateOrg(a, k.UpdateOrg)
	case *txv1.Message_RegisterUnit:
		return identity.RegisterUnit(a, k.RegisterUnit)
	case *txv1.Message_RegisterGateway:
		return identity.RegisterGateway(a, k.RegisterGateway)
	case *txv1.Message_UpdateGateway:
		return identity.UpdateGateway(a, k.UpdateGateway)
	case *txv1.Message_OpenAccount:
		if custody.Opening(a.Tx, k.OpenAccount.GetId()) {
			return act.Refuse(fault.AlreadyExists, "identity/open_account", "%s is being opened at a counter", k.OpenAccount.GetId())
		}
		return enrol(a, k.OpenAccount, identity.OpenAccount, k.OpenAccount.GetKeys()...)
	case *txv1.Message_AddKey:
		return enrol(a, k.AddKey, identity.AddKey, k.AddKey.GetKey())
	case *txv1.Message_RotateKey:
		return enrol(a, k.RotateKey, identity.RotateKey, k.RotateKey.GetNewKey())
	case *txv1.Message_RevokeKey:
		return identity.RevokeKey(a, k.RevokeKey)
	case *txv1.Message_SuspendAccount:
		return identity.SuspendAccount(a, k.SuspendAccount)
	case *txv1.Message_ResumeAccount:
		return identity.ResumeAccount(a, k.ResumeAccount)
	}
	return holderVerb(a, m)
}

// holderVerb carries out what identity authorities and holders of accounts do.
func holderVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RecordProofing:
		return identity.RecordProofing(a, k.RecordProofing)
	case *txv1.Message_RevokeProofing:
		return identity.RevokeProofing(a, k.RevokeProofing)
	case *txv1.Message_FreezeAccount:
		return pausing(a, k.FreezeAccount.GetAccount(), identity.FreezeAccount(a, k.FreezeAccount))
	case *txv1.Message_UnfreezeAccount:
		return identity.UnfreezeAccount(a, k.UnfreezeAccount)
	}
	return governanceVerb(a, m)
}

// pausing pauses the standing grants of an account that a verb has stopped, by a freeze, a veto
// with a lost key, or a death: what was given with a device in wrong hands does not go on. Its
// holder resumes them one by one. One-time grants stay: they were given for one act, and end by
// themselves.
func pausing(a *act.Act, account string, err error) error {
	if acc, ok := identity.Lookup(a.Tx, account); err == nil && ok && acc.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		grant.PauseStanding(a, account)
	}
	return err
}

// whileFrozen reports whether a frozen account may sign the message: only what ends it.
func whileFrozen(m *txv1.Message) bool {
	switch m.GetKind().(type) {
	case *txv1.Message_UnfreezeAccount, *txv1.Message_OpenRecovery, *txv1.Message_VetoRecovery, *txv1.Message_ReportKey:
		return true
	}
	return false
}

func governanceVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_Propose:
		return governance.Propose(a, k.Propose)
	case *txv1.Message_CastVote:
		return governance.CastVote(a, k.CastVote)
	case *txv1.Message_WithdrawProposal:
		return governance.WithdrawProposal(a, k.WithdrawProposal)
	}
	return grantVerb(a, m)
}

func catalogueVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_PutDuties:
		return catalogue.PutDuties(a, k.PutDuties)
	case *txv1.Message_PutSystems:
		return catalogue.PutSystems(a, k.PutSystems)
	case *txv1.Message_PutTables:
		return catalogue.PutTables(a, k.PutTables)
	case *txv1.Message_SubmitEntries:
		return catalogue.SubmitEntries(a, k.SubmitEntries)
	case *txv1.Message_ReviewEntries:
		return catalogue.ReviewEntries(a, k.ReviewEntries)
	case *txv1.Message_LockEntries:
		return catalogue.LockEntries(a, k.LockEntries)
	case *txv1.Message_UnlockEntry:
		return catalogue.UnlockEntry(a, k.UnlockEntry)
	case *txv1.Message_CounterSign:
		return catalogue.CounterSign(a, k.CounterSign)
	case *txv1.Message_WithdrawEntry:
		return catalogue.WithdrawEntry(a, k.WithdrawEntry)
	case *txv1.Message_SuspendEntry:
		return catalogue.SuspendEntry(a, k.SuspendEntry)
	case *txv1.Message_ReportDrift:
		return catalogue.ReportDrift(a, k.ReportDrift)
	case *txv1.Message_SettleDrift:
		return catalogue.SettleDrift(a, k.SettleDrift)
	case *txv1.Message_PutMatters:
		return catalogue.PutMatters(a, k.PutMatters)
	case *txv1.Message_PutCodes:
		return catalogue.PutCodes(a, k.PutCodes)
	}
	return shareVerb(a, m)
}

func shareVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_FileRequest:
		return share.FileRequest(a, k.FileRequest)
	case *txv1.Message_AskMore:
		return share.AskMore(a, k.AskMore)
	case *txv1.Message_Supplement:
		return share.Supplement(a, k.Supplement)
	case *txv1.Message_Answer:
		return share.Answer(a, k.Answer)
	case *txv1.Message_AskExtension:
		return share.AskExtension(a, k.AskExtension)
	case *txv1.Message_DecideExtension:
		return share.DecideExtension(a, k.DecideExtension)
	case *txv1.Message_WithdrawRequest:
		return share.WithdrawRequest(a, k.WithdrawRequest)
	case *txv1.Message_UrgeRequest:
		return share.UrgeRequest(a, k.UrgeRequest)
	case *txv1.Message_ConfirmAgreement:
		return share.ConfirmAgreement(a, k.ConfirmAgreement)
	case *txv1.Message_SuspendAgreement:
		return share.SuspendAgreement(a, k.SuspendAgreement)
	case *txv1.Message_ResumeAgreement:
		return share.ResumeAgreement(a, k.ResumeAgreement)
	case *txv1.Message_EndAgreement:
		return share.EndAgreement(a, k.EndAgreement)
	case *txv1.Message_StartDelivery:
		return share.StartDelivery(a, k.StartDelivery)
	case *txv1.Message_CompleteDelivery:
		return share.CompleteDelivery(a, k.CompleteDelivery)
	case *txv1.Message_FailDelivery:
		return share.FailDelivery(a, k.FailDelivery)
	case *txv1.Message_ConfirmDelivery:
		return share.ConfirmDelivery(a, k.ConfirmDelivery)
	case *txv1.Message_RecordUse:
		return share.RecordUse(a, k.RecordUse)
	}
	return lifeVerb(a, m)
}

func lifeVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_ProposeAmendment:
		return share.ProposeAmendment(a, k.ProposeAmendment)
	case *txv1.Message_ProposeRenewal:
		return share.ProposeRenewal(a, k.ProposeRenewal)
	case *txv1.Message_SignAmendment:
		return share.SignAmendment(a, k.SignAmendment)
	case *txv1.Message_DropAmendment:
		return share.DropAmendment(a, k.DropAmendment)
	case *txv1.Message_RecordViolation:
		return share.RecordViolation(a, k.RecordViolation)
	case *txv1.Message_RectifyViolation:
		return share.RectifyViolation(a, k.RectifyViolation)
	case *txv1.Message_SettleViolation:
		return share.SettleViolation(a, k.SettleViolation)
	case *txv1.Message_FileDisposal:
		return share.FileDisposal(a, k.FileDisposal)
	case *txv1.Message_FileFeedback:
		return share.FileFeedback(a, k.FileFeedback)
	}
	return disputeVerb(a, m)
}

func disputeVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_FileCorrection:
		return share.FileCorrection(a, k.FileCorrection)
	case *txv1.Message_AnswerCorrection:
		return share.AnswerCorrection(a, k.AnswerCorrection)
	case *txv1.Message_CompleteCorrection:
		return share.CompleteCorrection(a, k.CompleteCorrection)
	case *txv1.Message_ApplyCorrection:
		return share.ApplyCorrection(a, k.ApplyCorrection)
	case *txv1.Message_CloseCorrection:
		return share.CloseCorrection(a, k.CloseCorrection)
	case *txv1.Message_FileObjection:
		return share.FileObjection(a, k.FileObjection)
	case *txv1.Message_AnswerObjection:
		return share.AnswerObjection(a, k.AnswerObjection)
	case *txv1.Message_CloseObjection:
		return share.CloseObjection(a, k.CloseObjection)
	case *txv1.Message_RaiseDispute:
		return share.RaiseDispute(a, k.RaiseDispute)
	case *txv1.Message_DecideDispute:
		return share.DecideDispute(a, k.DecideDispute)
	case *txv1.Message_EscalateDispute:
		return share.EscalateDispute(a, k.EscalateDispute)
	case *txv1.Message_SettleDispute:
		return share.SettleDispute(a, k.SettleDispute)
	}
	return safeboxVerb(a, m)
}

func safeboxVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RegisterVault:
		return safebox.RegisterVault(a, k.RegisterVault)
	case *txv1.Message_ChangeVault:
		return safebox.ChangeVault(a, k.ChangeVault)
	case *txv1.Message_Deposit:
		return safebox.Deposit(a, k.Deposit)
	case *txv1.Message_SelfDeposit:
		return safebox.SelfDeposit(a, k.SelfDeposit)
	case *txv1.Message_EraseItems:
		return safebox.EraseItems(a, k.EraseItems)
	case *txv1.Message_OfferTransfer:
		return safebox.OfferTransfer(a, k.OfferTransfer)
	case *txv1.Message_AcceptTransfer:
		return safebox.AcceptTransfer(a, k.AcceptTransfer)
	case *txv1.Message_DeclineTransfer:
		return safebox.DeclineTransfer(a, k.DeclineTransfer)
	case *txv1.Message_CancelTransfer:
		return safebox.CancelTransfer(a, k.CancelTransfer)
	}
	return recordVerb(a, m)
}

func recordVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_AnchorHead:
		return trace.AnchorHead(a, k.AnchorHead)
	case *txv1.Message_OrderSecrecy:
		return trace.OrderSecrecy(a, k.OrderSecrecy)
	case *txv1.Message_LiftSecrecy:
		return trace.LiftSecrecy(a, k.LiftSecrecy)
	case *txv1.Message_AnchorEvidence:
		return evidence.AnchorEvidence(a, k.AnchorEvidence)
	}
	return ereceiptVerb(a, m)
}

func ereceiptVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_AllotRange:
		return ereceipt.AllotRange(a, k.AllotRange)
	case *txv1.Message_EndRange:
		return ereceipt.EndRange(a, k.EndRange)
	case *txv1.Message_IssueReceipts:
		return ereceipt.IssueReceipts(a, k.IssueReceipts)
	case *txv1.Message_SuperviseReceipts:
		return ereceipt.SuperviseReceipts(a, k.SuperviseReceipts)
	case *txv1.Message_DeliverReceipts:
		return ereceipt.DeliverReceipts(a, k.DeliverReceipts)
	case *txv1.Message_LockReceipts:
		return ereceipt.LockReceipts(a, k.LockReceipts)
	case *txv1.Message_ReleaseReceipts:
		return ereceipt.ReleaseReceipts(a, k.ReleaseReceipts)
	case *txv1.Message_ReimburseReceipts:
		return ereceipt.ReimburseReceipts(a, k.ReimburseReceipts)
	case *txv1.Message_FlushReceipt:
		return ereceipt.FlushReceipt(a, k.FlushReceipt)
	case *txv1.Message_ReturnReimbursement:
		return ereceipt.ReturnReimbursement(a, k.ReturnReimbursement)
	}
	return foreignVerb(a, m)
}

func foreignVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_UpdateForeignHeaders:
		return foreign.UpdateForeignHeaders(a, k.UpdateForeignHeaders)
	case *txv1.Message_AcceptForeignProof:
		return foreign.AcceptForeignProof(a, k.AcceptForeignProof)
	case *txv1.Message_FreezeForeignChain:
		return foreign.FreezeForeignChain(a, k.FreezeForeignChain)
	}
	return credentialVerb(a, m)
}

func credentialVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_PutCredentialType:
		return credential.PutCredentialType(a, k.PutCredentialType)
	case *txv1.Message_RetireCredentialType:
		return credential.RetireCredentialType(a, k.RetireCredentialType)
	case *txv1.Message_PutIssuer:
		return credential.PutIssuer(a, k.PutIssuer)
	case *txv1.Message_IssueCredentials:
		return credential.IssueCredentials(a, k.IssueCredentials)
	case *txv1.Message_SetCredentialStatus:
		return credential.SetCredentialStatus(a, k.SetCredentialStatus)
	case *txv1.Message_ReportSourceChange:
		return credential.ReportSourceChange(a, k.ReportSourceChange)
	case *txv1.Message_RecordCopies:
		return credential.RecordCopies(a, k.RecordCopies)
	case *txv1.Message_EndCopies:
		return credential.EndCopies(a, k.EndCopies)
	}
	return recoveryVerb(a, m)
}

func recoveryVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_SetRecoveryPolicy:
		return recovery.SetRecoveryPolicy(a, k.SetRecoveryPolicy)
	case *txv1.Message_KeepRoster:
		return recovery.KeepRoster(a, k.KeepRoster)
	case *txv1.Message_OpenRecovery:
		return enrol(a, k.OpenRecovery, recovery.OpenRecovery, k.OpenRecovery.GetNewKey())
	case *txv1.Message_ApproveRecovery:
		return recovery.ApproveRecovery(a, k.ApproveRecovery)
	case *txv1.Message_VetoRecovery:
		return pausing(a, a.Signer(), recovery.VetoRecovery(a, k.VetoRecovery))
	case *txv1.Message_CancelRecovery:
		return recovery.CancelRecovery(a, k.CancelRecovery)
	case *txv1.Message_ReviewRecovery:
		return recovery.ReviewRecovery(a, k.ReviewRecovery)
	case *txv1.Message_ReportKey:
		return recovery.ReportKey(a, k.ReportKey)
	case *txv1.Message_RecordDeath:
		return pausing(a, k.RecordDeath.GetAccount(), recovery.RecordDeath(a, k.RecordDeath))
	}
	return mandateVerb(a, m)
}

func mandateVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_ProposeMandate:
		return mandate.ProposeMandate(a, k.ProposeMandate)
	case *txv1.Message_WitnessMandate:
		return mandate.WitnessMandate(a, k.WitnessMandate)
	case *txv1.Message_AnswerMandate:
		return mandate.AnswerMandate(a, k.AnswerMandate)
	case *txv1.Message_RevokeMandate:
		return mandate.RevokeMandate(a, k.RevokeMandate)
	case *txv1.Message_SuspendMandate:
		return mandate.SuspendMandate(a, k.SuspendMandate)
	case *txv1.Message_ResumeMandate:
		return mandate.ResumeMandate(a, k.ResumeMandate)
	case *txv1.Message_SetOperatorPolicy:
		return mandate.SetOperatorPolicy(a, k.SetOperatorPolicy)
	case *txv1.Message_ApproveAct:
		return mandate.ApproveAct(a, k.ApproveAct)
	}
	return custodyVerb(a, m)
}

func custodyVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_OpenCustody:
		return custody.OpenCustody(a, k.OpenCustody)
	case *txv1.Message_ConfirmCustody:
		return custody.ConfirmCustody(a, k.ConfirmCustody)
	case *txv1.Message_AcceptCustody:
		return custody.AcceptCustody(a, k.AcceptCustody)
	case *txv1.Message_RecordCustodyUse:
		return custody.RecordCustodyUse(a, k.RecordCustodyUse)
	case *txv1.Message_ConfirmCustodyUse:
		return custody.ConfirmCustodyUse(a, k.ConfirmCustodyUse)
	case *txv1.Message_UndoCustodyUse:
		return custody.UndoCustodyUse(a, k.UndoCustodyUse)
	case *txv1.Message_UnwrapVault:
		return custody.UnwrapVault(a, k.UnwrapVault)
	case *txv1.Message_CloseUnwrap:
		return custody.CloseUnwrap(a, k.CloseUnwrap)
	}
	// checkBody has seen a kind, so this is a verb of tx.proto that is in no list here.
	panic("rules: no rule for " + verbName(m))
}
