package catalogue

import (
	"slices"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
)

const (
	unconditional = cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL
	conditional   = cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL
	denied        = cataloguev1.ShareType_SHARE_TYPE_DENIED
)

// checkContent looks at an entry's content in the order in which [SubmitEntries]
// documents its refusals. It reads no entry: only what the content refers to.
func checkContent(v state.View, rule string, e *cataloguev1.Entry, nowMs int64) error {
	if err := checkFields(rule, e); err != nil {
		return err
	}
	if err := checkItems(rule, e.Items); err != nil {
		return err
	}
	if err := checkSharing(v, rule, e); err != nil {
		return err
	}
	if err := checkReferences(v, rule, e, nowMs); err != nil {
		return err
	}
	return checkMapping(v, rule, e)
}

// checkFields looks at each field alone, in the order of the schema.
func checkFields(rule string, e *cataloguev1.Entry) error {
	err := act.First(
		lines(rule, "aliases", e.Aliases, MaxAliases, maxAlias),
		act.Line(rule, "name", e.Name, maxName, true),
		act.Text(rule, "abstract", e.Abstract, maxAbstract, false),
		act.AtMost(rule, "duties", len(e.Duties), MaxEntryDuties),
		lines(rule, "matters", e.Matters, MaxMatters, maxMatterCode),
		act.Line(rule, "category", e.Category, maxCategory, false),
		act.Listed(rule, "format", e.Format),
		methods(rule, e.Methods),
		act.Listed(rule, "share_type", e.ShareType),
		act.Text(rule, "conditions.scope", e.GetConditions().GetScope(), maxCondition, false),
		lines(rule, "conditions.purposes", e.GetConditions().GetPurposes(), MaxPurposes, maxPurpose),
		methods(rule, e.GetConditions().GetMethods()),
		act.Text(rule, "conditions.extra", e.GetConditions().GetExtra(), maxCondition, false),
		act.Line(rule, "deny_basis.law", e.GetDenyBasis().GetLaw(), maxBasis, false),
		act.Line(rule, "deny_basis.article", e.GetDenyBasis().GetArticle(), maxBasis, false),
		act.Text(rule, "deny_basis.text", e.GetDenyBasis().GetText(), maxBasisText, false),
		act.Listed(rule, "open_type", e.OpenType),
		act.Text(rule, "open_condition", e.OpenCondition, maxCondition, false),
		act.Listed(rule, "update_cycle", e.UpdateCycle),
		act.Listed(rule, "grade", e.Grade),
		within(rule, "sensitivity", e.Sensitivity, maxSensitivity),
		act.Listed(rule, "personal", e.Personal),
		act.Listed(rule, "processing", e.Processing),
		region(rule, e.CoverageRegion),
		act.Line(rule, "coverage_time", e.CoverageTime, maxCoverage, false),
		within(rule, "retention_days", e.RetentionDays, maxRetentionDays),
		within(rule, "staleness_seconds", e.StalenessSeconds, maxStalenessSeconds),
		within(rule, "standing_order.max_days", e.GetStandingOrder().GetMaxDays(), maxOrderDays),
		lines(rule, "standing_order.requesters", e.GetStandingOrder().GetRequesters(), MaxRequesters, maxAlias),
		act.AtMost(rule, "items", len(e.Items), MaxItems),
		checkPublished(rule, e),
	)
	if err == nil && e.ShareType == 0 {
		err = act.Refuse(fault.Missing, rule, "entry %s: its share type is missing", e.Id)
	}
	return err
}

