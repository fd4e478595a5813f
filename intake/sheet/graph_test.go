package sheet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mulian/internal/fault"
)

// tree writes records with their parts: name=text, and name{…} or name[…] for what
// has some.
func tree(t testing.TB, raw string) string {
	t.Helper()
	f, err := Read("test", strings.NewReader(raw), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var write func([]Field)
	write = func(fields []Field) {
		for i, x := range fields {
			if i > 0 {
				b.WriteString(" ")
			}
			b.WriteString(x.Name)
			switch {
			case len(x.Parts) > 0 && x.Parts[0].Name == "":
				b.WriteString("[")
				write(x.Parts)
				b.WriteString("]")
			case len(x.Parts) > 0:
				b.WriteString("{")
				write(x.Parts)
				b.WriteString("}")
			default:
				fmt.Fprintf(&b, "=%q", x.Text)
			}
		}
	}
	for {
		rec, err := f.Next()
		if err != nil {
			return b.String()
		}
		write(rec.Fields)
		for _, p := range rec.Problems {
			fmt.Fprintf(&b, "! %d %d", p.Line, uint32(p.Code))
		}
		b.WriteString("\n")
	}
}

const prefixes = "@prefix dcat: <http://www.w3.org/ns/dcat#> .\n@prefix dct: <http://purl.org/dc/terms/> .\n@prefix foaf: <http://xmlns.com/foaf/0.1/> .\n"

// theSame is one catalogue in four notations.
var theSame = map[string]string{
	"turtle": prefixes + `<http://c> a dcat:Catalog ; dcat:dataset <http://d/1> .
<http://d/1> a dcat:Dataset ; dcat:distribution [ a dcat:Distribution ; dcat:accessURL <http://f> ] ; dcat:keyword "水"@zh , "river" ;
	dct:publisher <http://p> ; dct:title "河湖水情"@zh , "Rivers"@en , "Flüsse"@de .
# a comment
<http://p> a foaf:Agent ; foaf:name """水"务"局""" .`,
	"n-triples": `<http://c> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Catalog> .
<http://c> <http://www.w3.org/ns/dcat#dataset> <http://d/1> .
<http://d/1> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .
<http://d/1> <http://www.w3.org/ns/dcat#distribution> _:b0 .
_:b0 <http://www.w3.org/ns/dcat#accessURL> <http://f> .
<http://d/1> <http://www.w3.org/ns/dcat#keyword> "\u6C34"@zh .
<http://d/1> <http://www.w3.org/ns/dcat#keyword> "river" .
<http://d/1> <http://purl.org/dc/terms/publisher> <http://p> .
<http://d/1> <http://purl.org/dc/terms/title> "河湖水情"@zh .
<http://d/1> <http://purl.org/dc/terms/title> "Rivers"@en .
<http://d/1> <http://purl.org/dc/terms/title> "Flüsse"@de .
<http://p> <http://xmlns.com/foaf/0.1/name> "水\"务\"局"^^<http://www.w3.org/2001/XMLSchema#string> .
`,
	"rdf/xml": `<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dcat="http://www.w3.org/ns/dcat#" xmlns:dct="http://purl.org/dc/terms/" xmlns:foaf="http://xmlns.com/foaf/0.1/" xml:base="http://d/">
<dcat:Catalog rdf:about="http://c"><dcat:dataset>
 <dcat:Dataset rdf:about="1">
  <dcat:distribution><dcat:Distribution><dcat:accessURL rdf:resource="http://f"/></dcat:Distribution></dcat:distribution>
  <dcat:keyword xml:lang="zh">水</dcat:keyword><dcat:keyword>river</dcat:keyword>
  <dct:publisher rdf:resource="http://p"/>
  <dct:title xml:lang="zh">河湖水情</dct:title><dct:title xml:lang="en">Rivers</dct:title><dct:title xml:lang="de">Fl&#252;sse</dct:title>
 </dcat:Dataset></dcat:dataset></dcat:Catalog>
<rdf:Description rdf:about="http://p" foaf:name='水"务"局'/>
</rdf:RDF>`,
	"json-ld": `{"@context":{"dcat":"http://www.w3.org/ns/dcat#","dct":"http://purl.org/dc/terms/","name":"http://xmlns.com/foaf/0.1/name","of":{"@reverse":"dcat:dataset","@type":"@id"}},
"@graph":[{"@id":"http://d/1","@type":"dcat:Dataset","of":"http://c","dcat:distribution":{"@type":"dcat:Distribution","dcat:accessURL":{"@id":"http://f"}},
 "dcat:keyword":[{"@value":"水","@language":"zh"},"river"],"dct:publisher":{"@id":"http://p","name":"水\"务\"局"},
 "dct:title":[{"@value":"河湖水情","@language":"zh"},{"@value":"Rivers","@language":"en"},{"@value":"Flüsse","@language":"de"}]}]}`,
}

// TestOneCatalogueInFourNotations gives the same record each time. JSON-LD has its
// keys in the order of their addresses.
func TestOneCatalogueInFourNotations(t *testing.T) {
	parts := []string{
		`@id="http://d/1"`, `dcat:distribution{dcat:accessURL="http://f"}`, `dcat:keyword[="水" ="river"]`,
		`dct:publisher{@id="http://p" foaf:name="水\"务\"局"}`, `dct:title="河湖水情"`, `dct:title@en="Rivers"`, `dct:title@de="Flüsse"`,
	}
	for name, in := range theSame {
		want := strings.Join(parts, " ") + "\n"
		if name == "json-ld" {
			want = strings.Join([]string{parts[0], parts[3], parts[4], parts[1], parts[2], parts[5], parts[6]}, " ") + "\n"
		}
		if d := cmp.Diff(want, tree(t, in)); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
		f, err := Read("x", strings.NewReader(in), Options{})
		if want := strings.Replace(name, "n-triples", "turtle", 1); err != nil || f.Format != want || f.Shape != "graph" {
			t.Errorf("%s: %v, %s", name, err, f.Format)
		}
	}
}

// TestShapesOfGraphs: what else people write.
func TestShapesOfGraphs(t *testing.T) {
	const head, end = `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dcat="http://www.w3.org/ns/dcat#" xmlns:dct="http://purl.org/dc/terms/">`, `</rdf:RDF>`
	for _, c := range []struct{ name, in, want string }{
		{"base, numbers, lists", prefixes + "BASE <http://b/>\nPREFIX x: <http://x#>\n<d> a dcat:Dataset ; x:n 1.5 , true ; x:l ( \"a\" \"b\" ) .", "@id=\"http://b/d\" http://x#n[=\"1.5\" =\"true\"] http://x#l[=\"a\" =\"b\"]\n"},
		{"a node without a name", prefixes + "[] a dcat:Dataset ; dct:title 'x'@en-GB .", "dct:title=\"x\"\n"},
		{"dots in names", prefixes + "<http://d> a dcat:Dataset;dct:conformsTo dct:a.b.\n<http://e> a dcat:Dataset.", "@id=\"http://d\" dct:conformsTo=\"http://purl.org/dc/terms/a.b\"\n@id=\"http://e\"\n"},
		{"said twice is once", prefixes + "<http://d> a dcat:Dataset ; dct:title \"x\" . <http://d> dct:title \"x\" .", "@id=\"http://d\" dct:title=\"x\"\n"},
		{"nodes in a circle", prefixes + "<http://d> a dcat:Dataset ; dct:relation _:a . _:a dct:relation _:b ; dct:title \"a\" . _:b dct:relation _:a ; dct:title \"b\" .", "@id=\"http://d\" dct:relation{dct:relation{dct:relation=\"\" dct:title=\"b\"} dct:title=\"a\"}\n"},
		{"a data set in a data set", prefixes + "<http://d> a dcat:Dataset ; dct:relation <http://e> . <http://e> a dcat:Dataset ; dct:title \"e\" .", "@id=\"http://d\" dct:relation=\"http://e\"\n@id=\"http://e\" dct:title=\"e\"\n"},
		{"torn Turtle", prefixes + "<http://d> a dcat:Dataset ; dct:title \"x\" .\n<http://e> a dcat:Dataset ; dct:title \"y", "@id=\"http://d\" dct:title=\"x\"\n@id=\"http://e\"\n! 5 11036\n"},
		{"wrong Turtle", prefixes + "<http://d> a dcat:Dataset .\n<http://e> nope .", "@id=\"http://d\"\n! 5 11003\n"},
		{"a blank property", head + `<dcat:Dataset><dct:temporal rdf:parseType="Resource"><dct:title>x</dct:title></dct:temporal><dct:license dct:title="y"/></dcat:Dataset>` + end, "dct:temporal{dct:title=\"x\"} dct:license{dct:title=\"y\"}\n"},
		{"nodeID", head + `<rdf:Description rdf:nodeID="a"><dct:title>x</dct:title></rdf:Description><dcat:Dataset rdf:ID="d"><dct:publisher rdf:nodeID="a"/></dcat:Dataset>` + end, "@id=\"#d\" dct:publisher{dct:title=\"x\"}\n"},
		{"torn XML", head + "\n<dcat:Dataset rdf:about=\"http://d\"><dct:title>x</dct:title>\n<dct:tit", "@id=\"http://d\" dct:title=\"x\"\n! 3 11003\n"},
		{"an entity", "<?xml version=\"1.0\"?><!DOCTYPE rdf:RDF [<!ENTITY a \"b\">]>" + head + "<dcat:Dataset rdf:about=\"http://d\"><dct:title>&a;</dct:title></dcat:Dataset>" + end, "@id=\"http://d\"\n! 1 11003\n"},
		{"latin-1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + head + "<dcat:Dataset rdf:about=\"http://d\"><dct:title>Fl\xfcsse</dct:title></dcat:Dataset>" + end, "@id=\"http://d\" dct:title=\"Flüsse\"\n"},
		{"expanded JSON-LD", `[{"@id":"http://d","@type":["http://www.w3.org/ns/dcat#Dataset"],"http://purl.org/dc/terms/title":[{"@value":"x"}],"http://www.w3.org/ns/dcat#byteSize":[{"@value":1234567}]}]`, "@id=\"http://d\" dct:title=\"x\" dcat:byteSize=\"1234567\"\n"},
		{"one object with its context", `{"@context":{"@vocab":"http://www.w3.org/ns/dcat#"},"@type":"Catalog","dataset":[{"@type":"Dataset","keyword":"x"}]}`, "dcat:keyword=\"x\"\n"},
		{"one wrong node of several", "{\"@context\":{\"@vocab\":\"http://www.w3.org/ns/dcat#\"},\"@graph\":[{\"@type\":\"Dataset\",\"keyword\":\"x\"},\n{\"@id\":5},\n{\"@type\":\"Dataset\",\"keyword\":\"y\"}]}", "dcat:keyword=\"x\"\n! 2 11003\ndcat:keyword=\"y\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, tree(t, c.in)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestHostileGraphs: nesting, a text without end, nodes that multiply, contexts
// that lead to each other: each is told, none is followed to its end.
func TestHostileGraphs(t *testing.T) {
	xml := `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="http://www.w3.org/ns/dcat#">`
	var fan strings.Builder // 60 nodes point to 60 nodes, five levels deep: 60^5 values
	fan.WriteString(prefixes + "<http://d> a dcat:Dataset ; dct:x ")
	for level := 0; level < 5; level++ {
		for i := 0; i < 60; i++ {
			fmt.Fprintf(&fan, "%s_:n%d.%d", map[bool]string{true: " , "}[i > 0], level, i)
		}
		fan.WriteString(" .\n")
		for i := 0; i < 60 && level < 4; i++ {
			if i > 0 {
				fmt.Fprintf(&fan, "_:n%d.%d dct:x _:n%d.0 .\n", level, i, level+1)
			}
		}
		if level < 4 {
			fmt.Fprintf(&fan, "_:n%d.0 dct:x ", level)
		}
	}
	terms := make([]string, 20_000)
	for i := range terms {
		terms[i] = fmt.Sprintf(`"t%d":"t%d:x"`, i, i+1)
	}
	for name, c := range map[string]struct {
		in   string
		code fault.Code
	}{
		"deep XML":     {xml + strings.Repeat(`<d:x rdf:parseType="Resource">`, 100_000), fault.TooLong},
		"long XML":     {xml + "<d:Dataset><d:x>" + strings.Repeat("x", 2*maxRecordBytes), fault.TooLong},
		"deep Turtle":  {prefixes + "<http://d> dct:x " + strings.Repeat("[ dct:x ", 100_000), fault.TooLong},
		"deep lists":   {prefixes + "<http://d> dct:x " + strings.Repeat("( ", 100_000), fault.TooLong},
		"long Turtle":  {prefixes + "<http://d> dct:x \"" + strings.Repeat("x", maxCellBytes+1) + "\" .", fault.TooLong},
		"deep JSON-LD": {`{"@context":{},"@graph":[` + strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000) + "]}", fault.TooLong},
		"many terms":   {`{"@context":{` + strings.Join(terms, ",") + `},"@graph":[{"t0":1}]}`, fault.Malformed},
	} {
		if got := tree(t, c.in); !strings.Contains(got, fmt.Sprintf(" %d\n", uint32(c.code))) {
			t.Errorf("%s: %.200q", name, got)
		}
	}
	f, err := Read("fan", strings.NewReader(fan.String()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := f.Next(); err == nil && !rec.Broken {
		n := 0
		var count func([]Field)
		count = func(list []Field) {
			for _, x := range list {
				n++
				count(x.Parts)
			}
		}
		if count(rec.Fields); n > maxFields {
			t.Errorf("%d values", n)
		}
	}
}

// TestNotationsOfRealGraphsAgree: the examples of DCAT-AP 3.0.0 give the same data
// sets in Turtle and in JSON-LD, and its shapes the same number of statements.
func TestNotationsOfRealGraphsAgree(t *testing.T) {
	pairs, err := filepath.Glob(filepath.Join(filepath.Dir(shared(t, "dcat-ap/3.0.0/examples/context.jsonld")), "*.ttl"))
	if err != nil || len(pairs) < 14 {
		t.Fatalf("%d examples, %v", len(pairs), err)
	}
	for _, ttl := range pairs {
		a, b := datasets(t, ttl), datasets(t, strings.TrimSuffix(ttl, ".ttl")+".jsonld")
		if len(a) == 0 || len(a) != len(b) {
			t.Errorf("%s: %d and %d data sets", filepath.Base(ttl), len(a), len(b))
		}
		raw, err := os.ReadFile(ttl)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Count(string(raw), " a dcat:Dataset"); len(a) != want { // DatasetSeries, too
			t.Errorf("%s: %d data sets, the text has %d", filepath.Base(ttl), len(a), want)
		}
	}
	for _, name := range []string{"dcat-ap/3.0.0/shacl/dcat-ap-SHACL.ttl", "dcat-ap/3.0.0/shacl/dcat-ap-SHACL.jsonld"} {
		if _, err := Open(shared(t, name), Options{}); err == nil || !strings.Contains(err.Error(), "(1968 statements)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func datasets(t testing.TB, path string) []string {
	t.Helper()
	f, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ids []string
	for {
		rec, err := f.Next()
		if err != nil {
			return ids
		}
		if rec.Broken {
			t.Fatalf("%s: %+v", path, rec.Problems)
		}
		ids = append(ids, rec.Fields[0].Text)
	}
}
