package sheet

import (
	"errors"
	"io"
	"slices"
	"sort"
	"strings"

	"mulian/internal/fault"
)

// graph holds the statements of an RDF file (RDF/XML, Turtle, N-Triples, JSON-LD).
// Its records are the data sets: the nodes of the class dcat:Dataset, or of its
// subclass dcat:DatasetSeries. What a data set points to (its publisher, its
// distributions) becomes a part of its record, so that the record of a data set
// looks like the one that a JSON portal publishes:
//
//	@id, dct:title, dcat:keyword [ … ], dct:publisher { foaf:name }, dcat:distribution [ { … } ]
//
// A list (rdf:first, rdf:rest) is given as its members: in a catalogue it means
// nothing else.
type graph struct {
	file  *File
	nodes map[string]*graphNode
	words map[string]string // names of properties and language tags, once each
	count int
	bytes int
	fresh int // blank nodes without a label so far

	wrong  []Record // what could not be read, by line
	order  []*graphNode
	budget int
}

// graphNode is what the file says of one node.
type graphNode struct {
	id    string // IRI, or _: and a label
	line  int    // of the first statement
	props []property
	class byte // see classes
}

// property is one statement. Two words hold what differs between its kinds.
type property struct {
	name  string
	value term
}

// term is the object of a statement.
type term struct {
	text string // literal, IRI or _:label
	lang string // of a literal; lower case
	kind termKind
}

type termKind uint8

const (
	literal termKind = iota + 1
	reference
)

// The classes of nodes.
const (
	isDataset = 1 << iota
	isCatalog
	isService
)

const (
	rdfNS    = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	typeIRI  = rdfNS + "type"
	dcatNS   = "http://www.w3.org/ns/dcat#"
	blankTag = "_:"
)

// spaces are the prefixes under which records name properties. The namespace of
// DCAT-AP.de carries its version.
var spaces = []struct{ iri, prefix string }{
	{"http://purl.org/dc/terms/", "dct:"},
	{dcatNS, "dcat:"},
	{"http://xmlns.com/foaf/0.1/", "foaf:"},
	{"http://www.w3.org/2006/vcard/ns#", "vcard:"},
	{"http://www.w3.org/ns/adms#", "adms:"},
	{"http://www.w3.org/2004/02/skos/core#", "skos:"},
	{"http://www.w3.org/2000/01/rdf-schema#", "rdfs:"},
	{"http://www.w3.org/2002/07/owl#", "owl:"},
	{"http://purl.org/dc/elements/1.1/", "dc:"},
	{"http://schema.org/", "schema:"},
	{"https://schema.org/", "schema:"},
	{"http://www.w3.org/ns/locn#", "locn:"},
	{"http://www.w3.org/ns/prov#", "prov:"},
	{"http://spdx.org/rdf/terms#", "spdx:"},
	{"http://data.europa.eu/r5r/", "dcatap:"},
	{rdfNS, "rdf:"},
	{"http://dcat-ap.de/def/dcatde/", "dcatde:"},
}

// shortName is the name of a property with its prefix.
func shortName(iri string) string {
	for _, s := range spaces {
		rest, ok := strings.CutPrefix(iri, s.iri)
		if !ok {
			continue
		}
		if s.prefix == "dcatde:" {
			rest = rest[strings.LastIndexByte(rest, '/')+1:]
		}
		return s.prefix + rest
	}
	return iri
}

var errStatements = errors.New("more statements than the bound")

