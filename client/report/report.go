// Package report writes the report of a month as a workbook. It needs nothing but the answer
// of OverviewService.GetReport, and for the same answer the file has the same bytes.
package report

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"mulian/client/sentence"
	consolev1 "mulian/gen/mulian/console/v1"
)

// words of a figure: Chinese, English, and what it counts in both.
type words struct{ zh, en, zhText, enText string }

// figures are the columns of a report in their order; docs/spec/reports.md is made of them.
var figures = [...]words{
	1:  {"收到申请", "Requests received", "当月向本机构提出的申请", "requests for what is the organisation's"},
	2:  {"同意", "Accepted", "当月同意的申请：答复同意、无条件即时同意、逾期视为同意", "requests accepted: by answer, at once, or by silence"},
	3:  {"不同意", "Refused", "当月答复不同意的申请", "requests refused"},
	4:  {"逾期视为同意", "Accepted by silence", "时限内未答复、视为同意的申请", "requests that nobody answered in time"},
	5:  {"逾期答复", "Answers overdue", "答复时限当月届满的申请", "clocks of an answer that ran out"},
	6:  {"答复中位用时（小时）", "Median answer (hours)", "从提出申请到人工答复的时间，中位数", "from filing to the answer of a person, median"},
	7:  {"被催办", "Urged", "当月被催办的次数", "urgings"},
	8:  {"提出申请", "Requests filed", "本机构当月提出的申请", "requests that the organisation filed"},
	9:  {"协议生效（提供）", "Agreements begun", "作为提供方当月生效的协议", "agreements in force, as the provider"},
	10: {"协议生效（使用）", "Agreements taken", "作为使用方当月生效的协议", "agreements in force, as the consumer"},
	11: {"协议暂停", "Agreements suspended", "作为提供方当月暂停的协议", "agreements suspended, as the provider"},
	12: {"协议结束", "Agreements ended", "作为提供方当月终止或到期的协议", "agreements ended or run out, as the provider"},
	13: {"交付", "Deliveries", "本机构网关当月完成的交付", "deliveries that its gateways completed"},
	14: {"登记使用", "Uses", "本机构当月登记的使用", "uses that the organisation recorded"},
	15: {"目录提交", "Entries submitted", "当月提交的目录项（含修改）", "entries submitted, changes too"},
	16: {"目录锁定", "Entries locked", "当月锁定的目录项", "entries locked"},
	17: {"目录撤销", "Entries withdrawn", "当月撤销的目录项", "entries withdrawn"},
	18: {"漂移", "Drifts", "当月在本机构库表发现的漂移", "drifts found in its tables"},
	19: {"漂移处置", "Drifts settled", "当月处置的漂移", "drifts settled"},
	20: {"收到异议", "Objections received", "当月对本机构提出的异议", "objections against the organisation"},
	21: {"提出异议", "Objections filed", "本机构当月提出的异议", "objections that it filed"},
	22: {"争议", "Disputes", "当月提起的争议，任一方", "disputes raised, as either side"},
	23: {"违规登记", "Violations", "本机构当月登记的违规", "violations that it recorded"},
	24: {"收到校核", "Corrections asked", "当月请本机构校核的数据", "corrections asked of it"},
	25: {"表决", "Votes", "本机构当月投的票，提案即投同意票", "votes that it cast; who proposes has voted for it"},
}

const (
	median  = consolev1.ReportFigure_REPORT_FIGURE_ANSWER_MEDIAN_MS
	hourMs  = 3_600_000
	command = "mulian report --month %s -o report.xlsx"
)

// Title is how a figure is called, and Text what it counts.
func Title(lang sentence.Language, f consolev1.ReportFigure) string {
	w := figures[f]
	if lang == sentence.Chinese {
		return w.zh
	}
	return w.en
}

// Text says what a figure counts.
func Text(lang sentence.Language, f consolev1.ReportFigure) string {
	w := figures[f]
	if lang == sentence.Chinese {
		return w.zhText
	}
	return w.enText
}

// Titles are the words of all figures, in their order.
func Titles(lang sentence.Language) []*consolev1.ReportTitle {
	var out []*consolev1.ReportTitle
	for i := 1; i < len(figures); i++ {
		f := consolev1.ReportFigure(i)
		out = append(out, &consolev1.ReportTitle{Figure: f, Title: Title(lang, f), Text: Text(lang, f)})
	}
	return out
}

