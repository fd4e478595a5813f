package filing

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/internal/canon"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// faultOf is err as a fault.
func faultOf(err error) (*fault.Fault, bool) { return errors.AsType[*fault.Fault](err) }

// target answers an import's questions from the ledger's state. stop ends the import:
// what cannot be read is not known to be new.
func (d *Desk) target(ctx context.Context, p *intake.Plan, o Order, stop func(error)) (intake.Target, error) {
	t := intake.Target{
		Owner: o.Owner, ShareType: o.ShareType, Conditions: o.Conditions, Source: o.Source, TakeOver: o.TakeOver, Revive: o.Revive,
		Journal: o.Journal, AtOnce: o.AtOnce, Progress: o.Progress,
	}
	if strings.Contains(o.Source, "#") || len(o.Source) > maxSource {
		return t, fault.Newf(fault.Usage, "--source %q: %s", o.Source, d.Lang.Say("不含 #，至多 100 字节", "without #, at most 100 bytes"))
	}
	if d.orgs == nil {
		all, err := d.readOrgs(ctx)
		if err != nil {
			return t, err
		}
		d.orgs, d.names = byName(all), namesOf(all)
	}
	if err := d.checkMerge(o.Merge); err != nil {
		return t, err
	}
	t.Instead = d.instead
	t.Org = func(name string) (string, bool) {
		if other, ok := o.Merge[name]; ok {
			name = other
		}
		return d.org(name)
	}
	t.Like = remembered(d.like)
	q := duties{desk: d, lists: map[string][]*cataloguev1.Duty{}, ids: map[string]map[string]bool{}, otherwise: o.Duty, register: o.Register}
	t.Duty = func(org, text string) []string { return q.of(ctx, org, text) }
	t.HasDuty = func(org, id string) bool { return q.has(ctx, org, id) }
	params := &governancev1.Parameters{}
	if _, err := d.Client.Get(ctx, "governance/parameters", params); err != nil {
		return t, err
	}
	t.Review = params.GetPublishNeedsReview()
	k := known{desk: d, kind: p.Kind, profile: o.Profile, review: t.Review, lists: map[string]map[string]intake.Standing{}, stop: stop}
	t.Known = func(id string) (intake.Standing, bool) { return k.standing(ctx, id) }
	s := &stored{desk: d, waits: func(id string) bool {
		have, _ := k.standing(ctx, id)
		return have.Pending
	}}
	t.Entry = func(id string) (*cataloguev1.Entry, error) { return s.entry(ctx, id) }
	places := places{cl: d.Client, systems: map[string][]*cataloguev1.System{}, tables: map[string][]*cataloguev1.Table{}}
	t.System = func(org, text string) (string, bool) { return places.system(ctx, org, text) }
	t.Table = func(org, text string) (string, bool) { return places.table(ctx, org, text) }
	t.Columns = places.columns
	return t, nil
}

// checkMerge refuses a merge with an organisation that is not on the ledger.
func (d *Desk) checkMerge(merge map[string]string) error {
	for _, spelling := range slices.Sorted(maps.Keys(merge)) {
		if _, ok := d.org(merge[spelling]); !ok {
			return fault.Newf(fault.NotFound, "--merge %q: %s", spelling+"="+merge[spelling], d.Lang.Say("账本上没有单位“%s”", "there is no organisation %q on the ledger", merge[spelling]))
		}
	}
	return nil
}

// maxSource is the longest label of a source, in bytes: four fifths of an origin
// are left for the identifier. Our own choice.
const maxSource = 100

// org finds an organisation by code, full and short name, and last the one that was
// registered provisionally under a name.
func (d *Desk) org(name string) (string, bool) {
	name = bareName(name)
	for _, k := range []string{nameKey(name), name, ProvisionalCode(name)} {
		if id, ok := d.orgs[k]; ok && k != "" {
			return id, true
		}
	}
	return "", false
}

// readOrgs reads who is on board.
func (d *Desk) readOrgs(ctx context.Context) ([]*identityv1.Account, error) {
	var all []*identityv1.Account
	for after := ""; ; {
		res, err := d.Client.Identity.ListAccounts(ctx, connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, After: after, Limit: 500}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		all = append(all, res.Msg.GetAccounts()...)
		if after = res.Msg.GetNext(); after == "" {
			return all, nil
		}
	}
}

