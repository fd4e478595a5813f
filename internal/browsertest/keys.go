package browsertest

import (
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// pressed are the keys that have no letter: their codes as Windows counts them, which the
// protocol wants, and the text that they write.
var pressed = map[string]struct {
	code int64
	text string
}{
	"Tab": {9, ""}, "Enter": {13, "\r"}, "Escape": {27, ""}, "Space": {32, " "}, "Home": {36, ""}, "End": {35, ""},
	"ArrowLeft": {37, ""}, "ArrowUp": {38, ""}, "ArrowRight": {39, ""}, "ArrowDown": {40, ""},
}

// Press presses and releases a key of the keyboard: where the focus is, and with what it does
// by itself (Tab moves the focus, Enter presses a button). "+Tab" is Tab with Shift.
func (b *Browser) Press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Code: key, Text: key}
		if key[0] == '+' && len(key) > 1 {
			key, down.Modifiers = key[1:], 8
			down.Key, down.Code = key, key
		}
		if k, ok := pressed[key]; ok {
			down.WindowsVirtualKeyCode, down.Text = k.code, k.text
			if key == "Space" {
				down.Key = " "
			}
			if k.text == "" {
				down.Type = input.DispatchKeyEventTypeRawKeyDown
			}
		} else if len(key) == 1 {
			down.Code = ""
		}
		up := down
		up.Type, up.Text = input.DispatchKeyEventTypeKeyUp, ""
		for _, e := range []input.DispatchKeyEventParams{down, up} {
			if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, e); err != nil {
				b.t.Fatalf("key %s: %v", key, err)
			}
		}
	}
}

// Write writes a text where the focus is, as an input method does.
func (b *Browser) Write(text string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		b.t.Fatalf("write: %v", err)
	}
}
