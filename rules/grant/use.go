package grant

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
)

// RegisterUse registers what a data user may ask of owners. Signed by it, OFFICER.
//
// Forbidden; Malformed, AlreadyExists (id); the texts and numbers (Missing, TooLong,
// Malformed, OutOfRange); PurposeUnknown, LimitStanding, LimitDuration; NotFound (entry,
// gateway), ItemVersionRetired, OverAsk, FieldMasked; ConsentKindWrong; NoDuty, NotYourDuty.
func RegisterUse(a *act.Act, m *grantv1.RegisterUse) error {
	const rule = "grant/register_use"
	if err := a.NeedOrg(a.Org(), officer); err != nil {
		return err
	}
	if !localID(m.GetLocalId()) {
		return act.Refuse(fault.Malformed, rule, "local_id %.60q: small letters, digits and - are possible, at most %d", m.GetLocalId(), maxLocalID)
	}
	u := proto.CloneOf(m.GetUse())
	if u == nil {
		return act.Refuse(fault.Missing, rule, "the use is missing")
	}
	u.Id, u.Org = a.Org()+":"+m.LocalId, a.Org()
	u.State, u.ItemsHash, u.Sensitive, u.RetiredMs = useActive, nil, false, 0
	u.RegisteredMs, u.RegisteredBy = a.TimeMs, a.Signer()
	if registered.Has(a.Tx, u.Id) {
		return act.Refuse(fault.AlreadyExists, rule, "use %s is registered; a change is a new registration", u.Id)
	}
	for _, check := range []func(*act.Act, string, *grantv1.IntendedUse) error{checkTexts, checkKind, checkItems, checkPurpose, checkConsent, checkBasis} {
		if err := check(a, rule, u); err != nil {
			return err
		}
	}
	registered.Put(a.Tx, u.Id, u)
	a.IDs = append(a.IDs, u.Id)
	objects := []string{useKey(u.Id)}
	if u.Entry != "" {
		objects = append(objects, entryKey(u.Entry))
	}
	a.Emit(rule, "registered", objects...)
	return nil
}

// RetireUse ends a registration. Signed by the data user or the AUTHORITY, OFFICER.
//
// NotFound, Forbidden, IllegalTransition, TooLong, Malformed (cause).
func RetireUse(a *act.Act, m *grantv1.RetireUse) error {
	const rule = "grant/retire_use"
	u, ok := registered.Get(a.Tx, m.GetUse())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no registered use %.80q", m.GetUse())
	}
	if err := a.NeedOrg(u.Org, officer); err != nil {
		if err := a.NeedRole(governancev1.Role_ROLE_AUTHORITY, officer); err != nil {
			return err
		}
	}
	if u.State != useActive {
		return act.Refuse(fault.IllegalTransition, rule, "use %s is retired already", u.Id)
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, false); err != nil {
		return err
	}
	u.State, u.RetiredMs = useRetired, a.TimeMs
	registered.Put(a.Tx, u.Id, u)
	a.Emit(rule, "retired", useKey(u.Id))
	return nil
}

func localID(s string) bool {
	return s != "" && len(s) <= maxLocalID && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
	})
}

func checkTexts(_ *act.Act, rule string, u *grantv1.IntendedUse) error {
	if err := act.First(
		act.Line(rule, "title", u.Title, maxTitle, true),
		act.Line(rule, "legal_basis", u.LegalBasis, maxLaw, u.Basis == byDuty),
		act.Line(rule, "notice_url", u.NoticeUrl, maxURL, false),
		act.Line(rule, "contact", u.Contact, maxContact, true),
		act.Hash(rule, "notice_hash", u.NoticeHash, true),
	); err != nil {
		return err
	}
	return act.First(listed(rule, "basis", u.Basis), listed(rule, "mode", u.Mode), listed(rule, "kind", u.Kind), act.Listed(rule, "consent_kind", u.ConsentKind))
}

// listed is act.Listed for what has to be stated.
func listed(rule, field string, v protoreflect.Enum) error {
	if v.Number() == 0 {
		return act.Refuse(fault.Missing, rule, "%s is missing", field)
	}
	return act.Listed(rule, field, v)
}

