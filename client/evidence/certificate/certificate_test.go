package certificate

import (
	"bytes"
	"compress/zlib"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/client/evidence"
	"mulian/client/prooffile"
	"mulian/internal/fault"
)

// sample is a certificate of made-up evidence with everything that one can have.
func sample() *Certificate {
	fill := func(b byte) evidence.Hex { return bytes.Repeat([]byte{b}, 32) }
	o := &evidence.Opening{
		Format: evidence.Format, ID: strings.Repeat("5a", 16), Commitment: fill(0x5a), Salt: fill(1),
		Digests:  evidence.Digests{SHA256: fill(0xab), SM3: fill(0xcd)},
		Metadata: evidence.Metadata{Name: "不动产登记结果（2026年3月）.pdf", Bytes: 1_073_741_824, MediaType: "application/pdf", Modified: "2026-03-02T01:00:00Z", Note: "供法院调取 / for the court"},
		Provenance: evidence.Provenance{
			Capture: "delivery", Gateway: "11110000000021928Y/g/main", Source: "0123456789abcdef/1", CapturedMs: 1_772_413_200_123,
			Software: "mulian 0.3.0", SoftwareHash: fill(0xef), ClockSource: "ntp chrony 203.107.6.88", ClockOffsetMs: -3, ClockErrorMs: 12,
		},
		Chain: "beijing-1", Genesis: fill(0x77), Account: "11110000000021928Y", Height: 4711, AtMs: 1_772_413_201_456,
	}
	return &Certificate{Opening: o, Org: "北京市不动产登记中心", Proof: &prooffile.Report{
		OK: true, Power: "3 of 4", SM2: "3 of 4", Height: 4712, Chain: "beijing-1",
		Signers:   []prooffile.Signer{{Account: o.Account, Key: "0123456789abcdef", Algorithm: "sm2", State: "active"}},
		Statement: []byte(`{"acts":[{"verb":"evidence/anchor","transaction":"` + strings.Repeat("99", 32) + `"}]}`),
	}}
}

func set(t testing.TB, c *Certificate) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, c); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("MULIAN_KEEP_PDF"); dir != "" { // for a person to look at
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".pdf"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestTheSamePaper: the same certificate gives the same bytes.
func TestTheSamePaper(t *testing.T) {
	first := set(t, sample())
	for range 5 {
		if !bytes.Equal(first, set(t, sample())) {
			t.Fatal("two papers of one certificate differ")
		}
	}
	if len(first) > 300<<10 {
		t.Errorf("%d KiB", len(first)>>10)
	}
}

// TestNothingIsDropped: characters that the fonts lack, marks that turn text, and long
// names are all on the paper, and everything can be searched as text.
func TestNothingIsDropped(t *testing.T) {
	c := sample()
	c.Opening.Metadata.Name = "𬺓𫟹㐂〇龘é\u202efdp.exe\u200b\n" + strings.Repeat("很长的文件名", 60) + ".pdf"
	c.Opening.Metadata.Note = strings.Repeat("verylongword", 50) + " 结束"
	c.Opening.Supersedes = strings.Repeat("4b", 16)
	c.Org = "北京市不动产登记中心"
	raw := set(t, c)
	text := read(t, raw)
	for _, want := range []string{
		"存证证书", "Certificate of Evidence", "〔U+2CE93〕〔U+2B7F9〕㐂〇龘é〔U+202E〕fdp.exe〔U+200B〕", strings.Repeat("很长的文件名", 60) + ".pdf", "结束",
		strings.Repeat("verylongword", 50), strings.Repeat("ab", 32), strings.Repeat("cd", 32), "北京市不动产登记中心（11110000000021928Y）", "0123456789abcdef（SM2）",
		"4711", "2026-03-02 09:00:01.456 北京时间", "ntp chrony 203.107.6.88", "-3 ms", "mulian verify", "mulian evidence verify", "3/4", "3 of 4", strings.Repeat("4b", 16), "1 / 2", "2 / 2",
	} {
		if !strings.Contains(text, strings.ReplaceAll(want, " ", "")) {
			t.Errorf("%.60q is not on the paper", want)
		}
	}
}

// TestUnknownIsSaid: a clock that nothing disciplines is not shown as one with an offset
// of 0, and what is not there has no line.
func TestUnknownIsSaid(t *testing.T) {
	c := sample()
	c.Opening.Provenance = evidence.Provenance{Capture: "file", Software: "mulian", CapturedMs: 1, ClockSource: evidence.UnknownClock}
	c.Opening.Metadata.Note, c.Org = "", ""
	text := read(t, set(t, c))
	if !strings.Contains(text, "未知（没有测得校时来源）") || strings.Contains(text, "时钟偏差") || strings.Contains(text, "说明Note") || strings.Contains(text, "网关Gateway") {
		t.Errorf("%s", text)
	}
}

// TestNoPaperWithoutProof: what is not proved gets no certificate.
func TestNoPaperWithoutProof(t *testing.T) {
	for name, change := range map[string]func(*Certificate){
		"no proof":               func(c *Certificate) { c.Proof = nil },
		"a proof that fails":     func(c *Certificate) { c.Proof.OK = false },
		"evidence not yet on it": func(c *Certificate) { c.Opening.Height = 0 },
	} {
		c := sample()
		change(c)
		if err := Write(new(bytes.Buffer), c); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// read returns the text of a PDF as a program that searches it finds it, without
// blanks: the strings that are shown in the content streams. All fonts are embedded
// with a table back to Unicode, which is the identity for ours, and this reader wants
// to see both.
func read(t *testing.T, pdf []byte) string {
	t.Helper()
	fonts := bytes.Count(pdf, []byte("/CIDFontType2"))
	if fonts != 4 || bytes.Count(pdf, []byte("/FontFile2")) != fonts || bytes.Count(pdf, []byte("/ToUnicode")) != fonts || !bytes.Contains(pdf, []byte("/Identity-H")) {
		t.Fatalf("%d fonts, not all embedded with a table to Unicode", fonts)
	}
	var out strings.Builder
	rest := pdf
	for {
		_, after, ok := bytes.Cut(rest, []byte("stream\n"))
		if !ok {
			return strings.ReplaceAll(out.String(), " ", "")
		}
		content, next, _ := bytes.Cut(after, []byte("\nendstream"))
		rest = next
		z, err := zlib.NewReader(bytes.NewReader(content))
		if err != nil {
			continue // a table that is not packed
		}
		plain, err := io.ReadAll(io.LimitReader(z, 16<<20))
		if err == nil && bytes.Contains(plain, []byte(" Tj")) {
			shown(plain, &out)
		}
	}
}

// shown collects the strings of a content stream: (bytes) Tj, two bytes a character.
func shown(content []byte, out *strings.Builder) {
	for i := 0; i < len(content); i++ {
		if content[i] != '(' {
			continue
		}
		var s []byte
		for i++; i < len(content) && content[i] != ')'; i++ {
			if content[i] == '\\' {
				i++
				if content[i] == 'r' {
					s = append(s, '\r')
					continue
				}
			}
			s = append(s, content[i])
		}
		for k := 0; k+1 < len(s); k += 2 {
			out.WriteRune(rune(s[k])<<8 | rune(s[k+1]))
		}
	}
}
