package credential_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/credential"
	"mulian/rules/rulestest"
)

// TestGolden pins the state and the events after a fixed history that uses every verb. A change
// of it is a change of the chain: it needs a new state version and a note in docs/decisions.
func TestGolden(t *testing.T) {
	w := ready(t)
	ids := w.Must(w.ProviderGateway, w.issue(w.one(1), w.one(2), w.one(3)))
	w.Must(w.ProviderGateway, w.set(ids[0], suspended, asked))
	w.Must(w.Provider, w.set(ids[0], valid, settled))
	w.Must(w.Provider, w.set(ids[0], revoked, asked))
	w.Must(w.ProviderGateway, &credentialv1.ReportSourceChange{Sources: [][]byte{hash("row2")}})
	next := w.one(4)
	next.Licence, next.Supersedes = hash("licence3"), ids[2]
	w.Must(w.ProviderGateway, w.issue(next))
	w.Wait(rulestest.Day)
	w.Must(w.Provider, &credentialv1.PutCredentialType{Type: w.kind(2), Retire: true})
	w.Must(w.Provider, &credentialv1.RetireCredentialType{Id: w.typeID, Version: 2})
	const want = "cc582f5a39ea7db84bc594e5fdecb309266ce99e79b90e2bd4ac3d7cb52e51e3"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}

// TestHistories runs random histories on two replicas, which must agree, against a model that
// knows each credential's state and nothing of pages and indexes.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := ready(t)
		type known struct {
			id       string
			n, row   int
			licence  int
			state    credentialv1.CredentialState
			cause    credentialv1.StatusCause
			expires  int64
			position uint64
		}
		var all []*known
		inForce := func(k *known) bool { return k.state == valid || k.state == suspended }
		do := func(rt *rapid.T, what string, want, got fault.Code) {
			if got != want {
				rt.Fatalf("%s: %s (%s), the model says %s", what, got, w.Text, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"issue": func(rt *rapid.T) {
				k := &known{n: len(all), row: rapid.IntRange(0, 2).Draw(rt, "row"), licence: rapid.IntRange(0, 5).Draw(rt, "licence"), state: valid}
				k.position = uint64(rapid.IntRange(0, 30).Draw(rt, "index"))
				c := w.one(1000 + k.n)
				c.Licence, c.Source, c.Index = hash(fmt.Sprint("licence", k.licence)), hash(fmt.Sprint("row", k.row)), k.position
				k.expires = c.ExpiresMs
				want := fault.OK
				var old *known
				if len(all) > 0 && rapid.Bool().Draw(rt, "supersedes") {
					old = rapid.SampledFrom(all).Draw(rt, "old")
					c.Supersedes = old.id
				}
				twin := func(o *known) bool { return o != old && inForce(o) && o.licence == k.licence }
				switch {
				case old != nil && !inForce(old):
					want = fault.IllegalTransition
				case slices.ContainsFunc(all, twin):
					want = fault.DuplicateActive
				case slices.ContainsFunc(all, func(o *known) bool { return o.position == k.position }):
					want = fault.AlreadyExists
				}
				do(rt, "issue", want, w.Do(w.ProviderGateway, w.issue(c)))
				if want == fault.OK {
					k.id = credential.ID(c.Commitment)
					all = append(all, k)
					if old != nil {
						old.state = superseded
					}
				}
			},
			"set": func(rt *rapid.T) {
				if len(all) == 0 {
					rt.Skip()
				}
				k := rapid.SampledFrom(all).Draw(rt, "credential")
				to := rapid.SampledFrom([]credentialv1.CredentialState{valid, suspended, revoked}).Draw(rt, "state")
				cause := asked
				if to == valid {
					cause = settled
				}
				want, same := fault.OK, k.state == to && (to != suspended || k.cause == cause)
				switch {
				case same:
				case !inForce(k) || w.Now >= k.expires:
					want = fault.IllegalTransition
				}
				do(rt, "set", want, w.Do(w.Provider, w.set(k.id, to, cause)))
				if want == fault.OK && !same {
					k.state, k.cause = to, cause
				}
			},
			"change": func(rt *rapid.T) {
				row := rapid.IntRange(0, 2).Draw(rt, "row")
				do(rt, "change", fault.OK, w.Do(w.ProviderGateway, &credentialv1.ReportSourceChange{Sources: [][]byte{hash(fmt.Sprint("row", row))}}))
				for _, k := range all {
					if k.row == row && k.state == valid && w.Now < k.expires {
						k.state, k.cause = suspended, changed
					}
				}
			},
			"wait": func(rt *rapid.T) { w.Wait(int64(rapid.IntRange(1, 20).Draw(rt, "days")) * rulestest.Day) },
			"": func(rt *rapid.T) {
				if err := credential.Check(w.View(), w.Provider); err != nil {
					rt.Fatal(err)
				}
				for _, k := range all {
					if c, ok := credential.Find(w.View(), k.id); !ok || c.State != k.state {
						rt.Fatalf("%s is %s, the model says %s", k.id, c.GetState(), k.state)
					}
				}
			},
		})
	})
}
