package governance_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

// turmoil is a consortium in which everything happens that is rare: what the votes on
// weights of [consortium] leave out. Its model is partial: what is decided stays decided,
// the protocol does not fall, nobody who is stopped signs, and no emergency silences a
// member for longer than one lasts.
type turmoil struct {
	w       *rulestest.World
	ids     []string
	decided map[string]governancev1.ProposalState
	seen    map[string]int    // decisions by state and kind
	second  map[string]string // a ROOT key that ends, of the member
	silent  map[string]int64  // since when, of the members that are silenced by emergencies alone
	inForce uint32
}

func (c *turmoil) founder(t *rapid.T) string {
	return rapid.SampledFrom(c.w.Founders).Draw(t, "who")
}

// target is an account, or a key of it, that may be suspended.
func (c *turmoil) target(t *rapid.T) (account, key string) {
	account = c.founder(t)
	keys := []string{"", "", c.w.Key(account, root).Public().ID()}
	if second := c.second[account]; second != "" {
		keys = append(keys, second)
	}
	return account, rapid.SampledFrom(keys).Draw(t, "key")
}

func (c *turmoil) change(t *rapid.T) *governancev1.Change {
	kind := rapid.IntRange(0, 10).Draw(t, "kind")
	if now := governance.Suspended(c.w.View()); len(now) > 0 && (kind == 3 || kind == 4) {
		s := rapid.SampledFrom(now).Draw(t, "suspension")
		if kind == 3 {
			return confirm(s.Account, s.Key)
		}
		return lift(s.Account, s.Key)
	}
	switch kind {
	case 0, 1, 2:
		return suspend(c.target(t))
	case 3:
		return confirm(c.target(t))
	case 4:
		return lift(c.target(t))
	case 5:
		return absent(c.founder(t))
	case 6:
		return remove(c.founder(t))
	case 7:
		return admit(c.founder(t), rapid.Uint32Range(1, 4).Draw(t, "weight")*10)
	case 8:
		old := rapid.SampledFrom(governance.Validators(c.w.View())).Draw(t, "node").PublicKey
		r := &governancev1.ValidatorRotation{OldKey: old, NewKey: nodeKey(rapid.ByteRange(1, 6).Draw(t, "new"))}
		if pin := rapid.ByteRange(0, 3).Draw(t, "pin"); pin > 0 {
			r.NewSm2Key = sm2Key(pin)
		}
		return &governancev1.Change{Kind: &governancev1.Change_ReplaceValidatorKey{ReplaceValidatorKey: r}}
	case 9:
		return upgrade(c.w, "two", c.inForce+rapid.Uint32Range(0, 2).Draw(t, "more"), rapid.Int64Range(5, 30).Draw(t, "ahead"))
	}
	return &governancev1.Change{Kind: &governancev1.Change_CancelUpgrade{CancelUpgrade: "two"}}
}

// do lets a member act, and holds that nobody does who is stopped.
func (c *turmoil) do(t *rapid.T, by string, m proto.Message) fault.Code {
	acc := c.w.Account(by)
	key, _ := identity.FindKey(c.w.View(), acc, c.w.Key(by, root).Public().ID())
	stopped := acc.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE || key.Suspended
	code := c.w.Do(by, m)
	if stopped != (code == fault.Suspended) && !proposesSuspended(m) {
		t.Fatalf("%v by %s: %s (%s), suspended: %t", m, by, code, c.w.Text, stopped)
	}
	return code
}

// proposesSuspended reports whether Suspended may be said of the change, too: an
// organisation that is suspended gets no vote.
func proposesSuspended(m proto.Message) bool {
	p, ok := m.(*governancev1.Propose)
	return ok && p.Change.GetAdmitMember() != nil
}

func (c *turmoil) propose(t *rapid.T) {
	if c.do(t, c.founder(t), &governancev1.Propose{Title: "x", Change: c.change(t)}) == fault.OK {
		c.ids = append(c.ids, c.w.Outcome.Ids[0])
	}
}

// vote lets some members vote on one of the newest proposals.
func (c *turmoil) vote(t *rapid.T) {
	if len(c.ids) == 0 {
		t.Skip()
	}
	id := rapid.SampledFrom(c.ids[max(0, len(c.ids)-6):]).Draw(t, "id")
	for _, by := range rapid.SliceOfNDistinct(rapid.SampledFrom(c.w.Founders), 1, 3, rapid.ID[string]).Draw(t, "voters") {
		c.do(t, by, &governancev1.CastVote{Proposal: id, Yes: rapid.IntRange(0, 4).Draw(t, "yes") > 0})
		c.check(t)
	}
}

