package export

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
)

// Vocabulary is the namespace of our own terms in DCAT, for what DCAT has no term for
// and a reader should see: share type, grade, duties.
const Vocabulary = "urn:mulian:vocabulary:"

// dcatContext gives the prefixes. A dataset says itself in which catalogue it is,
// so that the catalogue's node need not list 100,000 of them.
const dcatContext = `{"adms":"http://www.w3.org/ns/adms#","csvw":"http://www.w3.org/ns/csvw#","dcat":"http://www.w3.org/ns/dcat#","dct":"http://purl.org/dc/terms/",` +
	`"foaf":"http://xmlns.com/foaf/0.1/","rdfs":"http://www.w3.org/2000/01/rdf-schema#","skos":"http://www.w3.org/2004/02/skos/core#","xsd":"http://www.w3.org/2001/XMLSchema#",` +
	`"mulian":"` + Vocabulary + `","inCatalogue":{"@reverse":"dcat:dataset","@type":"@id"}}`

type (
	// node is a JSON-LD object; maps are written with their keys sorted.
	node map[string]any
	ref  struct {
		ID string `json:"@id"`
	}
	typed struct {
		Value string `json:"@value"`
		Type  string `json:"@type"`
	}
	tagged struct {
		Value string `json:"@value"`
		Lang  string `json:"@language"`
	}
)

// dcat writes DCAT-AP 3 as JSON-LD: the concepts of the EU authority tables that are
// used, the catalogue, and one dataset for each entry.
func (e *export) dcat() error {
	e.out.WriteString(`{"@context":` + dcatContext + `,"@graph":[`)
	for _, n := range vocabularyNodes() {
		if err := e.node(n); err != nil {
			return err
		}
		e.out.WriteByte(',')
	}
	catalogue := e.opts.Base + "catalogue"
	publisher := e.opts.Base + "consortium"
	if err := e.node(node{
		"@id": catalogue, "@type": "dcat:Catalog",
		"dct:title":       []tagged{{"政务数据目录 " + e.src.Chain, "zh"}, {"Catalogue of government data " + e.src.Chain, "en"}},
		"dct:description": []tagged{{"由 Mulian 目录链导出，账本高度 " + strconv.FormatInt(e.src.Height, 10), "zh"}, {"Exported from the Mulian catalogue chain at height " + strconv.FormatInt(e.src.Height, 10), "en"}},
		"dct:publisher":   node{"@id": publisher, "@type": "foaf:Agent", "foaf:name": tagged{e.src.Chain, "en"}},
		"dct:language":    []ref{{languages["zh"]}},
		"dct:modified":    typed{e.src.At.UTC().Format(time.RFC3339), "xsd:dateTime"},
	}); err != nil {
		return err
	}
	err := e.entries(func(m *cataloguev1.Entry) error {
		e.out.WriteByte(',')
		return e.node(e.dataset(m, catalogue))
	})
	if err != nil {
		return err
	}
	_, err = e.out.WriteString("\n]}\n")
	return err
}

func (e *export) node(n node) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(n); err != nil {
		return err
	}
	e.out.WriteByte('\n')
	_, err := e.out.Write(bytes.TrimRight(line.Bytes(), "\n"))
	return err
}

