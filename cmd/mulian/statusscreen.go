package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// screen draws the sample over the one before: each line to its end, and then what is left.
func (w *watching) screen(at time.Time, all []seen) {
	var b strings.Builder
	w.draw(&b, at, all)
	var out strings.Builder
	out.WriteString("\x1b[?7l\x1b[H") // a long line is cut, not wrapped
	for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if os.Getenv("NO_COLOR") == "" && strings.HasPrefix(line, "✗") {
			line = "\x1b[31m" + line + "\x1b[0m"
		}
		out.WriteString(line + "\x1b[K\n")
	}
	out.WriteString("\x1b[J\x1b[?7h")
	fmt.Fprint(w.a.out, out.String())
}

// draw writes the sample as tables: nodes, then gateways, then who is missing.
func (w *watching) draw(out io.Writer, at time.Time, all []seen) {
	a := w.a
	fmt.Fprintf(out, "%s  %s\n\n", a.t("目链状态", "mulian status"), at.Format("2006-01-02 15:04:05"))
	nodes := [][]string{{
		"  " + a.t("节点", "NODE"), a.t("高度", "HEIGHT"), a.t("区块", "BLOCK"), a.t("笔/秒", "TX/S"), "P50/P99 ms", a.t("等待", "WAITING"), a.t("对等", "PEERS"),
		a.t("投票权", "VOTES"), a.t("余量", "MARGIN"), a.t("表决", "PROPOSALS"), a.t("索引落后", "INDEX LAG"), a.t("磁盘", "DISK"),
	}}
	gateways := [][]string{{"  " + a.t("网关", "GATEWAY"), a.t("锚定", "ANCHOR"), a.t("未锚定", "NOT ANCHORED"), a.t("放行/秒", "GRANTED/S"), a.t("拒绝", "REFUSED")}}
	var notes []string
	for _, s := range all {
		switch {
		case s.Kind == "gateway":
			gateways = append(gateways, []string{mark(s) + s.Account, a.age(s.AnchorAgeSeconds), fmt.Sprint(s.Unanchored), fmt.Sprintf("%.1f", s.GrantedPerSecond), fmt.Sprint(s.Refused)})
		case s.Up:
			nodes = append(nodes, []string{
				mark(s) + s.Target, i64(s.Height), a.age(s.BlockAgeSeconds), fmt.Sprintf("%.1f", s.TxPerSecond), fmt.Sprintf("%.1f/%.1f", s.P50Ms, s.P99Ms), i64(s.Pending), fmt.Sprint(s.Peers),
				fmt.Sprintf("%d/%d", s.PowerPresent, s.PowerTotal), i64(s.Margin), fmt.Sprint(s.OpenProposals), i64(s.IndexLag), size(s.DiskBytes),
			})
		default:
			nodes = append(nodes, []string{mark(s) + s.Target, a.t("无应答", "DOWN")})
		}
		if note := a.trouble(s); note != "" {
			notes = append(notes, note)
		}
	}
	if len(nodes) > 1 {
		table(out, nodes)
	}
	if len(gateways) > 1 {
		fmt.Fprintln(out)
		table(out, gateways)
	}
	if len(notes) > 0 {
		fmt.Fprintln(out)
		for _, n := range notes {
			fmt.Fprintln(out, n)
		}
	}
}

// mark says at a glance how something is: ✓ well, ! to be looked at, ✗ down.
func mark(s seen) string {
	switch {
	case !s.Up, s.Stalled:
		return "✗ "
	case s.CatchingUp, len(s.Missing) > 0, s.Kind == "node" && s.Margin < 0:
		return "! "
	}
	return "✓ "
}

// trouble is what a person has to know of a target, in one line; empty: nothing.
func (a *app) trouble(s seen) string {
	var parts []string
	switch {
	case s.Kind == "gateway" && !s.Up:
		parts = append(parts, a.t("不放行：", "releases nothing: ")+s.Error)
	case !s.Up:
		parts = append(parts, a.t("无应答：", "does not answer: ")+s.Error)
	case s.Stalled:
		parts = append(parts, a.t("链停住了：有交易在等，没有新区块", "the chain stands still: transactions wait, and there is no block"))
	}
	if s.CatchingUp {
		parts = append(parts, a.t("正在追赶", "is catching up"))
	}
	if len(s.Missing) > 0 {
		parts = append(parts, a.t("没有投票的验证节点：", "no vote from: ")+strings.Join(s.Missing, a.t("、", ", ")))
	}
	if len(parts) == 0 {
		return ""
	}
	return mark(s) + s.Target + "  " + strings.Join(parts, a.t("；", "; "))
}

// age of a block or an anchor, short.
func (a *app) age(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case seconds < 0:
		return a.t("无", "none")
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	default:
		return fmt.Sprintf("%.0f d", d.Hours()/24)
	}
}

// lines writes a line for each target: for a log, a pipe, a terminal that cannot be drawn on.
func (w *watching) lines(at time.Time, all []seen) {
	for _, s := range all {
		head := at.Format("15:04:05") + " " + mark(s) + s.Target
		switch {
		case s.Kind == "gateway":
			head += fmt.Sprintf(" anchor=%s unanchored=%d granted/s=%.1f refused=%d", strings.ReplaceAll(w.a.age(s.AnchorAgeSeconds), " ", ""), s.Unanchored, s.GrantedPerSecond, s.Refused)
		case s.Up:
			head += fmt.Sprintf(" height=%d tx/s=%.1f p50=%.1fms p99=%.1fms waiting=%d peers=%d votes=%d/%d margin=%d proposals=%d lag=%d disk=%s",
				s.Height, s.TxPerSecond, s.P50Ms, s.P99Ms, s.Pending, s.Peers, s.PowerPresent, s.PowerTotal, s.Margin, s.OpenProposals, s.IndexLag, strings.ReplaceAll(size(s.DiskBytes), " ", ""))
		}
		fmt.Fprintln(w.a.out, head)
		if note := w.a.trouble(s); note != "" {
			fmt.Fprintln(w.a.out, "  "+note)
		}
	}
}

// size of a store, short.
func size(bytes uint64) string {
	switch b := float64(bytes); {
	case b >= 1<<30:
		return fmt.Sprintf("%.1f GiB", b/(1<<30))
	case b >= 1<<20:
		return fmt.Sprintf("%.1f MiB", b/(1<<20))
	default:
		return fmt.Sprintf("%.0f KiB", b/(1<<10))
	}
}
