package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/receipt"
	"mulian/gateway/view"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// defaultStaleness is how old a view may be where neither entry nor consortium says
// (Parameters.staleness_seconds).
const defaultStaleness = 5 * time.Second

// claim is what a request wants, under which right.
type claim struct {
	agreement, entry, purpose string
	items                     []string
	method                    cataloguev1.Method
	files                     bool                 // METHOD_FILE will do, too
	query                     *gatewayv1.QueryBody // nil: not one
}

func (c *claim) check() error {
	switch {
	case len(c.agreement) > maxID || len(c.entry) > maxID:
		return fault.Newf(fault.TooLong, "an id of more than %d bytes", maxID)
	case len(c.purpose) > maxPurpose:
		return fault.Newf(fault.TooLong, "a purpose of %d bytes", len(c.purpose))
	case len(c.items) > maxItems:
		return fault.Newf(fault.TooLong, "%d items, at most %d", len(c.items), maxItems)
	case c.agreement == "" || c.entry == "":
		return fault.Newf(fault.Missing, "agreement and entry have to be named")
	}
	for _, it := range c.items {
		if it == "" || len(it) > maxItemCode {
			return fault.Newf(fault.Malformed, "an item code of %d bytes", len(it))
		}
	}
	return nil
}

// decision is what the ledger says of a claim.
type decision struct {
	ours      bool // the agreement is there, and names this gateway
	agreement *sharev1.Agreement
	entry     *cataloguev1.Entry
	table     *cataloguev1.Table
	items     []*cataloguev1.Item // as asked, in that order
	columns   []*cataloguev1.Column
	seal      sm.PublicKey
	height    int64         // oldest state that it rests on
	age       time.Duration // of the oldest
	limit     time.Duration // that the age must not pass
	at        time.Time     // when it was made
	form      *form         // nil: rows are given as they are
	predicate *predicate    // nil: rows are given
}

// decide judges a claim, and judges it again on state read anew before it refuses.
// The order of the checks is part of the protocol: NotWhitelisted,
// AgreementSuspended, Expired, PurposeMismatch, FormatMethodMismatch, OutsideWindow,
// FieldNotGranted, NotShared, EntryDrifted, StaleHeight. Quotas come after (quota.go).
func (p *Provider) decide(ctx context.Context, r *request, c claim) (*decision, error) {
	d, err := p.judge(ctx, r, c)
	if err == nil || !p.looks.allow("decide "+r.asker.GetId()+c.agreement) {
		return d, err
	}
	p.cfg.View.Forget("identity/account/" + r.asker.GetId())
	p.cfg.View.Forget("share/agreement/" + c.agreement)
	p.cfg.View.Forget("catalogue/entry/" + c.entry)
	p.cfg.View.Forget("catalogue/table/" + d.entry.GetTable())
	return p.judge(ctx, r, c)
}

func (p *Provider) judge(ctx context.Context, r *request, c claim) (*decision, error) {
	d := &decision{height: r.sight.Height, limit: defaultStaleness, at: time.Now()}
	if err := p.cfg.Anchor.Refused(); err != nil {
		return d, err
	}
	if err := p.read(ctx, d, r, c); err != nil {
		return d, err
	}
	if err := p.parties(ctx, d, r, c); err != nil {
		return d, err
	}
	if err := p.terms(d, c); err != nil {
		return d, err
	}
	if err := p.window(ctx, d, p.latest()); err != nil {
		return d, err
	}
	if c.query != nil {
		if err := p.findPredicate(d, c.query); err != nil {
			return d, err
		}
		if d.predicate != nil {
			c.items = d.looksAt()
		}
	}
	if err := p.fields(d, c); err != nil {
		return d, err
	}
	if err := p.form(d); err != nil {
		return d, err
	}
	if d.age > d.limit {
		return d, fault.Newf(fault.StaleHeight, "this gateway has not seen the ledger for %s, at most %s are allowed%s", age(d.age), d.limit, p.clockOff())
	}
	return d, nil
}

