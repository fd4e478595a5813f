package drift

import (
	"context"
	"time"

	"mulian/gateway/connect"
)

// EventKind is what a Watcher reports.
type EventKind uint8

// The kinds of events.
const (
	Drifted     EventKind = iota + 1 // the structure changed: Changes, Class
	Unreachable                      // the database does not answer; not drift
	Reachable                        // it answers again
	Stale                            // the watermark of a table is older than its cycle allows
	Fresh                            // it is not any more
)

// An Event is one thing to be told to the catalogue.
type Event struct {
	ID      string            `json:"id"` // stable: the same when offered again after a power failure
	Kind    EventKind         `json:"kind"`
	At      time.Time         `json:"at"`            // when it was seen, by the gateway's clock
	Class   Class             `json:"class"`         // Drifted: the worst of Changes; else 0
	Was     string            `json:"was,omitempty"` // Drifted: the schema's hash before and after
	Is      string            `json:"is,omitempty"`
	Table   connect.TableName `json:"table,omitzero"` // Stale, Fresh
	Changes []Change          `json:"changes,omitempty"`
}

// Config says what a Watcher watches and whom it tells.
type Config struct {
	// Source is the database. Required. The Watcher does not close it.
	Source connect.Source
	// Path is the file of the Watcher's memory, in a folder that exists. Required.
	Path string
	// Report tells the catalogue; nil means accepted. It may block (ctx ends with Run) and
	// is called by one goroutine at a time, in the order of events, again and again until accepted. Required.
	Report func(ctx context.Context, e Event) error
	// Interval between looks; 0: 5 s.
	Interval time.Duration
	// Confirm is how long after a first different look the second comes; 0: 1 s.
	Confirm time.Duration
	// Pinned is the structure the catalogue knows, for the first run; nil: what
	// the first look finds.
	Pinned *connect.Schema
	// Freshness lists the tables whose watermark is watched.
	Freshness []FreshnessRule
}

// A FreshnessRule says how old a table's watermark may be.
type FreshnessRule struct {
	Table     connect.TableName
	Watermark string        // the column
	Cycle     time.Duration // the entry's update cycle
	Tolerance int           // in percent of Cycle; 0: 100
}

// A Watcher watches one database. Make it with New.
type Watcher struct {
	cfg Config
}

// New makes a Watcher and reads its memory.
func New(cfg Config) (*Watcher, error) { return &Watcher{cfg: cfg}, nil }

// Run watches until ctx ends, and returns ctx's error; or earlier, with the
// error, if its memory cannot be written.
func (w *Watcher) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
