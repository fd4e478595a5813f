package sheet

import (
	"bufio"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/piprate/json-gold/ld"

	"mulian/internal/fault"
)

// contextFiles are the contexts that a file may name by their addresses. Nothing
// is ever fetched.
//
//go:embed contexts/*.jsonld
var contextFiles embed.FS

// knownContexts are ends of the addresses of a context, in the places where its
// publisher has it.
var knownContexts = []struct{ end, file string }{
	{"/releases/3.0.0/context/dcat-ap.jsonld", "dcat-ap-3.0.0.jsonld"},
	{"/releases/3.0.0/html/examples/context.jsonld", "dcat-ap-3.0.0-examples.jsonld"},
	{"/dcat-ap_2.1.1.jsonld", "dcat-ap-2.1.1.jsonld"},
}

// maxTerms bounds the terms of all contexts of one value: the library follows one
// that leads to another by calling itself. DCAT-AP has 300.
const maxTerms = 10_000

// shelf is the loader of contexts: those that are embedded, and no others.
type shelf struct {
	unknown string
	docs    map[string]any
}

// LoadDocument implements ld.DocumentLoader.
func (s *shelf) LoadDocument(u string) (*ld.RemoteDocument, error) {
	for _, k := range knownContexts {
		if !strings.HasSuffix(u, k.end) {
			continue
		}
		if s.docs[k.file] == nil {
			raw, err := contextFiles.ReadFile("contexts/" + k.file)
			if err != nil {
				return nil, err
			}
			if s.docs[k.file], err = treeOf(raw); err != nil {
				return nil, err
			}
		}
		return &ld.RemoteDocument{DocumentURL: u, Document: s.docs[k.file]}, nil
	}
	s.unknown = u
	return nil, errors.New("context not known")
}

// linkedReader reads JSON-LD 1.1 (W3C Recommendation of 16 July 2020): the nodes
// of a @graph one by one, when its context stands before it; else value by value.
type linkedReader struct {
	g      *graph
	shelf  *shelf
	opts   *ld.JsonLdOptions
	active *ld.Context // of the nodes of the @graph
}

func (g *graph) readLinked(r *bufio.Reader, head []byte) error {
	o := &objects{file: g.file, r: r, line: 1, limit: maxTree}
	if _, err := o.skipTo(); err != nil {
		return g.file.unreadable(err)
	}
	switch e := envelopeOf(head); {
	case e.context:
		o.path, o.limit = []string{"@graph"}, maxRecordBytes
	case head[0] == '[':
		o.array, o.limit = true, maxRecordBytes
		r.ReadByte()
	}
	x := &linkedReader{g: g, shelf: &shelf{docs: make(map[string]any)}, opts: ld.NewJsonLdOptions("")}
	x.opts.DocumentLoader, x.opts.ProcessingMode = x.shelf, ld.JsonLd_1_1
	o.take = x.take(o)
	for {
		rec, err := o.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case rec.Broken:
			g.tell(rec)
		}
	}
}

// take gives the reader of objects what to do with one value.
func (x *linkedReader) take(o *objects) func([]byte, int) (Record, error) {
	return func(raw []byte, line int) (Record, error) {
		err := x.value(raw, o.context, line)
		l := x.g.file.lang
		switch {
		case err == nil:
			return Record{Line: line}, nil
		case errors.Is(err, errStatements):
			return Record{}, err
		case x.shelf.unknown != "":
			return Record{}, fault.Newf(fault.Malformed, "%s", l.Say("%s 引用的上下文 %s 不在本机内置之列，导入时不联网读取：请让发布方内嵌上下文，或下载 Turtle、RDF/XML", "%s names the context %s, which is not built in, and an import fetches nothing: ask for a file with its context inside, or take the Turtle or RDF/XML", x.g.file.Name, x.shelf.unknown))
		case errors.Is(err, errDepth):
			return o.broken(line, fault.TooLong, fmt.Sprintf("该记录嵌套超过 %d 层", maxDepth), fmt.Sprintf("the record is nested deeper than %d", maxDepth)), nil
		}
		return o.broken(line, fault.Malformed, fmt.Sprintf("不是正确的 JSON-LD：%v", err), fmt.Sprintf("not valid JSON-LD: %v", err)), nil
	}
}

