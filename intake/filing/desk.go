package filing

import (
	"cmp"
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/intake/sheet"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Bounds of what is asked of a ledger. Our own choices.
const (
	// sendTimeout is how long a batch waits for its block: a little less than an
	// envelope lives, so that "unknown" is decided by sending again.
	sendTimeout = client.Lifetime - 10*time.Second
	// indexTimeout is how long an import waits for the index to catch up before it
	// asks what its source brought.
	indexTimeout = time.Minute
	// maxSourced is how many entries of one source are compared with a list.
	maxSourced = 1 << 20
	// registerAtOnce organisations, with two keys each, are far below the bytes of a
	// transaction; withdrawAtOnce likewise.
	registerAtOnce = 100
	withdrawAtOnce = 100
)

// Desk is where imports into one ledger are made. Its methods are not for
// concurrent use, but for Send.
type Desk struct {
	Client    *client.Client
	Keys      keyring.Ring
	Lang      sheet.Lang
	Authority string // account that registers organisations; empty: none are registered

	// Signer finds who signs for an account; nil takes the key officer or root of
	// the ring. NotFound when there is none.
	Signer func(ctx context.Context, account string) (client.Signer, error)

	seen    int64           // events of the ledger that the index has to have before a source's entries are asked for, plus one; 0: those of now
	brought map[string]bool // sources of which it has imported a list

	orgs  map[string]string // code and name keys -> code; nil until read
	names []spelling        // of those: for suggestions

	mu      sync.Mutex // guards what follows: batches are sent at once
	signers map[string]client.Signer
	duties  map[string]*cataloguev1.Duty // to be filed with the first batch of their organisation
	fresh   map[string]bool              // organisations that the import under way has registered: the ledger has nothing of them
}

// Order says what an import does beside reading; the zero value holds back whatever
// is not clear.
type Order struct {
	Owner      string                       // organisation (code) for records without one
	Duty       string                       // title of the duty for entries that name none; filed if it is not there
	ShareType  cataloguev1.ShareType        // for entries that state none
	Conditions *cataloguev1.ShareConditions // with ShareType conditional
	Profile    *identityv1.OrgProfile       // level and region of organisations that state none; may be nil
	Register   bool                         // owners that are not on board are registered provisionally

	Merge map[string]string // spellings of owners in the list that a person says stand for an organisation on the ledger: by its name or code

	Source   string // label of the catalogue; empty: entries get no origin, and nothing is missing
	Part     bool   // the list is a part of its source's: nothing is missing
	Confirm  int    // so many entries may be missing though they are many; 0 = none
	Withdraw bool   // entries that are missing are withdrawn
	TakeOver bool   // entries of other sources become this one's
	Revive   bool   // what was withdrawn comes back, under a new id

	Journal  string               // see [intake.Target]
	AtOnce   int                  // batches under way at once; 0 = 16
	Progress func(intake.Applied) // may be nil
	Took     func(time.Duration)  // how long each batch took, from the signature to the block; may be nil, and is called by many goroutines
}

// Outcome is what an import did. Its JSON form is a contract.
type Outcome struct {
	*intake.Applied
	Source     string       `json:"source,omitempty"`
	Registered int          `json:"registered"` // organisations, provisionally
	Lack       *intake.Lack `json:"lack,omitempty"`
	Withdrawn  int          `json:"withdrawn"`

	Duties *intake.Applied `json:"duties,omitempty"` // that stand in the list beside its entries
}

// Import brings a plan to the ledger. PartialList when the list lacks much of what
// its source had and that is not confirmed: then nothing was sent, and the outcome
// says what is missing. Other errors end an import that goes on when it is run
// again; the outcome, which may be nil, says how far it came.
func (d *Desk) Import(ctx context.Context, p *intake.Plan, o Order) (*Outcome, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t, err := d.target(ctx, p, o, stop)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Applied: &intake.Applied{Problems: []intake.Problem{}, Counts: map[string]int{}}, Source: t.Source}
	if p.Kind == intake.EntryList && o.Source != "" && !o.Part {
		if err := d.lack(ctx, p, t, o, out); err != nil {
			return out, err
		}
	}
	if o.Register && p.Kind != intake.OrgList {
		if out.Registered, err = d.register(ctx, p, o, out); err != nil {
			return out, err
		}
	}
	defer func() {
		d.mu.Lock()
		d.fresh = nil // from now on the ledger has something of them
		d.mu.Unlock()
	}()
	if duties := p.Duties(); duties != nil {
		if err := d.dutiesFirst(ctx, duties, o, stop, out); err != nil {
			return out, err
		}
	}
	before := out.Applied
	out.Applied, err = intake.Apply(ctx, p, t, sender{d, o})
	if out.Applied == nil {
		out.Applied = before
	} else {
		out.Problems = append(before.Problems, out.Problems...)
		for c, n := range before.Counts {
			out.Counts[c] += n
		}
	}
	return out, err
}

// dutiesFirst brings the duties of a list to the ledger before the entries that hang on
// them.
func (d *Desk) dutiesFirst(ctx context.Context, p *intake.Plan, o Order, stop func(error), out *Outcome) error {
	if o.Register {
		n, err := d.register(ctx, p, o, out)
		out.Registered += n
		if err != nil {
			return err
		}
	}
	if o.Journal != "" {
		o.Journal += ".duties"
	}
	o.Progress = nil
	t, err := d.target(ctx, p, o, stop)
	if err != nil {
		return err
	}
	if out.Duties, err = intake.Apply(ctx, p, t, sender{d, o}); err != nil {
		return err
	}
	d.mu.Lock()
	d.fresh = nil // the ledger has duties of them
	d.mu.Unlock()
	return nil
}

