package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"mulian/internal/fault"
)

// MaxSoakMinutes bounds a soak.
const MaxSoakMinutes = 24 * 60

// soakLeast is the least length of a soak in minutes: quarters of two minutes.
const soakLeast = 8

// Soak runs the ledger for Minutes at a busy city's pace and measures whether its memory
// stays where it is: the peak of each minute, of the largest process, in the second quarter
// of the time and in the last. In the first quarter caches fill, and what is remembered
// for ten minutes: the ids of transactions. The transactions of a minute are signed before
// it, so that the load stands for a few seconds between two minutes.
//
// Usage (fewer than 8 minutes), Cancelled.
func Soak(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "soak"}
	if o.Minutes < soakLeast || o.Minutes > MaxSoakMinutes {
		return r, fault.Newf(fault.Usage, "a soak of %d minutes: %d to %d are possible", o.Minutes, soakLeast, MaxSoakMinutes)
	}
	n := max(o.Validators, 1)
	if n > departments {
		return r, fault.Newf(fault.Usage, "%d validators, at most %d", n, departments)
	}
	dir, remove, err := o.Folder("soak")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	return r, ended(ctx, r.soak(ctx, o, dir, n))
}

func (r *Result) soak(ctx context.Context, o Options, dir string, n int) error {
	c, err := openChain(ctx, o, filepath.Join(dir, "chain"), n)
	if err != nil {
		return err
	}
	defer c.close()
	var peaks []float64
	var first, last *load
	sent, quarter := 0, o.Minutes/4
	for i := range o.Minutes {
		l, err := c.paced(ctx, busyRate, 60)
		if err != nil {
			return fmt.Errorf("minute %d: %w", i+1, err)
		}
		o.Say("minute %d of %d: peak %.0f MiB, p50 %.1f ms, p99 %.1f ms", i+1, o.Minutes, l.peak, l.times.Ms(50), l.times.Ms(99))
		sent += l.count
		peaks = append(peaks, l.peak)
		if last = l; i == quarter {
			first = l
		}
	}
	early, late := middle(peaks[quarter:2*quarter]), middle(peaks[len(peaks)-quarter:])
	r.Add(Figure{Name: "second_mib", Value: early, Unit: "MiB", Note: "peak of a minute, in the middle of those of the second quarter"})
	r.Add(Figure{Name: "last_mib", Value: late, Unit: "MiB", Note: "of the last quarter"})
	r.Add(Figure{Name: "growth", Value: late / max(early, 1), Goal: "≤ 1.2"})
	r.Add(Figure{Name: "transactions", Value: float64(sent)})
	r.Add(Figure{Name: "first_p99_ms", Value: first.times.Ms(99), Unit: "ms", Note: "of the first minute of the second quarter"})
	r.Add(Figure{Name: "last_p99_ms", Value: last.times.Ms(99), Unit: "ms", Note: "of the last minute"})
	r.Note("%d minutes at %d tx/s, %d validator(s), each a process; the largest one's resident memory, what was signed for the minute included", o.Minutes, busyRate, n)
	return c.close()
}

// middle is the median.
func middle(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}
