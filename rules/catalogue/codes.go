package catalogue

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// PutCodes describes a code table and puts some of its codes. Signed by the
// organisation that keeps the table, OFFICER, or by AUTHORITY, which alone may give a
// table to another organisation. All or nothing. What is not named stays as it is; a
// code is taken out of use by putting it again, retired. An unchanged code is no
// change; a message that changes nothing makes no event.
//
// The table's version rises by one with each message that changes it or a code of
// it, and its number of codes counts those that are not retired. The work is that of
// the codes named, however many the table has.
//
// In this order: Missing (table), Missing, TooLong, Malformed (its id), Forbidden,
// NotFound (organisation), Missing, TooLong, Malformed (its fields), TooLong (codes);
// then code by code CodeInconsistent (of another table), Missing, TooLong, Malformed
// (fields), Duplicate (twice in the message).
func PutCodes(a *act.Act, m *cataloguev1.PutCodes) error {
	const rule = "catalogue/put_codes"
	if m.GetTable() == nil {
		return act.Refuse(fault.Missing, rule, "the code table is missing")
	}
	next := proto.CloneOf(m.Table)
	was, there := codeTables.Get(a.Tx, next.Id)
	if err := checkCodeTable(a, rule, next, was); err != nil {
		return err
	}
	if err := act.AtMost(rule, "codes", len(m.Codes), MaxCodes); err != nil {
		return err
	}
	next.Version, next.Codes = was.GetVersion(), was.GetCodes()
	described := !there || !proto.Equal(was, next)
	changed, err := putCodes(a, rule, next, m.Codes)
	if err != nil || !described && len(changed) == 0 {
		return err
	}
	next.Version++
	codeTables.Put(a.Tx, next.Id, next)
	for first := true; first || len(changed) > 0; first = false {
		n := min(len(changed), codesPerEvent)
		a.Emit(rule, note(next.Version), append([]string{codeTableKey(next.Id)}, changed[:n]...)...)
		changed = changed[n:]
	}
	return nil
}

// putCodes puts what differs, counts it in t, and returns the keys of what it put.
func putCodes(a *act.Act, rule string, t *cataloguev1.CodeTable, list []*cataloguev1.Code) (changed []string, err error) {
	seen := make(map[string]bool, len(list))
	for i, c := range list {
		if err := act.In(rule, i, checkCode(rule, t.Id, c)); err != nil {
			return nil, err
		}
		if seen[c.Code] {
			return nil, act.RefuseItem(fault.Duplicate, rule, i, "code %q stands twice in the message", c.Code)
		}
		seen[c.Code] = true
		next := proto.CloneOf(c)
		next.Table, next.Version = t.Id, 1
		was, there := codes.Get(a.Tx, codeID(t.Id, c.Code))
		if there {
			next.Version = was.Version
			if proto.Equal(was, next) {
				continue
			}
			next.Version++
			if !was.Retired {
				t.Codes--
			}
		}
		if !next.Retired {
			t.Codes++
		}
		codes.Put(a.Tx, codeID(t.Id, c.Code), next)
		changed = append(changed, codeKey(t.Id, c.Code))
	}
	return changed, nil
}

// checkCodeTable looks at a table's description; was is what stands now, or nil.
func checkCodeTable(a *act.Act, rule string, t, was *cataloguev1.CodeTable) error {
	if err := checkTableID(rule, t.Id); err != nil {
		return err
	}
	if a.Has(governancev1.Role_ROLE_AUTHORITY) {
		if err := a.Need(officer); err != nil {
			return err
		}
	} else if err := a.NeedOrg(t.Org, officer); err != nil {
		return err
	} else if was != nil && was.Org != t.Org {
		return act.Refuse(fault.Forbidden, rule, "code table %s is kept by %s", t.Id, was.Org)
	}
	if _, ok := identity.Org(a.Tx, t.Org); !ok {
		return act.Refuse(fault.NotFound, rule, "code table %s: organisation %.40q is not on board", t.Id, t.Org)
	}
	return act.First(
		act.Line(rule, "name", t.Name, maxName, true),
		act.Line(rule, "standard", t.Standard, maxSource, false),
	)
}

// checkTableID takes names like "GB/T 2260": single blanks and slashes may stand
// within.
func checkTableID(rule, id string) error {
	if id == "" {
		return act.Refuse(fault.Missing, rule, "the id of the code table is missing")
	}
	if len(id) > maxCodeTableID {
		return act.Refuse(fault.TooLong, rule, "code table: its id has %d bytes, at most %d", len(id), maxCodeTableID)
	}
	blank := strings.ReplaceAll(id, " ", "x")
	if !utf8.ValidString(id) || strings.TrimSpace(id) != id || strings.Contains(id, "  ") || strings.ContainsFunc(blank, notPrinted) {
		return act.Refuse(fault.Malformed, rule, "code table %.80q: control characters, or blanks at an end", id)
	}
	return nil
}

func checkCode(rule, table string, c *cataloguev1.Code) error {
	switch {
	case c.GetTable() != "" && c.Table != table:
		return act.Refuse(fault.CodeInconsistent, rule, "code %.64q is of table %.100q, the message is of %s", c.Code, c.Table, table)
	case c.GetCode() == "":
		return act.Refuse(fault.Missing, rule, "the code is missing")
	case len(c.Code) > maxCode:
		return act.Refuse(fault.TooLong, rule, "code %.64q: %d bytes, at most %d", c.Code, len(c.Code), maxCode)
	case !utf8.ValidString(c.Code) || strings.ContainsFunc(c.Code, func(r rune) bool { return r == '/' || notPrinted(r) && r != ' ' }) ||
		strings.TrimFunc(c.Code, unicode.IsSpace) != c.Code:
		return act.Refuse(fault.Malformed, rule, "code %.64q: control characters, a slash, or blanks at an end", c.Code)
	}
	return act.First(
		act.Line(rule, "code name", c.Name, maxName, true),
		parent(rule, c.Parent),
	)
}

func parent(rule, p string) error {
	if len(p) > maxCode {
		return act.Refuse(fault.TooLong, rule, "parent: %d bytes, at most %d", len(p), maxCode)
	}
	return act.Line(rule, "parent", p, maxCode, false)
}

// codeID is the key of a code. No code has a slash, so the last one of the key ends
// the table's id, which may have some.
func codeID(table, code string) string { return table + "/" + code }
