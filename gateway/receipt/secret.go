package receipt

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/secrecy"
)

const opened = tracev1.Outcome_OUTCOME_OPENED

// Secret is a sealed record whose content is not published yet.
type Secret struct {
	Place     uint64
	Agreement string
	Order     uint64
}

// seal takes the content out of a record if an order of secrecy holds for its agreement,
// or held when its decision was sealed, and returns the whole record and what was taken.
// A record that says already under which order it is sealed stays under that one: the end
// of an access is as secret as its decision.
func (l *Log) seal(ctx context.Context, r *tracev1.AccessRecord) (whole *tracev1.AccessRecord, opening *tracev1.Opening, err error) {
	order := r.GetSealed().GetOrder()
	if r.Agreement == "" || r.Outcome == opened || l.cfg.Secrecy == nil && order == 0 {
		return nil, nil, nil
	}
	if l.cfg.Secrecy == nil {
		return nil, nil, fault.Newf(fault.Internal, "the access log was opened without its orders of secrecy")
	}
	s, err := l.cfg.Secrecy(ctx, r.Agreement)
	if err != nil {
		if order == 0 && !decides(r.Outcome) {
			return nil, nil, nil // its decision stands in the clear
		}
		return nil, nil, err
	}
	if order == 0 {
		if order = secrecy.InForce(s, r.AtMs).GetNumber(); order == 0 {
			return nil, nil, nil
		}
	}
	r.Sealed = nil
	whole = proto.CloneOf(r)
	if opening, err = secrecy.Seal(s, order, r); err != nil {
		return nil, nil, err
	}
	return whole, opening, nil
}

// keepOpenings writes what was taken out of the records of a batch, before they are
// written themselves: what is sealed can be opened, whatever happens after.
func (l *Log) keepOpenings(batch []*pending) error {
	var raw [][]byte
	var places []uint64
	for _, p := range batch {
		for i, e := range p.entries {
			if o := p.openings[i]; o != nil {
				o.Place = e.Index + 1
				b, err := canon.Marshal(o)
				if err != nil {
					return err
				}
				raw, places = append(raw, b), append(places, o.Place)
			}
		}
	}
	if len(raw) == 0 {
		return nil
	}
	// Power fails here: an opening without its record, which opens nothing.
	offset, err := l.openings.append(raw...)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, b := range raw {
		l.kept[places[i]] = append(l.kept[places[i]], offset)
		offset += frameHead + int64(len(b))
	}
	return nil
}

// noteOpening takes an opening of an earlier process into the index.
func (l *Log) noteOpening(offset int64, raw []byte) error {
	o := &tracev1.Opening{}
	if err := proto.Unmarshal(raw, o); err != nil {
		return fault.Wrap(fault.Damaged, err, "access log: an opening")
	}
	l.kept[o.GetPlace()] = append(l.kept[o.GetPlace()], offset)
	return nil
}

// noteSecret takes a record into the index of what is sealed. The caller holds mu, or is
// alone.
func (l *Log) noteSecret(r *tracev1.AccessRecord) {
	switch {
	case r.GetSealed() == nil:
	case r.Outcome == opened:
		delete(l.secrets, r.Sealed.GetOpening().GetPlace())
	default:
		place := uint64(len(l.offsets)) + 1
		l.secrets[place] = Secret{Place: place, Agreement: r.Agreement, Order: r.Sealed.Order}
	}
}

// openingOf finds what was taken out of a sealed record; nil if this gateway does not
// have it.
func (l *Log) openingOf(place uint64, sealed *tracev1.AccessRecord) (*tracev1.AccessRecord, *tracev1.Opening, error) {
	l.mu.RLock()
	offsets := l.kept[place]
	l.mu.RUnlock()
	for _, at := range slices.Backward(offsets) {
		raw, err := l.openings.read(at)
		if err != nil {
			return nil, nil, fault.Wrap(fault.Damaged, err, "access log: opening of record %d", place-1)
		}
		o := &tracev1.Opening{}
		if proto.Unmarshal(raw, o) != nil {
			continue
		}
		if r, err := secrecy.Open(sealed, o); err == nil { // else of a record that was not written
			return r, o, nil
		}
	}
	return nil, nil, nil
}

// Secrets are the sealed records that are not published yet, in their order.
func (l *Log) Secrets() []Secret {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]Secret, 0, len(l.secrets))
	for _, s := range l.secrets {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Secret) int { return cmp.Compare(a.Place, b.Place) })
	return out
}

// IsSecret tells whether the record at that place is sealed and not published yet.
func (l *Log) IsSecret(place uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, is := l.secrets[place]
	return is
}

// Publish puts the content of a sealed record into the log, as a record of its own.
// NotFound if it is not sealed, or published already; Damaged if its content is lost.
func (l *Log) Publish(ctx context.Context, place uint64) (Entry, error) {
	if !l.IsSecret(place) {
		return Entry{}, fault.Newf(fault.NotFound, "record %d is not sealed, or open already", place-1)
	}
	e, err := l.Record(place - 1)
	if err != nil {
		return Entry{}, err
	}
	if e.Opening == nil {
		return Entry{}, fault.Newf(fault.Damaged, "the content of the sealed record %d is lost", e.Index)
	}
	return l.Append(ctx, &tracev1.AccessRecord{
		Agreement: e.Record.Agreement, Seq: e.Record.Seq, Outcome: opened, Asker: e.Record.Asker,
		Sealed: &tracev1.Sealed{Order: e.Record.GetSealed().GetOrder(), UnsealMs: e.Record.GetSealed().GetUnsealMs(), Opening: e.Opening},
	})
}
