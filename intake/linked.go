package intake

import (
	"cmp"
	"strings"

	"mulian/intake/sheet"
	"mulian/internal/code"
)

// Our own DCAT (intake/export) says with terms of our own what DCAT has no term for.
// It is read term by term, like our own form; DCAT of others goes through headers.

const (
	ownTerms  = "urn:mulian:vocabulary:"
	csvwTerms = "http://www.w3.org/ns/csvw#"
	iana      = "http://www.iana.org/assignments/media-types/"
)

// ownFrequencies and ownAccess are the EU authority codes that we write, as the
// schema names the values.
var (
	ownFrequencies = map[string]string{
		"UPDATE_CONT": "REALTIME", "DAILY": "DAILY", "WEEKLY": "WEEKLY", "MONTHLY": "MONTHLY", "QUARTERLY": "QUARTERLY", "ANNUAL_2": "HALF_YEARLY", "ANNUAL": "YEARLY", "IRREG": "IRREGULAR", "NEVER": "HISTORICAL",
	}
	ownAccess = map[string]string{"PUBLIC": "UNCONDITIONAL", "RESTRICTED": "CONDITIONAL", "NON_PUBLIC": "DENIED"}
)

// isOwnLinked reports whether an object is a dataset of our own DCAT.
func isOwnLinked(fields []sheet.Field) bool {
	return isOwnID(keyed(fields, "dct:identifier").Text) && keyed(fields, ownTerms+"shareType").Text != ""
}

// linked reads values of a node.
type linked []sheet.Field

// text is a literal, whatever its language.
func (l linked) text(name string) string {
	if t := keyed(l, name).Text; t != "" {
		return t
	}
	return keyed(l, name+"@en").Text
}

// node is what a reference leads to.
func (l linked) node(name string) linked { return linked(keyed(l, name).Parts) }

// all are the values of a term: one or several.
func (l linked) all(name string) []sheet.Field {
	var out []sheet.Field
	for _, n := range []string{name, name + "@en"} {
		f := keyed(l, n)
		switch {
		case len(f.Parts) > 0 && f.Parts[0].Name == "":
			out = append(out, f.Parts...)
		case len(f.Parts) > 0 || f.Text != "":
			out = append(out, f)
		}
	}
	return out
}

// address is where a reference leads to: of a node that says more of itself, or alone.
func (l linked) address(name string) string {
	if id := l.node(name).text("@id"); id != "" {
		return id
	}
	return l.text(name)
}

// last is the last step of an address.
func (l linked) last(name string) string {
	id := l.address(name)
	return id[strings.LastIndexByte(id, '/')+1:]
}

// object collects the fields of an object of our own form.
type object []sheet.Field

func (o *object) set(name, text string) {
	if text != "" {
		*o = append(*o, sheet.Field{Name: name, Text: text})
	}
}

func (o *object) list(name string, parts []sheet.Field) {
	if len(parts) > 0 {
		*o = append(*o, sheet.Field{Name: name, Parts: parts})
	}
}

// enum puts a value that is there under the schema's name.
func (o *object) enum(name, prefix, value string) {
	if value != "" {
		o.set(name, prefix+value)
	}
}

// fromLinked turns a dataset of our own DCAT into an object of our own form.
func fromLinked(fields []sheet.Field) []sheet.Field {
	l := linked(fields)
	id := l.text("dct:identifier")
	org, _, _ := ownID(id)
	var o object
	o.set("id", id)
	o.set("provider", org)
	if names := l.node("dct:publisher").all("foaf:name"); len(names) > 0 {
		o.set(ProviderName, names[0].Text)
	}
	o.set("name", l.text("dct:title"))
	o.set("abstract", l.text("dct:description"))
	o.set("category", l.node("dcat:theme").text("skos:prefLabel"))
	o.enum("update_cycle", "UPDATE_CYCLE_", ownFrequencies[l.last("dct:accrualPeriodicity")])
	o.enum("open_type", "OPEN_TYPE_", ownAccess[l.last("dct:accessRights")])
	o.set("issued", l.text("dct:issued"))
	o.set("modified", l.text("dct:modified"))
	o.set("landing_page", cmp.Or(l.text(ownTerms+"landingPage"), l.address("dcat:landingPage")))
	o.set("coverage_region", l.node("dct:spatial").text("dct:identifier"))
	o.set("coverage_time", l.node("dct:temporal").text("rdfs:label"))
	if label := l.node("dct:license").text("rdfs:label"); label != "" {
		o.set("licence", label)
	} else {
		o.set("licence", l.address("dct:license"))
	}
	o.list("keywords", plainParts(l.all("dcat:keyword")))
	o.list("languages", l.languages())
	o.list("duties", plainParts(l.all(ownTerms+"duty")))
	o.own(l)
	o.list("items", l.items())
	o.list("resources", l.resources())
	return o
}

