package rules_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	credentialv1 "mulian/gen/mulian/credential/v1"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
	"mulian/internal/itemset"
	"mulian/internal/sm"
	"mulian/rules"
	"mulian/rules/catalogue"
	"mulian/rules/credential"
	"mulian/rules/ereceipt"
	"mulian/rules/grant"
	"mulian/rules/mandate"
	"mulian/rules/recovery"
	"mulian/rules/rulestest"
	"mulian/rules/safebox"
	"mulian/rules/towntest"
	"mulian/state"
)

// wish is a verb that nothing speaks against as the block begins. Another one of the same
// block may come before it.
type wish struct {
	account string
	key     sm.PrivateKey
	verb    proto.Message
}

// hold is a lock that the model knows of.
type hold struct {
	org   string
	until int64
}

// owners is a town in which people, firms and offices do what the owner's side lets them do:
// grants, mandates, recoveries, boxes, credentials, receipts. What they do follows from the
// state as the block begins.
type owners struct {
	t    *testing.T
	w    *towntest.Town
	rand *rand.Rand
	view *state.Snapshot // as the block begins
	n    int             // for names
	h    *historian      // for changes

	desks    []string // officers of the identity authority, each at a desk of his own
	insurers []string
	keys     map[string]sm.PrivateKey // by id: all that anybody has
	secrets  map[string]fiscal.Secret // of receipts, by handle
	done     map[string]int           // by verb
	codes    map[string]int           // refusals, "verb: code"

	holders map[string]hold // receipts that are locked, by handle
	over    map[string]*grantv1.Grant
}

func newOwners(t *testing.T) (*owners, []rulestest.Sent) {
	w := towntest.New(t)
	o := &owners{
		t: t, w: w, keys: map[string]sm.PrivateKey{}, secrets: map[string]fiscal.Secret{}, done: map[string]int{}, codes: map[string]int{},
		holders: map[string]hold{}, over: map[string]*grantv1.Grant{},
	}
	w.Publish(nil)
	w.Give(governancev1.Role_ROLE_REGISTRY, w.Provider)
	w.Give(governancev1.Role_ROLE_IDENTITY, w.Consumer)
	for i, d := range []string{"east", "west", "north", "south"} {
		w.Department(w.Consumer, d)
		o.desks = append(o.desks, w.Officer(w.Consumer, d, fmt.Sprint("officer", i)))
	}
	o.insurers = []string{w.Org("甲保险公司"), w.Org("乙保险公司")}
	for n := range 5 {
		w.Person(n + 1)
	}
	w.Firm(1)
	o.n = 5
	return o, slices.Clone(w.Sent)
}

// TestRandomHistoriesOfOwners is [TestRandomHistoriesGiveEqualRoots] for the owner's side:
// mostly deeds that nothing speaks against, some changed a little. Every verb of its nouns is
// done, four validators agree after each block, and what the specification promises holds:
// no more uses than granted, nothing granted that the catalogue or the registered use does
// not have, nothing used after it was revoked, at most one lock of a receipt.
func TestRandomHistoriesOfOwners(t *testing.T) {
	runs, seed := 1, rand.Uint64()
	if n, err := strconv.Atoi(os.Getenv("MULIAN_SIM_RUNS")); err == nil {
		runs = n
	}
	if s, err := strconv.ParseUint(os.Getenv("MULIAN_SIM_SEED"), 10, 64); err == nil {
		runs, seed = 1, s
	}
	for i := range uint64(runs) {
		t.Run(fmt.Sprint(seed+i), func(t *testing.T) { simulateOwners(t, seed+i, 60, 2000) })
	}
}

