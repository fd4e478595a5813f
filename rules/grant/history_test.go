package grant_test

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/rules/grant"
	"mulian/rules/rulestest"
	"mulian/state"
)

// model is what a reader of the package comment knows of a grant.
type model struct {
	state        grantv1.GrantState
	begins, ends int64
	left         uint32
	sequence     uint64
	last         int64
	closed       map[uint64]bool
}

const (
	cooling   = grantv1.GrantState_GRANT_STATE_COOLING
	active    = grantv1.GrantState_GRANT_STATE_ACTIVE
	paused    = grantv1.GrantState_GRANT_STATE_PAUSED
	exhausted = grantv1.GrantState_GRANT_STATE_EXHAUSTED
	expired   = grantv1.GrantState_GRANT_STATE_EXPIRED
	revoked   = grantv1.GrantState_GRANT_STATE_REVOKED
)

// history is a random one of standing grants of five uses, an hour apart.
type history struct {
	*scene
	waiting []string
	ids     []string
	model   map[string]*model
}

func (h *history) pick(t *rapid.T) (string, *model) {
	if len(h.ids) == 0 {
		t.Skip("no grant")
	}
	id := rapid.SampledFrom(h.ids).Draw(t, "grant")
	return id, h.model[id]
}

// want fails unless state machine and model agree on whether m succeeds.
func (h *history) want(t *rapid.T, ok bool, account string, m proto.Message) bool {
	if code := h.Do(account, m); (code == fault.OK) != ok || code == fault.Internal {
		t.Fatalf("%T by %s: %s (%s), the model says %t", m, account, code, h.Text, ok)
	}
	return ok
}

func (h *history) ask(t *rapid.T) {
	if len(h.ids) > 4 {
		t.Skip("enough")
	}
	h.waiting = append(h.waiting, h.Must(h.Consumer, h.scene.ask(nil))[0])
}

func (h *history) answer(t *rapid.T) {
	if len(h.waiting) == 0 {
		t.Skip("nothing waits")
	}
	request := h.waiting[0]
	h.waiting = h.waiting[1:]
	if h.request(request).State != grantv1.DataRequestState_DATA_REQUEST_STATE_REQUESTED {
		h.want(t, false, h.owner, h.give(request, nil))
		return
	}
	if rapid.Bool().Draw(t, "no") {
		h.want(t, true, h.owner, &grantv1.DeclineRequest{Request: request, Cause: 1})
		return
	}
	id := h.Must(h.owner, h.give(request, nil))[0]
	h.ids = append(h.ids, id)
	h.model[id] = &model{state: cooling, begins: h.Now + 600_000, ends: h.grant(id).NotAfterMs, left: 5, closed: map[uint64]bool{}}
}

func (h *history) use(t *rapid.T) {
	id, m := h.pick(t)
	n := m.sequence + uint64(rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "number"))
	ok := m.state == active && n == m.sequence+1 && (m.last == 0 || h.Now-m.last >= 3600_000)
	if h.want(t, ok, h.ProviderGateway, h.record(id, func(r *grantv1.RecordGrantUse) { r.Number = n })) {
		m.sequence++
		m.last = h.Now
		if m.left--; m.left == 0 {
			m.state = exhausted
		}
	}
}

// shut closes the last use as empty: it is given back.
func (h *history) shut(t *rapid.T) {
	id, m := h.pick(t)
	ok := m.sequence > 0 && !m.closed[m.sequence] && h.Now-m.last <= rulestest.Day
	if h.want(t, ok, h.ProviderGateway, &grantv1.CloseGrantUse{Grant: id, Number: m.sequence, Outcome: grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_EMPTY}) {
		m.closed[m.sequence] = true
		m.left++
		if m.state == exhausted {
			m.state = active
		}
	}
}

func (h *history) pause(t *rapid.T) {
	id, m := h.pick(t)
	if h.want(t, m.state == active || m.state == cooling, h.owner, &grantv1.PauseGrant{Grant: id}) {
		m.state = paused
	}
}

