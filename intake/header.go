package intake

import (
	"regexp"
	"strings"

	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// wrappers are the keys under which portals put the record itself.
var wrappers = map[string]bool{"info": true, "result": true, "data": true, "fields": true, "metadata": true, "record": true, "attributes": true}

// byHeader is synonyms turned round; our own field names are headers, too.
var byHeader = turnRound()

// meaning is a field, and how good a header for it one is: 0 is the best.
type meaning struct {
	field Field
	rank  int
}

func turnRound() map[string]meaning {
	m := make(map[string]meaning)
	for _, headers := range []map[Field][]string{synonyms, formHeaders} {
		for f, names := range headers {
			for i, n := range names {
				m[headerKey(n)] = meaning{f, i + 1}
			}
		}
	}
	for _, headers := range []map[Field][]string{synonyms, formHeaders} {
		for f := range headers { // our own names are unambiguous; a rank that one has it keeps: CKAN's title comes before its name
			if k := headerKey(string(f)); m[k].field != f {
				m[k] = meaning{f, 0}
			}
		}
	}
	return m
}

var brackets = regexp.MustCompile(`\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】`)

// headerKey is the form in which headers are compared: NFKC without blanks, in
// lower case, without the star or colon that forms put beside required fields.
func headerKey(s string) string {
	if len(s) > maxHeader {
		return ""
	}
	k, ok := code.Key(s)
	if !ok {
		return ""
	}
	return strings.Trim(strings.ToLower(strings.ReplaceAll(k, "_", "")), "*:·•")
}

// fieldOf finds the field for a header, also without its remark in brackets:
// 资源名称（必填）. The field is "" when it is none of ours.
func fieldOf(header string) meaning {
	k := headerKey(header)
	if f, ok := byHeader[k]; ok {
		return f
	}
	return byHeader[strings.Trim(brackets.ReplaceAllString(k, ""), "*:")]
}

// known says whether a text is a header of ours; sheet finds the header row by it.
// The single words that are more often values than headers do not count there.
func known(extra map[string]Field) func(string) bool {
	return func(s string) bool {
		if _, ok := extra[headerKey(s)]; ok {
			return true
		}
		return fieldOf(s).field != ""
	}
}

// ParseMap reads the assignments of --map: "their header=our field". Usage names
// the one that is wrong.
func ParseMap(lang sheet.Lang, assignments []string) (map[string]Field, error) {
	m := make(map[string]Field, len(assignments))
	for _, a := range assignments {
		at := strings.LastIndexByte(a, '=')
		if at <= 0 {
			return nil, fault.Newf(fault.Usage, "%s", lang.Say("--map 要写成“对方的表头=我们的字段”：%q", "--map wants \"their header=our field\", not %q", a))
		}
		f := Field(strings.TrimSpace(a[at+1:]))
		if _, ok := byHeader[headerKey(string(f))]; (!ok || byHeader[headerKey(string(f))].field != f) && f != Ignored {
			return nil, fault.Newf(fault.Usage, "%s", lang.Say("没有字段 %q", "there is no field %q", f))
		}
		m[headerKey(a[:at])] = f
	}
	return m, nil
}
