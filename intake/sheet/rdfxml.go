package sheet

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"strings"

	"golang.org/x/text/encoding/htmlindex"

	"mulian/internal/fault"
)

const xmlNS = "http://www.w3.org/XML/1998/namespace"

// xmlGraph reads RDF/XML (W3C Recommendation of 25 February 2014) token by token:
// node elements and property elements take turns.
type xmlGraph struct {
	g     *graph
	d     *xml.Decoder
	fuel  *fuel
	depth int
}

// fuel bounds how much is read for one token: the library holds it whole.
type fuel struct {
	r    io.Reader
	left int
}

func (f *fuel) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, errLong
	}
	n, err := f.r.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// errDepth says that elements nest deeper than the bound.
var errDepth = errors.New("elements nest too deep")

// scope is what an element hands down.
type scope struct{ base, lang string }

// readXML reads r from its beginning. The encoding is the one that the document
// declares.
func (g *graph) readXML(r io.ReadSeeker) error {
	in, err := g.file.unpack(r)
	if err != nil {
		return err
	}
	var plain io.Reader = in
	if g.file.utf16() {
		plain = widen(in, g.file.Encoding)
	}
	x := &xmlGraph{g: g, fuel: &fuel{r: plain, left: maxRecordBytes}}
	x.d = xml.NewDecoder(x.fuel)
	x.d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		enc, err := htmlindex.Get(label)
		if err != nil || g.file.utf16() {
			return in, nil
		}
		if name, err := htmlindex.Name(enc); err == nil {
			g.file.Encoding = name
		}
		return enc.NewDecoder().Reader(in), nil
	}
	err = x.document()
	line, _ := x.d.InputPos()
	var syntax *xml.SyntaxError
	var coded *fault.Fault
	switch {
	case err == nil, errors.Is(err, errStatements), errors.As(err, &coded):
		return err
	case errors.Is(err, errLong):
		g.ended(line, fault.TooLong, "一个元素超过 %d MB", "an element is larger than %d MB", maxRecordBytes>>20)
	case errors.Is(err, errDepth):
		g.ended(line, fault.TooLong, "元素嵌套超过 %d 层", "elements nest deeper than %d", maxElements)
	case errors.As(err, &syntax):
		g.ended(line, fault.Malformed, "不是正确的 XML：%s", "not valid XML: %s", syntax.Msg)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		g.ended(line, fault.Torn, "文件在中间结束：可能没有下载完整", "the file ends in the middle: it may not be fetched completely")
	default:
		if f := g.file.unreadable(err); fault.Is(f, fault.Torn) {
			return f
		}
		g.ended(line, fault.Malformed, "不是正确的 RDF/XML：%v", "not valid RDF/XML: %v", err)
	}
	return nil
}

func (x *xmlGraph) token() (xml.Token, error) {
	x.fuel.left = maxRecordBytes
	return x.d.Token()
}

func (x *xmlGraph) line() int {
	line, _ := x.d.InputPos()
	return line
}

func (x *xmlGraph) document() error {
	for {
		t, err := x.token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		sc := x.scope(start, scope{})
		if start.Name.Space == rdfNS && start.Name.Local == "RDF" {
			err = x.nodeElements(sc)
		} else {
			_, err = x.nodeElement(start, scope{})
		}
		if err != nil {
			return err
		}
	}
}

// scope is sc with what the element changes of it.
func (x *xmlGraph) scope(e xml.StartElement, sc scope) scope {
	for _, a := range e.Attr {
		if a.Name.Space == xmlNS || a.Name.Space == "xml" {
			switch a.Name.Local {
			case "base":
				sc.base = resolve(sc.base, a.Value)
			case "lang":
				sc.lang = a.Value
			}
		}
	}
	return sc
}

