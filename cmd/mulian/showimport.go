package main

import (
	"fmt"
	"io"
	"unicode/utf8"

	"mulian/intake"
	"mulian/intake/filing"
	"mulian/internal/fault"
)

// number writes a count with its noun; English nouns take an s, but of one.
func (a *app) number(n int, zh, en string) string {
	if n != 1 {
		en += "s"
	}
	return fmt.Sprintf(a.t("%d "+zh, "%d "+en), n)
}

func lastRune(s string) (rune, int) { return utf8.DecodeLastRuneInString(s) }

// sum is what became of all files of an import together.
type sum struct {
	Files      int `json:"files"`
	Skipped    int `json:"skipped"`
	Failed     int `json:"failed"`
	Rows       int `json:"rows"`
	Entries    int `json:"entries"`
	Accepted   int `json:"accepted"`
	Rejected   int `json:"rejected"`
	Doubtful   int `json:"doubtful"`
	Duplicates int `json:"duplicates"`
	Sent       int `json:"sent"`
	New        int `json:"new"`
	Changed    int `json:"changed"`
	Unchanged  int `json:"unchanged"`
	Resumed    int `json:"resumed"`
	Waiting    int `json:"waiting"`
	Held       int `json:"held"`
	Refused    int `json:"refused"`
	Out        int `json:"left_out"`
	Registered int `json:"registered"`
	Missing    int `json:"missing"`
	Withdrawn  int `json:"withdrawn"`
}

func (s *sum) add(l *list) {
	s.Files++
	if l.Skipped != "" {
		s.Skipped++
	}
	if l.err != nil {
		s.Failed++
	}
	if r := l.Report; r != nil {
		s.Rows, s.Entries, s.Accepted, s.Rejected = s.Rows+r.Rows, s.Entries+r.Entries, s.Accepted+r.Accepted, s.Rejected+r.Rejected
		s.Doubtful, s.Duplicates = s.Doubtful+r.Doubtful, s.Duplicates+r.Duplicates
	}
	if p := l.Applied; p != nil {
		s.Sent, s.New, s.Changed, s.Unchanged = s.Sent+p.Sent, s.New+p.New, s.Changed+p.Changed, s.Unchanged+p.Unchanged
		s.Waiting += p.Waiting
		s.Resumed, s.Held, s.Refused = s.Resumed+p.Resumed, s.Held+p.Held, s.Refused+p.Refused
		s.Out += p.Out
		s.Registered, s.Withdrawn = s.Registered+p.Registered, s.Withdrawn+p.Withdrawn
		if p.Lack != nil {
			s.Missing += p.Lack.Missing
		}
	}
}

// showLists prints a report for each file and, of several, their sum. With --json one
// file is one object; several are {"files": [...], "sum": {...}}.
func (a *app) showLists(lists []*list, most int) error {
	all := sum{}
	for _, l := range lists {
		if l.err != nil {
			l.Error, l.Code = l.err.Error(), fault.CodeOf(l.err)
		}
		all.add(l)
	}
	if len(lists) == 1 && lists[0].Report == nil && lists[0].err != nil {
		return lists[0].err
	}
	var v any = map[string]any{"files": lists, "sum": all}
	if len(lists) == 1 {
		v = lists[0]
	}
	if a.json {
		for _, l := range lists { // thousands of codes have one thing wrong with them
			if l.Report != nil && l.Kind == intake.CodeList.String() {
				l.Problems = intake.Group(l.Problems)
			}
		}
	}
	return a.print(v, func(w io.Writer) {
		for _, l := range lists {
			a.showList(w, l, most)
		}
		if len(lists) > 1 {
			a.showSum(w, all)
		}
	})
}

func (a *app) showList(w io.Writer, l *list, most int) {
	switch {
	case l.Skipped != "":
		fmt.Fprintf(w, a.t("%s：跳过，%s\n", "%s: passed over, %s\n"), l.Path, l.Skipped)
		return
	case l.Report == nil:
		fmt.Fprintf(w, "%s: %s %s\n", l.Path, l.Code, l.Error)
		return
	}
	fmt.Fprintln(w, a.reportLine(l.Report))
	a.showProblems(w, l.Problems, l.LeftOut, most)
	if l.Applied != nil {
		a.showApplied(w, l.Applied, most)
	}
}

