package index

import (
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

// field is one column of the table of words, best first: a match in a better field
// stands before any match in a worse one.
type field int

const (
	fieldExact   field = iota // the whole name, id or alias
	fieldName                 // name, title
	fieldCode                 // ids, aliases, codes
	fieldKeyword              // keywords, category
	fieldItem                 // names of items, columns, inputs
	fieldBody                 // abstract, source
	fieldFacet                // tokens of the facets; never searched by text
	fields
)

// columnNames are the fields as FTS5 knows them.
var columnNames = [fields]string{"exact", "name", "code", "keyword", "item", "body", "facet"}

// order puts hits that match equally well in a sequence: entries before duties
// before tables ... before single items. It is the first part of a row's number.
type order uint8

const (
	orderEntry order = iota + 1
	orderDuty
	orderMatter
	orderTable
	orderSystem
	orderCode
	orderItem
	// Found by lists with a text, never by Search:
	orderAccount
	orderProposal
	orderRequest
	orderAgreement
)

// orders is which order the objects of a table have; a table that is not here is
// not searched.
var orders = map[string]order{
	Entry: orderEntry, Duty: orderDuty, Matter: orderMatter, Table: orderTable, System: orderSystem, Code: orderCode, CodeTable: orderCode,
	Account: orderAccount, Proposal: orderProposal, Request: orderRequest, Agreement: orderAgreement,
}

// hitKinds is what a hit of an order is called.
var hitKinds = map[order]cataloguev1.HitKind{
	orderEntry: cataloguev1.HitKind_HIT_KIND_ENTRY, orderDuty: cataloguev1.HitKind_HIT_KIND_DUTY, orderMatter: cataloguev1.HitKind_HIT_KIND_MATTER,
	orderTable: cataloguev1.HitKind_HIT_KIND_TABLE, orderSystem: cataloguev1.HitKind_HIT_KIND_SYSTEM, orderCode: cataloguev1.HitKind_HIT_KIND_CODE,
	orderItem: cataloguev1.HitKind_HIT_KIND_ITEM,
}

// text is one field of an object as it is searched and shown.
type text struct {
	in    field
	label string // as Marked.field names it
	text  string
}

// document is an object, or an item of an entry, as the search sees it.
type document struct {
	order order
	item  int // number of the item plus one; 0 = the object itself
	title string
	texts []text
	share cataloguev1.ShareType
}

// documentOf makes what is searched of an object; ok is false for what is not.
func documentOf(m proto.Message) (d document, ok bool) {
	switch m := m.(type) {
	case *cataloguev1.Entry:
		return entryDocument(m), true
	case *cataloguev1.Duty:
		return document{order: orderDuty, title: m.GetTitle(), texts: []text{
			{fieldName, "title", m.GetTitle()},
			{fieldCode, "id", m.GetId()},
			{fieldCode, "matter_code", m.GetMatterCode()},
			{fieldBody, "source", m.GetSource()},
			{fieldBody, "article", m.GetArticle()},
		}}, true
	case *cataloguev1.Matter:
		d := document{order: orderMatter, title: m.GetName(), texts: []text{
			{fieldName, "name", m.GetName()}, {fieldCode, "id", m.GetId()}, {fieldCode, "code", m.GetCode()}, {fieldKeyword, "category", m.GetCategory()},
		}}
		d.add(fieldItem, "input", m.GetInputs()...)
		return d, true
	case *cataloguev1.Table:
		d := document{order: orderTable, title: m.GetName(), texts: []text{{fieldName, "name", m.GetName()}, {fieldCode, "id", m.GetId()}}}
		for _, c := range m.GetColumns() {
			d.add(fieldItem, "column", c.GetName(), c.GetComment())
		}
		return d, true
	case *cataloguev1.System:
		return document{order: orderSystem, title: m.GetName(), texts: []text{
			{fieldName, "name", m.GetName()}, {fieldCode, "id", m.GetId()}, {fieldBody, "hosting", m.GetHosting()},
		}}, true
	case *cataloguev1.CodeTable:
		return document{order: orderCode, title: m.GetName(), texts: []text{
			{fieldName, "name", m.GetName()}, {fieldCode, "id", m.GetId()}, {fieldBody, "standard", m.GetStandard()},
		}}, true
	case *cataloguev1.Code:
		return document{order: orderCode, title: m.GetName(), texts: []text{
			{fieldName, "name", m.GetName()}, {fieldCode, "code", m.GetCode()}, {fieldKeyword, "table", m.GetTable()},
		}}, true
	}
	return listDocument(m)
}

// listDocument is for the objects that only lists with a text find.
func listDocument(m proto.Message) (document, bool) {
	switch m := m.(type) {
	case *identityv1.Account:
		p := m.GetProfile()
		return document{order: orderAccount, title: m.GetName() + p.GetName(), texts: []text{
			{fieldName, "name", m.GetName() + p.GetName()}, {fieldName, "short_name", p.GetShortName()}, {fieldName, "name_en", p.GetNameEn()}, {fieldCode, "id", m.GetId()},
		}}, true
	case *governancev1.Proposal:
		return document{order: orderProposal, title: m.GetTitle(), texts: []text{{fieldName, "title", m.GetTitle()}, {fieldBody, "reason", m.GetReason()}}}, true
	case *sharev1.Request:
		return document{order: orderRequest, title: m.GetTerms().GetPurpose(), texts: []text{
			{fieldName, "purpose", m.GetTerms().GetPurpose()}, {fieldCode, "id", m.GetId()}, {fieldBody, "matter", m.GetTerms().GetMatter()},
		}}, true
	case *sharev1.Agreement:
		return document{order: orderAgreement, title: m.GetTerms().GetPurpose(), texts: []text{
			{fieldName, "purpose", m.GetTerms().GetPurpose()}, {fieldCode, "id", m.GetId()},
		}}, true
	}
	return document{}, false
}

func entryDocument(e *cataloguev1.Entry) document {
	d := document{order: orderEntry, title: e.GetName(), share: e.GetShareType(), texts: make([]text, 0, 8+2*len(e.GetItems()))}
	d.add(fieldName, "name", e.GetName())
	d.add(fieldCode, "id", e.GetId())
	d.add(fieldCode, "alias", e.GetAliases()...)
	if _, origin, ok := strings.Cut(e.GetOrigin(), "#"); ok {
		d.add(fieldCode, "origin", origin)
	}
	d.add(fieldKeyword, "keyword", e.GetKeywords()...)
	d.add(fieldKeyword, "category", e.GetCategory())
	for _, it := range e.GetItems() {
		d.add(fieldItem, "item", it.GetName(), it.GetTechnicalName())
	}
	d.add(fieldBody, "abstract", e.GetAbstract())
	return d
}

// itemDocument is item i of an entry, found by itself.
func itemDocument(e *cataloguev1.Entry, i int) document {
	it := e.GetItems()[i]
	d := document{order: orderItem, item: i + 1, title: it.GetName(), share: it.GetShareType()}
	if d.share == cataloguev1.ShareType_SHARE_TYPE_UNSPECIFIED {
		d.share = e.GetShareType()
	}
	d.add(fieldCode, "code", it.GetCode())
	d.add(fieldItem, "name", it.GetName())
	d.add(fieldItem, "technical_name", it.GetTechnicalName())
	return d
}

// add appends texts of one field, the empty ones not.
func (d *document) add(in field, label string, texts ...string) {
	for _, t := range texts {
		if t != "" {
			d.texts = append(d.texts, text{in, label, t})
		}
	}
}

// codes are the whole codes under which a document is found; see code.go. own says
// that the code is this object's alone; of "<org>:<local>" the organisation's is not.
func (d *document) codes(yield func(code string, own bool)) {
	for _, t := range d.texts {
		if t.in != fieldCode {
			continue
		}
		yield(t.text, true)
		owner, local, ok := strings.Cut(t.text, ":")
		if !ok || owner == "" || local == "" {
			continue
		}
		yield(local, true) // people write the local part alone
		yield(owner, false)
		if org, _, ok := strings.Cut(owner, "/"); ok { // a table's owner is a gateway
			yield(org, false)
		}
	}
}

// columns writes the document as the columns of the table of words, facets last.
func (d *document) columns(facets string, into *[fields]string) {
	var b [fields][]byte
	for _, t := range d.texts {
		s := withSingles
		if t.in == fieldBody {
			s = pairsOnly
		}
		b[t.in] = appendWords(b[t.in], t.text, s)
		if t.in == fieldName {
			b[fieldExact] = append(append(b[fieldExact], whole(t.text)...), ' ')
		}
	}
	d.codes(func(code string, own bool) {
		w := whole(code)
		b[fieldCode] = append(append(b[fieldCode], w...), ' ')
		if own && d.item == 0 {
			b[fieldExact] = append(append(b[fieldExact], w...), ' ')
		}
	})
	for i := range b {
		into[i] = string(b[i])
	}
	into[fieldFacet] = facets
}
