package connect

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCanonicalTexts(t *testing.T) {
	for _, tt := range []struct {
		kind Kind
		good []string
		bad  []string
	}{
		{Integer, []string{"0", "-1", "12345678901234567890"}, []string{"", "-", "-0", "01", "+1", "1.0", "１"}},
		{Decimal, []string{"0", "0.10", "-0.01", "12345678901234567890.12", "NaN", "infinity"}, []string{"", ".5", "5.", "00.1", "1e3", "Infinity", "1,5", "-0.00", "-"}},
		{Boolean, []string{"true", "false"}, []string{"", "t", "1", "TRUE"}},
		{Date, []string{"2024-02-29", "0000-01-01", "-infinity"}, []string{"2023-02-29", "2024-13-01", "2024-1-1", "2024-01-00", "20240101"}},
		{Timestamp, []string{"2024-01-02T03:04:05", "2024-01-02T03:04:05.000001"}, []string{"2024-01-02 03:04:05", "2024-01-02T03:04:05.10", "2024-01-02T24:00:00", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05."}},
		{Instant, []string{"2024-01-02T03:04:05Z", "2024-01-02T03:04:05.5Z"}, []string{"2024-01-02T03:04:05", "2024-01-02T03:04:05+08:00", "2024-01-02T03:04:05.5ZZ"}},
		{Float, []string{"0", "0.1", "1e+30", "NaN", "-infinity"}, []string{"-0", "1.0", "0x1p3", "1e400", "inf"}},
		{Text, []string{"", "人𠮷\u200b"}, []string{"a\x00b", "\xff"}},
		{JSON, []string{`{"a":1}`, ` 1 `}, []string{"", "{", "a"}},
		{Bytes, []string{"", "\x00\xff"}, nil},
		{0, []string{""}, []string{"x"}},
		{99, nil, []string{"x"}},
	} {
		for _, s := range tt.good {
			if err := (Value{tt.kind, s}).Check(); err != nil {
				t.Errorf("%s %q: %v", tt.kind, s, err)
			}
		}
		for _, s := range tt.bad {
			if (Value{tt.kind, s}).Check() == nil {
				t.Errorf("%s %q was taken as canonical", tt.kind, s)
			}
		}
	}
}

func TestDatabasesFormsBecomeCanonical(t *testing.T) {
	text := func(v Value, ok bool) string { return fmt.Sprint(v.Kind, " ", v.Text, " ", ok) }
	for _, tt := range []struct{ got, want string }{
		{text(TimeValue("2024-01-02 03:04:05.120")), "timestamp 2024-01-02T03:04:05.12 true"},
		{text(TimeValue("2024-01-02 03:04:05+00")), "instant 2024-01-02T03:04:05Z true"},
		{text(TimeValue("2024-01-02T03:04:05.5+08:00")), "instant 2024-01-01T19:04:05.5Z true"},
		{text(TimeValue("2024-01-02T03:04:05z")), "instant 2024-01-02T03:04:05Z true"},
		{text(TimeValue("1900-01-01 00:00:00+08:05:43")), "instant 1899-12-31T15:54:17Z true"},
		{text(TimeValue("infinity")), "timestamp infinity true"},
		{text(DecimalValue("1.50")), "decimal 1.50 true"},
		{text(DecimalValue("+1.50")), "decimal 1.50 true"},
		{text(DecimalValue("1.5e3")), "decimal 1500 true"},
		{text(DecimalValue("15E-4")), "decimal 0.0015 true"},
		{text(DecimalValue("-0.00")), "decimal 0.00 true"},
		{text(DecimalValue(".5")), "decimal 0.5 true"},
		{text(FloatValue("1.0")), "float 1 true"},
		{text(FloatValue("-0")), "float 0 true"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	for _, s := range []string{"", "2024-01-02", "2024-01-02 25:00:00", "2024-01-02 03:04:05 BC", "10000-01-01 00:00:00", "now"} {
		if v, ok := TimeValue(s); ok {
			t.Errorf("TimeValue(%q) = %s", s, v.Text)
		}
	}
	for _, s := range []string{"", "-", "1/3", "0x10", "1e999999999", "abc", "1_000"} {
		if v, ok := DecimalValue(s); ok {
			t.Errorf("DecimalValue(%q) = %s", s, v.Text)
		}
	}
}

// TestValuesDoNotPrint: a row that ends in a log or an error must show nothing.
func TestValuesDoNotPrint(t *testing.T) {
	secret := "11010519491231002X"
	row := Row{TextValue(secret)}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if out := fmt.Sprintf(format, row); strings.Contains(out, secret) {
			t.Errorf("%s shows the value: %s", format, out)
		}
	}
	_, err := EncodeRows(1, []Row{{{Integer, secret}}})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error shows the value, or there is none: %v", err)
	}
}

func genValue() *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return Null
		case 1:
			return IntegerValue(rapid.Int64().Draw(t, "integer"))
		case 2:
			return BytesValue(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		case 3:
			v, _ := FloatValue(fmt.Sprint(rapid.Float64().Draw(t, "float")))
			return v
		default:
			return TextValue(strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", ""))
		}
	})
}

