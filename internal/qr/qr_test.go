package qr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"mulian/internal/ur"
)

var example = Short{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}

// texts are the forms of spec/safebox.md 3.5 with the side of their code in modules, which
// is that of the specification.
var texts = []struct {
	text string
	side int
}{
	{Payload{Kind: Request, Short: example}.String(), 25},
	{Payload{Kind: Request, Short: example, Host: "Q.GOV.CN"}.String(), 29},
	{Payload{Kind: Show, Short: example}.String(), 25},
	{Payload{Kind: Verify, Short: example, Mac: "0A1B2C3D"}.String(), 29},
	{"https://bank.example.cn/a?client_id=x509_hash%3AUvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk&request_uri=https%3A%2F%2Fbank.example.cn%2Fvp%2Fr%2F0123456789ABCDEFGHJK", 53},
}

// TestDrawnIsRead: what is drawn is read again, from the file, from a photograph and from
// the terminal.
func TestDrawnIsRead(t *testing.T) {
	for _, c := range texts {
		code, err := Draw(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if code.Size() != c.side {
			t.Errorf("%s: %d modules in a side, want %d", c.text, code.Size(), c.side)
		}
		for name, file := range map[string][]byte{"png": code.PNG(), "photograph": photograph(t, code), "terminal": shot(t, code)} {
			if got, err := Read(file); err != nil || got != c.text {
				t.Errorf("%s of %s: %q, %v", name, c.text, got, err)
			}
		}
	}
}

// photograph has the code's picture darker, with noise, on a larger ground, as JPEG.
func photograph(t *testing.T, c Code) []byte {
	t.Helper()
	src, err := png.Decode(bytes.NewReader(c.PNG()))
	if err != nil {
		t.Fatal(err)
	}
	r, b := rand.New(rand.NewPCG(1, 2)), src.Bounds()
	img := image.NewGray(image.Rect(0, 0, b.Dx()+200, b.Dy()+120))
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			v := 90
			if p := image.Pt(x-70, y-50); p.In(b) {
				g := color.GrayModel.Convert(src.At(p.X, p.Y)).(color.Gray)
				v = 30 + int(g.Y)*6/10
			}
			img.SetGray(x, y, color.Gray{Y: uint8(v + r.IntN(20))})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// shot draws the letters of a terminal as a screen does, half a block a module.
func shot(t *testing.T, c Code) []byte {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(c.Terminal(), "\n"), "\n")
	const scale = 6
	side := c.Size() + 2*quiet
	img := image.NewGray(image.Rect(0, 0, side*scale, len(lines)*2*scale))
	for y, line := range lines {
		line, ok := strings.CutPrefix(line, "\x1b[30;107m")
		line, end := strings.CutSuffix(line, "\x1b[0m")
		if !ok || !end || len([]rune(line)) != side {
			t.Fatalf("line %d is %q", y, line)
		}
		for x, r := range []rune(line) {
			for i, black := range []bool{r == '▀' || r == '█', r == '▄' || r == '█'} {
				for p := range scale * scale {
					v := color.Gray{Y: 255}
					if black {
						v.Y = 0
					}
					img.SetGray(x*scale+p%scale, (2*y+i)*scale+p/scale, v)
				}
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestAFrameOfAnAnimation has the size that the specification measured: v11, 61 modules.
func TestAFrameOfAnAnimation(t *testing.T) {
	e, err := ur.NewEncoder(make([]byte, 2183), 200)
	if err != nil {
		t.Fatal(err)
	}
	text := e.Next()
	c, err := DrawFrame(text)
	if err != nil || c.Size() != 61 {
		t.Fatalf("%d modules, %v", c.Size(), err)
	}
	if got, err := Read(c.PNG()); err != nil || got != text {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadRefuses(t *testing.T) {
	blank := image.NewGray(image.Rect(0, 0, 50, 50))
	var empty, torn bytes.Buffer
	_ = png.Encode(&empty, blank)
	_ = png.Encode(&torn, image.NewGray(image.Rect(0, 0, 400, 400)))
	huge := append([]byte(nil), empty.Bytes()...)
	copy(huge[16:], []byte{0, 0, 0x20, 0, 0, 0, 0x20, 0}) // 8192 x 8192, of which nothing follows
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	if _, err := Read(huge); err == nil || !strings.Contains(err.Error(), "8192 x 8192") {
		t.Errorf("a huge picture is looked into: %v", err)
	}
	for name, file := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "blank": empty.Bytes(), "torn": torn.Bytes()[:60], "huge": huge, "long": make([]byte, MaxImage+1)} {
		if text, err := Read(file); !errors.Is(err, ErrNoCode) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// TestMistyped: every single wrong letter, every pair of wrong letters at random and every
// swap of neighbours is refused, and a code is of its kind only.
func TestMistyped(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		var s Short
		for i := range s {
			s[i] = byte(r.Uint32())
		}
		good := s.spell(Request)
		if got, err := unspell(Request, good); err != nil || got != s {
			t.Fatalf("%s: %v", good, err)
		}
		for _, kind := range []Kind{Show, Verify} {
			if _, err := unspell(kind, good); !errors.Is(err, ErrPayload) {
				t.Errorf("%s is taken as %c", good, kind)
			}
		}
		for i := range good {
			for _, l := range []byte(letters) {
				bad := []byte(good)
				if bad[i] == l {
					continue
				}
				bad[i] = l
				if _, err := unspell(Request, string(bad)); err == nil {
					t.Fatalf("%s is taken for %s", bad, good)
				}
				j := r.IntN(len(bad))
				if j == i {
					continue
				}
				bad[j] = letters[r.IntN(32)]
				if _, err := unspell(Request, string(bad)); err == nil {
					t.Fatalf("%s is taken for %s", bad, good)
				}
			}
			if i > 0 && good[i] != good[i-1] {
				bad := []byte(good)
				bad[i], bad[i-1] = bad[i-1], bad[i]
				if _, err := unspell(Request, string(bad)); err == nil {
					t.Fatalf("%s is taken for %s", bad, good)
				}
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range texts {
		p, err := Parse(c.text)
		if err != nil || p.String() != c.text {
			t.Errorf("%s: %q, %v", c.text, p.String(), err)
		}
	}
	good := Payload{Kind: Request, Short: example}.String()
	for _, bad := range []string{
		"", "MULIAN:", strings.ToLower(good), good + "/AAAAAAAA", good[:len(good)-1], "MULIAN:Q" + good[8:], "MULIAN:V" + good[8:],
		"HTTPS://A B/R/" + good[9:], "HTTPS:///R/" + good[9:], "https://x/a", "https://x/a?client_id=y", "http://bank.example/a?client_id=y&request_uri=https%3A%2F%2Fx",
		"https://x/a?client_id=y&request_uri=http%3A%2F%2Fbank.example", "https://x/a?client_id=y&client_id=z&request_uri=https%3A%2F%2Fx", "https://u@x/a?client_id=y&request_uri=https%3A%2F%2Fx",
		"javascript:alert(1)", "openid4vp://?client_id=a&request_uri=file%3A%2F%2F%2Fetc", "openid-credential-offer://?credential_offer={}", "https://x/a?client_id=y&request_uri=https%3A%2F%2Fx#f",
		"https://x/a?client_id=" + strings.Repeat("y", 200),
	} {
		if p, err := Parse(bad); !errors.Is(err, ErrPayload) {
			t.Errorf("%q is %+v, %v", bad, p, err)
		}
	}
	if p, err := RequestLink("https://bank.example/a", "x509_hash:abc", "https://bank.example/r/1"); err != nil || p.Link != "https://bank.example/a?client_id=x509_hash%3Aabc&request_uri=https%3A%2F%2Fbank.example%2Fr%2F1" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := OfferLink("http://127.0.0.1:8080/offer/1"); err != nil || !strings.HasPrefix(p.Link, "openid-credential-offer://?credential_offer_uri=") {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := RequestLink("https://bank.example/a", strings.Repeat("x", 200), "https://bank.example/r/1"); !errors.Is(err, ErrPayload) {
		t.Errorf("a link over the bound: %v", err)
	}
}

// FuzzParse: what is taken has one spelling.
func FuzzParse(f *testing.F) {
	for _, c := range texts {
		f.Add(c.text)
	}
	f.Add("openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fx%2Fo")
	f.Add("openid4vp://authorize?client_id=a&request_uri=https%3A%2F%2Fx&request_uri_method=post")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrPayload) {
				t.Fatal(err)
			}
			return
		}
		if p.String() != text || (p.Link == "") == (p.Kind == 0) {
			t.Fatalf("%q is %+v", text, p)
		}
	})
}

// FuzzRead: no picture ends the program.
func FuzzRead(f *testing.F) {
	c, _ := Draw("MULIAN")
	f.Add(c.PNG())
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 64<<10 {
			return
		}
		if cfg, _, err := image.DecodeConfig(bytes.NewReader(file)); err == nil && cfg.Width*cfg.Height > 1<<20 {
			return // slow, not wrong
		}
		if _, err := Read(file); err != nil && !errors.Is(err, ErrNoCode) {
			t.Fatal(err)
		}
	})
}

// FuzzDraw: what is drawn is read again.
func FuzzDraw(f *testing.F) {
	for _, c := range texts {
		f.Add(c.text)
	}
	f.Add("0123456789")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Draw(text)
		if err != nil {
			if text != "" && len(text) <= MaxText {
				t.Fatal(err)
			}
			return
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return // a reader guesses at other letters; no payload of ours has any
		}
		if got, err := Read(c.PNG()); err != nil || got != text {
			t.Fatalf("%q is read as %q, %v", text, got, err)
		}
	})
}

// FuzzModules turns modules of a code over, behind its three corners, where the reader finds
// it: it is read, or there is no code, and nothing else happens.
func FuzzModules(f *testing.F) {
	f.Add("MULIAN:R/ABC", []byte{})
	f.Add("MULIAN:R/ABC", []byte{0, 1, 2, 40, 41, 42})
	f.Add("a longer text of several blocks, so that the correction of errors has something to do: 0123456789", bytes.Repeat([]byte{9, 200}, 20))
	f.Fuzz(func(t *testing.T, text string, turned []byte) {
		if len(text) > 200 { // larger ones are slower, not other
			return
		}
		c, err := Draw(text)
		if err != nil {
			return
		}
		over := map[[2]int]bool{}
		for i := 0; i+1 < len(turned); i += 2 {
			x, y := int(turned[i])%c.Size(), int(turned[i+1])%c.Size()
			if corner := func(v int) bool { return v < 8 || v >= c.Size()-8 }; !corner(x) || !corner(y) {
				over[[2]int{x, y}] = true
			}
		}
		side := 4 * (c.Size() + 2*quiet)
		img := image.NewGray(image.Rect(0, 0, side, side))
		for y := range side {
			for x := range side {
				mx, my := x/4-quiet, y/4-quiet
				if c.code.Black(mx, my) == over[[2]int{mx, my}] {
					img.SetGray(x, y, color.Gray{Y: 255})
				}
			}
		}
		got, err := read(img)
		switch {
		case err != nil && !errors.Is(err, ErrNoCode):
			t.Fatal(err)
		case err != nil && len(over) == 0:
			t.Fatalf("%q is not read: %v", text, err)
		case len(got) > 8*len(text)+8000:
			t.Fatalf("%d letters of a code for %d", len(got), len(text))
		}
	})
}