// sender signs each batch with the key of its organisation.
type sender struct {
	d *Desk
	o Order
}

// Send implements [intake.Sender].
func (s sender) Send(ctx context.Context, b intake.Batch) error {
	if len(b.Orgs) > 0 {
		return s.orgs(ctx, b.Orgs)
	}
	signer, err := s.d.signer(ctx, b.Org)
	if fault.Is(err, fault.NotFound) {
		return fault.Newf(fault.OwnerUnclear, "%s", s.d.Lang.Say("本机没有 %s 的密钥；由该部门自己导入，或把密钥放进 %s",
			"no key of %s here: that department imports its own part, or puts its key into %s", b.Org, s.d.Keys.Dir))
	}
	if err != nil {
		return err
	}
	var messages []proto.Message
	duty := s.d.unfiled(b)
	if duty != nil {
		messages = append(messages, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{duty}})
	}
	switch {
	case len(b.Duties) > 0:
		messages = append(messages, &cataloguev1.PutDuties{Duties: b.Duties})
	case len(b.Matters) > 0:
		messages = append(messages, &cataloguev1.PutMatters{Matters: b.Matters})
	case len(b.Codes) > 0:
		messages = append(messages, &cataloguev1.PutCodes{Table: b.Table, Codes: b.Codes})
	default:
		messages = append(messages, &cataloguev1.SubmitEntries{Entries: b.Entries})
	}
	began := time.Now()
	err = s.d.send(ctx, signer, messages...)
	if s.o.Took != nil {
		s.o.Took(time.Since(began))
	}
	if duty != nil {
		err = s.d.filed(duty, err)
	}
	return err
}

// unfiled is the duty that has to be filed with a batch, or nil.
func (d *Desk) unfiled(b intake.Batch) *cataloguev1.Duty {
	d.mu.Lock()
	defer d.mu.Unlock()
	duty := d.duties[b.Org]
	for _, e := range b.Entries {
		for _, id := range e.GetDuties() {
			if id == duty.GetId() {
				return duty
			}
		}
	}
	return nil
}

// filed notes that a duty is on the ledger. A refusal of the duty itself names no
// element of the batch.
func (d *Desk) filed(duty *cataloguev1.Duty, err error) error {
	if f, ok := faultOf(err); ok && f.Rule == "catalogue/put_duties" {
		f.Item = 0
		return f
	}
	if err == nil {
		d.mu.Lock()
		delete(d.duties, duty.GetOrg())
		d.mu.Unlock()
	}
	return err
}

// orgs registers organisations that the list names with their codes.
func (s sender) orgs(ctx context.Context, orgs []*identityv1.RegisterOrg) error {
	authority, err := s.d.authority(ctx)
	if err != nil {
		return err
	}
	var messages []proto.Message
	for i, o := range orgs {
		p := o.GetProfile()
		p.Level, p.Region = cmp.Or(p.GetLevel(), s.o.Profile.GetLevel()), cmp.Or(p.GetRegion(), s.o.Profile.GetRegion())
		if p.Level == 0 || p.Region == "" {
			return &fault.Fault{Code: fault.Missing, Item: int32(i + 1), Text: s.d.Lang.Say("没有级别或区划：用 --level 和 --region 指定", "it states no level or no region: name them with --level and --region")}
		}
		if o.Keys, err = s.d.newKeys(o.GetCode(), keyring.Root, keyring.Officer); err != nil {
			return err
		}
		messages = append(messages, o)
	}
	return s.d.send(ctx, authority, messages...)
}

// send signs and waits for the block.
func (d *Desk) send(ctx context.Context, s client.Signer, messages ...proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	_, err := d.Client.Send(ctx, s, messages...)
	return err
}

// signer is who signs for an organisation, asked once for each.
func (d *Desk) signer(ctx context.Context, account string) (client.Signer, error) {
	d.mu.Lock()
	s, ok := d.signers[account]
	d.mu.Unlock()
	if ok {
		return s, nil
	}
	var err error
	if d.Signer != nil {
		s, err = d.Signer(ctx, account)
	} else {
		s, err = d.Keys.Signer(account, keyring.Officer, keyring.Root)
	}
	if err != nil {
		return s, err
	}
	d.remember(s)
	return s, nil
}

func (d *Desk) remember(s client.Signer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.signers == nil {
		d.signers = make(map[string]client.Signer)
	}
	d.signers[s.Account] = s
}

// authority is who registers organisations.
func (d *Desk) authority(ctx context.Context) (client.Signer, error) {
	if d.Authority == "" {
		return client.Signer{}, fault.Newf(fault.Usage, "%s", d.Lang.Say("登记机构由主管部门签名：用 --as 指明", "organisations are registered by the authority: name it with --as"))
	}
	return d.signer(ctx, d.Authority)
}

// newKeys returns an account's keys with the labels, made and durable before the
// ledger hears of them. Those that are there already are taken.
func (d *Desk) newKeys(account string, labels ...string) ([]*identityv1.Key, error) {
	var keys []*identityv1.Key
	for _, label := range labels {
		key, err := d.Keys.Key(account, label)
		if fault.Is(err, fault.NotFound) {
			key, err = d.Keys.New(account, label, sm.SM2)
		}
		if err != nil {
			return nil, err
		}
		level := identityv1.KeyLevel_KEY_LEVEL_OFFICER
		if label == keyring.Root {
			level = identityv1.KeyLevel_KEY_LEVEL_ROOT
		}
		keys = append(keys, client.PublicKey(key.Public(), level, label))
	}
	return keys, nil
}
