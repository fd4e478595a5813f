package sheet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"mulian/internal/fault"
)

// Portals put the list into an envelope: CKAN into {"success":…,"result":{"results":[…]}},
// Project Open Data into {"conformsTo":…,"dataset":[…]}. The list is read element by
// element, wherever in the envelope it stands; the rest of the envelope is passed over.

// member is one key of an object, and where its value begins.
type member struct {
	key string
	at  int
}

// membersOf walks over the keys of the object that b begins with. b may end
// anywhere; what was seen until then is returned.
func membersOf(b []byte) []member {
	var out []member
	depth, i := 0, 0
	for i < len(b) && len(out) < 256 {
		switch c := b[i]; c {
		case '"':
			end := textEnd(b, i)
			if end < 0 {
				return out
			}
			after := end
			for after < len(b) && isBlank(b[after]) {
				after++
			}
			if depth == 1 && after < len(b) && b[after] == ':' {
				for after++; after < len(b) && isBlank(b[after]); {
					after++
				}
				if after < len(b) {
					out = append(out, member{string(b[i+1 : end-1]), after})
				}
				i = after
				continue
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return out
			}
		}
		i++
	}
	return out
}

// textEnd returns the index behind the string that begins at i, or -1.
func textEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// listKeys are the keys under which programs put a list of records.
const listKeys = " dataset datasets results result data items records entries packages "

// envelope says how the values of a JSON file are wrapped.
type envelope struct {
	path    []string // keys down to the list; nil when each value is a record
	linked  bool     // JSON-LD
	context bool     // of JSON-LD: @context stands before @graph
	refusal string   // why it is no list at all: schema, names, or ""
}

// envelopeOf looks at the head of a file of objects.
func envelopeOf(head []byte) envelope {
	var e envelope
	if len(head) > 0 && head[0] == '[' { // expanded JSON-LD is an array of nodes
		inner := bytes.TrimLeft(head[1:], " \t\r\n")
		e.linked = len(inner) > 0 && inner[0] == '{' && linkedNode(membersOf(inner), inner)
		return e
	}
	members := membersOf(head)
	at := make(map[string]int)
	for _, m := range members {
		if _, ok := at[m.key]; !ok {
			at[m.key] = m.at
		}
	}
	first := func(key string) byte {
		if i, ok := at[key]; ok {
			return head[i]
		}
		return 0
	}
	schema := first("$schema") == '"' && bytes.Contains(head[at["$schema"]:min(len(head), at["$schema"]+100)], []byte("json-schema.org"))
	pod := first("dataset") == '[' && (first("@context") == 0 || bytes.Contains(head[:min(len(head), 4096)], []byte("project-open-data")))
	switch {
	case schema:
		e.refusal = "schema"
	case pod:
		e.path = []string{"dataset"}
	case first("@context") != 0, first("@graph") == '[', linkedNode(members, head):
		e.linked = true
		if first("@graph") == '[' {
			i, ok := at["@context"]
			e.context = ok && i < at["@graph"]
		}
	case first("result") == '{' && hasList(head[at["result"]:], "results"):
		e.path = []string{"result", "results"}
	case first("result") == '[' && namesOnly(head[at["result"]:]):
		e.refusal = "names"
	case first("title") == 0 && first("name") == 0:
		for _, m := range members {
			if strings.Contains(listKeys, " "+m.key+" ") && listOfObjects(head[m.at:]) {
				e.path = []string{m.key}
				break
			}
		}
	}
	return e
}

// linkedNode reports whether an object is a node of expanded JSON-LD: nothing but
// @id, @type and keys that are IRIs.
func linkedNode(members []member, b []byte) bool {
	iris := 0
	for _, m := range members {
		switch {
		case strings.Contains(m.key, "://") && b[m.at] == '[':
			iris++
		case strings.HasPrefix(m.key, "@"):
		default:
			return false
		}
	}
	return iris > 0
}

func hasList(b []byte, key string) bool {
	for _, m := range membersOf(b) {
		if m.key == key {
			return b[m.at] == '['
		}
	}
	return false
}

// namesOnly reports whether the list at the head of b begins with a text.
func namesOnly(b []byte) bool {
	inner := bytes.TrimLeft(b[1:], " \t\r\n")
	return len(inner) > 0 && inner[0] == '"'
}

func listOfObjects(b []byte) bool {
	if len(b) == 0 || b[0] != '[' {
		return false
	}
	inner := bytes.TrimLeft(b[1:], " \t\r\n")
	return len(inner) > 0 && (inner[0] == '{' || inner[0] == ']')
}

