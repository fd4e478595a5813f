package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi/datamodel"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
	node "go.yaml.in/yaml/v4"

	"mulian/gateway/connect"
)

// maxNesting is how deep objects are flattened into columns; deeper ones are JSON.
const maxNesting = 4

// field is a column and where its value is in a row.
type field struct {
	column connect.Column
	path   []string // names, from the row inwards
	types  []string // of JSON that the schema allows; empty: any
	most   int      // characters of a text; 0: any
	enum   []string // texts that the schema allows; empty: any
}

// endpoint is one operation as a table.
type endpoint struct {
	table   connect.Table
	fields  []field
	method  string
	path    string   // with {name} for parameters
	inPath  []string // the names
	rows    []string // where the array is; a single record where single is true
	single  bool     // the answer is one record
	mapping Rows
}

// document is what is known of an interface.
type document struct {
	server string // the first of its servers
	tables map[string]*endpoint
}

// parseDocument reads an OpenAPI document. It is refused whole if one of its tables cannot be.
func parseDocument(text []byte, m *Mapping) (d *document, err error) {
	defer func() {
		if recover() != nil { // the library does not promise anything about broken documents
			d, err = nil, fmt.Errorf("%w: the OpenAPI document is broken", connect.ErrInvalid)
		}
	}()
	doc, err := libopenapi.NewDocumentWithConfiguration(text, &datamodel.DocumentConfiguration{ExtractRefsSequentially: true})
	if err != nil {
		return nil, fmt.Errorf("%w: the OpenAPI document: %s", connect.ErrInvalid, firstLine(err))
	}
	if !strings.HasPrefix(doc.GetVersion(), "3.") {
		return nil, fmt.Errorf("%w: the document is not OpenAPI 3", connect.ErrInvalid)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("%w: the OpenAPI document: %s", connect.ErrInvalid, firstLine(err))
	}
	d = &document{tables: map[string]*endpoint{}}
	if len(model.Model.Servers) > 0 {
		d.server = model.Model.Servers[0].URL
	}
	if model.Model.Paths == nil {
		return d, nil
	}
	found := map[string]bool{}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for _, op := range []struct {
			method string
			op     *v3.Operation
		}{{http.MethodGet, item.Get}, {http.MethodPost, item.Post}} {
			if op.op == nil {
				continue
			}
			if err := d.operation(m, found, path, op.method, item, op.op); err != nil {
				return nil, err
			}
		}
	}
	for name, r := range m.Tables {
		if !found[name] {
			return nil, fmt.Errorf("%w: table %.60q: the document has no operation %.100q that answers with rows", connect.ErrInvalid, name, r.Operation)
		}
	}
	if len(d.tables) > connect.MaxTables {
		return nil, fmt.Errorf("%w: %d tables", connect.ErrTooLarge, len(d.tables))
	}
	return d, nil
}

// operation adds the tables of an operation.
func (d *document) operation(m *Mapping, found map[string]bool, path, method string, item *v3.PathItem, op *v3.Operation) error {
	own, err := extensions(op.Extensions)
	if err != nil {
		return fmt.Errorf("operation %.100q: %w", path, err)
	}
	name := cmp.Or(own.Operation, op.OperationId, strings.Trim(path, "/"))
	tables := map[string]Rows{}
	for table, r := range m.Tables {
		if r.Operation == op.OperationId && r.Operation != "" || r.Operation == method+" "+path {
			tables[table] = over(r, own)
		}
	}
	if len(m.Tables) == 0 && method == http.MethodGet {
		tables[name] = own
	}
	for table, r := range tables {
		e := &endpoint{method: method, path: path, mapping: r}
		ok, err := e.describe(table, item, op)
		if err != nil {
			return fmt.Errorf("table %.60q: %w", table, err)
		}
		if !ok {
			continue
		}
		if d.tables[table] != nil {
			return fmt.Errorf("%w: two operations are the table %.60q", connect.ErrInvalid, table)
		}
		d.tables[table], found[table] = e, true
	}
	return nil
}