// openGraph reads the whole graph and makes it the source of f.
func (f *File) openGraph(read func(*graph) error) error {
	g := &graph{file: f, nodes: make(map[string]*graphNode), words: make(map[string]string)}
	if err := read(g); errors.Is(err, errStatements) {
		return fault.Newf(fault.TooLong, "%s", f.lang.Say("%s 超过 %d 条陈述或 %d MB 文字：请拆成几个文件，或下载 csv、JSON", "%s has more than %d statements, or %d MB of text: split it, or take the csv or JSON", f.Name, maxStatements, maxGraphBytes>>20))
	} else if err != nil {
		return err
	}
	services := 0
	for _, n := range g.nodes {
		switch {
		case n.class&isDataset != 0:
			g.order = append(g.order, n)
		case n.class&isService != 0:
			services++
		}
	}
	if len(g.order) == 0 && len(g.wrong) == 0 {
		return fault.Newf(fault.Empty, "%s", f.lang.Say("%s 是 RDF（%d 条陈述），其中没有 dcat:Dataset：不是目录", "%s is RDF (%d statements) without any dcat:Dataset: it is no catalogue", f.Name, g.count))
	}
	sort.Slice(g.order, func(i, j int) bool {
		a, b := g.order[i], g.order[j]
		return a.line < b.line || a.line == b.line && a.id < b.id
	})
	if services > 0 {
		f.Notes = append(f.Notes, Problem{Code: fault.Doubtful, Field: "dcat:DataService", Message: f.lang.Say("有 %d 个数据服务（dcat:DataService）不作为条目导入", "%d data services (dcat:DataService) are no entries and are not imported", services)})
	}
	f.Shape = "graph"
	g.budget = 16*g.count + 1<<16
	f.src = g
	return nil
}

// word returns the one copy of a text that occurs again and again.
func (g *graph) word(s string) string {
	if w, ok := g.words[s]; ok {
		return w
	}
	w := strings.Clone(s)
	if len(g.words) < 1<<16 {
		g.words[w] = w
	}
	return w
}

// blank returns a new blank node. The label cannot occur in a file.
func (g *graph) blank() string {
	g.fresh++
	return blankTag + " " + itoa(g.fresh)
}

func itoa(n int) string {
	var b [20]byte
	i := len(b)
	for ; n > 0; n /= 10 {
		i--
		b[i] = byte('0' + n%10)
	}
	return string(b[i:])
}

// add adds one statement.
func (g *graph) add(subject, predicate string, v term, line int) error {
	if g.count++; g.count > maxStatements {
		return errStatements
	}
	if g.bytes += len(v.text); g.bytes > maxGraphBytes {
		return errStatements
	}
	n := g.nodes[subject]
	if n == nil {
		id := strings.Clone(subject)
		n = &graphNode{id: id, line: line}
		g.nodes[id] = n
		g.bytes += len(id)
	}
	if predicate == typeIRI {
		switch strings.TrimPrefix(v.text, dcatNS) {
		case "Dataset", "DatasetSeries":
			n.class |= isDataset
		case "Catalog":
			n.class |= isCatalog
		case "DataService":
			n.class |= isService
		}
		return nil
	}
	if len(v.text) > maxCellBytes {
		v.text = strings.ToValidUTF8(v.text[:maxCellBytes], "")
	}
	v.lang = g.word(strings.ToLower(v.lang))
	n.props = append(n.props, property{g.word(shortName(predicate)), v})
	return nil
}

// ended remembers where reading ended before its time: the record stands behind
// the others, and what was read until there is given.
func (g *graph) ended(line int, code fault.Code, zh, en string, args ...any) {
	l := g.file.lang
	g.tell(Record{Line: line, Broken: true, Problems: []Problem{{
		Line: line, Code: code, Message: l.Say(zh, en, args...),
		Suggestion: l.Say("其后的内容未读取：改正后重新导入", "what follows was not read: correct it and import again"),
	}}})
}

// tell keeps what is wrong at one place; of more than a person reads, the count.
func (g *graph) tell(rec Record) {
	if len(g.wrong) < maxWrong {
		g.wrong = append(g.wrong, rec)
		return
	}
	g.wrong[maxWrong-1].Problems[0].Message = g.file.lang.Say("从此处起还有更多不能读取的记录", "from here on more records cannot be read")
}