// byName finds organisations by code, full and short name. A provisional one is found
// by its code only: its name is that of the one whose place it keeps. A full name goes
// before a short one, and a name that two organisations have finds neither: who is meant
// is for a person to say.
func byName(all []*identityv1.Account) map[string]string {
	names, short, orgs := map[string]string{}, map[string]string{}, map[string]string{}
	for _, acc := range all {
		orgs[acc.GetId()] = acc.GetId()
		if !strings.HasPrefix(acc.GetId(), ProvisionalPrefix) {
			claim(names, nameKey(acc.GetProfile().GetName()), acc.GetId())
			claim(short, nameKey(acc.GetProfile().GetShortName()), acc.GetId())
		}
	}
	for name, id := range short {
		if _, taken := names[name]; !taken {
			names[name] = id
		}
	}
	for name, id := range names {
		if _, code := orgs[name]; !code && name != "" && id != "" {
			orgs[name] = id
		}
	}
	return orgs
}

// claim notes whose name it is; "" if it is that of several.
func claim(names map[string]string, name, id string) {
	if have, taken := names[name]; taken && have != id {
		id = ""
	}
	names[name] = id
}

// known is what the ledger has, read once for each organisation: one call for some
// hundred objects instead of one for each.
type known struct {
	desk    *Desk
	kind    intake.Kind
	review  bool                                  // the consortium reviews what is published
	stop    func(error)                           // ends the import
	profile *identityv1.OrgProfile                // what --level and --region add to a silent line
	lists   map[string]map[string]intake.Standing // by organisation or code table, then id
}

// standing is intake.Target.Known. What cannot be read ends the import: what is taken
// for new would stand in the place of what the ledger has.
func (k known) standing(ctx context.Context, id string) (intake.Standing, bool) {
	whose, _, _ := strings.Cut(id, ":")
	if k.kind == intake.CodeList {
		whose = id[:strings.LastIndexByte(id, '/')]
	}
	list, read := k.lists[whose]
	if !read {
		list = k.list(ctx, whose)
		k.lists[whose] = list
	}
	s, ok := list[id]
	return s, ok
}

func (k known) list(ctx context.Context, whose string) map[string]intake.Standing {
	list := map[string]intake.Standing{}
	if k.desk.isFresh(whose) {
		return list
	}
	waits := false
	var damaged error
	err := k.desk.Client.List(ctx, k.prefix(whose), func(_ string, value []byte) bool {
		id, s, w, err := k.read(value)
		if err != nil {
			damaged = fault.Wrap(fault.Damaged, err, "the server's answer on %s", whose)
			return false
		}
		list[id], waits = s, waits || w
		return len(list) < maxSourced
	})
	if err = errors.Join(err, damaged); err != nil {
		k.stop(err)
	}
	if !waits {
		return list
	}
	// Of an entry with a change that waits for signatures, the change is what an
	// import has said last.
	err = k.desk.Client.List(ctx, "catalogue/pending/"+whose+":", func(_ string, value []byte) bool {
		p := &cataloguev1.PendingChange{}
		if proto.Unmarshal(value, p) == nil && !p.GetUnlock() && p.GetNext() != nil {
			next := stripped(p.Next)
			if sum, err := contentOf(next); err == nil {
				list[p.GetEntry()] = intake.Standing{Content: sum, Origin: next.GetOrigin(), Waits: true, Pending: true}
			}
		}
		return true
	})
	if err != nil {
		k.stop(err)
	}
	return list
}

func (k known) prefix(whose string) string {
	switch k.kind {
	case intake.DutyList:
		return "catalogue/duty/" + whose + ":"
	case intake.MatterList:
		return "catalogue/matter/" + whose + ":"
	case intake.CodeList:
		return "catalogue/code/" + whose + "/"
	case intake.OrgList:
		return "identity/account/" + whose
	}
	return "catalogue/entry/" + whose + ":"
}

// read is the id of a stored object and what its owner stated: an entry carries the
// hash of that, of the others the ledger's own fields are taken off. waits tells of
// a change that has not its signatures yet.
func (k known) read(value []byte) (id string, s intake.Standing, waits bool, err error) {
	var m proto.Message
	switch k.kind {
	case intake.DutyList:
		x := &cataloguev1.Duty{}
		err = proto.Unmarshal(value, x)
		id, m, x.Version = x.GetId(), x, 0
	case intake.MatterList:
		x := &cataloguev1.Matter{}
		err = proto.Unmarshal(value, x)
		id, m, x.Version = x.GetId(), x, 0
	case intake.CodeList:
		x := &cataloguev1.Code{}
		err = proto.Unmarshal(value, x)
		id, m, x.Version = x.GetTable()+"/"+x.GetCode(), x, 0
	case intake.OrgList:
		x := &identityv1.Account{}
		err = proto.Unmarshal(value, x)
		if p := x.GetProfile(); p != nil && p.Level == k.profile.GetLevel() && p.Region == k.profile.GetRegion() {
			p.Level, p.Region = 0, "" // as the line that is silent has it
		}
		id, m = x.GetId(), &identityv1.RegisterOrg{Code: x.GetId(), Profile: x.GetProfile()}
	default:
		e := &cataloguev1.Entry{}
		if err := proto.Unmarshal(value, e); err != nil || len(e.GetContentHash()) != 32 {
			return "", s, false, errors.Join(err, errors.New("an entry without its hash"))
		}
		s = intake.Standing{Content: [32]byte(e.GetContentHash()), Origin: e.GetOrigin(), Withdrawn: e.GetState() == withdrawn, Waits: k.review || e.GetLock() != nil, Pending: e.GetState() == submitted}
		return e.GetId(), s, mayWait[e.GetState()], nil
	}
	if err == nil {
		s.Content, err = contentOf(m)
	}
	return id, s, false, err
}