// decide proposes, and lets some vote for it at once.
func (c *turmoil) decide(t *rapid.T) {
	before := len(c.ids)
	c.propose(t)
	if len(c.ids) == before {
		return
	}
	for _, by := range rapid.Permutation(c.w.Founders).Draw(t, "voters")[rapid.IntRange(0, 2).Draw(t, "silent"):] {
		c.do(t, by, yes(c.ids[before]))
		c.check(t)
	}
}

func (c *turmoil) wait(t *rapid.T) {
	c.w.Wait(rapid.SampledFrom([]int64{1, 12, 6*24 + 23, 24 * 7, 24 * 90}).Draw(t, "hours") * rulestest.Day / 24)
}

func (c *turmoil) blocks(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "blocks") {
		c.w.Block()
		c.check(t)
	}
}

// addKey gives a member another ROOT key, which ends.
func (c *turmoil) addKey(t *rapid.T) {
	org := c.founder(t)
	key := rulestest.PublicKey(c.w.Named(org, root, "second").Public(), root)
	key.EndsMs = c.w.Now + rapid.Int64Range(1, 10).Draw(t, "days")*rulestest.Day
	if c.do(t, org, &identityv1.AddKey{Account: org, Key: key}) == fault.OK {
		c.second[org] = key.Id
	}
}

// prove shows that a founder's first node has signed two things.
func (c *turmoil) prove(t *rapid.T) {
	proved(c.w, signedTwice(c.w, rapid.IntRange(0, len(c.w.Founders)-1).Draw(t, "guilty"), rapid.Int64Range(1, 3).Draw(t, "height")))
}

func (c *turmoil) check(t *rapid.T) {
	v := c.w.View()
	if err := governance.Check(v, c.w.Height(), c.w.Now); err != nil {
		t.Fatal(err)
	}
	for _, id := range c.ids {
		p, _ := governance.Lookup(v, id)
		switch was, over := c.decided[id]; {
		case over && p.State != was:
			t.Fatalf("proposal %s was %s and is %s", id, was, p.State)
		case !over && p.State != open:
			c.decided[id] = p.State
			c.seen[p.State.String()+" "+standard.Kind(p.Change)]++
		}
	}
	if now := governance.Protocol(v).InForce; now < c.inForce {
		t.Fatalf("protocol %d is in force after %d", now, c.inForce)
	} else {
		c.inForce = now
	}
	c.checkSilence(t)
}

// checkSilence holds that what was not confirmed silences nobody for longer than a week.
func (c *turmoil) checkSilence(t *rapid.T) {
	v, confirmed := c.w.View(), map[string]bool{}
	for _, s := range governance.Suspended(v) {
		confirmed[s.Account] = confirmed[s.Account] || s.EndsMs == 0
	}
	for _, org := range c.w.Founders {
		acc := c.w.Account(org)
		speaks := false
		for _, k := range acc.Keys {
			speaks = speaks || k.Level == root && identity.Signs(k, c.w.Now) && acc.State == identityv1.AccountState_ACCOUNT_STATE_ACTIVE
		}
		since, was := c.silent[org]
		_, member := governance.Member(v, org)
		switch {
		case speaks || confirmed[org] || !member:
			delete(c.silent, org)
		case !was:
			c.silent[org] = c.w.Now
		case c.w.Now-since >= 7*rulestest.Day:
			t.Fatalf("%s is silenced by emergencies since %d, it is %d", org, since, c.w.Now)
		}
	}
}

// TestTurmoil runs random histories of suspensions, rotations, upgrades, absences and
// proofs of misbehaviour on two replicas, and holds the invariants after every block.
func TestTurmoil(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		c := &turmoil{
			w: rulestest.Found(t, 30, 30, 20, 20), decided: map[string]governancev1.ProposalState{}, seen: seen,
			second: map[string]string{}, silent: map[string]int64{}, inForce: 1,
		}
		rt.Repeat(map[string]func(*rapid.T){
			"propose":  c.propose,
			"decide":   c.decide,
			"decide 2": c.decide,
			"decide 3": c.decide,
			"vote":     c.vote,
			"wait":     c.wait,
			"blocks":   c.blocks,
			"add key":  c.addKey,
			"prove":    c.prove,
			"":         c.check,
		})
	})
	t.Logf("decisions: %v", seen)
}
