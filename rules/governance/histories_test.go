package governance_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
)

// A ballot box of the model.
type box struct {
	proposer string
	votes    map[string]bool
	target   string // member whose weight it sets
	weight   uint32
	ends     int64
	state    governancev1.ProposalState
}

// consortium is the model: weights, and boxes in the order in which they were made.
// A proposal sets the weight of one member; 0 removes it.
type consortium struct {
	w       *rulestest.World
	weights map[string]uint32
	runs    map[string]bool // a validator; it goes with its member and does not come back
	boxes   map[string]*box
	ids     []string
}

// verdict counts with exact fractions: 67 of 100.
func (c *consortium) verdict(b *box) governancev1.ProposalState {
	total, yes, no := uint32(0), uint32(0), uint32(0)
	for org, weight := range c.weights {
		total += weight
		if vote, ok := b.votes[org]; ok && vote {
			yes += weight
		} else if ok {
			no += weight
		}
	}
	switch {
	case yes*100 >= 67*total:
		return accepted
	case (total-no)*100 < 67*total:
		return rejected
	}
	return open
}

// possible says what checkChange will say.
func (c *consortium) possible(b *box) fault.Code {
	now, member := c.weights[b.target]
	switch {
	case b.weight == 0 && !member:
		return fault.NotFound
	case b.weight == 0 && (len(c.weights) == 1 || len(c.runs) == 1 && c.runs[b.target]):
		return fault.IllegalTransition
	case b.weight != 0 && now == b.weight:
		return fault.AlreadyExists
	}
	return fault.OK
}

// decide counts one box and reports whether members changed.
func (c *consortium) decide(b *box) (changed bool) {
	b.state = c.verdict(b)
	if b.state != accepted {
		return false
	}
	if c.possible(b) != fault.OK {
		b.state = rejected
		return false
	}
	if c.weights[b.target] = b.weight; b.weight == 0 {
		delete(c.weights, b.target)
		delete(c.runs, b.target)
	}
	return true
}

func (c *consortium) member(t *rapid.T) string {
	return rapid.SampledFrom(c.w.Founders).Draw(t, "who")
}

func (c *consortium) want(t *rapid.T, want fault.Code, by string, m proto.Message) {
	if got := c.w.Do(by, m); got != want {
		t.Fatalf("%v by %s: %s (%s), the model says %s", m, by, got, c.w.Text, want)
	}
}

func (c *consortium) propose(t *rapid.T) {
	b := &box{proposer: c.member(t), target: c.member(t), weight: rapid.Uint32Range(0, 4).Draw(t, "weight") * 10, ends: c.w.Now + 30*rulestest.Day, state: open}
	change := admit(b.target, b.weight)
	if b.weight == 0 {
		change = remove(b.target)
	}
	waiting := 0
	for _, other := range c.boxes {
		if other.proposer == b.proposer && other.state == open {
			waiting++
		}
	}
	want := c.possible(b)
	if c.weights[b.proposer] == 0 {
		want = fault.Forbidden
	} else if want == fault.OK && waiting >= governance.MaxOpenEach {
		want = fault.Busy
	}
	c.want(t, want, b.proposer, &governancev1.Propose{Title: "x", Change: change})
	if want != fault.OK {
		return
	}
	id := c.w.Outcome.Ids[0]
	b.votes = map[string]bool{b.proposer: true}
	c.boxes[id], c.ids = b, append(c.ids, id)
	c.after(c.decide(b))
}

func (c *consortium) vote(t *rapid.T) {
	if len(c.ids) == 0 {
		t.Skip()
	}
	by, id, yes := c.member(t), rapid.SampledFrom(c.ids).Draw(t, "id"), rapid.Bool().Draw(t, "yes")
	b := c.boxes[id]
	_, voted := b.votes[by]
	want := fault.OK
	switch {
	case c.weights[by] == 0:
		want = fault.Forbidden
	case b.state != open || c.w.Now >= b.ends:
		want = fault.VoteClosed
	case voted:
		want = fault.AlreadyVoted
	}
	c.want(t, want, by, &governancev1.CastVote{Proposal: id, Yes: yes})
	if want == fault.OK {
		b.votes[by] = yes
		c.after(c.decide(b))
	}
}

