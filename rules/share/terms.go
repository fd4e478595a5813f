package share

import (
	"slices"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/governance"
	"mulian/state"
)

// checkTerms looks at the terms alone. It returns, in this order: Missing (terms),
// TooLong (the whole), then the parts (Empty, TooLong, Missing, Duplicate), then
// the other fields in the order of the schema (Missing, TooLong, Malformed,
// OutOfRange). Art. 20: purpose, duty, basis, application system, scope and way
// of use, term.
func checkTerms(v state.View, rule string, t *sharev1.Terms) error {
	if t == nil {
		return act.Refuse(fault.Missing, rule, "the terms are missing")
	}
	if n := proto.Size(t); n > MaxTermsBytes {
		return act.Refuse(fault.TooLong, rule, "terms of %d bytes, at most %d", n, MaxTermsBytes)
	}
	if err := checkParts(rule, t.Parts); err != nil {
		return err
	}
	err := act.First(
		act.Line(rule, "purpose", t.Purpose, maxPurpose, true),
		act.Line(rule, "matter", t.Matter, maxMatter, false),
		act.Text(rule, "legal_basis", t.LegalBasis, maxLegalBasis, false),
		act.Hash(rule, "attachment_hash", t.AttachmentHash, false),
		act.Line(rule, "app_system", t.AppSystem, maxAppSystem, false),
		act.Text(rule, "scope_of_use", t.ScopeOfUse, maxScope, false),
		act.Listed(rule, "method", t.Method),
	)
	switch longest := governance.Parameters(v).GetMaxAgreementDays(); {
	case err != nil:
		return err
	case t.Method == 0:
		return act.Refuse(fault.Missing, rule, "the method is missing")
	case t.Days > longest:
		return act.Refuse(fault.OutOfRange, rule, "a term of %d days, at most %d", t.Days, longest)
	case t.DataLifeDays > maxDataLifeDays:
		return act.Refuse(fault.OutOfRange, rule, "a data life of %d days, at most %d", t.DataLifeDays, maxDataLifeDays)
	}
	return checkConditions(rule, t)
}

func checkParts(rule string, parts []*sharev1.Part) error {
	if err := act.Count(rule, len(parts), MaxParts); err != nil {
		return err
	}
	entries := make(map[string]bool, len(parts))
	for i, p := range parts {
		switch {
		case len(p.Items) == 0:
			return act.RefuseItem(fault.Missing, rule, i, "no item of entry %.80q is named", p.Entry)
		case len(p.Items) > MaxItems:
			return act.RefuseItem(fault.TooLong, rule, i, "%d items of entry %.80q, at most %d", len(p.Items), p.Entry, MaxItems)
		case entries[p.Entry]:
			return act.RefuseItem(fault.Duplicate, rule, i, "entry %.80q stands twice", p.Entry)
		}
		entries[p.Entry] = true
		items := make(map[string]bool, len(p.Items))
		for _, code := range p.Items {
			if items[code] {
				return act.RefuseItem(fault.Duplicate, rule, i, "item %.80q of entry %.80q stands twice", code, p.Entry)
			}
			items[code] = true
		}
	}
	return nil
}

// offer is what the catalogue says of terms.
type offer struct {
	provider      string
	entries       []*cataloguev1.Entry // of the parts, in their order
	unconditional bool                 // all that is asked is
	deliverable   error                // ItemUnmapped while a gateway could not deliver all of it
}

// judge looks at terms that passed checkTerms in the light of the catalogue, and
// notes in each part the version that it saw. requester is who asks. Part by part:
// NotFound (entry), CodeInconsistent (another provider than the part before; the
// requester itself), NotShared (entry denied or not in use), FormatMethodMismatch,
// PurposeMismatch (the entry accepts other purposes), then item by item
// FieldNotGranted (no such item), NotShared, EntryDrifted (frozen), then Malformed (a
// condition does not fit the entry's items, a mask not its item).
func judge(v state.View, rule, requester string, t *sharev1.Terms) (*offer, error) {
	o := &offer{unconditional: true}
	for i, p := range t.Parts {
		e, ok := catalogue.FindEntry(v, p.Entry)
		if !ok {
			return nil, act.RefuseItem(fault.NotFound, rule, i, "there is no entry %.80q", p.Entry)
		}
		if o.provider == "" {
			o.provider = e.Provider
		}
		if err := judgeEntry(v, rule, requester, o.provider, t, e); err != nil {
			return nil, act.In(rule, i, err)
		}
		if err := o.judgeItems(v, rule, p, e); err != nil {
			return nil, act.In(rule, i, err)
		}
		if err := judgeConditions(v, rule, t, p, e); err != nil {
			return nil, act.In(rule, i, err)
		}
		p.EntryVersion = e.Version
		o.entries = append(o.entries, e)
	}
	return o, nil
}