// next implements source.
func (g *graph) next() (Record, error) {
	if len(g.wrong) > 0 && (len(g.order) == 0 || g.wrong[0].Line < g.order[0].line) {
		rec := g.wrong[0]
		g.wrong = g.wrong[1:]
		return rec, nil
	}
	if len(g.order) == 0 {
		return Record{}, io.EOF
	}
	n := g.order[0]
	g.order = g.order[1:]
	rec := Record{Line: n.line}
	left := maxFields
	rec.Fields = g.fields(n, nil, &left)
	switch {
	case g.budget < 0:
		return rec, fault.Newf(fault.TooLong, "%s", g.file.lang.Say("%s 的节点互相引用过多", "the nodes of %s refer to each other too often", g.file.Name))
	case left < 0:
		rec.Fields, rec.Broken = nil, true
		rec.Problems = append(rec.Problems, Problem{Line: n.line, Code: fault.TooLong, Message: g.file.lang.Say("该记录多于 %d 个值", "the record has more than %d values", maxFields)})
	}
	return rec, nil
}

// fields makes fields of a node: its IRI, then its properties in the order in
// which each first occurs, the values of one together.
func (g *graph) fields(n *graphNode, path []*graphNode, left *int) []Field {
	out := []Field{}
	if !strings.HasPrefix(n.id, blankTag) {
		out = append(out, Field{Name: "@id", Text: n.id})
	}
	at := make(map[string]int)
	values := [][]term{}
	for _, p := range n.props {
		i, ok := at[p.name]
		if !ok {
			i = len(values)
			at[p.name] = i
			values = append(values, nil)
			out = append(out, Field{Name: p.name})
		}
		if len(values[i]) < 64 && slices.Contains(values[i], p.value) {
			continue // said twice is said once
		}
		values[i] = append(values[i], p.value)
	}
	first := len(out) - len(values)
	for i, list := range values {
		f := &out[first+i]
		if f.Name != "dcat:keyword" {
			var others []Field
			list, others = translations(f.Name, list)
			out = append(out, others...)
			f = &out[first+i]
		}
		*left -= len(list)
		g.budget -= len(list)
		if *left < 0 || g.budget < 0 {
			return out
		}
		if len(list) == 1 {
			v := g.value(list[0], append(path, n), left)
			f.Text, f.Parts = v.Text, v.Parts
			continue
		}
		f.Parts = make([]Field, 0, len(list))
		for _, t := range list {
			f.Parts = append(f.Parts, g.value(t, append(path, n), left))
		}
	}
	return out
}

// value makes a field of an object. A node that the file describes is given with
// what it says, unless it is a data set or catalogue of its own, or is on the way
// to itself.
func (g *graph) value(t term, path []*graphNode, left *int) Field {
	if t.kind == literal {
		return Field{Text: t.text}
	}
	n := g.nodes[t.text]
	if n != nil && n.class&(isDataset|isCatalog) == 0 && len(path) <= maxNested && !slices.Contains(path, n) && len(n.props) > 0 {
		if parts := g.fields(n, path, left); len(parts) > 0 {
			return Field{Parts: parts}
		}
	}
	if strings.HasPrefix(t.text, blankTag) {
		return Field{}
	}
	return Field{Text: t.text}
}

// translations chooses one of several values that say the same in several
// languages: Chinese, then English, then one without a language, then the first.
// The others are given under the name with their language.
func translations(name string, list []term) (chosen []term, others []Field) {
	if len(list) < 2 {
		return list, nil
	}
	best, seen := 0, make(map[string]bool)
	rank := func(t term) int {
		switch tag, _, _ := strings.Cut(t.lang, "-"); tag {
		case "zh":
			return 0
		case "en":
			return 1
		case "":
			return 2
		}
		return 3
	}
	for i, t := range list {
		if t.kind != literal || seen[t.lang] {
			return list, nil
		}
		seen[t.lang] = true
		if rank(t) < rank(list[best]) {
			best = i
		}
	}
	for i, t := range list {
		if i != best {
			others = append(others, Field{Name: name + "@" + t.lang, Text: t.text})
		}
	}
	return list[best : best+1], others
}