// extensions reads the x-mulian- keys of an operation; Operation is the table's name.
func extensions(ext *orderedmap.Map[string, *node.Node]) (r Rows, err error) {
	for key, value := range ext.FromOldest() {
		short, ours := strings.CutPrefix(key, "x-mulian-")
		if !ours {
			continue
		}
		switch short {
		case "table":
			err = value.Decode(&r.Operation)
		case "rows":
			err = value.Decode(&r.Rows)
		case "key":
			err = value.Decode(&r.Key)
		case "paging":
			err = value.Decode(&r.Paging)
		case "params":
			err = value.Decode(&r.Params)
		case "after":
			err = value.Decode(&r.After)
		case "fixed":
			err = value.Decode(&r.Fixed)
		}
		if err != nil {
			return r, fmt.Errorf("%w: %s: %s", connect.ErrInvalid, key, firstLine(err))
		}
	}
	return r, r.Paging.check()
}

// over is the mapping where it says something, else what the operation says itself.
func over(r, own Rows) Rows {
	r.Rows = cmp.Or(r.Rows, own.Rows)
	if r.Key == nil {
		r.Key = own.Key
	}
	if r.Paging.Kind == "" {
		r.Paging = own.Paging
	}
	if r.Params == nil {
		r.Params = own.Params
	}
	if r.After == nil {
		r.After = own.After
	}
	if r.Fixed == nil {
		r.Fixed = own.Fixed
	}
	return r
}

// describe finds the rows in the operation's answer. ok is false if there are none, or a
// parameter is required that nobody gives.
func (e *endpoint) describe(name string, item *v3.PathItem, op *v3.Operation) (ok bool, err error) {
	if op.Responses == nil || op.Responses.Codes == nil {
		return false, nil
	}
	res := op.Responses.Codes.GetOrZero("200")
	if res == nil || res.Content == nil {
		return false, nil
	}
	var schema *base.Schema
	for media, content := range res.Content.FromOldest() {
		if media = strings.ToLower(media); (strings.HasPrefix(media, "application/json") || strings.Contains(media, "+json")) && content.Schema != nil {
			schema = content.Schema.Schema()
			break
		}
	}
	if schema == nil {
		return false, nil
	}
	row, err := e.findRows(schema)
	if row == nil || err != nil {
		return false, err
	}
	e.table = connect.Table{TableName: connect.TableName{Name: name}, Comment: cmp.Or(op.Summary, op.Description)}
	if err := e.flatten(row, nil, true, 0); err != nil {
		return false, err
	}
	if len(e.fields) == 0 {
		return false, nil
	}
	for i := range e.fields {
		f := &e.fields[i]
		f.column.Position = i + 1
		if slices.Contains(e.mapping.Key, f.column.Name) {
			f.column.Nullable = false
		}
		e.table.Columns = append(e.table.Columns, f.column)
	}
	for _, key := range e.mapping.Key {
		if _, ok := e.table.Column(key); ok {
			e.table.PrimaryKey = append(e.table.PrimaryKey, key)
		}
	}
	if len(e.table.PrimaryKey) != len(e.mapping.Key) {
		e.table.PrimaryKey = nil // a column of it is gone: that is drift, and not an error of ours
	}
	return e.parameters(append(slices.Clone(item.Parameters), op.Parameters...)), nil
}

// parameters tells whether all required ones can be given.
func (e *endpoint) parameters(params []*v3.Parameter) bool {
	given := func(name string) bool {
		p := e.mapping.Paging
		_, fixed := e.mapping.Fixed[name]
		return fixed || name == p.Param || name == p.SizeParam || name == p.param() || name == p.sizeParam()
	}
	for _, p := range params {
		mapped := false
		for _, param := range e.mapping.Params {
			mapped = mapped || param == p.Name
		}
		if _, column := e.table.Column(p.Name); p.In == "path" && !mapped && column {
			if e.mapping.Params == nil {
				e.mapping.Params = map[string]string{}
			}
			e.mapping.Params[p.Name] = p.Name
			mapped = true
		}
		required := p.Required != nil && *p.Required || p.In == "path"
		if p.In == "path" {
			e.inPath = append(e.inPath, p.Name)
		}
		if required && !given(p.Name) && !mapped {
			return false
		}
	}
	return true
}