// checkKind checks the numbers of a use: how often, how long, how long kept.
func checkKind(_ *act.Act, rule string, u *grantv1.IntendedUse) error {
	switch {
	case u.Kind == once && u.MaxUses != 1:
		return act.Refuse(fault.OutOfRange, rule, "max_uses is %d: of kind ONCE it is 1", u.MaxUses)
	case u.MaxUses > maxUsesBound:
		return act.Refuse(fault.OutOfRange, rule, "max_uses is %d, at most %d", u.MaxUses, maxUsesBound)
	case u.MinIntervalSeconds > maxIntervalSeconds:
		return act.Refuse(fault.OutOfRange, rule, "min_interval_seconds is %d, at most %d", u.MinIntervalSeconds, maxIntervalSeconds)
	case u.Mode == deliver && u.DataLifeDays == 0:
		return act.Refuse(fault.Missing, rule, "data_life_days is missing: a copy has an end")
	case u.Mode != deliver && u.DataLifeDays != 0:
		return act.Refuse(fault.OutOfRange, rule, "data_life_days is %d, and nothing is kept with mode %s", u.DataLifeDays, u.Mode)
	case u.MaxDays == 0:
		return act.Refuse(fault.Missing, rule, "max_days is missing")
	}
	return nil
}

// checkItems holds the items against the entry's version, or, of a confidential use, only
// against the number that it states: there the provider's gateway sees the opening.
func checkItems(a *act.Act, rule string, u *grantv1.IntendedUse) error {
	if u.Entry == "" {
		return checkConfidential(a.Tx, rule, u)
	}
	if len(u.EntryCommitment) != 0 || u.ItemCount != 0 || len(u.Providers) != 0 {
		return act.Refuse(fault.OutOfRange, rule, "entry_commitment, item_count and providers are of confidential uses only")
	}
	e, ok := catalogue.FindEntry(a.Tx, u.Entry)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "there is no entry %.80q", u.Entry)
	case e.Version != u.EntryVersion:
		return act.Refuse(fault.ItemVersionRetired, rule, "entry %s is of version %d, not %d", e.Id, e.Version, u.EntryVersion)
	}
	if err := checkSets(rule, u, len(e.Items)); err != nil {
		return err
	}
	u.ItemsHash = itemsHash(e)
	u.Sensitive = e.Personal == sensitive || slices.ContainsFunc(itemset.Items(e, u.Items), func(it *cataloguev1.Item) bool { return it.Personal == sensitive })
	return givable(a.Tx, rule, e, u.Items)
}

func checkConfidential(v state.View, rule string, u *grantv1.IntendedUse) error {
	switch {
	case u.EntryVersion != 0:
		return act.Refuse(fault.OutOfRange, rule, "a confidential use names no entry and no version")
	case u.ItemCount == 0 || u.ItemCount > maxItems:
		return act.Refuse(fault.OutOfRange, rule, "item_count is %d: 1 to %d are possible", u.ItemCount, maxItems)
	}
	if err := act.First(
		act.Hash(rule, "entry_commitment", u.EntryCommitment, true),
		act.Count(rule, len(u.Providers), maxProviders),
		checkSets(rule, u, int(u.ItemCount)),
	); err != nil {
		return err
	}
	for i, id := range u.Providers {
		if i > 0 && u.Providers[i-1] >= id {
			return act.RefuseItem(fault.Malformed, rule, i, "providers have to ascend")
		}
		if _, ok := identity.Gateway(v, id); !ok {
			return act.RefuseItem(fault.NotFound, rule, i, "gateway %.80q is not on board", id)
		}
	}
	u.Sensitive = true
	return nil
}

func checkSets(rule string, u *grantv1.IntendedUse, n int) error {
	if err := itemset.Check(u.Items, n); err != nil {
		return act.Refuse(fault.OverAsk, rule, "items: %v", err)
	}
	switch {
	case len(u.Items) == 0:
		return act.Refuse(fault.Empty, rule, "no item is asked for")
	case itemset.Check(u.OptionalItems, n) != nil || !itemset.Within(u.OptionalItems, u.Items):
		return act.Refuse(fault.OverAsk, rule, "optional_items are not within items")
	}
	return nil
}

// checkPurpose holds term and life against the bounds of the purpose.
func checkPurpose(a *act.Act, rule string, u *grantv1.IntendedUse) error {
	p, ok := standard.Purpose(governance.Parameters(a.Tx), u.Purpose)
	if !ok {
		return act.Refuse(fault.PurposeUnknown, rule, "there is no purpose %.60q", u.Purpose)
	}
	longest := longestDays(p, u)
	switch {
	case u.Kind == standing && longest == 0:
		return act.Refuse(fault.LimitStanding, rule, "for %s no standing grant of such items may be asked for", p.Code)
	case u.MaxDays > longest:
		return act.Refuse(fault.LimitDuration, rule, "max_days is %d: for %s at most %d", u.MaxDays, p.Code, longest)
	case u.DataLifeDays > p.MaxLifeDays:
		return act.Refuse(fault.LimitDuration, rule, "data_life_days is %d: for %s at most %d", u.DataLifeDays, p.Code, p.MaxLifeDays)
	}
	return nil
}

