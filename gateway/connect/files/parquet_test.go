package files

import (
	"os"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
)

// nativeRow has types that other programs write.
type nativeRow struct {
	ID    int32            `parquet:"id"`
	Name  *string          `parquet:"name,optional,dict"`
	Small int32            `parquet:"small,decimal(2:9)"`
	Money int64            `parquet:"money,decimal(2:18)"`
	Big   [16]byte         `parquet:"big,decimal(3:38)"`
	Day   int32            `parquet:"day,date"`
	At    time.Time        `parquet:"at,timestamp(millisecond:local)"`
	Now   time.Time        `parquet:"now,timestamp(nanosecond)"`
	Old   deprecated.Int96 `parquet:"old"`
	F     float32          `parquet:"f"`
	D     *float64         `parquet:"d,optional"`
	U     uint64           `parquet:"u"`
	Raw   []byte           `parquet:"raw"`
	Code  [16]byte         `parquet:"code,uuid"`
	Yes   bool             `parquet:"yes"`
}

func writeNative(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := time.Date(2024, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	name, small, money, day, d := "海淀", int32(-5), int64(1250), int32(19_724), 0.1
	rows := []nativeRow{
		{ID: 1, Name: &name, Small: small, Money: money, Big: [16]byte{15: 42}, Day: day, At: at, Now: at.Add(9), Old: deprecated.Int96{0, 0, 2_440_588}, F: 0.5, D: &d, U: 1<<64 - 1, Raw: []byte{0, 255}, Code: [16]byte{1, 2, 3, 15: 9}, Yes: true},
		{ID: 2, Big: [16]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0}, At: at, Now: at, Old: deprecated.Int96{1_000_000_000, 0, 2_440_589}, F: -1.5, Raw: []byte{}},
	}
	if err := parquet.Write(f, rows); err != nil {
		t.Fatal(err)
	}
}

var parquetNative = connecttest.Native{
	Create:  []string{"native"},
	Columns: []string{"id", "name", "small", "money", "big", "day", "at", "now", "old", "f", "d", "u", "raw", "code", "yes"},
	Kinds: []connect.Kind{
		connect.Integer, connect.Text, connect.Decimal, connect.Decimal, connect.Decimal, connect.Date, connect.Timestamp, connect.Instant, connect.Timestamp,
		connect.Float, connect.Float, connect.Integer, connect.Bytes, connect.Text, connect.Boolean,
	},
	Rows: []connect.Row{
		connecttest.R("integer 1", "text 海淀", "decimal -0.05", "decimal 12.50", "decimal 0.042", "date 2024-01-02", "timestamp 2024-01-02T03:04:05.678", "instant 2024-01-02T03:04:05.678000009Z",
			"timestamp 1970-01-01T00:00:00", "float 0.5", "float 0.1", "integer 18446744073709551615", "bytes \x00\xff", "text 01020300-0000-0000-0000-000000000009", "boolean true"),
		connecttest.R("integer 2", "", "decimal 0.00", "decimal 0.00", "decimal -0.256", "date 1970-01-01", "timestamp 2024-01-02T03:04:05.678", "instant 2024-01-02T03:04:05.678Z",
			"timestamp 1970-01-02T00:00:01", "float -1.5", "", "integer 0", "bytes ", "text 00000000-0000-0000-0000-000000000000", "boolean false"),
	},
}
