package credential

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/identity"
)

// PutCredentialType files the next version of a type. Signed for the owner, OFFICER.
//
// In this order: Malformed (id), Forbidden, VersionConflict (not the next version), then
// the content: Missing, TooLong, Malformed, OutOfRange, Duplicate, NotFound (issuers,
// entry, items), CodeInconsistent (a field that is visible and of a personal item).
func PutCredentialType(a *act.Act, m *credentialv1.PutCredentialType) error {
	const rule = "credential/put_credential_type"
	t := m.GetType()
	if !isTypeID(t.GetId()) {
		return act.Refuse(fault.Malformed, rule, "id %.80q is not OWNER:LOCAL", t.GetId())
	}
	owner, _, _ := strings.Cut(t.Id, ":")
	if err := a.NeedOrg(owner, officer); err != nil {
		return err
	}
	was := newestVersion(a.Tx, t.Id)
	if t.Version != was+1 {
		return act.Refuse(fault.VersionConflict, rule, "version %d: %d is the next one of %s", t.Version, was+1, t.Id)
	}
	if err := checkType(a, rule, t, owner); err != nil {
		return err
	}
	next := proto.CloneOf(t)
	next.Owner, next.AtMs, next.By = owner, a.TimeMs, a.Signer()
	types.Put(a.Tx, typeKey(t.Id, t.Version), next)
	newest.Put(a.Tx, t.Id, strconv.FormatUint(t.Version, 10))
	a.Emit(rule, strconv.FormatUint(t.Version, 10), TypeKey(t.Id, t.Version))
	if m.Retire && was > 0 {
		retire(a, t.Id, was)
	}
	return nil
}

func checkType(a *act.Act, rule string, t *credentialv1.CredentialType, owner string) error {
	if t.Retired || t.AtMs != 0 || t.By != "" || t.Owner != "" && t.Owner != owner {
		return act.Refuse(fault.Malformed, rule, "owner, retired, at_ms and by are set by the ledger")
	}
	if err := act.First(
		act.Line(rule, "name", t.Name, maxName, true),
		secureURL(rule, "vct", t.Vct),
		act.Hash(rule, "schema_hash", t.SchemaHash, true),
		act.Count(rule, len(t.Fields), MaxFields),
		act.Count(rule, len(t.Issuers), MaxIssuers),
	); err != nil {
		return err
	}
	if t.MaxDays > maxDays {
		return act.Refuse(fault.OutOfRange, rule, "max_days: %d, at most %d", t.MaxDays, maxDays)
	}
	if len(t.LicenceCode) > maxCode || strings.ContainsFunc(t.LicenceCode, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') }) {
		return act.Refuse(fault.Malformed, rule, "licence_code %.40q: digits and capital letters, at most %d", t.LicenceCode, maxCode)
	}
	for i, org := range t.Issuers {
		if i > 0 && t.Issuers[i-1] >= org {
			return act.RefuseItem(fault.Duplicate, rule, i, "issuers have to ascend, each once")
		}
		if _, ok := identity.Org(a.Tx, org); !ok {
			return act.RefuseItem(fault.NotFound, rule, i, "there is no organisation %.40q", org)
		}
	}
	var entry *cataloguev1.Entry
	if t.Entry != "" {
		var ok bool
		if entry, ok = catalogue.FindEntry(a.Tx, t.Entry); !ok {
			return act.Refuse(fault.NotFound, rule, "there is no entry %.80q", t.Entry)
		}
	}
	return checkFields(rule, t, entry)
}