// clockOff says so if it is our clock for which the ledger is not seen.
func (p *Provider) clockOff() string {
	_, _, failing := p.cfg.Anchor.Status()
	if off, ok := errors.AsType[*receipt.ClockError](failing); ok {
		return ": " + off.Error()
	}
	return ""
}

func age(d time.Duration) string {
	if d == view.NoAge {
		return "an unknown time"
	}
	return d.Round(100 * time.Millisecond).String()
}

// read brings agreement, entry and table, as fresh as the agreement demands.
func (p *Provider) read(ctx context.Context, d *decision, r *request, c claim) (err error) {
	key := "share/agreement/" + c.agreement
	var s view.Sight
	if d.agreement, s, err = view.Get(ctx, p.cfg.View, key, newAgreement, d.limit); err != nil {
		return err
	}
	d.limit = p.staleness(ctx, d.agreement)
	if s.Age > d.limit {
		if d.agreement, s, err = view.Get(ctx, p.cfg.View, key, newAgreement, d.limit); err != nil {
			return err
		}
	}
	d.saw(s)
	d.ours = s.Found && slices.Contains(d.agreement.GetProviderGateways(), p.cfg.Gateway)
	if !d.ours {
		return nil // parties refuses
	}
	if d.entry, s, err = view.Get(ctx, p.cfg.View, "catalogue/entry/"+c.entry, newEntry, d.limit); err != nil {
		return err
	}
	d.saw(s)
	if id := d.entry.GetTable(); id != "" {
		if d.table, s, err = view.Get(ctx, p.cfg.View, "catalogue/table/"+id, newTable, d.limit); err != nil {
			return err
		}
		d.saw(s)
	}
	return p.again(ctx, d, r)
}

// again looks at the asker as it is now: a Pull may run for hours after the request
// was admitted.
func (p *Provider) again(ctx context.Context, d *decision, r *request) error {
	asker, s, err := view.Get(ctx, p.cfg.View, "identity/account/"+r.asker.GetId(), newAccount, d.limit)
	switch {
	case err != nil:
		return err
	case !s.Found:
		return fault.Newf(fault.NotWhitelisted, "%s is no gateway on this chain", r.asker.GetId())
	}
	r.asker, r.sight = asker, s
	d.saw(s)
	return nil
}

func newAgreement() *sharev1.Agreement { return &sharev1.Agreement{} }
func newEntry() *cataloguev1.Entry     { return &cataloguev1.Entry{} }
func newTable() *cataloguev1.Table     { return &cataloguev1.Table{} }

func (d *decision) saw(s view.Sight) {
	if d.height == 0 || s.Height < d.height {
		d.height = s.Height
	}
	d.age = max(d.age, s.Age)
}

// staleness is the age that the agreement allows, else the consortium.
func (p *Provider) staleness(ctx context.Context, g *sharev1.Agreement) time.Duration {
	seconds := g.GetStalenessSeconds()
	if seconds == 0 {
		par, s, err := view.Get(ctx, p.cfg.View, "governance/parameters", func() *governancev1.Parameters { return &governancev1.Parameters{} }, view.NoAge)
		if err == nil && s.Found {
			seconds = par.GetStalenessSeconds()
		}
	}
	if seconds == 0 {
		return defaultStaleness
	}
	return time.Duration(seconds) * time.Second
}

// parties: is there an agreement, and is it between these two.
func (p *Provider) parties(ctx context.Context, d *decision, r *request, c claim) error {
	g := d.agreement
	switch {
	case !d.ours:
		return fault.Newf(fault.NotWhitelisted, "no agreement %.40q with this gateway", c.agreement)
	case g.GetConsumerGateway() != r.asker.GetId():
		return fault.Newf(fault.NotWhitelisted, "%s is not the receiver of agreement %s", r.asker.GetId(), g.GetId())
	case r.asker.GetState() != identityv1.AccountState_ACCOUNT_STATE_ACTIVE:
		return fault.Newf(fault.Suspended, "%s is not active", r.asker.GetId())
	}
	if _, err := activeKey(r.asker, r.key, p.latest()); err != nil {
		return err
	}
	org, s, err := view.Get(ctx, p.cfg.View, "identity/account/"+r.asker.GetOrg(), newAccount, d.limit)
	if err != nil {
		return err
	}
	d.saw(s)
	if org.GetState() != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return fault.Newf(fault.Suspended, "%s is not active", r.asker.GetOrg())
	}
	d.seal, err = sealingKey(r.asker)
	return err
}

