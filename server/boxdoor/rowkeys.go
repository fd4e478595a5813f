package boxdoor

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
)

// A row key goes from an owner to the data user through this door, sealed to the provider's
// gateway: the grant alone says who may lay it down, who may fetch it and until when.
//
//	owner ──LayRowKey──▶ here ──FetchRowKey──▶ data user's gateway ──request──▶ provider's gateway opens it
//	grant over on the ledger ──▶ destroyed here

const grantPlace = "grant/grant/"

// rows are the grants of which row keys lie here, and whose they are, so that an event about
// any other grant costs nothing.
type rows struct {
	mu sync.Mutex
	of map[string]string // grant -> owner
}

func (r *rows) note(grant, owner string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]string{}
	}
	r.of[grant] = owner
}

func (r *rows) forget(grant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, grant)
}

func (r *rows) owner(grant string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	owner, ok := r.of[grant]
	return owner, ok
}

func (r *rows) owners() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, owner := range r.of {
		out = append(out, owner)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// grant reads a grant of the ledger. NotFound.
func (d *Door) grant(ctx context.Context, id string) (*grantv1.Grant, error) {
	g, err := d.cfg.Ledger.Grant(ctx, id)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, fault.Newf(fault.NotFound, "there is no grant %.40q on the ledger", id)
	}
	return g, nil
}

// over refuses what comes too late: GrantRevoked, GrantNotActive (voided), Expired,
// UsesExhausted. A grant that is used up keeps its row key for [Config.Patience]: who lost the
// answer asks for the same use again. The provider refuses any other.
func (d *Door) over(ctx context.Context, g *grantv1.Grant) error {
	now, err := d.cfg.Ledger.TimeMs(ctx)
	if err != nil {
		return err
	}
	switch {
	case g.State == grantv1.GrantState_GRANT_STATE_REVOKED:
		return fault.Newf(fault.GrantRevoked, "grant %s was revoked at height %d", g.Id, g.EndedHeight)
	case g.State == grantv1.GrantState_GRANT_STATE_VOIDED:
		return fault.Newf(fault.GrantNotActive, "grant %s was voided", g.Id)
	case g.State == grantv1.GrantState_GRANT_STATE_EXPIRED || now >= g.NotAfterMs:
		return fault.Newf(fault.Expired, "grant %s has ended", g.Id)
	case g.State == grantv1.GrantState_GRANT_STATE_EXHAUSTED && now >= g.LastUseMs+d.cfg.Patience.Milliseconds():
		return fault.Newf(fault.UsesExhausted, "grant %s is used up", g.Id)
	}
	return nil
}

// layRowKey: see proto LayRowKey. The order of the checks is that of what a stranger may learn:
// nothing but that the grant is not his.
func (d *Door) layRowKey(ctx context.Context, acc *identityv1.Account, w *safeboxv1.LayRowKey) error {
	g, err := d.grant(ctx, w.GetGrant())
	if err != nil {
		return err
	}
	switch {
	case acc.Id != g.Owner && acc.Id != g.Actor:
		return fault.Newf(fault.Forbidden, "grant %s is another owner's", g.Id)
	case !slices.Contains(g.Providers, w.GetProvider()):
		return fault.Newf(fault.ProviderMismatch, "%.100q is no gateway of grant %s", w.GetProvider(), g.Id)
	case !bytes.Equal(g.RowKeyCommitment, w.GetRowKeyCommitment()):
		return fault.Newf(fault.CodeInconsistent, "row_key_commitment is not that of grant %s: this is the key of another", g.Id)
	}
	if err := d.over(ctx, g); err != nil {
		return err
	}
	d.laying.Lock()
	defer d.laying.Unlock()
	switch have, err := d.cfg.Boxes.RowKey(ctx, g.Owner, g.Id, w.GetProvider()); {
	case err == nil && bytes.Equal(have, w.GetSealed()):
		return nil
	case err == nil && g.Sequence > 0:
		return fault.Newf(fault.IllegalTransition, "grant %s has been used: its row key stays", g.Id)
	case err != nil && !fault.Is(err, fault.NotFound):
		return err
	}
	// Noted before it is there: if the power fails between, Sweep finds it by its name.
	d.rows.note(g.Id, g.Owner)
	return d.cfg.Boxes.PutRowKey(ctx, g.Owner, g.Id, w.GetProvider(), w.GetSealed())
}

// fetchRowKey: see proto FetchRowKey.
func (d *Door) fetchRowKey(ctx context.Context, acc *identityv1.Account, w *safeboxv1.FetchRowKey) ([]byte, error) {
	g, err := d.grant(ctx, w.GetGrant())
	if err != nil {
		return nil, err
	}
	if acc.Id != g.Gateway && acc.Id != g.Grantee {
		return nil, fault.Newf(fault.Forbidden, "grant %s is for another receiver than %s", g.Id, acc.Id)
	}
	if err := d.over(ctx, g); err != nil {
		return nil, err
	}
	raw, err := d.cfg.Boxes.RowKey(ctx, g.Owner, g.Id, w.GetProvider())
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Newf(fault.NotFound, "the owner of grant %s has laid down no row key for %.100s at this door yet", g.Id, w.GetProvider())
	}
	return raw, err
}

// judgeRowKeys destroys the row keys of a grant that is over. A grant that this node does not
// have keeps them: it may be behind, or restored.
func (d *Door) judgeRowKeys(ctx context.Context, account, id string) error {
	g, err := d.cfg.Ledger.Grant(ctx, id)
	if err != nil || g == nil {
		return err
	}
	switch fault.CodeOf(d.over(ctx, g)) {
	case fault.GrantRevoked, fault.GrantNotActive, fault.Expired, fault.UsesExhausted:
	case fault.OK:
		return nil
	default:
		return d.over(ctx, g)
	}
	d.laying.Lock()
	defer d.laying.Unlock()
	if _, err := d.cfg.Boxes.EraseRowKeys(ctx, account, id); err != nil {
		return err
	}
	d.rows.forget(id)
	return nil
}

// sweepRowKeys judges the row keys that lie beside a box; what one fails with does not keep the
// next.
func (d *Door) sweepRowKeys(ctx context.Context, account string) error {
	grants, err := d.cfg.Boxes.RowKeys(ctx, account)
	for _, id := range grants {
		d.rows.note(id, account)
		if bad := d.judgeRowKeys(ctx, account, id); bad != nil && err == nil {
			err = fmt.Errorf("row key of grant %s: %w", id, bad)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return err
}

// heedGrants judges the row keys of the grants that an event names, if there are any here.
func (d *Door) heedGrants(ctx context.Context, objects []string) error {
	for _, key := range objects {
		id, ok := strings.CutPrefix(key, grantPlace)
		if !ok {
			continue
		}
		owner, ok := d.rows.owner(id)
		if !ok {
			continue
		}
		if err := d.judgeRowKeys(ctx, owner, id); err != nil {
			if ctx.Err() != nil {
				return err
			}
			d.failed[owner] = true
			d.warn(fmt.Errorf("row key of grant %s: %w", id, err))
		}
	}
	return nil
}
