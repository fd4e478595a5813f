package main

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/internal/canon"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// target answers an import's questions from the ledger's state.
func (a *app) target(ctx context.Context, cl *client.Client, kind intake.Kind, fl importFlags, profile *identityv1.OrgProfile) (intake.Target, error) {
	t := intake.Target{Owner: fl.owner}
	if fl.share != "" {
		st, err := code.ShareTypes.Parse(fl.share)
		if err != nil {
			return t, fault.Newf(fault.Usage, "--share %q: 无条件共享, 有条件共享, 不予共享 (1 2 3)", fl.share)
		}
		t.ShareType = cataloguev1.ShareType(st)
		if fl.condition != "" {
			t.Conditions = &cataloguev1.ShareConditions{Scope: fl.condition}
		}
	}
	orgs, err := a.orgsByName(ctx, cl)
	if err != nil {
		return t, err
	}
	t.Org = func(name string) (string, bool) {
		id, ok := orgs[nameKey(name)]
		if !ok {
			id, ok = orgs[name]
		}
		return id, ok
	}
	duties := map[string][]*cataloguev1.Duty{}
	t.Duty = func(org, text string) []string { return a.dutiesFor(ctx, cl, duties, org, text, fl.duty) }
	k := known{cl: cl, kind: kind, profile: profile, lists: map[string]map[string][32]byte{}}
	t.Hash = func(id string) ([32]byte, bool) { return k.hash(ctx, id) }
	places := places{cl: cl, systems: map[string][]*cataloguev1.System{}, tables: map[string][]*cataloguev1.Table{}}
	t.System = func(org, text string) (string, bool) { return places.system(ctx, org, text) }
	t.Table = func(org, text string) (string, bool) { return places.table(ctx, org, text) }
	t.Columns = places.columns
	return t, nil
}

// orgsByName finds organisations by code, full and short name.
func (a *app) orgsByName(ctx context.Context, cl *client.Client) (map[string]string, error) {
	orgs := map[string]string{}
	for after := ""; ; {
		res, err := cl.Identity.ListAccounts(ctx, connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, After: after, Limit: 500}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		for _, acc := range res.Msg.GetAccounts() {
			orgs[acc.GetId()] = acc.GetId()
			for _, name := range []string{acc.GetProfile().GetName(), acc.GetProfile().GetShortName()} {
				if k := nameKey(name); k != "" {
					orgs[k] = acc.GetId()
				}
			}
		}
		if after = res.Msg.GetNext(); after == "" {
			return orgs, nil
		}
	}
}

// known are the content hashes that the ledger has, read once for each provider:
// one call for some hundred objects instead of one for each.
type known struct {
	cl    *client.Client
	kind  intake.Kind
	lists map[string]map[string][32]byte // by organisation, then id

	profile *identityv1.OrgProfile // what --level and --region add to a silent line
}

// hash is intake.Target.Hash. What cannot be read is not known, and is sent: the
// ledger finds nothing changed.
func (k known) hash(ctx context.Context, id string) (h [32]byte, ok bool) {
	org, _, _ := strings.Cut(id, ":")
	list, read := k.lists[org]
	if !read {
		list = map[string][32]byte{}
		_ = k.cl.List(ctx, k.prefix(org), func(_ string, value []byte) bool {
			if id, sum, err := k.content(value); err == nil {
				list[id] = sum
			}
			return len(list) < 1<<20
		})
		k.lists[org] = list
	}
	h, ok = list[id]
	return h, ok
}

func (k known) prefix(org string) string {
	switch k.kind {
	case intake.DutyList:
		return "catalogue/duty/" + org + ":"
	case intake.OrgList:
		return "identity/account/" + org
	}
	return "catalogue/entry/" + org + ":"
}

// content is the id of a stored object and the hash of what its owner stated: an
// entry carries it, of the others the ledger's own fields are taken off.
func (k known) content(value []byte) (string, [32]byte, error) {
	switch k.kind {
	case intake.DutyList:
		d := &cataloguev1.Duty{}
		if err := proto.Unmarshal(value, d); err != nil {
			return "", [32]byte{}, err
		}
		d.Version = 0
		sum, err := contentOf(d)
		return d.GetId(), sum, err
	case intake.OrgList:
		acc := &identityv1.Account{}
		if err := proto.Unmarshal(value, acc); err != nil {
			return "", [32]byte{}, err
		}
		if p := acc.GetProfile(); p != nil && p.Level == k.profile.GetLevel() && p.Region == k.profile.GetRegion() {
			p.Level, p.Region = 0, "" // as the line that is silent has it
		}
		sum, err := contentOf(&identityv1.RegisterOrg{Code: acc.GetId(), Profile: acc.GetProfile()})
		return acc.GetId(), sum, err
	}
	e := &cataloguev1.Entry{}
	if err := proto.Unmarshal(value, e); err != nil || len(e.GetContentHash()) != 32 {
		return "", [32]byte{}, errors.Join(err, errors.New("an entry without its hash"))
	}
	return e.GetId(), [32]byte(e.GetContentHash()), nil
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

// dutiesFor finds an organisation's duties by title or id; an entry that names
// none gets --duty, which is filed on the chain if it is not there.
func (a *app) dutiesFor(ctx context.Context, cl *client.Client, known map[string][]*cataloguev1.Duty, org, text, otherwise string) []string {
	if _, ok := known[org]; !ok {
		var list []*cataloguev1.Duty
		_ = cl.List(ctx, "catalogue/duty/"+org+":", func(_ string, value []byte) bool {
			d := &cataloguev1.Duty{}
			if proto.Unmarshal(value, d) == nil && !d.GetRetired() {
				list = append(list, d)
			}
			return len(list) < 10_000
		})
		known[org] = list
	}
	want := text
	if want == "" {
		if want = otherwise; want == "" {
			if len(known[org]) == 1 {
				return []string{known[org][0].GetId()}
			}
			return nil
		}
	}
	for _, d := range known[org] {
		if d.GetId() == want || nameKey(d.GetTitle()) == nameKey(want) || strings.TrimPrefix(d.GetId(), org+":") == want {
			return []string{d.GetId()}
		}
	}
	if text != "" {
		return nil
	}
	s, err := a.signerOf(ctx, cl, org, keyring.Officer, keyring.Root)
	if err != nil {
		return nil
	}
	d := &cataloguev1.Duty{Id: org + ":import", Org: org, Title: otherwise, PowerType: cataloguev1.PowerType_POWER_TYPE_OTHER, Source: a.t("导入时登记", "filed by an import")}
	if _, err := cl.Send(ctx, s, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{d}}); err != nil {
		return nil
	}
	known[org] = append(known[org], d)
	return []string{d.GetId()}
}