func sealingKey(a *identityv1.Account) (sm.PublicKey, error) {
	k := a.GetGateway().GetSealingKey()
	if k == nil {
		return sm.PublicKey{}, fault.Newf(fault.Missing, "%s has no key to seal to", a.GetId())
	}
	return parseKey(k)
}

// terms: does the agreement hold now, and for this.
func (p *Provider) terms(d *decision, c claim) error {
	g, now := d.agreement, p.latest().UnixMilli()
	if err := holds(g, now); err != nil {
		return err
	}
	switch {
	case d.entry.GetState() == cataloguev1.EntryState_ENTRY_STATE_SUSPENDED || d.entry.GetState() == cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN:
		return fault.Newf(fault.AgreementSuspended, "entry %s is suspended or withdrawn", c.entry)
	case now < g.GetStartsMs() || g.GetEndsMs() != 0 && now >= g.GetEndsMs():
		return fault.Newf(fault.Expired, "agreement %s does not hold now", g.GetId())
	case c.purpose != g.GetTerms().GetPurpose():
		return fault.Newf(fault.PurposeMismatch, "agreement %s is for another purpose", g.GetId())
	case c.method != 0 && c.method != g.GetTerms().GetMethod() && (!c.files || g.GetTerms().GetMethod() != methodFile):
		return fault.Newf(fault.FormatMethodMismatch, "agreement %s is for another way of delivery", g.GetId())
	}
	return nil
}

// fields: agreed, there, and in order. A claim without items means all that are agreed.
func (p *Provider) fields(d *decision, c claim) error {
	i := slices.IndexFunc(d.agreement.GetTerms().GetParts(), func(x *sharev1.Part) bool { return x.GetEntry() == c.entry })
	if i < 0 || d.entry == nil {
		return fault.Newf(fault.FieldNotGranted, "entry %s is not part of agreement %s", c.entry, c.agreement)
	}
	agreed := d.agreement.GetTerms().GetParts()[i].GetItems()
	asked := c.items
	if len(asked) == 0 {
		asked = agreed
	}
	var drifted, withheld string
	seen := map[string]bool{}
	for _, code := range asked {
		it := item(d.entry, code)
		switch {
		case !slices.Contains(agreed, code) || it == nil:
			return fault.Newf(fault.FieldNotGranted, "item %s is not agreed", code)
		case seen[code]:
			return fault.Newf(fault.Duplicate, "item %s is asked for twice", code)
		}
		seen[code] = true
		col := column(d.table, it.GetColumn())
		d.items, d.columns = append(d.items, it), append(d.columns, col)
		if withheld == "" && denied(d.entry, it) {
			withheld = code
		}
		if drifted == "" && (it.GetState() == cataloguev1.ItemState_ITEM_STATE_FROZEN || col == nil || p.cfg.Drifted(d.table.GetId(), it.GetColumn())) {
			drifted = code
		}
	}
	switch {
	case d.table.GetGateway() != p.cfg.Gateway:
		return fault.Newf(fault.FieldNotGranted, "the table of entry %s is not at this gateway", c.entry)
	case withheld != "":
		return fault.Newf(fault.NotShared, "item %q of entry %s is not shared any more", withheld, c.entry)
	case d.table.GetGone() || drifted != "":
		return fault.Newf(fault.EntryDrifted, "entry %s is not what the catalogue says (item %q); it is not delivered until that is settled", c.entry, drifted)
	}
	return nil
}