// simulateOwners makes at least so many blocks, and goes on until each verb was done once, or
// there are too many.
func simulateOwners(t *testing.T, seed uint64, least, most int) {
	o, start := newOwners(t)
	o.rand = rand.New(rand.NewPCG(seed, 7))
	o.h = &historian{rand: o.rand, w: o.w}
	list := consortium(t, seed, o.w.Founding)
	for _, s := range start {
		c := cut{timeMs: s.TimeMs}
		if s.Envelope != nil {
			c.txs = [][]byte{s.Envelope}
		}
		agreeOn(t, list, c)
	}
	for n := 0; n < least || n < most && len(o.missing()) > 0; n++ {
		o.h.look(list[0].db) // time passes
		o.view = list[0].db.View()
		c, sent := o.cut()
		o.view.Close()
		out := agreeOn(t, list, c)
		for i, r := range out.Results {
			o.count(sent[i], r.Code, c.timeMs)
		}
		after := list[0].db.View()
		o.check(after)
		after.Close()
		if t.Failed() {
			t.FailNow() // the next blocks would say it again
		}
	}
	t.Logf("%d blocks; done: %v", list[0].db.Height(), o.done)
	for _, name := range o.missing() {
		t.Errorf("%s was not done once: %v", name, o.refusals(name))
	}
}

// missing are the verbs that were not done yet.
func (o *owners) missing() (out []string) {
	for name := range o.deeds() {
		if o.done[name] == 0 {
			out = append(out, name)
		}
	}
	return out
}

