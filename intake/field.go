package intake

// A Field is what a column can mean to us. Its text is what reports show and
// what a person writes on the right of --map.
type Field string

// The fields of an entry. Serial is a running number, which says nothing of the
// entry and would change with every export; Ignored is what a person maps there.
// Contact is who to call or write to: a person. It is read to be counted, and never
// imported. LedgerState is what an entry of our own exports was on the ledger that
// it left.
const (
	Name           Field = "name"
	Code           Field = "code"
	Owner          Field = "owner"
	OwnerCode      Field = "owner_code"
	SourceOrg      Field = "source_org"
	Abstract       Field = "abstract"
	Items          Field = "items"
	Category       Field = "category"
	FormatOf       Field = "format"
	Methods        Field = "methods"
	ShareType      Field = "share_type"
	ShareCondition Field = "share_condition"
	DenyBasis      Field = "deny_basis"
	OpenType       Field = "open_type"
	OpenCondition  Field = "open_condition"
	UpdateCycle    Field = "update_cycle"
	Grade          Field = "grade"
	Personal       Field = "personal"
	System         Field = "system"
	Table          Field = "table"
	Duties         Field = "duties"
	Matters        Field = "matters"
	Region         Field = "coverage_region"
	Period         Field = "coverage_time"
	PeriodFrom     Field = "coverage_from"
	PeriodTo       Field = "coverage_to"
	Updated        Field = "updated"
	Issued         Field = "issued"
	Keywords       Field = "keywords"
	Resources      Field = "resources"
	ResourceURL    Field = "resource_url"
	Licence        Field = "licence"
	LandingPage    Field = "landing_page"
	Languages      Field = "languages"
	Origin         Field = "origin"
	Serial         Field = "serial"
	Contact        Field = "contact"
	LedgerState    Field = "ledger_state"
	Ignored        Field = "ignore"
)

// The fields of an item, of which a sheet may have one row each.
const (
	ItemName      Field = "item.name"
	ItemCode      Field = "item.code"
	ItemTechnical Field = "item.technical_name"
	ItemType      Field = "item.type"
	ItemLength    Field = "item.length"
	ItemShare     Field = "item.share_type"
	ItemOpen      Field = "item.open_type"
)

// The fields of a duty and of an organisation; both share Owner and OwnerCode.
const (
	DutyName    Field = "duty.name"
	DutyCode    Field = "duty.code"
	DutyPower   Field = "duty.power_type"
	DutySource  Field = "duty.source"
	DutyArticle Field = "duty.article"
	DutyFrom    Field = "duty.valid_from"
	DutyTo      Field = "duty.valid_to"
	DutyRetired Field = "duty.retired"
	OrgName     Field = "org.name"
	OrgShort    Field = "org.short_name"
	OrgLevel    Field = "org.level"
	OrgRegion   Field = "org.region"
	OrgParent   Field = "org.parent"
)

// The fields of a matter and of a value of a code table. A matter shares Duties,
// Owner and OwnerCode.
const (
	MatterName     Field = "matter.name"
	MatterCode     Field = "matter.code"
	MatterPower    Field = "matter.power_type"
	MatterInputs   Field = "matter.inputs"
	MatterCategory Field = "matter.category"
	MatterGuide    Field = "matter.guide"
	ValueName      Field = "code.name"
	ValueCode      Field = "code.code"
	ValueParent    Field = "code.parent"
)
