package intake

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// An import changes only what the list states. Where the ledger has the entry with
// other content, what the list says is laid over what the ledger has:
//
//	value in the list           ──▶ takes the ledger's place
//	no column for it            ──▶ the ledger's stays
//	a column, and it is empty   ──▶ the ledger's stays, and the report names it; but
//	                                a newer version of the list that brought the entry
//	                                clears what portals publish: the list has changed
//	in our own JSON: "" 0 false ──▶ cleared; a key that is not there says nothing
//
// A list of values (keywords, files, items) that is stated is the whole list. Items
// are matched by code, then by name, files by address; what the list does not say of
// one stays. An item that lies on a column of a table stays unless one of our own
// exports leaves it out: deliveries hang on it.

// byOrder are the fields of a draft that the order of the import filled in, and not
// the list.
type byOrder struct{ share, duties bool }

// stated says where a column of a list is on the ledger, to know what is empty there.
type stated struct {
	fields    []Field // any of them
	path      string  // in the entry
	published bool    // what a portal says of its data; the rest is the department's to decide
}

var statedPaths = []stated{
	{[]Field{Abstract}, "abstract", true},
	{[]Field{SourceOrg}, "source_org", false},
	{[]Field{Matters}, "matters", false},
	{[]Field{System}, "system", false},
	{[]Field{Table}, "table", false},
	{[]Field{Category}, "category", true},
	{[]Field{FormatOf}, "format", false},
	{[]Field{Methods}, "methods", false},
	{[]Field{ShareCondition}, "conditions.scope", false},
	{[]Field{Purposes}, "conditions.purposes", false},
	{[]Field{OnlyMethods}, "conditions.methods", false},
	{[]Field{ShareExtra}, "conditions.extra", false},
	{[]Field{DenyLaw}, "deny_basis.law", false},
	{[]Field{DenyArticle}, "deny_basis.article", false},
	{[]Field{DenyBasis}, "deny_basis.text", false},
	{[]Field{OpenType}, "open_type", false},
	{[]Field{OpenCondition}, "open_condition", true},
	{[]Field{UpdateCycle}, "update_cycle", false},
	{[]Field{Grade}, "grade", false},
	{[]Field{Sensitivity}, "sensitivity", false},
	{[]Field{Personal}, "personal", false},
	{[]Field{Processing}, "processing", false},
	{[]Field{Region}, "coverage_region", true},
	{[]Field{Period, PeriodFrom, PeriodTo}, "coverage_time", true},
	{[]Field{Retention}, "retention_days", false},
	{[]Field{Staleness}, "staleness_seconds", false},
	{[]Field{Automatic}, "standing_order.automatic", false},
	{[]Field{AutoDays}, "standing_order.max_days", false},
	{[]Field{AutoCalls}, "standing_order.max_calls_per_day", false},
	{[]Field{AutoAskers}, "standing_order.requesters", false},
	{[]Field{Aliases}, "aliases", false},
	{[]Field{Keywords}, "keywords", true},
	{[]Field{Resources, ResourceURL}, "resources", true},
	{[]Field{Items, ItemName}, "items", false},
	{[]Field{Licence}, "licence", true},
	{[]Field{Issued}, "issued", true},
	{[]Field{Updated}, "modified", true},
	{[]Field{LandingPage}, "landing_page", true},
	{[]Field{Languages}, "languages", true},
}

// needed are the fields that every entry has: nothing clears them.
var needed = map[string]bool{"id": true, "provider": true, "name": true, "share_type": true, "duties": true, "origin": true}

// statedIn are the paths of which the plan's file has a column.
func statedIn(present map[Field]bool) []stated {
	return slices.DeleteFunc(slices.Clone(statedPaths), func(s stated) bool {
		return !slices.ContainsFunc(s.fields, func(f Field) bool { return present[f] })
	})
}