// consortium is the four validators of the histories, with the genesis.
func consortium(t *testing.T, seed uint64, founding []byte) []*validator {
	t.Helper()
	list := []*validator{
		{name: "undisturbed", opts: state.Options{Parallel: 1}},
		{name: "dying", opts: state.Options{Parallel: 1}, again: true},
		{name: "parallel", opts: state.Options{Parallel: 2 * runtime.GOMAXPROCS(0), CachePages: 8, KeepVersions: 3}},
		{name: "ahead", opts: state.Options{Parallel: 2}, ahead: true},
	}
	for i, v := range list {
		v.disk, v.rand = vfs.NewMem(), rand.New(rand.NewPCG(seed, uint64(i)+2))
		v.open(t)
		t.Cleanup(func() { v.kv.Close() })
		b := v.db.Begin(0, rulestest.Start)
		tx := b.Tx()
		if _, err := rules.New().Genesis(tx, env(0, rulestest.Start), founding); err != nil {
			t.Fatal(err)
		}
		tx.Keep()
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// cut makes a block of wishes and says what each was.
func (o *owners) cut() (cut, []wish) {
	c := cut{timeMs: o.w.Now}
	var sent []wish
	deeds := o.deeds()
	names := slices.Sorted(maps.Keys(deeds))
	for range 1 + o.rand.IntN(8) {
		x := o.wish(names, deeds)
		if x == nil {
			continue
		}
		if o.rand.IntN(8) == 0 { // nearly
			x.verb = proto.CloneOf(x.verb)
			o.h.change(x.verb.ProtoReflect(), 6, 0)
		}
		raw := o.w.Seal(o.w.Body(x.account, x.verb), x.key)
		if o.rand.IntN(40) == 0 {
			raw[o.rand.IntN(len(raw))] ^= 1
			x.verb = &txv1.Message{} // nobody knows what it is now
		}
		c.txs, sent = append(c.txs, raw), append(sent, *x)
	}
	return c, sent
}

// wish is one that can be done now: as often as not the one that was done least.
func (o *owners) wish(names []string, deeds map[string]func() *wish) *wish {
	o.rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if o.rand.IntN(2) == 0 {
		slices.SortStableFunc(names, func(a, b string) int { return o.done[a]/often(a) - o.done[b]/often(b) })
	}
	for _, name := range names {
		if x := deeds[name](); x != nil && x.key.Algorithm() != 0 {
			return x
		}
	}
	return nil
}

// often: of what begins something there has to be more than of each verb that goes on with it
// or ends it.
func often(verb string) int {
	switch verb {
	case verbOf(&grantv1.RequestData{}), verbOf(&grantv1.GiveGrant{}), verbOf(&grantv1.RecordGrantUse{}), verbOf(&ereceiptv1.IssueReceipts{}), verbOf(&ereceiptv1.SuperviseReceipts{}),
		verbOf(&ereceiptv1.LockReceipts{}), verbOf(&mandatev1.ProposeMandate{}), verbOf(&mandatev1.AnswerMandate{}), verbOf(&recoveryv1.OpenRecovery{}), verbOf(&safeboxv1.OfferTransfer{}):
		return 5
	}
	return 1
}

func verbOf(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }

func (o *owners) refusals(name string) (out []string) {
	for _, k := range slices.Sorted(maps.Keys(o.codes)) {
		if len(k) > len(name) && k[:len(name)] == name {
			out = append(out, fmt.Sprint(k, " x", o.codes[k]))
		}
	}
	return out
}

// count notes what was done, and holds locks against the model.
func (o *owners) count(x wish, code fault.Code, timeMs int64) {
	name := verbOf(x.verb)
	if code != fault.OK {
		o.codes[name+": "+code.String()]++
		return
	}
	o.done[name]++
	org := x.account
	switch m := x.verb.(type) {
	case *ereceiptv1.LockReceipts:
		for _, l := range m.Locks {
			if before, ok := o.holders[string(l.Handle)]; ok && timeMs < before.until {
				o.t.Errorf("%s locks %x, which %s holds", org, l.Handle, before.org)
			}
			o.holders[string(l.Handle)] = hold{org, l.UntilMs}
		}
	case *ereceiptv1.ReleaseReceipts:
		for _, h := range m.Handles {
			o.freed(h, org)
		}
	case *ereceiptv1.ReimburseReceipts:
		for _, r := range m.Reimbursements {
			o.freed(r.Handle, org)
		}
	}
}

func (o *owners) freed(handle []byte, org string) {
	if o.holders[string(handle)].org != org {
		o.t.Errorf("%s gives up or pays %x, which %q holds", org, handle, o.holders[string(handle)].org)
	}
	delete(o.holders, string(handle))
}

// check holds what the specification promises of every object.
func (o *owners) check(v state.View) {
	o.t.Helper()
	for _, g := range all[grantv1.Grant](v, "grant/grant") {
		o.checkGrant(v, g)
	}
	for _, m := range all[mandatev1.Mandate](v, "mandate/mandate") {
		o.held("mandate "+m.Id, mandate.Check(v, m))
	}
	for _, r := range all[recoveryv1.Recovery](v, "recovery/recovery") {
		o.held("recovery "+r.Id, recovery.Check(v, r))
	}
	for _, it := range all[safeboxv1.BoxItem](v, "safebox/item") {
		o.held("item "+it.Id, safebox.Check(v, it))
	}
	for _, t := range all[safeboxv1.Transfer](v, "safebox/transfer") {
		o.held("transfer "+t.Id, safebox.CheckTransfer(v, t))
	}
	for _, r := range all[ereceiptv1.EReceipt](v, "ereceipt/receipt") {
		o.held(fmt.Sprintf("receipt %x", r.Handle), ereceipt.Check(r))
	}
	for _, i := range all[credentialv1.Issuer](v, "credential/issuer") {
		o.held("credentials of "+i.Org, credential.Check(v, i.Org))
	}
}

func (o *owners) held(what string, err error) {
	o.t.Helper()
	if err != nil {
		o.t.Errorf("%s: %v", what, err)
	}
}

func (o *owners) checkGrant(v state.View, g *grantv1.Grant) {
	o.t.Helper()
	o.held("grant "+g.Id, grant.Check(v, g))
	if g.MaxUses > 0 && g.Uses > g.MaxUses {
		o.t.Errorf("grant %s: %d uses of %d", g.Id, g.Uses, g.MaxUses)
	}
	u, known := grant.FindUseOf(v, g.Use)
	e, listed := catalogue.FindEntry(v, g.Entry)
	if !known || !listed || !itemset.Within(g.Items, u.Items) || itemset.Check(g.Items, len(e.Items)) != nil {
		o.t.Errorf("grant %s has items %x, its use %x, the entry %d", g.Id, g.Items, u.GetItems(), len(e.GetItems()))
	}
	was, ended := o.over[g.Id]
	if ended && (g.State != was.State || g.Sequence != was.Sequence) {
		o.t.Errorf("grant %s was %s after %d uses, and is %s after %d", g.Id, was.State, was.Sequence, g.State, g.Sequence)
	}
	if !ended && (g.State == grantv1.GrantState_GRANT_STATE_REVOKED || g.State == grantv1.GrantState_GRANT_STATE_VOIDED) {
		o.over[g.Id] = g
	}
}

// all is every record of a table, in the order of its keys.
func all[V any, P state.Message[V]](v state.View, table string) (out []P) {
	v.Range([]byte(table+"/"), nil, func(_, raw []byte) bool {
		m := P(new(V))
		if err := proto.Unmarshal(raw, m); err != nil {
			panic(table + ": " + err.Error())
		}
		out = append(out, m)
		return true
	})
	return out
}

// one is any record of a table that fits, or nil.
func one[V any, P state.Message[V]](o *owners, table string, fits func(P) bool) P {
	list := slices.DeleteFunc(all[V, P](o.view, table), func(m P) bool { return !fits(m) })
	if len(list) == 0 {
		return nil
	}
	return list[o.rand.IntN(len(list))]
}

// of is how many records of a table fit.
func of[V any, P state.Message[V]](o *owners, table string, fits func(P) bool) int {
	return len(slices.DeleteFunc(all[V, P](o.view, table), func(m P) bool { return !fits(m) }))
}

// next is a number that nothing has yet.
func (o *owners) next() int { o.n++; return o.n }

// account is any account of a kind that can sign, or nil.
func (o *owners) account(kind identityv1.AccountKind, fits func(string) bool) string {
	a := one(o, "identity/account", func(a *identityv1.Account) bool {
		return a.Kind == kind && a.State == identityv1.AccountState_ACCOUNT_STATE_ACTIVE && !o.dead(a.Id) && o.key(a.Id).Algorithm() != 0 && (fits == nil || fits(a.Id))
	})
	return a.GetId()
}

func (o *owners) dead(account string) bool {
	return one(o, "recovery/death", func(d *recoveryv1.Death) bool { return d.Account == account && !d.Withdrawn }) != nil
}

func (o *owners) person(fits func(string) bool) string {
	return o.account(identityv1.AccountKind_ACCOUNT_KIND_PERSON, fits)
}

// key is the highest key of an account that signs and that somebody has.
func (o *owners) key(account string) (best sm.PrivateKey) {
	level := identityv1.KeyLevel(0)
	for _, k := range o.keysOf(account) {
		private, known := o.private(account, k)
		if known && k.State == identityv1.KeyState_KEY_STATE_ACTIVE && k.LostMs == 0 && k.Level > level {
			best, level = private, k.Level
		}
	}
	return best
}

func (o *owners) keysOf(account string) []*identityv1.Key {
	for _, a := range all[identityv1.Account](o.view, "identity/account") {
		if a.Id == account {
			return a.Keys
		}
	}
	return nil
}

// private is a key that the world has made for the account, or that a recovery has brought.
func (o *owners) private(account string, k *identityv1.Key) (sm.PrivateKey, bool) {
	if private, ok := o.keys[k.Id]; ok {
		return private, true
	}
	private := o.w.Key(account, k.Level)
	return private, private.Public().ID() == k.Id
}

// by is a wish of that account with its own key.
func (o *owners) by(account string, verb proto.Message) *wish {
	if account == "" {
		return nil
	}
	return &wish{account, o.key(account), verb}
}

// named is a new key of an account, which it keeps.
func (o *owners) named(account string, level identityv1.KeyLevel) sm.PrivateKey {
	k := o.w.Named(account, level, fmt.Sprint("key ", o.next()))
	o.keys[k.Public().ID()] = k
	return k
}

func (o *owners) digest(what string) []byte {
	sum := sm.SM3(fmt.Appendf(nil, "%s %d", what, o.next()))
	return sum[:]
}

func (o *owners) in(ms int64) int64 { return o.w.Now + 1 + o.rand.Int64N(ms) }
