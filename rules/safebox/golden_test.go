package safebox_test

import (
	"testing"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/rules/rulestest"
)

// TestGolden pins the state and the events after a fixed history that uses every verb. A
// change of it is a change of the chain: it needs a new state version and a note in
// docs/decisions.
func TestGolden(t *testing.T) {
	w := newWorld(t)
	w.Must(w.ProviderGateway, deposit(w.a, "one", "two"))
	w.Must(w.a, own("three"))
	w.Must(w.a, erase(ownWish, "three"))
	w.Must(w.Provider, erase(unlawful, "two"))
	w.Must(w.b, &safeboxv1.AcceptTransfer{Transfer: w.Must(w.a, w.offer("one", w.b, copying))[0]})
	w.Must(w.b, &safeboxv1.DeclineTransfer{Transfer: w.Must(w.a, w.offer("one", w.b, handOver))[0]})
	w.Must(w.a, &safeboxv1.CancelTransfer{Transfer: w.Must(w.a, w.offer("one", w.b, handOver))[0]})
	w.Must(w.b, &safeboxv1.AcceptTransfer{Transfer: w.Must(w.a, w.offer("one", w.b, handOver))[0]})
	w.Must(w.b, w.offer("one", w.a, handOver))
	w.Wait(2 * rulestest.Day)
	w.Must(w.b, &safeboxv1.ChangeVault{Version: 1, Keys: keys("b2"), Unlockers: []safeboxv1.UnlockerKind{passkey}, UnlockersHash: hash("b2")})
	const want = "1cc202526f9a4b8f4e577f66bc6ebf8864efbe67bd6ee5d52fd7f4c2be516ea3"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}
