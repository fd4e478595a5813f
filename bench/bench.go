package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"mulian/internal/fault"
)

// Options of a run. The zero value of everything works.
type Options struct {
	// Dir is where the run makes its folder; empty is the system's folder for
	// temporary files. Measure on the disk that the real store will be on.
	Dir string
	// Seconds is how long each measured phase lasts, for benches that run for a time;
	// 0 = the bench's own choice.
	Seconds int
	// Validators is how many nodes make the chain, each a process; 0 = 1.
	Validators int
	// Minutes is how long a soak takes.
	Minutes int
	// Flood measures what one account that sends as much as it can does to the others.
	Flood bool
	// Entries is the size of a catalogue, Rows that of a table; 0 = the bench's choice.
	Entries, Rows int
	// Records is how long the record of a city is; Keep the folder in which what was made
	// stays for the next run, empty = none.
	Records int
	Keep    string
	// Lists are the only ones of the console's lists that are asked for; empty = all.
	Lists []string
	// Keys is the size of an authenticated state; 0 = the bench's choice.
	Keys int
	// Transactions is how long a long chain is; 0 = the bench's choice.
	Transactions int
	// Database is the data source name of a PostgreSQL server, for the benches that
	// want one; empty = the bench's own way to one.
	Database string
	// From and To are files with the URLs of two PostgreSQL databases, for the benches
	// that move rows; empty = private servers of the bench's own. They hold a URL and
	// not a password: that is in a passfile.
	From, To string
	// SQLite takes two files instead of servers.
	SQLite bool
	// Kill ends a gateway in the middle of a delivery with SIGKILL and starts it again:
	// "provider", "asker"; empty = neither.
	Kill string
	// Progress takes what is going on, line by line; nil = nobody reads it.
	Progress io.Writer
	// Profile, if set, is the file for a CPU profile (pprof) of the measured phase.
	Profile string
}

// Say writes one line of progress.
func (o Options) Say(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, "  "+format+"\n", args...)
	}
}

// Folder makes the folder of a run. The caller defers remove, which deletes it with
// all that is in it.
func (o Options) Folder(bench string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(o.Dir, "mulian-bench-"+bench+"-")
	if err != nil {
		return "", nil, fault.Wrap(fault.Usage, err, "make a folder for the run; choose a place with --dir")
	}
	return dir, func() {
		if err := os.RemoveAll(dir); err != nil {
			o.Say("the folder %s is left: %v", dir, err)
		}
	}, nil
}

// Figure is one number of a result.
type Figure struct {
	Name  string  // in JSON: lower case, its unit behind the last _
	Value float64 // printed with as many digits as mean something
	Unit  string  // for people
	Goal  string  // what it should be, for people: "≥ 8,000"; empty: no goal
	Note  string  // how it was measured, if the name does not say it
}

// Result of one bench.
type Result struct {
	Bench string
	// Figures are the contract: the last line of JSON has them all, in this order.
	Figures []Figure
	// Notes say what was measured: which verb, how many rows, what the bare
	// counterpart is.
	Notes   []string
	Machine Machine
}

// Add appends a figure.
func (r *Result) Add(f Figure) { r.Figures = append(r.Figures, f) }

// Note appends a line about what was measured.
func (r *Result) Note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Value returns the figure of that name, 0 if there is none.
func (r *Result) Value(name string) float64 {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

// WriteJSON writes two lines: the circumstances, and the figures alone.
func (r *Result) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"bench": r.Bench, "machine": r.Machine, "notes": r.Notes}); err != nil {
		return err
	}
	var line strings.Builder
	line.WriteByte('{')
	for i, f := range r.Figures {
		if i > 0 {
			line.WriteByte(',')
		}
		fmt.Fprintf(&line, "%q:%s", f.Name, number(f.Value))
	}
	_, err := fmt.Fprintln(w, line.String()+"}")
	return err
}

// WriteText writes a table for people.
func (r *Result) WriteText(w io.Writer) error {
	rows := [][4]string{}
	var widths [4]int
	for _, f := range r.Figures {
		row := [4]string{f.Name, number(f.Value), f.Unit, f.Goal}
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		line := fmt.Sprintf("%-*s  %*s %-*s  %-*s  %s", widths[0], row[0], widths[1], row[1], widths[2], row[2], widths[3], row[3], r.Figures[i].Note)
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	for _, n := range append(r.Notes, r.Machine.String()) {
		if _, err := fmt.Fprintln(w, "  "+n); err != nil {
			return err
		}
	}
	return nil
}

// number writes a value with what means something: three decimals below one, two
// below ten, one below a hundred.
func number(v float64) string {
	digits := 0
	switch a := max(v, -v); {
	case v == float64(int64(v)):
	case a < 1:
		digits = 4
	case a < 10:
		digits = 3
	case a < 1000:
		digits = 1
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// ended tells an interrupted run from a failed one.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fault.Newf(fault.Cancelled, "stopped; nothing was measured, and the run's folder is removed")
	}
	return err
}