// dataset is one entry. DCAT-AP wants a description of every dataset: an entry
// without an abstract is described by its name.
func (e *export) dataset(m *cataloguev1.Entry, catalogue string) node {
	id := e.opts.Base + "entry:" + segment(m.GetId())
	n := node{
		"@id": id, "@type": "dcat:Dataset", "inCatalogue": catalogue,
		"dct:identifier":  m.GetId(),
		"dct:title":       literal(m.GetName()),
		"dct:description": literal(first(m.GetAbstract(), m.GetName())),
		"dct:publisher":   e.agent(m.GetProvider()),
	}
	n.set("dcat:keyword", literals(m.GetKeywords()))
	n.set("dct:accrualPeriodicity", reference(frequencies[m.GetUpdateCycle()]))
	n.set("dct:accessRights", reference(accessRights[m.GetOpenType()]))
	n.set("dct:issued", date(m.GetIssued()))
	n.set("dct:modified", date(m.GetModified()))
	if m.GetCategory() != "" {
		n["dcat:theme"] = node{
			"@id": e.opts.Base + "theme:" + segment(m.GetCategory()), "@type": "skos:Concept", "skos:prefLabel": literal(m.GetCategory()),
			"skos:inScheme": node{"@id": e.opts.Base + "themes", "@type": "skos:ConceptScheme", "dct:title": []tagged{{"资源分类", "zh"}, {"Categories", "en"}}},
		}
	}
	if page := m.GetLandingPage(); iri(page) {
		n["dcat:landingPage"] = node{"@id": page, "@type": "foaf:Document"}
	} else {
		n.set("mulian:landingPage", page) // as it was published, though it is no IRI
	}
	if r := m.GetCoverageRegion(); r != "" {
		n["dct:spatial"] = node{"@id": "urn:gb2260:" + r, "@type": "dct:Location", "dct:identifier": r}
	}
	if t := m.GetCoverageTime(); t != "" {
		n["dct:temporal"] = node{"@type": "dct:PeriodOfTime", "rdfs:label": t}
	}
	n.set("dct:license", licence(m.GetLicence()))
	e.languages(n, m.GetLanguages())
	e.own(n, m)
	if len(m.GetItems()) > 0 {
		n["csvw:tableSchema"] = e.schema(m)
	}
	var files []node
	for i, r := range m.GetResources() {
		files = append(files, e.distribution(id+"#"+strconv.Itoa(i+1), r))
	}
	n.set("dcat:distribution", files)
	return n
}

// own are the terms of our own vocabulary.
func (e *export) own(n node, m *cataloguev1.Entry) {
	n.set("mulian:shareType", code.ShareTypes.Code(code.ShareType(m.GetShareType())))
	n.set("mulian:shareCondition", m.GetConditions().GetScope())
	n.set("mulian:openCondition", m.GetOpenCondition())
	n.set("mulian:format", code.ResourceFormats.Code(code.ResourceFormat(m.GetFormat())))
	n.set("mulian:grade", code.Grades.Code(code.Grade(m.GetGrade())))
	n.set("mulian:personal", code.Personals.Code(code.Personal(m.GetPersonal())))
	n.set("mulian:duty", m.GetDuties())
	n.set("mulian:origin", m.GetOrigin())
	n.set("mulian:denyLaw", m.GetDenyBasis().GetLaw())
	n.set("mulian:denyArticle", m.GetDenyBasis().GetArticle())
	n.set("mulian:denyBasis", m.GetDenyBasis().GetText())
}

// set puts a value that says something.
func (n node) set(name string, v any) {
	switch x := v.(type) {
	case nil:
		return
	case string:
		if x == "" {
			return
		}
	case []string:
		if len(x) == 0 {
			return
		}
	case []any:
		if len(x) == 0 {
			return
		}
	case []node:
		if len(x) == 0 {
			return
		}
	}
	n[name] = v
}

func (e *export) agent(org string) node {
	o := e.org(org)
	name := []any{literal(o.Name)}
	if o.NameEN != "" {
		name = append(name, tagged{o.NameEN, "en"})
	}
	return node{"@id": e.opts.Base + "org:" + segment(org), "@type": "foaf:Agent", "foaf:name": name, "dct:identifier": org}
}

func (e *export) languages(n node, tags []string) {
	var known []ref
	var other []string
	for _, t := range tags {
		if l, ok := languages[t]; ok {
			known = append(known, ref{l})
		} else {
			other = append(other, t)
		}
	}
	if len(known) > 0 {
		n["dct:language"] = known
	}
	n.set("mulian:language", other)
}

