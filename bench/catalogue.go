package bench

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/filing"
	"mulian/internal/sm"
)

// What Catalogue does; our own choices.
const (
	catalogueEntries  = 20_000
	catalogueOwners   = 40  // organisations that provide them, in turn: no two neighbours are of one
	catalogueBatch    = 200 // entries of a transaction: the most that the ledger takes
	catalogueTitleRow = "信息资源名称,提供单位,信息资源摘要,信息项,更新周期,共享类型\n"
)

// Catalogue measures the import of a catalogue from end to end: read, judged, signed
// by the organisations that it names, committed by a real member with its rules, and
// found in its index. The bare counterpart reads the same file and inserts the same
// rows into SQLite, 200 in a synced transaction.
func Catalogue(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "catalogue"}
	dir, remove, err := o.Folder("catalogue")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	if err := catalogue(ctx, o, dir, &r); err != nil {
		return r, ended(ctx, err)
	}
	return r, nil
}

func catalogue(ctx context.Context, o Options, dir string, r *Result) (err error) {
	n := o.Entries
	if n <= 0 {
		n = catalogueEntries
	}
	o.Say("write a catalogue of %d entries of %d organisations", n, catalogueOwners)
	list, warm := filepath.Join(dir, "catalogue.csv"), filepath.Join(dir, "warm.csv")
	if err := errors.Join(writeCatalogue(list, "目录", n), writeCatalogue(warm, "预热", catalogueOwners)); err != nil {
		return err
	}
	bare, err := bareCatalogue(ctx, dir, list)
	if err != nil {
		return err
	}
	w := &town{dir: dir, ring: keyring.Ring{Dir: filepath.Join(dir, "keys")}, genesis: filepath.Join(dir, "genesis")}
	key, err := w.ring.New(townAuthority, keyring.Root, sm.SM2)
	if err != nil {
		return err
	}
	w.authority = client.Signer{Account: townAuthority, Key: key}
	if err := w.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	o.Say("bring the organisations on board")
	order := filing.Order{Register: true, Source: "bench"}
	if _, err := w.file(ctx, warm, order); err != nil {
		return err
	}
	return w.measureImport(ctx, o, r, list, n, bare)
}

// measureImport imports the list and fills the result.
func (w *town) measureImport(ctx context.Context, o Options, r *Result, list string, n int, bare *Meter) error {
	var batches Times
	order := filing.Order{Source: "bench", Part: true, Took: batches.Add}
	before := DiskBytes(w.dir)
	ResetPeak()
	o.Say("import %d entries", n)
	stop, err := o.profile()
	if err != nil {
		return err
	}
	m := Start()
	out, err := w.file(ctx, list, order)
	m.Stop()
	stop()
	switch {
	case err != nil:
		return err
	case out.Sent != n:
		return fmt.Errorf("bench: %d of %d entries were sent: %v", out.Sent, n, out.Problems)
	}
	rate, alone := m.PerSecond(n), bare.PerSecond(n)
	r.Add(Figure{Name: "entries_per_second", Value: rate, Unit: "entries/s", Goal: "≥ 2,000", Note: "from the first byte read to the last entry in the index"})
	r.Add(Figure{Name: "bare_per_second", Value: alone, Unit: "rows/s", Note: "the same file into SQLite"})
	r.Add(Figure{Name: "ratio", Value: rate / max(alone, 1)})
	r.Add(Figure{Name: "cpu_us_per_entry", Value: m.MicrosecondsEach(n), Unit: "µs", Note: "importer, member and index: one process"})
	r.Add(Figure{Name: "bare_cpu_us_per_row", Value: bare.MicrosecondsEach(n), Unit: "µs"})
	r.Add(Figure{Name: "peak_mib", Value: PeakMiB(), Unit: "MiB"})
	r.Add(Figure{Name: "disk_bytes_per_entry", Value: float64(DiskBytes(w.dir)-before) / float64(n), Unit: "bytes", Note: "state, blocks and index"})
	r.Add(Figure{Name: "p50_ms", Value: batches.Ms(50), Unit: "ms", Note: "of a batch, from the signature to the block"})
	r.Add(Figure{Name: "p99_ms", Value: batches.Ms(99), Unit: "ms"})
	r.Note("%d synthetic entries with 8 items each, %d organisations in turn, %d transactions of at most %d entries, SM2, 16 in flight, one validator", n, catalogueOwners, out.Batches, catalogueBatch)
	r.Note("bare: encoding/csv, and INSERT of the same columns into one SQLite table with a primary key, %d rows a transaction, each synced", catalogueBatch)
	return nil
}

// file imports a list and waits until the index has it.
func (w *town) file(ctx context.Context, list string, order filing.Order) (*filing.Outcome, error) {
	plan, _, err := intake.MakePlan(ctx, list, intake.Options{})
	if err != nil {
		return nil, err
	}
	order.ShareType = cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL
	desk := &filing.Desk{Client: w.chain, Keys: w.ring, Authority: w.authority.Account}
	out, err := desk.Import(ctx, plan, order)
	if err != nil {
		return out, err
	}
	return out, w.indexed(ctx)
}

// indexed waits until the index has every event, as long as that takes.
func (w *town) indexed(ctx context.Context) error {
	for {
		st, err := w.chain.Status(ctx)
		if err != nil || st.GetIndexed() == st.GetEvents() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// writeCatalogue writes n entries as a department would export them.
func writeCatalogue(path, name string, n int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	fmt.Fprint(out, catalogueTitleRow)
	cycles := []string{"每日", "每周", "每月", "每季度", "每年"}
	for i := range n {
		fmt.Fprintf(out, "%s第%06d号台账,测试局%02d,本条目记录第 %d 类事项的受理、审查、办结情况，含申请人、事项、时间与结果，供各部门履行职责时核对,编号；名称；申请单位；受理日期；办结日期；结果；状态；备注,%s,无条件共享\n",
			name, i, i%catalogueOwners, i, cycles[i%len(cycles)])
	}
	return out.Flush()
}

// bareCatalogue inserts the rows of the list into SQLite.
func bareCatalogue(ctx context.Context, dir, list string) (m *Meter, err error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "CREATE TABLE entry(name TEXT, owner TEXT, abstract TEXT, items TEXT, cycle TEXT, share TEXT, PRIMARY KEY(owner, name)) WITHOUT ROWID"); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	f, err := os.Open(list)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer f.Close()
	m = Start()
	defer m.Stop()
	in := csv.NewReader(f)
	if _, err := in.Read(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	for more := true; more; {
		if more, err = bareBatch(ctx, db, in); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return m, nil
}

func bareBatch(ctx context.Context, db *sql.DB, in *csv.Reader) (more bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	insert, err := tx.PrepareContext(ctx, "INSERT INTO entry VALUES("+strings.Repeat("?,", 5)+"?)")
	if err != nil {
		return false, err
	}
	for range catalogueBatch {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return false, tx.Commit()
		}
		if err != nil {
			return false, err
		}
		if _, err := insert.ExecContext(ctx, row[0], row[1], row[2], row[3], row[4], row[5]); err != nil {
			return false, err
		}
	}
	return true, tx.Commit()
}
