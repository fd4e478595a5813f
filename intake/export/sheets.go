package export

import (
	"strconv"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
)

// The sheets behind 目录: what the entries hang on.

var dutyColumns = []column[*cataloguev1.Duty]{
	{"职责代码", "Duty code", func(_ *export, m *cataloguev1.Duty) string { return m.GetId() }, 34},
	{"职责名称", "Duty name", func(_ *export, m *cataloguev1.Duty) string { return m.GetTitle() }, 48},
	{"部门", "Department", func(e *export, m *cataloguev1.Duty) string { return e.org(m.GetOrg()).Name }, 24},
	{"部门代码", "Owner code", func(_ *export, m *cataloguev1.Duty) string { return m.GetOrg() }, 21},
	{"权力类型", "Power type", func(e *export, m *cataloguev1.Duty) string { return label(e, code.PowerTypes, m.GetPowerType()) }, 18},
	{"设定依据", "Legal basis", func(_ *export, m *cataloguev1.Duty) string { return m.GetSource() }, 30},
	{"设定依据条款", "Legal basis: article", func(_ *export, m *cataloguev1.Duty) string { return m.GetArticle() }, 20},
	{"事项编码", "Matters", func(_ *export, m *cataloguev1.Duty) string { return m.GetMatterCode() }, 20},
	{"生效日期", "Valid from", func(_ *export, m *cataloguev1.Duty) string { return day(m.GetValidFromMs()) }, 0},
	{"失效日期", "Valid to", func(_ *export, m *cataloguev1.Duty) string { return day(m.GetValidToMs()) }, 0},
	{"已废止", "Retired", func(e *export, m *cataloguev1.Duty) string { return yes(e, m.GetRetired()) }, 0},
}

var systemColumns = []column[*cataloguev1.System]{
	{"系统代码", "System code", func(_ *export, m *cataloguev1.System) string { return m.GetId() }, 30},
	{"系统名称", "System name", func(_ *export, m *cataloguev1.System) string { return m.GetName() }, 36},
	{"部门", "Department", func(e *export, m *cataloguev1.System) string { return e.org(m.GetOrg()).Name }, 24},
	{"部门代码", "Owner code", func(_ *export, m *cataloguev1.System) string { return m.GetOrg() }, 21},
	{"系统分级", "System level", func(e *export, m *cataloguev1.System) string { return label(e, code.SystemLevels, m.GetLevel()) }, 0},
	{"所在网络", "Network", func(e *export, m *cataloguev1.System) string {
		return map[cataloguev1.Network]string{
			cataloguev1.Network_NETWORK_GOVERNMENT: e.say("政务外网", "government"),
			cataloguev1.Network_NETWORK_INTERNET:   e.say("互联网", "internet"),
			cataloguev1.Network_NETWORK_PRIVATE:    e.say("部门专网", "private"),
		}[m.GetNetwork()]
	}, 0},
	{"部署方式", "Hosting", func(_ *export, m *cataloguev1.System) string { return m.GetHosting() }, 20},
}

// tableRow is one column of a table, or a table without columns.
type tableRow struct {
	*cataloguev1.Table
	col *cataloguev1.Column
}

var tableColumns = []column[tableRow]{
	{"库表标识", "Table id", func(_ *export, m tableRow) string { return m.GetId() }, 40},
	{"库表名称", "Table name", func(_ *export, m tableRow) string { return m.GetName() }, 24},
	{"数据源", "Source", func(_ *export, m tableRow) string { return m.GetSource() }, 0},
	{"部门代码", "Owner code", func(_ *export, m tableRow) string { return m.GetOrg() }, 21},
	{"所属系统", "System", func(_ *export, m tableRow) string { return m.GetSystem() }, 24},
	{"估计行数", "Rows", func(_ *export, m tableRow) string { return strconv.FormatInt(m.GetRowsEstimate(), 10) }, 0},
	{"时间水印字段", "Watermark column", func(_ *export, m tableRow) string { return m.GetWatermarkColumn() }, 0},
	{"已删除", "Gone", func(e *export, m tableRow) string { return yes(e, m.GetGone()) }, 0},
	{"字段", "Column", func(_ *export, m tableRow) string { return m.col.GetName() }, 24},
	{"字段类型", "Column type", func(e *export, m tableRow) string { return typeWord(e, m.col.GetType()) }, 0},
	{"物理类型", "Physical type", func(_ *export, m tableRow) string { return m.col.GetPhysicalType() }, 20},
	{"可空", "Nullable", func(e *export, m tableRow) string { return yes(e, m.col.GetNullable()) }, 0},
	{"主键", "Key", func(e *export, m tableRow) string { return yes(e, m.col.GetPrimaryKey()) }, 0},
	{"注释", "Comment", func(_ *export, m tableRow) string { return m.col.GetComment() }, 36},
}

func headerOf[M any](e *export, cols []column[M]) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = e.say(c.zh, c.en)
	}
	return out
}

func rowOf[M any](e *export, cols []column[M], m M) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.text(e, m)
	}
	return out
}

func tableRows(t *cataloguev1.Table) []tableRow {
	if len(t.GetColumns()) == 0 {
		return []tableRow{{t, nil}}
	}
	out := make([]tableRow, len(t.GetColumns()))
	for i, c := range t.GetColumns() {
		out[i] = tableRow{t, c}
	}
	return out
}

func day(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02")
}
