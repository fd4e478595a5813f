package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"mulian/internal/fault"
)

// browsers are Chromium's names in the PATH; $MULIAN_CHROMIUM comes first.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// painted are the pages that are looked at, by the name of their figure.
var paintedPages = []struct{ name, path string }{
	{"home", "/"},
	{"overview", "/overview"},
	{"catalogue", "/catalogue"},
	{"map", "/catalogue/map"},
	{"requests", "/requests"},
	{"inbox", "/inbox"},
	{"trace", "/trace"},
	{"deliveries", "/deliveries"},
	{"drift", "/drift"},
	{"explorer", "/explorer"},
	{"members", "/members"},
	{"seats", "/seats"},
}

const (
	paintedTimes = 5
	paintWait    = 30 * time.Second // for one page
)

// painted measures how soon pages show something, each in a context of the browser that has
// nothing in its cache.
func painted(ctx context.Context, o Options, r *Result, url string) error {
	path := os.Getenv("MULIAN_CHROMIUM")
	for _, name := range browsers {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		r.Add(Figure{Name: "chromium", Value: 0, Note: "there is none: no page was opened"})
		r.Note("no Chromium in the PATH and none in MULIAN_CHROMIUM: first paints are not measured")
		return nil
	}
	o.Say("open %d pages %d times each with an empty cache", len(paintedPages), paintedTimes)
	b, err := startPainter(ctx, path)
	if err != nil {
		return err
	}
	defer b.stop()
	if _, err := b.first(ctx, url+"/seats"); err != nil { // the browser's own beginning is not a page's
		return err
	}
	var figures []Figure
	worst := 0.0
	for _, p := range paintedPages {
		times := &Times{}
		for range paintedTimes {
			took, err := b.first(ctx, url+p.path)
			if err != nil {
				return fmt.Errorf("%s: %w", p.path, err)
			}
			times.Add(took)
		}
		figures = append(figures, Figure{Name: "paint_" + p.name + "_p50_ms", Value: times.Ms(50), Unit: "ms"},
			Figure{Name: "paint_" + p.name + "_max_ms", Value: times.Ms(100), Unit: "ms", Goal: fmt.Sprintf("< %d", consolePaintMs)})
		worst = max(worst, times.Ms(100))
	}
	r.Add(Figure{Name: "chromium", Value: 1})
	r.Add(Figure{Name: "paint_ms", Value: worst, Unit: "ms", Goal: fmt.Sprintf("< %d", consolePaintMs), Note: "first contentful paint with an empty cache, the slowest of all pages and tries"})
	r.Figures = append(r.Figures, figures...)
	r.Note("first contentful paint as the browser itself tells it, %d tries of each page, each in a new context of one headless Chromium", paintedTimes)
	return nil
}

// painter is a headless Chromium that is spoken to by its pipe: messages end with a zero.
type painter struct {
	cmd   *exec.Cmd
	home  string
	to    *os.File
	from  *bufio.Reader
	pipes []*os.File
	last  int
}

func startPainter(ctx context.Context, path string) (_ *painter, err error) {
	p := &painter{}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	if p.home, err = os.MkdirTemp("", "mulian-bench-browser-"); err != nil {
		return nil, fault.Wrap(fault.Usage, err, "a folder for the browser")
	}
	theirs, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	from, answers, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.to, p.from, p.pipes = to, bufio.NewReader(from), []*os.File{to, from}
	p.cmd = exec.CommandContext(ctx, path, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--disable-dev-shm-usage",
		"--user-data-dir="+filepath.Join(p.home, "profile"), "about:blank")
	p.cmd.ExtraFiles = []*os.File{theirs, answers}
	err = p.cmd.Start()
	if err = errors.Join(err, theirs.Close(), answers.Close()); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "Chromium at %s", path)
	}
	return p, nil
}

func (p *painter) stop() {
	for _, f := range p.pipes {
		_ = f.Close() // the browser ends by itself without them
	}
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	_ = os.RemoveAll(p.home)
}

// call sends a command and waits for its answer; what else the browser says is passed over.
func (p *painter) call(session, method string, params, into any) error {
	p.last++
	m := map[string]any{"id": p.last, "method": method, "params": params}
	if session != "" {
		m["sessionId"] = session
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := p.to.SetWriteDeadline(time.Now().Add(paintWait)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	if _, err := p.to.Write(append(raw, 0)); err != nil {
		return fault.Wrap(fault.Unreachable, err, "Chromium has gone")
	}
	for {
		said, err := p.from.ReadBytes(0)
		if err != nil {
			return fault.Wrap(fault.Unreachable, err, "Chromium has gone")
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(said[:len(said)-1], &answer); err != nil {
			return err
		}
		switch {
		case answer.ID != p.last:
		case answer.Error != nil:
			return fault.Newf(fault.Internal, "Chromium, %s: %s", method, answer.Error.Message)
		case into == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, into)
		}
	}
}

// firstPaint answers with the milliseconds from the navigation to the first contentful paint.
const firstPaint = `new Promise((ok, no) => {
	const look = () => { const e = performance.getEntriesByName("first-contentful-paint")[0]; if (e) ok(e.startTime) };
	new PerformanceObserver(look).observe({type: "paint", buffered: true});
	look(); setTimeout(() => no(new Error("nothing was painted")), 20000) })`

// first opens a page in a new context and returns its first contentful paint.
func (p *painter) first(ctx context.Context, url string) (took time.Duration, err error) {
	if ctx.Err() != nil {
		return 0, fault.Wrap(fault.Cancelled, ctx.Err(), "stopped")
	}
	type object = map[string]any
	var made struct{ BrowserContextID, TargetID, SessionID string }
	if err := p.call("", "Target.createBrowserContext", object{}, &made); err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, p.call("", "Target.disposeBrowserContext", object{"browserContextId": made.BrowserContextID}, nil))
	}()
	if err := p.call("", "Target.createTarget", object{"url": "about:blank", "browserContextId": made.BrowserContextID, "width": 1440, "height": 900}, &made); err != nil {
		return 0, err
	}
	if err := p.call("", "Target.attachToTarget", object{"targetId": made.TargetID, "flatten": true}, &made); err != nil {
		return 0, err
	}
	var went struct{ ErrorText string }
	if err := p.call(made.SessionID, "Page.navigate", object{"url": url}, &went); err != nil {
		return 0, err
	}
	if went.ErrorText != "" {
		return 0, fault.Newf(fault.Unreachable, "%s: %s", url, went.ErrorText)
	}
	var told struct {
		Result           struct{ Value float64 }
		ExceptionDetails *struct{ Text string }
	}
	if err := p.call(made.SessionID, "Runtime.evaluate", object{"expression": firstPaint, "awaitPromise": true, "returnByValue": true}, &told); err != nil {
		return 0, err
	}
	if told.ExceptionDetails != nil || told.Result.Value <= 0 {
		return 0, fault.Newf(fault.Timeout, "%s: nothing was painted within 20 s", url)
	}
	return time.Duration(told.Result.Value * float64(time.Millisecond)), nil
}
