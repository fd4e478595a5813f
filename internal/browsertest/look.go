package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Size makes the page as large as a screen; a mobile one is touched, not pointed at.
func (b *Browser) Size(width, height int, mobile bool) {
	b.t.Helper()
	var opts []chromedp.EmulateViewportOption
	if mobile {
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2))
	}
	b.do("size", chromedp.EmulateViewport(int64(width), int64(height), opts...))
}

// Night makes the device say that its owner likes it dark, or no longer.
func (b *Browser) Night(on bool) {
	b.t.Helper()
	shade := "light"
	if on {
		shade = "dark"
	}
	m := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: shade}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, m); err != nil {
		b.t.Fatalf("night: %v", err)
	}
}

// Forget empties the browser's cache, so that the next page comes off the line as a whole.
func (b *Browser) Forget() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.ClearBrowserCache, cdp.Empty{}); err != nil {
		b.t.Fatalf("forget: %v", err)
	}
}

// conditions are the parameters of Network.emulateNetworkConditions, which Debian's Chromium
// has and later protocols have under another name.
type conditions struct {
	Offline            bool `json:"offline"`
	Latency            int  `json:"latency"`
	DownloadThroughput int  `json:"downloadThroughput"`
	UploadThroughput   int  `json:"uploadThroughput"`
}

var emulateConditions = cdp.Command[conditions, cdp.Empty]{Method: "Network.emulateNetworkConditions"}

// Offline takes the network away from the page, loopback as well, or gives it back.
func (b *Browser) Offline(on bool) {
	b.t.Helper()
	b.line(conditions{on, 0, -1, -1})
}

// Slow makes the page's line slow: so many bits a second in both directions, each answer so
// much later. Zeros give the whole line back.
func (b *Browser) Slow(bits int, latency time.Duration) {
	b.t.Helper()
	c := conditions{false, int(latency.Milliseconds()), bits / 8, bits / 8}
	if bits == 0 {
		c.DownloadThroughput, c.UploadThroughput = -1, -1
	}
	b.line(c)
}

func (b *Browser) line(c conditions) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		b.t.Fatalf("network: %v", err)
	}
	if _, err := chromedp.Call(b.ctx, emulateConditions, c); err != nil {
		b.t.Fatalf("line %+v: %v", c, err)
	}
}

// Shot writes what is seen of the page to a PNG file.
func (b *Browser) Shot(path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, startWait)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		b.t.Errorf("screenshot: %v", err)
	}
}