func (o *object) own(l linked) {
	o.set("share_type", l.text(ownTerms+"shareType"))
	o.set("open_condition", l.text(ownTerms+"openCondition"))
	o.set("grade", l.text(ownTerms+"grade"))
	o.set("personal", l.text(ownTerms+"personal"))
	o.set("origin", l.text(ownTerms+"origin"))
	if v, err := code.ResourceFormats.Parse(l.text(ownTerms + "format")); err == nil {
		o.set("format", string('0'+byte(v)))
	}
	if scope := l.text(ownTerms + "shareCondition"); scope != "" {
		o.list("conditions", []sheet.Field{{Name: "scope", Text: scope}})
	}
	var basis object
	basis.set("law", l.text(ownTerms+"denyLaw"))
	basis.set("article", l.text(ownTerms+"denyArticle"))
	basis.set("text", l.text(ownTerms+"denyBasis"))
	o.list("deny_basis", basis)
}

func plainParts(values []sheet.Field) []sheet.Field {
	out := make([]sheet.Field, len(values))
	for i, v := range values {
		out[i] = sheet.Field{Text: v.Text}
	}
	return out
}

func (l linked) languages() []sheet.Field {
	var out []sheet.Field
	for _, v := range l.all("dct:language") {
		id := v.Text
		if len(v.Parts) > 0 {
			id = linked(v.Parts).text("@id")
		}
		if tag := languageOf(id); tag != "" {
			out = append(out, sheet.Field{Text: tag})
		}
	}
	return append(out, plainParts(l.all(ownTerms+"language"))...)
}

// items are the columns of the dataset's table schema.
func (l linked) items() []sheet.Field {
	schema := l.node(csvwTerms + "tableSchema")
	keys := map[string]bool{}
	for _, k := range schema.all(csvwTerms + "primaryKey") {
		keys[k.Text] = true
	}
	var out []sheet.Field
	for _, c := range schema.all(csvwTerms + "column") {
		p := linked(c.Parts)
		var it object
		it.set("code", p.text(csvwTerms+"name"))
		it.set("name", p.text(csvwTerms+"title"))
		for field, term := range map[string]string{
			"type": "type", "technical_name": "technicalName", "length": "length", "precision": "precision", "code_table": "codeTable",
			"share_type": "shareType", "open_type": "openType", "personal": "personal",
		} {
			it.set(field, p.text(ownTerms+term))
		}
		if keys[p.text(csvwTerms+"name")] {
			it.set("primary_key", "true")
		}
		out = append(out, sheet.Field{Parts: it})
	}
	return out
}

func (l linked) resources() []sheet.Field {
	var out []sheet.Field
	for _, d := range l.all("dcat:distribution") {
		p := linked(d.Parts)
		var r object
		r.set("title", p.text("dct:title"))
		r.set("url", cmp.Or(p.text(ownTerms+"address"), p.address("dcat:accessURL")))
		r.set("format", p.text(ownTerms+"format"))
		r.set("media_type", strings.TrimPrefix(p.address("dcat:mediaType"), iana))
		r.set("media_type", p.text(ownTerms+"mediaType"))
		r.set("bytes", p.text("dcat:byteSize"))
		r.set("modified", p.text("dct:modified"))
		if len(p.all("dcat:accessService")) > 0 {
			r.set("api", "true")
		}
		out = append(out, sheet.Field{Parts: r})
	}
	return out
}
