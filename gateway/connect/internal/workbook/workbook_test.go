package workbook

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"mulian/gateway/connect"
)

// sample is a workbook as a person makes it.
func sample(t testing.TB) []byte {
	t.Helper()
	x := excelize.NewFile()
	defer x.Close()
	day, err := x.NewStyle(&excelize.Style{NumFmt: 14})
	if err != nil {
		t.Fatal(err)
	}
	code := `yyyy"年"m"月"d"日" hh:mm`
	moment, err := x.NewStyle(&excelize.Style{CustomNumFmt: &code})
	if err != nil {
		t.Fatal(err)
	}
	money := `#,##0.00"元"`
	yuan, err := x.NewStyle(&excelize.Style{CustomNumFmt: &money})
	if err != nil {
		t.Fatal(err)
	}
	set := func(cell string, v any, style int) {
		if err := x.SetCellValue("Sheet1", cell, v); err != nil {
			t.Fatal(err)
		}
		if style > 0 {
			if err := x.SetCellStyle("Sheet1", cell, cell, style); err != nil {
				t.Fatal(err)
			}
		}
	}
	set("A1", "名称", 0)
	set("B1", "数", 0)
	set("C1", "日期", 0)
	set("A3", "007", 0)
	tenth := 0.1
	set("B3", tenth+0.2, 0)
	set("C3", 45293, day)
	set("D3", 45293.5, moment)
	set("E3", 1234.5, yuan)
	set("F3", true, 0)
	set("B4", 12, 0)
	set("C4", 60, day)
	set("D4", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), moment)
	set("E4", 1e20, 0)
	set("F4", "a_x000D_b", 0)
	if _, err := x.NewSheet("第二"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := x.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCellsAreWhatIsStored(t *testing.T) {
	raw := sample(t)
	b, err := Open(bytes.NewReader(raw), int64(len(raw)), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if diff := cmp.Diff([]string{"Sheet1", "第二"}, b.Sheets()); diff != "" {
		t.Error(diff)
	}
	var got []string
	err = b.Rows("Sheet1", func(n int64, row []connect.Value) error {
		var line []string
		for _, v := range row {
			line = append(line, v.Kind.String()+" "+v.Text)
		}
		got = append(got, string(rune('0'+n))+": "+strings.Join(line, ", "))
		return nil
	})
	want := []string{
		"1: text 名称, text 数, text 日期",
		"3: text 007, decimal 0.30000000000000004, date 2024-01-02, timestamp 2024-01-02T12:00:00, decimal 1234.5, boolean true",
		"4: null , integer 12, integer 60, timestamp 2024-01-02T03:04:05, decimal 100000000000000000000, text a\rb",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// FuzzOpen: a broken workbook is an error of a kind, and nothing else.
func FuzzOpen(f *testing.F) {
	raw := sample(f)
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Open(bytes.NewReader(raw), int64(len(raw)), t.TempDir())
		if err == nil {
			defer b.Close()
			for _, name := range b.Sheets() {
				if err = b.Rows(name, func(_ int64, row []connect.Value) error {
					for _, v := range row {
						if v.Kind != connect.Text && v.Check() != nil {
							t.Fatalf("a %s that is not canonical", v.Kind)
						}
					}
					return nil
				}); err != nil {
					break
				}
			}
		}
		if err != nil && !errors.Is(err, connect.ErrInvalid) && !errors.Is(err, connect.ErrTooLarge) {
			t.Fatalf("error of no kind: %v", err)
		}
	})
}
