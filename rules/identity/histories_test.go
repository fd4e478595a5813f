package identity_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

// A person of the model: what a reader of the doc comment would expect.
type modelKey struct {
	level   identityv1.KeyLevel
	ends    int64
	revoked bool
}

type modelAccount struct {
	keys      map[string]*modelKey // by name
	suspended bool
}

func (m *modelAccount) lasting(but string) bool {
	for name, k := range m.keys {
		if name != but && k.level == root && !k.revoked && k.ends == 0 {
			return true
		}
	}
	return false
}

// history is one random history of the keys of some persons.
type history struct {
	w        *rulestest.World
	accounts map[string]*modelAccount
}

// signer draws an account and one of its keys; the code that comes before any verb
// is told as well.
func (h *history) signer(t *rapid.T) (account, key string, before fault.Code) {
	account = rapid.SampledFrom([]string{person(0), person(1), person(2)}).Draw(t, "account")
	key = rapid.SampledFrom([]string{"k0", "k0", "k1", "k2", "k3"}).Draw(t, "key")
	acc := h.accounts[account]
	switch {
	case acc == nil:
		return account, key, fault.NotWhitelisted
	case acc.suspended:
		return account, key, fault.Suspended
	case acc.keys[key] == nil:
		return account, key, fault.NotWhitelisted
	case acc.keys[key].revoked || acc.keys[key].ends != 0 && acc.keys[key].ends <= h.w.Now:
		return account, key, fault.KeyRevoked
	}
	return account, key, fault.OK
}

func (h *history) private(account, name string) sm.PrivateKey { return h.w.Named(account, 9, name) }

func (h *history) public(account, name string, k *modelKey) *identityv1.Key {
	out := rulestest.PublicKey(h.private(account, name).Public(), k.level)
	out.EndsMs = k.ends
	return out
}

func (h *history) want(t *rapid.T, want fault.Code, account, key string, m proto.Message) {
	if got := h.w.DoWith(account, h.private(account, key), m); got != want {
		t.Fatalf("%v by %s of %s: %s (%s), the model says %s", m, key, account, got, h.w.Text, want)
	}
}

func person(n int) string { return fmt.Sprintf("p-%032x", n) }

func (h *history) open(t *rapid.T) {
	id := person(rapid.IntRange(0, 2).Draw(t, "person"))
	k := &modelKey{level: root}
	want := fault.OK
	if h.accounts[id] != nil {
		want = fault.AlreadyExists
	} else {
		h.accounts[id] = &modelAccount{keys: map[string]*modelKey{"k0": k}}
	}
	h.want(t, want, id, "k0", &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id, Keys: []*identityv1.Key{h.public(id, "k0", k)}})
}

func (h *history) drawKey(t *rapid.T) (name string, k *modelKey) {
	k = &modelKey{level: identityv1.KeyLevel(rapid.IntRange(1, 3).Draw(t, "level"))}
	if rapid.Bool().Draw(t, "ends") {
		k.ends = h.w.Now + rapid.Int64Range(1, 100).Draw(t, "after")*rulestest.Minute
	}
	return rapid.SampledFrom([]string{"k0", "k1", "k2", "k3"}).Draw(t, "new"), k
}

func (h *history) add(t *rapid.T) {
	account, key, want := h.signer(t)
	name, k := h.drawKey(t)
	m := &identityv1.AddKey{Account: account, Key: h.public(account, name, k)}
	if acc := h.accounts[account]; want == fault.OK {
		switch {
		case acc.keys[key].level < root:
			want = fault.Forbidden
		case acc.keys[name] != nil:
			want = fault.AlreadyExists
		default:
			acc.keys[name] = k
		}
	}
	h.want(t, want, account, key, m)
}

