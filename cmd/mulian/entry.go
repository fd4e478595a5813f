package main

import (
	"slices"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// entryOf makes the first version of an entry from a registered table: an item for
// each column, named by the column's comment where there is one.
func entryOf(t *cataloguev1.Table, id, name, duty, share, scope, cycle string, methods []string) (*cataloguev1.Entry, error) {
	st, err := code.ShareTypes.Parse(share)
	if err != nil {
		return nil, fault.Newf(fault.Usage, "--share %q: 无条件共享, 有条件共享, 不予共享 (1 2 3)", share)
	}
	uc, err := code.UpdateCycles.Parse(cycle)
	if err != nil {
		return nil, fault.Newf(fault.Usage, "--cycle %q: 实时 每日 每周 每月 每季度 每半年 每年 不定期", cycle)
	}
	format, by, err := handing(t, methods)
	if err != nil {
		return nil, err
	}
	e := &cataloguev1.Entry{
		Id: t.GetOrg() + ":" + strings.TrimPrefix(id, t.GetOrg()+":"), Name: name, Provider: t.GetOrg(), Duties: []string{duty}, System: t.GetSystem(), Table: t.GetId(),
		Format: format, Methods: by,
		ShareType: cataloguev1.ShareType(st), UpdateCycle: cataloguev1.UpdateCycle(uc), Grade: cataloguev1.Grade_GRADE_GENERAL_1,
		Personal: cataloguev1.Personal_PERSONAL_NONE, Processing: cataloguev1.Processing_PROCESSING_RAW, OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED,
	}
	if scope != "" {
		e.Conditions = &cataloguev1.ShareConditions{Scope: scope}
	}
	for _, c := range t.GetColumns() {
		item := &cataloguev1.Item{
			Code: c.GetName(), Name: c.GetComment(), TechnicalName: c.GetName(), Type: c.GetType(), Column: c.GetName(), PrimaryKey: c.GetPrimaryKey(),
		}
		if item.GetName() == "" {
			item.Name = c.GetName()
		}
		e.Items = append(e.Items, item)
	}
	return e, nil
}

// ways are the methods by their words on the command line.
var ways = map[string]cataloguev1.Method{
	"query": cataloguev1.Method_METHOD_QUERY, "batch": cataloguev1.Method_METHOD_BATCH, "file": cataloguev1.Method_METHOD_FILE,
}

// handing is an entry's format, and the methods by which it is handed over: those that
// are named, or what its table is made for.
func handing(t *cataloguev1.Table, named []string) (cataloguev1.Format, []cataloguev1.Method, error) {
	format, methods := cataloguev1.Format_FORMAT_TABLE, []cataloguev1.Method{ways["query"], ways["batch"]}
	if ofDocuments(t) {
		format, methods = cataloguev1.Format_FORMAT_FOLDER, []cataloguev1.Method{ways["file"]}
	}
	if len(named) == 0 {
		return format, methods, nil
	}
	methods = nil
	for _, n := range named {
		m, ok := ways[n]
		if !ok {
			return 0, nil, fault.Newf(fault.Usage, "--method %q: query, batch or file", n)
		}
		if !slices.Contains(methods, m) {
			methods = append(methods, m)
		}
	}
	return format, methods, nil
}

// documentColumns are those of each table of a documents: source, in its own types: no
// database has an instant beside bytes.
const documentColumns = "name text, piece integer, size integer, modified instant, sha256 text, content bytes"

// ofDocuments reports whether a table is a folder of files that are delivered as they are.
func ofDocuments(t *cataloguev1.Table) bool {
	var have []string
	for _, c := range t.GetColumns() {
		have = append(have, c.GetName()+" "+c.GetType())
	}
	return strings.Join(have, ", ") == documentColumns
}
