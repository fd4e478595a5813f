package intake

import (
	"context"
	"iter"
)

// Planned is what [Ahead] made of one file: what [MakePlan] returns.
type Planned struct {
	Plan   *Plan
	Report *Report
	Err    error
}

// ahead files are judged while those before them are waited for: a machine with two
// cores judges two at once, and goes on while a plan is brought to the ledger.
const ahead = 2

// Ahead makes the plans of n files, in order, a few of them ahead of the one that is
// asked for. open says which file is the i-th, and how to read it; it is called by
// many goroutines. Progress functions of two files may be called at once. What was
// begun when the loop is left is stopped.
func Ahead(ctx context.Context, n int, open func(i int) (path string, opts Options)) iter.Seq2[int, Planned] {
	return func(yield func(int, Planned) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		done := make([]chan Planned, n)
		begin := func(i int) {
			if i >= n {
				return
			}
			done[i] = make(chan Planned, 1)
			go func() {
				path, opts := open(i)
				var p Planned
				p.Plan, p.Report, p.Err = MakePlan(ctx, path, opts)
				done[i] <- p
			}()
		}
		for i := range ahead {
			begin(i)
		}
		for i := range n {
			p := <-done[i]
			done[i] = nil
			begin(i + ahead)
			if !yield(i, p) {
				stop()
				for _, c := range done[i+1 : min(i+1+ahead, n)] {
					<-c // its file is closed when we return
				}
				return
			}
		}
	}
}
