package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
)

// The validators are not ours: rdf-validate-shacl, jsonld, n3, ajv and yaml from npm, at
// the versions of testdata/validate/package-lock.json.

// verdict is what testdata/validate/validate.mjs answers.
type verdict struct {
	Conforms bool
	Triples  int       // or documents
	Problems []problem // violations only
}

type problem struct{ Shapes, Severity, Focus, Path, Constraint, Value string }

// nodeTools is the folder of the validators; the test is skipped where they cannot be had.
func nodeTools(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("../../scripts/need-node-tools")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
		t.Skip("SKIP " + strings.TrimSpace(errs.String()))
	}
	if err != nil {
		t.Fatalf("need-node-tools: %v\n%s", err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// validate checks files against schemas or shapes in one process.
func validate(t *testing.T, kind string, files []string, schemas ...string) []verdict {
	t.Helper()
	cmd := exec.Command("node", slices.Concat([]string{"testdata/validate/validate.mjs", kind}, files, []string{"--"}, schemas)...)
	cmd.Env = append(os.Environ(), "MULIAN_NODE_TOOLS="+nodeTools(t))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", kind, err, errs.String())
	}
	var v []verdict
	if err := json.Unmarshal(out, &v); err != nil || len(v) != len(files) {
		t.Fatalf("%s: %d answers for %d files: %v\n%s", kind, len(v), len(files), err, out)
	}
	return v
}

// changed writes copies of a file with one thing changed in each, where it stands last.
func changed(t *testing.T, path string, changes [][2]string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(changes))
	for i, c := range changes {
		at := bytes.LastIndex(raw, []byte(c[0]))
		if at < 0 {
			t.Fatalf("there is no %s in %s", c[0], path)
		}
		out[i] = fmt.Sprintf("%s.%d", path, i)
		if err := os.WriteFile(out[i], slices.Concat(raw[:at], []byte(c[1]), raw[at+len(c[0]):]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// data finds a file of the shared data, or skips.
func data(t *testing.T, path string) string {
	t.Helper()
	full := filepath.Join(sharedRoot(), "data", path)
	if _, err := os.Stat(full); err != nil {
		t.Skip("SKIP no shared data: " + path)
	}
	return full
}

// shapes are those of DCAT-AP 3.0.0, with the ranges of properties and the EU's code
// lists; the recommended ones give warnings only.
func shapes(t *testing.T) []string {
	var out []string
	for _, name := range []string{"dcat-ap-SHACL.ttl", "shapes.ttl", "range.ttl", "mdr-vocabularies.shape.ttl", "deprecateduris.ttl"} {
		out = append(out, data(t, "dcat-ap/3.0.0/shacl/"+name))
	}
	return out
}

// sample draws entries that are the same in every run.
func sample(n int) []*cataloguev1.Entry {
	g := rapid.Custom(func(t *rapid.T) *cataloguev1.Entry { return anyEntry(t, 0) })
	out := make([]*cataloguev1.Entry, n)
	for i := range out {
		out[i] = g.Example(i)
		out[i].Id += "-" + strings.Repeat("i", i%3) + string(rune('A'+i%26)) + string(rune('A'+i/26))
	}
	return out
}

// contradicted reports a violation that the release contradicts itself: DCAT-AP 3.0.0
// and its dcat-ap-SHACL.ttl want an xsd:nonNegativeInteger, shapes.ttl, which came over
// from 2.x, an xsd:decimal.
func contradicted(p problem) bool {
	return p.Shapes == "shapes.ttl" && p.Path == "http://www.w3.org/ns/dcat#byteSize" && p.Constraint == "DatatypeConstraintComponent"
}

// TestDCATIsValid: no violation of any shape, among them the ranges, for entries drawn
// from all that the ledger takes. And documents with one thing broken are refused for
// that thing: a validator that found nothing wrong in them would find nothing in ours.
func TestDCATIsValid(t *testing.T) {
	entries := sample(20)
	last := proto.CloneOf(entries[len(entries)-1]) // in which things are broken
	last.Id += "last"
	last.UpdateCycle, last.LandingPage, last.OpenType = cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY, "https://data.example.gov.cn/", cataloguev1.OpenType_OPEN_TYPE_CONDITIONAL
	last.Resources = []*cataloguev1.Resource{{Url: "https://data.example.gov.cn/1", Bytes: 7}}
	dir := t.TempDir()
	right := write(t, dir, DCAT, sheet.English, append(entries, last)...)
	const eu = "http://publications.europa.eu/resource/authority/"
	faults := []struct{ name, old, now, path string }{
		{"no title", `"dct:title":`, `"mulian:title":`, "http://purl.org/dc/terms/title"},
		{"publisher is a text", `"dct:publisher":`, `"dct:publisher":"somebody","mulian:publisher":`, "http://purl.org/dc/terms/publisher"},
		{"a frequency of nobody's list", `"dct:accrualPeriodicity":{"@id":"` + eu + `frequency/DAILY"}`, `"dct:accrualPeriodicity":{"@id":"urn:daily"}`, "http://purl.org/dc/terms/accrualPeriodicity"},
		{"two access rights", `"dct:accessRights":{`, `"dct:accessRights":[{"@id":"` + eu + `access-right/PUBLIC"},{"@id":"` + eu + `access-right/RESTRICTED"}],"mulian:rights":{`, "http://purl.org/dc/terms/accessRights"},
		{"no access address", `"dcat:accessURL":`, `"mulian:accessURL":`, "http://www.w3.org/ns/dcat#accessURL"},
		{"a size that is none", `"@value":"7"`, `"@value":"-7"`, "http://www.w3.org/ns/dcat#byteSize"},
		{"a page without its class", `"@type":"foaf:Document"`, `"@type":"foaf:Image"`, "http://www.w3.org/ns/dcat#landingPage"},
	}
	small := write(t, t.TempDir(), DCAT, sheet.English, last)
	changes := make([][2]string, len(faults))
	for i, f := range faults {
		changes[i] = [2]string{f.old, f.now}
	}
	verdicts := validate(t, "shacl", append([]string{right}, changed(t, small, changes)...), shapes(t)...)
	for _, p := range verdicts[0].Problems {
		if !contradicted(p) {
			t.Errorf("%s: %s of %s: %s %s", p.Shapes, p.Path, p.Focus, p.Constraint, p.Value)
		}
	}
	if verdicts[0].Triples < 20*len(entries) {
		t.Errorf("%d triples of %d entries", verdicts[0].Triples, len(entries))
	}
	for i, f := range faults {
		if !slices.ContainsFunc(verdicts[i+1].Problems, func(p problem) bool { return p.Path == f.path && !contradicted(p) }) {
			t.Errorf("%s: not seen; problems %v", f.name, verdicts[i+1].Problems)
		}
	}
}

// TestOpenDataIsValid: data.json is valid against the schema of v1.1, and a broken one
// is not.
func TestOpenDataIsValid(t *testing.T) {
	path := write(t, t.TempDir(), OpenData, sheet.English, sample(20)...)
	changes := [][2]string{{`"accessLevel":`, `"access":`}, {`"bureauCode":["000:00"]`, `"bureauCode":["0:0"]`}, {`"conformsTo":"https://project-open-data.cio.gov/v1.1/schema"`, `"conformsTo":"https://example.org/"`}}
	verdicts := validate(t, "draft04", append([]string{path}, changed(t, path, changes)...),
		data(t, "catalogues/us/schema/catalog-federal-v1.1.json"), data(t, "catalogues/us/schema/dataset-federal-v1.1.json"))
	if !verdicts[0].Conforms {
		t.Errorf("problems: %v", verdicts[0].Problems)
	}
	for i, c := range changes {
		if verdicts[i+1].Conforms {
			t.Errorf("%s passes", c[1])
		}
	}
}

// TestContractsAreValid: every contract is valid against what the standard says of the
// properties that we write, and against its own schema where that is at hand.
func TestContractsAreValid(t *testing.T) {
	const n = 20
	path := write(t, t.TempDir(), Contract, sheet.English, sample(n)...)
	changes := [][2]string{{"kind: DataContract", "kind: Contract"}, {"logicalType: object", "logicalType: relation"}, {"status: ", "state: "}, {"- property: mulianEntry", "- propertyName: mulianEntry"}}
	verdicts := validate(t, "contracts", append([]string{path}, changed(t, path, changes)...), "testdata/odcs-3.1.0.schema.json")
	if !verdicts[0].Conforms || verdicts[0].Triples != n {
		t.Errorf("%d contracts of %d, problems: %v", verdicts[0].Triples, n, verdicts[0].Problems)
	}
	for i, c := range changes {
		if verdicts[i+1].Conforms {
			t.Errorf("%s passes", c[1])
		}
	}
	own := filepath.Join(sharedRoot(), "data/odcs/odcs-json-schema-v3.1.0.json")
	if _, err := os.Stat(own); err != nil {
		t.Log("the standard's own schema is not at hand; ours was asked")
		return
	}
	if v := validate(t, "contracts", []string{path}, own)[0]; !v.Conforms {
		t.Errorf("against the standard's own schema: %v", v.Problems)
	}
}

func sharedRoot() string {
	if root := os.Getenv("MULIAN_SHARED"); root != "" {
		return root
	}
	return "../../../shared"
}
