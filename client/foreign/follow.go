package foreign

import (
	"bytes"
	"context"
	"time"

	"mulian/client"
	"mulian/client/light/step"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	"mulian/internal/fault"
)

// Watch says how a relayer follows.
type Watch struct {
	Every time.Duration // how often the chain there is asked; 0 = 10 s
	// Witnesses are other servers of the chain there. If one shows another header of the
	// same height, and both are signed, the relayer freezes the chain here.
	Witnesses []*client.Client
	// Tell is told what was done, and why not; nil = nobody.
	Tell func(Seen)
}

// Seen is one look at the chain there.
type Seen struct {
	Height  int64 // there
	Here    int64 // believed here
	Headers int   // brought
	Frozen  bool  // by us, now
	Err     error // nothing was done; tried again at the next look
}

const (
	defaultEvery = 10 * time.Second
	// renewal: a header is brought when the newest one has used up a quarter of its age.
	renewal = 4
)

// Follow keeps the ledger here able to check proofs of the chain there: it brings headers
// when the validators there have changed or the newest header grows old, and else nothing,
// since a proof brings its own. It ends with the context, and when the chain is frozen or
// no longer followed: then the members have to vote. It may be started and stopped at any
// time, and run many times at once.
func (r *Relay) Follow(ctx context.Context, w Watch) error {
	if w.Every <= 0 {
		w.Every = defaultEvery
	}
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		seen := r.look(ctx, w)
		if ctx.Err() != nil {
			return nil
		}
		if w.Tell != nil {
			w.Tell(seen)
		}
		switch code := fault.CodeOf(seen.Err); {
		case seen.Frozen:
			return fault.Newf(fault.ForeignFrozen, "%s showed two headers of one height and is frozen", r.Chain)
		case code == fault.ForeignFrozen, code == fault.NotFound, code == fault.Expired, code == fault.Forbidden:
			return seen.Err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look is one round.
func (r *Relay) look(ctx context.Context, w Watch) (s Seen) {
	c, err := r.Followed(ctx)
	if err != nil {
		return Seen{Err: err}
	}
	s.Here = c.GetHeight()
	raw, err := Block(ctx, r.There, 0)
	if err != nil {
		s.Err = unlessGone(err)
		return s
	}
	b, err := step.Read(r.Chain, raw)
	if err != nil {
		s.Err = err
		return s
	}
	s.Height = b.Height
	if s.Frozen, s.Err = r.compare(ctx, w.Witnesses, b.Height, raw); s.Frozen || s.Err != nil {
		return s
	}
	if b.Height > c.GetHeight() && due(c, b) {
		s.Headers, s.Err = r.Advance(ctx, b.Height)
		s.Err = unlessGone(s.Err)
		if s.Headers > 0 {
			s.Here = b.Height
		}
	}
	return s
}

// unlessGone keeps an answer of the chain there that it has no such block apart from the
// one of our ledger that the chain is not followed.
func unlessGone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Newf(fault.Pruned, "the server there has not that block: %v", err)
	}
	return err
}

// due tells whether a newer block has to be brought.
func due(c *foreignv1.ForeignChain, b *step.Block) bool {
	changed := !bytes.Equal(b.Set[:], c.GetNextValidatorsHash()) || !bytes.Equal(b.Next, c.GetNextValidatorsHash())
	return changed || b.TimeMs-c.GetTimeMs() > int64(c.GetMaxAgeSeconds())*1000/renewal
}

// compare asks the witnesses for the same height, and freezes the chain if one of them has
// another signed header. A witness that does not answer, or has not that block, is passed
// over: it is no evidence.
func (r *Relay) compare(ctx context.Context, witnesses []*client.Client, height int64, raw []byte) (frozen bool, err error) {
	for _, w := range witnesses {
		other, err := Block(ctx, w, height)
		if err != nil {
			continue
		}
		if two, err := differ(r.Chain, raw, other); err != nil || !two {
			continue
		}
		if _, err := r.Freeze(ctx, raw, other); err != nil {
			return false, err
		}
		return true, nil
	}
	return false, nil
}