// layer lays one draft over what the ledger has.
type layer struct {
	d       *Draft
	table   string   // of the entry on the ledger
	same    bool     // the list is a newer version of the one that brought the entry
	whole   bool     // its files stand for themselves: they are not matched with those of the ledger
	columns []stated // what the list has a column for
	kept    []string // what is empty in the list, and stays
}

// over returns old with what the draft states laid over it; old is not changed.
func (l *layer) over(old *cataloguev1.Entry) *cataloguev1.Entry {
	next := proto.CloneOf(old)
	from, to := l.d.Entry.ProtoReflect(), next.ProtoReflect()
	share := next.ShareType
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch name := string(fd.Name()); {
		case name == "id" || name == "provider" || name == "origin":
		case l.d.order.share && (name == "share_type" || name == "conditions"), l.d.order.duties && name == "duties":
		case name == "items":
			next.Items = l.items(old.Items, l.d.Entry.Items)
		case name == "resources":
			next.Resources = l.resources(old.Resources, l.d.Entry.Resources)
		case name == "aliases":
			next.Aliases = l.aliases(old.Aliases, l.d.Entry.Aliases)
		case l.d.ours && l.saysThat(old, name):
		case fd.Message() != nil:
			lay(v.Message(), to.Mutable(fd).Message(), l.d.ours)
		default:
			l.put(to, fd, v)
		}
		return true
	})
	if next.ShareType != share { // what the type before wanted beside it goes with it
		if next.ShareType != cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL && l.d.Entry.Conditions == nil {
			next.Conditions = nil
		}
		if next.ShareType != cataloguev1.ShareType_SHARE_TYPE_DENIED && l.d.Entry.DenyBasis == nil {
			next.DenyBasis = nil
		}
	}
	for _, path := range l.d.blank {
		if fd, m := at(to, path); fd != nil && !needed[path] && m.Has(fd) {
			m.Clear(fd)
		}
	}
	l.empty(to)
	return next
}

// put sets one value.
func (l *layer) put(to protoreflect.Message, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	if l.d.ours && fd.Kind() == protoreflect.StringKind && !fd.IsList() && sameText(to.Get(fd).String(), v.String()) {
		return
	}
	to.Set(fd, v)
}

// lay puts what one message states into another.
func lay(from, to protoreflect.Message, ours bool) {
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case !ours || fd.Kind() != protoreflect.StringKind:
			to.Set(fd, v)
		case fd.IsList() && !sameWords(to.Get(fd).List(), v.List()), !fd.IsList() && !sameText(to.Get(fd).String(), v.String()):
			to.Set(fd, v)
		}
		return true
	})
}

// empty goes through the columns that are there and have nothing of this entry.
func (l *layer) empty(to protoreflect.Message) {
	stated := l.d.Entry.ProtoReflect()
	unknown := map[string]string{"source_org": l.d.Source, "system": l.d.System, "table": l.d.Table} // stated, and nothing on the ledger
	for _, c := range l.columns {
		path := c.path
		if unknown[path] != "" {
			continue
		}
		if fd, m := at(stated, path); fd != nil && m.Has(fd) {
			continue
		}
		fd, m := at(to, path)
		switch {
		case fd == nil || !m.Has(fd) || slices.Contains(l.d.blank, path):
		case l.same && !l.d.ours && c.published:
			m.Clear(fd)
		case !l.d.partial:
			l.kept = append(l.kept, path)
		}
	}
}

// at finds a field by its path of one or two names; nil where a message on the way is
// not there.
func at(m protoreflect.Message, path string) (protoreflect.FieldDescriptor, protoreflect.Message) {
	name, rest, deeper := strings.Cut(path, ".")
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if !deeper || fd == nil {
		return fd, m
	}
	if fd.Message() == nil || fd.IsList() || !m.Has(fd) {
		return nil, nil
	}
	return at(m.Mutable(fd).Message(), rest)
}