func (h *history) resume(t *rapid.T) {
	id, m := h.pick(t)
	if h.want(t, m.state == paused, h.owner, &grantv1.ResumeGrant{Grant: id}) {
		if m.state = active; h.Now < m.begins {
			m.state = cooling
		}
	}
}

func (h *history) revoke(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "revoke") > 0 {
		t.Skip("not yet")
	}
	id, m := h.pick(t)
	ok := m.state != revoked && (m.state < exhausted || h.grant(id).DutiesOpen > 0)
	if h.want(t, ok, h.owner, &grantv1.RevokeGrant{Grant: id}) {
		m.state = revoked
	}
}

func (h *history) attest(t *rapid.T) {
	id, m := h.pick(t)
	ok := false
	for n := uint64(1); n <= m.sequence; n++ {
		if d, owes := grant.FindDuty(h.View(), id, n); owes && d.State != dutyAttested {
			ok = true
		}
	}
	h.want(t, ok, h.Consumer, &grantv1.AttestDeletion{Grant: id, First: 1, Last: m.sequence, EvidenceHash: digest("gone")})
}

func (h *history) wait(t *rapid.T) {
	h.Wait(rapid.SampledFrom([]int64{300_000, 3600_000, rulestest.Day, 5 * rulestest.Day}).Draw(t, "ms"))
	for _, m := range h.model {
		if m.state == cooling && h.Now >= m.begins {
			m.state = active
		}
		if m.state < exhausted && h.Now >= m.ends {
			m.state = expired
		}
	}
}

func (h *history) check(t *rapid.T) {
	live := uint32(0)
	for _, id := range h.ids {
		g, m := h.grant(id), h.model[id]
		if err := grant.Check(h.View(), g); err != nil {
			t.Fatal(err)
		}
		if g.State != m.state || g.Sequence != m.sequence || g.Uses != 5-m.left {
			t.Fatalf("%v\nthe model says %+v", g, m)
		}
		if g.State < exhausted {
			live++
		}
	}
	if f, _ := grant.FindFeed(h.View(), h.owner); f.GetStanding() != live {
		t.Fatalf("%d standing grants are counted, %d there are", f.GetStanding(), live)
	}
}

// TestHistories runs random histories on two replicas against a model.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{scene: newScene(t), model: map[string]*model{}}
		h.register(long)
		rt.Repeat(map[string]func(*rapid.T){
			"ask": h.ask, "answer": h.answer, "use": h.use, "shut": h.shut, "pause": h.pause, "resume": h.resume, "revoke": h.revoke,
			"attest": h.attest, "wait": h.wait, "": h.check,
		})
	})
}

// wholeLife is a fixed history that uses every verb.
func wholeLife(s *scene) {
	s.register(nil)
	first := s.given(nil)
	s.Must(s.ProviderGateway, s.record(first, nil))
	s.Must(s.ProviderGateway, &grantv1.CloseGrantUse{Grant: first, Number: 1, Outcome: grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RELEASED})
	s.Must(s.Consumer, &grantv1.AttestDeletion{Grant: first, First: 1, Last: 1, EvidenceHash: digest("shredded")})
	no := s.Must(s.Consumer, s.ask(nil))[0]
	s.Must(s.owner, &grantv1.DeclineRequest{Request: no, Cause: 2})
	back := s.Must(s.Consumer, s.ask(nil))[0]
	s.Must(s.Consumer, &grantv1.WithdrawDataRequest{Request: back})
	s.Must(s.Consumer, &grantv1.RegisterUse{LocalId: "monthly", Use: s.use(long).Use})
	s.useID = s.Consumer + ":monthly"
	id := s.given(nil)
	s.Must(s.owner, &grantv1.PauseGrant{Grant: id})
	s.Must(s.owner, &grantv1.ResumeGrant{Grant: id})
	s.Wait(600_000)
	s.Must(s.ProviderGateway, s.record(id, nil))
	s.Must(s.Consumer, &grantv1.ExemptDeletion{Grant: id, First: 1, Last: 1, Basis: 1, Law: "反洗钱法第三十四条", UntilMs: s.Now + rulestest.Day})
	s.Must(s.owner, &grantv1.RevokeGrant{Grant: id, Cause: "不再需要"})
	s.Wait(40 * rulestest.Day)
	void := s.given(nil)
	s.Must(s.Authority, &grantv1.VoidGrant{Grant: void, Cause: "账户被冒用"})
	s.Must(s.Consumer, &grantv1.RetireUse{Use: s.useID, Cause: "改版"})
	s.Wait(20 * rulestest.Day)
}