// findRows is the schema of a row: along the pointer, or where it is plain to see.
func (e *endpoint) findRows(s *base.Schema) (*base.Schema, error) {
	if e.mapping.Rows != "" {
		path, err := pointer(e.mapping.Rows)
		if err != nil {
			return nil, err
		}
		for _, name := range path {
			next := properties(s)[name]
			if next == nil || next.Schema() == nil {
				return nil, fmt.Errorf("%w: the answer's schema has no %s", connect.ErrInvalid, e.mapping.Rows)
			}
			s = next.Schema()
		}
		e.rows = path
	} else if !is(s, "array") {
		var arrays []string
		for name, p := range ordered(s) {
			if of := p.Schema(); of != nil && is(of, "array") && item(of) != nil && len(properties(item(of))) > 0 {
				arrays = append(arrays, name)
			}
		}
		if len(arrays) == 1 && e.mapping.Paging.Kind != "" || len(arrays) == 1 && len(properties(s)) <= 4 && !strings.Contains(e.path, "{") {
			e.rows = arrays
			s = properties(s)[arrays[0]].Schema()
		}
	}
	if is(s, "array") {
		return item(s), nil
	}
	e.single = len(properties(s)) > 0
	if !e.single {
		return nil, nil
	}
	return s, nil
}

func item(s *base.Schema) *base.Schema {
	if s.Items == nil || !s.Items.IsA() || s.Items.A == nil {
		return nil
	}
	return s.Items.A.Schema()
}

func is(s *base.Schema, typ string) bool {
	return slices.Contains(s.Type, typ) || len(s.Type) == 0 && (typ == "object" && s.Properties != nil || typ == "array" && s.Items != nil)
}

// ordered are the properties in the order of the document, those of allOf first.
func ordered(s *base.Schema) func(yield func(string, *base.SchemaProxy) bool) {
	return func(yield func(string, *base.SchemaProxy) bool) {
		walk(s, 0, map[string]bool{}, yield)
	}
}

func walk(s *base.Schema, depth int, seen map[string]bool, yield func(string, *base.SchemaProxy) bool) bool {
	if depth > 16 {
		return true
	}
	for _, part := range s.AllOf {
		if of := part.Schema(); of != nil && !walk(of, depth+1, seen, yield) {
			return false
		}
	}
	for name, p := range s.Properties.FromOldest() {
		if seen[name] {
			continue
		}
		seen[name] = true
		if !yield(name, p) {
			return false
		}
	}
	return true
}

func properties(s *base.Schema) map[string]*base.SchemaProxy {
	out := map[string]*base.SchemaProxy{}
	if s != nil {
		for name, p := range ordered(s) {
			out[name] = p
		}
	}
	return out
}

func required(s *base.Schema, name string) bool {
	if slices.Contains(s.Required, name) {
		return true
	}
	return slices.ContainsFunc(s.AllOf, func(p *base.SchemaProxy) bool {
		of := p.Schema()
		return of != nil && slices.Contains(of.Required, name)
	})
}

