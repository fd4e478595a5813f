package code

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// shared opens a file of the shared data set, or skips the test.
func shared(t testing.TB, path string) *os.File {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	for dir := "."; root == ""; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(dir, "..", "shared")
		} else if len(dir) > 60 {
			t.Fatal("no go.mod above this package")
		}
	}
	f, err := os.Open(filepath.Join(root, "data", path))
	if err != nil {
		t.Skipf("SKIP no shared data: %s", path)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// column reads one column of a shared CSV file.
func column(t testing.TB, path, head string, decode func(io.Reader) io.Reader) []string {
	t.Helper()
	r := csv.NewReader(decode(shared(t, path)))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for i, h := range rows[0] {
		if h == head {
			at = i
		}
	}
	if at < 0 {
		t.Fatalf("%s has no column %s: %v", path, head, rows[0])
	}
	var all []string
	for _, row := range rows[1:] {
		all = append(all, row[at])
	}
	return all
}

func gb18030(r io.Reader) io.Reader { return simplifiedchinese.GB18030.NewDecoder().Reader(r) }
func plain(r io.Reader) io.Reader   { return r }

// problem returns what a check found, or nil.
func problem(t testing.TB, err error) *Problem {
	t.Helper()
	var p *Problem
	if err != nil && !errors.As(err, &p) {
		t.Fatalf("%v is no *Problem", err)
	}
	return p
}

func TestCheckUSCC(t *testing.T) {
	const good = "91350100M000100Y43" // GB 32100-2015, the example of its annex
	for _, tt := range []struct {
		code string
		want *Problem // What is left out
	}{
		{good, nil},
		{"", &Problem{"", Length, 0, "18"}},
		{good[:17], &Problem{"", Length, 17, "18"}},
		{good + "0", &Problem{"", Length, 19, "18"}},
		{strings.Repeat("9", 100_000), &Problem{"", Length, maxCode, "18"}},
		{strings.ToLower(good), &Problem{"", Character, 9, ""}},
		{"9135010OM000100Y43", &Problem{"", Character, 8, ""}}, // the letter O for the zero
		{"9135010AM000100Y43", &Problem{"", Character, 8, ""}}, // a letter in the region
		{"９1350100M000100Y43", &Problem{"", Character, 1, ""}}, // full width: Clean first
		{"91350100M000100Y4I", &Problem{"", Character, 18, ""}},
		{"91350100M000100Y44", &Problem{"", CheckChar, 18, "3"}},
		{"91350100M000100Y34", &Problem{"", CheckChar, 18, "0"}}, // two neighbours exchanged
	} {
		got := problem(t, CheckUSCC(tt.code))
		switch {
		case got == nil || tt.want == nil:
			if (got == nil) != (tt.want == nil) {
				t.Errorf("%.20s: %v, want %v", tt.code, got, tt.want)
			}
		case got.Reason != tt.want.Reason || got.At != tt.want.At || tt.want.Want != "" && got.Want != tt.want.Want:
			t.Errorf("%.20s: %+v, want %+v", tt.code, got, tt.want)
		case got.What != "统一社会信用代码" || !strings.Contains(got.Error(), got.What):
			t.Errorf("%.20s: the text is %q", tt.code, got)
		}
	}
}

// TestUSCCFindsOneMistake: every single wrong character is found, for 31 is prime
// and no weight is 0.
func TestUSCCFindsOneMistake(t *testing.T) {
	const good = "91350100M000100Y43"
	for i := range good {
		for _, c := range usccChars {
			bad := good[:i] + string(c) + good[i+1:]
			if (CheckUSCC(bad) == nil) != (bad == good) {
				t.Errorf("%s: %v", bad, CheckUSCC(bad))
			}
		}
	}
}

// TestRealCodes runs the 9,461 codes of the Haidian list. Counted beforehand by
// another program with the formula Σ cᵢ·3^(i-1) ≡ 0 (mod 31) instead of a table:
// 9,456 are right and 5 are not.
func TestRealCodes(t *testing.T) {
	codes := column(t, "databases/beijing/海淀区中关村高新技术企业库（截止2023年7月）.csv", "统一社会信用代码", gb18030)
	right, orgRight, rounded := 0, 0, 0
	wrong := map[string]string{}
	for _, c := range codes {
		p := problem(t, CheckUSCC(c))
		if p == nil {
			right++
			if CheckOrgCode(c[8:17]) == nil {
				orgRight++
			}
			continue
		}
		if p.Reason != CheckChar {
			t.Errorf("%s: %v, want a wrong check character", c, p)
		}
		wrong[c] = p.Want
		if DamageOf(c) == Rounded {
			rounded++
		}
	}
	if len(codes) != 9461 || right != 9456 || orgRight != 9456 || len(wrong) != 5 || rounded != 1 {
		t.Errorf("%d codes: %d right, %d with a right organisation code, wrong %v, rounded %d", len(codes), right, orgRight, wrong, rounded)
	}
	for _, c := range []string{"9111010156743845XQ", "91110108MA01L0TH6X", "91110108MA006E833D", "91110111MA7E2D1L77", "121000004000147000"} {
		want, ok := wrong[c]
		if !ok {
			t.Errorf("%s passes", c)
		} else if err := CheckUSCC(c[:17] + want); err != nil {
			t.Errorf("%s with the check character that was proposed: %v", c, err)
		}
	}
}

func TestCheckOrgCode(t *testing.T) {
	for c, want := range map[string]Reason{
		"MA009HJB3": 0, "MA009HJB4": CheckChar, "MA009HJB": Length, "MA009HJb3": Character, "D2143569X": 0,
		"": Length, "MA009HJB33": Length,
	} {
		p := problem(t, CheckOrgCode(c))
		if (p == nil) != (want == 0) || p != nil && p.Reason != want {
			t.Errorf("%s: %v, want %v", c, p, want)
		}
	}
}

// TestISO7064 holds MOD 37-2 to published examples and to its definition.
func TestISO7064(t *testing.T) {
	for payload, want := range map[string]byte{
		"G123489654321": 'Y', // ISBT 128 donation number, the example of ISO 7064 MOD 37-2 in python-stdnum
		"A999914123456": 'N', // ISBT 128 donation number, ICCBBA ST-001
	} {
		if got, ok := CheckChar372(payload); !ok || got != want {
			t.Errorf("check of %s is %c, want %c", payload, got, want)
		}
	}
	seen := map[byte]bool{}
	for i := range 37 * 37 {
		payload := string(alphanumeric[i%36]) + "7" + string(alphanumeric[i/37%36])
		c, ok := CheckChar372(payload)
		if !ok {
			t.Fatal(payload)
		}
		seen[c] = true
		sum, weight := 0, 1 // Σ aᵢ·2^(i-1) ≡ 1, from the right
		whole := payload + string(c)
		for i := len(whole) - 1; i >= 0; i-- {
			sum += strings.IndexByte(alphanumeric+"*", whole[i]) * weight
			weight *= 2
		}
		if sum%37 != 1 || !Valid372(whole) {
			t.Fatalf("%s: the sum is %d", whole, sum%37)
		}
	}
	if len(seen) != 37 || !seen['*'] {
		t.Errorf("only %d different check characters", len(seen))
	}
	if _, ok := CheckChar372("a"); ok || Valid372("A") || Valid372("") {
		t.Error("small letters or codes without payload pass")
	}
}

func TestCheckResource(t *testing.T) {
	body := "7" + "91350100M000100Y43" + "3501" + "A1B2C3D4"
	check, _ := CheckChar372(body)
	good := body + string(check)
	for _, tt := range []struct {
		code string
		want Reason
		at   int
	}{
		{good, 0, 0},
		{good + "•V2", 0, 0},
		{good + "•" + strings.Repeat("Z", 32), 0, 0},
		{good + "•" + strings.Repeat("Z", 33), Length, 66},
		{good + "•", Length, 33},
		{good + "•v2", Character, 34},
		{good + "V2", Length, 34},
		{good[:31], Length, 31},
		{strings.Repeat("7", 5000), Length, 5000},
		{"8" + good[1:], Unlisted, 1},
		{"7" + "91350100M000100Y44" + good[19:], CheckChar, 18}, // the subject is wrong
		{good[:26] + "a" + good[27:], Character, 27},
		{"6" + good[1:], CheckChar, 32},
	} {
		p := problem(t, CheckResource(tt.code))
		if (p == nil) != (tt.want == 0) || p != nil && (p.Reason != tt.want || p.At != tt.at) {
			t.Errorf("%.40s: %+v, want %v at %d", tt.code, p, tt.want, tt.at)
		}
	}
}

func TestCheckRegion(t *testing.T) {
	for c, want := range map[string]Reason{
		"110108": 0, "110000": 0, "350100": 0, "820000": 0,
		"": Length, "1101": Length, "1101080": Length, "11010A": Character, "１１0108": Character,
		"000000": Unlisted, "160000": Unlisted, "990000": Unlisted, "110008": Unlisted,
	} {
		p := problem(t, CheckRegion(c))
		if (p == nil) != (want == 0) || p != nil && p.Reason != want {
			t.Errorf("%s: %v, want %v", c, p, want)
		}
	}
	for c, want := range map[string]RegionLevel{"110000": Province, "350100": Prefecture, "110108": County, "99": 0} {
		if got := LevelOf(c); got != want {
			t.Errorf("level of %s is %d, want %d", c, got, want)
		}
	}
	for _, tt := range []struct {
		inner, outer string
		want         bool
	}{
		{"110108", "110000", true},
		{"110108", "110100", true},
		{"110108", "110108", true},
		{"110000", "110108", false},
		{"120108", "110000", false},
		{"110208", "110100", false},
		{"x", "110000", false},
		{"110108", "", false},
	} {
		if got := Within(tt.inner, tt.outer); got != tt.want {
			t.Errorf("%s within %s is %v", tt.inner, tt.outer, got)
		}
	}
}

// TestRealRegions: every county code of the current division list passes.
func TestRealRegions(t *testing.T) {
	codes := column(t, "codes/china-division/areas.csv", "code", plain)
	for _, c := range codes {
		if err := CheckRegion(c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	if len(codes) < 2800 {
		t.Errorf("only %d codes", len(codes))
	}
}

func TestKeyAndClean(t *testing.T) {
	same := []string{"企业基本信息(2024)", "企业基本信息（２０２４）", " 企业　基本 信息（2024）\n", "企\u200b业基本信息\ufeff（2024）"}
	for _, n := range same {
		if key, ok := Key(n); !ok || key != "企业基本信息(2024)" {
			t.Errorf("Key(%q) = %q, %v", n, key, ok)
		}
	}
	for _, bad := range []string{"", " \t\u3000", "\xff\xfe", "a\ufffd", strings.Repeat("长", 400)} {
		if key, ok := Key(bad); ok {
			t.Errorf("Key(%.20q) = %q passes", bad, key)
		}
	}
	if a, _ := Key("GDP"); a == "gdp" {
		t.Error("Key folds case")
	}
	for in, want := range map[string]string{
		"'91350100M000100Y43": "91350100M000100Y43", " ９１３５0100m000100y43 ": "91350100M000100Y43", "‘110108’": "110108’", "": "",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDamageOf(t *testing.T) {
	for s, want := range map[string]Damage{
		"2.02E+17": Exponent, "9.11101E+17": Exponent, "1E-05": Exponent, "2.02e+17": Exponent,
		"9111E15": 0, "E+17": 0, "2.E+17": 0, "91350100M000100Y43": 0, "": 0, "110108": 0,
		"121000004000147000": Rounded, "110101199001010000": Rounded, "110101199001011234": 0,
		"110108.0": Decimal, "110,108": Decimal, "1,101,080.00": Decimal, "11,01": 0, "110108.5": 0, "1.": 0,
		"#N/A": ErrorText, "########": ErrorText, "#REF!": ErrorText,
	} {
		if got := DamageOf(s); got != want {
			t.Errorf("DamageOf(%q) = %v, want %v", s, got, want)
		}
	}
}

// TestProblemsInBothLanguages: every refusal of this file's checks has a text in
// each language, without a word of the other.
func TestProblemsInBothLanguages(t *testing.T) {
	const good = "91350100M000100Y43"
	body := "7" + good + "3501" + "A1B2C3D4"
	seen := map[string]bool{}
	for _, err := range []error{
		CheckUSCC(""), CheckUSCC("i1350100M000100Y43"), CheckUSCC("9135010AM000100Y43"), CheckUSCC(good[:17] + "4"),
		CheckOrgCode(""), CheckOrgCode("MA009HJb3"), CheckOrgCode("MA009HJB4"),
		CheckResource(""), CheckResource("8" + body[1:] + "0"), CheckResource(body + "a"), CheckResource(body + "0•"), CheckResource(strings.Repeat("1", 300)),
		CheckRegion(""), CheckRegion("11010A"), CheckRegion("990000"), CheckRegion("110008"),
	} {
		p := problem(t, err)
		if p == nil {
			t.Fatal("a code passes")
		}
		en := strings.TrimPrefix(p.Error(), p.What)
		if strings.ContainsFunc(en, func(r rune) bool { return r > 0x2fff }) || seen[p.Error()] {
			t.Errorf("English: %s", p.Error())
		}
		seen[p.Error()] = true
		if strings.ContainsFunc(p.ZH(), func(r rune) bool { return r >= 'a' && r <= 'z' }) || !strings.HasPrefix(p.ZH(), p.What) {
			t.Errorf("Chinese: %s", p.ZH())
		}
	}
}

// FuzzCodes: no text makes a check panic, and what passes has its form.
func FuzzCodes(f *testing.F) {
	for _, s := range []string{"91350100M000100Y43", "2.02E+17", "110108", "无条件共享", "2 有条件", "\xff", "7•"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckUSCC(s) == nil && (len(s) != 18 || CheckUSCC(Clean(s)) != nil) {
			t.Errorf("%q passes", s)
		}
		if CheckResource(s) == nil && (utf8.RuneCountInString(s) < 32 || utf8.RuneCountInString(s) > 65) {
			t.Errorf("%q passes", s)
		}
		if CheckOrgCode(s) == nil && len(s) != 9 || CheckRegion(s) == nil && LevelOf(s) == 0 {
			t.Errorf("%q passes", s)
		}
		if key, ok := Key(s); ok {
			if again, ok := Key(key); !ok || again != key {
				t.Errorf("Key(Key(%q)) = %q, not %q", s, again, key)
			}
		}
		if c := Clean(s); len(s) <= MaxName && len(c) <= MaxName && Clean(c) != c {
			t.Errorf("Clean(Clean(%q)) = %q, not %q", s, Clean(c), c)
		}
		DamageOf(s)
		if v, err := ShareTypes.Parse(s); (err == nil) != ShareTypes.Valid(v) {
			t.Errorf("Parse(%q) = %d, %v", s, v, err)
		}
		Grades.Parse(s)
	})
}
