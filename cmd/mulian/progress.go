package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// barAfter is how long work lasts before a bar is drawn: shorter work needs none.
const barAfter = time.Second

// progress tells how far long work is: a bar on a terminal once it lasts longer
// than barAfter, else a line for every tenth part. Nothing with --quiet or --json.
// A progress of unknown length counts.
type progress struct {
	a     *app
	what  string
	total int
	start time.Time
	told  int // tenths, or the count of a progress without an end
	bar   *progressbar.ProgressBar
}

func (a *app) progress(what string, total int) *progress {
	return &progress{a: a, what: what, total: total, start: time.Now()}
}

// counted is a progress whose end is not known.
func (a *app) counted(what string) *progress { return a.progress(what, 0) }

// at says that n are done. It is called by one goroutine.
func (p *progress) at(n int) {
	if p.a.quiet || p.a.json || p.total == 0 && time.Since(p.start) < barAfter {
		return
	}
	if f, ok := p.a.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.draw(f, n)
		return
	}
	if p.total == 0 { // a line for each power of two thousand: 2,000, 4,000, 8,000
		if n >= 2*max(p.told, 1000) {
			p.told = n
			p.a.say("  %s %d", p.what, n)
		}
		return
	}
	if tenths := 10 * n / p.total; tenths > p.told {
		p.told = tenths
		p.a.say("  %s %d %% (%d / %d, %.0f/s)", p.what, min(10*tenths, 100), n, p.total, float64(n)/max(time.Since(p.start).Seconds(), 0.001))
	}
}

func (p *progress) draw(f *os.File, n int) {
	if p.bar == nil {
		if time.Since(p.start) < barAfter {
			return
		}
		total := p.total
		if total == 0 {
			total = -1
		}
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("  "+p.what),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	_ = p.bar.Set(n) // the terminal's error is of no consequence to the work
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		fmt.Fprintln(p.a.err)
	}
}