// refuseList says why a JSON file is no list of records.
func (f *File) refuseList(why string) error {
	if why == "schema" {
		return fault.Newf(fault.Missing, "%s", f.lang.Say("%s 是 JSON 模式（JSON Schema），说明目录应有的格式，本身没有目录条目：请导入目录文件", "%s is a JSON schema: it says what a catalogue looks like and lists nothing; import the catalogue itself", f.Name))
	}
	return fault.Newf(fault.Malformed, "%s", f.lang.Say("%s 只有数据集的标识（CKAN package_list 的答复），没有内容：请下载 package_search 的答复", "%s holds nothing but the names of data sets (CKAN's answer to package_list): fetch the answer to package_search", f.Name))
}

// The states of an object reader inside an envelope.
const (
	outside = iota
	inMembers
	inList
)

// enter moves through the envelope to the next element of the list. It returns
// true when an element begins, or a record that tells what is wrong.
func (o *objects) enter() (bool, *Record, error) {
	for {
		b, err := o.skipTo()
		if err != nil {
			if o.state != outside && errors.Is(err, io.EOF) {
				o.state = outside
				rec := o.broken(o.line, fault.Torn, "文件在清单中间结束：可能没有下载完整", "the file ends in the middle of its list: it may not be fetched completely")
				return false, &rec, nil
			}
			return false, nil, err
		}
		switch {
		case b == ',':
			o.r.ReadByte()
		case o.state == inList && b == ']':
			o.r.ReadByte()
			o.state = inMembers
		case o.state == inList:
			return true, nil, nil
		case o.state == outside && b == '{':
			o.r.ReadByte()
			o.state, o.level, o.found, o.began = inMembers, 0, false, o.line
		case o.state == inMembers && b == '}':
			o.r.ReadByte()
			if o.level--; o.level < 0 {
				o.state = outside
				if !o.found {
					rec := o.emptyEnvelope()
					return false, &rec, nil
				}
			}
		case o.state == inMembers && b == '"':
			if rec := o.member(); rec != nil {
				return false, rec, nil
			}
		default:
			rec := o.broken(o.line, fault.Malformed, "此处不是 JSON，其后未读取", "this is no JSON; what follows was not read")
			o.state, o.stopped = outside, true
			return false, &rec, nil
		}
	}
}

// emptyEnvelope tells of an envelope without the list: the portal's own words
// where it refused to answer.
func (o *objects) emptyEnvelope() Record {
	if o.said != "" {
		return o.broken(o.began, fault.Malformed, "门户没有给出清单，而是答复："+o.said, "the portal answered with no list but: "+o.said)
	}
	name := strings.Join(o.path, ".")
	return o.broken(o.began, fault.Missing, "其中没有清单 "+name, "there is no list "+name+" in it")
}

// member reads a key of the envelope: it goes down where the path goes, and passes
// over every other value.
func (o *objects) member() *Record {
	key, err := o.key()
	if err != nil {
		return nil // the next step tells that the file ends
	}
	b, err := o.skipTo()
	if err != nil {
		return nil
	}
	if o.level < len(o.path) && key == o.path[o.level] {
		switch last := o.level == len(o.path)-1; {
		case last && b == '[':
			o.r.ReadByte()
			o.state, o.found = inList, true
			return nil
		case !last && b == '{':
			o.r.ReadByte()
			o.level++
			return nil
		}
	}
	raw, err := o.cut()
	switch {
	case key == "error" || key == "message":
		o.said = strings.Join(strings.Fields(string(raw[:min(len(raw), 300)])), " ")
	case key == "@context" && o.context == nil:
		o.context = raw
	}
	if err != nil && err != errLong {
		o.state = outside
		rec := o.broken(o.line, fault.Torn, "文件在清单之外结束：可能没有下载完整", "the file ends before its list: it may not be fetched completely")
		return &rec
	}
	return nil
}

// key reads the key that begins here, and the colon behind it.
func (o *objects) key() (string, error) {
	o.r.ReadByte()
	raw, escaped := []byte{'"'}, false
	for {
		b, err := o.r.ReadByte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			o.line++
		}
		if len(raw) < maxKeyBytes {
			raw = append(raw, b)
		}
		if b == '"' && !escaped {
			break
		}
		escaped = b == '\\' && !escaped
	}
	b, err := o.skipTo()
	if err == nil && b == ':' {
		o.r.ReadByte()
	}
	var key string
	json.Unmarshal(raw, &key)
	return key, err
}
