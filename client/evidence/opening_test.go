package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"mulian/internal/fault"
	"mulian/internal/sm"
)

// made is an opening with everything in it, of the file "abc".
func made(t testing.TB) *Opening {
	t.Helper()
	a, b := sha256.Sum256([]byte("abc")), sm.SM3([]byte("abc"))
	o := &Opening{
		Format: Format, Digests: Digests{SHA256: a[:], SM3: b[:]},
		Metadata:   Metadata{Name: "批复.pdf", Bytes: 3, MediaType: "application/pdf", Modified: "2026-03-02T01:00:00Z", Note: "备注"},
		Provenance: Provenance{Capture: "file", Software: "mulian 0.3", ClockSource: UnknownClock},
		Chain:      "trial", Genesis: bytes.Repeat([]byte{7}, 32), Account: "11110000000021928Y",
	}
	if err := o.resalt(); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestCommitmentByHand computes a commitment from the definition in the package
// comment and the schema, byte by byte, and pins one.
func TestCommitmentByHand(t *testing.T) {
	o := made(t)
	o.Salt = bytes.Repeat([]byte{1}, 32)
	meta := "mulian-evidence-metadata-v1\x00" + "\x00\x00\x00\x00\x00\x00\x00\x03" +
		"\x00\x00\x00\x0a批复.pdf" + "\x00\x00\x00\x0fapplication/pdf" + "\x00\x00\x00\x06备注" + "\x00\x00\x00\x142026-03-02T01:00:00Z"
	sum := sha256.Sum256([]byte(meta))
	want := sha256.Sum256([]byte("mulian-evidence-v1\x00" + string(o.Salt) + string(o.SHA256) + string(o.SM3) + string(sum[:])))
	if got := o.commit(); got != want {
		t.Errorf("%x, want %x", got, want)
	}
	const pinned = "6d458673e1b75f1dbfc3c1c531af0ff6c3a5d8ed68f660cea60ad08c3f85041e"
	if got := hex.EncodeToString(want[:]); got != pinned {
		t.Errorf("the definition has changed: %s", got)
	}
}

// TestTamperedOpening: whatever the commitment covers, a change of it is found.
func TestTamperedOpening(t *testing.T) {
	good := made(t)
	for name, change := range map[string]func(*Opening){
		"salt":       func(o *Opening) { o.Salt[0] ^= 1 },
		"sha256":     func(o *Opening) { o.SHA256[31] ^= 1 },
		"sm3":        func(o *Opening) { o.SM3[0] ^= 1 },
		"commitment": func(o *Opening) { o.Commitment[5] ^= 1 },
		"id":         func(o *Opening) { o.ID = strings.Repeat("0", 32) },
		"name":       func(o *Opening) { o.Metadata.Name = "批复2.pdf" },
		"size":       func(o *Opening) { o.Metadata.Bytes++ },
		"media type": func(o *Opening) { o.Metadata.MediaType = "text/plain" },
		"modified":   func(o *Opening) { o.Metadata.Modified = "" },
		"note":       func(o *Opening) { o.Metadata.Note += "。" },
		"a text moved to the next field": func(o *Opening) {
			o.Metadata.Name, o.Metadata.MediaType = o.Metadata.Name+"a", o.Metadata.MediaType[1:]
		},
	} {
		raw, err := good.marshal()
		if err != nil {
			t.Fatal(err)
		}
		o, err := ParseOpening(raw)
		if err != nil {
			t.Fatal(err)
		}
		change(o)
		raw, err = o.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseOpening(raw); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoOpening(t *testing.T) {
	raw, err := made(t).marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":         nil,
		"no JSON":       []byte("x"),
		"another field": bytes.Replace(raw, []byte(`"format"`), []byte(`"formats"`), 1),
		"two":           append(bytes.Clone(raw), raw...),
		"capital hex":   bytes.Replace(raw, []byte(`"salt": "`), []byte(`"salt": "A`), 1),
		"short salt":    bytes.Replace(raw, []byte(`"salt": "`), []byte(`"salt": "00`), 1),
		"later format":  bytes.Replace(raw, []byte("evidence-v1"), []byte("evidence-v2"), 1),
		"null":          []byte("null"),
	} {
		if _, err := ParseOpening(b); !fault.Is(err, fault.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseOpening(make([]byte, MaxOpening+1)); !fault.Is(err, fault.TooLong) {
		t.Errorf("too long: %v", err)
	}
}

// FuzzOpening: no bytes make the reader panic, and what it takes it writes again as
// the same opening.
func FuzzOpening(f *testing.F) {
	raw, err := made(f).marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":"mulian-evidence-v1","salt":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := ParseOpening(raw)
		if err != nil {
			return
		}
		b, err := o.marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseOpening(b)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := json.Marshal(o)
		y, _ := json.Marshal(again)
		if !bytes.Equal(x, y) {
			t.Errorf("%s\n%s", x, y)
		}
	})
}
