package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/prooffile"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
)

// council is a running consortium as its first member's API shows it.
type council struct {
	t *testing.T
	*town
	founded *governancev1.Genesis
	members []*Member
	api     []*client.Client
	maker   *prooffile.Maker
	org     string // registered by the authority
	duties  int    // how many it has put
}

// convene starts so many members, the first of which validate, and registers an
// organisation through the first one.
func convene(ctx context.Context, t *testing.T, all, validators int) *council {
	t.Helper()
	configs, w, g := found(t, all, validators)
	c := &council{t: t, town: w, founded: g, org: rulestest.Code(100)}
	for _, cfg := range configs {
		m, err := OpenMember(ctx, MemberConfig{Node: cfg, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		run, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- m.Run(run) }()
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		c.members, c.api = append(c.members, m), append(c.api, client.New(m.URL()))
	}
	var err error
	if c.maker, err = prooffile.NewMaker(c.api[0], w.genesis); err != nil {
		t.Fatal(err)
	}
	var keys []*identityv1.Key
	for level := identityv1.KeyLevel_KEY_LEVEL_ROOT; level >= identityv1.KeyLevel_KEY_LEVEL_MACHINE; level-- {
		keys = append(keys, rulestest.PublicKey(w.Key(c.org, level).Public(), level))
	}
	c.send(ctx, w.Authority, identityv1.KeyLevel_KEY_LEVEL_OFFICER, &identityv1.RegisterOrg{Code: c.org, Profile: rulestest.Profile("示例机构"), Keys: keys})
	return c
}

// send submits a transaction to the first member and returns what came of it.
func (c *council) send(ctx context.Context, account string, level identityv1.KeyLevel, messages ...proto.Message) *ledgerv1.SubmitResponse {
	c.t.Helper()
	c.Now = time.Now().UnixMilli()
	raw := c.Seal(c.Body(account, messages...), c.Key(account, level))
	res, err := c.api[0].Ledger.Submit(ctx, connect.NewRequest(&ledgerv1.SubmitRequest{Envelope: raw}))
	if err != nil {
		c.t.Fatal(err)
	}
	if res.Msg.GetOutcome().GetCode() != 0 {
		c.t.Fatalf("refused: %v", res.Msg)
	}
	return res.Msg
}

// duty puts one more duty of the organisation and returns its id.
func (c *council) duty(ctx context.Context) string {
	c.t.Helper()
	c.duties++
	id := fmt.Sprintf("%s:%d", c.org, c.duties)
	c.send(ctx, c.org, identityv1.KeyLevel_KEY_LEVEL_OFFICER, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: id, Org: c.org, Title: fmt.Sprint("职责", c.duties), PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
	}}})
	return id
}

// decide has the founders vote about a validator until the change is accepted.
func (c *council) decide(ctx context.Context, change *governancev1.Validator) {
	c.t.Helper()
	root := identityv1.KeyLevel_KEY_LEVEL_ROOT
	id := c.send(ctx, c.Founders[0], root, &governancev1.Propose{
		Title: "验证节点变更", Change: &governancev1.Change{Kind: &governancev1.Change_SetValidator{SetValidator: change}},
	}).GetOutcome().GetIds()[0]
	for _, f := range c.Founders[1:] {
		c.send(ctx, f, root, &governancev1.CastVote{Proposal: id, Yes: true})
		got, err := c.api[0].Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: "governance/proposal/" + id}))
		if err != nil {
			c.t.Fatal(err)
		}
		p := &governancev1.Proposal{}
		if err := proto.Unmarshal(got.Msg.GetValue(), p); err != nil {
			c.t.Fatal(err)
		}
		if p.GetState() == governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED {
			return
		}
	}
	c.t.Fatalf("proposal %s was not accepted", id)
}

// prove makes a file until it holds and is as wanted: a transaction more moves the
// chain on, so that other votes are in the last block.
func (c *council) prove(ctx context.Context, make func() ([]byte, error), want func([]byte, *prooffile.Report) bool) ([]byte, *prooffile.Report) {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		file, err := make()
		if err != nil {
			c.t.Fatal(err)
		}
		r := prooffile.Verify(file, c.maker.GenesisHash())
		if !r.OK {
			c.t.Fatal(r.Fault())
		}
		if want(file, r) {
			return file, r
		}
		if time.Now().After(end) {
			c.t.Fatalf("not as wanted in time, last: %s power, %s with SM2, signers %v", r.Power, r.SM2, r.Signers)
		}
		c.duty(ctx)
	}
}

// event returns the number of the last event that touches an object.
func (c *council) event(ctx context.Context, key string) int64 {
	c.t.Helper()
	last := int64(-1)
	res, err := c.api[0].Ledger.ListEvents(ctx, connect.NewRequest(&ledgerv1.ListEventsRequest{Limit: 1000}))
	if err != nil {
		c.t.Fatal(err)
	}
	for i, e := range res.Msg.GetEvents() {
		for _, o := range e.GetObjects() {
			if o == key {
				last = int64(i)
			}
		}
	}
	return last
}

