package ur

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// message is that of the reference implementations: bytes of xoshiro seeded "Wolf".
func message(n int, seed string) []byte {
	c, out := newChance([]byte(seed)), make([]byte, n)
	for i := range out {
		out[i] = byte(c.below(256))
	}
	return out
}

// TestVectors holds the published texts (bc-ur, test_ur.cpp: "single part", "UR encoder").
func TestVectors(t *testing.T) {
	e, err := NewEncoder(message(50, "Wolf"), 100)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Next(), "ur:bytes/hdeymejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtgwdpfnsboxgwlbaawzuefywkdplrsrjynbvygabwjldapfcsdwkbrkch"; got != strings.ToUpper(want) {
		t.Errorf("single part %s", got)
	}
	if e, err = NewEncoder(message(256, "Wolf"), 30); err != nil {
		t.Fatal(err)
	}
	want := map[uint32]string{
		1:  "lpadascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtdkgslpgh",
		2:  "lpaoascfadaxcywenbpljkhdcagwdpfnsboxgwlbaawzuefywkdplrsrjynbvygabwjldapfcsgmghhkhstlrdcxaefz",
		9:  "lpasascfadaxcywenbpljkhdcajskecpmdckihdyhphfotjojtfmlnwmadspaxrkytbztpbauotbgtgtaeaevtgavtny",
		10: "lpbkascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtwdkiplzs",
		20: "lpbbascfadaxcywenbpljkhdcayapmrleeleaxpasfrtrdkncffwjyjzgyetdmlewtkpktgllepfrltataztksmhkbot",
	}
	for i := uint32(1); i <= 20; i++ {
		if got := e.Next(); want[i] != "" && got != strings.ToUpper(fmt.Sprintf("ur:bytes/%d-9/%s", i, want[i])) {
			t.Errorf("part %d is %s", i, got)
		}
	}
	// bc-ur, "choose fragments", message of 1024 bytes in fragments of at most 100.
	m := wrap(message(1024, "Wolf"))
	if e, err = NewEncoder(message(1024, "Wolf"), 100); err != nil || e.Parts() != 11 {
		t.Fatalf("%d parts of %d bytes: %v", e.Parts(), len(m), err)
	}
}

// TestEveryFourthFrameDropped is the case of spec/safebox.md 3.5: 2,183 bytes in fragments
// of 200.
func TestEveryFourthFrameDropped(t *testing.T) {
	content := message(2183, "credential")
	e, err := NewEncoder(content, 200)
	if err != nil || e.Parts() != 11 {
		t.Fatalf("%v, %v", e, err)
	}
	var d Decoder
	for shown := 1; ; shown++ {
		text := e.Next()
		if shown%4 == 0 {
			continue
		}
		done, err := d.Take(text)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			t.Logf("complete after %d frames", shown)
			if shown > 18 {
				t.Errorf("complete after %d frames, others need 18", shown)
			}
			break
		}
		if shown > 100 {
			t.Fatal("not complete after 100 frames")
		}
	}
	if !bytes.Equal(d.Bytes(), content) {
		t.Error("other bytes came out")
	}
}

// TestRandomLosses: any half of the frames lost, in any order, for many lengths.
func TestRandomLosses(t *testing.T) {
	for n := 1; n < 3000; n += 97 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			content := message(n, fmt.Sprint(n))
			e, err := NewEncoder(content, MinFragment+r.IntN(200))
			if err != nil {
				t.Fatal(err)
			}
			texts := make([]string, 4*e.Parts()+40)
			for i := range texts {
				texts[i] = e.Next()
			}
			r.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
			var d Decoder
			for _, text := range texts[:len(texts)/2] {
				if _, err := d.Take(text); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(d.Bytes(), content) {
				known, of := d.Progress()
				t.Errorf("%d of %d", known, of)
			}
		})
	}
}