func checkItems(rule string, items []*cataloguev1.Item) error {
	codes := make(map[string]bool, len(items))
	for _, it := range items {
		err := act.First(
			act.Line(rule, "item code", it.Code, maxLocalBytes, true),
			act.Line(rule, "item name", it.Name, maxName, true),
			act.Line(rule, "item technical_name", it.TechnicalName, maxTechnical, false),
			act.Line(rule, "item type", it.Type, maxTypeName, false),
			act.Line(rule, "item code_table", it.CodeTable, maxCodeTable, false),
			act.Listed(rule, "item share_type", it.ShareType),
			act.Listed(rule, "item open_type", it.OpenType),
			act.Listed(rule, "item personal", it.Personal),
			act.Line(rule, "item column", it.Column, maxColumnName, false),
		)
		if err != nil {
			return err
		}
		if codes[it.Code] {
			return act.Refuse(fault.Duplicate, rule, "item code %q stands twice", it.Code)
		}
		codes[it.Code] = true
	}
	return nil
}

// secretWords are the classes of the State Secrets Law and the field value that
// stands for them. They count only as a whole step of the category: 涉密 in a name
// may well be the public list of firms that are licensed for such work.
var secretWords = []string{"涉密", "绝密", "机密", "秘密"}

// checkSharing looks at what the share type asks for.
func checkSharing(v state.View, rule string, e *cataloguev1.Entry) error {
	for step := range strings.SplitSeq(e.Category, "/") {
		if slices.Contains(secretWords, step) {
			return act.Refuse(fault.Secret, rule, "entry %s is filed under %q: classified matter is outside order 809 (art. 3)", e.Id, step)
		}
	}
	switch {
	case e.ShareType == denied && (e.GetDenyBasis().GetLaw() == "" || e.GetDenyBasis().GetArticle() == ""):
		return act.Refuse(fault.DenyWithoutBasis, rule, "entry %s is not shared: name the law and the article (art. 14)", e.Id)
	case e.ShareType == conditional && unstated(e.Conditions) && !governance.Clocks(v).GetUnstatedIsUnconditional():
		return act.Refuse(fault.ConditionMissing, rule, "entry %s is shared on conditions: state them (art. 14)", e.Id)
	}
	for _, m := range e.Methods {
		if !fits(e.Format, m) {
			return act.Refuse(fault.FormatMethodMismatch, rule, "entry %s: %s cannot be handed over as %s", e.Id, e.Format, m)
		}
	}
	for _, m := range e.GetConditions().GetMethods() {
		if !fits(e.Format, m) || len(e.Methods) > 0 && !slices.Contains(e.Methods, m) {
			return act.Refuse(fault.FormatMethodMismatch, rule, "entry %s: its conditions name %s, which it does not offer", e.Id, m)
		}
	}
	for _, it := range e.Items {
		if it.ShareType != 0 && it.ShareType < e.ShareType {
			return act.Refuse(fault.CodeInconsistent, rule, "entry %s: item %s is %s, looser than the entry's %s", e.Id, it.Code, it.ShareType, e.ShareType)
		}
	}
	if e.OwnerItem != "" && !slices.ContainsFunc(e.Items, func(it *cataloguev1.Item) bool { return it.Code == e.OwnerItem }) {
		return act.Refuse(fault.CodeInconsistent, rule, "entry %s: its owner item %.40q is none of its items", e.Id, e.OwnerItem)
	}
	return nil
}

func unstated(c *cataloguev1.ShareConditions) bool {
	return c.GetScope() == "" && len(c.GetPurposes()) == 0 && len(c.GetMethods()) == 0 && c.GetExtra() == ""
}

// fits reports whether data of the format can be handed over so. A format that is
// not stated fits all. Files offered as an interface are the commonest mistake of
// cataloguing in the field, and the reverse cannot be kept either.
func fits(f cataloguev1.Format, m cataloguev1.Method) bool {
	switch f {
	case cataloguev1.Format_FORMAT_UNSTRUCTURED, cataloguev1.Format_FORMAT_FILE, cataloguev1.Format_FORMAT_FOLDER:
		return m == cataloguev1.Method_METHOD_FILE
	case cataloguev1.Format_FORMAT_API, cataloguev1.Format_FORMAT_LINK:
		return m == cataloguev1.Method_METHOD_QUERY
	}
	return true
}

