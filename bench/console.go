package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// What Console does; our own choices.
const (
	consoleEntries = 100_000
	consoleRecords = 1_000_000
	consoleAsked   = 60 // of each list, alone
	consoleCallers = 8
	consoleEach    = 12 // of each list, by each of several callers
	consoleListMs  = 300
	consolePaintMs = 1500
	consoleWrites  = time.Second // between the transactions of somebody who goes on working
	consoleAnew    = 5           // answers that are made anew, of each kind
	consoleAnewFor = 30 * time.Second
)

// Console measures what the pages ask a member's server for: every list, with its filters,
// its search and its deep pages, one caller alone and eight at once, while somebody sends a
// transaction every second so that no answer is just the one from before; and how soon each
// page shows something in a Chromium that has nothing in its cache. The chain is a real one:
// entries by the import that people use, records by messages that the rules carry out.
//
// Options.Entries and Options.Records say how much there is; Options.Keep is a folder in
// which it stays for the next run; Options.Lists restricts it to some lists, without the pages.
//
// Usage (no folder; another size than the kept folder has; no such list), Cancelled.
func Console(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "console"}
	if o.Entries <= 0 {
		o.Entries = consoleEntries
	}
	if o.Records <= 0 {
		o.Records = consoleRecords
	}
	dir, remove := o.Keep, func() {}
	if dir == "" {
		var err error
		if dir, remove, err = o.Folder("console"); err != nil {
			return r, err
		}
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fault.Wrap(fault.Usage, err, "the folder of --keep")
	}
	defer remove()
	s, err := openSettlement(ctx, o, dir)
	if err != nil {
		return r, ended(ctx, err)
	}
	r.Machine = Facts(dir) // now: what was at work while the chain was made is not measured
	err = s.measure(ctx, o, &r)
	return r, ended(ctx, errors.Join(err, s.stop()))
}

// listed is one list as pages ask for it.
type listed struct {
	name  string
	pages bool // ask for it; else it is told and has no goal
	ask   func(ctx context.Context, r *rand.Rand) error
}

func (s *settlement) measure(ctx context.Context, o Options, r *Result) error {
	o.Say("look at what is there")
	lists, err := s.lists(ctx)
	if err != nil {
		return err
	}
	if lists, err = chosen(lists, o.Lists); err != nil {
		return err
	}
	working, rest := context.WithCancel(ctx)
	written := make(chan error, 1)
	go func() { written <- s.work(working) }()
	stop, err := o.profile()
	if err != nil {
		rest()
		return errors.Join(err, <-written)
	}
	ResetPeak()
	o.Say("ask for %d lists: %d times alone, %d times by %d callers", len(lists), consoleAsked, consoleCallers*consoleEach, consoleCallers)
	err = s.asked(ctx, o, r, lists)
	if err == nil && (len(o.Lists) == 0 || slices.Contains(o.Lists, "overview")) {
		err = s.anew(ctx, o, r)
	}
	stop()
	peak := PeakMiB()
	if err == nil && len(o.Lists) == 0 {
		err = painted(ctx, o, r, s.member.URL())
	}
	rest()
	if err = errors.Join(err, <-written); err != nil {
		return err
	}
	st, err := s.chain.Status(ctx)
	if err != nil {
		return err
	}
	counts, err := s.chain.Catalogue.Count(ctx, connect.NewRequest(&cataloguev1.CountRequest{}))
	if err != nil {
		return err
	}
	c := counts.Msg
	r.Add(Figure{Name: "entries", Value: float64(c.GetEntries())})
	r.Add(Figure{Name: "records", Value: float64(st.GetEvents()), Note: "events in the ledger's log"})
	r.Add(Figure{Name: "peak_mib", Value: peak, Unit: "MiB", Note: "of the process while it answers: member, index, server and the callers"})
	r.Add(Figure{Name: "disk_mib", Value: float64(DiskBytes(s.dir)) / (1 << 20), Unit: "MiB"})
	r.Note("the chain has %d entries, %d duties, %d requests, %d agreements, %d deliveries, %d uses, %d organisations; %d blocks", c.GetEntries(), c.GetDuties(), c.GetRequests(), c.GetAgreements(), c.GetDeliveries(), c.GetUses(), c.GetOrganisations(), st.GetHeight())
	r.Note("times at the caller over HTTP on this machine; a transaction every %s meanwhile; each list with a mixture of its first page, pages in its depth, filters and searches", consoleWrites)
	return nil
}

// chosen are the lists with these names, all if there are none.
func chosen(lists []listed, names []string) ([]listed, error) {
	if len(names) == 0 {
		return lists, nil
	}
	var out []listed
	for _, name := range names {
		i := slices.IndexFunc(lists, func(l listed) bool { return l.name == name })
		if i < 0 {
			all := make([]string, len(lists))
			for i, l := range lists {
				all[i] = l.name
			}
			return nil, fault.Newf(fault.Usage, "--lists: there is no list %q; there are %s", name, strings.Join(all, ", "))
		}
		out = append(out, lists[i])
	}
	return out, nil
}

// asked measures the lists; the worst come first.
func (s *settlement) asked(ctx context.Context, o Options, r *Result, lists []listed) error {
	var all []Figure
	worst := map[int]float64{}
	for _, l := range lists {
		if err := l.ask(ctx, rand.New(rand.NewPCG(0, 1))); err != nil { // what is read for the first time comes from the disk
			return fmt.Errorf("%s: %w", l.name, err)
		}
		for _, callers := range []int{1, consoleCallers} {
			times, err := l.times(ctx, callers)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			prefix := l.name
			if callers > 1 {
				prefix += fmt.Sprintf("_%d", callers)
			}
			for _, p := range []float64{50, 95, 99} {
				f := Figure{Name: fmt.Sprintf("%s_p%.0f_ms", prefix, p), Value: times.Ms(p), Unit: "ms"}
				if p == 95 && l.pages {
					f.Goal = fmt.Sprintf("< %d", consoleListMs)
				}
				all = append(all, f)
			}
			if l.pages {
				worst[callers] = max(worst[callers], times.Ms(95))
			}
			if times.Ms(95) >= consoleListMs {
				o.Say("%s: p95 %.0f ms with %d callers", l.name, times.Ms(95), callers)
			}
		}
	}
	r.Add(Figure{Name: "list_p95_ms", Value: worst[1], Unit: "ms", Goal: fmt.Sprintf("< %d", consoleListMs), Note: "of the slowest list, one caller"})
	r.Add(Figure{Name: fmt.Sprintf("list_%d_p95_ms", consoleCallers), Value: worst[consoleCallers], Unit: "ms", Goal: fmt.Sprintf("< %d", consoleListMs), Note: fmt.Sprintf("%d callers", consoleCallers)})
	r.Figures = append(r.Figures, all...)
	return nil
}

func (l listed) times(ctx context.Context, callers int) (*Times, error) {
	each, times := consoleAsked, &Times{}
	if callers > 1 {
		each = consoleEach
	}
	var group sync.WaitGroup
	var failed firstError
	for c := range callers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(callers), uint64(c)))
			for range each {
				begin := time.Now()
				if err := l.ask(ctx, r); err != nil {
					failed.set(err)
					return
				}
				times.Add(time.Since(begin))
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, fault.Wrap(fault.Cancelled, ctx.Err(), "stopped")
	}
	return times, failed.get()
}

// work sends a transaction now and then, as a chain that is used has them.
func (s *settlement) work(ctx context.Context) error {
	tick := time.NewTicker(consoleWrites)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := s.chain.Send(ctx, s.provider, duty(s.provider.Account, int(time.Now().Unix()))); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