// flatten makes a field of each property, with the names of objects and dots before it.
func (e *endpoint) flatten(s *base.Schema, path []string, always bool, depth int) error {
	for name, proxy := range ordered(s) {
		p := proxy.Schema()
		if p == nil {
			return fmt.Errorf("%w: property %.60q has no schema", connect.ErrInvalid, name)
		}
		p, nullable := concrete(p)
		at := append(slices.Clone(path), name)
		must := always && required(s, name) && !nullable
		if is(p, "object") && len(properties(p)) > 0 && depth+1 < maxNesting && kindOf(p) == connect.JSON {
			if err := e.flatten(p, at, must, depth+1); err != nil {
				return err
			}
			continue
		}
		f := field{path: at, column: connect.Column{Name: strings.Join(at, "."), Kind: kindOf(p), Nullable: !must, HasDefault: p.Default != nil, Comment: cmp.Or(p.Title, p.Description)}}
		for _, t := range p.Type {
			if t != "null" {
				f.types = append(f.types, t)
			}
		}
		for _, value := range p.Enum {
			if value.Kind == node.ScalarNode && value.Tag == "!!str" {
				f.enum = append(f.enum, value.Value)
			}
		}
		f.column.Type = strings.TrimSpace(strings.Join(f.types, "|") + " " + p.Format)
		if p.MaxLength != nil && *p.MaxLength > 0 && f.column.Kind == connect.Text {
			f.most = int(*p.MaxLength)
			f.column.Type = "varchar(" + strconv.Itoa(f.most) + ")"
		}
		if f.column.Type == "" {
			f.column.Type = "any"
		}
		e.fields = append(e.fields, f)
	}
	return nil
}

// concrete takes null out of a schema: nullable (3.0), a type null (3.1), or anyOf with null.
func concrete(s *base.Schema) (_ *base.Schema, nullable bool) {
	nullable = s.Nullable != nil && *s.Nullable || slices.Contains(s.Type, "null")
	options := append(slices.Clone(s.AnyOf), s.OneOf...)
	if len(s.Type) > 0 || len(options) == 0 {
		return s, nullable
	}
	var rest []*base.Schema
	for _, o := range options {
		switch of := o.Schema(); {
		case of == nil:
		case len(of.Type) == 1 && of.Type[0] == "null":
			nullable = true
		default:
			rest = append(rest, of)
		}
	}
	if len(rest) == 1 {
		return rest[0], nullable
	}
	return s, nullable
}

// kindOf is the kind that a schema promises; x-mulian-kind says it where JSON has no word for it.
func kindOf(s *base.Schema) (k connect.Kind) {
	if n := s.Extensions.GetOrZero("x-mulian-kind"); n != nil && k.UnmarshalText([]byte(n.Value)) == nil {
		return k
	}
	types := slices.DeleteFunc(slices.Clone(s.Type), func(t string) bool { return t == "null" })
	if len(types) != 1 {
		return connect.JSON
	}
	switch types[0] + " " + s.Format {
	case "string date":
		return connect.Date
	case "string date-time":
		return connect.Instant
	case "string date-time-local":
		return connect.Timestamp
	case "string decimal", "string number":
		return connect.Decimal
	case "string int64", "string int32", "string uint64":
		return connect.Integer
	case "string byte":
		return connect.Bytes
	case "number double", "number float":
		return connect.Float
	}
	switch types[0] {
	case "string":
		return connect.Text
	case "integer":
		return connect.Integer
	case "number":
		return connect.Decimal
	case "boolean":
		return connect.Boolean
	}
	return connect.JSON
}

// pointer reads a JSON pointer (RFC 6901).
func pointer(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, "/")
	if parts[0] != "" || len(parts) > 16 {
		return nil, fmt.Errorf("%w: %.60q is no JSON pointer", connect.ErrInvalid, s)
	}
	for i := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
	}
	return parts[1:], nil
}

// param and sizeParam are the names where the mapping gives none.
func (p *Paging) param() string {
	switch p.Kind {
	case "page", "offset", "cursor":
		return cmp.Or(p.Param, p.Kind)
	}
	return ""
}

func (p *Paging) sizeParam() string {
	if p.Size == 0 {
		return ""
	}
	if p.Kind == "offset" {
		return cmp.Or(p.SizeParam, "limit")
	}
	return cmp.Or(p.SizeParam, "size")
}