// checkReferences looks at the organisations, duties, system and table that the
// entry names.
func checkReferences(v state.View, rule string, e *cataloguev1.Entry, nowMs int64) error {
	if len(e.Duties) == 0 {
		return act.Refuse(fault.NoDuty, rule, "entry %s rests on no duty (art. 13)", e.Id)
	}
	for _, id := range e.Duties {
		d, ok := duties.Get(v, id)
		switch {
		case !ok:
			return act.Refuse(fault.NoDuty, rule, "entry %s: there is no duty %.80q", e.Id, id)
		case d.Org != e.Provider:
			return act.Refuse(fault.NoDuty, rule, "entry %s: duty %s belongs to %s", e.Id, id, d.Org)
		case !InForce(d, nowMs):
			return act.Refuse(fault.NoDuty, rule, "entry %s: duty %s is not in force", e.Id, id)
		}
	}
	if _, ok := identity.Org(v, e.SourceOrg); e.SourceOrg != "" && !ok {
		return act.Refuse(fault.NotFound, rule, "entry %s: its source organisation %.80q is not on board", e.Id, e.SourceOrg)
	}
	if e.System != "" && !systems.Has(v, e.System) {
		return act.Refuse(fault.NotFound, rule, "entry %s: there is no system %.80q", e.Id, e.System)
	}
	if e.Table == "" {
		return nil
	}
	t, ok := tables.Get(v, e.Table)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "entry %s: there is no table %.80q", e.Id, e.Table)
	case t.Org != e.Provider:
		return act.Refuse(fault.CodeInconsistent, rule, "entry %s: table %s belongs to %s", e.Id, e.Table, t.Org)
	}
	return nil
}

// checkMapping refuses an item on a column that its table does not have, and two
// items on one column. It is asked again when a change that waited is applied.
func checkMapping(v state.View, rule string, e *cataloguev1.Entry) error {
	t, _ := tables.Get(v, e.Table)
	there := make(map[string]bool, len(t.GetColumns()))
	if !t.GetGone() {
		for _, c := range t.GetColumns() {
			there[c.Name] = true
		}
	}
	taken := make(map[string]string, len(e.Items))
	for _, it := range e.Items {
		if it.Column == "" {
			continue
		}
		if !there[it.Column] {
			return act.Refuse(fault.ItemUnmapped, rule, "entry %s: item %s lies on column %q, which its table does not have", e.Id, it.Code, it.Column)
		}
		if other, ok := taken[it.Column]; ok {
			return act.Refuse(fault.ItemUnmapped, rule, "entry %s: items %s and %s lie on the same column %q", e.Id, other, it.Code, it.Column)
		}
		taken[it.Column] = it.Code
	}
	return nil
}

func lines(rule, field string, list []string, limit, chars int) error {
	if err := act.AtMost(rule, field, len(list), limit); err != nil {
		return err
	}
	for _, s := range list {
		if err := act.Line(rule, field, s, chars, true); err != nil {
			return err
		}
	}
	return nil
}

func methods(rule string, list []cataloguev1.Method) error {
	if err := act.AtMost(rule, "methods", len(list), MaxMethods); err != nil {
		return err
	}
	for _, m := range list {
		if m == 0 {
			return act.Refuse(fault.OutOfRange, rule, "methods: 0 is not in their list")
		}
		if err := act.Listed(rule, "methods", m); err != nil {
			return err
		}
	}
	return nil
}

func within(rule, field string, n, limit uint32) error {
	if n > limit {
		return act.Refuse(fault.OutOfRange, rule, "%s: %d, at most %d", field, n, limit)
	}
	return nil
}

func region(rule, s string) error {
	if s == "" {
		return nil
	}
	if err := code.CheckRegion(s); err != nil {
		return act.Refuse(fault.CodeInconsistent, rule, "coverage_region %.20q: %v", s, err)
	}
	return nil
}