func judgeEntry(v state.View, rule, requester, provider string, t *sharev1.Terms, e *cataloguev1.Entry) error {
	switch purposes := e.GetConditions().GetPurposes(); {
	case e.Provider != provider:
		return act.Refuse(fault.CodeInconsistent, rule, "entry %s is of %s, the first of %s; ask each provider", e.Id, e.Provider, provider)
	case e.Provider == requester:
		return act.Refuse(fault.CodeInconsistent, rule, "entry %s is the asker's own", e.Id)
	case !catalogue.InUse(e):
		return act.Refuse(fault.NotShared, rule, "entry %s is %s", e.Id, e.State)
	case catalogue.ShareTypeOf(v, e, nil) == denied:
		return act.Refuse(fault.NotShared, rule, "entry %s is not shared: %s, %s", e.Id, e.GetDenyBasis().GetLaw(), e.GetDenyBasis().GetArticle())
	case !catalogue.Offers(e, t.Method):
		return act.Refuse(fault.FormatMethodMismatch, rule, "entry %s is not handed over by %s", e.Id, t.Method)
	case len(purposes) > 0 && !slices.Contains(purposes, t.Purpose):
		return act.Refuse(fault.PurposeMismatch, rule, "entry %s is shared for %v", e.Id, purposes)
	}
	return nil
}

func (o *offer) judgeItems(v state.View, rule string, p *sharev1.Part, e *cataloguev1.Entry) error {
	items := make(map[string]*cataloguev1.Item, len(e.Items))
	for _, it := range e.Items {
		items[it.Code] = it
	}
	for _, code := range p.Items {
		it := items[code]
		if it == nil {
			return act.Refuse(fault.FieldNotGranted, rule, "entry %s has no item %.80q", e.Id, code)
		}
		shareType := catalogue.ShareTypeOf(v, e, it)
		switch {
		case shareType == denied:
			return act.Refuse(fault.NotShared, rule, "item %s of entry %s is not shared", code, e.Id)
		case it.State == cataloguev1.ItemState_ITEM_STATE_FROZEN:
			return act.Refuse(fault.EntryDrifted, rule, "item %s of entry %s is frozen until its table and the catalogue agree again", code, e.Id)
		case o.deliverable == nil && it.Column == "":
			o.deliverable = act.Refuse(fault.ItemUnmapped, rule, "item %s of entry %s lies on no column yet; no gateway could deliver it", code, e.Id)
		}
		o.unconditional = o.unconditional && shareType == unconditional
	}
	return nil
}

// covered reports whether the standing orders of all entries answer the terms.
func (o *offer) covered(requester string, t *sharev1.Terms) bool {
	if !o.unconditional || o.deliverable != nil {
		return false
	}
	for _, e := range o.entries {
		s := e.GetStandingOrder()
		switch {
		case !s.GetAutomatic(),
			s.GetMaxDays() != 0 && t.Days > s.GetMaxDays(),
			s.GetMaxCallsPerDay() != 0 && (t.MaxCallsPerDay == 0 || t.MaxCallsPerDay > s.GetMaxCallsPerDay()),
			len(s.GetRequesters()) > 0 && !slices.Contains(s.GetRequesters(), requester):
			return false
		}
	}
	return true
}

// narrower refuses terms that are not within what was asked: FieldNotGranted for
// entries and items, PurposeMismatch for the purpose, OutOfRange for numbers,
// CodeInconsistent for anything else that differs. No bound (0) is the widest.
func narrower(rule string, given, asked *sharev1.Terms) error {
	parts := make(map[string]*sharev1.Part, len(asked.Parts))
	for _, p := range asked.Parts {
		parts[p.Entry] = p
	}
	for i, p := range given.Parts {
		for _, code := range p.Items {
			if !slices.Contains(parts[p.Entry].GetItems(), code) {
				return act.RefuseItem(fault.FieldNotGranted, rule, i, "item %.80q of entry %.80q was not asked for", code, p.Entry)
			}
		}
	}
	rest := proto.CloneOf(given)
	rest.Parts, rest.Days, rest.DataLifeDays = asked.Parts, asked.Days, asked.DataLifeDays
	rest.MaxCallsPerDay, rest.MaxRowsPerCall, rest.MaxCalls = asked.MaxCallsPerDay, asked.MaxRowsPerCall, asked.MaxCalls
	rest.RowScope, rest.Predicates, rest.Masks, rest.Windows = asked.RowScope, asked.Predicates, asked.Masks, asked.Windows
	rest.MaxRowsPerDay, rest.MaxRows, rest.MaxBytes = asked.MaxRowsPerDay, asked.MaxRows, asked.MaxBytes
	switch {
	case given.Purpose != asked.Purpose:
		return act.Refuse(fault.PurposeMismatch, rule, "the request is for %q", asked.Purpose)
	case !bounded(uint64(given.Days), uint64(asked.Days)),
		!bounded(uint64(given.MaxCallsPerDay), uint64(asked.MaxCallsPerDay)),
		!bounded(given.MaxRowsPerCall, asked.MaxRowsPerCall),
		!bounded(given.MaxCalls, asked.MaxCalls),
		!bounded(given.MaxRowsPerDay, asked.MaxRowsPerDay),
		!bounded(given.MaxRows, asked.MaxRows),
		!bounded(given.MaxBytes, asked.MaxBytes),
		!bounded(uint64(given.DataLifeDays), uint64(asked.DataLifeDays)):
		return act.Refuse(fault.OutOfRange, rule, "terms that are given must not be wider than those that were asked for")
	case !proto.Equal(rest, asked):
		return act.Refuse(fault.CodeInconsistent, rule, "only parts, bounds, scope, masks, windows and predicates can be narrowed; the rest stays as it was asked for")
	}
	return narrowerConditions(rule, given, asked)
}

func bounded(given, asked uint64) bool { return asked == 0 || given != 0 && given <= asked }
