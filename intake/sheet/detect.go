package sheet

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
)

// What a text is, by its first visible bytes.
const (
	csvText    = "csv"
	jsonText   = "json"
	scriptText = "script" // JavaScript that assigns one list
	xmlText    = "xml"    // of no kind that is read
	htmlText   = "html"
	rdfXML     = "rdf/xml"
	turtleText = "turtle" // N-Triples, too: they are Turtle
	yamlText   = "odcs"   // data contracts, in YAML
)

var (
	// An assignment: const list = [ … or module.exports = { … or export default [ …
	assignment = regexp.MustCompile(`^(?:(?:export\s+)?(?:const|let|var)\s+[\w$]+\s*=|export\s+default|[A-Za-z_$][\w$.]*\s*=)\s*[\[{]`)
	directive  = regexp.MustCompile(`^(?:@prefix\s|@base\s|(?i:prefix)\s+[\w.-]*:\s*<|(?i:base)\s+<)`)
	statement  = regexp.MustCompile(`^(?:<[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}]*>|_:[\w.-]+)\s+(?:<[A-Za-z][A-Za-z0-9+.-]*:|a\s)`)
	rootName   = regexp.MustCompile(`^<(?:[\w.-]+:)?([\w.-]+)[\s>/]`)
	rdfSpace   = []byte("http://www.w3.org/1999/02/22-rdf-syntax-ns#")
)

// kindOf tells what head is the beginning of. Lines of comment before it do not
// count.
func kindOf(head []byte) string {
	switch {
	case len(head) == 0:
		return ""
	case head[0] == '[', head[0] == '{':
		return jsonText
	case head[0] == '<' && !statement.Match(head):
		return kindOfXML(head)
	}
	bare := afterComments(head)
	switch {
	case isContract(bare):
		return yamlText
	case directive.Match(bare), statement.Match(bare):
		return turtleText
	case assignment.Match(bare):
		return scriptText
	}
	return csvText
}

// afterComments passes over comments of scripts and of Turtle, and "use strict".
func afterComments(b []byte) []byte {
	for {
		b = bytes.TrimLeft(b, " \t\r\n;")
		end := -1
		switch {
		case bytes.HasPrefix(b, []byte("//")), bytes.HasPrefix(b, []byte("#")):
			end = bytes.IndexByte(b, '\n')
		case bytes.HasPrefix(b, []byte("/*")):
			if end = bytes.Index(b, []byte("*/")); end >= 0 {
				end++
			}
		case bytes.HasPrefix(b, []byte(`"use strict"`)), bytes.HasPrefix(b, []byte(`'use strict'`)):
			end = len(`"use strict"`) - 1
		default:
			return b
		}
		if end < 0 {
			return nil
		}
		b = b[end+1:]
	}
}

// kindOfXML looks at the first element.
func kindOfXML(b []byte) string {
	declared := bytes.HasPrefix(b, []byte("<?xml"))
	for {
		b = bytes.TrimLeft(b, " \t\r\n")
		end := -1
		switch {
		case bytes.HasPrefix(b, []byte("<!--")):
			if end = bytes.Index(b, []byte("-->")); end >= 0 {
				end += 2
			}
		case bytes.HasPrefix(b, []byte("<?")):
			end = bytes.IndexByte(b, '>')
		case len(b) > 9 && bytes.EqualFold(b[:9], []byte("<!doctype")):
			if i := bytes.IndexByte(b, '['); i >= 0 && i < bytes.IndexByte(b, '>') {
				end = bytes.Index(b, []byte("]>")) + 1
			} else {
				end = bytes.IndexByte(b, '>')
			}
		default:
			m := rootName.FindSubmatch(b)
			switch {
			case m != nil && string(m[1]) == "RDF", m != nil && bytes.Contains(b, rdfSpace):
				return rdfXML
			case declared:
				return xmlText
			}
			return htmlText
		}
		if end <= 0 {
			return map[bool]string{true: xmlText, false: htmlText}[declared]
		}
		b = b[end+1:]
	}
}

// visible passes over white space, however much of it there is, and returns what
// follows, at most headBytes of it, without taking it.
func visible(r *bufio.Reader) ([]byte, error) {
	for {
		head, err := r.Peek(r.Size())
		rest := bytes.TrimLeft(head, " \t\r\n")
		if n := len(head) - len(rest); n > 0 {
			r.Discard(n)
		}
		if len(rest) > 0 && len(head) == len(rest) || len(head) == 0 {
			if err == io.EOF || err == bufio.ErrBufferFull {
				err = nil
			}
			return bytes.Clone(rest), err
		}
	}
}