func (c *consortium) withdraw(t *rapid.T) {
	if len(c.ids) == 0 {
		t.Skip()
	}
	by, id := c.member(t), rapid.SampledFrom(c.ids).Draw(t, "id")
	b, want := c.boxes[id], fault.OK
	switch {
	case b.proposer != by:
		want = fault.Forbidden
	case b.state != open || c.w.Now >= b.ends:
		want = fault.VoteClosed
	}
	c.want(t, want, by, &governancev1.WithdrawProposal{Proposal: id})
	if want == fault.OK {
		b.state = withdrawn
	}
}

// after lets empty blocks pass until nothing is counted again any more. The order in
// which several open proposals are counted is that of their ends and ids, which
// the model reads from the ledger: it only holds that the outcome fits.
func (c *consortium) after(changed bool) {
	for changed {
		changed = false
		for _, id := range c.order() {
			if c.decide(c.boxes[id]) {
				changed = true
				break
			}
		}
		c.w.Block()
	}
}

// order returns the open boxes by end and id.
func (c *consortium) order() (out []string) {
	for _, id := range c.ids {
		if b := c.boxes[id]; b.state == open && c.w.Now < b.ends {
			i := len(out)
			for i > 0 && (c.boxes[out[i-1]].ends > b.ends || c.boxes[out[i-1]].ends == b.ends && out[i-1] > id) {
				i--
			}
			out = append(out[:i], append([]string{id}, out[i:]...)...)
		}
	}
	return out
}

func (c *consortium) wait(t *rapid.T) {
	c.w.Wait(rapid.Int64Range(0, 20).Draw(t, "days") * rulestest.Day)
	for _, b := range c.boxes {
		if b.state == open && b.ends <= c.w.Now {
			b.state = expired
		}
	}
}

func (c *consortium) check(t *rapid.T) {
	v := c.w.View()
	members := governance.Members(v)
	if len(members) != len(c.weights) || len(members) == 0 {
		t.Fatalf("members are %v, the model says %v", members, c.weights)
	}
	for _, m := range members {
		if c.weights[m.Org] != m.Weight {
			t.Fatalf("%s has weight %d, the model says %d", m.Org, m.Weight, c.weights[m.Org])
		}
	}
	for id, b := range c.boxes {
		if p, _ := governance.Lookup(v, id); p.State != b.state || len(p.Ballots) != len(b.votes) {
			t.Fatalf("proposal %s is %v, the model says %+v", id, p, b)
		}
	}
	nodes := governance.Validators(v)
	if len(nodes) != len(c.runs) {
		t.Fatalf("validators are %v, the model says %v", nodes, c.runs)
	}
	for _, n := range nodes {
		if c.weights[n.Org] == 0 {
			t.Fatalf("%s runs a validator and is no member", n.Org)
		}
	}
}

// TestHistories runs random votes about members and their weights against a model, on
// two replicas that cut their blocks alike: counting again happens at the end of a
// block, so other cuts are other histories here.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &consortium{w: rulestest.Found(t, 30, 30, 20, 20), weights: map[string]uint32{}, runs: map[string]bool{}, boxes: map[string]*box{}}
		for i, weight := range []uint32{30, 30, 20, 20} {
			c.weights[c.w.Founders[i]], c.runs[c.w.Founders[i]] = weight, true
		}
		rt.Repeat(map[string]func(*rapid.T){
			"propose":  c.propose,
			"vote":     c.vote,
			"vote 2":   c.vote,
			"withdraw": c.withdraw,
			"wait":     c.wait,
			"":         c.check,
		})
	})
}