const (
	withdrawn = cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN
	submitted = cataloguev1.EntryState_ENTRY_STATE_SUBMITTED
)

// mayWait are the states in which a change may wait: one that drifted, or that is
// suspended, does not say so by its state.
var mayWait = map[cataloguev1.EntryState]bool{
	cataloguev1.EntryState_ENTRY_STATE_UPDATING: true, cataloguev1.EntryState_ENTRY_STATE_DRIFTED: true, cataloguev1.EntryState_ENTRY_STATE_SUSPENDED: true,
}

// contentOf is the content hash of the ledger: of what the owner states.
func contentOf(m proto.Message) (sum [32]byte, err error) {
	raw, err := canon.Marshal(m)
	return sm.SHA256(raw), err
}

// nameKey is the form in which names are compared; "" for what is no name.
func nameKey(name string) string {
	key, _ := code.Key(name)
	return key
}

// duties finds the duties on which entries rest, read once for each organisation.
type duties struct {
	desk      *Desk
	lists     map[string][]*cataloguev1.Duty // in force, by organisation
	ids       map[string]map[string]bool     // of those that are retired, too; nil: they could not all be read
	otherwise string                         // title for entries that name none
	register  bool
}

// maxDuties bounds what is read of one organisation.
const maxDuties = 10_000

// of finds an organisation's duties by title or id. An entry that names none gets the
// one that the order names, or that a provisional organisation begins with; it is
// filed with the first batch of its organisation if it is not there.
func (q duties) of(ctx context.Context, org, text string) []string {
	q.read(ctx, org)
	want, otherwise := text, q.otherwise
	if otherwise == "" && strings.HasPrefix(org, ProvisionalPrefix) {
		otherwise = provisionalDuty
	}
	if want == "" {
		if want = otherwise; want == "" {
			if len(q.lists[org]) == 1 {
				return []string{q.lists[org][0].GetId()}
			}
			return nil
		}
	}
	for _, d := range q.lists[org] {
		if d.GetId() == want || nameKey(d.GetTitle()) == nameKey(want) || strings.TrimPrefix(d.GetId(), org+":") == want {
			return []string{d.GetId()}
		}
	}
	if text != "" {
		return nil
	}
	d := &cataloguev1.Duty{Id: org + ":import", Org: org, Title: otherwise, PowerType: cataloguev1.PowerType_POWER_TYPE_OTHER, Source: q.desk.Lang.Say("导入时登记", "filed by an import")}
	q.lists[org] = append(q.lists[org], d)
	q.desk.mu.Lock()
	defer q.desk.mu.Unlock()
	if q.desk.duties == nil {
		q.desk.duties = make(map[string]*cataloguev1.Duty)
	}
	q.desk.duties[org] = d
	return []string{d.GetId()}
}

// has reports whether an organisation has a duty. What could not be read counts as
// there: then the ledger says it.
func (q duties) has(ctx context.Context, org, id string) bool {
	q.read(ctx, org)
	return q.ids[org] == nil || q.ids[org][id]
}

// read reads the duties of an organisation, once.
func (q duties) read(ctx context.Context, org string) {
	if _, ok := q.lists[org]; ok {
		return
	}
	list, ids := []*cataloguev1.Duty{}, map[string]bool{}
	if !q.desk.isFresh(org) {
		n := 0
		err := q.desk.Client.List(ctx, "catalogue/duty/"+org+":", func(_ string, value []byte) bool {
			d := &cataloguev1.Duty{}
			if proto.Unmarshal(value, d) == nil {
				if ids[d.GetId()] = true; !d.GetRetired() {
					list = append(list, d)
				}
			}
			n++
			return n < maxDuties
		})
		if err != nil || n == maxDuties {
			ids = nil
		}
	}
	q.lists[org], q.ids[org] = list, ids
}

func (d *Desk) isFresh(org string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fresh[org]
}
