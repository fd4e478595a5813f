package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/index"
	"mulian/index/indextest"
)

// What Search does; our own choices.
const (
	searchEntries = 100_000
	searchItems   = 5    // of each entry
	searchWarm    = 140  // searches before the clock starts
	searchAsked   = 2100 // 300 of each of seven sorts
	searchBare    = 140  // LIKE walks the whole table: fewer are enough
)

// Search measures the index: how fast it takes the events of a catalogue by seed, and
// then how long searches take, one at a time: words of two and four characters, English
// words, codes, codes with a typing error, facets alone, and words with all facets
// counted. The bare counterpart asks for the same words with LIKE over a plain table
// of the same entries.
//
// Usage (no folder), Cancelled.
func Search(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "search"}
	dir, remove, err := o.Folder("search")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	n := o.Entries
	if n <= 0 {
		n = searchEntries
	}
	return r, ended(ctx, searching(ctx, o, dir, n, &r))
}

func searching(ctx context.Context, o Options, dir string, n int, r *Result) (err error) {
	l := &indextest.Ledger{Catalogue: indextest.Catalogue{Seed: 1, Items: searchItems}, Entries: n}
	o.Say("index %d entries with %d items each", n, searchItems)
	ResetPeak()
	x, err := index.Open(filepath.Join(dir, "index", "index.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	filling := Start()
	if err := taken(ctx, x, l); err != nil {
		return err
	}
	filling.Stop()
	fill := filling.Wall - l.Spent()
	o.Say("%.0f entries a second; now %d searches", float64(n)/fill.Seconds(), searchAsked)
	stop, err := o.profile()
	if err != nil {
		return err
	}
	times, meter, err := asked(ctx, x, l, n)
	stop()
	if err != nil {
		return err
	}
	peak, disk := PeakMiB(), DiskBytes(filepath.Join(dir, "index"))
	o.Say("the bare counterpart: %d times LIKE over a plain table", searchBare)
	bare, err := bareSearch(ctx, dir, l, n)
	if err != nil {
		return err
	}
	all := times[""]
	r.Add(Figure{Name: "entries", Value: float64(n)})
	r.Add(Figure{Name: "p50_ms", Value: all.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: "p99_ms", Value: all.Ms(99), Unit: "ms", Goal: "< 20"})
	r.Add(Figure{Name: "bare_p50_ms", Value: bare.Ms(50), Unit: "ms", Note: "LIKE '%text%' on a plain table"})
	r.Add(Figure{Name: "bare_p99_ms", Value: bare.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "ratio", Value: bare.Ms(50) / max(all.Ms(50), 0.001), Note: "bare p50 over p50"})
	r.Add(Figure{Name: "cpu_p50_ms", Value: times[searchCPU].Ms(50), Unit: "ms", Note: "processor time of the process"})
	r.Add(Figure{Name: "cpu_p99_ms", Value: times[searchCPU].Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "cpu_us_per_search", Value: meter.MicrosecondsEach(all.Len()), Unit: "µs"})
	r.Add(Figure{Name: "index_entries_per_second", Value: float64(n) / fill.Seconds(), Unit: "/s", Goal: "≥ 5,000", Note: "one goroutine, without the making of the entries"})
	r.Add(Figure{Name: "index_cpu_us_per_entry", Value: float64((filling.CPU - l.Spent()).Microseconds()) / float64(n), Unit: "µs"})
	r.Add(Figure{Name: "rebuild_seconds", Value: filling.Wall.Seconds(), Unit: "s", Note: "from the first event, the making of the entries included"})
	r.Add(Figure{Name: "disk_bytes_per_entry", Value: float64(disk) / float64(n), Unit: "B"})
	r.Add(Figure{Name: "peak_mib", Value: peak, Unit: "MiB", Note: "of the whole process, filling and searching"})
	for _, sort := range sorted(times) {
		r.Add(Figure{Name: sort + "_p50_ms", Value: times[sort].Ms(50), Unit: "ms"})
		r.Add(Figure{Name: sort + "_p99_ms", Value: times[sort].Ms(99), Unit: "ms"})
	}
	r.Note("entries by seed 1, %d items each: %d rows in the table of words; one search at a time, waiting included; 20 hits with marks and a total each", searchItems, n*(searchItems+1))
	return nil
}

// taken runs the index until it has all events.
func taken(ctx context.Context, x *index.Index, l *indextest.Ledger) error {
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- x.Run(run, l) }()
	err := x.Await(ctx, l.Size())
	stop()
	return errors.Join(err, <-done)
}

// searchCPU is where the processor times of all searches are kept beside the sorts: on a
// busy machine they say more than the clock.
const searchCPU = "processor"

// asked carries out the searches; the times are by sort, and "" of all.
func asked(ctx context.Context, x *index.Index, l *indextest.Ledger, n int) (map[string]*Times, *Meter, error) {
	for i := range searchWarm {
		if _, _, _, err := ask(ctx, x, l, searchAsked+i, n); err != nil {
			return nil, nil, err
		}
	}
	times := map[string]*Times{"": {}, searchCPU: {}}
	meter := Start()
	for i := range searchAsked {
		sort, took, cpu, err := ask(ctx, x, l, i, n)
		if err != nil {
			return nil, nil, err
		}
		if times[sort] == nil {
			times[sort] = &Times{}
		}
		times[sort].Add(took)
		times[""].Add(took)
		times[searchCPU].Add(cpu)
	}
	meter.Stop()
	return times, meter, nil
}

func ask(ctx context.Context, x *index.Index, l *indextest.Ledger, i, n int) (sort string, took, cpu time.Duration, err error) {
	sort, req := l.Query(i, n)
	begin, used := time.Now(), ProcessCPU()
	res, err := x.Search(ctx, req)
	took, cpu = time.Since(begin), ProcessCPU()-used
	if err == nil && (sort == "code" || sort == "mistyped") && len(res.GetHits()) == 0 {
		err = fmt.Errorf("the search for %q found nothing", req.GetText())
	}
	return sort, took, cpu, err
}

// bareSearch asks a plain table of the same entries for the same texts.
func bareSearch(ctx context.Context, dir string, l *indextest.Ledger, n int) (*Times, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-32000)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if err := bareFill(ctx, db, l, n); err != nil {
		return nil, err
	}
	times := &Times{}
	for i := range searchBare {
		_, req := l.Query(i, n)
		begin := time.Now()
		if err := bareAsk(ctx, db, req); err != nil {
			return nil, err
		}
		times.Add(time.Since(begin))
	}
	return times, nil
}