func genRows(columns int) *rapid.Generator[[]Row] {
	return rapid.SliceOfN(rapid.Map(rapid.SliceOfN(genValue(), columns, columns), func(v []Value) Row { return v }), 0, 20)
}

func TestPagesComeBackAndRowBytesCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 5).Draw(t, "columns")
		rows := genRows(columns).Draw(t, "rows")
		page, err := EncodeRows(columns, rows)
		if err != nil {
			t.Fatal(err)
		}
		n, back, err := DecodeRows(page)
		if err != nil || n != columns || !cmp.Equal(rows, back, cmp.Comparer(func(a, b Value) bool { return a == b })) {
			t.Fatalf("%d columns, %d rows came back as %d, %d: %v", columns, len(rows), n, len(back), err)
		}
		sum := 0
		for _, row := range rows {
			sum += RowBytes(row)
		}
		if sum != len(page)-3 {
			t.Fatalf("RowBytes says %d, the page holds %d", sum, len(page)-3)
		}
	})
}

// TestDigestDoesNotSeeBatches, but the order, the border between values, and NULL.
func TestDigestDoesNotSeeBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := genRows(3).Draw(t, "rows")
		whole, parts := NewDigest(), NewDigest()
		whole.Add(rows...)
		for len(rows) > 0 {
			n := rapid.IntRange(1, len(rows)).Draw(t, "part")
			parts.Add(rows[:n]...)
			parts.Sum() // does not disturb
			rows = rows[n:]
		}
		if whole.Sum() != parts.Sum() || whole.Rows() != parts.Rows() {
			t.Fatal("digest depends on batches")
		}
	})
	seen := map[[32]byte]string{}
	for name, rows := range map[string][]Row{
		"none": nil, "empty text": {{TextValue("")}}, "null": {{Null}}, "ab": {{TextValue("ab")}},
		"a,b": {{TextValue("a"), TextValue("b")}}, "a|b": {{TextValue("a")}, {TextValue("b")}}, "b|a": {{TextValue("b")}, {TextValue("a")}},
		"text 1": {{TextValue("1")}}, "integer 1": {{IntegerValue(1)}},
	} {
		d := NewDigest()
		d.Add(rows...)
		if other, taken := seen[d.Sum()]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d.Sum()] = name
	}
}

// TestGoldenPage holds the encoding: receipts of past deliveries depend on it.
func TestGoldenPage(t *testing.T) {
	page, err := EncodeRows(3, []Row{{IntegerValue(-7), Null, TextValue("人")}})
	if err != nil {
		t.Fatal(err)
	}
	want := "\x01\x03\x01" + "\x02\x02-7" + "\x00" + "\x01\x03人"
	if string(page) != want {
		t.Errorf("page %x, want %x", page, want)
	}
}

func TestPagesAreBounded(t *testing.T) {
	long := TextValue(strings.Repeat("a", MaxValueBytes+1))
	var ve *ValueError
	if _, err := EncodeRows(2, []Row{{Null, Null}, {Null, long}}); !errors.As(err, &ve) || ve.Row != 2 || ve.Column != "#2" {
		t.Errorf("value over its bound: %v", err)
	}
	half := TextValue(strings.Repeat("a", MaxRowBytes/2+1))
	if _, err := EncodeRows(2, []Row{{half, half}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("row over its bound: %v", err)
	}
	if _, err := EncodeRows(MaxColumns+1, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("columns over their bound: %v", err)
	}
	for name, page := range map[string]string{
		"empty": "", "other version": "\x02\x01\x00", "no columns": "\x01\x00\x00", "too many columns": "\x01\xc1\x0c\x00",
		"rows that are not there": "\x01\x01\xff\xff\x03", "long uvarint": "\x01\x81\x00\x00", "tail": "\x01\x01\x00\x00",
		"value past the end": "\x01\x01\x01\x01\x05ab", "unknown kind": "\x01\x01\x01\x63\x00", "not canonical": "\x01\x01\x01\x02\x0201",
		"huge length": "\x01\x01\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		if _, _, err := DecodeRows([]byte(page)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// FuzzDecodeRows: a page is refused, or it is the one encoding of its rows.
func FuzzDecodeRows(f *testing.F) {
	page, _ := EncodeRows(2, []Row{{IntegerValue(1), TextValue("人")}, {Null, BytesValue([]byte{0})}})
	f.Add(page)
	f.Add([]byte("\x01\x01\x00"))
	f.Add([]byte("\x01\x01\x01\x08\x00"))
	f.Fuzz(func(t *testing.T, page []byte) {
		columns, rows, err := DecodeRows(page)
		if err != nil {
			return
		}
		again, err := EncodeRows(columns, rows)
		if err != nil || !bytes.Equal(page, again) {
			t.Fatalf("second encoding of %x: %x, %v", page, again, err)
		}
	})
}