// TestProofsOfFourValidators: what four real validators have committed is proved to a
// stranger who has the genesis hash and one member's API, also after the validators
// have changed; one vote less is still enough, two are not.
func TestProofsOfFourValidators(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP five members in one process: -short")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	c := convene(ctx, t, 5, 4)
	js := secondVerifier(t)
	check := func(what string, file []byte) *prooffile.Report {
		t.Helper()
		return js.same(what, file, c.maker.GenesisHash())
	}
	key := "catalogue/duty/" + c.duty(ctx)
	signed := func(_ []byte, r *prooffile.Report) bool { return r.SM2 != "none" && len(r.Signers) > 0 }
	for _, x := range []struct {
		name string
		make func() ([]byte, error)
		by   string
	}{
		{"a duty", func() ([]byte, error) { return c.maker.Object(ctx, key) }, c.org},
		{"an organisation", func() ([]byte, error) { return c.maker.Object(ctx, "identity/account/"+c.org) }, c.Authority},
		{"an event", func() ([]byte, error) { return c.maker.Event(ctx, c.event(ctx, key)) }, c.org},
	} {
		file, _ := c.prove(ctx, x.make, signed)
		r := check(x.name, file)
		if !r.OK || enough(r.Power, 40) < 30 || enough(r.SM2, 40) < 30 || r.Signers[0].Account != x.by {
			t.Errorf("%s: power %s, SM2 %s, signers %v, %s", x.name, r.Power, r.SM2, r.Signers, r.Reason)
		}
		if r := prooffile.Verify(file, [32]byte{1}); r.OK || r.Code != fault.WrongChain {
			t.Errorf("%s: of another genesis: %+v", x.name, r)
		}
		t.Logf("%s: %d bytes, power %s, SM2 %s", x.name, len(file), r.Power, r.SM2)
	}
	var full []byte
	c.prove(ctx, func() ([]byte, error) { return c.maker.Object(ctx, key) }, func(file []byte, r *prooffile.Report) bool {
		full = c.complete(ctx, file, r.Height+1)
		return bytes.Count(full, []byte(`"40 of 40"`)) == 2
	})
	c.refuseTooFew(full, check)
	c.changes(ctx, key, check)
}

// refuseTooFew takes votes out of a file that has all four.
func (c *council) refuseTooFew(full []byte, check func(string, []byte) *prooffile.Report) {
	t := c.t
	t.Helper()
	without := func(votes, sm2 int) []byte {
		return reseal(full, func(i int, v *ballot) {
			if i < votes {
				v.time, v.signature = "", ""
			}
			if i < max(votes, sm2) {
				v.sm2 = ""
			}
		})
	}
	for _, x := range []struct {
		name       string
		file       []byte
		step       string // empty: holds
		power, sm2 string
	}{
		{"all four", full, "", "40 of 40", "40 of 40"},
		{"one vote less", without(1, 1), "", "30 of 40", "30 of 40"},
		{"two votes less", without(2, 2), "commit", "", ""},
		{"two SM2 signatures less", without(0, 2), "sm2", "", ""},
		{"no SM2 signature", without(0, 4), "", "40 of 40", "none"},
		{"an SM2 signature of another validator", reseal(full, func(i int, v *ballot) {
			if i == 0 {
				v.sm2 = ballots(full)[1].sm2
			}
		}), "sm2", "", ""},
	} {
		r := check(x.name, x.file)
		if r.OK != (x.step == "") || r.Step != x.step || r.Power != x.power || r.SM2 != x.sm2 || !r.OK && r.Code != fault.VerificationFailed {
			t.Errorf("%s: ok %t, step %q, power %q, SM2 %q: %s", x.name, r.OK, r.Step, r.Power, r.SM2, r.Reason)
		}
	}
}

// changes votes one validator out and another in, and proves after each.
func (c *council) changes(ctx context.Context, key string, check func(string, []byte) *prooffile.Report) {
	t := c.t
	t.Helper()
	gone := c.members[3].Node.Identity()
	c.decide(ctx, &governancev1.Validator{PublicKey: gone.Validator[:]})
	object := func() ([]byte, error) { return c.maker.Object(ctx, key) }
	of := func(total int) func([]byte, *prooffile.Report) bool {
		return func(_ []byte, r *prooffile.Report) bool { return enough(r.Power, total) > 0 }
	}
	file, _ := c.prove(ctx, object, of(30)) // the change counts from the second block after it
	if r := check("after one was voted out", file); !r.OK || r.Power != "30 of 30" || r.SM2 != "30 of 30" {
		t.Errorf("after one was voted out: power %s, SM2 %s, %s", r.Power, r.SM2, r.Reason)
	}
	came := c.members[4].Node.Identity()
	c.decide(ctx, &governancev1.Validator{PublicKey: came.Validator[:], Power: 10, Org: c.Authority, Name: "new", Sm2Key: came.SM2.Bytes()})
	file, _ = c.prove(ctx, object, func(file []byte, r *prooffile.Report) bool {
		for _, v := range ballots(file) {
			if v.key == hex.EncodeToString(came.Validator[:]) && v.signature != "" {
				return enough(r.Power, 40) >= 30
			}
		}
		return false
	})
	r := check("after one was voted in", file)
	// The genesis does not pin the newcomer's SM2 key: three of four is all there can be.
	if !r.OK || r.SM2 != "none" && r.SM2 != "30 of 40" {
		t.Errorf("after one was voted in: power %s, SM2 %s, %s", r.Power, r.SM2, r.Reason)
	}
	last := ballots(file)
	last = last[max(0, len(last)-4):]
	for _, v := range last {
		if v.key == hex.EncodeToString(gone.Validator[:]) || v.key == hex.EncodeToString(came.Validator[:]) && v.sm2 != "" {
			t.Errorf("after one was voted in: the vote %+v counts", v)
		}
	}
	t.Logf("after the changes: power %s, SM2 %s", r.Power, r.SM2)
}