// TestPartsOfOthers: neither damage nor another message changes what is being read.
func TestPartsOfOthers(t *testing.T) {
	content := message(600, "mine")
	mine, _ := NewEncoder(content, 100)
	other, _ := NewEncoder(message(600, "other"), 100)
	var d Decoder
	if _, err := d.Take(mine.Next()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Take(other.Next()); !errors.Is(err, ErrOther) {
		t.Errorf("a part of another message: %v", err)
	}
	next := mine.Next()
	for i := len("ur:bytes/2-7/"); i < len(next); i++ {
		bad := []byte(next)
		if bad[i]++; bad[i] == 'A' {
			continue
		}
		if _, err := d.Take(string(bad)); !errors.Is(err, ErrPart) {
			t.Fatalf("letter %d changed: %v", i, err)
		}
	}
	for _, bad := range []string{"", "ur:bytes/", "ur:crypto-psbt/1-2/aeae", "ur:bytes/9-9/" + strings.ToLower(strings.SplitN(next, "/", 3)[2]), strings.Repeat("A", 9000)} {
		if _, err := d.Take(bad); !errors.Is(err, ErrPart) {
			t.Errorf("%.30q: %v", bad, err)
		}
	}
	for known, of := d.Progress(); known < of; known, of = d.Progress() {
		if _, err := d.Take(mine.Next()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(d.Bytes(), content) {
		t.Error("other bytes came out")
	}
}

// TestALiarIsForgotten: a part with a right header and wrong data spoils one reading, and
// not the next.
func TestALiarIsForgotten(t *testing.T) {
	content := message(300, "mine")
	e, _ := NewEncoder(content, 100)
	p := part{seq: 1, of: uint32(e.Parts()), length: uint32(len(e.message)), checksum: e.checksum, data: make([]byte, len(e.fragments[0]))}
	var d Decoder
	if _, err := d.Take(fmt.Sprintf("ur:bytes/1-%d/%s", p.of, spell(p.bytes()))); err != nil {
		t.Fatal(err)
	}
	e.Next()
	refused := false
	for range 40 {
		done, err := d.Take(e.Next())
		refused = refused || err != nil
		if done {
			break
		}
	}
	if !refused || !bytes.Equal(d.Bytes(), content) {
		t.Errorf("refused %v, %d bytes", refused, len(d.Bytes()))
	}
}

// TestALieInTheMiddleIsSeen: a part whose own words are right, and which leaves the message's
// head as it was, is found out by the checksum of the whole.
func TestALieInTheMiddleIsSeen(t *testing.T) {
	e, err := NewEncoder(message(300, "mine"), 100)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	for i := range e.Parts() {
		text := e.Next()
		if i == 1 {
			p := part{seq: 2, of: uint32(e.Parts()), length: uint32(len(e.message)), checksum: e.checksum, data: bytes.Clone(e.fragments[1])}
			p.data[5] ^= 1
			text = fmt.Sprintf("ur:bytes/2-%d/%s", p.of, spell(p.bytes()))
		}
		done, err := d.Take(text)
		if last := i == e.Parts()-1; done || last != errors.Is(err, ErrPart) {
			t.Errorf("part %d: %v, %v", i+1, done, err)
		}
	}
	if d.Bytes() != nil {
		t.Errorf("%d bytes are believed", len(d.Bytes()))
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct{ length, size int }{{0, 100}, {MaxMessage, 1000}, {100, 9}, {100, MaxFragment + 1}, {20000, 10}} {
		if _, err := NewEncoder(make([]byte, c.length), c.size); !errors.Is(err, ErrBound) {
			t.Errorf("%d bytes in %d: %v", c.length, c.size, err)
		}
	}
}

// FuzzTake: whatever a camera gives, a decoder answers, keeps its bounds, and what it says
// of itself is true.
func FuzzTake(f *testing.F) {
	e, _ := NewEncoder(message(300, "fuzz"), 50)
	for range 9 {
		f.Add(e.Next())
	}
	one, _ := NewEncoder([]byte("one"), 100)
	f.Add(one.Next())
	f.Add("ur:bytes/1-2/lpad")
	f.Fuzz(func(t *testing.T, text string) {
		var d Decoder
		for range 2 {
			done, err := d.Take(text)
			if done != (d.Bytes() != nil) || err != nil && done {
				t.Fatalf("done %v, %v, %d bytes", done, err, len(d.Bytes()))
			}
		}
		if len(d.Bytes()) > MaxMessage || len(d.rows) > MaxParts {
			t.Fatal("over a bound")
		}
	})
}

// FuzzPart takes parts as bytes, past the checksum of their words.
func FuzzPart(f *testing.F) {
	f.Add(part{seq: 3, of: 4, length: 40, checksum: 7, data: make([]byte, 10)}.bytes())
	f.Add(part{seq: 700, of: 512, length: 512, checksum: 7, data: []byte{1}}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPart(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.bytes(), b) {
			t.Fatalf("%x is read as %x", b, p.bytes())
		}
		var d Decoder
		_, _ = d.multi(p) // it may be part of a lie; it must end
	})
}

// FuzzMessage: a message comes whole through lost, doubled and misread codes, and parts of
// another one do not get into it.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("one"), uint16(100), uint64(0), "")
	f.Add(message(300, "fuzz"), uint16(20), uint64(0xaaaaaaaaaaaaaaaa), "ur:bytes/1-2/lpad")
	f.Add(message(2000, "fuzz"), uint16(10), ^uint64(1), "")
	f.Fuzz(func(t *testing.T, content []byte, size uint16, lost uint64, misread string) {
		e, err := NewEncoder(content, int(size))
		if err != nil {
			if !errors.Is(err, ErrBound) {
				t.Fatal(err)
			}
			return
		}
		var d Decoder
		for i := range 64 + 20*e.Parts() { // after 64 codes nothing is lost any more
			text := e.Next()
			if i < 64 && lost>>i&1 == 1 {
				if d.first.of == 0 {
					continue // a lie that comes first is believed until it is found out
				}
				text = misread
			}
			whole := d.Bytes() != nil
			done, err := d.Take(text)
			if whole && !done {
				t.Fatal("what was whole is no longer")
			}
			if text != misread && err != nil {
				t.Fatal(err)
			}
			if done {
				if !bytes.Equal(d.Bytes(), content) {
					t.Fatalf("%x comes as %x", content, d.Bytes())
				}
				return
			}
		}
		t.Fatalf("%d parts, and not whole after %d", e.Parts(), 64+20*e.Parts())
	})
}