// Workbook writes the report: a sheet of all organisations and figures, and one that says what
// each counts, up to which block, and how to get it again. A text is a text, whatever it begins with.
func Workbook(w io.Writer, lang sentence.Language, r *consolev1.GetReportResponse) error {
	say := func(zh, en string) string {
		if lang == sentence.Chinese {
			return zh
		}
		return en
	}
	f := excelize.NewFile()
	defer f.Close()
	// What a program writes of itself and of the clock would make two files of one report.
	at := time.UnixMilli(r.GetTimeMs()).UTC().Format(time.RFC3339)
	if err := f.SetDocProps(&excelize.DocProperties{Created: at, Modified: at, Creator: "mulian", LastModifiedBy: "mulian"}); err != nil {
		return err
	}
	head, err := f.NewStyle(&excelize.Style{NumFmt: 49, Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDE6F0"}}, Alignment: &excelize.Alignment{Vertical: "center", WrapText: true}})
	if err != nil {
		return err
	}
	text, err := f.NewStyle(&excelize.Style{NumFmt: 49})
	if err != nil {
		return err
	}
	whole, err := f.NewStyle(&excelize.Style{NumFmt: 3}) // #,##0
	if err != nil {
		return err
	}
	hours, err := f.NewStyle(&excelize.Style{NumFmt: 4}) // #,##0.00
	if err != nil {
		return err
	}
	sheet := r.GetMonth()
	if err := f.SetSheetName("Sheet1", sheet); err != nil {
		return err
	}
	s, err := f.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	for i, wide := range []float64{22, 28} {
		if err := s.SetColWidth(i+1, i+1, wide); err != nil {
			return err
		}
	}
	if err := s.SetPanes(&excelize.Panes{Freeze: true, XSplit: 2, YSplit: 1, TopLeftCell: "C2", ActivePane: "bottomRight"}); err != nil {
		return err
	}
	row := []any{excelize.Cell{StyleID: head, Value: say("代码", "Code")}, excelize.Cell{StyleID: head, Value: say("机构", "Organisation")}}
	for i := 1; i < len(figures); i++ {
		row = append(row, excelize.Cell{StyleID: head, Value: Title(lang, consolev1.ReportFigure(i))})
	}
	n := 1
	put := func(code, name string, counts []*consolev1.ReportCount) error {
		row = append(row[:0], excelize.Cell{StyleID: text, Value: code}, excelize.Cell{StyleID: text, Value: name})
		by := map[consolev1.ReportFigure]int64{}
		for _, c := range counts {
			by[c.GetFigure()] = c.GetN()
		}
		for i := 1; i < len(figures); i++ {
			switch v, ok := by[consolev1.ReportFigure(i)]; {
			case consolev1.ReportFigure(i) == median && !ok:
				row = append(row, nil) // nobody answered: there is no median
			case consolev1.ReportFigure(i) == median:
				row = append(row, excelize.Cell{StyleID: hours, Value: float64(v) / hourMs})
			default:
				row = append(row, excelize.Cell{StyleID: whole, Value: v})
			}
		}
		n++
		return s.SetRow(fmt.Sprintf("A%d", n), row)
	}
	if err := s.SetRow("A1", row); err != nil {
		return err
	}
	for _, o := range r.GetOrgs() {
		if err := put(o.GetOrg(), cmp.Or(o.GetName(), o.GetOrg()), o.GetCounts()); err != nil {
			return err
		}
	}
	if err := put("", say("合计", "All"), r.GetSum()); err != nil {
		return err
	}
	if err := s.Flush(); err != nil {
		return err
	}
	return about(f, say, lang, r, head, text, w)
}

func about(f *excelize.File, say func(zh, en string) string, lang sentence.Language, r *consolev1.GetReportResponse, head, text int, w io.Writer) error {
	name := say("说明", "About")
	if _, err := f.NewSheet(name); err != nil {
		return err
	}
	s, err := f.NewStreamWriter(name)
	if err != nil {
		return err
	}
	for i, wide := range []float64{30, 90} {
		if err := s.SetColWidth(i+1, i+1, wide); err != nil {
			return err
		}
	}
	month := r.GetMonth()
	if r.GetRunning() {
		month += say("，未完，截至下列高度", ", not over: up to the height below")
	}
	rows := [][2]string{
		{say("月份（北京时间，按区块时间）", "Month (Beijing, by the time of the block)"), month},
		{say("链", "Chain"), r.GetChainId()},
		{say("高度", "Height"), fmt.Sprint(r.GetHeight())},
		{say("区块时间", "Time of the block"), time.UnixMilli(r.GetTimeMs()).In(time.FixedZone("+08:00", 8*3600)).Format("2006-01-02 15:04:05 -07:00")},
		{say("再次生成", "To get it again"), fmt.Sprintf(command, r.GetMonth())},
		{say("机构数", "Organisations"), fmt.Sprint(r.GetOrgsTotal())},
	}
	for i := 1; i < len(figures); i++ {
		rows = append(rows, [2]string{Title(lang, consolev1.ReportFigure(i)), Text(lang, consolev1.ReportFigure(i))})
	}
	for i, line := range rows {
		if err := s.SetRow(fmt.Sprintf("A%d", i+1), []any{excelize.Cell{StyleID: head, Value: line[0]}, excelize.Cell{StyleID: text, Value: strings.TrimSpace(line[1])}}); err != nil {
			return err
		}
	}
	if err := s.Flush(); err != nil {
		return err
	}
	var file bytes.Buffer
	if err := f.Write(&file); err != nil {
		return err
	}
	return inOrder(w, file.Bytes())
}

// inOrder writes the parts of a workbook by their names: the library has its sheets in the order of a map.
func inOrder(w io.Writer, file []byte) error {
	parts, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return err
	}
	slices.SortFunc(parts.File, func(a, b *zip.File) int { return cmp.Compare(a.Name, b.Name) }) // [Content_Types].xml first
	out := zip.NewWriter(w)
	for _, part := range parts.File {
		if err := out.Copy(part); err != nil {
			return err
		}
	}
	return out.Close()
}
