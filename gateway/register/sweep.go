package register

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
)

// Sweep looks at every row that is kept, and suspends the mandates of those that are another
// one or gone. It returns how many rows it looked at, and the mandates that it suspended. What
// cannot be read now is an error at the end, when all else was looked at.
func (g *Register) Sweep(ctx context.Context) (looked int, suspended []string, err error) {
	all, err := g.Kept.all()
	if err != nil {
		return 0, nil, err
	}
	trouble := g.attach(ctx, all)
	by := map[string][]*Row{}
	var entries []string
	for _, x := range all {
		if by[x.Entry] == nil {
			entries = append(entries, x.Entry)
		}
		by[x.Entry] = append(by[x.Entry], x)
	}
	for _, entry := range entries {
		n, ids, err := g.sweep(ctx, entry, by[entry])
		looked, suspended, trouble = looked+n, append(suspended, ids...), errors.Join(trouble, err)
	}
	return looked, suspended, trouble
}

// attach finds the mandates of rows that have none yet: by the commitment, which no two have.
// It goes on at the next sweep where it has stopped; a row is forgotten only when all mandates
// were seen in one go and none is of it.
func (g *Register) attach(ctx context.Context, all []*Row) error {
	free := map[string]*Row{}
	for _, x := range all {
		if x.Mandate == "" {
			free[string(x.Commitment())] = x
		}
	}
	after := g.after
	whole := after == ""
	for pages := 0; len(free) > 0; pages++ {
		if g.after = after; pages == maxPages {
			return nil
		}
		page, next, err := g.List(ctx, after)
		if err != nil {
			return err
		}
		for _, m := range page {
			x := free[string(m.GetBasis().GetRecord())]
			if x == nil {
				continue
			}
			x.Mandate = m.GetId()
			if err := g.Kept.put(x); err != nil {
				return err
			}
			delete(free, string(m.GetBasis().GetRecord()))
		}
		if after = next; after == "" {
			break
		}
	}
	g.after = ""
	for _, x := range free {
		if whole && g.now().UnixMilli()-x.SinceMs > idle.Milliseconds() {
			g.Forget(x)
		}
	}
	return nil
}

// sweep looks at the rows of one register.
func (g *Register) sweep(ctx context.Context, entry string, all []*Row) (looked int, suspended []string, trouble error) {
	t, err := g.locate(ctx, entry)
	if err != nil {
		return 0, nil, err
	}
	for part := range slices.Chunk(all, maxKeys) {
		var keys []string
		for _, x := range part {
			keys = append(keys, x.Key)
		}
		slices.Sort(keys)
		rows, err := t.rows(ctx, slices.Compact(keys))
		if err != nil {
			return looked, suspended, errors.Join(trouble, err)
		}
		looked += len(part)
		for _, x := range part {
			if !slices.Equal(x.Items, t.items) {
				trouble = errors.Join(trouble, fault.Newf(fault.ItemUnmapped, "register %s: the mandate %s rests on other items than the configuration has now", entry, x.Mandate))
				continue
			}
			row, there := rows[x.Key]
			is, now, err := x.same(t.items, row)
			if g.blinks(x.ID, !there && !is) || err != nil || is {
				trouble = errors.Join(trouble, err)
				continue
			}
			did, err := g.suspend(ctx, x, now, there)
			trouble = errors.Join(trouble, err)
			if did {
				suspended = append(suspended, x.Mandate)
			}
		}
	}
	return looked, suspended, trouble
}

// blinks reports whether a row is absent for the first time: a table that is being loaded anew
// is empty for a moment, so that is looked at twice.
func (g *Register) blinks(id string, absent bool) bool {
	if !absent {
		delete(g.absent, id)
		return false
	}
	if g.absent == nil {
		g.absent = map[string]bool{}
	}
	first := !g.absent[id]
	g.absent[id] = true
	return first
}

// suspend suspends the mandate of a row that is another one now. One that is suspended for its
// source already is looked at again when it was lifted; one that is over is forgotten.
func (g *Register) suspend(ctx context.Context, x *Row, now string, there bool) (bool, error) {
	if x.Mandate == "" {
		return false, nil // proposed in this moment, or never
	}
	m := &mandatev1.Mandate{}
	ok, err := g.Get(ctx, "mandate/mandate/"+x.Mandate, m)
	switch {
	case err != nil:
		return false, err
	case !ok || !bytes.Equal(m.GetBasis().GetRecord(), x.Commitment()):
		return false, fault.Newf(fault.VerificationFailed, "the ledger has no mandate %s of this row: a server said so", x.Mandate)
	case m.GetEndedMs() != 0:
		g.Forget(x)
		return false, nil
	case m.GetState() == mandatev1.MandateState_MANDATE_STATE_PROPOSED, slices.Contains(m.GetSuspensions(), mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE):
		return false, nil
	}
	cause := "登记内容已变更"
	if !there {
		cause = "登记已不存在"
	}
	if err := g.Send(ctx, &mandatev1.SuspendMandate{Mandate: x.Mandate, Cause: cause}); err != nil {
		return false, err
	}
	x.Seen = now
	return true, g.Kept.put(x) // if we die before, a lifted mandate is suspended once more
}

// Watch sweeps again and again until ctx ends; what was suspended and what went wrong is told.
func (g *Register) Watch(ctx context.Context, every time.Duration, told func(suspended []string, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, suspended, err := g.Sweep(ctx); len(suspended) > 0 || err != nil && ctx.Err() == nil {
			told(suspended, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
