package deliver

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/internal/fault"
)

// lastLook is what stands between a decision and what leaves because of it: time may have
// passed at a slow database, a slow receiver, a slow disk. It returns the decision as it is
// now, the same one where nothing has happened since, and refuses what decide refuses;
// Busy if what is agreed has another shape than what was read, so that it has to be read
// again. The caller logs the refusal and releases nothing.
//
// It costs some map look-ups unless an event has named one of the objects that the
// decision rests on, redecide has passed, or the view has grown too old meanwhile.
func (p *Provider) lastLook(ctx context.Context, r *request, c claim, d *decision) (*decision, error) {
	now, err := p.look(ctx, r, c, d)
	if err != nil || now == d {
		return now, err
	}
	same := bytes.Equal(now.seal.Bytes(), d.seal.Bytes()) && bytes.Equal(shapeOf(now), shapeOf(d)) &&
		(now.predicate == nil) == (d.predicate == nil) && (d.predicate == nil || proto.Equal(now.predicate.agreed, d.predicate.agreed))
	if !same {
		return now, fault.Newf(fault.Busy, "agreement %s or entry %s was changed while it was read; ask again", c.agreement, c.entry)
	}
	return now, nil
}

// mayGoOn is lastLook before a page of an open delivery. A refusal is logged; a delivery
// whose pages are not what is agreed any more has failed.
func (p *Provider) mayGoOn(ctx context.Context, r *request, c claim, d *decision, s *session) (*decision, error) {
	now, err := p.look(ctx, r, c, d)
	if err != nil {
		return now, p.refuse(ctx, r, c, now, err)
	}
	if now != d {
		if err := s.now().holds(now); err != nil {
			p.fail(ctx, s, err)
			return now, err
		}
	}
	return now, nil
}

// look decides again if there is a reason to.
func (p *Provider) look(ctx context.Context, r *request, c claim, d *decision) (*decision, error) {
	if since := time.Since(d.at); since <= redecide && d.age+since <= d.limit && p.untouched(r, c, d) {
		return d, nil
	}
	p.cfg.Anchor.Touch()
	return p.decide(ctx, r, c)
}

// untouched tells whether nothing that the decision rests on was named by an event since.
func (p *Provider) untouched(r *request, c claim, d *decision) bool {
	v := p.cfg.View
	return v.Holds("share/agreement/"+c.agreement, d.agreement) && v.Holds("catalogue/entry/"+c.entry, d.entry) &&
		v.Holds("identity/account/"+r.asker.GetId(), r.asker) && (d.table == nil || v.Holds("catalogue/table/"+d.table.GetId(), d.table))
}
