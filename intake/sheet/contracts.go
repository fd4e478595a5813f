package sheet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"mulian/internal/fault"
)

// Data contracts (ODCS) are YAML: one document for each, with a line of --- between.
// YAML is read for nothing else.

// maxContractBytes bounds one contract: four times the longest entry of the ledger.
// maxDashes bounds list marks on one line ("- - - x" nests three lists).
const (
	maxContractBytes = 1 << 20
	maxDashes        = maxDepth
)

var contractHead = regexp.MustCompile(`(?m)^kind:\s*["']?DataContract["']?\s*$`)

// isContract reports whether head is the beginning of a data contract.
func isContract(head []byte) bool {
	return len(head) > 0 && head[0] != '{' && bytes.Contains(head, []byte("apiVersion:")) && contractHead.Match(head)
}

// contracts reads the documents of a YAML stream, one after the other.
type contracts struct {
	file *File
	r    *bufio.Reader
	line int // of the next line to be read
	over bool
}

// next implements source.
func (c *contracts) next() (Record, error) {
	o := objects{file: c.file}
	for !c.over {
		raw, at, err := c.document()
		switch {
		case errors.Is(err, errLong):
			return o.broken(at, fault.TooLong, "该合约超过 1 MB", "the contract is larger than 1 MB"), nil
		case err != nil:
			return Record{}, err
		case len(bytes.TrimSpace(raw)) == 0:
			continue
		}
		if why := unsafe(raw); why != "" {
			return o.broken(at, fault.Malformed, "合约中不能有"+why, "a contract may not have "+why), nil
		}
		var v map[string]any
		if err := yaml.Unmarshal(raw, &v); err != nil {
			return o.broken(at, fault.Malformed, "不是正确的 YAML："+firstLine(err), "no valid YAML: "+firstLine(err)), nil
		}
		object, err := json.Marshal(v) // not the library's: what it writes for rare characters is no JSON
		if err != nil {
			return o.broken(at, fault.Malformed, "不是正确的 YAML："+firstLine(err), "no valid YAML: "+firstLine(err)), nil
		}
		return o.parsed(bytes.TrimSpace(object), at), nil
	}
	return Record{}, io.EOF
}

func firstLine(err error) string {
	text, _, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	return string(text)
}

// document reads up to the next line of ---, and returns at which line it began.
func (c *contracts) document() (raw []byte, at int, err error) {
	at = c.line
	long := false
	for {
		line, err := c.r.ReadSlice('\n')
		if err == nil || errors.Is(err, io.EOF) {
			c.line++
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil
		}
		if mark := bytes.TrimRight(line, " \t\r\n"); bytes.Equal(mark, []byte("---")) || bytes.Equal(mark, []byte("...")) {
			line = nil
			if err == nil {
				if long {
					return nil, at, errLong
				}
				return raw, at, nil
			}
		}
		if len(raw)+len(line) > maxContractBytes {
			long = true
		} else {
			raw = append(raw, line...)
		}
		if errors.Is(err, io.EOF) {
			c.over = true
			if long {
				return nil, at, errLong
			}
			return raw, at, nil
		}
		if err != nil {
			return nil, at, c.file.unreadable(err)
		}
	}
}

// unsafe says what of a document would make its reader recurse or unfold without
// bound: nesting beyond maxDepth on a line, anchors, aliases and tags. Contracts need
// none. Nesting by indentation is bounded by the size: n levels take n²/2 blanks.
func unsafe(raw []byte) string {
	depth, dashes, line := 0, 0, 0
	for _, t := range lexer.Tokenize(string(raw)) {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.DirectiveType:
			return "& * ! %"
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			if t.Position.Line != line {
				line, dashes = t.Position.Line, 0
			}
			dashes++
		}
		if depth > maxDepth || dashes > maxDashes {
			return "[[[["
		}
	}
	return ""
}