// sameText reports whether two texts differ in nothing but what a cell cannot hold, or
// the import takes out: white space, and e-mail addresses.
func sameText(have, says string) bool {
	return have == says || squeezed(have) == squeezed(says)
}

func sameWords(have, says protoreflect.List) bool {
	if have.Len() != says.Len() {
		return false
	}
	for i := range have.Len() {
		if !sameText(have.Get(i).String(), says.Get(i).String()) {
			return false
		}
	}
	return true
}

func squeezed(s string) string {
	if strings.IndexByte(s, '@') >= 0 {
		s = mailAddress.ReplaceAllString(s, "[…]")
	}
	return strings.Join(strings.Fields(s), " ")
}

// saysThat reports whether a field of one of our own exports says nothing else than
// the ledger has: formats of others want values that an entry has not, cut others
// short, and keep no order.
func (l *layer) saysThat(old *cataloguev1.Entry, name string) bool {
	e := l.d.Entry
	switch name {
	case "abstract":
		return l.d.partial && old.Abstract == "" && sameText(old.Name, e.Abstract)
	case "keywords":
		filled := l.d.partial && len(old.Keywords) == 0 && len(e.Keywords) == 1 && (e.Keywords[0] == old.Category || e.Keywords[0] == old.Name || e.Keywords[0] == e.Category || e.Keywords[0] == e.Name)
		return filled || sameSet(slices.DeleteFunc(slices.Clone(old.Keywords), placeholder.MatchString), e.Keywords)
	case "languages":
		had := make([]string, len(old.Languages))
		for i, tag := range old.Languages {
			had[i] = languageOf(tag)
		}
		return sameSet(had, e.Languages)
	case "matters":
		return slices.Equal(split(strings.Join(old.Matters, "\n")), e.Matters)
	case "open_type": // silence is no permission
		return l.d.partial && old.OpenType == 0 && e.OpenType == cataloguev1.OpenType_OPEN_TYPE_DENIED
	case "open_condition":
		return l.d.partial && len([]rune(e.OpenCondition)) >= maxRights && strings.HasPrefix(squeezed(old.OpenCondition), squeezed(e.OpenCondition))
	case "modified": // in place of a day that is not stated stands the moment of the ledger
		_, err := time.Parse(time.RFC3339, e.Modified)
		return l.d.partial && old.Modified == "" && err == nil || sameDay(old.Modified, e.Modified)
	case "issued":
		return sameDay(old.Issued, e.Issued)
	case "format": // guessed from the files, where no column has it
		return l.d.partial && !l.d.linked && !l.has("format")
	}
	return false
}

// maxRights is where data.json cuts what it says of rights.
const maxRights = 255

func sameDay(have, says string) bool {
	d, ok := dayOf(have)
	return ok && d == says
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// has reports whether the list has a column for a path.
func (l *layer) has(path string) bool {
	return slices.ContainsFunc(l.columns, func(c stated) bool { return c.path == path })
}

// aliases are those of the list where it has a column for them. Else its code that
// cannot be an id is one more.
func (l *layer) aliases(old, says []string) []string {
	if l.has("aliases") || l.d.native {
		return says
	}
	out := slices.Clone(old)
	for _, s := range says {
		if len(out) < maxAliases && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// tellKept names what is empty in the list and stays on the ledger.
func (a *apply) tellKept(d *Draft, kept []string) {
	if len(kept) == 0 {
		return
	}
	lang := a.plan.opts.Lang
	a.tell(sheet.Problem{
		Line: d.Line, Field: kept[0], Code: fault.Doubtful,
		Message:    lang.Say("“%s”：文件没有写的内容账本上有，未清除：%s", "%q: the list leaves empty what the ledger has; it was not cleared: %s", brief(d.Entry.Name), briefly(kept)),
		Suggestion: lang.Say("确要清除：用 json 格式写成空值（\"\"、0、false）后导入", "to clear it: import it as json with an empty value (\"\", 0, false)"),
	})
}
