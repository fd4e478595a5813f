package export

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
)

// The shapes of ODCS 3.1.0 as far as we write them.
type (
	contract struct {
		APIVersion  string            `yaml:"apiVersion"`
		Kind        string            `yaml:"kind"`
		ID          string            `yaml:"id"`
		Version     string            `yaml:"version"`
		Status      string            `yaml:"status"`
		Name        string            `yaml:"name"`
		Tenant      string            `yaml:"tenant,omitempty"`
		Domain      string            `yaml:"domain,omitempty"`
		Tags        []string          `yaml:"tags,omitempty"`
		Description *contractText     `yaml:"description,omitempty"`
		Schema      []contractObject  `yaml:"schema,omitempty"`
		Team        *contractTeam     `yaml:"team,omitempty"`
		SLA         []contractPromise `yaml:"slaProperties,omitempty"`
		Links       []contractLink    `yaml:"authoritativeDefinitions,omitempty"`
		Custom      []contractCustom  `yaml:"customProperties,omitempty"`
	}
	contractText struct {
		Purpose     string `yaml:"purpose,omitempty"`
		Limitations string `yaml:"limitations,omitempty"`
	}
	contractObject struct {
		Name         string             `yaml:"name"`
		BusinessName string             `yaml:"businessName,omitempty"`
		PhysicalName string             `yaml:"physicalName,omitempty"`
		PhysicalType string             `yaml:"physicalType,omitempty"`
		LogicalType  string             `yaml:"logicalType"`
		Properties   []contractProperty `yaml:"properties,omitempty"`
	}
	contractProperty struct {
		Name           string           `yaml:"name"`
		BusinessName   string           `yaml:"businessName,omitempty"`
		PhysicalName   string           `yaml:"physicalName,omitempty"`
		LogicalType    string           `yaml:"logicalType,omitempty"`
		Options        *contractOptions `yaml:"logicalTypeOptions,omitempty"`
		PrimaryKey     bool             `yaml:"primaryKey,omitempty"`
		PrimaryKeyAt   int              `yaml:"primaryKeyPosition,omitempty"`
		Classification string           `yaml:"classification,omitempty"`
		Critical       bool             `yaml:"criticalDataElement,omitempty"`
		Custom         []contractCustom `yaml:"customProperties,omitempty"`
	}
	contractOptions struct {
		MaxLength uint32 `yaml:"maxLength,omitempty"`
	}
	contractTeam struct {
		Name string `yaml:"name"`
	}
	contractPromise struct {
		Property string `yaml:"property"`
		Value    any    `yaml:"value"`
		Unit     string `yaml:"unit,omitempty"`
		Driver   string `yaml:"driver,omitempty"`
	}
	contractLink struct {
		URL  string `yaml:"url"`
		Type string `yaml:"type"`
	}
	contractCustom struct {
		Property string `yaml:"property"`
		Value    any    `yaml:"value"`
	}
)

// Names of the custom properties that hold what ODCS has no property for, as our
// schema's message in JSON.
const (
	CustomEntry = "mulianEntry"
	CustomItem  = "mulianItem"
)

var contractStates = map[cataloguev1.EntryState]string{
	cataloguev1.EntryState_ENTRY_STATE_SUBMITTED: "proposed", cataloguev1.EntryState_ENTRY_STATE_RETURNED: "draft",
	cataloguev1.EntryState_ENTRY_STATE_PUBLISHED: "active", cataloguev1.EntryState_ENTRY_STATE_UPDATING: "active", cataloguev1.EntryState_ENTRY_STATE_DRIFTED: "active",
	cataloguev1.EntryState_ENTRY_STATE_SUSPENDED: "deprecated", cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN: "retired",
}

// contractTypes are the logical types; what ODCS has no word for is told in CustomItem.
var contractTypes = map[string]string{
	"text": "string", "integer": "integer", "decimal": "number", "float": "number", "boolean": "boolean", "date": "date", "timestamp": "timestamp", "json": "object",
}

// contracts writes one YAML document for each entry.
func (e *export) contracts() error {
	return e.entries(func(m *cataloguev1.Entry) error {
		c, err := e.contract(m)
		if err != nil {
			return err
		}
		doc, err := yaml.ValueToNode(c, yaml.IndentSequence(true))
		if err != nil {
			return err
		}
		ast.Walk(quoting{}, doc)
		e.out.WriteString("---\n")
		_, err = e.out.WriteString(doc.String() + "\n")
		return err
	})
}

// quoting puts texts between double quotes that the library writes bare and does not
// read back: with a tab, or with a mark at the beginning ("? x" is a key).
type quoting struct{}

// Visit implements [ast.Visitor].
func (q quoting) Visit(n ast.Node) ast.Visitor {
	s, ok := n.(*ast.StringNode)
	if !ok || strings.HasPrefix(s.Value, `"`) { // what the library has quoted has its quotation marks already
		return q
	}
	r, _ := utf8.DecodeRuneInString(s.Value)
	if strings.ContainsRune(s.Value, '\t') || !strings.Contains(s.Value, "\n") && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		s.Token.Type = token.DoubleQuoteType
	}
	return q
}