func bareFill(ctx context.Context, db *sql.DB, l *indextest.Ledger, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if _, err := tx.Exec("CREATE TABLE plain(id TEXT PRIMARY KEY, org TEXT, share INTEGER, name TEXT, keywords TEXT, items TEXT, abstract TEXT) WITHOUT ROWID"); err != nil {
		return err
	}
	put, err := tx.Prepare("INSERT INTO plain VALUES(?,?,?,?,?,?,?)")
	if err != nil {
		return err
	}
	for i := range n {
		e := l.Entry(i)
		var items []string
		for _, it := range e.GetItems() {
			items = append(items, it.GetName(), it.GetTechnicalName(), it.GetCode())
		}
		if _, err := put.ExecContext(ctx, e.GetId(), e.GetProvider(), int32(e.GetShareType()), e.GetName(), strings.Join(e.GetKeywords(), " "), strings.Join(items, " "), e.GetAbstract()); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// bareAsk counts up to 10,000 and reads 20, as Search does.
func bareAsk(ctx context.Context, db *sql.DB, req *cataloguev1.SearchRequest) error {
	var cond string
	var args []any
	if req.GetText() != "" {
		cond = "(name LIKE ?1 OR id LIKE ?1 OR keywords LIKE ?1 OR items LIKE ?1 OR abstract LIKE ?1)"
		args = append(args, "%"+req.GetText()+"%")
	} else {
		cond = "org = ?1 AND share = ?2"
		args = append(args, req.GetOrgs()[0], int32(req.GetShareTypes()[0]))
	}
	var total int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM plain WHERE "+cond+" LIMIT 10001)", args...).Scan(&total); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, "SELECT id, name FROM plain WHERE "+cond+" LIMIT 20", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sorted are the sorts of search that were measured.
func sorted(times map[string]*Times) []string {
	var out []string
	for s := range times {
		if s != "" && s != searchCPU {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}
