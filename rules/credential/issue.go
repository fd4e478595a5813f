package credential

import (
	"slices"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
)

// IssueCredentials anchors credentials, VALID. Signed for the issuer, MACHINE. All or
// nothing. The same commitment again, by the same issuer and with the same content, is no
// fault and no change: a gateway that got no answer sends it again.
//
// In this order: Forbidden (level, no organisation), IssuerNotAuthorised (not known as
// issuer), Empty, TooLong (the list); then one by one Missing, Malformed (commitment,
// HMACs, set by the ledger), AlreadyExists; SchemaUnknownVersion (none, retired),
// IssuerNotAuthorised (not of the type), OutOfRange (end), EntryDrifted (its source is
// frozen), NotFound, RevokeNotEntitled, IllegalTransition (supersedes), DuplicateActive
// (licence), TooLong (of one source), OutOfRange, StatusListFull, AlreadyExists (index).
func IssueCredentials(a *act.Act, m *credentialv1.IssueCredentials) error {
	const rule = "credential/issue_credentials"
	if a.Org() == "" {
		return act.Refuse(fault.Forbidden, rule, "%s acts for no organisation", a.Signer())
	}
	if err := a.Need(machine); err != nil {
		return err
	}
	if _, ok := issuers.Get(a.Tx, a.Org()); !ok {
		return act.Refuse(fault.IssuerNotAuthorised, rule, "%s is not known as issuer: mulian credential issuer", a.Org())
	}
	if err := act.Count(rule, len(m.GetCredentials()), MaxItems); err != nil {
		return err
	}
	for i, c := range m.Credentials {
		if err := act.In(rule, i, issue(a, rule, c)); err != nil {
			return err
		}
	}
	return nil
}

func issue(a *act.Act, rule string, c *credentialv1.Credential) error {
	if err := act.First(
		act.Hash(rule, "commitment", c.GetCommitment(), true),
		act.Hash(rule, "licence", c.GetLicence(), false),
		act.Hash(rule, "source", c.GetSource(), false),
	); err != nil {
		return err
	}
	bare := &credentialv1.Credential{
		Commitment: c.Commitment, Type: c.Type, Version: c.Version, List: c.List, Index: c.Index,
		Licence: c.Licence, Source: c.Source, ExpiresMs: c.ExpiresMs, Supersedes: c.Supersedes,
	}
	if !proto.Equal(c, bare) {
		return act.Refuse(fault.Malformed, rule, "id, issuer, state and what belongs to it are set by the ledger")
	}
	next := bare
	next.Id, next.Issuer = ID(c.Commitment), a.Org()
	if was, ok := items.Get(a.Tx, next.Id); ok {
		return again(rule, was, next)
	}
	t, err := issuable(a, rule, next)
	if err != nil {
		return err
	}
	old, err := replaced(a, rule, next)
	if err != nil {
		return err
	}
	if err := fits(a, rule, t, next); err != nil {
		return err
	}
	if err := take(a, rule, next); err != nil {
		return err
	}
	next.State, next.IssuedMs = valid, a.TimeMs
	file(a, next)
	a.IDs = append(a.IDs, next.Id)
	objects := append([]string{Key(next.Id), TypeKey(next.Type, next.Version)}, listed(next)...)
	if old != nil {
		objects = append(objects, Key(old.Id))
	}
	a.Emit("credential/issue", "", objects...)
	return nil
}

// listed names the records of the status list that a change of the credential writes.
func listed(c *credentialv1.Credential) []string {
	return []string{ListKey(c.Issuer, c.List), PageKey(c.Issuer, c.List, c.Index/PageEntries)}
}

// again tells a repetition from another credential of the same id.
func again(rule string, was, next *credentialv1.Credential) error {
	same := was.Issuer == next.Issuer && slices.Equal(was.Commitment, next.Commitment) && was.Type == next.Type && was.Version == next.Version &&
		was.List == next.List && was.Index == next.Index && was.ExpiresMs == next.ExpiresMs && was.Supersedes == next.Supersedes &&
		slices.Equal(was.Licence, next.Licence) && slices.Equal(was.Source, next.Source)
	if !same {
		return act.Refuse(fault.AlreadyExists, rule, "%s was anchored by %s at height %d with another content", was.Id, was.Issuer, was.Height)
	}
	return nil
}

