package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mulian/intake"
	"mulian/intake/filing"
	"mulian/internal/fault"
)

// endImport is how an import ends that nobody stopped: every file that failed, or an
// exit status that says that something is held, refused or cannot be read. The answer
// was printed before.
func (a *app) endImport(lists []*list) error {
	failed := slices.DeleteFunc(slices.Clone(lists), func(l *list) bool { return l.err == nil })
	switch {
	case len(failed) > 0 && a.json:
		return quietExit(exitOf(failed[0].err)) // the answer has it already, with its code
	case len(failed) == 1:
		return failed[0].err
	case len(failed) > 1:
		fmt.Fprintf(a.err, a.t("%d 个文件中有 %d 个失败：\n", "of %d files %d failed:\n"), len(lists), len(failed))
		for _, l := range failed {
			fmt.Fprintf(a.err, "%s\n", l.Path)
			a.fail(l.err)
		}
		return quietExit(exitOf(failed[0].err))
	}
	for _, l := range lists {
		if lacking(l.Applied) || l.Report != nil && l.Report.Broken > 0 {
			return quietExit(1) // the answer says which, and why
		}
	}
	return nil
}

// lacking reports whether something of a list, or of the duties in it, was held or
// refused.
func lacking(p *filing.Outcome) bool {
	return p != nil && (p.Held+p.Refused > 0 || p.Duties != nil && p.Duties.Held+p.Duties.Refused > 0)
}

// cutShort says how far an import came that a person, or the machine, has stopped; nil
// for one that was not.
func (a *app) cutShort(ctx context.Context, lists []*list) error {
	if ctx.Err() == nil {
		return nil
	}
	var all sum
	for _, l := range lists {
		all.add(l)
		if l.err != nil { // the machinery's words for it say nothing to a person
			l.err = fault.Newf(fault.Cancelled, "%s", a.t("已中断", "interrupted"))
		}
	}
	if a.json && (len(lists) > 1 || lists[0].Report != nil) {
		return quietExit(fault.Cancelled.Exit()) // the answer has the numbers
	}
	if a.dryRun {
		return fault.Newf(fault.Cancelled, "%s", a.t("已中断；预检不改变任何东西", "interrupted; a dry run changes nothing"))
	}
	return fault.Newf(fault.Cancelled, a.t("已中断：上链 %d 条，未变 %d 条，续传 %d 条；再次运行同一命令即从中断处继续", "interrupted: %d applied, %d unchanged, %d applied before; run the same command again to go on"),
		all.Sent, all.Unchanged, all.Resumed)
}

// showProblems lists what is wrong: what is the same in many lines in one, and the
// columns that have no field of ours in one.
func (a *app) showProblems(w io.Writer, problems []intake.Problem, leftOut, most int) {
	groups, unused := grouped(problems)
	shown := 0
	for _, g := range groups {
		if shown == most {
			break
		}
		shown++
		a.showProblem(w, g)
	}
	for _, g := range groups[shown:] {
		leftOut += len(g.lines)
	}
	if len(unused) > 0 {
		a.showUnused(w, unused)
	}
	if leftOut > 0 {
		fmt.Fprintf(w, a.t("  另有 %d 个问题（--problems 可多列，--json 全列）\n", "  and %d more (--problems lists more, --json all)\n"), leftOut)
	}
}

// same is one problem with the lines that have it.
type same struct {
	intake.Problem
	lines []int
}

// grouped puts problems together that differ in nothing but their line, in the order
// of their first lines, those of the file as a whole before; and sets apart the columns
// that nobody reads.
func grouped(problems []intake.Problem) (groups []*same, unused []intake.Problem) {
	type what struct {
		field, message, suggestion string
		code                       fault.Code
		whole                      bool // one of the file as a whole is no other
	}
	at := map[what]*same{}
	for _, p := range problems {
		if p.Unused > 0 {
			unused = append(unused, p)
			continue
		}
		key := what{p.Field, p.Message, p.Suggestion, p.Code, p.Line == 0}
		g := at[key]
		if g == nil {
			g = &same{Problem: p}
			at[key] = g
			groups = append(groups, g)
		}
		g.lines = append(g.lines, p.Line)
	}
	slices.SortFunc(unused, func(x, y intake.Problem) int { return y.Unused - x.Unused })
	return groups, unused
}

// mostLines is how many lines of one problem are named.
const mostLines = 8

func (a *app) showProblem(w io.Writer, g *same) {
	where := a.t("全文件", "file")
	switch {
	case g.Line == 0:
	case len(g.lines) == 1:
		where = fmt.Sprintf(a.t("第 %d 行", "line %d"), g.Line)
	default:
		names := make([]string, 0, mostLines)
		for _, n := range g.lines[:min(mostLines, len(g.lines))] {
			names = append(names, strconv.Itoa(n))
		}
		where = fmt.Sprintf(a.t("第 %s 行", "lines %s"), strings.Join(names, a.t("、", ", ")))
		if more := len(g.lines) - len(names); more > 0 {
			where = fmt.Sprintf(a.t("第 %s 等 %d 行", "lines %s … (%d)"), strings.Join(names, a.t("、", ", ")), len(g.lines))
		}
	}
	if g.Field != "" {
		where += " " + g.Field
	}
	line := fmt.Sprintf("  %s  %s  %s", where, g.Code, g.Message)
	if g.Suggestion != "" {
		line += " → " + g.Suggestion
	}
	fmt.Fprintln(w, line)
}

// showUnused tells the columns that have no field of ours, those with most text first.
func (a *app) showUnused(w io.Writer, unused []intake.Problem) {
	if len(unused) == 1 {
		a.showProblem(w, &same{Problem: unused[0], lines: []int{0}})
		return
	}
	names := make([]string, 0, mostLines)
	for _, p := range unused[:min(mostLines, len(unused))] {
		names = append(names, fmt.Sprintf("%s (%d)", p.Field, p.Unused))
	}
	if len(unused) > mostLines {
		names = append(names, "…")
	}
	fmt.Fprintf(w, a.t("  全文件  %s  有 %d 列没有对应的字段，其内容不导入：%s → 如有对应字段，用 --map \"%s=字段\"\n",
		"  file  %s  %d columns have no field of ours, and their text is not imported: %s → if one is a field of ours: --map \"%s=field\"\n"),
		fault.Doubtful, len(unused), strings.Join(names, a.t("、", ", ")), unused[0].Field)
}