// denied tells whether the law excludes the item: it may have been declared so after
// the agreement.
func denied(e *cataloguev1.Entry, it *cataloguev1.Item) bool {
	return max(e.GetShareType(), it.GetShareType()) == cataloguev1.ShareType_SHARE_TYPE_DENIED
}

func item(e *cataloguev1.Entry, code string) *cataloguev1.Item {
	for _, it := range e.GetItems() {
		if it.GetCode() == code {
			return it
		}
	}
	return nil
}

func column(t *cataloguev1.Table, name string) *cataloguev1.Column {
	for _, c := range t.GetColumns() {
		if c.GetName() == name && name != "" {
			return c
		}
	}
	return nil
}

// names are the columns to read: those that are given, then those that only the row scope
// looks at.
func (d *decision) names() []string {
	var out []string
	for _, it := range d.items {
		out = append(out, it.GetColumn())
	}
	return append(out, d.form.extra()...)
}

// codes are the items that were decided on.
func (d *decision) codes() []string {
	var out []string
	for _, it := range d.items {
		out = append(out, it.GetCode())
	}
	return out
}

// refuse logs a refusal, durably, and returns it. The refusal of a log that takes
// nothing more is its error.
func (p *Provider) refuse(ctx context.Context, r *request, c claim, d *decision, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	if f, ok := errors.AsType[*fault.Fault](cause); ok && d != nil && d.ours {
		why := *f
		why.Rule = cmp.Or(f.Rule, "gateway/release")
		why.Text += fmt.Sprintf(" (entry version %d, ledger height %d)", d.entry.GetVersion(), d.height)
		cause = &why
	}
	rec := r.record()
	rec.Outcome, rec.Code = tracev1.Outcome_OUTCOME_REFUSED, uint32(fault.CodeOf(cause))
	rec.Entry, rec.Items, rec.Purpose = c.entry, c.items, c.purpose
	if d != nil && d.predicate != nil { // one that is not agreed is no more than the asker's word
		rec.Predicate = d.predicate.agreed.GetName()
	}
	if d != nil {
		rec.ViewHeight, rec.EntryVersion = d.height, d.entry.GetVersion()
		if d.ours {
			rec.Agreement = c.agreement
		}
	}
	if _, err := p.cfg.Log.Append(ctx, rec); err != nil {
		return errors.Join(cause, err)
	}
	p.cfg.Logger.Info("refused", "asker", r.asker.GetId(), "agreement", c.agreement, "entry", c.entry, "code", fault.CodeOf(cause).String())
	p.count.Refused.Add(1)
	p.count.refusedFor(fault.CodeOf(cause))
	return cause
}

// sourceFault turns an error of the database into one that crosses the border.
func sourceFault(err error) error {
	var value *connect.ValueError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, connect.ErrNoColumn), errors.Is(err, connect.ErrNoTable):
		return &fault.Fault{Code: fault.EntryDrifted, Text: "the table is not what the catalogue says", Err: err}
	case errors.Is(err, connect.ErrUnreachable), errors.Is(err, connect.ErrDenied), errors.Is(err, context.DeadlineExceeded):
		return &fault.Fault{Code: fault.SourceUnreachable, Text: "the department's database does not answer", Err: err}
	case errors.Is(err, connect.ErrChanged):
		return &fault.Fault{Code: fault.SourceUnreachable, Text: "the department's data changed while it was read; it is read again", Err: err}
	case errors.Is(err, connect.ErrFull):
		return &fault.Fault{Code: fault.DiskFull, Text: "the department's database has no room to answer", Err: err}
	case errors.Is(err, connect.ErrTooLarge):
		return &fault.Fault{Code: fault.TooLong, Text: "a row is too large to be carried", Err: err}
	case errors.As(err, &value):
		return &fault.Fault{Code: fault.Undecodable, Text: "a value of the table cannot be carried exactly", Err: err}
	case errors.Is(err, connect.ErrInvalid):
		return &fault.Fault{Code: fault.Malformed, Text: "the database does not take this query", Err: err}
	}
	return err
}