func (h *history) rotate(t *rapid.T) {
	account, key, want := h.signer(t)
	old := rapid.SampledFrom([]string{"k0", "k1", "k2", "k3"}).Draw(t, "old")
	name, k := h.drawKey(t)
	m := &identityv1.RotateKey{Account: account, OldKey: h.private(account, old).Public().ID(), NewKey: h.public(account, name, k)}
	if acc := h.accounts[account]; want == fault.OK {
		switch {
		case acc.keys[key].level < root:
			want = fault.Forbidden
		case acc.keys[old] == nil:
			want = fault.NotFound
		case acc.keys[old].level != k.level:
			want = fault.OutOfRange
		case acc.keys[name] != nil:
			want = fault.AlreadyExists
		case acc.keys[old].revoked, k.level == root && k.ends != 0 && !acc.lasting(old):
			want = fault.IllegalTransition
		default:
			acc.keys[old].revoked = true
			acc.keys[name] = k
		}
	}
	h.want(t, want, account, key, m)
}

func (h *history) revoke(t *rapid.T) {
	account, key, want := h.signer(t)
	gone := rapid.SampledFrom([]string{"k0", "k1", "k2", "k3"}).Draw(t, "gone")
	m := &identityv1.RevokeKey{Account: account, Key: h.private(account, gone).Public().ID()}
	if acc := h.accounts[account]; want == fault.OK {
		switch {
		case acc.keys[key].level < root:
			want = fault.Forbidden
		case acc.keys[gone] == nil:
			want = fault.NotFound
		case acc.keys[gone].revoked, acc.keys[gone].level == root && !acc.lasting(gone):
			want = fault.IllegalTransition
		default:
			acc.keys[gone].revoked = true
		}
	}
	h.want(t, want, account, key, m)
}

func (h *history) suspend(t *rapid.T) {
	id := person(rapid.IntRange(0, 2).Draw(t, "person"))
	acc, want := h.accounts[id], fault.OK
	switch {
	case acc == nil:
		want = fault.NotFound
	case acc.suspended:
		want = fault.IllegalTransition
	default:
		acc.suspended = true
	}
	h.w.Want(want, h.w.Authority, &identityv1.SuspendAccount{Account: id, Cause: "x"})
}

func (h *history) resume(t *rapid.T) {
	id := person(rapid.IntRange(0, 2).Draw(t, "person"))
	acc, want := h.accounts[id], fault.OK
	switch {
	case acc == nil:
		want = fault.NotFound
	case !acc.suspended:
		want = fault.IllegalTransition
	default:
		acc.suspended = false
	}
	h.w.Want(want, h.w.Authority, &identityv1.ResumeAccount{Account: id})
}

// check compares every account with the model, and looks at the invariants.
func (h *history) check(t *rapid.T) {
	v := h.w.View()
	for id, model := range h.accounts {
		acc, ok := identity.Lookup(v, id)
		if !ok {
			t.Fatalf("%s is not there", id)
		}
		if err := identity.Check(acc); err != nil {
			t.Fatal(err)
		}
		for name, k := range model.keys {
			got, ok := identity.FindKey(v, acc, h.private(id, name).Public().ID())
			if !ok || got.Level != k.level || got.EndsMs != k.ends || (got.State == identityv1.KeyState_KEY_STATE_REVOKED) != k.revoked {
				t.Fatalf("key %s of %s is %v, the model says %+v", name, id, got, k)
			}
		}
		if len(acc.Keys) != len(model.keys) {
			t.Fatalf("%s has %d keys, the model %d", id, len(acc.Keys), len(model.keys))
		}
	}
}

// TestHistories runs random histories of keys against a model that is too simple to
// be wrong, on two replicas that cut their blocks at different places.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{w: rulestest.New(t), accounts: map[string]*modelAccount{}}
		h.w.Lag(rapid.IntRange(1, 5).Draw(rt, "blocks in one"))
		rt.Repeat(map[string]func(*rapid.T){
			"wait":    func(t *rapid.T) { h.w.Wait(rapid.Int64Range(0, 30).Draw(t, "minutes") * rulestest.Minute) },
			"open":    h.open,
			"add":     h.add,
			"rotate":  h.rotate,
			"revoke":  h.revoke,
			"suspend": h.suspend,
			"resume":  h.resume,
			"":        h.check,
		})
	})
}