// TestGolden pins the facts after that history. A change of it is a change of the chain:
// it needs a note in docs/decisions. To update: take the root that the failure prints.
func TestGolden(t *testing.T) {
	s := newScene(t)
	wholeLife(s)
	const want = "ff65d97ab37132212fc2aa51e016a7272433949c75df8dd15d224ce00a92f478"
	if got := s.TreeRoot(); got != want {
		t.Errorf("tree root %s, want %s", got, want)
	}
}

// TestNothingPersonalOnTheLedger plants an id number, a contract number and a period behind
// commitments: after a whole life no byte of them is in state or events.
func TestNothingPersonalOnTheLedger(t *testing.T) {
	planted := []string{"110101199003078515", "合同-2026-0042-赵六", "2026-01/2026-06"}
	s := newScene(t)
	salt := bytes.Repeat([]byte{7}, consent.SaltBytes)
	sum := func(value string) []byte {
		c, err := consent.Private(salt, value)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	row, err := consent.RowKey(salt, planted[0])
	if err != nil {
		t.Fatal(err)
	}
	s.register(nil)
	request := s.Must(s.Consumer, s.ask(func(r *grantv1.DataRequest) {
		r.BusinessReference, r.ScopeCommitment = sum(planted[1]), sum(planted[2])
	}))[0]
	id := s.Must(s.owner, s.give(request, func(m *grantv1.GiveGrant) { m.RowKeyCommitment = row }))[0]
	s.Must(s.ProviderGateway, s.record(id, nil))
	for _, ev := range s.Events() {
		for _, p := range planted {
			if bytes.Contains([]byte(fmt.Sprint(ev)), []byte(p)) {
				t.Errorf("%s shows %s", ev.Verb, p)
			}
		}
	}
	seen := 0
	v := s.View()
	for _, noun := range []string{"grant/", "identity/", "share/", "catalogue/"} {
		for _, p := range everything(t, v, noun) {
			seen++
			for _, secret := range planted {
				if bytes.Contains(p, []byte(secret)) {
					t.Errorf("the state shows %s under %s", secret, noun)
				}
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d records were looked at", seen)
	}
	if g := s.grant(id); !bytes.Equal(g.RowKeyCommitment, row) {
		t.Error("the commitment is not the planted one: the test looks at nothing")
	}
}

// everything returns each record of the state whose key begins so.
func everything(t *testing.T, v state.View, prefix string) (out [][]byte) {
	t.Helper()
	v.Range([]byte(prefix), nil, func(key, value []byte) bool {
		out = append(out, append(bytes.Clone(key), value...))
		return true
	})
	return out
}

// TestRace: a use and a revocation at one moment are told apart by the order in which the
// ledger takes them, and the revocation freezes the sequence.
func TestRace(t *testing.T) {
	for _, usedFirst := range []bool{true, false} {
		s := newScene(t)
		s.register(long)
		id := s.given(nil)
		s.Wait(600_000)
		use := s.record(id, nil)
		if usedFirst {
			s.Must(s.ProviderGateway, use)
			s.Must(s.owner, &grantv1.RevokeGrant{Grant: id})
		} else {
			s.Must(s.owner, &grantv1.RevokeGrant{Grant: id})
			s.Want(fault.GrantRevoked, s.ProviderGateway, use)
		}
		s.Want(fault.GrantRevoked, s.ProviderGateway, s.record(id, nil))
		if g := s.grant(id); (g.Sequence == 1) != usedFirst || g.State != revoked {
			t.Errorf("used first %t: %v", usedFirst, g)
		}
		s.sound(id)
	}
}
