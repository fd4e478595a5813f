package main

import (
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// entryOf makes the first version of an entry from a registered table: an item for
// each column, named by the column's comment where there is one.
func entryOf(t *cataloguev1.Table, id, name, duty, share, scope, cycle string) (*cataloguev1.Entry, error) {
	st, err := code.ShareTypes.Parse(share)
	if err != nil {
		return nil, fault.Newf(fault.Usage, "--share %q: 无条件共享, 有条件共享, 不予共享 (1 2 3)", share)
	}
	uc, err := code.UpdateCycles.Parse(cycle)
	if err != nil {
		return nil, fault.Newf(fault.Usage, "--cycle %q: 实时 每日 每周 每月 每季度 每半年 每年 不定期", cycle)
	}
	e := &cataloguev1.Entry{
		Id: t.GetOrg() + ":" + strings.TrimPrefix(id, t.GetOrg()+":"), Name: name, Provider: t.GetOrg(), Duties: []string{duty}, System: t.GetSystem(), Table: t.GetId(),
		Format: cataloguev1.Format_FORMAT_TABLE, Methods: []cataloguev1.Method{cataloguev1.Method_METHOD_QUERY, cataloguev1.Method_METHOD_BATCH},
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
