package qr

import (
	"bytes"
	"image"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"mulian/internal/judgetest"
	"mulian/internal/ur"
)

// TestJudgesReadOurCodes: jsQR reads every form and a frame of an animation; the UR library
// of npm completes from our frames with every fourth dropped, and its frames are ours,
// letter for letter, far into the mixed ones.
func TestJudgesReadOurCodes(t *testing.T) {
	content := make([]byte, 2183)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	const fragment, count = 200, 60
	encoder := func() *ur.Encoder {
		e, err := ur.NewEncoder(content, fragment)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	ask := struct {
		Pictures [][]byte `json:"pictures"`
		Frames   []string `json:"frames"`
		Content  []byte   `json:"content"`
		Fragment int      `json:"fragment"`
		Count    int      `json:"count"`
	}{Content: content, Fragment: fragment, Count: count}
	var want []string
	for _, c := range texts {
		want = append(want, c.text)
		ask.Pictures = append(ask.Pictures, drawn(t, Draw, c.text), photographPNG(t, c.text))
		want = append(want, c.text)
	}
	e := encoder()
	for i := 1; i <= count; i++ {
		text := e.Next()
		if i == 1 {
			want, ask.Pictures = append(want, text), append(ask.Pictures, drawn(t, DrawFrame, text))
		}
		if i%4 != 0 {
			ask.Frames = append(ask.Frames, text)
		}
	}
	var got struct {
		Texts   []string
		Frames  int
		Content struct {
			OK    []byte
			Error string
		}
		Ours []string
	}
	judgetest.Ask(t, "codes", ask, &got)
	for i, text := range want {
		if got.Texts[i] != text {
			t.Errorf("picture %d is read as %q, want %q", i, got.Texts[i], text)
		}
	}
	if !bytes.Equal(got.Content.OK, content) {
		t.Errorf("the judge has %d bytes: %s", len(got.Content.OK), got.Content.Error)
	}
	t.Logf("the judge needed %d frames that were not dropped", got.Frames)
	e = encoder()
	var d ur.Decoder
	for i, text := range got.Ours {
		if mine := e.Next(); !strings.EqualFold(mine, text) {
			t.Fatalf("frame %d: ours %s, the judge's %s", i+1, mine, text)
		}
		if i%4 == 3 {
			continue
		}
		if _, err := d.Take(text); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(d.Bytes(), content) {
		t.Error("the judge's frames do not give the content")
	}
}

func drawn(t *testing.T, draw func(string) (Code, error), text string) []byte {
	t.Helper()
	c, err := draw(text)
	if err != nil {
		t.Fatal(err)
	}
	return c.PNG()
}

// photographPNG is a photograph as PNG, which the judge's reader wants.
func photographPNG(t *testing.T, text string) []byte {
	t.Helper()
	c, err := Draw(text)
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := image.Decode(bytes.NewReader(photograph(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