func (e *export) contract(m *cataloguev1.Entry) (*contract, error) {
	c := &contract{
		APIVersion: "v3.1.0", Kind: "DataContract", ID: m.GetId(), Version: strconv.FormatUint(m.GetVersion(), 10),
		Status: first(contractStates[m.GetState()], "draft"), Name: m.GetName(), Tenant: e.src.Chain, Domain: m.GetCategory(), Tags: m.GetKeywords(),
		Team: &contractTeam{e.org(m.GetProvider()).Name},
	}
	if m.GetAbstract() != "" || m.GetConditions().GetScope() != "" {
		c.Description = &contractText{Purpose: m.GetAbstract(), Limitations: m.GetConditions().GetScope()}
	}
	if u := m.GetUpdateCycle(); u != 0 {
		c.SLA = append(c.SLA, contractPromise{"frequency", code.UpdateCycles.EN(code.UpdateCycle(u)), "", "regulatory"})
	}
	if d := m.GetRetentionDays(); d != 0 {
		c.SLA = append(c.SLA, contractPromise{"retention", d, "d", "regulatory"})
	}
	if iri(m.GetLandingPage()) {
		c.Links = append(c.Links, contractLink{m.GetLandingPage(), "landingPage"})
	}
	object := contractObject{Name: local(m.GetId(), m.GetProvider()), BusinessName: m.GetName(), LogicalType: "object"}
	if t := m.GetTable(); t != "" {
		object.PhysicalName, object.PhysicalType = t[strings.LastIndexByte(t, '.')+1:], "table"
	}
	keys := 0
	for _, it := range m.GetItems() {
		if it.GetPrimaryKey() {
			keys++
		}
		p, err := property(it, keys)
		if err != nil {
			return nil, err
		}
		object.Properties = append(object.Properties, p)
	}
	c.Schema = []contractObject{object}
	rest, err := custom(CustomEntry, without(m))
	c.Custom = rest
	return c, err
}

// property is one item; key is which primary key column it is.
func property(it *cataloguev1.Item, key int) (contractProperty, error) {
	p := contractProperty{
		Name: it.GetCode(), BusinessName: it.GetName(), PhysicalName: it.GetColumn(), LogicalType: contractTypes[it.GetType()],
		PrimaryKey: it.GetPrimaryKey(), Classification: personalClass[it.GetPersonal()], Critical: it.GetWatermark() || it.GetPrimaryKey(),
	}
	if p.PrimaryKey {
		p.PrimaryKeyAt = key
	}
	if p.LogicalType == "string" && it.GetLength() > 0 {
		p.Options = &contractOptions{it.GetLength()}
	}
	rest := proto.CloneOf(it)
	rest.Code, rest.Name, rest.Column, rest.PrimaryKey, rest.State = "", "", "", false, 0
	if p.LogicalType != "number" && p.LogicalType != "" {
		rest.Type = "" // it is the only one of ours with this word
	}
	if p.Options != nil {
		rest.Length = 0
	}
	var err error
	p.Custom, err = custom(CustomItem, rest)
	return p, err
}

var personalClass = map[cataloguev1.Personal]string{
	cataloguev1.Personal_PERSONAL_NONE: "public", cataloguev1.Personal_PERSONAL_YES: "personal", cataloguev1.Personal_PERSONAL_SENSITIVE: "sensitive personal",
}

// without is the part of an entry that ODCS has no property for, without what the
// ledger sets by itself.
func without(m *cataloguev1.Entry) *cataloguev1.Entry {
	m = Content(m)
	m.Id, m.Name, m.Abstract, m.Category, m.Keywords, m.Items = "", "", "", "", nil, nil
	return m
}

// Content is what the provider states of an entry: fields 1-39 of the schema, with
// the items' states cleared. It is what a round trip keeps.
func Content(m *cataloguev1.Entry) *cataloguev1.Entry {
	m = proto.CloneOf(m)
	m.State, m.Version, m.CreatedMs, m.UpdatedMs, m.Lock, m.ContentHash, m.ReturnedReason, m.SuspendedCause, m.SuspendedBy = 0, 0, 0, 0, nil, nil, "", "", ""
	for _, it := range m.GetItems() {
		it.State = 0
	}
	return m
}

// custom is a message as the value of a custom property; none for an empty message.
func custom(name string, m proto.Message) ([]contractCustom, error) {
	if proto.Size(m) == 0 {
		return nil, nil
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	whole(v)
	return []contractCustom{{name, v}}, nil
}

// whole writes whole numbers without a point: the schema has no others, and none
// that a float64 cannot hold where protojson writes a number.
func whole(v map[string]any) {
	for k, x := range v {
		switch x := x.(type) {
		case float64:
			v[k] = int64(x)
		case map[string]any:
			whole(x)
		case []any:
			for _, y := range x {
				if m, ok := y.(map[string]any); ok {
					whole(m)
				}
			}
		}
	}
}