// issuable returns the version of the type if the issuer may issue it now.
func issuable(a *act.Act, rule string, c *credentialv1.Credential) (*credentialv1.CredentialType, error) {
	t, ok := FindType(a.Tx, c.Type, c.Version)
	switch {
	case !ok || c.Version == 0:
		return nil, act.Refuse(fault.SchemaUnknownVersion, rule, "type %.80q has no version %d", c.Type, c.Version)
	case t.Retired:
		return nil, act.Refuse(fault.SchemaUnknownVersion, rule, "version %d of %s is retired", c.Version, c.Type)
	case !slices.Contains(t.Issuers, a.Org()):
		return nil, act.Refuse(fault.IssuerNotAuthorised, rule, "%s may not issue %s", a.Org(), c.Type)
	}
	end := a.TimeMs + int64(t.MaxDays)*dayMs
	switch {
	case c.ExpiresMs < 0 || c.ExpiresMs != 0 && c.ExpiresMs <= a.TimeMs:
		return nil, act.Refuse(fault.OutOfRange, rule, "expires_ms: %d is past", c.ExpiresMs)
	case t.MaxDays == 0 && c.ExpiresMs > a.TimeMs+maxDays*dayMs, t.MaxDays > 0 && (c.ExpiresMs == 0 || c.ExpiresMs > end):
		return nil, act.Refuse(fault.OutOfRange, rule, "expires_ms: a credential of %s holds at most %d days", c.Type, t.MaxDays)
	}
	if t.Entry == "" {
		return t, nil
	}
	e, ok := catalogue.FindEntry(a.Tx, t.Entry)
	if !ok {
		return nil, act.Refuse(fault.SourceMissing, rule, "the entry %s of %s is gone", t.Entry, c.Type)
	}
	for _, it := range e.Items {
		used := slices.ContainsFunc(t.Fields, func(f *credentialv1.Field) bool { return f.Item == it.Code })
		if used && it.State == cataloguev1.ItemState_ITEM_STATE_FROZEN {
			return nil, act.Refuse(fault.EntryDrifted, rule, "item %s of %s is frozen: catalogue and table differ", it.Code, t.Entry)
		}
	}
	return t, nil
}

// replaced supersedes the credential whose place the new one takes, nil if there is none.
func replaced(a *act.Act, rule string, c *credentialv1.Credential) (*credentialv1.Credential, error) {
	if c.Supersedes == "" {
		return nil, nil
	}
	old, ok := Find(a.Tx, c.Supersedes)
	switch {
	case !ok:
		return nil, act.Refuse(fault.NotFound, rule, "there is no credential %.40q", c.Supersedes)
	case old.Issuer != a.Org():
		return nil, act.Refuse(fault.RevokeNotEntitled, rule, "%s was issued by %s", old.Id, old.Issuer)
	case old.Type != c.Type || old.State != valid && old.State != suspended:
		return nil, act.Refuse(fault.IllegalTransition, rule, "%s is %s, of type %s: only one in force is superseded, by its own type", old.Id, old.State, old.Type)
	}
	old.SupersededBy = c.Id
	set(a, old, superseded, 0, "")
	return old, nil
}

// fits looks at what the credential shares with others: its licence and its source.
func fits(a *act.Act, rule string, t *credentialv1.CredentialType, c *credentialv1.Credential) error {
	if len(c.Licence) == 0 && t.LicenceCode != "" {
		return act.Refuse(fault.Missing, rule, "licence: %s is a licence", t.Id)
	}
	if len(c.Licence) > 0 {
		if other, ok := live.Get(a.Tx, liveKey(c)); ok {
			return act.Refuse(fault.DuplicateActive, rule, "%s is in force for this licence: supersede it", other)
		}
	}
	if len(c.Source) == 0 {
		return nil
	}
	n := 0
	resting.Range(a.Tx, sourcePrefix(c.Issuer, c.Source), "", func(string, string) bool { n++; return n < MaxPerSource })
	if n >= MaxPerSource {
		return act.Refuse(fault.TooLong, rule, "%d credentials in force rest on this row", n)
	}
	return nil
}

// file keeps a credential with all that finds it.
func file(a *act.Act, c *credentialv1.Credential) {
	c.StateMs, c.Height, c.By = a.TimeMs, a.Height, a.Signer()
	inForce := c.State == valid || c.State == suspended
	if len(c.Licence) > 0 {
		if inForce {
			live.Put(a.Tx, liveKey(c), c.Id)
		} else if id, _ := live.Get(a.Tx, liveKey(c)); id == c.Id {
			live.Delete(a.Tx, liveKey(c))
		}
	}
	if len(c.Source) > 0 {
		key := sourcePrefix(c.Issuer, c.Source) + c.Id
		if inForce {
			resting.Put(a.Tx, key, "")
		} else {
			resting.Delete(a.Tx, key)
		}
	}
	items.Put(a.Tx, c.Id, c)
}