// schema lists the items as columns of CSV on the Web, in their order.
func (e *export) schema(m *cataloguev1.Entry) node {
	cols := make([]node, len(m.GetItems()))
	var keys []string
	for i, it := range m.GetItems() {
		c := node{"@type": "csvw:Column", "csvw:name": it.GetCode(), "csvw:title": literal(it.GetName())}
		c.set("csvw:datatype", csvwTypes[it.GetType()])
		c.set("mulian:type", it.GetType())
		c.set("mulian:technicalName", it.GetTechnicalName())
		c.set("mulian:length", number(it.GetLength()))
		c.set("mulian:precision", number(it.GetPrecision()))
		c.set("mulian:codeTable", it.GetCodeTable())
		c.set("mulian:shareType", code.ShareTypes.Code(code.ShareType(it.GetShareType())))
		c.set("mulian:openType", code.OpenTypes.Code(code.OpenType(it.GetOpenType())))
		c.set("mulian:personal", code.Personals.Code(code.Personal(it.GetPersonal())))
		if it.GetPrimaryKey() {
			keys = append(keys, it.GetCode())
		}
		cols[i] = c
	}
	n := node{"@type": "csvw:Schema", "csvw:column": node{"@list": cols}}
	n.set("csvw:primaryKey", keys)
	return n
}

var csvwTypes = map[string]string{
	"text": "string", "integer": "integer", "decimal": "decimal", "boolean": "boolean", "date": "date", "timestamp": "dateTime", "bytes": "base64Binary", "float": "double", "json": "json",
}

// distribution is one file or interface. What has no address of the web gets one in
// our namespace, for DCAT-AP wants one.
func (e *export) distribution(id string, r *cataloguev1.Resource) node {
	address := r.GetUrl()
	if !iri(address) {
		address = id + "-address"
	}
	n := node{"@id": id, "@type": "dcat:Distribution", "dcat:accessURL": node{"@id": address, "@type": "rdfs:Resource"}}
	if address != r.GetUrl() {
		n.set("mulian:address", r.GetUrl()) // as it was published, though it is no IRI
	}
	n.set("dct:title", literal(r.GetTitle()))
	n.set("dct:modified", date(r.GetModified()))
	n.set("dct:format", reference(fileType(r.GetFormat())))
	n.set("mulian:format", r.GetFormat())
	if mt := r.GetMediaType(); mediaType.MatchString(mt) {
		n["dcat:mediaType"] = node{"@id": "http://www.iana.org/assignments/media-types/" + mt, "@type": "dct:MediaType"}
	} else {
		n.set("mulian:mediaType", mt)
	}
	if r.GetBytes() > 0 {
		n["dcat:byteSize"] = typed{strconv.FormatUint(r.GetBytes(), 10), "xsd:nonNegativeInteger"}
	}
	if r.GetApi() {
		n["dcat:accessService"] = node{
			"@id": id + "-service", "@type": "dcat:DataService", "dct:title": literal(first(r.GetTitle(), r.GetUrl(), "API")),
			"dcat:endpointURL": node{"@id": address, "@type": "rdfs:Resource"},
		}
	}
	return n
}

func licence(text string) any {
	switch {
	case text == "":
		return nil
	case iri(text):
		return node{"@id": text, "@type": "dct:LicenseDocument"}
	}
	return node{"@type": "dct:LicenseDocument", "rdfs:label": text}
}

// literal is a text with its language: Chinese where there is a Han character,
// English where there are only ASCII letters, else none.
func literal(s string) any {
	letters := false
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Han, r):
			return tagged{s, "zh"}
		case r >= 0x80 && unicode.IsLetter(r):
			return s
		case unicode.IsLetter(r):
			letters = true
		}
	}
	if letters {
		return tagged{s, "en"}
	}
	return s
}

func literals(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = literal(s)
	}
	return out
}

func reference(iri string) any {
	if iri == "" {
		return nil
	}
	return ref{iri}
}

// date is a day or a moment, as the ledger writes it.
func date(text string) any {
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		return typed{text, "xsd:date"}
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return typed{text, "xsd:dateTime"}
	}
	if text == "" {
		return nil
	}
	return text
}

// iri reports whether a text can stand as an address: absolute, and without what
// RFC 3987 forbids.
func iri(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.ContainsAny(text, " <>\"{}|\\^`")
}

// segment writes a text as part of a URN or path.
func segment(text string) string { return strings.ReplaceAll(url.PathEscape(text), "%3A", ":") }

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