// longestDays is the longest term that the purpose allows to a use.
func longestDays(p *governancev1.GrantPurpose, u *grantv1.IntendedUse) uint32 {
	switch {
	case u.Kind == once:
		return p.OnceDays
	case u.Sensitive:
		return p.SensitiveDays
	}
	return p.StandingDays
}

// checkConsent holds the kind of consent against the items (PIPL art. 29).
func checkConsent(_ *act.Act, rule string, u *grantv1.IntendedUse) error {
	switch {
	case u.Basis == byDuty:
		if u.ConsentKind != 0 {
			return act.Refuse(fault.ConsentKindWrong, rule, "a statutory duty asks for no consent (PIPL art. 35)")
		}
		return nil
	case u.ConsentKind == 0:
		return act.Refuse(fault.Missing, rule, "consent_kind is missing")
	case u.Sensitive && u.ConsentKind != separate && u.ConsentKind != written:
		return act.Refuse(fault.ConsentKindWrong, rule, "sensitive items need separate or written consent (PIPL art. 29), not %s", u.ConsentKind)
	case u.Kind == standing && u.ConsentKind == single:
		return act.Refuse(fault.ConsentKindWrong, rule, "a single consent is for a grant of kind ONCE")
	}
	return nil
}

// checkBasis: who takes by duty names one of his own that is in force (PIPL art. 34).
func checkBasis(a *act.Act, rule string, u *grantv1.IntendedUse) error {
	if u.Basis != byDuty {
		if u.Duty != "" {
			return act.Refuse(fault.OutOfRange, rule, "duty is of basis DUTY only")
		}
		return nil
	}
	d, ok := catalogue.FindDuty(a.Tx, u.Duty)
	switch {
	case !ok || !catalogue.InForce(d, a.TimeMs):
		return act.Refuse(fault.NoDuty, rule, "there is no duty %.80q in force", u.Duty)
	case d.Org != u.Org:
		return act.Refuse(fault.NotYourDuty, rule, "duty %s is that of %s", d.Id, d.Org)
	}
	return nil
}

// entryOf returns the entry of a use that is not confidential as it stands now, if its
// items still are those of the registration and these can be given: NotFound,
// ItemVersionRetired, FieldMasked.
func entryOf(v state.View, rule string, u *grantv1.IntendedUse, items []byte) (*cataloguev1.Entry, error) {
	e, ok := catalogue.FindEntry(v, u.Entry)
	switch {
	case !ok:
		return nil, act.Refuse(fault.NotFound, rule, "there is no entry %.80q", u.Entry)
	case e.Version != u.EntryVersion && !bytes.Equal(itemsHash(e), u.ItemsHash):
		return nil, act.Refuse(fault.ItemVersionRetired, rule, "entry %s is of version %d, and its items are no longer those of version %d", e.Id, e.Version, u.EntryVersion)
	}
	return e, givable(v, rule, e, items)
}

// givable refuses with FieldMasked what the provider does not give now.
func givable(v state.View, rule string, e *cataloguev1.Entry, items []byte) error {
	if !catalogue.InUse(e) || e.Table == "" {
		return act.Refuse(fault.FieldMasked, rule, "entry %s is %s, or has no table: nothing is given of it", e.Id, e.State)
	}
	for i, it := range e.Items {
		if !itemset.Has(items, i) {
			continue
		}
		switch {
		case catalogue.ShareTypeOf(v, e, it) == denied:
			return act.RefuseItem(fault.FieldMasked, rule, i, "item %s of %s is not shared", it.Code, e.Id)
		case it.State == frozen:
			return act.RefuseItem(fault.FieldMasked, rule, i, "item %s of %s is frozen until a drift is settled", it.Code, e.Id)
		case it.Column == "":
			return act.RefuseItem(fault.FieldMasked, rule, i, "item %s of %s has no column", it.Code, e.Id)
		}
	}
	return nil
}

// itemsHash stands for the entry's items as far as they decide: order, code, name,
// personal information, share type.
func itemsHash(e *cataloguev1.Entry) []byte {
	h := sha256.New()
	put := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	put("mulian/grant/items/v1")
	put(e.Personal.String())
	for _, it := range e.Items {
		put(it.Code)
		put(it.Name)
		put(it.Personal.String())
		put(it.ShareType.String())
	}
	return h.Sum(nil)
}
