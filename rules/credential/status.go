package credential

import (
	"bytes"
	"strings"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state"
)

// SetCredentialStatus suspends, resumes and revokes. Signed for the issuer: MACHINE to
// suspend, OFFICER else; for the owner of the type, OFFICER, to suspend. All or nothing.
// The state that a credential has, for the cause that it has, is no fault and no change.
//
// In this order: Empty, TooLong (the list); then one by one NotFound, RevokeNotEntitled,
// OutOfRange (state, cause), Forbidden (level), SuspendReasonRequired (cause), TooLong,
// Malformed (note), IllegalTransition (revoked, superseded, ended; resuming what is valid).
func SetCredentialStatus(a *act.Act, m *credentialv1.SetCredentialStatus) error {
	const rule = "credential/set_credential_status"
	if err := act.Count(rule, len(m.GetChanges()), MaxItems); err != nil {
		return err
	}
	for i, x := range m.Changes {
		if err := act.In(rule, i, change(a, rule, x)); err != nil {
			return err
		}
	}
	return nil
}

func change(a *act.Act, rule string, x *credentialv1.StatusChange) error {
	c, ok := Find(a.Tx, x.GetId())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no credential %.40q", x.GetId())
	}
	if err := entitled(a, rule, c, x); err != nil {
		return err
	}
	if x.Cause == 0 && x.State != valid {
		return act.Refuse(fault.SuspendReasonRequired, rule, "%s: a cause is needed", c.Id)
	}
	if err := act.Line(rule, "note", x.Note, maxNote, false); err != nil {
		return err
	}
	switch {
	case c.State == x.State && (x.State != suspended || c.Cause == x.Cause):
		return nil
	case c.State == revoked || c.State == superseded:
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s, for ever", c.Id, c.State)
	case c.ExpiresMs != 0 && a.TimeMs >= c.ExpiresMs:
		return act.Refuse(fault.IllegalTransition, rule, "%s has run out", c.Id)
	}
	set(a, c, x.State, x.Cause, x.Note)
	a.Emit("credential/"+verbs[x.State], "", append([]string{Key(c.Id)}, listed(c)...)...)
	return nil
}

// verbs name the events.
var verbs = map[credentialv1.CredentialState]string{valid: "resume", suspended: "suspend", revoked: "revoke"}

// entitled refuses whoever may not set that state.
func entitled(a *act.Act, rule string, c *credentialv1.Credential, x *credentialv1.StatusChange) error {
	owner, _, _ := strings.Cut(c.Type, ":")
	isIssuer, isOwner := a.Org() != "" && a.Org() == c.Issuer, a.Org() != "" && a.Org() == owner
	if !isIssuer && (!isOwner || x.State != suspended) {
		return act.Refuse(fault.RevokeNotEntitled, rule, "%s was issued by %s, not by %s", c.Id, c.Issuer, a.Signer())
	}
	if x.State != valid && x.State != suspended && x.State != revoked {
		return act.Refuse(fault.OutOfRange, rule, "state %d cannot be set: VALID, SUSPENDED, REVOKED", x.State)
	}
	if err := act.Listed(rule, "cause", x.Cause); err != nil {
		return err
	}
	if isIssuer && x.State == suspended {
		return a.Need(machine)
	}
	return a.Need(officer)
}

// set writes a state with all that follows from it.
func set(a *act.Act, c *credentialv1.Credential, to credentialv1.CredentialState, cause credentialv1.StatusCause, note string) {
	if c.DueMs != 0 {
		dueIndex.Delete(a.Tx, dueKey(c))
		c.DueMs = 0
	}
	c.State, c.Cause, c.Note = to, cause, note
	if to == suspended && cause == changed {
		c.DueMs = a.TimeMs + settleMs
		dueIndex.Put(a.Tx, dueKey(c), "")
	}
	file(a, c)
	mark(a, c)
}

func dueKey(c *credentialv1.Credential) string { return state.Ordered(c.DueMs) + "/" + c.Id }

// ReportSourceChange suspends all valid credentials of the signer's organisation that rest
// on these rows, in this block. Signed by a gateway of the issuer, MACHINE.
//
// In this order: Forbidden (no gateway, level), Empty, TooLong (the list), Malformed
// (source), CodeInconsistent (not ascending), TooLong, Malformed (note).
func ReportSourceChange(a *act.Act, m *credentialv1.ReportSourceChange) error {
	const rule = "credential/report_source_change"
	if _, ok := identity.Gateway(a.Tx, a.Signer()); !ok {
		return act.Refuse(fault.Forbidden, rule, "%s is no gateway", a.Signer())
	}
	if err := a.Need(machine); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.GetSources()), MaxItems); err != nil {
		return err
	}
	for i, s := range m.Sources {
		if err := act.Hash(rule, "source", s, true); err != nil {
			return act.In(rule, i, err)
		}
		if i > 0 && bytes.Compare(m.Sources[i-1], s) >= 0 {
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "sources have to ascend, each once")
		}
	}
	if err := act.Line(rule, "note", m.Note, maxNote, false); err != nil {
		return err
	}
	for _, s := range m.Sources {
		var ids []string
		prefix := sourcePrefix(a.Org(), s)
		resting.Range(a.Tx, prefix, "", func(key, _ string) bool {
			ids = append(ids, strings.TrimPrefix(key, prefix))
			return true
		})
		for _, id := range ids {
			c, _ := items.Get(a.Tx, id)
			if c.State != valid || c.ExpiresMs != 0 && a.TimeMs >= c.ExpiresMs {
				continue
			}
			set(a, c, suspended, changed, m.Note)
			a.Emit("credential/suspend", "source", append([]string{Key(c.Id)}, listed(c)...)...)
		}
	}
	return nil
}

// End tells of credentials whose source changed a day ago and which are still suspended
// ("credential/overdue"), the oldest first, at most [MaxDuePerBlock]; and drops annotated
// copies that are long over ("credential/drop_copy").
func End(a *act.Act) {
	dropCopies(a)
	for key := range a.Due(dueIndex, MaxDuePerBlock) {
		_, id, _ := strings.Cut(key, "/")
		a.Emit("credential/overdue", "", Key(id))
	}
}