// nodeElements reads node elements to the end of the element around them.
func (x *xmlGraph) nodeElements(sc scope) error {
	for {
		t, err := x.token()
		if err != nil {
			return unexpected(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if _, err := x.nodeElement(t, sc); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// nodeElement reads one node with its properties, and returns its name.
func (x *xmlGraph) nodeElement(e xml.StartElement, sc scope) (string, error) {
	if x.depth++; x.depth > maxElements {
		return "", errDepth
	}
	defer func() { x.depth-- }()
	sc = x.scope(e, sc)
	node, line := "", x.line()
	for _, a := range e.Attr {
		if a.Name.Space != rdfNS {
			continue
		}
		switch a.Name.Local {
		case "about":
			node = resolve(sc.base, a.Value)
		case "ID":
			node = resolve(sc.base, "#"+a.Value)
		case "nodeID":
			node = blankTag + a.Value
		}
	}
	if node == "" {
		node = x.g.blank()
	}
	if e.Name.Space != rdfNS || e.Name.Local != "Description" {
		if err := x.g.add(node, typeIRI, term{text: e.Name.Space + e.Name.Local, kind: reference}, line); err != nil {
			return "", err
		}
	}
	if err := x.attributes(node, e, sc, line); err != nil {
		return "", err
	}
	return node, x.properties(node, sc)
}

// attributes reads the properties that are written as attributes.
func (x *xmlGraph) attributes(node string, e xml.StartElement, sc scope, line int) error {
	for _, a := range e.Attr {
		v := term{text: a.Value, lang: sc.lang, kind: literal}
		switch {
		case a.Name.Space == rdfNS && a.Name.Local == "type":
			v = term{text: resolve(sc.base, a.Value), kind: reference}
		case a.Name.Space == rdfNS, a.Name.Space == xmlNS, a.Name.Space == "xml", a.Name.Space == "xmlns", a.Name.Space == "":
			continue
		}
		if err := x.g.add(node, a.Name.Space+a.Name.Local, v, line); err != nil {
			return err
		}
	}
	return nil
}

// properties reads property elements to the end of the element around them.
func (x *xmlGraph) properties(node string, sc scope) error {
	for {
		t, err := x.token()
		if err != nil {
			return unexpected(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := x.property(node, t, sc); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// property reads one property: a reference, a text, or nodes inside it.
func (x *xmlGraph) property(node string, e xml.StartElement, sc scope) error {
	if x.depth++; x.depth > maxElements {
		return errDepth
	}
	defer func() { x.depth-- }()
	sc = x.scope(e, sc)
	name, line := e.Name.Space+e.Name.Local, x.line()
	object, parse, described := "", "", false
	for _, a := range e.Attr {
		switch {
		case a.Name.Space == rdfNS && a.Name.Local == "resource":
			object = resolve(sc.base, a.Value)
		case a.Name.Space == rdfNS && a.Name.Local == "nodeID":
			object = blankTag + a.Value
		case a.Name.Space == rdfNS && a.Name.Local == "parseType":
			parse = a.Value
		case a.Name.Space != rdfNS && a.Name.Space != xmlNS && a.Name.Space != "xml" && a.Name.Space != "xmlns" && a.Name.Space != "":
			described = true
		}
	}
	if object == "" && (parse == "Resource" || described) {
		object = x.g.blank()
	}
	if object != "" {
		if err := x.g.add(node, name, term{text: object, kind: reference}, line); err != nil {
			return err
		}
		if err := x.attributes(object, e, sc, line); err != nil {
			return err
		}
		return x.properties(object, sc)
	}
	return x.content(node, name, sc, line)
}

// content reads what stands in a property: nodes, or else a text. Of an XML
// literal the text is taken.
func (x *xmlGraph) content(node, name string, sc scope, line int) error {
	var text strings.Builder
	nodes := 0
	for {
		t, err := x.token()
		if err != nil {
			return unexpected(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			if text.Len() <= maxCellBytes {
				text.Write(t)
			}
		case xml.StartElement:
			object, err := x.nodeElement(t, sc)
			if err != nil {
				return err
			}
			nodes++
			if err := x.g.add(node, name, term{text: object, kind: reference}, line); err != nil {
				return err
			}
		case xml.EndElement:
			if nodes > 0 {
				return nil
			}
			return x.g.add(node, name, term{text: text.String(), lang: sc.lang, kind: literal}, line)
		}
	}
}

// resolve makes an absolute IRI where base is one.
func resolve(base, ref string) string {
	if base == "" || strings.Contains(ref, "://") || strings.HasPrefix(ref, "urn:") || strings.HasPrefix(ref, "mailto:") {
		return ref
	}
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := url.Parse(ref)
	if err != nil {
		return ref
	}
	return b.ResolveReference(r).String()
}