func (a *app) showSum(w io.Writer, s sum) {
	fmt.Fprintf(w, a.t("合计 %s（跳过 %d，失败 %d），%s：可导入 %d，存疑 %d，拒绝 %d，完全重复 %d\n",
		"%s in all (%d passed over, %d failed), %s: %d accepted, %d doubtful, %d rejected, %d exact repeats\n"),
		a.number(s.Files, "个文件", "file"), s.Skipped, s.Failed, a.number(s.Entries, "条", "record"), s.Accepted, s.Doubtful, s.Rejected, s.Duplicates)
	if a.dryRun {
		return // nothing was sent
	}
	fmt.Fprintf(w, a.t("上链 %d（新 %d，变更 %d），未变 %d，续传 %d，暂缓 %d，被拒 %d；代登记 %s；缺失 %d，撤销 %d\n",
		"on the chain %d (%d new, %d changed), unchanged %d, resumed %d, held %d, refused %d; %s registered; %d missing, %d withdrawn\n"),
		s.Sent, s.New, s.Changed, s.Unchanged, s.Resumed, s.Held, s.Refused, a.number(s.Registered, "个单位", "owner"), s.Missing, s.Withdrawn)
}

func (a *app) reportLine(r *intake.Report) string {
	line := fmt.Sprintf(a.t("%s：%s %s，%s，%s：可导入 %d，存疑 %d，拒绝 %d，完全重复 %d", "%s: %s %s, %s, %s: %d accepted, %d doubtful, %d rejected, %d exact repeats"),
		r.File, r.Format, r.Encoding, a.number(r.Rows, "行", "row"), a.number(r.Entries, "条", "record"), r.Accepted, r.Doubtful, r.Rejected, r.Duplicates)
	if r.Broken > 0 {
		line += fmt.Sprintf(a.t("；拒绝的有 %d 条读不出来", "; of the rejected %d cannot be read"), r.Broken)
	}
	return line
}

func (a *app) showApplied(w io.Writer, p *filing.Outcome, most int) {
	if d := p.Duties; d != nil {
		fmt.Fprintf(w, a.t("职责：上链 %d，未变 %d，续传 %d，暂缓 %d，被拒 %d\n", "duties: on the chain %d, unchanged %d, resumed %d, held %d, refused %d\n"), d.Sent, d.Unchanged, d.Resumed, d.Held, d.Refused)
		a.showProblems(w, d.Problems, d.LeftOut, most)
	}
	fmt.Fprintf(w, a.t("上链 %d，未变 %d，续传 %d，暂缓 %d，被拒 %d（%s；新 %d，变更 %d）\n", "on the chain %d, unchanged %d, resumed %d, held %d, refused %d (%s; %d new, %d changed)\n"),
		p.Sent, p.Unchanged, p.Resumed, p.Held, p.Refused, a.number(p.Batches, "笔交易", "transaction"), p.New, p.Changed)
	if p.Waiting > 0 {
		fmt.Fprintf(w, a.t("其中 %d 条待审核或会签，尚未生效\n", "of these %d wait for review or counter-signatures and are not in force yet\n"), p.Waiting)
	}
	if p.Out > 0 {
		fmt.Fprintf(w, a.t("清单写明已撤销或未发布的 %d 条没有导入\n", "%d that the list says are withdrawn or not published were left out\n"), p.Out)
	}
	if p.Registered > 0 {
		fmt.Fprintf(w, a.t("代登记 %s（代码以 %s 开头），密钥在 %s\n", "%s registered provisionally (codes that begin with %s); their keys lie in %s\n"), a.number(p.Registered, "个单位", "owner"), filing.ProvisionalPrefix, a.keys().Dir)
	}
	a.showLack(w, p, most)
	a.showProblems(w, p.Problems, p.LeftOut, most)
}

// showLack lists what the source had and this file lacks.
func (a *app) showLack(w io.Writer, p *filing.Outcome, most int) {
	if p.Lack == nil || len(p.Lack.Absent) == 0 {
		return
	}
	fmt.Fprintf(w, a.t("来源 %s 在账本上有 %d 条，本文件缺 %d 条，已撤销 %d 条", "source %s has %d entries on the ledger; this file lacks %d, %d are withdrawn"), p.Source, p.Lack.Had, p.Lack.Missing, p.Withdrawn)
	if p.Withdrawn == 0 && p.Lack.Partial == "" {
		fmt.Fprint(w, a.t("；撤销用 --withdraw-missing", "; to withdraw them: --withdraw-missing"))
	}
	fmt.Fprintln(w)
	for i, e := range p.Lack.Absent {
		if i == most {
			fmt.Fprintf(w, a.t("  另有 %d 条（--json 全列）\n", "  and %d more (--json lists all)\n"), len(p.Lack.Absent)-most)
			break
		}
		line := "  " + e.ID + "  " + e.Name
		if e.Moved != "" {
			line += "  → " + e.Moved
		}
		fmt.Fprintln(w, line)
	}
}