// value adds what one value says. A panic of the library is an error of this value.
func (x *linkedReader) value(raw, context []byte, line int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("JSON-LD library: %v", p)
		}
	}()
	if deeper(raw, maxDepth) || deeper(context, maxDepth) {
		return errDepth
	}
	tree, err := treeOf(raw)
	if err != nil {
		return err
	}
	if terms(tree, false) > maxTerms {
		return fmt.Errorf("more than %d terms in its contexts", maxTerms)
	}
	if context != nil && x.active == nil {
		local, err := treeOf(context)
		if err != nil {
			return err
		}
		if terms(local, true) > maxTerms {
			return fmt.Errorf("more than %d terms in the context", maxTerms)
		}
		if x.active, err = ld.NewContext(nil, x.opts).Parse(local); err != nil {
			return err
		}
	}
	active := x.active
	if active == nil {
		active = ld.NewContext(nil, x.opts)
	}
	expanded, err := ld.NewJsonLdApi().Expand(active, "", tree, x.opts, false, nil)
	if err != nil {
		return err
	}
	return x.add(expanded, line)
}

func treeOf(raw []byte) (any, error) {
	var tree any
	err := json.Unmarshal(raw, &tree)
	return tree, err
}

// terms counts the keys in contexts.
func terms(v any, inside bool) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		if inside {
			n += len(v)
		}
		for k, w := range v {
			n += terms(w, inside || k == "@context")
		}
	case []any:
		for _, w := range v {
			n += terms(w, inside)
		}
	}
	return n
}

// add adds the nodes of an expanded value.
func (x *linkedReader) add(v any, line int) error {
	switch v := v.(type) {
	case []any:
		for _, w := range v {
			if err := x.add(w, line); err != nil {
				return err
			}
		}
	case map[string]any:
		_, err := x.node(v, line)
		return err
	}
	return nil
}

// node adds one node and returns its name. Keys go in their order, so that the
// same file gives the same records.
func (x *linkedReader) node(n map[string]any, line int) (string, error) {
	id, _ := n["@id"].(string)
	if id == "" {
		id = x.g.blank()
	}
	for _, key := range slices.Sorted(maps.Keys(n)) {
		list, _ := n[key].([]any)
		switch key {
		case "@id", "@index":
			continue
		case "@type":
			for _, t := range list {
				if class, ok := t.(string); ok {
					if err := x.g.add(id, typeIRI, term{text: class, kind: reference}, line); err != nil {
						return id, err
					}
				}
			}
			continue
		case "@graph", "@included":
			if err := x.add(n[key], line); err != nil {
				return id, err
			}
			continue
		case "@reverse":
			if err := x.reverse(id, n[key], line); err != nil {
				return id, err
			}
			continue
		}
		if strings.HasPrefix(key, "@") {
			continue
		}
		if err := x.objects(id, key, list, line); err != nil {
			return id, err
		}
	}
	return id, nil
}

// reverse adds what others say of id.
func (x *linkedReader) reverse(id string, v any, line int) error {
	m, _ := v.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list, _ := m[key].([]any)
		for _, w := range list {
			n, ok := w.(map[string]any)
			if !ok {
				continue
			}
			other, err := x.node(n, line)
			if err == nil {
				err = x.g.add(other, key, term{text: id, kind: reference}, line)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *linkedReader) objects(id, key string, list []any, line int) error {
	for _, w := range list {
		m, ok := w.(map[string]any)
		if !ok {
			continue
		}
		if inner, ok := m["@list"].([]any); ok {
			if err := x.objects(id, key, inner, line); err != nil {
				return err
			}
			continue
		}
		v := term{kind: literal}
		if value, ok := m["@value"]; ok {
			v.lang, _ = m["@language"].(string)
			switch value := value.(type) {
			case map[string]any, []any:
				raw, _ := json.Marshal(value)
				v.text = string(raw)
			case float64:
				v.text = strconv.FormatFloat(value, 'f', -1, 64)
			default:
				v.text = fmt.Sprint(value)
			}
		} else {
			other, err := x.node(m, line)
			if err != nil {
				return err
			}
			v = term{text: other, kind: reference}
		}
		if err := x.g.add(id, key, v, line); err != nil {
			return err
		}
	}
	return nil
}