func checkFields(rule string, t *credentialv1.CredentialType, entry *cataloguev1.Entry) error {
	seen := map[string]bool{}
	for i, f := range t.Fields {
		if err := act.First(
			act.Line(rule, "title", f.GetTitle(), maxName, true),
			act.Line(rule, "item", f.GetItem(), maxItem, false),
		); err != nil {
			return act.In(rule, i, err)
		}
		switch {
		case !isField(f.Name) || reserved[f.Name]:
			return act.RefuseItem(fault.Malformed, rule, i, "field %.80q: [a-z][a-z0-9_]*, not one that a credential has anyway", f.Name)
		case seen[f.Name]:
			return act.RefuseItem(fault.Duplicate, rule, i, "field %s comes twice", f.Name)
		}
		seen[f.Name] = true
		if f.Item == "" {
			continue
		}
		n := slices.IndexFunc(entry.GetItems(), func(it *cataloguev1.Item) bool { return it.Code == f.Item })
		switch {
		case n < 0:
			return act.RefuseItem(fault.NotFound, rule, i, "field %s: the entry has no item %.40q", f.Name, f.Item)
		case f.Visible && entry.Items[n].Personal == cataloguev1.Personal_PERSONAL_YES:
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "field %s is personal: its holder chooses whether to show it", f.Name)
		}
	}
	return nil
}

// reserved are the claims that SD-JWT VC and we write ourselves.
var reserved = map[string]bool{
	"iss": true, "iat": true, "exp": true, "nbf": true, "aud": true, "sub": true, "jti": true, "vct": true,
	"cnf": true, "status": true, "lic": true, "src": true, "_sd": true, "_sd_alg": true,
}

func isField(s string) bool {
	if s == "" || len(s) > maxFieldName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' })
}

// RetireCredentialType ends issuing in a version; what was issued in it stays as it is.
// Signed for the owner, OFFICER. A version that is retired is no fault and no change.
//
// In this order: Malformed (id), Forbidden, SchemaUnknownVersion.
func RetireCredentialType(a *act.Act, m *credentialv1.RetireCredentialType) error {
	const rule = "credential/retire_credential_type"
	if !isTypeID(m.GetId()) {
		return act.Refuse(fault.Malformed, rule, "id %.80q is not OWNER:LOCAL", m.GetId())
	}
	owner, _, _ := strings.Cut(m.Id, ":")
	if err := a.NeedOrg(owner, officer); err != nil {
		return err
	}
	if _, ok := FindType(a.Tx, m.Id, m.Version); !ok || m.Version == 0 {
		return act.Refuse(fault.SchemaUnknownVersion, rule, "%s has no version %d", m.Id, m.Version)
	}
	retire(a, m.Id, m.Version)
	return nil
}

func retire(a *act.Act, id string, version uint64) {
	t, _ := types.Get(a.Tx, typeKey(id, version))
	if t.Retired {
		return
	}
	t.Retired = true
	types.Put(a.Tx, typeKey(id, version), t)
	a.Emit("credential/retire_credential_type", strconv.FormatUint(version, 10), TypeKey(id, version))
}

// PutIssuer makes an organisation known as issuer, or changes how it is. Signed for it,
// OFFICER.
//
// In this order: Forbidden, Missing, TooLong, Malformed (URLs), Empty, TooLong, Duplicate,
// NotFound, Forbidden (accounts: gateways of the organisation).
func PutIssuer(a *act.Act, m *credentialv1.PutIssuer) error {
	const rule = "credential/put_issuer"
	i := m.GetIssuer()
	if err := a.NeedOrg(i.GetOrg(), officer); err != nil {
		return err
	}
	if i.AtMs != 0 {
		return act.Refuse(fault.Malformed, rule, "at_ms is set by the ledger")
	}
	if err := act.First(
		secureURL(rule, "url", i.Url),
		secureURL(rule, "status_url", i.StatusUrl),
		act.Count(rule, len(i.Accounts), MaxAccounts),
	); err != nil {
		return err
	}
	for n, id := range i.Accounts {
		if n > 0 && i.Accounts[n-1] >= id {
			return act.RefuseItem(fault.Duplicate, rule, n, "accounts have to ascend, each once")
		}
		g, ok := identity.Gateway(a.Tx, id)
		switch {
		case !ok:
			return act.RefuseItem(fault.NotFound, rule, n, "there is no gateway %.100q", id)
		case g.Org != i.Org:
			return act.RefuseItem(fault.Forbidden, rule, n, "%s is no gateway of %s", id, i.Org)
		}
	}
	next := proto.CloneOf(i)
	next.AtMs = a.TimeMs
	issuers.Put(a.Tx, i.Org, next)
	a.Emit(rule, "", IssuerKey(i.Org))
	return nil
}
